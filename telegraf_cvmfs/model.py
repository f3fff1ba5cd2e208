"""The nouns: what is watched, what was found there, and what was made of it.

Everything here is a value. Three groups follow the flow of a run: the *fleet* (what an operator asked
to have watched), the *reading* (what the strata served, document by document), the *verdict* (what that
means for the people who depend on it). A finished run is one `Run`.

Times are aware UTC `datetime`, spans are `timedelta`, sizes are bytes.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from telegraf_cvmfs.trust import Trust

# --- the fleet: what to watch -----------------------------------------------------------------------


class Role(enum.StrEnum):
    """What a server is for: publishing, replicating for clients, or replicating for stratum 1s."""

    STRATUM0 = "stratum0"
    STRATUM1 = "stratum1"
    SYNC = "sync"


class Backend(enum.StrEnum):
    """Where a server keeps its files; S3 has no list of repositories and no GeoAPI."""

    AUTO = "auto"
    CVMFS = "cvmfs"
    S3 = "s3"


class Health(enum.IntEnum):
    """A verdict in the numbers of a Nagios check; how serious each is stands in `SEVERITY`."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


SEVERITY = (Health.OK, Health.UNKNOWN, Health.WARNING, Health.CRITICAL)
"""From harmless to serious: not knowing is worse than good and better than bad."""


def worst(healths: Iterable[Health]) -> Health:
    """The most serious of them; OK if there are none."""
    return max(healths, key=SEVERITY.index, default=Health.OK)


@dataclass(frozen=True)
class Limit:
    """When a finding turns to a warning and when to critical.

    A `timedelta` is a limit that an operator may move, True a severity that applies whenever the fact
    holds, None one that the finding never has or that was switched off.
    """

    warning: timedelta | bool | None = None
    critical: timedelta | bool | None = None


FINDINGS: Mapping[str, Limit] = {
    "server_down": Limit(critical=True),
    "list_unread": Limit(),
    "geoapi_wrong": Limit(warning=True),
    "geoapi_down": Limit(critical=True),
    "geodb_old": Limit(warning=timedelta(days=30)),
    "manifest": Limit(warning=True, critical=True),
    "snapshot_old": Limit(timedelta(hours=8), timedelta(hours=24)),
    "snapshot_stuck": Limit(warning=timedelta(hours=24)),
    "lagging": Limit(timedelta(hours=8), timedelta(hours=24)),
    "gc_old": Limit(timedelta(days=10), timedelta(days=20)),
    "check_failed": Limit(warning=True),
    "whitelist": Limit(warning=timedelta(hours=48), critical=True),
    "signature": Limit(critical=True),
    "root_catalog": Limit(critical=True),
    "diverged": Limit(critical=True),
    "ahead": Limit(warning=True),
    "backwards": Limit(warning=True),
}
"""Every finding with its default limits; where cvmfs-servermon has a limit, it is the same."""

SERVER_FINDINGS = ("server_down", "list_unread", "geoapi_wrong", "geoapi_down", "geodb_old")
"""Those that are about a server as a whole; the others are about one repository on it."""


@dataclass(frozen=True)
class Server:
    """One server of the fleet.

    `url` is its origin, and a base path if it has one, without a final slash: a repository lies at
    `<url>/cvmfs/<name>`. `limits` are the fleet's with this server's own over them.
    """

    url: str
    name: str
    role: Role
    backend: Backend = Backend.AUTO
    repos: tuple[str, ...] = ()
    ignore_repos: tuple[str, ...] = ()
    limits: Mapping[str, Limit] = field(default_factory=lambda: FINDINGS)


@dataclass(frozen=True)
class RepositoryRule:
    """What is special about the repositories whose name matches a glob: keys, slowness."""

    name: str
    keys: tuple[Path, ...] = ()
    snapshot_factor: float = 1.0


@dataclass(frozen=True)
class GeoAPI:
    """How to ask a GeoAPI: cvmfs-servermon's question by default, or the fleet's own hosts.

    With `servers` the first of them is the origin, and must come first in the answer.
    """

    enabled: bool = True
    servers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Fleet:
    """Everything one run is asked to do.

    `only` and `ignore_repos` are globs, `repos` are names. `keys` are files of master public keys, `key_dirs` folders
    as a client has in /etc/cvmfs/keys, `blacklists` files such as a client's /etc/cvmfs/blacklist. `proxy` is the URL
    of a proxy, "environment", or empty.
    """

    servers: tuple[Server, ...]
    name: str = "cvmfs"
    keys: tuple[Path, ...] = ()
    key_dirs: tuple[Path, ...] = ()
    blacklists: tuple[Path, ...] = ()
    only: tuple[str, ...] = ()
    repos: tuple[str, ...] = ()
    ignore_repos: tuple[str, ...] = ()
    rules: tuple[RepositoryRule, ...] = ()
    geoapi: GeoAPI = GeoAPI()
    deadline: timedelta = timedelta(seconds=45)
    connections_per_server: int = 8
    proxy: str = ""
    state_dir: str = ""
    publish_window: timedelta = timedelta(hours=24)
    verify_every: timedelta | None = timedelta(hours=24)  # None: root catalogs are not hashed
    verify_each: int = 16_000_000  # bytes
    verify_run: int = 64_000_000  # bytes


# --- the reading: what was served -------------------------------------------------------------------


class Result(enum.Enum):
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

    def __init__(self, slug: str, code: int) -> None:
        self.slug = slug
        self.code = code


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


class RootCatalogState(enum.Enum):
    """What a root catalog is worth to clients: the word, and the number that stands for it."""

    OK = ("ok", 0)
    MISSING = ("missing", 1)
    EMPTY = ("empty", 2)
    CORRUPT = ("corrupt", 3)
    NOT_CHECKED = ("not_checked", 9)

    def __init__(self, slug: str, code: int) -> None:
        self.slug = slug
        self.code = code


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
    traffic: Traffic = Traffic()
    deadline_hit: bool = False


# --- the verdict: what it means ---------------------------------------------------------------------


@dataclass(frozen=True)
class Finding:
    """Something an operator should know: which, how serious, and the same in a sentence."""

    slug: str
    health: Health
    problem: str


@dataclass(frozen=True)
class ReplicaVerdict:
    """What was made of one replica. Comparisons are with the `reference`, and None where there is none.

    `findings` stand worst first. `health` is None for what is never judged (pass-through).
    """

    replica: Replica
    health: Health | None
    findings: tuple[Finding, ...] = ()
    is_reference: bool = False
    reference: Replica | None = None
    revisions_behind: int | None = None
    published_behind: timedelta | None = None
    lag: timedelta | None = None
    diverged: bool | None = None
    trust: Trust | None = None  # None: there was no manifest
    first_published: datetime | None = None  # of the reference's revision, before it was signed anew


@dataclass(frozen=True)
class ServerVerdict:
    """What was made of one server by itself; its replicas' findings are theirs."""

    stratum: Stratum
    health: Health
    findings: tuple[Finding, ...]
    replicas: tuple[ReplicaVerdict, ...]


@dataclass(frozen=True)
class Run:
    """One finished run: what every output, and everything later, is made from."""

    fleet: Fleet
    started: datetime
    duration: timedelta
    servers: tuple[ServerVerdict, ...]
    traffic: Traffic = Traffic()
    deadline_hit: bool = False

    @property
    def replicas(self) -> tuple[ReplicaVerdict, ...]:
        """Every replica of every server, in the order of the fleet file."""
        return tuple(replica for server in self.servers for replica in server.replicas)
