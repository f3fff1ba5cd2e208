"""A dashboard as a value, and its classic JSON: places, numbers, variables, links to the others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from grafana.generator.panel import Panel
from grafana.generator.question import Question
from grafana.generator.scale import Json
from grafana.generator.source import REFERENCE, Source
from grafana.generator.variables import Variable, always

SCHEMA_VERSION = 41
COLUMNS = 24


@dataclass(frozen=True)
class Row:
    """Panels side by side, all of one height (in Grafana's units of about 38 pixels); with a title it has a heading."""

    height: int
    panels: tuple[Panel, ...]
    title: str = ""


@dataclass(frozen=True)
class Annotation:
    """Events on all curves of a dashboard: a query of two columns, one of which is the text and the other the title."""

    name: str
    query: Question
    text: str
    color: str

    def json(self, source: Source) -> Json:
        """As an annotation query."""
        return {
            "datasource": {"type": source.kind, **REFERENCE},
            "enable": True,
            "hide": False,
            "iconColor": self.color,
            "name": self.name,
            **source.events(self.name, self.query, self.text),
        }


@dataclass(frozen=True)
class Dashboard:
    """One page: `uid` and file name are for ever, other pages and alerts link to them."""

    uid: str
    title: str
    description: str
    rows: tuple[Row, ...]
    variables: tuple[Variable, ...] = ()
    annotations: tuple[Annotation, ...] = ()
    range: str = "now-24h"

    @property
    def file(self) -> str:
        """The name of its file."""
        return f"{self.uid.removeprefix('cvmfs-')}.json"

    def can_ask(self, source: Source) -> bool:
        """Can all of its questions be asked of this data source?"""
        panels = [panel.query for row in self.rows for panel in row.panels if panel.query]
        return all(source.answers(asked) for asked in (*panels, *(one.query for one in self.variables)))

    def json(self, source: Source) -> Json:
        """The whole page in classic JSON."""
        return {
            "annotations": {"list": [one.json(source) for one in self.annotations]},
            "description": self.description,
            "editable": False,
            "fiscalYearStartMonth": 0,
            "graphTooltip": 1,
            "links": [_to_the_others(source.tag)],
            "panels": list(self._placed(source)),
            "refresh": "1m",
            "schemaVersion": SCHEMA_VERSION,
            "tags": [source.tag],
            "templating": {"list": list(always(self.variables, source))},
            "time": {"from": self.range, "to": "now"},
            "timepicker": {},
            "timezone": "browser",
            "title": self.title,
            "uid": source.page(self.uid),
        }

    def quiet(self) -> dict[int, str]:
        """Numbers of the panels that may rightly be empty, each with the reason."""
        return {number: panel.quiet for number, panel in self._numbered() if panel.quiet}

    def _numbered(self) -> Iterator[tuple[int, Panel]]:
        number = 0
        for row in self.rows:
            number += bool(row.title)  # its heading has a number too
            for panel in row.panels:
                number += 1
                yield number, panel

    def _placed(self, source: Source) -> Iterator[Json]:
        """Row by row, from left to right, each panel with its number and place."""
        numbers = {id(panel): number for number, panel in self._numbered()}
        top = 0
        for row in self.rows:
            if row.title:
                yield _heading(row.title, numbers[id(row.panels[0])] - 1, top)
                top += 1
            left = 0
            for panel in row.panels:
                place = {"h": row.height, "w": panel.width, "x": left, "y": top}
                yield {**panel.json(source), "id": numbers[id(panel)], "gridPos": place}
                left += panel.width
            if left > COLUMNS:
                raise ValueError(f"{self.uid}: a row is {left} wide, more than {COLUMNS}")
            top += row.height


def _heading(title: str, number: int, top: int) -> Json:
    place = {"h": 1, "w": COLUMNS, "x": 0, "y": top}
    return {"collapsed": False, "gridPos": place, "id": number, "panels": [], "title": title, "type": "row"}


def _to_the_others(tag: str) -> Json:
    """A row of links to all pages with this tag, which keep the chosen values and the time range."""
    return {
        "asDropdown": False,
        "icon": "external link",
        "includeVars": True,
        "keepTime": True,
        "tags": [tag],
        "targetBlank": False,
        "title": "",
        "tooltip": "",
        "type": "dashboards",
        "url": "",
    }
