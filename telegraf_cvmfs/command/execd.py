"""`execd`: the same run again and again, for `inputs.execd` with `signal = "STDIN"`: a batch for each newline."""

from __future__ import annotations

import argparse
import os
import queue
import signal
from collections.abc import Iterator

from telegraf_cvmfs.command import options as run_options
from telegraf_cvmfs.command.chosen import fleets, keeper, memory_path
from telegraf_cvmfs.command.once import one_round
from telegraf_cvmfs.command.terminal import logger
from telegraf_cvmfs.command.waiting import taken
from telegraf_cvmfs.net.deadline import Deadline, ending_signals
from telegraf_cvmfs.net.transport import begin_thread
from telegraf_cvmfs.rounds import Rounds

CHUNK = 64 * 1024
ROUND, END = True, False


def add_options(parser: argparse.ArgumentParser) -> None:
    """Those of a run."""
    run_options.add_options(parser)


def run(options: argparse.Namespace, deadline: Deadline) -> int:
    """Scrape and print for each newline on stdin, until it ends; always 0."""
    newlines = Newlines(descriptor=0)
    newlines.begin(deadline)  # until there are rounds: a fleet file may be waited for
    for number in ending_signals():
        signal.signal(number, lambda number, _: newlines.stop(signal.Signals(number).name))
    if deadline.passed:  # the signal came while this was imported
        return 0
    with fleets(options, deadline) as watched:
        rounds = Rounds(watched, lambda fleet: memory_path(fleet, options), logger(options))
        keep = keeper(options)
        for _ in newlines:
            within = newlines.begin(Deadline(float("inf")))
            rounds.renew()
            one_round(rounds, within, options, keep, newlines.answered)
    return 0


class Newlines:
    """Yields once for each newline that arrives, and ends at the end of input or when told to stop.

    Newlines that come while a round is on are not queued up: Telegraf counts on one batch for an interval,
    and what it asked for while we were busy it gets with the next. A round is on until its batch is printed.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._busy = self._answered = self._stopped = False
        self._stopped_by = ""
        # Not a Queue: its lock may be held by this very thread when a signal handler comes to put something.
        self._wanted: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._deadline: Deadline | None = None

    def __iter__(self) -> Iterator[None]:
        begin_thread(self._listen)
        while taken(self._wanted):
            self._answered = False
            yield
            self._deadline = None
            self.answered()

    def begin(self, deadline: Deadline) -> Deadline:
        """Say what ends the round that is beginning, for `stop`."""
        self._deadline = deadline
        if self._stopped:  # the signal came between the newline and here
            deadline.cut(self._stopped_by)
        return deadline

    def answered(self) -> None:
        """The batch is about to be printed: who has read it may ask at once, though we may still be tidying up."""
        if not self._answered:  # once a round, or a newline that has come since would be taken for two
            self._answered = True
            self._busy = False

    def stop(self, by: str) -> None:
        """End after this round, and this round now; `by` is the signal that wants it. Safe in a signal handler."""
        self._stopped, self._stopped_by = True, by
        self._wanted.put(END)
        if self._deadline is not None:
            self._deadline.cut(by)

    def _listen(self) -> None:
        try:
            while data := _read(self._descriptor):
                if b"\n" in data and not self._busy:
                    self._busy = True
                    self._wanted.put(ROUND)
        finally:  # however it ends: nobody else would end the wait for the next newline
            self._wanted.put(END)


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, CHUNK)
    except OSError:
        return b""
