"""The exporter's HTTP server: `/metrics`, `/-/healthy`, `/-/ready`, and a short page.

Whoever connects is not trusted: a connection has some seconds in all, and there are only so many at once. There is no
TLS and no login here; a web server before it has both (docs/prometheus.md).
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from typing import Any, cast

from prometheus_client.exposition import gzip_accepted

from telegraf_cvmfs.exporter.metrics import Metrics, content_type

MOST_CONNECTIONS = 256
SECONDS = 30.0
"""What a connection has, from its first byte to its last: more than Prometheus waits."""

PAGE = """\
<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>telegraf-cvmfs exporter</title></head>
<body><h1>telegraf-cvmfs exporter</h1>
<p>What CernVM-FS servers serve, as of the last finished run.</p>
<ul><li><a href="/metrics">/metrics</a></li><li><a href="/-/healthy">/-/healthy</a></li>
<li><a href="/-/ready">/-/ready</a></li></ul></body></html>
"""

Socket = Any  # as typeshed has them: a server may be for datagrams
Address = Any


class Server(ThreadingMixIn, TCPServer):
    """Listens on an address as `socket.getaddrinfo` gives it, from its making on; OSError if that cannot be."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, family: int, address: tuple[Any, ...], metrics: Metrics) -> None:
        self.metrics = metrics
        self.address_family = family
        self._until: dict[Socket, float] = {}
        super().__init__(cast("tuple[str, int]", address), _Handler)

    def process_request(self, request: Socket, client_address: Address) -> None:
        """A thread for the connection, if there is a place; else it is closed."""
        if len(self._until) >= MOST_CONNECTIONS:
            self.shutdown_request(request)
            return
        self._until[request] = time.monotonic() + SECONDS
        super().process_request(request, client_address)

    def shutdown_request(self, request: Socket) -> None:
        """The end of a connection."""
        self._until.pop(request, None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """Now and then: whoever has had his time is hung up on."""
        now = time.monotonic()
        for request, until in list(self._until.items()):
            if now > until:
                with contextlib.suppress(OSError):
                    request.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Socket, client_address: Address) -> None:
        """A client that went away or was too slow is no error of ours, and hostile ones would fill the log."""


class _Handler(BaseHTTPRequestHandler):
    server: Server
    timeout = SECONDS
    server_version = "telegraf-cvmfs"
    sys_version = ""
    wbufsize = 64 * 1024  # head and body leave in one piece

    def do_GET(self) -> None:
        match self.path.partition("?")[0]:
            case "/metrics":
                self._metrics()
            case "/-/healthy":
                self._say(HTTPStatus.OK, "healthy")
            case "/-/ready":
                why = self.server.metrics.waits_for()
                self._say(HTTPStatus.SERVICE_UNAVAILABLE if why else HTTPStatus.OK, why or "ready")
            case "/":
                self._answer(HTTPStatus.OK, {"Content-Type": "text/html; charset=utf-8"}, [PAGE.encode()], len(PAGE))
            case _:
                self._say(HTTPStatus.NOT_FOUND, "there are /metrics, /-/healthy, /-/ready and /")

    def do_HEAD(self) -> None:
        self.do_GET()

    def _metrics(self) -> None:
        kind = content_type(self.headers.get("Accept", ""))
        text, end = self.server.metrics.text(kind)
        headers = {"Content-Type": kind, "Vary": "Accept, Accept-Encoding"}
        if gzip_accepted(self.headers.get("Accept-Encoding", "")):
            packed = text.packed(end)
            self._answer(HTTPStatus.OK, {**headers, "Content-Encoding": "gzip"}, [packed], len(packed))
        else:
            self._answer(HTTPStatus.OK, headers, text.unpacked(end), text.size + len(end))

    def _say(self, status: HTTPStatus, words: str) -> None:
        body = f"{words}\n".encode()
        self._answer(status, {"Content-Type": "text/plain; charset=utf-8"}, [body], len(body))

    def _answer(self, status: HTTPStatus, headers: dict[str, str], body: Iterable[bytes], length: int) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(length)}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            for piece in body:
                self.wfile.write(piece)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Not each request."""
