"""Does a replica have only a part of its repository? Asked once a day, and never of a server that is too old for it."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from telegraf_cvmfs.model import Cause, Partial, Reading, Replica
from telegraf_cvmfs.scraping.asking.job import Job
from telegraf_cvmfs.scraping.documents import PARTIAL, beside
from telegraf_cvmfs.scraping.reader import Reader
from telegraf_cvmfs.words.log import Log

ASKED_EVERY = timedelta(days=1)
FIRST_VERSION = (2, 14)
"""Of CernVM-FS, that can make partial replicas."""

_VERSION = re.compile(r"([0-9]{1,4})\.([0-9]{1,4})(?![0-9])")


def may_be_partial(replica: Replica, version: str | None) -> bool:
    """Is it worth asking? `version` is what the server says of its CernVM-FS, None if it says nothing."""
    if replica.source or replica.pass_through or not replica.up:
        return False
    said = _VERSION.match(version or "")
    return said is None or (int(said[1]), int(said[2])) >= FIRST_VERSION


def partial_of(reader: Reader, replica: Replica, known: Partial | None, now: datetime, log: Log) -> Job[Partial | None]:
    """What is known of a replica, asked anew if that is a day old; None without any answer."""
    if known is not None and timedelta(0) <= now - known.asked < ASKED_EVERY:
        return known
    reading: Reading[bool] = yield from reader.read(beside(replica, PARTIAL), PARTIAL.limit, PARTIAL.parse)
    if reading.answered:
        return Partial(reading.value is not None, now)
    if reading.http_status is None or reading.untried or reading.cause is Cause.SERVER_ERROR:
        return known
    log(f"W! {replica.server.label}: {replica.repo}: {PARTIAL.name}: {reading.fault_or_why}")
    return Partial(None, now)
