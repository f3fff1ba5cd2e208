"""The overview: what is wrong now, every server, every finding, and what a run costs."""

from __future__ import annotations

from grafana.generator import findings, links, question, scale
from grafana.generator.columns import looks
from grafana.generator.dashboard import Dashboard, Row
from grafana.generator.look import Look
from grafana.generator.panel import FEW, Curves, Matrix, Panel, States, Table
from grafana.generator.question import Where
from telegraf_cvmfs.points.schema import REPO, REPOSITORY, SCRAPE, SERVER

NAMED = "{server} ({fleet}) {address}"
"""The name of a server's curve: two fleets may each have a server of one name, and a server several addresses.

What may be missing comes last: in the middle it would leave a hole.
"""

_SERVER_COLUMNS = (
    "status_severity",
    "maintenance",
    "server",
    "role",
    *findings.REPLICAS_OF_SERVER,
    "severity",
    "up",
    "result",
    "http_status",
    "response_time",
    "repositories",
    "repositories_up",
    "geoapi_status",
    "geodb_age",
    "backend",
    "cvmfs_version",
    "address",
    "fleet",
)
_SERVERS = Panel(
    "Servers now",
    "Every server that is watched. *Status* is the worst of the server itself, whose *Health* is beside it, and of its"
    " replicas. *Readable* counts its repositories whose manifest was read and is right; if it is"
    " less than *Repositories*, the server's own page says which are missing.",
    Table(looks(_SERVER_COLUMNS, **findings.SERVED), sort="status_severity"),
    question.Newest(SERVER, _SERVER_COLUMNS),
)


_HEALTHS = Panel(
    "Replicas by health",
    "How many replicas were well, warned of, critical and unknown in each run, all chosen fleets together. A gap is a"
    " time without runs.",
    Curves(
        Look(decimals=0),
        question.FIELD,
        {
            "repos_ok": Look("ok", color=scale.GREEN),
            "repos_unknown": Look("unknown", color=scale.PURPLE),
            "repos_warning": Look("warning", color=scale.ORANGE),
            "repos_critical": Look("critical", color=scale.RED),
        },
        steps=True,
    ),
    question.TotalsOverTime(("repos_ok", "repos_unknown", "repos_warning", "repos_critical")),
    width=12,
)
_SERVER_HEALTHS = Panel(
    "Status of servers",
    "The worst of each server and of its replicas over time. A gap is a time without runs.",
    States(scale.SEVERITY, NAMED),
    question.OverTime("max", SERVER, "status_severity", ("fleet", "server", "address")),
    width=12,
)
_REPO_HEALTHS = Panel(
    "Repositories that too few served",
    "Whether enough stratum 1s served each repository. Where there is no colour they did, or there was no run.",
    States(
        scale.SEVERITY,
        "{repo} ({fleet})",
        buckets=FEW,
        nothing="enough served each, or no data in this time range",
    ),
    question.OverTime("max", REPOSITORY, "severity", ("fleet", "repo"), only=Where("severity", ">", 0)),
    quiet="empty where enough serve each",
)
_REPO = Look("Repository", links=(links.TO_REPOSITORY_OF_ANY_FLEET,))
_MATRIX = Panel(
    "Every repository on every server",
    "The health of each replica now; the worst, where a server has it under several paths or addresses. An empty cell:"
    " the server does not have it; blue: it is under maintenance. A server's or a repository's own page says what is"
    " wrong.",
    Matrix("severity", "repo", "server", Look(scale=scale.SEVERITY), _REPO),
    question.Matrix(REPO, "severity", ("repo", "server")),
)


def _cost(function: str, field: str, title: str, meaning: str, look: Look) -> Panel:
    query = question.OverTime(function, SCRAPE, field, ("fleet",))
    return Panel(title, meaning, Curves(look, "{fleet}", below=True), query, width=6)


_DURATION = _cost(
    "max",
    "duration",
    "Duration of a run",
    "How long a run took. Near the deadline (45 s unless the fleet file says otherwise) detail is left out.",
    Look(unit="s"),
)
_REQUESTS = _cost("max", "requests", "Requests of a run", "Requests to all servers in one run.", Look(decimals=0))
_FAILURES = _cost(
    "max",
    "failures",
    "Failed requests of a run",
    "Requests that got neither the document nor a 404: refused, timed out, HTTP errors. A server that is down makes"
    " some in each run.",
    Look(decimals=0),
)
_BYTES = _cost("max", "bytes", "Read in a run", "Bytes of documents that were read in one run.", Look(unit="bytes"))

_RUN_COLUMNS = (
    "fleet",
    "duration",
    "servers",
    "servers_up",
    "repos",
    "requests",
    "failures",
    "bytes",
    "deadline_hit",
    "interrupted",
)
_RUNS = Panel(
    "Last run of each fleet",
    "When each fleet was scraped last, oldest first, within a week before this time range. A fleet whose last run is"
    " long ago has a scraper that stopped. *Out of time*: the run's deadline came before all was read;"
    " *interrupted*: a signal did, Telegraf's at its timeout, say.",
    Table(
        {"Time": Look("Started", "dateTimeFromNow", width=150), **looks(_RUN_COLUMNS)},
        sort="Time",
        rising=True,
        time=True,
        nothing="no run in the last week",
    ),
    question.LastRuns(_RUN_COLUMNS),
)

FLEET = Dashboard(
    links.FLEET,
    "CVMFS: fleet overview",
    "Everything that is wrong now, worst first, every server, and what a run of the scraper costs.",
    (
        Row(5, (findings.repositories(500),), "What is wrong now"),
        Row(6, (findings.servers(100),)),
        Row(11, (findings.replicas(500),)),
        Row(5, (findings.under_maintenance(),)),
        Row(8, (_SERVERS,), "Servers"),
        Row(14, (_MATRIX,), "Replicas"),
        Row(8, (findings.matrix_of_replicas(),), "Findings"),
        Row(6, (findings.matrix_of_servers(),)),
        Row(9, (_HEALTHS, _SERVER_HEALTHS), "Over time"),
        Row(9, (_REPO_HEALTHS,)),
        Row(7, (_DURATION, _REQUESTS, _FAILURES, _BYTES), "What a run costs"),
        Row(5, (_RUNS,)),
    ),
)
