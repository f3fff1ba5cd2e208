"""Every question of a dashboard's JSON, with its variables and macros filled in as Grafana does, and the answers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from grafana.generator.dashboards import FOLDERS, may_be_empty
from grafana.generator.source import INFLUXDB, PROMETHEUS
from grafana.queries.interpolation import Chosen, QueryError, Range, bucket, duration, interpolate
from grafana.queries.prometheus import Prometheus
from telegraf_cvmfs.net.influxdb import Database, DeniedError, Series, StrangeError, UnreachableError, Value

_ROOT = Path(__file__).parents[2]
FOLDER, OF_PROMETHEUS = (_ROOT / FOLDERS[source.kind] for source in (INFLUXDB, PROMETHEUS))
_QUIET = may_be_empty()

Json = dict[str, Any]
Choice = str | Sequence[str]
Server = Database | Prometheus


@dataclass(frozen=True)
class Answer:
    """One question of a dashboard and what came back.

    `kind` is "panel", "variable" or "annotation"; `panel_id` is 0 for the latter two, whose name is in `panel_title`.
    `rows` have the tags and columns of all series under `columns`, in the order in which the panel shows them.
    `may_be_empty` says why there need not be any, and is empty where there must be.
    """

    dashboard: str
    dashboard_title: str
    kind: str
    panel_id: int
    panel_title: str
    ref_id: str
    query: str
    may_be_empty: str
    series: tuple[Series, ...]
    columns: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]

    @property
    def count(self) -> int:
        """Rows that have a value in them: buckets of time without one do not count."""
        tags = {tag for series in self.series for tag in series.tags}
        wanted = [index for index, column in enumerate(self.columns) if column != "time" and column not in tags]
        return sum(any(row[index] is not None for index in wanted) for row in self.rows)

    @property
    def is_further(self) -> bool:
        """Is it another column of a table, or another curve, than the first?"""
        return self.kind == "panel" and self.ref_id > "A"

    @property
    def good(self) -> bool:
        """Is there something, or need there be nothing? Of the queries of one table the first must have something."""
        return bool(self.count or self.may_be_empty or self.is_further)


def answers(
    server: Server,
    folder: Path = FOLDER,
    *,
    variables: Mapping[str, Choice] | None = None,
    now: datetime | None = None,
    span: timedelta | None = None,
    points: int = 500,
) -> list[Answer]:
    """Ask everything that the dashboards of a folder ask; a QueryError says what cannot be asked.

    `variables` are chosen values, by name; the others get those that Grafana would give them. `now` (aware) is the end
    of the time range, `span` its length if not the dashboard's own, `points` how many buckets there are at most.
    """
    found = []
    for path in sorted(folder.glob("*.json")):
        found += answers_of(server, path, variables=variables, now=now, span=span, points=points)
    return found


def answers_of(
    server: Server,
    path: Path,
    *,
    variables: Mapping[str, Choice] | None = None,
    now: datetime | None = None,
    span: timedelta | None = None,
    points: int = 500,
) -> list[Answer]:
    """As `answers`, but of the one dashboard in this file."""
    return _Page(server, _read(path), variables or {}, now or datetime.now(UTC), span, points).answers()


@dataclass(frozen=True)
class _Page:
    server: Server
    json: Json
    choices: Mapping[str, Choice]
    now: datetime
    span: timedelta | None
    points: int

    def answers(self) -> list[Answer]:
        chosen: dict[str, Chosen] = {}
        variables = sorted(self.json["templating"]["list"], key=lambda one: bool(one["type"] == "query"))
        found = [answer for one in variables if (answer := self._variable(one, chosen))]
        asked = [
            ("annotation", {"title": one["name"]}, one.get("target", one)) for one in self.json["annotations"]["list"]
        ]
        asked += [("panel", one, target) for one in _panels(self.json["panels"]) for target in one.get("targets", ())]
        return found + [self._answer(*one, chosen) for one in asked if one[2].get("query") or one[2].get("expr")]

    def _variable(self, variable: Json, chosen: dict[str, Chosen]) -> Answer | None:
        """Add its values to those chosen; the answer to its query, if it has one."""
        name, answer, verbatim = variable["name"], None, False
        values: tuple[str, ...] = (str(variable.get("current", {}).get("value", "")),)
        if variable["type"] == "query":
            answer = self._answer("variable", {"title": name}, _target(variable["query"]), chosen)
            values = tuple(sorted(str(row[1]) for row in answer.rows))
            values, verbatim = _first(variable, values)
        if name in self.choices:
            choice = self.choices[name]
            values, verbatim = (choice,) if isinstance(choice, str) else tuple(choice), False
        chosen[name] = Chosen(values, bool(variable.get("multi")), verbatim)
        return answer

    def _answer(self, kind: str, panel: Json, target: Json, chosen: Mapping[str, Chosen]) -> Answer:
        query = interpolate(target.get("expr") or target["query"], chosen, self._range(panel))
        uid, number = str(self.json["uid"]), int(panel.get("id", 0))
        reason = "events need not happen" if kind == "annotation" else _QUIET.get((uid, number), "")
        series = self._asked(kind, query, target, self._range(panel))
        columns, rows = _table(series)
        return Answer(
            dashboard=uid,
            dashboard_title=str(self.json["title"]),
            kind=kind,
            panel_id=number,
            panel_title=str(panel["title"]),
            ref_id=str(target.get("refId", "")),
            query=query,
            may_be_empty=reason,
            series=series,
            columns=columns,
            rows=_sorted(panel, columns, rows),
        )

    def _asked(self, kind: str, query: str, target: Json, chosen: Range) -> tuple[Series, ...]:
        if isinstance(self.server, Database):
            return _asked(self.server, query)
        if kind == "variable":
            return self.server.label_values(query, chosen.start, chosen.end)
        if target.get("instant"):
            return self.server.at(query, chosen.end)
        step = duration(target["step"]) if target.get("step") else chosen.interval
        return self.server.over(query, chosen.start, chosen.end, step)

    def _range(self, panel: Json) -> Range:
        span = self.span or duration(str(self.json["time"]["from"]).removeprefix("now-"))
        least = duration(panel["interval"]) if panel.get("interval") else timedelta(seconds=1)
        return Range(self.now - span, self.now, bucket(span, panel.get("maxDataPoints") or self.points, least))


def _asked(database: Database, query: str) -> tuple[Series, ...]:
    try:
        return database.ask(query)
    except UnreachableError as why:
        raise QueryError(f"InfluxDB at {database.url} does not answer: {why}") from why
    except DeniedError as why:
        raise QueryError(f"InfluxDB says {str(why)!r} ({why.status}), to: {query}") from why
    except StrangeError as why:
        raise QueryError(f"InfluxDB answered {why.status} and no JSON, to: {query}") from why


def _read(path: Path) -> Json:
    try:
        page: Json = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as why:
        raise QueryError(f"{path} is no dashboard in JSON: {why}") from why
    if not isinstance(page, dict) or not {"uid", "title", "panels", "templating", "annotations", "time"} <= page.keys():
        raise QueryError(f"{path} is no dashboard in Grafana's classic JSON")
    return page


def _table(series: Sequence[Series]) -> tuple[tuple[str, ...], tuple[tuple[Value, ...], ...]]:
    """All series as one table, as Grafana makes it: time, tags, the other columns."""
    if not series:
        return (), ()
    tags, (time, *others) = tuple(series[0].tags), series[0].columns
    rows = [(value[0], *(one.tags.get(tag, "") for tag in tags), *value[1:]) for one in series for value in one.values]
    return (time, *tags, *others), tuple(rows)


def _sorted(panel: Json, columns: Sequence[str], rows: tuple[tuple[Value, ...], ...]) -> tuple[tuple[Value, ...], ...]:
    """The rows as a table panel sorts them: what has no value is less than anything."""
    for order in panel.get("options", {}).get("sortBy", ()):
        column = _column(panel, order["displayName"])
        if column in columns:
            at, falling = columns.index(column), bool(order.get("desc"))
            return tuple(sorted(rows, key=lambda row: (row[at] is not None, row[at]), reverse=falling))
    return rows


def _column(panel: Json, shown: str) -> str:
    """The name of the column that is shown under another one."""
    overrides = panel.get("fieldConfig", {}).get("overrides", ())
    found = ((str(each["matcher"]["options"]), one) for each in overrides for one in each["properties"])
    name = next((name for name, one in found if one["id"] == "displayName" and one["value"] == shown), shown)
    return "time" if name == "Time" else name


def _target(query: str | Json) -> Json:
    """A variable's query, which is a text or, once saved by a newer Grafana, an object that has it."""
    return {"query": query} if isinstance(query, str) else query


def _first(variable: Json, values: tuple[str, ...]) -> tuple[tuple[str, ...], bool]:
    """What Grafana chooses at first, and is it put in verbatim: All where there is All, else the first value."""
    if variable.get("includeAll"):
        return ((str(variable["allValue"]),), True) if variable.get("allValue") else (values, False)
    return values[:1] or ("",), False


def _panels(panels: Sequence[Json]) -> Iterator[Json]:
    """All panels, those of collapsed rows too."""
    for panel in panels:
        yield panel
        yield from _panels(panel.get("panels", ()))
