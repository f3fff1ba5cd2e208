"""The users of the database and of Grafana, and their generated passwords."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from deploy.native.room import Room

FILE = "passwords"
DATABASE = "cvmfs"
ADMIN, WRITER, READER = "admin", "telegraf", "grafana"


@dataclass(frozen=True)
class Logins:
    """A password for each user; only letters, digits, `-` and `_`, so that no format has to quote one."""

    influxdb_admin: str
    influxdb_telegraf: str
    influxdb_grafana: str
    grafana_admin: str

    def __repr__(self) -> str:
        return "Logins(...)"  # not in a log, a traceback or a failed assertion


def made() -> Logins:
    """New passwords."""
    return Logins(*(secrets.token_urlsafe(24) for _ in fields(Logins)))


def kept(room: Room) -> Logins:
    """The passwords of this stack, made and kept in a file of mode 0600 the first time."""
    found = dict(_lines(room.folder / FILE))
    names = [field.name for field in fields(Logins)]
    if set(names) <= found.keys():
        return Logins(**{name: found[name] for name in names})
    logins = made()
    room.write(FILE, "".join(f"{name}={password}\n" for name, password in asdict(logins).items()))
    return logins


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    with contextlib.suppress(OSError):
        for line in path.read_text(encoding="utf-8").splitlines():
            name, _, password = line.partition("=")
            yield name, password
