"""The spool as tables of DuckDB: for each measurement one, with the columns of `points.schema` and their types."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import duckdb
from duckdb import DuckDBPyConnection, DuckDBPyRelation

from telegraf_cvmfs.history.spool import SCHEMA, SpoolError, kept
from telegraf_cvmfs.points.schema import FIELDS, FINDING, TAGS

_TYPES = {int: "BIGINT", float: "DOUBLE", str: "VARCHAR"}
_RUN = "strptime(parse_filename(filename, true, 'both_slash')[:22] || '+0000', '%Y%m%dT%H%M%S.%f%z')"


def opened() -> DuckDBPyConnection:
    """A database in memory that keeps to UTC and loads no extension from anywhere."""
    return duckdb.connect(
        config={"TimeZone": "UTC", "autoinstall_known_extensions": False, "threads": 2, "memory_limit": "1GB"}
    )


def columns(measurement: str) -> dict[str, str]:
    """The columns of a measurement and their types: when the run began, the point's time, its tags, its fields."""
    tags = dict.fromkeys(TAGS[measurement], "VARCHAR")
    times = {"run": "TIMESTAMPTZ", "time": "TIMESTAMPTZ"}
    return times | tags | {one.name: _TYPES[one.type] for one in FIELDS[measurement]}


def rows(database: DuckDBPyConnection, measurement: str, files: Sequence[Path]) -> DuckDBPyRelation:
    """What these runs of a spool hold of a measurement, in the order of the runs, read when it is asked.

    Empty, with its columns, where there are no files. Whoever asks it does so within `damage_named`.
    """
    if not files:
        nothing = ", ".join(f"NULL::{kind} AS {quoted(name)}" for name, kind in columns(measurement).items())
        return database.sql(f"SELECT {nothing} WHERE false")
    chosen = ", ".join(_column(name, kind) for name, kind in columns(measurement).items())
    return database.sql(f"SELECT {chosen} FROM {_read(measurement, files)} WHERE measurement = '{measurement}'")


def _read(measurement: str, files: Sequence[Path]) -> str:
    """All fields are read as text, for measurements differ in their types, and another's line would be a fault."""
    texts = {name: "BIGINT" if name == "time" else "VARCHAR" for name in columns(measurement) if name != "run"}
    spec = ", ".join(f"'{name}': '{kind}'" for name, kind in ({"measurement": "VARCHAR"} | texts).items())
    paths = ", ".join(literal(str(path)) for path in files)
    return f"read_json([{paths}], format = 'newline_delimited', columns = {{{spec}}}, filename = true)"


def together(files: Sequence[Path], wanted: Mapping[str, str]) -> str:
    """A FROM clause that reads these columns of all measurements but findings at once; `wanted` are names and types.

    None of them may be a field of two measurements that differs in type.
    """
    spec = ", ".join(f"'{name}': '{kind}'" for name, kind in ({"measurement": "VARCHAR"} | dict(wanted)).items())
    paths = ", ".join(literal(str(path)) for path in files)
    read = f"read_json([{paths}], format = 'newline_delimited', columns = {{{spec}}}, filename = true)"
    return f"(SELECT *, {_RUN} AS run FROM {read} WHERE measurement != '{FINDING}')"


def _column(name: str, kind: str) -> str:
    if name == "run":
        return f"{_RUN} AS run"
    if name == "time":
        return 'make_timestamptz("time" // 1000) AS "time"'
    return f"CAST({quoted(name)} AS {kind}) AS {quoted(name)}"


def quoted(name: str) -> str:
    """A name of a table or column, as SQL takes it."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as SQL takes it."""
    return "'" + text.replace("'", "''") + "'"


def files_of(
    source: Path | str, since: datetime | None = None, until: datetime | None = None, fleet: str | None = None
) -> list[Path]:
    """The files of the runs of a spool that began in this span, the oldest first; `until` is not included.

    Raises:
        ValueError: a time without a zone.
        OSError: there is no such folder, or it cannot be read.
        SpoolError: one of them is damaged at its head, or of another form.
    """
    found = [one.path for one in kept(Path(source), since, until, fleet)]
    for path in found:
        check(path)
    return found


def check(path: Path) -> None:
    """SpoolError if a run's file is damaged at its head, or of another form; OSError if it cannot be read."""
    try:
        with gzip.open(path) as file:
            form = json.loads(file.readline(1 << 20))["schema"]
    except (ValueError, KeyError, TypeError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise SpoolError(f"{path}: damaged: {error}") from error
    if form != SCHEMA:
        raise SpoolError(f"{path}: it is of form {form!r}, here is known {SCHEMA}")


@contextmanager
def damage_named() -> Iterator[None]:
    """What DuckDB finds wrong in a file is a SpoolError, which names it."""
    try:
        yield
    except duckdb.Error as error:
        raise SpoolError(f"spool: damaged: {' '.join(str(error).split())[:400]}") from error
