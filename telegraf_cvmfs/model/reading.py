"""What was served: each document as it was found, and the replicas and strata that they make up."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from telegraf_cvmfs.model.fleet import Backend, Fleet, Role, Server


class Coded(enum.Enum):
    """Words that users read, each with the number that stands for it in a field."""

    def __init__(self, slug: str, code: int) -> None:
        self.slug = slug
        self.code = code


class Result(Coded):
    """How the reading of a document ended: the word, and the number that stands for it."""

    OK = ("ok", 0)
    NOT_FOUND = ("not_found", 1)
    CONNECTION_FAILED = ("connection_failed", 2)
    DNS_ERROR = ("dns_error", 3)
    TIMEOUT = ("timeout", 4)
    HTTP_ERROR = ("http_error", 5)
    TLS_ERROR = ("tls_error", 6)
    INVALID = ("invalid", 7)
    NAME_MISMATCH = ("name_mismatch", 8)
    TOO_LARGE = ("too_large", 9)
    DEADLINE = ("deadline", 10)
    UNLISTED = ("unlisted", 11)


class GeoAPIStatus(enum.IntEnum):
    """What a server's GeoAPI is worth; names and numbers are cvmfs-server-scraper's."""

    OK = 0
    LOCATION_ERROR = 1
    NO_RESPONSE = 2
    NOT_FOUND = 9
    NOT_YET_TESTED = 99


class ScrapeError(Exception):
    """A stratum, or a document that it served, let us down; str() is a sentence for the operator."""


class ParseError(ScrapeError):
    """An answer arrived, but it is not the document that it claims to be."""


class FetchError(ScrapeError):
    """No usable answer arrived: refused, timed out, 5xx, too large."""

    def __init__(self, result: Result, why: str, http_status: int | None = None) -> None:
        super().__init__(why)
        self.result = result
        self.http_status = http_status


class ConfigError(Exception):
    """The operator's file or option is wrong; nothing is scraped. str() says where, and what is right."""


@dataclass(frozen=True)
class Answer:
    """What came back for one URL: a status, at most a capped number of bytes, the Age header in seconds.

    `length` is that of the whole document, as far as it is known without the bytes.
    """

    status: int
    body: bytes
    age: int | None = None
    length: int | None = field(default=None, compare=False)


T = TypeVar("T")


@dataclass(frozen=True)
class Reading(Generic[T]):
    """One document as it was found: its content, or why there is none.

    `value` is set exactly when `result` is OK. NOT_FOUND is an answer too (the document is not served);
    every other result means that we do not know.
    """

    result: Result = Result.DEADLINE
    value: T | None = None
    http_status: int | None = None
    why: str = "the run's time was up"
    age: int | None = None
    ours: bool = False  # it could not be read because of an error of this program

    @property
    def answered(self) -> bool:
        """Did the server say what it has, or that it has nothing?"""
        return self.result in (Result.OK, Result.NOT_FOUND, Result.UNLISTED)

    @property
    def broken(self) -> bool:
        """Did the server answer with something that is not the document?"""
        return self.result in (Result.INVALID, Result.NAME_MISMATCH, Result.TOO_LARGE) and not self.ours


@dataclass(frozen=True)
class Letter:
    """The signed form that manifest and whitelist share: text, its hash, a signature over that hash."""

    text: bytes
    digest: str
    signature: bytes


@dataclass(frozen=True)
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
    garbage_collectable: bool = False  # G
    alternative_path: bool = False  # A
    letter: Letter | None = None  # None: served without a signature


@dataclass(frozen=True)
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


@dataclass(frozen=True)
class Status:
    """What the server's own tools last did to a repository: `.cvmfs_status.json`, all of it optional.

    `unreadable` names the keys that had a value which could not be understood.
    """

    last_snapshot: datetime | None = None
    last_gc: datetime | None = None
    last_check: datetime | None = None
    check_ok: bool | None = None
    unreadable: tuple[str, ...] = ()


@dataclass(frozen=True)
class Snapshotting:
    """A snapshot is running, or was killed: `.cvmfs_is_snapshotting`; `since` is None if unreadable."""

    since: datetime | None


class RootCatalogState(Coded):
    """What a root catalog is worth to clients: the word, and the number that stands for it."""

    OK = ("ok", 0)
    MISSING = ("missing", 1)
    EMPTY = ("empty", 2)
    CORRUPT = ("corrupt", 3)
    NOT_CHECKED = ("not_checked", 9)


@dataclass(frozen=True)
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


@dataclass(frozen=True)
class Entry:
    """One line of a server's list. `path` is where it is served, from the root of the server."""

    name: str
    path: str
    replica: bool  # from `replicas`, not from `repositories`
    alias: str | None = None  # where it is published under another path than its name
    pass_through: bool = False


@dataclass(frozen=True)
class Listing:
    """What a server says it serves: `info/v1/repositories.json`.

    `rejected` are entries that no replica could be made of, each a sentence.
    """

    entries: tuple[Entry, ...]
    last_geodb_update: datetime | None = None
    cvmfs_version: str | None = None
    os_id: str | None = None
    os_version_id: str | None = None
    os_pretty_name: str | None = None
    schema: int | None = None
    rejected: tuple[str, ...] = ()


@dataclass(frozen=True)
class Meta:
    """Who runs a server: `info/v1/meta.json`, written by hand, so any of it may be missing."""

    administrator: str | None = None
    email: str | None = None
    organisation: str | None = None
    custom: Any = None


class Listed(enum.Enum):
    """How we know of a repository on a server."""

    SOURCE = "source"  # in the server's list of repositories: published here
    REPLICA = "replica"  # in its list of replicas
    UNLISTED = "unlisted"  # named in the fleet file or seen here before; the list does not have it
    UNKNOWN = "unknown"  # the same; there is no list, or it could not be read


@dataclass(frozen=True)
class Replica:
    """One repository on one server as it was found (the published original on a stratum 0 too)."""

    server: Server
    repo: str
    url: str  # of the manifest
    listed: Listed = Listed.UNKNOWN
    alias: str | None = None
    pass_through: bool = False
    remembered: Entry | None = None  # how an earlier run's list had it, where today's does not
    manifest: Reading[Manifest] = Reading()
    status: Reading[Status] = Reading()
    snapshotting: Reading[Snapshotting] = Reading()
    whitelist: Reading[Whitelist] = Reading()
    certificate: Reading[bytes] = Reading()  # the object as stored
    root_catalog: Reading[RootCatalog] = Reading()
    proxied: Reading[Manifest] | None = None  # the manifest as a proxy gives it; None where none is asked

    @property
    def up(self) -> bool:
        """Was the manifest read, and is it this repository's?"""
        return self.manifest.value is not None

    @property
    def root_catalog_state(self) -> RootCatalogState:
        """What is known of the root catalog that the manifest names."""
        if self.root_catalog.value is not None:
            return self.root_catalog.value.state
        missing = self.root_catalog.result is Result.NOT_FOUND
        return RootCatalogState.MISSING if missing else RootCatalogState.NOT_CHECKED

    @property
    def source(self) -> bool:
        """Is the repository published here, not replicated? The list decides, else an earlier one, else the role."""
        if self.listed in (Listed.SOURCE, Listed.REPLICA):
            return self.listed is Listed.SOURCE
        if self.remembered is not None:
            return not self.remembered.replica
        return self.server.role is Role.STRATUM0


@dataclass(frozen=True)
class Stratum:
    """One server as it was found, with the repositories on it."""

    server: Server
    listing: Reading[Listing] = Reading()
    meta: Reading[Meta] = Reading()
    backend: Backend | None = None  # None: could not be told
    geoapi_status: GeoAPIStatus = GeoAPIStatus.NOT_YET_TESTED
    geoapi_why: str = ""
    response_time: timedelta | None = None  # of the first answer
    replicas: tuple[Replica, ...] = ()

    @property
    def up(self) -> bool:
        """Was its list, or any manifest on it, read?"""
        return self.listing.result is Result.OK or any(replica.up for replica in self.replicas)

    @property
    def answer(self) -> Reading[Any]:
        """What tells whether the server answers: its list; on S3, which has none, its best manifest."""
        if self.backend is not Backend.S3 or not self.replicas:
            return self.listing
        return min((replica.manifest for replica in self.replicas), key=lambda reading: reading.result.code)


@dataclass(frozen=True)
class Traffic:
    """What a run cost the servers; `failures` are requests that got neither the document nor a 404."""

    requests: int = 0
    failures: int = 0
    bytes: int = 0


@dataclass(frozen=True)
class Scrape:
    """All that one run saw, before anything is made of it."""

    fleet: Fleet
    started: datetime
    strata: tuple[Stratum, ...]
    traffic: Traffic = field(default_factory=Traffic)
    deadline_hit: bool = False
