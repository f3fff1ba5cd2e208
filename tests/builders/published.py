"""What servers publish, as bytes: lists, manifests, whitelists, status. Nobody signed them; `signed` has those that are."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
"""When tests look at what is published here."""

LIST = "/cvmfs/info/v1/repositories.json"
META = "/cvmfs/info/v1/meta.json"
EMPTY_PATH = "d41d8cd98f00b204e9800998ecf8427e"
SIGNATURE = b"\xff\x00\n--\n signature"
STATUS = b'{"last_snapshot": "Sun Nov 22 11:00:00 UTC 2026"}'

Documents = dict[str, bytes]
"""What a server serves, by path."""


def letter(*lines: str) -> bytes:
    """The signed form of these lines, with a hash and a signature that are none."""
    return "".join(f"{line}\n" for line in lines).encode() + f"--\n{'0' * 40}\n".encode() + SIGNATURE


def manifest(
    repo: str,
    revision: int = 6,
    published: datetime | None = NOW - timedelta(hours=2),
    *,
    root: str | None = None,
    certificate: str | None = None,
) -> bytes:
    """A manifest; its root catalog is that of its revision unless another is given."""
    lines = [f"C{root or f'{revision:040x}'}", "B57344", f"R{EMPTY_PATH}", "D240", f"S{revision}", f"N{repo}"]
    lines += [f"X{certificate}"] if certificate else []
    lines += [f"T{published.timestamp():.0f}"] if published else []
    return letter(*lines)


def whitelist(repo: str, expires: datetime = NOW + timedelta(days=39)) -> bytes:
    """A whitelist without fingerprints."""
    return letter("20261101000000", f"E{expires:%Y%m%d%H%M%S}", f"N{repo}")


def listing(*replicas: str, repositories: tuple[str, ...] = ()) -> bytes:
    """A list of these replicas and originals, each under its own name."""

    def entries(names: tuple[str, ...]) -> list[dict[str, str]]:
        return [{"name": name, "url": f"/cvmfs/{name}"} for name in names]

    return json.dumps({"schema": 1, "repositories": entries(repositories), "replicas": entries(replicas)}).encode()


def repository(
    repo: str, revision: int = 6, published: datetime | None = NOW - timedelta(hours=2), path: str = ""
) -> Documents:
    """What lies at the place of a healthy replica."""
    base = f"/cvmfs/{path or repo}/"
    return {
        f"{base}.cvmfspublished": manifest(repo, revision, published),
        f"{base}.cvmfswhitelist": whitelist(repo),
        f"{base}.cvmfs_status.json": STATUS,
    }
