"""`python -m grafana.tools` as tests run it, and what a Grafana may have: dashboards, alerts."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from grafana.tools import cli
from tests.grafana.server import Grafana


@dataclass
class Done:
    code: int
    out: str
    err: str


@dataclass
class Tools:
    """The command line, run in this process with an environment of its own."""

    server: Grafana
    patch: pytest.MonkeyPatch
    capture: pytest.CaptureFixture[str]

    def run(self, *arguments: str | Path, role: str = "Editor", **environment: str) -> Done:
        named = {"GRAFANA_URL": self.server.url, "GRAFANA_TOKEN": self.server.tokens.get(role, ""), **environment}
        with self.patch.context() as patch:
            for name in ("GRAFANA_USER", "GRAFANA_PASSWORD"):
                patch.delenv(name, raising=False)
            for name, value in named.items():
                patch.setenv(name, value)
            code = cli.main([str(argument) for argument in arguments])
        out, err = self.capture.readouterr()
        for secret in filter(None, (*self.server.tokens.values(), self.server.password)):
            assert secret not in out + err, "a secret was shown"
        assert "Traceback" not in err
        assert not {character for character in out + err if not character.isprintable()} - {"\n"}
        return Done(code, out, err)

    def create_token(self, *arguments: str | Path, **environment: str) -> Done:
        login = {"GRAFANA_USER": self.server.user, "GRAFANA_PASSWORD": self.server.password, **environment}
        return self.run("create-token", *arguments, **login)


def board(uid: str = "cvmfs-home", title: str = "CVMFS", **more: Any) -> dict[str, Any]:
    return {"uid": uid, "title": title, "panels": [{"id": 1, "type": "text"}], "schemaVersion": 41, **more}


def alert(severity: str = "warning", state: str = "active", **more: Any) -> dict[str, Any]:
    labels = {"severity": severity, "finding": "lagging", "server": "s1.example.org", "repo": "sw.example.org"}
    status: dict[str, Any] = {"state": state, "silencedBy": [], "inhibitedBy": []}
    made = {
        "labels": {"component": "cvmfs", "alertname": "Lagging", **labels},
        "annotations": {"summary": "sw.example.org is behind on s1.example.org"},
        "status": status,
        "startsAt": "2026-11-22T09:00:00.123Z",
        "generatorURL": "http://127.0.0.1:3000/alerting/grafana/cvmfs-lagging/view",
    }
    return {**made, **more}


def saved(path: Path, document: Any) -> Path:
    path.write_text(json.dumps(document))
    return path
