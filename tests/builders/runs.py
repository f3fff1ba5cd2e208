"""Example runs for the tests of what is made from one: `run(replica(...), server(...), ...)`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from telegraf_cvmfs.assess.repository import repository_verdicts
from telegraf_cvmfs.model import (
    Backend,
    Entry,
    Finding,
    Fleet,
    GeoAPIStatus,
    Health,
    Listed,
    Listing,
    Manifest,
    Meta,
    Reading,
    Replica,
    ReplicaVerdict,
    Result,
    Role,
    RootCatalog,
    Run,
    Server,
    ServerVerdict,
    Snapshotting,
    Status,
    Stratum,
    Traffic,
    Whitelist,
    worst,
)

NOW = datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC)

S0 = Server("http://stratum0.tld", "stratum0.tld", Role.STRATUM0)
S1 = Server("http://stratum1-no.tld", "stratum1-no.tld", Role.STRATUM1)
S1_NL = Server("http://stratum1-nl.tld", "stratum1-nl.tld", Role.STRATUM1)

MANIFEST = Manifest(
    root_catalog="600230b0ba7620426f2e898f1e1f43c5466efe59",
    root_path_hash="d41d8cd98f00b204e9800998ecf8427e",
    ttl=timedelta(minutes=4),
    revision=6,
    root_size=57344,
    repository="repo.tld",
    published=NOW - timedelta(hours=2),
    certificate="0000000000000000000000000000000000346700",
    history="0000000000000000000000000000000000094570",
    metainfo="0000000000000000000000000000000000c0ffee",
)
STATUS = Status(last_snapshot=NOW - timedelta(hours=1), last_gc=NOW - timedelta(days=3), last_check=None, check_ok=None)
WHITELIST = Whitelist(NOW + timedelta(days=30), "repo.tld", ("AA:BB:CC:DD",))
META = Meta("A. N. Operator", "cvmfs@stratum1-no.tld", "Example")
TRAFFIC = Traffic(requests=12, failures=1, bytes=34567)

T = TypeVar("T")


def ok(value: T, *, age: int | None = None) -> Reading[T]:
    """A document that was read."""
    return Reading(Result.OK, value, 200, "", age)


def missed(result: Result = Result.NOT_FOUND, why: str = "the server has no such file") -> Reading[Any]:
    """A document that is not there, or could not be read."""
    return Reading(result, None, 404 if result is Result.NOT_FOUND else None, why)


def finding(slug: str, health: Health = Health.WARNING, problem: str = "") -> Finding:
    """A finding, with a sentence made up if none is given."""
    return Finding(slug, health, problem or f"an example of {slug}")


def replica(
    repo: str = "repo.tld",
    *,
    on: Server = S1,
    revision: int = 6,
    manifest: Reading[Manifest] | None = None,
    status: Reading[Status] | None = None,
    snapshotting: Reading[Snapshotting] | None = None,
    whitelist: Reading[Whitelist] | None = None,
    root_catalog: Reading[RootCatalog] | None = None,
    alias: str | None = None,
    pass_through: bool = False,
    findings: Sequence[Finding] = (),
    health: Health | None = None,
    is_reference: bool = False,
    **comparison: Any,
) -> ReplicaVerdict:
    """A repository on a server, read unless said otherwise; `health` is the worst of the findings."""
    found = Replica(
        server=on,
        repo=repo,
        url=f"{on.url}/cvmfs/{alias or repo}/.cvmfspublished",
        listed=Listed.SOURCE if on.role is Role.STRATUM0 else Listed.REPLICA,
        alias=alias,
        pass_through=pass_through,
        manifest=manifest or ok(replace(MANIFEST, repository=repo, revision=revision)),
        status=status or ok(STATUS),
        snapshotting=snapshotting or missed(),
        whitelist=whitelist or ok(replace(WHITELIST, repository=repo)),
        root_catalog=root_catalog or ok(RootCatalog(4096)),
    )
    verdict = worst(one.health for one in findings) if health is None else health
    judged = None if pass_through else verdict
    if is_reference and found.manifest.value is not None:
        comparison.setdefault("first_published", found.manifest.value.published)
    return ReplicaVerdict(found, judged, tuple(findings), is_reference=is_reference, **comparison)


def down(repo: str = "repo.tld", *, on: Server = S1, result: Result = Result.TIMEOUT) -> ReplicaVerdict:
    """A repository of which nothing could be read."""
    nothing = missed(result, "no answer")
    return replica(
        repo,
        on=on,
        manifest=nothing,
        status=nothing,
        snapshotting=nothing,
        whitelist=nothing,
        root_catalog=nothing,
        health=Health.UNKNOWN,
    )


def server(
    where: Server = S1,
    *replicas: ReplicaVerdict,
    listing: Reading[Listing] | None = None,
    meta: Reading[Meta] | None = None,
    backend: Backend | None = Backend.CVMFS,
    geoapi_status: GeoAPIStatus = GeoAPIStatus.OK,
    response_time: timedelta | None = timedelta(milliseconds=250),
    findings: Sequence[Finding] = (),
) -> ServerVerdict:
    """A server with these replicas, up and healthy unless said otherwise."""
    entries = tuple(
        Entry(one.replica.repo, f"/cvmfs/{one.replica.alias or one.replica.repo}", not one.replica.source)
        for one in replicas
    )
    stratum = Stratum(
        where,
        listing or ok(Listing(entries, NOW - timedelta(days=5), "2.13.2-1")),
        meta or missed(),
        backend,
        geoapi_status,
        response_time=response_time,
        replicas=tuple(one.replica for one in replicas),
    )
    return ServerVerdict(stratum, worst(one.health for one in findings), tuple(findings), tuple(replicas))


def down_server(where: Server = S1, *replicas: ReplicaVerdict) -> ServerVerdict:
    """A server that did not answer at all."""
    return server(
        where,
        *replicas,
        listing=missed(Result.CONNECTION_FAILED, "connection refused"),
        backend=None,
        geoapi_status=GeoAPIStatus.NOT_YET_TESTED,
        response_time=None,
        findings=[finding("server_down", Health.CRITICAL, f"{where.name} does not answer")],
    )


def run(
    *parts: ReplicaVerdict | ServerVerdict,
    fleet: str = "cvmfs",
    started: datetime = NOW,
    duration: timedelta = timedelta(seconds=1.5),
    traffic: Traffic = TRAFFIC,
    deadline_hit: bool = False,
    interrupted: str = "",
) -> Run:
    """A finished run of servers as they stand, and of replicas put on the servers that they name."""
    servers = [part for part in parts if isinstance(part, ServerVerdict)]
    loose: dict[str, list[ReplicaVerdict]] = {}
    for part in parts:
        if isinstance(part, ReplicaVerdict):
            loose.setdefault(part.replica.server.name, []).append(part)
    servers += [server(group[0].replica.server, *group) for group in loose.values()]
    asked = Fleet(tuple(one.stratum.server for one in servers), name=fleet)
    repositories = repository_verdicts(asked, servers)
    return Run(asked, started, duration, tuple(servers), traffic, deadline_hit, repositories, interrupted)


def example() -> Run:
    """A run with a reference, a late replica, an alias, a pass-through replica and a server down."""
    late = replica(
        "repo.tld",
        revision=5,
        findings=[finding("lagging", Health.CRITICAL, "25 h behind stratum0.tld"), finding("gc_old")],
        revisions_behind=1,
        published_behind=timedelta(hours=25),
        lag=timedelta(hours=25),
        diverged=False,
    )
    return run(
        server(
            S0,
            replica("repo.tld", on=S0, is_reference=True, snapshotting=missed()),
            geoapi_status=GeoAPIStatus.NOT_FOUND,
        ),
        server(
            S1,
            late,
            replica("other.tld", alias="pub/other", snapshotting=ok(Snapshotting(NOW - timedelta(hours=1)))),
            replica("through.tld", pass_through=True),
            meta=ok(META),
            geoapi_status=GeoAPIStatus.LOCATION_ERROR,
            findings=[finding("geoapi_wrong", Health.WARNING, 'asked for "1,2,3", got "3,2,1"')],
        ),
        down_server(S1_NL, down("repo.tld", on=S1_NL, result=Result.CONNECTION_FAILED)),
    )
