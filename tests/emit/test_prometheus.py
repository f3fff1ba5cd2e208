from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import groupby
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegraf_cvmfs.emit.prometheus import metric, render
from telegraf_cvmfs.model import Health, Listing, Run
from telegraf_cvmfs.points.schema import FIELDS, PUBLISH, TAGS, Field
from tests.builders import runs

SAMPLE = re.compile(r'([a-z0-9_]+)\{((?:[a-z_]+="(?:[^"\\]|\\["\\])*"(?:,(?!\})|(?=\})))*)\} (\S+)')
LABEL = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"')

Labels = dict[str, str]


def samples(text: str) -> Iterator[tuple[str, Labels, float]]:
    for line in text.splitlines():
        if not line.startswith("#"):
            sample = SAMPLE.fullmatch(line)
            assert sample, line
            labels = {name: re.sub(r"\\(.)", r"\1", value) for name, value in LABEL.findall(sample[2])}
            yield sample[1], labels, float(sample[3])


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
    assert of("cvmfs_repo_revision", run) == [(labels, 6)]
    assert of("cvmfs_repo_lag_seconds", run) == [(labels, 3600)]
    assert of("cvmfs_repo_root_size_bytes", run) == [(labels, 57344)]
    assert of("cvmfs_repo_published_timestamp_seconds", run) == [(labels, 1795341600)]
    assert of("cvmfs_server_response_time_seconds", run)[0][1] == 0.25
    assert of("cvmfs_scrape_bytes", run) == [({"fleet": "cvmfs"}, 34567)]


@pytest.mark.parametrize(
    ("field", "name"),
    [
        (Field("lag", int, "s", ""), "m_lag_seconds"),
        (Field("published", int, "unix time", ""), "m_published_timestamp_seconds"),
        (Field("root_size", int, "bytes", ""), "m_root_size_bytes"),
        (Field("bytes", int, "bytes", ""), "m_bytes"),
        (Field("wait_seconds", int, "s", ""), "m_wait_seconds"),
        (Field("up", int, "", ""), "m_up"),
    ],
)
def test_the_name_of_a_metric_follows_from_the_table(field: Field, name: str) -> None:
    assert metric("m", field) == name


def test_no_two_fields_have_the_same_name_here() -> None:
    names = [metric(measurement, field) for measurement, fields in FIELDS.items() for field in fields]
    assert len(names) == len(set(names))


def test_no_string_hides_a_tag_of_the_same_name() -> None:
    assert all({field.name for field in fields}.isdisjoint(TAGS[name]) for name, fields in FIELDS.items())


def test_strings_are_labels_of_the_info_metrics() -> None:
    (server, _), (replica, value) = (of(f"cvmfs_{name}_info", odd())[0] for name in ("server", "repo"))
    assert value == 1
    assert server["backend"] == "cvmfs"
    assert server["cvmfs_version"] == "2.13.2-1"
    assert replica["root_hash"] == runs.MANIFEST.root_catalog
    assert replica["finding"] == "lagging"


def test_texts_are_escaped_and_on_one_line() -> None:
    labels, _ = of("cvmfs_repo_info", odd())[0]
    assert labels["server"] == 'a"b\\c d,é🙂'
    assert labels["problem"] == 'C:\\new "quoted"  '
    assert labels["alias"] == "x\\"
    assert labels["fleet"] == "f}{"


def test_what_is_not_known_has_no_sample_and_no_empty_label() -> None:
    text = render(runs.run(runs.down()))
    assert "cvmfs_repo_revision" not in text
    assert '""' not in text
    assert '""' not in render(runs.run(runs.server(listing=runs.ok(Listing((), cvmfs_version="")))))
    assert of("cvmfs_repo_up", runs.run(runs.down()))[0][1] == 0


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
    assert [value for _, value in of("cvmfs_repo_revision", twice)] == [6]
    assert len(of("cvmfs_repo_info", twice)) == 1


def test_an_integer_too_large_for_any_other_format_is_left_out_here_too() -> None:
    run = runs.run(runs.replica(revision=10**400))
    assert of("cvmfs_repo_revision", run) == []
    assert len(of("cvmfs_repo_up", run)) == 1


@given(
    st.lists(st.text(st.characters(), min_size=1, max_size=6), min_size=2, max_size=4),
    st.text(alphabet='"\\\n}a'),
)
def test_no_text_breaks_a_line_or_makes_two_series_of_one(repos: list[str], problem: str) -> None:
    finding = runs.finding("lagging", Health.WARNING, f"!{problem}")
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
