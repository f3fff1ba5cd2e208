"""One finished run as rows of the table of `schema`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from telegraf_cvmfs.model import (
    REPLICA_FINDINGS,
    REPOSITORY_FINDINGS,
    SERVER_FINDINGS,
    SEVERITY,
    Finding,
    GeoAPIStatus,
    Health,
    Reading,
    Replica,
    ReplicaVerdict,
    RepositoryVerdict,
    RootCatalogState,
    Run,
    ServerVerdict,
    Stratum,
)
from telegraf_cvmfs.points.schema import FIELDS, FINDING, PUBLISH, REPO, REPOSITORY, SCRAPE, SERVER, Value
from telegraf_cvmfs.words.duration import MOST_AHEAD
from telegraf_cvmfs.words.maintenance import until_and_why
from telegraf_cvmfs.words.served import in_one_phrase

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Point:
    """One row: tags say of what, fields say how it is, `time` (aware UTC) says when."""

    measurement: str
    tags: Mapping[str, str]
    fields: Mapping[str, Value]
    time: datetime


_Fields = dict[str, Value | None]

_NAMES = {measurement: tuple(field.name for field in fields) for measurement, fields in FIELDS.items()}


def points(run: Run) -> list[Point]:
    """Every row that one run is worth, worst case included: a server that is down has its rows too."""
    rows = [point for server in run.servers for point in _server_points(run, server)]
    rows += [point for repository in run.repositories for point in _repository_points(run, repository)]
    rows += _publications(run)
    rows.append(_point(SCRAPE, {"fleet": run.fleet.name}, _scrape_fields(run), run.started))
    return rows


def unix(moment: datetime | None) -> int | None:
    """Whole seconds since 1970, as CernVM-FS counts them."""
    return None if moment is None else (moment - EPOCH) // timedelta(seconds=1)


def seconds(span: timedelta | None) -> int | None:
    """Whole seconds, towards the past; None stays None."""
    return None if span is None else span // timedelta(seconds=1)


def age(moment: datetime | None, now: datetime) -> int | None:
    """Whole seconds since then, never negative: a server's clock may be ahead of ours; None if it is far ahead."""
    if moment is None or moment - now > MOST_AHEAD:
        return None
    return max(0, (now - moment) // timedelta(seconds=1))


def _point(measurement: str, tags: Mapping[str, str | None], fields: _Fields, time: datetime) -> Point:
    return Point(
        measurement,
        {name: value for name, value in tags.items() if value},
        {name: value for name in _NAMES[measurement] if (value := fields.get(name)) is not None},
        time,
    )


def _server_points(run: Run, verdict: ServerVerdict) -> Iterator[Point]:
    server = verdict.stratum.server
    tags: dict[str, str | None] = {"fleet": run.fleet.name, "role": server.role.value}
    tags |= {"server": server.name, "address": server.address}
    yield _point(SERVER, tags, _server_fields(verdict, run.started), run.started)
    yield _point(
        FINDING, tags, _finding_fields(() if verdict.maintenance else verdict.findings, SERVER_FINDINGS), run.started
    )
    for one in verdict.replicas:
        labels = tags | {"repo": one.replica.repo, "alias": one.replica.alias}
        yield _point(REPO, labels, _replica_fields(one, verdict.stratum, run.started), run.started)
        if one.health is not None:
            findings = () if one.maintenance else one.findings  # so that no alert fires
            yield _point(FINDING, labels, _finding_fields(findings, REPLICA_FINDINGS), run.started)


def _repository_points(run: Run, verdict: RepositoryVerdict) -> Iterator[Point]:
    tags = {"fleet": run.fleet.name, "repo": verdict.repo}
    yield _point(REPOSITORY, tags, _repository_fields(verdict, run.started), run.started)
    yield _point(FINDING, tags, _finding_fields(verdict.findings, REPOSITORY_FINDINGS), run.started)


def _repository_fields(verdict: RepositoryVerdict, now: datetime) -> _Fields:
    manifest = None if verdict.newest is None else verdict.newest.manifest.value
    fields: _Fields = {
        "replicas": len(verdict.replicas),
        "replicas_ok": verdict.replicas_ok,
        "revision": None if manifest is None else manifest.revision,
        "published": None if manifest is None else unix(manifest.published),
        "published_age": None if manifest is None else age(manifest.published, now),
        "revisions_spread": verdict.revisions_spread,
    }
    return fields | _verdict_fields(verdict)


def _finding_fields(findings: Sequence[Finding], possible: Iterable[str]) -> _Fields:
    """The health of each finding that there can be; what was not found is written too, so that an alert ends."""
    found = {finding.slug: int(finding.health) for finding in reversed(findings)}  # the first is the worst
    return {slug: found.get(slug, int(Health.OK)) for slug in possible}


def _server_fields(verdict: ServerVerdict, now: datetime) -> _Fields:
    stratum = verdict.stratum
    listing = stratum.listing.value
    took = stratum.response_time
    fields: _Fields = {
        "up": int(stratum.up),
        "geodb_age": None if listing is None else age(listing.last_geodb_update, now),
        "status": int(verdict.status),
        "status_severity": SEVERITY.index(verdict.status),
        "repositories": len(stratum.replicas),
        "repositories_up": sum(replica.up for replica in stratum.replicas),
        "response_time": None if took is None else took.total_seconds(),
        "backend": None if stratum.backend is None else stratum.backend.value,
        "cvmfs_version": None if listing is None else listing.cvmfs_version,
    }
    fields |= {f"replicas_{one.name.lower()}": verdict.replica_healths.count(one) for one in Health}
    return fields | _reading_fields(stratum.answer) | _verdict_fields(verdict) | _geoapi_fields(stratum)


def _reading_fields(reading: Reading[Any]) -> _Fields:
    return {
        "result": reading.result.slug,
        "result_code": reading.result.code,
        "http_status": reading.http_status,
    }


def _geoapi_fields(stratum: Stratum) -> _Fields:
    status = stratum.geoapi_status
    known = status in (GeoAPIStatus.OK, GeoAPIStatus.LOCATION_ERROR, GeoAPIStatus.NO_RESPONSE)
    return {
        "geoapi_status": int(status),
        "geoapi_ok": int(status is GeoAPIStatus.OK) if known else None,
    }


def _verdict_fields(verdict: ReplicaVerdict | ServerVerdict | RepositoryVerdict) -> _Fields:
    first = verdict.findings[0] if verdict.findings else None
    return {
        "health": None if verdict.health is None else int(verdict.health),
        "severity": None if verdict.health is None else SEVERITY.index(verdict.health),
        "maintenance": int(verdict.maintenance is not None),
        "available": _available(verdict),
        "finding": None if first is None else first.slug,
        "problem": _problem(verdict, first),
    }


def _available(verdict: ReplicaVerdict | ServerVerdict | RepositoryVerdict) -> int | None:
    if verdict.maintenance or verdict.health in (None, Health.UNKNOWN):
        return None
    return int(verdict.health is not Health.CRITICAL)


def _problem(verdict: ReplicaVerdict | ServerVerdict | RepositoryVerdict, first: Finding | None) -> str | None:
    """The most serious finding; under maintenance first why it is quiet about it."""
    said = [] if verdict.maintenance is None else [f"maintenance {until_and_why(verdict.maintenance)}"]
    return "; ".join([*said, *([] if first is None else [first.problem])]) or None


def _replica_fields(verdict: ReplicaVerdict, stratum: Stratum, now: datetime) -> _Fields:
    replica = verdict.replica
    fields: _Fields = {"up": int(replica.up), "http_age": replica.manifest.age, "url": replica.url}
    if replica.partial is not None and replica.partial.value is not None:
        fields["partial"] = int(replica.partial.value)
    fields |= _reading_fields(replica.manifest)
    fields |= _verdict_fields(verdict)
    fields |= _manifest_fields(replica, now)
    fields |= _comparison_fields(verdict)
    fields |= _status_fields(replica, now)
    fields |= _whitelist_fields(replica, now)
    fields |= _proxy_fields(replica)
    fields |= _trust_fields(verdict)
    fields |= _root_catalog_fields(replica, now)
    fields |= _geoapi_fields(stratum)
    return fields


def _manifest_fields(replica: Replica, now: datetime) -> _Fields:
    manifest = replica.manifest.value
    if manifest is None:
        return {}
    return {
        "revision": manifest.revision,
        "root_size": manifest.root_size,
        "root_hash": manifest.root_catalog,
        "ttl": seconds(manifest.ttl),
        "published": unix(manifest.published),
        "published_age": age(manifest.published, now),
        "garbage_collectable": None if manifest.garbage_collectable is None else int(manifest.garbage_collectable),
    }


def _comparison_fields(verdict: ReplicaVerdict) -> _Fields:
    return {
        "revisions_behind": verdict.revisions_behind,
        "lag": seconds(verdict.lag),
        "published_behind": seconds(verdict.published_behind),
        "diverged": None if verdict.diverged is None else int(verdict.diverged),
    }


def _status_fields(replica: Replica, now: datetime) -> _Fields:
    fields: _Fields = {}
    if (status := replica.status.value) is not None:
        fields |= {
            "last_snapshot": unix(status.last_snapshot),
            "snapshot_age": age(status.last_snapshot, now),
            "last_gc": unix(status.last_gc),
            "gc_age": age(status.last_gc, now),
            "last_check": unix(status.last_check),
            "check_age": age(status.last_check, now),
            "check_ok": None if status.check_ok is None else int(status.check_ok),
        }
    if replica.snapshotting.answered:
        running = replica.snapshotting.value
        fields["snapshotting"] = int(running is not None)
        fields["snapshotting_age"] = None if running is None else age(running.since, now)
    return fields


def _whitelist_fields(replica: Replica, now: datetime) -> _Fields:
    whitelist = replica.whitelist.value
    if whitelist is None:
        return {}
    left = (whitelist.refused_from - now).total_seconds()
    return {"whitelist_expires": unix(whitelist.expires), "whitelist_expires_in": math.ceil(left)}


def _proxy_fields(replica: Replica) -> _Fields:
    if replica.proxied is None or replica.proxied.value is None:
        return {}
    return {"proxy_revision": replica.proxied.value.revision, "proxy_age": replica.proxied.age}


def _trust_fields(verdict: ReplicaVerdict) -> _Fields:
    if verdict.trust is None:
        return {}
    signature = verdict.trust.signature
    ok = None if signature.ok is None else int(signature.ok)
    return {"signature": signature.slug, "signature_code": signature.code, "signature_ok": ok}


def _root_catalog_fields(replica: Replica, now: datetime) -> _Fields:
    if not replica.up or replica.pass_through:
        return {}
    state, catalog = replica.root_catalog_state, replica.root_catalog.value
    known = state is not RootCatalogState.NOT_CHECKED
    return {
        "root_catalog": state.slug,
        "root_catalog_code": state.code,
        "root_catalog_ok": int(state is RootCatalogState.OK) if known else None,
        "root_catalog_verified_age": None if catalog is None else age(catalog.proved, now),
    }


def _publications(run: Run) -> Iterator[Point]:
    """One point for each revision that a reference has, at the time when it was first published."""
    for verdict in sorted((one for one in run.replicas if one.is_reference), key=lambda one: one.replica.repo):
        manifest, published = verdict.replica.manifest.value, verdict.first_published
        if manifest is None or published is None:
            continue
        if timedelta(0) <= run.started - published <= run.fleet.publish_window:
            fields: _Fields = {
                "revision": manifest.revision,
                "root_size": manifest.root_size,
                "root_hash": manifest.root_catalog,
            }
            yield _point(PUBLISH, {"fleet": run.fleet.name, "repo": verdict.replica.repo}, fields, published)


def _scrape_fields(run: Run) -> _Fields:
    healths = [verdict.counted for verdict in run.replicas]
    return {
        "duration": run.duration.total_seconds(),
        "served": in_one_phrase(run.repositories),
        "servers": len(run.servers),
        "servers_up": sum(server.stratum.up for server in run.servers),
        "repos": len(healths),
        "repos_ok": healths.count(Health.OK),
        "repos_warning": healths.count(Health.WARNING),
        "repos_critical": healths.count(Health.CRITICAL),
        "repos_unknown": healths.count(Health.UNKNOWN),
        "requests": run.traffic.requests,
        "failures": run.traffic.failures,
        "bytes": run.traffic.bytes,
        "deadline_hit": int(run.deadline_hit),
        "interrupted": int(bool(run.interrupted)),
    }
