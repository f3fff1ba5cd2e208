"""What is public: the model that the pages are made of, and nothing else. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum


class State(StrEnum):
    """How something is."""

    OK = "ok"
    WARNING = "warning"
    CRITICAL = "critical"
    UNKNOWN = "unknown"
    MAINTENANCE = "maintenance"


SERIOUS = (State.OK, State.MAINTENANCE, State.UNKNOWN, State.WARNING, State.CRITICAL)
"""From harmless to serious."""


@dataclass(frozen=True, slots=True)
class Day:
    """A day of UTC: seconds in each state; what was not observed is in none of them."""

    day: date
    up: float
    down: float
    maintenance: float

    @property
    def availability(self) -> float | None:
        """The share of time up in all that is known; None where nothing is."""
        known = self.up + self.down + self.maintenance
        return self.up / known if known > 0 else None

    @property
    def state(self) -> State:
        """What its bar shows."""
        share = self.availability
        if share is None:
            return State.UNKNOWN
        if self.down == 0:
            return State.OK if self.maintenance < self.up else State.MAINTENANCE
        return State.CRITICAL if share < 0.95 else State.WARNING  # noqa: PLR2004  # more than an hour of a day


@dataclass(frozen=True)
class Past:
    """How something was: days with the oldest first, shares of the last 30 days and of all of them."""

    days: Sequence[Day] = ()
    last_30: float | None = None
    whole: float | None = None
    outages: int = 0
    longest: timedelta | None = None
    mean_time_to_repair: timedelta | None = None


@dataclass(frozen=True)
class Rhythm:
    """Of a replica in the last 30 days: lags that were not exceeded, how often something came."""

    lag_p50: timedelta | None = None
    lag_p95: timedelta | None = None
    lag_max: timedelta | None = None
    revisions_a_week: float | None = None
    snapshot_interval: timedelta | None = None


@dataclass(frozen=True)
class Replica:
    """A repository on a server; what is not to be told is None."""

    server: str
    repository: str
    state: State
    reason: str | None = None
    revision: int | None = None
    published: datetime | None = None
    lag: timedelta | None = None
    snapshot: datetime | None = None
    snapshotting: bool = False
    size: int | None = None
    rhythm: Rhythm = Rhythm()


@dataclass(frozen=True)
class Server:
    """A server by its public name; its state is a class made of its own and of its replicas'."""

    name: str
    slug: str
    role: str
    state: State
    replicas: Sequence[Replica]
    reason: str | None = None
    geoapi: str | None = None
    version: str | None = None
    past: Past = Past()

    @property
    def served(self) -> int:
        """How many repositories it serves as it should."""
        return sum(one.state in (State.OK, State.WARNING) for one in self.replicas)


@dataclass(frozen=True)
class Repository:
    """A repository, wherever it is served; `served_by` of `of` stratum 1s serve it as they should."""

    name: str
    state: State
    served_by: int
    of: int
    replicas: Sequence[Replica]
    past: Past = Past()


@dataclass(frozen=True)
class Window:
    """Maintenance that is on, or planned."""

    begins: datetime
    ends: datetime
    servers: Sequence[str]
    repositories: Sequence[str]
    why: str | None = None


@dataclass(frozen=True)
class Incident:
    """Something that users felt; `ends` is None while it lasts."""

    id: str
    begins: datetime
    ends: datetime | None
    server: str | None
    repositories: Sequence[str]
    reason: str | None = None

    @property
    def took(self) -> timedelta | None:
        """How long it was."""
        return None if self.ends is None else self.ends - self.begins


@dataclass(frozen=True)
class Site:
    """All that is told of one moment; `scraped` is when the run began."""

    title: str
    scraped: datetime
    servers: Sequence[Server]
    repositories: Sequence[Repository]
    incidents: Sequence[Incident] = ()
    maintenance: Sequence[Window] = ()

    @property
    def state(self) -> State:
        """How the fleet is, for whoever uses it: as its repositories are."""
        return worst(one.state for one in self.repositories)

    @property
    def open_incidents(self) -> list[Incident]:
        """Those that last."""
        return [one for one in self.incidents if one.ends is None]

    @property
    def restless(self) -> bool:
        """Whether something is going on: then it is worth to look again sooner."""
        return bool(self.open_incidents) or any(one.snapshotting for each in self.servers for one in each.replicas)

    @property
    def verdict(self) -> str:
        """How the fleet is, in one sentence."""
        count = len(self.repositories)
        if not count:
            return "Nothing is known of any repository."
        bad = {state: sum(one.state is state for one in self.repositories) for state in State}
        if bad[State.CRITICAL]:
            return f"{_many(bad[State.CRITICAL], count)} not served as they should be by any server."
        if bad[State.WARNING]:
            return f"All repositories are served; {_few(bad[State.WARNING])} by fewer servers than they should be."
        if bad[State.UNKNOWN]:
            return f"It is not known whether {_few(bad[State.UNKNOWN])} of {count} repositories can be used."
        if bad[State.MAINTENANCE]:
            return "All repositories are served, or under maintenance as announced."
        return (
            f"All {count} repositories are served as they should be." if count > 1 else "It is served as it should be."
        )


def worst(states: Iterable[State]) -> State:
    """The most serious of them; unknown if there are none."""
    return max(states, key=SERIOUS.index, default=State.UNKNOWN)


def _many(bad: int, count: int) -> str:
    return f"{bad} of {count} repositories {'is' if bad == 1 else 'are'}"


def _few(count: int) -> str:
    return "one" if count == 1 else str(count)
