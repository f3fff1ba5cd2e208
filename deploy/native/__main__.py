"""`python -m deploy.native`: the stack without Docker."""

from __future__ import annotations

import signal

if __name__ == "__main__":  # Ctrl-C ends it as any program, until it is listened to; Python's own way is a traceback
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import NoReturn

from deploy.native import executables, logins, stack, started
from deploy.native.folder import CLONE, ENVIRONMENT, Folder, Refused, Trouble
from deploy.native.parts import doctor
from deploy.native.started import Part
from grafana.queries.__main__ import report
from grafana.queries.dashboard import answers
from grafana.queries.interpolation import QueryError
from telegraf_cvmfs.net.deadline import ending_signals

OK, FAILED, WRONG_USE, INTERRUPTED = 0, 1, 2, 130
LINES = 40  # of each log, unless --lines says otherwise
PARTS = ("influxdb", "demo", "telegraf", "grafana", "exporter", "prometheus", "history", "first-run")

USAGE = f"""\
The stack without Docker: InfluxDB, Telegraf and, if it is installed, Grafana, in the background, on loopback.

  ./stack native [up]                 watch the demo fleet
  ./stack native up --config FILE     watch the fleet of this fleet file
      --prometheus                    with Prometheus, and the exporter that it asks
      --no-fetch                      fetch no program that is missing
  ./stack native status               what runs, and how old the newest measurements are
  ./stack native doctor               where the chain from plugin to Grafana breaks, and what to do
  ./stack native logs [PART]          the last lines of the logs: {", ".join(PARTS)}
      --lines NUMBER                  so many of each ({LINES})
  ./stack native down                 stop everything; the data stay
  ./stack native reset [--yes]        stop everything and delete the data, settings and passwords
  ./stack native help                 this text

Programs are found on PATH, or named by TELEGRAF, INFLUXD, GRAFANA, PROMETHEUS. INFLUXDB_PORT, GRAFANA_PORT,
EXPORTER_PORT and PROMETHEUS_PORT name other ports than 8086, 3000, 9877 and 9090, 0 any. All files are in .stack,
or in the folder that {ENVIRONMENT} names.
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise Refused(f"{message} (see ./stack native help)")


def main(arguments: Sequence[str]) -> int:
    """Run one command; returns its exit code: 0 done, 1 it could not be, 2 wrong use, 130 interrupted."""
    os.umask(0o077)
    for number in ending_signals():
        signal.signal(number, signal.default_int_handler)
    folder = None
    try:
        options = _options(arguments)
        folder = Folder(Path(os.environ.get(ENVIRONMENT) or CLONE / ".stack").absolute())
        return _COMMANDS[options.command](folder, options)
    except Trouble as trouble:
        _complain(str(trouble))
        return trouble.code
    except OSError as why:
        _complain(f"{why.filename or 'a file'}: {why.strerror or why}")
        return FAILED
    except KeyboardInterrupt:
        runs_on = folder is not None and started.read(folder).alive
        _complain(f"interrupted; {'the stack runs on: ./stack native down stops it' if runs_on else 'nothing runs on'}")
        return INTERRUPTED


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = _Parser(prog="./stack native", add_help=False, allow_abbrev=False)
    parser.add_argument("command", nargs="?", default="up", choices=tuple(_COMMANDS))
    parser.add_argument("part", nargs="?", choices=PARTS)
    parser.add_argument("-h", "--help", action="store_true")
    parser.add_argument("--config", type=Path)
    parser.add_argument("--no-fetch", action="store_true")
    parser.add_argument("--prometheus", action="store_true")
    parser.add_argument("--yes", action="store_true")
    parser.add_argument("--lines", type=int)
    options = parser.parse_args(arguments)
    if options.help:
        options.command = "help"
    belongs = {"part": "logs", "lines": "logs", "config": "up", "no_fetch": "up", "prometheus": "up", "yes": "reset"}
    for name, command in belongs.items():
        given = getattr(options, name)
        if given is not None and given is not False and options.command not in (command, "help"):
            what = options.part if name == "part" else f"--{name.replace('_', '-')}"
            parser.error(f"{what} belongs to `{command}`, not to `{options.command}`")
    return options


# --- commands ---------------------------------------------------------------------------------------


def _up(folder: Folder, options: argparse.Namespace) -> int:
    wanted = stack.Options(options.config, os.environ, may_fetch=not options.no_fetch, prometheus=options.prometheus)
    if not stack.up(folder, wanted, _say):
        _say(f"the stack runs already and watches {wanted.watches}; nothing was changed")
        _tell_where(folder)
        return OK
    answered = _ask_dashboards(folder)
    _tell_where(folder)
    return OK if answered else FAILED


def _ask_dashboards(folder: Folder) -> bool:
    """Every query of the committed dashboards, asked as Grafana asks; a table of what came back."""
    reader = stack.reader(folder, started.read(folder))
    _say("\nwhat the dashboards show:\n")
    try:
        found = answers(reader)
    except QueryError as why:
        raise Trouble(f"the stack runs, but a dashboard cannot be asked: {why}") from why
    for line in report(found):
        _say(line)
    _say("")
    silent = sum(not answer.good for answer in found)
    if silent or not found:
        _complain(f"{silent} of {len(found)} questions have no answer, and should have one; the stack runs on")
    return bool(found) and not silent


def _down(folder: Folder, _options: argparse.Namespace) -> int:
    stack.down(folder, _say)
    return OK


def _status(folder: Folder, _options: argparse.Namespace) -> int:
    noted = started.read(folder)
    if not noted.parts:
        _say("the stack was not started here")
        return FAILED
    for part in noted.parts:
        _say(_line(part))
    _say(f"watches   {noted.watches}")
    newest = stack.newest_run(folder, noted)
    _say(
        "newest    " + (f"measurements are {max(0, int(time.time()) - newest)} s old" if newest else "none can be read")
    )
    return OK if len(noted.alive) == len(noted.parts) else FAILED


def _line(part: Part) -> str:
    if not part.process.alive:
        return f"{part.name:<9} not running"
    since = datetime.fromisoformat(part.since).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    return f"{part.name:<9} running  pid {part.process.pid:<8} since {since}  {part.url}".rstrip()


def _doctor(folder: Folder, _options: argparse.Namespace) -> int:
    noted = started.read(folder)
    if not noted.parts:
        raise Trouble("there is nothing to examine: the stack was not started here")
    program = executables.find(executables.TELEGRAF, os.environ, _say, may_fetch=False)
    settings = doctor.settings(folder, noted, os.environ)
    return subprocess.run(doctor.command(folder, noted, program), env=settings, check=False).returncode  # noqa: S603


def _logs(folder: Folder, options: argparse.Namespace) -> int:
    names = [options.part] if options.part else [name for name in PARTS if folder.exists and folder.log(name).is_file()]
    if not folder.exists or not names:
        raise Trouble("there are no logs: the stack was not started here")
    for name in names:
        _say(f"==> {folder.log(name)}")
        for line in folder.last_words(name, max(1, LINES if options.lines is None else options.lines)):
            _say(line)
    return OK


def _reset(folder: Folder, options: argparse.Namespace) -> int:
    if not folder.exists:
        _say("nothing to delete: there is no stack here")
        return OK
    if not options.yes:
        _say(f"This stops the stack and deletes {folder.path}: all measurements, settings and passwords.")
        _say("Type yes to go on.")
        if sys.stdin.readline().strip() != "yes":
            raise Trouble("nothing was deleted")
    stack.reset(folder, _say)
    _say(f"{folder.path} is deleted")
    return OK


def _help(_folder: Folder, _options: argparse.Namespace) -> int:
    _say(USAGE.rstrip())
    return OK


_COMMANDS = {
    "up": _up,
    "status": _status,
    "doctor": _doctor,
    "logs": _logs,
    "down": _down,
    "reset": _reset,
    "help": _help,
}


# --- the person who waits ---------------------------------------------------------------------------


def _tell_where(folder: Folder) -> None:
    noted = started.read(folder)
    if url := stack.url_of(noted, "grafana"):
        _say(f"Grafana    {url}  user {logins.ADMIN}")
    else:
        _say("Grafana    is not installed, so there are no pictures yet; docs/native.md says how to add it")
    _say(f"InfluxDB   {stack.url_of(noted, 'influxdb')}  database {logins.DATABASE}, user {logins.READER} reads")
    if url := stack.url_of(noted, "prometheus"):
        _say(f"Prometheus {url}  from the exporter at {stack.url_of(noted, 'exporter')}")
    _say(f"passwords  {folder.path / logins.FILE}")
    _say("stop       ./stack native down")


def _say(line: str) -> None:
    try:
        print(line, flush=True)  # noqa: T201
    except BrokenPipeError:  # nobody reads on, which is no reason to stop half-way
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _complain(line: str) -> None:
    print(f"stack: {line}", file=sys.stderr, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]  # a terminal of old may know no "…"
    sys.exit(main(sys.argv[1:]))
