"""The same fleet looked at again and again: what it names is read anew, what was seen is remembered."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from telegraf_cvmfs.fleet.watched import Watched
from telegraf_cvmfs.memory.state import State
from telegraf_cvmfs.model import ConfigError, Fleet, Run
from telegraf_cvmfs.net.deadline import Deadline
from telegraf_cvmfs.net.names import Names
from telegraf_cvmfs.trust.keys import Keyring
from telegraf_cvmfs.watch import watch
from telegraf_cvmfs.words.log import Log, SaidOnce
from telegraf_cvmfs.words.progress import Moved, unmoved


class Rounds:
    """Looks at a fleet, once or many times; `fleet` is what it looks at now."""

    def __init__(self, watched: Watched, memory_path: Callable[[Fleet], Path | None], log: Log) -> None:
        """Read what the first round needs.

        Args:
            watched: tells the fleet as it is now.
            memory_path: the file in which a fleet's memory lies, None for a memory that ends with this process.
            log: told of what goes wrong here.

        Raises:
            ConfigError: the fleet or a key file of it cannot be read.
        """
        self.fleet = watched.fleet()
        self._watched = watched
        self._memory_path = memory_path
        self._log = SaidOnce(log)
        self._keyring = Keyring(self.fleet, self._log)
        self._state = State(memory_path(self.fleet), self._log)
        self._names = Names()
        self._wrong = ""

    @property
    def wrong(self) -> str:
        """Why the fleet file, or a key file that it names, is not used as it is now; empty if all are."""
        return self._watched.wrong or self._wrong

    def renew(self) -> None:
        """Before another look: take the fleet as it is now, read its keys anew, look names up again.

        While new keys cannot be read, those of before stay in use; that is logged once.
        """
        self.fleet = self._watched.fleet()
        self._read_keys()
        self._names.forget()
        path = self._memory_path(self.fleet)
        if self._state.path != path:
            self._state = State(path, self._log)

    def look(self, deadline: Deadline, started: datetime, moved: Moved = unmoved) -> Run:
        """One look, within the fleet's own deadline too; arguments as those of `watch`."""
        deadline.shorten(self.fleet.deadline.total_seconds())
        return watch(
            self.fleet,
            started,
            deadline,
            self._log,
            keyring=self._keyring,
            memory=self._state.memory,
            names=self._names,
            moved=moved,
        )

    def keep(self, run: Run) -> None:
        """Remember what a look saw, for the next; with that the run is over, and what is said counts for another."""
        self._state.keep(run)
        self._log.forget()

    def _read_keys(self) -> None:
        try:
            self._keyring, self._wrong = Keyring(self.fleet, self._log), ""
        except ConfigError as error:
            if str(error) != self._wrong:  # logged once, not at every round
                self._log(f"E! {error}; the keys as they were before stay in use")
            self._wrong = str(error)
