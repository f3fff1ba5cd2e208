"""Many requests under way at the same time, answered in whatever order: what one engine asks, and who carries it.

A transport is not asked for more than it is given: how many requests may be under way is for the engine to know.
"""

from __future__ import annotations

import _thread
import contextlib
import errno
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from telegraf_cvmfs.model import Answer, FetchError, Server

Sink = Callable[[bytes], None]
"""Takes the bytes of a body as they come, from any thread; what came before a failure has gone there too."""


@dataclass(frozen=True, slots=True)
class Request:
    """A URL of a server, and how many bytes of it may be read; none at all is a HEAD.

    With `through_proxy` it is asked through the proxy that the server names as `via`. With a `sink` the body of an
    answer of status 200 goes there and is not kept. `again` says that it has failed before.
    """

    server: Server
    url: str
    limit: int
    through_proxy: bool = False
    sink: Sink | None = None
    again: bool = False


Outcome = Answer | FetchError
"""What became of a request: an answer, of whatever status, or why there is none."""


class Transport(Protocol):
    """Carries requests."""

    def start(self, number: int, request: Request) -> None:
        """Begin a request; its outcome comes with this number."""

    def finished(self, patience: float) -> list[tuple[int, Outcome | Exception]]:
        """The outcomes that have come, at once if there are some, else after so many seconds at most.

        An exception that is no `FetchError` is a fault of this program.
        """

    def multiplexes(self, server: Server) -> bool:
        """Does this server take many requests on one connection, as far as is known by now?"""

    def close(self) -> None:
        """Nothing more is started, and no outcome asked for."""


class Carrier(Transport, Protocol):
    """A transport that can do with less."""

    def spare(self, most: int) -> None:
        """Have no more than so many connections from now on, as far as they are not in use."""


STACK = 1 << 20
"""Bytes of a thread that makes requests, or looks up a name; the system's 8 MB count where memory is limited."""


def begin_thread(target: Callable[..., None], *arguments: object) -> None:
    """Run it in a thread that ends with this process.

    Not by `threading.Thread`, whose `start` waits, without an end, for a thread that may have died for want of memory.

    Raises:
        OSError: EAGAIN, the system gives no more threads.
    """
    usual = threading.stack_size(STACK)
    try:
        _thread.start_new_thread(target, arguments)
    except RuntimeError as error:  # all that Python says of it
        raise OSError(errno.EAGAIN, "no more threads can be started") from error
    finally:
        threading.stack_size(usual)


class Threads:
    """A transport that makes each request in a thread: no more of them than were ever under way together, or `most`."""

    def __init__(
        self, fetch: Callable[[Request], Answer], most: int, give_back: Callable[[], None] = lambda: None
    ) -> None:
        """`fetch` gives the answer to a request, in its own time; FetchError where there is none.

        `give_back` closes the connections that are not in use.
        """
        self._fetch = fetch
        self._give_back = give_back
        self._most = most
        self._threads = 0
        self._under_way = 0
        self._waiting: queue.SimpleQueue[tuple[int, Request] | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[tuple[int, Outcome | Exception]] = queue.SimpleQueue()

    def start(self, number: int, request: Request) -> None:
        """Hand it to a thread that has nothing to do, a new one, or the first that will have nothing to do.

        Raises:
            OSError: there can be no new one; nothing has been begun.
        """
        if self._threads < min(self._under_way + 1, self._most):
            begin_thread(self._work)
            self._threads += 1
        self._under_way += 1
        self._waiting.put((number, request))

    def finished(self, patience: float) -> list[tuple[int, Outcome | Exception]]:
        """As `Transport` has it."""
        found: list[tuple[int, Outcome | Exception]] = []
        with contextlib.suppress(queue.Empty):
            found.append(self._done.get(timeout=max(patience, 0.0)))
            while True:
                found.append(self._done.get_nowait())
        self._under_way -= len(found)
        return found

    def multiplexes(self, _server: Server) -> bool:
        """As `Transport` has it: HTTP/1.1 does not."""
        return False

    def spare(self, most: int) -> None:
        """As `Carrier` has it; threads that are too many end."""
        for _ in range(self._threads - max(most, self._under_way)):
            self._waiting.put(None)
            self._threads -= 1
        self._give_back()

    def close(self) -> None:
        """Forget the requests that wait; each thread ends when it has done what it is doing."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._waiting.get_nowait()
        for _ in range(self._threads):
            self._waiting.put(None)
        self._give_back()

    def _work(self) -> None:
        while (job := self._waiting.get()) is not None:
            number, request = job
            try:
                outcome: Outcome | Exception = self._fetch(request)
            except Exception as error:  # noqa: BLE001  # whoever asked makes something of it
                outcome = error
            self._done.put((number, outcome))
