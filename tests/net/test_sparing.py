"""Requests within what this process may have: fewer at the same time, asked again, and in the end given up by name."""

from __future__ import annotations

import _thread
import errno
from collections import deque

import pytest

from telegraf_cvmfs.model import Answer, FetchError, Result, Role, Server, TransportName
from telegraf_cvmfs.net.deadline import Deadline
from telegraf_cvmfs.net.sparing import Sparing
from telegraf_cvmfs.net.transport import Outcome, Request
from tests.builders import hostile
from tests.builders.asking import Asking

REQUEST = Request(Server("http://s.example", "s", Role.STRATUM1), "http://s.example/x", 10)


class Narrow:
    """Carries so many requests at the same time, and has no file for one more."""

    def __init__(self, room: int) -> None:
        self.room, self.under_way, self.most, self.started = room, deque[int](), 0, 0

    def start(self, number: int, request: Request) -> None:
        assert request is REQUEST
        self.started += 1
        if len(self.under_way) >= self.room:
            raise OSError(errno.EMFILE, "Too many open files")
        self.under_way.append(number)
        self.most = max(self.most, len(self.under_way))

    def finished(self, patience: float) -> list[tuple[int, Outcome | Exception]]:
        assert patience >= 0
        return [(self.under_way.popleft(), Answer(200, b""))] if self.under_way else []

    def multiplexes(self, server: Server) -> bool:
        assert server
        return False

    def spare(self, most: int) -> None:
        assert most >= 1

    def close(self) -> None:
        self.under_way.clear()


def carried(room: int, requests: int) -> tuple[dict[int, Outcome | Exception], list[str], Narrow]:
    lacked: list[str] = []
    narrow = Narrow(room)
    sparing = Sparing(lambda: narrow, lacked.append)
    for number in range(requests):
        sparing.start(number, REQUEST)
    came: dict[int, Outcome | Exception] = {}
    for _ in range(10 * requests):
        came |= dict(sparing.finished(0))
    sparing.close()
    return came, lacked, narrow


@pytest.mark.parametrize("room", [1, 3, 8])
def test_all_is_carried_by_what_there_is_room_for(room: int) -> None:
    came, lacked, narrow = carried(room, 20)
    assert [came[number] for number in range(20)] == [Answer(200, b"")] * 20
    assert narrow.most == room
    assert {word for line in lacked for word in ("files open", "ulimit -n") if word in line} == {
        "files open",
        "ulimit -n",
    }


def test_where_nothing_can_be_carried_all_is_given_up_soon() -> None:
    came, lacked, narrow = carried(0, 50)
    assert sorted(came) == list(range(50))
    assert {outcome.result for outcome in came.values() if isinstance(outcome, FetchError)} == {Result.OWN_LIMIT}
    assert narrow.started < 60
    assert lacked


def test_an_error_that_is_no_want_is_not_hidden() -> None:
    def make() -> Narrow:
        raise ValueError("a fault of ours")

    with pytest.raises(ValueError, match="a fault of ours"):
        Sparing(make, print)


def test_no_thread_for_a_request_or_a_look_up_is_our_own_want(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(*_arguments: object) -> int:
        raise RuntimeError("can't start new thread")

    page = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"
    with hostile.Server(hostile.answers(lambda _: page)) as there:
        monkeypatch.setattr(_thread, "start_new_thread", none_left)
        network = Asking(Deadline(5), transport=TransportName.REQUESTS)
        with pytest.raises(FetchError, match="no more threads") as refused:
            network.fetch(Server(there.url, "s", Role.STRATUM1))(there.url, 100)
        monkeypatch.undo()
        network.close()
    assert refused.value.result is Result.OWN_LIMIT
    assert network.traffic.failures == 0
    assert list(network.lacked)
