"""The stack without Docker as a user runs it, and stand-ins for programs that cannot be had or shall fail."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests import ROOT

PATIENCE = 180.0  # seconds for one command

GRAFANA = """
import http.server, json, os, pathlib, sys

class Health(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/api/health" else 404)
        self.end_headers()

data = pathlib.Path(os.environ["GF_PATHS_DATA"])
data.mkdir(parents=True, exist_ok=True)
(data / "given.json").write_text(json.dumps({"arguments": sys.argv[1:], "environment": dict(os.environ)}))
address = (os.environ["GF_SERVER_HTTP_ADDR"], int(os.environ["GF_SERVER_HTTP_PORT"]))
http.server.HTTPServer(address, Health).serve_forever()
"""
"""In the place of Grafana, which cannot be had here: notes down what it is given, and says that it is well."""


@dataclass(frozen=True)
class Stack:
    """A stack in a folder of its own, on ports that the system chose."""

    folder: Path
    settings: dict[str, str]

    @property
    def environment(self) -> dict[str, str]:
        """Of the user who types the commands: no PATH, so that only programs which are named are found."""
        kept = {name: os.environ[name] for name in ("HOME", "LANG", "TELEGRAF_CVMFS_CACHE") if name in os.environ}
        ports = dict.fromkeys(("INFLUXDB_PORT", "GRAFANA_PORT", "EXPORTER_PORT", "PROMETHEUS_PORT"), "0")
        return kept | ports | {"PATH": "/nonexistent", "TELEGRAF_CVMFS_STACK": str(self.folder)} | self.settings

    def command(self, *arguments: str | Path) -> list[str]:
        return [sys.executable, "-m", "deploy.native", *map(str, arguments)]

    def run(self, *arguments: str | Path, stdin: str = "", **more: str) -> subprocess.CompletedProcess[str]:
        """One command to its end; `more` are variables of its environment."""
        return subprocess.run(
            self.command(*arguments),
            cwd=ROOT,
            env=self.environment | more,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def begin(self, *arguments: str | Path) -> subprocess.Popen[str]:
        """One command that shall be disturbed."""
        return subprocess.Popen(
            self.command(*arguments),
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @property
    def noted(self) -> dict[str, dict[str, Any]]:
        """The parts by name, as noted in the folder."""
        text = (self.folder / "running.json").read_text()
        return {part["name"]: part for part in json.loads(text)["parts"]}

    def pid(self, name: str) -> int:
        return int(self.noted[name]["process"]["pid"])

    def url(self, name: str) -> str:
        return str(self.noted[name]["url"])

    def processes(self) -> list[str]:
        """The command lines of everything alive that was started for this stack: its folder is in their variables."""
        return [command for command, environment in _processes() if f"{self.folder}/" in command + environment]


def _processes() -> list[tuple[str, str]]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            text = (folder / "cmdline").read_text(), (folder / "environ").read_text(errors="replace")
        except OSError:
            continue
        if text[0] and int(folder.name) != os.getpid():
            found.append((text[0].replace("\0", " "), text[1]))
    return found


def script(path: Path, text: str, interpreter: Sequence[str] = ("/bin/sh",)) -> Path:
    """A program of this text."""
    path.write_text(f"#!{' '.join(interpreter)}\n{text}")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path
