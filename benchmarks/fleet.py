"""The fleets that are scraped: their sizes, and the signed documents that every server of one serves."""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

from telegraf_cvmfs.demo.repository import PAGE, Repository, Revision, object_path
from telegraf_cvmfs.demo.signing import Keys, content_hash, demo_keys
from telegraf_cvmfs.demo.stratum import Copy, Stratum

Revisions = Mapping[tuple[str, str], int]
"""Server (host:port) and repository to the revision it has there."""

_SIZE = re.compile(r"([1-9][0-9]?)x([1-9][0-9]{0,3})(?:@([1-9][0-9]{0,3})ms)?")


@dataclass(frozen=True)
class Size:
    """How many servers, how many repositories on each, and how far away; str() is "10x100@50ms"."""

    servers: int
    repositories: int
    round_trip: int = 0  # ms; 0 is loopback

    @classmethod
    def parse(cls, text: str) -> Self:
        """The size of that name; ValueError if it is none."""
        if not (found := _SIZE.fullmatch(text)):
            raise ValueError(f"{text!r} is no size of a fleet like 3x30 or 10x100@50ms")
        return cls(*(int(number or 0) for number in found.groups()))

    def __str__(self) -> str:
        away = f"@{self.round_trip}ms" if self.round_trip else ""
        return f"{self.servers}x{self.repositories}{away}"

    @property
    def replicas(self) -> int:
        """All of them, on all servers."""
        return self.servers * self.repositories


@dataclass(frozen=True)
class Fleet:
    """A fleet that is being served; `servers` are host:port, each with all repositories."""

    size: Size
    servers: tuple[str, ...]
    repositories: Mapping[str, int]  # name -> revision
    key: Path

    @property
    def revisions(self) -> dict[tuple[str, str], int]:
        """What a scrape of it must find."""
        return {(server, repo): revision for server in self.servers for repo, revision in self.repositories.items()}


def publish(where: Path, count: int, now: datetime) -> dict[str, int]:
    """Write what a stratum 1 with that many repositories serves below a folder; each name with its revision."""
    keys = demo_keys()
    copies = tuple(_copy(number, now) for number in range(count))
    stratum = Stratum("benchmark", copies, replicates=True, last_geodb_update=now - timedelta(days=1))
    documents = stratum.documents(keys)
    for number, copy in enumerate(copies):
        documents.update(_with_catalog(documents, copy.repository, _catalog(number), keys))
    for path, content in documents.items():
        file = where / path.removeprefix("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return {copy.repository.name: copy.revision.number for copy in copies}


def publish_key(path: Path) -> Path:
    """Write the public key that all of it verifies against."""
    path.write_bytes(demo_keys().master_public_pem)
    return path


def _copy(number: int, now: datetime) -> Copy:
    repository = Repository(
        f"repo{number:04}.example.org",
        (Revision(1000 + number, now - timedelta(hours=2)),),
        now - timedelta(days=4),
        now + timedelta(days=26),
        b"{}",
        garbage_collectable=True,
    )
    recently = now - timedelta(minutes=10)
    return Copy(repository, repository.latest, recently, recently, recently, "succeeded")


def _with_catalog(
    documents: Mapping[str, bytes], repository: Repository, catalog: bytes, keys: Keys
) -> Iterator[tuple[str, bytes]]:
    """The manifest with another root catalog than the demo's, and that: the demo's compress to next to nothing."""
    path = f"{repository.path}/.cvmfspublished"
    stored = zlib.compress(catalog)
    name = content_hash(stored, repository.algorithm)
    text = documents[path].partition(b"--\n")[0]
    letters = {line[:1]: line[1:] for line in text.splitlines()}
    letters |= {b"C": name.encode(), b"B": str(len(catalog)).encode()}
    text = b"".join(letter + value + b"\n" for letter, value in letters.items())
    yield path, keys.signed_manifest(text, repository.algorithm)
    yield f"{repository.path}/{object_path(name, 'C')}", stored


def _catalog(number: int) -> bytes:
    """20 to 56 KiB, a third of it hashes and the like that do not compress."""
    size = (5 + number % 10) * PAGE
    hashes = hashlib.shake_128(str(number).encode()).digest(size // 3)
    return (b"SQLite format 3\x00" + hashes).ljust(size, b"\x00")
