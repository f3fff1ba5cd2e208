"""A run in Prometheus' text exposition format, version 0.0.4; `families` is the same as a table.

The names follow from the table of fields: what it is about (`cvmfs_replica`, `cvmfs_server`, `cvmfs_repository`,
`cvmfs_scrape`), the field, and its unit: `_seconds`, `_bytes`, or `_timestamp_seconds` for a moment. All are gauges.
They are not line protocol's `cvmfs_repo_…`, for the official exporter of clients (cvmfs-contrib/prometheus-cvmfs) has
called its own so: `cvmfs_repo_revision{repo}` is there what a mount has.

Prometheus pays for each sample and each new label, so nothing stands here twice: no age beside its moment, no `…_ok`
beside its code, no finding that was not found (`…_health` says that it was looked for), no hash and no sentence. A
sample has no time: Prometheus sets it; for the same reason publications, which have a time of their own, are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from telegraf_cvmfs.emit.line_protocol import number, writable
from telegraf_cvmfs.model import Run
from telegraf_cvmfs.points.rows import Point, points, unix
from telegraf_cvmfs.points.schema import FIELDS, FINDING, PUBLISH, REPO, REPOSITORY, SCRAPE, SERVER, Field
from telegraf_cvmfs.words.text import one_line

SUFFIXES: Mapping[str, str] = {"": "", "s": "_seconds", "bytes": "_bytes", "unix time": "_timestamp_seconds"}

REPLICA = "cvmfs_replica"
_PREFIXES: Mapping[str, str] = {REPO: REPLICA}
"""What a measurement is called here, where it is not called as there."""

STARTED = f"{SCRAPE}_started_timestamp_seconds"
"""When the run began: elsewhere the time of its points."""

LABELS: Mapping[str, tuple[str, ...]] = {REPO: ("url",), SERVER: ("backend", "cvmfs_version")}
"""The strings that do not change by themselves, labels of `…_info`: each other text would be a new series."""

_MOMENTS: Mapping[str, tuple[str, str]] = {
    "snapshotting_age": ("snapshotting_since", "when the running snapshot began"),
    "geodb_age": ("geodb_updated", "when its database of places was last updated"),
    "root_catalog_verified_age": ("root_catalog_verified", "when the bytes of the root catalog were last hashed"),
}
"""Ages beside which no moment stands in the table: the moments that they are, and what those mean."""

_TWINS = {
    "severity",  # the health in another order
    "available",  # the health, but where it is unknown or under maintenance
    "diverged",  # the finding of that name
    "published_behind",  # the difference of two moments
}
_OF_ITS_SERVER = {"geoapi_status", "geoapi_ok"}

_SAID_ELSEWHERE: Mapping[str, int] = {"maintenance": 0, "http_status": 200}
"""Values that go without saying: a replica is in service, and what was read (`result_code`) came with a 200."""

_ESCAPED = re.compile(r'["\\]')

Labels = Mapping[str, str]


class Family(NamedTuple):
    """All samples of one name; where it is an info they are 1, and what is said are the labels."""

    name: str
    meaning: str
    samples: Sequence[tuple[Labels, float]]
    is_info: bool = False


def render(run: Run) -> str:
    """All metrics of a run, the samples of each together: the format demands it."""
    return "".join(line for family in families(run) for line in _lines(family))


def families(run: Run) -> Iterator[Family]:
    """All metrics of a run that have a sample, in the order of the table; labels are fit to be written, not escaped."""
    rows = _unique(points(run))
    for measurement in FIELDS:
        if measurement == PUBLISH:
            continue
        ours = [row for row in rows if row.measurement == measurement]
        every = _findings(ours) if measurement == FINDING else _metrics(measurement, ours)
        yield from (family for family in every if family.samples)


def metric(measurement: str, field: Field) -> str | None:
    """The name of a field here, `cvmfs_replica_lag_seconds`; None if it has none."""
    if field.type is str or field.name in _TWINS or _stands_twice(measurement, field.name):
        return None
    name, suffix = f"{_PREFIXES.get(measurement, measurement)}_{field.name}", SUFFIXES[field.unit]
    if field.name in _MOMENTS:
        name, suffix = name.replace(field.name, _MOMENTS[field.name][0]), SUFFIXES["unix time"]
    return name.removesuffix(suffix) + suffix


def finding_metric(tags: Iterable[str]) -> str:
    """The name of the findings about what these tags name: `cvmfs_server_finding`."""
    about = REPLICA if {"server", "repo"} <= set(tags) else SERVER if "server" in tags else REPOSITORY
    return f"{about}_finding"


def _stands_twice(measurement: str, name: str) -> bool:
    """Is it an age beside its moment, an `…_ok` beside its code, or its server's?"""
    if measurement == REPO and name in _OF_ITS_SERVER:
        return True
    fields = FIELDS.get(measurement, ())
    if name.endswith("_ok"):
        names = {field.name for field in fields}
        return not names.isdisjoint(f"{name.removesuffix('_ok')}{ending}" for ending in ("_code", "_status"))
    what = name.removesuffix("_age").removesuffix("_in")
    moments = {field.name for field in fields if field.unit == "unix time"}
    return what != name and not moments.isdisjoint({what, f"last_{what}"})


def _unique(rows: Iterable[Point]) -> list[Point]:
    """The last of each series, its tags fit to be written: one that comes twice makes Prometheus refuse all."""
    found = {}
    for row in rows:
        tags = {name: one_line(text) for name, text in row.tags.items()}
        found[row.measurement, tuple(tags.items())] = replace(row, tags=tags)
    return list(found.values())


def _metrics(measurement: str, rows: Sequence[Point]) -> Iterator[Family]:
    for field in FIELDS[measurement]:
        if (name := metric(measurement, field)) is not None:
            _, meaning = _MOMENTS.get(field.name, ("", field.meaning))
            yield Family(name, meaning, list(_numbers(field.name, rows)))
    if words := LABELS.get(measurement):
        samples = [({**row.tags, **said}, 1) for row in rows if (said := _words(row, words))]
        meaning = "what does not change by itself: " + ", ".join(words)
        yield Family(f"{_PREFIXES.get(measurement, measurement)}_info", meaning, samples, is_info=True)
    if measurement == SCRAPE:
        yield Family(STARTED, "when the run began", [(row.tags, unix(row.time) or 0) for row in rows])


def _numbers(field: str, rows: Iterable[Point]) -> Iterator[tuple[Labels, float]]:
    for row in rows:
        value = row.fields.get(field)
        if isinstance(value, str | None) or not writable(value) or _SAID_ELSEWHERE.get(field) == value:
            continue
        yield row.tags, (unix(row.time) or 0) - value if field in _MOMENTS else value


def _words(row: Point, names: Iterable[str]) -> dict[str, str]:
    texts = ((name, row.fields.get(name)) for name in names)
    return {name: one_line(text) for name, text in texts if isinstance(text, str) and text}


def _findings(rows: Iterable[Point]) -> Iterator[Family]:
    """What was found, by what it is about."""
    found: dict[str, list[tuple[Labels, float]]] = {}
    for row in rows:
        samples = found.setdefault(finding_metric(row.tags), [])
        samples += [
            ({**row.tags, "finding": slug}, health)
            for slug, health in row.fields.items()
            if health and not isinstance(health, str)
        ]
    meaning = "a finding: 1 warning, 2 critical, 3 unknown; what was not found has no sample"
    yield from (Family(name, meaning, samples) for name, samples in found.items())


def _lines(family: Family) -> Iterator[str]:
    yield f"# HELP {family.name} {family.meaning}\n# TYPE {family.name} gauge\n"
    yield from (f"{family.name}{_labels(labels)} {number(value)}\n" for labels, value in family.samples)


def _labels(labels: Labels) -> str:
    return "{" + ",".join(f'{name}="{_escape(text)}"' for name, text in labels.items()) + "}"


def _escape(text: str) -> str:
    return _ESCAPED.sub(r"\\\g<0>", text)
