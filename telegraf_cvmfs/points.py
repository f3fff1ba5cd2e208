"""The names and types of everything that is written, in one table, and nowhere else.

`FIELDS` is the promise to dashboards: InfluxDB fixes a field's type at the first write, so a name here
never changes its type. `points()` turns one finished run into rows of that table.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from telegraf_cvmfs.model import (
    GeoAPIStatus,
    Health,
    Reading,
    Replica,
    ReplicaVerdict,
    RootCatalogState,
    Run,
    ServerVerdict,
    Stratum,
)

Value = int | float | str

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Point:
    """One row: tags say of what, fields say how it is, `time` (aware UTC) says when."""

    measurement: str
    tags: Mapping[str, str]
    fields: Mapping[str, Value]
    time: datetime


@dataclass(frozen=True)
class Field:
    """One column: its type for ever, its unit ("s", "bytes", "unix time" or none), its meaning."""

    name: str
    type: type[int | float | str]
    unit: str
    meaning: str


REPO = "cvmfs_repo"
SERVER = "cvmfs_server"
PUBLISH = "cvmfs_publish"
SCRAPE = "cvmfs_scrape"

TAGS: Mapping[str, tuple[str, ...]] = {
    REPO: ("fleet", "role", "server", "repo", "alias", "address"),
    SERVER: ("fleet", "role", "server", "address"),
    PUBLISH: ("fleet", "repo"),
    SCRAPE: ("fleet",),
}

MEANING_OF_TAGS: Mapping[str, str] = {
    "fleet": "name of the fleet",
    "role": "stratum0, stratum1 or sync",
    "server": "name of the server",
    "repo": "fully qualified name of the repository",
    "alias": "only where it is published under another path",
    "address": "only where all machines behind a name are scraped: one of them",
}

FIELDS: Mapping[str, tuple[Field, ...]] = {
    REPO: (
        Field("up", int, "", "1 if the manifest was read and is this repository's"),
        Field("result", str, "", "how reading the manifest ended"),
        Field("result_code", int, "", "the result as a number"),
        Field("http_status", int, "", "HTTP status of the manifest, where an answer came"),
        Field("url", str, "", "URL of the manifest"),
        Field("health", int, "", "0 ok, 1 warning, 2 critical, 3 unknown"),
        Field("finding", str, "", "slug of the most serious finding"),
        Field("problem", str, "", "the most serious finding in a sentence"),
        Field("revision", int, "", "revision of the repository, S"),
        Field("revisions_behind", int, "", "the reference's revision minus this one"),
        Field("lag", int, "s", "how long this replica has been without something published"),
        Field("published_behind", int, "s", "the reference's publication time minus this one's"),
        Field("root_size", int, "bytes", "uncompressed size of the root catalog, B"),
        Field("root_hash", str, "", "content hash of the root catalog, C"),
        Field("ttl", int, "s", "how long clients keep the manifest, D"),
        Field("published", int, "unix time", "when the revision was published, T"),
        Field("published_age", int, "s", "time since the revision was published"),
        Field("last_snapshot", int, "unix time", "when the last snapshot ended"),
        Field("snapshot_age", int, "s", "time since the last snapshot ended"),
        Field("last_gc", int, "unix time", "when the last garbage collection ended"),
        Field("gc_age", int, "s", "time since the last garbage collection ended"),
        Field("last_check", int, "unix time", "when the last integrity check ended"),
        Field("check_age", int, "s", "time since the last integrity check ended"),
        Field("check_ok", int, "", "1 if the last integrity check succeeded, 0 if it failed"),
        Field("snapshotting", int, "", "1 while a snapshot runs"),
        Field("snapshotting_age", int, "s", "how long the running snapshot has been running"),
        Field("garbage_collectable", int, "", "1 if the repository can be garbage collected"),
        Field(
            "geoapi_status",
            int,
            "",
            "its server's: 0 ok, 1 wrong order, 2 no usable answer, 9 nothing to test, 99 not tested",
        ),
        Field("geoapi_ok", int, "", "1 if the GeoAPI works, 0 if not; absent if unknown"),
        Field("whitelist_expires", int, "unix time", "when the whitelist expires, as stated"),
        Field("whitelist_expires_in", int, "s", "time until clients refuse it; they count whole hours"),
        Field("signature", str, "", "what the chain of signatures is worth"),
        Field("signature_code", int, "", "the same as a number"),
        Field("signature_ok", int, "", "1 if clients with the fleet's keys accept it, 0 if not; absent if unknown"),
        Field("root_catalog", str, "", "what the root catalog is worth"),
        Field("root_catalog_code", int, "", "the same as a number"),
        Field("root_catalog_ok", int, "", "1 if clients can use the root catalog, 0 if not; absent if unknown"),
        Field("root_catalog_verified_age", int, "s", "time since the bytes of the root catalog were last hashed"),
        Field("diverged", int, "", "1 if another server has the same revision with another root catalog"),
        Field("http_age", int, "s", "the Age header of the manifest"),
        Field("proxy_revision", int, "", "revision that the configured proxy gives"),
        Field("proxy_age", int, "s", "the Age header of the manifest that the configured proxy gives"),
    ),
    SERVER: (
        Field("up", int, "", "1 if its list or any manifest was read"),
        Field("result", str, "", "how reading its list ended; on S3, which has none, the best of its manifests"),
        Field("result_code", int, "", "the result as a number"),
        Field("http_status", int, "", "HTTP status of that document, where an answer came"),
        Field("health", int, "", "0 ok, 1 warning, 2 critical, 3 unknown"),
        Field("finding", str, "", "slug of the most serious finding"),
        Field("problem", str, "", "the most serious finding in a sentence"),
        Field("geoapi_status", int, "", "0 ok, 1 wrong order, 2 no usable answer, 9 nothing to test, 99 not tested"),
        Field("geoapi_ok", int, "", "1 if the GeoAPI works, 0 if not; absent if unknown"),
        Field("geodb_age", int, "s", "age of its database of places"),
        Field("repositories", int, "", "repositories on it that are watched"),
        Field("repositories_up", int, "", "those of them that are up"),
        Field("response_time", float, "s", "time to its first answer"),
        Field("backend", str, "", "cvmfs or s3"),
        Field("cvmfs_version", str, "", "version of its CernVM-FS server tools"),
    ),
    PUBLISH: (
        Field("revision", int, "", "the revision that was published"),
        Field("root_size", int, "bytes", "uncompressed size of its root catalog"),
        Field("root_hash", str, "", "content hash of its root catalog"),
    ),
    SCRAPE: (
        Field("duration", float, "s", "how long the run took"),
        Field("servers", int, "", "servers asked"),
        Field("servers_up", int, "", "those of them that are up"),
        Field("repos", int, "", "repositories on servers, each counted once for each server"),
        Field("repos_ok", int, "", "those with health 0"),
        Field("repos_warning", int, "", "those with health 1"),
        Field("repos_critical", int, "", "those with health 2"),
        Field("repos_unknown", int, "", "those with health 3"),
        Field("requests", int, "", "requests made"),
        Field("failures", int, "", "requests that got neither the document nor a 404"),
        Field("bytes", int, "bytes", "bytes of documents read"),
        Field("deadline_hit", int, "", "1 if the run's time was up before all was read"),
    ),
}

_Fields = dict[str, Value | None]


def points(run: Run) -> list[Point]:
    """Every row that one run is worth, worst case included: a server that is down has its rows too."""
    rows = [point for server in run.servers for point in _server_points(run, server)]
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
    """Whole seconds since then, never negative: a server's clock may be ahead of ours."""
    return None if moment is None else max(0, (now - moment) // timedelta(seconds=1))


def _point(measurement: str, tags: Mapping[str, str | None], fields: _Fields, time: datetime) -> Point:
    return Point(
        measurement,
        {name: value for name, value in tags.items() if value},
        {field.name: value for field in FIELDS[measurement] if (value := fields.get(field.name)) is not None},
        time,
    )


def _server_points(run: Run, verdict: ServerVerdict) -> Iterator[Point]:
    server = verdict.stratum.server
    tags: dict[str, str | None] = {"fleet": run.fleet.name, "role": server.role.value}
    tags |= {"server": server.name, "address": server.address}
    yield _point(SERVER, tags, _server_fields(verdict, run.started), run.started)
    for replica in verdict.replicas:
        labels = tags | {"repo": replica.replica.repo, "alias": replica.replica.alias}
        yield _point(REPO, labels, _replica_fields(replica, verdict.stratum, run.started), run.started)


def _server_fields(verdict: ServerVerdict, now: datetime) -> _Fields:
    stratum = verdict.stratum
    listing = stratum.listing.value
    took = stratum.response_time
    fields: _Fields = {
        "up": int(stratum.up),
        "geodb_age": None if listing is None else age(listing.last_geodb_update, now),
        "repositories": len(stratum.replicas),
        "repositories_up": sum(replica.up for replica in stratum.replicas),
        "response_time": None if took is None else took.total_seconds(),
        "backend": None if stratum.backend is None else stratum.backend.value,
        "cvmfs_version": None if listing is None else listing.cvmfs_version,
    }
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


def _verdict_fields(verdict: ReplicaVerdict | ServerVerdict) -> _Fields:
    first = verdict.findings[0] if verdict.findings else None
    return {
        "health": None if verdict.health is None else int(verdict.health),
        "finding": None if first is None else first.slug,
        "problem": None if first is None else first.problem,
    }


def _replica_fields(verdict: ReplicaVerdict, stratum: Stratum, now: datetime) -> _Fields:
    replica = verdict.replica
    fields: _Fields = {"up": int(replica.up), "http_age": replica.manifest.age, "url": replica.url}
    return (
        fields
        | _reading_fields(replica.manifest)
        | _verdict_fields(verdict)
        | _manifest_fields(replica, now)
        | _comparison_fields(verdict)
        | _status_fields(replica, now)
        | _whitelist_fields(replica, now)
        | _proxy_fields(replica)
        | _trust_fields(verdict)
        | _root_catalog_fields(replica, now)
        | _geoapi_fields(stratum)
    )


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
        "garbage_collectable": int(manifest.garbage_collectable),
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
    healths = [verdict.health for verdict in run.replicas]
    return {
        "duration": run.duration.total_seconds(),
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
    }
