"""Many requests under way at the same time, answered in whatever order: what one engine asks, and who carries it.

A transport is not asked for more than it is given: how many requests may be under way is for the engine to know.
"""

from __future__ import annotations

import contextlib
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
    answer of status 200 goes there and is not kept.
    """

    server: Server
    url: str
    limit: int
    through_proxy: bool = False
    sink: Sink | None = None


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


class Threads:
    """A transport that makes each request in a thread: no more of them than were ever under way together, or `most`."""

    def __init__(self, fetch: Callable[[Request], Answer], most: int, over: Callable[[], None] = lambda: None) -> None:
        """`fetch` gives the answer to a request, in its own time; FetchError where there is none; `over` closes it."""
        self._fetch = fetch
        self._over = over
        self._most = most
        self._threads = 0
        self._under_way = 0
        self._waiting: queue.SimpleQueue[tuple[int, Request] | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[tuple[int, Outcome | Exception]] = queue.SimpleQueue()

    def start(self, number: int, request: Request) -> None:
        """Hand it to a thread that has nothing to do, a new one, or the first that will have nothing to do."""
        self._under_way += 1
        self._waiting.put((number, request))
        if self._threads < min(self._under_way, self._most):
            self._threads += 1
            threading.Thread(target=self._work, daemon=True).start()

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

    def close(self) -> None:
        """Forget the requests that wait; each thread ends when it has done what it is doing."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._waiting.get_nowait()
        for _ in range(self._threads):
            self._waiting.put(None)
        self._over()

    def _work(self) -> None:
        while (job := self._waiting.get()) is not None:
            number, request = job
            try:
                outcome: Outcome | Exception = self._fetch(request)
            except Exception as error:  # noqa: BLE001  # whoever asked makes something of it
                outcome = error
            self._done.put((number, outcome))
