"""The tables: what runs saw, added up; any two spans put together are what their runs are at once."""

from __future__ import annotations

import csv
import json
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telegraf_cvmfs.history import (
    TableOutages,
    TableReplicas,
    TableRepositories,
    TableRuns,
    TableServers,
    collectors,
)
from telegraf_cvmfs.history.query import opened
from telegraf_cvmfs.history.rollup.columns import FORMS, INTERVALS, LAGS
from telegraf_cvmfs.history.rollup.table import TABLES, Table, all_tables, take_runs, write_together
from telegraf_cvmfs.history.rollup.words import words
from telegraf_cvmfs.history.spool import kept
from telegraf_cvmfs.model import Health
from tests.builders.history import Look, spool
from tests.builders.runs import S1

BEGINS = datetime(2026, 3, 1, 22, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
Rows = dict[str, list[tuple[Any, ...]]]


def added_up(folder: Path, since: datetime, until: datetime, path: Path | None = None) -> Rows:
    """The rows of all tables of a span, which may be written to a file."""
    with opened() as database:
        tables = all_tables(database)
        if found := words(kept(folder), since, until):
            take_runs(database, found)
            for table in tables:
                table.add_here()
                table.regroup()
        if path is not None:
            write_together(database, path)
        return rows(tables)


def rows(tables: tuple[Table, ...]) -> Rows:
    return {table.name: sorted(table.relation.fetchall(), key=repr) for table in tables}


def named(table: Table) -> list[dict[str, Any]]:
    return [dict(zip(table.names, row, strict=True)) for row in table.relation.fetchall()]


def put_together(*files: Path) -> Rows:
    tables = tuple(kind().add_parquet(*files).regroup() for kind in TABLES)
    once = rows(tables)
    assert once == rows(tuple(table.regroup() for table in tables))
    return once


looks = st.builds(
    Look,
    revision=st.integers(1, 4),
    lag=st.sampled_from([0, 1, 299, 300, 301, 700_000]),
    snapshot=st.sampled_from([None, *(BEGINS - number * 7 * MINUTE for number in range(4))]),
    down=st.booleans(),
    maintenance=st.booleans(),
    health=st.sampled_from(Health),
)
gaps = st.sampled_from([MINUTE, 5 * MINUTE, 5 * MINUTE + timedelta(microseconds=123), HOUR, 5 * HOUR])


@settings(max_examples=20, deadline=None)
@given(lived=st.lists(st.tuples(gaps, looks), min_size=2, max_size=9), cuts=st.lists(st.integers(1, 600), max_size=2))
def test_spans_put_together_are_what_their_runs_are_at_once(
    lived: list[tuple[timedelta, Look]], cuts: list[int]
) -> None:
    moments, moment = list[tuple[datetime, Look]](), BEGINS
    for gap, look in lived:
        moments.append((moment, look))
        moment += gap
    with tempfile.TemporaryDirectory() as room:
        folder = spool(Path(room) / "spool", moments)
        borders = [BEGINS, *sorted({BEGINS + cut * MINUTE for cut in cuts}), BEGINS + 100 * HOUR]
        files = [Path(room) / f"{number}.parquet" for number in range(len(borders) - 1)]
        for path, since, until in zip(files, borders, borders[1:], strict=False):
            added_up(folder, since, until, path)
        whole = added_up(folder, BEGINS, borders[-1])
        parts = put_together(*files)
        changed = TableRuns().names.index("changed")  # the first run of a span, after a hole, is one that saw a change
        for found in (whole, parts):
            found["runs"] = [row[:changed] + row[changed + 1 :] for row in found["runs"]]
        assert parts == whole


EVERY_5 = [
    Look(revision=6, lag=0, snapshot=BEGINS - 10 * MINUTE),
    Look(revision=8, lag=240, snapshot=BEGINS - 10 * MINUTE),
    Look(revision=8, lag=540, snapshot=BEGINS - 10 * MINUTE, health=Health.CRITICAL),
    Look(revision=8, lag=0, snapshot=BEGINS + 14 * MINUTE, health=Health.WARNING),
    Look(revision=8, down=True),
    Look(revision=9, lag=0, snapshot=BEGINS + 24 * MINUTE, maintenance=True),
]
"""Two publications of one and one of two revisions; snapshots 24 and 10 minutes after the one before."""


@pytest.fixture
def hour(tmp_path: Path) -> Path:
    return spool(tmp_path / "spool", [(BEGINS + number * 5 * MINUTE, look) for number, look in enumerate(EVERY_5)])


def of_spool(folder: Path, kind: type[Table]) -> Table:
    database = opened()
    table = kind(database)
    take_runs(database, words(kept(folder), BEGINS, BEGINS + HOUR))
    table.add_here()
    return table.regroup()


def test_what_is_added_up_of_a_replica_is_what_was_worked_out(hour: Path) -> None:
    (one,) = (row for row in named(of_spool(hour, TableReplicas)) if row["server"] == S1.name)
    assert {name: one[f"runs_{name}"] for name in ("up", "down", "maintenance", "unknown")} == {
        "up": 3, "down": 1, "maintenance": 1, "unknown": 1
    }  # fmt: skip
    assert [one[f"health_{name}"] for name in ("ok", "warning", "critical", "unknown")] == [3, 1, 1, 1]
    assert [one[f"seconds_{name}"] / 60 for name in ("up", "down", "maintenance", "unknown")] == [15, 5, 10, 5]
    assert (one["lag_min"], one["lag_max"]) == (0, 540)
    assert [one[name] / 60 for name in ("lag_le_0", "lag_le_300", "lag_le_900", "lag_le_1800", "lag_more")] == [
        20, 5, 5, 0, 0
    ]  # fmt: skip
    assert (one["first_revision"], one["last_revision"], one["revisions"], one["snapshots"]) == (6, 9, 3, 2)
    assert {name: one[name] for name in one if name.startswith("interval_") and one[name]} == {
        "interval_le_600": 1,
        "interval_le_1800": 1,
    }
    assert (one["first_run"], one["last_run"]) == (BEGINS, BEGINS + 25 * MINUTE)


def test_what_is_added_up_of_servers_repositories_runs_and_outages(hour: Path) -> None:
    (first,) = (row for row in named(of_spool(hour, TableServers)) if row["server"] == S1.name)
    assert (first["geoapi_ok"], first["geoapi_not_ok"], first["runs_down"], first["seconds_down"]) == (5, 0, 1, 300)
    (repository,) = named(of_spool(hour, TableRepositories))
    assert (repository["served_least"], repository["revisions"]) == (1, 3)
    assert repository["should"] == 25 * 60 * 2 + 10 * 60  # one of two is under maintenance at the end
    made = named(of_spool(hour, TableRuns))
    assert [row["changed"] for row in made] == [1, 0, 1, 1, 1, 1]
    assert [(row["ends"] - row["begins"]) / MINUTE for row in made] == [5, 5, 5, 5, 5, 10]
    downs = named(of_spool(hour, TableOutages))
    assert [(row["kind"], row["begins"] - BEGINS, row["ends"] - BEGINS, row["finding"]) for row in downs] == [
        ("replica", 10 * MINUTE, 15 * MINUTE, "lagging"),
        ("server", 20 * MINUTE, 25 * MINUTE, "server_down"),
    ]


@pytest.mark.parametrize(
    ("kind", "collector"),
    [
        (TableServers, collectors.servers),
        (TableReplicas, collectors.replicas),
        (TableRepositories, collectors.repositories),
        (TableOutages, collectors.replicas),
    ],
)
def test_what_a_collector_gathered_is_added_up_alike(hour: Path, kind: type[Table], collector: Any) -> None:
    (path,) = collector(source=hour).gather()
    gathered, whole = named(kind().add_csv(path).group()), named(of_spool(hour, kind))
    assert gathered == [row for row in whole if row.get("kind") != "server"]
    assert gathered


def test_runs_that_were_gathered_say_not_what_changed(hour: Path) -> None:
    (path,) = collectors.runs(source=hour).gather() or []
    gathered, whole = named(TableRuns().add_csv(path).group()), named(of_spool(hour, TableRuns))
    unknown = {"changed": None}
    assert [row | unknown for row in gathered] == [row | unknown for row in whole]


@pytest.mark.parametrize("kind", TABLES)
def test_a_table_knows_its_columns_and_goes_through_every_form_also_when_empty(
    kind: type[Table], hour: Path, tmp_path: Path
) -> None:
    for table in (kind().group().regroup(), of_spool(hour, kind)):
        for form in ("csv", "json", "parquet"):
            getattr(table, f"to_{form}")(tmp_path / form)
        with (tmp_path / "csv").open(newline="") as file:
            found = csv.DictReader(file)
            assert len(list(found)) == len(table)
            assert found.fieldnames == table.names
        objects = [json.loads(line) for line in (tmp_path / "json").read_text().splitlines()]
        assert len(objects) == len(table)
        assert named(kind().add_parquet(tmp_path / "parquet").regroup()) == named(table)


def test_files_that_are_something_else_are_refused(hour: Path, tmp_path: Path) -> None:
    gathered = collectors.servers(source=hour).gather()
    assert isinstance(gathered, list)
    (servers,), other = gathered, tmp_path / "other.parquet"
    duckdb.execute(f"COPY (SELECT 1 AS one) TO '{other}'")
    for wrong in (servers, other):
        with pytest.raises(ValueError, match=wrong.name):
            TableServers().add_parquet(wrong)
    with pytest.raises(ValueError, match=r"servers\.csv: not what a collector gathers: .*its columns are time"):
        TableReplicas().add_csv(servers).group()
    for add in (TableServers().add_parquet, lambda path: TableServers().add_csv(path).group()):
        with pytest.raises(OSError, match="nowhere"):
            add(tmp_path / "nowhere")


def test_every_lag_and_every_time_between_snapshots_is_in_one_bucket() -> None:
    for noun, bounds in (("lag", LAGS), ("interval", INTERVALS)):
        names = [one.name for one in FORMS["replicas"].columns if one.name.startswith(f"{noun}_")]
        assert [name for name in names if name not in ("lag_min", "lag_max")] == [
            *(f"{noun}_le_{most}" for most in bounds),
            f"{noun}_more",
        ]
