"""What it means: findings, verdicts, and the run that they make up."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from telegraf_cvmfs.model.finding import Finding, Health, worst
from telegraf_cvmfs.model.fleet import Fleet
from telegraf_cvmfs.model.maintenance import Maintenance
from telegraf_cvmfs.model.reading import Replica, Stratum, Traffic
from telegraf_cvmfs.model.signature import Trust


@dataclass(frozen=True, slots=True)
class ReplicaVerdict:
    """What was made of one replica. Comparisons are with the `reference`, and None where there is none.

    `findings` stand worst first. `health` is None for what is never judged (pass-through). What fails its own signature
    or hash is not `believed`: it was compared with nothing, and is no proof of anything about others. `alone_against`
    is how many servers agree on something else, where only this one has what it serves and no key tells who is right.
    Of one that is `doubtful` nothing is held against others.
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
    doubtful: bool = False
    server_down: bool = False  # nothing at all can be read from its server
    maintenance: Maintenance | None = None

    @property
    def counted(self) -> Health | None:
        """The health as counts and verdicts of more than this replica have it: None under maintenance too."""
        return None if self.maintenance else self.health

    @property
    def available(self) -> bool | None:
        """Is it served as it should be, whatever may be wrong soon? None where that is not known or does not count."""
        if self.maintenance:
            return None
        if self.health is Health.UNKNOWN or self.health is None:
            return False if self.server_down else None
        return self.replica.up and self.health is not Health.CRITICAL


@dataclass(frozen=True, slots=True)
class ServerVerdict:
    """What was made of one server by itself; its replicas' findings are theirs."""

    stratum: Stratum
    health: Health
    findings: tuple[Finding, ...]
    replicas: tuple[ReplicaVerdict, ...]
    maintenance: Maintenance | None = None

    @property
    def counted(self) -> Health | None:
        """The health as the fleet's verdict has it: None under maintenance."""
        return None if self.maintenance else self.health

    @property
    def replica_healths(self) -> tuple[Health, ...]:
        """The healths of those of its replicas that are judged and not under maintenance."""
        return tuple(one.counted for one in self.replicas if one.counted is not None)

    @property
    def status(self) -> Health:
        """The verdict of the whole: the worst of the server itself and of its replicas, maintenance left out."""
        return worst((self.counted or Health.OK, *self.replica_healths))


@dataclass(frozen=True, slots=True)
class RepositoryVerdict:
    """What was made of one repository, wherever it is served: clients fail over from one stratum 1 to the next.

    `replicas` are those that count for its redundancy, one for each machine: on stratum 1s, or where there is none
    on any server. `health` is None where none is judged, or all are under maintenance. `newest` is the replica with its
    newest revision, `revisions_spread` how far the oldest one that is served is behind that.
    """

    repo: str
    health: Health | None
    findings: tuple[Finding, ...]
    replicas: tuple[ReplicaVerdict, ...]
    newest: Replica | None = None
    revisions_spread: int | None = None
    maintenance: Maintenance | None = None  # of all its replicas

    @property
    def replicas_ok(self) -> int:
        """How many of those that count serve it as they should."""
        return sum(one.available is True for one in self.replicas)


@dataclass(frozen=True, slots=True)
class Run:
    """One finished run: what every output, and everything later, is made from."""

    fleet: Fleet
    started: datetime
    duration: timedelta
    servers: tuple[ServerVerdict, ...]
    traffic: Traffic = field(default_factory=Traffic)
    deadline_hit: bool = False
    repositories: tuple[RepositoryVerdict, ...] = ()  # by name
    interrupted: str = ""  # the signal that ended it before all was read

    @property
    def replicas(self) -> tuple[ReplicaVerdict, ...]:
        """Every replica of every server, in the order of the fleet file."""
        return tuple(verdict for server in self.servers for verdict in server.replicas)
