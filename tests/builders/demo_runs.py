"""Whole runs against a demo fleet that is watched while it is asked, and may change in the midst of a run."""

from __future__ import annotations

import contextlib
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from typing import Any, NamedTuple
from unittest import mock

from telegraf_cvmfs.demo import DemoFleet, faults, server
from telegraf_cvmfs.demo.inventory import repositories
from telegraf_cvmfs.demo.repository import Repository, Revision, manifest, object_path, objects, whitelist
from telegraf_cvmfs.demo.signing import Keys, content_hash, demo_keys
from telegraf_cvmfs.demo.stratum import Copy
from telegraf_cvmfs.emit import json_document
from telegraf_cvmfs.memory.value import NOTHING, Memory, remember
from telegraf_cvmfs.model import Fleet, Run
from telegraf_cvmfs.net.deadline import Deadline
from telegraf_cvmfs.watch import watch

NOW = datetime(2026, 3, 2, 4, 5, 6, tzinfo=UTC)
STRATUM0, HEALTHY, LAGGING, FAULTY = "stratum0", "stratum1-healthy", "stratum1-lagging", "stratum1-faulty"
NAMES = ("software", "data", "conditions", "containers", "nightlies", "config")

Object = dict[str, Any]
Place = tuple[str, str]  # a server, and the short name of a repository


class Request(NamedTuple):
    server: str
    method: str
    path: str


def run_once(fleet: Fleet, now: datetime, memory: Memory = NOTHING, seconds: float = 20) -> Run:
    """One run as the command makes it, at any moment; it has nothing to complain about."""
    complaints: list[str] = []
    run = watch(fleet, now, Deadline(seconds), complaints.append, memory=memory)
    assert complaints == []
    return replace(run, duration=timedelta(seconds=1))


def replicas(document: Object) -> dict[Place, Object]:
    """The replicas of a JSON document by server and short name."""
    return {
        (one["server"], replica["repo"].partition(".")[0]): replica
        for one in document["servers"]
        for replica in one["replicas"]
    }


def seen_in(run: Run) -> dict[Place, Object]:
    return replicas(json_document.document(run))


def slugs(replica: Object) -> list[str]:
    return [finding["finding"] for finding in replica["findings"]]


@dataclass
class Watched:
    """A running demo fleet: `asked` is what its servers were asked, `fleet` what to scrape, as tests have it."""

    demo: DemoFleet
    fleet: Fleet
    asked: list[Request] = field(default_factory=list)
    memory: Memory = NOTHING
    _answers: dict[Place, Callable[[Any], Any]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, after: timedelta = timedelta(0), seconds: float = 20) -> dict[Place, Object]:
        """A run so long after `NOW`, with the memory of those before it, and `asked` begun anew."""
        self.asked.clear()
        run = run_once(self.fleet, NOW + after, self.memory, seconds)
        self.memory = remember(self.memory, run)
        return seen_in(run)

    # What is asked

    def count(self, where: str, method: str, ending: str) -> int:
        """How often a server was asked for paths with this ending."""
        with self._lock:
            return sum(one.server == where and one.method == method and one.path.endswith(ending) for one in self.asked)

    def requests(self, method: str, ending: str) -> Counter[str]:
        """The paths with this ending that were asked for, on all servers."""
        found = [one for one in self.asked if one.method == method and one.path.endswith(ending)]
        return Counter(f"{one.server}{one.path}" for one in found)

    # What is answered

    def instead(self, where: str, path: str, answer: Callable[[Any], Any]) -> None:
        """From now on that is answered for a path: a function of the good answer."""
        self._answers[where, path] = answer

    def once_asked(self, where: str, path: str, change: Callable[[], object]) -> None:
        """When a path is asked for the first time, change something just before the good answer leaves."""

        def answer(good: Any) -> Any:
            self._answers.pop((where, path), None)
            change()
            return good

        self.instead(where, path, answer)

    def reply(self, where: str, path: str, good: Any) -> Any:
        change = self._answers.get((where, path))
        return good if change is None else change(good)

    def heard(self, request: Request) -> None:
        with self._lock:
            self.asked.append(request)

    # What is served

    def inflict(self, where: str, changes: faults.Changes) -> None:
        faults.inflict(self.demo.documents[where], changes)

    def repository(self, short: str) -> Repository:
        return repositories(self.demo.now, self.demo.urls)[short]

    def copy(self, short: str) -> Copy:
        repository = self.repository(short)
        return Copy(repository, repository.latest)

    def path(self, short: str, name: str) -> str:
        return f"{self.repository(short).path}/{name}"

    def root_catalog(self, short: str, revision: Revision | None = None) -> str:
        return self._object(short, revision, "C")

    def certificate(self, short: str) -> str:
        return self._object(short, None, "X")

    def published(
        self, short: str, revision: Revision, *, by: Keys | None = None, without: tuple[str, ...] = ()
    ) -> faults.Changes:
        """What a publication changes: its objects, its manifest, perhaps who signs; some paths are collected."""
        keys, repository = by or demo_keys(), self.repository(short)
        files = {
            ".cvmfspublished": manifest(repository, revision, keys),
            ".cvmfswhitelist": whitelist(repository, keys),
            **objects(repository, revision, keys),
        }
        gone: faults.Changes = dict.fromkeys(without)
        return gone | {f"{repository.path}/{name}": content for name, content in files.items()}

    def next_revision(self, short: str) -> Revision:
        """Published a second before `NOW`."""
        return Revision(self.repository(short).latest.number + 1, NOW - timedelta(seconds=1))

    def _object(self, short: str, revision: Revision | None, letter: str) -> str:
        repository = self.repository(short)
        names = objects(repository, revision or repository.latest, demo_keys())
        return f"{repository.path}/{next(name for name in names if name.endswith(letter))}"


@contextlib.contextmanager
def watched(tmp: Any, *, with_faults: bool = False) -> Iterator[Watched]:
    """A demo fleet of its own at `NOW`, without the server that is down, and without a GeoAPI to ask."""
    with DemoFleet(NOW, faults=with_faults) as demo:
        key = demo.write(tmp).parent / "keys" / "demo.pub"
        fleet = demo.fleet((key,))
        up = tuple(one for one in fleet.servers if one.name in demo.documents)
        watch = Watched(demo, replace(fleet, servers=up, geoapi=replace(fleet.geoapi, enabled=False)))
        names = {url: name for name, url in demo.urls.items()}
        original = server.DemoServer.reply

        def reply(self: server.DemoServer, path: str, client: str) -> Any:
            return watch.reply(names[self.url], path, original(self, path, client))

        def log_request(self: Any, *_: object) -> None:
            watch.heard(Request(names[self.server.url], self.command, self.path))

        with (
            mock.patch.object(server.DemoServer, "reply", reply),
            mock.patch.object(BaseHTTPRequestHandler, "log_request", log_request),
        ):
            yield watch


def rolled_over() -> Keys:
    """The deployment after a change of its release manager's key: another certificate, the same master key."""
    return replace(faults.forger(), master=demo_keys().master)


def certificate_path_of(keys: Keys, algorithm: str = "sha1") -> str:
    return object_path(content_hash(zlib.compress(keys.certificate_pem), algorithm), "X")


def waits(condition: Callable[[], bool], seconds: float = 5) -> bool:
    """Does it come true in this time?"""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.005)
    return True
