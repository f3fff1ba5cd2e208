"""A Telegraf that keeps running, loses patience, or is told nonsense."""

from __future__ import annotations

import socket
import time
from pathlib import Path

from tests.programs.influxdb import InfluxDB
from tests.programs.shipped import INTO_INFLUXDB_1, PLUGIN
from tests.programs.telegraf import run

PATIENCE = 3  # seconds that Telegraf gives the program
GRACE = 5  # seconds from SIGTERM to SIGKILL, after which Telegraf drops all output (its exec.go)


def test_a_telegraf_that_keeps_running_keeps_writing(
    telegraf: Path, influxdb: InfluxDB, settings: dict[str, str]
) -> None:
    often = {"TELEGRAF_CVMFS_INTERVAL": "2s", "TELEGRAF_CVMFS_JITTER": "0s"}
    finished = run(telegraf, INTO_INFLUXDB_1, settings | often, stop_after=14)
    rows = influxdb.query(settings["INFLUXDB_DATABASE"], "SELECT repos FROM cvmfs_scrape")
    assert (finished.code, finished.errors) == (0, [])
    assert "partial write" not in finished.log
    assert len(rows) >= 3


def test_what_is_known_arrives_though_telegraf_cuts_the_run_short(
    telegraf: Path, influxdb: InfluxDB, settings: dict[str, str], fleet: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # the system accepts, nobody answers
        cut_short = {
            "TELEGRAF_CVMFS_CONFIG": str(_with_one_more_server(fleet, silent.getsockname()[1])),
            "TELEGRAF_CVMFS_TIMEOUT": f"{PATIENCE}s",
        }
        started = time.monotonic()
        finished = run(telegraf, [*INTO_INFLUXDB_1, "--once"], settings | cut_short)
    database = settings["INFLUXDB_DATABASE"]
    up = influxdb.query(database, "SELECT last(up) FROM cvmfs_server GROUP BY server")
    (total,) = influxdb.query(database, "SELECT * FROM cvmfs_scrape")
    assert time.monotonic() - started < PATIENCE + GRACE
    assert (finished.code, finished.errors) == (0, [])
    assert {row["server"]: row["last"] for row in up} == {
        "stratum0": 1,
        "stratum1-healthy": 1,
        "stratum1-lagging": 1,
        "stratum1-down": 0,
        "silent": 0,
    }
    assert (total["deadline_hit"], total["interrupted"]) == (0, 1)
    assert any("SIGTERM ended the run" in line for line in finished.log.splitlines())


def _with_one_more_server(fleet: Path, port: int) -> Path:
    longer = fleet.with_name("silent.toml")
    server = f'[[server]]\nurl = "http://127.0.0.1:{port}"\nrole = "stratum1"\nname = "silent"\n'
    longer.write_text(f"{fleet.read_text()}\n{server}")
    return longer


def test_a_wrong_fleet_file_is_one_whole_sentence_in_telegrafs_log(
    telegraf: Path, settings: dict[str, str], tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong.toml"
    wrong.write_text('[[server]]\nurl = "http://127.0.0.1:1"\nroll = "stratum1"\n')
    finished = run(telegraf, [*PLUGIN, "--test"], settings | {"TELEGRAF_CVMFS_CONFIG": str(wrong)})
    (message,) = finished.trouble
    head, _, sentence = message.partition('": ')
    assert "exit status 2" in head
    assert str(wrong) in sentence
    assert "roll" in sentence
    assert not sentence.endswith("...")  # Telegraf's mark for what it cut off
