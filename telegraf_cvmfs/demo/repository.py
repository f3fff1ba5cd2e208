"""A repository in memory: its revisions as values, and the bytes that publishing them leaves behind."""

from __future__ import annotations

import functools
import hashlib
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from telegraf_cvmfs.demo.signing import Keys, content_hash

MOST = 1024  # revisions of a fleet that lives are made once, not again whenever it moves on
PAGE = 4096  # bytes of a page of an SQLite database
ROOT_PATH_HASH = hashlib.md5(b"", usedforsecurity=False).hexdigest()


@dataclass(frozen=True)
class Revision:
    """One published state; its objects depend on both values, so another time makes another content."""

    number: int
    published: datetime  # aware


@dataclass(frozen=True)
class Repository:
    """What its owner decided about one repository; `revisions` stand oldest first."""

    name: str
    revisions: tuple[Revision, ...]
    whitelist_created: datetime
    whitelist_expires: datetime
    metainfo: bytes  # JSON
    algorithm: str = "sha1"
    alias: str | None = None  # the directory, where it is not the name
    garbage_collectable: bool = False
    history: bool = True
    ttl: int = 240  # s
    catalog_pages: int = 14  # of the root catalog

    @property
    def path(self) -> str:
        """Where it lies on a server, from the server's root."""
        return f"/cvmfs/{self.alias or self.name}"

    @property
    def latest(self) -> Revision:
        """The newest revision."""
        return self.revisions[-1]

    def as_of(self, moment: datetime) -> Revision:
        """The newest revision that was published by then; the oldest if none was."""
        return next((known for known in reversed(self.revisions) if known.published <= moment), self.revisions[0])


@functools.lru_cache(MOST)
def manifest(repository: Repository, revision: Revision, keys: Keys) -> bytes:
    """`.cvmfspublished` of one revision, signed, with the letters and their order of CernVM-FS 2.11.

    CernVM-FS, manifest.cc, ExportString.
    """
    hashes = {
        letter: content_hash(stored, repository.algorithm)
        for letter, stored in _objects(repository, revision, keys).items()
    }
    lines = {
        "C": hashes["C"],
        "B": len(_catalog(repository, revision)),
        "R": ROOT_PATH_HASH,
        "D": repository.ttl,
        "S": revision.number,
        "G": _yes(repository.garbage_collectable),
        "A": "no",
        "N": repository.name,
        "X": hashes["X"],
        "H": hashes.get("H"),
        "T": int(revision.published.timestamp()),
        "M": hashes["M"],
        "Y": content_hash(reflog(repository, revision), repository.algorithm),
    }
    text = "".join(f"{letter}{value}\n" for letter, value in lines.items() if value is not None)
    return keys.signed_manifest(text.encode(), repository.algorithm)


@functools.lru_cache(MOST)
def whitelist(repository: Repository, keys: Keys) -> bytes:
    """`.cvmfswhitelist`, signed: created, expires, name, the one certificate that may sign."""
    lines = (
        _stamp(repository.whitelist_created),
        "E" + _stamp(repository.whitelist_expires),
        "N" + repository.name,
        keys.fingerprint(repository.algorithm),
    )
    return keys.signed_whitelist("".join(f"{line}\n" for line in lines).encode(), repository.algorithm)


@functools.lru_cache(MOST)
def objects(repository: Repository, revision: Revision, keys: Keys) -> Mapping[str, bytes]:
    """The content-addressed files of one revision: path below the repository -> bytes as stored."""
    return {
        object_path(content_hash(stored, repository.algorithm), letter): stored
        for letter, stored in _objects(repository, revision, keys).items()
    }


def object_path(hash_text: str, letter: str) -> str:
    """Where the object with this hash lies below its repository; the suffix of the algorithm stays in it.

    CernVM-FS, crypto/hash.h, MakePath.
    """
    return f"data/{hash_text[:2]}/{hash_text[2:]}{letter}"


def reflog(repository: Repository, revision: Revision) -> bytes:
    """`.cvmfsreflog` as the publisher has it at that revision."""
    return _database(f"reflog of {repository.name} up to revision {revision.number}", 5)


def _objects(repository: Repository, revision: Revision, keys: Keys) -> dict[str, bytes]:
    contents = {
        "C": _catalog(repository, revision),
        "H": _database(f"tags of {repository.name} up to revision {revision.number}", 9),
        "X": keys.certificate_pem,
        "M": repository.metainfo,
    }
    return {
        letter: zlib.compress(content) for letter, content in contents.items() if letter != "H" or repository.history
    }


def _catalog(repository: Repository, revision: Revision) -> bytes:
    words = f"root catalog of {repository.name}, revision {revision.number}, {_stamp(revision.published)}"
    return _database(words, repository.catalog_pages)


def _database(words: str, pages: int) -> bytes:
    """Bytes with the header of an SQLite database: enough for whoever does not open it."""
    header = b"SQLite format 3\x00" + PAGE.to_bytes(2) + bytes((1, 1, 0, 64, 32, 32))
    return (header + words.encode()).ljust(pages * PAGE, b"\x00")


def _stamp(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y%m%d%H%M%S}"


def _yes(flag: bool) -> str:  # noqa: FBT001
    return "yes" if flag else "no"
