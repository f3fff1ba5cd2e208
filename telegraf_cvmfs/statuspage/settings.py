"""What may be told, and how: `statuspage.toml`. What it does not name is on no page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from telegraf_cvmfs.fleet import maintenance, values
from telegraf_cvmfs.fleet.table import Convert, TomlFile
from telegraf_cvmfs.model import Keep, Maintenance, matches

FIELDS: Mapping[str, str] = {
    "finding": "why something is not ok, as one of a fixed list of phrases",
    "revision": "the revision of each replica, and when it was published",
    "lag": "for how long a replica has been without something published",
    "snapshot": "when the last snapshot ended",
    "size": "the size of the root catalog",
    "geoapi": "whether the server's GeoAPI works",
    "version": "the version of the server's CernVM-FS",
    "why": "why there is maintenance, as whoever announced it wrote",
}
"""What may be told of a replica or server beside its state, by the name of the setting."""

USUAL = ("finding", "revision", "lag", "snapshot", "geoapi")
_WHAT = "status page's settings"
_NOT_IN_PATHS = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True)
class Settings:
    """What a page tells; `servers` are the public names by those in the fleet, the rest of them is not there."""

    servers: Mapping[str, str]
    repositories: tuple[str, ...]
    fleet: str = "cvmfs"
    title: str = "CernVM-FS"
    fields: tuple[str, ...] = USUAL
    url: str = ""
    announcement: str = ""
    folder: Path | None = None
    interval: timedelta = timedelta(minutes=5)
    build: timedelta = timedelta(minutes=5)
    sooner: timedelta = timedelta(minutes=1)
    reload: timedelta = timedelta(minutes=5)
    days: int = 90
    redundancy: int = 2
    old_runs: tuple[Keep, ...] = (
        Keep(timedelta(hours=48), timedelta(hours=1)),
        Keep(timedelta(days=90), timedelta(days=1)),
    )
    open_after: timedelta = timedelta(minutes=10)
    close_after: timedelta = timedelta(minutes=15)
    maintenance: tuple[Maintenance, ...] = field(default=())

    def tells(self, repo: str) -> bool:
        """Whether a repository is on the page."""
        return matches(repo, self.repositories)

    @property
    def stale_after(self) -> timedelta:
        """How old a page is when it says so."""
        return 2 * max(self.interval, self.build)


def slug(name: str) -> str:
    """A public name as part of a path: `Europe 1` is europe-1."""
    return _NOT_IN_PATHS.sub("-", name.lower()).strip("-")


def load(path: Path) -> Settings:
    """Read the settings; files that they name are relative to this one.

    Raises:
        ConfigError: the file cannot be read, or says something that is not understood: where, and what was expected.
    """
    file = TomlFile.load(path, _WHAT)
    file.refuse_others(dict.fromkeys(_KEYS, False) | {"servers": False, "maintenance": True})
    found: dict[str, Any] = {}
    for name, keys in _KEYS.items():
        found |= file.section(name, keys)
    windows = maintenance.windows(file)
    if (fleet_file := found.pop("fleet_file", None)) is not None:
        windows += _windows_of(path.parent / fleet_file)
    folder = found.pop("folder", None)
    if "repositories" not in found:
        raise file.error("tell", None, None, "repositories is missing: which may be told, as globs")
    servers = _servers(file)
    return Settings(servers, folder=folder and path.parent / folder, maintenance=windows, **found)


def _servers(file: TomlFile) -> dict[str, str]:
    table = file.data.get("servers", {})
    if not isinstance(table, dict) or not table:
        raise file.error("servers", None, None, "must be a table with the public name of each server that may be told")
    found = file.convert("servers", None, table, dict.fromkeys(table, values.text))
    slugs: dict[str, str] = {}
    for name, public in found.items():
        if not slug(public):
            raise file.error("servers", None, name, f"{public!r} has no letter or digit")
        if (other := slugs.setdefault(slug(public), name)) != name:
            raise file.error("servers", None, name, f"{public!r} is too much like the public name of {other}")
    return found


def _windows_of(fleet_file: Path) -> tuple[Maintenance, ...]:
    """The windows in a fleet file, of which nothing else is read, and in the one beside it that a command writes."""
    file = TomlFile.load(fleet_file, "fleet file")
    return (*maintenance.windows(file), *maintenance.load(maintenance.beside(fleet_file)))


def _fields(value: object) -> tuple[str, ...]:
    names = values.texts(value)
    if unknown := [name for name in names if name not in FIELDS]:
        raise ValueError(f"some of {', '.join(FIELDS)}, not {unknown[0]!r}")
    return tuple(names)


def _address(value: object) -> str:
    text = values.text(value)
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
        raise ValueError('where the page will be, such as "https://status.example.org/cvmfs"')
    return text.rstrip("/")


def _days(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 366:  # noqa: PLR2004  # a year
        raise ValueError("a number of days from 1 to 366")
    return value


_KEYS: Mapping[str, Mapping[str, Convert]] = {
    "page": {
        "title": values.text,
        "url": _address,
        "announcement": values.text_or_nothing,
        "folder": values.text,
        "days": _days,
        "old_runs": values.keep,
        "build": values.positive_duration,
        "sooner": values.positive_duration,
        "reload": values.positive_duration,
    },
    "tell": {
        "fleet": values.text,
        "fleet_file": values.text,
        "repositories": values.globs,
        "fields": _fields,
        "interval": values.positive_duration,
        "redundancy": values.replicas,
    },
    "incidents": {"open_after": values.positive_duration, "close_after": values.positive_duration},
}
"""The sections and their keys, but for `[servers]` and `[[maintenance]]`."""
