"""InfluxDB as this needs it: lines in, points of a span out; and version 1, by its `/write` and `/query`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from telegraf_cvmfs.net.influxdb import Database
from telegraf_cvmfs.points.rows import EPOCH, Point
from telegraf_cvmfs.points.schema import FIELDS, TAGS, Value


class Influx(Protocol):
    """Where points are written to and read from; DatabaseError if that cannot be, str() says why."""

    def write(self, lines: Sequence[str]) -> None:
        """Write lines of line protocol, each with its newline."""

    def read(self, measurement: str, since: datetime, until: datetime) -> Iterator[Point]:
        """The points of a measurement in a span; `until` is not included."""


@dataclass(frozen=True)
class Influx1:
    """InfluxDB 1.8, or what answers as it does."""

    database: Database

    def write(self, lines: Sequence[str]) -> None:
        """Write lines of line protocol."""
        self.database.write("".join(lines))

    def read(self, measurement: str, since: datetime, until: datetime) -> Iterator[Point]:
        """The points of a measurement in a span."""
        span = f"time >= {_nanoseconds(since)} AND time < {_nanoseconds(until)}"
        for series in self.database.ask(f'SELECT * FROM "{measurement}" WHERE {span} GROUP BY *', epoch="ns"):
            for row in series.values:
                found = dict(zip(series.columns, row, strict=True))
                moment = EPOCH + timedelta(microseconds=int(str(found["time"])) // 1000)
                yield point_of(measurement, series.tags, found, moment)


def _nanoseconds(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1) * 1000


def point_of(measurement: str, tags: Mapping[str, Any], fields: Mapping[str, Any], time: datetime) -> Point:
    """A point with the tags and fields that are known, in their order and of their types."""
    found: dict[str, Value] = {
        one.name: one.type(value) for one in FIELDS[measurement] if (value := fields.get(one.name)) is not None
    }
    return Point(measurement, {tag: str(tags[tag]) for tag in TAGS[measurement] if tags.get(tag)}, found, time)
