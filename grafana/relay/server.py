"""The relay's HTTP server: Grafana's webhook by POST (or PUT), and `GET /health`.

Whoever connects is not trusted: the secret is compared in constant time before the body is read, the body is capped,
a connection has a few seconds in all, and there are only so many at once.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import ipaddress
import json
import socket
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from typing import Any

from grafana.relay.alert import PayloadError
from grafana.relay.log import Log
from grafana.relay.service import Relay
from grafana.relay.store import StoreError

LARGEST_BODY = 1 << 20
MOST_CONNECTIONS = 32
PATHS = ("/", "/grafana")
SECONDS = 10.0
"""What a connection has, from its first byte to its last."""

Socket = Any  # as typeshed has them: a server may be for datagrams
Address = Any


class Server(ThreadingMixIn, TCPServer):
    """Listens on one address and hands what it takes to the relay."""

    allow_reuse_address = True
    daemon_threads = True  # the end does not wait for whoever holds a connection; see `finish`
    request_queue_size = 64

    def __init__(
        self, address: tuple[str, int], relay: Relay, secret: str, log: Log, clock: Callable[[], float]
    ) -> None:
        self.relay = relay
        self.secret = secret
        self.log = log
        self.clock = clock
        self._places = threading.BoundedSemaphore(MOST_CONNECTIONS)
        self.address_family = socket.AF_INET6 if ipaddress.ip_address(address[0]).version == 6 else socket.AF_INET  # noqa: PLR2004
        super().__init__(address, _Handler)

    def process_request(self, request: Socket, client_address: Address) -> None:
        """A thread for the connection, if there is a place; else it is closed."""
        if not self._places.acquire(blocking=False):
            self.log.seldom("full", f"more than {MOST_CONNECTIONS} connections at once: closed")
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:
            self._places.release()
            raise

    def process_request_thread(self, request: Socket, client_address: Address) -> None:
        """The connection's thread."""
        timer = threading.Timer(SECONDS, _hang_up, [request])
        timer.daemon = True
        try:
            timer.start()
            super().process_request_thread(request, client_address)
        except RuntimeError:  # no thread for the timer; what goes wrong later is caught there
            self.log.seldom("threads", "no more threads can be started: a connection was closed")
            self.shutdown_request(request)
        finally:
            timer.cancel()
            self._places.release()

    def finish(self, seconds: float) -> None:
        """Wait until the connections that are open have ended, but no longer than this."""
        end = time.monotonic() + seconds
        for _ in range(MOST_CONNECTIONS):
            if not self._places.acquire(timeout=max(0.0, end - time.monotonic())):
                return

    def handle_error(self, request: Socket, client_address: Address) -> None:  # noqa: ARG002
        """A connection that broke; a traceback would tell nobody anything."""
        self.log.seldom("broken", f"connection from {client_address[0]} broke or was too slow")


class _Handler(BaseHTTPRequestHandler):
    server: Server
    timeout = SECONDS
    server_version = "cvmfs-relay"
    sys_version = ""

    def do_GET(self) -> None:
        if self.path != "/health":
            self._answer(HTTPStatus.NOT_FOUND, {"error": "there is only /health, and / for Grafana's POST"})
            return
        health = self.server.relay.health()
        self._answer(HTTPStatus.OK if health["status"] == "ok" else HTTPStatus.SERVICE_UNAVAILABLE, health)

    def do_POST(self) -> None:
        status, error = self._take()
        self._answer(status, {"error": error} if error else {"status": "stored"})

    def do_PUT(self) -> None:
        self.do_POST()  # the contact point can be set to either

    def _take(self) -> tuple[HTTPStatus, str]:
        if self.path not in PATHS:
            return HTTPStatus.NOT_FOUND, "the contact point's URL ends with the port, or with /grafana"
        if not _is_allowed(self.headers.get("Authorization", ""), self.server.secret):
            self.server.log.seldom("secret", f"{self.client_address[0]} did not have the secret")
            return HTTPStatus.UNAUTHORIZED, "the contact point needs the relay's secret as authorization"
        # Browsers send nothing else without asking first, so no web page can use a relay on its reader's machine.
        if self.headers.get_content_type() != "application/json":
            return HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "expected Content-Type: application/json"
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()) or "Transfer-Encoding" in self.headers:
            return HTTPStatus.LENGTH_REQUIRED, "expected Content-Length"
        if len(length) > len(str(LARGEST_BODY)) or int(length) > LARGEST_BODY:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"more than {LARGEST_BODY} bytes: set Max Alerts lower"
        return self._hand_on(self.rfile.read(int(length)), int(length))

    def _hand_on(self, body: bytes, length: int) -> tuple[HTTPStatus, str]:
        if len(body) < length:
            return HTTPStatus.BAD_REQUEST, "the body ended too soon"
        try:
            self.server.relay.take(body, self.server.clock())
        except PayloadError as error:
            self.server.log.seldom("payload", f"a notification from {self.client_address[0]}: {error}")
            return HTTPStatus.BAD_REQUEST, str(error)
        except StoreError as error:
            self.server.log.seldom("state", str(error))
            return HTTPStatus.SERVICE_UNAVAILABLE, "the relay cannot store it now"
        except Exception as error:  # noqa: BLE001  # Grafana asks again, and is told what a log would not
            self.server.relay.fault("a notification", error)
            return HTTPStatus.INTERNAL_SERVER_ERROR, "the relay has a fault: see its log"
        return HTTPStatus.OK, ""

    def _answer(self, status: HTTPStatus, document: dict[str, object]) -> None:
        body = json.dumps(document).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if status is HTTPStatus.UNAUTHORIZED:
            self.send_header("WWW-Authenticate", "Bearer")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Not each request: Grafana's are its own affair, and hostile ones would fill the log."""


def _is_allowed(authorization: str, secret: str) -> bool:
    """Whether the header has the secret, as Bearer or as the password of Basic; compared in constant time."""
    if not secret:
        return True
    scheme, _, credentials = authorization.partition(" ")
    given = credentials.encode("latin-1", "replace").strip()  # http.server reads the bytes of headers as Latin-1
    if scheme.lower() == "basic":
        try:
            given = base64.b64decode(given, validate=True).partition(b":")[2]
        except (binascii.Error, ValueError):
            given = b""
    elif scheme.lower() != "bearer":
        given = b""
    return hmac.compare_digest(hashlib.sha256(given).digest(), hashlib.sha256(secret.encode()).digest())


def _hang_up(request: socket.socket) -> None:
    try:
        request.shutdown(socket.SHUT_RDWR)
    except OSError:
        return
