"""The command as a user runs it: a process of its own, in an environment that says nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.programs.telegraf import Texts

PRINTED = Texts()
"""All line protocol that the command has printed in tests, for Telegraf's parser."""

_MEMORIES = tempfile.TemporaryDirectory(prefix="telegraf-cvmfs-tests-")
UNWANTED = ("COLUMNS", "PYTHONUNBUFFERED", "TELEGRAF_CVMFS_CONFIG", "STATE_DIRECTORY", "NO_COLOR")


def environment(**more: str) -> dict[str, str]:
    """Ours, without what would change the outcome, and with proxies that would fail if they were used.

    The memory of each is new, unless a test names one: the demo's fleets are all called alike.
    """
    kept = {name: value for name, value in os.environ.items() if name not in UNWANTED and "proxy" not in name.lower()}
    kept["XDG_STATE_HOME"] = tempfile.mkdtemp(dir=_MEMORIES.name)
    return kept | {"http_proxy": "http://127.0.0.1:1", "https_proxy": "http://127.0.0.1:1"} | more


def command(*arguments: str | Path) -> list[str]:
    """The command line of `telegraf-cvmfs` with these arguments."""
    return [sys.executable, "-m", "telegraf_cvmfs", *map(str, arguments)]


def without_pauses(*arguments: str | Path) -> list[str]:
    """The same, but what fails is asked for once more at once: the demo fleet has a server that is down."""
    begin = "import telegraf_cvmfs.__main__; from telegraf_cvmfs.model import fleet; fleet.PAUSE = 0, 0"
    return [sys.executable, "-c", f"{begin}; telegraf_cvmfs.__main__.entry()", *map(str, arguments)]


def run(
    *arguments: str | Path, env: Mapping[str, str] | None = None, timeout: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run it to its end."""
    done = subprocess.run(
        without_pauses(*arguments),
        env=environment(**(env or {})),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if done.stdout.startswith(("cvmfs_", "cvmfs,")):
        PRINTED.add(done.stdout)
    return done
