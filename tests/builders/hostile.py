"""Bad servers on loopback sockets: each a context manager, gone without a thread or a socket at its end.

A `Server` gives each connection a thread in which a *behaviour* talks to the client through a `Talk`. The
`KINDS` at the end name every badness together with what a client should make of it.
"""

from __future__ import annotations

import contextlib
import gzip
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from types import TracebackType
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from telegraf_cvmfs.model import Result, TransportName
from tests.builders.published import LIST

LOOPBACK = "127.0.0.1"


# --- servers ----------------------------------------------------------------------------------------


class Talk:
    """One connection, seen from the server. `number` counts the connections of a server from 0."""

    def __init__(self, connection: socket.socket, number: int, over: threading.Event) -> None:
        self.connection = connection
        self.number = number
        self.over = over
        self._rest = b""

    def request(self) -> bytes:
        """The head of the next request; empty if the client has gone."""
        while b"\r\n\r\n" not in self._rest:
            piece = self.connection.recv(4096)
            if not piece:
                return b""
            self._rest += piece
        head, _, self._rest = self._rest.partition(b"\r\n\r\n")
        return head

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def drip(self, data: bytes, pace: float) -> None:
        """A byte every `pace` seconds, until the client or the server goes."""
        for byte in data:
            self.send(bytes([byte]))
            if self.over.wait(pace):
                return


Behaviour = Callable[[Talk], None]


class Server:
    """Listens from `with` to the end of it; `connections` and `heads` are what it was asked."""

    def __init__(
        self, behave: Behaviour, *, address: str = LOOPBACK, port: int = 0, tls: ssl.SSLContext | None = None
    ) -> None:
        self.connections = 0
        self.heads: list[bytes] = []
        self._behave = behave
        self._tls = tls
        self._over = threading.Event()
        self._open: dict[threading.Thread, socket.socket] = {}
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._listener = socket.create_server((address, port), family=family, backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://{LOOPBACK}:{self.port}"
        self._thread = threading.Thread(target=self._accept, name=f"hostile {self.port}")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        _hang_up(self._listener)
        self._thread.join()
        self._listener.close()
        for thread, connection in self._open.items():
            _hang_up(connection)
            thread.join()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                thread = threading.Thread(target=self._serve, args=(connection, self.connections))
                self.connections += 1
                self._open = {known: at for known, at in self._open.items() if known.is_alive()}
                self._open[thread] = connection
                thread.start()

    def _serve(self, raw: socket.socket, number: int) -> None:
        with raw, contextlib.suppress(OSError), self._secured(raw) as connection:
            self._behave(_Noted(connection, number, self._over, self.heads))

    def _secured(self, raw: socket.socket) -> socket.socket:
        # A duplicate, because wrapping takes the descriptor away from the socket that `__exit__` hangs up.
        return self._tls.wrap_socket(raw.dup(), server_side=True) if self._tls else raw


class _Noted(Talk):
    def __init__(self, connection: socket.socket, number: int, over: threading.Event, heads: list[bytes]) -> None:
        super().__init__(connection, number, over)
        self._heads = heads

    def request(self) -> bytes:
        head = super().request()
        if head:
            self._heads.append(head)
        return head


def _hang_up(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def refuses() -> Iterator[str]:
    """A port that is taken and not listened on."""
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        yield f"http://{LOOPBACK}:{taken.getsockname()[1]}"


@contextlib.contextmanager
def full_backlog(address: str = LOOPBACK, port: int = 0) -> Iterator[str]:
    """A port where the queue of connections to be accepted is full for ever."""
    with ExitStack() as stack:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        listener = stack.enter_context(socket.create_server((address, port), family=family, backlog=0))
        for _ in range(8):
            filler = stack.enter_context(socket.socket(family))
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        time.sleep(0.05)
        yield f"http://{LOOPBACK}:{listener.getsockname()[1]}"


# --- what a server says -----------------------------------------------------------------------------


def head(status: str, *headers: str) -> bytes:
    return "".join(f"{line}\r\n" for line in (f"HTTP/1.1 {status}", *headers, "")).encode("latin-1")


def page(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    """A whole answer that leaves the connection open."""
    return head(status, f"Content-Length: {len(body)}", *headers) + body


CHUNKED = head("200 OK", "Transfer-Encoding: chunked")
CLOSE_DELIMITED = head("200 OK", "Connection: close")


def path_of(request: bytes) -> str:
    return request.split(b" ", 2)[1].decode()


def answers(answer: Callable[[str], bytes]) -> Behaviour:
    """A good server: an answer for each path, the connection kept."""

    def behave(talk: Talk) -> None:
        while request := talk.request():
            talk.send(answer(path_of(request)))

    return behave


def serves(documents: Mapping[str, bytes]) -> Behaviour:
    """A good server of documents by path."""

    def answer(path: str) -> bytes:
        body = documents.get(path)
        return page(b"", "404 Not Found") if body is None else page(body)

    return answers(answer)


def says(*data: bytes) -> Behaviour:
    """The same to everybody, then the connection closed; reads the request first."""

    def behave(talk: Talk) -> None:
        talk.request()
        for piece in data:
            talk.send(piece)

    return behave


def silent(talk: Talk) -> None:
    talk.request()
    talk.over.wait()


def deaf(talk: Talk) -> None:
    """Does not even read, and takes no part in a TLS handshake."""
    talk.over.wait()


def drips(at_once: bytes, slowly: bytes, pace: float = 1.0) -> Behaviour:
    def behave(talk: Talk) -> None:
        talk.request()
        talk.send(at_once)
        talk.drip(slowly, pace)

    return behave


def endless(at_once: bytes, again: bytes) -> Behaviour:
    def behave(talk: Talk) -> None:
        talk.request()
        talk.send(at_once)
        while True:
            talk.send(again)

    return behave


def resets(talk: Talk) -> None:
    """Breaks the connection off with unread data, so that the client sees a reset."""
    talk.connection.recv(1)
    talk.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def _redirect(location: str, status: str = "302 Found") -> Behaviour:
    return answers(lambda _path: page(b"elsewhere", status, f"Location: {location}"))


def _redirect_with_bomb(talk: Talk) -> None:
    """A redirect whose body would be gigabytes, for clients that read and decompress such bodies."""
    talk.request()
    talk.send(head("302 Found", "Location: /again", "Content-Encoding: gzip", "Connection: close"))
    while True:
        talk.send(ZEROS)


ZEROS = gzip.compress(bytes(1024 * 1024)) * 1000  # one megabyte that is one gigabyte


# --- certificates -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Certified:
    """TLS contexts for servers, and the file with the authority that a client must trust for `good`."""

    authority: Path
    good: ssl.SSLContext
    expired: ssl.SSLContext
    other_name: ssl.SSLContext
    self_signed: ssl.SSLContext


def certified(folder: Path) -> Certified:
    """An authority and servers' certificates, made below a folder."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    authority = _certificate("authority", None, key, key, now + timedelta(days=1), issuer="authority")
    path = folder / "authority.pem"
    path.write_bytes(authority.public_bytes(serialization.Encoding.PEM))

    def context(name: str, address: str, until: datetime, *, alone: bool = False) -> ssl.SSLContext:
        own = ec.generate_private_key(ec.SECP256R1())
        issuer, signer = (name, own) if alone else ("authority", key)
        return _context(folder / name, own, _certificate(name, address, own, signer, until, issuer=issuer))

    tomorrow = now + timedelta(days=1)
    return Certified(
        authority=path,
        good=context("good", LOOPBACK, tomorrow),
        expired=context("expired", LOOPBACK, now - timedelta(days=1)),
        other_name=context("other", "127.0.0.99", tomorrow),
        self_signed=context("alone", LOOPBACK, tomorrow, alone=True),
    )


def _certificate(
    name: str,
    address: str | None,
    key: ec.EllipticCurvePrivateKey,
    signer: ec.EllipticCurvePrivateKey,
    until: datetime,
    *,
    issuer: str,
) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(until - timedelta(days=3))
        .not_valid_after(until)
        .add_extension(x509.BasicConstraints(ca=address is None, path_length=None), critical=True)
    )
    if address:
        names = x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(signer, hashes.SHA256())


def _context(path: Path, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> ssl.SSLContext:
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(secret + certificate.public_bytes(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


# --- kinds of badness -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Kind:
    """One badness: a server with it, what asking it for LIST gives, and words of the sentence.

    `result` None: bytes come back (`Result.OK` for `fetch`), which are not a list of repositories.
    """

    make: Callable[[], AbstractContextManager[str]]
    result: Result | None
    words: str = ""
    status: int | None = None  # the answer's, where there is one without a body
    by_curl: Result | None = None  # where libcurl does not see it, and only the time bounds it

    def result_by(self, transport: TransportName) -> Result | None:
        """What asking gives by this transport."""
        return self.by_curl if self.by_curl and transport is TransportName.CURL else self.result


@contextlib.contextmanager
def _at(behave: Behaviour, **options: ssl.SSLContext) -> Iterator[str]:
    with Server(behave, **options) as server:  # type: ignore[arg-type]
        yield server.url


def _is(
    behave: Behaviour,
    result: Result | None,
    words: str = "",
    status: int | None = None,
    *,
    by_curl: Result | None = None,
) -> Kind:
    return Kind(partial(_at, behave), result, words, status, by_curl)


def _bomb_of_keys() -> bytes:
    return b"{" + b",".join(b'"schema":%d' % number for number in range(100_000)) + b"}"


_FAILED, _LATE, _HTTP, _LARGE = Result.CONNECTION_FAILED, Result.TIMEOUT, Result.HTTP_ERROR, Result.TOO_LARGE

KINDS: Mapping[str, Kind] = {
    "refuses": Kind(refuses, _FAILED, "Connection refused"),
    "full backlog": Kind(full_backlog, _LATE, "no connection"),
    "silent": _is(silent, _LATE, "in time"),
    "deaf": _is(deaf, _LATE, "in time"),
    "drips status line": _is(drips(b"", page(b"{}"), 0.3), _LATE, "in time"),
    "drips headers": _is(drips(b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n" * 100, 0.3), _LATE, "in time"),
    "drips body": _is(drips(head("200 OK", "Content-Length: 99"), b"{" * 99, 0.3), _LATE, "in time"),
    "drips chunks": _is(drips(CHUNKED, b"1\r\n{\r\n" * 99, 0.05), _LATE, "in time"),
    "endless body": _is(endless(CLOSE_DELIMITED, b" " * 65536), _LARGE, "more than"),
    "endless chunks": _is(endless(CHUNKED, b"1000\r\n" + b" " * 4096 + b"\r\n"), _LARGE, "more than"),
    "endless small chunks": _is(endless(CHUNKED, b"40\r\n" + b"{" * 64 + b"\r\n"), _LARGE, "more than"),
    "endless chunk of negative size": _is(endless(CHUNKED + b"-1\r\n", b" " * 65536), _FAILED, "cut short"),
    "endless trailers": _is(endless(CHUNKED + b"0\r\n", b"X-A: b\r\n" * 1000), _LARGE, "more than"),
    "endless chunk extension": _is(
        endless(CHUNKED + b"1;", b"a" * 65536), _HTTP, "not an answer in HTTP", by_curl=_LATE
    ),
    "states 100 GB": _is(endless(head("200 OK", f"Content-Length: {10**11}"), b" " * 65536), _LARGE, "100000000000"),
    "states too much": _is(says(head("200 OK", "Content-Length: 100"), b'{"a"'), _FAILED, "cut short: 4 of 100"),
    "states too little": _is(answers(lambda _path: page(b'{"schema": 1}') + b"surplus"), None),
    "states a length of 5000 digits": _is(
        says(head("200 OK", "Content-Length: " + "9" * 5000), b"{"), _HTTP, "Content-Length"
    ),
    "states a negative length": _is(says(head("200 OK", "Content-Length: -5"), b"{}"), _HTTP, "Content-Length"),
    "states a length and a negative one": _is(
        says(head("200 OK", "Content-Length: -5", "Content-Length: 2", "Connection: close"), b"{}"),
        _HTTP,
        "Content-Length",
    ),
    "states two lengths": _is(says(head("200 OK", "Content-Length: 1", "Content-Length: 2"), b"{}"), _HTTP, "ength"),
    "closes at once": _is(says(), _FAILED, "without an answer"),
    "resets": _is(resets, _FAILED, "reset"),
    "closes in the status line": _is(says(b"HTTP/1.1 200 OK"), _FAILED, "closed"),
    "closes after the status line": _is(says(b"HTTP/1.1 200 OK\r\n"), _FAILED, "headers"),
    "404 closes after the status line": _is(says(b"HTTP/1.1 404 Not Found\r\n"), _FAILED, "headers"),
    "closes in the headers": _is(says(b"HTTP/1.1 200 OK\r\nServer: A"), _FAILED, "headers"),
    "closes in a chunk": _is(says(CHUNKED, b"ff\r\n{"), _FAILED, "cut short"),
    "closes between chunks": _is(says(CHUNKED, b"1\r\n{\r\n"), _FAILED, "cut short"),
    "closes in a body of no length": _is(says(CLOSE_DELIMITED, b'{"schema": 1, "repl'), None),
    "nonsense chunks": _is(says(CHUNKED, b"zz\r\n{\r\n"), _FAILED, "cut short"),
    "redirects to another server": _is(_redirect("http://127.0.0.2:9/x"), Result.REDIRECTED, "another server"),
    "redirects to another scheme": _is(_redirect("https://127.0.0.1/x"), Result.REDIRECTED, "another server"),
    "redirects to a file": _is(_redirect("file:///etc/passwd"), Result.REDIRECTED, "another server"),
    "redirects to garbage": _is(_redirect("http://[::1"), Result.REDIRECTED, "another server"),
    "redirects to a bad port": _is(_redirect("http://127.0.0.1:bad/"), Result.REDIRECTED, "another server"),
    "redirects to bytes": _is(_redirect("http://\xff\xfe\x80/"), Result.REDIRECTED, "another server"),
    "redirects to nowhere": _is(answers(lambda _path: page(b"", "302 Found")), Result.REDIRECTED, "nowhere"),
    "redirects to itself": _is(_redirect(LIST), Result.REDIRECTED, "more than 4 redirects"),
    "redirects with a bomb": _is(_redirect_with_bomb, Result.REDIRECTED, "more than 4 redirects"),
    "HTML for everything": _is(answers(lambda _path: page(b"<html><h1>It works!</h1></html>")), None),
    "503": _is(answers(lambda _path: page(b"busy", "503 Service Unavailable")), _HTTP, "503", 503),
    "503, retry later": _is(answers(lambda _path: page(b"", "503 Busy", "Retry-After: 1")), _HTTP, "503", 503),
    "503, endless page": _is(endless(head("503 Busy", "Connection: close"), b" " * 65536), _HTTP, "503", 503),
    "503, dripping page": _is(drips(head("503 Busy", "Content-Length: 99"), b"x" * 99, 0.3), _HTTP, "503", 503),
    "403": _is(answers(lambda _path: page(b"no", "403 Forbidden")), _HTTP, "403", 403),
    "429": _is(answers(lambda _path: page(b"", "429 Too Many", "Retry-After: 99")), _HTTP, "429", 429),
    "204": _is(answers(lambda _path: head("204 No Content")), _HTTP, "204", 204),
    "404 for everything": _is(answers(lambda _path: page(b"?", "404 Not Found")), Result.NOT_FOUND, "404", 404),
    "gzip bomb": _is(answers(lambda _path: page(ZEROS, "200 OK", "Content-Encoding: gzip")), None),
    "deep JSON": _is(answers(lambda _path: page(b"[" * 100_000)), None),
    "deep closed JSON": _is(answers(lambda _path: page(b"[" * 100_000 + b"]" * 100_000)), None),
    "JSON of 5 MB": _is(answers(lambda _path: page(b'{"a":"' + b"b" * 5_000_000 + b'"}')), _LARGE, "at most"),
    "JSON with a key 100,000 times": _is(answers(lambda _path: page(_bomb_of_keys())), None),
    "JSON with a huge integer": _is(answers(lambda _path: page(b'{"schema":%s}' % (b"9" * 1_000_000))), None),
    "garbage": _is(says(b"\x15\x03\x01\x00\x02\x02\x16" * 9), _HTTP, "not an answer in HTTP"),
    "another protocol": _is(says(b"SSH-2.0-OpenSSH_9.2p1\r\n"), _HTTP, "not an answer in HTTP"),
    "HTTP/0.9": _is(says(b"<html>It works!</html>"), _HTTP, "not an answer in HTTP"),
    "HTTP/2.0": _is(says(b"HTTP/2.0 200 OK\r\n\r\n{}"), _HTTP, "not an answer in HTTP"),
    "200 headers of 64 KiB": _is(
        endless(b"HTTP/1.1 200 OK\r\n", b"X-A: " + b"b" * 65_400 + b"\r\n"), _LARGE, "of headers"
    ),
    "101 small headers": _is(says(head("200 OK", *["X-A: b"] * 101), b"{}"), _HTTP, "headers"),
    "endless header": _is(endless(b"HTTP/1.1 200 OK\r\nX-A: ", b"b" * 65536), _LARGE, "of headers"),
    "endless status line": _is(endless(b"HTTP/1.1 200 ", b"b" * 65536), _LARGE, "of headers"),
    "100 Continue for ever": _is(endless(b"", head("100 Continue") * 100), _LARGE, "of headers"),
    "103 Early Hints": _is(says(head("103 Early Hints") + page(b"{}")), _HTTP, "103", 103),
}
"""Every badness without TLS. The healthy remainder of a document (`None`) is for its parser to refuse."""


def tls_kinds(certificates: Certified) -> Mapping[str, Kind]:
    """Every badness of TLS; the first is none."""
    hello = answers(lambda _path: page(b"<html>hello</html>"))

    def secured(context: ssl.SSLContext, behave: Behaviour = hello) -> Callable[[], AbstractContextManager[str]]:
        return partial(_at, behave, tls=context)

    def https(behave: Behaviour) -> Callable[[], AbstractContextManager[str]]:
        return lambda: _under_https(behave)

    return {
        "good": Kind(secured(certificates.good), None),
        "expired": Kind(secured(certificates.expired), Result.TLS_ERROR, "expired"),
        "other name": Kind(secured(certificates.other_name), Result.TLS_ERROR, "mismatch"),
        "self-signed": Kind(secured(certificates.self_signed), Result.TLS_ERROR, "certificate"),
        "hangs in the handshake": Kind(https(deaf), Result.TIMEOUT, "in time"),
        "drips the handshake": Kind(https(drips(b"", b"\x16\x03\x03" * 99, 0.3)), Result.TIMEOUT, "in time"),
        "closes in the handshake": Kind(https(says_at_once(b"")), Result.TLS_ERROR, ""),
        "plain HTTP": Kind(https(says_at_once(page(b"{}"))), Result.TLS_ERROR, "does not speak TLS"),
        "silent in TLS": Kind(secured(certificates.good, silent), Result.TIMEOUT, "in time"),
        "drips the body in TLS": Kind(
            secured(certificates.good, drips(head("200 OK", "Content-Length: 99"), b"{" * 99, 0.3)), _LATE, "in time"
        ),
        "endless body in TLS": Kind(
            secured(certificates.good, endless(CLOSE_DELIMITED, b" " * 65536)), _LARGE, "more than"
        ),
    }


def says_at_once(data: bytes) -> Behaviour:
    """Does not wait for a request in HTTP."""

    def behave(talk: Talk) -> None:
        talk.connection.recv(4096)
        talk.send(data)

    return behave


@contextlib.contextmanager
def _under_https(behave: Behaviour) -> Iterator[str]:
    with Server(behave) as server:
        yield server.url.replace("http://", "https://")
