"""The engine: drives the programs of all servers over one transport, until all have ended or the time is up."""

from __future__ import annotations

import heapq
import itertools
import random
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from telegraf_cvmfs.model import PAUSE, Server
from telegraf_cvmfs.net.deadline import Deadline
from telegraf_cvmfs.net.transport import Outcome, Transport
from telegraf_cvmfs.scraping.asking.job import Job, Pause, Program, Reply

_NAP = 0.1  # seconds: a signal that cuts the run short is heard within it

SHARE = 4
"""A pause takes no more than one in so many of the seconds that are left."""

STREAMS = 4
"""Where a server takes many requests on one connection, so many times the connections are under way to it."""


@dataclass
class _Lane:
    """One server while it is asked."""

    program: Program
    width: int
    waiting: Iterator[Job[None]] = field(default_factory=lambda: iter(()))
    under_way: int = 0
    broken: bool = False

    def fail(self, error: Exception) -> None:
        """An error of this program: it costs this server, not the run."""
        self.broken = True
        self.waiting = iter(())
        self.program.failed(error)


@dataclass(frozen=True, slots=True)
class _Asked:
    lane: _Lane
    job: Job[None]
    server: Server
    began: float


class Engine:
    """Asks each server at most `width` questions at the same time, all servers together, in the thread that calls.

    It is `STREAMS` times as many to a server that takes them on one connection. `pause` is how many seconds a pause
    takes, at least and at most. `meanwhile` is called again and again.
    """

    def __init__(
        self,
        transport: Transport,
        deadline: Deadline,
        width: int,
        pause: tuple[float, float] = PAUSE,
        meanwhile: Callable[[], None] = lambda: None,
    ) -> None:
        self._transport = transport
        self._deadline = deadline
        self._width = width
        self._pause_of = pause
        self._meanwhile = meanwhile
        self._numbers = itertools.count()
        self._asked: dict[int, _Asked] = {}
        self._pausing: list[tuple[float, int, _Lane]] = []
        """Servers of which nothing is asked before a time, the first one first."""

    def run(self, programs: Iterable[Program]) -> None:
        """Drive these to their ends; what is under way when the time is up stays without a reply."""
        for program in programs:
            self._advance(_Lane(program, self._width))
        while (self._asked or self._pausing) and not self._deadline.passed:
            self._meanwhile()
            for number, outcome in self._finished():
                asked = self._asked.pop(number)
                took = timedelta(seconds=time.monotonic() - asked.began)
                asked.lane.under_way -= 1
                if self._transport.multiplexes(asked.server):
                    asked.lane.width = self._width * STREAMS
                self._go_on(asked.lane, asked.job, Reply(outcome, took))
                self._advance(asked.lane)
            while self._pausing and self._pausing[0][0] <= time.monotonic():
                self._advance(heapq.heappop(self._pausing)[-1])

    def _finished(self) -> list[tuple[int, Outcome | Exception]]:
        """The outcomes that have come, after a nap at most."""
        patience = min(self._deadline.remaining, _NAP)
        if self._pausing:
            patience = max(min(patience, self._pausing[0][0] - time.monotonic()), 0.0)
        if self._asked:
            return self._transport.finished(patience)
        time.sleep(patience)
        return []

    def _advance(self, lane: _Lane) -> None:
        """Begin what may be begun: jobs of this stage, or the next stage once all of this one have ended."""
        while lane.under_way < lane.width and not self._deadline.passed:
            job = self._next_job(lane)
            if job is not None:
                self._go_on(lane, job, None)
            elif lane.under_way or not self._take_stage(lane):
                return

    def _next_job(self, lane: _Lane) -> Job[None] | None:
        try:
            return next(lane.waiting, None)
        except Exception as error:  # noqa: BLE001
            lane.fail(error)
            return None

    def _take_stage(self, lane: _Lane) -> bool:
        """Is there another stage?"""
        stage = None
        if not lane.broken:
            try:
                stage = next(lane.program.stages, None)
            except Exception as error:  # noqa: BLE001
                lane.fail(error)
        if stage is None:
            lane.program.ended()
            return False
        if isinstance(stage, Pause):
            self._pause(lane)
            return False
        lane.waiting = iter(stage)
        return True

    def _pause(self, lane: _Lane) -> None:
        """Ask this server nothing for a while, but no longer than leaves time for what comes then."""
        seconds = min(random.uniform(*self._pause_of), self._deadline.remaining / SHARE)  # noqa: S311
        heapq.heappush(self._pausing, (time.monotonic() + seconds, next(self._numbers), lane))

    def _go_on(self, lane: _Lane, job: Job[None], reply: Reply | None) -> None:
        """Give a job the reply it waits for, and ask what it asks next; it may be at its end."""
        try:
            request = next(job) if reply is None else job.send(reply)
        except StopIteration:
            return
        except Exception as error:  # noqa: BLE001
            lane.fail(error)
            return
        number = next(self._numbers)
        lane.under_way += 1
        self._asked[number] = _Asked(lane, job, request.server, time.monotonic())
        self._transport.start(number, request)
