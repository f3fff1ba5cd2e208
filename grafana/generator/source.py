"""The data sources that dashboards are made for: how each is asked, in Grafana's JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from string import ascii_uppercase
from typing import Protocol

from grafana.generator import influxql, promql
from grafana.generator.question import Events, InItsOwnWords, Question, ValuesOf
from grafana.generator.scale import Json

REFERENCE = {"uid": "${datasource}"}
_PAGE = re.compile(r"(?<=/d/)cvmfs-\w+(?=\?)")


class Shown(Protocol):
    """How a panel wants its answers."""

    @property
    def format(self) -> str:
        """As a "table", or as a "time_series"."""


class Source(Protocol):
    """A kind of data source."""

    kind: str
    tag: str
    fresh: Mapping[str, str]

    def answers(self, asked: Question) -> bool:
        """Can it be asked this?"""

    def targets(self, asked: Question, view: Shown) -> list[Json]:
        """The queries of a panel, without their data source."""

    def shaping(self, asked: Question, view: Shown) -> list[Json]:
        """The transformations that make a panel's table of the answers."""

    def values(self, asked: Question) -> tuple[str, str | Json]:
        """The query of a variable, as text and as Grafana keeps it."""

    def events(self, name: str, asked: Question, text: str) -> Json:
        """What is asked for annotations; `text` is the column that they show."""

    def page(self, uid: str) -> str:
        """The uid of the page of this data source."""


class _InfluxDB:
    kind, tag = "influxdb", "cvmfs"
    fresh: Mapping[str, str] = {span: span for span in ("15m", "30m", "1h", "6h")}

    def answers(self, _asked: Question) -> bool:
        return True

    def targets(self, asked: Question, view: Shown) -> list[Json]:
        target: Json = {"refId": "A", "query": influxql.text(asked), "rawQuery": True, "resultFormat": view.format}
        return [target | ({"alias": influxql.alias(name)} if (name := getattr(view, "alias", "")) else {})]

    def shaping(self, _asked: Question, _view: Shown) -> list[Json]:
        return []

    def values(self, asked: Question) -> tuple[str, str | Json]:
        text = influxql.text(asked)
        return text, text

    def events(self, name: str, asked: Question, text: str) -> Json:
        target = {
            "fromAnnotations": True,
            "name": name,
            "query": influxql.text(asked),
            "rawQuery": True,
            "refId": "Anno",
            "tagsColumn": "",
            "textColumn": text,
            "timeEndColumn": "",
            "titleColumn": "",  # the column that is left over; without one the title would be the time in ms
        }
        return {"target": target}

    def page(self, uid: str) -> str:
        return uid


class _Prometheus:
    kind, tag = "prometheus", "cvmfs-prometheus"
    fresh: Mapping[str, str] = {"15m": "900", "30m": "1800", "1h": "3600", "6h": "21600"}  # PromQL compares seconds

    def answers(self, asked: Question) -> bool:
        return not isinstance(asked, InItsOwnWords)

    def targets(self, asked: Question, view: Shown) -> list[Json]:
        """A query for each column, at the end of the time range, or over it for curves and events."""
        over_time = view.format == "time_series" or isinstance(asked, Events)
        return [
            {
                "refId": ref_id,
                "editorMode": "code",
                "expr": column.promql,
                "format": view.format,
                "instant": not over_time,
                "range": over_time,
                "legendFormat": _legend(getattr(view, "alias", ""), column.name),
            }
            for ref_id, column in zip(ascii_uppercase, promql.columns(asked), strict=False)
        ]

    def shaping(self, asked: Question, view: Shown) -> list[Json]:
        """One table of all columns: as the data source gives them, they are called `Value #A`, or `Value` if alone."""
        if view.format != "table":
            return []
        columns, labels = promql.columns(asked), promql.shown_labels(asked)
        values = {f"Value #{ref_id}": column.name for ref_id, column in zip(ascii_uppercase, columns, strict=False)}
        names = {"Value": columns[0].name} | values
        shown = {name: place for place, name in enumerate(promql.shown_columns(asked))}
        named = {name: column for name, column in names.items() if column}
        hidden = [*(name for name in names if name not in named), *_hidden(labels)] if labels else []
        keeps_time = isinstance(asked, Events)
        organize = {
            "excludeByName": dict.fromkeys(hidden, True) | ({} if keeps_time else {"Time": True}),
            "indexByName": {name: shown[column] for name, column in (named | {one: one for one in labels}).items()},
            "renameByName": named,
        }
        together: list[Json] = [{"id": "merge", "options": {}}] if len(columns) > 1 else []
        return [*together, {"id": "organize", "options": organize}]

    def values(self, asked: Question) -> tuple[str, str | Json]:
        if not isinstance(asked, ValuesOf):
            raise TypeError(f"{asked} has no values of a label")
        text = promql.labels(asked)
        return text, {"query": text, "refId": "StandardVariableQuery"}

    def events(self, _name: str, asked: Question, _text: str) -> Json:
        (column,) = promql.columns(asked)
        expr = column.promql.replace("$__interval", "1m")
        return {"expr": expr, "step": "60s", "titleFormat": "{{repo}}", "textFormat": "", "useValueForTime": False}

    def page(self, uid: str) -> str:
        return f"{uid}-prometheus"


INFLUXDB, PROMETHEUS = _InfluxDB(), _Prometheus()
SOURCES: Sequence[Source] = (INFLUXDB, PROMETHEUS)


def linked(text: str, source: Source) -> str:
    """The same JSON with links to the pages of this data source."""
    return _PAGE.sub(lambda found: source.page(found[0]), text)


def _legend(alias: str, column: str) -> str:
    """A curve's name; each label that is in it in Prometheus's braces."""
    return alias.replace("{field}", column).replace("{", "{{").replace("}", "}}")


def _hidden(labels: Sequence[str]) -> list[str]:
    return [label for label in promql.LABELS_OF_ROWS if label not in labels]
