"""The documents that a stratum serves, as values."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from telegraf_cvmfs.model.result import Coded


@dataclass(frozen=True, slots=True)
class Letter:
    """The signed form that manifest and whitelist share: text, its hash, a signature over that hash."""

    text: bytes
    digest: str
    signature: bytes


@dataclass(frozen=True, slots=True)
class Manifest:
    """The entry point of a repository, `.cvmfspublished`; the letters are those of its lines.

    Hashes are hex text as written, with the suffix of their algorithm if they have one.
    """

    root_catalog: str  # C
    root_path_hash: str  # R, the MD5 of the empty path
    ttl: timedelta  # D
    revision: int  # S
    root_size: int | None = None  # B, bytes of the uncompressed root catalog; manifests of 2.0 have none
    repository: str | None = None  # N
    published: datetime | None = None  # T
    certificate: str | None = None  # X
    history: str | None = None  # H
    metainfo: str | None = None  # M
    reflog_checksum: str | None = None  # Y
    micro_catalog: str | None = None  # L
    garbage_collectable: bool | None = False  # G, None if it is not understood
    alternative_path: bool = False  # A; what is not understood is no, as for clients
    letter: Letter | None = None  # None: served without a signature
    unreadable: tuple[tuple[str, str], ...] = ()  # letters whose text was not understood, with a clause that says so


@dataclass(frozen=True, slots=True)
class Whitelist:
    """Which certificates may sign a repository, and until when: `.cvmfswhitelist`."""

    expires: datetime  # E, as stated
    repository: str | None = None  # N
    fingerprints: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()  # "pkcs7", "cachain"
    letter: Letter | None = None

    @property
    def refused_from(self) -> datetime:
        """When clients stop to accept it: they compare whole hours only (CernVM-FS, whitelist.cc)."""
        return self.expires.replace(minute=0, second=0, microsecond=0)


@dataclass(frozen=True, slots=True)
class Status:
    """What the server's own tools last did to a repository: `.cvmfs_status.json`, all of it optional.

    `unreadable` are pairs of a key that had a value which could not be understood, and a clause that says so.
    """

    last_snapshot: datetime | None = None
    last_gc: datetime | None = None
    last_check: datetime | None = None
    check_ok: bool | None = None
    unreadable: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Snapshotting:
    """A snapshot is running, or was killed: `.cvmfs_is_snapshotting`.

    `since` is None if its text is not understood; `unread` is that text, fit to be shown.
    """

    since: datetime | None
    unread: str = ""


@dataclass(frozen=True, slots=True)
class Partial:
    """Does a replica have only a part of its repository, and when was that asked? `value` is None if not understood."""

    value: bool | None
    asked: datetime


class RootCatalogState(Coded):
    """What a root catalog is worth to clients: the word, and the number that stands for it."""

    OK = ("ok", 0)
    MISSING = ("missing", 1)
    EMPTY = ("empty", 2)
    CORRUPT = ("corrupt", 3)
    NOT_CHECKED = ("not_checked", 9)


@dataclass(frozen=True, slots=True)
class RootCatalog:
    """What a server has at the place of the root catalog that its manifest names.

    `length` is in bytes as stored, None if the server does not say. `intact` says whether bytes read in this run hash
    to the catalog's name, None if none were read; `proved` is when they last did so.
    """

    length: int | None
    intact: bool | None = None
    proved: datetime | None = None

    @property
    def state(self) -> RootCatalogState:
        """What its length, and its bytes if they were read, say of it."""
        if self.length == 0:
            return RootCatalogState.EMPTY
        return RootCatalogState.CORRUPT if self.intact is False else RootCatalogState.OK


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a server's list. `path` is where it is served, from the root of the server."""

    name: str
    path: str
    replica: bool  # from `replicas`, not from `repositories`
    alias: str | None = None  # where it is published under another path than its name
    pass_through: bool = False


@dataclass(frozen=True, slots=True)
class Listing:
    """What a server says it serves: `info/v1/repositories.json`.

    `rejected` are entries that no replica could be made of, each a sentence. `unreadable` are pairs of a key that had a
    value which could not be understood, and a clause that says so.
    """

    entries: tuple[Entry, ...]
    last_geodb_update: datetime | None = None
    cvmfs_version: str | None = None
    os_id: str | None = None
    os_version_id: str | None = None
    os_pretty_name: str | None = None
    schema: int | None = None
    rejected: tuple[str, ...] = ()
    unreadable: tuple[tuple[str, str], ...] = ()

    def renamed(self, entries: Iterable[Entry]) -> frozenset[Entry]:
        """Those of an earlier list in whose place this one has a repository of another name."""
        names = defaultdict[str, set[str]](set)
        for one in self.entries:
            names[one.path].add(one.name)
        return frozenset(one for one in entries if one.path in names and one.name not in names[one.path])


@dataclass(frozen=True, slots=True)
class Meta:
    """Who runs a server: `info/v1/meta.json`, written by hand, so any of it may be missing.

    `unreadable` is as in a list.
    """

    administrator: str | None = None
    email: str | None = None
    organisation: str | None = None
    custom: Any = None
    unreadable: tuple[tuple[str, str], ...] = ()
