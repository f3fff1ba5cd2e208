"""InfluxDB 2, by influxdb-client."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException
from urllib3.exceptions import HTTPError

from telegraf_cvmfs.history.influxdb.database import point_of
from telegraf_cvmfs.net.influxdb import DatabaseError, UnreachableError
from telegraf_cvmfs.points.rows import Point

PATIENCE = 60_000
"""Milliseconds for one answer."""

_OURS = "cvmfs:"
"""Put before the names of tags and fields, for a table of Flux has a column `result` of its own."""


class Influx2:
    """A bucket of an organisation, and the token of who asks."""

    def __init__(self, client: InfluxDBClient, bucket: str, org: str) -> None:
        self._client, self._bucket, self._org = client, bucket, org
        self._writer = client.write_api(write_options=SYNCHRONOUS)

    def write(self, lines: Sequence[str]) -> None:
        """Write lines of line protocol."""
        with _said():
            self._writer.write(self._bucket, self._org, "".join(lines))

    def read(self, measurement: str, since: datetime, until: datetime) -> Iterator[Point]:
        """The points of a measurement in a span."""
        asked = (
            "from(bucket: bucket) |> range(start: since, stop: until)"
            f' |> filter(fn: (r) => r._measurement == "{measurement}")'
            ' |> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")'
            f' |> rename(fn: (column) => if column =~ /^_/ then column else "{_OURS}" + column)'
        )
        chosen = {"bucket": self._bucket, "since": since, "until": until}
        with _said():
            for record in self._client.query_api().query_stream(asked, self._org, chosen):
                values: dict[str, Any] = record.values
                found = {name.removeprefix(_OURS): value for name, value in values.items() if name.startswith(_OURS)}
                yield point_of(measurement, found, found, values["_time"].astimezone(UTC))


@contextmanager
def influx2(url: str, bucket: str, org: str, token: str) -> Iterator[Influx2]:
    """A bucket, to be written to and read from."""
    with InfluxDBClient(url, token, org=org, timeout=PATIENCE) as client:
        yield Influx2(client, bucket, org)


@contextmanager
def _said() -> Iterator[None]:
    """What influxdb-client and urllib3 raise is a DatabaseError."""
    try:
        yield
    except ApiException as error:
        raise DatabaseError(f"HTTP status {error.status}: {error.message or error.reason}") from error
    except HTTPError as error:
        raise UnreachableError(str(error)) from error
