"""The exporter and Prometheus with the shipped rules."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import quote

from deploy.native.folder import CLONE
from deploy.native.parts import telegraf
from telegraf_cvmfs.model import FetchError
from telegraf_cvmfs.net.deadline import Deadline
from telegraf_cvmfs.net.question import Question, Status
from telegraf_cvmfs.net.web import Web

RULES = CLONE / "prometheus" / "rules.yaml"
DEMO_RHYTHM = ("--interval", "10s", "--jitter", "1s")
_PATIENCE = 5.0  # seconds for one request


def exporter(fleet: Path, port: int, state: Path, rhythm: tuple[str, ...]) -> list[str]:
    """The plugin's command line that tells Prometheus of a fleet."""
    where = ("--listen", f"127.0.0.1:{port}", "--state-dir", str(state))
    return [str(telegraf.program()), "exporter", "--config", str(fleet), *where, *rhythm]


def settings(exporter_url: str, grafana_url: str) -> str:
    """Its configuration: one exporter, the shipped rules, and where Grafana is, if it runs."""
    labels = {"external_labels": {"grafana": grafana_url}} if grafana_url else {}
    target = exporter_url.removeprefix("http://")
    document = {
        "global": {"scrape_interval": "15s", "evaluation_interval": "15s", **labels},
        "rule_files": [str(RULES)],
        "scrape_configs": [{"job_name": "cvmfs", "static_configs": [{"targets": [target]}]}],
    }
    return json.dumps(document, indent=2) + "\n"  # which is YAML too


def command(program: Path, file: Path, data: Path, port: int) -> list[str]:
    """How to start it."""
    return [
        str(program),
        f"--config.file={file}",
        f"--storage.tsdb.path={data}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]


def is_ready(url: str) -> bool:
    """Whether an exporter, which is when its first run has finished, or Prometheus says that it is ready."""
    return _answer(f"{url}/-/ready") is not None


def has_servers(url: str) -> bool:
    """Whether Prometheus has got what the exporter tells."""
    answer = _answer(f"{url}/api/v1/query?query={quote('cvmfs_server_up')}")
    return answer is not None and b'"value"' in answer


def _answer(url: str) -> bytes | None:
    try:
        reply = Web(Deadline(_PATIENCE), _PATIENCE).ask(Question(url))
    except FetchError:
        return None
    return reply.body if reply.status == Status.OK else None
