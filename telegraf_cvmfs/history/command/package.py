"""`history`: a span of a spool as packages, and whether packages are what was packed."""

from __future__ import annotations

import argparse
import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from telegraf_cvmfs.command import options as run_options
from telegraf_cvmfs.command.chosen import spool_folder
from telegraf_cvmfs.command.terminal import OutputError, logger, show
from telegraf_cvmfs.model import ConfigError
from telegraf_cvmfs.net.deadline import Deadline
from telegraf_cvmfs.whole_file import PUBLIC, whole_file

if TYPE_CHECKING:
    from telegraf_cvmfs.history import Package
    from telegraf_cvmfs.history.collector import Collector

_WHAT = "history"
_SIZE = re.compile(r"(\d+)(kB|MB|GB)?", re.ASCII)
_FACTORS = {"": 1, "kB": 1000, "MB": 1000**2, "GB": 1000**3}
_NAMES = ("config", "servers", "repositories", "replicas", "findings", "publications", "geoapi", "runs")


def add_options(parser: argparse.ArgumentParser) -> None:
    """What to do; the spool is that of `--spool`, or of the fleet file."""
    run_options.add_options(parser)
    parser.add_argument("action", choices=("package", "verify"), help="pack a span, or verify packages")
    parser.add_argument("files", nargs="*", type=Path, default=[], metavar="FILE", help="verify: the packages")
    parser.set_defaults(since=None, until=None, max_size=None, to=Path())
    package = parser.add_argument_group("package")
    since = "runs that began then or later, with its offset, or a day of UTC: 2026-10-01"
    package.add_argument("--since", metavar="TIME", type=_moment, help=since)
    package.add_argument("--until", metavar="TIME", type=_moment, help="and before this")
    size = "bytes of files in one package before compression: 200MB"
    package.add_argument("--max-size", metavar="SIZE", type=_size, help=size)
    package.add_argument("--to", metavar="DIR", type=Path, help="the folder to write to (default: this one)")


def run(options: argparse.Namespace, deadline: Deadline) -> int:
    """Pack and say which files were written, or verify and say what is in them; 1 if something was not as it should be.

    Raises:
        ConfigError: the options do not fit together, there is no spool, or a package is missing.
        OutputError: a file cannot be written.
    """
    if options.action == "verify":
        return _verify(options)
    if options.files:
        raise ConfigError(f"{_WHAT} package: takes no file")
    return _package(options, spool_folder(options, deadline))


def _verify(options: argparse.Namespace) -> int:
    if not options.files:
        raise ConfigError(f"{_WHAT} verify: name the packages")
    try:
        from telegraf_cvmfs.history import PackageError, verify
    except ImportError as error:
        raise ConfigError(f"{_WHAT}: {error}") from error
    wrong = 0
    for path in options.files:
        try:
            manifest = verify(path)
        except (PackageError, OSError) as error:
            said = f"{path}: {error.strerror}" if isinstance(error, OSError) else str(error)
            logger(options)(f"E! {_WHAT} verify: {said}")
            wrong = 1
        else:
            show([f"{path}: whole: {', '.join(sorted(manifest))}\n"])
    return wrong


def _package(options: argparse.Namespace, folder: Path) -> int:
    try:
        from telegraf_cvmfs.history import Package, collectors
        from telegraf_cvmfs.history.package.package import MAX_SIZE
    except ImportError as error:
        raise ConfigError(f"{_WHAT}: {error}") from error
    if options.since and options.until and options.until <= options.since:
        raise ConfigError(f"{_WHAT} package: --until is not after --since")
    chosen: list[Collector] = [
        getattr(collectors, name)(source=folder, since=options.since, until=options.until) for name in _NAMES
    ]
    failed = list[str]()

    def told(key: str, error: Exception) -> None:
        failed.append(key)
        logger(options)(f"E! {_WHAT} package: {key}: {error}")

    size = options.max_size or MAX_SIZE
    show(f"{path}\n" for path in _written(Package(chosen, max_size=size, failed=told), options.to))
    return 1 if failed else 0


def _written(package: Package, folder: Path) -> Iterator[Path]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for tarball in package:
            path = folder / tarball.name
            with tarball.path.open("rb") as content, whole_file(path, PUBLIC) as file:
                shutil.copyfileobj(content, file)
            yield path
    except OSError as error:
        raise OutputError(f"{_WHAT} package: {error.filename or folder}: {error.strerror or error}") from error


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        if len(text) == len("2026-10-01"):
            return moment.replace(tzinfo=UTC)
        if moment.tzinfo is None:
            raise ValueError
    except ValueError:
        expected = "a day of UTC or a time with its offset, such as 2026-10-01 or 2026-10-01T08:00:00Z"
        raise argparse.ArgumentTypeError(f"{text!r} is not {expected}") from None
    return moment


def _size(text: str) -> int:
    found = _SIZE.fullmatch(text)
    if found is None or not int(found[1]):
        raise argparse.ArgumentTypeError(f"{text!r} is no size such as 200MB")
    return int(found[1]) * _FACTORS[found[2] or ""]
