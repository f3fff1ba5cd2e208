"""A dashboard's JSON as it lies in git: sorted, without what only one Grafana means by it, and under a safe name. Pure.

Source of the fields that are dropped: Grafana numbers dashboards (`id`) and their versions (`version`, `iteration`) by
itself, and `meta` describes the copy that it has. The `uid` is kept, or links and alerts would point nowhere.
"""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

DROPPED = ("id", "iteration", "meta", "version")
OURS = "cvmfs-"
"""The uids of our own dashboards begin so; the rest is the name of the file."""

_UID = re.compile(r"[A-Za-z0-9_-]{1,40}")
_LONGEST_SLUG = 60


class DashboardError(Exception):
    """Why a JSON text is not a dashboard that we can keep or bring in, in a sentence."""


def normalised(dashboard: dict[str, Any]) -> dict[str, Any]:
    """The dashboard without what differs from one Grafana to the next."""
    return {key: value for key, value in dashboard.items() if key not in DROPPED}


def text(dashboard: dict[str, Any]) -> str:
    """The normalised dashboard as the generator would write it; `DashboardError` if it cannot be written."""
    try:
        written = json.dumps(normalised(dashboard), indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
        written.encode()  # half a pair of surrogates has no UTF-8
    except (RecursionError, ValueError) as error:
        raise DashboardError("it cannot be written as JSON in UTF-8") from error
    return written + "\n"


def read(content: bytes) -> dict[str, Any]:
    """The dashboard in a file; `DashboardError` says what else it is and where to get a right one."""
    try:
        document = json.loads(content, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise DashboardError(f"it is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise DashboardError("expected the JSON object of a dashboard")
    if "__inputs" in document:
        raise DashboardError(
            'it was exported "for sharing externally" (it has __inputs), and Grafana would not fill these in: export '
            "it without that option, or with `python -m grafana.tools export`"
        )
    if "apiVersion" in document or "elements" in document:
        raise DashboardError("it is a resource of the new API: export it as Classic model")
    if isinstance(document.get("dashboard"), dict):
        raise DashboardError('it is an answer of the API: expected what is under its key "dashboard"')
    return checked(document)


def checked(dashboard: dict[str, Any]) -> dict[str, Any]:
    """The dashboard, if it has a title and a uid that Grafana would take; else `DashboardError`."""
    title, uid = dashboard.get("title"), dashboard.get("uid")
    if not isinstance(title, str) or not title.strip():
        raise DashboardError("it has no title")
    if not isinstance(uid, str) or not _UID.fullmatch(uid):
        raise DashboardError(
            "it has no uid of 1 to 40 letters, digits, - and _: without one each import would make another dashboard"
        )
    return dashboard


def is_uid(uid: object) -> bool:
    """Whether this can be the uid of a dashboard, and so a part of a path."""
    return isinstance(uid, str) and _UID.fullmatch(uid) is not None


def file_name(dashboard: dict[str, Any], taken: set[str]) -> str:
    """The name of its file: after the uid if it is ours, else after the title; never one that leaves the folder.

    Args:
        dashboard: a checked one.
        taken: names that other dashboards have; the uid is added to one of these.
    """
    uid = dashboard["uid"]
    stem = uid.removeprefix(OURS) if uid.startswith(OURS) and uid != OURS else _slug(dashboard["title"]) or uid
    return f"{stem}-{uid}.json" if f"{stem}.json" in taken else f"{stem}.json"


def with_datasource(value: Any, uid: str) -> Any:  # noqa: ANN401  # JSON of any shape
    """The dashboard with this InfluxDB data source wherever it names one, but not where a variable says which."""
    if isinstance(value, list):
        return [with_datasource(part, uid) for part in value]
    if not isinstance(value, dict):
        return value
    changed = {key: with_datasource(part, uid) for key, part in value.items()}
    named = changed.get("uid")
    if changed.get("type") == "influxdb" and isinstance(named, str) and not named.startswith("$"):
        changed["uid"] = uid
    if changed.get("type") == "datasource" and changed.get("query") == "influxdb":  # the variable itself
        changed["current"] = {"selected": True, "text": uid, "value": uid}
    return changed


def _slug(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()[:_LONGEST_SLUG], flags=re.ASCII).strip("-")


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number of JSON")
