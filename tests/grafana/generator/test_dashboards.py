"""The dashboards as files: made by the generator, whole, and asking only for what is written."""

from __future__ import annotations

import enum
import itertools
import json
import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from grafana.generator import __main__ as generator
from grafana.generator import clients, dashboards, influxql, question, scale
from grafana.generator.dashboard import Dashboard, Row
from grafana.generator.look import Look
from grafana.generator.panel import Panel, Stat, Text
from grafana.generator.source import INFLUXDB
from grafana.queries.__main__ import main as queries
from grafana.queries.dashboard import _sorted
from grafana.queries.interpolation import Chosen, QueryError, Range, bucket, duration, interpolate
from telegraf_cvmfs.model import (
    REPLICA_FINDINGS,
    SERVER_FINDINGS,
    GeoAPIStatus,
    Health,
    Result,
    RootCatalogState,
    Signature,
)
from telegraf_cvmfs.net.influxdb import Database
from telegraf_cvmfs.points.schema import FIELDS, SERVER, TAGS
from tests import ROOT

FOLDER = ROOT / "grafana" / "dashboards"
FOLDERS = [ROOT / folder for folder in dashboards.FOLDERS.values()]
PAGES: dict[str, Any] = {path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}
UIDS = {
    f"cvmfs-{name}"
    for name in ("home", "fleet", "server", "repository", "trust", "freshness", "availability", "clients")
}

BUILT_IN = {"__from", "__to", "__interval", "__interval_ms", "timeFilter", "__url_time_range"}
OF_A_VALUE = ("__value", "__data")
UNITS = {"s", "bytes", "percentunit", "dateTimeFromNow", "dateTimeAsLocal"}

# of @grafana/schema 13.2.3, raw/composable/*/panelcfg and common.gen: what we use of it must be there
OPTIONS = {
    "stat": {
        *("colorMode", "graphMode", "justifyMode", "orientation", "percentChangeColorMode"),
        *("reduceOptions", "showPercentChange", "text", "textMode", "wideLayout"),
    },
    "table": {"cellHeight", "enablePagination", "frameIndex", "frozenColumns", "showHeader", "sortBy"},
    "timeseries": {"annotations", "legend", "orientation", "timezone", "tooltip"},
    "state-timeline": {
        *("alignValue", "legend", "mergeValues", "perPage", "rowHeight", "showValue", "timezone", "tooltip"),
    },
    "text": {"code", "content", "mode"},
}
CUSTOM = {
    "stat": set[str](),
    "table": {"align", "cellOptions", "filterable", "inspect", "minWidth", "width"},
    "timeseries": {
        *("drawStyle", "fillOpacity", "lineInterpolation", "lineWidth", "pointSize", "showPoints", "spanNulls"),
        "thresholdsStyle",
    },
    "state-timeline": {"fillOpacity", "lineWidth", "spanNulls"},
}


def panels(page: Mapping[str, Any]) -> list[Any]:
    return [panel for panel in page["panels"] if panel["type"] != "row"]


def of_kind(*kinds: str) -> list[Any]:
    return [
        pytest.param(panel, id=f"{name}-{panel['id']}")
        for name, page in PAGES.items()
        for panel in panels(page)
        if not kinds or panel["type"] in kinds
    ]


PANELS = of_kind()


def questions(page: Mapping[str, Any]) -> Iterator[str]:
    yield from (target["query"] for panel in panels(page) for target in panel.get("targets", ()))
    yield from (one["query"] for one in page["templating"]["list"] if one["type"] == "query")
    yield from (one["target"]["query"] for one in page["annotations"]["list"])


def links(panel: Mapping[str, Any]) -> Iterator[str]:
    config = panel.get("fieldConfig", {"defaults": {}, "overrides": []})
    found = [*panel.get("links", ()), *config["defaults"].get("links", ())]
    found += [
        link
        for override in config["overrides"]
        for one in override["properties"]
        if one["id"] == "links"
        for link in one["value"]
    ]
    yield from (link["url"] for link in found)


# --- made by the generator ----------------------------------------------------------------------------


def test_the_committed_dashboards_and_alert_rules_are_those_that_the_generator_makes() -> None:
    made = generator.files()
    assert {path.parts[:2] for path in made} == {
        ("grafana", "dashboards"),
        ("grafana", "provisioning"),
        ("prometheus", "dashboards"),
        ("prometheus", "rules.yaml"),
    }
    assert generator.differing(generator.ROOT, made) == []


def test_there_is_no_dashboard_that_the_generator_does_not_make() -> None:
    here = {path.relative_to(generator.ROOT) for folder in FOLDERS for path in folder.glob("*.json")}
    assert here == dashboards.files().keys()
    assert len(here) == 15


def test_a_changed_and_a_missing_file_are_named_and_written_again(tmp_path: Path) -> None:
    made = {Path("dashboards/one.json"): "1\n", Path("dashboards/two.json"): "2\n"}
    generator.write(tmp_path, made)
    assert generator.differing(tmp_path, made) == []
    (tmp_path / "dashboards/one.json").write_text("edited\n")
    (tmp_path / "dashboards/two.json").unlink()
    (tmp_path / "dashboards/own.json").write_text("an operator's own\n")
    assert generator.differing(tmp_path, made) == sorted(made)
    generator.write(tmp_path, made)
    assert {path.name: path.read_text() for path in (tmp_path / "dashboards").iterdir()} == {
        "one.json": "1\n",
        "two.json": "2\n",
        "own.json": "an operator's own\n",
    }


def test_the_check_fails_with_the_name_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(generator, "ROOT", tmp_path)
    assert generator.main(["--check"]) == 1
    assert "grafana/dashboards/home.json differs" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
    assert generator.main([]) == 0
    assert generator.main(["--check"]) == 0


# --- whole --------------------------------------------------------------------------------------------


def test_there_are_the_eight_dashboards_under_their_fixed_uids() -> None:
    assert {page["uid"] for page in PAGES.values()} == UIDS
    assert {f"cvmfs-{name}" for name in PAGES} == UIDS


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_a_dashboard_is_classic_json_that_needs_nothing_typed_at_import(page: dict[str, Any]) -> None:
    assert (page["schemaVersion"], page["tags"], page["editable"], page["refresh"]) == (41, ["cvmfs"], False, "1m")
    assert page["description"]
    assert not {"__inputs", "__requires", "__elements"} & page.keys()
    assert [(link["type"], link["tags"], link["includeVars"], link["keepTime"]) for link in page["links"]] == [
        ("dashboards", ["cvmfs"], True, True)
    ]


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_every_panel_of_a_dashboard_has_its_own_number_and_title(page: dict[str, Any]) -> None:
    numbers = [panel["id"] for panel in page["panels"]]
    titles = [panel["title"] for panel in page["panels"]]
    assert len(set(numbers)) == len(numbers)
    assert len(set(titles)) == len(titles)


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_panels_lie_within_24_columns_and_not_on_each_other(page: dict[str, Any]) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in page["panels"]:
        place = panel["gridPos"]
        assert place["w"] > 0
        assert place["h"] > 0
        assert place["x"] >= 0
        assert place["x"] + place["w"] <= 24, panel["title"]
        cells = set(
            itertools.product(range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"]))
        )
        assert not cells & taken, panel["title"]
        taken |= cells


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_says_what_it_means_and_what_it_says_when_it_is_empty(panel: dict[str, Any]) -> None:
    assert panel["title"]
    assert len(panel["description"]) > 15
    if panel["type"] != "text":
        assert panel["fieldConfig"]["defaults"]["noValue"]
        assert panel["targets"]


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_uses_only_options_that_its_kind_has(panel: dict[str, Any]) -> None:
    assert panel["options"].keys() <= OPTIONS[panel["type"]]
    if "fieldConfig" in panel:
        config = panel["fieldConfig"]
        used = {f"custom.{name}" for name in config["defaults"].get("custom", {})}
        used |= {one["id"] for override in config["overrides"] for one in override["properties"]}
        custom = {name.removeprefix("custom.") for name in used if name.startswith("custom.")}
        assert custom <= CUSTOM[panel["type"]]


@pytest.mark.parametrize("panel", PANELS)
def test_units_are_known(panel: dict[str, Any]) -> None:
    config = panel.get("fieldConfig", {"defaults": {}, "overrides": []})
    units = {config["defaults"].get("unit", "s")}
    units |= {one["value"] for each in config["overrides"] for one in each["properties"] if one["id"] == "unit"}
    assert units <= UNITS


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_every_data_source_is_the_chosen_one(page: dict[str, Any]) -> None:
    def sources(value: Any) -> Iterator[Any]:
        if isinstance(value, dict):
            if "datasource" in value:
                yield value["datasource"]
            for one in value.values():
                yield from sources(one)
        elif isinstance(value, list):
            for one in value:
                yield from sources(one)

    found = list(sources(page))
    assert found
    assert all(one == {"type": "influxdb", "uid": "${datasource}"} for one in found)


# --- asking only for what is written --------------------------------------------------------------------

EVERY_QUESTION = [
    pytest.param(text, id=f"{name}-{n}") for name, page in PAGES.items() for n, text in enumerate(questions(page))
]


def unknown_names(query: str) -> set[str]:
    """Names in a query that are no measurement, nor field or tag of the measurements in it, nor made by it."""
    names = set(re.findall(r'"([^"]*)"', query))
    measurements = names & (FIELDS.keys() | {clients.CLIENT})
    known = set(measurements) | set(re.findall(r'AS "([^"]*)"', query)) - {
        # what is only given the name of a field must be that field
        made
        for field, made in re.findall(r'last\("([^"]*)"\) AS "([^"]*)"', query)
        if field != made
    }
    known |= {*clients.FIELDS, *clients.TAGS} if clients.CLIENT in measurements else set()
    for measurement in measurements & FIELDS.keys():
        known |= {field.name for field in FIELDS[measurement]} | set(TAGS[measurement])
    return names - known if measurements else names


@pytest.mark.parametrize("query", EVERY_QUESTION)
def test_a_question_names_only_what_is_written(query: str) -> None:
    assert unknown_names(query) == set()


def test_a_name_that_is_not_written_would_be_noticed() -> None:
    assert unknown_names('SELECT last("upp") FROM "cvmfs_repo" GROUP BY "server"') == {"upp"}
    assert unknown_names('SELECT last("up") FROM "cvmfs_repos"') == {"up", "cvmfs_repos"}


@pytest.mark.parametrize("query", EVERY_QUESTION)
def test_a_question_has_bounds_in_time_and_no_flux(query: str) -> None:
    sources = re.findall(r'FROM "cvmfs[^()]*', query)
    assert sources
    assert all("$timeFilter" in source or "time > ${__" in source for source in sources)
    assert "|>" not in query


@pytest.mark.parametrize("query", EVERY_QUESTION)
def test_a_question_about_one_point_has_one_selector(query: str) -> None:
    for inner in re.findall(r'SELECT last\("[^(]*? FROM', query):
        assert inner.count("last(") == 1 or "repos_ok" in inner, "two selectors are two points"


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_a_dashboard_has_the_variables_that_it_names(page: dict[str, Any]) -> None:
    own = {one["name"] for one in page["templating"]["list"]}
    text = json.dumps(page)
    named = set(re.findall(r"\$\{(\w+)", text)) | set(re.findall(r"\$(?!tag_|col|__all)([a-zA-Z_]\w*)", text))
    assert {"datasource", "fleet", "fresh", "docs"} <= own
    assert {name for name in named if not name.startswith(OF_A_VALUE)} <= own | BUILT_IN


def test_a_field_or_tag_that_is_not_written_cannot_be_asked_for() -> None:
    with pytest.raises(KeyError, match="lagg"):
        influxql.text(question.Newest("cvmfs_repo", ["lagg"]))
    with pytest.raises(KeyError, match="repo"):
        influxql.text(question.OverTime("max", SERVER, "up", ["repo"]))


def test_a_row_that_is_too_wide_is_refused() -> None:
    wide = tuple(Panel(title, "x", Text("x"), width=13) for title in "ab")
    with pytest.raises(ValueError, match="26 wide"):
        Dashboard("cvmfs-x", "x", "x", (Row(4, wide),)).json(INFLUXDB)


# --- leading somewhere -----------------------------------------------------------------------------------


@pytest.mark.parametrize("panel", PANELS)
def test_links_lead_to_dashboards_and_pages_that_there_are(panel: dict[str, Any]) -> None:
    for url in links(panel):
        if url.startswith("${docs}/"):
            page, _, heading = url.removeprefix("${docs}/").partition("#")
            assert "${__value.raw}" in page or (ROOT / "docs" / page).is_file(), url
            assert not heading or f"# `{heading}`" in (ROOT / "docs" / page).read_text(), url
        else:
            found = re.match(r"/d/([\w-]+)\?", url)
            assert found, url
            assert found[1] in UIDS
            assert "${__url_time_range}" in url
            assert "${datasource:queryparam}" in url


def test_the_documentation_is_this_projects() -> None:
    for page in PAGES.values():
        (docs,) = (one["query"] for one in page["templating"]["list"] if one["name"] == "docs")
        assert docs.endswith("/blob/main/docs")


TABLES = [
    one for one in of_kind("table") if one.values[0].get("transformations", [{}])[0].get("id") != "groupingToMatrix"
]


@pytest.mark.parametrize("panel", TABLES)
def test_a_table_has_a_look_for_each_column_and_the_column_that_its_links_need(panel: dict[str, Any]) -> None:
    (target,) = panel["targets"]
    head = target["query"].partition(" FROM ")[0]
    columns = set(re.findall(r'AS "(\w+)"', head)) or set()
    columns |= set(re.findall(r'"(\w+)"', re.sub(r'\w+\("\w+"[^)]*\) AS "\w+"', "", head)))
    looks = {one["matcher"]["options"] for one in panel["fieldConfig"]["overrides"][1:]}
    assert columns == looks - {"Time"}
    if any("__data.fields.fleet" in url for url in links(panel)):
        assert "fleet" in columns


def test_the_matrix_has_a_row_for_each_repository_and_a_column_for_each_server() -> None:
    (panel,) = (one for one in panels(PAGES["fleet"]) if one["title"] == "Every repository on every server")
    (shape,) = panel["transformations"]
    assert shape["options"] == {
        "rowField": "repo",
        "columnField": "server",
        "valueField": "severity",
        "emptyValue": "null",
    }
    _, row = panel["fieldConfig"]["overrides"]
    assert row["matcher"]["options"] == "repo\\server"
    assert panel["fieldConfig"]["defaults"]["custom"]["cellOptions"]["type"] == "color-background"
    assert panel["fieldConfig"]["defaults"]["mappings"]


@pytest.mark.parametrize("panel", of_kind("table"))
def test_a_table_has_pages(panel: dict[str, Any]) -> None:
    assert panel["options"]["enablePagination"] is True


SERVERS, REPOSITORIES, DAY, RUN = 15, 125, 86400, 300
"""A large fleet, and seconds."""


@pytest.mark.parametrize("name", PAGES)
def test_no_question_about_a_day_has_more_rows_than_a_browser_bears(name: str) -> None:
    """Of buckets of time there is one for each run at most; where a page is about one server or repository, it is one."""
    chosen = {one["name"] for one in PAGES[name]["templating"]["list"] if one["type"] == "query" and not one["multi"]}
    many = {"server": 1 if "server" in chosen else SERVERS, "repo": 1 if "repo" in chosen else REPOSITORIES}
    for panel in panels(PAGES[name]):
        for target in panel.get("targets", ()):
            by = re.findall(r"GROUP BY ([^()]*)", target["query"])[-1:] if target["resultFormat"] != "table" else []
            series = math.prod(many[tag] for tag in re.findall(r'"(\w+)"', "".join(by)) if tag in many)
            buckets = DAY / max(RUN, DAY / panel["maxDataPoints"]) + 1 if by else 1
            assert series * buckets <= 20_000, panel["title"]


@pytest.mark.parametrize("panel", of_kind("table", "stat"))
def test_a_table_is_one_series_with_the_columns_of_the_query(panel: dict[str, Any]) -> None:
    """Tags of a GROUP BY become columns too, in whatever order."""
    (target,) = panel["targets"]
    outermost = target["query"]
    while "(" in outermost:
        outermost = re.sub(r"\([^()]*\)", "", outermost)
    assert target["resultFormat"] == "table"
    assert "GROUP BY" not in outermost


@pytest.mark.parametrize("panel", of_kind("table"))
def test_no_two_columns_of_a_table_have_one_name(panel: dict[str, Any]) -> None:
    """Grafana keeps the cells of a row by the name that is shown: one would show the other's values."""
    named = {one["matcher"]["options"]: one["properties"] for one in panel["fieldConfig"]["overrides"][1:]}
    shown = [
        next((one["value"] for one in properties if one["id"] == "displayName"), column)
        for column, properties in named.items()
    ]
    assert len(set(shown)) == len(shown)
    assert panel["options"]["sortBy"][0]["displayName"] in shown


def test_an_event_has_a_text_and_one_column_more_for_its_title() -> None:
    """Grafana takes as title what is neither text nor tag, and the time in milliseconds if nothing is left."""
    events = [one["target"] for page in PAGES.values() for one in page["annotations"]["list"]]
    assert events
    for event in events:
        columns = re.findall(r'"(\w+)"', event["query"].partition(" FROM ")[0])
        tags = [column for column in columns if event["tagsColumn"] and event["tagsColumn"] in column]
        assert event["fromAnnotations"]
        assert event["textColumn"] in columns
        assert len(set(columns) - {event["textColumn"], *tags}) == 1


def test_what_may_be_missing_in_the_name_of_a_curve_comes_last() -> None:
    for page in PAGES.values():
        for panel in panels(page):
            alias = panel.get("targets", [{}])[0].get("alias", "")
            rest = alias.removesuffix(" $tag_alias").removesuffix(" $tag_address")
            assert not {"$tag_address", "$tag_alias"} & set(rest.split())


def test_curves_of_one_repository_tell_apart_two_publications_of_it_on_one_server() -> None:
    curves = [panel for panel in panels(PAGES["repository"]) if panel["type"] in ("timeseries", "state-timeline")]
    assert curves
    for panel in curves:
        (target,) = panel["targets"]
        assert '"alias"' in target["query"]
        assert "$tag_alias" in target["alias"]


def test_each_finding_has_a_column_that_leads_to_its_page() -> None:
    (replicas,) = (panel for panel in panels(PAGES["fleet"]) if panel["title"] == "All findings of replicas")
    (servers,) = (panel for panel in panels(PAGES["fleet"]) if panel["title"] == "All findings of servers")
    found = {url for panel in (replicas, servers) for url in links(panel) if "findings" in url}
    assert found == {f"${{docs}}/findings/{slug}.md" for slug in (*SERVER_FINDINGS, *REPLICA_FINDINGS)}
    assert {url for url in links(servers) if "findings" in url} == {
        f"${{docs}}/findings/{slug}.md" for slug in SERVER_FINDINGS
    }


# --- colours ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("codes", "looks"),
    [
        (Health, scale.HEALTH),
        (range(-1, 4), scale.SEVERITY),
        (GeoAPIStatus, scale.GEOAPI),
        ([value for one in Result for value in (one.slug, one.code)], scale.RESULT),
        ([value for one in Signature for value in (one.slug, one.code)], scale.SIGNATURE),
        ([value for one in RootCatalogState for value in (one.slug, one.code)], scale.ROOT_CATALOG),
    ],
)
def test_every_code_has_words_and_a_colour(codes: type[enum.IntEnum] | list[Any], looks: scale.Scale) -> None:
    assert [state.value for state in looks.states] == list(codes)
    assert all(state.text and state.color for state in looks.states)


def test_severity_is_health_in_the_order_of_seriousness() -> None:
    assert [(state.value, state.text, state.color) for state in scale.SEVERITY.states] == [
        (-1, "maintenance", "blue"),
        (0, "ok", "green"),
        (1, "unknown", "purple"),
        (2, "warning", "orange"),
        (3, "critical", "red"),
    ]


def test_what_is_not_known_is_never_red_nor_green() -> None:
    unknown = {one.slug for one in Signature if one.ok is None} | {"not_checked", "deadline", "timeout", "dns_error"}
    for looks in (scale.SIGNATURE, scale.ROOT_CATALOG, scale.RESULT):
        assert {state.color for state in looks.states if state.value in unknown} == {"purple"}
    assert {state.text: state.color for state in scale.GEOAPI.states if state.value in (9, 99)} == {
        "nothing to test": "#8e8e8e",
        "not tested": "#8e8e8e",
    }


@pytest.mark.parametrize("panel", of_kind("stat"))
def test_a_number_without_data_is_neither_green_nor_red(panel: dict[str, Any]) -> None:
    defaults = panel["fieldConfig"]["defaults"]
    (absent,) = (one["options"] for one in defaults["mappings"] if one["type"] == "special")
    assert (absent["match"], absent["result"]["color"]) == ("null", "purple")
    assert defaults["thresholds"]["steps"][0]["color"] != "green"


def test_curves_break_where_a_scraper_was_dead_but_not_at_a_lost_run() -> None:
    curves = [
        panel for page in PAGES.values() for panel in panels(page) if panel["type"] in ("timeseries", "state-timeline")
    ]
    assert curves
    for panel in curves:
        assert 2 * 5 < panel["fieldConfig"]["defaults"]["custom"]["spanNulls"] / 60_000 < 60
        assert all(target["query"].endswith("fill(null)") for target in panel["targets"])


def test_the_name_of_a_look_is_no_name_of_curves() -> None:
    """All of them would have it."""
    for page in PAGES.values():
        for panel in panels(page):
            assert "displayName" not in panel.get("fieldConfig", {"defaults": {}})["defaults"]


# --- as Grafana puts values in ------------------------------------------------------------------------------

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
RANGE = Range(NOON - timedelta(hours=1), NOON, timedelta(minutes=1))


def put(text: str, **variables: Chosen) -> str:
    return interpolate(text, variables, RANGE)


def test_macros_are_the_time_range() -> None:
    start, end = 1795345200000, 1795348800000
    assert put("$timeFilter") == f"time >= {start}ms and time <= {end}ms"
    assert put("${__from} ${__to} time($__interval) $__interval_ms $interval") == f"{start} {end} time(60s) 60000 60s"


def test_a_chosen_value_is_escaped_in_a_regular_expression() -> None:
    assert put("/^${repo:regex}$/", repo=Chosen(("a.b",))) == r"/^a\.b$/"
    assert put("/^${repo:regex}$/", repo=Chosen(("a.b", "c/d"), several=True)) == r"/^(a\.b|c\/d)$/"
    assert put("/^$repo$/ [[repo]]", repo=Chosen(("a.b", "c"), several=True)) == r"/^(a\.b|c)$/ (a\.b|c)"


def test_all_is_put_in_as_it_is() -> None:
    assert put("/^${repo:regex}$/", repo=Chosen((".*",), several=True, verbatim=True)) == "/^.*$/"


def test_a_plain_value_is_put_in_as_it_is() -> None:
    assert put("- $fresh ${fresh} ${fresh:raw}", fresh=Chosen(("15m",))) == "- 15m 15m 15m"


def test_an_unknown_variable_or_format_is_refused() -> None:
    with pytest.raises(QueryError, match=r"\$nobody is no variable"):
        put("$nobody")
    with pytest.raises(QueryError, match="sqlstring"):
        put("${fresh:sqlstring}", fresh=Chosen(("15m",)))


@pytest.mark.parametrize(
    ("span", "points", "length"),
    [("1h", 1000, "1m"), ("24h", 400, "5m"), ("24h", 200, "5m"), ("7d", 400, "30m"), ("90d", 100, "12h")],
)
def test_buckets_are_as_long_as_grafana_makes_them(span: str, points: int, length: str) -> None:
    assert bucket(duration(span), points, duration("1m")) == duration(length)


def test_a_span_that_is_none_is_refused() -> None:
    with pytest.raises(QueryError, match="'now' is no span"):
        duration("now")


# --- asked as a program ------------------------------------------------------------------------------------


def test_a_database_that_does_not_answer_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert queries(["--url", "http://127.0.0.1:1"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("InfluxDB at http://127.0.0.1:1 does not answer")


@pytest.mark.parametrize("text", ["{", "[]", '{"title": "no dashboard"}'])
def test_a_file_that_is_no_dashboard_is_one_sentence(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "own.json").write_text(text)
    assert queries(["--folder", str(tmp_path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "own.json is no dashboard" in line


def test_an_empty_folder_is_no_success(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert queries(["--folder", str(tmp_path)]) == 1
    assert capsys.readouterr().out == "no dashboards found\n"


def test_a_password_is_not_shown() -> None:
    assert "secret" not in repr(Database("http://x", "cvmfs", "grafana", "secret"))


def test_the_numbers_of_panels_that_may_be_empty_are_those_in_the_files() -> None:
    pages = [json.loads(path.read_text()) for folder in FOLDERS for path in folder.glob("*.json")]
    numbers = {(page["uid"], panel["id"]): panel for page in pages for panel in panels(page)}
    quiet = {key: why for key, why in dashboards.may_be_empty().items() if key[0] != "cvmfs-clients-prometheus"}
    assert quiet
    assert quiet.keys() <= numbers.keys()
    assert all("targets" in numbers[key] for key in quiet)
    assert not any(numbers[key]["title"] in ("Silent scrapers", "Servers now", "Last run") for key in quiet)


@pytest.mark.parametrize(("falling", "order"), [(False, (None, 1, 2)), (True, (2, 1, None))])
def test_what_has_no_value_is_less_than_anything(falling: bool, order: tuple[int | None, ...]) -> None:
    panel = {"options": {"sortBy": [{"displayName": "lag", "desc": falling}]}}
    assert _sorted(panel, ("time", "lag"), ((0, 1), (0, None), (0, 2))) == tuple((0, lag) for lag in order)


def test_a_stat_shows_the_column_that_is_named() -> None:
    shown = Panel("x", "x", Stat(Look(), column="Time"), question.LastRuns(["fleet"])).json(INFLUXDB)
    assert shown["options"]["reduceOptions"]["fields"] == "/^Time$/"
