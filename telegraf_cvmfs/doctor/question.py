"""A question over HTTP and its answer, and what it means where there is none. Pure: who asks is an argument."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any
from urllib.parse import urlsplit

from telegraf_cvmfs.doctor.chain import Link, Step, Verdict
from telegraf_cvmfs.model import FetchError, Result

TIME_IS_UP = "the doctor's time was up (--deadline)"


class Status(IntEnum):
    """Statuses of an answer that mean something here (RFC 9110, 15)."""

    OK = 200
    NO_CONTENT = 204
    BAD_REQUEST = 400
    UNAUTHORIZED = 401
    FORBIDDEN = 403
    NOT_FOUND = 404
    INTERNAL_SERVER_ERROR = 500


REDIRECTS = (301, 302, 303, 307, 308)

_LONGEST_QUOTE = 200


@dataclass(frozen=True)
class Question:
    """One request; the headers may hold a secret, so it has no repr."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    method: str = "GET"
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class Reply:
    """One answer, of whatever status; names of headers in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:  # noqa: ANN401
        """What it holds; None where that is no JSON."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    def said(self) -> str:
        """Its own words about what is wrong: the `error` or `message` of its JSON, else its first characters."""
        document = self.json()
        if isinstance(document, dict):
            for name in ("error", "message"):
                if isinstance(document.get(name), str) and document[name]:
                    return str(document[name])[:_LONGEST_QUOTE]
        return repr(self.body[:60].decode(errors="replace")) if self.body else f"HTTP status {self.status}"


Ask = Callable[[Question], Reply]
"""The answer to a question; `FetchError` where there is none."""


def web_address(url: str) -> bool:
    """Can a question be asked there at all?"""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        return False


def no_web_address(link: Link, url: str, variable: str) -> Step:
    """What is said of an address that is none."""
    shown = url.rpartition("@")[2]  # before it may be a password that made it none
    what = f"{variable} is not the address of a server: {shown[:_LONGEST_QUOTE]!r}"
    return Step(link, Verdict.WRONG, what, f"write http://host:port or https://host:port into {variable}")


def unanswered(link: Link, url: str, error: FetchError, advice: str) -> Step:
    """What it means that nothing came; `advice` is for when nobody listens there."""
    if error.result is Result.DEADLINE:
        return Step(link, Verdict.NOT_ASKED, TIME_IS_UP, "give the doctor more time: --deadline 180")
    return Step(link, Verdict.WRONG, f"no answer from {url}: {error}", _REMEDIES.get(error.result, advice))


def start_it(service: str, variable: str, command: str) -> str:
    """What to do where nobody listens: the command that starts all parts together, else that of its own service."""
    if command:
        return f"start it: {command}"
    return f"start it: sudo systemctl start {service} (./stack up in Docker), or correct {variable}"


def redirected(link: Link, url: str, reply: Reply, variable: str) -> Step:
    """What is said of a redirect: it is not followed, for a login goes with each question."""
    where = reply.headers.get("location", "nowhere")[:_LONGEST_QUOTE]
    what = f"{url} redirects to {where!r}: not followed, so that no login goes to a stranger"
    return Step(link, Verdict.WRONG, what, f"write the address itself into {variable}, if you trust it")


_REMEDIES = {
    Result.DNS_ERROR: "is the name in the address right, and has this machine a DNS server?",
    Result.TIMEOUT: "it takes too long, or a firewall drops what is sent there: look at its log and its load",
    Result.TLS_ERROR: "does it speak https there, with a certificate that this machine trusts (SSL_CERT_FILE)?",
    Result.TOO_LARGE: "that is no answer to what was asked: is something else listening at this address?",
    Result.HTTP_ERROR: "what listens there does not speak HTTP: is the port right?",
}
