"""`telegraf-cvmfs doctor` for this stack: which files and logins it shall examine."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

from deploy.native import logins
from deploy.native.folder import Folder
from deploy.native.launcher import inherited
from deploy.native.parts import influxdb, telegraf
from deploy.native.started import DEMO, Started


def command(folder: Folder, noted: Started, program: Path) -> list[str]:
    """The command line; `program` is Telegraf's."""
    files = [word for file in telegraf.files() for word in ("--telegraf-config", str(file))]
    return [
        str(telegraf.program()),
        "doctor",
        "--config",
        str(_fleet(folder, noted)),
        "--telegraf",
        str(program),
        *files,
    ]


def settings(folder: Folder, noted: Started, environment: Mapping[str, str]) -> dict[str, str]:
    """Its variables: the shipped files' own, but with the login that may read, and Grafana's user."""
    passwords, database, ours = logins.kept(folder), noted.part("influxdb"), noted.part("grafana")
    reader = influxdb.reader(database.url if database else "", passwords)
    login = {"GRAFANA_USER": logins.ADMIN, "GRAFANA_PASSWORD": passwords.grafana_admin}
    seen = {"GRAFANA_URL": ours.url, **login} if ours else {}
    rhythm = telegraf.DEMO_RHYTHM if noted.watches == DEMO else {}
    shipped = telegraf.settings(reader, _fleet(folder, noted), folder.subfolder("memory"), rhythm)
    return inherited(environment) | shipped | seen | {"TELEGRAF_CVMFS_START": _start(noted)}


def _start(noted: Started) -> str:
    """What starts the parts that do not run, and them alone."""
    return "./stack native up" + ("" if noted.watches == DEMO else f" --config {shlex.quote(noted.watches)}")


def _fleet(folder: Folder, noted: Started) -> Path:
    return folder.path / "demo" / "fleet.toml" if noted.watches == DEMO else Path(noted.watches)
