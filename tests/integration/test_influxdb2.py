"""Telegraf's requests to an InfluxDB 2, taken by a server that notes them down."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import BufferedIOBase
from pathlib import Path

import pytest

from integration.shipped import INTO_INFLUXDB_2
from integration.telegraf import run
from telegraf_cvmfs.schema import FIELDS


@dataclass(frozen=True)
class Written:
    """One request to write."""

    path: str
    headers: Mapping[str, str]
    text: str


class Notebook(HTTPServer):
    """Takes whatever is written to it, and notes it down."""

    def __init__(self) -> None:
        self.written: list[Written] = []
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: Notebook

    def do_POST(self) -> None:
        body = b"".join(_chunks(self.rfile))
        self.server.written.append(Written(self.path, dict(self.headers), gzip.decompress(body).decode()))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def _chunks(body: BufferedIOBase) -> Iterator[bytes]:
    """The parts of a chunked body (RFC 9112, 7.1)."""
    while size := int(body.readline(), 16):
        yield body.read(size)
        body.readline()
    body.readline()


@pytest.fixture
def notebook() -> Iterator[Notebook]:
    with Notebook() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_influxdb_2_is_written_to_with_token_organization_and_bucket(
    telegraf: Path, settings: dict[str, str], notebook: Notebook
) -> None:
    login = {
        "INFLUXDB_URL": f"http://127.0.0.1:{notebook.server_port}",
        "INFLUXDB_TOKEN": "secret",
        "INFLUXDB_ORG": "our org",
        "INFLUXDB_BUCKET": "grid",
    }
    finished = run(telegraf, [*INTO_INFLUXDB_2, "--once"], settings | login)
    lines = "".join(request.text for request in notebook.written).splitlines()
    assert (finished.code, finished.trouble) == (0, [])
    assert {request.path for request in notebook.written} == {"/api/v2/write?bucket=grid&org=our+org"}
    assert {request.headers["Authorization"] for request in notebook.written} == {"Token secret"}
    assert {line.partition(",")[0] for line in lines} == FIELDS.keys()
