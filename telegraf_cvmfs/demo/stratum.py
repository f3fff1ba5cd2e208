"""A stratum in memory: what it serves is a dict, path -> bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from telegraf_cvmfs.demo.repository import Repository, Revision, manifest, objects, reflog, whitelist
from telegraf_cvmfs.demo.signing import Keys

CVMFS_VERSION = "2.11.5-1"
MASTER_REPLICA = b"This file marks the repository as replicatable to stratum 1 servers\n"


@dataclass(frozen=True)
class Copy:
    """One repository on one stratum: the revision it has, and what the server's own tools last did to it."""

    repository: Repository
    revision: Revision
    last_snapshot: datetime | None = None
    last_gc: datetime | None = None
    last_check: datetime | None = None
    check_status: str | None = None  # "succeeded", "failed"
    snapshotting: datetime | None = None  # since when a snapshot has been running
    pass_through: bool = False


@dataclass(frozen=True)
class Stratum:
    """A server with its copies: originals on a stratum 0, replicas on a stratum 1."""

    name: str
    copies: tuple[Copy, ...]
    replicates: bool
    last_geodb_update: datetime | None = None

    def documents(self, keys: Keys) -> dict[str, bytes]:
        """Everything that it serves: path from the server's root -> bytes."""
        served = {
            "/cvmfs/info/v1/repositories.json": _json(self._listing()),
            "/cvmfs/info/v1/meta.json": _json(self._meta()),
        }
        for copy in self.copies:
            files = _published(copy, keys) | self._markers(copy)
            served |= {f"{copy.repository.path}/{name}": content for name, content in files.items()}
        return served

    def _listing(self) -> dict[str, object]:
        entries = [_entry(copy) for copy in self.copies]
        geodb = {"last_geodb_update": utc_date(self.last_geodb_update)} if self.last_geodb_update else {}
        return {
            "schema": 1,
            **geodb,
            "cvmfs_version": CVMFS_VERSION,
            "os_id": "debian",
            "os_version_id": "12",
            "os_pretty_name": "Debian GNU/Linux 12 (bookworm)",
            "repositories": [] if self.replicates else entries,
            "replicas": entries if self.replicates else [],
        }

    def _meta(self) -> dict[str, object]:
        return {
            "administrator": "Demo Operations",
            "email": "operations@demo.example",
            "organisation": f"Demo, {self.name}",
            "custom": {"_comment": "Put arbitrary structured data here"},
        }

    def _markers(self, copy: Copy) -> dict[str, bytes]:
        if copy.pass_through:
            return {}
        marks = _status(copy) | _snapshot_marks(copy)
        if not self.replicates:
            return marks | {
                ".cvmfs_master_replica": MASTER_REPLICA,
                ".cvmfsreflog": reflog(copy.repository, copy.revision),
            }
        return marks | {".cvmfsreflog": reflog(copy.repository, copy.revision) + self.name.encode()}


def utc_date(moment: datetime) -> str:
    """What `date --utc` prints for it in the C locale: `Sun Nov  1 02:30:00 UTC 2026`."""
    moment = moment.astimezone(UTC)
    return f"{moment:%a %b} {moment.day:2d} {moment:%H:%M:%S} UTC {moment:%Y}"


def _published(copy: Copy, keys: Keys) -> dict[str, bytes]:
    """Manifest, whitelist, and the objects of every revision up to the copy's."""
    repository = copy.repository
    files = {
        ".cvmfspublished": manifest(repository, copy.revision, keys),
        ".cvmfswhitelist": whitelist(repository, keys),
    }
    earlier = (known for known in repository.revisions if known.number < copy.revision.number)
    for revision in (*earlier, copy.revision):
        files |= objects(repository, revision, keys)
    return files


def _entry(copy: Copy) -> dict[str, object]:
    repository = copy.repository
    alias = {"alias": repository.alias} if repository.alias else {}
    pass_through = {"pass-through": True} if copy.pass_through else {}
    return {"name": repository.name, **alias, **pass_through, "url": repository.path}


def _status(copy: Copy) -> dict[str, bytes]:
    """`.cvmfs_status.json`, which is not there until one of the tools had something to write."""
    moments = {
        "last_snapshot": copy.last_snapshot,
        "last_gc": copy.last_gc,
        "last_check": copy.last_check,
    }
    status = {key: utc_date(moment) for key, moment in moments.items() if moment}
    if copy.check_status:
        status["check_status"] = copy.check_status
    return {".cvmfs_status.json": _json(status) + b"\n"} if status else {}


def _snapshot_marks(copy: Copy) -> dict[str, bytes]:
    moments = {".cvmfs_last_snapshot": copy.last_snapshot, ".cvmfs_is_snapshotting": copy.snapshotting}
    return {name: utc_date(moment).encode() + b"\n" for name, moment in moments.items() if moment}


def _json(value: Mapping[str, object]) -> bytes:
    return json.dumps(value, indent=2).encode()
