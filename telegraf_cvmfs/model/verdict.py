"""What it means: findings, verdicts, and the run that they make up."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from telegraf_cvmfs.model.finding import Finding, Health
from telegraf_cvmfs.model.fleet import Fleet
from telegraf_cvmfs.model.reading import Replica, Stratum, Traffic
from telegraf_cvmfs.model.signature import Trust


@dataclass(frozen=True, slots=True)
class ReplicaVerdict:
    """What was made of one replica. Comparisons are with the `reference`, and None where there is none.

    `findings` stand worst first. `health` is None for what is never judged (pass-through). What fails its own signature
    or hash is not `believed`: it was compared with nothing, and is no proof of anything about others. `alone_against`
    is how many servers agree on something else, where only this one has what it serves and no key tells who is right.
    """

    replica: Replica
    health: Health | None
    findings: tuple[Finding, ...] = ()
    is_reference: bool = False
    reference: Replica | None = None
    revisions_behind: int | None = None
    published_behind: timedelta | None = None
    lag: timedelta | None = None
    diverged: bool | None = None
    trust: Trust | None = None  # None: there was no manifest
    first_published: datetime | None = None  # of the reference's revision, before it was signed anew
    believed: bool = True
    alone_against: int = 0


@dataclass(frozen=True, slots=True)
class ServerVerdict:
    """What was made of one server by itself; its replicas' findings are theirs."""

    stratum: Stratum
    health: Health
    findings: tuple[Finding, ...]
    replicas: tuple[ReplicaVerdict, ...]


@dataclass(frozen=True, slots=True)
class Run:
    """One finished run: what every output, and everything later, is made from."""

    fleet: Fleet
    started: datetime
    duration: timedelta
    servers: tuple[ServerVerdict, ...]
    traffic: Traffic = field(default_factory=Traffic)
    deadline_hit: bool = False

    @property
    def replicas(self) -> tuple[ReplicaVerdict, ...]:
        """Every replica of every server, in the order of the fleet file."""
        return tuple(verdict for server in self.servers for verdict in server.replicas)
