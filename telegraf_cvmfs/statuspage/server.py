"""The pages on a port, for a look: whoever shows them to others has a web server."""

from __future__ import annotations

from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class _Handler(SimpleHTTPRequestHandler):
    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def log_message(self, *_: object) -> None:
        """Nobody asks who looked."""


def server(out: Path, host: str, port: int) -> ThreadingHTTPServer:
    """What serves a folder; port 0 is a free one. OSError if the port cannot be had."""
    return ThreadingHTTPServer((host, port), partial(_Handler, directory=str(out)))
