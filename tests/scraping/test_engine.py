"""A visit without I/O: answers in any order, missing, or cut off at any point; and the engine that drives many of them."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telegraf_cvmfs.demo import DemoFleet
from telegraf_cvmfs.memory.value import NOTHING
from telegraf_cvmfs.model import Answer, FetchError, Fleet, Replica, Result, Role, Server, Stratum
from telegraf_cvmfs.net.deadline import Deadline
from telegraf_cvmfs.net.transport import Outcome, Request, Threads
from telegraf_cvmfs.scraping.asking.engine import Engine
from telegraf_cvmfs.scraping.asking.job import Job, Program
from telegraf_cvmfs.scraping.context import Context
from telegraf_cvmfs.scraping.proof import Quota
from telegraf_cvmfs.scraping.visit import Visit
from tests.builders.demo_runs import NOW, waits
from tests.builders.jobs import Serve, drive

FLEET = Fleet(servers=())
NAMES = ("stratum0", "stratum1-healthy", "stratum1-faulty")
FAILURES = (
    FetchError(Result.TIMEOUT, "no answer in time"),
    FetchError(Result.CONNECTION_FAILED, "connection refused"),
    FetchError(Result.HTTP_ERROR, "redirected", 302),
    FetchError(Result.DEADLINE, "the run's time was up"),
)


@cache
def documents() -> dict[str, dict[str, bytes]]:
    """What each server of the demo serves, path -> bytes."""
    with DemoFleet(NOW, faults=True) as demo:
        return {name: dict(demo.documents[name]) for name in NAMES}


def server(name: str) -> Server:
    return Server(f"http://{name}.example", name, Role.STRATUM0 if name == "stratum0" else Role.STRATUM1)


def visit_of(name: str, said: list[str]) -> Visit:
    return Visit(FLEET, server(name), said.append, Context(NOTHING, NOW, lambda _replica: False, Quota(10**9)))


def served_by(name: str) -> Serve:
    def serve(request: Request) -> Outcome:
        body = documents()[name].get(request.url.removeprefix(request.server.url))
        if body is None:
            return Answer(404, b"")
        if len(body) > request.limit > 0:
            return FetchError(Result.TOO_LARGE, f"more than {request.limit} bytes", 200)
        if request.sink is not None:
            request.sink(body)
        return Answer(200, body if request.limit and request.sink is None else b"", length=len(body))

    return serve


def first(_count: int) -> int:
    return 0


def whole(visit: Visit, serve: Serve, pick: Callable[[int], int] = first, width: int = 8) -> Stratum:
    drive(visit.scraping(), serve, pick, width)
    drive(visit.proving(), serve, pick, width)
    return visit.stratum()


@cache
def expected(name: str) -> Stratum:
    return whole(visit_of(name, []), served_by(name))


@pytest.mark.parametrize("name", NAMES)
@settings(deadline=None, max_examples=25)
@given(st.data())
def test_in_whatever_order_the_answers_come_the_same_is_known_in_the_end(name: str, data: st.DataObject) -> None:
    said: list[str] = []
    visit = visit_of(name, said)
    width = data.draw(st.integers(1, 12))
    found = whole(visit, served_by(name), lambda count: data.draw(st.integers(0, count - 1)), width)
    assert (found, said, visit.finished) == (expected(name), [], True)


@pytest.mark.parametrize("name", NAMES)
@settings(deadline=None, max_examples=40)
@given(st.integers(0, 60), st.integers(1, 8))
def test_cut_off_at_any_point_what_is_known_is_whole_and_the_rest_is_not_known(
    name: str, answers: int, width: int
) -> None:
    visit = visit_of(name, [])
    answered = drive(visit.scraping(), served_by(name), first, width, answers)
    found = visit.stratum()
    assert visit.finished is (answered < answers) or answered == answers
    known = {replica.url: replica for replica in expected(name).replicas}
    for replica in found.replicas:
        for reading in ("manifest", "status", "whitelist", "certificate", "snapshotting"):
            mine, final = getattr(replica, reading), getattr(known[replica.url], reading)
            assert mine == final or mine.result is Result.DEADLINE, reading
    if found.listing.value is not None:
        assert {replica.url for replica in found.replicas} == set(known)


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(NAMES), st.randoms(use_true_random=False), st.floats(0, 1))
def test_answers_that_fail_cost_what_they_are_about_and_nothing_else(name: str, random: Random, share: float) -> None:
    said: list[str] = []
    right, failed = served_by(name), Counter[str]()

    def serve(request: Request) -> Outcome | Exception:
        if random.random() >= share:
            return right(request)
        failed[request.url] += 1
        failure: FetchError = random.choice(FAILURES)
        return failure

    found = whole(visit_of(name, said), serve)
    assert said == []
    for replica in found.replicas:
        if replica.manifest.result in {failure.result for failure in FAILURES}:
            assert replica.url in failed or not _heard(found)


def _heard(stratum: Stratum) -> bool:
    """Was it asked for to the end? After too many silences it is not."""
    return stratum.listing.result is Result.OK and all(_answered(replica) for replica in stratum.replicas)


def _answered(replica: Replica) -> bool:
    return replica.manifest.answered


def test_an_error_of_this_program_costs_one_server_and_is_told_once() -> None:
    said: list[str] = []
    visits = [visit_of(name, said) for name in NAMES]
    served = {one.server.name: served_by(one.server.name) for one in visits}

    def carry(request: Request) -> Answer:
        if request.server.name == NAMES[1] and request.url.endswith("repositories.json"):
            raise ZeroDivisionError("ours")
        outcome = served[request.server.name](request)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    Engine(Threads(carry, 8), Deadline(20), 8).run(Program(one.scraping(), one.failed) for one in visits)
    assert said[0].startswith("E! internal error, please report it: ZeroDivisionError: ours (in tests.")
    assert said[1:] == [f"I! {visits[1].server.url}/cvmfs/info/v1/repositories.json: {said[0][3:]}"]
    for visit in visits:
        if visit.server.name != NAMES[1]:
            mine = replace(visit.stratum(), response_time=None)
            assert len(mine.replicas) == len(expected(visit.server.name).replicas)
            assert visit.finished


# --- the engine -------------------------------------------------------------------------------------


class Silent:
    """A transport that never answers; it counts what it was given."""

    def __init__(self) -> None:
        self.started: Counter[str] = Counter()

    def start(self, _number: int, request: Request) -> None:
        self.started[request.server.name] += 1

    def finished(self, patience: float) -> list[tuple[int, Outcome | Exception]]:
        time.sleep(patience)
        return []

    def multiplexes(self, _server: Server) -> bool:
        return False

    def close(self) -> None:
        """Nothing to close."""


class Multiplexing(Silent):
    """A transport that answers each server once; then it is known to take many requests on one connection."""

    def __init__(self) -> None:
        super().__init__()
        self._first: list[tuple[int, Outcome | Exception]] = []

    def start(self, number: int, request: Request) -> None:
        super().start(number, request)
        if self.started[request.server.name] == 1:
            self._first.append((number, Answer(200, b"")))

    def finished(self, patience: float) -> list[tuple[int, Outcome | Exception]]:
        first, self._first = self._first, []
        return first or super().finished(patience)

    def multiplexes(self, server: Server) -> bool:
        return server.name == "h2"


def asking(name: str, count: int) -> Job[None]:
    for number in range(count):
        yield Request(server(name), f"http://{name}.example/{number}", 10)


def test_no_server_is_asked_more_at_once_than_the_width_and_all_are_asked_together() -> None:
    transport = Silent()
    programs = [Program(iter([[asking(f"s{n}", 3) for _ in range(20)]]), lambda _error: None) for n in range(5)]
    began = time.monotonic()
    Engine(transport, Deadline(0.3), 4).run(programs)
    assert transport.started == {f"s{n}": 4 for n in range(5)}
    assert 0.25 < time.monotonic() - began < 2


def test_a_server_that_takes_many_requests_on_one_connection_is_asked_four_times_as_many() -> None:
    transport = Multiplexing()
    programs = [
        Program(iter([[asking(name, 1)], [asking(name, 1) for _ in range(50)]]), lambda _error: None)
        for name in ("h1", "h2")
    ]
    Engine(transport, Deadline(0.3), 4).run(programs)
    assert transport.started == {"h1": 1 + 4, "h2": 1 + 4 * 4}


def test_a_run_that_is_cut_short_by_a_signal_ends_soon() -> None:
    deadline = Deadline(float("inf"))
    cut = threading.Timer(0.1, deadline.cut)
    cut.start()
    began = time.monotonic()
    Engine(Silent(), deadline, 4).run([Program(iter([[asking("s", 1)]]), lambda _error: None)])
    cut.join()
    assert time.monotonic() - began < 2


def test_a_stage_begins_when_all_jobs_of_the_one_before_have_ended() -> None:
    order: list[str] = []

    def job(name: str, questions: int) -> Job[None]:
        yield from asking("s", questions)
        order.append(name)

    stages = iter([[job("a", 5), job("b", 0), job("c", 1)], [], [job("d", 1)]])
    ended: list[bool] = []
    transport = Threads(lambda _request: Answer(200, b""), 4)
    Engine(transport, Deadline(20), 3).run([Program(stages, lambda _error: None, lambda: ended.append(True))])
    transport.close()
    assert (set(order[:3]), order[3], ended) == ({"a", "b", "c"}, "d", [True])


def tasks() -> set[str]:
    """The threads of this process, whoever began them."""
    return {one.name for one in Path("/proc/self/task").iterdir()}


def test_threads_are_as_many_as_requests_were_under_way_and_end_when_it_is_closed() -> None:
    before = tasks()  # those of tests before this one may still end
    gate = threading.Event()

    def slow(_request: Request) -> Answer:
        gate.wait(10)
        return Answer(200, b"")

    transport = Threads(slow, 5)
    for number in range(12):
        transport.start(number, Request(server("s"), "http://s.example/", 1))
    ours = tasks() - before
    assert len(ours) == 5
    gate.set()
    numbers: list[int] = []
    while len(numbers) < 12:
        numbers += [number for number, _ in transport.finished(5)]
    assert sorted(numbers) == list(range(12))
    transport.close()
    assert waits(lambda: not ours & tasks())


def test_what_waits_for_a_thread_is_not_asked_any_more_when_it_is_closed() -> None:
    gate, asked = threading.Event(), Counter[str]()

    def slow(request: Request) -> Answer:
        asked[request.url] += 1
        gate.wait(10)
        return Answer(200, b"")

    transport = Threads(slow, 2)
    for number in range(6):
        transport.start(number, Request(server("s"), f"http://s.example/{number}", 1))
    while len(asked) < 2:
        time.sleep(0.01)
    transport.close()
    gate.set()
    found: list[int] = []
    while len(found) < 2:
        found += [number for number, _ in transport.finished(5)]
    assert transport.finished(0.2) == []
    assert (sorted(found), asked) == ([0, 1], {"http://s.example/0": 1, "http://s.example/1": 1})
