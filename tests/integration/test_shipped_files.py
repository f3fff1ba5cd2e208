"""The configuration files that users get: Telegraf takes them, and they do not contradict each other."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from integration.shipped import AGENT, INPUTS, INTO_INFLUXDB_1, INTO_INFLUXDB_2, PLUGIN, SAMPLE
from integration.telegraf import run
from telegraf_cvmfs.schema import FIELDS

LINE = "cvmfs_scrape,fleet=a repos=1i"


@pytest.mark.parametrize(
    "arguments",
    [["--config", AGENT, "--config", SAMPLE], INTO_INFLUXDB_1, INTO_INFLUXDB_2],
    ids=["sample.conf", "influxdb1.conf", "influxdb2.conf"],
)
def test_telegraf_takes_the_files(telegraf: Path, arguments: list[str | Path]) -> None:
    finished = run(telegraf, ["config", "check", *arguments], {"INFLUXDB_TOKEN": "secret"})
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
