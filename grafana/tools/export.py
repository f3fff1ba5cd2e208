"""`export`: dashboards of a Grafana into files, so that what was changed in a browser comes back into git."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from grafana.tools import folder as folders
from grafana.tools.dashboard import DashboardError, checked, file_name, is_uid, read, text
from grafana.tools.line import Operator, tame
from grafana.tools.server import LARGEST, GrafanaError, Need, RefusedError, Server, UsageError
from telegraf_cvmfs.whole_file import PUBLIC, read_file, write_whole

_READ = Need("read this dashboard", "Viewer")
_NOT_CLASSIC = 406


def export(
    server: Server,
    uids: Sequence[str],
    folder: str,
    target: Path,
    operator: Operator,
) -> bool:
    """Write the dashboards with these uids, else all of the folder; returns whether none failed.

    Raises:
        GrafanaError: the list of dashboards cannot be had.
        UsageError: a uid or the target cannot be right.
    """
    if bad := [uid for uid in uids if not is_uid(uid)]:
        raise UsageError(f"--uid {tame(bad[0])}: expected 1 to 40 letters, digits, - and _")
    if not target.is_dir():
        raise UsageError(f"--to {target}: there is no such folder")
    wanted = list(dict.fromkeys(uids)) or _of_folder(server, folder)
    there, well = _files(target), True
    for uid in wanted:
        try:
            dashboard = fetched(server, uid, operator)
            path, old = there.get(uid, (None, None))
            path = path or target / file_name(dashboard, {file.name for file in target.glob("*.json")})
            new = text(dashboard)
            if new != old:
                write_whole(path, new.encode(), PUBLIC)
        except (GrafanaError, DashboardError) as error:
            operator.complain(f"E! dashboard {uid}: {error}")
            well = False
        except OSError as error:
            raise UsageError(f"--to {target}: {error.strerror}") from error
        else:
            operator.say(f"{'unchanged' if new == old else 'written'}  {path}  {tame(dashboard['title'], 80)}")
    return well


def _of_folder(server: Server, folder: str) -> list[str]:
    uid = folders.uid_of(server, folder)
    if uid is None:
        raise GrafanaError(f"{server.url}: there is no folder {tame(folder)}, or who asks may not see it; see --folder")
    found = folders.dashboards(server, uid)
    if not found:
        raise GrafanaError(f"{server.url}: no dashboard in the folder {tame(folder)}, or none that who asks may see")
    return found


def fetched(server: Server, uid: str, operator: Operator) -> dict[str, Any]:
    """The dashboard of this uid as Grafana has it, its `id` and `version` with it.

    Grafana 12 does not give a dashboard that was saved in the V2 format, Grafana 13 converts it, not without loss.
    """
    try:
        answer = server.get(f"/api/dashboards/uid/{uid}", _READ)
    except RefusedError as refused:
        if refused.status != _NOT_CLASSIC:
            raise
        what = (
            "it was saved in Grafana's V2 format, which this API does not give: export it in Grafana as Classic model"
        )
        raise GrafanaError(what) from refused
    dashboard, meta = (answer.get("dashboard"), answer.get("meta")) if isinstance(answer, dict) else (None, None)
    if not isinstance(dashboard, dict) or not isinstance(meta, dict):
        raise GrafanaError(f"{server.url}: the answer is not a dashboard")
    if checked(dashboard)["uid"] != uid:
        raise GrafanaError(f"{server.url}: answered with another dashboard, {tame(dashboard['uid'])}")
    if str(meta.get("apiVersion", "")).startswith("v2"):
        what = f"dashboard {uid}: it was saved in Grafana's V2 format; what Classic cannot say may be lost: compare"
        operator.complain(f"W! {what}")
    return {**dashboard, "meta": meta}


def _files(target: Path) -> dict[str, tuple[Path, str]]:
    """The dashboards that have a file there, by uid, and what it says: a new title must not make a second file."""
    files = {}
    for path in sorted(target.glob("*.json")):
        with suppress(DashboardError, OSError):
            dashboard = read(read_file(path, LARGEST))
            files[dashboard["uid"]] = (path, text(dashboard))
    return files
