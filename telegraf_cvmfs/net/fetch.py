"""Fetches a URL: one `Answer`, in bounded time and memory, whatever the server does.

`requests` makes the requests; the sockets under it keep to the budget of their request (`connection`), and
no request has more time than the run. So when the run is over no thread of ours is still reading.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Mapping, Sequence
from http.client import HTTPException, IncompleteRead, RemoteDisconnected
from typing import Protocol
from urllib.parse import urljoin, urlsplit

import requests
import urllib3
from requests.utils import get_environ_proxies

from telegraf_cvmfs._version import PROJECT_URL, __version__
from telegraf_cvmfs.model import Answer, Cause, FetchError, Result, Server, Traffic
from telegraf_cvmfs.net.budget import LATE, budget
from telegraf_cvmfs.net.connection import Connect, Session, connected, of_proxy, secure_context
from telegraf_cvmfs.net.deadline import Deadline
from telegraf_cvmfs.net.names import Names, Resolve, system_resolve
from telegraf_cvmfs.net.question import REDIRECTS, Status
from telegraf_cvmfs.net.transport import Request, Sink, Threads, Transport

__all__ = ["Fetch", "Network", "Resolve", "system_resolve"]

MOST_THREADS = 256
"""Of one run: a thread is needed for each request under way."""


class Fetch(Protocol):
    """Fetches from one server."""

    def __call__(self, url: str, limit: int, sink: Sink | None = None) -> Answer:
        """The answer for a URL, with at most so many bytes; `FetchError` where none can be had. A 404 is an answer.

        With no bytes at all it is asked by HEAD, and only says how many there would be. With a sink the bytes go there.
        """


HEADERS = {
    "User-Agent": f"telegraf-cvmfs/{__version__} (+{PROJECT_URL})",
    "Accept": "*/*",
    # As a CernVM-FS client: the bytes as they are stored. What comes encoded all the same is not decoded.
    "Accept-Encoding": "identity",
}

REQUEST_TIMEOUT = 10.0
"""Seconds for one request, its connection included; a third of the run's time if that is less."""

NOT_SERVED = (404, 410)
"""Statuses that say that there is no such document (RFC 9110, 15.5.5 and 15.5.11)."""

MAX_REDIRECTS = 3
MAX_HEAD = 64 * 1024
"""Bytes of headers, and as much again for what surrounds the pieces of a chunked body."""

_ERROR_PAGE, _ERROR_PAGE_TIME = 16 * 1024, 0.5  # bytes, seconds
_PIECE = 1 << 16  # bytes
_LONGEST_NUMBER = 18  # digits: Python refuses to read thousands of them


class Network:
    """What all servers of a run share: the deadline, name look-ups, the proxy, TLS, the count of traffic.

    Args:
        deadline: when the run ends.
        connections: at most so many to each server.
        proxy: the URL of a proxy; "environment" for what `http_proxy` and its like say; empty for none.
        resolve: turns host names into addresses.
        names: look-ups that are shared with other runs, instead of `resolve`.
    """

    def __init__(
        self,
        deadline: Deadline,
        connections: int = 8,
        proxy: str = "",
        resolve: Resolve = system_resolve,
        names: Names | None = None,
    ) -> None:
        self.deadline = deadline
        self._connections = connections
        self._proxy = proxy
        self._names = names or Names(resolve)
        self._request_timeout = min(REQUEST_TIMEOUT, max(deadline.remaining, 0.0) / 3)
        self._tls: ssl.SSLContext | None = None
        self._tls_lock = threading.Lock()
        self._traffic = Traffic()
        self._traffic_lock = threading.Lock()
        self._sessions: list[Session] = []

    def fetch(self, server: Server, via: str = "") -> Fetch:
        """What fetches from one server: a session and a pool of connections of its own, for use by many threads.

        A server with an address is asked there, by its name all the same; `via` is a proxy to ask through instead.
        """
        connect = self.connect if server.address is None or via else self._at(server.address)
        proxies = {"http": via, "https": via} if via else self._proxies(server.url)
        session = Session(connect, self.tls, self._connections, proxies)
        self._sessions.append(session)

        def fetch(url: str, limit: int, sink: Sink | None = None) -> Answer:
            return self._counted(session, url, limit, sink)

        return fetch

    def transport(self) -> Transport:
        """What carries many requests at the same time."""
        fetches: dict[tuple[str, bool], Fetch] = {}
        lock = threading.Lock()

        def fetch(request: Request) -> Answer:
            server, key = request.server, (request.server.label, request.through_proxy)
            with lock:
                if key not in fetches:
                    fetches[key] = self.fetch(server, server.via if request.through_proxy else "")
            return fetches[key](request.url, request.limit, request.sink)

        return Threads(fetch, MOST_THREADS)

    @property
    def traffic(self) -> Traffic:
        """What has been asked and read so far."""
        with self._traffic_lock:
            return self._traffic

    def close(self) -> None:
        """Give back every connection that is not in use; those in use follow when their request ends."""
        for session in self._sessions:
            session.close()

    def connect(self, host: str, port: int) -> socket.socket:
        """A connected socket that keeps its request's time; the first address that answers.

        Raises:
            FetchError: the name has no address, nobody listens, or the time is up.
        """
        addresses = self._names.addresses(host)
        reason = OSError("no address")
        for index, address in enumerate(addresses):
            share = budget.left() / (len(addresses) - index)  # one dead address must not spend the others' time
            try:
                connection = connected(address, port, share)
            except OSError as error:
                reason = error
            else:
                if index:
                    self._names.prefer(host, address)
                return connection
        if isinstance(reason, TimeoutError):
            raise FetchError(budget.slow, f"no connection to {host}:{port} in time") from reason
        why = f"connecting to {host}:{port}: {reason.strerror or reason}"
        cause = Cause.REFUSED if isinstance(reason, ConnectionRefusedError) else Cause.UNREACHABLE
        raise FetchError(Result.CONNECTION_FAILED, why, cause=cause) from reason

    def asks_proxy(self, server: Server) -> bool:
        """Does a proxy reach this server for us, and so choose the machine?"""
        return bool(self._proxies(server.url))

    def addresses(self, server: Server) -> Sequence[str]:
        """The addresses of all machines behind the name of a server.

        Raises:
            FetchError: there are none, or they are not known in time.
        """
        with budget.within(self._request_timeout, self.deadline):
            return self._names.addresses(urlsplit(server.url).hostname or "")

    def _at(self, address: str) -> Connect:
        def connect(_host: str, port: int) -> socket.socket:
            return self.connect(address, port)

        return connect

    def tls(self) -> ssl.SSLContext:
        """The one TLS context of the run, made when first needed: reading the authorities is slow."""
        with self._tls_lock:
            if self._tls is None:
                self._tls = secure_context()
            return self._tls

    def _proxies(self, url: str) -> dict[str, str]:
        if self._proxy == "environment":
            return get_environ_proxies(url)
        return {"http": self._proxy, "https": self._proxy} if self._proxy else {}

    def _counted(self, session: Session, url: str, limit: int, sink: Sink | None) -> Answer:
        try:
            with budget.within(self._request_timeout, self.deadline):
                answer = self._follow(session, url, limit, sink)
        except FetchError:
            self._count(failures=1)
            raise
        failed = answer.status != Status.OK and answer.status not in NOT_SERVED
        self._count(failures=int(failed), bytes_read=answer.length or 0 if sink else len(answer.body))
        return answer

    def _count(self, *, made: int = 0, failures: int = 0, bytes_read: int = 0) -> None:
        with self._traffic_lock:
            seen = self._traffic
            self._traffic = Traffic(seen.requests + made, seen.failures + failures, seen.bytes + bytes_read)

    def _follow(self, session: Session, url: str, limit: int, sink: Sink | None) -> Answer:
        """Fetch, going where a redirect points as long as that is the same server."""
        for _ in range(MAX_REDIRECTS + 1):
            with contextlib.closing(self._ask(session, url, "GET" if limit else "HEAD")) as response:
                if response.status_code not in REDIRECTS:
                    return _answer(response, limit, sink)
                url = _target(url, response)
        why = f"more than {MAX_REDIRECTS} redirects"
        raise FetchError(Result.HTTP_ERROR, why, response.status_code, Cause.REDIRECTS)

    def _ask(self, session: Session, url: str, method: str) -> requests.Response:
        """The head of an answer. Asked again, once, if a connection from before had died or was left dirty."""
        budget.fresh = False
        try:
            return self._send(session, url, method)
        except FetchError as error:
            if not budget.kept or error.result not in _OF_CONNECTION:
                raise
        budget.fresh = True
        return self._send(session, url, method)

    def _send(self, session: Session, url: str, method: str) -> requests.Response:
        self._count(made=1)
        budget.allow(MAX_HEAD, f"more than {MAX_HEAD} bytes of headers")
        budget.kept = False
        try:
            request = requests.Request(method, url, headers=HEADERS).prepare()
            return session.send(request, stream=True, allow_redirects=False, timeout=budget.left())
        except FAILURES as error:
            raise failure(error) from error


# --- answers ----------------------------------------------------------------------------------------


def _answer(response: requests.Response, limit: int, sink: Sink | None) -> Answer:
    status, age = response.status_code, _number(response, "Age")
    if not limit:
        response.raw.read(1, decode_content=False)  # nothing; but only then is the connection free again
        return Answer(status, b"", age, _number(response, "Content-Length"))
    if status == Status.OK:
        pieces: list[bytes] = []
        length = _read_body(response, limit, sink or pieces.append)
        return Answer(status, b"".join(pieces), age, length)
    if status >= Status.OK:  # after a 1xx another answer follows: that connection is not used again
        with contextlib.suppress(FetchError), budget.within(_ERROR_PAGE_TIME):
            _read_body(response, _ERROR_PAGE, lambda _piece: None)  # only so that the connection can be
    return Answer(status, b"")


def _read_body(response: requests.Response, limit: int, sink: Sink) -> int:
    """Hand on the body as sent, piece by piece; its length, if it is complete and no larger than the limit."""
    status = response.status_code
    length = None if "Transfer-Encoding" in response.headers else _number(response, "Content-Length")
    if length is not None and length > limit:
        raise FetchError(Result.TOO_LARGE, f"{length} bytes, at most {limit} are read", status)
    budget.allow(limit + MAX_HEAD, f"more than {limit} bytes")
    read = 0
    try:
        while piece := response.raw.read(min(_PIECE, limit + 1 - read), decode_content=False):
            read += len(piece)
            if read > limit:
                raise FetchError(Result.TOO_LARGE, f"more than {limit} bytes")
            sink(piece)
    except FAILURES as error:
        if length is None or not isinstance(_root(error), IncompleteRead):
            raise failure(error, status) from error
    if length is not None and read != length:
        raise FetchError(Result.CONNECTION_FAILED, f"cut short: {read} of {length} bytes", status)
    return read


def _number(response: requests.Response, header: str) -> int | None:
    text = response.headers.get(header, "")
    return int(text) if text.isdecimal() and len(text) <= _LONGEST_NUMBER else None


def _target(url: str, response: requests.Response) -> str:
    """Where a redirect points, if it stays at the same scheme, host and port."""
    location = response.headers.get("Location", "")
    try:
        target = urljoin(url, location)
        same = _origin(target) == _origin(url)
    except ValueError:
        same = False
    if not location:
        raise FetchError(Result.HTTP_ERROR, "redirected to nowhere", response.status_code, Cause.REDIRECTS)
    if not same:
        why = f"redirected to another server, {location[:200]!r}: not followed"
        raise FetchError(Result.HTTP_ERROR, why, response.status_code, Cause.OTHER_SERVER)
    return target


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


# --- failures ---------------------------------------------------------------------------------------

FAILURES = (
    *(requests.RequestException, urllib3.exceptions.HTTPError, HTTPException, OSError),
    *(ValueError, FetchError),  # a URL that cannot be asked for; what our sockets raise
)
_OF_CONNECTION = (Result.CONNECTION_FAILED, Result.HTTP_ERROR, Result.TLS_ERROR)
_NOT_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE")

_BREAKS_A_RULE = (6, 25, 34, *range(45, 54), 68, 77, 78, *range(80, 95))  # of X.509, whoever signed it
_CAUSES: Mapping[int, Cause | None] = {
    10: Cause.EXPIRED_CERTIFICATE,
    62: Cause.OTHER_NAME,
    64: Cause.OTHER_NAME,
    **dict.fromkeys(_BREAKS_A_RULE),
}
"""Why a certificate is refused, by OpenSSL's number (x509_vfy.h); any other number: it is not trusted."""


def failure(error: Exception, http_status: int | None = None) -> FetchError:
    """A failed request as an error: its result, its cause, and a sentence for the operator."""
    if isinstance(error, FetchError):
        return FetchError(error.result, str(error), http_status, error.cause)
    root = _root(error)
    if budget.spent or isinstance(error, requests.Timeout) or isinstance(root, TimeoutError):
        return FetchError(budget.slow, LATE, http_status)
    failed = FetchError(_result(root), _reason(root), http_status, _cause(root))
    return of_proxy(failed) if isinstance(error, requests.exceptions.ProxyError) else failed


def _result(root: BaseException) -> Result:
    if isinstance(root, ssl.SSLError):
        return Result.TLS_ERROR
    not_http = isinstance(root, HTTPException) and not isinstance(root, (RemoteDisconnected, IncompleteRead))
    return Result.HTTP_ERROR if not_http else Result.CONNECTION_FAILED


def _cause(root: BaseException) -> Cause | None:
    if isinstance(root, ssl.SSLError):
        return _tls_cause(root)
    return Cause.NOT_HTTP if _result(root) is Result.HTTP_ERROR else None


def _tls_cause(error: ssl.SSLError) -> Cause | None:
    if isinstance(error, ssl.SSLCertVerificationError):
        return _CAUSES.get(error.verify_code, Cause.UNTRUSTED)
    if error.reason in _NOT_TLS:
        return Cause.NOT_TLS
    return Cause.UNTRUSTED if "CERTIFICATE" in (error.reason or "") else None  # as OpenSSL calls errors about one


def _reason(root: BaseException) -> str:
    if isinstance(root, ssl.SSLError):
        return f"TLS: {_tls_reason(root)}"
    if isinstance(root, RemoteDisconnected):
        return "the server closed the connection without an answer"
    if isinstance(root, IncompleteRead):
        return "cut short"
    if isinstance(root, HTTPException):
        return f"not an answer in HTTP: {str(root)!r:.100}"
    return getattr(root, "strerror", None) or str(root) or type(root).__name__


def _tls_reason(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    if error.reason in _NOT_TLS:
        return "the server does not speak TLS on this port"
    return (error.reason or "").lower().replace("_", " ") or str(error)


def _root(error: BaseException) -> BaseException:
    """The error at the bottom: urllib3 and requests wrap it several times, each in a way of its own."""
    seen = {id(error)}
    while not isinstance(error, HTTPException):
        inner = getattr(error, "reason", None)
        if not isinstance(inner, BaseException):
            inner = error.__cause__ or next((arg for arg in error.args if isinstance(arg, BaseException)), None)
        inner = inner or error.__context__
        if inner is None or id(inner) in seen:
            break
        seen.add(id(inner))
        error = inner
    return error
