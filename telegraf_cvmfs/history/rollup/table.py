"""Tables: rows of runs, added up; rows of rollups, put together; and files of them.

>>> table = TableServers()
>>> table.names[:4], len(table)
(['fleet', 'role', 'server', 'address'], 0)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC
from pathlib import Path
from typing import ClassVar, Self

import duckdb
from duckdb import DuckDBPyConnection, DuckDBPyRelation

from telegraf_cvmfs.history.query import damage_named, literal, opened, quoted, together
from telegraf_cvmfs.history.rollup.columns import FORMS, READ, STATE, Form
from telegraf_cvmfs.history.rollup.words import EVER, Word, words
from telegraf_cvmfs.history.spool import Kept
from telegraf_cvmfs.points.schema import FIELDS, REPO, REPOSITORY, SERVER, TAGS

_TABLE = "table_name"
"""The column of a file that says of which table a row is."""

_AT_ONCE = 48
"""Files of rollups."""

_SECONDS = "(date_diff('microsecond', begins, ends) * 0.000001::DECIMAL(7,6))::DECIMAL(18,6) AS seconds"
_LOOKS = f"measurement IN ('{SERVER}', '{REPO}', '{REPOSITORY}')"
_SEEN = "measurement, role, server, address, repo, alias, health, maintenance, finding"


class Table:
    """One of the tables, in a database in memory; it knows its columns also when it is empty.

    `add_csv` takes what a collector gathered, and `group` adds it up; `add_parquet` takes rollups, and `regroup` puts
    those of the same server or repository together. What is added and not yet grouped is no row of it.
    """

    name: ClassVar[str]
    """Of the table, as in files."""

    def __init__(self, database: DuckDBPyConnection | None = None) -> None:
        self._database = opened() if database is None else database
        self._form = FORMS[self.name]
        self._csv = list[Path]()
        columns = ", ".join(f"{name} {kind}" for name, kind in self._form.types().items())
        self._database.execute(f"CREATE OR REPLACE TABLE {self.name} ({columns})")

    @property
    def names(self) -> list[str]:
        """Its columns."""
        return list(self._form.types())

    def __len__(self) -> int:
        return len(self.relation)

    @property
    def relation(self) -> DuckDBPyRelation:
        """Its rows, for further questions; `.df()` makes of them a data frame of pandas, for those who have it."""
        return self._database.table(self.name)

    def add_csv(self, *files: Path | str) -> Self:
        """Take files of the collector of this name (for outages: of servers or replicas), to be grouped."""
        self._csv += [Path(file) for file in files]
        return self

    def group(self) -> Self:
        """Add up what was added as CSV, each run's word for as long as it holds.

        Raises:
            OSError: a file cannot be read.
            ValueError: it is no such file.
        """
        files, self._csv = self._csv, []
        if files:
            self._take_csv(files)
            self.add_here()
        return self.regroup()

    def add_parquet(self, *files: Path | str) -> Self:
        """Take the rows of rollups.

        Raises:
            OSError: a file cannot be read.
            ValueError: it is no file of rollups.
        """
        try:
            paths = ", ".join(literal(str(file)) for file in files)
            self._database.execute(
                f"INSERT INTO {self.name} BY NAME SELECT {', '.join(self.names)} FROM read_parquet([{paths}],"
                f" union_by_name = true) WHERE {_TABLE} = '{self.name}'"
            )
        except duckdb.IOException as error:
            raise OSError(str(error)) from error
        except duckdb.Error as error:
            more = f" or one of {len(files) - 1} more" if files[1:] else ""
            raise ValueError(f"{files[0]}{more}: no file of rollups: {str(error).splitlines()[0]}") from error
        return self

    def regroup(self) -> Self:
        """Put rows together that are of the same: once more changes nothing."""
        put = _touching if self.name == TableOutages.name else _put
        self._database.execute(f"CREATE OR REPLACE TABLE {self.name} AS {put(self.name, self._form)}")
        return self

    def to_csv(self, path: Path | str) -> None:
        """Write its rows, with a head."""
        self._write(path, f"SELECT * FROM {self.name}", "FORMAT csv, HEADER")

    def to_json(self, path: Path | str) -> None:
        """Write its rows, an object a line."""
        self._write(path, f"SELECT * FROM {self.name}", "FORMAT json")

    def to_parquet(self, path: Path | str) -> None:
        """Write its rows, to be taken by `add_parquet`."""
        self._write(path, f"SELECT '{self.name}' AS {_TABLE}, * FROM {self.name}", PARQUET)

    def _write(self, path: Path | str, query: str, form: str) -> None:
        try:
            self._database.execute(f"COPY ({query}) TO {literal(str(path))} ({form})")
        except duckdb.IOException as error:
            raise OSError(str(error)) from error

    def add_here(self) -> None:
        """Take the rows of runs that are in the database, see `take_runs`: each as a rollup of its own."""
        chosen = ", ".join(
            f"({value})::{self._form.types()[name]} AS {name}"
            for name, value in [*self._form.keys.items(), *((one.name, one.of_run) for one in self._form.columns)]
        )
        ours = ", ".join(f"'{one}'" for one in self._form.measurements)
        self._database.execute(
            f"INSERT INTO {self.name} BY NAME SELECT {chosen} FROM here"
            f" WHERE measurement IN ({ours}) AND (own OR seconds > 0) AND {self._form.where}"
        )

    def _take_csv(self, files: Sequence[Path]) -> None:
        try:
            paths = ", ".join(literal(str(file)) for file in files)
            self._database.execute(f"CREATE OR REPLACE TABLE csv AS SELECT * FROM read_csv([{paths}], {_CSV})")
            head = [name for name, *_ in self._database.execute("DESCRIBE csv").fetchall()]
            measurement = _measurement(self._form, head)
            texts = "SELECT DISTINCT fleet, time::TIMESTAMPTZ FROM csv ORDER BY ALL"
            runs = [Kept(run.astimezone(UTC), fleet, Path()) for fleet, run in self._database.execute(texts).fetchall()]
            _words(self._database, words(runs, *EVER))
            wanted = ", ".join(
                f"{quoted(name) if name in head else 'NULL'}::{kind} AS {name}" for name, kind in READ.items()
            )
            here = f"SELECT '{measurement}' AS measurement, time::TIMESTAMPTZ AS run, {wanted} FROM csv"
            _here(self._database, f"({here})")
        except duckdb.IOException as error:
            raise OSError(str(error)) from error
        except duckdb.Error as error:
            said = str(error).splitlines()[0]
            raise ValueError(f"{', '.join(map(str, files))}: not what a collector gathers: {said}") from error


class TableServers(Table):
    """A row for each server."""

    name = "servers"


class TableReplicas(Table):
    """A row for each repository on each server."""

    name = "replicas"


class TableRepositories(Table):
    """A row for each repository of a fleet, wherever it is served."""

    name = "repositories"


class TableRuns(Table):
    """A row for each run, with the time that its word holds."""

    name = "runs"


class TableOutages(Table):
    """A row for each time that a server, a replica or a repository was down without a break that was seen."""

    name = "outages"


TABLES: tuple[type[Table], ...] = (TableServers, TableReplicas, TableRepositories, TableRuns, TableOutages)
PARQUET = "FORMAT parquet, COMPRESSION zstd"
_CSV = "header = true, delim = ',', quote = '\"', escape = '\"', all_varchar = true, union_by_name = true"


def all_tables(database: DuckDBPyConnection) -> tuple[Table, ...]:
    """Each of the tables, empty, in this database."""
    return tuple(table(database) for table in TABLES)


def put_together(tables: Iterable[Table], files: Sequence[Path]) -> None:
    """Take files of rollups, so many at a time that a month's hours need little memory; errors as `add_parquet`."""
    for table in tables:
        for first in range(0, len(files), _AT_ONCE):
            table.add_parquet(*files[first : first + _AT_ONCE]).regroup()


def take_runs(database: DuckDBPyConnection, found: Sequence[Word]) -> None:
    """Read the runs of these words, for `add_here`; SpoolError for a damaged file."""
    _words(database, found)
    files = sorted({word.run.path for word in found})
    with damage_named():
        _here(database, together(files, READ))


def write_together(database: DuckDBPyConnection, path: Path) -> None:
    """Write all tables of a database to one file, which each table takes its own rows from; OSError if it cannot be."""
    queries = (
        f"(SELECT '{one.name}' AS {_TABLE}, * FROM {one.name} ORDER BY {', '.join(FORMS[one.name].keys)})"
        for one in TABLES
    )
    try:
        database.execute(f"COPY ({' UNION ALL BY NAME '.join(queries)}) TO {literal(str(path))} ({PARQUET})")
    except duckdb.IOException as error:
        raise OSError(str(error)) from error


def _words(database: DuckDBPyConnection, found: Iterable[Word]) -> None:
    all_of = list(found)
    columns = {
        "fleet": [word.run.fleet for word in all_of],
        "run": [word.run.started.astimezone(UTC) for word in all_of],
        "begins": [word.begins for word in all_of],
        "ends": [word.ends for word in all_of],
        "own": [word.own for word in all_of],
    }
    lists = ", ".join(f"unnest(${name}) AS {name}" for name in columns)
    database.execute(f"CREATE OR REPLACE TABLE words AS SELECT {lists}", columns)


def _here(database: DuckDBPyConnection, source: str) -> None:
    """The rows of runs, each for as long as its run's word holds; whether the run saw other than the one before."""
    database.execute(f"CREATE OR REPLACE TABLE read AS SELECT * FROM {source} SEMI JOIN words USING (fleet, run)")
    looks = f"SELECT fleet, run, bit_xor(hash({_SEEN})) AS looks FROM read WHERE {_LOOKS} GROUP BY ALL"
    before = "lag(looks) OVER (PARTITION BY fleet ORDER BY run)"
    changes = f"SELECT fleet, run, looks IS DISTINCT FROM {before} AS changed FROM ({looks})"
    database.execute(
        f"CREATE OR REPLACE TABLE here AS SELECT *, {STATE} AS state, {_SECONDS}"
        f" FROM read JOIN words USING (fleet, run) LEFT JOIN ({changes}) USING (fleet, run)"
    )
    database.execute("DROP TABLE read")


def _put(name: str, form: Form) -> str:
    keys = ", ".join(form.keys)
    rows = name
    if form.carried:
        last = ", ".join(f"last_value(last_{noun} IGNORE NULLS) OVER earlier AS before_{noun}" for noun in form.carried)
        earlier = f"PARTITION BY {keys} ORDER BY first_run, last_run ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING"
        rows = f"(SELECT *, {last} FROM {name} WINDOW earlier AS ({earlier}))"
    merged = ", ".join(f"({one.together})::{one.type} AS {one.name}" for one in form.columns)
    return f"SELECT {keys}, {merged} FROM {rows} GROUP BY {keys} ORDER BY {keys}"


def _touching(name: str, form: Form) -> str:
    """Rows that begin after all before them have ended begin a new outage."""
    keys = ", ".join(form.keys)
    order = f"PARTITION BY {keys} ORDER BY begins, ends"
    reached = f"max(ends) OVER ({order} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS reached"
    begun = f"count(*) FILTER (WHERE reached IS NULL OR begins > reached) OVER ({order}) AS number"
    numbered = f"SELECT *, {begun} FROM (SELECT *, {reached} FROM {name})"
    merged = ", ".join(f"({one.together})::{one.type} AS {one.name}" for one in form.columns)
    return f"SELECT {keys}, {merged} FROM ({numbered}) GROUP BY {keys}, number ORDER BY {keys}, begins"


def _measurement(form: Form, head: Sequence[str]) -> str:
    """Of which measurement a file of a collector with this head is."""
    for one in form.measurements:
        known = {"time", *TAGS[one], *(field.name for field in FIELDS[one])}
        if {"time", *TAGS[one]} <= set(head) <= known:
            return one
    raise duckdb.InvalidInputException(f"its columns are {', '.join(head)}")
