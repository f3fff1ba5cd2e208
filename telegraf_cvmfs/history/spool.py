"""The spool: each run of a fleet as one compressed file of rows, written whole or not at all.

`<folder>/<fleet>/<2026-11-25>/20261125T120000.000000Z.jsonl.gz`: a JSON object a line, for each point its measurement,
time (ns), tags and fields, as in line protocol. The first is `cvmfs_scrape`, with `schema` and the program's `version`.
The others stand in the order of their repositories, because replicas of a repository are alike, which compresses four
times better. There is nothing in it but points: no contacts, no paths of this machine.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from telegraf_cvmfs._version import __version__
from telegraf_cvmfs.emit.line_protocol import nanoseconds, writable
from telegraf_cvmfs.model import Run
from telegraf_cvmfs.points.rows import Point, points
from telegraf_cvmfs.points.schema import SCRAPE
from telegraf_cvmfs.whole_file import open_file, write_whole
from telegraf_cvmfs.words.log import Log
from telegraf_cvmfs.words.text import one_line

SCHEMA = 1
"""Counts the changes that break a reader; a new field does not."""

LARGEST = 1 << 30
"""Bytes of a run, inflated, that are read at most; 30,000 replicas need 40 million."""

_NAME = re.compile(r"(\d{8}T\d{6}\.\d{6}Z)\.jsonl\.gz")
_MOMENT = "%Y%m%dT%H%M%S.%fZ"
_LEVEL = 6
_READABLE = 0o640  # reports are made by another user of the same group

Row = dict[str, Any]


class SpoolError(Exception):
    """A file of the spool is not what was written there; str() names it and says what is wrong."""


@dataclass(frozen=True, slots=True, order=True)
class Kept:
    """One run in the spool: when it began (aware UTC), of which fleet, and its file."""

    started: datetime
    fleet: str
    path: Path


class Spool:
    """Keeps runs while a program runs; whatever goes wrong is said once, and never costs a run."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._warned = False

    def keep(self, folder: Path, run: Run) -> None:
        """Write a run into a folder."""
        try:
            write(folder, run)
        except OSError as error:
            if not self._warned:
                self._log(f"W! history {folder} cannot be written ({error.strerror or error}): this run is not kept")
            self._warned = True
        else:
            self._warned = False


def path_of(folder: Path, fleet: str, started: datetime) -> Path:
    """Where a run lies in a spool; it began at an aware moment."""
    began = started.astimezone(UTC)
    return folder / quote(fleet, safe="") / f"{began:%Y-%m-%d}" / f"{began.strftime(_MOMENT)}.jsonl.gz"


def write(folder: Path, run: Run) -> Path:
    """Write a run, whole or not at all; OSError if it cannot be written."""
    return write_rows(path_of(folder, run.fleet.name, run.started), rows_of(run))


def write_rows(path: Path, rows: Iterable[Row]) -> Path:
    """Write the rows of a run, whole or not at all; OSError if they cannot be written."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
    text = "".join(f"{json.dumps(row, separators=(',', ':'))}\n" for row in rows)
    return write_whole(path, gzip.compress(text.encode(), _LEVEL, mtime=0), _READABLE)


def rows_of(run: Run) -> Iterator[Row]:
    """A run as it stands in its file."""
    return rows_of_points(points(run))


def rows_of_points(found: Iterable[Point]) -> Iterator[Row]:
    """The points of a run as they stand in its file."""
    for point in sorted(found, key=_order):
        head = {"schema": SCHEMA, "version": __version__} if point.measurement == SCRAPE else {}
        tags = {name: one_line(text) for name, text in point.tags.items()}
        fields = {
            name: one_line(value) if isinstance(value, str) else value
            for name, value in point.fields.items()
            if writable(value)
        }
        yield {"measurement": point.measurement, "time": nanoseconds(point.time)} | head | tags | fields


def _order(point: Point) -> tuple[bool, str, str, str, str]:
    tags = point.tags
    return (
        point.measurement != SCRAPE,
        tags.get("repo", ""),
        point.measurement,
        tags.get("server", ""),
        tags.get("address", "") + tags.get("alias", ""),
    )


def kept(
    folder: Path, since: datetime | None = None, until: datetime | None = None, fleet: str | None = None
) -> list[Kept]:
    """The runs in a spool that began in this span, the oldest first; `since` is included, `until` is not.

    Raises:
        ValueError: a time without a zone.
        OSError: the folder cannot be read.
    """
    for moment in (since, until):
        if moment is not None and moment.tzinfo is None:
            raise ValueError(f"{moment.isoformat()} has no time zone")
    fleets = [one for one in folder.iterdir() if one.is_dir()] if fleet is None else [folder / quote(fleet, safe="")]
    days = (day for one in fleets if one.is_dir() for day in one.iterdir() if _may_hold(day.name, since, until))
    return sorted(run for day in days for run in _runs(day, since, until))


def fleets(folder: Path) -> list[str]:
    """The fleets that a spool has a folder of, in their order; OSError if it cannot be read."""
    return sorted(unquote(one.name) for one in folder.iterdir() if one.is_dir() and not one.name.startswith("."))


def _may_hold(day: str, since: datetime | None, until: datetime | None) -> bool:
    try:
        begins = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        return False
    return (since is None or begins + timedelta(days=1) > since) and (until is None or begins < until)


def _runs(day: Path, since: datetime | None, until: datetime | None) -> Iterable[Kept]:
    for path in day.iterdir():
        if (match := _NAME.fullmatch(path.name)) is None:
            continue
        started = datetime.strptime(match[1], _MOMENT).replace(tzinfo=UTC)
        if (since is None or since <= started) and (until is None or started < until):
            yield Kept(started, unquote(day.parent.name), path)


def read(path: Path, measurements: Collection[str] = ()) -> list[Row]:
    """The rows of a run, its `cvmfs_scrape` first; of these measurements alone, if some are named.

    Raises:
        SpoolError: it is damaged, or written by a program whose form is not known here.
        OSError: it cannot be read.
    """
    try:
        with open_file(path) as whole, gzip.open(whole) as file:
            body = file.read(LARGEST + 1)
        if len(body) > LARGEST:
            raise ValueError("it is too large")
        wanted = tuple(f'{{"measurement":"{one}"'.encode() for one in (SCRAPE, *measurements)) if measurements else b""
        rows = [json.loads(line) for line in body.splitlines() if line.startswith(wanted)]
        if rows[0]["measurement"] != SCRAPE or rows[0]["schema"] != SCHEMA:
            raise ValueError(f"it is of another form than {SCHEMA}")
    except gzip.BadGzipFile as error:
        raise SpoolError(f"{path}: damaged: {error}") from error
    except (ValueError, KeyError, IndexError, TypeError, EOFError, zlib.error, RecursionError) as error:
        raise SpoolError(f"{path}: damaged: {error}") from error
    return rows
