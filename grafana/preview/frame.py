"""One panel of a dashboard and what its query gave, as HTML."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import Any

from markdown_it import MarkdownIt

from grafana.preview.appearance import PALETTE, Appearance, Value, appearance, limits
from grafana.preview.drawing import Curve, Plot, bars, curves
from grafana.queries.dashboard import Answer
from telegraf_cvmfs.net.influxdb import Series

Json = Mapping[str, Any]

HEADING = 30  # pixels
LEGEND = 330
MOST_ROWS = 40


@dataclass(frozen=True)
class Scene:
    """A panel with its answer, its size in pixels, the page's range of time and its events in Unix milliseconds."""

    panel: Json
    answer: Answer | None
    width: float
    height: float
    start: float
    end: float
    events: tuple[float, ...] = ()

    def look(self, column: str) -> Appearance:
        """How a column, or the series of an alias, is shown."""
        return appearance(self.panel, "Time" if column == "time" else column, self.end)

    def plot(self, width: float) -> Plot:
        """Where curves and bars are drawn."""
        gap = float(self.panel["fieldConfig"]["defaults"].get("custom", {}).get("spanNulls") or 0)
        return Plot(width, self.height - HEADING - 16, self.start, self.end, gap or float("inf"), self.events)


def frame(scene: Scene) -> str:
    """The panel with its title; what is empty says so as in Grafana."""
    kind = str(scene.panel["type"])
    title = escape(str(scene.panel.get("title", "")))
    if kind == "text":
        body = MarkdownIt("commonmark", {"html": False}).render(str(scene.panel["options"]["content"]))
    elif scene.answer is None or not scene.answer.count:
        nothing = scene.panel.get("fieldConfig", {}).get("defaults", {}).get("noValue", "No data")
        body = f'<p class="nothing">{escape(str(nothing))}</p>'
    else:
        body = _DRAWN[kind](scene, scene.answer)
    return f'<section class="{kind}"><h2>{title}</h2><div>{body}</div></section>'


def _stat(scene: Scene, answer: Answer) -> str:
    wanted = str(scene.panel["options"]["reduceOptions"]["fields"])
    column = wanted.strip("/^$") or next(name for name in answer.columns[1:] if _numeric(answer, name))
    at = answer.columns.index("time" if column == "Time" else column)
    value = [row[at] for row in answer.rows if row[at] is not None][-1]
    look = scene.look(column)
    filled = scene.panel["options"]["colorMode"] == "background" and look.color(value) not in ("", "transparent")
    style = f"background:{look.color(value)};color:#fff" if filled else ""
    return f'<p class="number" style="{style}">{escape(look.text(value))}</p>'


def _numeric(answer: Answer, name: str) -> bool:
    at = answer.columns.index(name)
    return any(isinstance(row[at], int | float) for row in answer.rows)


def _table(scene: Scene, answer: Answer) -> str:
    answer = _in_shape(scene.panel, answer)
    columns = [(index, name, scene.look(name)) for index, name in _shown(scene.panel, answer)]
    heads = "".join(f'<th style="{_wide(look)}">{escape(look.title)}</th>' for _, _, look in columns)
    rows = "".join(
        f"<tr>{''.join(_cell(look, row[index]) for index, _, look in columns)}</tr>" for row in answer.rows[:MOST_ROWS]
    )
    return f"<table><tr>{heads}</tr>{rows}</table>"


def _in_shape(panel: Json, answer: Answer) -> Answer:
    """The rows as the panel's transformation makes a matrix of them, if it does."""
    for transformation in panel.get("transformations", ()):
        if transformation["id"] == "groupingToMatrix":
            shape = transformation["options"]
            names = (shape["rowField"], shape["columnField"], shape["valueField"])
            found = [tuple(row[answer.columns.index(name)] for name in names) for row in answer.rows]
            cells = {(row, column): value for row, column, value in found}
            columns = tuple(dict.fromkeys(str(column) for _, column, _ in found))
            rows = sorted({str(row) for row, _, _ in found})
            matrix = tuple((row, *(cells.get((row, column)) for column in columns)) for row in rows)
            return replace(answer, columns=("\\".join(names[:2]), *columns), rows=matrix)
    return answer


def _shown(panel: Json, answer: Answer) -> list[tuple[int, str]]:
    """The columns that are shown, as the panel's transformation orders and hides them."""
    hidden: dict[str, bool] = {}
    order: dict[str, int] = {}
    for transformation in panel.get("transformations", ()):
        if transformation["id"] == "organize":
            hidden |= transformation["options"].get("excludeByName", {})
            order |= transformation["options"].get("indexByName", {})
    named = [(index, "Time" if name == "time" else name) for index, name in enumerate(answer.columns)]
    return sorted(((i, n) for i, n in named if not hidden.get(n)), key=lambda one: order.get(one[1], one[0]))


def _cell(look: Appearance, value: Value) -> str:
    color, text = look.color(value), escape(look.text(value))
    if look.linked and text:
        text = f"<u>{text}</u>"
    if color in ("", "transparent") or not look.cell.startswith("color-"):
        return f"<td>{text}</td>"
    style = f"background:{color};color:#fff" if look.cell == "color-background" else f"color:{color}"
    return f'<td style="{style}">{text}</td>'


def _wide(look: Appearance) -> str:
    return f"width:{look.width}px" if look.width else ""


def _curves(scene: Scene, answer: Answer) -> str:
    custom = scene.panel["fieldConfig"]["defaults"]["custom"]
    lines, looks = [], {}
    for index, (name, spots) in enumerate(_named(scene.panel, answer)):
        look = looks[name] = scene.look(name)
        lines.append(Curve(look.title, look.fixed or PALETTE[index % len(PALETTE)], spots))
    wide = min(LEGEND, scene.width * 0.4)
    axis = scene.look("")
    drawn = curves(
        scene.plot(scene.width - wide),
        lines,
        axis.text,
        limits(scene.panel),
        stacked=custom.get("stacking", {}).get("mode", "none") != "none",
        stepped="step" in custom.get("lineInterpolation", ""),
    )
    return f'<div class="curves">{drawn}<ul style="width:{wide - 20:.0f}px">{"".join(_legend(lines, axis))}</ul></div>'


def _legend(lines: Sequence[Curve], axis: Appearance) -> list[str]:
    found = []
    for line in lines:
        last = next((value for _, value in reversed(line.spots) if value is not None), None)
        found.append(
            f'<li><i style="background:{line.color}"></i>{escape(line.name)} <b>{escape(axis.text(last))}</b></li>'
        )
    return found


def _bars(scene: Scene, answer: Answer) -> str:
    rows = []
    for name, spots in _named(scene.panel, answer):
        look = scene.look(name)
        states = [(moment, look.color(value) or "#999") for moment, value in spots if value is not None]
        rows.append((name, states))
    return bars(scene.plot(scene.width - 20), rows)


def _named(panel: Json, answer: Answer) -> list[tuple[str, tuple[tuple[float, float | None], ...]]]:
    """Every column of numbers of every series, under the name that the query's alias gives it."""
    (target,) = panel["targets"]
    alias = str(target.get("alias", "")) or "$m.$col"
    found = []
    for series in answer.series:
        for index, column in enumerate(series.columns[1:], 1):
            spots = tuple((float(row[0] or 0), _float(row[index])) for row in series.values)
            if any(value is not None for _, value in spots):
                found.append((_alias(alias, series, column), spots))
    return found


def _float(value: Value) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _alias(alias: str, series: Series, column: str) -> str:
    def word(found: re.Match[str]) -> str:
        name = found[1] or found[2] or ""
        if name.startswith("tag_"):
            return series.tags.get(name.removeprefix("tag_"), found[0])
        return {"col": column, "m": series.name, "measurement": series.name}.get(name, found[0])

    return re.sub(r"\$(\w+)|\[\[(\w+)\]\]", word, alias)


_DRAWN: Mapping[str, Callable[[Scene, Answer], str]] = {
    "stat": _stat,
    "table": _table,
    "timeseries": _curves,
    "state-timeline": _bars,
}
