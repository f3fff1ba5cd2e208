"""What arrives in a real InfluxDB when a real Telegraf runs the plugin over the demo fleet."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from telegraf_cvmfs.points.schema import FIELDS, TAGS
from tests.programs.influxdb import InfluxDB, Row
from tests.programs.shipped import INTO_INFLUXDB_1
from tests.programs.telegraf import Finished, parse, run

RUNS = 3
TYPES = {int: "integer", float: "float", str: "string"}  # in InfluxDB's words


@dataclass(frozen=True)
class Delivered:
    """What some runs of Telegraf left behind in a database."""

    influxdb: InfluxDB
    database: str
    runs: tuple[Finished, ...]

    def ask(self, influxql: str) -> list[Row]:
        return self.influxdb.query(self.database, influxql)


@pytest.fixture(scope="module")
def delivered(telegraf: Path, influxdb: InfluxDB, new_settings: Callable[[], dict[str, str]]) -> Delivered:
    settings = new_settings()
    runs = []
    for _ in range(RUNS):
        runs.append(run(telegraf, [*INTO_INFLUXDB_1, "--once"], settings))
        time.sleep(1)  # Telegraf rounds times to seconds, and no two runs shall have the same
    return Delivered(influxdb, settings["INFLUXDB_DATABASE"], tuple(runs))


def test_no_run_has_trouble(delivered: Delivered) -> None:
    assert [(finished.code, finished.trouble) for finished in delivered.runs] == [(0, [])] * RUNS


def test_the_tags_are_those_of_the_table_and_there_is_no_host(delivered: Delivered) -> None:
    found = {(row["name"], row["tagKey"]) for row in delivered.ask("SHOW TAG KEYS")}
    tags = {(measurement, tag) for measurement, tags in TAGS.items() for tag in tags}
    assert found == {(measurement, tag) for measurement, tag in tags if tag != "address"}, (
        "no name has several machines here"
    )


def test_the_fields_have_the_types_of_the_table(delivered: Delivered) -> None:
    table = {(measurement, field.name, TYPES[field.type]) for measurement in FIELDS for field in FIELDS[measurement]}
    found = {(row["name"], row["fieldKey"], row["fieldType"]) for row in delivered.ask("SHOW FIELD KEYS")}
    assert found <= table
    assert {measurement for measurement, _, _ in found} == FIELDS.keys()


def test_what_the_program_prints_is_what_arrives(
    delivered: Delivered, telegraf: Path, program: Path, fleet: Path, tmp_path: Path
) -> None:
    command: list[str | Path] = [program, "--config", fleet]
    printed = subprocess.run(command, check=True, capture_output=True, text=True, env={"HOME": str(tmp_path)})
    lines = parse(telegraf, printed.stdout)
    fields = {(row["name"], row["fieldKey"]) for row in delivered.ask("SHOW FIELD KEYS")}
    assert {row["key"] for row in delivered.ask("SHOW SERIES")} == {line.partition(" ")[0] for line in lines}
    assert fields == {(line.partition(",")[0], name) for line in lines for name in _field_names(line)}


def _field_names(line: str) -> Iterator[str]:
    """The names before `=`, after the tags and outside of strings; no name in the demo fleet has a space."""
    unquoted = "".join(line.replace('\\"', "").split('"')[::2])
    for field in unquoted.split(" ")[1].split(","):
        yield field.partition("=")[0]


@pytest.mark.parametrize(
    ("measurement", "influxql"),
    [
        ("cvmfs_repo", "SELECT up FROM cvmfs_repo GROUP BY *"),
        ("cvmfs_server", "SELECT up FROM cvmfs_server GROUP BY *"),
        ("cvmfs_scrape", "SELECT repos FROM cvmfs_scrape GROUP BY *"),
    ],
)
def test_each_run_gives_each_series_one_point_and_all_of_them_one_time(
    delivered: Delivered, measurement: str, influxql: str
) -> None:
    rows = delivered.ask(influxql)
    times = {row["time"] for row in delivered.ask("SELECT repos FROM cvmfs_scrape")}
    series = {tuple(row.get(tag) for tag in TAGS[measurement]) for row in rows}
    assert len(times) == RUNS
    assert {row["time"] for row in rows} == times
    assert len(rows) == len(series) * RUNS


def test_a_publication_is_one_point_however_often_it_is_seen(delivered: Delivered) -> None:
    counts = delivered.ask("SELECT count(revision) FROM cvmfs_publish GROUP BY repo")
    assert counts
    assert {row["count"] for row in counts} == {1}


def test_servers_are_up_or_down_as_they_are_in_the_demo_fleet(delivered: Delivered) -> None:
    up = delivered.ask("SELECT last(up) FROM cvmfs_server GROUP BY server")
    down = delivered.ask("SELECT * FROM cvmfs_server WHERE server = 'stratum1-down' ORDER BY time DESC LIMIT 1")
    assert {row["server"]: row["last"] for row in up} == {
        "stratum0": 1,
        "stratum1-healthy": 1,
        "stratum1-lagging": 1,
        "stratum1-down": 0,
    }
    assert [(row["result"], row["health"], row["finding"]) for row in down] == [("connection_failed", 2, "server_down")]


def test_a_replica_can_be_compared_with_its_original(delivered: Delivered) -> None:
    rows = delivered.ask(
        "SELECT last(revision) AS revision, revisions_behind AS behind FROM cvmfs_repo"
        " WHERE repo = 'software.demo.example' GROUP BY server"
    )
    revisions = {row["server"]: row["revision"] for row in rows}
    behind = {row["server"]: row["behind"] for row in rows}
    assert revisions["stratum0"] == revisions["stratum1-healthy"] == revisions["stratum1-lagging"] + 3
    assert behind == {"stratum0": None, "stratum1-healthy": 0, "stratum1-lagging": 3}


def test_a_run_counts_what_it_saw(delivered: Delivered) -> None:
    (total,) = delivered.ask("SELECT * FROM cvmfs_scrape ORDER BY time DESC LIMIT 1")
    asked = "SELECT last(health) AS health, maintenance FROM cvmfs_repo GROUP BY *"
    healths = [row["health"] for row in delivered.ask(asked) if not row["maintenance"]]
    assert (total["servers"], total["servers_up"], total["deadline_hit"]) == (4, 3, 0)
    counted = [total[name] for name in ("repos_ok", "repos_warning", "repos_critical", "repos_unknown")]
    assert counted == [healths.count(health) for health in range(4)]
