"""The fleet file, and servers named on the command line, to a `Fleet`; what is not known is refused.

A typing error in a fleet file must not silently watch nothing, so each error names the file, the line
where it can, the key, and what would be right.
"""

from __future__ import annotations

import re
import reprlib
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from telegraf_cvmfs.fleet import values
from telegraf_cvmfs.model import (
    FINDINGS,
    ConfigError,
    Fleet,
    GeoAPI,
    Limit,
    RepositoryRule,
    Role,
    Server,
)
from telegraf_cvmfs.words.duration import duration

DEFAULT_PATH = Path("/etc/telegraf-cvmfs/fleet.toml")
LONGEST_FILE = 1 << 20  # characters; one of a thousand servers has a tenth of it
LONGEST_KEY = 1 << 16  # characters

Convert = Callable[[Any], Any]
"""A value of the file to a value of the model; ValueError says what was expected."""


def load(path: Path) -> Fleet:
    """Read a fleet file.

    Raises:
        ConfigError: it cannot be read, is not TOML, or says something that is not understood.
    """
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(LONGEST_FILE + 1)
    except OSError as error:
        raise ConfigError(f"fleet file {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"fleet file {path}: not UTF-8 text ({error.reason} at byte {error.start})") from error
    return parse(text, path)


def parse(text: str, path: Path) -> Fleet:
    """Make a `Fleet` of the text of a fleet file; `path` is for messages and for relative key files.

    Raises:
        ConfigError: as `load`.
    """
    if len(text) > LONGEST_FILE:
        raise ConfigError(f"fleet file {path}: has more than {LONGEST_FILE} characters")
    if deep := _DEEP_KEY.search(text):
        line = text.count("\n", 0, deep.start()) + 1
        raise ConfigError(f"fleet file {path}, line {line}: not TOML that can be read: a key of more than 50 parts")
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"fleet file {path}: not TOML: {_brief(str(error))}") from error
    except (ValueError, RecursionError):  # tomllib lets those of int() and of its own depth through
        raise ConfigError(f"fleet file {path}: not TOML that can be read: a huge number, or nested deeply") from None
    return _fleet(_File(path, text, data))


def with_servers(fleet: Fleet, stratum0: Iterable[str], stratum1: Iterable[str]) -> Fleet:
    """The fleet and, after its own servers, those named on the command line.

    Raises:
        ConfigError: a URL is not one, or two servers would have the same name.
    """
    added = [_server_named(text, Role.STRATUM0, "--stratum0") for text in stratum0]
    added += [_server_named(text, Role.STRATUM1, "--stratum1") for text in stratum1]
    servers = (*fleet.servers, *(replace(server, limits=FINDINGS) for server in added))
    if double := _first_double(server.name for server in servers):
        raise ConfigError(f"two servers are named {double!r}: each needs a name of its own")
    return replace(fleet, servers=servers)


_PART = r"""(?:[\w-]++|"(?:[^"\\\n]|\\.)*+"|'[^'\n]*+')"""
_DEEP_KEY = re.compile(rf"""(?<![\w"'\\-]){_PART}(?:[ \t]*+\.[ \t]*+{_PART}){{50}}""", re.ASCII)
"""tomllib takes quadratic time for such a key."""


# --- the file ---------------------------------------------------------------------------------------

_FLEET: Mapping[str, Convert] = {
    "name": values.text,
    "keys": values.texts,
    "key_dirs": values.texts,
    "via": values.via,
    "blacklists": values.texts,
    "only": values.texts,
    "repos": values.repository_names,
    "ignore_repos": values.texts,
}
_SCRAPE: Mapping[str, Convert] = {
    "deadline": values.positive_duration,
    "connections_per_server": values.connections,
    "proxy": values.proxy,
    "publish_window": duration,
    "verify_every": values.duration_or_off,
    "verify_each": values.size,
    "verify_run": values.size,
}
_GEOAPI: Mapping[str, Convert] = {"enabled": values.boolean, "servers": values.hosts}
_STATE: Mapping[str, Convert] = {"dir": values.text}
_SERVER: Mapping[str, Convert] = {
    "url": values.server_url,
    "role": values.role,
    "name": values.text,
    "backend": values.backend,
    "repos": values.repository_names,
    "ignore_repos": values.texts,
    "limits": values.table,
    "addresses": values.addresses,
    "via": values.via,
}
_REPOSITORY: Mapping[str, Convert] = {"name": values.text, "keys": values.texts, "snapshot_factor": values.factor}


def _limit_converter(default: object) -> Convert:
    if isinstance(default, timedelta):
        return lambda value: None if value == "off" else duration(value)

    def only_off(value: object) -> None:
        if value != "off":
            raise ValueError('"off": it is a fact and has no limit')

    return only_off


_LIMITS: Mapping[str, Convert] = {
    f"{slug}_{severity}": _limit_converter(default)
    for slug, limit in FINDINGS.items()
    for severity, default in (("warning", limit.warning), ("critical", limit.critical))
    if default is not None
}

SECTIONS: Mapping[str, Mapping[str, Convert]] = {
    "fleet": _FLEET,
    "scrape": _SCRAPE,
    "limits": _LIMITS,
    "geoapi": _GEOAPI,
    "state": _STATE,
    "server": _SERVER,
    "repository": _REPOSITORY,
}
"""Every section of the file with its keys; `server` and `repository` may stand many times."""

_REPEATED = ("server", "repository")


@dataclass(frozen=True)
class _File:
    """A fleet file while it is read: what it says, and where, for the errors."""

    path: Path
    text: str
    data: dict[str, Any]

    def error(self, section: str, number: int | None, key: str | None, what: str) -> ConfigError:
        """What is wrong, and where in the file; `number` counts the tables of one kind from 0."""
        line = _line_of(self.text, section, number or 0, key)
        place = f"[{section}]" if number is None else f"[[{section}]] number {number + 1}"
        at = f", line {line}" if line else ""
        named = "" if key is None else f" {_key(key)}"
        return ConfigError(f"fleet file {self.path}{at}: {place}{named}: {what}")


def _fleet(file: _File) -> Fleet:
    if unknown := [name for name in file.data if name not in SECTIONS]:
        known = ", ".join(f"[[{name}]]" if name in _REPEATED else f"[{name}]" for name in SECTIONS)
        line = _line_of(file.text, unknown[0], 0, None) or _line_of(file.text, "", 0, unknown[0])
        at = f", line {line}" if line else ""
        what = f"unknown section or key {_shown(unknown[0])}; known are {known}"
        raise ConfigError(f"fleet file {file.path}{at}: {what}")
    fleet = _section(file, "fleet")
    via = fleet.pop("via", "")  # it is that of each server which has none of its own
    scrape = _section(file, "scrape")
    limits = _limits(_section(file, "limits"), FINDINGS)
    state = _section(file, "state")
    return Fleet(
        servers=_servers(file, limits, via),
        rules=_rules(file),
        geoapi=GeoAPI(**_section(file, "geoapi")),
        keys=_key_files(file, "fleet", None, fleet.pop("keys", ())),
        key_dirs=tuple(file.path.parent / name for name in fleet.pop("key_dirs", ())),
        blacklists=tuple(file.path.parent / name for name in fleet.pop("blacklists", ())),
        state_dir=_state_dir(file, state.get("dir", "")),
        **fleet,
        **scrape,
    )


def _section(file: _File, name: str) -> dict[str, Any]:
    table = file.data.get(name, {})
    if not isinstance(table, dict):
        raise file.error(name, None, None, f"must be a table, [{name}]")
    return _convert(file, name, None, table, SECTIONS[name])


def _repeated(file: _File, name: str) -> list[dict[str, Any]]:
    tables = file.data.get(name, [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise file.error(name, None, None, f"must be written with two brackets, [[{name}]]")
    return [_convert(file, name, number, table, SECTIONS[name]) for number, table in enumerate(tables)]


def _convert(
    file: _File, section: str, number: int | None, table: dict[str, Any], keys: Mapping[str, Convert]
) -> dict[str, Any]:
    if unknown := [key for key in table if key not in keys]:
        raise file.error(section, number, unknown[0], f"unknown key; known are {', '.join(keys)}")
    converted = {}
    for key, value in table.items():
        try:
            converted[key] = keys[key](value)
        except ValueError as error:
            raise file.error(section, number, key, f"is {_shown(value)}, expected {error}") from error
    return converted


def _limits(moved: Mapping[str, Any], default: Mapping[str, Limit]) -> dict[str, Limit]:
    """The limits with those moved that a table moves; its keys are `<finding>_<severity>`."""
    return {
        slug: Limit(
            moved.get(f"{slug}_warning", limit.warning),
            moved.get(f"{slug}_critical", limit.critical),
        )
        for slug, limit in default.items()
    }


def _servers(file: _File, limits: Mapping[str, Limit], via: str) -> tuple[Server, ...]:
    servers: dict[str, Server] = {}
    for number, table in enumerate(_repeated(file, "server")):
        for key in ("url", "role"):
            if key not in table:
                raise file.error("server", number, None, f"{key} is missing")
        own = _convert(file, "server", number, table.pop("limits", {}), _LIMITS)
        table.setdefault("name", values.server_name(table["url"]))
        every = table.pop("addresses", False)
        table.setdefault("via", via)
        server = Server(**table, limits=_limits(own, limits), all_addresses=every)
        if server.name in servers:
            what = f"another server is named {server.name!r} already; give each a name of its own"
            raise file.error("server", number, "name" if "name" in file.data["server"][number] else "url", what)
        servers[server.name] = server
    return tuple(servers.values())


def _rules(file: _File) -> tuple[RepositoryRule, ...]:
    rules = []
    for number, table in enumerate(_repeated(file, "repository")):
        if "name" not in table:
            raise file.error("repository", number, None, "name is missing")
        keys = _key_files(file, "repository", number, table.pop("keys", ()))
        rules.append(RepositoryRule(**table, keys=keys))
    return tuple(rules)


def _state_dir(file: _File, name: str) -> str:
    """Relative to the fleet file, as keys are; "none" is no folder."""
    return name if name in ("", "none") else str(file.path.parent / name)


def _key_files(file: _File, section: str, number: int | None, names: Iterable[str]) -> tuple[Path, ...]:
    """Master keys: paths are relative to the fleet file, and each must be readable by this user."""
    paths = tuple(file.path.parent / name for name in names)
    for path in paths:
        if problem := key_problem(path):
            raise file.error(section, number, "keys", problem)
    return paths


def key_problem(path: Path) -> str | None:
    """Why this is no master public key, in a sentence; None if it looks like one."""
    try:
        with path.open(encoding="ascii") as file:
            if "-----BEGIN PUBLIC KEY-----" not in file.read(LONGEST_KEY):
                return f"{path} is not a public key in PEM form"
    except OSError as error:
        return f"{path}: {error.strerror or error}"
    except UnicodeDecodeError:
        return f"{path} is not a public key in PEM form"
    return None


def _server_named(text: str, role: Role, option: str) -> Server:
    try:
        url = values.server_url(text)
    except ValueError as error:
        raise ConfigError(f"{option} {text!r}: expected {error}") from error
    return Server(url, values.server_name(url), role)


def _first_double(names: Iterable[str]) -> str | None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None


_HEADER = re.compile(r"\[\[?([^\[\]]+)\]\]?\s*(?:#.*)?")


def _line_of(text: str, section: str, number: int, key: str | None) -> int | None:
    """The line of a key, or of the header of its table, counted from 1; tomllib does not tell."""
    here, count, header = "", -1, None
    # str.splitlines would cut at characters too that may stand in a comment.
    for index, line in enumerate(text.split("\n"), start=1):
        if match := _HEADER.fullmatch(line.strip()):
            here = match[1].strip(" \t\"'")
            count += here == section
            if (here, count) == (section, number):
                header = index
        elif key is not None and (here, max(count, 0)) == (section, number) and _assigns(line, key):
            return index
    return header


def _assigns(line: str, key: str) -> bool:
    written = line.lstrip(" \t\"'")
    return written.startswith(key) and written[len(key) :].lstrip(" \t\"'").startswith((".", "="))


# --- what an error shows of the file ----------------------------------------------------------------

_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]{1,60}")
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 60


def _key(key: str) -> str:
    return key if _PLAIN_KEY.fullmatch(key) else _shown(key)


def _shown(value: object) -> str:
    """The value in a few words of one printable line: it may be long, deep, or hold line breaks."""
    try:
        return _SHORT.repr(value)
    except ValueError:  # of an integer with more digits than Python is willing to write
        return "a huge number"


def _brief(sentence: str) -> str:
    """The sentence without its middle if it is long; tomllib's ends with the place."""
    return sentence if len(sentence) <= 200 else f"{sentence[:100]}...{sentence[-60:]}"  # noqa: PLR2004
