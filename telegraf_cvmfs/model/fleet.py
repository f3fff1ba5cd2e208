"""What to watch: a fleet of servers, and when what is found on them is a finding."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from telegraf_cvmfs.model.finding import LIMITS, Limit
from telegraf_cvmfs.model.maintenance import Maintenance

PAUSE = (1.0, 2.0)
"""Seconds, at least and at most, before what failed is asked for once more: many do not all come back together."""


class Role(enum.StrEnum):
    """What a server is for: publishing, replicating for clients, or replicating for stratum 1s."""

    STRATUM0 = "stratum0"
    STRATUM1 = "stratum1"
    SYNC = "sync"


class TransportName(enum.StrEnum):
    """What carries a scrape's requests: libcurl, the library `requests`, or libcurl where it can be had."""

    AUTO = "auto"
    CURL = "curl"
    REQUESTS = "requests"


class Backend(enum.StrEnum):
    """Where a server keeps its files; S3 has no list of repositories and no GeoAPI."""

    AUTO = "auto"
    CVMFS = "cvmfs"
    S3 = "s3"


@dataclass(frozen=True)
class Access:
    """How a server is asked that wants to know who asks: files, read when it is asked first in a run.

    `client_cert` and `client_key` are PEM, the key may be in the same file; `ca` has the authorities (PEM) that are
    trusted instead of the usual ones. `headers_file` has a header a line, `Name: value`; `cookie_file` what stands
    behind `Cookie:`.
    """

    client_cert: Path | None = None
    client_key: Path | None = None
    ca: Path | None = None
    headers_file: Path | None = None
    cookie_file: Path | None = None


@dataclass(frozen=True)
class Server:
    """One server of the fleet.

    `url` is its origin, and a base path if it has one, without a final slash. `places` are paths below it: a repository
    lies at `<url><place>/<name>`, in the first of them unless it is known to be elsewhere. `limits` are the fleet's
    with this server's own over them. `via` is the URL of a proxy whose answers are read beside the direct ones. With
    `all_addresses` every machine behind the name is scraped by itself: as a server with that `address`. With
    `follow_redirects` its clients have CVMFS_FOLLOW_REDIRECTS. Without `geoapi` it has none, by choice. `access` says
    who asks, where it wants to know that.
    """

    url: str
    name: str
    role: Role
    backend: Backend = Backend.AUTO
    repos: tuple[str, ...] = ()
    ignore_repos: tuple[str, ...] = ()
    limits: Mapping[str, Limit] = field(default_factory=lambda: LIMITS)
    via: str = ""
    all_addresses: bool = False
    address: str | None = None
    places: tuple[str, ...] = ("/cvmfs", "")
    follow_redirects: bool = False
    geoapi: bool = True
    access: Access = Access()

    @property
    def label(self) -> str:
        """Its name, and the address of the one machine that is meant, if there are several behind the name."""
        return self.name if self.address is None else f"{self.name} ({self.address})"


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
class Keep:
    """Of the runs that are not older than `until`, one for each `step`; all of them if that is nothing."""

    until: timedelta
    step: timedelta


@dataclass(frozen=True)
class History:
    """Where each run is kept, nowhere if `dir` is empty, and what is left of it as it grows old."""

    dir: str = ""
    keep: tuple[Keep, ...] = (
        Keep(timedelta(hours=48), timedelta(0)),
        Keep(timedelta(days=30), timedelta(hours=1)),
        Keep(timedelta(days=400), timedelta(days=1)),
    )


@dataclass(frozen=True)
class Fleet:
    """Everything one run is asked to do.

    `only` and `ignore_repos` are globs, `repos` are names. `keys` are files of master public keys, `key_dirs` folders
    as a client has in /etc/cvmfs/keys, `blacklists` files such as a client's /etc/cvmfs/blacklist. `proxy` is the URL
    of a proxy, "environment", or empty. `pause` is that before what failed is asked for once more.
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
    limits: Mapping[str, Limit] = field(default_factory=lambda: LIMITS)  # a server's own may differ
    min_replicas_ok: int = 2
    maintenance: tuple[Maintenance, ...] = ()
    geoapi: GeoAPI = GeoAPI()
    deadline: timedelta = timedelta(seconds=45)
    pause: tuple[float, float] = field(default_factory=lambda: PAUSE)
    connections_per_server: int = 8
    proxy: str = ""
    follow_redirects: bool = False  # of servers that say nothing else
    transport: TransportName = TransportName.AUTO
    state_dir: str = ""
    history: History = History()
    publish_window: timedelta = timedelta(hours=24)
    verify_every: timedelta | None = timedelta(hours=24)  # None: root catalogs are not hashed
    verify_each: int = 16_000_000  # bytes
    verify_run: int = 64_000_000  # bytes
