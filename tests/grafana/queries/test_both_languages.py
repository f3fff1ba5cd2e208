"""The dashboards for Prometheus, asked of a real one that the exporter fills, beside those of an InfluxDB: the same rows."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from grafana.generator import promql, question
from grafana.generator.dashboards import DASHBOARDS
from grafana.generator.panel import Panel
from grafana.queries.__main__ import main as queries
from grafana.queries.dashboard import FOLDER, OF_PROMETHEUS, Answer, answers
from grafana.queries.interpolation import QueryError
from grafana.queries.prometheus import Prometheus
from telegraf_cvmfs.demo import DemoFleet
from telegraf_cvmfs.net.influxdb import Database
from telegraf_cvmfs.points.schema import TAGS
from tests.builders import hostile
from tests.exporter.test_exporter import exporter
from tests.integration.test_prometheus import EVERY_SECOND, port_of, shipped
from tests.programs.command import run
from tests.programs.influxdb import InfluxDB
from tests.programs.prometheus import comes, prometheus_running

pytestmark = pytest.mark.slow

SPAN = timedelta(hours=1)
OF_THE_RUN = {"duration", "requests", "failures", "bytes", "response_time", "Time"}
"""Two runs are never alike in these."""

ROUGHLY = 180
"""Seconds that an age of the one may be from that of the other: they are told of different moments."""

LABELS = {*TAGS["cvmfs_repo"]}
Cells = dict[str, Any]
Rows = dict[frozenset[tuple[str, str]], Cells]


@dataclass(frozen=True)
class Both:
    """The answers of both, each by page and panel; those of Prometheus have a query for each column."""

    prometheus: str
    influxql: dict[tuple[str, str], list[Answer]]
    promql: dict[tuple[str, str], list[Answer]]


@pytest.fixture(scope="module")
def both(prometheus: Path, influxdb: InfluxDB, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    folder = tmp_path_factory.mktemp("both")
    with ExitStack() as stack:
        demo = stack.enter_context(DemoFleet(datetime.now(UTC), faults=True))
        fleet = demo.write(folder)
        source = stack.enter_context(exporter("--config", fleet, *EVERY_SECOND))
        files = shipped(folder, {9877: port_of(source.url)})
        asked = stack.enter_context(prometheus_running(prometheus, files / "prometheus.yaml"))
        comes(lambda: asked.query("cvmfs_replica_root_catalog_verified_timestamp_seconds"))
        done = run("--config", fleet, "--state-dir", "none")
        name = influxdb.create_database()
        influxdb.write(name, done.stdout)
        minute = datetime.now(UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
        of_influxdb = answers(Database(influxdb.url, name), FOLDER, now=minute, span=SPAN)
        of_prometheus = answers(Prometheus(asked.url), OF_PROMETHEUS, now=minute, span=SPAN)
        yield Both(asked.url, by_panel(of_influxdb), by_panel(of_prometheus))


def by_panel(found: list[Answer]) -> dict[tuple[str, str], list[Answer]]:
    panels: dict[tuple[str, str], list[Answer]] = {}
    for answer in found:
        panels.setdefault((answer.dashboard.removesuffix("-prometheus"), answer.panel_title), []).append(answer)
    return panels


def test_every_panel_of_six_pages_is_asked_and_has_what_it_has_from_influxdb(both: Both) -> None:
    assert {page for page, _ in both.promql} == {page for page, _ in both.influxql} - {"cvmfs-clients"}
    assert set(both.promql) == {key for key in both.influxql if key[0] != "cvmfs-clients"}
    assert all(answer.good for found in both.promql.values() for answer in found)
    publications = {"Publications", "Published in this time range"}  # each is a change that Prometheus saw
    for key, found in both.promql.items():
        if key[1] not in publications:
            assert any(answer.count for answer in found) == any(answer.count for answer in both.influxql[key]), key


PANELS = {
    (page.uid, panel.title): panel for page in DASHBOARDS for row in page.rows for panel in row.panels if panel.query
}
TABLES = {
    key: panel
    for key, panel in PANELS.items()
    if panel.view.format == "table"
    and key[0] != "cvmfs-clients"
    and not isinstance(panel.query, question.Events | question.SilentFleets | question.NewestRun)
    and key[1] != "What users feel"
}


@pytest.mark.parametrize("key", TABLES, ids=" ".join)
def test_a_table_has_the_rows_and_values_that_it_has_from_influxdb(key: tuple[str, str], both: Both) -> None:
    panel = TABLES[key]
    expected, found = rows_of_influxdb(both.influxql[key]), rows_of_prometheus(panel, both.promql[key])
    assert set(found) == set(expected)
    for labels, cells in found.items():
        for name, value in cells.items():
            if name == "finding":  # of several that are equally serious it may be another
                assert bool(value) == bool(expected[labels]["finding"])
            elif name not in OF_THE_RUN:
                assert alike(name, value, expected[labels].get(name)), (dict(labels), name)


def rows_of_influxdb(found: list[Answer]) -> Rows:
    (answer,) = found
    rows = [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]
    return {frozenset((name, str(row[name])) for name in LABELS if row.get(name)): row for row in rows}


def rows_of_prometheus(panel: Panel, found: list[Answer]) -> Rows:
    """The columns as one table, as the page's transformations make it."""
    assert panel.query is not None
    (organize, *_) = [step["options"] for step in steps(found[0]) if step["id"] == "organize"]
    names = [column.name for column in promql.columns(panel.query)]
    rows: Rows = {}
    for answer, name in zip(found, names, strict=True):
        title = f"Value #{answer.ref_id}"
        assert organize["renameByName"].get(title, "") == name
        for series in answer.series:
            kept = {label: text for label, text in series.tags.items() if not organize["excludeByName"].get(label)}
            labels = frozenset((label, text) for label, text in kept.items() if label in LABELS)
            row = rows.setdefault(labels, {})
            row |= {label: text for label, text in kept.items() if label not in dict(labels)}
            row |= {name: series.values[0][1]} if name else {}
    return rows


def steps(answer: Answer) -> list[dict[str, Any]]:
    page = json.loads(
        (OF_PROMETHEUS / f"{answer.dashboard.removeprefix('cvmfs-').removesuffix('-prometheus')}.json").read_text()
    )
    (panel,) = (one for one in page["panels"] if one["id"] == answer.panel_id)
    found: list[dict[str, Any]] = panel["transformations"]
    return found


def alike(name: str, found: Any, expected: Any) -> bool:
    if isinstance(expected, str):  # a word, whose number Prometheus has
        return isinstance(found, float | str)
    if name.endswith("_age") or name in ("whitelist_expires_in", "lag"):
        return math.isclose(found, expected, abs_tol=ROUGHLY)
    return bool(found == expected)


CURVES = [key for key, panel in PANELS.items() if panel.view.format == "time_series" and key[0] != "cvmfs-clients"]


@pytest.mark.parametrize("key", CURVES, ids=" ".join)
def test_there_are_the_curves_that_there_are_from_influxdb(key: tuple[str, str], both: Both) -> None:
    by = getattr(PANELS[key].query, "by", ())
    expected = {
        tuple(series.tags.get(tag, "") for tag in by)
        for answer in both.influxql[key]
        for series in answer.series
        if any(value is not None for _, value, *_ in series.values)
    }
    found = {tuple(series.tags.get(tag, "") for tag in by) for answer in both.promql[key] for series in answer.series}
    assert found == expected


# --- the command -----------------------------------------------------------------------------------------------------


def test_the_command_asks_a_prometheus(both: Both, capsys: pytest.CaptureFixture[str]) -> None:
    assert queries(["--prometheus", both.prometheus]) in (0, 1)  # its steps over a day may all be before the first run
    shown = capsys.readouterr().out
    assert re.search(r"^cvmfs-home-prometheus +panel Servers that are not ok, worst first, B  ", shown, re.MULTILINE)
    assert f"{sum(map(len, both.promql.values()))} questions, " in shown


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"<html>", "is no Prometheus"),
        (b"[]", "is no Prometheus"),
        (b'{"status": "error", "error": "parse error"}', "Prometheus says 'parse error'"),
    ],
)
def test_a_prometheus_that_is_none_is_told_in_a_sentence(
    answer: bytes, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with hostile.Server(hostile.answers(lambda _path: hostile.page(answer))) as there:
        assert queries(["--prometheus", there.url]) == 2
    assert said in capsys.readouterr().err


def test_a_prometheus_that_is_not_there_is_told_in_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert queries(["--prometheus", "http://127.0.0.1:9"]) == 2
    assert "Prometheus at http://127.0.0.1:9 does not answer: " in capsys.readouterr().err


def test_a_variable_that_asks_for_anything_else_is_refused() -> None:
    with pytest.raises(QueryError, match="no label_values"):
        Prometheus("http://127.0.0.1:9").label_values("query_result(up)", *[datetime.now(UTC)] * 2)
