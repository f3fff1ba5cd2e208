"""Where a bucket has a repository: nobody can know that from its URL, so each place is tried."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from telegraf_cvmfs.fleet.targets import places_of
from telegraf_cvmfs.model import Manifest, Reading, Replica, Result
from telegraf_cvmfs.scraping.asking.job import Job
from telegraf_cvmfs.scraping.documents import LARGEST_MANIFEST
from telegraf_cvmfs.scraping.reader import FORBIDDEN, Reader


def absent(manifest: Reading[Manifest]) -> bool:
    """Is there none, on a server that may be a bucket? Those who may not list one are told 403."""
    return manifest.result is Result.NOT_FOUND or manifest.http_status == FORBIDDEN


def look_elsewhere(reader: Reader, replica: Replica, parse: Callable[[bytes], Manifest]) -> Job[Replica]:
    """A replica that was not where it was thought to be, as it was found at the first other place that has it.

    Where none has, its reading says where it was looked for.
    """
    others: dict[str, int | None] = {}
    for url in places_of(replica.server, replica.repo):
        if url != replica.url:
            reading = yield from reader.read(url, LARGEST_MANIFEST, parse)
            if not (absent(reading) or reading.broken):
                return replace(replica, url=url, manifest=reading)
            others[url] = reading.http_status
    first = f"not served (HTTP {replica.manifest.http_status})"
    why = ", nor at ".join((first, *(f"{url} (HTTP {status})" for url, status in others.items())))
    return replace(replica, manifest=replace(replica.manifest, why=why))


def absent_if_forbidden(replica: Replica) -> Replica:
    """On S3 a 403 means that there is no such object; known only once the server is known to be S3."""
    if replica.manifest.http_status != FORBIDDEN:
        return replica
    return replace(replica, manifest=replace(replica.manifest, result=Result.NOT_FOUND))
