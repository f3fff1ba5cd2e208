"""Who serves a repository: what its users feel, for clients go on to the next replica."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from telegraf_cvmfs.model import ReplicaVerdict, RepositoryVerdict, Run

_MOST_TOLD = 4
"""So many kinds of repositories that not all serve are told apart."""


def by_repository(run: Run) -> dict[str, list[ReplicaVerdict]]:
    """The replicas of each repository."""
    groups: dict[str, list[ReplicaVerdict]] = {}
    for verdict in run.replicas:
        groups.setdefault(verdict.replica.repo, []).append(verdict)
    return groups


def by_whom(verdict: RepositoryVerdict) -> str:
    """How many serve it, of those that should: "by all 3", "by 2 of 3"."""
    well, of = verdict.replicas_ok, len(verdict.replicas)
    if not of:
        if verdict.maintenance:
            return "maintenance"
        return "not judged" if verdict.health is None else "by nobody"
    return f"by all {of}" if well == of > 1 else f"by {well} of {of}"


def in_one_phrase(repositories: Iterable[RepositoryVerdict]) -> str:
    """How all of them are served: "11 of 12 repositories served by all, 1 by 2 of 3", the worst last."""
    every = tuple(repositories)
    judged = [one for one in every if one.replicas]
    at_work = sum(one.maintenance is not None for one in every)
    if not judged:
        return f"{at_work} under maintenance" if at_work else "no repository known"
    fewer = Counter((one.replicas_ok, len(one.replicas)) for one in judged if one.replicas_ok < len(one.replicas))
    kinds = sorted(fewer.items(), reverse=True)
    told = [f"{count} by {well} of {of}" for (well, of), count in kinds]
    if len(told) > _MOST_TOLD:
        rest = sum(count for _, count in kinds[_MOST_TOLD - 1 :])
        told = [*told[: _MOST_TOLD - 1], f"{rest} by fewer"]
    noun = "repository" if len(judged) == 1 else "repositories"
    told += [f"{at_work} under maintenance"] if at_work else []
    return ", ".join((f"{len(judged) - sum(fewer.values())} of {len(judged)} {noun} served by all", *told))
