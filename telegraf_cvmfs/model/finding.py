"""What can be wrong: every finding with its limits, how serious it is, and one that was found."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta


class Health(enum.IntEnum):
    """A verdict in the numbers of a Nagios check; how serious each is stands in `SEVERITY`."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


SEVERITY = (Health.OK, Health.UNKNOWN, Health.WARNING, Health.CRITICAL)
"""From harmless to serious: not knowing is worse than good and better than bad."""


def worst(healths: Iterable[Health]) -> Health:
    """The most serious of them; OK if there are none."""
    return max(healths, key=SEVERITY.index, default=Health.OK)


@dataclass(frozen=True)
class Limit:
    """When a finding turns to a warning and when to critical.

    A `timedelta` is a limit that an operator may move, True a severity that applies whenever the fact
    holds, None one that the finding never has or that was switched off.
    """

    warning: timedelta | bool | None = None
    critical: timedelta | bool | None = None


class Subject(enum.StrEnum):
    """What a finding is about: a server as a whole, or one repository on it."""

    SERVER = "server"
    REPLICA = "repository"


@dataclass(frozen=True)
class Definition(Limit):
    """One kind of finding: its default limits, what it is about, and when it is found.

    In `meaning`, which is for people, "that" and "longer" mean the limit.
    """

    about: Subject = Subject.REPLICA
    meaning: str = ""


FINDINGS: Mapping[str, Definition] = {
    "server_down": Definition(
        critical=True,
        about=Subject.SERVER,
        meaning="nothing can be read from it: its list and every manifest asked for failed",
    ),
    "list_unread": Definition(
        about=Subject.SERVER,
        meaning="it is up, but its list of repositories cannot be read: unknown",
    ),
    "geoapi_wrong": Definition(
        warning=True,
        about=Subject.SERVER,
        meaning="its GeoAPI puts servers into a wrong order",
    ),
    "geoapi_down": Definition(
        critical=True,
        about=Subject.SERVER,
        meaning="its GeoAPI gives no usable answer",
    ),
    "geodb_old": Definition(
        warning=timedelta(days=30),
        about=Subject.SERVER,
        meaning="its database of places is older than that",
    ),
    "manifest": Definition(
        warning=True,
        critical=True,
        meaning="warning: neither listed nor served; critical: listed and not served (unknown while its first snapshot "
        "runs), or not a valid manifest of this repository",
    ),
    "snapshot_old": Definition(
        warning=timedelta(hours=8),
        critical=timedelta(hours=24),
        meaning="the last successful snapshot is older; 9 times that while the first one runs",
    ),
    "snapshot_stuck": Definition(
        warning=timedelta(hours=24),
        meaning="a snapshot has been running for longer, or was killed",
    ),
    "lagging": Definition(
        warning=timedelta(hours=8),
        critical=timedelta(hours=24),
        meaning="it has been without something published for longer",
    ),
    "gc_old": Definition(
        warning=timedelta(days=10),
        critical=timedelta(days=20),
        meaning="the last garbage collection is older, where there ever was one",
    ),
    "check_failed": Definition(
        warning=True,
        meaning="the server's own last integrity check failed",
    ),
    "whitelist": Definition(
        warning=timedelta(hours=48),
        critical=True,
        meaning="warning: less than that left; critical: clients refuse it",
    ),
    "signature": Definition(
        critical=True,
        meaning="the chain of signatures does not hold, so clients refuse it: a signature, a hash, a name or a "
        "certificate is wrong",
    ),
    "root_catalog": Definition(
        critical=True,
        meaning="the root catalog is missing, empty or corrupt, so clients cannot mount it",
    ),
    "diverged": Definition(
        critical=True,
        meaning="the same revision with another root catalog than elsewhere",
    ),
    "ahead": Definition(
        warning=True,
        meaning="a newer revision than its stratum 0 has",
    ),
    "backwards": Definition(
        warning=True,
        meaning="an older revision than was seen there in the last day",
    ),
    "proxy_stale": Definition(
        warning=timedelta(hours=1),
        meaning="the configured proxy gives an older manifest for longer, or has kept it for longer",
    ),
    "members_differ": Definition(
        warning=timedelta(hours=1),
        about=Subject.SERVER,
        meaning="the machines behind one name serve different content for longer",
    ),
}
"""Every finding, in the order in which they are told; where cvmfs-servermon has a limit, it is the same."""

SERVER_FINDINGS = tuple(slug for slug, one in FINDINGS.items() if one.about is Subject.SERVER)
REPLICA_FINDINGS = tuple(slug for slug, one in FINDINGS.items() if one.about is Subject.REPLICA)


@dataclass(frozen=True)
class Finding:
    """Something an operator should know: which, how serious, and the same in a sentence."""

    slug: str
    health: Health
    problem: str
