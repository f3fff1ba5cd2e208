"""The transport of libcurl: all requests of a run in the thread that calls, over one epoll.

Limits of time are libcurl's own; what comes is counted in its callbacks. It resolves no names (`CONNECT_TO` has the
addresses that we looked up), follows no redirects, and knows no cookies, no .netrc, no proxies of the environment.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import pycurl

from telegraf_cvmfs.model import Cause, FetchError, Result, Server
from telegraf_cvmfs.net.answer import AFRESH, LATE, of_proxy
from telegraf_cvmfs.net.circumstances import Circumstances
from telegraf_cvmfs.net.curl.exchange import NEVER, Exchange
from telegraf_cvmfs.net.curl.failure import failure
from telegraf_cvmfs.net.curl.route import Route
from telegraf_cvmfs.net.names import took_too_long
from telegraf_cvmfs.net.tls import authorities
from telegraf_cvmfs.net.transport import Outcome, Request

_NAP = 0.1  # seconds between two looks at requests that wait for a name
_MASKS = {
    pycurl.POLL_IN: select.EPOLLIN,
    pycurl.POLL_OUT: select.EPOLLOUT,
    pycurl.POLL_INOUT: select.EPOLLIN | select.EPOLLOUT,
}
_ALL = 1 << 16
"""More transfers than end at the same time."""

_KEPT = 1 << 16
"""Connections that are kept until the run is over; libcurl's own limit would close those of a large fleet."""


@dataclass(frozen=True)
class _Waiting:
    """A request that is not with libcurl yet: the name that it needs is being looked up."""

    number: int
    request: Request
    until: float
    route: Route


class Curl:
    """Carries requests by libcurl, all in the thread that calls."""

    def __init__(self, circumstances: Circumstances) -> None:
        self._circumstances = circumstances
        self._routes: dict[tuple[str, bool], Route] = {}
        self._waiting: list[_Waiting] = []
        self._under_way: dict[pycurl.Curl, tuple[Exchange, Route]] = {}
        self._pages: set[Exchange] = set()
        self._done: list[tuple[int, Outcome | Exception]] = []
        self._trusted: _Authorities | None = None
        self._sockets = _Sockets()
        try:
            self._multi = pycurl.CurlMulti()
        except pycurl.error as error:  # it has no files for itself, and does not say so
            self._sockets.close()
            raise OSError(errno.EMFILE, str(error)) from error
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._sockets.on_socket)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._sockets.on_timer)
        self._multi.setopt(pycurl.M_MAXCONNECTS, _KEPT)
        self._multi.setopt(pycurl.M_PIPELINING, pycurl.PIPE_MULTIPLEX)

    def start(self, number: int, request: Request) -> None:
        """As `Transport` has it."""
        until = time.monotonic() + self._circumstances.request_timeout
        self._begin(_Waiting(number, request, until, self._route(request)))

    def multiplexes(self, server: Server) -> bool:
        """As `Transport` has it."""
        route = self._routes.get((server.label, False))
        return route is not None and route.multiplexes

    def finished(self, patience: float) -> list[tuple[int, Outcome | Exception]]:
        """As `Transport` has it."""
        until = time.monotonic() + patience
        while True:
            self._turn(0.0 if self._done else until - time.monotonic())
            if self._done or time.monotonic() >= until:
                done, self._done = self._done, []
                return done

    def spare(self, most: int) -> None:
        """As `Carrier` has it: libcurl closes one that is idle for each that is needed."""
        self._multi.setopt(pycurl.M_MAX_TOTAL_CONNECTIONS, most)

    def close(self) -> None:
        """As `Transport` has it; every connection is closed."""
        for handle in self._under_way:
            self._multi.remove_handle(handle)
            handle.close()
        for route in self._routes.values():
            for exchange in route.idle:
                exchange.handle.close()
        self._under_way.clear()
        self._routes.clear()
        self._waiting.clear()
        self._multi.close()
        self._sockets.close()
        if self._trusted is not None:
            self._trusted.close()

    # Requests

    def _route(self, request: Request) -> Route:
        server, key = request.server, (request.server.label, request.through_proxy)
        if key not in self._routes:
            proxy = server.via if request.through_proxy else self._circumstances.proxy_for(server.url)
            name = urlsplit(proxy).hostname if proxy else server.address or urlsplit(server.url).hostname
            self._routes[key] = Route(server.url, proxy, name or "", server.access)
        return self._routes[key]

    def _begin(self, wanted: _Waiting) -> None:
        """Hand a request to libcurl, or keep it until its name is known."""
        late, route = self._late(wanted.until), wanted.route
        try:
            addresses = self._circumstances.names.known(route.name, self._sockets.wake)
            if addresses is None and late is not None:
                raise took_too_long(route.name, late)
            if addresses is not None and late is None:
                self._hand_over(wanted, addresses)
                return
        except FetchError as error:
            self._circumstances.sent()
            self._finish(wanted.number, wanted.request, of_proxy(error) if route.proxy else error)
            return
        except (OSError, MemoryError) as error:  # too little of something for one more
            self._finish(wanted.number, wanted.request, error)
            return
        if late is not None:
            self._finish(wanted.number, wanted.request, FetchError(late, LATE))
        else:
            self._waiting.append(wanted)

    def _hand_over(self, wanted: _Waiting, addresses: Sequence[str]) -> None:
        exchange = wanted.route.exchange(self._authorities, self._pages.add)
        exchange.begin(wanted.number, wanted.request, wanted.until, addresses)
        self._send(exchange, wanted.route)

    def _send(self, exchange: Exchange, route: Route) -> None:
        """Ask, or ask again: at another address, or for another URL."""
        self._circumstances.sent()
        left = min(exchange.until - time.monotonic(), self._circumstances.deadline.remaining)
        route.aim(exchange, left)
        self._multi.add_handle(exchange.handle)
        self._under_way[exchange.handle] = exchange, route

    def _finish(self, number: int, request: Request, outcome: Outcome | Exception) -> None:
        self._circumstances.came(request, outcome)
        self._done.append((number, outcome))

    def _authorities(self) -> tuple[str, str]:
        if self._trusted is None:
            self._trusted = _Authorities()
        return self._trusted.file, self._trusted.folder

    def _late(self, until: float) -> Result | None:
        """The result of what is not finished by now; None if it still has time."""
        if self._circumstances.deadline.passed:
            return Result.DEADLINE
        return Result.TIMEOUT if time.monotonic() >= until else None

    # What goes on

    def _turn(self, patience: float) -> None:
        """Let libcurl do what can be done; wait for something to do no longer than this (seconds)."""
        if self._waiting:
            waiting, self._waiting = self._waiting, []
            for wanted in waiting:
                self._begin(wanted)
            patience = min(patience, _NAP)
        if self._pages:
            patience = min(patience, min(exchange.page_until for exchange in self._pages) - time.monotonic())
        for descriptor, action in self._sockets.ready(0.0 if self._done else patience):
            self._multi.socket_action(descriptor, action)
        _, well, badly = self._multi.info_read(_ALL)
        for handle in well:
            self._ended(handle, None)
        for handle, code, words in badly:
            self._ended(handle, (code, words))
        now = time.monotonic()
        for exchange in [one for one in self._pages if one.page_until <= now]:
            self._ended(exchange.handle, (pycurl.E_OPERATION_TIMEDOUT, ""))

    def _ended(self, handle: pycurl.Curl, fault: tuple[int, str] | None) -> None:
        exchange, route = self._under_way.pop(handle)
        self._pages.discard(exchange)
        self._multi.remove_handle(handle)
        try:
            outcome = self._outcome(exchange, route, fault)
            if outcome is None:
                self._send(exchange, route)
                return
        except (FetchError, OSError, MemoryError) as error:
            outcome = error
        route.learn(exchange)
        if exchange.elsewhere and not route.proxy:
            self._circumstances.names.prefer(route.name, exchange.addresses[0])
        route.idle.append(exchange)
        self._finish(exchange.number, exchange.request, outcome)

    def _outcome(self, exchange: Exchange, route: Route, fault: tuple[int, str] | None) -> Outcome | Exception | None:
        """What became of a request; None if it is to be sent once more, as the exchange has it now.

        Raises:
            FetchError: it is a redirect that is not followed.
        """
        came = (exchange.outcome() or self._failure(exchange, route, *fault)) if fault else exchange.complete()
        again = False
        if isinstance(came, FetchError):
            another = exchange.unconnected and self._late(exchange.until) is None and exchange.try_elsewhere()
            again = another or (came.result in AFRESH and exchange.try_afresh())
        return None if again or exchange.redirect() else came

    def _failure(self, exchange: Exchange, route: Route, code: int, words: str) -> FetchError:
        late = self._late(exchange.until)
        if code == pycurl.E_OPERATION_TIMEDOUT or late is not None:
            if exchange.unconnected:
                why = f"no connection to {route.end} in time"
                return FetchError(late or Result.TIMEOUT, why, cause=Cause.UNCONNECTED)
            return FetchError(late or Result.TIMEOUT, LATE, exchange.status or None)
        return failure(exchange, code, words, route.end, by_proxy=bool(route.proxy))


class _Sockets:
    """The sockets that libcurl wants watched, when it wants to be called at the latest, and a way to wake who waits."""

    def __init__(self) -> None:
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        try:
            self._epoll = select.epoll()
        except OSError:
            os.close(self._bell)
            raise
        self._epoll.register(self._bell, select.EPOLLIN)
        self._watched: set[int] = set()
        self._alarm = NEVER
        self._lock = threading.Lock()

    def on_socket(self, wanted: int, descriptor: int, _multi: object, _data: object) -> None:
        """What libcurl calls when it wants to know other things of a socket, or nothing any more."""
        mask = _MASKS.get(wanted, 0)
        if descriptor not in self._watched:
            if mask:
                self._epoll.register(descriptor, mask)
                self._watched.add(descriptor)
        elif mask:
            self._epoll.modify(descriptor, mask)
        else:
            self._watched.discard(descriptor)
            with contextlib.suppress(OSError):  # it is closed already
                self._epoll.unregister(descriptor)

    def on_timer(self, milliseconds: int) -> None:
        """What libcurl calls to be called at some time; negative: it need not be."""
        self._alarm = NEVER if milliseconds < 0 else time.monotonic() + milliseconds / 1000

    def ready(self, patience: float) -> Iterator[tuple[int, int]]:
        """Which sockets libcurl has to look at and for what, and whether its time has come (SOCKET_TIMEOUT)."""
        if self._alarm <= (now := time.monotonic()):
            self._alarm = NEVER
            yield pycurl.SOCKET_TIMEOUT, 0
            patience = 0.0
        for descriptor, events in self._epoll.poll(max(min(patience, self._alarm - now), 0.0)):
            if descriptor == self._bell:
                os.eventfd_read(self._bell)
            else:
                yield descriptor, _action(events)

    def wake(self) -> None:
        """Let `ready` return; from any thread, and after `close` too."""
        with self._lock:
            if not self._epoll.closed:
                os.eventfd_write(self._bell, 1)

    def close(self) -> None:
        """Watch nothing any more."""
        with self._lock:
            self._epoll.close()
            os.close(self._bell)


class _Authorities:
    """One file and one folder with all authorities: libcurl takes no more, and reads a file but once."""

    def __init__(self) -> None:
        files, folder = authorities()
        content = b"\n".join(path.read_bytes() for path in files)
        self._open = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the transport
        self._open.write(content)
        self._open.flush()
        self.file = f"/proc/self/fd/{self._open.fileno()}"
        self.folder = str(folder or "")
        self.close = self._open.close


def _action(events: int) -> int:
    return (
        (pycurl.CSELECT_IN if events & (select.EPOLLIN | select.EPOLLHUP) else 0)
        | (pycurl.CSELECT_OUT if events & select.EPOLLOUT else 0)
        | (pycurl.CSELECT_ERR if events & select.EPOLLERR else 0)
    )
