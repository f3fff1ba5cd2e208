"""`create-token`: a service account with a role, and a token for it that ends."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from grafana.tools.line import tame
from grafana.tools.server import GrafanaError, Need, RefusedError, Server

_FIND = Need("look at service accounts", "Admin")
_MAKE = Need("make service accounts", "Admin")
_TOKEN = Need("make tokens", "Admin")
_LONGEST_KEY = 512


@dataclass(frozen=True)
class Token:
    """A token of a service account.

    Attributes:
        key: the secret; Grafana tells it only once.
        name: what Grafana lists it under.
        made: whether the service account was made for it.
    """

    key: str
    name: str
    made: bool


def create_token(server: Server, name: str, role: str, life: timedelta | None, now: datetime) -> Token:
    """A new token of the service account `name`, which is made if it is not there; None lives for ever.

    Raises:
        GrafanaError: it is there with another role, or disabled, or Grafana does not allow it.
    """
    account = _found(server, name)
    made = account is None
    if account is None:
        form = {"name": name, "role": role, "isDisabled": False}
        account = _account(server, server.post("/api/serviceaccounts", _MAKE, form))
    else:
        _fits(server, account, name, role)
    label = f"{name}-{now:%Y%m%dT%H%M%S.%fZ}"  # the names of tokens are unique in the whole organisation
    seconds = 0 if life is None else max(1, int(life.total_seconds()))
    path = f"/api/serviceaccounts/{account['id']}/tokens"
    try:
        answer = server.post(path, _TOKEN, {"name": label, "secondsToLive": seconds})
    except RefusedError as refused:
        if "expiration" in refused.reason:
            what = f"this Grafana limits how long tokens live: see --expires ({refused.reason})"
            raise GrafanaError(what) from refused
        raise
    key = answer.get("key") if isinstance(answer, dict) else None
    if not isinstance(key, str) or not 0 < len(key) <= _LONGEST_KEY or not key.isascii() or not key.isprintable():
        raise GrafanaError(f"{server.url}: made the token {label} but did not tell it; delete it there and try again")
    return Token(key, label, made)


def _found(server: Server, name: str) -> dict[str, Any] | None:
    """The service account of this name; Grafana finds all that have the name in theirs."""
    answer = server.get("/api/serviceaccounts/search", _FIND, query=name, perpage=1000, page=1)
    rows = answer.get("serviceAccounts") if isinstance(answer, dict) else None
    if not isinstance(rows, list):
        raise GrafanaError(f"{server.url}: the answer is not a list of service accounts")
    found = [row for row in rows if isinstance(row, dict) and row.get("name") == name]
    return _account(server, found[0]) if found else None


def _account(server: Server, document: object) -> dict[str, Any]:
    if not isinstance(document, dict) or type(document.get("id")) is not int:
        raise GrafanaError(f"{server.url}: the answer is not a service account")
    return document


def _fits(server: Server, account: dict[str, Any], name: str, role: str) -> None:
    """Never more, nor less, than was asked for because of an account that happens to have the name."""
    if account.get("role") != role:
        has = tame(server.hide(str(account.get("role"))), 40)
        raise GrafanaError(f"the service account {name} has the role {has}, not {role}: choose another --name")
    if account.get("isDisabled") is True:
        raise GrafanaError(f"the service account {name} is disabled: enable it in Grafana, or choose another --name")
