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


FINDINGS: Mapping[str, Limit] = {
    "server_down": Limit(critical=True),
    "list_unread": Limit(),
    "geoapi_wrong": Limit(warning=True),
    "geoapi_down": Limit(critical=True),
    "geodb_old": Limit(warning=timedelta(days=30)),
    "manifest": Limit(warning=True, critical=True),
    "snapshot_old": Limit(timedelta(hours=8), timedelta(hours=24)),
    "snapshot_stuck": Limit(warning=timedelta(hours=24)),
    "lagging": Limit(timedelta(hours=8), timedelta(hours=24)),
    "gc_old": Limit(timedelta(days=10), timedelta(days=20)),
    "check_failed": Limit(warning=True),
    "whitelist": Limit(warning=timedelta(hours=48), critical=True),
    "signature": Limit(critical=True),
    "root_catalog": Limit(critical=True),
    "diverged": Limit(critical=True),
    "ahead": Limit(warning=True),
    "backwards": Limit(warning=True),
    "proxy_stale": Limit(warning=timedelta(hours=1)),
    "members_differ": Limit(warning=timedelta(hours=1)),
}
"""Every finding with its default limits; where cvmfs-servermon has a limit, it is the same."""


SERVER_FINDINGS = ("server_down", "list_unread", "geoapi_wrong", "geoapi_down", "geodb_old", "members_differ")
"""Those that are about a server as a whole; the others are about one repository on it."""


@dataclass(frozen=True)
class Finding:
    """Something an operator should know: which, how serious, and the same in a sentence."""

    slug: str
    health: Health
    problem: str
