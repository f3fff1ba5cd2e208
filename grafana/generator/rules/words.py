"""What an alert says: a sentence of its own, and what it means for clients, from the page about the finding.

The templates are Go's. They say `.Labels.server` and never `$labels.server`: in which values of a provisioning file
Grafana expands environment variables has changed more than once, and without a dollar sign it does not matter.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

PAGES = Path(__file__).parents[3] / "docs" / "findings"

SERVER = "{{ .Labels.server }}{{ with .Labels.address }} ({{ . }}){{ end }}"
REPLICA = f"{{{{ .Labels.repo }}}}{{{{ with .Labels.alias }}}} (served as {{{{ . }}}}){{{{ end }}}} on {SERVER}"
FLEET = "{{ with .Labels.fleet }}fleet {{ . }}{{ else }}any fleet{{ end }}"
"""The last one stands for all fleets where there is no data at all, because then there is no label either."""

SUMMARIES: Mapping[str, str] = {
    "redundancy": "{{ .Labels.repo }}: too few stratum 1s, or none, serve it as they should",
    "server_down": f"{SERVER} is down: nothing can be read from it",
    "list_unread": f"{SERVER} is up, but its list of repositories cannot be read",
    "geoapi_wrong": f"The GeoAPI of {SERVER} puts servers into a wrong order",
    "geoapi_down": f"The GeoAPI of {SERVER} gives no usable answer",
    "geodb_old": f"The database of places of {SERVER} is too old",
    "members_differ": f"The machines behind {SERVER} do not serve the same",
    "manifest": f"{REPLICA}: the manifest is missing or not one of this repository",
    "snapshot_old": f"{REPLICA}: the last snapshot was too long ago",
    "snapshot_stuck": f"{REPLICA}: a snapshot has been running for too long, or was killed",
    "lagging": f"{REPLICA}: without something published for too long",
    "gc_old": f"{REPLICA}: the last garbage collection was too long ago",
    "check_failed": f"{REPLICA}: the server's last integrity check failed",
    "whitelist": f"{REPLICA}: the whitelist expires soon, has expired or is missing",
    "signature": f"{REPLICA}: clients refuse it, because the signatures do not hold",
    "root_catalog": f"{REPLICA}: clients cannot mount it, because of its root catalog",
    "diverged": f"{REPLICA}: the same revision has another root catalog elsewhere",
    "ahead": f"{REPLICA}: a newer revision than its stratum 0 has",
    "backwards": f"{REPLICA}: an older revision than was there before",
    "proxy_stale": f"{REPLICA}: the proxy gives an old manifest",
    "scraper_silent": f"Nothing has been written for {FLEET} for half an hour",
    "deadline_hit": f"Run after run of {FLEET} ends at its deadline before all is read",
    "interrupted": f"Run after run of {FLEET} is ended by a signal before all is read",
}

_OF_THE_SCRAPER: Mapping[str, str] = {
    "scraper_silent": "Nobody watches: other alerts of this fleet end or stay away, whatever happens to its servers."
    " Telegraf, the plugin or the database does not work, or the fleet was taken out of use.",
    "deadline_hit": "What was not asked for want of time is unknown, so faults there go unnoticed."
    " A server answers slowly, or the fleet needs a longer deadline.",
    "interrupted": "What was not asked by then is unknown, so faults there go unnoticed."
    " Telegraf stops runs at its own timeout: make it longer than the run's deadline.",
}


def description(finding: str) -> str:
    """What it means for clients: the first point of the page about it; OSError or IndexError where there is none."""
    if finding in _OF_THE_SCRAPER:
        return _OF_THE_SCRAPER[finding]
    meaning = (PAGES / f"{finding}.md").read_text(encoding="utf-8").split("\n## What it means\n\n")[1]
    first = re.split(r"^\* ", meaning.split("\n\n")[0], flags=re.MULTILINE)[1]
    return " ".join(first.split())


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
    ("redundancy", "warning"): Patience(
        30 * MINUTE, "clients have another server; a reboot, and what it delays, is over"
    ),
    ("redundancy", "critical"): Patience(
        _ONE_READING, "users feel it; one odd reading, even with the next run lost, is over"
    ),
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
    ("interrupted", "warning"): Patience(30 * MINUTE, "six runs in a row: a restart of Telegraf ends one at most"),
}
"""By finding and severity. Normal replication has no finding at all: to be some revisions behind is health 0."""
