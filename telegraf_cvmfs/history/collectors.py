"""The collectors: what the runs of a spool saw, as CSV files, and what fleets they saw, as an object.

Each takes `source`, the folder of a spool, `since` (included), `until` (not included), both aware, and `fleet`, if
only one is wanted; it depends on nothing else. No data is `[]` or None. Raises OSError for a folder that cannot be
read, SpoolError for a damaged file.
"""

from __future__ import annotations

import shutil
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

from duckdb import DuckDBPyConnection

from telegraf_cvmfs.history.collector import Gathered, collector
from telegraf_cvmfs.history.exclusive import PREFIX
from telegraf_cvmfs.history.instants import iso
from telegraf_cvmfs.history.query import columns, damage_named, files_of, literal, opened, quoted, rows
from telegraf_cvmfs.points.schema import FIELDS, FINDING, PUBLISH, REPO, REPOSITORY, SCRAPE, SERVER, TAGS

Source = Path | str


@collector()
def servers(
    *, source: Source, since: datetime | None = None, until: datetime | None = None, fleet: str | None = None
) -> Gathered:
    """A row for each server and run: `servers.csv`."""
    return _csv("servers", SERVER, _all(SERVER), files_of(source, since, until, fleet))


@collector()
def repositories(
    *, source: Source, since: datetime | None = None, until: datetime | None = None, fleet: str | None = None
) -> Gathered:
    """A row for each repository of a fleet and run, with how many replicas clients can use: `repositories.csv`."""
    return _csv("repositories", REPOSITORY, _all(REPOSITORY), files_of(source, since, until, fleet))


@collector()
def replicas(
    *, source: Source, since: datetime | None = None, until: datetime | None = None, fleet: str | None = None
) -> Gathered:
    """A row for each repository on each server and run: `replicas.csv`."""
    return _csv("replicas", REPO, _all(REPO), files_of(source, since, until, fleet))


@collector()
def findings(
    *, source: Source, since: datetime | None = None, until: datetime | None = None, fleet: str | None = None
) -> Gathered:
    """A row for each finding that a run had, with its number (1 warning, 2 critical, 3 unknown): `findings.csv`."""
    slugs = [quoted(one.name) for one in FIELDS[FINDING]]
    tags = [quoted(tag) for tag in TAGS[FINDING]]
    numbers = f"SELECT {', '.join(['time', *tags, *slugs])} FROM here"
    long = f"UNPIVOT ({numbers}) ON {', '.join(slugs)} INTO NAME finding VALUE health"
    selected = f"SELECT {_utc('time')} AS time, * EXCLUDE (time) FROM ({long}) WHERE health > 0"
    return _csv("findings", FINDING, selected, files_of(source, since, until, fleet))


@collector()
def publications(
    *, source: Source, since: datetime | None = None, until: datetime | None = None, fleet: str | None = None
) -> Gathered:
    """A row for each publication that a run in this span was the first to see: `publications.csv`."""
    return _csv("publications", PUBLISH, _all(PUBLISH), files_of(source, since, until, fleet))


@collector()
def geoapi(
    *, source: Source, since: datetime | None = None, until: datetime | None = None, fleet: str | None = None
) -> Gathered:
    """A row for each server and run that knew about its GeoAPI: `geoapi.csv`."""
    wanted = "fleet, role, server, address, geoapi_status, geoapi_ok, geodb_age"
    selected = f"SELECT {_utc('time')} AS time, {wanted} FROM here WHERE geoapi_status IS NOT NULL"
    return _csv("geoapi", SERVER, selected, files_of(source, since, until, fleet))


@collector()
def runs(
    *, source: Source, since: datetime | None = None, until: datetime | None = None, fleet: str | None = None
) -> Gathered:
    """A row for each run: how long it took, what it asked, whether it came to its end: `runs.csv`."""
    return _csv("runs", SCRAPE, _all(SCRAPE), files_of(source, since, until, fleet))


@collector()
def config(
    *, source: Source, since: datetime | None = None, until: datetime | None = None, fleet: str | None = None
) -> Gathered:
    """Which fleets were watched: names of servers with role, backend and version, and names of repositories.

    Redacted by what it is made of: a spool holds no contacts, keys, paths or logins, and URLs are not taken from it.
    None where there was no run.
    """
    files = files_of(source, since, until, fleet)
    if not files:
        return None
    with opened() as database, damage_named():
        rows(database, SERVER, files).create("servers")
        rows(database, REPO, files).project("fleet, repo").distinct().create("repos")
        spans = "SELECT fleet, count(DISTINCT run), min(run), max(run) FROM servers GROUP BY fleet ORDER BY fleet"
        return {name: _fleet(database, name, *seen) for name, *seen in database.execute(spans).fetchall()}


def _fleet(database: DuckDBPyConnection, name: str, count: int, first: datetime, last: datetime) -> dict[str, Any]:
    latest = "server, role, max_by(backend, run), max_by(cvmfs_version, run)"
    servers_of = f"SELECT {latest} FROM servers WHERE fleet = ? GROUP BY server, role ORDER BY server, role"
    repos_of = "SELECT repo FROM repos WHERE fleet = ? ORDER BY repo"
    return {
        "runs": count,
        "first_run": iso(first),
        "last_run": iso(last),
        "servers": _records(database.execute(servers_of, [name]).fetchall()),
        "repositories": [repo for (repo,) in database.execute(repos_of, [name]).fetchall()],
    }


def _records(found: list[Any]) -> list[dict[str, Any]]:
    names = ("name", "role", "backend", "cvmfs_version")
    return [{name: value for name, value in zip(names, row, strict=True) if value is not None} for row in found]


def _utc(name: str) -> str:
    return f"strftime({quoted(name)}, '%Y-%m-%dT%H:%M:%S.%fZ')"


def _all(measurement: str) -> str:
    times = [f'{_utc("time")} AS "time"'] + ([f"{_utc('run')} AS run"] if measurement == PUBLISH else [])
    others = [quoted(name) for name in columns(measurement) if name not in ("run", "time")]
    return f"SELECT {', '.join([*times, *others])} FROM here"


def _csv(key: str, measurement: str, selected: str, files: list[Path]) -> list[Path]:
    """The file in a new folder of its own, in the order of the spool, which is the same each time."""
    if not files:
        return []
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    path = folder / f"{key}.csv"
    try:
        with opened() as database, damage_named():
            rows(database, measurement, files).create_view("here")
            copied = database.execute(f"COPY ({selected}) TO {literal(str(path))} (FORMAT csv, HEADER)").fetchall()
        if copied[0][0]:
            return [path]
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder)
    return []
