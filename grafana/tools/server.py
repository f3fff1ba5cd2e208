"""One Grafana over HTTP: its address, who asks, and what it answers, kept small, short and on one host.

The requests are those of Grafana's HTTP API under `/api`, which Grafana 10 to 13 serve. Every answer is JSON of at
most `LARGEST` bytes within `seconds`; whatever else comes is a `GrafanaError` of one sentence.
"""

from __future__ import annotations

import base64
import contextlib
import json
import signal
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

import requests
import urllib3.exceptions

from grafana.tools.line import tame

LARGEST = 32 << 20
"""Bytes that an answer may have: the alerts of a large fleet, or a dashboard, are well below."""

SECONDS = 30.0
"""How long a request may take from its beginning to the last byte of its answer."""

_CHUNK = 65536
_STALE = (
    "the token is not accepted: it has expired, was deleted or is another Grafana's; make one with "
    "`python -m grafana.tools create-token`"
)
_UNKNOWN = "user name and password are not accepted: see GRAFANA_USER and GRAFANA_PASSWORD"
_CONNECT, _READ = 5.0, 15.0  # s; for one step each, the whole has `seconds`


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
        # requests would write them in Latin-1, which not every password fits into.
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()


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
        headers = {"Authorization": self.credentials.header(), "Accept": "application/json"}
        headers |= {"Accept-Encoding": "identity", "User-Agent": "telegraf-cvmfs grafana.tools"}
        with _within(self.seconds, self.url), _Session() as session:
            try:
                with session.request(
                    method,
                    self.url + path,
                    params=dict(query),
                    json=document,
                    headers=headers,
                    timeout=(_CONNECT, _READ),
                    stream=True,
                    verify=str(self.authority) if self.authority else True,
                ) as answer:
                    return self._read(answer, need)
            except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
                raise GrafanaError(f"{self.url}: {_trouble(error)}") from error

    def _read(self, answer: requests.Response, need: Need) -> Any:  # noqa: ANN401
        if answer.is_redirect or answer.headers.get("Location"):
            where = tame(answer.headers.get("Location", "elsewhere"))
            raise GrafanaError(f"{self.url} sends us on to {where}, where no token goes: give Grafana's own --url")
        body = self._body(answer)
        try:
            document = json.loads(body, parse_constant=_no_number)
        except (ValueError, RecursionError):
            document = None
        if answer.status_code >= 400:  # noqa: PLR2004
            self._refuse(answer.status_code, document, need)
        if document is None:
            kind = tame(answer.headers.get("Content-Type", "nothing that has a type"), 60)
            raise GrafanaError(f"{self.url} answered with {kind}, not JSON: is it Grafana's address, and all of it?")
        return document

    def _body(self, answer: requests.Response) -> bytes:
        body = bytearray()
        while chunk := answer.raw.read(_CHUNK):
            body += chunk
            if len(body) > LARGEST:
                raise GrafanaError(f"{self.url}: the answer is larger than {LARGEST >> 20} MiB, and was not read on")
        return bytes(body)

    def _refuse(self, status: int, document: object, need: Need) -> NoReturn:
        said = document.get("message") if isinstance(document, dict) else None
        reason = tame(said) if isinstance(said, str) and said else ""
        raise RefusedError(f"{self.url}: {self._because(status, need)}{reason and f' ({reason})'}", status, reason)

    def _because(self, status: int, need: Need) -> str:
        failed = f"Grafana failed with HTTP status {status}: its own log says why"
        other = failed if status >= 500 else f"Grafana refused to {need.what} with HTTP status {status}"  # noqa: PLR2004
        return {
            401: _STALE if self.credentials.token else _UNKNOWN,
            403: f"who asks may not {need.what}: it needs the role {need.role}",
            404: f"there is nothing to {need.what}: is the base path in --url complete?",
            429: "too many requests: try again in a minute",
        }.get(status, other)


class _Session(requests.Session):
    """A session that leaves the environment and redirects alone."""

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False  # a .netrc would replace the token, a proxy would see it

    def get_redirect_target(self, _response: requests.Response) -> None:
        """Never one: the token is for this host alone. Without this `requests` would read where it leads to anyway."""
        return


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


def _trouble(error: Exception) -> str:
    """What a connection that failed means, in words."""
    if isinstance(error, requests.exceptions.SSLError):
        return (
            "its TLS certificate is not accepted (expired, another host's, or of an authority that is not known here: "
            f"--ca names one's file): {tame(error.args[0] if error.args else error, 300)}"
        )
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return f"no connection within {_CONNECT:.0f} s: is the host right, and does a firewall let us through?"
    if isinstance(error, requests.exceptions.Timeout) or "timed out" in str(error):
        return f"no answer within {_READ:.0f} s"
    if "NameResolution" in str(error) or "getaddrinfo" in str(error):
        return "its host name is not known"
    if "refused" in str(error):
        return "nobody listens there: does Grafana run, and is the port right?"
    return f"the connection broke: {tame(error, 300)}"


class _TimeUpError(Exception):
    """The seconds of a request are over."""


@contextlib.contextmanager
def _within(seconds: float, url: str) -> Iterator[None]:
    """The block, or `GrafanaError` after so many seconds, whatever it waits for.

    The time-outs of sockets are for each read, so an answer of a byte a second never meets one. Only the main thread
    can be woken by a signal; in others those time-outs are all there is.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def up(*_: object) -> NoReturn:
        raise _TimeUpError

    before = signal.signal(signal.SIGALRM, up)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    except _TimeUpError:
        raise GrafanaError(f"{url}: the answer was not complete within {seconds:.0f} s") from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
