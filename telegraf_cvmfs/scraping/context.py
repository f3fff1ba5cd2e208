"""What all visits of a run share; what was parsed too, as replicas of one revision have the same documents."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from telegraf_cvmfs.memory.value import Memory
from telegraf_cvmfs.model import Replica
from telegraf_cvmfs.scraping.proof import Quota
from telegraf_cvmfs.words.progress import Moved, unmoved

T = TypeVar("T")


class Parsed:
    """Documents that were parsed in this run, by their bytes."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, bytes], Any] = {}

    def once(self, kind: str, parse: Callable[[bytes], T]) -> Callable[[bytes], T]:
        """The same as `parse`, but what has the same bytes and is of the same kind is parsed once."""

        def parsed(body: bytes) -> T:
            key = kind, hashlib.sha256(body).digest()
            if key not in self._known:
                self._known[key] = parse(body)
            found: T = self._known[key]
            return found

        return parsed


Inconsistent = Callable[[Replica], bool]
"""Does what was read of a replica not fit together?"""


@dataclass(frozen=True)
class Context:
    """What all visits of a run share: earlier runs, the time, what looks inconsistent, how much may be read."""

    memory: Memory
    now: datetime
    inconsistent: Inconsistent
    quota: Quota
    parsed: Parsed = field(default_factory=Parsed)
    moved: Moved = unmoved
