"""Ways from a value to the page that explains it; the chosen variables and the time range go along."""

from __future__ import annotations

from grafana.generator.look import Link

KEPT = "${datasource:queryparam}&${fresh:queryparam}&${__url_time_range}"
FLEET_OF_ROW = "var-fleet=${__data.fields.fleet:percentencode}"

HOME, FLEET, SERVER, REPOSITORY, TRUST, FRESHNESS, AVAILABILITY, CLIENTS = (
    f"cvmfs-{page}"
    for page in ("home", "fleet", "server", "repository", "trust", "freshness", "availability", "clients")
)

TO_SERVER = Link("This server", f"/d/{SERVER}?var-server=${{__value.raw:percentencode}}&{FLEET_OF_ROW}&{KEPT}")
TO_REPOSITORY = Link(
    "This repository", f"/d/{REPOSITORY}?var-repo=${{__value.raw:percentencode}}&{FLEET_OF_ROW}&{KEPT}"
)
TO_REPOSITORY_OF_ANY_FLEET = Link(
    "This repository", f"/d/{REPOSITORY}?var-repo=${{__value.raw:percentencode}}&${{fleet:queryparam}}&{KEPT}"
)
TO_FINDING = Link("What this means and what to do", "${docs}/findings/${__value.raw}.md", new_tab=True)

TO_SILENCE = Link("Why a scraper is silent and what to do", "${docs}/alerts.md#cvmfs-scraper-silent", new_tab=True)


def to_page(uid: str, title: str) -> Link:
    """A way to another dashboard, with the same fleets."""
    return Link(title, f"/d/{uid}?${{fleet:queryparam}}&{KEPT}")


def to_page_of(finding: str) -> Link:
    """A way to the page about one finding."""
    return Link(f"What {finding} means and what to do", f"${{docs}}/findings/{finding}.md", new_tab=True)
