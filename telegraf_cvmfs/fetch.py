"""The only room with an HTTP socket: one URL to one `Answer`, in bounded time and memory.

`requests` makes the requests; the sockets under it are ours, because its time-outs are for each read and a
server that sends a byte a second would never meet one. Here every operation on a socket (connecting, the
TLS handshake, each read) gets only what is left of its request's time, and a request never has more than
what is left of the run's. So when the run is over no thread of ours is still reading.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from http.client import RemoteDisconnected
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

import certifi
import requests
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from telegraf_cvmfs._version import __version__
from telegraf_cvmfs.deadline import Deadline
from telegraf_cvmfs.model import Answer, FetchError, Result, Server, Traffic

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

Fetch = Callable[[str, int], Answer]
"""The answer for a URL, with at most so many bytes; `FetchError` where none can be had. A 404 is an answer."""

Resolve = Callable[[str], Sequence[str]]
"""The IP addresses of a host name, best first; OSError if it has none."""

PROJECT_URL = "https://github.com/telegraf-cvmfs/telegraf-cvmfs"
HEADERS = {
    "User-Agent": f"telegraf-cvmfs/{__version__} (+{PROJECT_URL})",
    "Accept": "*/*",
    # As a CernVM-FS client: the bytes as they are stored. What comes encoded all the same is not decoded.
    "Accept-Encoding": "identity",
}

REQUEST_TIMEOUT = 10.0
"""Seconds for one request, its connection included; a third of the run's time if that is less."""

MAX_REDIRECTS = 3
_REDIRECTS = (301, 302, 303, 307, 308)
_ERROR_PAGE = 16 * 1024


def system_resolve(host: str) -> list[str]:
    """The addresses that the system's resolver gives, in its order, each once."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Network:
    """What all servers of a run share: the deadline, name look-ups, the proxy, TLS, the count of traffic."""

    def __init__(
        self,
        deadline: Deadline,
        connections: int = 8,
        proxy: str = "",
        resolve: Resolve = system_resolve,
    ) -> None:
        self.deadline = deadline
        self._connections = connections
        self._proxy = proxy
        self._names = _Names(resolve)
        self._request_timeout = min(REQUEST_TIMEOUT, max(deadline.remaining, 0.0) / 3)
        self._tls: ssl.SSLContext | None = None
        self._lock = threading.Lock()
        self._traffic = Traffic()
        self._sessions: list[requests.Session] = []

    def fetch(self, server: Server) -> Fetch:
        """A door to one server: a session and a pool of connections of its own, for use by many threads."""
        session = requests.Session()
        session.trust_env = False  # else each request walks the environment for proxies and .netrc
        adapter = _Adapter(self, self._connections)
        session.mount("http://", adapter)
        session.mount("https://", adapter)
        self._sessions.append(session)
        proxies = self._proxies(server.url)

        def fetch(url: str, limit: int) -> Answer:
            return self._counted(session, proxies, url, limit)

        return fetch

    @property
    def traffic(self) -> Traffic:
        """What has been asked and read so far."""
        with self._lock:
            return self._traffic

    def close(self) -> None:
        """Give back every connection that is not in use."""
        for session in self._sessions:
            session.close()

    def connect(self, host: str, port: int) -> socket.socket:
        """A connected socket that keeps its request's time; the first address that answers.

        Raises:
            FetchError: the name has no address, nobody listens, or the time is up.
        """
        addresses = self._names.addresses(host, _left())
        reason: OSError = OSError("no address")
        for index, address in enumerate(addresses):
            share = _left() / (len(addresses) - index)  # one dead address must not spend the others' time
            try:
                return _connected(address, port, share)
            except OSError as error:
                reason = error
        if isinstance(reason, TimeoutError):
            raise FetchError(_slow(), f"no connection to {host}:{port} in time") from reason
        why = f"connecting to {host}:{port}: {reason.strerror or reason}"
        raise FetchError(Result.CONNECTION_FAILED, why) from reason

    def tls(self) -> ssl.SSLContext:
        """The one TLS context of the run, made when first needed: reading the authorities is slow."""
        with self._lock:
            if self._tls is None:
                self._tls = ssl.create_default_context()
                self._tls.load_verify_locations(certifi.where())
                self._tls.sslsocket_class = _TimedSSLSocket
            return self._tls

    def _proxies(self, url: str) -> dict[str, str]:
        if self._proxy == "environment":
            return get_environ_proxies(url)
        return {"http": self._proxy, "https": self._proxy} if self._proxy else {}

    def _counted(self, session: requests.Session, proxies: dict[str, str], url: str, limit: int) -> Answer:
        try:
            with _time_for(min(self._request_timeout, self.deadline.remaining), self.deadline):
                answer = self._follow(session, proxies, url, limit)
        except FetchError:
            self._count(failures=1)
            raise
        failed = answer.status != requests.codes.ok and answer.status not in (404, 410)
        self._count(failures=int(failed), bytes_read=len(answer.body))
        return answer

    def _count(self, *, made: int = 0, failures: int = 0, bytes_read: int = 0) -> None:
        with self._lock:
            seen = self._traffic
            self._traffic = Traffic(seen.requests + made, seen.failures + failures, seen.bytes + bytes_read)

    def _follow(self, session: requests.Session, proxies: dict[str, str], url: str, limit: int) -> Answer:
        """Fetch, going where a redirect points as long as that is the same server."""
        at = url
        for _ in range(MAX_REDIRECTS + 1):
            response = self._ask(session, proxies, at)
            with contextlib.closing(response):
                if response.status_code not in _REDIRECTS:
                    return _answer(response, limit)
                at = _target(at, response)
        raise FetchError(Result.HTTP_ERROR, f"more than {MAX_REDIRECTS} redirects", response.status_code)

    def _ask(self, session: requests.Session, proxies: dict[str, str], url: str) -> requests.Response:
        """The head of an answer. Asked twice if the server hung up: it may have closed an idle connection."""
        try:
            try:
                return self._send(session, proxies, url)
            except requests.ConnectionError as error:
                if not isinstance(_root(error), (RemoteDisconnected, ConnectionError)):
                    raise
                return self._send(session, proxies, url)
        except (requests.RequestException, OSError) as error:
            raise _failure(error) from error

    def _send(self, session: requests.Session, proxies: dict[str, str], url: str) -> requests.Response:
        self._count(made=1)
        request = requests.Request("GET", url, headers=HEADERS).prepare()
        return session.send(request, stream=True, allow_redirects=False, timeout=_left(), proxies=proxies, verify=True)


# --- answers ----------------------------------------------------------------------------------------


def _answer(response: requests.Response, limit: int) -> Answer:
    status = response.status_code
    if status != requests.codes.ok:
        with contextlib.suppress(FetchError):  # only so that the connection can be used again
            _body(response, _ERROR_PAGE)
        return Answer(status, b"")
    return Answer(status, _body(response, limit), _age(response))


def _body(response: requests.Response, limit: int) -> bytes:
    """The body as sent, if it is complete and no larger than the limit."""
    stated = response.headers.get("Content-Length", "")
    length = int(stated) if stated.isdecimal() else None
    if length is not None and length > limit:
        raise FetchError(Result.TOO_LARGE, f"{length} bytes, at most {limit} are read", response.status_code)
    try:
        body: bytes = response.raw.read(limit + 1, decode_content=False)
    except Exception as error:  # urllib3's and http.client's errors come through bare here
        raise _failure(error, response.status_code) from error
    if len(body) > limit:
        raise FetchError(Result.TOO_LARGE, f"more than {limit} bytes", response.status_code)
    if length is not None and len(body) != length:
        why = f"cut short: {len(body)} of {length} bytes"
        raise FetchError(Result.CONNECTION_FAILED, why, response.status_code)
    if not body and length is None:
        # http.client takes a connection that closes inside the headers for the end of the headers.
        why = "closed before the headers ended"
        raise FetchError(Result.CONNECTION_FAILED, why, response.status_code)
    return body


def _age(response: requests.Response) -> int | None:
    text = response.headers.get("Age", "")
    return int(text) if text.isdecimal() and len(text) < len(str(2**31)) else None


def _target(url: str, response: requests.Response) -> str:
    """Where a redirect points, if it stays at the same scheme, host and port."""
    target = urljoin(url, response.headers.get("Location", ""))
    try:
        same = _origin(target) == _origin(url)
    except ValueError:
        same = False
    if not same:
        why = f"redirected to another server, {target[:200]!r}: not followed"
        raise FetchError(Result.HTTP_ERROR, why, response.status_code)
    return target


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


# --- failures ---------------------------------------------------------------------------------------


def _failure(error: Exception, http_status: int | None = None) -> FetchError:
    """What a failed request means to an operator."""
    if isinstance(error, FetchError):
        return FetchError(error.result, str(error), http_status)
    root = _root(error)
    if isinstance(error, requests.Timeout) or isinstance(root, TimeoutError) or _left_or_none() is None:
        return FetchError(_slow(), "no complete answer in time", http_status)
    if isinstance(error, requests.exceptions.SSLError) or isinstance(root, (ssl.SSLError, ssl.CertificateError)):
        return FetchError(Result.TLS_ERROR, f"TLS: {_reason(root)}", http_status)
    proxy = "proxy: " if isinstance(error, requests.exceptions.ProxyError) else ""
    return FetchError(Result.CONNECTION_FAILED, proxy + _reason(root), http_status)


def _root(error: BaseException) -> BaseException:
    """The error at the bottom: urllib3 and requests wrap it several times, each in a way of its own."""
    seen = {id(error)}
    while True:
        inner = getattr(error, "reason", None)
        if not isinstance(inner, BaseException):
            inner = error.__cause__ or next((arg for arg in error.args if isinstance(arg, BaseException)), None)
        inner = inner or error.__context__
        if inner is None or id(inner) in seen:
            return error
        seen.add(id(inner))
        error = inner


def _reason(error: BaseException) -> str:
    if isinstance(error, RemoteDisconnected):
        return "the server closed the connection without an answer"
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


# --- time -------------------------------------------------------------------------------------------


class _Moment(threading.local):
    """Until when this thread's request may take; a request never changes its thread."""

    until = float("inf")
    deadline: Deadline | None = None


_moment = _Moment()


@contextlib.contextmanager
def _time_for(seconds: float, deadline: Deadline) -> Iterator[None]:
    _moment.until, _moment.deadline = time.monotonic() + seconds, deadline
    try:
        yield
    finally:
        _moment.until, _moment.deadline = float("inf"), None


def _left_or_none() -> float | None:
    left = min(_moment.until - time.monotonic(), REQUEST_TIMEOUT)
    if _moment.deadline is not None:
        left = min(left, _moment.deadline.remaining)
    return left if left > 0 else None


def _left() -> float:
    """Seconds that this thread's request still has.

    Raises:
        FetchError: none.
    """
    left = _left_or_none()
    if left is None:
        raise FetchError(_slow(), "no complete answer in time")
    return left


def _slow() -> Result:
    """The server took too long; or was it the run that had no more time to give?"""
    over = _moment.deadline is not None and _moment.deadline.passed
    return Result.DEADLINE if over else Result.TIMEOUT


# --- sockets ----------------------------------------------------------------------------------------


class _TimedSocket(socket.socket):
    """A socket each operation of which takes no longer than its request may."""

    def recv_into(self, buffer: WriteableBuffer, nbytes: int = 0, flags: int = 0) -> int:
        self.settimeout(_left())
        return super().recv_into(buffer, nbytes, flags)

    def sendall(self, data: ReadableBuffer, flags: int = 0) -> None:
        self.settimeout(_left())
        super().sendall(data, flags)


class _TimedSSLSocket(ssl.SSLSocket):
    """The same under TLS."""

    def recv_into(self, buffer: WriteableBuffer, nbytes: int | None = None, flags: int = 0) -> int:
        self.settimeout(_left())
        return super().recv_into(buffer, nbytes, flags)

    def sendall(self, data: ReadableBuffer, flags: int = 0) -> None:
        self.settimeout(_left())
        super().sendall(data, flags)


def _connected(address: str, port: int, seconds: float) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    connection = _TimedSocket(family, socket.SOCK_STREAM)
    try:
        connection.settimeout(seconds)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.connect((address, port))
        connection.settimeout(_left())  # for the TLS handshake, which takes it as its whole time
    except BaseException:
        connection.close()
        raise
    return connection


class _Adapter(HTTPAdapter):
    """requests' adapter with our sockets under it."""

    def __init__(self, network: Network, connections: int) -> None:
        self._network = network
        self._pools = _pools(network)
        super().__init__(pool_connections=4, pool_maxsize=connections)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **kwargs)
        manager.pool_classes_by_scheme = self._pools
        return manager

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Nothing to do for each connection: the context of the run verifies, with the authorities it has."""


def _pools(network: Network) -> dict[str, type[HTTPConnectionPool]]:
    """urllib3's pools, with connections that are made by `Network.connect`."""

    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return network.connect(self._dns_host, self.port)

    class Encrypted(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return network.connect(self._dns_host, self.port)

        def connect(self) -> None:
            self.ssl_context = network.tls()
            super().connect()

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class EncryptedPool(HTTPSConnectionPool):
        ConnectionCls = Encrypted

    return {"http": PlainPool, "https": EncryptedPool}


# --- names ------------------------------------------------------------------------------------------


@dataclass
class _Lookup:
    """One look-up of one name, which nothing can interrupt: it has a thread of its own."""

    done: threading.Event
    addresses: Sequence[str] = ()
    error: OSError | None = None


class _Names:
    """Host names to addresses, each looked up once a run; a look-up that hangs holds one thread and no run."""

    def __init__(self, resolve: Resolve) -> None:
        self._resolve = resolve
        self._lookups: dict[str, _Lookup] = {}
        self._lock = threading.Lock()

    def addresses(self, host: str, seconds: float) -> Sequence[str]:
        """The addresses of a host.

        Raises:
            FetchError: it has none, or the look-up took longer than this.
        """
        if _is_address(host):
            return (host,)
        lookup = self._lookup(host)
        if not lookup.done.wait(seconds):
            raise FetchError(_slow_lookup(), f"looking up {host} took too long")
        if lookup.error is not None or not lookup.addresses:
            reason = getattr(lookup.error, "strerror", None) or lookup.error or "no address"
            raise FetchError(Result.DNS_ERROR, f"{host}: {reason}")
        return lookup.addresses

    def _lookup(self, host: str) -> _Lookup:
        with self._lock:
            if host not in self._lookups:
                self._lookups[host] = lookup = _Lookup(threading.Event())
                threading.Thread(target=self._look_up, args=(host, lookup), daemon=True).start()
            return self._lookups[host]

    def _look_up(self, host: str, lookup: _Lookup) -> None:
        try:
            lookup.addresses = self._resolve(host)
        except OSError as error:
            lookup.error = error
        except Exception as error:  # noqa: BLE001  # an IDNA error is no OSError, and any must end the wait
            lookup.error = OSError(str(error))
        finally:
            lookup.done.set()


def _slow_lookup() -> Result:
    slow = _slow()
    return Result.DNS_ERROR if slow is Result.TIMEOUT else slow


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True
