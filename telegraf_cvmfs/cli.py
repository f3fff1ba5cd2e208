"""The command: options, exit codes, signals; the only print and the only clock.

stdout carries the chosen format and nothing else, in one write of whole lines. Everything for the operator
goes to stderr in Telegraf's form, and its first line says all: Telegraf keeps no more of it.
"""

import time

_STARTED = time.monotonic()  # before the imports below, which are part of the time that Telegraf gives us

import argparse
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NoReturn, TypedDict

from telegraf_cvmfs._version import __version__
from telegraf_cvmfs.deadline import Deadline
from telegraf_cvmfs.emit import FORMATS, emitter
from telegraf_cvmfs.model import ConfigError, Fleet, Run

OK, NO_OUTPUT, WRONG_USE = 0, 1, 2
ENVIRONMENT = "TELEGRAF_CVMFS_CONFIG"


def entry() -> NoReturn:
    """Run the command and end the process, without waiting for name look-ups that hang."""
    _occupy_standard_descriptors()
    code = main(sys.argv[1:])
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(code)


def main(arguments: Sequence[str]) -> int:
    """Run the command; returns its exit code."""
    try:
        options = _parser().parse_args(arguments)
        return int(options.command(options))
    except SystemExit as end:  # argparse, after --help and --version
        return int(end.code or OK)
    except ConfigError as error:
        _tell(f"E! {error}")
        return WRONG_USE
    except BrokenPipeError:
        return OK  # whoever read us has had enough
    except _OutputError as error:
        _tell(f"E! stdout: {error}")
        return NO_OUTPUT
    except Exception as error:  # noqa: BLE001  # Telegraf would show "Traceback" and nothing else
        _tell(f"E! internal error, please report it: {type(error).__name__}: {error} (in {_place(error)})")
        return NO_OUTPUT


def _place(error: BaseException) -> str:
    """Where it happened, for the report."""
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    return "?" if at is None else f"{at.tb_frame.f_globals.get('__name__')}, line {at.tb_lineno}"


# --- options ----------------------------------------------------------------------------------------


class _Parser(argparse.ArgumentParser):
    """argparse, but the first line of stderr says what is wrong instead of how to use the command."""

    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{message} (see telegraf-cvmfs --help)")


class _Many(TypedDict):
    """The arguments that make an option repeatable."""

    action: str
    default: list[str]


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="telegraf-cvmfs",
        description="Scrape CernVM-FS servers once and print what was found.",
        epilog="Without a sub-command it scrapes. Exit codes: 0 the run was made, even if every server was down; "
        "2 wrong option or fleet file.",
        allow_abbrev=False,
    )
    _add_fleet_options(parser)
    _add_run_options(parser)
    parser.add_argument("--version", action=_Version)
    parser.set_defaults(command=_scrape)
    commands = parser.add_subparsers(title="sub-commands", metavar="COMMAND")
    demo = commands.add_parser("demo", help="serve the demo fleet on loopback until interrupted", allow_abbrev=False)
    demo.set_defaults(command=_demo)
    return parser


def _add_fleet_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what to scrape")
    many = _Many(action="append", default=[])
    config = f"the fleet file (TOML); else ${ENVIRONMENT}, else /etc/telegraf-cvmfs/fleet.toml"
    group.add_argument("--config", metavar="FILE", type=Path, help=config)
    group.add_argument("--stratum0", metavar="URL", help="a stratum 0, without a file; repeatable", **many)
    group.add_argument("--stratum1", metavar="URL", help="a stratum 1, without a file; repeatable", **many)
    named = "scrape this repository on every stratum 1 even if not listed; repeatable"
    group.add_argument("--repo", metavar="NAME", help=named, **many)
    group.add_argument("--ignore-repo", metavar="NAME", help="never scrape this repository; repeatable", **many)
    group.add_argument("--only", metavar="GLOB", help="watch only repositories that match; repeatable", **many)
    group.add_argument("--demo", action="store_true", help="scrape the built-in demo fleet, on loopback, instead")


def _add_run_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("how")
    group.add_argument("--format", choices=tuple(FORMATS), default="influx", help="what to print (default: influx)")
    group.add_argument(
        "--print-for-human", action="store_const", const="human", dest="format", help="the same as --format human"
    )
    group.add_argument("--deadline", metavar="SECONDS", type=_seconds, help="the whole run's time (default: 45)")
    group.add_argument("-v", "--verbose", action="store_true", help="say more on stderr")
    group.add_argument("-q", "--quiet", action="store_true", help="say only errors on stderr")


def _seconds(text: str) -> timedelta:
    try:
        value = float(text.removesuffix("s"))
        if not 0 < value < 1e6:  # noqa: PLR2004
            raise ValueError
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds greater than 0") from None
    return timedelta(seconds=value)


class _Version(argparse.Action):
    """`--version`: argparse's own would need a line in the format of its usage text."""

    def __init__(self, option_strings: Sequence[str], dest: str) -> None:
        super().__init__(option_strings, dest, nargs=0, help="print the version and exit")

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        _print(f"telegraf-cvmfs {__version__}\n")
        parser.exit(OK)


# --- commands ---------------------------------------------------------------------------------------


def _scrape(options: argparse.Namespace) -> int:
    """Scrape once and print."""
    deadline = Deadline(float("inf"), _STARTED)
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: deadline.cut())
    with _fleet(options) as fleet:
        deadline.shorten(fleet.deadline.total_seconds())
        run = _run(fleet, deadline, options)
    text = emitter(options.format)(run, terminal=options.format == "human" and _colours())
    _print(text)
    _summarise(run, _complainer(options))
    return OK


def _summarise(run: Run, complain: Callable[[str], None]) -> None:
    """What is worth a line in Telegraf's log; the findings are in the points."""
    if run.deadline_hit:
        took = run.duration.total_seconds()
        complain(f"W! the run's time was up after {took:.1f} s before everything was read (--deadline)")
    for server in run.servers:
        said = "; ".join(finding.problem for finding in server.findings) or "ok"
        up = sum(replica.replica.up for replica in server.replicas)
        name = server.stratum.server.name
        complain(f"I! {name}: {up} of {len(server.replicas)} repositories up: {said}")


def _run(fleet: Fleet, deadline: Deadline, options: argparse.Namespace) -> Run:
    """One run: the flow of the house, from a fleet to a judged value."""
    from telegraf_cvmfs.assess import assess
    from telegraf_cvmfs.fetch import Network
    from telegraf_cvmfs.visit import scrape

    began = time.monotonic()
    network = Network(deadline, fleet.connections_per_server, fleet.proxy)
    with _progress(fleet, options) as tick:
        seen = scrape(fleet, datetime.now(UTC), network, _complainer(options), tick)
    network.close()
    return assess(seen, timedelta(seconds=time.monotonic() - began))


@contextlib.contextmanager
def _fleet(options: argparse.Namespace) -> Iterator[Fleet]:
    """The fleet that the options ask for; the demo fleet serves as long as the context lasts."""
    if options.demo:
        from telegraf_cvmfs.demo import DemoFleet

        with DemoFleet(now=datetime.now(UTC)) as demo:
            yield _with_options(demo.fleet(), options)
    else:
        yield _with_options(_fleet_of_file(options), options)


def _fleet_of_file(options: argparse.Namespace) -> Fleet:
    from telegraf_cvmfs import config

    path = options.config or (Path(os.environ[ENVIRONMENT]) if os.environ.get(ENVIRONMENT) else None)
    servers = bool(options.stratum0 or options.stratum1)
    if path is None and not servers:
        path = config.DEFAULT_PATH
        if not path.exists():
            what = f"nothing to scrape: give --config, --stratum0, --stratum1 or --demo ({path} does not exist)"
            raise ConfigError(what)
    fleet = Fleet(servers=()) if path is None else config.load(path)
    fleet = config.with_servers(fleet, options.stratum0, options.stratum1)
    if not fleet.servers:
        raise ConfigError(f"fleet file {path}: no [[server]] in it, and none given by --stratum0 or --stratum1")
    return fleet


def _with_options(fleet: Fleet, options: argparse.Namespace) -> Fleet:
    """What the command line says beside the servers goes on top of the file."""
    from telegraf_cvmfs import settings

    try:
        repos = settings.repository_names(options.repo)
    except ValueError as error:
        raise ConfigError(f"--repo: expected {error}") from error
    return replace(
        fleet,
        repos=(*fleet.repos, *repos),
        ignore_repos=(*fleet.ignore_repos, *options.ignore_repo),
        only=(*fleet.only, *options.only),
        deadline=options.deadline or fleet.deadline,
    )


def _demo(_options: argparse.Namespace) -> int:
    """Serve the demo fleet until interrupted, so that Telegraf or a browser can be pointed at it."""
    import tempfile

    from telegraf_cvmfs.demo import DemoFleet

    signals = (signal.SIGTERM, signal.SIGINT)
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    folder = tempfile.TemporaryDirectory(prefix="telegraf-cvmfs-demo-")
    with folder, DemoFleet(now=datetime.now(UTC)) as demo:
        path = demo.write(Path(folder.name))
        lines = [f"{server.role.value}  {server.url}  {server.name}" for server in demo.fleet().servers]
        _print("\n".join([*lines, f"fleet file  {path}", ""]))
        signal.sigwait(signals)
    return OK


# --- the operator -----------------------------------------------------------------------------------


def _complainer(options: argparse.Namespace) -> Callable[[str], None]:
    """Errors always, warnings unless quiet, information if verbose."""

    def complain(line: str) -> None:
        level = line[:2]
        if level == "E!" or (level == "W!" and not options.quiet) or options.verbose:
            _tell(line)

    return complain


@contextlib.contextmanager
def _progress(fleet: Fleet, options: argparse.Namespace) -> Iterator[Callable[[str], None]]:
    """A progress bar for a person who waits at a terminal; nothing otherwise."""
    if options.format == "human" and not options.quiet and sys.stderr.isatty():
        from telegraf_cvmfs.progress import progress

        with progress(len(fleet.servers)) as tick:
            yield tick
    else:
        yield lambda _name: None


def _colours() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def _tell(line: str) -> None:
    """One line to stderr; an operator who closed it does not want to hear of it."""
    with contextlib.suppress(OSError, ValueError):
        print(line.replace("\n", " "), file=sys.stderr, flush=True)


class _OutputError(Exception):
    """What was found could not be written."""


def _print(text: str) -> None:
    """All that goes to stdout, in UTF-8 whatever the locale.

    Raises:
        BrokenPipeError: nobody reads it.
        _OutputError: it cannot be written; the disk is full, say.
    """
    if sys.stdout is None:
        raise _OutputError("it is closed, nothing can be printed")
    data = memoryview(text.encode(errors="replace"))
    try:
        sys.stdout.flush()
        while data:
            data = data[os.write(sys.stdout.fileno(), data) :]
    except BrokenPipeError:
        raise
    except OSError as error:
        raise _OutputError(error.strerror or str(error)) from error


def _occupy_standard_descriptors() -> None:
    """Where stdin, stdout or stderr is closed, the next socket would take its number, and our output."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
