"""How long a condition must hold before an alert fires, for each finding and severity, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@dataclass(frozen=True)
class Patience:
    """A rule's `for`, and what normal event is over by then."""

    span: timedelta
    why: str


_ONE_READING = 15 * MINUTE
"""An odd reading shows for up to 12 minutes: a run every 5 minutes, started up to 30 s late, the next one lost."""

_AGE = Patience(_ONE_READING, "the limit is hours; one odd reading, even with the next run lost, is over")
_AGE_WARNING = Patience(30 * MINUTE, "the limit is hours; a snapshot that ends just after it is not worth a message")
_DAYS = Patience(HOUR, "the limit is days: an hour more costs nothing")
_REBOOT = Patience(20 * MINUTE, "a reboot of ten minutes, as two or three runs see it, is over")

PATIENCE: Mapping[tuple[str, str], Patience] = {
    ("server_down", "critical"): _REBOOT,
    ("list_unread", "info"): Patience(6 * HOUR, "clients never read the list: time for whoever works on the server"),
    ("geoapi_wrong", "warning"): Patience(90 * MINUTE, "a wrong answer may stay in the server's cache for an hour"),
    ("geoapi_down", "critical"): Patience(30 * MINUTE, "a reboot is over, and the GeoAPI has started after it"),
    ("geodb_old", "warning"): _DAYS,
    ("members_differ", "warning"): Patience(30 * MINUTE, "the machines get a chance to make one more snapshot"),
    ("manifest", "warning"): Patience(HOUR, "a repository is being moved or removed, and the fleet file follows"),
    ("manifest", "critical"): Patience(20 * MINUTE, "a web server that is up before its disks is over"),
    ("snapshot_old", "warning"): _AGE_WARNING,
    ("snapshot_old", "critical"): _AGE,
    ("snapshot_stuck", "warning"): _AGE_WARNING,
    ("lagging", "warning"): _AGE_WARNING,
    ("lagging", "critical"): _AGE,
    ("gc_old", "warning"): _DAYS,
    ("gc_old", "critical"): _DAYS,
    ("check_failed", "warning"): Patience(HOUR, "the verdict is that of a check days ago: an hour more costs nothing"),
    ("whitelist", "warning"): _DAYS,
    ("whitelist", "critical"): Patience(_ONE_READING, "one odd reading, even with the next run lost, is over"),
    ("signature", "critical"): Patience(20 * MINUTE, "caches with one old document, in a change of keys, are over"),
    ("root_catalog", "critical"): Patience(20 * MINUTE, "a web server that is up before its disks is over"),
    ("diverged", "critical"): Patience(HOUR, "the next snapshot takes over what the original has, if it is to be had"),
    ("ahead", "warning"): Patience(30 * MINUTE, "a publication in the midst of a run, or a stale cache, is over"),
    ("backwards", "warning"): Patience(30 * MINUTE, "a stale cache before the server is over"),
    ("proxy_stale", "warning"): Patience(30 * MINUTE, "the proxy gets a chance to ask the server again"),
    ("scraper_silent", "critical"): Patience(
        10 * MINUTE, "no run for 30 minutes at least, then a restart of database or Grafana is over"
    ),
    ("deadline_hit", "warning"): Patience(30 * MINUTE, "six runs in a row: a single slow one tells nothing"),
}
"""By finding and severity. Normal replication has no finding at all: to be some revisions behind is health 0."""
