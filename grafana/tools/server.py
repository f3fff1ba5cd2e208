"""One Grafana over HTTP: its address, who asks, and what it answers, kept small, short and on one host.

The requests are those of Grafana's HTTP API under `/api`, which Grafana 10 to 13 serve. Every answer is JSON of at
most `LARGEST` bytes within `seconds`; whatever else comes is a `GrafanaError` of one sentence.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlencode, urlsplit

from grafana.tools.line import tame
from telegraf_cvmfs.model import Cause, FetchError, Result
from telegraf_cvmfs.net.deadline import Deadline
from telegraf_cvmfs.net.question import Question, Reply, basic
from telegraf_cvmfs.net.web import Web
from telegraf_cvmfs.words.secrecy import HIDDEN, Secrecy, credentials

LARGEST = 32 << 20
"""Bytes that an answer may have: the alerts of a large fleet, or a dashboard, are well below."""

SECONDS = 30.0
"""How long a request may take from its beginning to the last byte of its answer."""

_LONG = 8
"""Characters of a token that is no word; Grafana's have 46."""

_STALE = (
    "the token is not accepted: it has expired, was deleted or is another Grafana's; make one with "
    "`python -m grafana.tools create-token --name NAME --output FILE`"
)
_UNKNOWN = "user name and password are not accepted: see GRAFANA_USER and GRAFANA_PASSWORD"


class GrafanaError(Exception):
    """What went wrong and what to do about it, in one sentence."""


class UsageError(Exception):
    """What is wrong with how the command was called, in one sentence."""


class RefusedError(GrafanaError):
    """Grafana answered, but with an error: `status` is HTTP's, `reason` its own message."""

    def __init__(self, sentence: str, status: int, reason: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.reason = reason


@dataclass(frozen=True)
class Need:
    """What a request is for ("create folders") and the role that Grafana wants for it: for the sentence of a 403."""

    what: str
    role: str


@dataclass(frozen=True)
class Credentials:
    """A service account's token, or a user's name and password; neither is ever shown."""

    token: str = field(default="", repr=False)
    user: str = ""
    password: str = field(default="", repr=False)

    def header(self) -> str:
        """The value of `Authorization`."""
        if self.token:
            return f"Bearer {self.token}"
        return basic(self.user, self.password)


@dataclass(frozen=True)
class Server:
    """A Grafana, asked as somebody.

    Attributes:
        url: with its base path, if it has one, and without a slash at its end; see `address`.
        authority: a file of certificate authorities (PEM) instead of the usual ones.
        seconds: the longest time for one request.
    """

    url: str
    credentials: Credentials
    authority: Path | None = None
    seconds: float = SECONDS

    def get(self, path: str, need: Need, **query: str | int) -> Any:  # noqa: ANN401  # JSON of any shape
        """The document at this path of the API; `RefusedError` for an HTTP error, else `GrafanaError`."""
        return self._ask("GET", path, need, query, None)

    def post(self, path: str, need: Need, document: Mapping[str, Any]) -> Any:  # noqa: ANN401
        """What Grafana answers to this document."""
        return self._ask("POST", path, need, {}, document)

    def _ask(
        self, method: str, path: str, need: Need, query: Mapping[str, str | int], document: Mapping[str, Any] | None
    ) -> Any:  # noqa: ANN401
        headers = {"Authorization": self.credentials.header(), "User-Agent": "telegraf-cvmfs grafana.tools"}
        headers |= {} if document is None else {"Content-Type": "application/json"}
        body = b"" if document is None else json.dumps(document).encode()
        asked = f"?{urlencode(query)}" if query else ""
        question = Question(f"{self.url}{path}{asked}", headers, method, body)
        try:
            reply = Web(Deadline(self.seconds), self.seconds, LARGEST, self.authority).ask(question)
        except FetchError as error:
            raise GrafanaError(f"{self.url}: {self._trouble(error)}") from error
        return self._read(reply, need)

    def _read(self, reply: Reply, need: Need) -> Any:  # noqa: ANN401
        if location := reply.headers.get("location"):
            raise GrafanaError(
                f"{self.url} sends us on to {tame(self.hide(location))}, where no token goes: give Grafana's own --url"
            )
        try:
            document = json.loads(self._without_token(reply.body), parse_constant=_no_number)
        except (ValueError, RecursionError):
            document = None
        if reply.status >= 400:  # noqa: PLR2004
            self._refuse(reply, document, need)
        if document is None:
            kind = tame(self.hide(reply.headers.get("content-type", "nothing that has a type")), 60)
            raise GrafanaError(f"{self.url} answered with {kind}, not JSON: is it Grafana's address, and all of it?")
        return document

    def _without_token(self, body: bytes) -> bytes:
        """What came, whatever of it is shown or written later: no Grafana has a reason to repeat our token."""
        token = self.credentials.token.encode()
        return body.replace(token, HIDDEN.encode()) if len(token) >= _LONG else body

    def hide(self, said: str) -> str:
        """A text of the server, to be shown, without what it was asked with; to be called before it is cut."""
        return Secrecy(credentials(self.credentials.header())).hide(said)

    def _trouble(self, error: FetchError) -> str:
        """What it means, in words, that there is no answer."""
        if error.cause is Cause.REFUSED:
            return "nobody listens there: does Grafana run, and is the port right?"
        return {
            Result.TLS_ERROR: "its TLS certificate is not accepted (expired, another host's, or of an authority that "
            f"is not known here: --ca names one's file): {tame(error, 300)}",
            Result.TIMEOUT: f"the answer was not complete within {self.seconds:.0f} s",
            Result.DEADLINE: f"the answer was not complete within {self.seconds:.0f} s",
            Result.DNS_ERROR: "its host name is not known",
            Result.TOO_LARGE: f"the answer is larger than {LARGEST >> 20} MiB, and was not read on",
        }.get(error.result, f"the connection broke: {tame(error, 300)}")

    def _refuse(self, reply: Reply, document: object, need: Need) -> NoReturn:
        said = document.get("message") if isinstance(document, dict) else None
        reason = tame(self.hide(said)) if isinstance(said, str) and said else ""
        because = self._because(reply.status, need)
        raise RefusedError(f"{self.url}: {because}{reason and f' ({reason})'}", reply.status, reason)

    def _because(self, status: int, need: Need) -> str:
        failed = f"Grafana failed with HTTP status {status}: its own log says why"
        other = failed if status >= 500 else f"Grafana refused to {need.what} with HTTP status {status}"  # noqa: PLR2004
        return {
            401: _STALE if self.credentials.token else _UNKNOWN,
            403: f"who asks may not {need.what}: it needs the role {need.role}",
            404: f"there is nothing to {need.what}: is the base path in --url complete?",
            429: "too many requests: try again in a minute",
        }.get(status, other)


def address(url: str) -> str:
    """The URL of a Grafana, checked, without a slash at its end; `UsageError` says what was expected."""
    expected = "expected http:// or https://, a host and perhaps a port and a base path"
    try:
        parts = urlsplit(url)
        wrong = parts.scheme not in {"http", "https"} or not parts.hostname or parts.port == 0
    except ValueError:
        wrong = True
    if wrong or parts.query or parts.fragment or not url.isascii() or not url.isprintable() or " " in url:
        raise UsageError(f"--url, GRAFANA_URL: {expected}")  # not quoted: it may hold a password
    if "@" in parts.netloc:
        raise UsageError("--url, GRAFANA_URL: leave user name and password out of it, others could see them")
    return url.rstrip("/")


def plain(url: str) -> bool:
    """Whether a secret sent there could be read on its way: neither TLS nor this machine."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    return parts.scheme == "http" and host not in {"localhost", "::1"} and not host.startswith("127.")


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
