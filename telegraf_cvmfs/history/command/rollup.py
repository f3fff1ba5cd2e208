"""`history rollup`: add up the hours that are over, and leave of old runs what is to be kept."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from telegraf_cvmfs.command.chosen import one_fleet, spool_folder
from telegraf_cvmfs.command.progress import bar
from telegraf_cvmfs.command.terminal import OutputError, logger, show, watched
from telegraf_cvmfs.emit.phrases import size
from telegraf_cvmfs.history.exclusive import lock
from telegraf_cvmfs.history.instants import iso, now
from telegraf_cvmfs.history.spool import fleets
from telegraf_cvmfs.model import ConfigError, History, Keep
from telegraf_cvmfs.net.deadline import Deadline

if TYPE_CHECKING:
    from telegraf_cvmfs.history.rollup.rollups import Rollups

_WHAT = "history rollup"


def rollup(options: argparse.Namespace, deadline: Deadline) -> int:
    """Roll up, thin, and say how much of each; 1 if an hour could not be, or another program is at it.

    Raises:
        ConfigError: there is no spool, or a package is missing.
        OutputError: something cannot be read or written.
    """
    try:
        from telegraf_cvmfs.history.rollup.rollups import Rollups
    except ImportError as error:
        raise ConfigError(f"{_WHAT}: {error}: pip install 'telegraf-cvmfs[history]'") from error
    folder = spool_folder(options, deadline)
    keep = () if options.no_thin else _keep(options, deadline)
    try:
        return max((_one(Rollups(folder, fleet), keep, options) for fleet in fleets(folder)), default=0)
    except (OSError, ValueError) as error:
        raise OutputError(f"{_WHAT}: {error}") from error


def _keep(options: argparse.Namespace, deadline: Deadline) -> Sequence[Keep]:
    if options.keep:
        return tuple(options.keep)
    if options.spool is not None:
        return History().keep
    with one_fleet(options, deadline) as fleet:
        return fleet.history.keep


def _one(rollups: Rollups, keep: Sequence[Keep], options: argparse.Namespace) -> int:
    log, failed = logger(options), list[datetime]()

    def told(hour: datetime, error: Exception) -> None:
        failed.append(hour)
        log(f"E! {_WHAT}: {iso(hour)}: {error}")

    with _locked(rollups.root) as had:
        if not had:
            log(f"E! {_WHAT}: {rollups.fleet}: another program rolls up here")
            return 1
        with bar(f"hours of {rollups.fleet}", shown=watched(options)) as moved:
            hours = rollups.update(now(), told, moved)
        gone = rollups.thin(keep, now()) if keep else 0
    runs, of_runs, rolled = rollups.sizes()
    done = f"{hours} hours rolled up, {gone} runs thinned"
    show([f"{rollups.fleet}: {done}; {runs} runs in {size(of_runs)} and rollups in {size(rolled)} are kept\n"])
    return 1 if failed else 0


def _locked(root: Path) -> AbstractContextManager[bool]:
    root.mkdir(parents=True, exist_ok=True, mode=0o750)
    return lock(root / "lock")
