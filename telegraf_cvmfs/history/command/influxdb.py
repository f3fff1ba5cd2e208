"""`history replay` and `history import`: runs of a spool into an InfluxDB, and back."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from telegraf_cvmfs.command.chosen import one_fleet, spool_folder
from telegraf_cvmfs.command.progress import bar
from telegraf_cvmfs.command.terminal import OutputError, show, watched
from telegraf_cvmfs.history.instants import now
from telegraf_cvmfs.history.spool import SpoolError, kept
from telegraf_cvmfs.model import ConfigError
from telegraf_cvmfs.net.deadline import Deadline
from telegraf_cvmfs.net.influxdb import Database, DatabaseError

if TYPE_CHECKING:
    from telegraf_cvmfs.history.influxdb.database import Influx

WHERE = "a password and a token come from $INFLUXDB_PASSWORD and $INFLUXDB_TOKEN; with a token it is an InfluxDB 2"

OPTIONS = ("influxdb_url", "influxdb_database", "influxdb_username", "influxdb_org")
"""As they are called when they have been read."""


def add_options(group: argparse._ArgumentGroup) -> None:
    """Which InfluxDB."""
    group.add_argument("--influxdb-url", metavar="URL", help="else $INFLUXDB_URL")
    group.add_argument("--influxdb-database", metavar="NAME", help="or bucket; else $INFLUXDB_DATABASE, else cvmfs")
    group.add_argument("--influxdb-username", metavar="NAME", help="else $INFLUXDB_USERNAME")
    group.add_argument("--influxdb-org", metavar="NAME", help="of InfluxDB 2; else $INFLUXDB_ORG, else cvmfs")


def replay(options: argparse.Namespace, deadline: Deadline) -> int:
    """Write the runs of a span, and say how many.

    Raises:
        ConfigError: there is no spool or no database, or a package is missing.
        OutputError: something cannot be read or written.
    """
    folder = spool_folder(options, deadline)
    with _database(options) as database:
        from telegraf_cvmfs.history.influxdb.transfer import replay as replayed

        runs = kept(folder, options.since, options.until)
        with bar("runs", shown=watched(options)) as moved:
            points = replayed(runs, database, moved)
    show([f"{len(runs)} runs replayed, {points} points\n"])
    return 0


def import_(options: argparse.Namespace, deadline: Deadline) -> int:
    """Read the runs of a span into the spool, and say how many; those that are there stay as they are.

    Raises:
        ConfigError: no spool, no span or no database is named, or a package is missing.
        OutputError: something cannot be read or written.
    """
    if options.since is None:
        raise ConfigError("history import: --since says from when")
    until: datetime = options.until or now()
    if until <= options.since:
        raise ConfigError("history import: --since is not in the past")
    folder = _folder(options, deadline)
    with _database(options) as database:
        from telegraf_cvmfs.history.influxdb.transfer import import_runs

        with bar("hours", shown=watched(options)) as moved:
            count = import_runs(database, folder, options.since.astimezone(UTC), until.astimezone(UTC), moved)
    show([f"{count} runs imported\n"])
    return 0


def _folder(options: argparse.Namespace, deadline: Deadline) -> Path:
    """The folder of the spool, which may not be there yet."""
    if options.spool is not None:
        return Path(options.spool)
    with one_fleet(options, deadline) as fleet:
        if fleet.history.dir:
            return Path(fleet.history.dir)
    return spool_folder(options, deadline)  # says what is missing


@contextmanager
def _database(options: argparse.Namespace) -> Iterator[Influx]:
    said = os.environ
    url = options.influxdb_url or said.get("INFLUXDB_URL", "")
    name = options.influxdb_database or said.get("INFLUXDB_DATABASE") or "cvmfs"
    user = options.influxdb_username or said.get("INFLUXDB_USERNAME", "")
    org = options.influxdb_org or said.get("INFLUXDB_ORG") or "cvmfs"
    what = f"history {options.action}"
    if not url.startswith(("http://", "https://")):
        raise ConfigError(f"{what}: --influxdb-url or $INFLUXDB_URL says where: http://127.0.0.1:8086")
    try:
        from telegraf_cvmfs.history.influxdb.database import Influx1
        from telegraf_cvmfs.history.influxdb.version2 import influx2

        if token := said.get("INFLUXDB_TOKEN", "").strip():
            with influx2(url, name, org, token) as database:
                yield database
        else:
            yield Influx1(Database(url, name, user, said.get("INFLUXDB_PASSWORD", "")))
    except ImportError as error:
        raise ConfigError(f"{what}: {error}: pip install 'telegraf-cvmfs[history]'") from error
    except DatabaseError as error:
        raise OutputError(f"{what}: {url}: {error}") from error
    except (OSError, SpoolError) as error:
        raise OutputError(f"{what}: {error}") from error
