"""The sub-command `demo`: serve a fleet that lives, or print what runs of its past would have printed."""

from __future__ import annotations

import argparse
import contextlib
import signal
import tempfile
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

from telegraf_cvmfs.command import options as run_options
from telegraf_cvmfs.command.terminal import OutputError, logger, now, show
from telegraf_cvmfs.demo.fleet import KEY, NAME, DemoFleet
from telegraf_cvmfs.demo.history import history, moments
from telegraf_cvmfs.emit import emitter
from telegraf_cvmfs.history.spool import write as write_spooled
from telegraf_cvmfs.memory import file as memory_file
from telegraf_cvmfs.memory.state import State
from telegraf_cvmfs.model import ConfigError, Run
from telegraf_cvmfs.net.deadline import Deadline, ending_signals
from telegraf_cvmfs.words.log import Log

STEP, SPOOLED_STEP = timedelta(minutes=10), timedelta(hours=2)
TICK = 10
"""Seconds after which the fleet that serves moves on; all that happens to it happens at whole minutes."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """What the demo serves, or what it prints instead."""
    parser.set_defaults(directory=None, history=None, step=None, spool=None)
    run_options.add_demo_faults(parser)
    directory = "where its fleet file lies while it serves: fleet.toml, and the key (default: a temporary directory)"
    parser.add_argument("--directory", metavar="DIR", type=Path, help=directory)
    past = "do not serve: print what runs of so long until now (24h, say) would have printed, oldest first, and end"
    parser.add_argument("--history", metavar="SPAN", type=run_options.span, help=past)
    step = "the time between those runs (default: 10m; with --spool 2h)"
    parser.add_argument("--step", metavar="SPAN", type=run_options.span, help=step)
    spool = "keep those runs there, as a scrape with --spool does, instead of printing them"
    parser.add_argument("--spool", metavar="DIR", type=Path, help=spool)
    memory = "leave the memory of those runs there, as for a scrape (default: nowhere)"
    parser.add_argument("--state-dir", metavar="DIR", help=memory)


def run(options: argparse.Namespace, deadline: Deadline) -> int:
    """Serve the demo fleet, so that Telegraf or a browser can be pointed at it, or print its past; always 0."""
    if options.history is None:
        serve(options, deadline)
    else:
        print_history(options, deadline, now(), logger(options))
    return 0


def serve(options: argparse.Namespace, deadline: Deadline, clock: Callable[[], datetime] = now) -> None:
    """Serve the living fleet until SIGTERM, SIGINT or SIGHUP, or not at all if one came before.

    Raises:
        ConfigError: the fleet file cannot be written, or the clock is years behind.
    """
    if options.step is not None:
        raise ConfigError("demo: --step is the time between runs of --history, which was not asked for")
    if options.state_dir is not None:
        raise ConfigError("demo: --state-dir is for the memory of --history, which was not asked for")
    if options.spool is not None:
        raise ConfigError("demo: --spool is for the runs of --history, which was not asked for")
    signals = ending_signals()
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    if deadline.passed:
        return
    with DemoFleet(clock(), faults=options.demo_faults) as demo:
        _advance(demo, clock())
        with _fleet_file(demo, options.directory) as path:
            lines = [f"{server.role.value}  {server.url}  {server.name}" for server in demo.fleet().servers]
            show(f"{line}\n" for line in [*lines, f"fleet file  {path}"])
            while signal.sigtimedwait(signals, TICK) is None:
                _advance(demo, max(demo.now, clock()))  # a clock may be set back


def print_history(options: argparse.Namespace, deadline: Deadline, until: datetime, log: Log) -> None:
    """Print the runs of the last `options.history`, or spool them, oldest first and each as soon as it is made.

    With a state directory their memory is left there, for whoever scrapes the fleet from now on.

    Raises:
        ConfigError: the options do not fit together, or there is no such history.
        OutputError: a run cannot be spooled.
    """
    if options.directory is not None:
        raise ConfigError("demo: --directory is for a demo that serves, and --history serves nobody")
    try:
        when = moments(until, options.history, options.step or (SPOOLED_STEP if options.spool else STEP))
    except ValueError as error:
        raise ConfigError(f"demo: --history: {error}") from error
    keeper, tell = State(None, log), _teller(options)
    runs = history(when, keeper, log, faults=options.demo_faults)
    with contextlib.closing(runs):
        for run in runs:
            if deadline.passed:
                return
            tell(run)
    if options.state_dir not in (None, "none"):
        try:
            memory_file.write(memory_file.path_of(Path(options.state_dir), NAME), keeper.memory)
        except memory_file.StateError as error:
            log(f"W! {error}")


def _teller(options: argparse.Namespace) -> Callable[[Run], None]:
    """What becomes of a run of the past."""
    folder, emit = options.spool, emitter(options.format)
    if folder is None:
        return lambda run: show(emit(run))

    def spooled(run: Run) -> None:
        try:
            write_spooled(folder, run)
        except OSError as error:
            raise OutputError(f"demo: --spool {folder}: {error.strerror or error}") from error

    return spooled


def _advance(demo: DemoFleet, moment: datetime) -> None:
    try:
        demo.advance(moment)
    except ValueError as error:
        raise ConfigError(f"demo: {error}") from error


@contextlib.contextmanager
def _fleet_file(demo: DemoFleet, directory: Path | None) -> Iterator[Path]:
    """Its fleet file while it serves, in a temporary directory unless there is another."""
    if directory is None:
        with tempfile.TemporaryDirectory(prefix="telegraf-cvmfs-demo-") as temporary:
            yield demo.write(Path(temporary))
        return
    folders = (directory, (directory / KEY).parent)
    made = [folder for folder in folders if not folder.exists()]
    try:
        path = demo.write(directory)
    except OSError as error:
        raise ConfigError(f"demo: --directory {directory} cannot be written: {error.strerror or error}") from error
    ours = {each: each.read_bytes() for each in (path, directory / KEY)}
    try:
        yield path
    finally:
        for each, content in ours.items():
            with contextlib.suppress(OSError):  # whoever removed it, or put another there, meant it
                if each.read_bytes() == content:
                    each.unlink()
        for folder in reversed(made):
            with contextlib.suppress(OSError):  # somebody else has put something there
                folder.rmdir()
