"""An older Telegraf runs the files that are for it, and what the documents say of older and newer versions is so."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from telegraf_cvmfs.points.schema import FIELDS
from tests.programs.influxdb import InfluxDB
from tests.programs.shipped import AGENT, EXECD, FOLDER, OLDER_PLUGIN, PLUGIN, SAMPLE
from tests.programs.telegraf import run

SECRETS = {"INFLUXDB_TOKEN": "secret", "INFLUXDB_USERNAME": "telegraf", "INFLUXDB_PASSWORD": "secret"}


def sample_for(room: Path, fleet: Path, *, log_stderr: bool) -> Path:
    """sample.conf as it says that earlier versions want it."""
    text = SAMPLE.read_text().replace("\n  commands =", "\n  # was:").replace("\n  # commands =", "\n  commands =")
    text = text.replace("/etc/telegraf-cvmfs/fleet.toml", str(fleet))
    path = room / "telegraf.conf"
    path.write_text(text if log_stderr else text.replace("\n  log_stderr = true", ""))
    return path


def test_the_files_for_older_versions_bring_all_points_into_influxdb(
    older_telegraf: Path, influxdb: InfluxDB, settings: dict[str, str]
) -> None:
    output = FOLDER / "outputs" / "influxdb1.conf"
    finished = run(older_telegraf, [*OLDER_PLUGIN, "--config", output, "--once"], settings)
    assert (finished.code, finished.errors) == (0, [])
    found = influxdb.query(settings["INFLUXDB_DATABASE"], "SHOW MEASUREMENTS")
    assert {row["name"] for row in found} == FIELDS.keys()


@pytest.mark.parametrize("output", ["influxdb1", "influxdb-writer", "influxdb2"])
def test_it_takes_the_files_of_the_outputs(older_telegraf: Path, settings: dict[str, str], output: str) -> None:
    arguments = [*OLDER_PLUGIN, "--config", FOLDER / "outputs" / f"{output}.conf", "--test"]
    finished = run(older_telegraf, arguments, settings | SECRETS)
    assert finished.errors == []
    assert {line.partition(",")[0] for line in finished.metrics} == FIELDS.keys()


def test_the_sample_runs_once_it_is_changed_as_it_says(
    older_telegraf: Path, tmp_path: Path, fleet: Path, program: Path
) -> None:
    service = {"HOME": str(tmp_path), "PATH": str(program.parent)}
    config = sample_for(tmp_path, fleet, log_stderr=False)
    finished = run(older_telegraf, ["--config", AGENT, "--config", config, "--test"], service)
    assert finished.errors == []
    assert finished.metrics


def test_it_refuses_lists_of_commands_and_what_it_does_not_know(
    older_telegraf: Path, tmp_path: Path, fleet: Path
) -> None:
    lists = run(older_telegraf, [*PLUGIN, "--test"])
    assert "cannot unmarshal TOML array into string" in lists.log
    logs = run(older_telegraf, ["--config", AGENT, "--config", sample_for(tmp_path, fleet, log_stderr=True), "--test"])
    assert 'configuration specified the fields ["log_stderr"]' in logs.log
    health = run(older_telegraf, [*OLDER_PLUGIN, "--config", FOLDER / "outputs" / "health.conf", "--test"])
    assert 'configuration specified the fields ["max_time_between_metrics"]' in health.log


def test_it_asks_the_process_that_stays(older_telegraf: Path, tmp_path: Path, fleet: Path, program: Path) -> None:
    points = tmp_path / "points"
    config = tmp_path / "telegraf.conf"
    text = EXECD.read_text().replace("/etc/telegraf-cvmfs/fleet.toml", str(fleet))
    text = text.replace('interval = "5m"', 'interval = "1s"').replace('jitter = "30s"', 'jitter = "0s"')
    text += f'\n[agent]\n  flush_interval = "1s"\n[[outputs.file]]\n  files = ["{points}"]\n'
    config.write_text(text)
    service = {"HOME": str(tmp_path), "PATH": str(program.parent)}
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen([older_telegraf, "--config", config], env=service, stderr=log)
    try:
        until = time.monotonic() + 60
        while time.monotonic() < until and not (points.exists() and "cvmfs_scrape" in points.read_text()):
            time.sleep(0.2)
    finally:
        process.terminate()
        process.wait(30)
    assert "cvmfs_scrape" in points.read_text(), (tmp_path / "log").read_text()


def test_the_newer_one_runs_the_older_file_and_says_that_it_is_deprecated(
    telegraf: Path, settings: dict[str, str]
) -> None:
    finished = run(telegraf, [*OLDER_PLUGIN, "--test"], settings)
    assert finished.errors == []
    assert {line.partition(",")[0] for line in finished.metrics} == FIELDS.keys()
    (deprecated,) = [line for line in finished.trouble if "Deprecation" in line]
    assert "deprecated since version 1.39.0 and will be removed in 1.45.0" in deprecated
