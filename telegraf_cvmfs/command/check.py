"""`--check`: say what would be scraped and what is wrong, in plain words."""

from __future__ import annotations

import argparse
import contextlib
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from telegraf_cvmfs.command.chosen import memory_path, one_fleet
from telegraf_cvmfs.command.terminal import logger, now, show
from telegraf_cvmfs.doctor.servers import check, telegraf_settings
from telegraf_cvmfs.memory.file import problem
from telegraf_cvmfs.model import Fleet
from telegraf_cvmfs.net.deadline import Deadline
from telegraf_cvmfs.trust.keys import Keyring
from telegraf_cvmfs.watch import probe


def run(options: argparse.Namespace, deadline: Deadline) -> int:
    """Try each server once, and print what was found; always 0."""
    with one_fleet(options) as fleet:
        deadline.shorten(fleet.deadline.total_seconds())
        started, log = now(), logger(options)
        judge = partial(Keyring(fleet, log).judge, now=started)
        lines = [*check(fleet, probe(fleet, started, deadline, log), judge), _memory(fleet, options)]
        for path, text in _telegraf_files():
            lines += telegraf_settings(str(path), text, fleet.deadline)
    show("\n".join(lines) + "\n")
    return 0


def _memory(fleet: Fleet, options: argparse.Namespace) -> str:
    path = memory_path(fleet, options)
    if path is None:
        return "memory: none"
    wrong = problem(path)
    return f"memory: ok, {path}" if wrong is None else f"memory: {wrong}"


def _telegraf_files() -> Iterator[tuple[Path, str]]:
    """Telegraf's own settings, where this user may read them: they must fit ours."""
    main = Path(os.environ.get("TELEGRAF_CONFIG_PATH") or "/etc/telegraf/telegraf.conf")
    for path in (main, *sorted(main.parent.glob("telegraf.d/*.conf"))):
        with contextlib.suppress(OSError, UnicodeDecodeError):
            yield path, path.read_text(encoding="utf-8")
