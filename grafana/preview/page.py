"""A whole dashboard as one HTML page without scripts, and without anything from elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from html import escape
from pathlib import Path
from typing import Any

from grafana.preview.frame import Scene, frame
from grafana.queries.dashboard import Answer
from grafana.queries.interpolation import duration

WIDTH, MARGIN = 1600, 16  # pixels
ROW, GAP = 38, 8  # pixels of one of Grafana's units of height, between panels
HEAD = 84
COLUMNS = 24

STYLE = Path(__file__).with_name("page.css")


def page(dashboard: Mapping[str, Any], answers: Iterable[Answer], now: datetime) -> tuple[str, int]:
    """The page of a dashboard in classic JSON with the answers to its questions, and its height in pixels."""
    mine = [answer for answer in answers if answer.dashboard == dashboard["uid"]]
    panels = list(_flat(dashboard["panels"]))
    height = HEAD + max((_bottom(panel) for panel in panels), default=0) * ROW + MARGIN
    body = "".join(_placed(panels, mine, dashboard, now))
    title = escape(str(dashboard["title"]))
    note = f"Preview: our own drawing of what this dashboard's queries gave at {now:%Y-%m-%d %H:%M} UTC, not Grafana's."
    head = f'<meta charset="utf-8"><title>{title}</title><style>{STYLE.read_text(encoding="utf-8")}</style>'
    heading = f"<header><h1>{title}</h1><p>{escape(note)} {escape(str(dashboard['description']))}</p></header>"
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{heading}{body}</body></html>\n', height


def _placed(
    panels: Sequence[Mapping[str, Any]], answers: Sequence[Answer], dashboard: Mapping[str, Any], now: datetime
) -> Iterator[str]:
    by_panel = {answer.panel_id: answer for answer in answers if answer.kind == "panel"}
    start = now - duration(str(dashboard["time"]["from"]).removeprefix("now-"))
    events = tuple(float(row[0] or 0) for one in answers if one.kind == "annotation" for row in one.rows)
    for panel in panels:
        place = panel["gridPos"]
        across = (WIDTH - 2 * MARGIN) / COLUMNS
        width, height = place["w"] * across - GAP, place["h"] * ROW - GAP
        left, top = MARGIN + place["x"] * across, HEAD + place["y"] * ROW
        scene = Scene(panel, by_panel.get(panel["id"]), width, height, _ms(start), _ms(now), events)
        inner = f'<h3 class="row">{escape(str(panel["title"]))}</h3>' if panel["type"] == "row" else frame(scene)
        size = f"left:{left:.0f}px;top:{top:.0f}px;width:{width:.0f}px;height:{height:.0f}px"
        yield f'<div class="place" style="{size}">{inner}</div>'


def _flat(panels: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for panel in panels:
        yield panel
        yield from _flat(panel.get("panels", ()))


def _bottom(panel: Mapping[str, Any]) -> int:
    return int(panel["gridPos"]["y"] + panel["gridPos"]["h"])


def _ms(moment: datetime) -> float:
    return moment.timestamp() / timedelta(milliseconds=1).total_seconds()
