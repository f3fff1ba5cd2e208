"""The seconds and bytes that the request of each thread may still use.

A request never changes its thread, and what reads from its socket lies deep below three libraries. So each
thread has a budget, and the sockets ask it before and after each operation.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

from telegraf_cvmfs.model import FetchError, Result
from telegraf_cvmfs.net.answer import LATE
from telegraf_cvmfs.net.deadline import Deadline


class Budget(threading.local):
    """What the request of this thread may still use, and what its sockets saw last.

    `ended`: the peer had closed when last read from. `kept`: the request went out on a connection that had
    been used before. `fresh`: it must not.
    """

    def __init__(self) -> None:
        self._until = float("inf")
        self._deadline: Deadline | None = None
        self._bytes = 0
        self._excess = ""
        self.ended = self.kept = self.fresh = False

    @contextlib.contextmanager
    def within(self, seconds: float, deadline: Deadline | None = None) -> Iterator[None]:
        """A context with no more than these seconds, nor than were left before, nor than the deadline leaves."""
        before = self._until, self._deadline
        self._until = min(self._until, time.monotonic() + seconds)
        self._deadline = deadline or self._deadline
        try:
            yield
        finally:
            self._until, self._deadline = before

    def allow(self, count: int, excess: str) -> None:
        """Set how many bytes may be read from here on; `excess` says what is wrong with more."""
        self._bytes, self._excess = count, excess
        self.ended = False

    def received(self, count: int) -> int:
        """Note that a read brought so many bytes; returns their number.

        Raises:
            FetchError: they are too many.
        """
        self.ended = count == 0
        self._bytes -= count
        if self._bytes < 0:
            raise FetchError(Result.TOO_LARGE, self._excess)
        return count

    @property
    def spent(self) -> bool:
        """Has the request no time left?"""
        return self._remaining <= 0

    def left(self) -> float:
        """Seconds that the request still has, more than 0.

        Raises:
            FetchError: it has none.
        """
        remaining = self._remaining
        if remaining <= 0:
            raise FetchError(self.slow, LATE)
        return remaining

    @property
    def slow(self) -> Result:
        """The result of a request that is too late: the server took too long, or the run had no more time to give."""
        return Result.DEADLINE if self._deadline is not None and self._deadline.passed else Result.TIMEOUT

    @property
    def _remaining(self) -> float:
        remaining = self._until - time.monotonic()
        return remaining if self._deadline is None else min(remaining, self._deadline.remaining)


budget = Budget()
"""That of the thread that asks."""
