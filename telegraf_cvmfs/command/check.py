"""`--check`: say what would be scraped and what is wrong, in plain words."""

from __future__ import annotations

import argparse
import os
from functools import partial

from telegraf_cvmfs.command.chosen import memory_path, one_fleet
from telegraf_cvmfs.command.terminal import logger, now, show
from telegraf_cvmfs.doctor.servers import check
from telegraf_cvmfs.doctor.telegraf.configuration import settings_lines
from telegraf_cvmfs.memory.file import problem
from telegraf_cvmfs.model import Fleet
from telegraf_cvmfs.net.deadline import Deadline
from telegraf_cvmfs.trust.judge import Judge
from telegraf_cvmfs.trust.keys import Keyring
from telegraf_cvmfs.watch import probe


def run(options: argparse.Namespace, deadline: Deadline) -> int:
    """Try each server once, and print what was found; always 0."""
    with one_fleet(options) as fleet:
        deadline.shorten(fleet.deadline.total_seconds())
        started, log = now(), logger(options)
        judge = partial(Judge(Keyring(fleet, log)).judge, now=started)
        lines = [*check(fleet, probe(fleet, started, deadline, log), judge), _memory(fleet, options)]
        lines += settings_lines(os.environ, fleet.deadline)
    show(f"{line}\n" for line in lines)
    return 0


def _memory(fleet: Fleet, options: argparse.Namespace) -> str:
    path = memory_path(fleet, options)
    if path is None:
        return "memory: none"
    wrong = problem(path)
    return f"memory: ok, {path}" if wrong is None else f"memory: {wrong}"
