"""What a server says about itself: `info/v1/repositories.json` and `info/v1/meta.json`."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from telegraf_cvmfs.model import Entry, Listing, Meta, ParseError
from telegraf_cvmfs.wire.json_object import json_object, not_understood
from telegraf_cvmfs.wire.status import parse_date
from telegraf_cvmfs.words.text import label, printable, shown

REPOSITORY_NAME = re.compile(r"(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._-]{0,252}")
"""What a repository can be called; names end up in URLs, tags and file names. Match the whole text."""

MOST_ENTRIES = 2_000

_PATH = re.compile(r"(?!.*\.\.)(?:/(?!\.(?:/|\Z))[A-Za-z0-9._~+@-]+)+")
_LONGEST_PATH = 1024
_LISTS = {"repositories": False, "replicas": True}
_DEEPEST = 20
_NO = (None, False)
"""Who says anything else of a repository may not hold it at all: then it is not judged."""


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
    the same name and alias one stays, the replica. What is there and is not understood is named in `unreadable`;
    keys that are not known here are skipped. ParseError if there is no list, or more than 2,000 entries
    (CernVM-FS, update_info in cvmfs_server).
    """
    document = json_object(body, "repositories.json")
    listed = _listed(document)
    found = [_entry_or_sentence(*one) for one in listed]
    kept = (written for (_, written), one in zip(listed, found, strict=True) if isinstance(one, Entry))
    values = _read(document, _KEYS)
    return Listing(
        entries=_unique(one for one in found if isinstance(one, Entry)),
        rejected=tuple(one for one in found if isinstance(one, str)),
        unreadable=(*_unread(document, _KEYS), *(clause for entry in kept for clause in _unread_of_entry(entry))),
        **values,
    )


def _date(value: object) -> datetime | None:
    return parse_date(value) if isinstance(value, str) else None


def _whole_number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


_Keys = Mapping[str, Callable[[Any], Any]]

_KEYS: _Keys = {
    "schema": _whole_number,
    "last_geodb_update": _date,
    "cvmfs_version": label,
    "os_id": label,
    "os_version_id": label,
    "os_pretty_name": label,
}
"""The keys beside the lists; each reader gives None for what it does not understand."""

_OF_META: _Keys = {"administrator": label, "email": label, "organisation": label}


def _read(document: Mapping[str, Any], keys: _Keys) -> dict[str, Any]:
    """What is there and is understood."""
    values = {key: read(document[key]) for key, read in keys.items() if key in document}
    return {key: value for key, value in values.items() if value is not None}


def _unread(document: Mapping[str, Any], keys: _Keys) -> Iterator[tuple[str, str]]:
    """What is there and is not understood, with a clause that says so; a text that is empty says nothing."""
    for key, read in keys.items():
        value = document.get(key)
        nothing = value is None or (read is label and isinstance(value, str))
        if not nothing and read(value) is None:
            yield key, not_understood(key, value)


def parse_meta(body: bytes) -> Meta:
    """Read `info/v1/meta.json`; it is written by hand, and what is not text is named in `unreadable`.

    `custom` is kept as it is, with its texts made printable, unless it is nested deeper than 20 levels.
    ParseError if the document is no JSON object.
    """
    document = json_object(body, "meta.json")
    unreadable = tuple(_unread(document, _OF_META))
    try:
        custom = _printable(document.get("custom"), _DEEPEST)
    except ValueError as why:
        custom, unreadable = None, (*unreadable, ("custom", f"custom is not understood: {why}"))
    return Meta(**_read(document, _OF_META), custom=custom, unreadable=unreadable)


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
    if alias is None and written.get("url") is None and not _says_nothing(written.get("alias"), name):
        raise ValueError(not_understood("an entry's alias", written["alias"]))
    path = _path(written.get("url"), f"/cvmfs/{alias or name}")
    if alias is None and path != f"/cvmfs/{name}":
        alias = path.rpartition("/")[2]
    return Entry(name, path, replica, alias, pass_through=written.get("pass-through") not in _NO)


def _unread_of_entry(written: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401
    """What of an entry is not understood although its repository can be asked for."""
    name, alias, flag = written["name"], written.get("alias"), written.get("pass-through")
    if _alias(alias, name) is None and not _says_nothing(alias, name):
        yield "alias", f"of {name}, {not_understood('alias', alias)}"
    if flag is not None and not isinstance(flag, bool):
        yield "pass-through", f"of {name}, {not_understood('pass-through', flag)}"


def _says_nothing(alias: object, name: str) -> bool:
    return alias in (None, "", name)


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
