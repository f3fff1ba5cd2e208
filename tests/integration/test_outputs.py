"""The shipped outputs that are no InfluxDB 1 or 2: Telegraf takes each, and what can be run brings every point."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.programs.shipped import FOLDER, PLUGIN
from tests.programs.telegraf import parse, run

SECRETS = {"INFLUXDB_TOKEN": "secret", "TELEGRAF_CVMFS_FILE": "/nonexistent/points"}
LINES = [f'cvmfs_repo,fleet=a,server=s,repo=r{number} up=1i,revision={number}i,finding="x"' for number in range(7)]


@pytest.mark.parametrize("name", ["influxdb3", "kafka", "file"])
def test_telegraf_takes_the_file(telegraf: Path, name: str) -> None:
    output = FOLDER / "outputs" / f"{name}.conf"
    finished = run(telegraf, ["config", "check", *PLUGIN, "--config", output], SECRETS)
    assert (finished.code, finished.trouble) == (0, [])


@pytest.mark.parametrize(("name", "variable"), [("influxdb3", "INFLUXDB_TOKEN"), ("file", "TELEGRAF_CVMFS_FILE")])
def test_what_must_be_named_is_asked_for_by_name(telegraf: Path, name: str, variable: str) -> None:
    finished = run(telegraf, ["config", "check", *PLUGIN, "--config", FOLDER / "outputs" / f"{name}.conf"])
    assert finished.code == 1
    assert f"{variable} is missing a value: must" in finished.log


def test_every_point_is_in_the_file(telegraf: Path, tmp_path: Path) -> None:
    speaker, points = tmp_path / "speaker", tmp_path / "points"
    speaker.write_text("#!/bin/sh\ncat <<'END'\n" + "\n".join(LINES) + "\nEND\n")
    speaker.chmod(0o755)
    settings = {"TELEGRAF_CVMFS": str(speaker), "TELEGRAF_CVMFS_FILE": str(points)}
    finished = run(telegraf, [*PLUGIN, "--config", FOLDER / "outputs" / "file.conf", "--once"], settings)
    assert (finished.code, finished.trouble) == (0, [])
    written = [line.rpartition(" ")[0] for line in parse(telegraf, points.read_text())]
    assert sorted(written) == sorted(line.rpartition(" ")[0] for line in parse(telegraf, "\n".join(LINES)))
    assert len(written) == 7
