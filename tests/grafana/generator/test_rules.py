"""The alert rules as they are provisioned: complete, in agreement with the program, and as Grafana documents them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from grafana.generator import rules
from grafana.generator.rules.rule import in_grafana
from grafana.generator.rules.words import PATIENCE, SUMMARIES
from telegraf_cvmfs._version import PROJECT_URL
from telegraf_cvmfs.model import LIMITS, REPLICA_FINDINGS, REPOSITORY_FINDINGS, SERVER_FINDINGS, Health
from telegraf_cvmfs.points.schema import FIELDS, FINDING, SCRAPE, TAGS
from telegraf_cvmfs.words.duration import duration
from tests import ROOT

GRAFANA = ROOT / "grafana"
DOCS = ROOT / "docs"
Object = dict[str, Any]

PATH = Path("provisioning/alerting/rules.yaml")
TEXT = (GRAFANA / PATH).read_text()
DOCUMENT: Object = yaml.safe_load(TEXT)
RULES: dict[str, Object] = {rule["uid"]: rule for group in DOCUMENT["groups"] for rule in group["rules"]}
OF_THE_SCRAPER = ("scraper_silent", "deadline_hit", "interrupted")
SILENT = "cvmfs-scraper-silent"
each_rule = pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule["uid"])


# --- complete ---------------------------------------------------------------------------------------


def test_each_severity_that_a_finding_can_have_is_a_rule_and_there_is_no_other() -> None:
    expected = {
        (slug, severity)
        for slug, limit in LIMITS.items()
        for severity in [name for name in ("warning", "critical") if getattr(limit, name) is not None] or ["info"]
    }
    found = [(rule["labels"]["finding"], rule["labels"]["severity"]) for rule in RULES.values()]
    assert {one for one in found if one[0] not in OF_THE_SCRAPER} == expected
    assert len(set(found)) == len(found)
    assert set(PATIENCE) == set(found)
    assert set(SUMMARIES) == {finding for finding, _ in found}


def test_only_what_is_never_worse_than_unknown_is_info() -> None:
    assert [uid for uid, rule in RULES.items() if rule["labels"]["severity"] == "info"] == ["cvmfs-list_unread"]


def test_uids_and_titles_are_unique_and_what_grafana_takes() -> None:
    every = [rule for group in DOCUMENT["groups"] for rule in group["rules"]]
    assert len(RULES) == len(every) == len({rule["title"] for rule in every})
    assert all(re.fullmatch(r"[a-zA-Z0-9_-]{1,40}", uid) for uid in RULES)


def test_a_uid_says_what_the_rule_is_about() -> None:
    several = {finding for finding, number in Counter(finding for finding, _ in PATIENCE).items() if number > 1}
    for uid, rule in RULES.items():
        finding, severity = rule["labels"]["finding"], rule["labels"]["severity"]
        if finding in OF_THE_SCRAPER:
            assert uid == f"cvmfs-{finding.replace('_', '-')}"
        else:
            assert uid == f"cvmfs-{finding}" + (f"-{severity}" if finding in several else "")


def test_rules_stand_in_the_group_of_what_they_are_about() -> None:
    groups = {group["name"]: {rule["labels"]["finding"] for rule in group["rules"]} for group in DOCUMENT["groups"]}
    assert groups == {
        "repositories": set(REPOSITORY_FINDINGS),
        "servers": set(SERVER_FINDINGS),
        "replicas": set(REPLICA_FINDINGS),
        "scraper": set(OF_THE_SCRAPER),
    }


# --- what is asked ----------------------------------------------------------------------------------

QUERY = re.compile(
    r'SELECT (?:last|moving_average\(count)\("(\w+)"\)(?:, 4\))?(?: AS "\1")? FROM "(\w+)" WHERE \$timeFilter GROUP BY (.*)'
)


def _tags(finding: str) -> set[str]:
    if finding in REPOSITORY_FINDINGS:
        return {"fleet", "repo"}
    return set(TAGS[FINDING]) - ({"repo", "alias"} if finding in SERVER_FINDINGS else set())


@each_rule
def test_a_query_names_nothing_that_is_not_written_and_splits_by_every_tag(rule: Object) -> None:
    field, measurement, by = QUERY.fullmatch(rule["data"][0]["model"]["query"]).groups()  # type: ignore[union-attr]
    assert field in {one.name for one in FIELDS[measurement]}
    tags = set(re.findall(r'"(\w+)"', by))
    finding = rule["labels"]["finding"]
    if measurement == SCRAPE:
        assert finding in OF_THE_SCRAPER
        assert tags == set(TAGS[SCRAPE])
    else:
        assert (measurement, field) == (FINDING, finding)
        assert tags == _tags(finding)


@each_rule
def test_a_rule_fires_at_exactly_one_number(rule: Object) -> None:
    (condition,) = rule["data"][2]["model"]["conditions"]
    low, high = condition["evaluator"]["params"]
    (number,) = [one for one in range(-10, 10) if low < one < high]
    worth = {"warning": Health.WARNING, "critical": Health.CRITICAL, "info": Health.UNKNOWN}
    expected = {SILENT: 0, "cvmfs-deadline-hit": 1}.get(rule["uid"], worth[rule["labels"]["severity"]])
    assert number == expected
    if rule["uid"] == SILENT:
        assert high < 1 / 4, "one run in four spans is not none"


@each_rule
def test_the_window_holds_a_run_even_if_one_is_lost(rule: Object) -> None:
    interval, late = shipped_times()
    assert rule["data"][0]["relativeTimeRange"]["from"] * timedelta(seconds=1) > 2 * interval + late


def shipped_times() -> tuple[timedelta, timedelta]:
    """How often Telegraf is told to run the program, and how much later it may do so."""
    shipped = (ROOT / "telegraf" / "telegraf.d" / "cvmfs.conf").read_text()
    pattern = r'^ *{} = "(?:\$\{{\w+:-)?(\w+)\}}?"$'
    (interval,) = re.findall(pattern.format("interval"), shipped, re.MULTILINE)
    (late,) = re.findall(pattern.format("collection_jitter"), shipped, re.MULTILINE)
    return duration(interval), duration(late)


# --- for how long -----------------------------------------------------------------------------------


@each_rule
def test_no_rule_fires_for_what_a_single_run_says_even_if_the_next_one_is_lost(rule: Object) -> None:
    interval, late = shipped_times()
    if rule["uid"] != SILENT:
        evaluation = duration(DOCUMENT["groups"][0]["interval"])
        assert duration(rule["for"]) >= 2 * interval + late + 2 * evaluation


@pytest.mark.parametrize("uid", ["cvmfs-server_down", "cvmfs-manifest-critical", "cvmfs-root_catalog"])
def test_a_reboot_of_ten_minutes_is_over_before_anything_fires(uid: str) -> None:
    interval, late = shipped_times()
    assert duration(RULES[uid]["for"]) >= timedelta(minutes=10) + interval + late


def test_a_wrong_geoapi_answer_from_a_cache_is_over_before_it_fires() -> None:
    interval, late = shipped_times()
    assert duration(RULES["cvmfs-geoapi_wrong"]["for"]) >= timedelta(hours=1) + interval + late


def test_a_deadline_is_hit_in_at_least_three_runs_before_it_is_told() -> None:
    assert duration(RULES["cvmfs-deadline-hit"]["for"]) > 3 * shipped_times()[0]


@pytest.mark.parametrize(("minutes", "text"), [(10, "10m"), (60, "1h"), (90, "90m"), (360, "6h")])
def test_spans_are_written_so_that_grafana_and_we_read_them(minutes: int, text: str) -> None:
    span = timedelta(minutes=minutes)
    assert in_grafana(span) == text
    assert duration(text) == span


# --- no data, and errors ----------------------------------------------------------------------------


@each_rule
def test_only_the_rule_about_silence_alerts_on_no_data_or_an_error(rule: Object) -> None:
    expected = "Alerting" if rule["uid"] == SILENT else "KeepLast"
    assert (rule["noDataState"], rule["execErrState"]) == (expected, expected)


# --- what it says -----------------------------------------------------------------------------------

ACTION = re.compile(r"\{\{ (.*?) \}\}")
ALLOWED = re.compile(
    r"(?:with |urlquery )?\.Labels\.(?:fleet|role|server|repo|alias|address)|\.|else|end|externalURL", re.ASCII
)


@each_rule
def test_templates_are_few_and_ask_for_labels_that_the_query_has(rule: Object) -> None:
    labels = set(re.findall(r'"(\w+)"', rule["data"][0]["model"]["query"].partition("GROUP BY")[2]))
    for text in rule["annotations"].values():
        actions = ACTION.findall(text)
        assert all(ALLOWED.fullmatch(one) for one in actions), actions
        assert "{{" not in ACTION.sub("", text)
        assert actions.count("end") == sum(one.startswith("with ") for one in actions)
        assert set(re.findall(r"\.Labels\.(\w+)", text)) <= labels


def strings(value: object, path: str = "") -> list[tuple[str, str]]:
    if isinstance(value, dict):
        return [one for key, inner in value.items() for one in strings(inner, f"{path}.{key}")]
    if isinstance(value, list):
        return [one for inner in value for one in strings(inner, path)]
    return [(path, value)] if isinstance(value, str) else []


def test_a_dollar_sign_stands_nowhere_but_in_a_query_where_grafana_leaves_it_alone() -> None:
    """Grafana expands `$NAME` in titles, labels and, since lately, `${NAME}` in annotations; never in a query's model."""
    found = {path for path, text in strings(DOCUMENT) if "$" in text}
    assert found == {".groups.rules.data.model.query"}
    queries = [text for path, text in strings(DOCUMENT) if path == ".groups.rules.data.model.query"]
    assert all(text.count("$") == text.count("$timeFilter") == 1 for text in queries)


@each_rule
def test_the_runbook_is_a_page_or_a_section_that_exists(rule: Object) -> None:
    url = rule["annotations"]["runbook_url"]
    path, _, section = url.removeprefix(f"{PROJECT_URL}/blob/main/").partition("#")
    page = ROOT / path
    assert page.is_file()
    headings = [line.lstrip("# ").replace("`", "") for line in page.read_text().splitlines() if line.startswith("#")]
    assert not section or section in headings


@each_rule
def test_the_description_is_what_the_page_says_of_clients(rule: Object) -> None:
    finding, said = rule["labels"]["finding"], rule["annotations"]["description"]
    assert said.endswith(".")
    assert len(said) < 300
    if finding not in OF_THE_SCRAPER:
        assert f"* {said}" in " ".join((DOCS / "findings" / f"{finding}.md").read_text().split())


@each_rule
def test_a_summary_names_the_place(rule: Object) -> None:
    said = rule["annotations"]["summary"]
    if rule["labels"]["finding"] in OF_THE_SCRAPER:
        assert ".Labels.fleet" in said
    else:
        assert (".Labels.server" in said) == (rule["labels"]["finding"] not in REPOSITORY_FINDINGS)
        assert (".Labels.repo" in said) == (rule["labels"]["finding"] not in SERVER_FINDINGS)


@each_rule
def test_the_link_leads_to_a_dashboard_that_exists(rule: Object) -> None:
    """Their uids are fixed; where the dashboards are there, the file of that name has it."""
    uid = re.search(r"\}\}d/(cvmfs-\w+)", rule["annotations"]["dashboard_url"]).group(1)  # type: ignore[union-attr]
    assert uid in {"cvmfs-home", "cvmfs-server", "cvmfs-repository"}
    file = GRAFANA / "dashboards" / f"{uid.removeprefix('cvmfs-')}.json"
    text = file.read_text() if file.exists() else ""
    for name in re.findall(r"var-(\w+)=", rule["annotations"]["dashboard_url"]) if text else ():
        assert f'"name": "{name}"' in text
    assert not text or f'"uid": "{uid}"' in text


# --- as Grafana documents it ------------------------------------------------------------------------

STEP = {"refId": str, "relativeTimeRange": dict, "datasourceUid": str, "model": dict}
RULE = {
    "uid": str,
    "title": str,
    "condition": str,
    "data": list,
    "noDataState": str,
    "execErrState": str,
    "for": str,
    "annotations": dict,
    "labels": dict,
    "isPaused": bool,
}
GROUP = {"orgId": int, "name": str, "folder": str, "interval": str, "rules": list}


def fits(value: Object, shape: Mapping[str, type]) -> None:
    assert {key: type(inner) for key, inner in value.items()} == shape


def test_the_file_has_the_keys_and_types_of_grafanas_file_provisioning() -> None:
    fits(DOCUMENT, {"apiVersion": int, "groups": list})
    assert DOCUMENT["apiVersion"] == 1
    for group in DOCUMENT["groups"]:
        fits(group, GROUP)
        assert (group["orgId"], group["folder"], group["interval"]) == (1, "CVMFS", "1m")


@each_rule
def test_a_rule_has_the_keys_and_types_of_grafanas_file_provisioning(rule: Object) -> None:
    fits(rule, RULE)
    assert all(isinstance(text, str) for text in (*rule["annotations"].values(), *rule["labels"].values()))
    assert {"KeepLast", "Alerting"} >= {rule["noDataState"], rule["execErrState"]}
    assert not rule["isPaused"]
    assert rule["labels"]["component"] == "cvmfs"


@each_rule
def test_a_rule_is_a_query_its_last_value_and_a_comparison_of_that(rule: Object) -> None:
    asked, reduced, compared = rule["data"]
    for step, name in zip(rule["data"], "ABC", strict=True):
        fits(step, STEP)
        assert step["refId"] == step["model"]["refId"] == name
        assert step["datasourceUid"] == step["model"]["datasource"]["uid"]
        assert step["relativeTimeRange"]["from"] > step["relativeTimeRange"]["to"] == 0
    assert rule["condition"] == "C"
    assert asked["datasourceUid"] == "influxdb"
    assert (asked["model"]["rawQuery"], asked["model"]["resultFormat"]) == (True, "time_series")
    assert {reduced["datasourceUid"], compared["datasourceUid"]} == {"__expr__"}
    assert (reduced["model"]["type"], reduced["model"]["reducer"], reduced["model"]["expression"]) == (
        "reduce",
        "last",
        "A",
    )
    assert (compared["model"]["type"], compared["model"]["expression"]) == ("threshold", "B")


def test_the_committed_file_says_that_it_is_generated_and_is_what_the_generator_makes() -> None:
    assert TEXT.startswith("# ")
    assert "python -m grafana.generator" in TEXT.splitlines()[0]
    assert rules.files() == {PATH: TEXT}


# --- the examples -----------------------------------------------------------------------------------

EXAMPLES = {path.name: yaml.safe_load(path.read_text()) for path in sorted((GRAFANA / "examples").glob("*.yaml"))}
POINTS = [point for one in EXAMPLES.values() for point in one.get("contactPoints", ())]
RECEIVER = {"uid": str, "type": str, "disableResolveMessage": bool, "settings": dict}
# Grafana skips a setting that it does not know, so a misspelt one would go unnoticed: these, no fewer and no more
SETTINGS: dict[str, dict[str, type]] = {
    "email": {"addresses": str, "singleEmail": bool},
    "slack": {"url": str, "title": str, "text": str},
    "webhook": {"url": str, "httpMethod": str, "authorization_scheme": str, "authorization_credentials": str},
}
ROUTE = {
    *("receiver", "object_matchers", "mute_time_intervals", "routes"),
    *("group_by", "group_wait", "group_interval", "repeat_interval"),
}


def routes(route: Object) -> list[Object]:
    return [route, *(inner for one in route.get("routes", ()) for inner in routes(one))]


def test_contact_points_have_the_settings_of_their_kind_and_uids_of_their_own() -> None:
    receivers = [receiver for point in POINTS for receiver in point["receivers"]]
    assert len({one["uid"] for one in receivers}) == len(receivers) >= 4
    assert {one["type"] for one in receivers} == set(SETTINGS)
    for one in receivers:
        fits(one, RECEIVER)
        fits(one["settings"], SETTINGS[one["type"]])
    for name, one in EXAMPLES.items():
        assert one["apiVersion"] == 1, name


def test_the_policy_sends_to_contact_points_that_exist_and_mutes_at_times_that_exist() -> None:
    (policy,) = EXAMPLES["notification-policy.yaml"]["policies"]
    times = {one["name"] for one in EXAMPLES["mute-timings.yaml"]["muteTimes"]}
    points = {point["name"] for point in POINTS}
    assert policy["receiver"] in points
    for route in routes(policy):
        assert set(route) - {"orgId"} <= ROUTE
        assert route.get("receiver", policy["receiver"]) in points
        assert set(route.get("mute_time_intervals", ())) <= times
        for name, operator, _ in route.get("object_matchers", ()):
            assert operator == "="
            assert name in {"component", "severity", "finding"}


@pytest.mark.parametrize("severity", ["critical", "warning", "info"])
def test_each_severity_has_a_route_of_its_own(severity: str) -> None:
    (policy,) = EXAMPLES["notification-policy.yaml"]["policies"]
    (route,) = [one for one in routes(policy) if ["severity", "=", severity] in one.get("object_matchers", [])]
    if severity == "info":
        assert route["mute_time_intervals"]
    else:
        assert "mute_time_intervals" not in route
        assert duration(route["group_interval"]) <= duration(route["repeat_interval"])
    if severity == "critical":
        assert duration(route["group_wait"]) <= timedelta(minutes=1)


def test_examples_hold_no_secret_but_name_the_variables_that_do() -> None:
    for path in (GRAFANA / "examples").glob("*.yaml"):
        for setting in ("url", "addresses", "authorization_credentials"):
            for value in re.findall(rf"^ +{setting}: (.*)$", path.read_text(), re.MULTILINE):
                assert re.fullmatch(r'"?\$[A-Z_]+"?|http://[\w.:/-]+', value), f"{path.name}: {setting}"


def test_nothing_that_is_provisioned_refers_to_an_example() -> None:
    shipped = [path for path in (GRAFANA / "provisioning").rglob("*.yaml") if not path.name.startswith("local-")]
    for path in shipped:
        assert not {"contactPoints", "policies", "muteTimes"} & set(yaml.safe_load(path.read_text()) or ())


# --- the page ---------------------------------------------------------------------------------------


def test_the_page_names_every_example() -> None:
    page = (DOCS / "alerts.md").read_text()
    assert [name for name in EXAMPLES if name not in page] == []


def test_the_override_file_of_the_page_gives_grafana_what_the_example_for_mail_reads() -> None:
    """`:?` stops Compose with a sentence; Grafana would not start with an empty address, and say so only in its log."""
    (block,) = re.findall(r"```yaml\n(.*?)```", (DOCS / "alerts.md").read_text(), re.DOTALL)
    override = yaml.safe_load(block)
    assert override["services"].keys() == {"grafana"}
    given = override["services"]["grafana"]["environment"]
    read = set(re.findall(r"\$(\w+)", (GRAFANA / "examples" / "contact-point-email.yaml").read_text()))
    assert {name for name in given if not name.startswith("GF_SMTP_")} == read
    for name in (*read, "GF_SMTP_PASSWORD"):
        assert re.fullmatch(r"\$\{\w+:\?.+\}", given[name])
