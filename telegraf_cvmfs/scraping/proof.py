"""The proof of root catalogs: their bytes are read and hashed, as far as that is due and may be asked of a server."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from telegraf_cvmfs.model import Fleet, Reading, Replica, RootCatalog
from telegraf_cvmfs.scraping.documents import root_catalog_url
from telegraf_cvmfs.scraping.job import Job
from telegraf_cvmfs.scraping.quota import Quota
from telegraf_cvmfs.scraping.reader import Reader
from telegraf_cvmfs.wire.letter import object_hasher

Learn = Callable[[int, Reading[RootCatalog]], None]
"""Notes what was learnt of the replica with this number."""


@dataclass(frozen=True)
class Proofs:
    """Proves the root catalogs of one server in one run."""

    fleet: Fleet
    now: datetime
    quota: Quota
    reader: Reader

    def is_due(self, proved: datetime | None) -> bool:
        """Is it time to read bytes again? Also if they were read at a time that has not come: a clock was wrong."""
        every = self.fleet.verify_every
        return every is None or proved is None or not timedelta(0) <= self.now - proved < every

    def prove(self, replicas: Mapping[int, Replica], learn: Learn) -> Job[None]:
        """Read the bytes of root catalogs and hash them, as far as that is due and the run's quota permits.

        One after the other, for each may be large; another first in each minute, so that all have their turn; and no
        more once one did not come, for a server that is slow must not hold up the others.
        """
        keys = list(replicas)
        turn = int(self.now.timestamp()) // 60 % max(len(keys), 1)
        for key in keys[turn:] + keys[:turn]:
            if not (yield from self._prove(key, replicas[key], learn)):
                return

    def _prove(self, key: int, replica: Replica, learn: Learn) -> Job[bool]:
        """Returns whether the server gave what it was asked for, if anything."""
        url, manifest, catalog = root_catalog_url(replica), replica.manifest.value, replica.root_catalog.value
        if url is None or manifest is None or catalog is None or catalog.length == 0:
            return True
        if self.fleet.verify_every is None or not self.is_due(catalog.proved):
            return True
        intact = yield from self._hash(url, manifest.root_catalog, catalog.length)
        if intact is False:  # one bad answer is no proof
            intact = yield from self._hash(url, manifest.root_catalog, catalog.length)
        if intact is not None:
            proof = replace(catalog, intact=intact, proved=self.now if intact else None)
            learn(key, replace(replica.root_catalog, value=proof))
        return intact is not None or self.reader.heard

    def _hash(self, url: str, name: str, length: int | None) -> Job[bool | None]:
        """Do the bytes have the hash? None if they did not come, not all of them, or are too many."""
        each = self.fleet.verify_each
        granted = self.quota.take(each if length is None else length, each)
        hasher = object_hasher(name) if granted else None
        if hasher is None:
            return None
        reading = yield from self.reader.read(url, granted, bytes, hasher.update)
        if reading.value is None:
            return None
        self.quota.give_back(granted - hasher.length)
        short = length is not None and hasher.length != length
        return None if short else hasher.is_object()
