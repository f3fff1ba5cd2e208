"""Names of objects in a storage: what one is, which match a pattern, which moment one states. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache

_PART = re.compile(r"[^./\\\x00-\x1f\x7f][^/\\\x00-\x1f\x7f]{0,199}")
_LONGEST = 900
_STAMP = re.compile(r"(\d{4})-(\d\d)-(\d\d)-(\d\d)(\d\d)(\d\d)([+-]\d{4}(?!-\d\d-))?(?!\d)")
_WILD = re.compile(r"\*\*/?|\*|\?|\[!?[^\]/]+\]")


class StorageError(Exception):
    """It could not be stored or read; str() says what, where, and why."""


def checked(name: str) -> str:
    """The name, if it is one: parts joined by "/", none of which begins with a dot; ValueError if not."""
    if not _is_name(name):
        raise ValueError(f"{name!r} is no name of an object: parts joined by /, none empty or beginning with a dot")
    return name


def _is_name(name: str) -> bool:
    return len(name) <= _LONGEST and all(_PART.fullmatch(part) for part in name.split("/"))


def selected(
    names: Iterable[str], pattern: str, since: datetime | None = None, until: datetime | None = None
) -> list[str]:
    """Those that match, sorted, and whose first timestamp is in the span; without one, a name is in no span.

    `*` and `?` match within a part, `**` also across. A timestamp is `2026-11-25-120000+0000`; without zone UTC.
    ValueError for a moment without a zone.
    """
    for moment in (since, until):
        if moment is not None and moment.tzinfo is None:
            raise ValueError(f"{moment.isoformat()} has no time zone")
    matches = _expression(pattern).fullmatch
    return sorted(name for name in names if _is_name(name) and matches(name) and _is_within(name, since, until))


def _is_within(name: str, since: datetime | None, until: datetime | None) -> bool:
    if since is None and until is None:
        return True
    moment = stated(name)
    return moment is not None and (since is None or since <= moment) and (until is None or moment < until)


def stated(name: str) -> datetime | None:
    """The first moment that a name states; None if there is none."""
    for match in _STAMP.finditer(name):
        *numbers, zone = match.groups()
        try:
            there = datetime.strptime(zone, "%z").tzinfo if zone else UTC
            return datetime(*map(int, numbers), tzinfo=there)  # type: ignore[misc,arg-type]
        except ValueError:
            continue
    return None


def beginning(pattern: str) -> str:
    """What every name that matches begins with, up to a slash."""
    plain = _WILD.split(pattern, maxsplit=1)[0]
    return plain if plain == pattern else plain.rpartition("/")[0]


@lru_cache(maxsize=64)
def _expression(pattern: str) -> re.Pattern[str]:
    place, parts = 0, list[str]()
    for wild in _WILD.finditer(pattern):
        parts += [re.escape(pattern[place : wild.start()]), _meaning(wild[0])]
        place = wild.end()
    return re.compile("".join([*parts, re.escape(pattern[place:])]))


def _meaning(wild: str) -> str:
    if wild.startswith("["):
        return f"(?!/)[{'^' if wild[1] == '!' else ''}{re.escape(wild.strip('[]!')).replace(re.escape('-'), '-')}]"
    return {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}[wild]
