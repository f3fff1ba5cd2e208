"""What happens again and again, at moments that a clock anywhere agrees on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

EPOCH = datetime(2025, 1, 1, tzinfo=UTC)
"""Where all cycles begin: so all demos show the same at the same moment, wherever and whenever they were started."""

Hours = float


@dataclass(frozen=True)
class Rhythm:
    """At these hours of a cycle, which follows on itself from `EPOCH`; `at` ascends and stays below `cycle`."""

    cycle: Hours
    at: tuple[Hours, ...] = (0,)

    def count(self, moment: datetime) -> int:
        """How often it has happened since `EPOCH`, at that very moment included; negative before."""
        cycles, rest = divmod(moment - EPOCH, timedelta(hours=self.cycle))
        return cycles * len(self.at) + sum(timedelta(hours=hours) <= rest for hours in self.at)

    def moment(self, number: int) -> datetime:
        """When it happens for that time; the first after `EPOCH` is number 1."""
        cycles, place = divmod(number - 1, len(self.at))
        return EPOCH + cycles * timedelta(hours=self.cycle) + timedelta(hours=self.at[place])

    def last(self, moment: datetime) -> datetime:
        """When it last happened, at that very moment included."""
        return self.moment(self.count(moment))
