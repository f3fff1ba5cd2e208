"""The options of the tools."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from grafana.arguments import Parser
from grafana.tools.line import tame
from telegraf_cvmfs.words.duration import duration

DASHBOARDS = Path(__file__).resolve().parents[1] / "dashboards"
FOLDER = "CVMFS"

_EPILOG = "Exit codes: 0 well; 1 something failed; 2 wrong use. See docs/grafana-tools.md."


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The options of a command; `SystemExit` after --help and for what is wrong, which is on stderr then."""
    parser = Parser(
        prog="python -m grafana.tools",
        description="Tools that talk to a running Grafana.",
        epilog=_EPILOG,
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_create_token(commands)
    _add_export(commands)
    _add_import(commands)
    _add_alerts(commands)
    commands.add_parser("relay", help="hand Grafana's alerts on to chats and mail: see relay --help", add_help=False)
    return parser.parse_args(arguments)


_Commands = argparse._SubParsersAction  # argparse gives it no public name


def _command(commands: _Commands[Parser], name: str, what: str, *, token: bool = True) -> Parser:
    parser = commands.add_parser(name, help=what, description=what[0].upper() + what[1:] + ".", allow_abbrev=False)
    parser.add_argument("--url", metavar="URL", help="Grafana; else $GRAFANA_URL, else http://127.0.0.1:3000")
    parser.add_argument("--ca", metavar="FILE", type=Path, help="certificate authorities (PEM), for https")
    if token:
        what = "a file with the token of a service account, mode 0600; else $GRAFANA_TOKEN"
        parser.add_argument("--token-file", metavar="FILE", type=Path, help=what)
    return parser


def _add_create_token(commands: _Commands[Parser]) -> None:
    parser = _command(commands, "create-token", "make a service account and a token for it", token=False)
    parser.add_argument("--name", required=True, metavar="NAME", type=_name, help="of the service account")
    parser.add_argument("--role", choices=("Viewer", "Editor", "Admin"), default="Viewer", help="(default: Viewer)")
    what = 'how long the token lives: "90d" (the default), "12h", or "never"'
    parser.add_argument("--expires", metavar="SPAN", type=_span, default=timedelta(days=90), help=what)
    what = "where the token goes: a file (mode 0600), or - for stdout"
    parser.add_argument("--output", required=True, metavar="FILE", type=Path, help=what)


def _add_export(commands: _Commands[Parser]) -> None:
    parser = _command(commands, "export", "write dashboards of Grafana into files")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--folder", default=FOLDER, metavar="NAME", help="title or uid of a folder (default: CVMFS)")
    which.add_argument("--uid", action="append", default=[], metavar="UID", help="one dashboard; repeatable")
    parser.add_argument("--to", type=Path, default=DASHBOARDS, metavar="DIR", help="(default: grafana/dashboards)")


def _add_import(commands: _Commands[Parser]) -> None:
    parser = _command(commands, "import", "bring dashboards of files into Grafana")
    parser.add_argument("paths", nargs="+", type=Path, metavar="FILE", help="or a folder: its *.json")
    parser.add_argument("--folder", default=FOLDER, metavar="NAME", help="made if missing (default: CVMFS)")
    parser.add_argument("--overwrite", action="store_true", help="replace dashboards that are there and differ")
    parser.add_argument("--datasource", default="", metavar="UID", help="the InfluxDB data source that they use")


def _add_alerts(commands: _Commands[Parser]) -> None:
    parser = _command(commands, "alerts", "say what fires, worst first")
    what = "only alerts with this label; repeatable, all must fit"
    parser.add_argument("--label", action="append", default=[], metavar="NAME=VALUE", type=_label, help=what)
    what = "all: also those that are silenced, inhibited or muted (default: firing)"
    parser.add_argument("--state", choices=("firing", "all"), default="firing", help=what)
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--format", choices=("text", "json"), default="text", help="(default: text)")
    what = "output and exit code of a Nagios check: 0 none, 1 warning, 2 critical, 3 cannot be asked"
    how.add_argument("--nagios", action="store_true", help=what)


def _name(text: str) -> str:
    if not 0 < len(text) <= 100 or not text.isprintable() or text != text.strip():  # noqa: PLR2004
        raise argparse.ArgumentTypeError("expected 1 to 100 characters that can be printed")
    return text


def _span(text: str) -> timedelta | None:
    if text == "never":
        return None
    try:
        span = duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f'expected {error}, or "never"') from error
    if span < timedelta(seconds=1):
        raise argparse.ArgumentTypeError("expected at least a second")
    return span


def _label(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError(f"{tame(text)}: expected NAME=VALUE, such as severity=critical")
    return name, value
