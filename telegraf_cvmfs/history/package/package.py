"""A package: what collectors gather, as a stream of `.tar.gz` files of a bounded size.

In each is what it takes to read it alone: `config.json`, `manifest.json` (each file but itself, and the version of its
collector), `data_collection_status.csv` (a row for each file, and for each collector that failed), `checksums.json`
(SHA-256 of each file but itself), and the files.
"""

from __future__ import annotations

import csv
import io
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from telegraf_cvmfs._version import __version__
from telegraf_cvmfs.history.collector import Collector, Gathered
from telegraf_cvmfs.history.exclusive import PREFIX, tempdir
from telegraf_cvmfs.history.instants import iso, now
from telegraf_cvmfs.history.package.members import (
    CHECKSUMS,
    CONFIG,
    MANIFEST,
    STATUS,
    as_json,
    is_name,
    sha256,
    write,
)
from telegraf_cvmfs.history.package.split import split

MAX_SIZE = 200 << 20
FORM = "1.0"
FAILURES = "failures.json"
_OURS = {CONFIG, MANIFEST, STATUS, CHECKSUMS, FAILURES}
_STAMP = "%Y-%m-%d-%H%M%S%z"
_COLUMNS = ("collection_start_timestamp", "since", "until", "file_name", "status", "elapsed")


@dataclass(frozen=True, slots=True)
class Tarball:
    """One file of a package: the name to store it under, and where it lies until the next one is asked for."""

    name: str
    path: Path


@dataclass(frozen=True, slots=True)
class _Row:
    """What became of a collector, or of a file of it."""

    collector: Collector
    started: datetime
    file_name: str
    status: str
    elapsed: int

    def cells(self) -> tuple[str | int, ...]:
        spans = [self.collector.moment(name) for name in ("since", "until")]
        since, until = ("" if one is None else iso(one) for one in spans)
        return iso(self.started), since, until, self.file_name, self.status, self.elapsed


@dataclass(slots=True)
class _Contents:
    """What goes into the next file of a package."""

    files: list[Path] = field(default_factory=list)
    rows: list[_Row] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    size: int = 0


class Package:
    """What some collectors gather, each asked once, when it is its turn; iterating gives the files, one after another.

    A file's path is good until the next is asked for; afterwards nothing is left behind, also after an error. A
    collector named `config` gives what stands in every `config.json`. What a collector raises is a row with the status
    `failed` and a line in `failures.json`, and the others go on.

    Args:
        collectors: what to gather, no two of the same key.
        max_size: bytes of the files in one `.tar.gz` before compression; a larger CSV file is split, a
            larger object stands alone in its own.
        label: what the names begin with: `<label>-<since>-<until>-<index>.tar.gz`.
        clock: says when a collection started (aware). By default that is its `until`, of which all is over, and now
            where it has none: so the same history is the same bytes. `elapsed` is measured, in whole seconds.
        failed: is told of each collector that failed.

    Raises:
        ValueError: two collectors of the same key, or a size that is none.
    """

    def __init__(
        self,
        collectors: Sequence[Collector],
        *,
        max_size: int = MAX_SIZE,
        label: str = "cvmfs",
        clock: Callable[[], datetime] | None = None,
        failed: Callable[[str, Exception], object] = lambda _key, _error: None,
    ) -> None:
        keys = [one.key for one in collectors]
        if len(keys) != len(set(keys)):
            raise ValueError(f"two collectors have the same key: {', '.join(sorted(keys))}")
        if max_size <= 0:
            raise ValueError(f"max_size: {max_size} is no size")
        self._collectors = sorted(collectors, key=lambda one: one.key != "config")
        self._max_size, self._label, self._clock, self._failed = max_size, label, clock, failed
        self._config: dict[str, Any] = {"program": "telegraf-cvmfs", "version": __version__}

    def __iter__(self) -> Iterator[Tarball]:
        """The files, made one by one; none where there is nothing to tell."""
        index = 0
        with tempdir() as folder:
            for contents in self._contents(folder):
                path = folder / f"{index:06}.tar.gz"
                write(path, self._members(folder, contents))
                for file in contents.files:
                    file.unlink()
                yield Tarball(self._name(index), path)
                path.unlink(missing_ok=True)
                index += 1

    def _contents(self, folder: Path) -> Iterator[_Contents]:
        contents = _Contents()
        for collector in self._collectors:
            for file, row in self._gathered(collector, folder, contents):
                size = file.stat().st_size
                if contents.files and contents.size + size > self._max_size:
                    yield contents
                    contents = _Contents()
                contents.files.append(file)
                contents.rows.append(row)
                contents.size += size
        if contents.rows:
            yield contents

    def _gathered(self, collector: Collector, folder: Path, contents: _Contents) -> Iterator[tuple[Path, _Row]]:
        started = self._clock() if self._clock else collector.moment("until") or self._until() or now()
        begun = time.monotonic()
        try:
            found = collector.gather()
            files = self._files(collector, found, folder)
        except Exception as error:  # noqa: BLE001  # one that fails is a row, and the others go on
            self._failed(collector.key, error)
            contents.failures[collector.key] = type(error).__name__
            contents.rows.append(_Row(collector, started, collector.key, "failed", int(time.monotonic() - begun)))
            return
        elapsed = int(time.monotonic() - begun)
        for file in files:
            yield file, _Row(collector, started, file.name, "ok", elapsed)

    def _files(self, collector: Collector, found: Gathered, folder: Path) -> list[Path]:
        """What was gathered, moved into a folder, in parts that fit."""
        if found is None:
            return []
        if isinstance(found, Mapping):
            if collector.key == "config":
                self._config |= found
                return []
            path = _free(folder, f"{collector.key}.json")
            path.write_bytes(as_json(found))
            return [path]
        files = [Path(file) for file in found]
        moved = list[Path]()
        try:
            for file in files:
                moved.append(_moved(file, folder))
            return [part for file in moved for part in _parts(file, self._max_size)]
        except BaseException:
            for file in files:
                _removed(file)
            for file in moved:
                for part in (file, *folder.glob(f"{file.stem}_split*{file.suffix}")):
                    part.unlink(missing_ok=True)
            raise

    def _members(self, folder: Path, contents: _Contents) -> list[Path]:
        """The files of a package in their order, with what it says of itself."""
        versions = {row.file_name: row.collector.version for row in contents.rows if row.status == "ok"}
        own = {CONFIG: as_json(self._config), STATUS: _status(contents.rows)}
        if contents.failures:
            own[FAILURES] = as_json(contents.failures)
        own[MANIFEST] = as_json(versions | dict.fromkeys([*own, CHECKSUMS], FORM))
        for name, content in own.items():
            (folder / name).write_bytes(content)
        described = [*(folder / name for name in own), *contents.files]
        checksums = folder / CHECKSUMS
        checksums.write_bytes(as_json({path.name: sha256(path) for path in described}))
        return [*described[: len(own)], checksums, *contents.files]

    def _name(self, index: int) -> str:
        """As stores find it by its first moment."""
        sinces = [moment for one in self._collectors if (moment := one.moment("since"))]
        span = [one.astimezone(UTC).strftime(_STAMP) for one in (*sorted(sinces)[:1], self._until()) if one]
        return f"{'-'.join([self._label, *span])}-{index:06}.tar.gz"

    def _until(self) -> datetime | None:
        return max((moment for one in self._collectors if (moment := one.moment("until"))), default=None)


def _free(folder: Path, name: str) -> Path:
    """Where a file of this name goes, if there may be one and is none yet."""
    if not is_name(name) or name in _OURS:
        raise ValueError(f"{name!r} is no name for a CSV or JSON file of a package")
    if (folder / name).exists():
        raise ValueError(f"{name} was gathered twice")
    return folder / name


def _moved(file: Path, folder: Path) -> Path:
    target = _free(folder, file.name)
    shutil.move(file, target)
    _removed(file)
    return target


def _removed(file: Path) -> None:
    """Nothing is left of a temporary file, nor of the folder that was made for it alone."""
    file.unlink(missing_ok=True)
    if file.parent.name.startswith(PREFIX) and file.parent.exists() and not any(file.parent.iterdir()):
        file.parent.rmdir()


def _parts(file: Path, most: int) -> list[Path]:
    return split(file, most) if file.suffix == ".csv" else [file]


def _status(rows: Sequence[_Row]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows(row.cells() for row in rows)
    return text.getvalue().encode()
