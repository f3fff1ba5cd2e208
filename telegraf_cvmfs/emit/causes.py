"""What is wrong, grouped by cause: one finding of one server is told once, on however many repositories it is found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from telegraf_cvmfs.emit.phrases import ended, rank
from telegraf_cvmfs.model import FINDINGS, Health, Maintenance, ReplicaVerdict, Run, ServerVerdict
from telegraf_cvmfs.words.text import listed

UNREAD = "not read"
"""Stands where a finding does for replicas that could not be read, of which there is no more to be said."""


class _Key(NamedTuple):
    slug: str
    health: Health


@dataclass(frozen=True, slots=True)
class Cause:
    """One finding, how serious it is, the servers and the repositories that have it.

    A server's own has no repositories, and one about repositories wherever they are served has no servers.

    Each of the repositories has it on each of the servers. `problem` is the sentence of the first; `alike`: of all.
    """

    slug: str
    health: Health
    servers: tuple[str, ...]
    repos: tuple[str, ...]
    problem: str
    alike: bool = True

    @property
    def sentence(self) -> str:
        """It in words, with the first few repositories."""
        if not self.repos:
            return f"{self.slug}: {self.problem}" if self.slug else self.problem
        if len(self.repos) == 1:
            said = self.problem if self.alike or not self.servers else f"{self.servers[0]}: {self.problem}"
            return f"{self.slug} on {self.repos[0]}: {said}"
        said = self.problem if self.alike else f"{self.repos[0]}: {self.problem}"
        return f"{self.slug} on {len(self.repos)} repositories: {listed(self.repos)}; {said}"


def causes(run: Run) -> list[Cause]:
    """All that is wrong in a run, worst first; servers that have the same on the same repositories stand together."""
    of_repositories = _grouped(
        (_Key(found.slug, found.health), one.repo, found.problem) for one in run.repositories for found in one.findings
    )
    together: dict[tuple[str, Health, tuple[str, ...], str], list[Cause]] = {}
    for server in run.servers:
        for cause in (*_own(server), *_of_replicas(server)):
            said = "" if cause.repos else cause.problem
            together.setdefault((cause.slug, cause.health, cause.repos, said), []).append(cause)
    return sorted((*of_repositories, *map(_merged, together.values())), key=_weight)


def windows(run: Run) -> dict[Maintenance, tuple[list[str], list[str]]]:
    """What is under maintenance: for each window the servers, and the repositories if it is not whole servers."""
    found: dict[Maintenance, tuple[list[str], list[str]]] = {}
    for server in run.servers:
        mine = (server.maintenance, *(one.maintenance for one in server.replicas))
        for window in dict.fromkeys(window for window in mine if window is not None):
            servers, repos = found.setdefault(window, ([], []))
            servers.append(server.stratum.server.label)
            of_it = (one.replica.repo for one in server.replicas if one.maintenance == window)
            repos += [] if server.maintenance == window else [repo for repo in of_it if repo not in repos]
    return found


def _merged(alike: list[Cause]) -> Cause:
    first = alike[0]
    servers = tuple(name for cause in alike for name in cause.servers)
    same = first.alike and all(cause.problem == first.problem for cause in alike)
    return Cause(first.slug, first.health, servers, first.repos, first.problem, same)


def _weight(cause: Cause) -> tuple[int, bool, bool, int, int]:
    """The worst first; what users feel, then servers' own, then their replicas'; what is found most often first."""
    order = list(FINDINGS)
    place = order.index(cause.slug) if cause.slug in FINDINGS else len(order)
    many = -len(cause.repos) * len(cause.servers)
    return -rank(cause.health), bool(cause.servers), bool(cause.repos), many, place


def _own(server: ServerVerdict) -> Iterator[Cause]:
    names = (server.stratum.server.label,)
    if server.maintenance:
        return
    for finding in server.findings:
        yield Cause(finding.slug, finding.health, names, (), finding.problem)
    if not server.findings and server.health is not Health.OK:
        yield Cause("", server.health, names, (), f"list not read: {server.stratum.listing.why}")


def _of_replicas(server: ServerVerdict) -> Iterator[Cause]:
    counted = (one for one in server.replicas if not one.maintenance)
    found = ((key, one.replica.repo, said) for one in counted for key, said in _findings(server, one))
    return _grouped(found, (server.stratum.server.label,))


def _grouped(found: Iterable[tuple[_Key, str, str]], servers: tuple[str, ...] = ()) -> Iterator[Cause]:
    """One cause for each finding, of what was found on which repository, and its sentence there."""
    groups: dict[_Key, dict[str, str]] = {}
    for key, repo, problem in found:
        groups.setdefault(key, {}).setdefault(repo, problem)
    for key, problems in groups.items():
        repos = tuple(sorted(problems))
        alike = len(set(problems.values())) == 1
        yield Cause(key.slug, key.health, servers, repos, problems[repos[0]], alike)


def _findings(server: ServerVerdict, verdict: ReplicaVerdict) -> Iterator[tuple[_Key, str]]:
    """A replica's own; where nothing is known because the server is down, the server's finding has told."""
    if not server.stratum.up and not verdict.replica.manifest.result.ours and verdict.health is Health.UNKNOWN:
        return
    for finding in verdict.findings:
        yield _Key(finding.slug, finding.health), finding.problem
    if not verdict.findings and verdict.health not in (Health.OK, None):
        yield _Key(UNREAD, verdict.health), _why(verdict)


def _why(verdict: ReplicaVerdict) -> str:
    """Why there is no verdict: how the reading of the manifest ended, or of what stands beside it."""
    replica = verdict.replica
    readings = (replica.manifest, replica.status, replica.snapshotting, replica.whitelist)
    unread = next((one for one in readings if not one.answered), None)
    return replica.manifest.why if unread is None else ended(unread.result)
