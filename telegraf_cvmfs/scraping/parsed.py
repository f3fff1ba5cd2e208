"""What was parsed in a run, by its bytes: replicas of one revision have the same documents, and share what they say."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


class Parsed:
    """Documents that were parsed in this run."""

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
