"""The fleet file, and servers named on the command line, to a `Fleet`; what is not known is refused.

A typing error in a fleet file must not silently watch nothing, so each error names the file, the line
where it can, the key, and what would be right.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from telegraf_cvmfs.fleet import maintenance, values
from telegraf_cvmfs.fleet.access import ACCESS, access
from telegraf_cvmfs.fleet.address import Address, server_address, server_name, several
from telegraf_cvmfs.fleet.table import Convert, TomlFile
from telegraf_cvmfs.model import (
    LIMITS,
    REPOSITORY_FINDINGS,
    ConfigError,
    Fleet,
    GeoAPI,
    History,
    Limit,
    RepositoryRule,
    Role,
    Server,
)
from telegraf_cvmfs.whole_file import read_file
from telegraf_cvmfs.words.duration import duration
from telegraf_cvmfs.words.secrecy import masked

DEFAULT_PATH = Path("/etc/telegraf-cvmfs/fleet.toml")
LONGEST_KEY = 1 << 16  # bytes

_WHAT = "fleet file"


def load(path: Path, over: Callable[[], bool] = lambda: False) -> Fleet:
    """Read a fleet file, or what comes through a pipe until it is over.

    Raises:
        ConfigError: it cannot be read, is not TOML, or says something that is not understood.
    """
    fleet = _fleet(TomlFile.load(path, _WHAT, over))
    return replace(fleet, maintenance=(*fleet.maintenance, *maintenance.load(maintenance.beside(path))))


def parse(text: str, path: Path) -> Fleet:
    """Make a `Fleet` of the text of a fleet file; `path` is for messages and for relative key files.

    Raises:
        ConfigError: as `load`.
    """
    return _fleet(TomlFile.parse(text, path, _WHAT))


def with_servers(fleet: Fleet, stratum0: Iterable[str], stratum1: Iterable[str]) -> Fleet:
    """The fleet and, after its own servers, those named on the command line.

    Raises:
        ConfigError: a URL is not one, or two servers would have the same name.
    """
    added = [*_servers_named(stratum0, Role.STRATUM0, "--stratum0")]
    added += _servers_named(stratum1, Role.STRATUM1, "--stratum1")
    follow = fleet.follow_redirects
    servers = (*fleet.servers, *(replace(one, limits=LIMITS, follow_redirects=follow) for one in added))
    if double := _first_double(server.name for server in servers):
        raise ConfigError(f"two servers are named {masked(double)!r}: each needs a name of its own")
    return replace(fleet, servers=servers)


# --- the file ---------------------------------------------------------------------------------------

_FLEET: Mapping[str, Convert] = {
    "name": values.text,
    "keys": values.files,
    "key_dirs": values.texts,
    "via": values.via,
    "blacklists": values.texts,
    "only": values.globs,
    "repos": values.repository_names,
    "ignore_repos": values.globs,
}
_SCRAPE: Mapping[str, Convert] = {
    "deadline": values.positive_duration,
    "connections_per_server": values.connections,
    "proxy": values.proxy,
    "follow_redirects": values.boolean,
    "transport": values.transport,
    "publish_window": duration,
    "verify_every": values.duration_or_off,
    "verify_each": values.size,
    "verify_run": values.size,
}
_GEOAPI: Mapping[str, Convert] = {"enabled": values.boolean, "servers": values.hosts}
_STATE: Mapping[str, Convert] = {"dir": values.text}
_HISTORY: Mapping[str, Convert] = {"dir": values.text_or_nothing, "keep": values.keep}
_SERVER: Mapping[str, Convert] = {
    "url": server_address,
    "role": values.role,
    "name": values.text,
    "backend": values.backend,
    "repos": values.repository_names,
    "ignore_repos": values.globs,
    "limits": values.table,
    "addresses": values.addresses,
    "via": values.via,
    "follow_redirects": values.boolean,
    "geoapi": values.boolean,
    **dict.fromkeys(ACCESS, values.text),
}
_REPOSITORY: Mapping[str, Convert] = {"name": values.text, "keys": values.files, "snapshot_factor": values.factor}


def _limit_converter(default: object) -> Convert:
    if isinstance(default, timedelta):
        return lambda value: None if value == "off" else duration(value)

    def only_off(value: object) -> None:
        if value != "off":
            raise ValueError('"off": it is a fact and has no limit')

    return only_off


_LIMITS: Mapping[str, Convert] = {
    f"{slug}_{severity}": _limit_converter(default)
    for slug, limit in LIMITS.items()
    for severity, default in (("warning", limit.warning), ("critical", limit.critical))
    if default is not None
}

_LIMITS_OF_SERVER = {key: convert for key, convert in _LIMITS.items() if not key.startswith(REPOSITORY_FINDINGS)}

SECTIONS: Mapping[str, Mapping[str, Convert]] = {
    "fleet": _FLEET,
    "scrape": _SCRAPE,
    "limits": {"min_replicas_ok": values.replicas, **_LIMITS},
    "geoapi": _GEOAPI,
    "state": _STATE,
    "history": _HISTORY,
    "server": _SERVER,
    "repository": _REPOSITORY,
    "maintenance": maintenance.KEYS,
}
"""Every section of the file with its keys; `server`, `repository` and `maintenance` may stand many times."""

_REPEATED = ("server", "repository", "maintenance")


def _fleet(file: TomlFile) -> Fleet:
    file.refuse_others({name: name in _REPEATED for name in SECTIONS})
    fleet = file.section("fleet", SECTIONS["fleet"])
    common = {"via": fleet.pop("via", "")}  # those of each server which has none of its own
    scrape = file.section("scrape", SECTIONS["scrape"])
    common["follow_redirects"] = scrape.get("follow_redirects", False)
    moved = file.section("limits", SECTIONS["limits"])
    limits = _limits(moved, LIMITS)
    state = file.section("state", SECTIONS["state"])
    return Fleet(
        servers=_servers(file, limits, common),
        rules=_rules(file),
        limits=limits,
        maintenance=maintenance.windows(file),
        min_replicas_ok=moved.get("min_replicas_ok", Fleet.min_replicas_ok),
        geoapi=GeoAPI(**file.section("geoapi", SECTIONS["geoapi"])),
        keys=_key_files(file, "fleet", None, fleet.pop("keys", ())),
        key_dirs=_key_dirs(file, fleet.pop("key_dirs", ())),
        blacklists=tuple(file.path.parent / name for name in fleet.pop("blacklists", ())),
        state_dir=_state_dir(file, state.get("dir", "")),
        history=_history(file),
        **fleet,
        **scrape,
    )


def _limits(moved: Mapping[str, Any], default: Mapping[str, Limit]) -> dict[str, Limit]:
    """The limits with those moved that a table moves; its keys are `<finding>_<severity>`."""
    return {
        slug: Limit(
            moved.get(f"{slug}_warning", limit.warning),
            moved.get(f"{slug}_critical", limit.critical),
        )
        for slug, limit in default.items()
    }


def _servers(file: TomlFile, limits: Mapping[str, Limit], common: Mapping[str, Any]) -> tuple[Server, ...]:
    servers: dict[str, Server] = {}
    for number, table in enumerate(file.repeated("server", _SERVER)):
        for key in ("url", "role"):
            if key not in table:
                raise file.error("server", number, None, f"{key} is missing")
        own = file.convert("server", number, table.pop("limits", {}), _LIMITS_OF_SERVER)
        address: Address = table.pop("url")
        table.setdefault("name", server_name(address.url))
        every = table.pop("addresses", False)
        who = access(file, number, table)
        moved = {**common, **table, "limits": _limits(own, limits), "all_addresses": every, "access": who}
        server = Server(**vars(address), **moved)
        if server.name in servers:
            what = f"another server is named {masked(server.name)!r} already; give each a name of its own"
            raise file.error("server", number, "name" if "name" in file.data["server"][number] else "url", what)
        servers[server.name] = server
    return tuple(servers.values())


def _rules(file: TomlFile) -> tuple[RepositoryRule, ...]:
    rules = []
    for number, table in enumerate(file.repeated("repository", _REPOSITORY)):
        if "name" not in table:
            raise file.error("repository", number, None, "name is missing")
        keys = _key_files(file, "repository", number, table.pop("keys", ()))
        rules.append(RepositoryRule(**table, keys=keys))
    return tuple(rules)


def _state_dir(file: TomlFile, name: str) -> str:
    """Relative to the fleet file, as keys are; "none" is no folder."""
    return name if name in ("", "none") else str(file.path.parent / name)


def _history(file: TomlFile) -> History:
    """Relative to the fleet file, as the memory is."""
    history = History(**file.section("history", SECTIONS["history"]))
    return replace(history, dir=str(file.path.parent / history.dir)) if history.dir else history


def _key_files(file: TomlFile, section: str, number: int | None, names: Iterable[str]) -> tuple[Path, ...]:
    """Master keys: paths are relative to the fleet file, and each must be readable by this user."""
    paths = tuple(file.path.parent / name for name in names)
    for path in paths:
        if problem := key_problem(path):
            raise file.error(section, number, "keys", problem)
    return paths


def _key_dirs(file: TomlFile, names: Iterable[str]) -> tuple[Path, ...]:
    """Folders of master keys: relative to the fleet file. One that is not there, now, is no reason to watch nothing."""
    paths = tuple(file.path.parent / name for name in names)
    for path in paths:
        with contextlib.suppress(OSError):
            if path.exists() and not path.is_dir():
                what = f"{masked(str(path))} is no folder; files of keys are named in keys"
                raise file.error("fleet", None, "key_dirs", what)
    return paths


def key_problem(path: Path) -> str | None:
    """Why this is no master public key, in a sentence; None if it looks like one."""
    try:
        if b"-----BEGIN PUBLIC KEY-----" not in read_file(path, LONGEST_KEY):
            return f"{masked(str(path))} is not a public key in PEM form"
    except IsADirectoryError:
        return f"{masked(str(path))} is a folder; folders of keys are named in [fleet] key_dirs"
    except OSError as error:
        return f"{masked(str(path))}: {error.strerror or error}"
    return None


def _servers_named(texts: Iterable[str], role: Role, option: str) -> Iterator[Server]:
    """Each server by itself: one option may have several, as CVMFS_SERVER_URL has them."""
    for text in texts:
        try:
            addresses = [server_address(url) for url in several(text)]
        except ValueError as error:
            raise ConfigError(f"{option} {masked(text)!r}: expected {error}") from error
        for address in addresses:
            yield Server(address.url, server_name(address.url), role, places=address.places)


def _first_double(names: Iterable[str]) -> str | None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None
