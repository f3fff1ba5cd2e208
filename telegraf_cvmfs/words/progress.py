"""How far a run is: who wants to know it is told of each step."""

from __future__ import annotations

from collections.abc import Callable

Moved = Callable[[str, int, int], None]
"""Told of a server: how many more of its repositories were read, and how many more are known of. From any thread."""


def unmoved(_server: str, _read: int, _known: int) -> None:
    """Nobody wants to know."""
