"""When the last snapshot was, where only a marker file beside the manifest says so."""

from __future__ import annotations

from dataclasses import replace

from telegraf_cvmfs.model import Reading, Replica, Status
from telegraf_cvmfs.scraping.asking.job import Job
from telegraf_cvmfs.scraping.documents import LAST_SNAPSHOT, beside
from telegraf_cvmfs.scraping.reader import Reader


def with_marker(reader: Reader, replica: Replica, status: Reading[Status]) -> Job[Reading[Status]]:
    """The status with what the marker says: servers before 2.7, and those without jq, have nothing else."""
    if not status.answered or (status.value is not None and status.value.last_snapshot is not None):
        return status
    marker: Reading[Status] = yield from reader.read(
        beside(replica, LAST_SNAPSHOT), LAST_SNAPSHOT.limit, LAST_SNAPSHOT.parse
    )
    if marker.value is not None:
        known = status.value or Status()
        unreadable = tuple(key for key in known.unreadable if key[0] != "last_snapshot")
        last_snapshot = marker.value.last_snapshot
        return replace(marker, value=replace(known, last_snapshot=last_snapshot, unreadable=unreadable))
    if marker.answered:
        return status
    if status.value is None:
        return marker
    unread = ("last_snapshot", f"{LAST_SNAPSHOT.name} was not read: {marker.fault_or_why}")
    unreadable = (*(one for one in status.value.unreadable if one[0] != "last_snapshot"), unread)
    return replace(status, value=replace(status.value, unreadable=unreadable))
