"""Pictures of the public page, from the demo's past: `python -m docs.pictures CHROMIUM`, a minute or two."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from grafana.preview.browser import picture_of
from telegraf_cvmfs.demo.history import history, moments
from telegraf_cvmfs.history.spool import write
from telegraf_cvmfs.memory.state import State
from telegraf_cvmfs.statuspage.build import build
from telegraf_cvmfs.statuspage.settings import Settings

HERE = Path(__file__).with_name("statuspage")
PAGES = {
    "index": ("index.html", (1000, 1500)),
    "server": ("servers/asia.html", (1000, 1200)),
    "repository": ("repositories/software.demo.example.html", (1000, 1000)),
    "telephone": ("index.html", (500, 1500)),
}
DEMO = Settings(
    servers={
        "stratum0": "Source",
        "stratum1-healthy": "America",
        "stratum1-lagging": "Asia",
        "stratum1-faulty": "Europe 1",
        "stratum1-down": "Europe 2",
    },
    repositories=("*.demo.example",),
    fleet="demo",
    title="CernVM-FS of the demo fleet",
    url="https://status.example.org",
    interval=timedelta(hours=3),
)


def _told(_line: str) -> None:
    """Nobody reads it."""


def main(arguments: Sequence[str]) -> int:
    """Make them all."""
    now = datetime.now(UTC)
    with tempfile.TemporaryDirectory(prefix="telegraf-cvmfs-pictures-") as name:
        spool, out = Path(name) / "spool", Path(name) / "site"
        for run in history(moments(now, timedelta(days=90), timedelta(hours=3)), State(None, _told), _told):
            write(spool, run)
        build(spool, DEMO, out, now)
        HERE.mkdir(exist_ok=True)
        for picture, (page, size) in PAGES.items():
            picture_of(Path(arguments[0]), (out / page).as_uri(), size, HERE / f"{picture}.png")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
