"""The columns that tables share, each with its look: a field looks the same on every page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from grafana.generator import scale
from grafana.generator.links import TO_FINDING, TO_REPOSITORY, TO_SERVER
from grafana.generator.look import Look

_BACK, _FORE = "color-background", "color-text"

COLUMNS: Mapping[str, Look] = {
    "severity": Look("Health", scale=scale.SEVERITY, cell=_BACK, width=90),
    "status_severity": Look("Status", scale=scale.SEVERITY, cell=_BACK, width=90),
    "available": Look("Available", "percentunit", decimals=3, width=110),
    "maintenance": Look("Maintenance", scale=scale.MAINTENANCE, cell=_BACK, width=110),
    "served": Look("Repositories"),
    "replicas": Look("Of", decimals=0, width=60),
    "replicas_ok": Look("Served by", decimals=0, width=90),
    "replicas_critical": Look("Critical", scale=scale.SOME_RED, cell=_FORE, decimals=0, width=80),
    "replicas_warning": Look("Warning", scale=scale.SOME_ORANGE, cell=_FORE, decimals=0, width=80),
    "replicas_unknown": Look("Unknown", scale=scale.SOME_PURPLE, cell=_FORE, decimals=0, width=85),
    "health": Look("Health", scale=scale.HEALTH, cell=_BACK, width=90),
    "fleet": Look("Fleet", width=110),
    "role": Look("Role", width=90),
    "server": Look("Server", links=(TO_SERVER,)),
    "address": Look("Address", width=120),
    "repo": Look("Repository", links=(TO_REPOSITORY,)),
    "alias": Look("Alias", width=110),
    "finding": Look("Finding", links=(TO_FINDING,), width=130),
    "problem": Look("What is wrong"),
    "up": Look("Up", scale=scale.UP, cell=_FORE, width=70),
    "result": Look("Answer", scale=scale.RESULT, cell=_FORE, width=140),
    "http_status": Look("HTTP", width=70),
    "revision": Look("Revision", decimals=0, width=90),
    "revisions_behind": Look("Behind", decimals=0, width=80),
    "lag": Look("Lag", "s", width=90),
    "published_behind": Look("Published behind", "s", width=130),
    "root_size": Look("Root catalog size", "bytes", width=130),
    "root_hash": Look("Root hash", width=160),
    "published_age": Look("Published ago", "s", width=110),
    "snapshot_age": Look("Snapshot ago", "s", width=110),
    "snapshotting": Look("Snapshot runs", scale=scale.YES_NO, cell=_FORE, width=110),
    "snapshotting_age": Look("Running for", "s", width=110),
    "gc_age": Look("Collected ago", "s", width=110),
    "check_age": Look("Checked ago", "s", width=110),
    "check_ok": Look("Check", scale=scale.OK_FAILED, cell=_FORE, width=80),
    "whitelist_expires_in": Look(
        "Time left",
        "s",
        scale.Scale(steps=((1, scale.ORANGE), (2 * scale.DAY, scale.GREEN)), base=scale.RED),
        _FORE,
        width=110,
    ),
    "signature": Look("Signature", scale=scale.SIGNATURE, cell=_FORE, width=160),
    "root_catalog": Look("Root catalog", scale=scale.ROOT_CATALOG, cell=_FORE, width=120),
    "root_catalog_verified_age": Look("Hashed ago", "s", width=110),
    "diverged": Look("Diverged", scale=scale.YES_IS_BAD, cell=_FORE, width=90),
    "geoapi_status": Look("GeoAPI", scale=scale.GEOAPI, cell=_FORE, width=150),
    "geodb_age": Look("Places' age", "s", width=110),
    "repositories": Look("Repositories", decimals=0, width=110),
    "repositories_up": Look("Readable", decimals=0, width=90),
    "response_time": Look("First answer", "s", decimals=3, width=110),
    "backend": Look("Backend", width=80),
    "cvmfs_version": Look("Version", width=100),
    "http_age": Look("Age header", "s", width=100),
    "proxy_revision": Look("Proxy's revision", decimals=0, width=130),
    "proxy_age": Look("Proxy's age", "s", width=110),
    "duration": Look("Took", "s", decimals=2, width=90),
    "servers": Look("Servers", decimals=0, width=80),
    "servers_up": Look("Servers up", decimals=0, width=100),
    "repos": Look("Replicas", decimals=0, width=90),
    "requests": Look("Requests", decimals=0, width=90),
    "failures": Look("Failures", decimals=0, width=90),
    "bytes": Look("Read", "bytes", width=90),
    "deadline_hit": Look("Out of time", scale=scale.YES_IS_BAD, cell=_FORE, width=100),
    "interrupted": Look("Interrupted", scale=scale.YES_IS_BAD, cell=_FORE, width=100),
}


def looks(names: Sequence[str], **others: Look) -> dict[str, Look]:
    """The looks of these columns, in this order, some of them other than usual."""
    return {name: others.get(name, COLUMNS[name]) for name in names}
