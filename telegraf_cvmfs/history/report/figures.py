"""The figures of a report: shares of time, outages, lags. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from telegraf_cvmfs.history.rollup.columns import LAGS, STATES


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds of a span in each state; what was not observed is in `unknown`."""

    up: float = 0.0
    down: float = 0.0
    maintenance: float = 0.0
    unknown: float = 0.0

    @classmethod
    def of(cls, states: Mapping[str, float], span: float) -> Times:
        """What was observed, by state, of a span of so many seconds."""
        known = {name: states.get(name, 0.0) for name in STATES if name != "unknown"}
        return cls(**known, unknown=span - sum(known.values()))

    @property
    def availability(self) -> float | None:
        """The share of time up in all that is known; None where nothing is."""
        known = self.up + self.down + self.maintenance
        return self.up / known if known > 0 else None

    @property
    def reliability(self) -> float | None:
        """The same without scheduled maintenance."""
        known = self.up + self.down
        return self.up / known if known > 0 else None


@dataclass(frozen=True, slots=True)
class Incident:
    """Something was down without a break, as far as it was observed; `finding` and `problem` are those at its begin."""

    begins: datetime
    ends: datetime
    finding: str
    problem: str

    @property
    def seconds(self) -> float:
        """How long it was."""
        return (self.ends - self.begins).total_seconds()


def longest(found: Sequence[Incident]) -> float | None:
    """Seconds of the longest; None where there was none."""
    return max((one.seconds for one in found), default=None)


def mean_time_to_repair(found: Sequence[Incident]) -> float | None:
    """Seconds that they took on average; None where there was none."""
    return sum(one.seconds for one in found) / len(found) if found else None


def percentile(
    share: float, buckets: Mapping[int, float], most: int | None, bounds: Sequence[int] = LAGS
) -> int | None:
    """What was not exceeded in this share of the time: the upper end of its bucket, and never above the most.

    None where nothing is known.
    """
    total = sum(buckets.values())
    if total <= 0 or most is None:
        return None
    reached = 0.0
    for number, seconds in sorted(buckets.items()):
        reached += seconds
        if reached >= share * total:
            return min(bounds[number], most) if number < len(bounds) else most
    return most
