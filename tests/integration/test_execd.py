"""A real Telegraf that keeps the program running (`inputs.execd`) and asks it by a line at each interval."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import time
import tomllib
from pathlib import Path

import pytest

from telegraf_cvmfs.points.schema import FIELDS
from tests.programs.influxdb import InfluxDB
from tests.programs.shipped import AGENT, FOLDER
from tests.programs.telegraf import Finished, run

SAMPLE = FOLDER / "sample-execd.conf"
INTO_INFLUXDB: list[str | Path] = ["--config", AGENT, "--config", FOLDER / "outputs" / "influxdb1.conf"]
OF_THE_KILL = (
    "file already closed",  # the pipe of the program that is no more
    "signal: killed",
    "write deadline failed",
    "broken pipe",
)  # what Telegraf says of it
STARTED = "Starting process: "  # in Telegraf's log at level I


@pytest.fixture
def config(tmp_path: Path, program: Path, fleet: Path) -> Path:
    """The sample as a user would fill it in, but for the times."""
    text = SAMPLE.read_text()
    for ours, theirs in (
        ("/etc/telegraf-cvmfs/fleet.toml", str(fleet)),
        ('["telegraf-cvmfs"', f'["{program}"'),
        ('interval = "5m"', 'interval = "1s"'),
        ('collection_jitter = "30s"', 'collection_jitter = "0s"'),
        ('restart_delay = "10s"', 'restart_delay = "1s"'),
    ):
        assert text.count(ours) == 1
        text = text.replace(ours, theirs)
    path = tmp_path / "execd.conf"
    path.write_text(text)
    return path


def batches(influxdb: InfluxDB, database: str) -> list[int]:
    """When each run that arrived had begun."""
    return [row["time"] for row in influxdb.query(database, "SELECT repos FROM cvmfs_scrape")]


def test_telegraf_takes_the_sample(telegraf: Path) -> None:
    finished = run(telegraf, ["config", "check", "--config", AGENT, "--config", SAMPLE])
    assert (finished.code, finished.trouble) == (0, [])


def test_the_sample_gives_a_run_less_time_than_its_interval() -> None:
    (plugin,) = tomllib.loads(SAMPLE.read_text())["inputs"]["execd"]
    assert (plugin["signal"], plugin["interval"], plugin["data_format"]) == ("STDIN", "5m", "influx")
    assert plugin["command"][-2:] == ["--deadline", "45"]


def test_each_interval_is_one_batch_and_telegraf_stops_it_cleanly(
    telegraf: Path, influxdb: InfluxDB, settings: dict[str, str], config: Path
) -> None:
    began = time.monotonic()
    finished = run(telegraf, [*INTO_INFLUXDB, "--config", config], settings, stop_after=7)
    database = settings["INFLUXDB_DATABASE"]
    runs = batches(influxdb, database)
    measurements = {row["name"] for row in influxdb.query(database, "SHOW MEASUREMENTS")}
    counts = influxdb.query(database, "SELECT count(up) FROM cvmfs_repo GROUP BY *")
    assert (finished.code, finished.trouble) == (0, [])
    assert time.monotonic() - began < 7 + 4, (
        "it ends by itself when its input does, before Telegraf's SIGTERM after 5 s"
    )
    assert 3 <= len(runs) <= 8, "a run of a fleet with a dead server takes one to two seconds"
    assert all(later - earlier > 300_000_000 for earlier, later in itertools.pairwise(runs))
    assert measurements == FIELDS.keys()
    assert {row["count"] for row in counts} == {len(runs)}, "whole batches"
    assert finished.log.count(STARTED) == 1


def test_a_process_that_is_killed_is_started_again(
    telegraf: Path, influxdb: InfluxDB, settings: dict[str, str], config: Path
) -> None:
    finished = _killed_between(telegraf, [*INTO_INFLUXDB, "--config", config], settings)
    runs = batches(influxdb, settings["INFLUXDB_DATABASE"])
    assert finished.code == 0
    assert finished.log.count(STARTED) == 2
    assert [error for error in finished.errors if not any(words in error for words in OF_THE_KILL)] == []
    assert len(runs) >= 3, "a run of a fleet with a dead server takes one to two seconds"


def _killed_between(telegraf: Path, arguments: list[str | Path], settings: dict[str, str]) -> Finished:
    """Telegraf for some seconds, in the midst of which the program that it runs is killed."""
    with subprocess.Popen(
        [telegraf, *arguments],
        env={"PATH": os.defpath} | settings,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        time.sleep(4)
        for child in _children(process.pid):
            os.kill(child, signal.SIGKILL)
        time.sleep(5)
        process.send_signal(signal.SIGTERM)
        stdout, log = process.communicate(timeout=60)
    return Finished(process.returncode, stdout, log)


def _children(parent: int) -> list[int]:
    found = Path(f"/proc/{parent}/task").glob("*/children")
    return [int(child) for path in found for child in path.read_text().split()]


def test_a_wrong_fleet_file_is_said_and_a_right_one_is_taken_at_the_next_start(
    telegraf: Path, influxdb: InfluxDB, settings: dict[str, str], config: Path, tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong.toml"
    wrong.write_text('[[server]]\nurl = "http://127.0.0.1:1"\nroll = "stratum1"\n')
    text = config.read_text()
    (command,) = [line for line in text.splitlines() if line.startswith("  command =")]
    fleet = tomllib.loads(command)["command"][3]
    config.write_text(text.replace(fleet, str(wrong)))
    finished = run(telegraf, [*INTO_INFLUXDB, "--config", config], settings, stop_after=3)
    assert any(f"fleet file {wrong}, line 3" in error and "roll" in error for error in finished.errors)
    assert batches(influxdb, settings["INFLUXDB_DATABASE"]) == []
