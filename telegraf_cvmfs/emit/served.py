"""Who serves a repository well: what its users feel, for clients go on to the next replica."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from telegraf_cvmfs.model import Health, ReplicaVerdict, Role, Run, worst


@dataclass(frozen=True, slots=True)
class Served:
    """One repository, by how many of those that should serve it it is served well, and what follows from that."""

    repo: str
    well: int
    of: int
    health: Health | None

    @property
    def phrase(self) -> str:
        """How many serve it: "by all 3", "by 2 of 3"."""
        if not self.of:
            return "not judged"
        return f"by all {self.of}" if self.well == self.of > 1 else f"by {self.well} of {self.of}"


def served(run: Run) -> list[Served]:
    """Every repository of a run, in the order of their names."""
    return [_of(repo, verdicts) for repo, verdicts in sorted(by_repository(run).items())]


def by_repository(run: Run) -> dict[str, list[ReplicaVerdict]]:
    """The replicas of each repository."""
    groups: dict[str, list[ReplicaVerdict]] = {}
    for verdict in run.replicas:
        groups.setdefault(verdict.replica.repo, []).append(verdict)
    return groups


def _of(repo: str, verdicts: Sequence[ReplicaVerdict]) -> Served:
    judged = [one for one in verdicts if one.health is not None]
    replicas = [one for one in judged if one.replica.server.role is Role.STRATUM1] or judged
    well = sum(one.health is Health.OK for one in replicas)
    return Served(repo, well, len(replicas), worst(one.health for one in replicas if one.health) if replicas else None)


def in_one_phrase(served: Iterable[Served]) -> str:
    """How all of them are served: "11 of 12 repositories served by all, 1 by 2 of 3", the worst last."""
    judged = [one for one in served if one.of]
    if not judged:
        return "no repository known"
    by_all = sum(one.well == one.of for one in judged)
    fewer = Counter((one.well, one.of) for one in judged if one.well < one.of)
    told = [f"{count} by {well} of {of}" for (well, of), count in sorted(fewer.items(), reverse=True)]
    if len(told) > _MOST_TOLD:
        rest = sorted(fewer.items(), reverse=True)[_MOST_TOLD - 1 :]
        told = [*told[: _MOST_TOLD - 1], f"{sum(count for _, count in rest)} by fewer"]
    noun = "repository" if len(judged) == 1 else "repositories"
    return ", ".join((f"{by_all} of {len(judged)} {noun} served by all", *told))


_MOST_TOLD = 4
