"""What the server's own tools last did to a repository: `.cvmfs_status.json` and the older marker files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache

from telegraf_cvmfs.model import ParseError, Snapshotting, Status
from telegraf_cvmfs.wire.json_object import json_object, not_understood
from telegraf_cvmfs.words.text import shown

_LONGEST_DATE = 64
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DATES = ("last_snapshot", "last_gc", "last_check")
_CHECKS = {"succeeded": True, "failed": False}

_ZONES: Mapping[str, float] = {
    "UTC": 0, "GMT": 0, "UT": 0, "Z": 0, "UCT": 0,
    "WET": 0, "WEST": 1, "CET": 1, "CEST": 2, "EET": 2, "EEST": 3, "MSK": 3,
    "BST": 1,  # British summer; also Bangladesh
    "EST": -5, "EDT": -4, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7,
    "CST": -6,  # central North America, as cvmfs-servermon has it; also China, which is fourteen hours ahead
    "AST": -4, "ADT": -3,  # Atlantic; AST also Arabia
    "HST": -10, "AKST": -9, "AKDT": -8,
    "HKT": 8, "SGT": 8, "AWST": 8, "JST": 9, "KST": 9,
    "AEST": 10, "AEDT": 11, "ACST": 9.5, "ACDT": 10.5, "NZST": 12, "NZDT": 13,
}  # fmt: skip
"""Hours east of Greenwich. Only old servers wrote local time. IST (India, Ireland, Israel) is no guess worth
making, so it is not understood."""

_PARTS: Mapping[str, re.Pattern[str]] = {
    "weekday": re.compile(r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,?"),
    "month": re.compile(rf"({'|'.join(_MONTHS)})[a-z]*"),
    "day": re.compile(r"([0-9]{1,2})"),
    "time": re.compile(r"([0-9]{1,2}:[0-9]{2}:[0-9]{2})"),
    "half": re.compile(r"([AP])M", re.IGNORECASE),
    "year": re.compile(r"([0-9]{4})"),
    "zone": re.compile(r"([A-Z]{1,4}|[+-][0-9]{2}(?::?[0-9]{2})?)"),
}
"""What each word of a date can be; the first that fits, so "PM" is half a day and not a zone."""


def parse_status(body: bytes) -> Status:
    """Read `.cvmfs_status.json`, a flat object of texts of which each may be missing or null.

    A date that is there and is not understood is named in `unreadable`, not guessed. ParseError if the
    document is no JSON object (CernVM-FS, update_repo_status in cvmfs_server).
    """
    written = {key: value for key, value in json_object(body, "status").items() if value is not None}
    dates = {key: _date(written[key]) for key in _DATES if key in written}
    check = _check(written.get("check_status"))
    known = {**dates, "check_status": check}
    unread = (key for key, value in known.items() if key in written and value is None)
    unreadable = tuple((key, not_understood(key, written[key])) for key in unread)
    return Status(**dates, check_ok=check, unreadable=unreadable)


def parse_last_snapshot(body: bytes) -> Status:
    """Read `.cvmfs_last_snapshot`, a date and nothing else; ParseError if it is not understood."""
    text = _text(body)
    moment = parse_date(text)
    if moment is None:
        raise ParseError("last snapshot", f"not a date: {shown(text)}")
    return Status(last_snapshot=moment)


def parse_snapshotting(body: bytes) -> Snapshotting:
    """Read `.cvmfs_is_snapshotting`: the file being there says that a snapshot runs, its text since when.

    Old servers wrote local time. Text that is not understood leaves `since` open; a web page is not the
    marker at all, some servers give one for every path: ParseError.
    """
    text = _text(body)
    if text.startswith("<"):
        raise ParseError("snapshotting", "a web page, not the marker file")
    since = parse_date(text)
    return Snapshotting(since, unread="" if since else shown(text))


def parse_date(text: str) -> datetime | None:
    """The moment, in UTC, that the `date` command wrote; None if it is not understood.

    Any of its English forms: "Thu Mar 21 12:00:00 UTC 2024" of the C locale, which CernVM-FS asks for,
    "Thu 21 Mar 2024 12:00:00 PM UTC" of en_US, `date -R`, and ISO 8601. A date without a zone is none.
    """
    if len(text) > _LONGEST_DATE:
        return None
    try:
        return _from_iso(text.strip()) or _from_words(text.split())
    except (ValueError, KeyError, OverflowError):
        return None


def _text(body: bytes) -> str:
    return body.decode("utf-8-sig", errors="replace").strip()


def _date(value: object) -> datetime | None:
    return parse_date(value) if isinstance(value, str) else None


def _check(value: object) -> bool | None:
    return _CHECKS.get(value) if isinstance(value, str) else None


def _from_iso(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return None if moment.tzinfo is None else moment.astimezone(UTC)


def _from_words(words: list[str]) -> datetime | None:
    named = list(_named(words))
    part = dict(named)
    if len(named) != len(part):
        return None
    hour, minute, second = map(int, part["time"].split(":"))
    return datetime(
        int(part["year"]),
        _MONTHS.index(part["month"]) + 1,
        int(part["day"]),
        _hour(hour, part.get("half")),
        minute,
        second,
        tzinfo=_zone(part["zone"]),
    ).astimezone(UTC)


def _named(words: list[str]) -> Iterator[tuple[str, str]]:
    """Each word with what it is; KeyError for a word that is no part of a date."""
    return map(_part, words)


@lru_cache(maxsize=1024)  # of a fleet's dates, only the times of day differ
def _part(word: str) -> tuple[str, str]:
    matches = ((name, pattern.fullmatch(word)) for name, pattern in _PARTS.items())
    name, match = next(((name, match) for name, match in matches if match), ("", None))
    if match is None:
        raise KeyError(word)
    return name, match[match.lastindex or 0]


def _hour(hour: int, half: str | None) -> int:
    if half is None:
        return hour
    if hour not in range(1, 13):
        raise ValueError(f"{hour} is no hour of half a day")
    return hour % 12 + (12 if half.upper() == "P" else 0)


def _zone(text: str) -> timezone:
    if text[0] not in "+-":
        return timezone(timedelta(hours=_ZONES[text]))
    hours, minutes = int(text[1:3]), int(text[3:].lstrip(":") or 0)
    return timezone((timedelta(hours=hours, minutes=minutes)) * (-1 if text[0] == "-" else 1))
