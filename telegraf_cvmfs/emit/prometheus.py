"""A run in Prometheus' text exposition format, version 0.0.4.

The names follow from the table of fields: `<measurement>_<field>`, and a suffix for its unit: `_seconds`,
`_bytes`, or `_timestamp_seconds` for a moment, unless the name ends in it already. All are gauges.
Strings are labels of `<measurement>_info`, which is always 1. A sample has no time: Prometheus
sets it; for the same reason publications, which have a time of their own, are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from telegraf_cvmfs.emit.line_protocol import number, writable
from telegraf_cvmfs.model import Run
from telegraf_cvmfs.points.rows import Point, points
from telegraf_cvmfs.points.schema import FIELDS, PUBLISH, REPO, SERVER, Field
from telegraf_cvmfs.words.text import one_line

SUFFIXES: Mapping[str, str] = {"": "", "s": "_seconds", "bytes": "_bytes", "unix time": "_timestamp_seconds"}

INFO: Mapping[str, str] = {
    REPO: "what is said in words of a repository on a server",
    SERVER: "what is said in words of a server",
}

_Sample = tuple[Mapping[str, str], float]

_ESCAPED = re.compile(r'["\\]')


def render(run: Run) -> str:
    """All metrics of a run, the samples of each together: the format demands it."""
    rows = _unique(points(run))
    return "".join(
        text
        for measurement in FIELDS
        if measurement != PUBLISH
        for text in _metrics(measurement, [row for row in rows if row.measurement == measurement])
    )


def metric(measurement: str, field: Field) -> str:
    """The name of a field here: `cvmfs_repo_lag_seconds`."""
    name = f"{measurement}_{field.name}"
    return name.removesuffix(SUFFIXES[field.unit]) + SUFFIXES[field.unit]


def _unique(rows: Iterable[Point]) -> list[Point]:
    """The last of each series: one that comes twice makes Prometheus refuse the whole text."""
    return list({(row.measurement, _labels(row.tags)): row for row in rows}.values())


def _metrics(measurement: str, rows: Iterable[Point]) -> Iterator[str]:
    for field in FIELDS[measurement]:
        if field.type is not str:
            yield _metric(metric(measurement, field), field.meaning, _numbers(field.name, rows))
    if measurement in INFO:
        words = (({**row.tags, **_words(row)}, 1) for row in rows)
        yield _metric(f"{measurement}_info", INFO[measurement], words)


def _numbers(field: str, rows: Iterable[Point]) -> Iterator[_Sample]:
    for row in rows:
        value = row.fields.get(field)
        if not isinstance(value, str | None) and writable(value):
            yield row.tags, value


def _words(row: Point) -> dict[str, str]:
    return {name: value for name, value in row.fields.items() if isinstance(value, str)}


def _metric(name: str, meaning: str, samples: Iterable[_Sample]) -> str:
    lines = [f"{name}{_labels(labels)} {number(value)}\n" for labels, value in samples]
    return "".join([f"# HELP {name} {meaning}\n# TYPE {name} gauge\n", *lines]) if lines else ""


def _labels(labels: Mapping[str, str]) -> str:
    pairs = (f'{name}="{_escape(text)}"' for name, text in labels.items() if text)
    return "{" + ",".join(pairs) + "}"


def _escape(text: str) -> str:
    return _ESCAPED.sub(r"\\\g<0>", one_line(text))
