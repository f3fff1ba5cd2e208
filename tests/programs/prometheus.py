"""Prometheus and Alertmanager on loopback, and questions to them."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import requests

from benchmarks.nginx import free_port

PATIENCE = 30.0  # seconds until it must answer, and until something must come; each takes one on an idle machine
T = TypeVar("T")


@dataclass(frozen=True)
class Prometheus:
    url: str

    def query(self, promql: str) -> list[dict[str, Any]]:
        """The instant vector that it gives now."""
        answer = requests.get(f"{self.url}/api/v1/query", params={"query": promql}, timeout=10).json()
        assert answer["status"] == "success", answer
        found: list[dict[str, Any]] = answer["data"]["result"]
        return found


def comes(question: Callable[[], T], patience: float = PATIENCE) -> T:
    """The answer as soon as there is one that is not empty; AssertionError if there is none in time."""
    until = time.monotonic() + patience
    while not (answer := question()):
        assert time.monotonic() < until, "it did not come"
        time.sleep(0.05)
    return answer


@contextmanager
def prometheus_running(program: Path, config: Path, port: int = 0) -> Iterator[Prometheus]:
    """Prometheus with its data beside the configuration; stopped on exit."""
    port = port or free_port()
    arguments = [f"--config.file={config}", f"--storage.tsdb.path={config.parent / 'data'}"]
    with _running([program, *arguments, f"--web.listen-address=127.0.0.1:{port}"], config.parent, port) as url:
        yield Prometheus(url)


@contextmanager
def alertmanager_running(program: Path, config: Path, port: int) -> Iterator[str]:
    """Alertmanager, alone; its URL."""
    for template in (program.parents[1] / "share" / "prometheus" / "alertmanager").glob("*.tmpl"):
        (config.parent / template.name).symlink_to(template)
    arguments = [f"--config.file={config}", f"--storage.path={config.parent / 'alerts'}", "--cluster.listen-address="]
    with _running([program, *arguments, f"--web.listen-address=127.0.0.1:{port}"], config.parent, port) as url:
        yield url


@contextmanager
def _running(command: list[str | Path], folder: Path, port: int) -> Iterator[str]:
    url = f"http://127.0.0.1:{port}"
    log = folder / f"{Path(command[0]).name}.log"
    with log.open("w") as file, subprocess.Popen(command, stdout=file, stderr=file, cwd=folder) as process:
        try:
            comes(lambda: process.poll() is not None or _is_ready(url))
            assert process.poll() is None, log.read_text()
            yield url
        finally:
            process.terminate()
            process.wait(PATIENCE)


def _is_ready(url: str) -> bool:
    try:
        return requests.get(f"{url}/-/ready", timeout=5).ok
    except requests.ConnectionError:
        return False
