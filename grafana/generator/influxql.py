"""The questions that dashboards ask, written in InfluxQL for InfluxDB 1, and 2 and 3 by their documentation.

A point of `last("up") AS "up", "finding"` is one point: `last` of two fields would be the newest value of each, and a
finding that is long gone would still be shown. So every question about now has one selector. The outer SELECT makes
one table of all series, with tags as columns in the order asked for. Names that are not written are refused with a
KeyError.
"""
# ruff: noqa: S608 - nothing that a stranger could send gets in here

from __future__ import annotations

from functools import singledispatch

from grafana.generator.question import (
    FIELD,
    FLEET,
    Availability,
    Events,
    FoundNow,
    HowMany,
    InItsOwnWords,
    LastRuns,
    Matrix,
    MostSerious,
    Names,
    Newest,
    NewestRun,
    OneNumber,
    OverTime,
    Question,
    Ranked,
    SilentFleets,
    TotalNow,
    TotalsOverTime,
    UnderMaintenance,
    ValuesOf,
    Where,
    Worst,
)
from telegraf_cvmfs.points.schema import FIELDS, FINDING, PUBLISH, REPO, REPOSITORY, SCRAPE, SERVER, TAGS

NOW = "time > ${__to}ms - $fresh AND time <= ${__to}ms"
"""What counts as now: data of the last `$fresh` before the end of the chosen time range."""

RECENT = "time > ${__from}ms - 7d AND time <= ${__to}ms"
"""The chosen range and a week before it: what was removed longer ago is no longer offered."""

MONTH = "time > ${__to}ms - 30d AND time <= ${__to}ms"
"""The 30 days before the end of the chosen time range."""

SELECTORS = {REPO: "up", SERVER: "up", REPOSITORY: "replicas", SCRAPE: "servers", PUBLISH: "revision"}
"""A field that every point of the measurement has."""


@singledispatch
def text(asked: Question) -> str:
    """A question in InfluxQL, with Grafana's variables and macros."""
    raise TypeError(f"{asked} is no question")


@text.register
def _newest_points(asked: Newest) -> str:
    condition = f" WHERE {_any(asked.only)}" if asked.only else ""
    needed = dict.fromkeys([*asked.columns, *(one.field for one in asked.only)])
    table = _newest(asked.measurement, [*needed], asked.of)
    return f"SELECT {_listed(asked.columns)} FROM ({table}){condition}"


@text.register
def _last_runs(asked: LastRuns) -> str:
    return f"SELECT {_listed(asked.columns)} FROM ({_newest(SCRAPE, asked.columns, FLEET, RECENT)})"


@text.register
def _newest_run(_: NewestRun) -> str:
    return text(LastRuns(("servers", "fleet")))


@text.register
def _worst(asked: Worst) -> str:
    severity = asked.severity
    table = _newest(asked.measurement, [severity, "maintenance", *asked.columns], asked.of)
    counted = f'"{severity}" > 0 AND "maintenance" = 0'
    chosen = f'top("{severity}", {asked.most}) AS "{severity}", {_listed(asked.columns)}'
    return f"SELECT {chosen} FROM ({table}) WHERE {counted}"


@text.register
def _availability(asked: Availability) -> str:
    _fields(asked.measurement, asked.columns)
    where, by = f"{_chosen(asked.measurement, asked.of)} AND {MONTH}", _listed(TAGS[asked.measurement])
    table = f'SELECT mean("available") AS "available" FROM "{asked.measurement}" WHERE {where} GROUP BY {by}'
    return f'SELECT bottom("available", {asked.most}) AS "available", {_listed(asked.columns)} FROM ({table})'


@text.register
def _under_maintenance(asked: UnderMaintenance) -> str:
    fields = ["maintenance", "problem"]
    tables = ", ".join(f"({_newest(measurement, fields, asked.of)})" for measurement in (SERVER, REPO))
    return f'SELECT {_listed(asked.columns)} FROM {tables} WHERE "maintenance" = 1'


@text.register
def _matrix(asked: Matrix) -> str:
    listed = _listed(_tags(asked.measurement, asked.by))
    table = text(MostSerious(asked.measurement, asked.field, asked.of))
    return f'SELECT "{asked.field}", {listed} FROM ({table} GROUP BY {listed})'


@text.register
def _most_serious(asked: MostSerious) -> str:
    field, table = asked.field, _newest(asked.measurement, [asked.field, "maintenance"], asked.of)
    counted = f'SELECT "{field}" FROM ({table}) WHERE "maintenance" = 0'
    quiet = f'SELECT 0 - "maintenance" AS "{field}" FROM ({table}) WHERE "maintenance" = 1'
    return f'SELECT max("{field}") AS "{field}" FROM ({counted}), ({quiet})'


@text.register
def _ranked(asked: Ranked) -> str:
    field, table = asked.field, _newest(asked.measurement, [asked.field, *asked.columns], asked.of)
    return f'SELECT {asked.function}("{field}", {asked.most}) AS "{field}", {_listed(asked.columns)} FROM ({table})'


@text.register
def _one_number(asked: OneNumber) -> str:
    field, table = asked.field, _newest(asked.measurement, [asked.field], asked.of)
    return f'SELECT {asked.function}("{field}") AS "{field}" FROM ({table})'


@text.register
def _found_now(asked: FoundNow) -> str:
    only = " OR ".join(f'"{slug}" > 0' for slug in asked.slugs)
    table = _newest(FINDING, [*asked.slugs, *asked.columns], asked.of, selector=asked.slugs[0])
    return f"SELECT {_listed([*asked.columns, *asked.slugs])} FROM ({table}) WHERE {only}"


@text.register
def _how_many(asked: HowMany) -> str:
    """`count` alone would give nothing both where none has it and where nothing was written."""
    slug, table = asked.slug, _newest(FINDING, [asked.slug], asked.of, selector=asked.slug)
    found = f'SELECT count("{slug}") AS "found" FROM ({table}) WHERE "{slug}" > 0 AND "{slug}" < 3'
    every = f'SELECT count("{slug}") * 0 AS "found" FROM ({table})'
    return f'SELECT sum("found") AS "found" FROM ({found}), ({every})'


@text.register
def _total_now(asked: TotalNow) -> str:
    return f'SELECT sum("{asked.field}") AS "{asked.field}" FROM ({_newest(SCRAPE, [asked.field], FLEET)})'


@text.register
def _silent_fleets(_: SilentFleets) -> str:
    """Each fleet counts 1 for the week and -1 for now, because InfluxQL cannot say how old a point is."""
    week, now = (
        f'SELECT count("servers") * 0 {one} AS "silent" FROM "{SCRAPE}" WHERE {_chosen(SCRAPE, FLEET)} AND {within}'
        ' GROUP BY "fleet"'
        for one, within in (("+ 1", RECENT), ("- 1", NOW))
    )
    return f'SELECT sum("silent") AS "silent" FROM ({week}), ({now})'


@text.register
def _over_time(asked: OverTime) -> str:
    _fields(asked.measurement, [asked.field])
    condition = f" AND {_any((asked.only,))}" if asked.only else ""
    return (
        f'SELECT {asked.function}("{asked.field}") AS "{asked.field}" FROM "{asked.measurement}"'
        f" WHERE {_chosen(asked.measurement, asked.of)} AND $timeFilter{condition}"
        f" GROUP BY time($__interval), {_listed(_tags(asked.measurement, asked.by))} fill(null)"
    )


@text.register
def _totals_over_time(asked: TotalsOverTime) -> str:
    _fields(SCRAPE, asked.fields)
    inner = ", ".join(f'last("{field}") AS "{field}"' for field in asked.fields)
    outer = ", ".join(f'sum("{field}") AS "{field}"' for field in asked.fields)
    runs = (
        f'SELECT {inner} FROM "{SCRAPE}" WHERE {_chosen(SCRAPE, FLEET)} AND $timeFilter'
        f' GROUP BY time($__interval), "fleet" fill(none)'
    )
    return f"SELECT {outer} FROM ({runs}) WHERE $timeFilter GROUP BY time($__interval) fill(null)"


@text.register
def _events(asked: Events) -> str:
    _fields(asked.measurement, asked.columns)
    limit = f" ORDER BY time DESC LIMIT {asked.most}" if asked.most else ""
    where = f"{_chosen(asked.measurement, asked.of)} AND $timeFilter"
    return f'SELECT {_listed(asked.columns)} FROM "{asked.measurement}" WHERE {where}{limit}'


@text.register
def _values_of(asked: ValuesOf) -> str:
    field, measurement = SELECTORS[asked.measurement], asked.measurement
    where = f"{_chosen(measurement, asked.of)} AND {RECENT}" if asked.of else RECENT
    by = _listed(_tags(measurement, [asked.tag]))
    table = f'SELECT last("{field}") AS "{field}" FROM "{measurement}" WHERE {where} GROUP BY {by}'
    return f"SELECT DISTINCT({by}) FROM ({table})"


@text.register
def _in_its_own_words(asked: InItsOwnWords) -> str:
    return asked.influxql


def alias(name: str) -> str:
    """The name of a curve, `{server} ({fleet})` or `{field}`, as Grafana's InfluxDB data source wants it."""
    return "$col" if name == FIELD else name.replace("{", "$tag_").replace("}", "")


def _any(conditions: tuple[Where, ...]) -> str:
    return " OR ".join(f'"{one.field}" {one.sign} {one.value}' for one in conditions)


def _newest(measurement: str, columns: Names, of: Names, within: str = NOW, *, selector: str = "") -> str:
    """The newest point of each series; `selector` is a field that all points have that are meant."""
    selector = selector or SELECTORS[measurement]
    others = [f'"{field}"' for field in _fields(measurement, columns) if field != selector]
    asked = ", ".join([f'last("{selector}") AS "{selector}"', *others])
    where = f"{_chosen(measurement, of)} AND {within}"
    return f'SELECT {asked} FROM "{measurement}" WHERE {where} GROUP BY {_listed(TAGS[measurement])}'


def _chosen(measurement: str, variables: Names) -> str:
    return " AND ".join(f'"{tag}" =~ /^${{{tag}:regex}}$/' for tag in _tags(measurement, variables))


def _tags(measurement: str, names: Names) -> Names:
    if strangers := set(names) - set(TAGS[measurement]):
        raise KeyError(f"{measurement} has no tags {sorted(strangers)}")
    return names


def _fields(measurement: str, columns: Names) -> list[str]:
    """Those of the columns that are fields, once all are known to be fields or tags."""
    fields = {field.name for field in FIELDS[measurement]}
    if strangers := set(columns) - fields - set(TAGS[measurement]):
        raise KeyError(f"{measurement} has no {sorted(strangers)}")
    return [column for column in columns if column in fields]


def _listed(names: Names) -> str:
    return ", ".join(f'"{one}"' for one in names)
