"""What the demo fleet consists of: repositories and strata as values, all times relative to one moment."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from telegraf_cvmfs.demo.repository import Repository, Revision
from telegraf_cvmfs.demo.stratum import Copy, Stratum

DOMAIN = "demo.example"
STRATUM0 = "stratum0"
HEALTHY = "stratum1-healthy"
LAGGING = "stratum1-lagging"
DOWN = "stratum1-down"
FAULTY = "stratum1-faulty"  # only where faults are asked for

Hours = float  # before the demo's moment


@dataclass(frozen=True)
class Plan:
    """One repository: the number of its latest revision, when that one and those before were published."""

    published: tuple[Hours, ...]  # oldest first
    revision: int
    catalog_pages: int
    algorithm: str = "sha1"
    alias: str | None = None
    garbage_collectable: bool = False
    history: bool = True


PLANS: Mapping[str, Plan] = {
    "software": Plan((50, 28, 9, 2), 416, catalog_pages=14),
    "data": Plan((60, 35, 33), 87, catalog_pages=61, algorithm="shake128"),
    "conditions": Plan((29, 5), 2210, catalog_pages=29),
    "containers": Plan((36, 12), 153, catalog_pages=44, alias="containers"),
    "nightlies": Plan((5, 1.7, 0.7), 9034, catalog_pages=23, garbage_collectable=True),
    "config": Plan((216,), 12, catalog_pages=9, history=False),
}


@dataclass(frozen=True)
class Upkeep:
    """When a stratum 1 last did what to one of its replicas; without a snapshot it passes through."""

    snapshot: Hours | None = None
    check: Hours | None = None
    check_status: str = "succeeded"
    gc: Hours | None = None
    snapshotting: Hours | None = None


_CARE: Mapping[str, Upkeep] = {
    "software": Upkeep(0.1, 30),
    "data": Upkeep(0.15, 31),
    "conditions": Upkeep(0.2, 32),
    "containers": Upkeep(0.2, 33),
    "nightlies": Upkeep(0.25, 34, gc=30),
    "config": Upkeep(0.25, 35),
}
UPKEEP: Mapping[str, Mapping[str, Upkeep]] = {
    HEALTHY: _CARE,
    FAULTY: _CARE,
    LAGGING: {
        "software": Upkeep(31, 130),
        "data": Upkeep(36, 131),
        "conditions": Upkeep(0.4, 132, "failed"),
        "containers": Upkeep(13, 133),
        "nightlies": Upkeep(3, 134, gc=44, snapshotting=0.8),
        "config": Upkeep(),
    },
}

GEODB: Mapping[str, Hours] = {HEALTHY: 60, FAULTY: 60, LAGGING: 35 * 24}
STRATUM0_GC: Mapping[str, Hours] = {"nightlies": 26}

WHITELIST_AGE = timedelta(days=4)
WHITELIST_LIFE = timedelta(days=30)


def full_name(short: str) -> str:
    """The fully qualified name of one of `PLANS`."""
    return f"{short}.{DOMAIN}"


def repositories(now: datetime, urls: Mapping[str, str]) -> dict[str, Repository]:
    """Every repository by its short name; `urls` are the servers', for the metainfo to recommend."""
    signed = now - WHITELIST_AGE
    return {short: repository(short, _revisions(plan, now), signed, urls) for short, plan in PLANS.items()}


def repository(short: str, revisions: tuple[Revision, ...], signed: datetime, urls: Mapping[str, str]) -> Repository:
    """One repository of `PLANS` with these revisions, oldest first, and a whitelist that was signed then."""
    plan = PLANS[short]
    return Repository(
        full_name(short),
        revisions,
        signed,
        signed + WHITELIST_LIFE,
        _metainfo(plan.alias or full_name(short), urls),
        algorithm=plan.algorithm,
        alias=plan.alias,
        garbage_collectable=plan.garbage_collectable,
        history=plan.history,
        catalog_pages=plan.catalog_pages,
    )


def strata(
    now: datetime, repos: Mapping[str, Repository], stratum1s: Sequence[str] = (HEALTHY, LAGGING)
) -> tuple[Stratum, ...]:
    """Every stratum that serves anything, the stratum 0 first; none of them is broken yet."""
    return (_stratum0(now, repos), *(_stratum1(name, now, repos) for name in stratum1s))


def _revisions(plan: Plan, now: datetime) -> tuple[Revision, ...]:
    first = plan.revision - len(plan.published) + 1
    return tuple(Revision(number, now - timedelta(hours=hours)) for number, hours in enumerate(plan.published, first))


def _metainfo(directory: str, urls: Mapping[str, str]) -> bytes:
    info = {
        "administrator": "Demo Operations",
        "email": f"operations@{DOMAIN}",
        "organisation": "Demo",
        "description": "A repository of the demo fleet",
        "recommended-stratum0": f"{urls[STRATUM0]}/cvmfs/{directory}",
        "recommended-stratum1s": [f"{urls[name]}/cvmfs/{directory}" for name in (HEALTHY, LAGGING, DOWN)],
        "custom": {},
    }
    return json.dumps(info, indent=2).encode() + b"\n"


def _stratum0(now: datetime, repos: Mapping[str, Repository]) -> Stratum:
    copies = (
        Copy(repository, repository.latest, last_gc=_before(now, STRATUM0_GC.get(short)))
        for short, repository in repos.items()
    )
    return Stratum(STRATUM0, tuple(copies), replicates=False)


def _stratum1(name: str, now: datetime, repos: Mapping[str, Repository]) -> Stratum:
    copies = tuple(_replica(repos[short], upkeep, now) for short, upkeep in UPKEEP[name].items())
    return Stratum(name, copies, replicates=True, last_geodb_update=_before(now, GEODB[name]))


def _replica(repository: Repository, upkeep: Upkeep, now: datetime) -> Copy:
    """A snapshot takes what was published by then; a pass-through replica always has the latest."""
    last_snapshot = _before(now, upkeep.snapshot)
    if last_snapshot is None:
        return Copy(repository, repository.latest, pass_through=True)
    return Copy(
        repository,
        repository.as_of(last_snapshot),
        last_snapshot=last_snapshot,
        last_gc=_before(now, upkeep.gc),
        last_check=_before(now, upkeep.check),
        check_status=upkeep.check_status,
        snapshotting=_before(now, upkeep.snapshotting),
    )


def _before(now: datetime, hours: Hours | None) -> datetime | None:
    return None if hours is None else now - timedelta(hours=hours)
