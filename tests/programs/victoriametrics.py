"""A real VictoriaMetrics on loopback, and everything that it has."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from benchmarks.nginx import free_port
from deploy.native.programs import debian_package, installed
from tests.programs.prometheus import comes

NAME = "victoria-metrics"


@dataclass(frozen=True)
class VictoriaMetrics:
    """Where it listens."""

    url: str

    def series(self) -> dict[frozenset[tuple[str, str]], list[float]]:
        """Labels, `__name__` among them -> values, of all of ours that can be read already."""
        requests.get(f"{self.url}/internal/force_flush", timeout=10).raise_for_status()
        answer = requests.get(f"{self.url}/api/v1/export", params={"match[]": '{__name__=~"cvmfs.*"}'}, timeout=10)
        lines = [json.loads(line) for line in answer.text.splitlines()]
        return {frozenset(line["metric"].items()): line["values"] for line in lines}


def victoriametrics() -> Path:
    """The single-node server, Debian's."""
    return installed(NAME, f"usr/bin/{NAME}", debian_package(NAME))


@contextmanager
def running(program: Path, folder: Path) -> Iterator[VictoriaMetrics]:
    """Serving until the block ends."""
    url = f"http://127.0.0.1:{free_port()}"
    options = {"storageDataPath": folder / "data", "httpListenAddr": url.removeprefix("http://")}
    command = [str(program), *(f"-{name}={value}" for name, value in options.items()), "-search.latencyOffset=0s"]
    with (folder / "log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            comes(lambda: process.poll() is not None or _answers(url))
            assert process.poll() is None, (folder / "log").read_text()
            yield VictoriaMetrics(url)
        finally:
            process.terminate()
            process.wait(30)


def _answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/health", timeout=5).ok
    except requests.ConnectionError:
        return False
