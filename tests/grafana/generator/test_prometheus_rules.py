"""The rules for Prometheus, which promtool evaluates: each fires for its fault, and none in a day of normal life.

The runs are those with which Grafana's rules are tried; what the exporter tells of them is asked for once a minute.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from grafana.generator import rules
from grafana.generator.rules import prometheus as generated
from telegraf_cvmfs.emit import prometheus
from telegraf_cvmfs.model import Health, Maintenance, Run
from telegraf_cvmfs.words.duration import duration
from tests import ROOT
from tests.builders import runs
from tests.builders.simulation import DAY, HOUR, MINUTE, START, Fault, Monitor, World
from tests.grafana.generator.test_alerts import (
    CUT_SHORT,
    INTERRUPTED,
    INTERVAL,
    PROVISIONED,
    SILENT,
    Year,
    every,
    faulty,
    told,
)

FILE = ROOT / "prometheus" / "rules.yaml"
ASKED = set(re.findall(r"\bcvmfs_\w+", FILE.read_text()))
GROUPS: list[dict[str, Any]] = yaml.safe_load(FILE.read_text())["groups"]
ALERTS = {one["alert"]: one for group in GROUPS for one in group["rules"] if "alert" in one}
TITLES = {uid: rule["title"] for uid, rule in PROVISIONED.items()}

Object = dict[str, Any]
Series = tuple[str, frozenset[tuple[str, str]]]
NOTHING: Mapping[Series, float] = {}


# --- what promtool is given -------------------------------------------------------------------------


def told_by(run: Run, base: datetime) -> dict[Series, float]:
    """The samples of a run that rules ask for, its own times counted from `base`, which is the beginning of promtool's time."""
    found = {
        (family.name, frozenset(labels.items())): float(value)
        for family in prometheus.families(run)
        if family.name in ASKED
        for labels, value in family.samples
    }
    return {
        series: value - base.timestamp() if series[0] == prometheus.STARTED else value
        for series, value in found.items()
    }


def scraped(made: Sequence[Run], base: datetime, minutes: int) -> list[Mapping[Series, float]]:
    """What Prometheus gets each minute: always what the last run has told."""
    each, told_now, left = list[Mapping[Series, float]](), NOTHING, list(made)
    for number in range(minutes + 1):
        while left and left[0].started <= base + number * MINUTE:
            told_now = told_by(left.pop(0), base)
        each.append(told_now)
    return each


def input_series(minutes: Sequence[Mapping[Series, float]]) -> Iterator[Object]:
    """Each series in promtool's notation; one that ends gets the mark with which Prometheus ends it."""
    for name, labels in dict.fromkeys(series for minute in minutes for series in minute):
        values = [minute.get((name, labels)) for minute in minutes]
        words = [
            repr(value) if value is not None else "stale" if before is not None else "_"
            for before, value in zip([None, *values], values, strict=False)
        ]
        text = ",".join(f'{label}="{value}"' for label, value in sorted(labels))
        yield {"series": f"{name}{{{text}}}", "values": " ".join(words)}


def group(name: str, minutes: Sequence[Mapping[Series, float]], *asked: Object) -> Object:
    """One test of promtool: what was scraped, and what is asked then."""
    return {
        "name": name,
        "interval": "1m",
        "input_series": list(input_series(minutes)),
        "promql_expr_test": list(asked),
    }


def firing(title: str, minute: int, labels: Iterable[frozenset[tuple[str, str]]]) -> Object:
    """That so many minutes after the beginning an alert fires with these labels, and with no others."""
    samples = [{"labels": _alert(title, one), "value": 1} for one in labels]
    query = f'ALERTS{{alertname="{title}",alertstate="firing"}}'
    return {"expr": query, "eval_time": f"{minute}m", "exp_samples": samples}


def _alert(title: str, labels: frozenset[tuple[str, str]]) -> str:
    every_label = {**dict(labels), "alertname": title, "alertstate": "firing"}
    return "ALERTS{" + ",".join(f'{name}="{value}"' for name, value in every_label.items()) + "}"


def passes(promtool: Path, folder: Path, *groups: Object, evaluated: str = "1m") -> None:
    """Promtool finds all of it to be so. In long tests rules are evaluated as seldom as runs are made, which takes less."""
    path = folder / "tests.yaml"
    order = {"group_eval_order": [one["name"] for one in GROUPS]}  # else by chance: some ask for what others recorded
    tests = {"rule_files": [str(FILE)], "evaluation_interval": evaluated, "tests": groups, **order}
    path.write_text(json.dumps(tests))
    done = subprocess.run([promtool, "test", "rules", path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def under_maintenance(run: Run) -> Run:
    """The same run while all of its fleet is worked on."""
    window = Maintenance(run.started, run.started + HOUR)
    quiet = [
        replace(one, maintenance=window, replicas=tuple(replace(each, maintenance=window) for each in one.replicas))
        for one in run.servers
    ]
    return runs.run(*quiet, started=run.started)


# --- complete ---------------------------------------------------------------------------------------


def test_promtool_finds_nothing_wrong_with_the_file(promtool: Path) -> None:
    done = subprocess.run([promtool, "check", "rules", FILE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "SUCCESS" in done.stdout


def test_each_rule_of_grafana_is_one_of_prometheus_with_the_same_time_labels_and_links() -> None:
    assert ALERTS.keys() == {rule["title"] for rule in PROVISIONED.values()}
    for rule in PROVISIONED.values():
        one = ALERTS[rule["title"]]
        assert (one["for"], one["labels"]) == (rule["for"], rule["labels"])
        for name in ("summary", "description", "runbook_url"):
            assert one["annotations"][name] == rule["annotations"][name]
        path = rule["annotations"]["dashboard_url"].removeprefix("{{ externalURL }}")
        page, question, chosen = path.partition("?")
        path = f"{page}-prometheus{question}{chosen}"
        assert f"{{{{ .ExternalLabels.grafana }}}}/{path}{{{{ end }}}}" in one["annotations"]["dashboard_url"]


def test_what_a_rule_asks_for_is_what_the_exporter_tells() -> None:
    asked = {name for rule in rules.rules() for name in re.findall(r"cvmfs_\w+", generated.expression(rule))}
    told = (*prometheus.families(runs.example()), *prometheus.families(under_maintenance(runs.example())))
    assert asked <= {family.name for family in told}
    assert len(asked) == 12


# --- what fires -------------------------------------------------------------------------------------


def of_its_fault(uid: str, folder: Path) -> Object:
    patience = duration(PROVISIONED[uid]["for"])
    with faulty(uid, folder) as (start, made):
        seen = [made(now) for now in every(INTERVAL, start, start + patience)]
    labels = told(seen, uid)
    assert labels, "the fault is one for which it fires"
    minutes = patience // MINUTE
    return group(
        uid,
        scraped(seen, start, minutes),
        firing(TITLES[uid], minutes - 1, ()),
        firing(TITLES[uid], minutes, labels),
    )


@pytest.mark.slow
def test_each_rule_fires_for_its_fault_alone_and_not_before_its_time(promtool: Path, tmp_path: Path) -> None:
    uids = [uid for uid in PROVISIONED if uid not in (SILENT, *CUTS)]
    groups = []
    for uid in uids:
        (folder := tmp_path / uid).mkdir()
        groups.append(of_its_fault(uid, folder))
    passes(promtool, tmp_path, *groups, evaluated="5m")


def lagging(started: datetime, health: Health | None) -> Run:
    found = [] if health is None else [runs.finding("lagging", health)]
    return runs.run(runs.replica(findings=found), started=started)


LAGS = {"fleet": "cvmfs", "role": "stratum1", "server": "stratum1-no.tld", "repo": "repo.tld"}
CRITICAL = frozenset({**LAGS, "severity": "critical", "finding": "lagging", "component": "cvmfs"}.items())
LATE = TITLES["cvmfs-lagging-critical"]


def test_a_lost_scrape_and_a_restart_are_bridged_and_a_repair_ends_the_alert_at_once(
    promtool: Path, tmp_path: Path
) -> None:
    bad, good = (told_by(lagging(START, health), START) for health in (Health.CRITICAL, None))
    lost = [*[bad] * 8, NOTHING, *[bad] * 2, *[NOTHING] * 5, *[bad] * 4]
    withdrawn = [*[bad] * 20, *[NOTHING] * 20]
    passes(
        promtool,
        tmp_path,
        group("lost scrapes", lost, firing(LATE, 14, ()), firing(LATE, 15, [CRITICAL]), firing(LATE, 19, [CRITICAL])),
        group("repaired", [*[bad] * 20, good, good], firing(LATE, 19, [CRITICAL]), firing(LATE, 20, ())),
        group("withdrawn", withdrawn, firing(LATE, 33, [CRITICAL]), firing(LATE, 36, ())),
        group("flaps", [bad, good] * 20, *(firing(LATE, minute, ()) for minute in (15, 20, 39))),
    )


def test_maintenance_ends_alerts_at_once_and_is_no_lost_availability(promtool: Path, tmp_path: Path) -> None:
    run = lagging(START, Health.CRITICAL)
    bad, quiet = told_by(run, START), told_by(under_maintenance(run), START)
    nobody = TITLES["cvmfs-redundancy-critical"]
    labels = {"fleet": "cvmfs", "repo": "repo.tld", "severity": "critical", "finding": "redundancy"}
    of_users = frozenset({**labels, "component": "cvmfs"}.items())
    level = ("replica", "server", "repository")
    available = [f"{one}:cvmfs_available:{'avg' if one == 'server' else 'max'}" for one in level]
    passes(
        promtool,
        tmp_path,
        group(
            "maintenance",
            [*[bad] * 20, *[quiet] * 20],
            firing(LATE, 19, [CRITICAL]),
            firing(nobody, 19, [of_users]),
            *(firing(title, minute, ()) for title in (LATE, nobody) for minute in (20, 39)),
            *({"expr": f"count({one})", "eval_time": "39m", "exp_samples": []} for one in available),
        ),
    )


def test_two_exporters_of_one_fleet_are_one_alert(promtool: Path, tmp_path: Path) -> None:
    one = told_by(lagging(START, Health.CRITICAL), START)
    two = {(name, labels | {("instance", where)}): value for (name, labels), value in one.items() for where in "ab"}
    passes(promtool, tmp_path, group("two", [two] * 16, firing(LATE, 15, [CRITICAL])))


def test_silence_is_told_of_the_fleet_that_is_silent_and_of_any_where_there_is_none(
    promtool: Path, tmp_path: Path
) -> None:
    made = [runs.run(started=now) for now in every(INTERVAL, START, START + HOUR)]
    hung = scraped(made, START, 200)
    labels = PROVISIONED[SILENT]["labels"]
    of_the_fleet = frozenset({**labels, "fleet": "cvmfs"}.items())
    title = TITLES[SILENT]
    late, ended = (
        scraped([runs.run(started=START, deadline_hit=by == "", interrupted=by)], START, 31) for by in ("", "SIGTERM")
    )
    passes(
        promtool,
        tmp_path,
        group("hung", hung, firing(title, 60, ()), firing(title, 100, ()), firing(title, 101, [of_the_fleet])),
        group("gone", [*hung[:61], *[NOTHING] * 90], firing(title, 100, ()), firing(title, 101, [of_the_fleet])),
        group("never", [NOTHING] * 12, firing(title, 9, ()), firing(title, 10, [frozenset(labels.items())])),
        *(
            group(
                uid,
                cut,
                firing(TITLES[uid], 29, ()),
                firing(TITLES[uid], 30, [frozenset({**PROVISIONED[uid]["labels"], "fleet": "cvmfs"}.items())]),
                *(firing(TITLES[other], 30, ()) for other in CUTS if other != uid),
            )
            for uid, cut in zip(CUTS, (late, ended), strict=True)
        ),
    )


CUTS = CUT_SHORT, INTERRUPTED


# --- what is no fault -------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_healthy_fleet_is_silent_for_a_day(promtool: Path, tmp_path: Path) -> None:
    begin = START + HOUR
    faults = (
        Fault("down", "a", begin + 3 * HOUR + 2 * MINUTE, begin + 3 * HOUR + 12 * MINUTE),  # a reboot
        Fault("stale", "b", begin + 6 * HOUR, begin + 7 * HOUR + 20 * MINUTE),  # a revision behind
    )
    year = Year(
        World({"busy.tld": HOUR, "daily.tld": DAY, "dormant.tld": None}, faults=faults, seed=7),
        Monitor(tmp_path / "memory.json"),
        lost=frozenset({begin + 8 * HOUR, begin + 3 * HOUR + 15 * MINUTE}),
        slow=frozenset({begin + 9 * HOUR}),
        hurried=frozenset({begin + 13 * HOUR}),
        late=30,
    )
    year.live(begin, begin + DAY)
    minutes = scraped(year.runs, begin, DAY // MINUTE)
    asked = 'sum(sum_over_time(ALERTS{alertstate="firing"}[24h]))'
    pending = 'sum(sum_over_time(ALERTS{alertstate="pending",alertname="CVMFS server_down"}[24h])) > bool 0'
    passes(
        promtool,
        tmp_path,
        group(
            "a day",
            minutes,
            {"expr": asked, "eval_time": "24h", "exp_samples": []},
            {"expr": pending, "eval_time": "24h", "exp_samples": [{"labels": "{}", "value": 1}]},
        ),
        evaluated="5m",
    )


# --- availability -----------------------------------------------------------------------------------


def test_availability_counts_what_was_known_and_a_repository_is_available_where_one_stratum_1_is(
    promtool: Path, tmp_path: Path
) -> None:
    def judged(one: Health, other: Health) -> Run:
        replicas = [runs.replica(on=where, health=health) for where, health in ((runs.S1, one), (runs.S1_NL, other))]
        return runs.run(*replicas, runs.replica(on=runs.S0, health=Health.OK), runs.replica("own.tld", on=runs.S0))

    good, bad, blind = (
        told_by(judged(*healths), START)
        for healths in (
            (Health.OK, Health.WARNING),
            (Health.CRITICAL, Health.OK),
            (Health.CRITICAL, Health.UNKNOWN),
        )
    )
    minutes = [*[good] * 10, *[bad] * 10, *[blind] * 10]

    def is_(expr: str, minute: int, *values: float) -> Object:
        samples = [{"labels": "{}", "value": value} for value in values]
        return {"expr": f"avg by () ({expr})", "eval_time": f"{minute}m", "exp_samples": samples}

    one, other = 'server="stratum1-no.tld"', 'server="stratum1-nl.tld"'
    passes(
        promtool,
        tmp_path,
        group(
            "availability",
            minutes,
            is_(f"replica:cvmfs_available:max{{{one}}}", 9, 1),
            is_(f"replica:cvmfs_available:max{{{one}}}", 19, 0),
            is_(f"replica:cvmfs_available:max{{{other}}}", 29),
            is_(f"server:cvmfs_available:avg{{{other}}}", 9, 1),
            is_('repository:cvmfs_available:max{repo="repo.tld"}', 19, 1),
            is_('repository:cvmfs_available:max{repo="repo.tld"}', 29, 0),
            is_('repository:cvmfs_available:max{repo="own.tld"}', 29, 1),
            is_(f"replica:cvmfs_available:avg_1d{{{one}}}", 19, 0.5),
            is_(f"replica:cvmfs_available:avg_30d{{{other}}}", 29, 1),
        ),
    )


def test_spans_of_the_rules_are_those_of_the_program() -> None:
    assert timedelta(seconds=generated.SILENT_FOR) == timedelta(minutes=30)
    assert {group["interval"] for group in GROUPS if "alert" in group["rules"][0]} == {"1m"}
