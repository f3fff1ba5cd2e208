"""The options and sub-commands of the command line."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import NamedTuple, NoReturn

from telegraf_cvmfs._version import __version__
from telegraf_cvmfs.emit import FORMATS
from telegraf_cvmfs.fleet.values import positive_duration
from telegraf_cvmfs.model import ConfigError
from telegraf_cvmfs.net.deadline import Deadline
from telegraf_cvmfs.words.secrecy import masked

ENVIRONMENT = "TELEGRAF_CVMFS_CONFIG"
"""The variable that names the fleet file where `--config` does not."""


Run = Callable[[argparse.Namespace, Deadline], int]
"""Runs a sub-command within a deadline, which its options shorten; returns the exit code."""


class Command(NamedTuple):
    """A sub-command: the module that has its `run` and, where `help` lists it, its `add_options`."""

    module: str
    help: str = ""


COMMANDS: Mapping[str, Command] = {
    "once": Command("command.once"),
    "check": Command("command.check"),
    "nagios": Command("command.nagios"),
    "execd": Command("command.execd", "scrape for each newline on stdin, for inputs.execd"),
    "exporter": Command("exporter.command", "scrape on a schedule, and answer Prometheus from the last finished run"),
    "fleets": Command("command.fleets", "list the public fleets that come with the program"),
    "maintenance": Command("command.maintenance", "add, list and end windows of maintenance"),
    "report": Command(
        "history.command.report", "write what was available in a month, from the runs that a spool keeps"
    ),
    "history": Command("history.command.history", "pack, verify, roll up, import or replay what a spool keeps"),
    "statuspage": Command("statuspage.command", "make a public page that tells only what it may"),
    "doctor": Command("doctor.command", "say where the chain to Grafana breaks, and what to do"),
    "demo": Command("demo.command", "serve the demo fleet on loopback until interrupted"),
}
"""By what `command` says in the options. A module is imported when it is named, so that a run starts quickly."""


INSTEAD = ("check", "nagios")
"""Options that ask for something else than a run's output, each the name of a command."""


def runner(command: str) -> Run:
    """What runs a sub-command."""
    run: Run = _module(command).run
    return run


def _module(command: str) -> ModuleType:
    return import_module(f"telegraf_cvmfs.{COMMANDS[command].module}")


class _Parser(argparse.ArgumentParser):
    """argparse, but the first line of stderr says what is wrong instead of how to use the command."""

    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{message} (see telegraf-cvmfs --help)")

    def _check_value(self, action: argparse.Action, value: str) -> None:
        """Argparse's own, but for what stands where a sub-command may: that is often something else that was meant."""
        if isinstance(action.choices, Mapping) and value not in action.choices:
            from telegraf_cvmfs.command.meant import command_meant

            self.error(command_meant(value, action.choices))
        super()._check_value(action, value)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The options as attributes; `command` is a key of `COMMANDS`.

    Raises:
        ConfigError: there is no such option, or not with such a value.
        SystemExit: after --help and --version, which print what they are asked for.
    """
    try:
        return _parsed(_parser(arguments), arguments)
    except ConfigError as error:  # argparse quotes what it does not understand
        raise ConfigError(_masked(str(error), arguments)) from None


def _parsed(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> argparse.Namespace:
    options = argparse.Namespace(command="once", check=False, nagios=False)
    try:
        options, strange = parser.parse_known_args(arguments)
    except ConfigError:  # a misspelt option makes a sub-command of its value: then it is the news
        strange = [] if COMMANDS.keys() & set(arguments) else [*_strange(parser, arguments)]
        if not strange:
            raise
    instead = [name for name in INSTEAD if getattr(options, name)]
    if len(instead) > 1:
        parser.error(f"{' and '.join(f'--{name}' for name in instead)}: expected one of them")
    if instead and options.command != "once":
        strange = [f"--{instead[0]}"]
    if strange:
        from telegraf_cvmfs.command.meant import option_meant

        parser.error(option_meant(strange[0], options.command, _names_of_options(parser, options.command)))
    options.command = instead[0] if instead else options.command
    return options


def _strange(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> Iterator[str]:
    """Options that there are not."""
    known = _names_of_options(parser, "once")
    return (word for word in arguments if word.startswith("--") and word.partition("=")[0] not in known)


def _names_of_options(parser: argparse.ArgumentParser, command: str) -> list[str]:
    """Those of a sub-command, or those without one."""
    if COMMANDS[command].help:
        parser = _Parser(add_help=False)
        _module(command).add_options(parser)
    return re.findall(r"(?<![\w-])--[\w-]+", parser.format_help())


def _masked(message: str, arguments: Sequence[str]) -> str:
    for argument in arguments:
        for part in (argument, argument.partition("=")[2]):
            if masked(part) != part:
                message = message.replace(part, masked(part)).replace(repr(part)[1:-1], masked(part))
    return message


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    parser = _Parser(
        prog="telegraf-cvmfs",
        description="Scrape CernVM-FS servers once and print what was found.",
        epilog="Without a sub-command it scrapes. Exit codes: 0 the run was made, even if every server was down; "
        "2 wrong option or fleet file; 1 the output could not be written, or --check found something wrong. "
        "With --nagios: 0 ok, 1 warning, 2 critical, 3 unknown.",
        allow_abbrev=False,
    )
    add_options(parser)
    parser.add_argument("--version", action="version", version=f"telegraf-cvmfs {__version__}")
    parser.set_defaults(
        command="once", stratum0=[], stratum1=[], repo=[], ignore_repo=[], only=[], key=[], format="influx"
    )
    parser.set_defaults(server=[], all=False, color="auto", output=None, check=False, nagios=False)
    commands = parser.add_subparsers(title="sub-commands", metavar="COMMAND")
    for name, command in COMMANDS.items():
        if command.help:
            one = _add_command(commands, name, command.help)
            if name in arguments:  # the others' options need not be known, and their modules not be imported
                _module(name).add_options(one)
    return parser


def _add_command(commands: argparse._SubParsersAction[_Parser], name: str, what: str) -> argparse.ArgumentParser:
    """A sub-command takes the same options; what it is not given must not undo what stands before it."""
    parser = commands.add_parser(name, help=what, allow_abbrev=False, argument_default=argparse.SUPPRESS)
    parser.set_defaults(command=name)
    return parser


def add_demo_faults(parser: argparse._ActionsContainer) -> None:
    """The option that asks for the demo fleet with its faults."""
    parser.add_argument("--demo-faults", action="store_true", help="the demo fleet, and a server with every fault")


def add_options(parser: argparse.ArgumentParser) -> None:
    """What to scrape, and how: the options of a run."""
    what = parser.add_argument_group("what to scrape")
    config = f"the fleet file (TOML); else ${ENVIRONMENT}, else /etc/telegraf-cvmfs/fleet.toml"
    what.add_argument("--config", metavar="FILE", type=Path, help=config)
    what.add_argument("--fleet", metavar="NAME", help="a public fleet that comes with the program; see `fleets`")
    what.add_argument("--stratum0", metavar="URL", action="append", help="a stratum 0, without a file; repeatable")
    what.add_argument("--stratum1", metavar="URL", action="append", help="a stratum 1, without a file; repeatable")
    named = "scrape this repository on every stratum 1 even if not listed; repeatable"
    what.add_argument("--repo", metavar="NAME", action="append", help=named)
    what.add_argument("--ignore-repo", metavar="NAME", action="append", help="never scrape this one; repeatable")
    only = "watch only repositories that match; on the page show only those; repeatable"
    what.add_argument("--only", metavar="GLOB", action="append", help=only)
    key = "a master public key (PEM); repeatable, any one suffices"
    what.add_argument("--key", metavar="FILE", type=Path, action="append", help=key)
    what.add_argument("--demo", action="store_true", help="scrape the built-in demo fleet, on loopback, instead")
    add_demo_faults(what)
    how = parser.add_argument_group("how")
    how.add_argument("--format", choices=tuple(FORMATS), help="what to print (default: influx)")
    human = "the same as --format human"
    how.add_argument("--print-for-human", action="store_const", const="human", dest="format", help=human)
    _add_page_options(parser)
    output = "write it there instead of to stdout, whole or not at all"
    how.add_argument("--output", metavar="FILE", type=_file, help=output)
    how.add_argument("--deadline", metavar="SECONDS", type=_seconds, help="the whole run's time (default: 45)")
    how.add_argument("--state-dir", metavar="DIR", help="where the memory between runs lies; none for no memory")
    how.add_argument("--spool", metavar="DIR", type=Path, help="keep each run there, as [history] dir does")
    check = "try each server once and say what is wrong, in plain words; scrape nothing"
    how.add_argument("--check", action="store_true", help=check)
    nagios = "print one line and end with 0 to 3, as a check of Nagios or Icinga does; --server narrows it"
    how.add_argument("--nagios", action="store_true", help=nagios)
    how.add_argument("-v", "--verbose", action="store_true", help="say more on stderr")
    how.add_argument("-q", "--quiet", action="store_true", help="say only errors on stderr")


def _add_page_options(parser: argparse.ArgumentParser) -> None:
    page = parser.add_argument_group("the page for a person")
    server = "show only this server, as the fleet file calls it (all are scraped); repeatable"
    page.add_argument("--server", metavar="NAME", action="append", help=server)
    page.add_argument("--all", action="store_true", help="show each replica by itself")
    color = "colours: if stdout is a terminal that has them (auto, the default), always, or never"
    page.add_argument("--color", choices=("auto", "always", "never"), help=color)


def _seconds(text: str) -> timedelta:
    try:
        value = float(text.removesuffix("s"))
        if not 0 < value < 1e6:  # noqa: PLR2004
            raise ValueError
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds greater than 0") from None
    return timedelta(seconds=value)


def _file(text: str) -> Path:
    path = Path(text)
    if not path.name:
        raise argparse.ArgumentTypeError(f"{text!r} is not the name of a file")
    return path


def span(text: str) -> timedelta:
    """A span of time as an option has it, `10m` for instance; argparse tells who wrote another."""
    try:
        return positive_duration(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a span of time such as 10m, 24h or 7d") from None
