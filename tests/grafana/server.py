"""A stand-in for Grafana over real HTTP: it checks who asks, in which role and with what, and keeps its state as Grafana does.

`with grafana() as server:` serves on loopback at `server.url`. `server.token` is a viewer's token, `server.tokens` has
one for each role, `server.user` and `server.password` are an administrator's. The state (`datasources`, `dashboards`,
`folders`, `rules`, `alerts`, ...) may be changed while it runs. `server.broken["/api/health"] = status(500)` breaks the
paths that begin so, "" all of them. `server.asked` is what was asked.
"""

from __future__ import annotations

import json
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.grafana.state import ROUTES, Asked, Grafana, RefusalError, Stored, authorize

__all__ = ["Asked", "Grafana", "Stored", "grafana"]


@contextmanager
def grafana(tls: ssl.SSLContext | None = None) -> Iterator[Grafana]:
    state = Grafana()
    stop = threading.Event()
    handler = type("Handler", (_Handler,), {"state": state, "stop": stop})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        state.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}"
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield state
        finally:
            stop.set()
            server.shutdown()
            thread.join()


# --- faults -----------------------------------------------------------------------------------------

Fault = Callable[["_Handler"], None]


def status(code: int, message: str = "Internal server error") -> Fault:
    return lambda handler: handler.reply(code, {"message": message})


def answer(document: Any) -> Fault:
    """Another document, with status 200."""
    return lambda handler: handler.reply(200, document)


def raw(body: bytes, content_type: str = "application/json", code: int = 200) -> Fault:
    return lambda handler: handler.send(code, body, content_type)


GARBAGE = raw(b"<!DOCTYPE html><html><body>Welcome to another program</body></html>", "text/html; charset=utf-8")


def huge(handler: _Handler) -> None:
    """A well-formed answer of 64 MiB."""
    handler.send(200, b'["' + b"x" * (64 << 20) + b'"]')


def endless(handler: _Handler) -> None:
    """An answer that never ends and has no length, as fast as it is read."""
    handler.begin(200, "application/json", length=None)
    while not handler.stop.is_set():
        handler.wfile.write(b" " * 65536)


def dribble(handler: _Handler) -> None:
    """An answer of which a byte comes each tenth of a second."""
    handler.begin(200, "application/json", length=10_000_000)
    while not handler.stop.wait(0.1):
        handler.wfile.write(b" ")
        handler.wfile.flush()


def slow(seconds: float) -> Fault:
    def wait(handler: _Handler) -> None:
        handler.stop.wait(seconds)
        handler.route()

    return wait


def redirect(url: str) -> Fault:
    return lambda handler: handler.send(302, b"", headers={"Location": url})


def hang_up(handler: _Handler) -> None:
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


# --- over HTTP --------------------------------------------------------------------------------------


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: Grafana
    stop: threading.Event
    asked: Asked

    def handle_one_request(self) -> None:
        with suppress(ConnectionError):  # who asked went away
            super().handle_one_request()

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.asked = Asked(self.command, unquote(url.path), parse_qs(url.query), headers, body)
        self.state.asked.append(self.asked)
        for beginning, fault in self.state.broken.items():
            if self.asked.path.startswith(beginning):
                return fault(self)
        return self.route()

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815

    def route(self) -> None:
        try:
            for method, pattern, role, serve in ROUTES:
                found = re.fullmatch(pattern, self.asked.path)
                if found and method == self.asked.method:
                    authorize(self.state, self.asked, role)
                    return self.reply(*serve(self.state, self.asked, *found.groups()))
            raise RefusalError(404, "Not found")
        except RefusalError as refusal:
            return self.reply(refusal.status, {"message": refusal.message, **refusal.more})

    def reply(self, code: int, document: Any) -> None:
        self.send(code, json.dumps(document).encode(), "application/json; charset=UTF-8")

    def send(
        self, code: int, body: bytes, content_type: str = "application/json", headers: dict[str, str] | None = None
    ) -> None:
        self.begin(code, content_type, len(body), headers)
        self.wfile.write(body)

    def begin(self, code: int, content_type: str, length: int | None, headers: dict[str, str] | None = None) -> None:
        self.send_response(code)
        self.send_header("Content-Type", content_type)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if length is None:
            self.close_connection = True
        else:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Nothing: a test's output is its own."""
