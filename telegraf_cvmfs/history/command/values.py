"""What options of `history` say, as argparse takes it."""

from __future__ import annotations

import argparse
import re
from datetime import UTC, datetime

from telegraf_cvmfs.fleet import values
from telegraf_cvmfs.model import Keep

_SIZE = re.compile(r"(\d+)(kB|MB|GB)?", re.ASCII)
_FACTORS = {"": 1, "kB": 1000, "MB": 1000**2, "GB": 1000**3}


def keep(text: str) -> tuple[Keep, ...]:
    """What is kept for how long."""
    try:
        return values.keep(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not {error}") from None


def moment(text: str) -> datetime:
    """A moment with its offset, or when a day of UTC began."""
    try:
        found = datetime.fromisoformat(text)
        if len(text) == len("2026-10-01"):
            return found.replace(tzinfo=UTC)
        if found.tzinfo is None:
            raise ValueError
    except ValueError:
        expected = "a day of UTC or a time with its offset, such as 2026-10-01 or 2026-10-01T08:00:00Z"
        raise argparse.ArgumentTypeError(f"{text!r} is not {expected}") from None
    return found


def size(text: str) -> int:
    """A number of bytes."""
    found = _SIZE.fullmatch(text)
    if found is None or not int(found[1]):
        raise argparse.ArgumentTypeError(f"{text!r} is no size such as 200MB")
    return int(found[1]) * _FACTORS[found[2] or ""]
