from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telegraf_cvmfs.model import (
    REPLICA_FINDINGS,
    SERVER_FINDINGS,
    Backend,
    Fleet,
    GeoAPIStatus,
    Health,
    Listing,
    Maintenance,
    Manifest,
    Reading,
    ReplicaVerdict,
    Result,
    Role,
    Run,
    Server,
    ServerVerdict,
    Snapshotting,
    Status,
    Traffic,
    Whitelist,
)
from telegraf_cvmfs.points.rows import Point, points
from telegraf_cvmfs.points.schema import FIELDS, FINDING, PUBLISH, REPO, REPOSITORY, SCRAPE, SERVER, TAGS
from tests.builders.published import manifest as manifest_bytes
from tests.builders.runs import (
    MANIFEST,
    NOW,
    S0,
    S1,
    S1_NL,
    STATUS,
    WHITELIST,
    down_server,
    example,
    finding,
    missed,
    ok,
    replica,
    run,
    server,
)
from tests.builders.strata import Served, run_of

HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)

CONTRACT: Mapping[str, Mapping[type, str]] = {
    "cvmfs_repo": {
        int: "up result_code http_status health revision revisions_behind lag published_behind root_size ttl published"
        " published_age last_snapshot last_gc last_check snapshot_age gc_age check_age check_ok snapshotting"
        " snapshotting_age garbage_collectable geoapi_status geoapi_ok whitelist_expires whitelist_expires_in"
        " diverged http_age",
        str: "result url finding problem root_hash",
    },
    "cvmfs_server": {
        int: "up result_code http_status health geoapi_status geoapi_ok geodb_age repositories repositories_up status"
        " replicas_ok replicas_warning replicas_critical replicas_unknown",
        float: "response_time",
        str: "result finding problem backend cvmfs_version",
    },
    "cvmfs_repository": {
        int: "health severity replicas replicas_ok revision published published_age revisions_spread",
        str: "finding problem",
    },
    "cvmfs_publish": {int: "revision root_size", str: "root_hash"},
    "cvmfs_scrape": {
        int: "servers servers_up repos repos_ok repos_warning repos_critical repos_unknown requests failures bytes"
        " deadline_hit interrupted",
        float: "duration",
    },
}
"""What is promised and built so far: for each measurement the fields of each type."""

TO_COME: Mapping[str, Mapping[type, str]] = {
    "cvmfs_repo": {
        int: "signature_code root_catalog_code root_catalog_verified_age signature_ok root_catalog_ok proxy_revision"
        " proxy_age",
        str: "signature root_catalog",
    },
}
"""What is promised for features that may not be built yet: absent, or of this type."""

CONTRACT_TAGS = {
    "cvmfs_repo": {"fleet", "role", "server", "repo", "alias", "address"},
    "cvmfs_server": {"fleet", "role", "server", "address"},
    "cvmfs_repository": {"fleet", "repo"},
    "cvmfs_publish": {"fleet", "repo"},
    "cvmfs_scrape": {"fleet"},
}


def named(promise: Mapping[type, str]) -> dict[str, type]:
    return {name: kind for kind, text in promise.items() for name in text.split()}


def of(measurement: str, rows: list[Point]) -> list[Point]:
    return [row for row in rows if row.measurement == measurement]


def repo_fields(verdict: ReplicaVerdict, **changed: Any) -> Mapping[str, Any]:
    """The fields of the point of one replica, alone on its server."""
    (point,) = of(REPO, points(run(server(verdict.replica.server, verdict, **changed))))
    return point.fields


def server_fields(verdict: ServerVerdict) -> Mapping[str, Any]:
    (point,) = of(SERVER, points(run(verdict)))
    return point.fields


# --- the table --------------------------------------------------------------------------------------


@pytest.mark.parametrize("measurement", CONTRACT)
def test_the_table_has_every_field_that_is_promised_with_its_type(measurement: str) -> None:
    table = {field.name: field.type for field in FIELDS[measurement]}
    assert named(CONTRACT[measurement]).items() <= table.items()


@pytest.mark.parametrize("measurement", TO_COME)
def test_what_is_to_come_is_absent_or_of_the_type_promised(measurement: str) -> None:
    table = {field.name: field.type for field in FIELDS[measurement]}
    assert all(table.get(name, kind) is kind for name, kind in named(TO_COME[measurement]).items())


def test_the_table_names_each_field_once() -> None:
    for fields in FIELDS.values():
        assert not [name for name, times in Counter(field.name for field in fields).items() if times > 1]


def test_the_measurements_are_those_of_the_contract() -> None:
    assert set(FIELDS) == set(TAGS) == {*CONTRACT, FINDING}
    assert set(CONTRACT) == {REPO, SERVER, REPOSITORY, PUBLISH, SCRAPE}


def test_the_tag_set_is_closed() -> None:
    assert all(set(TAGS[measurement]) <= tags for measurement, tags in CONTRACT_TAGS.items())
    assert not any("host" in tags for tags in TAGS.values())


# --- every run keeps to the table -------------------------------------------------------------------


def obey(rows: list[Point], started: datetime) -> None:
    """What holds for the points of any run."""
    keys = Counter((row.measurement, *sorted(row.tags.items()), row.time) for row in rows)
    assert max(keys.values()) == 1
    for row in rows:
        types = {field.name: field.type for field in FIELDS[row.measurement]}
        assert {name: type(value) for name, value in row.fields.items()}.items() <= types.items()
        assert row.fields
        assert set(row.tags) <= set(TAGS[row.measurement])
        assert all(row.tags.values())
        assert row.measurement == PUBLISH or row.time == started
        negative = {name for name, value in row.fields.items() if isinstance(value, int) and value < 0}
        assert negative <= {"revisions_behind", "published_behind", "whitelist_expires_in"}


def test_the_example_keeps_to_the_table() -> None:
    obey(points(example()), NOW)


MOMENTS = st.none() | st.datetimes(datetime(1990, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
MISSED: st.SearchStrategy[Reading[Any]] = st.sampled_from([one for one in Result if one is not Result.OK]).map(missed)


def readings(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Reading[Any]]:
    return MISSED | values.map(ok)


MANIFESTS = st.builds(
    replace,
    st.just(MANIFEST),
    revision=st.integers(0, 2**64 - 1),
    root_size=st.none() | st.integers(0, 2**40),
    published=MOMENTS,
    garbage_collectable=st.booleans(),
)
STATUSES = st.builds(Status, MOMENTS, MOMENTS, MOMENTS, st.none() | st.booleans())
LISTINGS = st.builds(Listing, st.just(()), MOMENTS, st.none() | st.just("2.13.2-1"))


@st.composite
def runs(draw: st.DrawFn) -> Run:
    """A run of two servers with one repository each, of which anything may be known or not."""
    servers = []
    for on in draw(st.permutations([S0, S1, S1_NL]))[:2]:
        found = replica(
            on=on,
            alias=draw(st.none() | st.just("short")),
            pass_through=draw(st.booleans()),
            manifest=draw(readings(MANIFESTS)),
            status=draw(readings(STATUSES)),
            snapshotting=draw(readings(st.builds(Snapshotting, MOMENTS))),
            whitelist=draw(readings(st.builds(Whitelist, MOMENTS.map(lambda moment: moment or NOW)))),
            is_reference=draw(st.booleans()),
            first_published=draw(MOMENTS),
            lag=draw(st.none() | st.just(HOUR)),
            diverged=draw(st.none() | st.booleans()),
        )
        servers.append(
            server(
                on,
                found,
                listing=draw(readings(LISTINGS)),
                backend=draw(st.none() | st.sampled_from([Backend.CVMFS, Backend.S3])),
                geoapi_status=draw(st.sampled_from(GeoAPIStatus)),
                response_time=draw(st.none() | st.just(timedelta(0))),
            )
        )
    return run(*servers, duration=timedelta(seconds=2))


@settings(deadline=None)
@given(runs())
def test_whatever_is_known_or_not_points_keep_to_the_table(found: Run) -> None:
    rows = points(found)
    obey(rows, found.started)
    assert [len(of(measurement, rows)) for measurement in (SERVER, REPO, SCRAPE)] == [2, 2, 1]


# --- findings one by one ----------------------------------------------------------------------------


def test_each_finding_has_its_health_and_what_was_not_found_is_written_too() -> None:
    late = replica(findings=[finding("lagging", Health.CRITICAL), finding("gc_old", Health.WARNING)])
    rows = of(FINDING, points(run(server(S1, late, findings=[finding("geoapi_down", Health.CRITICAL)]))))
    of_the_server, of_the_replica, of_the_repository = rows
    assert "repo" not in of_the_server.tags
    assert of_the_server.fields == dict.fromkeys(SERVER_FINDINGS, 0) | {"geoapi_down": 2}
    assert of_the_replica.tags["repo"] == "repo.tld"
    assert of_the_replica.fields == dict.fromkeys(REPLICA_FINDINGS, 0) | {"lagging": 2, "gc_old": 1}
    assert of_the_repository.tags == {"fleet": "cvmfs", "repo": "repo.tld"}
    assert of_the_repository.fields == {"redundancy": 2}


# --- servers and repositories as a whole ------------------------------------------------------------


def test_a_server_says_how_its_replicas_are_and_what_the_whole_is_worth() -> None:
    bad, unknown = finding("lagging", Health.CRITICAL), finding("manifest", Health.UNKNOWN)
    replicas = [replica("a.tld", findings=[bad]), replica("b.tld", findings=[unknown]), replica("c.tld")]
    found = run(server(S1, *replicas, replica("d.tld", pass_through=True)))
    (row,) = of(SERVER, points(found))
    assert row.fields["health"] == 0
    assert row.fields["status"] == 2
    counts = {name: value for name, value in row.fields.items() if name.startswith("replicas_")}
    assert counts == {"replicas_ok": 1, "replicas_warning": 0, "replicas_critical": 1, "replicas_unknown": 1}


@pytest.mark.parametrize(
    ("own", "its", "status"),
    [
        (Health.OK, Health.OK, Health.OK),
        (Health.WARNING, Health.UNKNOWN, Health.WARNING),
        (Health.OK, Health.UNKNOWN, Health.UNKNOWN),
        (Health.CRITICAL, Health.WARNING, Health.CRITICAL),
        (Health.WARNING, Health.CRITICAL, Health.CRITICAL),
    ],
)
def test_the_status_of_a_server_is_the_worst_of_itself_and_its_replicas(
    own: Health, its: Health, status: Health
) -> None:
    ill = [finding("geoapi_wrong", own)] if own else []
    found = run(server(S1, replica(health=its), findings=ill))
    (row,) = of(SERVER, points(found))
    assert row.fields["status"] == status


def test_a_repository_has_a_point_with_its_newest_revision_and_how_many_serve_it() -> None:
    first, second = replica(on=S1, revision=6), replica(on=S1_NL, revision=4)
    first, second = (replace(one, reference=first.replica) for one in (first, second))
    (row,) = of(REPOSITORY, points(run(first, second)))
    assert row.tags == {"fleet": "cvmfs", "repo": "repo.tld"}
    assert row.fields == {
        "health": 0,
        "severity": 0,
        "maintenance": 0,
        "available": 1,
        "replicas": 2,
        "replicas_ok": 2,
        "revision": 6,
        "published": 1795341600,
        "published_age": 7200,
        "revisions_spread": 2,
    }


def test_a_repository_that_nobody_judges_has_no_health_and_no_alert() -> None:
    rows = points(run(replica(pass_through=True)))
    (row,) = of(REPOSITORY, rows)
    assert row.fields == {"maintenance": 0, "replicas": 0, "replicas_ok": 0}
    (found,) = [one for one in of(FINDING, rows) if "server" not in one.tags]
    assert found.fields == {"redundancy": 0}


# --- findings in their order ------------------------------------------------------------------------


def test_of_a_finding_that_stands_twice_the_worse_counts() -> None:
    twice = replica(findings=[finding("whitelist", Health.WARNING), finding("whitelist", Health.UNKNOWN)])
    (row,) = [row for row in of(FINDING, points(run(server(S1, twice)))) if {"server", "repo"} <= set(row.tags)]
    assert row.fields["whitelist"] == 1


def test_what_is_never_judged_has_no_findings_and_no_severity() -> None:
    verdict = replica(pass_through=True)
    rows = points(run(server(S1, verdict)))
    assert not [row for row in of(FINDING, rows) if {"server", "repo"} <= set(row.tags)]
    assert "severity" not in repo_fields(verdict)


@pytest.mark.parametrize(
    ("health", "severity"), [(Health.OK, 0), (Health.UNKNOWN, 1), (Health.WARNING, 2), (Health.CRITICAL, 3)]
)
def test_severity_is_the_health_in_the_order_of_seriousness(health: Health, severity: int) -> None:
    found = [] if health is Health.OK else [finding("manifest", health)]
    fields = repo_fields(replica(findings=found))
    assert (fields["health"], fields["severity"]) == (health, severity)


# --- tags and times ---------------------------------------------------------------------------------


def test_the_tags_of_a_replica_are_fleet_role_server_repo_and_where_it_applies_alias() -> None:
    rows = of(REPO, points(run(server(S1, replica(), replica(alias="short")), fleet="eessi")))
    same = {"fleet": "eessi", "role": "stratum1", "server": "stratum1-no.tld", "repo": "repo.tld"}
    assert [row.tags for row in rows] == [same, same | {"alias": "short"}]


def test_the_tags_of_the_other_measurements() -> None:
    rows = points(run(server(S0, replica(on=S0, is_reference=True, first_published=NOW - 2 * HOUR)), fleet="eessi"))
    tags = {row.measurement: row.tags for row in rows if row.measurement not in (REPO, FINDING)}
    assert tags == {
        SERVER: {"fleet": "eessi", "role": "stratum0", "server": "stratum0.tld"},
        REPOSITORY: {"fleet": "eessi", "repo": "repo.tld"},
        PUBLISH: {"fleet": "eessi", "repo": "repo.tld"},
        SCRAPE: {"fleet": "eessi"},
    }


def test_a_role_is_a_word_of_the_fleet_file() -> None:
    sync = Server("http://sync.tld", "sync.tld", Role.SYNC)
    assert of(SERVER, points(run(server(sync))))[0].tags["role"] == "sync"


def test_all_points_but_publications_have_the_time_at_which_the_run_began() -> None:
    rows = points(
        run(server(S0, replica(on=S0, is_reference=True, first_published=NOW - 2 * HOUR)), server(S1, replica()))
    )
    assert {row.time for row in rows if row.measurement != PUBLISH} == {NOW}
    assert [row.time for row in of(PUBLISH, rows)] == [NOW - 2 * HOUR]


@pytest.mark.parametrize("order", [("repositories", "replicas"), ("replicas", "repositories")])
def test_two_listings_of_the_same_key_are_one_point_the_replicas(order: tuple[str, str]) -> None:
    urls = {"repositories": "/cvmfs/repo.tld", "replicas": "/cvmfs/repo.tld"}
    listing = json.dumps({kind: [{"name": "repo.tld", "url": urls[kind]}] for kind in order}).encode()
    served: dict[str, Served] = {
        f"{S1.url}/cvmfs/info/v1/repositories.json": listing,
        f"{S1.url}/cvmfs/repo.tld/.cvmfspublished": manifest_bytes("repo.tld"),
    }
    found = run_of(Fleet((S1,)), served, NOW)
    assert len(of(REPO, points(found))) == 1
    assert not found.replicas[0].replica.source


def test_a_name_that_is_listed_twice_is_one_point() -> None:
    entries = [{"name": "repo.tld", "url": "/cvmfs/repo.tld"}] * 2
    served: dict[str, Served] = {
        f"{S1.url}/cvmfs/info/v1/repositories.json": json.dumps({"replicas": entries}).encode(),
    }
    fleet = Fleet((replace(S1, repos=("repo.tld",)),), repos=("repo.tld", "repo.tld"))
    assert len(of(REPO, points(run_of(fleet, served, NOW)))) == 1


# --- fields of a replica ----------------------------------------------------------------------------


def test_a_manifest_gives_its_letters() -> None:
    moment = datetime(2026, 11, 22, 9, 0, 0, tzinfo=UTC)
    manifest = replace(MANIFEST, published=moment, garbage_collectable=True)
    fields = repo_fields(replica(manifest=ok(manifest, age=12)))
    assert {
        "up": 1,
        "result": "ok",
        "result_code": 0,
        "http_status": 200,
        "http_age": 12,
        "url": "http://stratum1-no.tld/cvmfs/repo.tld/.cvmfspublished",
        "revision": 6,
        "root_size": 57344,
        "root_hash": MANIFEST.root_catalog,
        "ttl": 240,
        "published": 1795338000,
        "published_age": 3 * 3600,
        "garbage_collectable": 1,
    }.items() <= fields.items()


@pytest.mark.parametrize("result", [one for one in Result if one is not Result.OK])
def test_a_manifest_that_was_not_read_gives_a_result_and_nothing_else(result: Result) -> None:
    fields = repo_fields(replica(manifest=missed(result)))
    assert (fields["up"], fields["result"], fields["result_code"]) == (0, result.slug, result.code)
    letters = {"revision", "root_size", "root_hash", "ttl", "published", "published_age", "garbage_collectable"}
    assert not letters & set(fields)


def test_what_an_old_manifest_does_not_say_is_left_out() -> None:
    fields = repo_fields(replica(manifest=ok(replace(MANIFEST, root_size=None, published=None))))
    assert not {"root_size", "published", "published_age"} & set(fields)
    assert fields["garbage_collectable"] == 0


def test_results_have_the_codes_of_the_contract() -> None:
    codes = (
        "ok 0, not_found 1, connection_failed 2, dns_error 3, timeout 4, http_error 5, tls_error 6, invalid 7,"
        " name_mismatch 8, too_large 9, deadline 10, unlisted 11, redirected 12, own_limit 13"
    )
    assert ", ".join(f"{one.slug} {one.code}" for one in Result) == codes


def test_a_status_gives_moments_and_ages() -> None:
    status = Status(NOW - HOUR, NOW - 2 * HOUR, NOW - 3 * HOUR, check_ok=False)
    fields = repo_fields(replica(status=ok(status)))
    now = int(NOW.timestamp())
    assert {
        "last_snapshot": now - 3600,
        "snapshot_age": 3600,
        "last_gc": now - 7200,
        "gc_age": 7200,
        "last_check": now - 10800,
        "check_age": 10800,
        "check_ok": 0,
    }.items() <= fields.items()


def test_what_a_status_does_not_say_is_left_out() -> None:
    names = {"last_snapshot", "snapshot_age", "last_gc", "gc_age", "last_check", "check_age", "check_ok"}
    assert not names & set(repo_fields(replica(status=ok(Status()))))
    assert not names & set(repo_fields(replica(status=missed())))


@pytest.mark.parametrize(
    ("reading", "expected"),
    [
        (ok(Snapshotting(NOW - HOUR)), {"snapshotting": 1, "snapshotting_age": 3600}),
        (ok(Snapshotting(None)), {"snapshotting": 1}),
        (missed(Result.NOT_FOUND), {"snapshotting": 0}),
        (missed(Result.TIMEOUT), {}),
        (missed(Result.DEADLINE), {}),
    ],
)
def test_a_running_snapshot_is_told_where_it_is_known(reading: Reading[Snapshotting], expected: dict[str, int]) -> None:
    fields = repo_fields(replica(snapshotting=reading))
    assert {name: fields[name] for name in ("snapshotting", "snapshotting_age") if name in fields} == expected


def test_ages_are_never_negative_if_the_servers_clock_is_ahead() -> None:
    later = NOW + HOUR
    ahead = replica(
        manifest=ok(replace(MANIFEST, published=later)),
        status=ok(Status(later, later, later, check_ok=True)),
        snapshotting=ok(Snapshotting(later)),
    )
    fields = repo_fields(ahead)
    ages = {name: value for name, value in fields.items() if name.endswith("_age")}
    assert ages == dict.fromkeys(["published_age", "snapshot_age", "gc_age", "check_age", "snapshotting_age"], 0)
    listing = ok(Listing((), later))
    assert server_fields(server(S1, listing=listing))["geodb_age"] == 0


@pytest.mark.parametrize(
    ("minutes", "left"),
    [(0, 9 * 3600), (59, 9 * 3600)],
)
def test_a_whitelist_is_told_as_stated_and_as_clients_take_it(minutes: int, left: int) -> None:
    now = datetime(2026, 11, 22, 0, 0, 0, tzinfo=UTC)
    expires = now + timedelta(hours=9, minutes=minutes)
    found = replica(whitelist=ok(replace(WHITELIST, expires=expires)))
    (point,) = of(REPO, points(run(server(S1, found), started=now)))
    assert point.fields["whitelist_expires"] == int(expires.timestamp())
    assert point.fields["whitelist_expires_in"] == left


@pytest.mark.parametrize(("offset", "refused"), [(-SECOND / 1000, False), (timedelta(0), True), (SECOND / 1000, True)])
def test_a_whitelist_has_nothing_left_exactly_when_clients_refuse_it(offset: timedelta, refused: bool) -> None:
    refused_from = datetime(2026, 12, 1, 9, 0, 0, tzinfo=UTC)
    found = replica(whitelist=ok(replace(WHITELIST, expires=refused_from + timedelta(minutes=59))))
    (point,) = of(REPO, points(run(server(S1, found), started=refused_from + offset)))
    left = point.fields["whitelist_expires_in"]
    assert isinstance(left, int)
    assert (left <= 0) is refused


def test_a_comparison_is_told_and_the_reference_has_none_with_itself() -> None:
    late = replica(revisions_behind=-1, published_behind=-HOUR, lag=timedelta(0), diverged=True)
    fields = repo_fields(late)
    assert {"revisions_behind": -1, "published_behind": -3600, "lag": 0, "diverged": 1}.items() <= fields.items()
    reference = repo_fields(replica(on=S0, is_reference=True, lag=timedelta(0)))
    assert not {"revisions_behind", "published_behind", "diverged"} & set(reference)


def test_a_pass_through_replica_has_no_health() -> None:
    fields = repo_fields(replica(pass_through=True))
    assert fields["revision"] == 6
    assert not {"health", "finding", "problem"} & set(fields)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (GeoAPIStatus.OK, {"geoapi_status": 0, "geoapi_ok": 1}),
        (GeoAPIStatus.LOCATION_ERROR, {"geoapi_status": 1, "geoapi_ok": 0}),
        (GeoAPIStatus.NO_RESPONSE, {"geoapi_status": 2, "geoapi_ok": 0}),
        (GeoAPIStatus.NOT_FOUND, {"geoapi_status": 9}),
        (GeoAPIStatus.NOT_YET_TESTED, {"geoapi_status": 99}),
    ],
)
def test_the_geoapi_is_told_on_the_server_and_on_its_replicas(status: GeoAPIStatus, expected: dict[str, int]) -> None:
    where = server(S1, replica(), geoapi_status=status)
    (one,) = of(REPO, points(run(where)))
    for fields in (one.fields, server_fields(where)):
        assert {name: fields[name] for name in ("geoapi_status", "geoapi_ok") if name in fields} == expected


# --- fields of a server, of a run -------------------------------------------------------------------


def test_a_server_that_is_down_has_its_points_all_the_same() -> None:
    fields = server_fields(down_server(S1, replica(manifest=missed(Result.TIMEOUT), health=Health.UNKNOWN)))
    assert {
        "up": 0,
        "result": "connection_failed",
        "result_code": 2,
        "health": 2,
        "finding": "server_down",
    }.items() <= (fields.items())
    assert {"repositories": 1, "repositories_up": 0}.items() <= fields.items()
    assert not {"http_status", "response_time", "backend", "cvmfs_version", "geodb_age"} & set(fields)


def test_a_server_counts_its_repositories() -> None:
    fields = server_fields(server(S1, replica("a.tld"), replica("b.tld", manifest=missed()), replica("c.tld")))
    assert (fields["repositories"], fields["repositories_up"]) == (3, 2)


def test_a_run_counts_what_it_saw() -> None:
    parts = [
        server(S0, replica(on=S0), replica("b.tld", on=S0, health=Health.WARNING)),
        server(S1, replica(health=Health.CRITICAL), replica("b.tld", pass_through=True)),
        down_server(S1_NL, replica(on=S1_NL, manifest=missed(Result.TIMEOUT), health=Health.UNKNOWN)),
    ]
    found = run(*parts, duration=timedelta(milliseconds=1500), traffic=Traffic(12, 3, 4567), deadline_hit=True)
    (point,) = of(SCRAPE, points(found))
    assert point.fields == {
        "duration": 1.5,
        "served": "1 of 2 repositories served by all, 1 by 0 of 2",
        "servers": 3,
        "servers_up": 2,
        "repos": 5,
        "repos_ok": 1,
        "repos_warning": 1,
        "repos_critical": 1,
        "repos_unknown": 1,
        "requests": 12,
        "failures": 3,
        "bytes": 4567,
        "deadline_hit": 1,
        "interrupted": 0,
    }


@pytest.mark.parametrize("signal", ["SIGTERM", "SIGINT", "SIGHUP"])
def test_a_run_that_a_signal_ended_did_not_hit_its_deadline(signal: str) -> None:
    (point,) = of(SCRAPE, points(run(interrupted=signal)))
    assert (point.fields["deadline_hit"], point.fields["interrupted"]) == (0, 1)


def test_a_run_of_nothing_has_its_point() -> None:
    (point,) = points(run())
    assert (point.measurement, point.fields["servers"], point.fields["repos"]) == (SCRAPE, 0, 0)


# --- publications -----------------------------------------------------------------------------------


def published(moment: datetime | None, *, is_reference: bool = True, root_size: int | None = 57344) -> list[Point]:
    manifest: Manifest = replace(MANIFEST, published=moment, root_size=root_size)
    found = replica(on=S0, manifest=ok(manifest), status=ok(STATUS), is_reference=is_reference, first_published=moment)
    return of(PUBLISH, points(run(server(S0, found))))


def test_a_publication_is_a_point_at_its_own_time() -> None:
    (point,) = published(NOW - HOUR)
    assert point.time == NOW - HOUR
    assert point.fields == {"revision": 6, "root_size": 57344, "root_hash": MANIFEST.root_catalog}


@pytest.mark.parametrize(
    ("age", "count"),
    [(-SECOND, 0), (timedelta(0), 1), (24 * HOUR - SECOND, 1), (24 * HOUR, 1), (24 * HOUR + SECOND, 0)],
)
def test_a_publication_is_told_only_within_the_window(age: timedelta, count: int) -> None:
    assert len(published(NOW - age)) == count


def test_a_publication_at_an_unknown_time_is_not_told() -> None:
    assert published(None) == []


def test_a_root_catalog_of_unknown_size_is_published_all_the_same() -> None:
    (point,) = published(NOW - HOUR, root_size=None)
    assert "root_size" not in point.fields


def test_only_the_reference_publishes() -> None:
    assert published(NOW - HOUR, is_reference=False) == []


def test_a_reference_that_is_served_twice_publishes_once() -> None:
    served: dict[str, Served] = {}
    for server_ in (S0, S1):
        entries = [{"name": "repo.tld", "url": f"/cvmfs/{path}"} for path in ("repo.tld", "short")]
        key = "repositories" if server_ is S0 else "replicas"
        served[f"{server_.url}/cvmfs/info/v1/repositories.json"] = json.dumps({key: entries}).encode()
        for path in ("repo.tld", "short"):
            body = manifest_bytes("repo.tld").replace(b"D240\n", b"D240\nT1795341600\n")
            served[f"{server_.url}/cvmfs/{path}/.cvmfspublished"] = body
    moment = datetime.fromtimestamp(1795341600, UTC)
    rows = points(run_of(Fleet((S0, S1)), served, moment + HOUR))
    assert len(of(REPO, rows)) == 4
    assert [row.time for row in of(PUBLISH, rows)] == [moment]


# --- maintenance ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("health", "available"),
    [(Health.OK, 1), (Health.WARNING, 1), (Health.CRITICAL, 0), (Health.UNKNOWN, None)],
)
def test_what_is_known_and_not_under_maintenance_is_available_or_not(health: Health, available: int | None) -> None:
    window = Maintenance(NOW - HOUR, NOW + HOUR, why="new disks")
    one = replica(health=health, findings=[] if health is Health.OK else [finding("lagging", health)])
    assert repo_fields(one).get("available") == available
    assert repo_fields(one)["maintenance"] == 0
    quiet = repo_fields(replace(one, maintenance=window))
    assert "available" not in quiet
    assert (quiet["maintenance"], quiet["health"]) == (1, int(health))
    assert str(quiet["problem"]).startswith("maintenance until 2026-11-22 13:00 UTC: new disks")
