"""A server on loopback that serves a dict, and a port that refuses every connection."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

from telegraf_cvmfs.demo import geoapi

LOOPBACK = "127.0.0.1"
NOT_FOUND = b"<html><head><title>404 Not Found</title></head><body><h1>Not Found</h1></body></html>\n"


@dataclass(frozen=True)
class _Reply:
    status: int
    body: bytes
    content_type: str | None
    max_age: int | None  # s


class DemoServer(ThreadingHTTPServer):
    """Serves `documents` (path -> bytes) from its making until `close()`, with the headers of an Apache
    that `cvmfs_server` configured; with `places` it answers the GeoAPI too.

    `documents` may change while it serves.
    """

    request_queue_size = 128
    daemon_threads = True
    # Newer Pythons share a port between servers of one user unless told not to.
    allow_reuse_address = allow_reuse_port = False

    def __init__(self, documents: Mapping[str, bytes], *, places: bool = False) -> None:
        self.documents = documents
        self.places = places
        self._connections: dict[threading.Thread, socket.socket] = {}
        super().__init__((LOOPBACK, 0), _Handler)
        self.url = f"http://{LOOPBACK}:{self.server_port}"
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), name=self.url, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End every connection, wait for every thread, free the port."""
        self.shutdown()
        self._thread.join()
        for thread, connection in self._connections.items():
            # A thread that waits for the next request of a kept connection wakes only by this.
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            thread.join()
        self.server_close()

    def server_bind(self) -> None:
        """Bind without HTTPServer's look-up of the host's name, which may ask a DNS server."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.socket.getsockname()

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        """Give the connection a thread, and remember both so that `close()` can end them."""
        thread = threading.Thread(
            target=self.process_request_thread, args=(request, client_address), name=self.url, daemon=True
        )
        alive = {known: peer for known, peer in self._connections.items() if known.is_alive()}
        self._connections = {**alive, thread: request}
        thread.start()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        """A client that went away is no error."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

    def reply(self, path: str, client: str) -> _Reply:
        """What to answer for a path, the query stripped, to a client's address."""
        if self.places and geoapi.is_geoapi(path):
            status, text = geoapi.answer(path, client)
            good = status == HTTPStatus.OK
            return _Reply(status, text.encode(), "text/plain" if good else None, 3600 if good else 300)
        body = self.documents.get(path)
        if body is None:
            return _Reply(404, NOT_FOUND, "text/html; charset=iso-8859-1", None)
        return _Reply(200, body, *_kind(path))


class RefusingPort:
    """A port that is taken but never listened on: whoever connects is refused, and nobody else gets it."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.bind((LOOPBACK, 0))
        self.url = f"http://{LOOPBACK}:{self._socket.getsockname()[1]}"

    def close(self) -> None:
        """Free the port."""
        self._socket.close()


class _Handler(BaseHTTPRequestHandler):
    server: DemoServer
    protocol_version = "HTTP/1.1"
    server_version = "telegraf-cvmfs-demo"
    sys_version = ""
    disable_nagle_algorithm = True
    wbufsize = 64 * 1024  # head and body leave in one piece

    def do_GET(self) -> None:
        reply = self.server.reply(unquote(urlsplit(self.path).path), self.client_address[0])
        self.send_response(reply.status)
        for name, value in _headers(reply).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Nothing: a demo shares its terminal with what it shows."""


def _headers(reply: _Reply) -> dict[str, str]:
    headers = {"Content-Length": str(len(reply.body))}
    if reply.max_age is not None:
        headers["Cache-Control"] = f"max-age={reply.max_age}"
    if reply.content_type is not None:
        headers["Content-Type"] = reply.content_type
    return headers


def _kind(path: str) -> tuple[str, int]:
    """Content type and seconds that it may be cached. CernVM-FS, cvmfs_server, create_apache_config_file.

    No Last-Modified and no ETag: that configuration removes them.
    """
    name = path.rpartition("/")[2]
    if name.startswith(".cvmfs"):
        return "application/x-cvmfs", 61
    if name.endswith(".json"):
        return "application/json", 61
    return "application/octet-stream", 259200
