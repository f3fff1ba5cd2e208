"""A run: scrape once and print."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Callable

from telegraf_cvmfs.command.chosen import fleets, keeper, memory_path
from telegraf_cvmfs.command.page import view
from telegraf_cvmfs.command.terminal import logger, now, progress, show, summarise, write
from telegraf_cvmfs.emit import emitter
from telegraf_cvmfs.model import Fleet, Run
from telegraf_cvmfs.net.deadline import Deadline
from telegraf_cvmfs.rounds import Rounds


def run(options: argparse.Namespace, deadline: Deadline) -> int:
    """Scrape once and print; always 0, for whatever the servers do is in what is printed."""
    with fleets(options, deadline) as watched:
        rounds = Rounds(watched, lambda fleet: memory_path(fleet, options), logger(options))
        one_round(rounds, deadline, options, keeper(options))
    return 0


def one_round(
    rounds: Rounds,
    deadline: Deadline,
    options: argparse.Namespace,
    keep: Callable[[Fleet, Run], None],
    answered: Callable[[], None] = lambda: None,
) -> None:
    """From the fleet to its printed text; what is worth remembering is kept.

    `keep` keeps the run itself. `answered`: it is about to be printed.
    """
    open_enough_files()
    shown = view(options, rounds.fleet)
    with progress(options) as moved:
        run = rounds.look(deadline, now(), moved)
    text = emitter(options.format, shown)(run)
    answered()
    if options.output is None:
        show(text)
    else:
        write(options.output, text)
    rounds.keep(run)
    keep(rounds.fleet, run)
    summarise(run, logger(options))


def open_enough_files() -> None:
    """A large fleet has more connections than the thousand files that a process may usually have open."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
