"""What a Grafana knows and how it answers: the state behind `grafana_server`, and who may ask for which part of it."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

ROLES = ("Viewer", "Editor", "Admin")


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]  # names in lower case
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Stored:
    """A dashboard as Grafana has it."""

    dashboard: dict[str, Any]
    folder: str = ""
    provisioned: bool = False
    api_version: str = ""


@dataclass
class RefusalError(Exception):
    status: int
    message: str
    more: dict[str, Any] = field(default_factory=dict)


@dataclass
class Grafana:
    url: str = ""
    version: str = "13.2.0"
    user: str = "admin"
    password: str = "a-test's password"  # noqa: S105
    tokens: dict[str, str] = field(default_factory=lambda: {role: f"glsa_{role.lower()}s_token" for role in ROLES})
    datasources: dict[str, dict[str, Any]] = field(
        default_factory=lambda: {"influxdb": {"id": 1, "uid": "influxdb", "name": "InfluxDB", "type": "influxdb"}}
    )
    unhealthy: dict[str, str] = field(default_factory=dict)  # uid of a data source -> what its health check says
    folders: dict[str, str] = field(default_factory=dict)  # uid -> title
    dashboards: dict[str, Stored] = field(default_factory=dict)  # by uid
    rules: list[dict[str, Any]] = field(default_factory=list)  # uid, title, ruleGroup, labels
    alerts: list[Any] = field(default_factory=list)  # as the Alertmanager has them
    newest_run: datetime | None = None  # what every query of every data source answers
    accounts: list[dict[str, Any]] = field(default_factory=list)
    issued: list[dict[str, Any]] = field(default_factory=list)  # tokens of accounts: name, account, secondsToLive, key
    longest_life: int = -1  # s; as token_max_seconds_to_live
    broken: dict[str, Callable[[Any], None]] = field(
        default_factory=dict
    )  # beginning of a path -> what happens instead
    asked: list[Asked] = field(default_factory=list)

    @property
    def token(self) -> str:
        return self.tokens["Viewer"]

    def add_dashboard(self, dashboard: dict[str, Any], folder: str = "", **more: Any) -> None:
        """As provisioning or a person would; the folder by its title."""
        uid = next((uid for uid, title in self.folders.items() if title == folder), "")
        if folder and not uid:
            uid = f"folder-{len(self.folders) + 1}"
            self.folders[uid] = folder
        number = len(self.dashboards) + 1
        stored = {"version": 1, **dashboard, "id": number}
        self.dashboards[dashboard["uid"]] = Stored(stored, uid, **more)

    def writes(self) -> list[Asked]:
        return [asked for asked in self.asked if asked.method != "GET"]


def authorize(state: Grafana, asked: Asked, needed: str) -> None:
    """The role of who asks, or 401, or 403."""
    if not needed:
        return
    kind, _, secret = asked.headers.get("authorization", "").partition(" ")
    if kind == "Bearer":
        accounts = {account["name"]: account["role"] for account in state.accounts}
        issued = {token["key"]: accounts[token["account"]] for token in state.issued}
        role = next((role for role, token in state.tokens.items() if token == secret), issued.get(secret, ""))
        if not role:
            raise RefusalError(
                401, "Invalid API key", {"messageId": "api-key.invalid", "statusCode": 401, "traceID": ""}
            )
    elif kind == "Basic":
        if base64.b64decode(secret).decode() != f"{state.user}:{state.password}":
            raise RefusalError(
                401, "Invalid username or password", {"messageId": "password-auth.failed", "statusCode": 401}
            )
        role = "Admin"
    else:
        raise RefusalError(401, "Unauthorized")
    if ROLES.index(role) < ROLES.index(needed):
        what = "You'll need additional permissions to perform this action. Permissions needed: (a test's)"
        raise RefusalError(403, what, {"accessErrorId": "ACE0123456789", "title": "Access denied"})


Reply = tuple[int, Any]


def _form(asked: Asked) -> dict[str, Any]:
    """The request's JSON, which counts only if it is said to be JSON."""
    if asked.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise RefusalError(400, "bad request data")
    try:
        form = json.loads(asked.body)
    except ValueError:
        raise RefusalError(400, "bad request data") from None
    if not isinstance(form, dict):
        raise RefusalError(400, "bad request data")
    return form


# --- what is served ---------------------------------------------------------------------------------


def _health(state: Grafana, _asked: Asked) -> Reply:
    return 200, {"commit": "0123456789", "database": "ok", "version": state.version}


def _org(_state: Grafana, _asked: Asked) -> Reply:
    return 200, {"id": 1, "name": "Main Org."}


def _datasource(state: Grafana, _asked: Asked, uid: str) -> Reply:
    if uid not in state.datasources:
        raise RefusalError(404, "Data source not found")
    return 200, state.datasources[uid]


def _datasource_health(state: Grafana, asked: Asked, uid: str) -> Reply:
    _datasource(state, asked, uid)
    if uid in state.unhealthy:
        return 400, {"status": "ERROR", "message": state.unhealthy[uid]}
    return 200, {"status": "OK", "message": "datasource is working. 4 measurements found"}


def _query(state: Grafana, asked: Asked) -> Reply:
    results = {}
    for query in _form(asked)["queries"]:
        if query["datasource"]["uid"] not in state.datasources:
            raise RefusalError(404, "data source not found")
        fields = [{"name": "Time", "type": "time"}, {"name": "Value", "type": "number"}]
        newest = [] if state.newest_run is None else [int(state.newest_run.timestamp() * 1000)]
        frame = {"schema": {"refId": query["refId"], "fields": fields}, "data": {"values": [newest, [1] * len(newest)]}}
        results[query["refId"]] = {"status": 200, "frames": [frame] if newest else []}
    return 200, {"results": results}


def _search(state: Grafana, asked: Asked) -> Reply:
    """Dashboards and folders, a page of them; of some folders only where `folderUIDs` says so."""
    kind, folders = asked.query.get("type", [""])[0], asked.query.get("folderUIDs", [])
    hits: list[dict[str, Any]] = []
    for uid, stored in state.dashboards.items():
        if kind != "dash-folder" and (not folders or (stored.folder or "general") in folders):
            place = {"folderUid": stored.folder, "folderTitle": state.folders.get(stored.folder, "")}
            hits.append({"uid": uid, "title": stored.dashboard["title"], "type": "dash-db", **place})
    if kind != "dash-db":
        hits += [{"uid": uid, "title": title, "type": "dash-folder"} for uid, title in state.folders.items()]
    return 200, _page(asked, hits, 5000)


def _page(asked: Asked, rows: list[Any], most: int) -> list[Any]:
    limit = min(int(asked.query.get("limit", ["1000"])[0]), most)
    begin = (int(asked.query.get("page", ["1"])[0]) - 1) * limit
    return rows[begin : begin + limit]


def _dashboard(state: Grafana, _asked: Asked, uid: str) -> Reply:
    stored = state.dashboards.get(uid)
    if stored is None:
        raise RefusalError(404, "Dashboard not found")
    place = {"folderUid": stored.folder, "folderTitle": state.folders.get(stored.folder, "General")}
    meta = {"version": stored.dashboard["version"], "provisioned": stored.provisioned, **place}
    return 200, {"dashboard": stored.dashboard, "meta": {**meta, "apiVersion": stored.api_version or "v1"}}


def _save(state: Grafana, asked: Asked) -> Reply:
    form = _form(asked)
    dashboard, folder = dict(form["dashboard"]), form.get("folderUid", "")
    uid = dashboard.get("uid") or f"made-up-{len(state.dashboards) + 1}"
    old = state.dashboards.get(uid)
    if not dashboard.get("title"):
        raise RefusalError(400, "Dashboard title cannot be empty", {"status": "empty-name"})
    if not re.fullmatch(r"[a-zA-Z0-9_-]+", uid) or len(uid) > 40:
        raise RefusalError(400, "uid contains illegal characters")
    if dashboard.get("id") and dashboard["id"] not in [row.dashboard["id"] for row in state.dashboards.values()]:
        raise RefusalError(404, "Dashboard not found", {"status": "not-found"})
    if folder and folder not in state.folders:
        raise RefusalError(400, "folder not found")
    if old and old.provisioned:
        raise RefusalError(400, "Cannot save provisioned dashboard")
    if old and not form.get("overwrite") and dashboard.get("version") != old.dashboard["version"]:
        raise RefusalError(412, "The dashboard has been changed by someone else", {"status": "version-mismatch"})
    number = old.dashboard["id"] if old else len(state.dashboards) + 1
    version = old.dashboard["version"] + 1 if old else 1
    state.dashboards[uid] = Stored({**dashboard, "id": number, "uid": uid, "version": version}, folder)
    return 200, {"id": number, "uid": uid, "url": f"/d/{uid}/x", "status": "success", "version": version, "slug": "x"}


def _folders(state: Grafana, asked: Asked) -> Reply:
    rows = [{"id": number, "uid": uid, "title": title} for number, (uid, title) in enumerate(state.folders.items(), 1)]
    return 200, _page(asked, rows, 1000)


def _new_folder(state: Grafana, asked: Asked) -> Reply:
    form = _form(asked)
    uid, title = form.get("uid") or f"folder-{len(state.folders) + 1}", form.get("title")
    if not title:
        raise RefusalError(400, "folder title cannot be empty")
    if uid in state.folders:
        raise RefusalError(409, "a folder/dashboard with the same uid already exists")
    state.folders[uid] = title
    return 200, {"id": len(state.folders), "uid": uid, "title": title, "version": 1}


def _rules(state: Grafana, _asked: Asked) -> Reply:
    return 200, state.rules


def _ruler(state: Grafana, _asked: Asked) -> Reply:
    groups: dict[str, list[Any]] = {}
    for rule in state.rules:
        alert = {"uid": rule["uid"], "title": rule["title"]}
        row = {"for": "5m", "labels": rule.get("labels", {}), "grafana_alert": alert}
        groups.setdefault(rule.get("ruleGroup", "cvmfs"), []).append(row)
    return 200, {"CVMFS": [{"name": name, "interval": "1m", "rules": rows} for name, rows in groups.items()]}


def _alerts(state: Grafana, _asked: Asked) -> Reply:
    return 200, state.alerts


def _accounts(state: Grafana, asked: Asked) -> Reply:
    part = asked.query.get("query", [""])[0]
    rows = [account for account in state.accounts if part.lower() in account["name"].lower()]
    return 200, {"totalCount": len(rows), "serviceAccounts": rows, "page": 1, "perPage": 1000}


def _new_account(state: Grafana, asked: Asked) -> Reply:
    form = _form(asked)
    if form.get("role") not in ROLES:
        raise RefusalError(400, "invalid role specified", {"messageId": "serviceaccounts.ErrInvalidRoleSpecified"})
    if any(account["name"] == form["name"] for account in state.accounts):
        what = f"service account with name {form['name']} already exists"
        raise RefusalError(400, what, {"messageId": "serviceaccounts.ErrAlreadyExists"})
    number = len(state.accounts) + 2
    account = {"id": number, "name": form["name"], "login": f"sa-1-{form['name']}", "orgId": 1, "isDisabled": False}
    state.accounts.append({**account, "role": form["role"], "tokens": 0})
    return 201, {**account, "role": form["role"], "teams": None}


def _new_token(state: Grafana, asked: Asked, number: str) -> Reply:
    form = _form(asked)
    account = next((row for row in state.accounts if row["id"] == int(number)), None)
    if account is None:
        raise RefusalError(404, "service account not found")
    life = form.get("secondsToLive", 0)
    if state.longest_life != -1 and not life:
        raise RefusalError(400, "Number of seconds before expiration should be set")
    if state.longest_life != -1 and life > state.longest_life:
        raise RefusalError(400, "Number of seconds before expiration is greater than the global limit")
    if any(token["name"] == form["name"] for token in state.issued):
        raise RefusalError(400, "service account token with given name already exists in the organization")
    key = f"glsa_{len(state.issued)}{datetime.now(UTC):%H%M%S%f}"
    state.issued.append({"name": form["name"], "account": account["name"], "secondsToLive": life, "key": key})
    return 200, {"id": len(state.issued), "name": form["name"], "key": key}


ROUTES: list[tuple[str, str, str, Callable[..., Reply]]] = [
    ("GET", "/api/health", "", _health),
    ("GET", "/api/org", "Viewer", _org),
    ("GET", "/api/datasources/uid/([^/]+)", "Viewer", _datasource),
    ("GET", "/api/datasources/uid/([^/]+)/health", "Viewer", _datasource_health),
    ("POST", "/api/ds/query", "Viewer", _query),
    ("GET", "/api/search/?", "Viewer", _search),
    ("GET", "/api/dashboards/uid/([^/]+)", "Viewer", _dashboard),
    ("POST", "/api/dashboards/db/?", "Editor", _save),
    ("GET", "/api/folders/?", "Viewer", _folders),
    ("POST", "/api/folders/?", "Editor", _new_folder),
    ("GET", "/api/v1/provisioning/alert-rules/?", "Viewer", _rules),
    ("GET", "/api/ruler/grafana/api/v1/rules/?", "Viewer", _ruler),
    ("GET", "/api/alertmanager/grafana/api/v2/alerts", "Viewer", _alerts),
    ("GET", "/api/serviceaccounts/search", "Admin", _accounts),
    ("POST", "/api/serviceaccounts/?", "Admin", _new_account),
    ("POST", r"/api/serviceaccounts/(\d+)/tokens", "Admin", _new_token),
]
