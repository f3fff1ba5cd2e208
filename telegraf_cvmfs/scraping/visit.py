"""The visit of one server: its list, then all manifests, then the rest, until out of time.

Manifests come first so that a slow server costs detail and not replicas, and beside the list those of repositories
that an earlier run saw there. What is known is kept at every
moment, so a visit that is cut short still has a value for each replica.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

from telegraf_cvmfs.fleet.targets import listed_replicas, named_replicas, remembered_replicas
from telegraf_cvmfs.model import (
    Backend,
    Fleet,
    Listed,
    Listing,
    Manifest,
    Meta,
    Reading,
    Replica,
    Result,
    RootCatalog,
    Server,
    Stratum,
)
from telegraf_cvmfs.net.answer import NOT_SERVED
from telegraf_cvmfs.scraping.asking.job import Job, Pause, Stages
from telegraf_cvmfs.scraping.context import Context
from telegraf_cvmfs.scraping.documents import (
    DETAILS,
    LARGEST_CERTIFICATE,
    LARGEST_MANIFEST,
    LISTING,
    META,
    Document,
    beside,
    certificate_url,
    complete,
    details,
    own_manifest,
    root_catalog_url,
    told,
)
from telegraf_cvmfs.scraping.geoapi import Tested, probe_geoapi
from telegraf_cvmfs.scraping.marker import with_marker
from telegraf_cvmfs.scraping.partial import may_be_partial, partial_of
from telegraf_cvmfs.scraping.places import absent, absent_if_forbidden, look_elsewhere
from telegraf_cvmfs.scraping.progress import Progress
from telegraf_cvmfs.scraping.proof import Proofs
from telegraf_cvmfs.scraping.reader import FORBIDDEN, SILENT, Reader, in_doubt, internal
from telegraf_cvmfs.scraping.replicas import Replicas
from telegraf_cvmfs.words.log import Log


class Visit:
    """The scrape of one server while it goes on, without I/O; `stratum()` is what is known at any moment.

    What it asks are jobs: whoever drives them makes the requests and gives back what became of them.
    """

    def __init__(self, fleet: Fleet, server: Server, log: Log, context: Context) -> None:
        self.server = server
        self._fleet = fleet
        patience = fleet.connections_per_server
        self._reader = Reader(server, log, patience, s3=server.backend is Backend.S3)
        self._proxy = Reader(server, log, patience, s3=False, through_proxy=True) if server.via else None
        self._log = log
        self._replicas = Replicas()
        self.progress = Progress(server.label, context.moved)
        self._asked: set[int] = set()
        """Those whose manifest has been asked for."""
        self._listing: Reading[Listing] = Reading()
        self._meta: Reading[Meta] = Reading()
        self._geoapi = Tested()
        self._response_time: timedelta | None = None
        self._context = context
        self._proofs = Proofs(fleet, context.now, context.quota, self._reader)
        self._replicas.know(self._expected(Listed.UNKNOWN))
        self.progress.knows(len(self._replicas))

    @property
    def finished(self) -> bool:
        """Has everything been read that a verdict needs? Proving root catalogs can wait for the next run."""
        listed = self.server.backend is Backend.S3 or self._listing.result is not Result.DEADLINE
        return listed and all(map(complete, self._replicas.values()))

    def failed(self, error: Exception) -> None:
        """An error of this program, in one of the jobs: it costs this server, not the run."""
        why = internal(error)
        self._log(f"E! {why}")  # one cause, which many servers may meet
        self._log(f"I! {self.server.label}: {why}")

    def revisions(self, *, source: bool) -> Iterator[tuple[str, int]]:
        """The repositories read here, originals or replicas, with their revisions."""
        for replica in self._replicas.values():
            if replica.source is source and replica.manifest.value is not None and not replica.pass_through:
                yield replica.repo, replica.manifest.value.revision

    def reading_overtaken(self, newest: Mapping[str, int]) -> Stages:
        """Read those originals again that are older than a replica elsewhere."""
        overtaken = {repo for repo, revision in self.revisions(source=True) if revision < newest.get(repo, 0)}
        replicas = self._replicas.items()
        yield [self._read_again(key) for key, one in replicas if one.source and one.repo in overtaken]

    def probing(self) -> Stages:
        """The list, a manifest, and what signs it: enough to say whether a scrape would work."""
        yield [self._probe()]
        if self._in_doubt() and not self._anything_up():
            yield Pause()
            self._reader.ask_once_more()
            yield [self._probe()]

    def _probe(self) -> Job[None]:
        if self.server.backend is not Backend.S3:
            yield from self._read_list()
        for key in list(self._replicas):
            yield from self._read_manifest(key)
            if self._elsewhere(key):
                yield from self._look_elsewhere(key)
            if self._replicas[key].up:
                yield from self._read_detail(key, "whitelist")
                yield from self._read_certificate(key)
            if self._replicas[key].up or not self._hidden():
                return

    def proving(self) -> Stages:
        """Read the bytes of root catalogs and hash them, as far as that is due and the run's quota permits."""
        yield self._proofs.prove(self._replicas, lambda key, reading: self._replicas.learn(key, root_catalog=reading))

    def stratum(self) -> Stratum:
        """This server as far as it is known."""
        replicas = tuple(self._replicas.values())
        return Stratum(
            server=self.server,
            listing=self._listing,
            meta=self._meta,
            backend=self._backend(replicas),
            geoapi_status=self._geoapi.status,
            geoapi_why=self._geoapi.why,
            geoapi_cause=self._geoapi.cause,
            followed=self._reader.followed,
            response_time=self._response_time,
            replicas=self._replicas.found(),
        )

    def scraping(self) -> Stages:
        """Everything there is to ask of this server, in the order of its worth."""
        early: set[int | None] = set()
        listing = () if self.server.backend is Backend.S3 else (self._read_list(),)
        yield itertools.chain(listing, self._manifests(), self._manifests(), self._early_details(early))
        yield itertools.chain(self._manifests(), self._early_details(early))
        yield from self._asking_once_more()
        yield (self._look_elsewhere(key) for key in list(self._replicas) if self._elsewhere(key))
        self._reader.gone = not any(reading.result not in SILENT for reading in self._first_readings())
        if self._backend(tuple(self._replicas.values())) is Backend.S3:
            self._reader.s3 = True
            self._replicas.update({key: absent_if_forbidden(replica) for key, replica in self._replicas.items()})
        yield self._details(early)
        if self._geoapi.in_doubt:
            yield Pause()
            yield [self._test_geoapi()]
        yield (self._read_again_if_inconsistent(key) for key in self._replicas)

    def _asking_once_more(self) -> Stages:
        """What failed and may have been chance: one failure is no proof.

        Where nothing was good, one question stands for all: a server that is ill is not asked everything twice.
        """
        if not self._in_doubt():
            return
        yield Pause()
        self._reader.ask_once_more()
        if in_doubt(self._listing):
            yield [self._read_list()]
            if in_doubt(self._listing) and not self._anything_up():
                return
            yield self._manifests()
        keys = [key for key, replica in self._replicas.items() if in_doubt(replica.manifest)]
        if keys and not self._anything_up():
            yield [self._read_manifest(keys[0])]
            if in_doubt(self._replicas[keys[0]].manifest):
                return
            del keys[0]
        yield (self._read_manifest(key) for key in keys)

    def _manifests(self) -> Iterator[Job[None]]:
        """Those that have not been asked for: what an earlier run saw here need not wait for the list."""
        for key in list(self._replicas):
            if key not in self._asked:
                yield self._read_manifest(key)

    def _early_details(self, early: set[int | None]) -> Iterator[Job[None]]:
        """While the last manifests are under way: what there is to ask of replicas that have theirs, noted in `early`.

        None stands there for what is asked of the server itself. Nothing of it where there is no list: then only all
        manifests together tell what kind of server it is.
        """
        if self._listing.result is not Result.OK:
            return
        for key, replica in self._replicas.items():
            if replica.up and key not in early:
                yield from () if None in early else self._details_of_server()
                early |= {key, None}
                yield from self._details_of(key)

    def _details(self, early: Collection[int | None]) -> Iterator[Job[None]]:
        """What is asked once the manifests are known, but for what has been asked."""
        for key in self._replicas:
            if key not in early:
                yield from self._details_of(key)
        yield from () if None in early else self._details_of_server()

    def _details_of_server(self) -> Iterator[Job[None]]:
        yield self._test_geoapi()
        yield self._read_meta()

    def _details_of(self, key: int) -> Iterator[Job[None]]:
        for name in details(self._replicas[key]):
            yield self._read_detail(key, name)
        yield self._read_certificate(key)
        yield self._look_at_root_catalog(key)
        yield self._read_through_proxy(key)
        yield self._ask_if_partial(key)
        self.progress.reads()

    def _first_readings(self) -> list[Reading[Any]]:
        listing = [] if self.server.backend is Backend.S3 else [self._listing]
        return [*listing, *(replica.manifest for replica in self._replicas.values())]

    # What is there

    def _read_list(self) -> Job[None]:
        self._listing = yield from self._read_document(self.server.url + LISTING.name, LISTING)
        if self._listing.http_status is not None:
            self._response_time = self._reader.took
        listing = self._listing.value
        if listing is None:
            return
        for said in told(listing):
            self._log(f"W! {self.server.label}: repositories.json: {said}")
        replicas = listed_replicas(self._fleet, self.server, listing)
        names = {replica.repo for replica in replicas}
        others = [replica for replica in self._expected(Listed.UNLISTED) if replica.repo not in names]
        renamed = listing.renamed(replica.remembered for replica in others if replica.remembered)
        self._replicas.know([*replicas, *(replica for replica in others if replica.remembered not in renamed)])
        self.progress.knows(len(self._replicas))

    def _expected(self, listed: Listed) -> list[Replica]:
        """What to ask for without a list: what was seen here before, and what the fleet file names."""
        seen_here = self._context.memory.entries(self.server.label, self._context.now)
        seen = remembered_replicas(self._fleet, self.server, seen_here, listed)
        names = {replica.repo for replica in seen}
        named = named_replicas(self._fleet, self.server, listed)
        return seen + [replica for replica in named if replica.repo not in names]

    # Documents

    def _read_manifest(self, key: int) -> Job[None]:
        self._asked.add(key)
        replica = self._replicas[key]
        reading = yield from self._reader.read(replica.url, LARGEST_MANIFEST, self._manifest_of(replica))
        self._learn_manifest(key, replica.url, reading)

    def _look_elsewhere(self, key: int) -> Job[None]:
        replica = self._replicas[key]
        found = yield from look_elsewhere(self._reader, replica, self._manifest_of(replica))
        self._learn_manifest(key, found.url, found.manifest)

    def _learn_manifest(self, key: int, url: str, reading: Reading[Manifest]) -> None:
        if key not in self._replicas:
            return  # the list that came meanwhile has it elsewhere, or not at all
        replica = replace(self._replicas[key], url=url, manifest=reading)
        if self._proxy is not None and replica.proxied is None and not replica.pass_through and reading.value:
            replica = replace(replica, proxied=Reading())
        self._replicas[key] = replica

    def _read_detail(self, key: int, name: str) -> Job[None]:
        replica = self._replicas[key]
        document = DETAILS[name]
        shared = name == "whitelist"
        parse = self._context.parsed.once(name, document.parse) if shared else document.parse
        reading = yield from self._reader.read(beside(replica, document), document.limit, parse)
        if name == "status" and not replica.source:
            reading = yield from with_marker(self._reader, replica, reading)
        self._replicas.learn(key, **{name: reading})

    def _ask_if_partial(self, key: int) -> Job[None]:
        replica, listing = self._replicas[key], self._listing.value
        if may_be_partial(replica, listing.cvmfs_version if listing else None):
            known = self._context.memory.partial(replica)
            known = yield from partial_of(self._reader, replica, known, self._context.now, self._log)
            self._replicas.learn(key, partial=known)

    def _read_certificate(self, key: int, *, anew: bool = False) -> Job[None]:
        """The object that signed the manifest, unless it was read here before: its name is its hash."""
        replica = self._replicas[key]
        url, manifest = certificate_url(replica), replica.manifest.value
        if url is None or manifest is None or manifest.certificate is None or replica.pass_through:
            return
        memory = self._context.memory
        known = None if anew else memory.certificate(replica, manifest.certificate)
        if known is None or self._proofs.is_due(replica, memory.proved(replica, manifest.root_catalog)):
            reading = yield from self._reader.read(url, LARGEST_CERTIFICATE, bytes)
            self._replicas.learn(key, certificate=reading)
        else:  # it is as good as the root catalog's bytes: when those are read again, so is this
            self._replicas.learn(key, certificate=Reading(Result.OK, known, why=""))

    def _look_at_root_catalog(self, key: int) -> Job[None]:
        """Is it there, and is it empty? What only its bytes can tell is remembered from when they were read."""
        replica = self._replicas[key]
        url, manifest = root_catalog_url(replica), replica.manifest.value
        if url is None or manifest is None or replica.pass_through:
            return
        proved = partial(self._context.memory.proved, replica, manifest.root_catalog)
        seen = yield from self._reader.look(url, lambda one: RootCatalog(one.length, proved=proved(one.length)))
        self._replicas.learn(key, root_catalog=seen)
        other_length = seen.value is not None and seen.value.proved is None
        if other_length and not self._proofs.is_due(replica, proved()):
            yield from self._read_certificate(key, anew=True)

    def _read_through_proxy(self, key: int) -> Job[None]:
        """The manifest as clients get it that sit behind the proxy."""
        replica = self._replicas[key]
        if self._proxy is not None and replica.up and not replica.pass_through:
            reading = yield from self._proxy.read(replica.url, LARGEST_MANIFEST, self._manifest_of(replica))
            self._replicas.learn(key, proxied=reading)

    def _read_again_if_inconsistent(self, key: int) -> Job[None]:
        """Whoever publishes while we read gives us documents that do not belong together: once is no proof."""
        if self._replicas[key].up and self._context.inconsistent(self._replicas[key]):
            yield from self._read_again(key)

    def _read_again(self, key: int) -> Job[None]:
        """Everything that belongs to a manifest, with the manifest; what was read first stays if that fails."""
        before = self._replicas[key]
        self._replicas.learn(key, certificate=Reading(), root_catalog=Reading())
        yield from self._read_manifest(key)
        if self._replicas[key].up:
            yield from self._read_detail(key, "whitelist")
            yield from self._read_certificate(key)
            yield from self._look_at_root_catalog(key)
        after = self._replicas[key]
        documents = (after.manifest, after.whitelist, after.root_catalog) if after.up else (after.manifest,)
        if not all(reading.answered or reading.broken for reading in documents):
            self._replicas[key] = before

    def _read_meta(self) -> Job[None]:
        if self.server.backend is not Backend.S3:
            self._meta = yield from self._read_document(self.server.url + META.name, META)
        for _, clause in self._meta.value.unreadable if self._meta.value else ():
            self._log(f"W! {self.server.label}: meta.json: {clause}")

    def _read_document(self, url: str, document: Document) -> Job[Reading[Any]]:
        return self._reader.read(url, document.limit, document.parse)

    def _manifest_of(self, replica: Replica) -> Callable[[bytes], Manifest]:
        return self._context.parsed.once(replica.repo, partial(own_manifest, replica.repo))

    def _test_geoapi(self) -> Job[None]:
        if self._fleet.geoapi.enabled and self.server.geoapi:
            listed = self._listing.result is Result.OK
            s3 = self._reader.s3
            self._geoapi = yield from probe_geoapi(
                self._reader,
                self._fleet.geoapi,
                self.server,
                () if s3 else self._replicas.values(),
                listed=listed or s3,
            )

    # Small questions

    def _backend(self, replicas: tuple[Replica, ...]) -> Backend | None:
        if self.server.backend is not Backend.AUTO:
            return self.server.backend
        if self._listing.result is Result.OK:
            return Backend.CVMFS
        return Backend.S3 if self._hidden() and any(replica.up for replica in replicas) else None

    def _anything_up(self) -> bool:
        return any(replica.up for replica in self._replicas.values())

    def _in_doubt(self) -> bool:
        return any(map(in_doubt, self._first_readings()))

    def _elsewhere(self, key: int) -> bool:
        """Is a repository not where it was thought to be, on a server that may have it elsewhere?"""
        s3 = self.server.backend is Backend.S3 or (self.server.backend is Backend.AUTO and self._hidden())
        return s3 and absent(self._replicas[key].manifest)

    def _hidden(self) -> bool:
        """Is there no list to be had, as on S3?"""
        return self._listing.http_status in (*NOT_SERVED, FORBIDDEN)
