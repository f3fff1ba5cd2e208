"""What a spool saw in a span, added up: for how long what was in which state, and what was down when.

The runs are read a day at a time, so that a month needs no more memory than a day.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path

from duckdb import DuckDBPyConnection

from telegraf_cvmfs.history.query import damage_named, files_of, opened, together
from telegraf_cvmfs.history.report.words import Word, words
from telegraf_cvmfs.history.spool import kept
from telegraf_cvmfs.points.schema import REPO, REPOSITORY, SCRAPE, SERVER

BEFORE = timedelta(days=1)
"""How long before a span runs are looked for whose word may reach into it."""

LAGS = (0, *(minutes * 60 for minutes in (5, 15, 30)), *(hours * 3600 for hours in (1, 2, 4, 8, 12, 24, 48, 96, 168)))
"""Seconds up to which a lag is counted together with others; what is longer is in a last bucket."""

STATE = """
    CASE WHEN maintenance = 1 THEN 'maintenance' WHEN health IN (0, 1) THEN 'up'
         WHEN health = 2 THEN 'down' ELSE 'unknown' END
"""
_BUCKET = " ".join(f"WHEN lag <= {most} THEN {number}" for number, most in enumerate(LAGS))
_REPO, _JUDGED = "repo, coalesce(alias, '')", "health IS NOT NULL"
_PLACE = "fleet, role, server, coalesce(address, '') AS address"

_TABLES = """
    CREATE TABLE servers (fleet VARCHAR, role VARCHAR, server VARCHAR, address VARCHAR, state VARCHAR, seconds DOUBLE);
    CREATE TABLE replicas (fleet VARCHAR, role VARCHAR, server VARCHAR, address VARCHAR, repo VARCHAR, alias VARCHAR,
                           state VARCHAR, bucket INTEGER, seconds DOUBLE, longest BIGINT);
    CREATE TABLE repositories (fleet VARCHAR, repo VARCHAR, state VARCHAR, seconds DOUBLE, served DOUBLE, had DOUBLE,
                               least BIGINT);
    CREATE TABLE runs (fleet VARCHAR, made BIGINT, cut_short BIGINT, interrupted BIGINT, requests BIGINT,
                       failures BIGINT);
    CREATE TABLE down (kind VARCHAR, fleet VARCHAR, role VARCHAR, server VARCHAR, address VARCHAR, repo VARCHAR,
                       alias VARCHAR, number BIGINT, begins TIMESTAMPTZ, ends TIMESTAMPTZ, finding VARCHAR,
                       problem VARCHAR);
"""
_WHEN = "number, begins, ends, finding, problem"
_LAG = f"CASE WHEN lag IS NULL THEN NULL {_BUCKET} ELSE {len(LAGS)} END"
_SERVED = "sum(seconds), sum(seconds * replicas_ok), sum(seconds * replicas), min(replicas_ok)"
_COST = "count(*), sum(deadline_hit), sum(interrupted), sum(requests), sum(failures)"
_IS_DOWN = f"{STATE} = 'down'"
_READ = dict.fromkeys(("fleet", "role", "server", "address", "repo", "alias", "finding", "problem"), "VARCHAR") | (
    dict.fromkeys(("health", "maintenance", "lag", "replicas", "replicas_ok"), "BIGINT")
    | dict.fromkeys(("deadline_hit", "interrupted", "requests", "failures"), "BIGINT")
)
_ADDED: Mapping[str, tuple[str, ...]] = {
    SERVER: (
        f"servers SELECT {_PLACE}, {STATE}, sum(seconds) FROM here WHERE {{ours}} GROUP BY ALL",
        f"down SELECT 'server', {_PLACE}, '', '', {_WHEN} FROM here WHERE {{ours}} AND {_IS_DOWN}",
    ),
    REPO: (
        (
            f"replicas SELECT {_PLACE}, {_REPO}, {STATE}, {_LAG}, sum(seconds), max(lag) FROM here"
            f" WHERE {{ours}} AND {_JUDGED} GROUP BY ALL"
        ),
        f"down SELECT 'replica', {_PLACE}, {_REPO}, {_WHEN} FROM here WHERE {{ours}} AND {_JUDGED} AND {_IS_DOWN}",
    ),
    REPOSITORY: (f"repositories SELECT fleet, repo, {STATE}, {_SERVED} FROM here WHERE {{ours}} GROUP BY ALL",),
    SCRAPE: (f"runs SELECT fleet, {_COST} FROM here WHERE {{ours}} GROUP BY ALL",),
}
"""What is added of which measurement to which table."""


@dataclass(frozen=True)
class Seen:
    """A span of a spool, added up in the tables of a database, and the words of its runs."""

    since: datetime
    until: datetime
    words: Sequence[Word]
    database: DuckDBPyConnection


def seen(source: Path, since: datetime, until: datetime, fleet: str | None = None) -> Seen:
    """Read the runs of a span; `until` is not included.

    Raises:
        OSError: the spool cannot be read.
        SpoolError: a file of it is damaged.
    """
    files_of(source, since, until, fleet)  # a damaged file is said before anything is added up
    found = words(kept(source, since - BEFORE, until, fleet), since, until)
    database = opened()
    database.execute(_TABLES)
    for _, day in groupby(sorted(found, key=lambda word: word.run), key=lambda word: word.run.started.date()):
        _add(database, list(day))
    return Seen(since, until, found, database)


def _add(database: DuckDBPyConnection, day: Sequence[Word]) -> None:
    """A day's runs to what is added up."""
    columns = {
        "fleet": [word.run.fleet for word in day],
        "run": [word.run.started.astimezone(UTC) for word in day],
        "number": [word.number for word in day],
        "begins": [word.begins for word in day],
        "ends": [word.ends for word in day],
        "seconds": [word.seconds for word in day],
    }
    lists = ", ".join(f"unnest(${name}) AS {name}" for name in columns)
    database.execute(f"CREATE OR REPLACE TABLE words AS SELECT {lists}", columns)
    with damage_named():
        read = together([word.run.path for word in day], _READ)
        database.execute(f"CREATE OR REPLACE TABLE here AS SELECT * FROM {read} JOIN words USING (fleet, run)")
        for measurement, statements in _ADDED.items():
            ours = f"measurement = '{measurement}'"
            for statement in statements:
                database.execute(f"INSERT INTO {statement.format(ours=ours)}")
