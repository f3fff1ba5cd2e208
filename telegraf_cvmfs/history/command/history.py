"""`history`: what is done with a spool beside its report."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

from telegraf_cvmfs.command import options as run_options
from telegraf_cvmfs.history.command import influxdb, package, rollup
from telegraf_cvmfs.history.command.values import keep, moment, size
from telegraf_cvmfs.model import ConfigError
from telegraf_cvmfs.net.deadline import Deadline

_ACTIONS: Mapping[str, Callable[[argparse.Namespace, Deadline], int]] = {
    "package": package.package,
    "verify": package.verify,
    "rollup": rollup.rollup,
    "import": influxdb.import_,
    "replay": influxdb.replay,
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """What to do; the spool is that of `--spool`, or of the fleet file."""
    run_options.add_options(parser)
    does = "pack a span, verify packages, roll hours up and thin runs, read runs from InfluxDB, or write them there"
    parser.add_argument("action", choices=tuple(_ACTIONS), help=does)
    parser.add_argument("files", nargs="*", type=Path, default=[], metavar="FILE", help="verify: the packages")
    parser.set_defaults(since=None, until=None, max_size=None, to=Path(), keep=None, no_thin=False)
    parser.set_defaults(**dict.fromkeys(influxdb.OPTIONS))
    span = parser.add_argument_group("package, import, replay")
    since = "runs that began then or later, with its offset, or a day of UTC: 2026-10-01"
    span.add_argument("--since", metavar="TIME", type=moment, help=since)
    span.add_argument("--until", metavar="TIME", type=moment, help="and before this")
    packing = parser.add_argument_group("package")
    bytes_of = "bytes of files in one package before compression: 200MB"
    packing.add_argument("--max-size", metavar="SIZE", type=size, help=bytes_of)
    packing.add_argument("--to", metavar="DIR", type=Path, help="the folder to write to (default: this one)")
    rolling = parser.add_argument_group("rollup")
    kept = 'which runs are left (default: that of the fleet file): "48h all, 30d hourly, 400d daily"'
    rolling.add_argument("--keep", metavar="TEXT", type=keep, help=kept)
    rolling.add_argument("--no-thin", action="store_true", help="leave all runs")
    influxdb.add_options(parser.add_argument_group("import, replay", influxdb.WHERE))


def run(options: argparse.Namespace, deadline: Deadline) -> int:
    """Do it; 1 if something was not as it should be.

    Raises:
        ConfigError: the options do not fit together, there is no spool, or a package is missing.
        OutputError: a file cannot be written.
    """
    if options.files and options.action != "verify":
        raise ConfigError(f"history {options.action}: takes no file")
    if options.since and options.until and options.until <= options.since:
        raise ConfigError(f"history {options.action}: --until is not after --since")
    return _ACTIONS[options.action](options, deadline)
