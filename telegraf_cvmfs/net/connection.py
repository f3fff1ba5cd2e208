"""Sessions of `requests` over sockets that keep to the budget of their request.

`requests`' time-outs are for each read, so a server that sends a byte a second never meets one, and several
layers above the socket read on for as long as bytes come: headers, "100 Continue", the end of a chunked
body. Here every operation on a socket gets what is left of its request's seconds and counts the bytes.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Mapping
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from telegraf_cvmfs.model import Access, Cause, FetchError, Result
from telegraf_cvmfs.net.answer import of_proxy
from telegraf_cvmfs.net.budget import budget
from telegraf_cvmfs.net.names import Names
from telegraf_cvmfs.net.tls import authorities, own_context
from telegraf_cvmfs.words.shortage import shortage

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

Connect = Callable[[str, int], socket.socket]
"""A socket connected to a host and port, or `FetchError`."""

Secure = Callable[[], ssl.SSLContext]
"""The TLS context to connect with, when it is needed."""

_DIGITS = 19  # in a length: Python refuses to read thousands of them


class Session(requests.Session):
    """A session that leaves redirects and the environment alone."""

    def __init__(self, connect: Connect, secure: Secure, connections: int, proxies: Mapping[str, str]) -> None:
        super().__init__()
        self.own_headers: dict[str, str] = {}
        """Those that say who asks."""
        self.trust_env = False  # else each request walks the environment for proxies and .netrc
        self.proxies.update(proxies)
        adapter = _Adapter(connect, secure, connections)
        self.mount("http://", adapter)
        self.mount("https://", adapter)

    def get_redirect_target(self, _response: requests.Response) -> None:
        """None, always: where `requests` sees a target it reads, and decompresses, all of the answer's body."""
        return


def connected(address: str, port: int, seconds: float) -> socket.socket:
    """A socket connected to an IP address within these seconds, with the request's time from then on.

    Raises:
        OSError: nobody listens, or the time is up.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    connection = _TimedSocket(family, socket.SOCK_STREAM)
    try:
        connection.settimeout(seconds)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.connect((address, port))
        connection.settimeout(budget.left())  # for the TLS handshake, which takes it as its whole time
    except BaseException:
        connection.close()
        raise
    return connection


class Connector:
    """Makes connections, to the addresses of a name in turn, or to one address whatever the name."""

    def __init__(self, names: Names, address: str | None = None) -> None:
        self._names = names
        self._address = address

    def connect(self, host: str, port: int) -> socket.socket:
        """A connected socket that keeps its request's time; the first address that answers.

        Raises:
            FetchError: the name has no address, nobody listens, the time is up, or we have no file for a socket.
        """
        host = self._address or host
        addresses = self._names.addresses(host)
        reason = OSError("no address")
        for index, address in enumerate(addresses):
            share = budget.left() / (len(addresses) - index)  # one dead address must not spend the others' time
            try:
                connection = connected(address, port, share)
            except OSError as error:
                reason = error
                if why := shortage(error):
                    raise FetchError(Result.OWN_LIMIT, why) from error
            else:
                if index:
                    self._names.prefer(host, address)
                return connection
        if isinstance(reason, TimeoutError):
            raise FetchError(
                budget.slow, f"no connection to {host}:{port} in time", cause=Cause.UNCONNECTED
            ) from reason
        why = f"connecting to {host}:{port}: {reason.strerror or reason}"
        cause = Cause.REFUSED if isinstance(reason, ConnectionRefusedError) else Cause.UNREACHABLE
        raise FetchError(Result.CONNECTION_FAILED, why, cause=cause) from reason


def context_of(access: Access) -> ssl.SSLContext:
    """A TLS context for a server that wants to know who asks; FetchError if a file of it is of no use."""
    return _timed(own_context(access), usual=access.ca is None)


def secure_context(authority: Path | None = None) -> ssl.SSLContext:
    """A TLS context with the system's authorities (`SSL_CERT_FILE`, `SSL_CERT_DIR`) and certifi's, or those of a file.

    OSError, `ssl.SSLError` among them, if the file has none.
    """
    return _timed(ssl.create_default_context(cafile=authority), usual=authority is None)


def _timed(context: ssl.SSLContext, *, usual: bool) -> ssl.SSLContext:
    """The context for our sockets, with the usual authorities where they are trusted."""
    if usual:
        files, folder = authorities()
        for file in files:
            context.load_verify_locations(file)
        if folder is not None:
            context.load_verify_locations(capath=folder)
    context.sslsocket_class = _TimedSSLSocket
    return context


# --- sockets ----------------------------------------------------------------------------------------


class _TimedSocket(socket.socket):
    """A socket each operation of which keeps to the budget of its request."""

    def recv_into(self, buffer: WriteableBuffer, nbytes: int = 0, flags: int = 0) -> int:
        self.settimeout(budget.left())
        return budget.received(super().recv_into(buffer, nbytes, flags))

    def sendall(self, data: ReadableBuffer, flags: int = 0) -> None:
        self.settimeout(budget.left())
        super().sendall(data, flags)


class _TimedSSLSocket(ssl.SSLSocket):
    """The same under TLS."""

    def recv_into(self, buffer: WriteableBuffer, nbytes: int | None = None, flags: int = 0) -> int:
        self.settimeout(budget.left())
        return budget.received(super().recv_into(buffer, nbytes, flags))

    def sendall(self, data: ReadableBuffer, flags: int = 0) -> None:
        self.settimeout(budget.left())
        super().sendall(data, flags)


# --- what lies between requests and the sockets -----------------------------------------------------


class _Response(HTTPResponse):
    """An answer whose headers must end, and state one length at most.

    http.client takes a connection that closes in the headers for their end. Of several lengths it takes the
    first; urllib3 refuses them, but so late that it leaves the socket open.
    """

    def begin(self) -> None:
        super().begin()
        if budget.ended:
            raise ConnectionAbortedError("closed before the headers ended")
        lengths = self.headers.get_all("Content-Length", [])
        if len(set(lengths)) > 1 or not all(text.isdecimal() and len(text) < _DIGITS for text in lengths):
            raise HTTPException(f"Content-Length: {', '.join(lengths)}")

    def _read_next_chunk_size(self) -> int:
        """http.client takes a negative size, and reads on to the end of the connection."""
        size: int = super()._read_next_chunk_size()  # type: ignore[misc]
        if size < 0:
            raise ValueError(size)
        return size


class _Plain(HTTPConnection):
    """A connection that knows whether it was used before."""

    response_class = _Response

    @property
    def is_connected(self) -> bool:
        budget.kept = not budget.fresh and super().is_connected
        return budget.kept


class _Encrypted(HTTPSConnection):
    """The same under TLS."""

    response_class = _Response

    @property
    def is_connected(self) -> bool:
        budget.kept = not budget.fresh and super().is_connected
        return budget.kept


class _Adapter(HTTPAdapter):
    """requests' adapter with our connections under it."""

    def __init__(self, connect: Connect, secure: Secure, connections: int) -> None:
        self._pools = _pools(connect, secure)
        self._proxy_pools = _pools(_to_proxy(connect), secure)
        super().__init__(pool_connections=4, pool_maxsize=connections)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  # as in requests
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:  # noqa: ANN401  # as in requests
        manager = super().proxy_manager_for(proxy, **kwargs)
        manager.pool_classes_by_scheme = self._proxy_pools
        return manager

    def close(self) -> None:
        """Close each pool: urllib3 leaves that to the garbage collector, which may take a while."""
        for manager in (self.poolmanager, *self.proxy_manager.values()):
            for key in manager.pools.keys():  # noqa: SIM118  # urllib3's container cannot be iterated over
                pool = manager.pools.get(key)
                if pool is not None:
                    pool.close()
        super().close()

    def cert_verify(self, conn: object, url: str, verify: object, cert: object) -> None:
        """Nothing to do for each connection: the context verifies, with the authorities that it has."""


def _pools(connect: Connect, secure: Secure) -> dict[str, type[HTTPConnectionPool]]:
    """urllib3's pools, with connections made by `connect`."""

    class Plain(_Plain):
        def _new_conn(self) -> socket.socket:
            return connect(self._dns_host, self.port)

    class Encrypted(_Encrypted):
        def _new_conn(self) -> socket.socket:
            return connect(self._dns_host, self.port)

        def connect(self) -> None:
            self.ssl_context = secure()
            super().connect()

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class EncryptedPool(HTTPSConnectionPool):
        ConnectionCls = Encrypted

    return {"http": PlainPool, "https": EncryptedPool}


def _to_proxy(connect: Connect) -> Connect:
    def connect_to_proxy(host: str, port: int) -> socket.socket:
        try:
            return connect(host, port)
        except FetchError as error:
            raise of_proxy(error) from error

    return connect_to_proxy
