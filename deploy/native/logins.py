"""The users of the database and of Grafana, and their generated passwords."""

from __future__ import annotations

import re
import secrets
from dataclasses import asdict, dataclass, fields

from deploy.native.folder import Folder, Trouble

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


def kept(folder: Folder) -> Logins:
    """The passwords of this stack, made and kept in a file of mode 0600 the first time.

    Raises:
        Trouble: there is such a file, but it is not whole: new ones would not open the database that is there.
        OSError: it cannot be read.
    """
    path = folder.path / FILE
    if path.exists():
        found = dict(re.findall(r"^(\w+)=([A-Za-z0-9_-]+)$", path.read_text("utf-8", "replace"), re.MULTILINE))
        try:
            return Logins(**{field.name: found[field.name] for field in fields(Logins)})
        except KeyError as missing:
            what = f"{path}: expected a line {missing.args[0]}=… of letters, digits, - and _"
            raise Trouble(f"{what}; put the old file back, or `./stack native reset`") from missing
    logins = made()
    folder.write(FILE, "".join(f"{name}={password}\n" for name, password in asdict(logins).items()))
    return logins
