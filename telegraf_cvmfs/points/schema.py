"""The names and types of everything that is written, in one table, and nowhere else.

`FIELDS` is the promise to dashboards: InfluxDB fixes a field's type at the first write, so a name here
never changes its type.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from telegraf_cvmfs.model import FINDINGS, GeoAPIStatus, Health

Value = int | float | str


@dataclass(frozen=True)
class Field:
    """One column: its type for ever, its unit ("s", "bytes", "unix time" or none), its meaning."""

    name: str
    type: type[int | float | str]
    unit: str
    meaning: str


REPO = "cvmfs_repo"
SERVER = "cvmfs_server"
REPOSITORY = "cvmfs_repository"
FINDING = "cvmfs_finding"
PUBLISH = "cvmfs_publish"
SCRAPE = "cvmfs_scrape"

TAGS: Mapping[str, tuple[str, ...]] = {
    REPO: ("fleet", "role", "server", "repo", "alias", "address"),
    SERVER: ("fleet", "role", "server", "address"),
    REPOSITORY: ("fleet", "repo"),
    FINDING: ("fleet", "role", "server", "repo", "alias", "address"),
    PUBLISH: ("fleet", "repo"),
    SCRAPE: ("fleet",),
}

MEANING_OF_MEASUREMENTS: Mapping[str, str] = {
    REPO: "one for each repository on each server, also when the server is down",
    SERVER: "one for each server, also when it is down",
    REPOSITORY: "one for each repository of the fleet: how many of its replicas clients can use",
    FINDING: "one for each server, for each judged repository on it (tag `repo`) and for each repository of the fleet "
    "(no tag `server`): how bad each finding is there",
    PUBLISH: "one for each publication, from the reference, at the time it was published",
    SCRAPE: "one for each run",
}

MEANING_OF_TAGS: Mapping[str, str] = {
    "fleet": "name of the fleet",
    "role": "stratum0, stratum1 or sync",
    "server": "name of the server",
    "repo": "fully qualified name of the repository",
    "alias": "only where it is published under another path",
    "address": "only where all machines behind a name are scraped: one of them",
}

_HEALTHS = tuple((health.value, health.name.lower()) for health in Health)
_MAINTENANCE = (
    Field("maintenance", int, "", "1 under maintenance, of which no alert is fired and nothing is counted, else 0"),
    Field("available", int, "", "1 with health 0 or 1, else 0; absent if unknown or under maintenance: for a mean"),
)
_GEOAPI = ", ".join(f"{status.value} {status.words}" for status in GeoAPIStatus)

FIELDS: Mapping[str, tuple[Field, ...]] = {
    REPO: (
        Field("up", int, "", "1 if the manifest was read and is this repository's"),
        Field("result", str, "", "how reading the manifest ended"),
        Field("result_code", int, "", "the result as a number"),
        Field("http_status", int, "", "HTTP status of the manifest, where an answer came"),
        Field("url", str, "", "URL of the manifest"),
        Field("health", int, "", "0 ok, 1 warning, 2 critical, 3 unknown"),
        Field("severity", int, "", "the health in the order of seriousness: 0 ok, 1 unknown, 2 warning, 3 critical"),
        *_MAINTENANCE,
        Field("finding", str, "", "slug of the most serious finding"),
        Field("problem", str, "", "the most serious finding in a sentence"),
        Field("revision", int, "", "revision of the repository, S"),
        Field("revisions_behind", int, "", "the reference's revision minus this one"),
        Field(
            "lag",
            int,
            "s",
            "how long this replica has been without something published; absent where only it itself is there",
        ),
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
        Field("partial", int, "", "1 if the replica has only a part of the repository, 0 if all; absent if not asked"),
        Field("geoapi_status", int, "", f"its server's: {_GEOAPI}"),
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
        Field("severity", int, "", "the health in the order of seriousness: 0 ok, 1 unknown, 2 warning, 3 critical"),
        *_MAINTENANCE,
        Field("finding", str, "", "slug of the most serious finding"),
        Field("problem", str, "", "the most serious finding in a sentence"),
        Field("geoapi_status", int, "", _GEOAPI),
        Field("geoapi_ok", int, "", "1 if the GeoAPI works, 0 if not; absent if unknown"),
        Field("geodb_age", int, "s", "age of its database of places"),
        Field("status", int, "", "the worst of its health and its replicas', in the numbers of health"),
        Field(
            "status_severity", int, "", "the status in the order of severity: 0 ok, 1 unknown, 2 warning, 3 critical"
        ),
        Field("repositories", int, "", "repositories on it that are watched"),
        Field("repositories_up", int, "", "those of them that are up"),
        *(Field(f"replicas_{word}", int, "", f"those of them with health {health}") for health, word in _HEALTHS),
        Field("response_time", float, "s", "time to its first answer"),
        Field("backend", str, "", "cvmfs or s3"),
        Field("cvmfs_version", str, "", "version of its CernVM-FS server tools"),
    ),
    REPOSITORY: (
        Field("health", int, "", "0 ok, 1 warning, 2 critical, 3 unknown; absent where no replica is judged"),
        Field("severity", int, "", "the health in the order of seriousness: 0 ok, 1 unknown, 2 warning, 3 critical"),
        *_MAINTENANCE,
        Field("finding", str, "", "slug of the most serious finding"),
        Field("problem", str, "", "the most serious finding in a sentence"),
        Field("replicas", int, "", "machines that should serve it: stratum 1s, and only where there is none others"),
        Field("replicas_ok", int, "", "those of them that serve it as they should: up, with health 0 or 1"),
        Field("revision", int, "", "its newest revision anywhere"),
        Field("published", int, "unix time", "when that was published, T"),
        Field("published_age", int, "s", "time since that was published"),
        Field("revisions_spread", int, "", "its newest revision minus the oldest that is served"),
    ),
    FINDING: tuple(Field(slug, int, "", "0 not found, 1 warning, 2 critical, 3 unknown") for slug in FINDINGS),
    PUBLISH: (
        Field("revision", int, "", "the revision that was published"),
        Field("root_size", int, "bytes", "uncompressed size of its root catalog"),
        Field("root_hash", str, "", "content hash of its root catalog"),
    ),
    SCRAPE: (
        Field("duration", float, "s", "how long the run took"),
        Field("served", str, "", "who serves how many repositories as they should, in a phrase"),
        Field("servers", int, "", "servers asked"),
        Field("servers_up", int, "", "those of them that are up"),
        Field("repos", int, "", "repositories on servers, each counted once for each server"),
        Field("repos_ok", int, "", "those with health 0"),
        Field("repos_warning", int, "", "those with health 1"),
        Field("repos_critical", int, "", "those with health 2"),
        Field("repos_unknown", int, "", "those with health 3"),
        Field("requests", int, "", "requests made"),
        Field("failures", int, "", "requests that got neither the document nor a 404, also when asked once more"),
        Field("bytes", int, "bytes", "bytes of documents read"),
        Field("deadline_hit", int, "", "1 if the run's own time was up before all was read"),
        Field("interrupted", int, "", "1 if a signal (Telegraf's SIGTERM, Ctrl-C) ended the run before all was read"),
    ),
}
