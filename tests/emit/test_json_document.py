from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta, timezone
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from telegraf_cvmfs import __version__
from telegraf_cvmfs.emit.json_document import render
from telegraf_cvmfs.model import Backend, Health, Listing, Meta, Run
from telegraf_cvmfs.points.rows import Point, points
from telegraf_cvmfs.points.schema import PUBLISH, REPO, SCRAPE, SERVER
from tests.builders import runs


def document(run: Run) -> Any:
    return json.loads(render(run), parse_constant=lambda name: f"not JSON: {name}")


def replicas(written: Any) -> Iterator[tuple[Any, Any]]:
    return ((server, replica) for server in written["servers"] for replica in server["replicas"])


def of(measurement: str, run: Run) -> list[Point]:
    return [row for row in points(run) if row.measurement == measurement]


def test_the_document_says_what_it_is_and_when_it_was_made() -> None:
    written = document(runs.run(fleet="eessi"))
    assert list(written) == [
        "schema", "program", "version", "fleet", "started", "scrape", "servers", "repositories", "publications",
    ]  # fmt: skip
    assert written["schema"] == 1
    assert written["program"] == "telegraf-cvmfs"
    assert written["version"] == __version__
    assert written["fleet"] == "eessi"
    assert written["started"] == "2026-11-22T12:00:00.123456Z"
    assert written["servers"] == []


def test_the_start_is_in_utc_and_always_as_long() -> None:
    elsewhere = runs.NOW.replace(microsecond=0).astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert document(runs.run(started=elsewhere))["started"] == "2026-11-22T12:00:00.000000Z"


def test_every_field_has_the_name_the_value_and_the_type_that_it_has_in_line_protocol() -> None:
    run = runs.example()
    written = document(run)
    assert written["scrape"] == of(SCRAPE, run)[0].fields
    found = list(replicas(written))
    assert len(found) == len(run.replicas)
    for (server, replica), row in zip(found, of(REPO, run), strict=True):
        assert (server["server"], replica["repo"], replica.get("alias")) == (
            row.tags["server"], row.tags["repo"], row.tags.get("alias"),
        )  # fmt: skip
        assert {name: (value, type(value)) for name, value in replica.items() if name in row.fields} == {
            name: (value, type(value)) for name, value in row.fields.items()
        }
    for server, row in zip(written["servers"], of(SERVER, run), strict=True):
        assert {name: server[name] for name in row.fields} == row.fields


def test_what_is_not_known_is_left_out() -> None:
    server = document(runs.run(runs.down_server(runs.S1, runs.down())))["servers"][0]
    assert "administrator" not in server
    assert "response_time" not in server
    replica = server["replicas"][0]
    assert {"alias", "revision", "manifest", "whitelist"}.isdisjoint(replica)
    assert replica["up"] == 0
    assert "null" not in render(runs.example())


def test_a_server_has_its_role_its_url_and_who_runs_it() -> None:
    server = document(runs.example())["servers"][1]
    assert {name: server[name] for name in ("role", "url", "administrator", "email", "organisation")} == {
        "role": "stratum1",
        "url": "http://stratum1-no.tld",
        "administrator": "A. N. Operator",
        "email": "cvmfs@stratum1-no.tld",
        "organisation": "Example",
    }


def test_a_server_says_what_its_system_is_and_which_entries_of_its_list_were_rejected() -> None:
    listing = Listing((), os_id="rhel", os_pretty_name="Example Linux 9", rejected=("entry 3 has no name",))
    server = document(runs.run(runs.server(listing=runs.ok(listing), backend=Backend.CVMFS)))["servers"][0]
    assert server["rejected"] == ["entry 3 has no name"]
    assert server["os_id"] == "rhel"
    assert server["os_pretty_name"] == "Example Linux 9"
    assert "os_version_id" not in server


def test_what_is_not_understood_of_a_servers_list_and_of_who_runs_it_is_named() -> None:
    listing = Listing((), unreadable=(("os_id", "os_id is not understood: '7'"),))
    meta = Meta(unreadable=(("email", "email is not understood: a list"),))
    server = document(runs.run(runs.server(listing=runs.ok(listing), meta=runs.ok(meta))))["servers"][0]
    assert server["not_understood"] == ["os_id is not understood: '7'", "email is not understood: a list"]


def test_all_findings_are_there_and_not_only_the_worst() -> None:
    server = document(runs.example())["servers"][1]
    assert server["findings"] == [{"finding": "geoapi_wrong", "health": 1, "problem": 'asked for "1,2,3", got "3,2,1"'}]
    assert [(one["finding"], one["health"]) for one in server["replicas"][0]["findings"]] == [
        ("lagging", Health.CRITICAL),
        ("gc_old", Health.WARNING),
    ]


def test_what_is_no_time_series_of_manifest_and_whitelist_is_there() -> None:
    replica = document(runs.example())["servers"][0]["replicas"][0]
    assert replica["is_reference"] is True
    assert replica["whitelist"] == {"fingerprints": ["AA:BB:CC:DD"]}
    assert replica["manifest"] == {
        "root_path_hash": runs.MANIFEST.root_path_hash,
        "certificate": runs.MANIFEST.certificate,
        "history": runs.MANIFEST.history,
        "metainfo": runs.MANIFEST.metainfo,
        "alternative_path": False,
    }


def test_a_replica_that_is_passed_through_is_there_without_a_verdict() -> None:
    replica = document(runs.example())["servers"][1]["replicas"][2]
    assert replica["repo"] == "through.tld"
    assert replica["pass_through"] is True
    assert "health" not in replica


def test_publications_are_those_of_the_points() -> None:
    run = runs.example()
    expected = [{"repo": "repo.tld", "published": 1795341600, **of(PUBLISH, run)[0].fields}]
    assert document(run)["publications"] == expected


def test_one_repository_under_two_paths_is_two_replicas_with_their_own_fields() -> None:
    run = runs.run(runs.replica(revision=6), runs.replica(revision=5, alias="pub/repo"))
    assert [(one.get("alias"), one["revision"]) for _, one in replicas(document(run))] == [
        (None, 6),
        ("pub/repo", 5),
    ]


def test_a_number_that_no_database_holds_is_left_out() -> None:
    replica = document(runs.run(runs.replica(revision=2**63)))["servers"][0]["replicas"][0]
    assert "revision" not in replica
    assert replica["up"] == 1


@given(st.text(st.characters(), max_size=10), st.text(alphabet='\x1b[0m"\\\ud800\n\x7f\x9b', max_size=6))
def test_any_text_survives_any_reader_and_any_terminal(organisation: str, name: str) -> None:
    meta = replace(runs.META, organisation=f"{organisation}.")
    where = replace(runs.S1, name=f"s{name}")
    text = render(runs.run(runs.server(where, runs.replica(on=where), meta=runs.ok(meta))))
    assert text.isascii()
    assert text.endswith("}\n")
    assert all(character.isprintable() or character == "\n" for character in text)
    read = json.loads(text)["servers"][0]
    assert read["organisation"].encode().decode().endswith(".")
    assert len(read["replicas"]) == 1
    assert read["replicas"][0]["revision"] == 6
