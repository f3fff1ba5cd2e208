"""Spans of time as people write and read them: "8h" in a fleet file, "3h 12m" in a sentence. Pure."""

from __future__ import annotations

import re
from datetime import timedelta

MOST_AHEAD = timedelta(days=1)
"""How far a server's clock may be ahead of ours, or its zone misread. What is dated later has no age that is known."""

_WRITTEN = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|[smhdw]))+", re.ASCII)
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhdw])", re.ASCII)
_LONGEST = timedelta(days=36_525)
_UNITS = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}


def duration(value: object) -> timedelta:
    """A span as Telegraf and InfluxDB write it: 45s, 8h, 1h30m, 10d; ValueError says what was expected."""
    if not isinstance(value, str) or not _WRITTEN.fullmatch(value):
        raise ValueError('a duration in quotes such as "45s", "8h" or "10d"')
    try:
        span = sum((float(number) * _UNITS[unit] for number, unit in _PART.findall(value)), timedelta())
    except OverflowError:
        span = timedelta.max
    if span > _LONGEST:  # limits are multiplied, and time-outs cannot be told to last for ever
        raise ValueError("a duration of at most a hundred years")
    return span


def in_words(span: timedelta) -> str:
    """A span in its two largest units, its sign dropped: "2d 4h", "3h 12m", "5m", "40s"."""
    left = abs(span) // timedelta(seconds=1)
    minutes, hours, days = left // 60, left // 3600, left // 86400
    if days:
        return _pair(f"{days}d", hours % 24, "h")
    if hours:
        return _pair(f"{hours}h", minutes % 60, "m")
    return f"{minutes}m" if minutes else f"{left}s"


def _pair(large: str, small: int, unit: str) -> str:
    return f"{large} {small}{unit}" if small else large
