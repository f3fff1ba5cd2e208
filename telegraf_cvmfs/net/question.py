"""A question over HTTP and its answer, as values: who asks is an argument. Pure."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any
from urllib.parse import urlsplit

from telegraf_cvmfs.words.secrecy import Secrecy, credentials


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
LONGEST_QUOTE = 200
_LONGEST_LOOKED_AT = 64 * 1024


@dataclass(frozen=True)
class Question:
    """One request; the headers may hold a secret, so it has no repr."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    method: str = "GET"
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class Reply:
    """One answer, of whatever status; names of headers in lower case. `asked_with` is the question's Authorization."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    asked_with: str = field(default="", repr=False)

    def json(self) -> Any:  # noqa: ANN401
        """What it holds; None where that is no JSON."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    def without_secrets(self, said: str) -> str:
        """A part of it that is to be shown: servers repeat what they were told. To be called before it is cut."""
        return Secrecy(credentials(self.asked_with)).hide(said)

    def said(self) -> str:
        """Its own words about what is wrong: the `error` or `message` of its JSON, else its first characters."""
        document = self.json()
        if isinstance(document, dict):
            for name in ("error", "message"):
                if isinstance(document.get(name), str) and document[name]:
                    return self.without_secrets(document[name])[:LONGEST_QUOTE]
        words = self.without_secrets(self.body[:_LONGEST_LOOKED_AT].decode(errors="replace"))
        return repr(words[:60]) if words else f"HTTP status {self.status}"


Ask = Callable[[Question], Reply]
"""The answer to a question; `FetchError` where there is none."""


def basic(user: str, password: str) -> str:
    """The value of an Authorization header with a user and a password, in UTF-8 (RFC 7617)."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def web_address(url: str) -> bool:
    """Can a question be asked there at all?"""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        return False
