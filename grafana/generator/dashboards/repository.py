"""One repository: every replica of it now, and how they followed its publications."""

from __future__ import annotations

from grafana.generator import links, question, scale
from grafana.generator.columns import COLUMNS, looks
from grafana.generator.dashboard import Annotation, Dashboard, Row
from grafana.generator.dashboards import availability
from grafana.generator.dashboards.fleet import NAMED
from grafana.generator.look import Look
from grafana.generator.panel import NOTHING, Curves, Panel, Stat, States, Table
from grafana.generator.variables import ONE_REPO
from telegraf_cvmfs.points.schema import PUBLISH, REPO
from telegraf_cvmfs.points.schema import REPOSITORY as CLIENTS

_OF = ("fleet", "repo")
_REPLICAS_BY = ("fleet", "server", "address", "alias")
_REPLICA = NAMED + " {alias}"


def _worst(measurement: str, title: str, meaning: str) -> Panel:
    query = question.MostSerious(measurement, "severity", of=_OF)
    return Panel(title, meaning, Stat(Look(scale=scale.SEVERITY)), query, width=4)


def _now(function: str, field: str, title: str, meaning: str, look: Look, *, of: str = REPO) -> Panel:
    return Panel(title, meaning, Stat(look), question.OneNumber(function, of, field, of=_OF), width=4)


_NUMBERS = (
    _worst(CLIENTS, "For its users", "Do enough stratum 1s serve it as they should? Clients go on to the next one."),
    _worst(REPO, "Worst replica", "The most serious health of any replica that is not under maintenance."),
    _now(
        "max",
        "revision",
        "Newest revision",
        "The newest revision that is believed: what is forged, or claimed by one server against others, is not.",
        Look(decimals=0),
        of=CLIENTS,
    ),
    _now(
        "min",
        "published_age",
        "Published",
        "How long ago the newest revision was published, at the time of the run.",
        Look(unit="s"),
        of=CLIENTS,
    ),
    _now(
        "max",
        "lag",
        "Longest lag",
        "How long the replica that is furthest behind has been without something published. 0: none is behind.",
        Look(unit="s"),
    ),
    _now(
        "min",
        "whitelist_expires_in",
        "Least time left",
        "Until clients refuse the first of the replicas because its whitelist ends. Renew it on the stratum 0.",
        Look(unit="s", scale=COLUMNS["whitelist_expires_in"].scale),
    ),
)

_COLUMNS = (
    "severity",
    "maintenance",
    "server",
    "role",
    "finding",
    "problem",
    "revision",
    "revisions_behind",
    "lag",
    "published_age",
    "snapshot_age",
    "signature",
    "root_catalog",
    "root_size",
    "root_hash",
    "address",
    "alias",
    "fleet",
)
_REPLICAS = Panel(
    "Its replicas now, worst first",
    "Every server that has it. A few revisions behind for a while is how replication works; *Lag* is for how long."
    " Two servers with one revision and different root hashes have diverged.",
    Table(looks(_COLUMNS)),
    question.Newest(REPO, _COLUMNS, of=_OF),
)


def _curve(field: str, title: str, meaning: str, *, steps: bool = False) -> Panel:
    query = question.OverTime("max", REPO, field, _REPLICAS_BY, of=_OF)
    return Panel(title, meaning, Curves(COLUMNS[field], _REPLICA, steps=steps), query, width=12)


_LAG = _curve(
    "lag",
    "Lag of each replica",
    "How long each replica has been without something published. It grows until the next snapshot and falls to 0; one"
    " that only grows does not replicate any more. The lines across are publications.",
)
_REVISION = _curve(
    "revision",
    "Revision of each replica",
    "Each step is a publication that arrived. The stratum 0 steps first.",
    steps=True,
)
_SIZE = _curve(
    "root_size",
    "Size of the root catalog",
    "Uncompressed. Clients load it to mount the repository; one that grows without end wants nested catalogs.",
    steps=True,
)
_HEALTH = Panel(
    "Health of each replica",
    "A gap is a time without runs, or without a verdict.",
    States(scale.SEVERITY, _REPLICA),
    question.OverTime("max", REPO, "severity", _REPLICAS_BY, of=_OF),
    width=12,
)

_PUBLISHED = ("revision", "root_size", "root_hash", "fleet")
_PUBLICATIONS = Panel(
    "Published in this time range",
    "What was published in this time range, newest first, at most 200. Each was seen on the stratum 0, or where there"
    " is none on the server that stands for it.",
    Table(
        {"Time": Look("Published", "dateTimeAsLocal", width=180), **looks(_PUBLISHED)},
        sort="Time",
        time=True,
        nothing=NOTHING,
    ),
    question.Events(PUBLISH, _PUBLISHED, of=_OF, most=200),
    quiet="nothing need be published in a time range",
)

REPOSITORY = Dashboard(
    links.REPOSITORY,
    "CVMFS: repository",
    "One repository: its replicas now, and how they followed what was published.",
    (
        Row(4, _NUMBERS),
        Row(8, (_REPLICAS,)),
        Row(8, availability.of_repository(), "Availability"),
        Row(9, (_LAG, _REVISION), "Over time"),
        Row(9, (_HEALTH, _SIZE)),
        Row(8, (_PUBLICATIONS,)),
    ),
    (ONE_REPO,),
    (Annotation("Publications", question.Events(PUBLISH, ("revision", "repo"), of=_OF), "revision", "blue"),),
)
