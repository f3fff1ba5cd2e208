"""The transport of `requests`: one `Answer` for each URL, in bounded time and memory, whatever the server does.

`requests` makes the requests; the sockets under it keep to the budget of their request (`connection`), and
no request has more time than the run. So when the run is over no thread of ours is still reading.
"""

from __future__ import annotations

import contextlib
import ssl
import threading
from dataclasses import replace
from functools import cache, partial
from http.client import HTTPException, IncompleteRead, RemoteDisconnected

import requests
import urllib3

from telegraf_cvmfs.model import Answer, Cause, FetchError, Result, Server
from telegraf_cvmfs.net.answer import (
    AFRESH,
    ERROR_PAGE,
    ERROR_PAGE_TIME,
    HEADERS,
    LATE,
    MAX_HEAD,
    MAX_REDIRECTS,
    cut_short,
    not_http,
    number,
    of_proxy,
    redirected,
    too_large,
    too_often_redirected,
)
from telegraf_cvmfs.net.budget import budget
from telegraf_cvmfs.net.circumstances import Circumstances
from telegraf_cvmfs.net.connection import Connector, Session, context_of, secure_context
from telegraf_cvmfs.net.question import REDIRECTS, Status
from telegraf_cvmfs.net.tls import cause_of_refusal, own_headers
from telegraf_cvmfs.net.transport import Carrier, Request, Sink, Threads
from telegraf_cvmfs.words.secrecy import without_secrets
from telegraf_cvmfs.words.shortage import shortage

_PIECE = 1 << 16  # bytes

MOST_THREADS = 256
"""Of one run: a thread is needed for each request under way."""


class Fetches:
    """Fetches from all servers of a run, each with a session and a pool of connections of its own, in any thread."""

    def __init__(self, circumstances: Circumstances) -> None:
        self._circumstances = circumstances
        self._sessions: dict[tuple[str, bool], Session] = {}
        self._tls: ssl.SSLContext | None = None
        self._lock = threading.Lock()
        self._tls_lock = threading.Lock()

    def fetch(self, request: Request) -> Answer:
        """The answer to a request, whatever its status.

        Raises:
            FetchError: there is none.
        """
        try:
            session = self._session(request.server, through_proxy=request.through_proxy)
            with budget.within(self._circumstances.request_timeout, self._circumstances.deadline):
                answer = self._follow(session, request)
        except FetchError as error:
            self._circumstances.came(request, error)
            raise
        self._circumstances.came(request, answer)
        return answer

    def close(self) -> None:
        """Give back every connection that is not in use; those in use follow when their request ends."""
        with self._lock:
            for session in self._sessions.values():
                session.close()

    def _session(self, server: Server, *, through_proxy: bool) -> Session:
        key = server.label, through_proxy
        with self._lock:
            if key not in self._sessions:
                self._sessions[key] = self._new_session(server, through_proxy=through_proxy)
            return self._sessions[key]

    def _new_session(self, server: Server, *, through_proxy: bool) -> Session:
        """A server with an address is asked there, by its name all the same."""
        proxy = server.via if through_proxy else self._circumstances.proxy_for(server.url)
        connector = Connector(self._circumstances.names, None if proxy else server.address)
        proxies = {"http": proxy, "https": proxy} if proxy else {}
        access = server.access
        own = any((access.client_cert, access.ca))
        secure = cache(partial(context_of, access)) if own and server.url.startswith("https:") else self._secure
        session = Session(connector.connect, secure, self._circumstances.connections, proxies)
        session.own_headers = own_headers(access)
        return session

    def _secure(self) -> ssl.SSLContext:
        """The one TLS context of the run, made when first needed: reading the authorities is slow."""
        with self._tls_lock:
            if self._tls is None:
                self._tls = secure_context()
            return self._tls

    def _follow(self, session: Session, request: Request) -> Answer:
        """Fetch, going where a redirect points as long as that is the same server."""
        url, limit, follow = request.url, request.limit, request.server.follow_redirects
        for count in range(MAX_REDIRECTS + 1):
            with contextlib.closing(self._ask(session, url, "GET" if limit else "HEAD")) as response:
                if response.status_code not in REDIRECTS:
                    return replace(_answer(response, limit, request.sink), redirected=count > 0)
                url = redirected(url, response.headers.get("Location", ""), response.status_code, follow=follow)
        raise too_often_redirected(response.status_code)

    def _ask(self, session: Session, url: str, method: str) -> requests.Response:
        """The head of an answer. Asked again, once, if a connection from before had died or was left dirty."""
        budget.fresh = False
        try:
            return self._send(session, url, method)
        except FetchError as error:
            if not budget.kept or error.result not in AFRESH:
                raise
        budget.fresh = True
        return self._send(session, url, method)

    def _send(self, session: Session, url: str, method: str) -> requests.Response:
        self._circumstances.sent()
        budget.allow(MAX_HEAD, f"more than {MAX_HEAD} bytes of headers")
        budget.kept = False
        try:
            request = requests.Request(method, url, headers=HEADERS | session.own_headers).prepare()
            return session.send(request, stream=True, allow_redirects=False, timeout=budget.left())
        except FAILURES as error:
            raise failure(error) from error


def requests_transport(circumstances: Circumstances) -> Carrier:
    """The transport of `requests`."""
    fetches = Fetches(circumstances)
    return Threads(fetches.fetch, MOST_THREADS, fetches.close)


# --- answers ----------------------------------------------------------------------------------------


def _answer(response: requests.Response, limit: int, sink: Sink | None) -> Answer:
    status, age = response.status_code, number(response.headers.get("Age", ""))
    if not limit:
        response.raw.read(1, decode_content=False)  # nothing; but only then is the connection free again
        return Answer(status, b"", age, number(response.headers.get("Content-Length", "")))
    if status == Status.OK:
        pieces: list[bytes] = []
        length = _read_body(response, limit, sink or pieces.append)
        return Answer(status, b"".join(pieces), age, length)
    if status >= Status.OK:  # after a 1xx another answer follows: that connection is not used again
        with contextlib.suppress(FetchError), budget.within(ERROR_PAGE_TIME):
            _read_body(response, ERROR_PAGE, lambda _piece: None)  # only so that the connection can be
    return Answer(status, b"")


def _read_body(response: requests.Response, limit: int, sink: Sink) -> int:
    """Hand on the body as sent, piece by piece; its length, if it is complete and no larger than the limit."""
    status = response.status_code
    length = None if "Transfer-Encoding" in response.headers else number(response.headers.get("Content-Length", ""))
    if length is not None and length > limit:
        raise too_large(length, limit, status)
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
        raise cut_short(read, length, status)
    return read


# --- failures ---------------------------------------------------------------------------------------

FAILURES = (
    *(requests.RequestException, urllib3.exceptions.HTTPError, HTTPException, OSError),
    *(ValueError, FetchError),  # a URL that cannot be asked for; what our sockets raise
)
_NOT_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE")


def failure(error: Exception, http_status: int | None = None) -> FetchError:
    """A failed request as an error: its result, its cause, and a sentence for the operator."""
    if isinstance(error, FetchError):
        return FetchError(error.result, str(error), http_status, error.cause)
    root = _root(error)
    if why := shortage(root):
        return FetchError(Result.OWN_LIMIT, why, http_status)
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
        return cause_of_refusal(error.verify_code)
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
        return str(not_http(str(root)))
    return getattr(root, "strerror", None) or without_secrets(str(root)) or type(root).__name__


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
