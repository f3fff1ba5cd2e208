"""How a finding is made: when an age has become too long, and what to say of what is not known. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from telegraf_cvmfs.model import (
    Finding,
    Health,
    Limit,
)
from telegraf_cvmfs.words.duration import in_words


def too_long(limit: Limit, slug: str, age: timedelta, factor: float, text: str) -> Iterator[Finding]:
    """The finding, if the age has reached a limit; `{}` in the text is where the age goes."""
    for health, value in ((Health.CRITICAL, limit.critical), (Health.WARNING, limit.warning)):
        if isinstance(value, timedelta) and age >= value * factor:
            yield Finding(slug, health, text.format(in_words(age)))
            return


def not_known(slug: str, what: str, why: str) -> Finding:
    """What should be known and is not: never red."""
    return Finding(slug, Health.UNKNOWN, f"not known {what}: {why}")
