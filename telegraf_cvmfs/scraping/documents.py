"""The documents that are read from a server, beside its manifests: their names, size limits and readers. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from telegraf_cvmfs.model import Listed, Listing, Manifest, ParseError, Replica, Result
from telegraf_cvmfs.wire.manifest import parse_manifest, path_of
from telegraf_cvmfs.wire.partial import parse_partial
from telegraf_cvmfs.wire.repositories import parse_listing, parse_meta
from telegraf_cvmfs.wire.status import parse_last_snapshot, parse_snapshotting, parse_status
from telegraf_cvmfs.wire.whitelist import parse_whitelist

KIB = 1024


@dataclass(frozen=True)
class Document:
    """A file on a server: its path there, or its name beside a manifest; no more than `limit` bytes are read."""

    name: str
    limit: int
    parse: Callable[[bytes], Any]
    of_source: bool = True  # a repository has it where it is published too


LISTING = Document("/cvmfs/info/v1/repositories.json", 4096 * KIB, parse_listing)
META = Document("/cvmfs/info/v1/meta.json", 256 * KIB, parse_meta)
LAST_SNAPSHOT = Document(".cvmfs_last_snapshot", 64 * KIB, parse_last_snapshot)
PARTIAL = Document(".cvmfs_partial_replication", 1024 * KIB, parse_partial, of_source=False)
DETAILS: Mapping[str, Document] = {
    "whitelist": Document(".cvmfswhitelist", 64 * KIB, parse_whitelist),
    "status": Document(".cvmfs_status.json", 64 * KIB, parse_status),
    "snapshotting": Document(".cvmfs_is_snapshotting", 64 * KIB, parse_snapshotting, of_source=False),
}
"""What lies beside each manifest, by the field of a replica that it fills."""

LARGEST_MANIFEST = 64 * KIB  # real ones have less than 4 KiB
LARGEST_ORDER = 4 * KIB
LARGEST_CERTIFICATE = 64 * KIB
MOST_TOLD = 20


class NameMismatchError(ParseError):
    """A good manifest, of another repository."""


def own_manifest(repo: str, body: bytes) -> Manifest:
    """The manifest of this repository.

    Raises:
        ParseError: it is no manifest.
        NameMismatchError: it is another's.
    """
    manifest = parse_manifest(body)
    if manifest.repository != repo:
        found = f"it is the manifest of {manifest.repository}" if manifest.repository else "it names no repository"
        raise NameMismatchError("manifest", f"{found}, not of {repo}")
    return manifest


def certificate_url(replica: Replica) -> str | None:
    """Where the certificate lies that signed the manifest of a replica; None if none is named."""
    return _object_url(replica, "X", lambda manifest: manifest.certificate)


def root_catalog_url(replica: Replica) -> str | None:
    """Where the root catalog lies that the manifest of a replica names; None without a manifest."""
    return _object_url(replica, "C", lambda manifest: manifest.root_catalog)


def _object_url(replica: Replica, suffix: str, name_in: Callable[[Manifest], str | None]) -> str | None:
    manifest = replica.manifest.value
    name = None if manifest is None else name_in(manifest)
    if manifest is None or name is None:
        return None
    return replica.url.removesuffix(".cvmfspublished") + path_of(manifest, name, suffix)


def beside(replica: Replica, document: Document) -> str:
    """The URL of a document that lies beside the manifest of a replica."""
    return replica.url.removesuffix(".cvmfspublished") + document.name


def details(replica: Replica) -> dict[str, Document]:
    """What more there is to ask; nothing of a repository that neither is there nor ought to be."""
    expected = replica.listed in (Listed.SOURCE, Listed.REPLICA) or replica.manifest.result is not Result.NOT_FOUND
    return {field: document for field, document in DETAILS.items() if expected and _has(replica, document)}


def told(listing: Listing) -> tuple[str, ...]:
    """What no repository could be made of in a list, in no more lines than somebody reads."""
    more = len(listing.rejected) - MOST_TOLD
    return (*listing.rejected[:MOST_TOLD], *([f"and {more} more entries like these"] if more > 0 else ()))


def complete(replica: Replica) -> bool:
    """Has everything been asked, whatever the answers?"""
    readings = [replica.manifest, *(getattr(replica, field) for field in details(replica))]
    if replica.up and not replica.pass_through:
        readings.append(replica.root_catalog)
        readings += [] if replica.proxied is None else [replica.proxied]
    return all(reading.result is not Result.DEADLINE for reading in readings)


def _has(replica: Replica, document: Document) -> bool:
    return document.of_source or not replica.source
