from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

import pytest

from telegraf_cvmfs.assess.verdicts import assess
from telegraf_cvmfs.memory.value import NOTHING, Memory, Remembered, remember
from telegraf_cvmfs.model import (
    Answer,
    Backend,
    Entry,
    FetchError,
    Fleet,
    GeoAPI,
    GeoAPIStatus,
    Health,
    Listed,
    Replica,
    Result,
    Role,
    Scrape,
    Server,
    Stratum,
)
from telegraf_cvmfs.net.deadline import Deadline
from telegraf_cvmfs.scraping.visits import scrape
from telegraf_cvmfs.wire.geoapi import CANONICAL_ORIGIN, CANONICAL_SERVERS
from tests import ROOT
from tests.builders import published
from tests.builders.published import LIST, META, NOW, listing, manifest
from tests.builders.strata import THERE, FakeNetwork, Served, down, run_of

S0 = Server("http://s0.tld", "s0.tld", Role.STRATUM0)
S1 = Server("http://s1.tld", "s1.tld", Role.STRATUM1)
SYNC = Server("http://sync.tld:8000", "sync.tld:8000", Role.SYNC)
CANONICAL = f"api/v1.0/geo/{CANONICAL_ORIGIN}/{','.join(CANONICAL_SERVERS)}"
GENUINE = [
    json.loads(line) for line in (ROOT / "tests/builders/documents/genuine/geoapi.jsonl").read_text().splitlines()
]
TIMED_OUT = FetchError(Result.TIMEOUT, "no answer within 5 s")


def repository(server: Server, repo: str, path: str = "") -> dict[str, Served]:
    documents = published.repository(repo, path=path) | {f"/cvmfs/{path or repo}/{CANONICAL}": b"2,1,3\n"}
    return {server.url + where: body for where, body in documents.items()}


def replicas_on(server: Server, *repos: str) -> dict[str, Served]:
    """A server that lists and serves these as replicas."""
    served: dict[str, Served] = {server.url + LIST: listing(*repos)}
    for repo in repos:
        served |= repository(server, repo)
    return served


def visited(
    fleet: Fleet, served: Mapping[str, Served], complaints: list[str] | None = None, memory: Memory = NOTHING
) -> tuple[Scrape, FakeNetwork]:
    said: list[str] = [] if complaints is None else complaints
    network = FakeNetwork(served)
    seen = scrape(fleet, NOW, network, said.append, memory=memory)  # type: ignore[arg-type]  # all that scrape needs
    if complaints is None:
        assert said == []
    return seen, network


def alone(
    server: Server,
    served: Mapping[str, Served],
    complaints: list[str] | None = None,
    memory: Memory = NOTHING,
    **fleet: Any,
) -> tuple[Stratum, list[str]]:
    seen, network = visited(Fleet((server,), verify_every=None, **fleet), served, complaints, memory)
    return seen.strata[0], network.asked


def names(count: int) -> tuple[str, ...]:
    return tuple(f"r{number:03}.tld" for number in range(count))


def asked_for(asked: list[str], part: str) -> list[str]:
    return [url for url in asked if part in url]


# --- the order --------------------------------------------------------------------------------------


@pytest.mark.parametrize("connections", [1, 3, 8])
def test_the_list_comes_first_and_all_manifests_before_any_detail(connections: int) -> None:
    repos = names(30)
    _, asked = alone(S1, replicas_on(S1, *repos), connections_per_server=connections)
    assert asked[0] == S1.url + LIST
    assert sorted(asked[1:31]) == [f"{S1.url}/cvmfs/{repo}/.cvmfspublished" for repo in repos]
    assert not asked_for(asked[31:], ".cvmfspublished")
    assert len(asked_for(asked[31:], ".cvmfswhitelist")) == 30


def seen_on(server: Server, *repos: str, **paths: str) -> Memory:
    """An earlier run saw these there, below /cvmfs/ unless at another path."""
    entries = [Entry(repo, paths.get(repo, f"/cvmfs/{repo}"), replica=True) for repo in repos]
    return Memory({server.label: tuple(Remembered(entry, NOW) for entry in entries)})


def test_what_was_seen_before_is_asked_for_beside_the_list_and_what_is_new_after_it() -> None:
    repos = names(30)
    stratum, asked = alone(S1, replicas_on(S1, *repos), memory=seen_on(S1, *repos[:20]))
    manifests = asked_for(asked, ".cvmfspublished")
    assert asked[0] == S1.url + LIST
    assert asked[1:8] == manifests[:7]
    assert sorted(asked[1:21]) == [f"{S1.url}/cvmfs/{repo}/.cvmfspublished" for repo in repos[:20]]
    assert sorted(manifests) == [f"{S1.url}/cvmfs/{repo}/.cvmfspublished" for repo in repos]
    assert len(asked) == len(set(asked))
    assert [one.repo for one in stratum.replicas] == list(repos)
    assert all(one.up and one.listed is Listed.REPLICA for one in stratum.replicas)
    assert stratum.replicas == alone(S1, replicas_on(S1, *repos))[0].replicas


def test_what_the_list_has_at_another_path_is_asked_for_there() -> None:
    served = replicas_on(S1, "a.tld", "b.tld")
    memory = seen_on(S1, "a.tld", "b.tld", "gone.tld", **{"b.tld": "/cvmfs/old"})
    stratum, asked = alone(S1, served, memory=memory)
    assert f"{S1.url}/cvmfs/old/.cvmfspublished" in asked
    assert {one.repo: one.manifest.result for one in stratum.replicas} == {
        "a.tld": Result.OK,
        "b.tld": Result.OK,
        "gone.tld": Result.UNLISTED,
    }


@pytest.mark.parametrize("connections", [1, 3, 8])
def test_a_dead_server_whose_replicas_are_remembered_is_asked_little(connections: int) -> None:
    repos = names(60)
    served: dict[str, Served] = {S1.url + LIST: down()}
    served |= {f"{S1.url}/cvmfs/{repo}/.cvmfspublished": down() for repo in repos}
    stratum, asked = alone(S1, served, memory=seen_on(S1, *repos), connections_per_server=connections)
    assert len(asked) <= 2 * connections + 1, "the list once more: one failure is no proof"
    assert asked.count(S1.url + LIST) == 2
    assert len(stratum.replicas) == 60
    assert not stratum.up


def test_nothing_is_asked_twice() -> None:
    _, asked = alone(S1, replicas_on(S1, *names(20)), repos=("r001.tld", "other.tld"))
    assert len(asked) == len(set(asked))


def test_replicas_stand_in_the_order_of_the_list_and_then_of_the_names() -> None:
    stratum, _ = alone(S1, replicas_on(S1, "b.tld", "a.tld", "c.tld"), repos=("z.tld", "a.tld", "y.tld"))
    assert [one.repo for one in stratum.replicas] == ["b.tld", "a.tld", "c.tld", "z.tld", "y.tld"]


def test_servers_stand_in_the_order_of_the_fleet_file() -> None:
    fleet = Fleet((S1, S0, SYNC))
    seen = scrape(fleet, NOW, FakeNetwork({}), lambda _line: None)  # type: ignore[arg-type]
    assert [one.server for one in seen.strata] == [S1, S0, SYNC]


@pytest.mark.parametrize("down_from", [0, 1])
def test_each_repository_is_told_when_it_becomes_known_and_when_it_is_read(down_from: int) -> None:
    told: list[tuple[str, int, int]] = []
    served = replicas_on(S1, *names(9)) if down_from else {}
    fleet = Fleet((S1,), repos=("more.tld",))
    network = FakeNetwork(served)
    scrape(fleet, NOW, network, lambda _line: None, moved=lambda *step: told.append(step))  # type: ignore[arg-type]
    assert {server for server, _, _ in told} == {"s1.tld"}
    assert sum(known for _, _, known in told) == sum(read for _, read, _ in told) == (10 if down_from else 1)
    assert max(read for _, read, _ in told) == 1


# --- what is asked ----------------------------------------------------------------------------------


def test_a_repository_is_fetched_by_its_url_and_named_by_its_name() -> None:
    entry = {"name": "repo.tld", "alias": "short", "url": "/cvmfs/short"}
    served = {S1.url + LIST: json.dumps({"replicas": [entry]}).encode(), **repository(S1, "repo.tld", "short")}
    stratum, asked = alone(S1, served)
    (replica,) = stratum.replicas
    assert (replica.repo, replica.alias, replica.up) == ("repo.tld", "short", True)
    assert replica.url == "http://s1.tld/cvmfs/short/.cvmfspublished"
    assert not asked_for(asked, "/cvmfs/repo.tld")


def test_a_server_below_a_path_is_asked_below_it() -> None:
    deep = Server("https://s1.tld:8443/mirror", "deep", Role.STRATUM1)
    stratum, asked = alone(deep, replicas_on(deep, "repo.tld"))
    assert stratum.replicas[0].up
    assert all(url.startswith("https://s1.tld:8443/mirror/cvmfs/") for url in asked)


def test_an_original_is_not_asked_for_snapshots() -> None:
    served = {S0.url + LIST: listing(repositories=("repo.tld",)), **repository(S0, "repo.tld")}
    del served[f"{S0.url}/cvmfs/repo.tld/.cvmfs_status.json"]
    _, asked = alone(S0, served)
    assert not asked_for(asked, "snapshot")


def test_the_marker_of_the_last_snapshot_is_asked_for_only_if_the_status_does_not_tell() -> None:
    served = replicas_on(S1, "told.tld", "gc.tld", "silent.tld")
    served[f"{S1.url}/cvmfs/gc.tld/.cvmfs_status.json"] = b'{"last_gc": "Sun Nov  1 10:00:00 UTC 2026"}'
    del served[f"{S1.url}/cvmfs/silent.tld/.cvmfs_status.json"]
    for repo in ("told", "gc", "silent"):
        served[f"{S1.url}/cvmfs/{repo}.tld/.cvmfs_last_snapshot"] = b"Sat Nov 21 10:00:00 UTC 2026\n"
    stratum, asked = alone(S1, served)
    assert sorted(asked_for(asked, ".cvmfs_last_snapshot")) == [
        f"{S1.url}/cvmfs/{repo}.tld/.cvmfs_last_snapshot" for repo in ("gc", "silent")
    ]
    known = {one.repo: one.status.value for one in stratum.replicas}
    assert {repo: value and value.last_snapshot and value.last_snapshot.day for repo, value in known.items()} == {
        "told.tld": 22,
        "gc.tld": 21,
        "silent.tld": 21,
    }
    assert known["gc.tld"] is not None
    assert known["gc.tld"].last_gc == datetime(2026, 11, 1, 10, tzinfo=UTC)


def test_nothing_more_is_asked_of_what_neither_is_listed_nor_served() -> None:
    _, asked = alone(S1, replicas_on(S1, "repo.tld"), repos=("gone.tld",))
    assert asked_for(asked, "gone.tld") == [f"{S1.url}/cvmfs/gone.tld/.cvmfspublished"]


def test_what_is_listed_and_not_served_may_have_its_first_snapshot_running() -> None:
    served = {S1.url + LIST: listing("repo.tld")}
    served[f"{S1.url}/cvmfs/repo.tld/.cvmfs_is_snapshotting"] = b"Sun Nov 22 10:00:00 UTC 2026\n"
    stratum, _ = alone(S1, served)
    assert stratum.replicas[0].snapshotting.value is not None


def test_meta_is_read_and_may_be_missing() -> None:
    served = replicas_on(S1, "repo.tld") | {S1.url + META: b'{"administrator": "An Operator"}'}
    stratum, _ = alone(S1, served)
    assert stratum.meta.value is not None
    assert stratum.meta.value.administrator == "An Operator"
    assert alone(S1, replicas_on(S1, "repo.tld"))[0].meta.result is Result.NOT_FOUND


def test_names_for_the_fleet_are_not_asked_of_a_stratum_0_and_its_own_are() -> None:
    own = Server("http://s0.tld", "s0.tld", Role.STRATUM0, repos=("own.tld",))
    _, asked = alone(own, {S0.url + LIST: listing()}, repos=("fleet.tld",))
    assert asked_for(asked, "own.tld")
    assert not asked_for(asked, "fleet.tld")


# --- answers ----------------------------------------------------------------------------------------


def replica_answering(answer: Served) -> Replica:
    served = {S1.url + LIST: listing("repo.tld"), f"{S1.url}/cvmfs/repo.tld/.cvmfspublished": answer}
    return alone(S1, served)[0].replicas[0]


@pytest.mark.parametrize(
    ("answer", "result", "status"),
    [
        (manifest("repo.tld"), Result.OK, 200),
        (Answer(404, b"<html>"), Result.NOT_FOUND, 404),
        (Answer(403, b""), Result.HTTP_ERROR, 403),
        (Answer(500, b""), Result.HTTP_ERROR, 500),
        (Answer(503, manifest("repo.tld")), Result.HTTP_ERROR, 503),
        (Answer(204, b""), Result.HTTP_ERROR, 204),
        (manifest("other.tld"), Result.NAME_MISMATCH, 200),
        (manifest(""), Result.NAME_MISMATCH, 200),
        (b"<html><body>It works!</body></html>", Result.INVALID, 200),
        (b"", Result.INVALID, 200),
        (FetchError(Result.TOO_LARGE, "more than 64 KiB", 200), Result.TOO_LARGE, 200),
        (TIMED_OUT, Result.TIMEOUT, None),
        (FetchError(Result.DNS_ERROR, "no such name"), Result.DNS_ERROR, None),
        (FetchError(Result.TLS_ERROR, "no good certificate"), Result.TLS_ERROR, None),
        (down(), Result.CONNECTION_FAILED, None),
    ],
)
def test_each_answer_for_a_manifest_is_a_result(answer: Served, result: Result, status: int | None) -> None:
    replica = replica_answering(answer)
    assert (replica.manifest.result, replica.manifest.http_status) == (result, status)
    assert (replica.manifest.value is not None) == replica.up == (result is Result.OK)
    assert (replica.manifest.why == "") == (result is Result.OK)


def test_the_age_of_a_cached_manifest_is_kept() -> None:
    assert replica_answering(Answer(200, manifest("repo.tld"), age=75)).manifest.age == 75


def test_how_a_repository_is_known_depends_on_the_list() -> None:
    served = replicas_on(S1, "copied.tld") | repository(S1, "hidden.tld")
    served[S1.url + LIST] = listing("copied.tld", repositories=("own.tld",))
    stratum, _ = alone(S1, served, repos=("hidden.tld", "gone.tld"))
    assert {one.repo: one.listed for one in stratum.replicas} == {
        "copied.tld": Listed.REPLICA,
        "own.tld": Listed.SOURCE,
        "hidden.tld": Listed.UNLISTED,
        "gone.tld": Listed.UNLISTED,
    }
    assert {one.repo: one.manifest.result for one in stratum.replicas} == {
        "copied.tld": Result.OK,
        "own.tld": Result.NOT_FOUND,
        "hidden.tld": Result.OK,
        "gone.tld": Result.UNLISTED,
    }


@pytest.mark.parametrize(
    ("listed", "serves", "backend"),
    [
        (403, True, Backend.S3),
        (404, True, Backend.S3),
        (403, False, None),
        (404, False, None),
        (500, True, None),
        (401, True, None),
    ],
)
def test_a_server_is_a_bucket_only_if_it_denies_a_list_and_serves_a_name(
    listed: int, serves: bool, backend: Backend | None
) -> None:
    served: dict[str, Served] = {S1.url + LIST: Answer(listed, b"")}
    served |= repository(S1, "repo.tld") if serves else {}
    assert alone(S1, served, repos=("repo.tld",))[0].backend is backend


def test_an_outage_is_no_bucket() -> None:
    served: dict[str, Served] = {S1.url + LIST: TIMED_OUT, **repository(S1, "repo.tld")}
    assert alone(S1, served, repos=("repo.tld",))[0].backend is None


def test_a_server_said_to_be_a_bucket_is_not_asked_for_a_list() -> None:
    bucket = Server(S1.url, "s1.tld", Role.STRATUM1, backend=Backend.S3)
    stratum, asked = alone(bucket, repository(S1, "repo.tld"), repos=("repo.tld",))
    assert (stratum.backend, stratum.up) == (Backend.S3, True)
    assert not asked_for(asked, "/info/v1/")


@pytest.mark.parametrize("missing", [".cvmfspublished", ".cvmfswhitelist", ".cvmfs_status.json"])
@pytest.mark.parametrize("status", [403, 404])
def test_a_bucket_that_was_found_out_is_judged_as_one_that_was_named(missing: str, status: int) -> None:
    served = {**repository(S1, "repo.tld"), **repository(S1, "other.tld"), S1.url + LIST: Answer(status, b"")}
    for name in (missing, ".cvmfs_is_snapshotting", ".cvmfs_last_snapshot"):
        served[f"{S1.url}/cvmfs/repo.tld/{name}"] = Answer(status, b"")

    def verdict(backend: Backend) -> list[tuple[Health | None, set[str], bool]]:
        server = Server(S1.url, "s1.tld", Role.STRATUM1, backend=backend, repos=("repo.tld", "other.tld"))
        run = run_of(Fleet((server,)), served, NOW)
        return [
            (one.health, {finding.slug for finding in one.findings}, one.replica.snapshotting.answered)
            for one in run.replicas
        ]

    assert verdict(Backend.AUTO) == verdict(Backend.S3)


MINIO = Server("http://minio.tld:9000/bucket", "minio", Role.STRATUM0, repos=("a.tld", "b.tld"))


def in_bucket(repo: str, below: str) -> dict[str, Served]:
    """As `cvmfs_server mkfs -s` (nothing) or below a folder of the bucket."""
    return {
        f"{MINIO.url}{below}{path.removeprefix('/cvmfs')}": body for path, body in published.repository(repo).items()
    }


@pytest.mark.parametrize("status", [403, 404])
@pytest.mark.parametrize("backend", [Backend.AUTO, Backend.S3])
def test_a_bucket_is_looked_through_once_and_its_places_are_remembered(backend: Backend, status: int) -> None:
    server = replace(MINIO, backend=backend)
    served = Missing(in_bucket("a.tld", "") | in_bucket("b.tld", "/cvmfs"), status)
    seen, network = visited(Fleet((server,), verify_every=None), served)
    assert [one.url for one in seen.strata[0].replicas] == [
        f"{MINIO.url}/a.tld/.cvmfspublished",
        f"{MINIO.url}/cvmfs/b.tld/.cvmfspublished",
    ]
    assert seen.strata[0].backend is Backend.S3
    assert len(asked_for(network.asked, ".cvmfspublished")) == 3
    memory = remember(NOTHING, assess(seen, timedelta(seconds=1)))
    again, network = visited(Fleet((server,), verify_every=None), served, memory=memory)
    assert len(asked_for(network.asked, ".cvmfspublished")) == 2
    assert [one.url for one in again.strata[0].replicas] == [one.url for one in seen.strata[0].replicas]
    moved = Missing(in_bucket("a.tld", "/cvmfs") | in_bucket("b.tld", "/cvmfs"), status)
    after, _ = visited(Fleet((server,), verify_every=None), moved, memory=memory)
    assert [one.up for one in after.strata[0].replicas] == [True, True]


class Missing(dict[str, Served]):
    """What a bucket serves, and what it answers for all else."""

    def __init__(self, served: Mapping[str, Served], status: int) -> None:
        super().__init__(served)
        self.status = status

    def get(self, url: str, _default: object = None) -> Served:
        if url in self:
            return self[url]
        return THERE if "/data/" in url else Answer(self.status, b"")


@pytest.mark.parametrize(
    ("second", "result"),
    [
        (Answer(404, b""), Result.NOT_FOUND),
        (b"<html>It works!", Result.NOT_FOUND),
        (Answer(503, b""), Result.HTTP_ERROR),
        (TIMED_OUT, Result.TIMEOUT),
    ],
)
def test_what_is_at_no_place_is_missing_and_what_could_not_be_asked_is_not(second: Served, result: Result) -> None:
    server = replace(MINIO, backend=Backend.S3, repos=("a.tld",))
    stratum, _ = alone(server, {f"{MINIO.url}/a.tld/.cvmfspublished": second})
    assert stratum.replicas[0].manifest.result is result
    if result is Result.NOT_FOUND:
        assert f"nor at {MINIO.url}/a.tld/.cvmfspublished" in stratum.replicas[0].manifest.why


def test_a_server_of_cvmfs_is_asked_at_one_place() -> None:
    server = replace(MINIO, backend=Backend.CVMFS)
    _, asked = alone(server, in_bucket("a.tld", ""))
    assert asked_for(asked, ".cvmfspublished") == [
        f"{MINIO.url}/cvmfs/{repo}/.cvmfspublished" for repo in ("a.tld", "b.tld")
    ]


# --- GeoAPI -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("server", [S1, SYNC])
def test_a_geoapi_is_asked_once_with_the_question_of_servermon(server: Server) -> None:
    stratum, asked = alone(server, replicas_on(server, *names(12)))
    assert asked_for(asked, "/api/") == [f"{server.url}/cvmfs/r000.tld/{CANONICAL}"]
    assert stratum.geoapi_status is GeoAPIStatus.OK


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"2,1,3\n", GeoAPIStatus.OK),
        (b"2,1,3", GeoAPIStatus.OK),
        (b"1,2,3\n", GeoAPIStatus.LOCATION_ERROR),
        (b"3,1,2\n", GeoAPIStatus.LOCATION_ERROR),
        (b"2,1\n", GeoAPIStatus.NO_RESPONSE),
        (b"2,1,3,4\n", GeoAPIStatus.NO_RESPONSE),
        (b"2,2,3\n", GeoAPIStatus.NO_RESPONSE),
        (b"<html>", GeoAPIStatus.NO_RESPONSE),
        (b"", GeoAPIStatus.NO_RESPONSE),
        (Answer(400, b"Bad Request: remote addr not found in database\n"), GeoAPIStatus.NO_RESPONSE),
        (Answer(404, b""), GeoAPIStatus.NO_RESPONSE),
        (Answer(500, b"2,1,3\n"), GeoAPIStatus.NO_RESPONSE),
        (TIMED_OUT, GeoAPIStatus.NO_RESPONSE),
        (FetchError(Result.DEADLINE, "the run's time was up"), GeoAPIStatus.NOT_YET_TESTED),
    ],
)
def test_each_answer_of_a_geoapi_is_a_status(body: Served, status: GeoAPIStatus) -> None:
    served = replicas_on(S1, "repo.tld") | {f"{S1.url}/cvmfs/repo.tld/{CANONICAL}": body}
    assert alone(S1, served)[0].geoapi_status is status


def test_a_stratum_0_is_not_asked() -> None:
    served = {S0.url + LIST: listing(repositories=("repo.tld",)), **repository(S0, "repo.tld")}
    stratum, asked = alone(S0, served)
    assert (stratum.geoapi_status, asked_for(asked, "/api/")) == (GeoAPIStatus.NOT_FOUND, [])


@pytest.mark.parametrize("backend", [Backend.AUTO, Backend.S3])
def test_a_bucket_is_not_asked(backend: Backend) -> None:
    bucket = Server(S1.url, "s1.tld", Role.STRATUM1, backend=backend, repos=("repo.tld",))
    stratum, asked = alone(bucket, repository(S1, "repo.tld"))
    assert (stratum.geoapi_status, asked_for(asked, "/api/")) == (GeoAPIStatus.NOT_FOUND, [])


def test_a_server_without_repositories_has_nothing_to_test() -> None:
    stratum, asked = alone(S1, {S1.url + LIST: listing()})
    assert (stratum.geoapi_status, asked_for(asked, "/api/")) == (GeoAPIStatus.NOT_FOUND, [])


def test_a_server_that_is_down_was_not_tested() -> None:
    served = {S1.url + LIST: down(), f"{S1.url}/cvmfs/repo.tld/.cvmfspublished": down()}
    stratum, asked = alone(S1, served, repos=("repo.tld",))
    assert (stratum.geoapi_status, asked_for(asked, "/api/")) == (GeoAPIStatus.NOT_YET_TESTED, [])


def test_a_geoapi_can_be_left_alone() -> None:
    stratum, asked = alone(S1, replicas_on(S1, "repo.tld"), geoapi=GeoAPI(enabled=False))
    assert (stratum.geoapi_status, asked_for(asked, "/api/")) == (GeoAPIStatus.NOT_YET_TESTED, [])


def test_a_geoapi_is_asked_through_a_repository_that_is_there() -> None:
    served = replicas_on(S1, "gone.tld", "there.tld")
    del served[f"{S1.url}/cvmfs/gone.tld/.cvmfspublished"]
    stratum, asked = alone(S1, served)
    assert asked_for(asked, "/api/") == [f"{S1.url}/cvmfs/there.tld/{CANONICAL}"]
    assert stratum.geoapi_status is GeoAPIStatus.OK


RECORDED = [pair for pair in GENUINE if pair["path"].startswith("/cvmfs/main.genuine.example/api/v1.0/geo/")]
OWN = [
    pair
    for pair in RECORDED
    if pair["status"] == 200
    and not pair["request_headers"]
    and pair["path"].split("/")[-2] in pair["path"].split("/")[-1].split(",")
]


def genuine(server: Server) -> dict[str, Served]:
    """A stratum 1 with the recorded replies of a genuine GeoAPI."""
    served = replicas_on(server, "main.genuine.example")
    served |= {server.url + pair["path"]: Answer(pair["status"], pair["body"].encode()) for pair in RECORDED}
    return served


def own_hosts(*hosts: str) -> GeoAPIStatus:
    stratum, asked = alone(S1, genuine(S1), geoapi=GeoAPI(servers=hosts))
    (url,) = asked_for(asked, "/api/")
    assert url == f"{S1.url}/cvmfs/main.genuine.example/api/v1.0/geo/{hosts[0]}/{','.join(hosts)}"
    return stratum.geoapi_status


def test_own_hosts_are_asked_from_the_first_of_them_which_must_come_first() -> None:
    assert own_hosts("127.0.1.1") is GeoAPIStatus.OK


def test_hosts_at_the_same_place_tie_in_the_order_asked_and_that_is_right() -> None:
    assert own_hosts("127.0.1.1", "127.0.1.2", "127.0.0.1") is GeoAPIStatus.OK


def test_the_recorded_tie_shows_why_the_origin_is_asked_for_first() -> None:
    tie = next(pair for pair in OWN if "/geo/127.0.1.2/127.0.1.1,127.0.1.2," in pair["path"])
    assert tie["body"] == "1,2,3\n"


def test_own_hosts_are_wrong_if_another_comes_first() -> None:
    served = replicas_on(S1, "repo.tld") | {f"{S1.url}/cvmfs/repo.tld/api/v1.0/geo/a.tld/a.tld,b.tld": b"2,1\n"}
    assert alone(S1, served, geoapi=GeoAPI(servers=("a.tld", "b.tld")))[0].geoapi_status is GeoAPIStatus.LOCATION_ERROR


# --- servers that stop answering --------------------------------------------------------------------


def failing(served: Mapping[str, Served], kinds: tuple[str, ...], error: Exception) -> dict[str, Served]:
    return {url: error if url.endswith(kinds) else answer for url, answer in served.items()}


@pytest.mark.parametrize("connections", [1, 8])
@pytest.mark.parametrize("error", [TIMED_OUT, down()])
def test_a_server_that_stops_answering_is_not_asked_for_ever(connections: int, error: FetchError) -> None:
    served = failing(replicas_on(S1, *names(300)), (".cvmfspublished",), error)
    stratum, asked = alone(S1, served, connections_per_server=connections)
    assert len(asked) <= 60
    assert {one.manifest.result for one in stratum.replicas} == {error.result}
    assert len(stratum.replicas) == 300


def test_a_server_that_never_answers_is_asked_for_no_details() -> None:
    served: dict[str, Served] = {S1.url + LIST: TIMED_OUT}
    served |= {f"{S1.url}/cvmfs/{repo}/.cvmfspublished": TIMED_OUT for repo in names(5)}
    stratum, asked = alone(S1, served, repos=names(5))
    assert len(asked) <= 6
    assert {one.manifest.result for one in stratum.replicas} == {Result.TIMEOUT}
    assert not stratum.up


def test_a_server_that_refuses_a_few_is_asked_for_all() -> None:
    repos = names(40)
    served = replicas_on(S1, *repos)
    for repo in repos[::8]:
        served[f"{S1.url}/cvmfs/{repo}/.cvmfspublished"] = TIMED_OUT
    stratum, asked = alone(S1, served, connections_per_server=1)
    assert len(asked_for(asked, ".cvmfspublished")) == 40
    assert sum(one.up for one in stratum.replicas) == 35


def test_a_server_that_answers_errors_is_asked_for_all() -> None:
    served = failing(replicas_on(S1, *names(40)), (".cvmfspublished",), FetchError(Result.HTTP_ERROR, "500", 500))
    _, asked = alone(S1, served)
    assert len(asked_for(asked, ".cvmfspublished")) == 40 + 1, "all of them, and one for all once more"


def test_one_server_that_is_down_takes_nothing_from_another() -> None:
    served: dict[str, Served] = {S0.url + LIST: down(), **replicas_on(S1, "repo.tld")}
    seen, _ = visited(Fleet((S0, S1)), served)
    assert [one.up for one in seen.strata] == [False, True]
    assert not seen.deadline_hit


# --- our own faults ---------------------------------------------------------------------------------


def divide(*_arguments: object, **_named: object) -> NoReturn:
    raise ZeroDivisionError("division by zero")


def crash(monkeypatch: pytest.MonkeyPatch, place: str, when: Callable[[bytes], bool] = lambda _body: True) -> None:
    """Make what a parser is built on fail for some documents."""
    module, _, name = place.rpartition(".")
    right = getattr(__import__(module, fromlist=[name]), name)

    def wrong(body: bytes, *rest: object) -> object:
        return divide() if when(body) else right(body, *rest)

    monkeypatch.setattr(place, wrong)


CRASHES = {
    "manifest": "telegraf_cvmfs.wire.manifest.split",
    "whitelist": "telegraf_cvmfs.wire.whitelist.split",
    "status": "telegraf_cvmfs.wire.status.json_object",
}


@pytest.mark.parametrize("document", CRASHES)
def test_a_crash_costs_one_document_and_one_line(document: str, monkeypatch: pytest.MonkeyPatch) -> None:
    served = replicas_on(S1, "a.tld", "b.tld", "c.tld")
    right, asked = alone(S1, served)
    names_of = {"manifest": ".cvmfspublished", "whitelist": ".cvmfswhitelist", "status": ".cvmfs_status.json"}
    url = f"{S1.url}/cvmfs/b.tld/{names_of[document]}"
    marked = served[url]
    assert isinstance(marked, bytes)
    served[url] = marked + b" "
    crash(monkeypatch, CRASHES[document], lambda body: body == served[url])
    complaints: list[str] = []
    wrong, asked_again = alone(S1, served, complaints)
    assert complaints[0].startswith("E! internal error, please report it: ZeroDivisionError")
    assert complaints[1:] == [f"I! {url}: {complaints[0][3:]}"]  # for whoever wants to hear more
    of_manifest = {"root_catalog", "partial"} if document == "manifest" else set()  # not asked without one
    parts = ("/b.tld/data/", "/b.tld/.cvmfs_partial") if of_manifest else ()
    assert set(asked) - set(asked_again) == {url for url in asked if any(part in url for part in parts)}
    for before, after in zip(right.replicas, wrong.replicas, strict=True):
        changed = {
            name for name in (one.name for one in fields(before)) if getattr(before, name) != getattr(after, name)
        }
        assert changed == ({document, *of_manifest} if before.repo == "b.tld" else set())


def test_a_crash_on_a_list_costs_the_list_and_not_the_names(monkeypatch: pytest.MonkeyPatch) -> None:
    crash(monkeypatch, "telegraf_cvmfs.wire.repositories.json_object", lambda body: b"replicas" in body)
    complaints: list[str] = []
    stratum, _ = alone(S1, replicas_on(S1, "a.tld", "b.tld"), complaints, repos=("b.tld",))
    assert [(one.repo, one.up) for one in stratum.replicas] == [("b.tld", True)]
    assert [line[:3] for line in complaints] == ["E! ", "I! "]


@pytest.mark.parametrize("document", ["whitelist", "status"])
def test_a_crash_of_ours_is_not_known_and_never_red(document: str, monkeypatch: pytest.MonkeyPatch) -> None:
    crash(monkeypatch, CRASHES[document])
    run = run_of(Fleet((S1,)), replicas_on(S1, "repo.tld"), NOW)
    assert run.replicas[0].health is Health.UNKNOWN


def test_what_a_fetch_raises_unawares_costs_its_document() -> None:
    served = replicas_on(S1, "a.tld", "b.tld")
    served[f"{S1.url}/cvmfs/a.tld/.cvmfspublished"] = ZeroDivisionError("division by zero")
    complaints: list[str] = []
    stratum, _ = alone(S1, served, complaints)
    assert [one.up for one in stratum.replicas] == [False, True]
    assert [line[:3] for line in complaints] == ["E! ", "I! "]


def test_an_entry_that_cannot_be_used_is_told_and_the_rest_is_read() -> None:
    served = replicas_on(S1, "repo.tld")
    served[S1.url + LIST] = listing("repo.tld", "../../etc")
    complaints: list[str] = []
    stratum, asked = alone(S1, served, complaints)
    assert [one.repo for one in stratum.replicas] == ["repo.tld"]
    assert len(complaints) == 1
    assert complaints[0].startswith("W! s1.tld: ")
    assert not asked_for(asked, "..")


# --- out of time ------------------------------------------------------------------------------------


class Stalling(dict[str, Served]):
    """Serves, but for some URLs does not answer until it is let go."""

    def __init__(self, served: Mapping[str, Served], stalled: Callable[[str], bool]) -> None:
        super().__init__(served)
        self.let_go = threading.Event()
        self.reached = threading.Event()
        self._stalled = stalled

    def get(self, url: str, default: Any = None) -> Any:
        if self._stalled(url):
            self.reached.set()
            self.let_go.wait(20)
        return super().get(url, default)


@contextmanager
def cut_while_stalled(fleet: Fleet, served: Stalling) -> Iterator[Scrape]:
    """A run whose time is up once it has met what stalls, and has done all else that it can."""
    network = FakeNetwork(served, deadline=Deadline(20))

    def cut() -> None:
        served.reached.wait(20)
        asked, quiet = 0, 0
        while quiet < 5:
            threading.Event().wait(0.05)
            quiet = quiet + 1 if len(network.asked) == asked else 0
            asked = len(network.asked)
        network.deadline.cut()

    threading.Thread(target=cut, daemon=True).start()
    try:
        yield scrape(fleet, NOW, network, lambda _line: None)  # type: ignore[arg-type]  # all that scrape needs
    finally:
        served.let_go.set()


def test_a_run_that_is_out_of_time_keeps_what_is_known() -> None:
    served = Stalling(
        {**replicas_on(S1, "a.tld", "b.tld"), **replicas_on(SYNC, "a.tld")},
        lambda url: url.startswith(S1.url) and "/b.tld/.cvmfspublished" in url,
    )
    with cut_while_stalled(Fleet((S1, SYNC)), served) as seen:
        assert seen.deadline_hit
        slow, good = seen.strata
        assert {one.repo: one.manifest.result for one in slow.replicas} == {
            "a.tld": Result.OK,
            "b.tld": Result.DEADLINE,
        }
        assert slow.up
        assert good.replicas[0].whitelist.result is Result.OK
        run = assess(seen, timedelta(seconds=45))
        assert {one.replica.repo: one.health for one in run.servers[0].replicas} == {
            "a.tld": Health.UNKNOWN,  # its details were still to come
            "b.tld": Health.UNKNOWN,
        }
        assert run.servers[1].replicas[0].health is Health.OK
        assert run.deadline_hit


def test_a_run_that_is_out_of_time_has_a_replica_for_each_name() -> None:
    served = Stalling({}, bool)
    with cut_while_stalled(Fleet((S1, S0), repos=("repo.tld",)), served) as seen:
        assert seen.deadline_hit
        assert [[one.repo for one in stratum.replicas] for stratum in seen.strata] == [["repo.tld"], []]
        run = assess(seen, timedelta(seconds=45))
        assert [one.health for one in run.servers] == [Health.UNKNOWN, Health.UNKNOWN]
        assert run.replicas[0].health is Health.UNKNOWN


def test_time_that_is_up_after_all_manifests_costs_details_alone() -> None:
    served = Stalling(replicas_on(S1, *names(10)), lambda url: url.endswith(".cvmfswhitelist"))
    with cut_while_stalled(Fleet((S1,)), served) as seen:
        assert all(one.up for one in seen.strata[0].replicas)
        assert {one.whitelist.result for one in seen.strata[0].replicas} == {Result.DEADLINE}
        assert seen.deadline_hit


def test_a_run_that_ends_in_time_says_so() -> None:
    seen, _ = visited(Fleet((S1,)), replicas_on(S1, "repo.tld"))
    assert not seen.deadline_hit


def test_a_server_without_a_geoapi_by_choice_is_not_asked_for_one() -> None:
    chosen = replace(S1, geoapi=False)
    stratum, asked = alone(chosen, replicas_on(S1, "a.tld"))
    assert not asked_for(asked, "/geo/")
    assert stratum.geoapi_status is GeoAPIStatus.NOT_YET_TESTED
    _, asked = alone(S1, replicas_on(S1, "a.tld"))
    assert asked_for(asked, "/geo/")
