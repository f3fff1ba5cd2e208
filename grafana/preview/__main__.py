"""Make the previews: `python -m grafana.preview [--to FOLDER]`."""

from __future__ import annotations

import signal

if __name__ == "__main__":  # Ctrl-C ends it as any program, until it is listened to; Python's own way is a traceback
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import argparse
import json
import os
import shutil
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from grafana.arguments import Parser
from grafana.preview.browser import PictureError, picture
from grafana.preview.page import WIDTH, page
from grafana.queries.dashboard import FOLDER, answers_of
from grafana.queries.interpolation import QueryError
from telegraf_cvmfs.net.influxdb import Database
from telegraf_cvmfs.words.secrecy import without_secrets

ABOUT_ONE = ("cvmfs-server", "cvmfs-repository")


def main(arguments: Sequence[str] | None = None) -> int:
    """0: a picture of each dashboard is there; 1: InfluxDB or Chromium did not answer; 2: wrong use."""
    options = _options().parse_args(arguments)
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if chromium is None:
        sys.stderr.write("no chromium on the PATH; the variable CHROMIUM can name one\n")
        return 2
    login = (os.environ.get("INFLUXDB_USERNAME", ""), os.environ.get("INFLUXDB_PASSWORD", ""))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # so that Chromium is ended too
    try:
        database = Database(options.url, options.database, *login)
        previews(database, Path(chromium), options.to, server=options.server, repo=options.repo)
    except (QueryError, PictureError, OSError) as why:
        sys.stderr.write(f"{without_secrets(str(why))}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return 1
    return 0


def previews(database: Database, chromium: Path, folder: Path, *, server: str = "", repo: str = "") -> list[Path]:
    """Write a picture of each committed dashboard, as the database has it now.

    `server` and `repo` are those on the dashboards that are about one; without, what Grafana would choose.
    """
    now = datetime.now(UTC)
    chosen = {name: value for name, value in (("server", server), ("repo", repo)) if value}
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for path in sorted(FOLDER.glob("*.json")):
        dashboard = json.loads(path.read_text(encoding="utf-8"))
        found = answers_of(database, path, now=now, variables=chosen if dashboard["uid"] in ABOUT_ONE else None)
        html, height = page(dashboard, found, now)
        png = folder / f"{path.stem}.png"
        picture(chromium, html, (WIDTH, height), png)
        written.append(png)
    return written


def _options() -> argparse.ArgumentParser:
    parser = Parser(
        prog="python -m grafana.preview",
        description="Draw the dashboards as an InfluxDB would fill them now: previews, not Grafana's own pictures.",
        epilog="The login is INFLUXDB_USERNAME and INFLUXDB_PASSWORD from the environment, never an option.",
    )
    parser.add_argument("--url", default=os.environ.get("INFLUXDB_URL") or "http://127.0.0.1:8086", help="of InfluxDB")
    parser.add_argument("--database", default=os.environ.get("INFLUXDB_DATABASE") or "cvmfs", help="or bucket")
    parser.add_argument("--server", default="", help="the one of the dashboard about one server")
    parser.add_argument("--repo", default="", help="the one of the dashboard about one repository")
    parser.add_argument("--to", type=Path, default=Path("docs/dashboards"), help="folder (default: docs/dashboards)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
