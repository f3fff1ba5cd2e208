"""The sub-command `exporter` as a process."""

from __future__ import annotations

import gzip
import os
import queue
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from telegraf_cvmfs.demo import DemoFleet
from telegraf_cvmfs.exporter.command import host_and_port, serve
from telegraf_cvmfs.exporter.server import Server
from telegraf_cvmfs.model import ConfigError
from tests.builders.demo_runs import waits
from tests.programs.command import command, environment, run

PATIENCE = 20.0  # seconds; it takes one on an idle machine
PROMPT = 1.5  # seconds; half a second is promised, a noisy machine gets another one


@dataclass
class Exporter:
    process: subprocess.Popen[str]
    url: str

    def get(self, path: str = "/metrics", **headers: str) -> tuple[int, bytes]:
        request = urllib.request.Request(  # noqa: S310
            self.url + path, headers={name.replace("_", "-"): value for name, value in headers.items()}
        )
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def value(self, name: str) -> float | None:
        found = re.search(rf"^{name}(?:{{[^}}]*}})? (\S+)$", self.get()[1].decode(), re.MULTILINE)
        return float(found[1]) if found else None

    def reaches(self, name: str, value: float) -> bool:
        return waits(lambda: self.value(name) == value, PATIENCE)

    def end(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, float]:
        """Its exit code, and the seconds that it took."""
        began = time.monotonic()
        self.process.send_signal(number)
        return self.process.wait(PATIENCE), time.monotonic() - began


@contextmanager
def exporter(*arguments: str | Path) -> Iterator[Exporter]:
    """Running, and listening on a port that the system chose."""
    options = ("exporter", "-v", "--listen", "127.0.0.1:0", "--state-dir", "none", *arguments)
    with subprocess.Popen(command(*options), stderr=subprocess.PIPE, text=True, env=environment()) as process:
        try:
            assert process.stderr is not None
            line = process.stderr.readline()
            assert "listening on " in line, line + process.stderr.read()
            yield Exporter(process, line.split()[-1])
        finally:
            process.kill()


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Path]:
    with DemoFleet(datetime.now(UTC), faults=True) as demo:
        yield demo.write(tmp_path)


@pytest.mark.slow
def test_it_answers_from_the_last_run_and_never_scrapes_for_a_request(fleet: Path) -> None:
    with exporter("--config", fleet) as running:
        assert running.reaches("cvmfs_exporter_runs_total", 1)
        started = running.value("cvmfs_scrape_started_timestamp_seconds")
        for _ in range(20):
            running.get()
        status, packed = running.get(Accept="application/openmetrics-text", Accept_Encoding="gzip")
        assert status == 200
        assert gzip.decompress(packed).endswith(b"# EOF\n")
        assert running.get("/-/ready") == (200, b"ready\n")
        assert running.value("cvmfs_exporter_runs_total") == 1
        assert running.value("cvmfs_scrape_started_timestamp_seconds") == started
        code, took = running.end()
        assert (code, took < PROMPT) == (0, True)


@pytest.mark.slow
def test_it_scrapes_on_its_own_schedule(fleet: Path) -> None:
    with exporter("--config", fleet, "--interval", "1s", "--jitter", "1s") as running:
        assert waits(lambda: (running.value("cvmfs_exporter_runs_total") or 0) >= 3, PATIENCE)


@pytest.mark.slow
def test_it_is_not_ready_during_its_first_run_and_ends_at_once_in_the_midst_of_it() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        exporter("--stratum1", f"http://127.0.0.1:{silent.getsockname()[1]}") as running,
    ):
        assert running.get("/-/ready") == (503, b"no run has finished yet\n")
        assert running.get("/-/healthy")[0] == 200
        assert running.value("cvmfs_exporter_runs_total") == 0
        code, took = running.end(signal.SIGINT)
        assert (code, took < PROMPT) == (0, True)


@pytest.mark.slow
def test_a_changed_fleet_file_is_taken_and_a_wrong_one_is_a_metric_while_the_old_one_stays(fleet: Path) -> None:
    def hung_up(change: Callable[[str], str], runs: int) -> None:
        fleet.write_text(change(fleet.read_text()))
        running.process.send_signal(signal.SIGHUP)
        assert running.reaches("cvmfs_exporter_runs_total", runs)

    with exporter("--config", fleet) as running:
        assert running.reaches("cvmfs_exporter_runs_total", 1)
        hung_up(lambda text: text.replace('name = "demo"', 'nmae = "demo"'), 2)
        assert running.value("cvmfs_exporter_config_ok") == 0
        assert b'cvmfs_server_up{fleet="demo"' in running.get()[1]
        hung_up(lambda text: text.replace('nmae = "demo"', 'name = "renamed"'), 3)
        assert running.value("cvmfs_exporter_config_ok") == 1
        assert b'cvmfs_server_up{fleet="renamed"' in running.get()[1]
        key = fleet.parent / "keys" / "demo.pub"
        content = key.read_bytes()
        key.write_bytes(b"no key")
        hung_up(lambda text: text, 4)
        assert running.value("cvmfs_exporter_config_ok") == 0
        key.write_bytes(content)
        hung_up(lambda text: text, 5)
        assert running.value("cvmfs_exporter_config_ok") == 1


# --- what is wrong at the start ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("127.0.0.1:9877", ("127.0.0.1", 9877)),
        ("[::1]:1", ("::1", 1)),
        (":9877", ("", 9877)),
        ("monitor.example.org:0", ("monitor.example.org", 0)),
    ],
)
def test_an_address_is_a_host_and_a_port(text: str, parts: tuple[str, int]) -> None:
    assert host_and_port(text) == parts


@pytest.mark.parametrize(
    "text", ["", "9877", "localhost", "::1:9877", "h:", "h:x", "h:-1", "h:65536", "h:٣", "h:" + "9" * 5000]
)
def test_what_is_no_address_is_said(text: str) -> None:
    with pytest.raises(ConfigError, match="^exporter: --listen: "):
        host_and_port(text)


@pytest.mark.slow
def test_a_port_in_use_says_so_and_exits_2() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        done = run("exporter", "--demo", "--listen", listen)
    assert done.returncode == 2
    assert done.stderr == f"E! exporter: --listen {listen}: Address already in use\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--demo", "--listen", "9877"), "'9877' is not HOST:PORT"),
        (("--demo", "--listen", "192.0.2.1:0"), "--listen 192.0.2.1:0: Cannot assign requested address"),
        (("--demo", "--interval", "5"), "is not a span of time"),
        (("--config", "/nowhere/fleet.toml", "--listen", "127.0.0.1:0"), "fleet file /nowhere/fleet.toml"),
    ],
)
def test_a_wrong_address_or_fleet_file_at_the_start_says_so_and_exits_2(arguments: tuple[str, ...], said: str) -> None:
    done = run("exporter", *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("E! ")
    assert said in done.stderr.splitlines()[0]


@pytest.mark.slow
def test_without_prometheus_client_it_says_what_to_install() -> None:
    code = """
import sys
sys.modules["prometheus_client"] = None
from telegraf_cvmfs.command.cli import main
sys.exit(main(["exporter", "--demo"]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env={**os.environ})
    assert done.returncode == 2
    assert 'pip install "telegraf-cvmfs[exporter]"' in done.stderr


def test_a_server_that_ends_ends_the_exporter_too() -> None:
    class Broken(Server):
        def __init__(self) -> None:
            """No socket: what it does at its end is all that counts."""

        def serve_forever(self, poll_interval: float = 0.5) -> None:
            raise OSError(poll_interval)

    ended: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()
    serve(Broken(), ended)
    assert isinstance(ended.get_nowait(), OSError)
