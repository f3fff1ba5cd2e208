"""The public model from what a run saw and from what was before it: here alone it is decided what is told.

Everything is taken by name from rows of a spool, and only what the settings allow; text that a server sent is nowhere
but in names of repositories that are allowed, and in a version, where that may be told. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from telegraf_cvmfs.history.spool import Row
from telegraf_cvmfs.model import matches
from telegraf_cvmfs.points.schema import REPO, SERVER
from telegraf_cvmfs.statuspage.incidents import Outage, incidents
from telegraf_cvmfs.statuspage.reasons import reason
from telegraf_cvmfs.statuspage.settings import Settings, slug
from telegraf_cvmfs.statuspage.site import Past, Replica, Repository, Rhythm, Server, Site, State, Window, worst
from telegraf_cvmfs.wire.repositories import is_repository_name

MEASUREMENTS = (SERVER, REPO)
"""What is read of a run."""

_GEOAPI = {0: "works", 1: "does not work", 2: "does not work"}
_HEALTHS = {0: State.OK, 1: State.WARNING, 2: State.CRITICAL}
_SERVED = (State.OK, State.WARNING)
_VERSION = re.compile(r"[0-9A-Za-z.+~-]{1,32}")


@dataclass(frozen=True)
class Before:
    """What was before a run, by the names in the fleet: see `past`."""

    servers: Mapping[str, Past] = field(default_factory=dict)
    repositories: Mapping[str, Past] = field(default_factory=dict)
    replicas: Mapping[tuple[str, str], Rhythm] = field(default_factory=dict)
    outages: Sequence[Outage] = ()


def site(rows: Iterable[Row], settings: Settings, before: Before | None = None) -> Site:
    """All that may be told of a run, whose rows these are, the first of them its `cvmfs_scrape`."""
    head, *others = rows
    scraped, then = datetime.fromtimestamp(head["time"] // 10**9, UTC), before or Before()
    own = [row for row in others if row["measurement"] == SERVER and row["server"] in settings.servers]
    replicas = [_replica(row, settings, then) for row in others if _is_told(row, settings)]
    servers = [_server(row, replicas, settings, then) for row in own]
    repositories = [_repository(name, servers, settings, then) for name in sorted({one.repository for one in replicas})]
    return Site(
        title=settings.title,
        scraped=scraped,
        servers=sorted(_one_each(servers), key=lambda one: (one.role != "stratum0", one.name)),
        repositories=repositories,
        incidents=incidents(then.outages, settings, scraped),
        maintenance=list(_windows(settings, scraped, own, repositories)),
    )


def _is_told(row: Row, settings: Settings) -> bool:
    """Judged, of a server that may be told, and of a repository that may be."""
    if row["measurement"] != REPO or row["server"] not in settings.servers:
        return False
    return "health" in row and settings.tells(row["repo"]) and is_repository_name(row["repo"])  # a page is called so


def _state(row: Row) -> State:
    if row.get("maintenance"):
        return State.MAINTENANCE
    return _HEALTHS.get(row.get("health", -1), State.UNKNOWN)


def _replica(row: Row, settings: Settings, before: Before) -> Replica:
    state, told = _state(row), settings.fields
    return Replica(
        server=settings.servers[row["server"]],
        repository=row["repo"],
        state=state,
        reason=reason(row.get("finding")) if "finding" in told else None,
        revision=row.get("revision") if "revision" in told else None,
        published=_moment(row.get("published")) if "revision" in told else None,
        lag=_span(row.get("lag")) if "lag" in told else None,
        snapshot=_moment(row.get("last_snapshot")) if "snapshot" in told else None,
        snapshotting=bool(row.get("snapshotting")),
        size=row.get("root_size") if "size" in told else None,
        rhythm=_rhythm(before.replicas.get((row["server"], row["repo"]), Rhythm()), told),
    )


def _rhythm(rhythm: Rhythm, told: Sequence[str]) -> Rhythm:
    """Of it what may be told."""
    if "lag" not in told:
        rhythm = replace(rhythm, lag_p50=None, lag_p95=None, lag_max=None)
    if "revision" not in told:
        rhythm = replace(rhythm, revisions_a_week=None)
    return rhythm if "snapshot" in told else replace(rhythm, snapshot_interval=None)


def _server(row: Row, replicas: Sequence[Replica], settings: Settings, before: Before) -> Server:
    name, told = settings.servers[row["server"]], settings.fields
    own = [one for one in replicas if one.server == name]
    version = row.get("cvmfs_version", "")
    return Server(
        name=name,
        slug=slug(name),
        role=row["role"],
        state=_class(row, own),
        replicas=own,
        reason=reason(row.get("finding")) if "finding" in told else None,
        geoapi=_GEOAPI.get(row.get("geoapi_status", -1)) if "geoapi" in told else None,
        version=version if "version" in told and _VERSION.fullmatch(version) else None,
        past=before.servers.get(row["server"], Past()),
    )


def _class(row: Row, replicas: Sequence[Replica]) -> State:
    """Of a server: critical where it serves nothing as it should, a warning where not all of it is well."""
    own = _state(row)
    if own in (State.MAINTENANCE, State.UNKNOWN) or not row.get("up"):
        return own
    states = [one.state for one in replicas]
    if states and not any(one in _SERVED for one in states):
        return worst(states)
    return State.WARNING if worst((own, *states)) in (State.WARNING, State.CRITICAL) else worst((own, *states))


def _one_each(servers: Iterable[Server]) -> list[Server]:
    """Of machines behind one name the worst: they have one public name."""
    found: dict[str, Server] = {}
    for server in servers:
        other = found.get(server.name)
        found[server.name] = server if other is None or worst((other.state, server.state)) is server.state else other
    return list(found.values())


def _repository(name: str, servers: Sequence[Server], settings: Settings, before: Before) -> Repository:
    everywhere = [(one, each) for one in _one_each(servers) for each in one.replicas if each.repository == name]
    counting = [each for one, each in everywhere if one.role == "stratum1"] or [each for _, each in everywhere]
    states = [one.state for one in counting]
    served = sum(one in _SERVED for one in states)
    if served:
        state = State.OK if served >= min(settings.redundancy, len(states)) else State.WARNING
    else:
        state = next((one for one in (State.MAINTENANCE, State.UNKNOWN) if one in states), State.CRITICAL)
    replicas = sorted((each for _, each in everywhere), key=lambda each: each.server)
    return Repository(name, state, served, len(states), replicas, before.repositories.get(name, Past()))


def _windows(
    settings: Settings, scraped: datetime, rows: Sequence[Row], repositories: Sequence[Repository]
) -> Iterator[Window]:
    """Those that are not over, and cover something that is told."""
    for one in sorted(settings.maintenance, key=lambda each: each.since):
        covered = {row["server"] for row in rows if matches(row["server"], one.servers)}
        names = [each.name for each in repositories if matches(each.name, one.repositories)]
        if one.until > scraped and covered and bool(names) == bool(one.repositories):
            why = one.why or None if "why" in settings.fields else None
            yield Window(one.since, one.until, sorted({settings.servers[name] for name in covered}), names, why)


def _moment(seconds: int | None) -> datetime | None:
    try:
        return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _span(seconds: int | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)
