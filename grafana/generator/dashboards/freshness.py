"""Do the replicas keep up, do the servers' own jobs run, and do clients find the nearest server."""

from __future__ import annotations

from grafana.generator import findings, links, question, scale
from grafana.generator.columns import COLUMNS, looks
from grafana.generator.dashboard import Dashboard, Row
from grafana.generator.dashboards.fleet import NAMED
from grafana.generator.panel import FEW, NOTHING_FOUND, Curves, Panel, States, Table
from grafana.generator.question import Where
from grafana.generator.variables import REPOS, SERVERS
from telegraf_cvmfs.points.schema import REPO, SERVER

_OF = ("fleet", "server", "repo")
_OF_SERVER = ("fleet", "server")

_COUNTS = (
    findings.count("lagging", "Lagging", "Replicas that miss something published for too long.", width=4, of=_OF),
    findings.count("snapshot_old", "Old snapshots", "Replicas whose last snapshot is too old.", width=4, of=_OF),
    findings.count(
        "snapshot_stuck", "Stuck snapshots", "Snapshots that run for too long, or were killed.", width=4, of=_OF
    ),
    findings.count("check_failed", "Checks failed", "Replicas whose last integrity check failed.", width=4, of=_OF),
    findings.count("gc_old", "Old collections", "Garbage collections that are too old.", width=4, of=_OF),
    findings.count(
        "geoapi_down", "GeoAPIs down", "Servers whose GeoAPI gives no usable answer.", width=4, of=_OF_SERVER
    ),
)

_LAG_COLUMNS = ("revisions_behind", "repo", "server", "severity", "revision", "published_behind", "address", "fleet")
_LAG = Panel(
    "Lag now, longest first",
    "How long each replica has been without something published, and how many revisions that is. The health says"
    " whether it is too long: the limits are the fleet file's. At most 200 are listed.",
    Table(looks(("lag", *_LAG_COLUMNS)), sort="lag"),
    question.Ranked("top", REPO, "lag", _LAG_COLUMNS, of=_OF),
)
_SNAPSHOT_COLUMNS = (
    "repo",
    "server",
    "severity",
    "snapshotting",
    "snapshotting_age",
    "check_age",
    "check_ok",
    "gc_age",
    "address",
    "fleet",
)
_SNAPSHOTS = Panel(
    "Snapshots, checks and collections, oldest snapshot first",
    "When the server's own jobs last ended. A snapshot is the replication itself; a check reads the replica through; a"
    " collection removes what is no longer used, where the repository allows it. At most 200 are listed.",
    Table(looks(("snapshot_age", *_SNAPSHOT_COLUMNS)), sort="snapshot_age"),
    question.Ranked("top", REPO, "snapshot_age", _SNAPSHOT_COLUMNS, of=_OF),
)
_RUNNING_COLUMNS = ("snapshotting_age", "repo", "server", "severity", "snapshot_age", "address", "fleet")
_RUNNING = Panel(
    "Snapshots that run now",
    "Longest first. One that runs for a day is stuck, or was killed and left its marker behind.",
    Table(looks(_RUNNING_COLUMNS), sort="snapshotting_age", nothing="none runs, or no data that counts as now"),
    question.Newest(REPO, _RUNNING_COLUMNS, of=_OF, only=(Where("snapshotting", "=", 1),)),
    quiet="no snapshot need be running",
)
_CHECK_COLUMNS = ("severity", "repo", "server", "check_age", "check_ok", "problem", "address", "fleet")
_CHECKS = Panel(
    "Failed checks",
    "The server's last integrity check of these found damage. Run it again and repair, see the finding's page.",
    Table(looks(_CHECK_COLUMNS), nothing=NOTHING_FOUND),
    question.Newest(REPO, _CHECK_COLUMNS, of=_OF, only=(Where("check_ok", "=", 0),)),
    quiet=findings.NOTHING_WRONG,
)


def _curve(measurement: str, field: str, title: str, meaning: str) -> Panel:
    of = _OF if measurement == REPO else _OF_SERVER
    query = question.OverTime("max", measurement, field, ("fleet", "server", "address"), of=of)
    return Panel(title, meaning, Curves(COLUMNS[field], NAMED), query, width=12)


_LAGS = Panel(
    "Longest lag of each repository that is behind",
    "Of whichever replica is furthest behind. Where there is no curve, none was behind.",
    Curves(
        COLUMNS["lag"],
        "{repo} ({fleet})",
        buckets=FEW,
        nothing="none was behind, or no data in this time range",
    ),
    question.OverTime("max", REPO, "lag", ("fleet", "repo"), of=_OF, only=Where("lag", ">", 0)),
    width=12,
    quiet="no replica need be behind",
)
_CURVES = (
    _LAGS,
    _curve(
        REPO,
        "snapshot_age",
        "Oldest snapshot on each server",
        "A saw-tooth is right. One that only rises belongs to a server whose snapshots do not run, or fail.",
    ),
)
_GEOAPI_COLUMNS = ("geoapi_status", "server", "severity", "geodb_age", "finding", "problem", "role", "address", "fleet")
_GEOAPI = Panel(
    "GeoAPI now",
    "Does each server sort servers by distance, and how old is its database of places? Wrong or without an answer,"
    " clients may choose a server on the other side of the world. A stratum 0 and S3 have nothing to test.",
    Table(looks(_GEOAPI_COLUMNS), sort="severity"),
    question.Newest(SERVER, _GEOAPI_COLUMNS, of=_OF_SERVER),
)
_GEOAPI_TIME = Panel(
    "GeoAPI over time",
    "What each server's GeoAPI was worth. A gap is a time without runs.",
    States(scale.GEOAPI, NAMED),
    question.OverTime("max", SERVER, "geoapi_status", ("fleet", "server", "address"), of=_OF_SERVER),
    width=12,
)
_PLACES = _curve(
    SERVER,
    "geodb_age",
    "Age of the databases of places",
    "A saw-tooth of about a month is right: the database is renewed that often.",
)
_CACHE_COLUMNS = (
    "proxy_age",
    "http_age",
    "proxy_revision",
    "revision",
    "repo",
    "server",
    "finding",
    "address",
    "fleet",
)
_CACHES = Panel(
    "Through caches",
    "How old the manifest is that a cache on the way gives (the Age header), directly and through the proxy of the"
    " fleet file, and the revision that the proxy gives. Empty where no cache says its age and no proxy is set.",
    Table(
        looks(_CACHE_COLUMNS),
        sort="proxy_age",
        nothing="no cache says its age, no proxy is set, or no data that counts as now",
    ),
    question.Newest(REPO, _CACHE_COLUMNS, of=_OF, only=(Where("http_age", ">=", 0), Where("proxy_revision", ">=", 0))),
    quiet="caches and proxies are not everywhere",
)

FRESHNESS = Dashboard(
    links.FRESHNESS,
    "CVMFS: freshness and GeoAPI",
    "Do the replicas keep up, do the servers' own jobs run, do clients find the nearest server.",
    (
        Row(4, _COUNTS),
        Row(9, (_LAG,), "Replication"),
        Row(9, (_SNAPSHOTS,)),
        Row(5, (_RUNNING,)),
        Row(5, (_CHECKS,)),
        Row(9, _CURVES),
        Row(7, (_GEOAPI,), "GeoAPI"),
        Row(8, (_GEOAPI_TIME, _PLACES)),
        Row(7, (_CACHES,), "Caches and proxies"),
    ),
    (SERVERS, REPOS),
)
