"""One failure is no proof: what may have been chance is asked for once more before anybody is woken."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field

import pytest

from telegraf_cvmfs.memory.value import NOTHING, Memory
from telegraf_cvmfs.model import (
    Answer,
    Cause,
    FetchError,
    Fleet,
    GeoAPIStatus,
    Result,
    Role,
    Server,
    Stratum,
    Traffic,
)
from telegraf_cvmfs.net.deadline import Deadline
from telegraf_cvmfs.net.transport import Request, Threads
from telegraf_cvmfs.scraping.asking.engine import Engine
from telegraf_cvmfs.scraping.asking.job import Job, Pause, Program, Stages
from telegraf_cvmfs.scraping.visits import probe, scrape
from tests.builders import hostile, published
from tests.builders.asking import Asking
from tests.builders.published import LIST, META, NOW, STATUS, listing
from tests.builders.strata import FakeNetwork, Served
from tests.scraping.test_visit import S1, names, replicas_on, seen_on

RESET = FetchError(Result.CONNECTION_FAILED, "Connection reset by peer")
REFUSED = FetchError(Result.CONNECTION_FAILED, "Connection refused", cause=Cause.REFUSED)
UNCONNECTED = FetchError(Result.TIMEOUT, "no connection in time", cause=Cause.UNCONNECTED)
TLS = FetchError(Result.TLS_ERROR, "it ended in the handshake")
CHANCE = {"reset": RESET, "refused": REFUSED, "connect time-out": UNCONNECTED, "TLS": TLS} | {
    str(status): Answer(status, b"") for status in (500, 502, 503, 504)
}
NO_CHANCE = {
    "silent": FetchError(Result.TIMEOUT, "no answer in time"),
    "unknown name": FetchError(Result.DNS_ERROR, "no such name"),
    "expired": FetchError(Result.TLS_ERROR, "expired", cause=Cause.EXPIRED_CERTIFICATE),
    "deadline": FetchError(Result.DEADLINE, "the run was over"),
    "too few files": FetchError(Result.OWN_LIMIT, "too few files"),
    "elsewhere": FetchError(Result.REDIRECTED, "to another server", 302, cause=Cause.OTHER_SERVER),
} | {str(status): Answer(status, b"") for status in (400, 401, 403, 404, 410, 429)}


class Flaky(dict[str, Served]):
    """What is served; some of it only after failures, in their order."""

    def __init__(self, served: Mapping[str, Served], failures: Mapping[str, list[Served]]) -> None:
        super().__init__(served)
        self._failures = {url: list(some) for url, some in failures.items()}

    def get(self, url: str, default: Served | None = None) -> Served | None:  # type: ignore[override]
        some = self._failures.get(url)
        return some.pop(0) if some else super().get(url, default)


class Ill(dict[str, Served]):
    """What is served once anything is asked for a second time; until then all of it fails."""

    def __init__(self, served: Mapping[str, Served], failure: Served) -> None:
        super().__init__(served)
        self._failure = failure
        self._asked: set[str] = set()
        self._well = False

    def get(self, url: str, default: Served | None = None) -> Served | None:  # type: ignore[override]
        self._well |= url in self._asked
        self._asked.add(url)
        return super().get(url, default) if self._well else self._failure


def manifest_url(repo: str) -> str:
    return f"{S1.url}/cvmfs/{repo}/.cvmfspublished"


def seen_through(
    served: Mapping[str, Served], failures: Mapping[str, list[Served]], memory: Memory = NOTHING
) -> tuple[Stratum, list[str]]:
    """What is known of the server in the end, and what it was asked."""
    return seen_of(Flaky(served, failures), memory)


def seen_of(served: Mapping[str, Served], memory: Memory) -> tuple[Stratum, list[str]]:
    network = FakeNetwork(served)
    fleet = Fleet((S1,), verify_every=None)
    seen = scrape(fleet, NOW, network, lambda _line: None, memory=memory)  # type: ignore[arg-type]  # all it needs
    return seen.strata[0], network.asked


REPOS = names(6)
SERVED = replicas_on(S1, *REPOS)
MANIFESTS = [manifest_url(repo) for repo in REPOS]
ALL = [S1.url + LIST, *MANIFESTS]
(GEOAPI,) = {url for url in SERVED if REPOS[0] in url and "/api/" in url}


@pytest.mark.parametrize("fault", CHANCE)
@pytest.mark.parametrize("urls", [ALL[:1], ALL[4:5], MANIFESTS, ALL], ids=["list", "manifest", "manifests", "all"])
def test_what_fails_once_by_chance_is_read_in_the_end(urls: list[str], fault: str) -> None:
    stratum, asked = seen_through(SERVED, {url: [CHANCE[fault]] for url in urls}, seen_on(S1, *REPOS))
    assert stratum.listing.result is Result.OK
    assert [replica.repo for replica in stratum.replicas if replica.up] == list(REPOS)
    assert stratum.geoapi_status is GeoAPIStatus.OK
    assert max(map(asked.count, ALL)) <= 2
    assert {url for url in ALL if asked.count(url) == 2} <= set(urls)


@pytest.mark.parametrize("fault", CHANCE)
def test_a_server_that_is_well_again_is_read_whole_also_what_it_was_not_asked_any_more(fault: str) -> None:
    repos = names(100)
    stratum, asked = seen_of(Ill(replicas_on(S1, *repos), CHANCE[fault]), seen_on(S1, *repos))
    assert [replica.repo for replica in stratum.replicas if replica.up] == list(repos)
    assert max(map(asked.count, set(asked))) <= 2


@pytest.mark.parametrize("fault", CHANCE)
def test_what_fails_twice_has_failed(fault: str) -> None:
    stratum, asked = seen_through(SERVED, {url: [CHANCE[fault]] * 2 for url in ALL}, seen_on(S1, *REPOS))
    assert stratum.listing.result is not Result.OK
    assert not stratum.up
    assert asked.count(ALL[0]) == 2
    assert not [url for url in MANIFESTS if asked.count(url) > 1], "one question stands for all"


@pytest.mark.parametrize("fault", NO_CHANCE)
def test_what_is_no_chance_is_not_asked_once_more(fault: str) -> None:
    stratum, asked = seen_through(SERVED, {url: [NO_CHANCE[fault]] * 2 for url in ALL}, seen_on(S1, *REPOS))
    assert not stratum.up
    assert max(map(asked.count, ALL)) == 1


def test_where_the_list_is_served_one_manifest_stands_for_all_that_failed() -> None:
    stratum, asked = seen_through(SERVED, {url: [CHANCE["503"]] * 2 for url in MANIFESTS})
    assert {replica.manifest.http_status for replica in stratum.replicas} == {503}
    assert sum(map(asked.count, MANIFESTS)) == len(MANIFESTS) + 1


def test_where_some_manifests_are_served_each_of_the_others_is_asked_once_more() -> None:
    chance, down = MANIFESTS[3], MANIFESTS[5]
    stratum, asked = seen_through(SERVED, {chance: [RESET], down: [RESET] * 2})
    assert [replica.repo for replica in stratum.replicas if not replica.up] == [REPOS[5]]
    assert (asked.count(chance), asked.count(down)) == (2, 2)


def test_repositories_that_only_the_second_list_tells_are_read() -> None:
    stratum, asked = seen_through(SERVED, {ALL[0]: [RESET]})
    assert [replica.repo for replica in stratum.replicas if replica.up] == list(REPOS)
    assert max(map(asked.count, MANIFESTS)) == 1


@pytest.mark.parametrize(("failures", "status"), [(1, GeoAPIStatus.OK), (2, GeoAPIStatus.NO_RESPONSE)])
def test_a_geoapi_is_asked_once_more(failures: int, status: GeoAPIStatus) -> None:
    stratum, asked = seen_through(SERVED, {GEOAPI: [CHANCE["503"]] * failures})
    assert stratum.geoapi_status is status
    assert asked.count(GEOAPI) == 2


@pytest.mark.parametrize("untried", ["deadline", "too few files"])
def test_what_failed_and_could_not_be_asked_once_more_has_failed(untried: str) -> None:
    stratum, _ = seen_through(SERVED, {url: [CHANCE["503"], NO_CHANCE[untried]] for url in ALL})
    assert (stratum.listing.result, stratum.listing.http_status) == (Result.HTTP_ERROR, 503)


@pytest.mark.parametrize(("failures", "up"), [(1, True), (2, False)])
def test_whoever_tries_a_server_before_it_is_watched_asks_once_more_too(failures: int, *, up: bool) -> None:
    network = FakeNetwork(Flaky(SERVED, {url: [CHANCE["503"]] * failures for url in ALL[:2]}))
    (stratum,) = probe(Fleet((S1,)), NOW, network, lambda _line: None)  # type: ignore[arg-type]  # all it needs
    assert stratum.up is up


# --- the pause --------------------------------------------------------------------------------------


@dataclass
class Paused:
    """Programs of servers that pause; when each asked is noted."""

    asked: list[tuple[str, float]] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    def program(self, name: str) -> Program:
        return Program(self._stages(name), self._failed)

    def carry(self, request: Request) -> Answer:
        self.asked.append((request.server.name, time.monotonic() - self.began))
        return Answer(200, b"")

    def _stages(self, name: str) -> Stages:
        yield [self._job(name)]
        yield Pause()
        yield [self._job(name)]

    def _job(self, name: str) -> Job[None]:
        yield Request(Server(f"http://{name}", name, Role.STRATUM1), f"http://{name}/", 10)

    def _failed(self, error: Exception) -> None:
        raise error


def test_servers_pause_for_one_to_two_seconds_all_at_the_same_time_and_not_all_as_long() -> None:
    paused = Paused()
    transport = Threads(paused.carry, 8)
    Engine(transport, Deadline(20), 2, (0.2, 0.4)).run(paused.program(f"s{number}") for number in range(30))
    transport.close()
    first, second = paused.asked[:30], paused.asked[30:]
    assert {name for name, _ in first} == {name for name, _ in second}
    assert max(when for _, when in first) < 0.2
    pauses = [when - dict(first)[name] for name, when in second]
    assert min(pauses) >= 0.2
    assert max(pauses) < 2, "not one after the other"
    assert max(pauses) - min(pauses) > 0.02


def test_the_pause_is_one_to_two_seconds() -> None:
    program = "from telegraf_cvmfs.model import Fleet; print(Fleet(()).pause)"  # here it is shorter
    assert (
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
        == "(1.0, 2.0)\n"
    )


def test_a_pause_takes_no_more_than_a_quarter_of_what_is_left_and_none_outlives_the_run() -> None:
    paused = Paused()
    transport = Threads(paused.carry, 8)
    Engine(transport, Deadline(0.8), 2, (60.0, 60.0)).run([paused.program("s")])
    transport.close()
    (_, first), (_, second) = paused.asked
    assert 0.1 < second - first < 0.6


# --- over a real network ----------------------------------------------------------------------------


def at_first(number: int, bad: hostile.Behaviour, good: hostile.Behaviour) -> hostile.Behaviour:
    """A server that is bad on its first connections."""
    return lambda talk: (bad if talk.number < number else good)(talk)


def traffic_of(url: str, seconds: float = 20, pause: float = 0.02) -> tuple[Stratum, Traffic]:
    network = Asking(Deadline(seconds), resolve=lambda _host: [])
    server = Server(url, "s1", Role.STRATUM1)
    fleet = Fleet((server,), connections_per_server=1, verify_every=None, pause=(pause, pause))
    seen = scrape(fleet, NOW, network, lambda _line: None)
    return seen.strata[0], seen.traffic


GOOD = hostile.serves(
    {LIST: listing("repo.tld"), META: b"{}"}
    | published.repository("repo.tld")
    | {"/cvmfs/repo.tld/.cvmfs_status.json": STATUS}
)


@pytest.mark.usefixtures("each_transport")
@pytest.mark.parametrize(
    "bad", [hostile.resets, hostile.says(hostile.page(b"", "503 Service Unavailable"))], ids=["reset", "503"]
)
def test_a_failure_after_which_it_works_is_not_counted(bad: hostile.Behaviour) -> None:
    with hostile.Server(GOOD) as server:
        _, usual = traffic_of(server.url)
    with hostile.Server(at_first(1, bad, GOOD)) as server:
        stratum, traffic = traffic_of(server.url)
    assert stratum.up
    assert stratum.listing.result is Result.OK
    assert traffic.failures == usual.failures
    assert traffic.requests == usual.requests + 1


@pytest.mark.usefixtures("each_transport")
def test_a_server_that_begins_to_listen_in_the_pause_is_up() -> None:
    with hostile.refuses() as url:
        pass
    with ExitStack() as stack:
        port = int(url.rpartition(":")[2])
        opens = threading.Timer(0.2, lambda: stack.enter_context(hostile.Server(GOOD, port=port)))
        opens.start()
        stratum, traffic = traffic_of(url, pause=0.5)
        opens.join()
    assert stratum.up
    assert traffic.failures == 0


@pytest.mark.usefixtures("each_transport")
def test_a_server_that_does_not_connect_in_time_is_asked_twice() -> None:
    with hostile.full_backlog() as url:
        stratum, traffic = traffic_of(url, 2.0)
    assert (stratum.listing.result, stratum.listing.cause) == (Result.TIMEOUT, Cause.UNCONNECTED)
    assert (traffic.requests, traffic.failures) == (2, 2)
