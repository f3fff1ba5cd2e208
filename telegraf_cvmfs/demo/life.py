"""How the demo fleet lives: what is published, replicated, checked, collected and signed anew, and when.

Its state is a function of the moment alone. So what was scraped from one demo yesterday goes on in another that is
started today, and no revision ever goes backwards. Two things keep its promises true at every moment:

* All is published on a quarter of an hour. `stratum1-faulty` replicates just then and takes no time, or its fork of
  `software` would have, for some minutes, the revision of healthy replicas instead of the stratum 0's.
* `stratum1-lagging` is on a thin line. It begins a snapshot of `software` one morning and one of `data` the next, and
  each takes 40 hours. So both have been without something published for a day at all times, and one of them has had no
  snapshot for a day; without memory of earlier publications still one is seen to lag for 8 hours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from telegraf_cvmfs.demo.inventory import (
    FAULTY,
    HEALTHY,
    LAGGING,
    PLANS,
    STRATUM0,
    WHITELIST_LIFE,
    repository,
)
from telegraf_cvmfs.demo.repository import Repository, Revision
from telegraf_cvmfs.demo.rhythm import Hours, Rhythm
from telegraf_cvmfs.demo.stratum import Copy, Stratum

MINUTE, DAY, WEEK = 1 / 60, 24, 7 * 24
NEVER_SINCE = Rhythm(100 * 365 * DAY)


@dataclass(frozen=True)
class Publishing:
    """How one repository grows: `before` revisions before the first of the rhythm, more than the frozen demo has."""

    rhythm: Rhythm
    before: int
    kept: Hours = 5 * DAY  # the objects of older revisions are gone; longer than any replica is behind


PUBLISHING: Mapping[str, Publishing] = {
    "software": Publishing(Rhythm(DAY, (8.5, 15)), 500),
    "data": Publishing(Rhythm(DAY, (23,)), 100),
    "conditions": Publishing(Rhythm(6, (4.25,)), 2300),
    "containers": Publishing(Rhythm(36, (3, 20.75)), 200),
    "nightlies": Publishing(Rhythm(6, (0.5, 2, 4.25)), 9100, kept=DAY),
    "config": Publishing(Rhythm(9 * DAY, (100,)), 20),
}

SIGNING = Rhythm(20 * DAY, (60,))
"""When the whitelists are signed, for `WHITELIST_LIFE`: ten days before they expire."""


@dataclass(frozen=True)
class Care:
    """What a stratum 1 does for one of its replicas; without snapshots it passes through."""

    snapshots: Rhythm | None = None  # when they begin
    takes: Hours = 0  # each; less than the time to the next
    checks: Rhythm = NEVER_SINCE
    check_status: str = "succeeded"
    gc: Rhythm | None = None


CARE: Mapping[str, Mapping[str, Care]] = {
    HEALTHY: {
        "software": Care(Rhythm(0.25, (2 * MINUTE,)), 3 * MINUTE, Rhythm(WEEK, (1,))),
        "data": Care(Rhythm(0.25, (4 * MINUTE,)), 7 * MINUTE, Rhythm(WEEK, (25,))),
        "conditions": Care(Rhythm(0.25, (5 * MINUTE,)), 2 * MINUTE, Rhythm(WEEK, (49,))),
        "containers": Care(Rhythm(0.25, (6 * MINUTE,)), 5 * MINUTE, Rhythm(WEEK, (73,))),
        "nightlies": Care(Rhythm(0.25, (3 * MINUTE,)), 4 * MINUTE, Rhythm(WEEK, (97,)), gc=Rhythm(DAY, (2.7,))),
        "config": Care(Rhythm(0.25, (8 * MINUTE,)), MINUTE, Rhythm(WEEK, (121,))),
    },
    FAULTY: {
        short: Care(Rhythm(0.25), 0, Rhythm(WEEK, (130,)), gc=Rhythm(DAY, (3.2,)) if short == "nightlies" else None)
        for short in PLANS
    },
    LAGGING: {
        "software": Care(Rhythm(2 * DAY, (8,)), 40, Rhythm(4 * WEEK, (5,))),
        "data": Care(Rhythm(2 * DAY, (32,)), 40, Rhythm(4 * WEEK, (53,))),
        "conditions": Care(Rhythm(0.5, (7 * MINUTE,)), 6 * MINUTE, Rhythm(4 * WEEK, (101,)), "failed"),
        "containers": Care(Rhythm(20), 1, Rhythm(4 * WEEK, (149,))),
        "nightlies": Care(Rhythm(5, (0.75,)), 1.5, Rhythm(4 * WEEK, (197,)), gc=Rhythm(WEEK, (44,))),
        "config": Care(),
    },
}

GEODB: Mapping[str, Rhythm] = {HEALTHY: Rhythm(WEEK, (33,)), FAULTY: Rhythm(WEEK, (33,)), LAGGING: NEVER_SINCE}
STRATUM0_GC: Mapping[str, Rhythm] = {"nightlies": Rhythm(DAY, (1.2,))}


def repositories(now: datetime, urls: Mapping[str, str]) -> dict[str, Repository]:
    """Every repository as it is at that moment, by its short name; `urls` are the servers'."""
    signed = SIGNING.last(now)
    return {short: repository(short, _revisions(plan, now), signed, urls) for short, plan in PUBLISHING.items()}


def strata(now: datetime, repos: Mapping[str, Repository], stratum1s: Sequence[str]) -> tuple[Stratum, ...]:
    """Every stratum that serves anything, as it is at that moment, the stratum 0 first; none of them is broken yet."""
    return (_stratum0(now, repos), *(_stratum1(name, now, repos) for name in stratum1s))


def missing(now: datetime) -> tuple[datetime, ...]:
    """When everything was published that some replica does not have at that moment; ascending."""
    found = set()
    for cares in CARE.values():
        for short, care in cares.items():
            rhythm = PUBLISHING[short].rhythm
            begun = _replicated(care.snapshots, care.takes, now) if care.snapshots else now
            found |= {rhythm.moment(number) for number in range(rhythm.count(begun) + 1, rhythm.count(now) + 1)}
    return tuple(sorted(found))


def _revisions(plan: Publishing, now: datetime) -> tuple[Revision, ...]:
    """Those that servers keep, and the one before them: it was the newest when the time that is kept began."""
    oldest, newest = plan.rhythm.count(now - timedelta(hours=plan.kept)), plan.rhythm.count(now)
    numbers = range(oldest, newest + 1)
    return tuple(Revision(plan.before + number, plan.rhythm.moment(number)) for number in numbers)


def _stratum0(now: datetime, repos: Mapping[str, Repository]) -> Stratum:
    copies = (Copy(one, one.latest, last_gc=_last(STRATUM0_GC.get(short), now)) for short, one in repos.items())
    return Stratum(STRATUM0, tuple(copies), replicates=False)


def _stratum1(name: str, now: datetime, repos: Mapping[str, Repository]) -> Stratum:
    copies = tuple(_replica(repos[short], care, now) for short, care in CARE[name].items())
    return Stratum(name, copies, replicates=True, last_geodb_update=GEODB[name].last(now))


def _replica(original: Repository, care: Care, now: datetime) -> Copy:
    """A snapshot takes what there was when it began, revision and whitelist, and shows it when it ends."""
    if care.snapshots is None:
        return Copy(original, original.latest, pass_through=True)
    begun, latest = _replicated(care.snapshots, care.takes, now), care.snapshots.last(now)
    signed = SIGNING.last(begun)
    return Copy(
        replace(original, whitelist_created=signed, whitelist_expires=signed + WHITELIST_LIFE),
        original.as_of(begun),
        last_snapshot=begun + timedelta(hours=care.takes),
        last_gc=_last(care.gc, now),
        last_check=care.checks.last(now),
        check_status=care.check_status,
        snapshotting=latest if latest > begun else None,
    )


def _replicated(snapshots: Rhythm, takes: Hours, now: datetime) -> datetime:
    """When the newest snapshot began that has ended."""
    return snapshots.last(now - timedelta(hours=takes))


def _last(rhythm: Rhythm | None, now: datetime) -> datetime | None:
    return None if rhythm is None else rhythm.last(now)
