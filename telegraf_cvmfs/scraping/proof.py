"""The proof of root catalogs: their bytes are read and hashed, as far as that is due and may be asked of a server."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from telegraf_cvmfs.model import Fleet, Manifest, Reading, Replica, RootCatalog
from telegraf_cvmfs.scraping.asking.job import Job
from telegraf_cvmfs.scraping.documents import root_catalog_url
from telegraf_cvmfs.scraping.reader import Reader
from telegraf_cvmfs.wire.catalog import CatalogReader
from telegraf_cvmfs.wire.letter import UnsupportedHashError

Learn = Callable[[int, Reading[RootCatalog]], None]
"""Notes what was learnt of the replica with this number."""


class Quota:
    """How many bytes of root catalogs a run may still read."""

    def __init__(self, count: int) -> None:
        self._left = count

    def take(self, wanted: int, most: int) -> int:
        """So many bytes may be read: what is wanted, or 0 if that is more than `most` or than is left."""
        granted = wanted if wanted <= min(most, self._left) else 0
        self._left -= granted
        return granted

    def give_back(self, unused: int) -> None:
        """What was granted and not needed."""
        self._left += unused


@dataclass(frozen=True)
class Proofs:
    """Proves the root catalogs of one server in one run."""

    fleet: Fleet
    now: datetime
    quota: Quota
    reader: Reader

    def is_due(self, replica: Replica, proved: datetime | None) -> bool:
        """Is it time to read bytes again? Also if they were read at a time that has not come: a clock was wrong.

        Each replica has a time of its own between half of `verify_every` and all of it, so that what was first seen in
        one run does not fall due in one run for ever.
        """
        every = self.fleet.verify_every
        return every is None or proved is None or not timedelta(0) <= self.now - proved < every * _share(replica)

    def prove(self, replicas: Mapping[int, Replica], learn: Learn) -> Iterator[Job[None]]:
        """Jobs that read the bytes of root catalogs and hash them, as far as that is due and the run's quota permits.

        Another is first in each minute, so that all have their turn; and no more are begun once one did not come, for a
        server that is slow must not hold up the others.
        """
        keys, silent = list(replicas), set[int]()
        turn = int(self.now.timestamp()) // 60 % max(len(keys), 1)
        for key in keys[turn:] + keys[:turn]:
            catalog = replicas[key].root_catalog.value
            if self.fleet.verify_every is None or catalog is None or catalog.length == 0:
                continue
            if self.is_due(replicas[key], catalog.proved):
                yield self._prove(key, replicas[key], learn, silent)

    def _prove(self, key: int, replica: Replica, learn: Learn, silent: set[int]) -> Job[None]:
        """`silent` are those for which no answer came; after that there is no other."""
        url, manifest, catalog = root_catalog_url(replica), replica.manifest.value, replica.root_catalog.value
        if url is None or manifest is None or catalog is None or silent:
            return
        intact = yield from self._read(url, manifest, catalog.length)
        if intact is False:  # one bad answer is no proof
            intact = yield from self._read(url, manifest, catalog.length)
        if intact is not None:
            proof = replace(catalog, intact=intact, proved=self.now if intact else None)
            learn(key, replace(replica.root_catalog, value=proof))
        elif not self.reader.heard:
            silent.add(key)

    def _read(self, url: str, manifest: Manifest, length: int | None) -> Job[bool | None]:
        """Are the bytes what they should be? None if they did not come, not all of them, are too many, or strange."""
        each = self.fleet.verify_each
        granted = self.quota.take(each if length is None else length, each)
        if not granted:
            return None
        try:
            catalog = CatalogReader(manifest.root_catalog, manifest.root_size)
        except UnsupportedHashError:
            return None
        reading = yield from self.reader.read(url, granted, bytes, catalog.update)
        if reading.value is None:
            return None
        self.quota.give_back(granted - catalog.length)
        short = length is not None and catalog.length != length
        return None if short else catalog.is_intact()


def _share(replica: Replica) -> float:
    """From a half to one, and always the same for a replica."""
    return 0.5 + zlib.crc32(f"{replica.server.label} {replica.repo}".encode()) / (1 << 33)
