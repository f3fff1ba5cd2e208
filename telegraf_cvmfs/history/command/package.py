"""`history package` and `history verify`: a span of a spool as packages, and whether packages are what was packed."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from telegraf_cvmfs.command.chosen import spool_folder
from telegraf_cvmfs.command.terminal import OutputError, logger, show
from telegraf_cvmfs.model import ConfigError
from telegraf_cvmfs.net.deadline import Deadline
from telegraf_cvmfs.whole_file import PUBLIC, whole_file

if TYPE_CHECKING:
    from telegraf_cvmfs.history import Package
    from telegraf_cvmfs.history.collector import Collector

_WHAT = "history"
_NAMES = ("config", "servers", "repositories", "replicas", "findings", "publications", "geoapi", "runs")


def verify(options: argparse.Namespace, _deadline: Deadline) -> int:
    """Say of each package what is in it, or what is wrong; 1 if something is. ConfigError: none is named."""
    if not options.files:
        raise ConfigError(f"{_WHAT} verify: name the packages")
    try:
        from telegraf_cvmfs.history import PackageError
        from telegraf_cvmfs.history import verify as verified
    except ImportError as error:
        raise ConfigError(f"{_WHAT}: {error}") from error
    wrong = 0
    for path in options.files:
        try:
            manifest = verified(path)
        except (PackageError, OSError) as error:
            said = f"{path}: {error.strerror}" if isinstance(error, OSError) else str(error)
            logger(options)(f"E! {_WHAT} verify: {said}")
            wrong = 1
        else:
            show([f"{path}: whole: {', '.join(sorted(manifest))}\n"])
    return wrong


def package(options: argparse.Namespace, deadline: Deadline) -> int:
    """Pack a span, and say which files were written; 1 if a collector failed.

    Raises:
        ConfigError: there is no spool, or a package of Python's is missing.
        OutputError: a file cannot be written.
    """
    folder = spool_folder(options, deadline)
    try:
        from telegraf_cvmfs.history import Package, collectors
        from telegraf_cvmfs.history.package.package import MAX_SIZE
    except ImportError as error:
        raise ConfigError(f"{_WHAT}: {error}") from error
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
