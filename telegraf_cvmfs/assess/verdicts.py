"""The judgement of a run: a `Scrape` and its limits to a `Run` with its findings. Pure.

The rules are those that operators know from cvmfs-servermon where it has one. Two are kept everywhere. A
404 is an answer, and every other failure is not: what is not known is unknown, never red. And a replica that
is a revision behind for a while is how replication works.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

from telegraf_cvmfs.assess.compare import Comparison, Trusts, compare, members_differ
from telegraf_cvmfs.assess.finding import too_long
from telegraf_cvmfs.assess.replica import Case, checks_for
from telegraf_cvmfs.assess.repository import repository_verdicts
from telegraf_cvmfs.assess.server import gave_no_answer, server_findings
from telegraf_cvmfs.memory.value import NOTHING, Memory
from telegraf_cvmfs.model import (
    FINDINGS,
    SEVERITY,
    Finding,
    Fleet,
    Maintenance,
    Replica,
    ReplicaVerdict,
    Run,
    Scrape,
    ServerVerdict,
    Stratum,
    Trust,
    worst,
)

Judge = Callable[[Replica, datetime], Trust | None]


def _nobody(_replica: Replica, _now: datetime) -> None:
    """Nobody judges signatures: there are no keys, and no wish to."""


def assess(scrape: Scrape, duration: timedelta, memory: Memory = NOTHING, trust: Judge = _nobody) -> Run:
    """Judge everything that one run saw, as of the moment it began.

    Args:
        scrape: what was seen.
        duration: how long that took.
        memory: what earlier runs saw.
        trust: judges the chain of signatures of one replica at a moment; None for one that has no manifest.
    """
    trusts = {id(one): trust(one, scrape.started) for one in _judged(scrape.strata)}
    beside_each_other = compare(scrape, memory, trusts), members_differ(scrape.strata, memory, trusts)
    background = _Background(scrape.fleet, scrape.started, memory, trusts, *beside_each_other)
    servers = tuple(_server_verdict(background, stratum) for stratum in scrape.strata)
    repositories = repository_verdicts(scrape.fleet, servers)
    return Run(
        scrape.fleet,
        scrape.started,
        duration,
        servers,
        scrape.traffic,
        scrape.deadline_hit,
        repositories,
        scrape.interrupted,
    )


def _judged(strata: Iterable[Stratum]) -> Iterator[Replica]:
    return (replica for stratum in strata for replica in stratum.replicas if not replica.pass_through)


@dataclass(frozen=True)
class _Background:
    """What the judgement of every server and replica of a run rests on."""

    fleet: Fleet
    now: datetime
    memory: Memory
    trusts: Trusts
    comparisons: Mapping[int, Comparison]
    differing: Mapping[str, tuple[Replica, datetime]]


def _server_verdict(background: _Background, stratum: Stratum) -> ServerVerdict:
    followed = background.memory.were_followed(stratum.server.label, background.now)
    own = server_findings(background.fleet, stratum, background.now, followed=followed)
    found = (*own, *_differs(background, stratum))
    findings = _worst_first(found)
    down = not stratum.up and gave_no_answer(stratum) and not (followed and stratum.redirects)
    replicas = tuple(_replica_verdict(background, stratum, replica, server_down=down) for replica in stratum.replicas)
    maintenance = _maintenance(background, stratum.server.name, None)
    return ServerVerdict(stratum, worst(finding.health for finding in findings), findings, replicas, maintenance)


def _maintenance(background: _Background, server: str, repo: str | None) -> Maintenance | None:
    """The window that a server or a replica is in; of several that which ends last."""
    windows = [one for one in background.fleet.maintenance if one.covers(server, repo, background.now)]
    return max(windows, key=lambda one: one.until, default=None)


def _differs(background: _Background, stratum: Stratum) -> Iterator[Finding]:
    """Machines behind one name replicate each in its own time: that they differ counts when it has lasted."""
    server = stratum.server
    differing = background.differing.get(server.name) if server.address is not None else None
    if differing is not None:
        newest, since = differing
        text = f"the machines behind {server.name} differ in {newest.repo}, and have for {{}}"
        yield from too_long(server.limits["members_differ"], "members_differ", background.now - since, 1.0, text)


def _replica_verdict(
    background: _Background, stratum: Stratum, replica: Replica, *, server_down: bool
) -> ReplicaVerdict:
    maintenance = _maintenance(background, stratum.server.name, replica.repo)
    if replica.pass_through:
        return ReplicaVerdict(replica, health=None, maintenance=maintenance)
    comparison = background.comparisons.get(id(replica), Comparison())
    case = Case(
        replica=replica,
        stratum=stratum,
        server_down=server_down,
        comparison=comparison,
        limits=replica.server.limits,
        factor=_snapshot_factor(background.fleet, replica.repo),
        now=background.now,
        newest_seen=background.memory.newest_seen(replica, background.now) if comparison.believed else None,
        missing_since=_missing_behind_proxy(background, replica) if comparison.believed else None,
        trust=background.trusts[id(replica)],
        followed=background.memory.were_followed(stratum.server.label, background.now),
    )
    findings = _worst_first(finding for check in checks_for(case) for finding in check(case))
    return ReplicaVerdict(
        replica=replica,
        health=worst(finding.health for finding in findings),
        findings=findings,
        trust=case.trust,
        server_down=server_down,
        maintenance=maintenance,
        **vars(comparison),
    )


def _missing_behind_proxy(background: _Background, replica: Replica) -> datetime | None:
    manifest = replica.manifest.value
    proxied = None if replica.proxied is None else replica.proxied.value
    if proxied is None or manifest is None or proxied.revision >= manifest.revision:
        return None
    return background.memory.missing_since(replica.repo, proxied.revision, manifest)


def _snapshot_factor(fleet: Fleet, repo: str) -> float:
    """The factor of the last rule that matches: later rules are the more special ones."""
    factors = [rule.snapshot_factor for rule in fleet.rules if fnmatchcase(repo, rule.name)]
    return factors[-1] if factors else 1.0


def _worst_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=_seriousness))


def _seriousness(found: Finding) -> tuple[int, int]:
    return -SEVERITY.index(found.health), _ORDER[found.slug]


_ORDER = {slug: place for place, slug in enumerate(FINDINGS)}
