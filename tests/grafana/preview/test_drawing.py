"""The previews' own drawing: units, looks, gaps, and that nothing of what a server says becomes markup."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from grafana.preview.appearance import appearance
from grafana.preview.drawing import Curve, Plot, bars, curves
from grafana.preview.frame import _alias
from grafana.preview.page import page
from grafana.preview.unit import written
from grafana.queries.dashboard import Answer
from telegraf_cvmfs.net.influxdb import Series

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
MS = NOW.timestamp() * 1000
PLOT = Plot(800, 200, 0, 1000, gap=100)

HEALTH = {"type": "value", "options": {"2": {"color": "red", "index": 0, "text": "critical"}}}
TABLE: Mapping[str, Any] = {
    "id": 1,
    "type": "table",
    "title": "What is <wrong>",
    "gridPos": {"x": 0, "y": 0, "w": 24, "h": 8},
    "fieldConfig": {
        "defaults": {"custom": {}, "noValue": "no data in the last 15m"},
        "overrides": [
            {
                "matcher": {"id": "byName", "options": "health"},
                "properties": [
                    {"id": "displayName", "value": "Health"},
                    {"id": "mappings", "value": [HEALTH]},
                    {"id": "custom.cellOptions", "value": {"type": "color-background"}},
                ],
            }
        ],
    },
    "transformations": [{"id": "organize", "options": {"excludeByName": {"Time": True}}}],
}


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0, "s", "0 s"),
        (0.25, "s", "250.0 ms"),
        (90, "s", "1.5 mins"),
        (3 * 86400, "s", "3.0 days"),
        (-86400, "s", "-1.0 days"),
        (512, "bytes", "512 B"),
        (57344, "bytes", "56.0 KiB"),
        (MS - 180_000, "dateTimeFromNow", "3 mins ago"),
        (MS, "dateTimeAsIso", "2026-11-22 12:00:00"),
        (7, "", "7"),
        (1.5, "none", "1.50"),
    ],
)
def test_a_number_is_written_in_its_unit(value: float, unit: str, text: str) -> None:
    assert written(value, unit, None, MS) == text


def test_a_column_has_the_name_the_words_and_the_colour_of_its_override() -> None:
    look = appearance(TABLE, "health", MS)
    assert (look.title, look.text(2), look.color(2), look.cell) == ("Health", "critical", "#d2293d", "color-background")
    assert appearance(TABLE, "other", MS).title == "other"


def test_a_cell_without_a_value_says_what_the_override_for_all_columns_says() -> None:
    blank = {"matcher": {"id": "byRegexp", "options": "/.+/"}, "properties": [{"id": "noValue", "value": "-"}]}
    panel = {"fieldConfig": {"defaults": {"noValue": "no data"}, "overrides": [blank]}}
    assert appearance(panel, "lag", MS).text(None) == "-"
    assert appearance({"fieldConfig": {"defaults": {"noValue": "no data"}}}, "lag", MS).text(None) == "no data"


def test_the_colour_of_a_threshold_is_that_of_the_last_one_reached() -> None:
    steps = [{"color": "green", "value": None}, {"color": "orange", "value": 8}, {"color": "red", "value": 24}]
    defaults = {"thresholds": {"mode": "absolute", "steps": steps}, "color": {"mode": "thresholds"}}
    look = appearance({"fieldConfig": {"defaults": defaults}}, "lag", MS)
    assert [look.color(value) for value in (-1, 8, 23.9, 24)] == ["#5aa64b", "#e07f13", "#e07f13", "#d2293d"]


def test_a_curve_does_not_go_through_a_longer_hole_than_its_gap() -> None:
    spots = ((0.0, 1.0), (90.0, 2.0), (200.0, None), (300.0, 3.0), (350.0, None), (390.0, 4.0))
    drawn = curves(PLOT, [Curve("a", "red", spots)], str)
    assert [len(path.split("L")) for path in re.findall(r'd="(M[^"]*)"', drawn)] == [2, 2]


def test_neighbours_are_joined_where_buckets_are_longer_than_the_gap() -> None:
    drawn = curves(PLOT, [Curve("a", "red", ((0.0, 1.0), (300.0, 2.0), (600.0, 3.0)))], str)
    assert [len(path.split("L")) for path in re.findall(r'd="(M[^"]*)"', drawn)] == [3]


def test_a_curve_has_the_name_that_grafana_makes_of_its_alias() -> None:
    series = Series("cvmfs_repo", {"server": "s1", "address": ""}, ("time", "lag"), ())
    assert _alias("$tag_server $col", series, "lag") == "s1 lag"
    assert _alias("$tag_server $tag_address", series, "lag") == "s1 "
    assert _alias("[[tag_server]] $tag_repo", series, "lag") == "s1 $tag_repo"


def test_a_single_value_is_a_dot() -> None:
    assert curves(PLOT, [Curve("a", "red", ((500.0, 3.0),))], str).count("<circle") == 1


def test_equal_neighbours_are_one_bar_and_no_bar_lasts_longer_than_its_gap() -> None:
    states = [(0.0, "green"), (100.0, "green"), (150.0, "red"), (600.0, "red")]
    drawn = bars(PLOT, [("a", states)])
    widths = [float(width) for width in re.findall(r'rect x="[^"]*" y="[^"]*" width="([^"]*)"', drawn)]
    assert re.findall(r'fill="(\w+)"', drawn) == ["green", "red", "red"]
    assert widths[0] == pytest.approx(widths[1] * 1.5, rel=0.01)
    assert widths[1] == pytest.approx(widths[2], rel=0.01)


def _answer(rows: tuple[tuple[Any, ...], ...]) -> Answer:
    columns = ("time", "server", "health")
    series = (Series("cvmfs_repo", {}, columns, rows),) if rows else ()
    return Answer("uid", "Title", "panel", 1, "What is wrong", "A", "SELECT", "", series, columns if rows else (), rows)


def _page(answer: Answer) -> str:
    dashboard = {"uid": "uid", "title": "A & B", "description": "", "panels": [TABLE], "time": {"from": "now-24h"}}
    html, height = page(dashboard, [answer], NOW)
    assert height > 8 * 38
    return html


def test_what_a_server_says_does_not_become_markup() -> None:
    html = _page(_answer(((MS, "<script>alert(1)</script>", 2),)))
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert "What is &lt;wrong&gt;" in html


def test_a_table_shows_the_words_of_its_codes_and_hides_what_it_is_told_to() -> None:
    html = _page(_answer(((MS, "stratum1", 2),)))
    assert re.findall(r"<th[^>]*>([^<]*)</th>", html) == ["server", "Health"]
    assert '<td style="background:#d2293d;color:#fff">critical</td>' in html


def test_a_panel_without_data_says_so() -> None:
    assert "no data in the last 15m" in _page(_answer(()))


def test_a_page_says_that_it_is_a_preview_and_when_it_was_made() -> None:
    html = _page(_answer(()))
    assert f"gave at {NOW:%Y-%m-%d %H:%M} UTC, not Grafana" in html
