"""The kinds of panels that the dashboards have, as values, and each one's classic JSON.

Names of options are those of `@grafana/schema` (panelcfg of stat, table, timeseries, state-timeline and text).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from grafana.generator.look import Link, Look
from grafana.generator.question import Question
from grafana.generator.scale import PLAIN, PURPLE, Json, Scale
from grafana.generator.source import REFERENCE, Source

NOTHING_NOW = "no data that counts as now"
NOTHING_FOUND = "nothing found, or no data that counts as now"
NOTHING = "no data in this time range"

GAP = 20 * 60 * 1000
"""ms: a curve is drawn through a hole this long (a lost run or two), not through a longer one (a dead scraper)."""

FINEST = "1m"
"""No bucket is smaller: runs are minutes apart."""

FEW = 100
"""So many buckets at most where there is a curve or a bar for each repository: hundreds of them have to be drawn."""


@dataclass(frozen=True)
class Stat:
    """One big number or word; `column` is the one to show, if it is not the only number."""

    look: Look
    column: str = ""
    nothing: str = NOTHING_NOW
    kind: str = "stat"
    format: str = "table"

    def body(self) -> Json:
        """Options and field configuration."""
        reduce = {"calcs": ["lastNotNull"], "fields": f"/^{self.column}$/" if self.column else "", "values": False}
        return {
            "options": {
                "colorMode": "background" if self.look.scale else "value",
                "graphMode": "none",
                "justifyMode": "center",
                "orientation": "auto",
                "reduceOptions": reduce,
                "showPercentChange": False,
                "textMode": "value",
                "wideLayout": True,
            },
            "fieldConfig": _config({"noValue": self.nothing} | _plain(self.look) | {"mappings": self._mappings()}),
        }

    def _mappings(self) -> list[Json]:
        """Those of the scale, and one for no value, which would have the colour of the lowest values otherwise."""
        absent = {"match": "null", "result": {"color": PURPLE, "text": self.nothing}}
        scaled = self.look.scale.mappings() if self.look.scale else []
        return [*scaled, {"type": "special", "options": absent}]


_BLANK: Json = {
    # A panel's noValue is shown when there are no rows, but also in each cell without a value.
    "matcher": {"id": "byRegexp", "options": "/.+/"},
    "properties": [{"id": "noValue", "value": "-"}],
}


@dataclass(frozen=True)
class Table:
    """Rows of columns, each with its look, in pages; sorted by the column `sort`, largest first unless `rising`."""

    looks: Mapping[str, Look]
    sort: str = "severity"
    rising: bool = False
    nothing: str = NOTHING_NOW
    time: bool = False  # does the column of time mean something here?
    kind: str = "table"
    format: str = "table"

    def body(self) -> Json:
        """Options, field configuration and what to hide."""
        sorted_by = self.looks[self.sort].title or self.sort
        body: Json = {
            "options": {
                "cellHeight": "sm",
                "frameIndex": 0,
                "showHeader": True,
                "sortBy": [{"desc": not self.rising, "displayName": sorted_by}],
                "enablePagination": True,
            },
            "fieldConfig": _config(
                {
                    "custom": {"align": "auto", "cellOptions": {"type": "auto"}, "filterable": True, "inspect": False},
                    "noValue": self.nothing,
                },
                [_BLANK, *(look.override(column) for column, look in self.looks.items())],
            ),
        }
        if not self.time:
            hidden = {"excludeByName": {"Time": True}, "indexByName": {}, "renameByName": {}}
            body["transformations"] = [{"id": "organize", "options": hidden}]
        return body


@dataclass(frozen=True)
class Matrix:
    """A coloured cell for each pair of two tags: a row for each value of `rows`, a column for each of `columns`."""

    value: str
    rows: str
    columns: str
    cell: Look
    row: Look
    nothing: str = NOTHING_NOW
    kind: str = "table"
    format: str = "table"

    def body(self) -> Json:
        """Options, field configuration and what makes a matrix of the rows."""
        corner = f"{self.rows}\\{self.columns}"  # as Grafana calls the first column
        cells = {"custom": {"align": "center", "cellOptions": {"mode": "basic", "type": "color-background"}}}
        shape = {"columnField": self.columns, "rowField": self.rows, "valueField": self.value, "emptyValue": "null"}
        return {
            "options": {
                "cellHeight": "sm",
                "frameIndex": 0,
                "frozenColumns": {"left": 1},
                "showHeader": True,
                "sortBy": [{"desc": False, "displayName": self.row.title}],
                "enablePagination": True,
            },
            "fieldConfig": _config(
                {"noValue": self.nothing} | _plain(self.cell) | cells, [_BLANK, self.row.override(corner)]
            ),
            "transformations": [{"id": "groupingToMatrix", "options": shape}],
        }


@dataclass(frozen=True)
class Curves:
    """Numbers over time, one curve for each series, named by `alias`, such as `{server} ({fleet})`."""

    look: Look
    alias: str
    looks: Mapping[str, Look] = field(default_factory=dict)
    steps: bool = False
    limits: bool = False  # draw the scale's limits as lines?
    below: bool = False  # is the legend below the curves?
    buckets: int = 400  # at most
    nothing: str = NOTHING
    kind: str = "timeseries"
    format: str = "time_series"

    def body(self) -> Json:
        """Options and field configuration."""
        custom: Json = {
            "drawStyle": "line",
            "fillOpacity": 0,
            "lineInterpolation": "stepAfter" if self.steps else "linear",
            "lineWidth": 1,
            "pointSize": 4,
            "showPoints": "auto",
            "spanNulls": GAP,
            "thresholdsStyle": {"mode": "dashed" if self.limits else "off"},
        }
        color = {"color": {"mode": "palette-classic"}}
        return {
            "interval": FINEST,
            "maxDataPoints": self.buckets,
            "options": {
                "legend": {
                    "calcs": ["lastNotNull"],
                    "displayMode": "list" if self.below else "table",
                    "placement": "bottom" if self.below else "right",
                    "showLegend": True,
                },
                "tooltip": {"mode": "multi", "sort": "desc"},
            },
            "fieldConfig": _config(
                {"custom": custom, "noValue": self.nothing} | _plain(self.look) | color,
                [look.override(series) for series, look in self.looks.items()],
            ),
        }


@dataclass(frozen=True)
class States:
    """A bar in colours over time for each series, in pages."""

    scale: Scale
    alias: str
    buckets: int = 200  # at most
    nothing: str = NOTHING
    kind: str = "state-timeline"
    format: str = "time_series"

    def body(self) -> Json:
        """Options and field configuration."""
        custom = {"fillOpacity": 80, "lineWidth": 0, "spanNulls": GAP}
        return {
            "interval": FINEST,
            "maxDataPoints": self.buckets,
            "options": {
                "alignValue": "left",
                "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
                "mergeValues": True,
                "perPage": 30,
                "rowHeight": 0.85,
                "showValue": "never",
                "tooltip": {"mode": "single", "sort": "none"},
            },
            "fieldConfig": _config({"custom": custom, "noValue": self.nothing} | _plain(Look(scale=self.scale))),
        }


@dataclass(frozen=True)
class Text:
    """Sentences, in Markdown."""

    markdown: str
    kind: str = "text"
    format: str = ""

    def body(self) -> Json:
        """Options alone."""
        return {"options": {"content": self.markdown, "mode": "markdown"}}


@dataclass(frozen=True)
class Panel:
    """A panel: what it says, what it asks, how it looks, how wide it is (of 24).

    `quiet` says why it may rightly be empty, and is empty where it never may; Grafana does not see it.
    """

    title: str
    description: str
    view: Stat | Table | Matrix | Curves | States | Text
    query: Question | None = None
    width: int = 24
    quiet: str = ""
    links: tuple[Link, ...] = ()

    def json(self, source: Source) -> Json:
        """Classic JSON, without id and place."""
        panel: Json = {"title": self.title, "description": self.description, "type": self.view.kind}
        if self.links:
            panel["links"] = [link.json() for link in self.links]
        panel |= self.view.body()
        return panel | self._asking(self.query, source, panel) if self.query else panel

    def _asking(self, query: Question, source: Source, panel: Json) -> Json:
        datasource = {"type": source.kind, **REFERENCE}
        targets = [{"datasource": datasource, **target} for target in source.targets(query, self.view)]
        asking: Json = {"datasource": datasource, "targets": targets}
        if steps := [*source.shaping(query, self.view), *panel.get("transformations", ())]:
            asking["transformations"] = steps
        return asking


def _plain(look: Look) -> Json:
    """A look as defaults of a panel, without what only columns have."""
    of_columns = ("displayName", "links", "custom.width", "custom.cellOptions")
    return {name: value for name, value in look.properties().items() if name not in of_columns}


def _config(defaults: Json, overrides: list[Json] | None = None) -> Json:
    no_limits = {"mode": "absolute", "steps": [{"color": PLAIN, "value": None}]}
    return {"defaults": {"mappings": [], "thresholds": no_limits, **defaults}, "overrides": overrides or []}
