"""Text from elsewhere, made fit for one line of a terminal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Operator:
    """Who runs a tool: told what was done on stdout, what went wrong on stderr, a line at a time."""

    say: Callable[[str], None]
    complain: Callable[[str], None]


def tame(text: object, longest: int = 200) -> str:
    """The text on one line, without characters that would steer a terminal, cut at `longest` characters."""
    cut = str(text)[: longest + 1]
    cut = cut if len(cut) <= longest else cut[: longest - 3] + "..."
    return "".join(_visible(character) for character in cut)


def _visible(character: str) -> str:
    if character.isprintable():
        return character
    return " " if character.isspace() else "?"
