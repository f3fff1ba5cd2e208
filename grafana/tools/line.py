"""Text from elsewhere, made fit for one line of a terminal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from telegraf_cvmfs.words import text as text_of_strangers


@dataclass(frozen=True)
class Operator:
    """Who runs a tool: told what was done on stdout, what went wrong on stderr, a line at a time."""

    say: Callable[[str], None]
    complain: Callable[[str], None]


def tame(text: object, longest: int = 200) -> str:
    """The text on one line, without characters that would steer a terminal, cut at `longest` characters."""
    return text_of_strangers.tame(str(text), longest)
