"""One server: how it is now, its replicas, and how it was."""

from __future__ import annotations

from grafana.generator import findings, links, question, scale
from grafana.generator.columns import COLUMNS, looks
from grafana.generator.dashboard import Dashboard, Row
from grafana.generator.dashboards import availability
from grafana.generator.dashboards.fleet import NAMED
from grafana.generator.look import Look
from grafana.generator.panel import FEW, Curves, Panel, Stat, States, Table
from grafana.generator.question import Where
from grafana.generator.variables import ONE_SERVER
from telegraf_cvmfs.points.schema import REPO, SERVER

_OF = ("fleet", "server")
_MACHINES = ("fleet", "server", "address")


def _worst(field: str, title: str, meaning: str) -> Panel:
    query = question.MostSerious(SERVER, field, of=_OF)
    return Panel(title, meaning, Stat(Look(scale=scale.SEVERITY)), query, width=4)


def _now(function: str, field: str, title: str, meaning: str, look: Look, *, quiet: str = "") -> Panel:
    query = question.OneNumber(function, SERVER, field, of=_OF)
    return Panel(title, meaning, Stat(look), query, width=4, quiet=quiet)


_HEALTH = _worst(
    "severity",
    "Health",
    "The server's own health, without its replicas': the worst of its machines, where all are scraped.",
)
_STATUS = _worst("status_severity", "Status", "The worst of the server and of its replicas.")
_READABLE = _now(
    "min",
    "repositories_up",
    "Readable repositories",
    "Repositories on it whose manifest was read and is right.",
    Look(decimals=0),
)
_ANSWER = _now(
    "max",
    "response_time",
    "First answer",
    "How long its first answer took, as seen from the scraper. Empty while it is down.",
    Look(unit="s", decimals=3),
    quiet="a server that is down answers nothing",
)
_GEOAPI = _now(
    "max",
    "geoapi_status",
    "GeoAPI",
    "Does it sort servers by distance? If not, clients may choose one on the other side of the world.",
    Look(scale=scale.GEOAPI),
)
_PLACES = _now(
    "max",
    "geodb_age",
    "Age of its places",
    "Age of the database of places that the GeoAPI uses. Empty where there is none, on S3, and while it is down.",
    Look(unit="s"),
    quiet="not every server has a database of places",
)

_STATE_COLUMNS = (
    "status_severity",
    "maintenance",
    "server",
    *findings.REPLICAS_OF_SERVER,
    "severity",
    "finding",
    "problem",
    "role",
    "up",
    "result",
    "http_status",
    "backend",
    "cvmfs_version",
    "address",
    "fleet",
)
_STATE = Panel(
    "State now",
    "What the newest run found about the server itself. *Answer* and *HTTP* are those of its list of repositories."
    " Where all machines behind its name are scraped there is a row for each address.",
    Table(looks(_STATE_COLUMNS, **findings.SERVED), sort="status_severity"),
    question.Newest(SERVER, _STATE_COLUMNS, of=_OF),
)
_REPLICA_COLUMNS = (
    "severity",
    "maintenance",
    "repo",
    "finding",
    "problem",
    "revision",
    "revisions_behind",
    "lag",
    "published_age",
    "snapshot_age",
    "signature",
    "root_catalog",
    "whitelist_expires_in",
    "address",
    "alias",
    "fleet",
)
_REPLICAS = Panel(
    "Its replicas now, worst first",
    "Every repository on it. One without a health is passed through or not judged.",
    Table(looks(_REPLICA_COLUMNS)),
    question.Newest(REPO, _REPLICA_COLUMNS, of=_OF),
)


def _states(field: str, title: str, meaning: str, colors: scale.Scale, quiet: str = "") -> Panel:
    query = question.OverTime("max", SERVER, field, _MACHINES, of=_OF)
    return Panel(title, meaning, States(colors, NAMED), query, width=12, quiet=quiet)


def _curve(field: str, title: str, meaning: str, quiet: str = "") -> Panel:
    query = question.OverTime("max", SERVER, field, _MACHINES, of=_OF)
    return Panel(title, meaning, Curves(COLUMNS[field], NAMED), query, width=12, quiet=quiet)


_REPLICA_HEALTH = Panel(
    "Replicas that were not ok",
    "Each of its repositories that was not ok at some time. Where there is no colour it was, or there was no run.",
    States(
        scale.SEVERITY,
        "{repo} ({fleet}) {address}",
        buckets=FEW,
        nothing="all were ok, or no data in this time range",
    ),
    question.OverTime("max", REPO, "severity", ("fleet", "repo", "address"), of=_OF, only=Where("severity", ">", 0)),
    quiet="empty where all replicas were ok",
)

_OVER_TIME = (
    _states("up", "Up", "1 if its list or any manifest was read. A gap is a time without runs.", scale.UP),
    _states("severity", "Health over time", "The server's own health, without its replicas'.", scale.SEVERITY),
    _states("result_code", "How reading its list ended", "The list of repositories.", scale.RESULT),
    _states("geoapi_status", "GeoAPI over time", "What its GeoAPI was worth.", scale.GEOAPI),
)
_MAINTENANCE = Panel(
    "Maintenance over time",
    "When it was worked on, so that what was wrong fired no alert.",
    States(scale.MAINTENANCE, NAMED),
    question.OverTime("max", SERVER, "maintenance", _MACHINES, of=_OF),
)
_CURVES = (
    _curve(
        "response_time",
        "Time to the first answer",
        "As seen from the scraper. A gap is a time when it was down, or without runs.",
        "a server that is down answers nothing",
    ),
    _curve(
        "geodb_age",
        "Age of its places over time",
        "A saw-tooth of about a month is right: the database is renewed that often.",
        "not every server has a database of places",
    ),
    _curve(
        "repositories_up", "Readable repositories over time", "Repositories on it whose manifest was read and is right."
    ),
    _curve(
        "http_status",
        "HTTP status of its list",
        "200 is well. A gap is a time without an answer.",
        "a server that is down answers nothing",
    ),
)

SERVER_PAGE = Dashboard(
    links.SERVER,
    "CVMFS: server",
    "One server: its state now, its replicas now, and both over time.",
    (
        Row(4, (_STATUS, _HEALTH, _READABLE, _ANSWER, _GEOAPI, _PLACES)),
        Row(5, (_STATE,)),
        Row(10, (_REPLICAS,)),
        Row(8, availability.of_server(), "Availability"),
        Row(5, _OVER_TIME[:2], "Over time"),
        Row(5, _OVER_TIME[2:]),
        Row(4, (_MAINTENANCE,)),
        Row(7, _CURVES[:2]),
        Row(7, _CURVES[2:]),
        Row(10, (_REPLICA_HEALTH,)),
    ),
    (ONE_SERVER,),
)
