"""Which client is on which revision, and which is behind what stratum 1s serve."""

from __future__ import annotations

from grafana.generator import clients, links, scale
from grafana.generator.dashboard import Dashboard, Row
from grafana.generator.look import Look
from grafana.generator.panel import FEW, Curves, Panel, Stat, Table
from grafana.generator.question import Question
from grafana.generator.variables import ONE_REPO, SERVERS, Variable

_NONE = "no client reports, or no data that counts as now"
_QUIET = "clients need not report"
_BEHIND = Look("Behind", scale=scale.SOME_ORANGE, cell="color-text", decimals=0, width=90)
_REVISION = Look(decimals=0)

SERVED = Variable("served", "Served", clients.served(), several=False, hidden=True)


def _number(title: str, meaning: str, query: Question, look: Look) -> Panel:
    return Panel(title, meaning, Stat(look, nothing=_NONE), query, width=6, quiet=_QUIET)


_NUMBERS = (
    _number("Clients", "Clients that report of the chosen repository.", clients.one_number("count"), _REVISION),
    _number(
        "Clients behind",
        "Those whose revision is older than the newest that the chosen stratum 1s serve. A client looks for a new"
        " revision when its manifest's time to live ends, minutes as a rule.",
        clients.how_many_behind(),
        Look(scale=scale.NONE_IS_GOOD_ORANGE, decimals=0),
    ),
    _number(
        "Furthest behind",
        "Revisions that the oldest client lacks of what the chosen stratum 1s serve. Below 0: clients have what none of"
        " the chosen serves.",
        clients.one_number("max", behind=True),
        _REVISION,
    ),
    Panel(
        "Revision served",
        "The newest revision of the chosen repository on the chosen stratum 1s.",
        Stat(_REVISION),
        clients.served(),
        width=6,
        quiet="the chosen stratum 1s need not have it",
    ),
)
_CLIENTS = Panel(
    "Clients of the repository, furthest behind first",
    "Who is on which revision. Choose above the stratum 1 that they use: a client does not say which one that is. One"
    " row called *unnamed* is all clients that do not say who they are. At most 500 are listed.",
    Table(
        {"behind": _BEHIND, "host": Look("Client"), clients.REVISION: Look("Revision", decimals=0, width=110)},
        sort="behind",
        nothing=_NONE,
    ),
    clients.furthest_behind(500),
    width=12,
    quiet=_QUIET,
)
_REPOSITORIES = Panel(
    "Repositories that clients have",
    "How many clients report of each, the oldest and the newest revision among them, and how far these are apart."
    " Choose one above to compare its clients with stratum 1s.",
    Table(
        {
            "apart": Look("Apart", decimals=0, width=80),
            "repo": Look("Repository", links=(links.TO_REPOSITORY_OF_ANY_FLEET,)),
            "clients": Look("Clients", decimals=0, width=80),
            "oldest": Look("Oldest", decimals=0, width=90),
            "newest": Look("Newest", decimals=0, width=90),
        },
        sort="apart",
        nothing=_NONE,
    ),
    clients.repositories(),
    width=12,
    quiet=_QUIET,
)
_CURVES = (
    Panel(
        "Oldest revision that a client has",
        "Each step is a publication that has reached the last client. It follows the stratum 1s beside it.",
        Curves(_REVISION, "{repo}", steps=True, buckets=FEW),
        clients.oldest_over_time(),
        width=12,
        quiet=_QUIET,
    ),
    Panel(
        "Revision on the chosen stratum 1s",
        "Each step is a publication that arrived there.",
        Curves(_REVISION, "{server}", steps=True, buckets=FEW),
        clients.served_over_time(),
        width=12,
        quiet="the chosen stratum 1s need not have it",
    ),
)

CLIENTS = Dashboard(
    links.CLIENTS,
    "CVMFS: clients",
    "Which client is on which revision, and which is behind what stratum 1s serve.",
    (Row(4, _NUMBERS), Row(12, (_CLIENTS, _REPOSITORIES)), Row(9, _CURVES)),
    (SERVERS, ONE_REPO, SERVED),
)
