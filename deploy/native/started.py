"""What was started, kept in a file so that a later command finds it."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from deploy.native.folder import Folder
from deploy.native.process import Process

_FILE = "running.json"
DEMO = "the demo fleet"


@dataclass(frozen=True)
class Part:
    """One program of the stack that was started.

    Attributes:
        name: what `status` and `logs` call it.
        process: as it was started; it may have ended since.
        since: when it was started, ISO 8601.
        url: where it answers; "" if it does not listen.
        recipe: a digest of its command line and settings, by which a changed one is known.
    """

    name: str
    process: Process
    since: str
    url: str
    recipe: str


@dataclass(frozen=True)
class Started:
    """All parts that should run, in the order of their start, and what they watch: the demo fleet or a fleet file."""

    watches: str = DEMO
    fleet: str = ""
    parts: tuple[Part, ...] = ()

    def part(self, name: str) -> Part | None:
        """The part of this name, if it was started."""
        return next((part for part in self.parts if part.name == name), None)

    def with_part(self, part: Part) -> Started:
        """Those with this part in place of an older one of its name, or as the last."""
        if self.part(part.name) is None:
            return replace(self, parts=(*self.parts, part))
        return replace(self, parts=tuple(part if each.name == part.name else each for each in self.parts))

    def without(self, name: str) -> Started:
        """Those without this part."""
        return replace(self, parts=tuple(part for part in self.parts if part.name != name))

    @property
    def alive(self) -> tuple[Part, ...]:
        """The parts that live."""
        return tuple(part for part in self.parts if part.process.alive)


def read(folder: Folder) -> Started:
    """Those noted in the folder; none if there is no note, none of ours, or none that can be understood."""
    if not folder.exists:
        return Started()
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        noted = json.loads((folder.path / _FILE).read_text(encoding="utf-8"))
        parts = tuple(Part(**{**part, "process": Process(**part["process"])}) for part in noted["parts"])
        return Started(noted["watches"], noted["fleet"], parts)
    return Started()


def write(folder: Folder, started: Started) -> None:
    """Keep them in the folder."""
    folder.write(_FILE, json.dumps(asdict(started), indent=2) + "\n")


def recipe(command: Sequence[str], settings: Mapping[str, str]) -> str:
    """The digest of a command line and the settings that it was given by variables."""
    return hashlib.sha256(json.dumps([list(command), dict(settings)], sort_keys=True).encode()).hexdigest()
