"""The memory of a fleet while a program runs, and what is done where its file is of no use."""

from __future__ import annotations

from pathlib import Path

from telegraf_cvmfs.memory.file import DamagedError, StateError, read, set_aside, write
from telegraf_cvmfs.memory.value import Memory, remember
from telegraf_cvmfs.model import Run
from telegraf_cvmfs.words.log import Log


class State:
    """The memory of a fleet while the command runs: read at its start, kept after each run, never in the way.

    `path` is None for no memory beyond this process. Of whatever goes wrong with the file one line is said.
    """

    def __init__(self, path: Path | None, log: Log) -> None:
        self.path = path
        self.memory = Memory()
        self._log = log
        self._warned = False
        self._said = ""
        self._known = self._begin()

    def keep(self, run: Run) -> None:
        """Remember what this run saw, for the next."""
        self._known = self._known or self._begin()  # what could not be read may have become readable
        self.memory = remember(self.memory, run, self._say_once)
        if self.path is not None and self._known:
            try:
                write(self.path, self.memory)
            except StateError as error:
                self._warn(str(error))

    def _say_once(self, line: str) -> None:
        if line != self._said:
            self._log(line)
        self._said = line

    def _begin(self) -> bool:
        """Take up what lies in the file. Is it known what does, so that it may be replaced?"""
        if self.path is None:
            return True
        try:
            self.memory = read(self.path)
        except DamagedError as error:
            impossible = set_aside(self.path)
            self._warn(f"{error}{impossible and f' (which cannot be: {impossible})'}")
            return not impossible
        except StateError as error:
            self._warn(str(error))
            return False
        return True

    def _warn(self, why: str) -> None:
        if not self._warned:
            self._log(f"W! {why}")
        self._warned = True
