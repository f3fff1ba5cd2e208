"""A real InfluxDB on loopback, for tests to write into and to ask."""

from __future__ import annotations

import itertools
import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from deploy.native.logins import Logins, made
from deploy.native.parts import influxdb as native

PATIENCE = 60.0  # seconds until it must answer; it takes less than one on an idle machine

SETTINGS = """
reporting-enabled = false
bind-address = "127.0.0.1:0"
[meta]
  dir = "{room}/meta"
[data]
  dir = "{room}/data"
  wal-dir = "{room}/wal"
[monitor]
  store-enabled = false
[http]
  bind-address = "127.0.0.1:0"
  log-enabled = false
[logging]
  format = "json"
"""

Row = dict[str, Any]


@dataclass(frozen=True)
class InfluxDB:
    """A running server; its databases are made fresh for each test that asks."""

    url: str
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def create_database(self) -> str:
        """The name of a new, empty database."""
        name = f"test{next(self._numbers)}"
        self.query("", f"CREATE DATABASE {name}", method="POST")
        return name

    def query(self, database: str, influxql: str, method: str = "GET") -> list[Row]:
        """The rows that InfluxQL gives, columns and tags by name, the measurement as `name`; times in ns."""
        asked = {"db": database, "q": influxql, "epoch": "ns"}
        answer = requests.request(method, f"{self.url}/query", params=asked, timeout=30)
        answer.raise_for_status()
        (result,) = answer.json()["results"]
        assert "error" not in result, result["error"]
        return [row for series in result.get("series", ()) for row in _rows(series)]

    def write(self, database: str, text: str) -> None:
        """Write line protocol as it is; an AssertionError has InfluxDB's words if it takes not all of it."""
        answer = requests.post(f"{self.url}/write", params={"db": database}, data=text.encode(), timeout=30)
        assert answer.status_code == requests.codes.no_content, answer.text


def _rows(series: dict[str, Any]) -> Iterator[Row]:
    named = {"name": series["name"]} if "name" in series else {}
    for values in series["values"]:
        yield named | series.get("tags", {}) | dict(zip(series["columns"], values, strict=True))


@contextmanager
def running(influxd: Path, room: Path) -> Iterator[InfluxDB]:
    """InfluxDB with its data in `room` on ports that the system chose; stopped on exit."""
    settings, log = room / "influxdb.conf", room / "influxdb.log"
    settings.write_text(SETTINGS.format(room=room))
    with log.open("wb") as messages:
        process = subprocess.Popen([influxd, "-config", settings], stdout=messages, stderr=messages)
    try:
        yield InfluxDB(f"http://{_address(process, log)}")
    finally:
        process.terminate()
        process.wait(PATIENCE)


@contextmanager
def running_with_logins(influxd: Path, room: Path) -> Iterator[tuple[str, Logins]]:
    """InfluxDB as the stack without Docker runs it: its URL and the passwords of its users.

    `deploy.native.parts.influxdb.writer` and `.reader` make of them what Telegraf and Grafana use; the database is "cvmfs".
    """
    settings, log = room / "influxdb.conf", room / "influxdb.log"
    settings.write_text(native.settings(room, port=0))
    with log.open("wb") as messages:
        process = subprocess.Popen([influxd, "-config", settings], stdout=messages, stderr=messages)
    try:
        url, passwords = f"http://{_address(process, log)}", made()
        native.let_in(url, passwords)
        yield url, passwords
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    """Where it listens: it says so itself, since it was asked to take any free port."""
    until = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < until:
        for line in log.read_text().splitlines(keepends=True):
            if line.endswith("}\n") and (message := json.loads(line)).get("msg") == "Listening on HTTP":
                return str(message["addr"])
        time.sleep(0.05)
    raise AssertionError(f"InfluxDB did not start:\n{log.read_text()}")
