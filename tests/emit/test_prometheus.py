from __future__ import annotations

import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegraf_cvmfs.emit.prometheus import LABELS, finding_metric, metric, render
from telegraf_cvmfs.model import (
    Health,
    Listing,
    Run,
    Snapshotting,
)
from telegraf_cvmfs.points.schema import FIELDS, FINDING, PUBLISH, REPO, SERVER, TAGS, Field
from tests.builders import runs
from tests.builders.exposition import Labels, everything, samples


def of(name: str, run: Run) -> list[tuple[Labels, float]]:
    return [(labels, value) for metric, labels, value in samples(render(run)) if metric == name]


def odd() -> Run:
    """A run in which every field has a value and every text is awkward."""
    where = replace(runs.S1, name='a"b\\c\nd,é🙂')
    verdict = runs.replica(
        'r"\\',
        on=where,
        alias="x\\",
        findings=[runs.finding("lagging", Health.WARNING, 'C:\\new\n"quoted" \ud800')],
        revisions_behind=-3,
        diverged=True,
    )
    return runs.run(runs.server(where, verdict), fleet="f}{")


def test_numbers_have_the_tags_as_labels_and_the_unit_in_the_name() -> None:
    labels = {"fleet": "cvmfs", "role": "stratum1", "server": "stratum1-no.tld", "repo": "repo.tld"}
    run = runs.run(runs.replica(lag=timedelta(hours=1)), fleet="cvmfs")
    assert of("cvmfs_replica_revision", run) == [(labels, 6)]
    assert of("cvmfs_replica_lag_seconds", run) == [(labels, 3600)]
    assert of("cvmfs_replica_root_size_bytes", run) == [(labels, 57344)]
    assert of("cvmfs_replica_published_timestamp_seconds", run) == [(labels, 1795341600)]
    assert of("cvmfs_server_response_time_seconds", run)[0][1] == 0.25
    assert of("cvmfs_scrape_bytes", run) == [({"fleet": "cvmfs"}, 34567)]
    assert of("cvmfs_scrape_started_timestamp_seconds", run) == [({"fleet": "cvmfs"}, 1795348800)]


@pytest.mark.parametrize(
    ("field", "name"),
    [
        (Field("lag", int, "s", ""), "m_lag_seconds"),
        (Field("published", int, "unix time", ""), "m_published_timestamp_seconds"),
        (Field("root_size", int, "bytes", ""), "m_root_size_bytes"),
        (Field("bytes", int, "bytes", ""), "m_bytes"),
        (Field("wait_seconds", int, "s", ""), "m_wait_seconds"),
        (Field("up", int, "", ""), "m_up"),
        (Field("geodb_age", int, "s", ""), "m_geodb_updated_timestamp_seconds"),
        (Field("severity", int, "", ""), None),
        (Field("root_hash", str, "", ""), None),
    ],
)
def test_the_name_of_a_metric_follows_from_the_table(field: Field, name: str | None) -> None:
    assert metric("m", field) == name


def names_of(measurement: str) -> set[str]:
    return {name for field in FIELDS[measurement] if (name := metric(measurement, field))}


def test_no_two_fields_have_the_same_name_here() -> None:
    names = [name for measurement in FIELDS if measurement != FINDING for name in names_of(measurement)]
    assert len(names) == len(set(names))


def test_a_name_says_what_it_is_about_and_is_not_one_of_the_clients_exporter() -> None:
    assert all(name.startswith("cvmfs_replica_") for name in names_of(REPO))
    prefixes = ("cvmfs_replica_", "cvmfs_server_", "cvmfs_repository_", "cvmfs_scrape_")
    assert {name for name, _, _ in samples(render(everything())) if not name.startswith(prefixes)} == set()


def test_no_age_stands_beside_its_moment_and_no_ok_beside_its_code() -> None:
    names = {name for measurement in (REPO, SERVER) for name in names_of(measurement)}
    assert {name for name in names if name.endswith(("_age_seconds", "_in_seconds"))} == {
        "cvmfs_replica_http_age_seconds",  # the Age header, which is no moment
        "cvmfs_replica_proxy_age_seconds",
    }
    assert {name for name in names if name.endswith("_ok")} - {"cvmfs_server_replicas_ok"} == {"cvmfs_replica_check_ok"}
    assert not names & {"cvmfs_replica_severity", "cvmfs_server_severity", "cvmfs_replica_geoapi_status"}
    assert "cvmfs_server_geoapi_status" in names


def test_an_age_without_a_moment_becomes_one_that_stays_the_same_from_run_to_run() -> None:
    snapshot = runs.ok(Snapshotting(datetime(2026, 11, 22, 9, tzinfo=UTC)))
    for started in (runs.NOW, runs.NOW + timedelta(minutes=5, seconds=0.7)):
        run = runs.run(runs.replica(snapshotting=snapshot), started=started)
        assert of("cvmfs_replica_snapshotting_since_timestamp_seconds", run)[0][1] == 1795338000


def test_only_strings_that_do_not_change_by_themselves_are_labels_of_the_info_metrics() -> None:
    (server, _), (replica, value) = (of(f"cvmfs_{name}_info", odd())[0] for name in ("server", "replica"))
    assert value == 1
    assert server.keys() - {"fleet", "role", "server"} == {"backend", "cvmfs_version"}
    assert server["cvmfs_version"] == "2.13.2-1"
    assert replica.keys() - {"fleet", "role", "server", "repo", "alias"} == {"url"}


def test_no_string_hides_a_tag_of_the_same_name() -> None:
    assert all(set(labels).isdisjoint(TAGS[name]) for name, labels in LABELS.items())


def test_what_was_found_is_a_sample_of_its_server_or_replica_and_what_was_not_is_none() -> None:
    run = runs.example()
    found = {(labels["server"], labels["finding"]): value for labels, value in of("cvmfs_replica_finding", run)}
    assert found == {("stratum1-no.tld", "lagging"): 2, ("stratum1-no.tld", "gc_old"): 1}
    servers = {(labels["server"], labels["finding"]): value for labels, value in of("cvmfs_server_finding", run)}
    assert servers == {("stratum1-no.tld", "geoapi_wrong"): 1, ("stratum1-nl.tld", "server_down"): 2}
    judged = {(labels["server"], labels["repo"]) for labels, _ in of("cvmfs_replica_health", run)}
    assert ("stratum1-no.tld", "other.tld") in judged


@pytest.mark.parametrize(
    ("tags", "name"),
    [
        (("fleet", "role", "server", "repo"), "cvmfs_replica_finding"),
        (("fleet", "role", "server", "address"), "cvmfs_server_finding"),
        (("fleet", "repo"), "cvmfs_repository_finding"),
    ],
)
def test_a_finding_is_called_after_what_it_is_about(tags: tuple[str, ...], name: str) -> None:
    assert finding_metric(tags) == name


def test_what_goes_without_saying_has_no_sample() -> None:
    missing = runs.replica("gone.tld", manifest=runs.missed())
    run = runs.run(runs.replica(), missing)
    assert [(labels["repo"], value) for labels, value in of("cvmfs_replica_http_status", run)] == [("gone.tld", 404)]


def test_a_large_fleet_stays_small() -> None:
    text = render(everything())
    assert len(list(samples(text))) < 39_000
    assert len(text) < 5_500_000


def test_texts_are_escaped_and_on_one_line() -> None:
    labels, _ = of("cvmfs_replica_info", odd())[0]
    assert labels["server"] == 'a"b\\c d,é🙂'
    assert labels["alias"] == "x\\"
    assert labels["fleet"] == "f}{"


def test_what_is_not_known_has_no_sample_and_no_empty_label() -> None:
    text = render(runs.run(runs.down()))
    assert "cvmfs_replica_revision" not in text
    assert '""' not in text
    assert '""' not in render(runs.run(runs.server(listing=runs.ok(Listing((), cvmfs_version="")))))
    assert of("cvmfs_replica_up", runs.run(runs.down()))[0][1] == 0


def test_publications_and_times_are_left_out() -> None:
    text = render(runs.example())
    assert PUBLISH not in text
    assert all(len(line.rsplit("} ")[-1].split()) == 1 for line in text.splitlines() if line[0] != "#")


def test_the_samples_of_a_metric_stand_together_below_its_help_and_type() -> None:
    lines = render(runs.example()).splitlines()
    names = [line.split()[2] if line[0] == "#" else line.split("{")[0] for line in lines]
    groups = [
        (name, [lines[index] for index, _ in group]) for name, group in groupby(enumerate(names), lambda pair: pair[1])
    ]
    assert len({name for name, _ in groups}) == len(groups)
    for name, group in groups:
        assert group[0].startswith(f"# HELP {name} ")
        assert group[1] == f"# TYPE {name} gauge"
        assert len(group) > 2
        assert not any(line.startswith("#") for line in group[2:])


def test_of_a_series_that_comes_twice_the_last_is_kept() -> None:
    twice = runs.run(runs.replica(revision=5), runs.replica(revision=6))
    assert [value for _, value in of("cvmfs_replica_revision", twice)] == [6]
    assert len(of("cvmfs_replica_info", twice)) == 1


def test_an_integer_too_large_for_any_other_format_is_left_out_here_too() -> None:
    run = runs.run(runs.replica(revision=10**400))
    assert of("cvmfs_replica_revision", run) == []
    assert len(of("cvmfs_replica_up", run)) == 1


@given(st.lists(st.text(st.characters(), min_size=1, max_size=6), min_size=2, max_size=4))
def test_no_text_breaks_a_line_or_makes_two_series_of_one(repos: list[str]) -> None:
    finding = runs.finding("lagging", Health.WARNING)
    run = runs.run(*(runs.replica(repo, findings=[finding]) for repo in repos))
    series = [(name, tuple(sorted(labels.items()))) for name, labels, _ in samples(render(run))]
    assert len(series) == len(set(series))
    assert render(run).encode().decode() == render(run)


@pytest.mark.parametrize("run", [runs.example(), odd(), runs.run(), runs.run(runs.down_server())])
def test_promtool_finds_nothing_to_say(run: Run, promtool: Path) -> None:
    done = subprocess.run(
        [promtool, "check", "metrics"], input=render(run), capture_output=True, encoding="utf-8", check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
