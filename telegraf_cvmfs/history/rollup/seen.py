"""What was seen in a span: what is rolled up of it, and what is not, added up in the tables of one database.

Runs are read a day at a time, so that a month needs no more memory than a day.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from duckdb import DuckDBPyConnection

from telegraf_cvmfs.history.query import check, opened
from telegraf_cvmfs.history.rollup.rollups import HOUR, Rollups
from telegraf_cvmfs.history.rollup.table import all_tables, put_together, take_runs
from telegraf_cvmfs.history.rollup.words import BEFORE, EVER, Word, without, words
from telegraf_cvmfs.history.spool import SpoolError, fleets, kept


def seen(source: Path, since: datetime, until: datetime, fleet: str | None = None) -> DuckDBPyConnection:
    """A database with the tables of a span of whole hours; `until` is not included.

    Raises:
        OSError: the spool cannot be read.
        SpoolError: a file of it is damaged.
    """
    names = fleets(source) if fleet is None else [fleet]
    rollups = [Rollups(source, name) for name in names]
    found = [word for one in rollups for word in _not_rolled_up(one, since, until)]
    for word in found:
        check(word.run.path)  # a damaged file is said before anything is added up
    database = opened()
    tables = all_tables(database)
    try:
        put_together(tables, [file for one in rollups for file in one.files(since, until)])
    except ValueError as error:
        raise SpoolError(str(error)) from error
    for _, day in groupby(sorted(found, key=lambda word: word.run), key=lambda word: word.run.started.date()):
        take_runs(database, list(day))
        for table in tables:
            table.add_here()
            table.regroup()
    return database


def _not_rolled_up(rollups: Rollups, since: datetime, until: datetime) -> Iterator[Word]:
    runs = kept(rollups.folder, since - BEFORE, until, rollups.fleet)
    said = [(EVER[0], rollups.bookmark or EVER[0]), *((hour, hour + HOUR) for hour in rollups.hours(since, until))]
    for word in words(runs, since, until):
        own = word.own and not any(begins <= word.run.started < ends for begins, ends in said)
        yield from without(Word(word.run, word.begins, word.ends, own), said)


def listed(database: DuckDBPyConnection, query: str) -> list[tuple[Any, ...]]:
    """What a query finds, its times in UTC."""
    rows = database.execute(query).fetchall()
    return [tuple(one.astimezone(UTC) if isinstance(one, datetime) else one for one in row) for row in rows]
