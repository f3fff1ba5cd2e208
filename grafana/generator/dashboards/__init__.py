"""All dashboards, and the files that they become."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from grafana.generator.dashboard import Dashboard
from grafana.generator.dashboards.clients import CLIENTS
from grafana.generator.dashboards.fleet import FLEET
from grafana.generator.dashboards.freshness import FRESHNESS
from grafana.generator.dashboards.home import HOME
from grafana.generator.dashboards.repository import REPOSITORY
from grafana.generator.dashboards.server import SERVER_PAGE
from grafana.generator.dashboards.trust import TRUST

DASHBOARDS: tuple[Dashboard, ...] = (HOME, FLEET, SERVER_PAGE, REPOSITORY, TRUST, FRESHNESS, CLIENTS)


def files() -> dict[Path, str]:
    """Path below grafana/ -> text of each dashboard."""
    return {
        Path("dashboards") / one.file: json.dumps(one.json(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        for one in DASHBOARDS
    }


def may_be_empty() -> Mapping[tuple[str, int], str]:
    """Dashboard's uid and panel's number -> why the panel may rightly have no rows."""
    return {(one.uid, number): why for one in DASHBOARDS for number, why in one.quiet().items()}
