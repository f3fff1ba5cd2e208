"""InfluxDB 1 with logins switched on: its settings, its users, and questions to it."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

from deploy.native import logins
from deploy.native.folder import Trouble
from deploy.native.logins import Logins
from telegraf_cvmfs.net.influxdb import Database, DatabaseError, DeniedError

_SECOND = 1_000_000_000  # in InfluxDB's nanoseconds

SETTINGS = """\
# Made by the native stack; written anew at each start.
reporting-enabled = false
bind-address = "127.0.0.1:0"
[meta]
  dir = {meta}
[data]
  dir = {data}
  wal-dir = {wal}
  query-log-enabled = false
[monitor]
  store-enabled = false
[http]
  bind-address = "127.0.0.1:{port}"
  auth-enabled = true
  log-enabled = false
[logging]
  format = "json"
"""

Row = dict[str, Any]


class Denied(Trouble):
    """The database understood, and said no; str() has its words."""


def ask(database: Database, influxql: str) -> list[Row]:
    """The rows of an InfluxQL query, columns and tags by name; times in nanoseconds.

    Raises:
        Denied: the server says no.
        Trouble: it cannot be reached, or is no InfluxDB.
    """
    try:
        found = database.ask(influxql, epoch="ns", secret=True)
    except DeniedError as why:
        raise Denied(f"InfluxDB at {database.url} denies it to {database.user or 'nobody'}: {why}") from why
    except DatabaseError as why:
        raise Trouble(f"InfluxDB at {database.url} gives no answer: {why}") from why
    return [{**one.tags, **dict(zip(one.columns, values, strict=True))} for one in found for values in one.values]


def settings(folder: Path, port: int) -> str:
    """The text of the settings file: data in the folder, on loopback at this port; 0 for any."""
    places = {name: json.dumps(str(folder / name)) for name in ("meta", "data", "wal")}  # a TOML string, too
    return SETTINGS.format(port=port, **places)


def url(log: Path) -> str | None:
    """Where it listens, by its own words in its log; None as long as it does not."""
    with contextlib.suppress(OSError):
        for line in log.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True):
            if line.endswith("}\n") and (message := json.loads(line)).get("msg") == "Listening on HTTP":
                return f"http://{message['addr']}"
    return None


def let_in(server: str, passwords: Logins) -> None:
    """Make the database and its users: an administrator, one who writes only, one who reads only.

    Until the administrator is there InfluxDB does nothing for anybody but make one. What is there already stays.

    Raises:
        Trouble: among others, if the users have other passwords than these.
    """
    admin = Database(server, logins.DATABASE, logins.ADMIN, passwords.influxdb_admin)
    try:
        ask(admin, "SHOW DATABASES")
    except Denied:
        _make_admin(server, passwords)
    name = logins.DATABASE
    ask(admin, f'CREATE DATABASE "{name}"')
    rights = (
        (logins.WRITER, passwords.influxdb_telegraf, "WRITE"),
        (logins.READER, passwords.influxdb_grafana, "READ"),
    )
    for user, password, right in rights:
        ask(admin, f"CREATE USER \"{user}\" WITH PASSWORD '{password}'")
        ask(admin, f'GRANT {right} ON "{name}" TO "{user}"')


def _make_admin(server: str, passwords: Logins) -> None:
    made = f"CREATE USER \"{logins.ADMIN}\" WITH PASSWORD '{passwords.influxdb_admin}' WITH ALL PRIVILEGES"
    try:
        ask(Database(server, logins.DATABASE), made)
    except Denied as why:
        raise Trouble(
            f"InfluxDB at {server} has users already, and other passwords than those in the file {logins.FILE}: "
            "put the old file back, or `./stack native reset`"
        ) from why


def newest_run(reader: Database, fleet: str, *, since: int = 0) -> int | None:
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
    rows = ask(reader, f'SELECT last("servers") FROM "cvmfs_scrape" {of_fleet}')  # noqa: S608
    return int(rows[0]["time"]) // _SECOND if rows else None


def writer(server: str, passwords: Logins) -> Database:
    """The database as Telegraf has it: it may write and nothing else."""
    return Database(server, logins.DATABASE, logins.WRITER, passwords.influxdb_telegraf)


def reader(server: str, passwords: Logins) -> Database:
    """The database as Grafana has it: it may read and nothing else."""
    return Database(server, logins.DATABASE, logins.READER, passwords.influxdb_grafana)
