"""Which certificates may sign a repository, and until when: `.cvmfswhitelist`."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from telegraf_cvmfs.model import ParseError, Whitelist
from telegraf_cvmfs.wire.letter import fingerprints, lines, repository_name, split
from telegraf_cvmfs.words.text import shown

_CREATED_LENGTH = 14
_EXPIRES = re.compile(r"E([0-9]{4})" + r"([0-9]{2})" * 5)
_FLAGS = {"Vpkcs7": "pkcs7", "Wcachain": "cachain"}


def parse_whitelist(body: bytes) -> Whitelist:
    """Read `.cvmfswhitelist`: when it was made, E, N, flags, then fingerprints, in this order.

    Times are UTC. Of the first line clients check only the length (CernVM-FS, Whitelist::ParseWhitelist).
    ParseError if the first two lines are not there or E is no date.
    """
    text, letter = split(body, "whitelist")
    created, expires, *rest = [*lines(text), "", ""]
    if len(created) != _CREATED_LENGTH:
        raise ParseError("whitelist", f"does not start with a time of 14 digits: {shown(created)}")
    repository = _repository(rest)
    flags = _flags(rest)
    return Whitelist(_expires(expires), repository, tuple(fingerprints(rest)), flags, letter)


def _expires(line: str) -> datetime:
    match = _EXPIRES.fullmatch(line)
    try:
        if match:
            year, month, day, hour, minute, second = map(int, match.groups())
            return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        pass
    raise ParseError("whitelist", f"the second line is not an expiry date: {shown(line)}")


def _repository(rest: list[str]) -> str | None:
    """The repository of the N line, which is taken off the rest; None without one."""
    if not rest[0].startswith("N"):
        return None
    try:
        return repository_name(rest.pop(0)[1:])
    except ValueError as why:
        raise ParseError("whitelist", f"N {why}") from None


def _flags(rest: list[str]) -> tuple[str, ...]:
    """The flags, which are taken off the rest; in any other place or order clients do not see them."""
    found = []
    for line, flag in _FLAGS.items():
        if rest[:1] == [line]:
            found.append(flag)
            rest.pop(0)
    return tuple(found)
