"""The shipped outputs that are no InfluxDB 1 or 2: Telegraf takes each, and what can be run brings every point."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest
import requests
from line_protocol_parser import parse_line  # type: ignore[import-untyped]

from benchmarks.nginx import free_port
from tests.builders.exposition import samples
from tests.programs import victoriametrics as victoria
from tests.programs.command import environment
from tests.programs.command import run as run_plugin
from tests.programs.prometheus import comes
from tests.programs.shipped import FOLDER, PLUGIN
from tests.programs.telegraf import parse, run

SECRETS = {"INFLUXDB_TOKEN": "secret", "TELEGRAF_CVMFS_FILE": "/nonexistent/points"}
LINES = [f'cvmfs_repo,fleet=a,server=s,repo=r{number} up=1i,revision={number}i,finding="x"' for number in range(7)]


@pytest.mark.parametrize("name", ["influxdb3", "kafka", "file", "victoriametrics", "prometheus-client"])
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
    points = tmp_path / "points"
    settings = {"TELEGRAF_CVMFS": says(tmp_path, "\n".join(LINES)), "TELEGRAF_CVMFS_FILE": str(points)}
    finished = run(telegraf, [*PLUGIN, "--config", FOLDER / "outputs" / "file.conf", "--once"], settings)
    assert (finished.code, finished.trouble) == (0, [])
    written = [line.rpartition(" ")[0] for line in parse(telegraf, points.read_text())]
    assert sorted(written) == sorted(line.rpartition(" ")[0] for line in parse(telegraf, "\n".join(LINES)))
    assert len(written) == 7


def says(folder: Path, lines: str) -> str:
    """What prints these lines in the plugin's place."""
    speaker = folder / "speaker"
    speaker.write_text(f"#!/bin/sh\ncat <<'END'\n{lines.strip()}\nEND\n")
    speaker.chmod(0o755)
    return str(speaker)


@pytest.fixture(scope="module")
def lines() -> str:
    """A run over the demo fleet."""
    return run_plugin("--demo", "--state-dir", "none").stdout


def numbers(lines: str, prefix: str = "") -> dict[frozenset[tuple[str, str]], float]:
    """Labels of each number in them, with the name that Telegraf and VictoriaMetrics make -> the number."""
    found = {}
    for point in map(parse_line, lines.splitlines()):
        for field, value in point["fields"].items():
            if not isinstance(value, str):
                name = f"{prefix}{point['measurement']}_{field}"
                found[frozenset({"__name__": name, **point["tags"]}.items())] = float(value)
    return found


@pytest.mark.slow
def test_every_number_is_in_victoriametrics(telegraf: Path, victoriametrics: Path, lines: str, tmp_path: Path) -> None:
    expected = numbers(lines)
    assert len(expected) > 900
    with victoria.running(victoriametrics, tmp_path) as server:
        settings = {"TELEGRAF_CVMFS": says(tmp_path, lines), "VICTORIAMETRICS_URL": server.url}
        output = FOLDER / "outputs" / "victoriametrics.conf"
        finished = run(telegraf, [*PLUGIN, "--config", output, "--once"], settings)
        assert (finished.code, finished.trouble) == (0, [])
        comes(lambda: len(server.series()) >= len(expected))
        found = server.series()
    added = {(name, text) for labels in found for name, text in labels if name in ("host", "db")}
    assert {frozenset(labels - added): values for labels, values in found.items()} == {
        labels: [value] for labels, value in expected.items()
    }


@pytest.mark.slow
def test_every_number_is_told_to_a_prometheus(telegraf: Path, lines: str, tmp_path: Path) -> None:
    expected = numbers(lines, "telegraf_")
    address = f"127.0.0.1:{free_port()}"
    settings = {"TELEGRAF_CVMFS": says(tmp_path, lines), "TELEGRAF_CVMFS_PROMETHEUS": address}
    settings |= {"TELEGRAF_CVMFS_INTERVAL": "1s", "TELEGRAF_CVMFS_JITTER": "0s"}
    command = [telegraf, *PLUGIN, "--config", FOLDER / "outputs" / "prometheus-client.conf"]
    with (
        (tmp_path / "log").open("w") as log,
        subprocess.Popen(command, stdout=log, stderr=log, env=environment(**settings)) as agent,
    ):
        try:
            text = comes(lambda: told(f"http://{address}/metrics"), patience=60)
        finally:
            agent.send_signal(signal.SIGTERM)
    found = {
        frozenset({"__name__": name, **labels}.items()): value
        for name, labels, value in samples(text)
        if name.startswith("telegraf_cvmfs")
    }
    assert {key for key, _ in (label for labels in found for label in labels)} <= {
        "__name__", "host", *(key for labels in expected for key, _ in labels)
    }  # fmt: skip
    assert {
        frozenset(label for label in labels if label[0] != "host" and label[1]): value
        for labels, value in found.items()
    } == expected


def told(url: str) -> str:
    """What is told, once there is anything of ours in it."""
    try:
        text = requests.get(url, timeout=5).text
    except requests.ConnectionError:
        return ""
    return text if "telegraf_cvmfs_scrape" in text else ""
