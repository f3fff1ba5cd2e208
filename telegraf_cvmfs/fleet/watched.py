"""The fleet as it is now: a file that is read again whenever it has changed, or one that stays."""

from __future__ import annotations

import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from telegraf_cvmfs.fleet.maintenance import beside
from telegraf_cvmfs.model import ConfigError, Fleet
from telegraf_cvmfs.words.log import Log


class Watched(Protocol):
    """What tells the fleet each time it is asked."""

    @property
    def wrong(self) -> str:
        """Why it cannot be read as it is now, so that it is what it was before; empty if it can."""

    def fleet(self) -> Fleet:
        """The fleet as it is now."""


@dataclass(frozen=True)
class FixedFleet:
    """A fleet of which no file tells, or one that will not be read again."""

    _fleet: Fleet
    wrong: str = ""

    def fleet(self) -> Fleet:
        """Always the same."""
        return self._fleet


@dataclass
class FleetFile:
    """A fleet file that is read again when it has changed; while the new one is wrong, the old one stays.

    A file that was wrong is tried again each time: what it wants may be a key file, which has come since.
    """

    path: Path
    load: Callable[[Path], Fleet]
    log: Log
    wrong: str = ""
    _stamp: tuple[int, ...] = ()
    _fleet: Fleet | None = field(default=None)

    def fleet(self) -> Fleet:
        """The fleet as the file has it, or last had it.

        Raises:
            ConfigError: it is wrong, and there is no earlier one.
        """
        stamp = self._look()  # before it is read: a change in between is seen the next time
        if self._fleet is None:
            self._fleet = self.load(self.path)
        elif stamp != self._stamp or self.wrong:
            self._fleet = self._reload(self._fleet)
        self._stamp = stamp
        return self._fleet

    def _look(self) -> tuple[int, ...]:
        return *_stamp(self.path), -1, *_stamp(beside(self.path))

    def _reload(self, before: Fleet) -> Fleet:
        try:
            fleet = self.load(self.path)
        except ConfigError as error:
            if str(error) != self.wrong:
                self.log(f"E! {error}; the fleet file as it was before stays in use")
            self.wrong = str(error)
            return before
        self.wrong = ""
        self.log(f"I! fleet file {self.path} has changed and was read again")
        return fleet


def _stamp(path: Path) -> tuple[int, ...]:
    """What tells one content of a file from another."""
    try:
        found = path.stat()
    except OSError:
        return ()
    if not stat.S_ISREG(found.st_mode):
        return ()  # a pipe is read once
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino
