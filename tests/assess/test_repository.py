"""Redundancy: clients fail over, so what counts is how many stratum 1s serve a repository as they should."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from telegraf_cvmfs.assess.repository import repository_verdicts
from telegraf_cvmfs.model import (
    LIMITS,
    Finding,
    Fleet,
    Health,
    Limit,
    Maintenance,
    ReplicaVerdict,
    RepositoryVerdict,
    Result,
    Role,
    Server,
    ServerVerdict,
)
from telegraf_cvmfs.words.served import in_one_phrase
from tests.builders.runs import NOW, S0, down, finding, missed, replica, server

OK, WARNING, CRITICAL, UNKNOWN = Health
BAD = [finding("lagging", CRITICAL)]
LATE = [finding("lagging", WARNING)]


def stratum1(number: int) -> Server:
    return Server(f"http://s1-{number}.tld", f"s1-{number}.tld", Role.STRATUM1)


def of_healths(*healths: Health) -> list[ReplicaVerdict]:
    return [replica(on=stratum1(number), health=health) for number, health in enumerate(healths)]


def verdict(*replicas: ReplicaVerdict, fleet: Fleet | None = None) -> RepositoryVerdict:
    """What is made of one repository; the servers themselves do not matter."""
    servers: dict[str, list[ReplicaVerdict]] = {}
    for one in replicas:
        servers.setdefault(one.replica.server.label, []).append(one)
    verdicts: list[ServerVerdict] = [server(group[0].replica.server, *group) for group in servers.values()]
    (found,) = repository_verdicts(fleet or Fleet(()), verdicts)
    return found


def redundancy(found: RepositoryVerdict) -> Finding | None:
    assert all(one.slug == "redundancy" for one in found.findings)
    assert found.health == (found.findings[0].health if found.findings else OK)
    return found.findings[0] if found.findings else None


@pytest.mark.parametrize(
    ("healths", "ok", "health"),
    [
        ((OK, OK, OK), 3, None),
        ((OK, OK, CRITICAL), 2, None),
        ((OK, CRITICAL, CRITICAL), 1, WARNING),
        ((CRITICAL, CRITICAL, CRITICAL), 0, CRITICAL),
        ((OK,), 1, None),
        ((CRITICAL,), 0, CRITICAL),
        ((OK, CRITICAL), 1, WARNING),
        ((WARNING, WARNING), 2, None),  # served as it should be: what may become bad is told for each replica
        ((OK, UNKNOWN), 1, UNKNOWN),
        ((UNKNOWN, UNKNOWN), 0, UNKNOWN),
        ((CRITICAL, UNKNOWN, CRITICAL), 0, WARNING),  # one at best, and that is sure to be too few
        ((OK, UNKNOWN, CRITICAL), 1, UNKNOWN),
        ((OK, OK, UNKNOWN), 2, None),
    ],
)
def test_redundancy_is_how_many_stratum_1s_serve_it_as_they_should(
    healths: tuple[Health, ...], ok: int, health: Health | None
) -> None:
    found = verdict(*of_healths(*healths))
    assert (found.replicas_ok, len(found.replicas)) == (ok, len(healths))
    told = redundancy(found)
    assert (told and told.health) == health


def test_a_server_that_is_down_serves_nothing() -> None:
    gone = [replace(down(on=stratum1(number)), server_down=True) for number in (1, 2)]
    told = redundancy(verdict(*gone))
    assert told is not None
    assert told.health is CRITICAL
    assert told.problem == "served as it should be by none of 2 stratum 1s: not by s1-1.tld, s1-2.tld"


def test_a_stratum_0_is_none_of_the_servers_that_clients_have_where_there_is_a_stratum_1() -> None:
    found = verdict(replica(on=S0, is_reference=True), replica(on=stratum1(1), findings=BAD))
    assert len(found.replicas) == 1
    told = redundancy(found)
    assert told is not None
    assert told.health is CRITICAL


def test_without_a_stratum_1_every_server_counts() -> None:
    assert redundancy(verdict(replica(on=S0))) is None
    told = redundancy(verdict(replica(on=S0, findings=BAD)))
    assert told is not None
    assert told.problem == "served as it should be by none of 1 server: not by stratum0.tld"


@pytest.mark.parametrize(("enough", "health"), [(1, None), (2, WARNING), (9, WARNING)])
def test_how_many_are_enough_is_said_in_the_fleet_file(enough: int, health: Health | None) -> None:
    told = redundancy(verdict(*of_healths(OK, CRITICAL, CRITICAL), fleet=Fleet((), min_replicas_ok=enough)))
    assert (told and told.health) == health


def test_more_than_there_are_is_all_of_them() -> None:
    assert redundancy(verdict(*of_healths(OK, OK), fleet=Fleet((), min_replicas_ok=9))) is None


@pytest.mark.parametrize(
    ("limit", "healths", "health"),
    [
        (Limit(True, None), (CRITICAL, CRITICAL), WARNING),
        (Limit(None, True), (CRITICAL, CRITICAL), CRITICAL),
        (Limit(None, True), (OK, CRITICAL), None),
        (Limit(), (CRITICAL, CRITICAL), None),
        (Limit(), (UNKNOWN, CRITICAL), None),
    ],
)
def test_each_severity_can_be_switched_off(limit: Limit, healths: tuple[Health, ...], health: Health | None) -> None:
    fleet = Fleet((), limits={**LIMITS, "redundancy": limit})
    told = redundancy(verdict(*of_healths(*healths), fleet=fleet))
    assert (told and told.health) == health


def test_a_server_that_neither_lists_nor_serves_it_has_no_replica() -> None:
    gone = replica(on=stratum1(2), manifest=missed(Result.UNLISTED), findings=[finding("manifest", WARNING)])
    found = verdict(replica(on=stratum1(1)), gone)
    assert len(found.replicas) == 1
    assert redundancy(found) is None


def test_what_no_server_lists_or_serves_any_more_is_a_warning_and_not_an_outage() -> None:
    gone = [
        replica(on=stratum1(number), manifest=missed(Result.UNLISTED), findings=[finding("manifest", WARNING)])
        for number in (1, 2)
    ]
    found = verdict(*gone)
    assert found.replicas == ()
    told = redundancy(found)
    assert told is not None
    assert told.health is WARNING


def test_two_paths_on_one_machine_are_one_replica_and_the_better_of_them_counts() -> None:
    where = stratum1(1)
    found = verdict(replica(on=where, findings=BAD), replica(on=where, alias="other"))
    assert (found.replicas_ok, len(found.replicas)) == (1, 1)


def test_what_passes_through_is_not_judged_and_does_not_count() -> None:
    found = verdict(replica(on=stratum1(1), pass_through=True))
    assert (found.health, found.replicas, found.findings) == (None, (), ())


def test_what_was_compared_with_nothing_is_not_the_newest() -> None:
    honest = replica(on=stratum1(1), revision=6)
    honest = replace(honest, reference=honest.replica)
    forged = replica(on=stratum1(2), revision=999_999, findings=[finding("signature", CRITICAL)])
    found = verdict(honest, forged)
    assert found.newest is honest.replica
    assert found.revisions_spread == 0


def test_what_no_key_verified_where_keys_verified_others_is_not_the_newest() -> None:
    honest, doubtful = replica(on=stratum1(1), revision=6), replica(on=stratum1(2), revision=999_999)
    honest = replace(honest, reference=honest.replica)
    found = verdict(honest, replace(doubtful, reference=honest.replica, doubtful=True))
    assert (found.newest, found.revisions_spread) == (honest.replica, 0)


def test_a_late_replica_is_told_in_the_spread_of_revisions() -> None:
    new = replica(on=stratum1(1), revision=6)
    new, late = (
        replace(one, reference=new.replica) for one in (new, replica(on=stratum1(2), revision=4, findings=LATE))
    )
    assert verdict(new, late).revisions_spread == 2


# --- maintenance ------------------------------------------------------------------------------------

WINDOW = Maintenance(NOW, NOW + timedelta(hours=1), why="new disks")


def at_work(one: ReplicaVerdict) -> ReplicaVerdict:
    return replace(one, maintenance=WINDOW)


def test_what_is_under_maintenance_is_no_replica_that_is_needed_or_missed() -> None:
    first, second, third = of_healths(OK, CRITICAL, OK)
    found = verdict(first, at_work(second), third)
    assert (found.health, found.replicas_ok, len(found.replicas), found.maintenance) == (OK, 2, 2, None)
    found = verdict(at_work(first), second)
    assert (found.health, len(found.replicas)) == (CRITICAL, 1)


def test_a_repository_of_which_all_stratum1s_are_under_maintenance_is_not_judged() -> None:
    everywhere = [replica(on=S0), *map(at_work, of_healths(OK, CRITICAL))]
    found = verdict(*everywhere)
    assert (found.health, found.findings, found.replicas, found.maintenance) == (None, (), (), WINDOW)
    assert in_one_phrase([found]) == "1 under maintenance"
    assert (
        in_one_phrase([found, verdict(*of_healths(OK, OK))]) == "1 of 1 repository served by all, 1 under maintenance"
    )
