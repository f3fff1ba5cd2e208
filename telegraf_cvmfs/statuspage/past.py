"""What was before a run: days, shares of time, lags, outages, from the rollups of a spool and what is not rolled up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from duckdb import DuckDBPyConnection

from telegraf_cvmfs.history.instants import this_day
from telegraf_cvmfs.history.query import literal, opened
from telegraf_cvmfs.history.report.figures import percentile
from telegraf_cvmfs.history.rollup.columns import INTERVALS, LAGS, interval_columns, lag_columns
from telegraf_cvmfs.history.rollup.rollups import Rollups
from telegraf_cvmfs.history.rollup.seen import listed, seen
from telegraf_cvmfs.statuspage.incidents import Outage
from telegraf_cvmfs.statuspage.public import Before
from telegraf_cvmfs.statuspage.settings import Settings
from telegraf_cvmfs.statuspage.site import Day, Past, Rhythm

DAY = timedelta(days=1)
_SUMS = "sum(seconds_up)::DOUBLE, sum(seconds_down)::DOUBLE, sum(seconds_maintenance)::DOUBLE"
_TABLES = {"servers": "server", "repositories": "repo"}

Named = tuple[str, str]
"""The name of a table and that of a server or repository."""


def before(source: Path, settings: Settings, until: datetime) -> Before:
    """What was in the days until a moment, that of the moment among them; so with the last thirty.

    Raises:
        OSError: the spool cannot be read.
        SpoolError: a file of it is damaged.
    """
    since = this_day(until) - (settings.days - 1) * DAY
    days = _days(source, settings, since, until)
    with seen(source, max(since, this_day(until) - 29 * DAY), until, settings.fleet) as database:
        last_30 = dict(_shares(database))
        replicas = dict(_rhythms(database))
    with seen(source, since, until, settings.fleet) as database:
        whole = dict(_shares(database))
        outages = list(_outages(database))
    found: dict[str, dict[str, Past]] = {table: {} for table in _TABLES}
    for key, share in whole.items():
        table, name = key
        downs = [one for one in outages if _is_of(one, table, name)]
        took = [one.ends - one.begins for one in downs]
        found[table][name] = Past(
            days=[
                days.get((key, since.date() + number * DAY), _unseen(since, number)) for number in range(settings.days)
            ],
            last_30=last_30.get(key),
            whole=share,
            outages=len(downs),
            longest=max(took, default=None),
            mean_time_to_repair=sum(took, timedelta(0)) / len(took) if took else None,
        )
    return Before(found["servers"], found["repositories"], replicas, outages)


def _unseen(since: datetime, number: int) -> Day:
    return Day(since.date() + number * DAY, 0, 0, 0)


def _is_of(one: Outage, table: str, name: str) -> bool:
    if table == "servers":
        return one.server == name and not one.repository
    return one.repository == name and not one.server


def _days(source: Path, settings: Settings, since: datetime, until: datetime) -> dict[tuple[Named, date], Day]:
    """Each day of each; those that are one file of rollups are read at once."""
    rollups, found = Rollups(source, settings.fleet), dict[tuple[Named, date], Day]()
    whole = rollups.whole_days(since, this_day(until))
    for day in (since + number * DAY for number in range(settings.days)):
        if day in whole:
            continue
        with seen(source, day, min(day + DAY, until), settings.fleet) as database:
            for table, name in _TABLES.items():
                for key, *sums in listed(database, f"SELECT {name}, {_SUMS} FROM {table} GROUP BY ALL"):
                    found[(table, key), day.date()] = Day(day.date(), *sums)
    found |= dict(_of_files(map(rollups.day, whole)))
    return found


def _of_files(files: Iterable[Path]) -> Iterator[tuple[tuple[Named, date], Day]]:
    paths = ", ".join(literal(str(path)) for path in files)
    if not paths:
        return
    day = "strptime(parse_filename(filename)[:10], '%Y-%m-%d')::DATE"
    with opened() as database:
        for table, name in _TABLES.items():
            asked = (
                f"SELECT {name}, {day}, {_SUMS} FROM read_parquet([{paths}], union_by_name = true, filename = true)"
                f" WHERE table_name = '{table}' GROUP BY ALL"
            )
            for key, when, *sums in listed(database, asked):
                yield ((table, key), when), Day(when, *sums)


def _shares(database: DuckDBPyConnection) -> Iterator[tuple[Named, float | None]]:
    for table, name in _TABLES.items():
        for key, up, down, maintenance in listed(database, f"SELECT {name}, {_SUMS} FROM {table} GROUP BY ALL"):
            known = up + down + maintenance
            yield (table, key), up / known if known > 0 else None


def _outages(database: DuckDBPyConnection) -> Iterator[Outage]:
    asked = "SELECT begins, ends, server, repo, finding FROM outages ORDER BY ALL"
    for begins, ends, server, repository, finding in listed(database, asked):
        yield Outage(begins, ends, server, repository, finding)


def _rhythms(database: DuckDBPyConnection) -> Iterator[tuple[Named, Rhythm]]:
    lags, times = lag_columns(), interval_columns()
    chosen = [*(f"{name}::DOUBLE" for name in lags), *(f"{name}::DOUBLE" for name in times)]
    asked = f"SELECT server, repo, lag_max, revisions, first_run, last_run, {', '.join(chosen)} FROM replicas"
    for server, repo, most, revisions, first, last, *counts in listed(database, asked):
        yield (server, repo), _rhythm(most, _a_week(revisions, first, last), counts[: len(lags)], counts[len(lags) :])


def _rhythm(most: int | None, a_week: float | None, lags: list[Any], times: list[Any]) -> Rhythm:
    buckets = dict(enumerate(lags))
    p50, p95 = (_span(percentile(share, buckets, most, LAGS)) for share in (0.5, 0.95))
    interval = percentile(0.5, dict(enumerate(times)), 2 * INTERVALS[-1], INTERVALS) if any(times) else None
    return Rhythm(p50, p95, _span(most), a_week, _span(interval))


def _a_week(revisions: int, first: datetime | None, last: datetime | None) -> float | None:
    if first is None or last is None or last - first < DAY:
        return None
    return revisions * (timedelta(days=7) / (last - first))


def _span(seconds: int | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)
