"""The messages that a receiver has not taken yet, oldest first. Pure.

The first is tried until it is taken, cannot be taken, or is too old; the others wait, so that "resolved" never
overtakes "firing". Times are Unix seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from grafana.relay.message import Message

MOST_MESSAGES = 100
FIRST_PAUSE = 5.0
LONGEST_PAUSE = 300.0
LONGEST_RETRY_AFTER = 3600.0


class Result(Enum):
    """How an attempt ended: taken; not now, so try again; or refused for what the message is."""

    TAKEN = "taken"
    LATER = "later"
    REFUSED = "refused"


@dataclass(frozen=True)
class Outcome:
    """The end of one attempt: why it failed, in words, and how many seconds the receiver asked to be left alone."""

    result: Result
    why: str = ""
    retry_after: float | None = None


TAKEN = Outcome(Result.TAKEN)


@dataclass(frozen=True)
class Parcel:
    """A message on its way: how often it was tried, and when it is tried next."""

    message: Message
    attempts: int = 0
    due: float = 0.0


Outbox = tuple[Parcel, ...]


def add(outbox: Outbox, message: Message) -> tuple[Outbox, Outbox]:
    """The outbox with the message at its end, and what had to be dropped for it: the oldest."""
    longer = (*outbox, Parcel(message))
    excess = max(0, len(longer) - MOST_MESSAGES)
    return longer[excess:], longer[:excess]


def first_due(outbox: Outbox, now: float) -> Parcel | None:
    """The parcel to try now."""
    return outbox[0] if outbox and outbox[0].due <= now else None


def after(outbox: Outbox, parcel: Parcel, outcome: Outcome, now: float, give_up: float) -> tuple[Outbox, Parcel | None]:
    """The outbox after the first parcel was tried, and that parcel if it is given up.

    If the parcel is no longer the first (it was dropped meanwhile), nothing changes.
    """
    if not outbox or outbox[0].message.identity != parcel.message.identity:
        return outbox, None
    rest = outbox[1:]
    if outcome.result is Result.TAKEN:
        return rest, None
    tried = replace(parcel, attempts=parcel.attempts + 1)
    if outcome.result is Result.REFUSED or now - parcel.message.made >= give_up:
        return rest, tried
    return (replace(tried, due=now + _pause(tried.attempts, outcome.retry_after)), *rest), None


def without(outbox: Outbox, parcel: Parcel) -> Outbox:
    """The outbox after the parcel was given up."""
    return tuple(other for other in outbox if other.message.identity != parcel.message.identity)


def _pause(attempts: int, retry_after: float | None) -> float:
    pause = min(FIRST_PAUSE * 2.0 ** min(attempts - 1, 10), LONGEST_PAUSE)
    if retry_after is None or retry_after < 0:
        return pause
    return max(FIRST_PAUSE, min(retry_after, LONGEST_RETRY_AFTER))
