"""One message: the news of a moment, worst first, with counts. Pure; what is sent is worded in `wording`."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from grafana.relay.alert import Alert

SEVERITIES = ("critical", "error", "high", "warning", "", "low", "info")
"""From the worst on; no severity, and any that is not here, counts as the empty one."""


class Kind(StrEnum):
    """What is told about an alert."""

    FIRING = "firing"
    FLAPPING = "flapping"
    RESOLVED = "resolved"
    TEST = "test"


@dataclass(frozen=True)
class News:
    """One alert and what is told about it; `again` if the same was told before."""

    alert: Alert
    kind: Kind
    again: bool = False

    @property
    def label(self) -> str:
        """In words: "firing", "still firing", …"""
        return f"still {self.kind}" if self.again else str(self.kind)


@dataclass(frozen=True)
class Message:
    """What one message holds.

    `made` is Unix seconds, `counts` says how many there are of each label, `worst` are the first of them, worst
    first, and `still_open` is how many alerts are firing or flapping now as far as people have been told. `identity`
    is the same for the same news at the same moment: receivers that know it do not show a message twice.
    """

    identity: str
    made: float
    counts: tuple[tuple[str, int], ...]
    worst: tuple[News, ...]
    still_open: int

    @property
    def more(self) -> int:
        """How many news are counted but not named."""
        return sum(count for _, count in self.counts) - len(self.worst)


def compose(news: Iterable[News], now: float, most: int, still_open: int) -> Message:
    """One message of the news, of which it names the `most` worst; there must be at least one."""
    ordered = sorted(news, key=_order)
    told = " ".join(f"{item.alert.fingerprint}={item.label}" for item in ordered)
    return Message(
        identity=hashlib.sha256(f"{now:.6f} {told}".encode()).hexdigest()[:32],
        made=now,
        counts=tuple(Counter(item.label for item in ordered).items()),
        worst=tuple(ordered[:most]),
        still_open=still_open,
    )


def test_message(now: float, summary: str) -> Message:
    """A message that says that it is a test."""
    alert = Alert("test", "test", "", "", summary, "", "", None)
    return compose([News(alert, Kind.TEST)], now, 1, 0)


def _order(item: News) -> tuple[bool, int, int, str, str, str]:
    severity = item.alert.severity if item.alert.severity in SEVERITIES else ""
    return (
        item.kind is Kind.RESOLVED,
        SEVERITIES.index(severity),
        list(Kind).index(item.kind),
        item.alert.name,
        item.alert.place,
        item.alert.fingerprint,
    )
