"""The configuration files that users get: Telegraf takes them, and they do not contradict each other."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest
import requests

from telegraf_cvmfs.points.schema import FIELDS
from tests.programs.shipped import (
    AGENT,
    HEALTH,
    INPUTS,
    INTO_INFLUXDB_1,
    INTO_INFLUXDB_2,
    INTO_INFLUXDB_AS_WRITER,
    PLUGIN,
    SAMPLE,
)
from tests.programs.telegraf import run

LINE = "cvmfs_scrape,fleet=a repos=1i"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--config", AGENT, "--config", SAMPLE],
        INTO_INFLUXDB_1,
        INTO_INFLUXDB_2,
        [*INTO_INFLUXDB_AS_WRITER, "--config", HEALTH],
    ],
    ids=["sample.conf", "influxdb1.conf", "influxdb2.conf", "influxdb-writer.conf and health.conf"],
)
def test_telegraf_takes_the_files(telegraf: Path, arguments: list[str | Path]) -> None:
    secrets = {"INFLUXDB_TOKEN": "secret", "INFLUXDB_USERNAME": "telegraf", "INFLUXDB_PASSWORD": "secret"}
    finished = run(telegraf, ["config", "check", *arguments], secrets)
    assert (finished.code, finished.trouble) == (0, [])


def test_influxdb_2_without_a_token_is_refused_by_name(telegraf: Path) -> None:
    finished = run(telegraf, ["config", "check", *INTO_INFLUXDB_2])
    assert finished.code == 1
    assert "INFLUXDB_TOKEN is missing a value: must hold a token" in finished.log


def test_the_sample_and_the_file_in_telegraf_d_say_the_same() -> None:
    assert _plugin(INPUTS / "cvmfs.conf") == _plugin(SAMPLE)


def _plugin(path: Path) -> dict[str, Any]:
    """Its settings, with each `${NAME:-value}` replaced by the value."""
    (plugin,) = tomllib.loads(path.read_text())["inputs"]["exec"]
    return {name: _default(value) for name, value in plugin.items()}


def _default(value: Any) -> Any:
    if isinstance(value, list):
        return [_default(each) for each in value]
    return value.partition(":-")[2].removesuffix("}") if str(value).startswith("${") else value


def test_the_agents_file_has_the_agent_alone() -> None:
    assert tomllib.loads(AGENT.read_text()).keys() == {"agent"}


@pytest.mark.parametrize("spelling", ["for 1.39 and later", "for 1.38 and earlier"])
def test_both_spellings_of_the_command_in_the_sample_run_it(
    telegraf: Path, tmp_path: Path, fleet: Path, program: Path, spelling: str
) -> None:
    sample = SAMPLE.read_text()
    assert sample.count("\n  commands =") == sample.count("\n  # commands =") == 1
    if spelling == "for 1.38 and earlier":
        sample = sample.replace("\n  commands =", "\n  # was:").replace("\n  # commands =", "\n  commands =")
    config = tmp_path / "telegraf.conf"
    config.write_text(sample.replace("/etc/telegraf-cvmfs/fleet.toml", str(fleet)))
    service = {"HOME": str(tmp_path), "PATH": str(program.parent)}
    finished = run(telegraf, ["--config", AGENT, "--config", config, "--test"], service)
    assert finished.errors == []
    assert {line.partition(",")[0] for line in finished.metrics} == FIELDS.keys()


def test_the_programs_messages_reach_telegrafs_log(telegraf: Path, tmp_path: Path) -> None:
    speaker = tmp_path / "speaker"
    speaker.write_text(f"#!/bin/sh\necho 'W! one server is slow' >&2\necho '{LINE}'\n")
    speaker.chmod(0o755)
    finished = run(telegraf, [*PLUGIN, "--test"], {"TELEGRAF_CVMFS": str(speaker)})
    assert finished.trouble == ["[inputs.exec] one server is slow"]
    assert [metric.rpartition(" ")[0] for metric in finished.metrics] == [LINE]


def test_health_is_asked_over_http_and_turns_when_no_points_come(telegraf: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    speaker = tmp_path / "speaker"
    speaker.write_text(f"#!/bin/sh\ntest -e {tmp_path}/silent || echo '{LINE}'\n")
    speaker.chmod(0o755)
    settings = {
        "PATH": os.defpath,
        "TELEGRAF_CVMFS": str(speaker),
        "TELEGRAF_CVMFS_INTERVAL": "1s",
        "TELEGRAF_CVMFS_JITTER": "0s",
        "TELEGRAF_CVMFS_SILENCE": "4s",
        "TELEGRAF_CVMFS_HEALTH": f"http://127.0.0.1:{port}",
    }
    log = (tmp_path / "log").open("wb")
    command = [telegraf, *PLUGIN, "--config", HEALTH, "--config", _flush_often(tmp_path)]
    with log, subprocess.Popen(command, env=settings, stderr=log, stdin=subprocess.DEVNULL) as process:
        try:
            assert _answers(port, 200), (tmp_path / "log").read_text()
            (tmp_path / "silent").touch()
            assert _answers(port, 503), (tmp_path / "log").read_text()
        finally:
            process.terminate()


def _flush_often(room: Path) -> Path:
    """Telegraf's own interval of writing would make this test a long one."""
    path = room / "agent.conf"
    path.write_text('[agent]\n  flush_interval = "1s"\n')
    return path


def _answers(port: int, status: int, patience: float = 30.0) -> bool:
    until = time.monotonic() + patience
    while time.monotonic() < until:
        with contextlib.suppress(requests.ConnectionError):
            if requests.get(f"http://127.0.0.1:{port}/", timeout=5).status_code == status:
                return True
        time.sleep(0.2)
    return False
