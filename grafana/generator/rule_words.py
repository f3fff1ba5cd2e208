"""What an alert says: a sentence of its own, and what it means for clients, from the page about the finding.

The templates are Go's. They say `.Labels.server` and never `$labels.server`: in which values of a provisioning file
Grafana expands environment variables has changed more than once, and without a dollar sign it does not matter.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

PAGES = Path(__file__).parents[2] / "docs" / "findings"

SERVER = "{{ .Labels.server }}{{ with .Labels.address }} ({{ . }}){{ end }}"
REPLICA = f"{{{{ .Labels.repo }}}}{{{{ with .Labels.alias }}}} (served as {{{{ . }}}}){{{{ end }}}} on {SERVER}"
FLEET = "{{ with .Labels.fleet }}fleet {{ . }}{{ else }}any fleet{{ end }}"
"""The last one stands for all fleets where there is no data at all, because then there is no label either."""

SUMMARIES: Mapping[str, str] = {
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
}

_OF_THE_SCRAPER: Mapping[str, str] = {
    "scraper_silent": "Nobody watches: other alerts of this fleet end or stay away, whatever happens to its servers."
    " Telegraf, the plugin or the database does not work, or the fleet was taken out of use.",
    "deadline_hit": "What was not asked for want of time is unknown, so faults there go unnoticed."
    " A server answers slowly, or the fleet needs a longer deadline.",
}


def description(finding: str) -> str:
    """What it means for clients: the first point of the page about it; OSError or IndexError where there is none."""
    if finding in _OF_THE_SCRAPER:
        return _OF_THE_SCRAPER[finding]
    meaning = (PAGES / f"{finding}.md").read_text(encoding="utf-8").split("\n## What it means\n\n")[1]
    first = re.split(r"^\* ", meaning.split("\n\n")[0], flags=re.MULTILINE)[1]
    return " ".join(first.split())
