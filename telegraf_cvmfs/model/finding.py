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


@dataclass(frozen=True, slots=True)
class Limit:
    """When a finding turns to a warning and when to critical.

    A `timedelta` is a limit that an operator may move, True a severity that applies whenever the fact
    holds, None one that the finding never has or that was switched off.
    """

    warning: timedelta | bool | None = None
    critical: timedelta | bool | None = None


class Subject(enum.StrEnum):
    """What a finding is about: a server as a whole, one repository on it, or a repository wherever it is served."""

    SERVER = "server"
    REPLICA = "replica"
    REPOSITORY = "repository"


@dataclass(frozen=True, slots=True)
class Definition:
    """One kind of finding: its default limits, what it is about, and when it is found.

    In `meaning`, which is for people, "that" and "longer" mean the limit.
    """

    limit: Limit
    meaning: str
    about: Subject = Subject.REPLICA


FINDINGS: Mapping[str, Definition] = {
    "redundancy": Definition(
        Limit(warning=True, critical=True),
        "warning: fewer stratum 1s than `min_replicas_ok` serve it as they should; critical: none does",
        about=Subject.REPOSITORY,
    ),
    "server_down": Definition(
        Limit(critical=True),
        "nothing can be read from it: its list and every manifest asked for failed",
        about=Subject.SERVER,
    ),
    "list_unread": Definition(
        Limit(),
        "it is up, but its list of repositories cannot be read, or not all of it: unknown",
        about=Subject.SERVER,
    ),
    "geoapi_wrong": Definition(
        Limit(warning=True),
        "its GeoAPI puts servers into a wrong order",
        about=Subject.SERVER,
    ),
    "geoapi_down": Definition(
        Limit(critical=True),
        "its GeoAPI gives no usable answer",
        about=Subject.SERVER,
    ),
    "geodb_old": Definition(
        Limit(warning=timedelta(days=30)),
        "its database of places is older than that",
        about=Subject.SERVER,
    ),
    "manifest": Definition(
        Limit(warning=True, critical=True),
        "warning: neither listed nor served; critical: listed and not served (unknown while its first "
        "snapshot runs), or not a valid manifest of this repository",
    ),
    "snapshot_old": Definition(
        Limit(warning=timedelta(hours=8), critical=timedelta(hours=24)),
        "the last successful snapshot is older; 9 times that while the first one runs",
    ),
    "snapshot_stuck": Definition(
        Limit(warning=timedelta(hours=24)),
        "a snapshot has been running for longer, or was killed",
    ),
    "lagging": Definition(
        Limit(warning=timedelta(hours=8), critical=timedelta(hours=24)),
        "it has been without something published for longer",
    ),
    "gc_old": Definition(
        Limit(warning=timedelta(days=10), critical=timedelta(days=20)),
        "the last garbage collection is older, where there ever was one",
    ),
    "check_failed": Definition(
        Limit(warning=True),
        "the server's own last integrity check failed",
    ),
    "whitelist": Definition(
        Limit(warning=timedelta(hours=48), critical=True),
        "warning: less than that left; critical: clients refuse it",
    ),
    "signature": Definition(
        Limit(critical=True),
        "the chain of signatures does not hold, so clients refuse it: a signature, a hash, a name or a "
        "certificate is wrong",
    ),
    "root_catalog": Definition(
        Limit(critical=True),
        "the root catalog is missing, empty or corrupt, so clients cannot mount it",
    ),
    "diverged": Definition(
        Limit(critical=True),
        "the same revision with another root catalog than elsewhere",
    ),
    "ahead": Definition(
        Limit(warning=True),
        "a newer revision than its stratum 0 has; without one and without keys, for long alone than several that agree",
    ),
    "backwards": Definition(
        Limit(warning=True),
        "an older revision than was seen there in the last day",
    ),
    "proxy_stale": Definition(
        Limit(warning=timedelta(hours=1)),
        "the configured proxy gives an older manifest for longer, or has kept it for longer",
    ),
    "members_differ": Definition(
        Limit(warning=timedelta(hours=1)),
        "the machines behind one name serve different content for longer",
        about=Subject.SERVER,
    ),
}
"""Every finding, in the order in which they are told; where cvmfs-servermon has a limit, it is the same."""

LIMITS: Mapping[str, Limit] = {slug: one.limit for slug, one in FINDINGS.items()}
"""The default limits by themselves, by finding."""

SERVER_FINDINGS = tuple(slug for slug, one in FINDINGS.items() if one.about is Subject.SERVER)
REPLICA_FINDINGS = tuple(slug for slug, one in FINDINGS.items() if one.about is Subject.REPLICA)
REPOSITORY_FINDINGS = tuple(slug for slug, one in FINDINGS.items() if one.about is Subject.REPOSITORY)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something an operator should know: which, how serious, and the same in a sentence."""

    slug: str
    health: Health
    problem: str
