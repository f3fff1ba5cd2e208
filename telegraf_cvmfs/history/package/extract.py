"""What packages hold, as tables again."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import duckdb
from duckdb import DuckDBPyConnection, DuckDBPyRelation

from telegraf_cvmfs.history.exclusive import tempdir
from telegraf_cvmfs.history.package.members import CHECKSUMS, MANIFEST, PackageError, read_json, unpacked
from telegraf_cvmfs.history.package.verify import faults
from telegraf_cvmfs.history.query import columns, literal, opened, quoted
from telegraf_cvmfs.points.schema import PUBLISH, REPO, REPOSITORY, SCRAPE, SERVER

MEASUREMENTS = {
    "servers": SERVER,
    "replicas": REPO,
    "repositories": REPOSITORY,
    "publications": PUBLISH,
    "geoapi": SERVER,
    "runs": SCRAPE,
}
"""Of which measurement a collector's columns are, which has their types."""

_FORM = "header = true, delim = ',', quote = '\"', escape = '\"'"
_PART = re.compile(r"(.+?)(?:_split\d+)?\.(csv|json)")


def extract(
    packages: Path | str | Iterable[Path | str], *, only: Iterable[str] | None = None
) -> dict[str, DuckDBPyRelation | dict[str, Any]]:
    """What packages hold, by the names of their collectors: a table for CSV files, an object for a JSON file.

    A file that was split, or is in several packages, is one table. `only` are the names that are wanted, by default
    all; what is wanted and in no package is not in the answer. Tables are in memory: packages may go away. `.df()`
    makes of one a data frame of pandas, for those who have it.

    Raises:
        PackageError: one is damaged, or not what was packed; nothing is returned then.
        OSError: one cannot be read.
    """
    paths = [Path(packages)] if isinstance(packages, (str, Path)) else [Path(one) for one in packages]
    wanted = None if only is None else {_key(name) for name in only}
    database, found = opened(), dict[str, DuckDBPyRelation | dict[str, Any]]()
    for package in paths:
        with tempdir() as folder:
            members = unpacked(package, folder)
            if wrong := faults(package, members):
                raise PackageError(f"{package}: {'; '.join(wrong)}")
            _take(
                package,
                {key: files for key, files in _by_key(members).items() if wanted is None or key in wanted},
                database,
                found,
            )
    return found


def _key(name: str) -> str:
    match = _PART.fullmatch(name)
    return match[1] if match else name


def _by_key(members: Mapping[str, Path]) -> dict[str, list[Path]]:
    keys = dict[str, list[Path]]()
    for name, path in members.items():
        if name not in (MANIFEST, CHECKSUMS):
            keys.setdefault(_key(name), []).append(path)
    return keys


def _take(
    package: Path,
    members: Mapping[str, list[Path]],
    database: DuckDBPyConnection,
    found: dict[str, DuckDBPyRelation | dict[str, Any]],
) -> None:
    for key, files in members.items():
        if files[0].suffix == ".json":
            found[key] = read_json(package, files[0])
            continue
        try:
            found[key] = load(database, key, files)
        except duckdb.Error as error:
            raise PackageError(f"{package}: {key}: {' '.join(str(error).split())[:400]}") from error


def load(database: DuckDBPyConnection, key: str, files: Iterable[Path | str]) -> DuckDBPyRelation:
    """CSV files of a collector as a table of that name, added to what is in it already.

    Raises:
        duckdb.Error: they are no CSV, or a value is not of its column's type.
    """
    table = quoted(key)
    for file in files:
        source = f"read_csv({literal(str(file))}, {_FORM}{_types(key, file)})"
        if key in {name for (name,) in database.execute("SELECT table_name FROM duckdb_tables()").fetchall()}:
            database.execute(f"INSERT INTO {table} BY NAME SELECT * FROM {source}")
        else:
            database.execute(f"CREATE TABLE {table} AS SELECT * FROM {source}")
    return database.table(table)


def _types(key: str, file: Path | str) -> str:
    """The types of the columns that are known, so that an empty column is not taken for a text."""
    with Path(file).open(encoding="utf-8", errors="replace") as lines:
        header = lines.readline().strip().split(",")
    known = columns(MEASUREMENTS[key]) if key in MEASUREMENTS else {}
    types = ", ".join(f"{literal(name)}: '{known[name]}'" for name in header if name in known)
    return f", types = {{{types}}}" if types else ""
