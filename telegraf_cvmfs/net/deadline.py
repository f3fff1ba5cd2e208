"""How long one run may take: the time that is left, and a way to end it sooner."""

from __future__ import annotations

import signal
import time


def ending_signals() -> tuple[signal.Signals, ...]:
    """The signals that tell a program of ours to end: a hang-up too, but not under `nohup`."""
    hears_hang_ups = signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN
    return (signal.SIGTERM, signal.SIGINT, *([signal.SIGHUP] if hears_hang_ups else []))


class Deadline:
    """A moment on the monotonic clock by which a run ends, whatever servers do.

    `started` is the reading of `time.monotonic` from which `seconds` count; by default now.
    """

    def __init__(self, seconds: float, started: float | None = None) -> None:
        self.started = time.monotonic() if started is None else started
        self._until = self.started + seconds
        self._reserved = 0.0
        self._cut = float("inf")  # apart, so that a signal in the midst of `shorten` is not overwritten by it
        self._cut_by = ""

    @property
    def remaining(self) -> float:
        """Seconds until the end; negative once it has passed."""
        return min(self._end, self._cut) - time.monotonic()

    @property
    def spent(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started

    @property
    def passed(self) -> bool:
        """Is the time up?"""
        return self.remaining <= 0

    @property
    def interrupted(self) -> str:
        """The signal that ended the run before its time was up, as "SIGTERM"; empty if none did."""
        return self._cut_by if self._cut < self._end else ""

    def shorten(self, seconds: float) -> None:
        """End the run, at the latest, so many seconds after it started."""
        self._until = min(self._until, self.started + seconds)

    def reserve(self, seconds: float) -> None:
        """Keep these seconds, but at most half of all, for what comes after the waiting."""
        self._reserved = seconds

    def cut(self, by: str = "") -> None:
        """End the run now, with what is known; `by` is the signal that wants it. Safe in a signal handler."""
        now = time.monotonic()
        if now < self._cut:  # of several signals the first has ended it
            self._cut, self._cut_by = now, by

    @property
    def _end(self) -> float:
        half = (self._until - self.started) / 2
        return self._until - min(self._reserved, half)
