"""What runs, noted in the room so that a later command finds it."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from deploy.native.process import Process
from deploy.native.room import Room

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
class Notes:
    """All parts that should run, in the order of their start, and what they watch: the demo fleet or a fleet file."""

    watches: str = DEMO
    fleet: str = ""
    parts: tuple[Part, ...] = ()

    def part(self, name: str) -> Part | None:
        """The part of this name, if it was started."""
        return next((part for part in self.parts if part.name == name), None)

    def with_part(self, part: Part) -> Notes:
        """The notes with this part in place of an older one of its name, or as the last."""
        if self.part(part.name) is None:
            return replace(self, parts=(*self.parts, part))
        return replace(self, parts=tuple(part if each.name == part.name else each for each in self.parts))

    def without(self, name: str) -> Notes:
        """The notes without this part."""
        return replace(self, parts=tuple(part for part in self.parts if part.name != name))

    @property
    def running(self) -> tuple[Part, ...]:
        """The parts that live."""
        return tuple(part for part in self.parts if part.process.alive)


def read(room: Room) -> Notes:
    """The notes in the room; empty ones if there are none, none of ours, or none that can be understood."""
    if not room.exists:
        return Notes()
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        noted = json.loads((room.folder / _FILE).read_text(encoding="utf-8"))
        parts = tuple(Part(**{**part, "process": Process(**part["process"])}) for part in noted["parts"])
        return Notes(noted["watches"], noted["fleet"], parts)
    return Notes()


def write(room: Room, notes: Notes) -> None:
    """Keep the notes in the room."""
    room.write(_FILE, json.dumps(asdict(notes), indent=2) + "\n")


def recipe(command: Sequence[str], settings: Mapping[str, str]) -> str:
    """The digest of a command line and the settings that it was given by variables."""
    return hashlib.sha256(json.dumps([list(command), dict(settings)], sort_keys=True).encode()).hexdigest()
