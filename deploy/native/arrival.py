"""Whether measurements have arrived, asked as Grafana would ask."""

from __future__ import annotations

from deploy.native.influxdb import Database

_SECOND = 1_000_000_000  # in InfluxDB's nanoseconds


def newest(reader: Database, fleet: str, *, since: int = 0) -> int | None:
    """When the newest run of this fleet began that is in the database; all times in Unix seconds.

    Args:
        reader: the database, as a user who may read.
        fleet: the name of the fleet.
        since: only runs that began then or later.

    Returns:
        None if there is no such run.

    Raises:
        Trouble: the database gives no answer.
    """
    name = fleet.replace("\\", "\\\\").replace("'", "\\'")
    of_fleet = f"WHERE \"fleet\" = '{name}' AND time >= {since}s"
    rows = reader.ask(f'SELECT last("servers") FROM "cvmfs_scrape" {of_fleet}')  # noqa: S608
    return int(rows[0]["time"]) // _SECOND if rows else None
