"""Why something is not ok, for strangers: a phrase for each finding, and no word of what was seen."""

from __future__ import annotations

from collections.abc import Mapping

REASONS: Mapping[str, str] = {
    "redundancy": "served by too few servers",
    "server_down": "does not answer",
    "list_unread": "its list of repositories could not be read",
    "geoapi_wrong": "its GeoAPI puts servers into a wrong order",
    "geoapi_down": "its GeoAPI does not work",
    "geodb_old": "its database of places is old",
    "manifest": "not served, or not a valid manifest",
    "snapshot_old": "the last snapshot is old",
    "snapshot_stuck": "a snapshot has been running for too long",
    "lagging": "behind what was published",
    "gc_old": "the last garbage collection is old",
    "check_failed": "the last integrity check failed",
    "whitelist": "the whitelist expires soon, or has expired",
    "signature": "clients refuse the signature",
    "root_catalog": "the root catalog cannot be used",
    "diverged": "another root catalog than elsewhere",
    "ahead": "newer than its source",
    "backwards": "its revision went backwards",
    "proxy_stale": "a proxy serves an old revision",
    "members_differ": "the machines behind its name differ",
}


def reason(finding: object) -> str | None:
    """The phrase of a finding; None for what is none."""
    return REASONS.get(finding) if isinstance(finding, str) else None
