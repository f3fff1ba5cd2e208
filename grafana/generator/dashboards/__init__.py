"""All dashboards, and the files that they become."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from grafana.generator.dashboard import Dashboard
from grafana.generator.dashboards.availability import AVAILABILITY
from grafana.generator.dashboards.clients import CLIENTS
from grafana.generator.dashboards.fleet import FLEET
from grafana.generator.dashboards.freshness import FRESHNESS
from grafana.generator.dashboards.home import HOME
from grafana.generator.dashboards.repository import REPOSITORY
from grafana.generator.dashboards.server import SERVER_PAGE
from grafana.generator.dashboards.trust import TRUST
from grafana.generator.source import INFLUXDB, PROMETHEUS, SOURCES, Source, linked

DASHBOARDS: tuple[Dashboard, ...] = (
    HOME, FLEET, SERVER_PAGE, REPOSITORY, TRUST, FRESHNESS, AVAILABILITY, CLIENTS
)  # fmt: skip


FOLDERS: Mapping[str, Path] = {
    INFLUXDB.kind: Path("grafana/dashboards"),
    PROMETHEUS.kind: Path("prometheus/dashboards"),
}
"""Where the dashboards for each kind of data source are."""


def files() -> dict[Path, str]:
    """Path below the root -> text of each dashboard."""
    return {
        FOLDERS[source.kind] / one.file: text(one, source)
        for source in SOURCES
        for one in DASHBOARDS
        if one.can_ask(source)
    }


def text(dashboard: Dashboard, source: Source) -> str:
    """The file of a dashboard for a data source."""
    page = json.dumps(dashboard.json(source), indent=2, sort_keys=True, ensure_ascii=False)
    return linked(page, source) + "\n"


def may_be_empty() -> Mapping[tuple[str, int], str]:
    """Dashboard's uid and panel's number -> why the panel may rightly have no rows."""
    return {
        (source.page(one.uid), number): why
        for source in SOURCES
        for one in DASHBOARDS
        for number, why in one.quiet().items()
    }
