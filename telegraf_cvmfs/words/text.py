"""Strangers' text made fit to be shown: on one line, no longer than it may be, with nothing that steers a terminal."""

from __future__ import annotations

import re
from collections.abc import Sequence

LONGEST_SHOWN = 40
LONGEST_LABEL = 200
_LONGEST_LIST = 4

_UNWRITABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def shown(text: str) -> str:
    """The text in quotes for a sentence: printable ASCII, its first 40 characters."""
    return ascii(text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}...")


def printable(text: str) -> str:
    """The text with a question mark for each character that cannot be printed.

    Control characters break a line of output; a lone surrogate, which a JSON escape can smuggle in, cannot
    be written as UTF-8 at all.
    """
    return "".join(c if c.isprintable() else "?" for c in text)


def label(value: object) -> str | None:
    """A stranger's text for people to read: printable, at most 200 characters; None if it is no text."""
    if not isinstance(value, str):
        return None
    return printable(value.strip()[:LONGEST_LABEL]) or None


def tame(text: str, longest: int) -> str:
    """The text on one line, without characters that would steer a terminal, cut at `longest` characters."""
    cut = text if len(text) <= longest else text[: longest - 3] + "..."
    return "".join(_visible(character) for character in cut)


def one_line(text: str) -> str:
    """The whole text in characters that stay on one line, in any terminal and in valid UTF-8, as outputs write it."""
    return _UNWRITABLE.sub(" ", text)


def listed(names: Sequence[str]) -> str:
    """The first few of them, and how many more there are."""
    more = len(names) - _LONGEST_LIST
    return ", ".join(names[:_LONGEST_LIST]) + (f" and {more} more" if more > 0 else "")


def _visible(character: str) -> str:
    if character.isprintable():
        return character
    return " " if character.isspace() else "?"
