"""Runs of a spool written to an InfluxDB, and runs read from there into a spool; once more changes nothing."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path

from telegraf_cvmfs.emit.line_protocol import lines
from telegraf_cvmfs.history.influxdb.database import Influx, point_of
from telegraf_cvmfs.history.spool import Kept, Row, path_of, read, rows_of_points, write_rows
from telegraf_cvmfs.points.rows import EPOCH, Point
from telegraf_cvmfs.points.schema import FIELDS, PUBLISH, SCRAPE

BATCH = 5000
"""Lines that are written at once, as InfluxDB advises."""

STEP = timedelta(hours=1)
"""Of how much time points are asked at once."""

BEFORE = timedelta(days=1)
"""How old what was published may be of which the first run in a span tells."""

Moved = Callable[[int, int], None]
"""Told how many of how many runs, or steps of time, are done."""

_Points = dict[tuple[str, datetime], list[Point]]


def replay(runs: Sequence[Kept], database: Influx, moved: Moved) -> int:
    """Write runs, the oldest first; the number of points.

    Raises:
        SpoolError: a file is damaged; what is before it has been written.
        OSError: a file cannot be read.
        DatabaseError: the database takes no points.
    """
    count = 0
    for number, run in enumerate(runs, 1):
        every = lines(points_of(read(run.path)))
        while batch := list(islice(every, BATCH)):
            database.write(batch)
            count += len(batch)
        moved(number, len(runs))
    return count


def points_of(rows: Iterable[Row]) -> Iterator[Point]:
    """The points that rows of a spool were; what is not known is left out, for a newer program may have written it."""
    for row in rows:
        if (measurement := row["measurement"]) in FIELDS:
            yield point_of(measurement, row, row, EPOCH + timedelta(microseconds=row["time"] // 1000))


def import_runs(database: Influx, folder: Path, since: datetime, until: datetime, moved: Moved) -> int:
    """Read the runs of a span into a spool; the number of those that were not there.

    A run is the points of its fleet with its time. A publication, whose time is its own, is put into the first run
    after it.

    Raises:
        DatabaseError: the database gives no points.
        OSError: a run cannot be written.
    """
    count, begins, steps = 0, since, -((since - until) // STEP)
    last: dict[str, datetime] = {}
    for number in range(1, steps + 1):
        ends = min(begins + STEP, until)
        runs = {(point.tags.get("fleet", ""), point.time): [point] for point in database.read(SCRAPE, begins, ends)}
        wanted = {key for key in runs if key[0] and not path_of(folder, *key).exists()}
        if wanted:
            _fill(database, {key: runs[key] for key in wanted}, begins, ends)
            _publications(database, runs, {fleet: last.get(fleet, since - BEFORE) for fleet, _ in runs}, ends)
        for fleet, started in sorted(wanted):
            write_rows(path_of(folder, fleet, started), rows_of_points(runs[fleet, started]))
        count += len(wanted)
        last |= dict(sorted(runs))
        moved(number, steps)
        begins = ends
    return count


def _fill(database: Influx, runs: _Points, since: datetime, until: datetime) -> None:
    for measurement in FIELDS:
        for point in database.read(measurement, since, until) if measurement not in (SCRAPE, PUBLISH) else ():
            if (key := (point.tags.get("fleet", ""), point.time)) in runs:
                runs[key].append(point)


def _publications(database: Influx, runs: _Points, last: Mapping[str, datetime], until: datetime) -> None:
    """Put what was published after the last run of its fleet before these into the first of them that came after it."""
    moments: dict[str, list[datetime]] = {}
    for fleet, started in sorted(runs):
        moments.setdefault(fleet, []).append(started)
    for point in database.read(PUBLISH, min(last.values()), until):
        of_fleet = moments.get(fleet := point.tags.get("fleet", ""), [])
        number = bisect_left(of_fleet, point.time)
        if number < len(of_fleet) and point.time > last[fleet]:
            runs[fleet, of_fleet[number]].append(point)
