"""How a finding is made: when an age has become too long, and what to say of what is not known. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from telegraf_cvmfs.model import (
    Cause,
    Finding,
    Health,
    Limit,
)
from telegraf_cvmfs.words.duration import MOST_AHEAD, in_words


def too_long(limit: Limit, slug: str, age: timedelta, factor: float, text: str) -> Iterator[Finding]:
    """The finding, if the age has reached a limit; `{}` in the text is where the age goes.

    A moment far in the future is no age: it is not known how long ago it was.
    """
    if age < -MOST_AHEAD and limit != Limit():
        yield not_known(slug, "how long", f"it is dated {in_words(age)} in the future: {text.format('...')}")
    for health, value in ((Health.CRITICAL, limit.critical), (Health.WARNING, limit.warning)):
        if isinstance(value, timedelta) and age >= value * factor:
            yield Finding(slug, health, text.format(in_words(age)))
            return


def redirect_health(cause: Cause | None, *, followed: bool) -> Health:
    """How serious it is that something was not read: less where it is for a redirect that was followed until of late.

    That gives operators whose clients follow redirects the time to say so: follow_redirects = true.
    """
    return Health.WARNING if followed and cause is Cause.NOT_FOLLOWED else Health.CRITICAL


def not_known(slug: str, what: str, why: str) -> Finding:
    """What should be known and is not: never red."""
    return Finding(slug, Health.UNKNOWN, f"not known {what}: {why}")
