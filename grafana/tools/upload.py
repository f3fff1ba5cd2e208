"""`import`: dashboards of files into a Grafana that does not read them by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grafana.tools import folder as folders
from grafana.tools.dashboard import DashboardError, normalised, read, text, with_datasource
from grafana.tools.export import fetched
from grafana.tools.line import Operator, tame
from grafana.tools.server import GrafanaError, Need, RefusedError, Server, UsageError
from telegraf_cvmfs.whole_file import read_file, within

_SAVE = Need("save this dashboard", "Editor")
_DATASOURCE = Need("read this data source", "Viewer")
_LARGEST = 16 << 20
_MESSAGE = "python -m grafana.tools import"


@dataclass(frozen=True)
class Wish:
    """How to import.

    Attributes:
        folder: title or uid of the folder; made if missing.
        overwrite: whether a dashboard that is there may be replaced.
        datasource: uid of the InfluxDB data source to use; "" leaves it to the dashboards.
    """

    folder: str
    overwrite: bool = False
    datasource: str = ""


def upload(server: Server, paths: Sequence[Path], wish: Wish, operator: Operator) -> bool:
    """Import these files, and the `*.json` of these folders; returns whether none failed.

    All files are read before anything is sent, so that a broken one changes nothing.
    """
    found = [(path, _dashboard(path, wish)) for path in _files(paths)]
    _one_each(found)
    _check_datasource(server, wish.datasource)
    place, well = folders.made(server, wish.folder), True
    for path, dashboard in found:
        try:
            operator.say(f"{_put(server, dashboard, place, wish, operator)}  {path}  {tame(dashboard['title'], 80)}")
        except (GrafanaError, DashboardError) as error:
            operator.complain(f"E! {path}: {error}")
            well = False
    return well


def _files(paths: Sequence[Path]) -> list[Path]:
    files: list[Path] = []
    for path in paths:
        inside = sorted(path.glob("*.json")) if path.is_dir() else [path]
        if not inside:
            raise UsageError(f"{path}: no *.json in this folder")
        files += inside
    return files


def _dashboard(path: Path, wish: Wish) -> dict[str, Any]:
    try:
        content = read_file(path, _LARGEST, within())
        if len(content) > _LARGEST:
            raise DashboardError(f"it is larger than {_LARGEST >> 20} MiB")
        dashboard = normalised(read(content))
        return with_datasource(dashboard, wish.datasource) if wish.datasource else dashboard
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from error
    except DashboardError as error:
        raise UsageError(f"{path}: {error}") from error
    except RecursionError as error:
        raise UsageError(f"{path}: it is nested too deeply to be a dashboard") from error


def _one_each(found: Sequence[tuple[Path, dict[str, Any]]]) -> None:
    first: dict[str, Path] = {}
    for path, dashboard in found:
        if other := first.get(dashboard["uid"]):
            raise UsageError(f"{path}: has the same uid as {other}, {dashboard['uid']}; each needs its own")
        first[dashboard["uid"]] = path


def _check_datasource(server: Server, uid: str) -> None:
    if not uid:
        return
    if not uid.isascii() or not uid.replace("-", "").replace("_", "").isalnum():
        raise UsageError(f"--datasource {tame(uid)}: expected a uid of letters, digits, - and _")
    try:
        server.get(f"/api/datasources/uid/{uid}", _DATASOURCE)
    except RefusedError as refused:
        if refused.status == 404:  # noqa: PLR2004
            raise GrafanaError(f"{server.url}: no data source has the uid {uid}; see --datasource") from refused
        if refused.status != 403:  # noqa: PLR2004  # one may use data sources that one may not read
            raise


def _put(server: Server, dashboard: dict[str, Any], place: str, wish: Wish, operator: Operator) -> str:
    """Bring one dashboard in; returns what was done: created, unchanged or replaced."""
    try:
        there = fetched(server, dashboard["uid"], operator)
    except RefusedError as refused:
        if refused.status != 404:  # noqa: PLR2004
            raise
        _save(server, dashboard, place, overwrite=False)
        return "created"
    if text(there) == text(dashboard) and there["meta"].get("folderUid", "") == place:
        return "unchanged"
    if there["meta"].get("provisioned") is True:
        raise GrafanaError(
            "Grafana has it from a file (provisioning) and lets nobody else change it: change that file, or give this "
            "dashboard another uid"
        )
    if not wish.overwrite:
        raise GrafanaError(
            "a dashboard with this uid is there and differs, or is in another folder; --overwrite replaces it (Grafana "
            "keeps the old one among its versions)"
        )
    _save(server, dashboard, place, overwrite=True)
    return "replaced"


def _save(server: Server, dashboard: dict[str, Any], place: str, *, overwrite: bool) -> None:
    form = {"dashboard": {**dashboard, "id": None}, "folderUid": place, "message": _MESSAGE, "overwrite": overwrite}
    try:
        server.post("/api/dashboards/db", _SAVE, form)
    except RefusedError as refused:
        raise GrafanaError(_why(refused)) from refused


def _why(refused: RefusedError) -> str:
    if refused.status in {409, 412}:
        return (
            "Grafana has a newer one, or another dashboard with its uid or name: somebody saved it just now, or it is "
            f"where who asks cannot see it. Look at it, then import again with --overwrite ({refused.reason})"
        )
    if refused.status == 422:  # noqa: PLR2004
        return f"Grafana does not take an alert or a panel in it ({refused.reason})"
    if "provisioned" in refused.reason:
        return f"Grafana has it from a file (provisioning): change that file ({refused.reason})"
    return str(refused)
