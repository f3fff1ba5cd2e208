"""Strata in memory: what they serve is a dict, what they were asked is a list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from telegraf_cvmfs.assess.verdicts import assess
from telegraf_cvmfs.model import Answer, FetchError, Fleet, Result, Run, Server, Traffic
from telegraf_cvmfs.net.deadline import Deadline
from telegraf_cvmfs.net.transport import Request, Sink, Threads, Transport
from telegraf_cvmfs.scraping.visits import scrape
from tests.builders.asking import Fetch

Served = bytes | Answer | Exception


THERE = Answer(200, b"", length=4096)
"""Of root catalogs only the head is asked for here, and unless a test says otherwise they are there."""


@dataclass
class FakeNetwork:
    """Serves URLs from a dict; what is not in it is a 404, an exception in it is raised."""

    served: Mapping[str, Served]
    asked: list[str] = field(default_factory=list)
    deadline: Deadline = field(default_factory=lambda: Deadline(20))
    request_timeout: float = 5
    traffic: Traffic = field(default_factory=Traffic)
    lacked: Mapping[str, None] = field(default_factory=dict)

    def transport(self) -> Transport:
        fetches: dict[str, Fetch] = {}

        def fetch(request: Request) -> Answer:
            answers = fetches.setdefault(request.server.label, self.fetch(request.server))
            return answers(request.url, request.limit, request.sink)

        return Threads(fetch, 8)

    def fetch(self, server: Server) -> Fetch:
        def fetch(url: str, limit: int, sink: Sink | None = None) -> Answer:
            assert url.startswith(server.url + "/"), "a server is asked for what is its own"
            self.asked.append(url)
            found = self.served.get(url, THERE if not limit else Answer(404, b""))
            if isinstance(found, Exception):
                raise found
            if isinstance(found, bytes) and sink is not None:
                sink(found)
                return Answer(200, b"", length=len(found))
            if isinstance(found, bytes):
                return Answer(200, found if limit else b"", length=len(found))
            return found

        return fetch


def served_by(folder: Path, url: str) -> dict[str, Served]:
    """The files below a folder, as a static web server at this URL would serve them."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {f"{url}/{path.relative_to(folder).as_posix()}": path.read_bytes() for path in files}


def run_of(fleet: Fleet, served: Mapping[str, Served], now: datetime, complaints: list[str] | None = None) -> Run:
    """One whole run against strata in memory."""
    said = [] if complaints is None else complaints
    fleet = replace(fleet, verify_every=None)
    seen = scrape(fleet, now, FakeNetwork(served), said.append)  # type: ignore[arg-type]  # all that scrape needs
    return assess(seen, timedelta(seconds=1))


def down(server: str = "http://down.example") -> FetchError:
    """A server that refuses connections."""
    return FetchError(Result.CONNECTION_FAILED, f"connecting to {server}: Connection refused")
