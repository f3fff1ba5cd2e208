"""What Grafana makes of a query's text: variables and macros in it give way to values."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from telegraf_cvmfs.words.duration import duration as span_of_time

_NAMED = re.compile(r"\$\{(?P<braced>\w+)(?::(?P<format>[^}]*))?\}|\$(?P<plain>\w+)|\[\[(?P<old>\w+)\]\]")
_SPECIAL = re.compile(r"[\\^$*+?.()|\[\]{}/]")
_STEPS: tuple[tuple[float, int], ...] = (  # (below so many seconds, the bucket), as Grafana's roundInterval has them
    (1.5, 1),
    (3.5, 2),
    (7.5, 5),
    (12.5, 10),
    (17.5, 15),
    (25, 20),
    (45, 30),
    (90, 60),
    (210, 120),
    (450, 300),
    (750, 600),
    (1050, 900),
    (1500, 1200),
    (2700, 1800),
    (5400, 3600),
    (9000, 7200),
    (16200, 10800),
    (32400, 21600),
    (86400, 43200),
    (604800, 86400),
)


class QueryError(Exception):
    """A question cannot be asked or was not answered; str() is a sentence for the operator."""


@dataclass(frozen=True)
class Chosen:
    """The values of a variable; `verbatim` where they are put in as they are (the `allValue` of All)."""

    values: tuple[str, ...]
    several: bool = False
    verbatim: bool = False


@dataclass(frozen=True)
class Range:
    """The chosen time range (aware) and the size of a bucket in it."""

    start: datetime
    end: datetime
    interval: timedelta

    def macros(self) -> dict[str, str]:
        """What the data source and Grafana put in for the time range."""
        start, end, interval = _ms(self.start), _ms(self.end), int(self.interval.total_seconds())
        return {
            "__from": str(start),
            "__to": str(end),
            "__interval": f"{interval}s",
            "__interval_ms": str(interval * 1000),
            "interval": f"{interval}s",
            "timeFilter": f"time >= {start}ms and time <= {end}ms",
        }


def interpolate(text: str, variables: Mapping[str, Chosen], chosen: Range) -> str:
    """The query as the database gets it; a QueryError names a variable that the dashboard does not have."""
    macros = chosen.macros()

    def value(found: re.Match[str]) -> str:
        name = found["braced"] or found["plain"] or found["old"]
        if name in macros:
            return macros[name]
        if name not in variables:
            raise QueryError(f"${name} is no variable of this dashboard, in: {text}")
        return _formatted(variables[name], found["format"] or "")

    return _NAMED.sub(value, text)


def bucket(span: timedelta, points: int, least: timedelta) -> timedelta:
    """The round length of a bucket that Grafana chooses, so that about so many make up the span."""
    wanted = span.total_seconds() / points
    step = next((step for below, step in _STEPS if wanted < below), 604800)
    return max(timedelta(seconds=step), least)


def duration(text: str) -> timedelta:
    """A span as Grafana writes it, such as 15m or 24h; a QueryError for anything else."""
    try:
        return span_of_time(text)
    except ValueError as why:
        raise QueryError(f"{text!r} is no span of time; 15m or 24h would be") from why


def _formatted(chosen: Chosen, form: str) -> str:
    if chosen.verbatim:
        return "|".join(chosen.values)
    form = form or ("regex" if chosen.several else "raw")
    if form not in _FORMATS:
        raise QueryError(f"the format {form!r} of a variable is not one of {', '.join(_FORMATS)}")
    return _FORMATS[form](chosen.values)


def _regex(values: Sequence[str]) -> str:
    escaped = [_SPECIAL.sub(r"\\\g<0>", value) for value in values]
    return escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"


_FORMATS: Mapping[str, Callable[[Sequence[str]], str]] = {
    "regex": _regex,
    "raw": ",".join,
    "csv": ",".join,
    "pipe": "|".join,
}


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
