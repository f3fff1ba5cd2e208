"""The folders of a Grafana and the dashboards in them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from grafana.tools.dashboard import is_uid
from grafana.tools.line import tame
from grafana.tools.server import GrafanaError, Need, RefusedError, Server

ROOT = "General"
"""What Grafana calls the place of dashboards that are in no folder."""

_LOOK = Need("look at folders and dashboards", "Viewer")
_MAKE = Need("make folders", "Editor")
_PAGE = 1000
_PAGES = 50


def uid_of(server: Server, name: str) -> str | None:
    """The uid of the folder with this title or uid: "" for the root, None if there is none.

    Raises:
        GrafanaError: several folders have this title.
    """
    if name == ROOT:
        return ""
    folders = {row.get("uid"): row.get("title") for row in _rows(server, "/api/folders")}
    if name in folders:
        return name
    found = [str(uid) for uid, title in folders.items() if title == name and is_uid(uid)]
    if len(found) > 1:
        raise GrafanaError(f"{len(found)} folders are called {tame(name)}: give the uid of one ({', '.join(found)})")
    return found[0] if found else None


def made(server: Server, name: str) -> str:
    """The uid of the folder with this title or uid, which is made if there is none."""
    found = uid_of(server, name)
    if found is not None:
        return found
    try:
        answer = server.post("/api/folders", _MAKE, {"title": name})
    except RefusedError as refused:
        found = uid_of(server, name) if refused.status in {409, 412} else None  # somebody else just made it
        if found is None:
            raise
        return found
    uid = answer.get("uid") if isinstance(answer, dict) else None
    if not is_uid(uid):
        raise GrafanaError(f"Grafana made the folder {tame(name)} but did not say its uid")
    return str(uid)


def dashboards(server: Server, folder: str) -> list[str]:
    """The uids of the dashboards in a folder, sorted; "" is the root."""
    rows = _rows(server, "/api/search", type="dash-db", folderUIDs=folder or "general")
    uids = [row.get("uid") for row in rows]
    if not all(map(is_uid, uids)):
        raise GrafanaError(f"{server.url}: a dashboard in its list has no usable uid")
    return sorted(set(map(str, uids)))


def _rows(server: Server, path: str, **query: str) -> Iterator[dict[str, Any]]:
    """The rows of all pages of a list."""
    for page in range(1, _PAGES + 1):
        rows = server.get(path, _LOOK, **query, limit=_PAGE, page=page)
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise GrafanaError(f"{server.url}{path}: expected a list, is it Grafana?")
        yield from rows
        if len(rows) < _PAGE:
            return
    raise GrafanaError(f"{server.url}{path}: the list does not end")
