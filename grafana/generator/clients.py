"""What CernVM-FS clients send about themselves, and the questions about it.

CernVM-FS calls the measurement `<CVMFS_INFLUX_METRIC_NAME>_absolute` (telemetry_aggregator_influx.cc); its fields are
all counters that are not 0, as floats, and `catalog_revision` is one of them. The tag `host` is there by
`CVMFS_INFLUX_EXTRA_TAGS`. A client does not say which server it reads from: it is compared with what the chosen
stratum 1s serve.
"""
# ruff: noqa: S608 - nothing that a stranger could send gets in here

from __future__ import annotations

from grafana.generator.influxql import NOW
from grafana.generator.question import InItsOwnWords
from telegraf_cvmfs.points.schema import REPO

CLIENT = "cvmfs_client_absolute"
TAGS = ("host", "repo")
REVISION = "catalog_revision"
FIELDS = (REVISION,)

SERVED = "$served"
"""A variable of the page: the newest revision of the chosen repository on the chosen stratum 1s, or nothing."""

_STRATA = """"role" = 'stratum1' AND "fleet" =~ /^${fleet:regex}$/ AND "server" =~ /^${server:regex}$/"""
_CHOSEN = '"repo" =~ /^${repo:regex}$/'


def served() -> InItsOwnWords:
    """The newest revision of the chosen repository that the chosen stratum 1s serve."""
    return InItsOwnWords(f'SELECT max("revision") AS "revision" FROM ({_newest_served()})')


def one_number(function: str, *, behind: bool = False) -> InItsOwnWords:
    """Over the clients of the chosen repository: `count` of them, or the `max` of how many revisions one is behind."""
    column = "behind" if behind else REVISION
    return InItsOwnWords(f'SELECT {function}("{column}") AS "{column}" FROM ({_behind()})')


def how_many_behind() -> InItsOwnWords:
    """How many clients of the chosen repository are behind; 0 if none, nothing where none reports."""
    late = f'SELECT count("behind") AS "late" FROM ({_behind()}) WHERE "behind" > 0'
    all_of_them = f'SELECT count("behind") * 0 AS "late" FROM ({_behind()})'
    return InItsOwnWords(f'SELECT sum("late") AS "late" FROM ({late}), ({all_of_them})')


def furthest_behind(most: int) -> InItsOwnWords:
    """The clients of the chosen repository, each with its revision, furthest behind first."""
    return InItsOwnWords(f'SELECT top("behind", {most}) AS "behind", "host", "{REVISION}" FROM ({_behind()})')


def repositories() -> InItsOwnWords:
    """Each repository that clients report: how many do, their oldest and newest revision, how far these are apart.

    InfluxQL reckons with the fields of one measurement only, so what is served does not stand beside them.
    """
    apart = f'max("{REVISION}") - min("{REVISION}") AS "apart"'
    each = f'count("{REVISION}") AS "clients", min("{REVISION}") AS "oldest", max("{REVISION}") AS "newest"'
    table = f'SELECT {apart}, {each} FROM ({_newest_reported("")}) GROUP BY "repo"'
    return InItsOwnWords(f'SELECT "apart", "repo", "clients", "oldest", "newest" FROM ({table})')


def oldest_over_time() -> InItsOwnWords:
    """The oldest revision of the chosen repository that any client had."""
    return InItsOwnWords(
        f'SELECT min("{REVISION}") AS "{REVISION}" FROM "{CLIENT}" WHERE {_CHOSEN} AND $timeFilter'
        ' GROUP BY time($__interval), "repo" fill(null)'
    )


def served_over_time() -> InItsOwnWords:
    """The revision of the chosen repository on each chosen stratum 1."""
    return InItsOwnWords(
        f'SELECT max("revision") AS "revision" FROM "{REPO}" WHERE {_CHOSEN} AND {_STRATA} AND $timeFilter'
        ' GROUP BY time($__interval), "server" fill(null)'
    )


def _behind() -> str:
    """Each client of the chosen repository; where no stratum 1 has it, 0 stands for what is served."""
    reported = _newest_reported(f"{_CHOSEN} AND ")
    return f'SELECT 0{SERVED} - "{REVISION}" AS "behind", "{REVISION}" FROM ({reported}) GROUP BY {_TAGS}'


def _newest_reported(condition: str) -> str:
    return f'SELECT last("{REVISION}") AS "{REVISION}" FROM "{CLIENT}" WHERE {condition}{NOW} GROUP BY {_TAGS}'


def _newest_served() -> str:
    newest = f'SELECT last("revision") AS "revision" FROM "{REPO}" WHERE {_CHOSEN} AND {_STRATA} AND {NOW}'
    return f'{newest} GROUP BY "fleet", "server", "address", "alias", "repo"'


_TAGS = ", ".join(f'"{tag}"' for tag in TAGS)
