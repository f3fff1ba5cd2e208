"""What a server says about itself: `info/v1/repositories.json` and `info/v1/meta.json`."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from telegraf_cvmfs.model import Entry, Listing, Meta, ParseError
from telegraf_cvmfs.wire.json_object import json_object
from telegraf_cvmfs.wire.status import parse_date
from telegraf_cvmfs.words.text import label, printable, shown

REPOSITORY_NAME = re.compile(r"(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._-]{0,252}")
"""What a repository can be called; names end up in URLs, tags and file names. Match the whole text."""

MOST_ENTRIES = 2_000

_PATH = re.compile(r"(?!.*\.\.)(?:/(?!\.(?:/|\Z))[A-Za-z0-9._~+@-]+)+")
_LONGEST_PATH = 1024
_LISTS = {"repositories": False, "replicas": True}
_DEEPEST = 20


def is_repository_name(text: str) -> bool:
    """Can a repository be called so?"""
    return REPOSITORY_NAME.fullmatch(text) is not None


def is_served_path(text: str) -> bool:
    """Is this where a server may say that it serves a repository?"""
    return len(text) <= _LONGEST_PATH and _PATH.fullmatch(text) is not None


def parse_listing(body: bytes) -> Listing:
    """Read `info/v1/repositories.json`; both lists may be there, and both may be filled.

    All but the lists is optional: servers older than 2.10 write no versions, and later ones can be told not
    to. An entry that no repository can be asked for with is `rejected` with a sentence. Of two entries with
    the same name and alias one stays, the replica. ParseError if there is no list, or more than 2,000
    entries (CernVM-FS, update_info in cvmfs_server).
    """
    document = json_object(body, "repositories.json")
    found = [_entry_or_sentence(*listed) for listed in _listed(document)]
    schema = document.get("schema")
    geodb = document.get("last_geodb_update")
    return Listing(
        entries=_unique(one for one in found if isinstance(one, Entry)),
        last_geodb_update=parse_date(geodb) if isinstance(geodb, str) else None,
        cvmfs_version=label(document.get("cvmfs_version")),
        os_id=label(document.get("os_id")),
        os_version_id=label(document.get("os_version_id")),
        os_pretty_name=label(document.get("os_pretty_name")),
        schema=schema if isinstance(schema, int) and not isinstance(schema, bool) else None,
        rejected=tuple(one for one in found if isinstance(one, str)),
    )


def parse_meta(body: bytes) -> Meta:
    """Read `info/v1/meta.json`; it is written by hand, so whatever is not text counts as missing.

    `custom` is kept as it is, with its texts made printable, unless it is nested deeper than 20 levels.
    ParseError if the document is no JSON object.
    """
    document = json_object(body, "meta.json")
    try:
        custom = _printable(document.get("custom"), _DEEPEST)
    except ValueError:
        custom = None
    return Meta(
        administrator=label(document.get("administrator")),
        email=label(document.get("email")),
        organisation=label(document.get("organisation")),
        custom=custom,
    )


def _listed(document: Mapping[str, Any]) -> list[tuple[str, object]]:
    lists = {key: document[key] for key in _LISTS if document.get(key) is not None}
    if not lists:
        raise ParseError("repositories.json", "not a list of repositories")
    for key, entries in lists.items():
        if not isinstance(entries, list):
            raise ParseError("repositories.json", f"{key} is not a list")
    if sum(map(len, lists.values())) > MOST_ENTRIES:
        raise ParseError("repositories.json", f"more than {MOST_ENTRIES} entries")
    return [(key, entry) for key, entries in lists.items() for entry in entries]


def _entry_or_sentence(key: str, entry: object) -> Entry | str:
    try:
        return _entry(entry, replica=_LISTS[key])
    except ValueError as why:
        return f"{key}: {why}"


def _entry(written: object, *, replica: bool) -> Entry:
    """An entry of a list; ValueError if no repository can be asked for with it."""
    if not isinstance(written, dict):
        raise ValueError("an entry is not an object")
    name = _name(written.get("name"))
    alias = _alias(written.get("alias"), name)
    path = _path(written.get("url"), f"/cvmfs/{alias or name}")
    if alias is None and path != f"/cvmfs/{name}":
        alias = path.rpartition("/")[2]
    return Entry(name, path, replica, alias, pass_through=written.get("pass-through") is True)


def _name(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("an entry has no name")
    if not is_repository_name(value):
        raise ValueError(f"an entry's name is not that of a repository: {shown(value)}")
    return value


def _alias(value: object, name: str) -> str | None:
    usable = isinstance(value, str) and is_repository_name(value) and value != name
    return str(value) if usable else None


def _path(value: object, otherwise: str) -> str:
    if value is None:
        return otherwise
    if not isinstance(value, str):
        raise ValueError("an entry's url is not text")
    path = value.removesuffix("/")
    if not is_served_path(path):
        raise ValueError(f"an entry's url is not the path of a repository: {shown(value)}")
    return path


def _unique(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    kept: dict[tuple[str, str | None], Entry] = {}
    for entry in entries:
        key = (entry.name, entry.alias)
        if key not in kept or (entry.replica and not kept[key].replica):
            kept[key] = entry
    return tuple(kept.values())


def _printable(value: Any, room: int) -> Any:  # noqa: ANN401
    """A value of JSON with its texts made printable; ValueError beyond the depth allowed."""
    if room == 0:
        raise ValueError("nested too deeply")
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, list):
        return [_printable(one, room - 1) for one in value]
    if isinstance(value, dict):
        return dict(_printable_items(value, room - 1))
    # JSON has no infinity, but 1e999 becomes one, and no JSON could be written with it.
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _printable_items(value: Mapping[str, Any], room: int) -> Iterator[tuple[str, Any]]:
    for key, one in value.items():
        yield _printable(key, 1), _printable(one, room)
