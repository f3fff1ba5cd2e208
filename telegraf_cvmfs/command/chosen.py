"""Which fleet the options mean, and where its memory lies."""

from __future__ import annotations

import argparse
import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from telegraf_cvmfs.command.options import ENVIRONMENT
from telegraf_cvmfs.command.terminal import logger, now
from telegraf_cvmfs.emit import FOR_A_PERSON
from telegraf_cvmfs.fleet.watched import FixedFleet, FleetFile, Watched
from telegraf_cvmfs.model import ConfigError, Fleet, Run
from telegraf_cvmfs.net.deadline import Deadline

if TYPE_CHECKING:
    from telegraf_cvmfs.history.spool import Spool


@contextlib.contextmanager
def fleets(options: argparse.Namespace, deadline: Deadline | None = None) -> Iterator[Watched]:
    """What tells the fleet that the options ask for; the demo fleet serves as long as the context lasts.

    A fleet file that is a pipe is waited for until this deadline at the latest.

    Raises:
        ConfigError: the options do not fit together, or the fleet file is wrong; also later, when it is asked for.
    """
    if options.demo or options.demo_faults:
        import tempfile

        from telegraf_cvmfs.demo import DemoFleet

        folder = tempfile.TemporaryDirectory(prefix="telegraf-cvmfs-demo-")
        with folder, DemoFleet(now=now(), faults=options.demo_faults) as demo:
            key = demo.write(Path(folder.name)).parent / "keys" / "demo.pub"
            fleet = _with_options(demo.fleet(keys=(key,)), options)
            yield FixedFleet(fleet)
    else:
        yield _fleet_of_file(options, deadline or Deadline(float("inf")))


@contextlib.contextmanager
def one_fleet(options: argparse.Namespace, deadline: Deadline | None = None) -> Iterator[Fleet]:
    """The fleet that the options ask for, once; as `fleets`."""
    with fleets(options, deadline) as watched:
        yield watched.fleet()


def memory_path(fleet: Fleet, options: argparse.Namespace) -> Path | None:
    """The file of the memory; None for no memory, which the demo, begun anew each time, has no use for."""
    from telegraf_cvmfs.memory.file import default_folder, path_of

    chosen = options.state_dir or fleet.state_dir
    if options.demo or options.demo_faults or chosen == "none":
        return None
    return path_of(Path(chosen) if chosen else default_folder(os.environ), fleet.name)


def spool_folder(options: argparse.Namespace, deadline: Deadline) -> Path:
    """The folder of the spool that the options or the fleet name.

    Raises:
        ConfigError: neither names one, or it is not there; the fleet cannot be read.
    """
    folder: Path | None = options.spool
    if folder is None:
        with one_fleet(options, deadline) as fleet:
            folder = Path(fleet.history.dir) if fleet.history.dir else None
    if folder is None:
        raise ConfigError("no spool is named: --spool DIR does, or [history] dir of the fleet file")
    if not folder.is_dir():
        raise ConfigError(f"spool {folder}: there is no such folder")
    return folder


def keeper(options: argparse.Namespace) -> Callable[[Fleet, Run], None]:
    """What keeps a run in the spool that the options or the fleet name; nothing where none does."""
    spool: Spool | None = None

    def keep(fleet: Fleet, run: Run) -> None:
        nonlocal spool
        folder = options.spool or (Path(fleet.history.dir) if fleet.history.dir else None)
        if folder is None:
            return
        if spool is None:
            from telegraf_cvmfs.history.spool import Spool

            spool = Spool(logger(options))
        spool.keep(folder, run)

    return keep


def _fleet_of_file(options: argparse.Namespace, deadline: Deadline) -> Watched:
    """The fleet of the fleet file and the options, read again whenever the file has changed."""
    from telegraf_cvmfs.fleet import file as fleet_file
    from telegraf_cvmfs.fleet import maintenance

    path = _path(options)
    if path is not None and not options.fleet:
        patience = (options.deadline or Fleet(servers=()).deadline).total_seconds()

        def over() -> bool:
            return deadline.passed or deadline.spent > patience

        return FleetFile(path, lambda file: _complete(fleet_file.load(file, over), options, file), logger(options))
    fleet = _complete(_with_name(options), options, path)
    if memory_path(fleet, options) is None:
        return FixedFleet(fleet)
    # What may change is only what is under maintenance.
    own = _maintenance_in_state(fleet, options)
    return FleetFile(own, lambda file: replace(fleet, maintenance=maintenance.load(file)), logger(options))


def maintenance_file(options: argparse.Namespace) -> Path:
    """Where windows of maintenance are added: beside the fleet file, or where the memory lies if there is none of ours.

    Raises:
        ConfigError: there is neither.
    """
    from telegraf_cvmfs.fleet import maintenance

    path = None if options.fleet else _path(options)
    return _maintenance_in_state(_with_name(options), options) if path is None else maintenance.beside(path)


def _maintenance_in_state(fleet: Fleet, options: argparse.Namespace) -> Path:
    memory = memory_path(fleet, options)
    if memory is None:
        raise ConfigError("maintenance: without a fleet file it is kept in --state-dir, and there is none")
    return memory.with_suffix(".maintenance.toml")


def _with_name(options: argparse.Namespace) -> Fleet:
    from telegraf_cvmfs.fleet import file as fleet_file

    path = _named_fleet(options)
    return Fleet(servers=()) if path is None else fleet_file.load(path)


def _only(options: argparse.Namespace) -> Sequence[str]:
    """What alone is scraped. A page shows no more than that, but it speaks of the whole, so the rest is scraped too."""
    return () if options.format in FOR_A_PERSON else options.only


def _path(options: argparse.Namespace) -> Path | None:
    """The fleet file that is meant; None where the options name the servers themselves."""
    from telegraf_cvmfs.fleet.file import DEFAULT_PATH

    if options.fleet and options.config:
        raise ConfigError("--fleet and --config: only one of them can say what to scrape")
    path: Path | None = _named_fleet(options) or options.config
    if path is not None or options.stratum0 or options.stratum1:
        return path
    if named := os.environ.get(ENVIRONMENT):
        return Path(named)
    if not DEFAULT_PATH.exists():
        what = f"nothing to scrape: give --config, --stratum0, --stratum1 or --demo ({DEFAULT_PATH} does not exist)"
        raise ConfigError(what)
    return DEFAULT_PATH


def _named_fleet(options: argparse.Namespace) -> Path | None:
    from telegraf_cvmfs.fleet import public

    return public.path(options.fleet) if options.fleet else None


def _complete(fleet: Fleet, options: argparse.Namespace, path: Path | None) -> Fleet:
    """The fleet of the file with the servers that the command line names."""
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
        only=(*fleet.only, *_only(options)),
        keys=(*fleet.keys, *options.key),
        deadline=options.deadline or fleet.deadline,
    )
