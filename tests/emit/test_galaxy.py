from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from line_protocol_parser import parse_line  # type: ignore[import-untyped]

from telegraf_cvmfs.emit.galaxy import render
from telegraf_cvmfs.model import Manifest, ReplicaVerdict, Result
from tests.builders import runs
from tests.programs.telegraf import Texts

MANIFEST = replace(runs.MANIFEST, published=datetime(2026, 11, 20, 20, 0, tzinfo=UTC))


def written(manifest: Manifest) -> str:
    return render(runs.run(runs.replica(manifest=runs.ok(manifest))))


@pytest.mark.parametrize(
    ("manifest", "fields"),
    [
        (MANIFEST, "value=1,size=57344,gc=f,ts=1795204800,rev=6"),
        (replace(MANIFEST, garbage_collectable=True), "value=1,size=57344,gc=t,ts=1795204800,rev=6"),
        (replace(MANIFEST, root_size=None), "value=1,gc=f,ts=1795204800,rev=6"),
        (replace(MANIFEST, published=None), "value=1,size=57344,gc=f,rev=6"),
        (replace(MANIFEST, revision=2**64), "value=1,size=57344,gc=f,ts=1795204800"),
        (replace(MANIFEST, root_size=0, revision=0), "value=1,size=0,gc=f,ts=1795204800,rev=0"),
    ],
)
def test_a_replica_that_is_up_has_the_fields_of_the_role_without_what_is_not_known(
    manifest: Manifest, fields: str
) -> None:
    assert written(manifest) == f"cvmfs.status,server=stratum1-no.tld,repo=repo.tld {fields}\n"


@pytest.mark.parametrize("result", [Result.TIMEOUT, Result.NOT_FOUND, Result.NAME_MISMATCH])
def test_a_replica_that_is_down_has_value_0_alone(result: Result) -> None:
    down = render(runs.run(runs.down(result=result)))
    assert down == "cvmfs.status,server=stratum1-no.tld,repo=repo.tld value=0\n"


def test_all_numbers_are_floats_and_there_is_no_time() -> None:
    line = written(MANIFEST).removesuffix("\n")
    parsed = parse_line(f"{line} 1")
    assert {name: type(value) for name, value in parsed["fields"].items()} == {
        "value": float, "size": float, "gc": bool, "ts": float, "rev": float,
    }  # fmt: skip
    assert line.count(" ") == 1


def test_every_repository_on_every_server_has_one_line_in_the_order_of_the_run() -> None:
    lines = render(runs.example()).splitlines()
    assert [line.split(" ")[0] for line in lines] == [
        "cvmfs.status,server=stratum0.tld,repo=repo.tld",
        "cvmfs.status,server=stratum1-no.tld,repo=repo.tld",
        "cvmfs.status,server=stratum1-no.tld,repo=other.tld",
        "cvmfs.status,server=stratum1-no.tld,repo=through.tld",
        "cvmfs.status,server=stratum1-nl.tld,repo=repo.tld",
    ]


@pytest.mark.parametrize(
    "pair",
    [
        (runs.replica(revision=6), runs.replica(revision=5, alias="pub/repo")),
        (runs.replica(revision=5, alias="pub/repo"), runs.replica(revision=6)),
    ],
)
def test_of_two_paths_to_one_repository_the_one_without_an_alias_counts(
    pair: tuple[ReplicaVerdict, ReplicaVerdict],
) -> None:
    lines = render(runs.run(*pair)).splitlines()
    assert len(lines) == 1
    assert lines[0].endswith(",rev=6")


@given(st.text(st.characters(), max_size=8), st.text(alphabet='\\, ="\n', max_size=4))
def test_no_name_breaks_the_line(repo: str, server: str) -> None:
    where = replace(runs.S1, name=f"s{server}")
    text = render(runs.run(runs.replica(f"r{repo}", on=where)))
    assert text.splitlines() == [text[:-1]]
    tags = parse_line(f"{text[:-1]} 1")["tags"]
    assert tags["repo"].startswith("r")
    assert tags["server"].startswith("s")


@pytest.mark.parametrize("name", ["", " ", "\\"])
def test_a_name_of_which_nothing_can_be_written_costs_only_its_own_line(name: str) -> None:
    lines = render(runs.run(runs.replica(name), runs.replica("repo.tld"))).splitlines()
    assert [line.split(" ")[0] for line in lines] == ["cvmfs.status,server=stratum1-no.tld,repo=repo.tld"]


def test_telegraf_reads_a_whole_run(telegraf_parses: Texts) -> None:
    telegraf_parses.add(render(runs.example()))


def test_a_run_without_replicas_has_no_lines() -> None:
    assert render(runs.run(runs.server())) == ""
