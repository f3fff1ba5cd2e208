"""The command: options, exit codes, signals; the only print and the only clock.

stdout carries the chosen format and nothing else, in one write of whole lines. Everything for the operator
goes to stderr in Telegraf's form, and its first line says all: Telegraf keeps no more of it.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from telegraf_cvmfs.command.options import ENVIRONMENT, parse
from telegraf_cvmfs.emit import emitter
from telegraf_cvmfs.model import ConfigError, Fleet, Run
from telegraf_cvmfs.net.deadline import Deadline
from telegraf_cvmfs.words.log import Log

if TYPE_CHECKING:
    from telegraf_cvmfs.memory.file import State
    from telegraf_cvmfs.net.names import Names
    from telegraf_cvmfs.trust.keys import Keyring

OK, NO_OUTPUT, WRONG_USE = 0, 1, 2


def main(arguments: Sequence[str], deadline: Deadline | None = None) -> int:
    """Run the command within a deadline, which its options shorten; returns its exit code."""
    try:
        options = parse(arguments)
        return _COMMANDS[options.command](options, deadline or Deadline(float("inf")))
    except SystemExit as end:  # argparse, after --help and --version
        sys.stdout.flush()
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


# --- commands ---------------------------------------------------------------------------------------


def _once(options: argparse.Namespace, deadline: Deadline) -> int:
    """Scrape once and print."""
    from telegraf_cvmfs.trust.keys import Keyring

    with _fleet(options) as fleet:
        _round(fleet, deadline, options, Keyring(fleet, _logger(options)), _state(fleet, options))
    return OK


def _execd(options: argparse.Namespace, deadline: Deadline) -> int:
    """Scrape and print for each newline on stdin, until it ends."""
    from telegraf_cvmfs.command.execd import Rounds
    from telegraf_cvmfs.net.names import Names
    from telegraf_cvmfs.trust.keys import Keyring

    rounds = Rounds(descriptor=0)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: rounds.stop())
    if deadline.passed:  # the signal came while this was imported
        return OK
    names, log = Names(), _logger(options)
    with _fleets(options) as current:
        fleet = current()
        keyring, state, wrong = Keyring(fleet, log), _state(fleet, options), ""
        for _ in rounds:
            within, fleet = rounds.begin(Deadline(float("inf"))), current()
            try:
                keyring, wrong = Keyring(fleet, log), ""
            except ConfigError as error:
                if str(error) != wrong:  # said once, not at every newline
                    log(f"E! {error}; the keys as they were before stay in use")
                wrong = str(error)
            if state.path != _memory_path(fleet, options):
                state = _state(fleet, options)
            _round(fleet, within, options, keyring, state, names=names, answered=rounds.answered)
            names.forget()
    return OK


def _round(
    fleet: Fleet,
    deadline: Deadline,
    options: argparse.Namespace,
    keyring: Keyring,
    state: State,
    *,
    names: Names | None = None,
    answered: Callable[[], None] = lambda: None,
) -> None:
    """One run from the fleet to its printed text; what is worth remembering is kept."""
    from telegraf_cvmfs.assess.verdicts import assess
    from telegraf_cvmfs.net.fetch import Network
    from telegraf_cvmfs.scraping.visits import scrape

    deadline.shorten(fleet.deadline.total_seconds())
    began = time.monotonic()
    _open_enough_files()
    network = Network(deadline, fleet.connections_per_server, fleet.proxy, names=names)
    log = _logger(options)
    now = datetime.now(UTC)
    inconsistent = partial(keyring.inconsistent, now=now)
    with _progress(fleet, options) as tick:
        seen = scrape(fleet, now, network, log, done=tick, memory=state.memory, inconsistent=inconsistent)
    network.close()
    run = assess(seen, timedelta(seconds=time.monotonic() - began), state.memory, keyring.judge)
    text = emitter(options.format)(run, terminal=options.format == "human" and _colours())
    answered()
    _print(text)
    state.keep(run)
    _summarise(run, log)


def _state(fleet: Fleet, options: argparse.Namespace) -> State:
    from telegraf_cvmfs.memory.file import State

    return State(_memory_path(fleet, options), _logger(options))


def _memory_path(fleet: Fleet, options: argparse.Namespace) -> Path | None:
    """The file of the memory; None for no memory, which the demo, begun anew each time, has no use for."""
    from telegraf_cvmfs.memory.file import default_folder, path_of

    chosen = options.state_dir or fleet.state_dir
    if options.demo or options.demo_faults or chosen == "none":
        return None
    return path_of(Path(chosen) if chosen else default_folder(os.environ), fleet.name)


def _open_enough_files() -> None:
    """A large fleet has more connections than the thousand files that a process may usually have open."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _summarise(run: Run, log: Log) -> None:
    """What is worth a line in Telegraf's log; the findings are in the points."""
    if run.deadline_hit:
        took = run.duration.total_seconds()
        log(f"W! the run's time was up after {took:.1f} s before everything was read (--deadline)")
    for server in run.servers:
        said = "; ".join(finding.problem for finding in server.findings) or "ok"
        up = sum(replica.replica.up for replica in server.replicas)
        name = server.stratum.server.label
        log(f"I! {name}: {up} of {len(server.replicas)} repositories up: {said}")


@contextlib.contextmanager
def _fleets(options: argparse.Namespace) -> Iterator[Callable[[], Fleet]]:
    """The fleet that the options ask for, each time it is asked; the demo fleet serves as long as the context lasts."""
    if options.demo or options.demo_faults:
        import tempfile

        from telegraf_cvmfs.demo import DemoFleet

        folder = tempfile.TemporaryDirectory(prefix="telegraf-cvmfs-demo-")
        with folder, DemoFleet(now=datetime.now(UTC), faults=options.demo_faults) as demo:
            key = demo.write(Path(folder.name)).parent / "keys" / "demo.pub"
            fleet = _with_options(demo.fleet(keys=(key,)), options)
            yield lambda: fleet
    else:
        yield _fleet_of_file(options)


@contextlib.contextmanager
def _fleet(options: argparse.Namespace) -> Iterator[Fleet]:
    with _fleets(options) as current:
        yield current()


def _fleet_of_file(options: argparse.Namespace) -> Callable[[], Fleet]:
    """The fleet of the fleet file and the options, read again whenever the file has changed."""
    from telegraf_cvmfs.fleet import file as fleet_file
    from telegraf_cvmfs.fleet.watched import FleetFile

    if options.fleet and options.config:
        raise ConfigError("--fleet and --config: only one of them can say what to scrape")
    path = _named_fleet(options) or options.config
    without_file = bool(options.stratum0 or options.stratum1)
    if path is None and not without_file and (named := os.environ.get(ENVIRONMENT)):
        path = Path(named)
    if path is None and not without_file:
        path = fleet_file.DEFAULT_PATH
        if not path.exists():
            what = f"nothing to scrape: give --config, --stratum0, --stratum1 or --demo ({path} does not exist)"
            raise ConfigError(what)

    def load(path: Path) -> Fleet:
        return _complete(fleet_file.load(path), options, path)

    if path is None:
        fleet = _complete(Fleet(servers=()), options, None)
        return lambda: fleet
    return FleetFile(path, load, _logger(options)).fleet


def _named_fleet(options: argparse.Namespace) -> Path | None:
    from telegraf_cvmfs.fleet import public

    return public.path(options.fleet) if options.fleet else None


def _list_fleets(_options: argparse.Namespace, _deadline: Deadline) -> int:
    """Which public fleets come with the program."""
    from telegraf_cvmfs.fleet import public

    _print(public.describe())
    return OK


def _complete(fleet: Fleet, options: argparse.Namespace, path: Path | None) -> Fleet:
    from telegraf_cvmfs.fleet import file as fleet_file

    fleet = fleet_file.with_servers(fleet, options.stratum0, options.stratum1)
    if not fleet.servers:
        raise ConfigError(f"fleet file {path}: no [[server]] in it, and none given by --stratum0 or --stratum1")
    return _with_options(fleet, options)


def _with_options(fleet: Fleet, options: argparse.Namespace) -> Fleet:
    """What the command line says beside the servers goes on top of the file."""
    from telegraf_cvmfs.fleet import file as fleet_file
    from telegraf_cvmfs.fleet import values

    try:
        repos = values.repository_names(options.repo)
    except ValueError as error:
        raise ConfigError(f"--repo: expected {error}") from error
    for key in options.key:
        if problem := fleet_file.key_problem(key):
            raise ConfigError(f"--key: {problem}")
    return replace(
        fleet,
        repos=(*fleet.repos, *repos),
        ignore_repos=(*fleet.ignore_repos, *options.ignore_repo),
        only=(*fleet.only, *options.only),
        keys=(*fleet.keys, *options.key),
        deadline=options.deadline or fleet.deadline,
    )


def _check(options: argparse.Namespace, deadline: Deadline) -> int:
    """Say what would be scraped and what is wrong, in plain words."""
    from telegraf_cvmfs.doctor.servers import check
    from telegraf_cvmfs.doctor.telegraf_files import telegraf_settings
    from telegraf_cvmfs.net.fetch import Network
    from telegraf_cvmfs.scraping.visits import probe
    from telegraf_cvmfs.trust.keys import Keyring

    with _fleet(options) as fleet:
        deadline.shorten(fleet.deadline.total_seconds())
        network = Network(deadline, fleet.connections_per_server, fleet.proxy)
        now, log = datetime.now(UTC), _logger(options)
        judge = partial(Keyring(fleet, log).judge, now=now)
        lines = [*check(fleet, probe(fleet, now, network, log), judge), _check_memory(fleet, options)]
        for path, text in _telegraf_files():
            lines += telegraf_settings(str(path), text, fleet.deadline)
    _print("\n".join(lines) + "\n")
    return OK


def _check_memory(fleet: Fleet, options: argparse.Namespace) -> str:
    from telegraf_cvmfs.memory.file import problem

    path = _memory_path(fleet, options)
    if path is None:
        return "memory: none"
    wrong = problem(path)
    return f"memory: ok, {path}" if wrong is None else f"memory: {wrong}"


def _telegraf_files() -> Iterator[tuple[Path, str]]:
    """Telegraf's own settings, where this user may read them: they must fit ours."""
    main = Path(os.environ.get("TELEGRAF_CONFIG_PATH") or "/etc/telegraf/telegraf.conf")
    for path in (main, *sorted(main.parent.glob("telegraf.d/*.conf"))):
        with contextlib.suppress(OSError, UnicodeDecodeError):
            yield path, path.read_text(encoding="utf-8")


def _demo(options: argparse.Namespace, deadline: Deadline) -> int:
    """Serve the demo fleet, so that Telegraf or a browser can be pointed at it, or print its past."""
    from telegraf_cvmfs.demo import command

    if options.history is None:
        command.serve(options, deadline, lambda: datetime.now(UTC), _print)
    else:
        command.print_history(options, deadline, datetime.now(UTC), _print, _logger(options))
    return OK


def _doctor(options: argparse.Namespace, deadline: Deadline) -> int:
    """Walk from here to Grafana, and say where the chain breaks."""
    from telegraf_cvmfs import doctor
    from telegraf_cvmfs.fleet import file as fleet_file

    deadline.shorten((options.deadline or doctor.DEADLINE).total_seconds())
    options.deadline = None  # a run has its own, as when Telegraf asks for it
    file = options.config or os.environ.get(ENVIRONMENT) or fleet_file.DEFAULT_PATH
    without = options.fleet or options.stratum0 or options.stratum1 or options.demo or options.demo_faults
    ours = doctor.Plugin(partial(_fleet, options), partial(_memory_path, options=options), "" if without else str(file))
    text, code = doctor.examine(options, ours, deadline, lambda: datetime.now(UTC), os.environ)
    _print(text)
    return code


_COMMANDS = {"once": _once, "doctor": _doctor, "execd": _execd, "check": _check, "demo": _demo, "fleets": _list_fleets}


# --- the operator -----------------------------------------------------------------------------------


def _logger(options: argparse.Namespace) -> Log:
    """Errors always, warnings unless quiet, information if verbose."""

    def log(line: str) -> None:
        level = line[:2]
        if level == "E!" or (level == "W!" and not options.quiet) or options.verbose:
            _tell(line)

    return log


@contextlib.contextmanager
def _progress(fleet: Fleet, options: argparse.Namespace) -> Iterator[Callable[[str], None]]:
    """A progress bar for a person who waits at a terminal; nothing otherwise."""
    if options.format == "human" and not options.quiet and sys.stderr.isatty():
        from telegraf_cvmfs.command.progress import progress

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
