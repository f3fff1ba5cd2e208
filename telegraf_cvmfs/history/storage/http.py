"""A web server that takes PUT as a storage: nothing can be read back from it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

import requests

from telegraf_cvmfs.history.storage.content import Transient, attempts, opened, secret_in
from telegraf_cvmfs.history.storage.name import StorageError, checked
from telegraf_cvmfs.net.answer import HEADERS
from telegraf_cvmfs.words.secrecy import without_secrets

PATIENCE = (10, 60)
"""Seconds for a connection, and for silence on it."""

_PASSING = (408, 425, 429, 500, 502, 503, 504)
_REFUSED = 401


class StorageHTTP:
    """Objects below a URL, each sent by one PUT.

    Whoever sends says who it is by at most one of: `token_file`, a bearer token, read for each request; `token_url`
    with `client_id` and `client_secret` (a `Path` is read), OAuth client credentials. `client_cert` and `client_key`
    are PEM files for mutual TLS, `ca` one of authorities instead of the usual ones. The environment's proxies are not
    used; `proxy` is.
    """

    def __init__(  # noqa: PLR0913  # ways to say who sends, of which most are left out
        self,
        url: str,
        *,
        token_file: str | Path | None = None,
        token_url: str | None = None,
        client_id: str | None = None,
        client_secret: str | Path | None = None,
        client_cert: str | Path | None = None,
        client_key: str | Path | None = None,
        ca: str | Path | None = None,
        proxy: str | None = None,
    ) -> None:
        wanted = (token_url, client_id, client_secret)
        if any(one is not None for one in wanted) and (None in wanted or token_file is not None):
            raise ValueError("token_url, client_id and client_secret go together, and without token_file")
        self._url = url.rstrip("/")
        self._token_file = None if token_file is None else Path(token_file)
        self._token_url, self._client_id, self._client_secret = wanted
        self._token: str | None = None
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers.update(HEADERS)
        self._session.verify = True if ca is None else os.fspath(ca)
        if client_cert is not None:
            pair = (os.fspath(client_cert), os.fspath(client_key)) if client_key is not None else os.fspath(client_cert)
            self._session.cert = pair
        if proxy is not None:
            self._session.proxies = {"http": proxy, "https": proxy}

    def put(
        self,
        name: str,
        *,
        dict: Mapping[str, Any] | None = None,  # noqa: A002
        filename: str | Path | None = None,
        fileobj: IO[bytes] | None = None,
    ) -> None:
        """As `StorageDirectory.put`; whole as far as the server stores what it is sent whole, as nginx does."""
        url = f"{self._url}/{quote(checked(name))}"
        with opened(dict, filename, fileobj) as content:
            try:
                attempts(lambda: self._put(url, content))
            except (Transient, requests.RequestException, OSError) as error:
                raise StorageError(without_secrets(f"cannot store {url}: {error}")) from error

    def _put(self, url: str, content: IO[bytes]) -> None:
        content.seek(0)
        answer = self._ask("PUT", url, data=content, headers=self._authorization())
        if answer.status_code == _REFUSED and self._token is not None:  # it may have run out
            self._token = None
            raise Transient(f"HTTP status {answer.status_code}")
        if not answer.ok or answer.is_redirect:
            raise StorageError(f"cannot store {without_secrets(url)}: HTTP status {answer.status_code}")

    def _authorization(self) -> dict[str, str]:
        if self._token_file is not None:
            return {"Authorization": f"Bearer {secret_in(self._token_file)}"}
        if self._token_url is None:
            return {}
        self._token = self._token or self._fetched_token(self._token_url)
        return {"Authorization": f"Bearer {self._token}"}

    def _fetched_token(self, url: str) -> str:
        secret = self._client_secret
        secret = secret_in(secret) if isinstance(secret, Path) else secret
        who = {"grant_type": "client_credentials", "client_id": self._client_id, "client_secret": secret}
        answer = self._ask("POST", url, data=who)
        try:
            token = answer.json()["access_token"]
        except (ValueError, KeyError, TypeError):
            token = None
        if not answer.ok or not isinstance(token, str):
            raise StorageError(f"no token from {without_secrets(url)}: HTTP status {answer.status_code}")
        return token

    def _ask(self, method: str, url: str, **more: Any) -> requests.Response:  # noqa: ANN401
        try:
            answer = self._session.request(method, url, timeout=PATIENCE, allow_redirects=False, **more)
        except (requests.ConnectionError, requests.Timeout) as error:
            raise Transient(str(error)) from error
        if answer.status_code in _PASSING:
            raise Transient(f"HTTP status {answer.status_code}")
        return answer
