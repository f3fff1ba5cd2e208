"""Telegraf with the shipped files, the variables that fit them to this stack, and the plugin that it runs."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from deploy.native.folder import CLONE, Trouble
from telegraf_cvmfs.net.influxdb import Database

_FOLDER = CLONE / "telegraf"
_AGENT, _INPUTS = _FOLDER / "telegraf.conf", _FOLDER / "telegraf.d"
_OUTPUT = _FOLDER / "outputs" / "influxdb-writer.conf"
DEMO_RHYTHM = {"TELEGRAF_CVMFS_INTERVAL": "10s", "TELEGRAF_CVMFS_JITTER": "0s"}
RHYTHM = (*DEMO_RHYTHM, "TELEGRAF_CVMFS_TIMEOUT")  # of the shipped input: a fleet of one's own may have another


def program() -> Path:
    """The plugin as it is installed beside this Python."""
    path = Path(sys.executable).with_name("telegraf-cvmfs")
    if not path.is_file():
        raise Trouble(f"{path} is missing: install the package into this environment (`make demo` does)")
    return path


def demo(folder: Path) -> list[str]:
    """The plugin's command line that serves the demo fleet, whose file and key it writes into the folder."""
    return [str(program()), "demo", "--demo-faults", "--directory", str(folder)]


def settings(writer: Database, fleet: Path, state: Path, rhythm: Mapping[str, str]) -> dict[str, str]:
    """The variables of the shipped files.

    Args:
        writer: where to write to.
        fleet: the fleet file.
        state: the folder of the plugin's memory, unless the fleet file names one.
        rhythm: how often to ask and how long to wait, where it shall not be as shipped.
    """
    return {
        "TELEGRAF_CVMFS": str(program()),
        "TELEGRAF_CVMFS_CONFIG": str(fleet),
        "STATE_DIRECTORY": str(state),
        "INFLUXDB_URL": writer.url,
        "INFLUXDB_DATABASE": writer.name,
        "INFLUXDB_USERNAME": writer.user,
        "INFLUXDB_PASSWORD": writer.password,
        **rhythm,
    }


def shipped(telegraf: Path) -> list[str]:
    """Telegraf's command line with the shipped files: agent, input and output."""
    return [*_agent(telegraf), "--config-directory", str(_INPUTS)]


def history(telegraf: Path) -> list[str]:
    """Telegraf's command line for one run that writes the demo fleet's past."""
    return [*_agent(telegraf), "--config", str(Path(__file__).parents[1] / "history.conf"), "--once"]


def files() -> tuple[Path, ...]:
    """The shipped files and folders that make up this stack's Telegraf."""
    return (_AGENT, _OUTPUT, _INPUTS)


def _agent(telegraf: Path) -> list[str]:
    return [str(telegraf), "--config", str(_AGENT), "--config", str(_OUTPUT)]
