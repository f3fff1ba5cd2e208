"""`--check`: say what would be scraped and what is wrong, in plain words."""

from __future__ import annotations

import argparse
import os
from functools import partial

from telegraf_cvmfs.command import maintenance
from telegraf_cvmfs.command.chosen import memory_path, one_fleet
from telegraf_cvmfs.command.terminal import logger, now, show
from telegraf_cvmfs.doctor.chain import Verdict
from telegraf_cvmfs.doctor.servers import check, is_wrong
from telegraf_cvmfs.doctor.telegraf.configuration import settings_remarks
from telegraf_cvmfs.doctor.telegraf.files import remark_lines
from telegraf_cvmfs.doctor.trust import trust_lines, trust_problems
from telegraf_cvmfs.memory.file import problem
from telegraf_cvmfs.net.deadline import Deadline
from telegraf_cvmfs.trust.judge import Judge
from telegraf_cvmfs.trust.keys import Keyring
from telegraf_cvmfs.watch import probe
from telegraf_cvmfs.words.log import SaidOnce
from telegraf_cvmfs.words.secrecy import without_secrets


def run(options: argparse.Namespace, deadline: Deadline) -> int:
    """Try each server once, and print what was found; 1 if anything is wrong, else 0."""
    with one_fleet(options, deadline) as fleet:
        deadline.shorten(fleet.deadline.total_seconds())
        started, log = now(), SaidOnce(logger(options))
        keyring = Keyring(fleet, lambda _line: None)  # its problems are printed
        judge = partial(Judge(keyring).judge, now=started)
        strata = probe(fleet, started, deadline, log)
        path = memory_path(fleet, options)
        no_memory = None if path is None else problem(path)
        memory = "memory: none" if path is None else f"memory: {no_memory or f'ok, {path}'}"
        lines = [*check(fleet, strata, judge), *trust_lines(fleet, keyring, strata), memory]
        strange = maintenance.problems(fleet, started)
        lines += [*maintenance.lines_of_check(fleet, started), *strange]
        remarks = [*settings_remarks(os.environ, fleet.deadline)]
        lines += remark_lines(remarks)
    if deadline.interrupted:
        log(f"W! {deadline.interrupted} ended this check before all servers were tried")
    show(f"{without_secrets(line)}\n" for line in lines)
    wrong = no_memory is not None or bool(strange) or bool(trust_problems(fleet, keyring, strata))
    wrong = wrong or any(remark.verdict is Verdict.WRONG for remark in remarks)
    return int(wrong or any(is_wrong(stratum, judge) for stratum in strata))
