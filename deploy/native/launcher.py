"""Starting the parts one after the other, and taking back what was started if it comes to nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Self, TypeVar

from deploy.native import process, started
from deploy.native.folder import Folder, Trouble, trouble_with
from deploy.native.started import Part, Started

_POLL = 0.1
_OURS = ("INFLUXDB_", "TELEGRAF_CVMFS", "GRAFANA_", "GF_", "STATE_DIRECTORY")

Found = TypeVar("Found")


def inherited(environment: Mapping[str, str]) -> dict[str, str]:
    """What a part gets of the user's environment: all but the names by which parts are set.

    InfluxDB takes every setting from a variable INFLUXDB_…, and a password is for the part that needs it.
    """
    return {name: value for name, value in environment.items() if not name.startswith(_OURS)}


class Launcher:
    """Inside its `with` block parts are started and noted; if the block fails, those are stopped again."""

    def __init__(self, folder: Folder, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.started = started.read(folder)
        self._environment = inherited(environment)
        self._before = self.started
        self._begun: list[Part] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            with process.undisturbed():
                for part in reversed(self._begun):
                    process.stop(part.process)

    def keep(self, changed: Started) -> None:
        """Note the change, and write it down."""
        self.started = changed
        started.write(self.folder, changed)

    def start(self, name: str, command: Sequence[str], settings: Mapping[str, str], url: str = "") -> Part:
        """The part of this name: as it runs, if it was started in just this way, else started anew.

        Raises:
            Trouble: the program cannot be started.
        """
        made_by = started.recipe(command, settings)
        there = self.started.part(name)
        if there and there.process.alive and there.recipe == made_by:
            return there
        with process.undisturbed():
            if there:
                process.stop(there.process)
            try:
                begun = process.start(command, self._environment | dict(settings), self.folder.log(name))
            except OSError as why:
                raise Trouble(f"{name}: {command[0]} cannot be started: {why.strerror}") from why
            part = Part(name, begun, datetime.now(UTC).isoformat(timespec="seconds"), url, made_by)
            self._begun.append(part)
            self.keep(self.started.with_part(part))
        return part

    def listens(self, part: Part, url: str) -> Part:
        """Note where it listens."""
        part = replace(part, url=url)
        self.keep(self.started.with_part(part))
        return part

    def wait(self, part: Part, ready: Callable[[], Found | None], patience: float, otherwise: str) -> Found:
        """What `ready` finds, as soon as it is not None.

        Raises:
            Trouble: the part has ended, or `patience` seconds have; then `otherwise` says what did not come.
        """
        until = time.monotonic() + patience
        while True:
            lives = part.process.alive  # asked before `ready`, so that a last word is not missed
            found = ready()
            if found is not None:
                return found
            if not lives:
                raise trouble_with(self.folder, part.name, f"{part.name} has ended by itself")
            if time.monotonic() > until:
                raise trouble_with(self.folder, part.name, f"{otherwise} within {patience:.0f} s")
            time.sleep(_POLL)

    def run(self, name: str, command: Sequence[str], settings: Mapping[str, str], patience: float) -> None:
        """Start a program and wait for its end; it is no part of what runs on.

        Raises:
            Trouble: it cannot be started, or does not end in time.
        """
        part = self.start(name, command, settings)
        try:
            self.wait(part, lambda: None if part.process.alive else True, patience, f"{name} did not end")
        finally:
            with process.undisturbed():
                process.stop(part.process)
                self.keep(self.started.without(name))
