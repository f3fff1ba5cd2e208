"""What is chosen above a dashboard: data source, fleets, servers, repositories, and what counts as now."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from grafana.generator import influxql, question
from grafana.generator.panel import DATASOURCE
from grafana.generator.question import Question
from grafana.generator.scale import Json
from telegraf_cvmfs._version import PROJECT_URL
from telegraf_cvmfs.points.schema import REPO, SCRAPE, SERVER

DOCS = f"{PROJECT_URL}/blob/main/docs"
FRESH = ("15m", "30m", "1h", "6h")

ON_TIME_RANGE_CHANGE = 2
ALPHABETICAL = 5  # without case
HIDDEN = 2


@dataclass(frozen=True)
class Variable:
    """Values of a tag to choose from: one of them, or several and all; or, `hidden`, what queries need to know."""

    name: str
    label: str
    query: Question
    several: bool = True
    hidden: bool = False

    def json(self) -> Json:
        """As a query variable; "All" is every value, also those that come later."""
        text = influxql.text(self.query)
        variable: Json = {
            "current": {"selected": True, "text": ["All"], "value": ["$__all"]} if self.several else {},
            "datasource": DATASOURCE,
            "definition": text,
            "hide": HIDDEN if self.hidden else 0,
            "includeAll": self.several,
            "label": self.label,
            "multi": self.several,
            "name": self.name,
            "options": [],
            "query": text,
            "refresh": ON_TIME_RANGE_CHANGE,
            "regex": "",
            "skipUrlSync": False,
            "sort": ALPHABETICAL,
            "type": "query",
        }
        return variable | ({"allValue": ".*"} if self.several else {})


FLEETS = Variable("fleet", "Fleet", question.ValuesOf("fleet", SCRAPE))
SERVERS = Variable("server", "Server", question.ValuesOf("server", SERVER, ["fleet"]))
ONE_SERVER = Variable("server", "Server", question.ValuesOf("server", SERVER, ["fleet"]), several=False)
REPOS = Variable("repo", "Repository", question.ValuesOf("repo", REPO, ["fleet"]))
ONE_REPO = Variable("repo", "Repository", question.ValuesOf("repo", REPO, ["fleet"]), several=False)


def always(own: tuple[Variable, ...]) -> Iterator[Variable | _Fixed]:
    """A dashboard's variables: those that each of them has, and its own."""
    yield _Fixed(_DATASOURCE)
    yield FLEETS
    yield from own
    yield _Fixed(_FRESH)
    yield _Fixed(_DOCS)


@dataclass(frozen=True)
class _Fixed:
    text: Json

    def json(self) -> Json:
        return self.text


_DATASOURCE: Json = {
    "current": {"selected": True, "text": "influxdb", "value": "influxdb"},
    "hide": 0,
    "includeAll": False,
    "label": "Data source",
    "multi": False,
    "name": "datasource",
    "options": [],
    "query": "influxdb",
    "refresh": 1,
    "regex": "",
    "skipUrlSync": False,
    "type": "datasource",
}

_FRESH: Json = {
    "current": {"selected": True, "text": FRESH[0], "value": FRESH[0]},
    "description": "How old data may be to count as now. Longer than the time between two runs.",
    "hide": 0,
    "includeAll": False,
    "label": "Counts as now",
    "multi": False,
    "name": "fresh",
    "options": [{"selected": value == FRESH[0], "text": value, "value": value} for value in FRESH],
    "query": ",".join(FRESH),
    "skipUrlSync": False,
    "type": "custom",
}

_DOCS: Json = {
    "current": {"selected": True, "text": DOCS, "value": DOCS},
    "hide": HIDDEN,
    "label": "Documentation",
    "name": "docs",
    "options": [{"selected": True, "text": DOCS, "value": DOCS}],
    "query": DOCS,
    "skipUrlSync": True,
    "type": "constant",
}
