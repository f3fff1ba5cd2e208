"""What is chosen above a dashboard: data source, fleets, servers, repositories, and what counts as now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from grafana.generator import question
from grafana.generator.question import Question
from grafana.generator.scale import Json
from grafana.generator.source import REFERENCE, Source
from telegraf_cvmfs._version import PROJECT_URL
from telegraf_cvmfs.points.schema import REPO, SCRAPE, SERVER

DOCS = f"{PROJECT_URL}/blob/main/docs"

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

    def json(self, source: Source) -> Json:
        """As a query variable; "All" is every value, also those that come later."""
        text, query = source.values(self.query)
        variable: Json = {
            "current": {"selected": True, "text": ["All"], "value": ["$__all"]} if self.several else {},
            "datasource": {"type": source.kind, **REFERENCE},
            "definition": text,
            "hide": HIDDEN if self.hidden else 0,
            "includeAll": self.several,
            "label": self.label,
            "multi": self.several,
            "name": self.name,
            "options": [],
            "query": query,
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


def always(own: tuple[Variable, ...], source: Source) -> Iterator[Json]:
    """A dashboard's variables: those that each of them has, and its own."""
    yield _datasource(source.kind)
    yield FLEETS.json(source)
    yield from (one.json(source) for one in own)
    yield _fresh(source.fresh)
    yield _DOCS


def _datasource(kind: str) -> Json:
    return {
        "current": {"selected": True, "text": kind, "value": kind},
        "hide": 0,
        "includeAll": False,
        "label": "Data source",
        "multi": False,
        "name": "datasource",
        "options": [],
        "query": kind,
        "refresh": 1,
        "regex": "",
        "skipUrlSync": False,
        "type": "datasource",
    }


def _fresh(spans: Mapping[str, str]) -> Json:
    """How old data may be, as words and as the queries want it."""
    (text, first), *_ = spans.items()
    return {
        "current": {"selected": True, "text": text, "value": first},
        "description": "How old data may be to count as now. Longer than the time between two runs.",
        "hide": 0,
        "includeAll": False,
        "label": "Counts as now",
        "multi": False,
        "name": "fresh",
        "options": [{"selected": value == first, "text": text, "value": value} for text, value in spans.items()],
        "query": ",".join(text if text == value else f"{text} : {value}" for text, value in spans.items()),
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
