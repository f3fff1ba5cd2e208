"""Every question of the committed dashboards, asked of an InfluxDB or a Prometheus: `python -m grafana.queries`.

Reads the JSON that Grafana reads, gives variables the values that they would have there at first, puts them and the
macros into each query as Grafana does, and asks over InfluxDB 1's HTTP API, which InfluxDB 2 and 3 have too, or over
Prometheus's.
"""

from __future__ import annotations

import signal

if __name__ == "__main__":  # Ctrl-C ends it as any program, until it is listened to; Python's own way is a traceback
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from grafana.arguments import Parser
from grafana.queries.dashboard import FOLDER, OF_PROMETHEUS, Answer, Server, answers
from grafana.queries.interpolation import QueryError
from grafana.queries.prometheus import Prometheus
from telegraf_cvmfs.net.influxdb import Database
from telegraf_cvmfs.words.secrecy import without_secrets


def main(arguments: Sequence[str] | None = None) -> int:
    """0: every panel has what it should; 1: one has not; 2: InfluxDB or a dashboard cannot be read."""
    options = _options().parse_args(arguments)
    try:
        found = answers(_server(options), options.folder or (OF_PROMETHEUS if options.prometheus else FOLDER))
    except QueryError as why:
        sys.stderr.write(f"{without_secrets(str(why))}\n")
        return 2
    for line in report(found):
        sys.stdout.write(f"{line}\n")
    return 0 if found and all(answer.good for answer in found) else 1


def _server(options: argparse.Namespace) -> Server:
    """Who is asked, with the login from the environment."""
    if options.prometheus:
        return Prometheus(options.prometheus, *(os.environ.get(f"PROMETHEUS_{name}", "") for name in _LOGIN[:2]))
    return Database(options.url, options.database, *(os.environ.get(f"INFLUXDB_{name}", "") for name in _LOGIN))


_LOGIN = ("USERNAME", "PASSWORD", "TOKEN")


def report(found: Sequence[Answer]) -> Iterator[str]:
    """A table for people: dashboard, panel, rows, and what is the matter where there are none."""
    names = [(answer.dashboard, _named(answer)) for answer in found]
    left, right = (max((len(name[side]) for name in names), default=0) for side in (0, 1))
    for answer, (dashboard, panel) in zip(found, names, strict=True):
        why = f"may be empty: {answer.may_be_empty}" if answer.may_be_empty else ""
        word = "" if answer.count else why if answer.good else "EMPTY"
        yield f"{dashboard:<{left}}  {panel:<{right}}  {answer.count:>6}  {word}".rstrip()
    missing = sum(not answer.good for answer in found)
    yield f"{len(found)} questions, {missing} without an answer" if found else "no dashboards found"


def _named(answer: Answer) -> str:
    return f"{answer.kind} {answer.panel_title}{f', {answer.ref_id}' if answer.is_further else ''}"


def _options() -> argparse.ArgumentParser:
    parser = Parser(
        prog="python -m grafana.queries",
        description="Ask an InfluxDB, or a Prometheus, everything that the dashboards ask, and say which panels stay"
        " empty.",
        epilog="The login is INFLUXDB_TOKEN, or INFLUXDB_USERNAME and INFLUXDB_PASSWORD, from the environment, never an"
        " option; of Prometheus PROMETHEUS_USERNAME and PROMETHEUS_PASSWORD.",
    )
    url = os.environ.get("INFLUXDB_URL") or "http://127.0.0.1:8086"
    database = os.environ.get("INFLUXDB_DATABASE") or "cvmfs"
    parser.add_argument("--url", default=url, help="of InfluxDB (default: INFLUXDB_URL, or http://127.0.0.1:8086)")
    parser.add_argument("--database", default=database, help="or bucket (default: INFLUXDB_DATABASE, or cvmfs)")
    parser.add_argument("--prometheus", metavar="URL", default="", help="ask this Prometheus, of its own dashboards")
    parser.add_argument("--folder", type=Path, help="with the dashboards (default: the committed ones)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
