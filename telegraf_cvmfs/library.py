"""The public library: what `from telegraf_cvmfs import scrape` gives to a program.

The functions and attributes are those that cvmfs-server-scraper documents, so that its users can change the
import and keep their programs. What that project leaves 0 or unset when it is not known is None here.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from telegraf_cvmfs import watch
from telegraf_cvmfs.fleet import file as fleet_file
from telegraf_cvmfs.fleet import values
from telegraf_cvmfs.fleet.targets import named_for
from telegraf_cvmfs.model import (
    ConfigError,
    Fleet,
    GeoAPIStatus,
    Manifest,
    Reading,
    Replica,
    Role,
    Status,
    Stratum,
    TransportName,
)
from telegraf_cvmfs.net.deadline import Deadline
from telegraf_cvmfs.net.names import Names, Resolve, system_resolve
from telegraf_cvmfs.words.secrecy import without_secrets

__all__ = ["GeoAPIStatus", "Repository", "Server", "scrape", "scrape_server", "set_log_level"]

_log = logging.getLogger("telegraf_cvmfs")
_LEVELS = {"E!": logging.ERROR, "W!": logging.WARNING, "I!": logging.INFO}


def set_log_level(level: int | str) -> None:
    """Choose how much the library logs, as a number or a name of the `logging` module; by default warnings."""
    _log.setLevel(level)


def scrape(  # four of them are cvmfs-server-scraper's
    stratum0_servers: Iterable[str],
    stratum1_servers: Iterable[str],
    repos: Iterable[str] = (),
    ignore_repos: Iterable[str] = (),
    *,
    deadline: float = 45.0,
    resolve: Resolve = system_resolve,
    transport: str = "requests",
) -> list[Server]:
    """Scrape servers side by side and return them in the order given, stratum 0s first.

    Args:
        stratum0_servers: host names, host:port, or http(s) URLs of stratum 0s.
        stratum1_servers: the same of stratum 1s.
        repos: repositories to scrape on each stratum 1 even if it does not list them.
        ignore_repos: repositories (or globs) not to scrape, unless they are in `repos` too.
        deadline: seconds that the whole call may take; what is not read by then is missing, not waited for.
        resolve: turns a host name into IP addresses; by default the system does.
        transport: "requests", so that programs can be tested with requests-mock; "curl", or "auto" for libcurl where
            pycurl is installed, is quicker.

    Raises:
        ConfigError: a server or a repository is not named as one can be; there is no such transport here.

    A server that is down is no error: its `is_down()` is true and its `fetch_errors` say why.
    """
    carried_by = _transport(transport)
    fleet = Fleet(servers=(), repos=_names(repos), ignore_repos=tuple(ignore_repos), transport=carried_by)
    fleet = fleet_file.with_servers(fleet, stratum0_servers, stratum1_servers)
    seen = watch.scrape(fleet, datetime.now(UTC), Deadline(deadline), _log_line, names=Names(resolve))
    return [Server.of(fleet, stratum) for stratum in seen.strata]


def scrape_server(  # four of them are cvmfs-server-scraper's
    dns_name: str,
    repos: Iterable[str] = (),
    ignore_repos: Iterable[str] = (),
    is_stratum0: bool = False,  # noqa: FBT001, FBT002  # this signature is cvmfs-server-scraper's
    *,
    deadline: float = 45.0,
    resolve: Resolve = system_resolve,
    transport: str = "requests",
) -> Server:
    """Scrape one server; arguments and errors as those of `scrape`."""
    stratum0, stratum1 = ([dns_name], []) if is_stratum0 else ([], [dns_name])
    chosen: dict[str, Any] = {"deadline": deadline, "resolve": resolve, "transport": transport}
    (server,) = scrape(stratum0, stratum1, repos, ignore_repos, **chosen)
    return server


def _transport(name: str) -> TransportName:
    try:
        return values.transport(name)
    except ValueError as expected:
        raise ConfigError(f"transport: expected {expected}") from None


@dataclass(frozen=True)
class Repository:
    """One repository on one server, with what its manifest and its status say; None where not known.

    Sizes are bytes, `root_catalogue_ttl` is seconds, times are aware UTC datetimes, hashes are hex text with
    the suffix of their algorithm, `signature` is the raw bytes of the manifest's.
    """

    server: str
    name: str
    path: str
    revision: int | None = None
    revision_timestamp: datetime | None = None
    root_size: int | None = None
    root_catalogue_ttl: int | None = None
    root_cryptographic_hash: str | None = None
    root_path_hash: str | None = None
    full_name: str | None = None
    alternative_name: bool | None = None
    is_garbage_collectable: bool | None = None
    metadata_cryptographic_hash: str | None = None
    micro_catalogues: str | None = None
    reflog_checksum_cryptographic_hash: str | None = None
    signing_certificate_cryptographic_hash: str | None = None
    tag_history_cryptographic_hash: str | None = None
    signature: bytes | None = None
    last_gc: datetime | None = None
    last_snapshot: datetime | None = None
    fetch_errors: tuple[Mapping[str, str], ...] = ()

    @property
    def micro_cataogues(self) -> str | None:
        """`micro_catalogues`, as cvmfs-server-scraper spells it."""
        return self.micro_catalogues

    @classmethod
    def of(cls, replica: Replica) -> Repository:
        """The repository as a program sees it."""
        path = replica.url.removeprefix(replica.server.url).removesuffix("/.cvmfspublished")
        manifest, status = replica.manifest.value, replica.status.value
        readings: Mapping[str, Reading[Any]] = {
            ".cvmfspublished": replica.manifest,
            ".cvmfs_status.json": replica.status,
        }
        return cls(
            server=replica.server.name,
            name=replica.repo,
            path=path,
            fetch_errors=_errors({f"{path}/{name}": reading for name, reading in readings.items()}),
            **(_of_manifest(manifest) if manifest else {}),
            **(_of_status(status) if status else {}),
        )


@dataclass(frozen=True)
class Server:
    """One server with its repositories, sorted by name.

    `server_type` is 0 or 1. `metadata` holds what the server says of itself in repositories.json and
    meta.json. `ignored_repositories` and `forced_repositories` are what it was called with.
    """

    name: str
    server_type: int
    geoapi_status: GeoAPIStatus
    repositories: tuple[Repository, ...]
    ignored_repositories: tuple[str, ...]
    forced_repositories: tuple[str, ...]
    metadata: Mapping[str, Any]
    fetch_errors: tuple[Mapping[str, str], ...]
    _up: bool

    def is_down(self) -> bool:
        """Could neither its list nor any manifest be read?"""
        return not self._up

    def is_stratum0(self) -> bool:
        """Was it scraped as a stratum 0?"""
        return self.server_type == 0

    def is_stratum1(self) -> bool:
        """Was it scraped as a stratum 1?"""
        return self.server_type == 1

    @classmethod
    def of(cls, fleet: Fleet, stratum: Stratum) -> Server:
        """The server as a program sees it."""
        repositories = sorted(map(Repository.of, stratum.replicas), key=lambda found: found.name)
        return cls(
            name=stratum.server.name,
            server_type=0 if stratum.server.role is Role.STRATUM0 else 1,
            geoapi_status=stratum.geoapi_status,
            repositories=tuple(repositories),
            ignored_repositories=fleet.ignore_repos,
            forced_repositories=named_for(fleet, stratum.server),
            metadata=_metadata(stratum),
            fetch_errors=_errors({"/cvmfs/info/v1/repositories.json": stratum.listing}),
            _up=stratum.up,
        )


def _of_manifest(manifest: Manifest) -> dict[str, Any]:
    return {
        "revision": manifest.revision,
        "revision_timestamp": manifest.published,
        "root_size": manifest.root_size,
        "root_catalogue_ttl": int(manifest.ttl.total_seconds()),
        "root_cryptographic_hash": manifest.root_catalog,
        "root_path_hash": manifest.root_path_hash,
        "full_name": manifest.repository,
        "alternative_name": manifest.alternative_path,
        "is_garbage_collectable": manifest.garbage_collectable,
        "metadata_cryptographic_hash": manifest.metainfo,
        "micro_catalogues": manifest.micro_catalog,
        "reflog_checksum_cryptographic_hash": manifest.reflog_checksum,
        "signing_certificate_cryptographic_hash": manifest.certificate,
        "tag_history_cryptographic_hash": manifest.history,
        "signature": manifest.letter and manifest.letter.signature,
    }


def _of_status(status: Status) -> dict[str, Any]:
    return {"last_gc": status.last_gc, "last_snapshot": status.last_snapshot}


def _metadata(stratum: Stratum) -> dict[str, Any]:
    listing, meta = stratum.listing.value, stratum.meta.value
    found: dict[str, Any] = {}
    if listing is not None:
        found |= {
            "schema_version": listing.schema,
            "last_geodb_update": listing.last_geodb_update,
            "cvmfs_version": listing.cvmfs_version,
            "os_id": listing.os_id,
            "os_version_id": listing.os_version_id,
            "os_pretty_name": listing.os_pretty_name,
        }
    if meta is not None:
        found |= {
            "administrator": meta.administrator,
            "email": meta.email,
            "organisation": meta.organisation,
            "custom": meta.custom,
        }
    return {name: value for name, value in found.items() if value is not None}


def _errors(readings: Mapping[str, Reading[Any]]) -> tuple[Mapping[str, str], ...]:
    bad = ((path, reading) for path, reading in readings.items() if not reading.answered)
    return tuple({"path": path, "result": reading.result.slug, "error": reading.why} for path, reading in bad)


def _names(repos: Iterable[str]) -> tuple[str, ...]:
    try:
        return values.repository_names(list(repos))
    except ValueError as error:
        raise ConfigError(f"repos: expected {error}") from error


def _log_line(line: str) -> None:
    _log.log(_LEVELS.get(line[:2], logging.INFO), without_secrets(line[3:]))
