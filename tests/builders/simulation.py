"""A world with a clock of its own: it publishes, signs anew, replicates, collects garbage, and fails as told.

The world does what CernVM-FS servers do and keeps its own history. A `Monitor` looks at it run by run, with
the program's own memory. What it should say is worked out elsewhere, from the history.
"""

from __future__ import annotations

import heapq
import itertools
import json
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from telegraf_cvmfs.assess.verdicts import assess
from telegraf_cvmfs.fleet.targets import remembered_replicas
from telegraf_cvmfs.memory import file as memory_file
from telegraf_cvmfs.memory.value import Memory, remember
from telegraf_cvmfs.model import (
    Backend,
    Entry,
    Fleet,
    GeoAPI,
    Listed,
    Listing,
    Manifest,
    Reading,
    Replica,
    Result,
    Role,
    RootCatalog,
    Run,
    Scrape,
    Server,
    Snapshotting,
    Status,
    Stratum,
    Whitelist,
)
from telegraf_cvmfs.scraping import visits
from tests.builders.published import LIST, listing, manifest, whitelist
from tests.builders.strata import FakeNetwork, Served, down

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
SECOND = timedelta(seconds=1)
START = datetime(2026, 11, 1, tzinfo=UTC)
ORIGINAL = "s0"
T = TypeVar("T")
ROOT_PATH = "d41d8cd98f00b204e9800998ecf8427e"


@dataclass(frozen=True)
class Edition:
    """What a manifest says. `published` is T, which moves when it is signed anew; `first` does not."""

    revision: int
    root: str
    published: datetime
    first: datetime
    certificate: str = "c" * 40


@dataclass
class Copy:
    """One repository on one server, the original's too."""

    edition: Edition
    expires: datetime
    last_snapshot: datetime | None = None
    last_gc: datetime | None = None
    running_since: datetime | None = None


@dataclass(frozen=True)
class Fault:
    """What goes wrong where from when to when.

    "down": nothing answers and nothing runs. "stops": no snapshot is begun. "stale": snapshots succeed, from a source
    that stands still. "no gc": no garbage is collected.
    """

    what: str
    server: str
    since: datetime
    until: datetime


@dataclass
class World:
    """Stratum 0 `s0` and its replicas; `publish_every` has the repositories, with None for a dormant one."""

    publish_every: Mapping[str, timedelta | None]
    replicas: tuple[str, ...] = ("a", "b", "c")
    faults: tuple[Fault, ...] = ()
    seed: int = 0
    now: datetime = START
    history: dict[str, list[Edition]] = field(default_factory=dict)
    snapshots: list[tuple[str, str, datetime]] = field(default_factory=list)
    copies: dict[str, dict[str, Copy]] = field(default_factory=dict)
    signed_anew: int = 0

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311  # the same world each time
        self._queue: list[tuple[datetime, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._busy: set[str] = set()
        self._frozen: dict[str, dict[str, Copy]] = {}
        for server in (ORIGINAL, *self.replicas):
            self.copies[server] = {repo: self._first(repo, server) for repo in self.publish_every}
        for repo, every in self.publish_every.items():
            self.history[repo] = [self.copies[ORIGINAL][repo].edition]
            if every is not None:
                self.at(START + self._about(every), lambda repo=repo: self._publish(repo))  # type: ignore[misc]
            self.at(START + 2 * DAY, lambda repo=repo: self._sign_anew(repo, 5 * DAY))  # type: ignore[misc]
        for number, server in enumerate(self.replicas):
            self.at(START + number * 4 * MINUTE, lambda server=server: self._round(server))  # type: ignore[misc]
        for server in self.copies:
            self.at(START + DAY, lambda server=server: self._collect(server))  # type: ignore[misc]
        for fault in self.faults:
            if fault.what == "stale":
                self.at(fault.since, lambda fault=fault: self._freeze(fault.server))  # type: ignore[misc]

    def at(self, moment: datetime, action: Callable[[], None]) -> None:
        """Do something when its time comes."""
        heapq.heappush(self._queue, (moment, next(self._order), action))

    def advance(self, to: datetime) -> None:
        """Let time pass."""
        while self._queue and self._queue[0][0] <= to:
            self.now, _, action = heapq.heappop(self._queue)
            action()
        self.now = to

    def fails(self, what: str, server: str) -> bool:
        """Does it now?"""
        return any(f.what == what and f.server == server and f.since <= self.now < f.until for f in self.faults)

    def renew(self, repo: str, lifetime: timedelta = 30 * DAY) -> None:
        """Sign the whitelist for another month."""
        self.copies[ORIGINAL][repo].expires = self.now + lifetime

    # What happens by itself

    def _first(self, repo: str, server: str) -> Copy:
        past = START - 30 * DAY
        snapshot = None if server == ORIGINAL else START - 5 * MINUTE
        return Copy(Edition(100, _root(repo, 100), past, past), START + 60 * DAY, snapshot, START)

    def _about(self, span: timedelta) -> timedelta:
        return timedelta(seconds=round(span.total_seconds() * self._random.uniform(0.7, 1.3)))

    def _publish(self, repo: str) -> None:
        if self.fails("down", ORIGINAL):
            self.at(self.now + 20 * MINUTE, lambda: self._publish(repo))
            return
        copy, every = self.copies[ORIGINAL][repo], self.publish_every[repo]
        revision = copy.edition.revision + 1
        copy.edition = Edition(revision, _root(repo, revision), self.now, self.now)
        self.history[repo].append(copy.edition)
        if self._random.random() < 0.05:
            self.at(self.now + 25 * MINUTE, lambda: self._sign_anew(repo))
        self.at(self.now + self._about(every or DAY), lambda: self._publish(repo))

    def _sign_anew(self, repo: str, again: timedelta | None = None) -> None:
        """New X and T, same S and C. Not within the first minutes of a revision, when nobody may know its own T."""
        copy = self.copies[ORIGINAL][repo]
        if not self.fails("down", ORIGINAL) and self.now - copy.edition.first >= 25 * MINUTE:
            copy.edition = replace(
                copy.edition, published=self.now, certificate=f"{self._random.getrandbits(160):040x}"
            )
            self.signed_anew += 1
        if again is not None:
            self.at(self.now + again, lambda: self._sign_anew(repo, again))

    def _freeze(self, server: str) -> None:
        self._frozen[server] = {repo: replace(copy) for repo, copy in self.copies[ORIGINAL].items()}

    def _collect(self, server: str) -> None:
        if not self.fails("down", server) and not self.fails("no gc", server):
            for copy in self.copies[server].values():
                copy.last_gc = self.now
        self.at(self.now + DAY, lambda: self._collect(server))

    # Snapshots: all repositories of a server one after the other, every 15 minutes

    def _round(self, server: str) -> None:
        self.at(self.now + 15 * MINUTE, lambda: self._round(server))
        if server not in self._busy and not self.fails("down", server) and not self.fails("stops", server):
            self._busy.add(server)
            self._snapshot(server, tuple(self.publish_every))

    def _snapshot(self, server: str, repos: tuple[str, ...]) -> None:
        if not repos or self.fails("down", server) or self.fails("down", ORIGINAL):
            self._busy.discard(server)
            return
        sources = self._frozen[server] if self.fails("stale", server) else self.copies[ORIGINAL]
        source, copy = replace(sources[repos[0]]), self.copies[server][repos[0]]
        copy.running_since = self.now
        quick = source.edition.revision == copy.edition.revision
        took = timedelta(seconds=self._random.randint(2, 20) if quick else self._random.randint(60, 600))
        self.at(self.now + took, lambda: self._snapshot_ended(server, repos, source))

    def _snapshot_ended(self, server: str, repos: tuple[str, ...], source: Copy) -> None:
        copy = self.copies[server][repos[0]]
        if self.fails("down", server):  # killed, its marker stays
            self._busy.discard(server)
            return
        copy.edition, copy.expires = source.edition, source.expires
        copy.last_snapshot, copy.running_since = self.now, None
        self.snapshots.append((server, repos[0], self.now))
        self._snapshot(server, repos[1:])


def _root(repo: str, revision: int) -> str:
    return f"{sum(repo.encode()):08x}{revision:032x}"


# --- what the world serves --------------------------------------------------------------------------


def fleet_of(world: World, names: Mapping[str, str] | None = None) -> Fleet:
    """The world's servers, each under its own name unless it is given another."""
    servers = (
        Server(f"http://{one}.tld", (names or {}).get(one, one), Role.STRATUM0 if one == ORIGINAL else Role.STRATUM1)
        for one in world.copies
    )
    return Fleet(tuple(servers), geoapi=GeoAPI(enabled=False))


def origin_of(server: Server) -> str:
    """Its name in the world, whatever the fleet calls it."""
    return server.url.removeprefix("http://").removesuffix(".tld")


def strata(world: World, fleet: Fleet, memory: Memory) -> tuple[Stratum, ...]:
    """All servers as a scrape would find them."""
    return tuple(_stratum(world, fleet, server, memory) for server in fleet.servers)


def _stratum(world: World, fleet: Fleet, server: Server, memory: Memory) -> Stratum:
    name = origin_of(server)
    if world.fails("down", name):
        refused: Reading[Listing] = Reading(Result.CONNECTION_FAILED, why="Connection refused")
        gone: Reading[Manifest] = Reading(Result.CONNECTION_FAILED, why="Connection refused")
        seen = remembered_replicas(fleet, server, memory.entries(server.name, world.now), Listed.UNKNOWN)
        return Stratum(server, refused, replicas=tuple(replace(one, manifest=gone) for one in seen))
    entries = tuple(Entry(repo, f"/cvmfs/{repo}", name != ORIGINAL) for repo in world.publish_every)
    found = (_replica(server, repo, copy) for repo, copy in world.copies[name].items())
    return Stratum(server, _read(Listing(entries)), backend=Backend.CVMFS, replicas=tuple(found))


def _replica(server: Server, repo: str, copy: Copy) -> Replica:
    edition = copy.edition
    manifest = Manifest(
        root_catalog=edition.root,
        root_path_hash=ROOT_PATH,
        ttl=4 * MINUTE,
        revision=edition.revision,
        repository=repo,
        published=edition.published,
        certificate=edition.certificate,
    )
    running = copy.running_since
    return Replica(
        server,
        repo,
        f"{server.url}/cvmfs/{repo}/.cvmfspublished",
        Listed.SOURCE if copy.last_snapshot is None else Listed.REPLICA,
        manifest=_read(manifest),
        status=_read(Status(last_snapshot=copy.last_snapshot, last_gc=copy.last_gc)),
        snapshotting=Reading(Result.NOT_FOUND) if running is None else _read(Snapshotting(running)),
        whitelist=_read(Whitelist(copy.expires, repo)),
        root_catalog=_read(RootCatalog(4096)),
    )


def _read(value: T) -> Reading[T]:
    return Reading(Result.OK, value, 200, "")


def served(world: World) -> dict[str, Served]:
    """The same as bytes, by URL."""
    return {f"http://{server}.tld{path}": body for server in world.copies for path, body in _files(world, server)}


def _files(world: World, server: str) -> Iterator[tuple[str, Served]]:
    broken = down(server) if world.fails("down", server) else None
    names = tuple(world.publish_every)
    yield LIST, broken or (listing(repositories=names) if server == ORIGINAL else listing(*names))
    for repo, copy in world.copies[server].items():
        for name, body in _documents(repo, copy):
            yield f"/cvmfs/{repo}/{name}", broken or body


def _documents(repo: str, copy: Copy) -> Iterator[tuple[str, bytes]]:
    one = copy.edition
    yield ".cvmfspublished", manifest(repo, one.revision, one.published, root=one.root, certificate=one.certificate)
    yield ".cvmfswhitelist", whitelist(repo, copy.expires)
    dates = {"last_snapshot": copy.last_snapshot, "last_gc": copy.last_gc}
    yield ".cvmfs_status.json", json.dumps({key: f"{date:{_DATE}}" for key, date in dates.items() if date}).encode()
    if copy.running_since is not None:
        yield ".cvmfs_is_snapshotting", f"{copy.running_since:{_DATE}}".encode()


_DATE = "%a %b %e %H:%M:%S UTC %Y"


# --- who looks at it --------------------------------------------------------------------------------


@dataclass
class Monitor:
    """The program, run by run: what it keeps between them goes through its file every so often."""

    file: Path
    through_file_every: int = 50
    memory: Memory = field(default_factory=Memory)
    runs: int = 0

    def look(self, world: World, fleet: Fleet) -> Run:
        """One run, with documents as they would have been read."""
        return self.judge(Scrape(fleet, world.now, strata(world, fleet, self.memory)))

    def scrape(self, world: World, fleet: Fleet) -> Run:
        """One run, document by document."""
        said: list[str] = []
        network = FakeNetwork(served(world))
        seen = visits.scrape(fleet, world.now, network, said.append, memory=self.memory)  # type: ignore[arg-type]
        assert not said, said
        return self.judge(seen)

    def judge(self, seen: Scrape) -> Run:
        """What was made of it, and remembered."""
        run = assess(seen, SECOND, self.memory)
        self.memory = remember(self.memory, run)
        self.runs += 1
        if self.runs % self.through_file_every == 0:
            memory_file.write(self.file, self.memory)
            self.memory = memory_file.read(self.file)
        return run
