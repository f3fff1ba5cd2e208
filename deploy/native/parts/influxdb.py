"""InfluxDB 1 with logins switched on: its settings, its users, and questions to it."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from deploy.native import logins
from deploy.native.folder import Trouble
from deploy.native.logins import Logins

_PATIENCE = 30.0  # seconds for one request
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


@dataclass(frozen=True)
class Database:
    """A database as one user sees it.

    Attributes:
        url: of the server.
        user: who asks; "" for nobody, where no login is asked for.
        password: of the user.
        name: of the database.
    """

    url: str
    user: str
    password: str
    name: str = logins.DATABASE

    def __repr__(self) -> str:
        return f"Database({self.url}, {self.user}, {self.name})"

    def ask(self, influxql: str) -> list[Row]:
        """The rows of an InfluxQL query, columns and tags by name; times in nanoseconds.

        Raises:
            Denied: the server says no.
            Trouble: it cannot be reached, or is no InfluxDB.
        """
        # in the body: what is in the URL may be logged, and there are passwords among the statements
        asked = {"db": self.name, "q": influxql, "epoch": "ns"}
        login = (self.user, self.password) if self.user else None
        try:
            with requests.Session() as session:
                session.trust_env = False  # a proxy of the user would be asked for our loopback, and see the password
                answer = session.post(
                    f"{self.url}/query", data=asked, auth=login, timeout=_PATIENCE, allow_redirects=False
                )
            results = answer.json().get("results") or [answer.json()]
        except (requests.RequestException, ValueError, AttributeError) as why:
            raise Trouble(f"InfluxDB at {self.url} gives no answer: {type(why).__name__}") from why
        for result in results:
            if "error" in result:
                raise Denied(f"InfluxDB at {self.url} denies it to {self.user or 'nobody'}: {result['error']}")
        return [row for result in results for series in result.get("series", ()) for row in _rows(series)]


def _rows(series: dict[str, Any]) -> list[Row]:
    tags = series.get("tags", {})
    return [tags | dict(zip(series["columns"], values, strict=True)) for values in series["values"]]


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
    admin = Database(server, logins.ADMIN, passwords.influxdb_admin)
    try:
        admin.ask("SHOW DATABASES")
    except Denied:
        _make_admin(server, passwords)
    name = logins.DATABASE
    admin.ask(f'CREATE DATABASE "{name}"')
    rights = (
        (logins.WRITER, passwords.influxdb_telegraf, "WRITE"),
        (logins.READER, passwords.influxdb_grafana, "READ"),
    )
    for user, password, right in rights:
        admin.ask(f"CREATE USER \"{user}\" WITH PASSWORD '{password}'")
        admin.ask(f'GRANT {right} ON "{name}" TO "{user}"')


def _make_admin(server: str, passwords: Logins) -> None:
    made = f"CREATE USER \"{logins.ADMIN}\" WITH PASSWORD '{passwords.influxdb_admin}' WITH ALL PRIVILEGES"
    try:
        Database(server, "", "").ask(made)
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
    rows = reader.ask(f'SELECT last("servers") FROM "cvmfs_scrape" {of_fleet}')  # noqa: S608
    return int(rows[0]["time"]) // _SECOND if rows else None


def writer(server: str, passwords: Logins) -> Database:
    """The database as Telegraf has it: it may write and nothing else."""
    return Database(server, logins.WRITER, passwords.influxdb_telegraf)


def reader(server: str, passwords: Logins) -> Database:
    """The database as Grafana has it: it may read and nothing else."""
    return Database(server, logins.READER, passwords.influxdb_grafana)
