"""A real InfluxDB 2 on loopback, set up as its image does it, with the values of docker-compose.yml."""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from deploy.native import logins
from telegraf_cvmfs.doctor.telegraf.files import expanded
from telegraf_cvmfs.net.influxdb import Database
from tests import ROOT
from tests.deploy.compose_file import shipped

PATIENCE = 60.0  # seconds until it must answer, or have ended; on an idle machine it takes about one
LOGINS = ROOT / "deploy" / "influxdb" / "logins.sh"
BUCKET = "cvmfs"
SET_UP = ("username", "password", "org", "bucket", "retention")  # what the image has a variable for

Done = subprocess.CompletedProcess[str]


@dataclass(frozen=True)
class InfluxDB2:
    """A running server, and `variables` as its container has them.

    `INFLUX_CONFIGS_PATH` among them names the file where `influx setup` has left the token of user admin.
    """

    url: str
    variables: Mapping[str, str]

    def run(self, *command: str | Path, text: str = "", **changed: str) -> Done:
        """A program as it would run in the container, with this text on its standard input."""
        return subprocess.run(
            command, env=dict(self.variables) | changed, input=text, capture_output=True, text=True, check=False,
            timeout=PATIENCE, cwd=self.variables["HOME"],
        )  # fmt: skip

    def influx(self, *arguments: str, text: str = "") -> Any:
        """What the command line `influx` answers to the user admin."""
        done = self.run("influx", *arguments, "--json", text=text)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None

    def make_logins(self, **changed: str) -> Done:
        """logins.sh, run as the image runs it."""
        return self.run(LOGINS, **changed)

    def bucket_id(self, name: str = BUCKET) -> str:
        (bucket,) = self.influx("bucket", "list", "--name", name)
        return str(bucket["id"])

    def create_database(self, *lines: str) -> Database:
        """A new bucket with these points, as a user sees it who may read it and nothing else."""
        name, password = f"bucket{time.monotonic_ns()}", "a-readers-password"
        bucket = str(self.influx("bucket", "create", "--name", name)["id"])
        self.influx("v1", "auth", "create", "--username", name, "--read-bucket", bucket, text=f"{password}\n")
        answer = self.write(name, "\n".join(lines), {"Authorization": f"Token {self.token('write', name)}"})
        assert answer.status_code == 204, answer.text
        return Database(self.url, name, name, password)

    def token(self, right: str, bucket: str = BUCKET) -> str:
        """A new token with one right, "read" or "write", to one bucket."""
        return str(self.influx("auth", "create", f"--{right}-bucket", self.bucket_id(bucket))["token"])

    def as_user(self, name: str, password: str | None = None) -> Database:
        """The bucket of the stack, as a user sees it."""
        known = {logins.WRITER: "INFLUXDB_TELEGRAF_PASSWORD", logins.READER: "INFLUXDB_GRAFANA_PASSWORD"}
        return Database(self.url, BUCKET, name, self.variables[known[name]] if password is None else password)

    def may_sign_in(self, user: str, password: str) -> bool:
        """Would the page for browsers let this user in?"""
        answer = requests.post(f"{self.url}/api/v2/signin", auth=(user, password), timeout=30)
        return answer.status_code == 204

    def write(self, database: str, text: str, headers: Mapping[str, str]) -> requests.Response:
        """What is answered to line protocol that somebody writes."""
        asked = {"db": database}
        return requests.post(f"{self.url}/write", params=asked, data=text.encode(), headers=headers, timeout=30)


@contextmanager
def running(influxd2: Path, room: Path) -> Iterator[InfluxDB2]:
    """InfluxDB 2 with its data in `room`, set up but without the two logins; stopped on exit."""
    log = room / "influxdb.log"
    places: list[str | Path] = ["--bolt-path", room / "influxd.bolt", "--engine-path", room / "engine"]
    home = {"HOME": str(room), "PATH": f"{influxd2.parent}:{os.defpath}"}
    with log.open("wb") as messages:
        process = subprocess.Popen(
            [influxd2, *places, "--http-bind-address", "127.0.0.1:0", "--reporting-disabled"],
            env=home, stdout=messages, stderr=messages,
        )  # fmt: skip
    try:
        url = f"http://127.0.0.1:{_port(process, log)}"
        own = {"INFLUX_HOST": url, "INFLUX_CONFIGS_PATH": str(room / "influx-configs")}
        server = InfluxDB2(url, home | own | _of_the_compose_file())
        given = ((f"--{name}", server.variables[f"DOCKER_INFLUXDB_INIT_{name.upper()}"]) for name in SET_UP)
        server.influx("setup", "--force", "--name", "default", *(word for pair in given for word in pair))
        yield server
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _of_the_compose_file() -> dict[str, str]:
    """The container's variables, with passwords as `./stack init` makes them: only letters and digits."""
    passwords = {f"INFLUXDB_{name}_PASSWORD": secrets.token_hex(16) for name in ("ADMIN", "TELEGRAF", "GRAFANA")}
    written = shipped().services["influxdb"]["environment"]
    return {name: expanded(str(value), passwords) for name, value in written.items()}


def _port(process: subprocess.Popen[bytes], log: Path) -> str:
    """Where it listens: it says so itself, since it was asked to take any free port."""
    until = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < until:
        found = re.search(r"msg=Listening .*transport=http .*port=(\d+)\n", log.read_text())
        if found:
            return found[1]
        time.sleep(0.05)
    raise AssertionError(f"InfluxDB 2 did not start:\n{log.read_text()}")
