"""The run: all servers side by side, on each its list, then all manifests, then the rest, until out of time.

Manifests come first so that a slow server costs detail and not replicas. What is known is kept at every
moment, so a run that is cut short still has a value for each server and each replica.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from telegraf_cvmfs.documents import (
    DETAILS,
    LARGEST_MANIFEST,
    LARGEST_ORDER,
    LAST_SNAPSHOT,
    LISTING,
    META,
    Document,
    NameMismatchError,
    beside,
    complete,
    details,
    manifest_of,
)
from telegraf_cvmfs.fetch import Network
from telegraf_cvmfs.memory import NOTHING, Memory
from telegraf_cvmfs.model import (
    Answer,
    Backend,
    Entry,
    FetchError,
    Fleet,
    GeoAPIStatus,
    Listed,
    Listing,
    Meta,
    ParseError,
    Reading,
    Replica,
    Result,
    Role,
    Scrape,
    Server,
    Status,
    Stratum,
)
from telegraf_cvmfs.targets import listed_replicas, named_replicas, remembered_replicas
from telegraf_cvmfs.wire import geoapi

T = TypeVar("T")

SECONDS_PER_REPLICA = 0.0002
"""What judging and printing one takes, on a slow machine: it has to fit into the run's time too."""

HTTP_OK = 200
NOT_SERVED = (404, 410)
FORBIDDEN = 403  # what S3 says of an object that is not there, to those who may not list the bucket

Complain = Callable[[str], None]
"""Takes one line for the operator, in Telegraf's form: `E! …`."""


def scrape(
    fleet: Fleet,
    started: datetime,
    network: Network,
    complain: Complain,
    *,
    done: Callable[[str], None] = lambda _name: None,
    memory: Memory = NOTHING,
) -> Scrape:
    """Visit every server of a fleet until all is read or the network's deadline passes.

    Args:
        fleet: what to scrape.
        started: when the run began (aware UTC); ages are reckoned from it.
        network: what the requests go through; it knows the deadline.
        complain: told of what is our own fault; servers' faults are in the result.
        done: told the name of each server that is finished, from any thread.
        memory: what earlier runs saw: a server's repositories are asked for even if its list cannot be read.
    """
    visits = [
        _Visit(fleet, server, network, complain, memory.entries(server.name, started)) for server in fleet.servers
    ]

    def visit_all() -> None:
        side_by_side([partial(_finish, visit, done) for visit in visits], len(visits))
        network.deadline.finish()

    threading.Thread(target=visit_all, daemon=True).start()
    network.deadline.wait()
    strata = tuple(visit.stratum() for visit in visits)
    return Scrape(fleet, started, strata, network.traffic, not all(visit.finished for visit in visits))


def knock(fleet: Fleet, network: Network, complain: Complain) -> tuple[Stratum, ...]:
    """Try each server once: its list, and one manifest. What is found is told, nothing is scraped."""
    visits = [_Visit(fleet, server, network, complain) for server in fleet.servers]
    side_by_side([visit.knock for visit in visits], len(visits))
    network.close()
    return tuple(visit.stratum() for visit in visits)


def _finish(visit: _Visit, done: Callable[[str], None]) -> None:
    visit.run()
    done(visit.server.name)


def side_by_side(jobs: Sequence[Callable[[], None]], width: int) -> None:
    """Do all jobs, at most so many at once; returns when the last has ended."""
    waiting = deque(jobs)

    def work() -> None:
        while True:
            try:
                job = waiting.popleft()
            except IndexError:
                return
            job()

    threads = [threading.Thread(target=work, daemon=True) for _ in range(min(width, len(jobs)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


# --- one server -------------------------------------------------------------------------------------


_SILENT = (Result.CONNECTION_FAILED, Result.DNS_ERROR, Result.TIMEOUT, Result.TLS_ERROR)


class _Visit:
    """The scrape of one server while it goes on; `stratum()` is what is known at any moment."""

    def __init__(
        self, fleet: Fleet, server: Server, network: Network, complain: Complain, seen: Iterable[Entry] = ()
    ) -> None:
        self.server = server
        self.finished = False
        self._fleet = fleet
        self._fetch = network.fetch(server)
        self._deadline = network.deadline
        self._complain = complain
        self._lock = threading.Lock()
        self._replicas: dict[int, Replica] = {}
        self._listing: Reading[Listing] = Reading()
        self._meta: Reading[Meta] = Reading()
        self._geoapi = GeoAPIStatus.NOT_YET_TESTED
        self._geoapi_why = ""
        self._response_time: timedelta | None = None
        self._s3 = server.backend is Backend.S3
        self._gone = False
        self._silences = 0
        self._last_silence: FetchError | None = None
        self._seen = tuple(seen)
        self._know(self._expected(Listed.UNKNOWN))

    def run(self) -> None:
        """Everything there is to ask of this server, in the order of its worth."""
        try:
            self._stages()
        except Exception as error:  # noqa: BLE001  # our fault: it costs this server, not the run
            self._complain(f"E! {self.server.name}: {_ours(error)}")
        listed = self.server.backend is Backend.S3 or self._listing.result is not Result.DEADLINE
        self.finished = listed and all(map(complete, self._replicas.values()))

    def knock(self) -> None:
        """The list, and a manifest until one is there: enough to say whether a scrape would work."""
        if self.server.backend is not Backend.S3:
            self._read_list()
        for key in list(self._replicas)[:1]:
            self._read_manifest(key)

    def stratum(self) -> Stratum:
        """This server as far as it is known."""
        with self._lock:
            replicas = tuple(self._replicas.values())
        return Stratum(
            server=self.server,
            listing=self._listing,
            meta=self._meta,
            backend=self._backend(replicas),
            geoapi_status=self._geoapi,
            geoapi_why=self._geoapi_why,
            response_time=self._response_time,
            replicas=tuple(_unlisted_if_gone(replica) for replica in replicas),
        )

    def _stages(self) -> None:
        if self.server.backend is not Backend.S3:
            self._read_list()
        self._each(self._read_manifest, self._replicas)
        self._gone = not any(reading.result not in _SILENT for reading in self._first_readings())
        if self._backend(tuple(self._replicas.values())) is Backend.S3:
            self._s3 = True
            self._know([_absent_if_forbidden(replica) for replica in self._replicas.values()])
        jobs: list[Callable[[], None]] = [self._test_geoapi]
        for key, replica in self._replicas.items():
            jobs += [partial(self._read_detail, key, field) for field in details(replica)]
        jobs.append(self._read_meta)
        side_by_side(jobs, self._fleet.connections_per_server)

    def _first_readings(self) -> list[Reading[Any]]:
        listing = [] if self.server.backend is Backend.S3 else [self._listing]
        return [*listing, *(replica.manifest for replica in self._replicas.values())]

    def _each(self, job: Callable[[int], None], keys: Iterable[int]) -> None:
        side_by_side([partial(job, key) for key in keys], self._fleet.connections_per_server)

    # What is there

    def _read_list(self) -> None:
        began = time.monotonic()
        self._listing = self._read_document(self.server.url + LISTING.name, LISTING)
        if self._listing.http_status is not None:
            self._response_time = timedelta(seconds=time.monotonic() - began)
        listing = self._listing.value
        if listing is None:
            return
        for rejected in listing.rejected:
            self._complain(f"W! {self.server.name}: repositories.json: {rejected}")
        replicas = listed_replicas(self._fleet, self.server, listing)
        names = {replica.repo for replica in replicas}
        self._deadline.reserve(len(replicas) * SECONDS_PER_REPLICA)
        more = (replica for replica in self._expected(Listed.UNLISTED) if replica.repo not in names)
        self._know([*replicas, *more])

    def _expected(self, listed: Listed) -> list[Replica]:
        """What to ask for without a list: what was seen here before, and what the fleet file names."""
        seen = remembered_replicas(self._fleet, self.server, self._seen, listed)
        names = {replica.repo for replica in seen}
        named = named_replicas(self._fleet, self.server, listed)
        return seen + [replica for replica in named if replica.repo not in names]

    def _know(self, replicas: Iterable[Replica]) -> None:
        with self._lock:
            self._replicas = dict(enumerate(replicas))

    def _learn(self, key: int, **readings: Reading[Any]) -> None:
        with self._lock:
            # mypy cannot see that the names are those of readings: they come from `DETAILS`
            self._replicas[key] = replace(self._replicas[key], **readings)  # type: ignore[arg-type]

    # Documents

    def _read_manifest(self, key: int) -> None:
        replica = self._replicas[key]
        parse = partial(manifest_of, replica.repo)
        self._learn(key, manifest=self._read(replica.url, LARGEST_MANIFEST, parse))

    def _read_detail(self, key: int, field: str) -> None:
        replica = self._replicas[key]
        reading = self._read_document(beside(replica, DETAILS[field]), DETAILS[field])
        if field == "status" and not replica.source:
            reading = self._with_marker(replica, reading)
        self._learn(key, **{field: reading})

    def _with_marker(self, replica: Replica, status: Reading[Status]) -> Reading[Status]:
        """Servers before 2.7, and those without jq, say only in a marker file when they last snapshot."""
        if not status.answered or (status.value is not None and status.value.last_snapshot is not None):
            return status
        marker: Reading[Status] = self._read_document(beside(replica, LAST_SNAPSHOT), LAST_SNAPSHOT)
        if marker.value is not None:
            return replace(marker, value=replace(status.value or Status(), last_snapshot=marker.value.last_snapshot))
        if marker.answered:
            return status
        if status.value is None:
            return marker
        return replace(status, value=replace(status.value, unreadable=(*status.value.unreadable, "last_snapshot")))

    def _read_meta(self) -> None:
        if self.server.backend is not Backend.S3:
            self._meta = self._read_document(self.server.url + META.name, META)

    def _read_document(self, url: str, document: Document) -> Reading[Any]:
        return self._read(url, document.limit, document.parse)

    def _read(self, url: str, limit: int, parse: Callable[[bytes], T]) -> Reading[T]:
        """One document; whatever goes wrong is part of the answer."""
        silent = self._gone or self._silences > self._fleet.connections_per_server
        if silent and self._last_silence is not None:  # a server that is gone is not asked for ever
            return Reading(self._last_silence.result, why=str(self._last_silence))
        try:
            return self._answered(self._fetch(url, limit), parse)
        except FetchError as error:
            self._note(error)
            return Reading(error.result, http_status=error.http_status, why=str(error))
        except Exception as error:  # noqa: BLE001  # our fault: it costs this document, not the run
            self._complain(f"E! {url}: {_ours(error)}")
            return Reading(Result.INVALID, why=_ours(error), ours=True)

    def _answered(self, answer: Answer, parse: Callable[[bytes], T]) -> Reading[T]:
        self._silences = 0
        status, age = answer.status, answer.age
        if status in NOT_SERVED or (status == FORBIDDEN and self._s3):
            return Reading(Result.NOT_FOUND, http_status=status, why=f"not served (HTTP {status})")
        if status != HTTP_OK:
            return Reading(Result.HTTP_ERROR, http_status=status, why=f"HTTP status {status}")
        try:
            return Reading(Result.OK, parse(answer.body), status, "", age)
        except NameMismatchError as error:
            return Reading(Result.NAME_MISMATCH, None, status, str(error), age)
        except ParseError as error:
            return Reading(Result.INVALID, None, status, str(error), age)

    def _note(self, error: FetchError) -> None:
        """Count the failures in a row that came without any answer."""
        if error.result in _SILENT and error.http_status is None:
            self._silences += 1
            self._last_silence = error
        else:
            self._silences = 0

    # GeoAPI

    def _test_geoapi(self) -> None:
        """Ask the server's GeoAPI once, through the first repository that it has."""
        replicas = list(self._replicas.values())
        if not self._fleet.geoapi.enabled:
            return
        if self.server.role is Role.STRATUM0 or self._backend(tuple(replicas)) is Backend.S3:
            self._geoapi = GeoAPIStatus.NOT_FOUND
            return
        known = [replica for replica in replicas if replica.listed is not Listed.UNLISTED or replica.up]
        first = next((replica for replica in known if replica.up), next(iter(known), None))
        if first is None:
            asked = self._listing.result is Result.OK
            self._geoapi = GeoAPIStatus.NOT_FOUND if asked else GeoAPIStatus.NOT_YET_TESTED
        elif first.up or self._listing.result is Result.OK:
            self._ask_geoapi(first)

    def _ask_geoapi(self, replica: Replica) -> None:
        origin, hosts = geoapi.question(self._fleet.geoapi)
        path = geoapi.geo_path(replica.url.removesuffix("/.cvmfspublished"), origin, hosts)
        reading = self._read(path, LARGEST_ORDER, lambda body: geoapi.parse_order(body, len(hosts)))
        if reading.value is not None:
            right = geoapi.judge_order(reading.value, self._fleet.geoapi)
            self._geoapi = GeoAPIStatus.OK if right else GeoAPIStatus.LOCATION_ERROR
            self._geoapi_why = f"asked from {origin} for {','.join(hosts)} it answers {_listing_of(reading.value)}"
        elif reading.result is not Result.DEADLINE:
            self._geoapi = GeoAPIStatus.NO_RESPONSE
            self._geoapi_why = reading.why

    # Small questions

    def _backend(self, replicas: tuple[Replica, ...]) -> Backend | None:
        if self.server.backend is not Backend.AUTO:
            return self.server.backend
        if self._listing.result is Result.OK:
            return Backend.CVMFS
        hidden = self._listing.http_status in (*NOT_SERVED, FORBIDDEN)
        return Backend.S3 if hidden and any(replica.up for replica in replicas) else None


def _absent_if_forbidden(replica: Replica) -> Replica:
    """On S3 a 403 means that there is no such object; known only once the server is known to be S3."""
    if replica.manifest.http_status != FORBIDDEN:
        return replica
    return replace(replica, manifest=replace(replica.manifest, result=Result.NOT_FOUND))


def _unlisted_if_gone(replica: Replica) -> Replica:
    if replica.listed is not Listed.UNLISTED or replica.manifest.result is not Result.NOT_FOUND:
        return replica
    why = "the server neither lists nor serves it"
    return replace(replica, manifest=replace(replica.manifest, result=Result.UNLISTED, why=why))


def _listing_of(order: tuple[int, ...]) -> str:
    return ",".join(map(str, order))


def _ours(error: Exception) -> str:
    """An error of this program itself, as a sentence."""
    return f"internal error, please report it: {type(error).__name__}: {error}"
