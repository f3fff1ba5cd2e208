"""What was served: each document as it was found, and the replicas and strata that they make up."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from telegraf_cvmfs.model.documents import (
    Entry,
    Listing,
    Manifest,
    Meta,
    Partial,
    RootCatalog,
    RootCatalogState,
    Snapshotting,
    Status,
    Whitelist,
)
from telegraf_cvmfs.model.fleet import Backend, Fleet, Role, Server
from telegraf_cvmfs.model.result import Cause, GeoAPIStatus, Result


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back for one URL: a status, at most a capped number of bytes, the Age header in seconds.

    `length` is that of the whole document, as far as it is known without the bytes.
    """

    status: int
    body: bytes
    age: int | None = None
    length: int | None = field(default=None, compare=False)
    redirected: bool = field(default=False, compare=False)  # it came from where a redirect led


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Reading(Generic[T]):
    """One document as it was found: its content, or why there is none.

    `value` is set exactly when `result` is OK. NOT_FOUND is an answer too (the document is not served);
    every other result means that we do not know.
    """

    result: Result = Result.DEADLINE
    value: T | None = None
    http_status: int | None = None
    why: str = "the run ended first"
    age: int | None = None
    ours: bool = False  # it could not be read because of an error of this program
    cause: Cause | None = None  # of a result other than OK, where more is known
    fault: str = ""  # what `why` says is wrong with the document, without its name; empty if it names none

    @property
    def fault_or_why(self) -> str:
        """Why there is none, for a sentence that has named the document already."""
        return self.fault or self.why

    @property
    def answered(self) -> bool:
        """Did the server say what it has, or that it has nothing?"""
        return self.result in (Result.OK, Result.NOT_FOUND, Result.UNLISTED)

    @property
    def untried(self) -> bool:
        """Is it for us, and not the server, that it was not read?"""
        return self.ours or self.result.ours

    @property
    def broken(self) -> bool:
        """Did the server answer with something that is not the document?"""
        return self.result in (Result.INVALID, Result.NAME_MISMATCH, Result.TOO_LARGE) and not self.ours


class Listed(enum.Enum):
    """How we know of a repository on a server."""

    SOURCE = "source"  # in the server's list of repositories: published here
    REPLICA = "replica"  # in its list of replicas
    UNLISTED = "unlisted"  # named in the fleet file or seen here before; the list does not have it
    UNKNOWN = "unknown"  # the same; there is no list, or it could not be read


@dataclass(frozen=True, slots=True)
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
    partial: Partial | None = None  # None: not asked
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


@dataclass(frozen=True, slots=True)
class Stratum:
    """One server as it was found, with the repositories on it."""

    server: Server
    listing: Reading[Listing] = Reading()
    meta: Reading[Meta] = Reading()
    backend: Backend | None = None  # None: could not be told
    geoapi_status: GeoAPIStatus = GeoAPIStatus.NOT_YET_TESTED
    geoapi_why: str = ""
    geoapi_cause: Cause | None = None
    followed: bool = False  # a redirect of it was followed
    response_time: timedelta | None = None  # of the first answer
    replicas: tuple[Replica, ...] = ()

    @property
    def up(self) -> bool:
        """Was its list, or any manifest on it, read?"""
        return self.listing.result is Result.OK or any(replica.up for replica in self.replicas)

    @property
    def redirects(self) -> bool:
        """Did it redirect to itself, and that was not followed?"""
        causes = (self.listing.cause, self.geoapi_cause, *(replica.manifest.cause for replica in self.replicas))
        return Cause.NOT_FOLLOWED in causes

    @property
    def answer(self) -> Reading[Any]:
        """The reading that tells whether the server answers: its list; on S3, which has none, its best manifest."""
        if self.backend is not Backend.S3 or not self.replicas:
            return self.listing
        return min((replica.manifest for replica in self.replicas), key=lambda reading: reading.result.code)


@dataclass(frozen=True, slots=True)
class Traffic:
    """What a run cost the servers.

    `failures` are requests that got neither the document nor a 404, also when asked once more.
    """

    requests: int = 0
    failures: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Scrape:
    """All that one run saw, before anything is made of it."""

    fleet: Fleet
    started: datetime
    strata: tuple[Stratum, ...]
    traffic: Traffic = field(default_factory=Traffic)
    deadline_hit: bool = False  # the run's own time was up before all was read
    interrupted: str = ""  # the signal that ended it before all was read: "SIGTERM"
