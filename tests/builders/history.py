"""A spool with a life in it: a fleet that is published to, replicated, down and up again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from telegraf_cvmfs.history.spool import write
from telegraf_cvmfs.model import GeoAPIStatus, Health, Maintenance, Run, Status
from tests.builders.runs import S0, S1, S1_NL, STATUS, down, down_server, finding, ok, replica, run, server


@dataclass(frozen=True)
class Look:
    """What one run saw of the replica on the first stratum 1, and that it was down, or under maintenance."""

    revision: int = 6
    lag: int = 0
    snapshot: datetime | None = None
    down: bool = False
    maintenance: bool = False
    health: Health = Health.OK


def seen(look: Look, moment: datetime, fleet: str = "cvmfs") -> Run:
    """The run that began then; a reference, the replica, and one more that is always well."""
    source = replica(on=S0, revision=look.revision, is_reference=True, first_published=None)
    source = replace(source, reference=source.replica)
    original = server(S0, source, geoapi_status=GeoAPIStatus.NOT_FOUND)
    other = server(S1_NL, replica(on=S1_NL, revision=look.revision, lag=timedelta(0), reference=source.replica))
    if look.down:
        return run(original, down_server(S1, down(on=S1)), other, started=moment, fleet=fleet)
    findings = [finding("lagging", look.health)] if look.health in (Health.WARNING, Health.CRITICAL) else []
    status: Status = replace(STATUS, last_snapshot=look.snapshot)
    one = replica(
        on=S1, revision=look.revision, lag=timedelta(seconds=look.lag), status=ok(status), findings=findings,
        health=look.health,
        reference=source.replica,
    )  # fmt: skip
    first = server(S1, one)
    if look.maintenance:
        window = Maintenance(moment - timedelta(hours=1), moment + timedelta(hours=1), why="new disks")
        first = replace(
            first, maintenance=window, replicas=tuple(replace(each, maintenance=window) for each in first.replicas)
        )
    return run(original, first, other, started=moment, fleet=fleet)


def spool(folder: Path, looks: Iterable[tuple[datetime, Look]]) -> Path:
    """A spool with these runs."""
    for moment, look in looks:
        write(folder, seen(look, moment))
    return folder
