"""What can be wrong with a repository as a whole: clients fail over, so one bad replica is not yet that. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from telegraf_cvmfs.assess.compare import manifest_of
from telegraf_cvmfs.model import (
    Finding,
    Fleet,
    Health,
    ReplicaVerdict,
    RepositoryVerdict,
    Result,
    Role,
    ServerVerdict,
    worst,
)
from telegraf_cvmfs.words.text import listed


def repository_verdicts(fleet: Fleet, servers: Iterable[ServerVerdict]) -> tuple[RepositoryVerdict, ...]:
    """A verdict for each repository that any server was asked for, by name."""
    by_repo: dict[str, list[ReplicaVerdict]] = defaultdict(list)
    for server in servers:
        for one in server.replicas:
            by_repo[one.replica.repo].append(one)
    return tuple(_verdict(fleet, repo, by_repo[repo]) for repo in sorted(by_repo))


def _verdict(fleet: Fleet, repo: str, everywhere: Sequence[ReplicaVerdict]) -> RepositoryVerdict:
    judged = [one for one in everywhere if one.health is not None]
    at_work = [one.maintenance for one in judged if one.maintenance]
    counting = _counting(judged)
    nowhere = bool(judged) and not counting and not at_work
    findings = tuple(_nowhere(fleet) if nowhere else _redundancy(fleet, counting) if counting else ())
    # What is forged or may be, as a lone claim, is neither the newest nor the oldest.
    doubtful = {id(one) for one in judged if one.reference is None or one.alone_against or one.doubtful}
    credible = (one.replica for one in judged if id(one) not in doubtful)
    revisions = {manifest_of(replica).revision: replica for replica in credible}
    return RepositoryVerdict(
        repo,
        worst(finding.health for finding in findings) if counting or nowhere else None,
        findings,
        counting,
        newest=revisions[max(revisions)] if revisions else None,
        revisions_spread=max(revisions) - min(revisions) if revisions else None,
        maintenance=max(at_work, key=lambda one: one.until) if at_work and not counting else None,
    )


def _counting(judged: Iterable[ReplicaVerdict]) -> tuple[ReplicaVerdict, ...]:
    """One for each machine that has it: on stratum 1s, and only where none of them has it on others.

    A machine that neither lists nor serves it is no replica; one that has it under two paths is only one.
    """
    there = [one for one in judged if one.replica.manifest.result is not Result.UNLISTED]
    stratum1s = [one for one in there if one.replica.server.role is Role.STRATUM1]
    machines: dict[str, ReplicaVerdict] = {}
    for one in (one for one in stratum1s or there if not one.maintenance):
        before = machines.setdefault(one.replica.server.label, one)
        if one.available and not before.available:
            machines[one.replica.server.label] = one
    return tuple(machines.values())


def _redundancy(fleet: Fleet, replicas: Sequence[ReplicaVerdict]) -> Iterator[Finding]:
    """Do enough of them serve it? What is not known may be well, and then only what is sure is said."""
    ok = sum(one.available is True for one in replicas)
    at_best = ok + sum(one.available is None for one in replicas)
    needed = min(fleet.min_replicas_ok, len(replicas))
    limit = fleet.limits["redundancy"]
    if ok >= needed or not (limit.warning or limit.critical):
        return
    what = "stratum 1" if replicas[0].replica.server.role is Role.STRATUM1 else "server"
    many = f"{len(replicas)} {what}{'s' if len(replicas) > 1 else ''}"
    if at_best >= needed:
        names = listed([one.replica.server.label for one in replicas if one.available is None])
        text = f"not known whether enough servers serve it: {ok} of {many} surely, unknown of {names}"
        yield Finding("redundancy", Health.UNKNOWN, text)
        return
    names = listed([one.replica.server.label for one in replicas if one.available is False])
    if at_best == 0 and limit.critical:
        yield Finding("redundancy", Health.CRITICAL, f"served as it should be by none of {many}: not by {names}")
    elif limit.warning:
        yield Finding("redundancy", Health.WARNING, f"served as it should be by only {ok} of {many}: not by {names}")


def _nowhere(fleet: Fleet) -> Iterator[Finding]:
    """As serious as it is for each of its replicas: it is being moved or removed, or its name is misspelt."""
    if fleet.limits["redundancy"].warning:
        yield Finding("redundancy", Health.WARNING, "no server lists or serves it")
