"""Hides secrets in what is printed, whoever says it: servers repeat what they were told. Pure."""

from __future__ import annotations

import contextlib
import json
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from urllib.parse import quote, quote_plus, urlsplit, urlunsplit

HIDDEN = "***"
"""What stands for a secret."""

_LONG = 8  # characters of a secret that is no word

_SECRET_NAME = re.compile(r"PASSWORD|PASSWD|TOKEN|SECRET|CREDENTIAL|PRIVATE|API_?KEY", re.IGNORECASE)
_IN_URL = re.compile(r"(\w+://)[^\s/@\"']+@")


class Secrecy:
    """Hides secrets in what others say, in each form in which they travel."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms = {form for secret in secrets if secret for form in _forms(secret)}
        self._forms = [_pattern(form) for form in sorted(forms, key=len, reverse=True)]  # one may be part of another

    def hide(self, said: str) -> str:
        """The text without any of the secrets, and without logins in URLs."""
        for form in self._forms:
            said = form.sub(HIDDEN, said)
        return _IN_URL.sub(rf"\1{HIDDEN}@", said)


def credentials(authorization: str) -> set[str]:
    """The secrets in the value of an Authorization header: what stands in it, and Basic's password."""
    scheme, _, given = authorization.partition(" ")
    found = {given}
    if scheme.lower() == "basic":
        with contextlib.suppress(ValueError):
            found.add(b64decode(given, validate=True).decode(errors="replace").partition(":")[2])
    return found - {""}


def _pattern(form: str) -> re.Pattern[str]:
    """What finds a form of a secret: a short one, which may be a word like another, only where it stands alone."""
    exact = re.escape(form)
    return re.compile(exact if len(form) >= _LONG else rf"(?<![\w-]){exact}(?![\w-])")


def is_secret(name: str) -> bool:
    """Does a variable of this name sound like one that holds a secret?"""
    return _SECRET_NAME.search(name) is not None


def secrets_in(*environments: Mapping[str, str]) -> set[str]:
    """Values of variables whose names sound like a secret's, and logins in URLs."""
    found = set()
    for environment in environments:
        for name, value in environment.items():
            found |= {value} if is_secret(name) else set()
            if "://" in value:
                _, user, password = login_in(value)
                found.add(password or user)
    return found - {""}


def login_in(url: str) -> tuple[str, str, str]:
    """The URL without the login that it may hold, then that login's user and password."""
    try:
        parts = urlsplit(url)
        bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
        return bare, parts.username or "", parts.password or ""
    except ValueError:
        return url, "", ""


def _forms(secret: str) -> set[str]:
    encoded = b64encode(secret.encode()).decode().rstrip("=")
    in_json = json.dumps(secret)[1:-1]
    return {secret, quote(secret, safe=""), quote_plus(secret), in_json, in_json.replace("/", "\\/"), encoded}
