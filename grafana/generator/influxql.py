"""The questions that dashboards ask, in InfluxQL for InfluxDB 1, and 2 and 3 by their documentation.

A point of `last("up") AS "up", "finding"` is one point: `last` of two fields would be the newest value of each, and a
finding that is long gone would still be shown. So every question about now has one selector. The outer SELECT makes
one table of all series, with tags as columns in the order asked for. `of` names the variables that choose what is
asked about; each is a tag too. Names that are not written are refused with a KeyError.
"""
# ruff: noqa: S608 - nothing that a stranger could send gets in here

from __future__ import annotations

from collections.abc import Sequence

from telegraf_cvmfs.points.schema import FIELDS, FINDING, PUBLISH, REPO, REPOSITORY, SCRAPE, SERVER, TAGS

NOW = "time > ${__to}ms - $fresh AND time <= ${__to}ms"
"""What counts as now: data of the last `$fresh` before the end of the chosen time range."""

RECENT = "time > ${__from}ms - 7d AND time <= ${__to}ms"
"""The chosen range and a week before it: what was removed longer ago is no longer offered."""

SELECTORS = {REPO: "up", SERVER: "up", REPOSITORY: "replicas", SCRAPE: "servers", PUBLISH: "revision"}
"""A field that every point of the measurement has."""

FLEET = ("fleet",)
Names = Sequence[str]


def newest(
    measurement: str, columns: Names, *, of: Names = FLEET, only: str = "", needs: Names = (), within: str = NOW
) -> str:
    """The newest point of each series, as one table of these columns.

    `only` is a condition on the columns, and on those that it `needs` beside them; `within` is a condition on time.
    """
    condition = f" WHERE {only}" if only else ""
    return f"SELECT {_listed(columns)} FROM ({_newest(measurement, [*columns, *needs], of, within)}){condition}"


def worst(measurement: str, columns: Names, *, of: Names = FLEET, most: int = 500, severity: str = "severity") -> str:
    """As `newest`, but only what is not ok nor under maintenance, and no more than `most` of it: the most serious."""
    table = _newest(measurement, [severity, "maintenance", *columns], of)
    counted = f'"{severity}" > 0 AND "maintenance" = 0'
    return f'SELECT top("{severity}", {most}) AS "{severity}", {_listed(columns)} FROM ({table}) WHERE {counted}'


def under_maintenance(columns: Names, *, of: Names = FLEET) -> str:
    """The servers and the replicas that are under maintenance, as one table of these columns."""
    fields = ["maintenance", "problem"]
    tables = ", ".join(f"({_newest(measurement, fields, of)})" for measurement in (SERVER, REPO))
    return f'SELECT {_listed(columns)} FROM {tables} WHERE "maintenance" = 1'


def matrix(measurement: str, field: str, by: Names, *, of: Names = FLEET) -> str:
    """The most serious newest value of a field for each combination of these tags, as a table; as `most_serious`."""
    listed = _listed(_tags(measurement, by))
    return f'SELECT "{field}", {listed} FROM ({most_serious(measurement, field, of=of)} GROUP BY {listed})'


def most_serious(measurement: str, field: str, *, of: Names) -> str:
    """The largest severity of all that counts as now; what is under maintenance counts as -1."""
    table = _newest(measurement, [field, "maintenance"], of)
    counted = f'SELECT "{field}" FROM ({table}) WHERE "maintenance" = 0'
    quiet = f'SELECT 0 - "maintenance" AS "{field}" FROM ({table}) WHERE "maintenance" = 1'
    return f'SELECT max("{field}") AS "{field}" FROM ({counted}), ({quiet})'


def ranked(function: str, measurement: str, field: str, columns: Names, *, of: Names = FLEET, most: int = 200) -> str:
    """As `newest`, but only the rows with the largest ("top") or smallest ("bottom") values of a field."""
    table = _newest(measurement, [field, *columns], of)
    return f'SELECT {function}("{field}", {most}) AS "{field}", {_listed(columns)} FROM ({table})'


def one_number(function: str, measurement: str, field: str, *, of: Names) -> str:
    """One number for all that counts as now, such as the `max` of a field."""
    return f'SELECT {function}("{field}") AS "{field}" FROM ({_newest(measurement, [field], of)})'


def found_now(slugs: Names, columns: Names, *, of: Names = FLEET) -> str:
    """What each server or replica has of these findings, in a column each; only those that have any."""
    only = " OR ".join(f'"{slug}" > 0' for slug in slugs)
    table = _newest(FINDING, [*slugs, *columns], of, selector=slugs[0])
    return f"SELECT {_listed([*columns, *slugs])} FROM ({table}) WHERE {only}"


def how_many(slug: str, *, of: Names = FLEET) -> str:
    """How many servers or replicas have a finding now; 0 where none has it, nothing where nothing was written.

    `count` alone would give nothing in both cases, so that a dead scraper would look like health.
    """
    table = _newest(FINDING, [slug], of, selector=slug)
    found = f'SELECT count("{slug}") AS "found" FROM ({table}) WHERE "{slug}" > 0 AND "{slug}" < 3'
    asked = f'SELECT count("{slug}") * 0 AS "found" FROM ({table})'
    return f'SELECT sum("found") AS "found" FROM ({found}), ({asked})'


def total_now(field: str) -> str:
    """The sum over fleets of one of `cvmfs_scrape`'s numbers, in each one's newest run."""
    return f'SELECT sum("{field}") AS "{field}" FROM ({_newest(SCRAPE, [field], FLEET)})'


def silent_fleets() -> str:
    """How many fleets had a run in the week before, but none that counts as now.

    Each fleet counts 1 for the week and -1 for now, because InfluxQL cannot say how old a point is.
    """
    week, now = (
        f'SELECT count("servers") * 0 {one} AS "silent" FROM "{SCRAPE}" WHERE {_chosen(SCRAPE, FLEET)} AND {within}'
        ' GROUP BY "fleet"'
        for one, within in (("+ 1", RECENT), ("- 1", NOW))
    )
    return f'SELECT sum("silent") AS "silent" FROM ({week}), ({now})'


def over_time(function: str, measurement: str, field: str, by: Names, *, of: Names = FLEET, only: str = "") -> str:
    """One curve for each value of the tags `by`; where nothing was written there is a gap."""
    _fields(measurement, [field])
    condition = f" AND {only}" if only else ""
    return (
        f'SELECT {function}("{field}") AS "{field}" FROM "{measurement}"'
        f" WHERE {_chosen(measurement, of)} AND $timeFilter{condition}"
        f" GROUP BY time($__interval), {_listed(_tags(measurement, by))} fill(null)"
    )


def totals_over_time(fields: Names) -> str:
    """The sums over fleets of `cvmfs_scrape`'s numbers, run by run."""
    _fields(SCRAPE, fields)
    inner = ", ".join(f'last("{field}") AS "{field}"' for field in fields)
    outer = ", ".join(f'sum("{field}") AS "{field}"' for field in fields)
    runs = (
        f'SELECT {inner} FROM "{SCRAPE}" WHERE {_chosen(SCRAPE, FLEET)} AND $timeFilter'
        f' GROUP BY time($__interval), "fleet" fill(none)'
    )
    return f"SELECT {outer} FROM ({runs}) WHERE $timeFilter GROUP BY time($__interval) fill(null)"


def events(measurement: str, columns: Names, *, of: Names = FLEET, most: int = 0) -> str:
    """All points in the chosen time range, the newest `most` of them if there is a limit."""
    _fields(measurement, columns)
    limit = f" ORDER BY time DESC LIMIT {most}" if most else ""
    where = f"{_chosen(measurement, of)} AND $timeFilter"
    return f'SELECT {_listed(columns)} FROM "{measurement}" WHERE {where}{limit}'


def values_of(tag: str, measurement: str, of: Names = ()) -> str:
    """The values of a tag that were written in the chosen range or the week before it, for a variable."""
    field = SELECTORS[measurement]
    where = f"{_chosen(measurement, of)} AND {RECENT}" if of else RECENT
    by = _listed(_tags(measurement, [tag]))
    table = f'SELECT last("{field}") AS "{field}" FROM "{measurement}" WHERE {where} GROUP BY {by}'
    return f"SELECT DISTINCT({by}) FROM ({table})"


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
