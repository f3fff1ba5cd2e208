"""`report`: what was available in a month, as a workbook and in other forms, from the runs that a spool keeps."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from telegraf_cvmfs.command import options as run_options
from telegraf_cvmfs.command.chosen import spool_folder
from telegraf_cvmfs.command.terminal import OutputError, logger, show
from telegraf_cvmfs.model import ConfigError
from telegraf_cvmfs.net.deadline import Deadline

_SEVERAL = "cvmfs"
"""What the files begin with where there are several fleets."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which month, and where to; the spool is that of `--spool`, or of the fleet file."""
    run_options.add_options(parser)
    parser.set_defaults(month=None, to=Path(), force=False)
    parser.add_argument("--month", metavar="YYYY-MM", type=_month, help="of UTC (default: the month before now)")
    parser.add_argument("--to", metavar="DIR", type=Path, help="the folder to write to (default: this one)")
    parser.add_argument("--force", action="store_true", help="write also what is there already")


def run(options: argparse.Namespace, deadline: Deadline) -> int:
    """Write the report and say where it is; 0.

    Raises:
        ConfigError: no spool is named, it cannot be read or has no run of that month, or a package is missing.
        OutputError: a file cannot be written.
    """
    folder = spool_folder(options, deadline)
    try:
        from telegraf_cvmfs.history import ReportAvailability, SpoolError
        from telegraf_cvmfs.history.report.files import write
    except ImportError as error:
        raise ConfigError(f"report: {error}: pip install 'telegraf-cvmfs[history]'") from error
    try:
        report = ReportAvailability(folder, month=options.month)
    except (OSError, SpoolError) as error:
        raise ConfigError(f"report: {error}") from error
    if not report.fleets:
        raise ConfigError(f"report: there is no run of {report.month} in {folder}")
    label = quote(report.fleets[0], safe="") if len(report.fleets) == 1 else _SEVERAL
    try:
        written, there = write(report, options.to, label, force=options.force)
    except OSError as error:
        raise OutputError(f"report: {error.filename or options.to}: {error.strerror or error}") from error
    if there:
        logger(options)(f"W! report: {len(there)} files of {report.month} are there already (--force writes them anew)")
    show(f"{path}\n" for path in written)
    return 0


def _month(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no month such as 2026-10") from None
