"""A run as the line of a Nagios check: the worst of what counts, in words, and in performance data."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from telegraf_cvmfs.emit.nagios import checked, line
from telegraf_cvmfs.model import Health, Maintenance, ReplicaVerdict, Role, Server
from tests.builders import runs

OK, WARNING, CRITICAL, UNKNOWN = Health
NUMBER = re.compile(r"([a-z_]+)=(\d+(?:\.\d+)?)(s?);(?:\d*);(?:\d*);(\d*)(?:;(\d+))?")


def numbers(said: str) -> dict[str, str]:
    """The performance data, each as the guidelines of the plugins have it."""
    found = [NUMBER.fullmatch(word) for word in said.rstrip("\n").rpartition(" | ")[2].split(" ")]
    assert all(found)
    return {match[1]: match[2] for match in found if match}


def on_three(*healths: Health) -> list[ReplicaVerdict]:
    where = [Server(f"http://s{n}.tld", f"s{n}.tld", Role.STRATUM1) for n in range(3)]
    return [
        runs.replica(
            on=server, findings=[] if health is OK else [runs.finding("lagging", health, f"{health.name} it is")]
        )
        for server, health in zip(where, healths, strict=True)
    ]


@pytest.mark.parametrize(
    ("healths", "worst"),
    [
        ((OK, OK, OK), OK),
        ((OK, WARNING, OK), WARNING),
        ((OK, UNKNOWN, OK), UNKNOWN),
        ((WARNING, UNKNOWN, OK), WARNING),
        ((OK, UNKNOWN, CRITICAL), CRITICAL),
    ],
)
def test_it_ends_with_the_worst_of_all_repositories_and_of_the_status_of_all_servers(
    healths: tuple[Health, ...], worst: Health
) -> None:
    health, said = checked(runs.run(*on_three(*healths)))
    assert health is worst
    assert said.startswith(f"CVMFS {worst.name} - ")
    assert said.count("\n") == said.count("|") == 1
    for wrong in set(healths) - {OK}:
        assert f"{wrong.name} it is" in said


def test_a_repository_that_too_few_serve_is_told() -> None:
    _, said = checked(runs.run(*on_three(OK, CRITICAL, CRITICAL)))
    assert "- 0 of 1 repository served by all, 1 by 1 of 3; " in said
    assert "redundancy on repo.tld: served as it should be by only 1 of 3" in said
    assert (numbers(said)["repositories_warning"], numbers(said)["servers_critical"]) == ("1", "2")


def test_named_servers_alone_are_judged() -> None:
    run = runs.run(*on_three(OK, WARNING, CRITICAL))
    for names, worst in ((["s0.tld"], OK), (["s1.tld"], WARNING), (["s0.tld", "s2.tld"], CRITICAL)):
        health, said = checked(run, names)
        assert health is worst
        assert f"- {', '.join(names)}: replicas: " in said
        assert numbers(said)["replicas_ok"] == str(names.count("s0.tld"))


def test_what_is_under_maintenance_is_not_bad_but_said() -> None:
    window = Maintenance(runs.NOW, runs.NOW + timedelta(hours=1), why="new disks")
    bad = replace(on_three(OK, OK, CRITICAL)[2], maintenance=window)
    at_work = replace(
        runs.server(bad.replica.server, bad, findings=[runs.finding("server_down", CRITICAL)]), maintenance=window
    )
    health, said = checked(runs.run(*on_three(OK, OK, OK)[:2], at_work))
    assert health is OK
    assert "maintenance of s2.tld until 2026-11-22 13:00 UTC: new disks" in said
    assert (numbers(said)["servers_ok"], numbers(said)["servers_critical"], numbers(said)["replicas_ok"]) == (
        "2",
        "0",
        "2",
    )


def test_a_run_that_was_cut_short_and_a_fault_of_ours_are_unknown_with_the_reason_first() -> None:
    run = runs.run(*on_three(OK, OK, CRITICAL), deadline_hit=True)
    for found, faults, reason in (
        (run, [], "the run's time was up after 1.5 s before everything was read (--deadline)"),
        (
            replace(run, deadline_hit=False, interrupted="SIGTERM"),
            [],
            "SIGTERM ended the run before everything was read",
        ),
        (replace(run, deadline_hit=False), ["too many open files", "x"], "too many open files"),
    ):
        health, said = checked(found, faults=faults)
        assert health is UNKNOWN
        assert said.startswith(f"CVMFS UNKNOWN - {reason}; what was seen is CRITICAL: ")


def test_what_servers_send_ends_neither_the_line_nor_its_text_and_shows_no_login() -> None:
    text = "a\nb\r|c=1\x1b[2J http://user:secret@s.tld/x"
    said = checked(runs.run(runs.replica(findings=[runs.finding("manifest", CRITICAL, text)])))[1]
    assert said.count("|") == said.count("\n") == 1
    assert said[:-1].isprintable()
    assert "secret" not in said
    assert line(UNKNOWN, text) == line(UNKNOWN, text.replace("|", "/"))


def test_the_line_of_a_large_fleet_fits_into_what_old_nrpe_passes_on() -> None:
    servers = [Server(f"http://stratum1-{n}.tld", f"stratum1-{n}.tld", Role.STRATUM1) for n in range(15)]
    bad = [runs.finding("snapshot_old", CRITICAL, "ä" + "x" * 300)]
    replicas = [runs.replica(f"repository-{n}.tld", on=server, findings=bad) for server in servers for n in range(125)]
    said = checked(runs.run(*replicas, deadline_hit=True))[1]
    assert len(said.encode()) <= 1024
    assert numbers(said)["replicas_critical"] == "1875"
