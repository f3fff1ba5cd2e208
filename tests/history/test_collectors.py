"""Collectors: plain functions that gather a span of a spool, and say what is not as it should be."""

from __future__ import annotations

import csv
import gzip
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from telegraf_cvmfs import history
from telegraf_cvmfs.emit.line_protocol import nanoseconds
from telegraf_cvmfs.history import collectors
from telegraf_cvmfs.history.collector import Collector, Gathered, collector
from telegraf_cvmfs.history.instants import iso
from telegraf_cvmfs.history.spool import SpoolError, write
from telegraf_cvmfs.model import Run
from telegraf_cvmfs.points.rows import points
from telegraf_cvmfs.points.schema import FIELDS, FINDING, REPO, TAGS
from tests.builders.runs import NOW, example

HOUR = timedelta(hours=1)
NAIVE = datetime(2026, 11, 22, 12, tzinfo=UTC).replace(tzinfo=None)
NAMES = ("servers", "repositories", "replicas", "findings", "publications", "geoapi", "runs", "config")
CSV = {"servers": "cvmfs_server", "repositories": "cvmfs_repository", "replicas": "cvmfs_repo", "runs": "cvmfs_scrape"}


def at(moment: datetime, fleet: str = "demo") -> Run:
    seen = example()
    return replace(seen, started=moment, fleet=replace(seen.fleet, name=fleet))


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    """Three runs, an hour apart, of one fleet."""
    folder = tmp_path / "spool"
    for number in range(3):
        write(folder, at(NOW + number * HOUR))
    return folder


def made(name: str, **arguments: Any) -> Collector:
    found: Collector = getattr(collectors, name)(**arguments)
    return found


def table(found: Gathered) -> list[dict[str, str]]:
    assert isinstance(found, list)
    (path,) = found
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    shutil.rmtree(path.parent)
    return rows


@pytest.fixture(autouse=True)
def _nothing_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever is gathered is removed by whom it was given to, and nothing else is left."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    yield
    assert list(temporary.iterdir()) == []


# --- the decorator ----------------------------------------------------------------------------------


@collector(version="2.1")
def counted(start: int, *, step: int = 1, since: datetime | None = None) -> Gathered:
    return {"start": start, "step": step, "since": since and iso(since)}


def test_a_collector_is_made_first_and_gathers_when_it_is_asked_as_often_as_it_is_asked() -> None:
    calls: list[int] = []

    @collector()
    def noted(*, source: int) -> Gathered:
        calls.append(source)
        return {"calls": len(calls)}

    one = noted(source=7)
    assert calls == []
    assert [one.gather(), one.gather()] == [{"calls": 1}, {"calls": 2}]
    assert (one.key, one.version) == ("noted", "1.0")


def test_gather_is_the_undecorated_call() -> None:
    one = counted(3, step=4, since=NOW)
    assert one.gather() == counted.__wrapped__(3, step=4, since=NOW)  # type: ignore[attr-defined]
    assert (one.key, one.version, one.moment("since"), one.moment("until")) == ("counted", "2.1", NOW, None)


def test_arguments_that_a_function_does_not_take_are_refused_when_the_collector_is_made() -> None:
    with pytest.raises(TypeError, match="missing a required argument: 'start'"):
        counted(step=1)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="unexpected keyword argument 'stop'"):
        counted(1, stop=2)  # type: ignore[call-arg]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("bound", ["since", "until"])
def test_a_moment_without_a_zone_is_refused_and_what_is_none_too(name: str, bound: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=rf"{bound}: 2026-11-22T12:00:00 has no time zone"):
        made(name, source=tmp_path, **{bound: NAIVE})
    with pytest.raises(TypeError, match=rf"{bound}: '2026-11-22' is no datetime"):
        made(name, source=tmp_path, **{bound: "2026-11-22"})
    with pytest.raises(ValueError, match="has no time zone"):
        getattr(collectors, name).__wrapped__(source=tmp_path, **{bound: NAIVE})


# --- what is gathered -------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "measurement"), CSV.items())
def test_a_file_has_a_row_for_each_point_with_all_its_tags_and_fields(name: str, measurement: str, spool: Path) -> None:
    rows = table(made(name, source=spool, until=NOW + HOUR).gather())
    expected = [one for one in points(at(NOW)) if one.measurement == measurement]
    assert len(rows) == len(expected) > 0
    assert list(rows[0]) == ["time", *TAGS[measurement], *(one.name for one in FIELDS[measurement])]
    tags = list(TAGS[measurement])
    by_tags = {tuple(one.tags.get(tag, "") for tag in tags): one for one in expected}
    for row in rows:
        point = by_tags[tuple(row[tag] for tag in tags)]
        assert datetime.fromisoformat(row["time"]) == point.time.astimezone(UTC)
        for field in FIELDS[measurement]:
            value = point.fields.get(field.name)
            assert row[field.name] == "" if value in (None, "") else field.type(row[field.name]) == value


def test_findings_are_a_row_for_each_that_is_there(spool: Path) -> None:
    rows = table(made("findings", source=spool, until=NOW + HOUR).gather())
    expected = {
        (point.tags.get("server", ""), point.tags.get("repo", ""), name, str(value))
        for point in points(at(NOW))
        if point.measurement == FINDING
        for name, value in point.fields.items()
        if name in {one.name for one in FIELDS[FINDING]} and value
    }
    assert {(row["server"], row["repo"], row["finding"], row["health"]) for row in rows} == expected != set()


def test_since_is_included_and_until_is_not(spool: Path) -> None:
    times = {row["time"] for row in table(made("runs", source=spool, since=NOW, until=NOW + 2 * HOUR).gather())}
    assert times == {f"{NOW + number * HOUR:%Y-%m-%dT%H:%M:%S.%fZ}" for number in range(2)}
    later = NOW + timedelta(microseconds=1)
    assert len(table(made("runs", source=spool, since=later).gather())) == 2


def test_a_span_may_be_given_in_any_zone(spool: Path) -> None:
    there = NOW.astimezone(timezone(timedelta(hours=-7)))
    assert len(table(made("runs", source=spool, since=there, until=there + HOUR).gather())) == 1


@pytest.mark.parametrize("name", NAMES)
def test_where_nothing_is_in_the_span_there_is_none(name: str, spool: Path) -> None:
    assert not made(name, source=spool, until=NOW).gather()
    assert not made(name, source=spool, fleet="another").gather()


@pytest.mark.parametrize("name", NAMES)
def test_a_bad_source_raises(name: str, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        made(name, source=tmp_path / "nowhere").gather()
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError):
        made(name, source=tmp_path / "file").gather()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "body",
    [b"", b"{}", gzip.compress(b""), gzip.compress(b'{"measurement":"cvmfs_scrape","schema":99}\n')],
    ids=["empty", "no gzip", "no rows", "another form"],
)
def test_a_damaged_run_is_loud_and_named(name: str, body: bytes, spool: Path) -> None:
    path = sorted(spool.rglob("*.gz"))[1]
    path.write_bytes(body)
    with pytest.raises(SpoolError, match=path.name):
        made(name, source=spool).gather()


@pytest.mark.parametrize("name", ["servers", "config"])
def test_a_run_that_is_cut_short_is_loud(name: str, spool: Path) -> None:
    path = sorted(spool.rglob("*.gz"))[1]
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(SpoolError, match="damaged"):
        made(name, source=spool).gather()


def test_one_fleet_of_several_is_gathered_alone(spool: Path) -> None:
    write(spool, at(NOW, "a/b ö"))
    assert {row["fleet"] for row in table(made("servers", source=spool).gather())} == {"demo", "a/b ö"}
    assert {row["fleet"] for row in table(made("servers", source=spool, fleet="a/b ö").gather())} == {"a/b ö"}


def test_the_same_span_is_the_same_bytes(spool: Path) -> None:
    bodies = set()
    for _ in range(3):
        gathered = made("replicas", source=spool).gather()
        assert isinstance(gathered, list)
        bodies.add(gathered[0].read_bytes())
        shutil.rmtree(gathered[0].parent)
    assert len(bodies) == 1


def test_the_configuration_is_names_and_nothing_else(spool: Path) -> None:
    found = made("config", source=spool).gather()
    assert isinstance(found, dict)
    fleet = found["demo"]
    assert fleet["runs"] == 3
    assert (fleet["first_run"], fleet["last_run"]) == (iso(NOW), iso(NOW + 2 * HOUR))
    assert {one["name"] for one in fleet["servers"]} == {one.stratum.server.name for one in at(NOW).servers}
    assert fleet["repositories"] == sorted({one.replica.repo for one in at(NOW).replicas})
    text = repr(found)
    for verdict in at(NOW).servers:
        assert verdict.stratum.server.url not in text


def test_the_moment_of_a_publication_is_kept_to_the_microsecond(spool: Path) -> None:
    rows = table(made("replicas", source=spool, until=NOW + HOUR).gather())
    assert {nanoseconds(datetime.fromisoformat(row["time"])) for row in rows} == {
        nanoseconds(one.time) for one in points(at(NOW)) if one.measurement == REPO
    }


# --- what one imports -------------------------------------------------------------------------------


def test_what_is_said_to_be_imported_from_here_is_there() -> None:
    for name in dir(history):
        assert getattr(history, name) is not None
    with pytest.raises(AttributeError, match="nothing_such"):
        history.nothing_such  # noqa: B018


def test_a_spool_is_written_and_its_instants_are_known_without_a_database() -> None:
    program = (
        "import sys; import telegraf_cvmfs.history.spool; from telegraf_cvmfs.history import instants;"
        " print(sorted({'duckdb', 'obstore', 'xlsxwriter', 'influxdb_client'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_where_the_database_is_not_installed_it_is_said_what_to_install() -> None:
    program = (
        "import sys; sys.modules['duckdb'] = None\n"
        "try:\n from telegraf_cvmfs.history import collectors\n"
        "except ImportError as error:\n print(error)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "pip install 'telegraf-cvmfs[history]'" in done.stdout
