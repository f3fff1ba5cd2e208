r"""Points as InfluxDB line protocol, in spellings that Telegraf and InfluxDB read back as the same value.

Telegraf's parser gives up a whole run for one line that it cannot read (`inputs.exec`), so what has no
safe spelling is replaced or left out here:

* no value, NaN, an infinity, an integer beyond int64: the field is left out;
* a point without a field, or without a name: the line is left out;
* a tag without a key or value, or blank: left out (Telegraf: error, InfluxDB: 400);
* control characters, line separators, lone surrogates: a space each;
* backslashes in names, keys and tags: at the end stripped, where they would escape what follows, and
  elsewhere `_` each. Most mean themselves, but before a comma, an equals sign or a space InfluxDB 1
  finds another end of a name than Telegraf, and before a quote Telegraf drops some;
* `#` at the start of a measurement: stripped, the line would be a comment.

In string fields only ``\"`` and ``\\`` are legal in Telegraf, so only these are written.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from functools import lru_cache

from telegraf_cvmfs.model import Run
from telegraf_cvmfs.points.rows import EPOCH, Point, points
from telegraf_cvmfs.points.schema import Value
from telegraf_cvmfs.words.text import one_line

STRING_LIMIT = 64 * 1024
"""Bytes of UTF-8 that InfluxDB keeps in a string field; what is longer is cut."""

_IN_KEYS = re.compile("[,= ]")
_IN_MEASUREMENTS = re.compile("[, ]")
_IN_STRINGS = re.compile(r'["\\]')


def render(run: Run) -> str:
    """All points of a run, one line each."""
    return "".join(pieces(run))


def pieces(run: Run) -> Iterator[str]:
    """The same, line by line."""
    return lines(points(run))


def lines(rows: Iterable[Point]) -> Iterator[str]:
    """A line, with its newline, for each point that has something to say."""
    return (f"{text}\n" for row in rows if (text := line(row)) is not None)


def line(point: Point) -> str | None:
    """One point without newline, tags sorted, time in nanoseconds; None if no field is left.

    Raises:
        TypeError: the point's time is naive.
    """
    tags = {key(name): key(text) for name, text in point.tags.items()}
    fields = {key(name): value(content) for name, content in point.fields.items() if writable(content)}
    fields.pop("", None)
    if not fields or not (head := measurement(point.measurement)):
        return None
    labels = "".join([f",{name}={text}" for name, text in sorted(tags.items()) if name and text])
    values = ",".join([f"{name}={text}" for name, text in fields.items()])
    return f"{head}{labels} {values} {nanoseconds(point.time)}"


def writable(content: Value | None) -> bool:
    """Is it a value that InfluxDB can hold?"""
    if content is None or isinstance(content, str):
        return content is not None
    return fits(content) if isinstance(content, int) else math.isfinite(content)


def fits(content: int) -> bool:
    """Is it an int64? InfluxDB has no other integers."""
    return -(2**63) <= content < 2**63


def value(content: Value) -> str:
    """A field's value: `12i`, `1.0`, `"text"`; a bool is written as the integer that it is."""
    if isinstance(content, str):
        return quoted(content)
    return f"{int(content)}i" if isinstance(content, int) else number(content)


def number(content: float) -> str:
    """A number as text that reads back as the same: `12`, `1.0`, `1e-07`; True is 1."""
    return str(int(content)) if isinstance(content, int) else repr(float(content))


def quoted(text: str) -> str:
    """A string field, cut to `STRING_LIMIT` bytes."""
    cut = one_line(text).encode()[:STRING_LIMIT].decode(errors="ignore")
    return f'"{_escape(_IN_STRINGS, cut)}"'


@lru_cache(maxsize=64)
def measurement(name: str) -> str:
    """The name of a measurement; an equals sign is not escaped there."""
    return _escape(_IN_MEASUREMENTS, _plain(name.lstrip("#")))


@lru_cache(maxsize=8192)  # the same few hundred stand in thousands of lines
def key(text: str) -> str:
    """A tag's key or value, or a field's key; empty if it is blank."""
    return _escape(_IN_KEYS, _plain(text))


def _plain(text: str) -> str:
    plain = one_line(text).rstrip("\\").replace("\\", "_")
    return plain if plain.strip() else ""


@lru_cache(maxsize=64)  # a run's lines have its own moment, nearly all
def nanoseconds(moment: datetime) -> int:
    """Since 1970, exact: a float has no room for nanoseconds."""
    return (moment - EPOCH) // timedelta(microseconds=1) * 1000


def _escape(characters: re.Pattern[str], text: str) -> str:
    return characters.sub(_with_backslash, text)


def _with_backslash(found: re.Match[str]) -> str:
    return f"\\{found[0]}"
