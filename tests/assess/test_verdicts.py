from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telegraf_cvmfs.assess.verdicts import assess
from telegraf_cvmfs.memory.value import NOTHING, Memory, Remembered
from telegraf_cvmfs.model import (
    LIMITS,
    REPOSITORY_FINDINGS,
    SERVER_FINDINGS,
    SEVERITY,
    Backend,
    Entry,
    Fleet,
    GeoAPI,
    GeoAPIStatus,
    Health,
    Limit,
    Listed,
    Listing,
    Manifest,
    Reading,
    ReplicaVerdict,
    RepositoryRule,
    Result,
    Role,
    Run,
    Scrape,
    Server,
    ServerVerdict,
    Signature,
    Snapshotting,
    Status,
    Trust,
    Whitelist,
    worst,
)
from tests.builders.runs import MANIFEST, NOW, S0, S1, S1_NL, STATUS, WHITELIST, missed, ok, replica, server

OK, WARNING, CRITICAL, UNKNOWN = Health.OK, Health.WARNING, Health.CRITICAL, Health.UNKNOWN
HOUR, DAY, SECOND = timedelta(hours=1), timedelta(days=1), timedelta(seconds=1)
SYNC = Server("http://sync.tld", "sync.tld", Role.SYNC)
NEVER = missed()
FAILED = (
    Result.CONNECTION_FAILED,
    Result.DNS_ERROR,
    Result.TIMEOUT,
    Result.HTTP_ERROR,
    Result.TLS_ERROR,
    Result.DEADLINE,
)
"""The ways in which nothing is learnt of a document."""


def judged(
    *servers: ServerVerdict, fleet: Fleet | None = None, memory: Memory = NOTHING, trust: Trust | None = None
) -> Run:
    """What is made of servers as they were found; the verdicts given are not looked at."""
    strata = tuple(one.stratum for one in servers)
    seen = Scrape(fleet or Fleet(tuple(one.server for one in strata)), NOW, strata)
    return assess(seen, SECOND, memory, lambda _replica, _now: trust)


def verdict_of(found: ReplicaVerdict, *others: ServerVerdict, fleet: Fleet | None = None) -> ReplicaVerdict:
    """What is made of one replica, alone on its server."""
    return judged(server(found.replica.server, found), *others, fleet=fleet).servers[0].replicas[0]


def findings(verdict: ReplicaVerdict | ServerVerdict) -> dict[str, Health]:
    assert len({one.slug for one in verdict.findings}) == len(verdict.findings)
    return {one.slug: one.health for one in verdict.findings}


def manifest(revision: int = 6, published: timedelta | None = 2 * HOUR, **changed: Any) -> Reading[Manifest]:
    moment = None if published is None else NOW - published
    return ok(replace(MANIFEST, revision=revision, published=moment, **changed))


def limited(on: Server = S1, **limits: Limit) -> Server:
    return replace(on, limits={**LIMITS, **limits})


def original(revision: int = 6, published: timedelta | None = 2 * HOUR) -> ServerVerdict:
    """A stratum 0 that serves the repository."""
    source = replica(on=S0, manifest=manifest(revision, published))
    return server(S0, source, geoapi_status=GeoAPIStatus.NOT_FOUND)


# --- each limit: just below it, at it, above it -----------------------------------------------------


def of_snapshot(age: timedelta) -> ReplicaVerdict:
    return verdict_of(replica(status=ok(Status(last_snapshot=NOW - age))))


def of_first_snapshot(age: timedelta) -> ReplicaVerdict:
    return verdict_of(replica(status=NEVER, snapshotting=ok(Snapshotting(NOW - age))))


def of_running_snapshot(age: timedelta) -> ReplicaVerdict:
    return verdict_of(replica(snapshotting=ok(Snapshotting(NOW - age))))


def of_lag(age: timedelta) -> ReplicaVerdict:
    return verdict_of(replica(manifest=manifest(5, 90 * DAY)), original(6, age))


def of_gc(age: timedelta) -> ReplicaVerdict:
    return verdict_of(replica(status=ok(replace(STATUS, last_gc=NOW - age))))


def of_gc_on_stratum0(age: timedelta) -> ReplicaVerdict:
    return verdict_of(replica(on=S0, status=ok(Status(last_gc=NOW - age))))


OLDEST = 10_000 * DAY
AGES: list[tuple[str, Callable[[timedelta], ReplicaVerdict], timedelta, timedelta]] = [
    ("snapshot_old", of_snapshot, 8 * HOUR, 24 * HOUR),
    ("snapshot_old", of_first_snapshot, 72 * HOUR, 216 * HOUR),
    ("snapshot_stuck", of_running_snapshot, 24 * HOUR, OLDEST),
    ("lagging", of_lag, 8 * HOUR, 24 * HOUR),
    ("gc_old", of_gc, 10 * DAY, 20 * DAY),
    ("gc_old", of_gc_on_stratum0, 10 * DAY, 20 * DAY),
]


def around_the_limits() -> Iterator[Any]:
    for slug, build, warning, critical in AGES:
        ages = {
            timedelta(0): None,
            warning - SECOND: None,
            warning: WARNING,
            warning + SECOND: WARNING,
            critical - SECOND: WARNING,
        }
        if critical < OLDEST:
            ages |= {critical: CRITICAL, critical + SECOND: CRITICAL}
        for age, health in ages.items():
            yield pytest.param(slug, build, age, health, id=f"{build.__name__}-{age}")


@pytest.mark.parametrize(("slug", "build", "age", "health"), [*around_the_limits()])
def test_a_limit_counts_from_the_moment_it_is_reached(
    slug: str, build: Callable[[timedelta], ReplicaVerdict], age: timedelta, health: Health | None
) -> None:
    assert findings(build(age)).get(slug) == health


@pytest.mark.parametrize(
    ("left", "health"),
    [
        (48 * HOUR + SECOND, None),
        (48 * HOUR, None),
        (48 * HOUR - SECOND, WARNING),
        (SECOND, WARNING),
        (timedelta(0), CRITICAL),
        (-SECOND, CRITICAL),
        (-90 * DAY, CRITICAL),
    ],
)
def test_a_whitelist_is_a_warning_below_48_hours_and_critical_once_it_is_refused(
    left: timedelta, health: Health | None
) -> None:
    expires = datetime(2026, 11, 30, 9, 0, 0, tzinfo=UTC)
    found = replica(whitelist=ok(replace(WHITELIST, expires=expires)))
    seen = Scrape(Fleet((S1,)), expires - left, (server(S1, found).stratum,))
    verdict = assess(seen, SECOND).replicas[0]
    assert findings(verdict).get("whitelist") == health


@pytest.mark.parametrize(
    ("clock", "health"),
    [((8, 59, 59), WARNING), ((9, 0, 0), CRITICAL), ((9, 55, 26), CRITICAL), ((9, 55, 28), CRITICAL)],
)
def test_clients_drop_minutes_and_seconds_of_the_expiry(clock: tuple[int, int, int], health: Health) -> None:
    found = replica(
        manifest=ok(replace(MANIFEST, published=None)),
        whitelist=ok(Whitelist(datetime(2015, 7, 4, 9, 55, 27, tzinfo=UTC), "repo.tld")),
    )
    now = datetime(2015, 7, 4, *clock, tzinfo=UTC)
    verdict = assess(Scrape(Fleet((S1,)), now, (server(S1, found).stratum,)), SECOND).replicas[0]
    assert findings(verdict)["whitelist"] == health


@pytest.mark.parametrize(
    ("age", "health"), [(30 * DAY - SECOND, None), (30 * DAY + SECOND, WARNING), (900 * DAY, WARNING)]
)
def test_a_database_of_places_is_old_after_30_days(age: timedelta, health: Health | None) -> None:
    listing = ok(Listing((), NOW - age))
    assert findings(judged(server(S1, listing=listing)).servers[0]).get("geodb_old") == health


def test_a_server_that_does_not_tell_of_a_database_of_places_has_no_old_one() -> None:
    assert judged(server(S1, listing=ok(Listing(())))).servers[0].health is OK


# --- how serious ------------------------------------------------------------------------------------


def test_not_knowing_is_worse_than_good_and_better_than_bad() -> None:
    assert SEVERITY == (OK, UNKNOWN, WARNING, CRITICAL)
    assert [int(health) for health in SEVERITY] == [0, 3, 1, 2]


@given(st.lists(st.sampled_from(Health)))
def test_the_worst_of_many_is_the_one_that_is_furthest_on(healths: list[Health]) -> None:
    order = [0, 3, 1, 2]
    assert int(worst(healths)) == max((int(one) for one in healths), key=order.index, default=0)


NOT_READ = missed(Result.TIMEOUT)
EXPIRED = ok(replace(WHITELIST, expires=NOW - DAY))
CHECK_FAILED = ok(replace(STATUS, check_ok=False))


@pytest.mark.parametrize(
    ("documents", "slug", "health"),
    [
        ({}, None, OK),
        ({"whitelist": NOT_READ}, "whitelist", UNKNOWN),
        ({"whitelist": NOT_READ, "status": CHECK_FAILED}, "check_failed", WARNING),
        ({"whitelist": EXPIRED, "status": CHECK_FAILED}, "whitelist", CRITICAL),
        ({"whitelist": EXPIRED, "status": NOT_READ}, "whitelist", CRITICAL),
    ],
)
def test_the_most_serious_finding_comes_first_and_is_the_health(
    documents: dict[str, Reading[Any]], slug: str | None, health: Health
) -> None:
    verdict = verdict_of(replica(**documents))  # type: ignore[arg-type]
    assert verdict.health is health
    assert (verdict.findings[0].slug if verdict.findings else None) == slug
    ranks = [SEVERITY.index(one.health) for one in verdict.findings]
    assert ranks == sorted(ranks, reverse=True)


# --- what is not known ------------------------------------------------------------------------------

DOCUMENTS = ("manifest", "status", "snapshotting", "whitelist")


@pytest.mark.parametrize(("document", "result"), [*product(DOCUMENTS, FAILED)])
def test_a_document_that_was_not_read_makes_a_replica_unknown_and_never_red(document: str, result: Result) -> None:
    verdict = verdict_of(replica(**{document: missed(result)}))  # type: ignore[arg-type]
    assert verdict.health is UNKNOWN


@pytest.mark.parametrize(("document", "result"), [*product(("manifest", "status", "whitelist"), FAILED)])
def test_a_document_that_was_not_read_makes_an_original_unknown_and_never_red(document: str, result: Result) -> None:
    verdict = verdict_of(replica(on=S0, **{document: missed(result)}))  # type: ignore[arg-type]
    assert verdict.health is UNKNOWN


@settings(deadline=None)
@given(
    st.fixed_dictionaries({document: st.sampled_from(FAILED) for document in DOCUMENTS}),
    st.sampled_from([S0, S1, SYNC]),
)
def test_failures_of_any_kind_together_are_unknown_and_never_red(failed: dict[str, Result], on: Server) -> None:
    documents: dict[str, Any] = {document: missed(result) for document, result in failed.items()}
    assert verdict_of(replica(on=on, **documents)).health is UNKNOWN


@pytest.mark.parametrize("result", FAILED)
def test_a_list_that_was_not_read_makes_a_server_that_serves_unknown(result: Result) -> None:
    assert judged(server(S1, replica(), listing=missed(result), backend=None)).servers[0].health is UNKNOWN


def test_a_geoapi_that_should_have_been_tested_and_was_not_makes_a_server_unknown() -> None:
    found = server(S1, replica(), geoapi_status=GeoAPIStatus.NOT_YET_TESTED)
    assert judged(found).servers[0].health is UNKNOWN


def test_a_geoapi_that_nobody_asked_to_be_tested_takes_nothing_from_a_server() -> None:
    found = server(S1, replica(), geoapi_status=GeoAPIStatus.NOT_YET_TESTED)
    assert judged(found, fleet=Fleet((S1,), geoapi=GeoAPI(enabled=False))).servers[0].health is OK


def test_a_server_that_has_no_geoapi_by_choice_is_judged_by_neither_its_geoapi_nor_its_places() -> None:
    for status in (GeoAPIStatus.NO_RESPONSE, GeoAPIStatus.NOT_YET_TESTED):
        found = server(replace(S1, geoapi=False), geoapi_status=status)
        assert judged(found).servers[0].health is OK


def test_a_geoapi_that_has_nothing_to_test_takes_nothing_from_a_server() -> None:
    assert judged(server(S1, geoapi_status=GeoAPIStatus.NOT_FOUND)).servers[0].health is OK


@pytest.mark.parametrize("switched_off", [("snapshot_old",), ("snapshot_old", "gc_old"), ("gc_old",)])
@pytest.mark.parametrize("on", [S0, S1])
def test_the_status_is_needed_as_long_as_one_finding_needs_it(on: Server, switched_off: tuple[str, ...]) -> None:
    where = limited(on, **dict.fromkeys(switched_off, Limit()))
    assert verdict_of(replica(on=where, status=NOT_READ)).health is UNKNOWN


def test_the_status_is_not_needed_if_no_finding_needs_it() -> None:
    off = dict.fromkeys(("snapshot_old", "gc_old", "check_failed"), Limit())
    assert verdict_of(replica(on=limited(S1, **off), status=NOT_READ)).health is OK


@pytest.mark.parametrize(("published", "found"), [(-1, {}), (0, {}), (1, {"gc_old": CRITICAL})])
def test_a_repository_without_a_publication_since_its_last_gc_needs_none(
    published: int, found: dict[str, Health]
) -> None:
    last = NOW - timedelta(days=30)
    served = ok(replace(MANIFEST, published=last + timedelta(seconds=published)))
    seen = replica(manifest=served, status=ok(replace(STATUS, last_gc=last)))
    assert {slug: health for slug, health in findings(verdict_of(seen)).items() if slug == "gc_old"} == found


@pytest.mark.parametrize("key", ["last_snapshot", "last_gc", "check_status", "last_check"])
def test_a_value_that_is_there_and_not_understood_is_unknown(key: str) -> None:
    status = replace(STATUS, last_snapshot=None if key == "last_snapshot" else STATUS.last_snapshot, last_gc=None)
    clause = f"{key} is not understood: 'x'"
    verdict = verdict_of(replica(status=ok(replace(status, unreadable=((key, clause),)))))
    assert verdict.health is UNKNOWN
    assert clause in verdict.findings[0].problem


@pytest.mark.parametrize(("seconds", "known"), [(0, True), (1, False)])
def test_what_is_dated_far_in_the_future_was_nobody_knows_when(seconds: int, known: bool) -> None:
    then = NOW + timedelta(days=1, seconds=seconds)
    for slug, status in {
        "snapshot_old": replace(STATUS, last_snapshot=then),
        "gc_old": replace(STATUS, last_gc=then),
    }.items():
        assert findings(verdict_of(replica(status=ok(status)))) == ({} if known else {slug: UNKNOWN})


@pytest.mark.parametrize("letters", [("G",), ("A",), ("G", "A")])
def test_a_letter_of_the_manifest_that_is_not_understood_is_unknown_and_named(letters: tuple[str, ...]) -> None:
    clauses = tuple((letter, f"{letter} is not understood: 'x'") for letter in letters)
    verdict = verdict_of(replica(manifest=manifest(unreadable=clauses)))
    assert findings(verdict) == {"manifest": UNKNOWN}
    assert all(clause in verdict.findings[0].problem for _, clause in clauses)
    off = limited(S1, manifest=Limit())
    assert verdict_of(replica(on=off, manifest=manifest(unreadable=clauses))).health is OK


def test_a_snapshot_that_runs_since_nobody_knows_when_is_unknown() -> None:
    verdict = verdict_of(replica(snapshotting=ok(Snapshotting(None, "'do 21 mrt'"))))
    assert verdict.health is UNKNOWN
    assert "'do 21 mrt'" in verdict.findings[0].problem


def test_a_first_snapshot_that_runs_since_nobody_knows_when_is_unknown() -> None:
    assert verdict_of(replica(status=NEVER, snapshotting=ok(Snapshotting(None)))).health is UNKNOWN


def test_a_replica_that_never_had_a_snapshot_and_has_none_running_is_unknown() -> None:
    assert findings(verdict_of(replica(status=NEVER))) == {"snapshot_old": UNKNOWN}


def test_being_behind_for_nobody_knows_how_long_is_unknown() -> None:
    assert findings(verdict_of(replica(manifest=manifest(5)), original(6, None))) == {"lagging": UNKNOWN}


# --- manifests --------------------------------------------------------------------------------------

OF_MANIFESTS = {
    Result.OK: OK,
    Result.NOT_FOUND: CRITICAL,
    Result.CONNECTION_FAILED: UNKNOWN,
    Result.DNS_ERROR: UNKNOWN,
    Result.TIMEOUT: UNKNOWN,
    Result.HTTP_ERROR: UNKNOWN,
    Result.TLS_ERROR: UNKNOWN,
    Result.INVALID: CRITICAL,
    Result.NAME_MISMATCH: CRITICAL,
    Result.TOO_LARGE: CRITICAL,
    Result.DEADLINE: UNKNOWN,
    Result.UNLISTED: WARNING,
    Result.REDIRECTED: CRITICAL,
    Result.OWN_LIMIT: UNKNOWN,
}


@pytest.mark.parametrize("on", [S0, S1, SYNC])
@pytest.mark.parametrize("result", Result)
def test_each_result_of_reading_a_manifest_has_its_health(result: Result, on: Server) -> None:
    reading = manifest() if result is Result.OK else missed(result)
    verdict = verdict_of(replica(on=on, manifest=reading))
    assert verdict.health is OF_MANIFESTS[result]
    assert findings(verdict) == ({} if result is Result.OK else {"manifest": OF_MANIFESTS[result]})


def test_a_manifest_that_is_missing_was_not_promised_where_the_list_was_not_read() -> None:
    found = replica(manifest=NEVER)
    found = replace(found, replica=replace(found.replica, listed=Listed.UNKNOWN))
    where = server(S1, found, replica("other.tld"), listing=missed(Result.HTTP_ERROR), backend=None)
    assert judged(where).servers[0].replicas[0].health is UNKNOWN


def test_a_first_snapshot_that_has_begun_serves_nothing_yet_and_is_not_red() -> None:
    found = replica(manifest=NEVER, status=NEVER, whitelist=NEVER, snapshotting=ok(Snapshotting(NOW - HOUR)))
    assert verdict_of(found).health is UNKNOWN


def test_a_snapshot_that_runs_does_not_excuse_a_manifest_that_was_there_once() -> None:
    found = replica(manifest=NEVER, snapshotting=ok(Snapshotting(NOW - HOUR)))
    assert findings(verdict_of(found))["manifest"] is CRITICAL


def test_nine_times_as_long_is_only_for_a_first_snapshot() -> None:
    running = ok(Snapshotting(NOW - HOUR))
    found = replica(status=ok(Status(last_snapshot=NOW - 24 * HOUR)), snapshotting=running)
    assert findings(verdict_of(found))["snapshot_old"] is CRITICAL


# --- whitelists, checks, collections ----------------------------------------------------------------


def test_a_whitelist_that_is_not_served_is_an_answer_and_clients_refuse_the_repository() -> None:
    assert findings(verdict_of(replica(whitelist=NEVER))) == {"whitelist": CRITICAL}


@pytest.mark.parametrize(("check_ok", "expected"), [(True, {}), (None, {}), (False, {"check_failed": WARNING})])
@pytest.mark.parametrize("on", [S0, S1])
def test_a_check_that_failed_is_a_warning(check_ok: bool | None, expected: dict[str, Health], on: Server) -> None:
    status = replace(STATUS, last_check=NOW - 400 * DAY, check_ok=check_ok)
    assert findings(verdict_of(replica(on=on, status=ok(status)))) == expected


@pytest.mark.parametrize("on", [S0, S1])
def test_a_repository_that_never_had_a_collection_is_not_asked_for_one(on: Server) -> None:
    found = replica(on=on, manifest=manifest(garbage_collectable=True), status=ok(replace(STATUS, last_gc=None)))
    assert findings(verdict_of(found)) == {}


@pytest.mark.parametrize("document", ["status", "snapshotting"])
def test_what_an_original_does_not_serve_takes_nothing_from_it(document: str) -> None:
    assert verdict_of(replica(on=S0, **{document: NEVER})).health is OK  # type: ignore[arg-type]


def test_snapshots_are_not_asked_of_an_original() -> None:
    status = ok(Status(last_snapshot=NOW - 90 * DAY))
    found = replica(on=S0, status=status, snapshotting=ok(Snapshotting(NOW - 9 * DAY)))
    assert findings(verdict_of(found)) == {}


def test_snapshots_are_asked_of_a_sync_server() -> None:
    status = ok(Status(last_snapshot=NOW - 9 * HOUR))
    assert findings(verdict_of(replica(on=SYNC, status=status))) == {"snapshot_old": WARNING}


# --- beside the reference ---------------------------------------------------------------------------


def test_a_revision_above_that_of_the_stratum_0_is_a_warning() -> None:
    assert findings(verdict_of(replica(manifest=manifest(7)), original(6))) == {"ahead": WARNING}


def test_a_revision_above_that_of_a_sync_server_is_no_finding() -> None:
    sync = server(SYNC, replica(on=SYNC))
    verdict = verdict_of(replica(manifest=manifest(7)), sync)
    assert (verdict.revisions_behind, findings(verdict)) == (-1, {})


@pytest.mark.parametrize(("seen", "expected"), [(5, {}), (6, {}), (7, {"backwards": WARNING})])
def test_a_revision_below_the_one_remembered_is_a_warning(seen: int, expected: dict[str, Health]) -> None:
    assert findings(judged(server(S1, replica()), memory=seen_here(S1, seen)).replicas[0]) == expected


def test_what_is_remembered_of_another_server_is_not_held_against_this_one() -> None:
    assert findings(judged(server(S1, replica()), memory=seen_here(S1_NL, 7)).replicas[0]) == {}


def test_divergence_is_critical() -> None:
    found = replica(manifest=manifest(6, root_catalog="0" * 40))
    assert findings(verdict_of(found, original(6))) == {"diverged": CRITICAL}


def test_the_stratum_0_is_not_told_of_replicas_that_differ() -> None:
    run = judged(original(6), server(S1, replica(manifest=manifest(6, root_catalog="0" * 40))))
    assert run.servers[0].replicas[0].health is OK


def test_pass_through_replicas_are_never_judged() -> None:
    documents: dict[str, Reading[Any]] = dict.fromkeys(DOCUMENTS, NEVER)
    verdict = verdict_of(replica(pass_through=True, **documents))  # type: ignore[arg-type]
    assert (verdict.health, verdict.findings) == (None, ())


def test_pass_through_replicas_are_not_judged_on_a_server_that_is_down_either() -> None:
    nothing = missed(Result.TIMEOUT)
    where = server(S1, replica(pass_through=True, manifest=nothing), listing=nothing, backend=None)
    assert judged(where).servers[0].replicas[0].health is None


# --- servers ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "result", [one for one in FAILED if one is not Result.DEADLINE] + [Result.NOT_FOUND, Result.INVALID]
)
def test_a_server_of_which_nothing_can_be_read_is_critical_and_its_replicas_are_unknown(result: Result) -> None:
    nothing = missed(result)
    where = server(S1, replica(manifest=nothing), replica("b.tld", manifest=nothing), listing=nothing, backend=None)
    verdict = judged(where).servers[0]
    assert findings(verdict) == {"server_down": CRITICAL}
    assert [one.health for one in verdict.replicas] == [UNKNOWN, UNKNOWN]


def test_a_server_without_repositories_whose_list_fails_is_down() -> None:
    assert findings(judged(server(S1, listing=missed(Result.TIMEOUT), backend=None)).servers[0]) == {
        "server_down": CRITICAL
    }


def test_a_server_that_nobody_had_time_to_ask_is_unknown_and_so_are_its_replicas() -> None:
    nothing = missed(Result.DEADLINE)
    verdict = judged(
        server(
            S1,
            replica(manifest=nothing),
            listing=nothing,
            backend=None,
            geoapi_status=GeoAPIStatus.NOT_YET_TESTED,
        )
    ).servers[0]
    assert (verdict.health, verdict.replicas[0].health) == (UNKNOWN, UNKNOWN)


def test_one_manifest_that_was_read_keeps_a_server_up() -> None:
    nothing = missed(Result.TIMEOUT)
    run = judged(server(S1, replica(), replica("b.tld", manifest=nothing), listing=nothing, backend=None))
    assert "server_down" not in findings(run.servers[0])
    assert [one.health for one in run.replicas] == [OK, UNKNOWN]


def test_a_server_whose_list_is_read_is_up_though_no_manifest_is() -> None:
    nothing = missed(Result.TIMEOUT)
    verdict = judged(server(S1, replica(manifest=nothing))).servers[0]
    assert (findings(verdict), verdict.replicas[0].health) == ({}, UNKNOWN)


def test_a_bucket_has_no_list_and_misses_none() -> None:
    where = server(S1, replica(), listing=NEVER, backend=Backend.S3, geoapi_status=GeoAPIStatus.NOT_FOUND)
    assert judged(where).servers[0].health is OK


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (GeoAPIStatus.OK, {}),
        (GeoAPIStatus.NOT_FOUND, {}),
        (GeoAPIStatus.LOCATION_ERROR, {"geoapi_wrong": WARNING}),
        (GeoAPIStatus.NO_RESPONSE, {"geoapi_down": CRITICAL}),
    ],
)
def test_each_state_of_a_geoapi_has_its_finding(status: GeoAPIStatus, expected: dict[str, Health]) -> None:
    verdict = judged(server(S1, replica(), geoapi_status=status)).servers[0]
    assert findings(verdict) == expected
    assert verdict.replicas[0].health is OK


def test_a_servers_findings_are_not_its_replicas_and_theirs_are_not_its() -> None:
    verdict = judged(server(S1, replica(whitelist=NEVER))).servers[0]
    assert (verdict.health, verdict.replicas[0].health) == (OK, CRITICAL)


# --- limits that were moved -------------------------------------------------------------------------


def red_run(slug: str, on: Server, health: Health) -> Run:
    """A run in which this finding, and no other, is as serious as asked, on the server given."""
    age = {WARNING: 9 * HOUR, CRITICAL: 30 * HOUR}[health]
    days = {WARNING: 11 * DAY, CRITICAL: 21 * DAY}[health]
    unlisted = missed(Result.UNLISTED if health is WARNING else Result.NOT_FOUND)
    nothing = missed(Result.TIMEOUT)
    expires = {WARNING: NOW + DAY, CRITICAL: NOW - DAY}[health]
    geoapi = {"geoapi_wrong": GeoAPIStatus.LOCATION_ERROR, "geoapi_down": GeoAPIStatus.NO_RESPONSE}
    replicas: dict[str, dict[str, Any]] = {
        "manifest": {"manifest": unlisted},
        "snapshot_old": {"status": ok(Status(last_snapshot=NOW - age))},
        "snapshot_stuck": {"snapshotting": ok(Snapshotting(NOW - 30 * HOUR))},
        "lagging": {"manifest": manifest(5)},
        "gc_old": {"status": ok(replace(STATUS, last_gc=NOW - days))},
        "check_failed": {"status": CHECK_FAILED},
        "whitelist": {"whitelist": ok(replace(WHITELIST, expires=expires))},
        "diverged": {"manifest": manifest(6, root_catalog="0" * 40)},
        "ahead": {"manifest": manifest(7)},
        "server_down": {"manifest": nothing},
        "root_catalog": {"root_catalog": missed()},
    }
    servers: dict[str, dict[str, Any]] = {
        "server_down": {"listing": nothing, "backend": None},
        "list_unread": {"listing": nothing, "backend": None},
        "geodb_old": {"listing": ok(Listing((), NOW - 31 * DAY))},
    }
    found = replica(on=on, **replicas.get(slug, {}))
    state = geoapi.get(slug, GeoAPIStatus.OK)
    published = age if slug == "lagging" else 2 * HOUR
    memory = seen_here(on, 7) if slug == "backwards" else NOTHING
    if slug == "proxy_stale":
        found = replace(found, replica=replace(found.replica, proxied=ok(MANIFEST, age=2 * 3600)))
    if slug == "members_differ":
        one, two = (replace(on, all_addresses=True, address=f"192.0.2.{number}") for number in (1, 2))
        mine, other = (replica(on=where, manifest=manifest(revision)) for where, revision in ((one, 5), (two, 6)))
        return judged(server(one, mine), server(two, other), original(6, 2 * HOUR))
    trust = Trust(Signature.MANIFEST_INVALID, "the signature is not the certificate's") if slug == "signature" else None
    here = server(on, found, geoapi_status=state, **servers.get(slug, {}))
    return judged(here, original(6, published), memory=memory, trust=trust)


def seen_here(on: Server, revision: int) -> Memory:
    """A memory of a revision of the repository that was served there a minute ago."""
    moment = NOW - timedelta(minutes=1)
    entry = Entry("repo.tld", "/cvmfs/repo.tld", replica=True)
    return Memory({on.name: (Remembered(entry, moment, revision, None, moment),)})


def verdicts(run: Run, slug: str) -> ReplicaVerdict | ServerVerdict:
    return run.servers[0] if slug in SERVER_FINDINGS else run.servers[0].replicas[0]


SERIOUS = [
    (slug, health)
    for slug, limit in LIMITS.items()
    if slug not in REPOSITORY_FINDINGS
    for health, value in ((WARNING, limit.warning), (CRITICAL, limit.critical))
    if value is not None
]


@pytest.mark.parametrize(("slug", "health"), SERIOUS)
def test_every_finding_can_be_made(slug: str, health: Health) -> None:
    verdict = verdicts(red_run(slug, S1, health), slug)
    assert findings(verdict) == {slug: health}
    assert verdict.findings[0].problem


@pytest.mark.parametrize(("slug", "health"), SERIOUS)
def test_every_finding_can_be_switched_off(slug: str, health: Health) -> None:
    verdict = verdicts(red_run(slug, limited(S1, **{slug: Limit()}), health), slug)
    assert health not in findings(verdict).values()


def test_every_finding_of_the_contract_that_is_built_has_its_limits() -> None:
    contract: dict[str, Limit] = {
        "server_down": Limit(None, True),
        "geoapi_wrong": Limit(True, None),
        "geoapi_down": Limit(None, True),
        "geodb_old": Limit(30 * DAY),
        "manifest": Limit(True, True),
        "snapshot_old": Limit(8 * HOUR, 24 * HOUR),
        "snapshot_stuck": Limit(24 * HOUR),
        "lagging": Limit(8 * HOUR, 24 * HOUR),
        "gc_old": Limit(10 * DAY, 20 * DAY),
        "check_failed": Limit(True, None),
        "whitelist": Limit(48 * HOUR, True),
        "diverged": Limit(None, True),
        "ahead": Limit(True, None),
        "backwards": Limit(True, None),
    }
    assert contract.items() <= dict(LIMITS).items()


@pytest.mark.parametrize(
    ("off", "age", "health"), [("warning", 9, None), ("warning", 24, CRITICAL), ("critical", 90, WARNING)]
)
def test_one_severity_can_be_switched_off_alone(off: str, age: int, health: Health | None) -> None:
    where = limited(snapshot_old=replace(LIMITS["snapshot_old"], **{off: None}))
    found = replica(on=where, status=ok(Status(last_snapshot=NOW - age * HOUR)))
    assert findings(verdict_of(found)).get("snapshot_old") == health


@pytest.mark.parametrize(("age", "health"), [(12 * HOUR - SECOND, None), (12 * HOUR, WARNING), (36 * HOUR, CRITICAL)])
def test_a_slow_repository_may_be_later_with_its_snapshot_and_its_revisions(
    age: timedelta, health: Health | None
) -> None:
    fleet = Fleet((S1, S0), rules=(RepositoryRule("repo.*", snapshot_factor=1.5),))
    late = replica(manifest=manifest(5), status=ok(Status(last_snapshot=NOW - age)))
    found = findings(verdict_of(late, original(6, age), fleet=fleet))
    assert (found.get("snapshot_old"), found.get("lagging")) == (health, health)


def test_a_slow_repository_is_collected_as_often_as_any_other() -> None:
    fleet = Fleet((S1,), rules=(RepositoryRule("*", snapshot_factor=100),))
    found = replica(status=ok(replace(STATUS, last_gc=NOW - 10 * DAY)))
    assert findings(verdict_of(found, fleet=fleet)) == {"gc_old": WARNING}


def test_the_factor_of_a_slow_repository_is_not_that_of_others() -> None:
    fleet = Fleet((S1,), rules=(RepositoryRule("slow.*", snapshot_factor=9),))
    found = replica(status=ok(Status(last_snapshot=NOW - 8 * HOUR)))
    assert findings(verdict_of(found, fleet=fleet)) == {"snapshot_old": WARNING}


# --- how replication works --------------------------------------------------------------------------

BELOW_8_HOURS = st.timedeltas(timedelta(0), 8 * HOUR - timedelta(microseconds=1))


@settings(deadline=None)
@given(
    published=BELOW_8_HOURS,
    snapshots=st.tuples(BELOW_8_HOURS, BELOW_8_HOURS),
    behind=st.tuples(st.integers(0, 1000), st.integers(0, 1000)),
    source=st.sampled_from([S0, SYNC, S1]),
)
def test_replicas_that_are_behind_for_less_than_the_limit_are_healthy(
    published: timedelta, snapshots: tuple[timedelta, ...], behind: tuple[int, ...], source: Server
) -> None:
    newest = server(source, replica(on=source, manifest=manifest(2000, published, root_catalog=f"{2000:040x}")))
    others = [Server(f"http://s1-{n}.tld", f"s1-{n}.tld", Role.STRATUM1) for n in range(2)]
    replicas = [
        server(
            on,
            replica(
                on=on,
                manifest=manifest(
                    2000 - revisions, published + revisions * DAY, root_catalog=f"{2000 - revisions:040x}"
                ),
                status=ok(Status(last_snapshot=NOW - age)),
            ),
        )
        for on, age, revisions in zip(others, snapshots, behind, strict=True)
    ]
    run = judged(newest, *replicas)
    assert [one.findings for one in run.replicas] == [(), (), ()]
    assert [one.health for one in run.replicas] == [OK, OK, OK]
    assert [one.health for one in run.servers] == [OK, OK, OK]


def test_one_revision_behind_for_a_minute_is_how_replication_works() -> None:
    late = verdict_of(replica(on=S1_NL, manifest=manifest(5, 30 * DAY)), original(6, timedelta(minutes=1)))
    assert (late.health, late.revisions_behind, late.lag) == (OK, 1, timedelta(minutes=1))
