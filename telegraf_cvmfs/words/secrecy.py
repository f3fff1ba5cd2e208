"""Hides secrets in what is printed: servers repeat what they were told, and errors what they refuse. Pure."""

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
_LOGIN = re.compile(r"""(:/{1,2})(?:[^\s/'"]{1,999}:[^\s'"]{0,999}|[^\s/'"]{1,999})@(?=[\w\[])(?![a-z_]+@)""")
_BARE_LOGIN = re.compile(r"""(?<![\w.:@*+-])[\w.+-]{1,999}:[^\s/'"@]{1,999}@(?=[\w\[])""")
_QUERY = re.compile(r"""(:/{1,2}[^\s'"?#]{1,999}[?#])[^\s'",;)]+""")
_PARAMETER = re.compile(r"([?#&;][\w.-]{1,99}=)[^&#;\s]+")
_SCHEME = re.compile(r"(.*?)(:/+)(.*)", re.DOTALL)  # as a path a URL has one slash
_FQRN_AT_END = re.compile(r"/@[a-z_]{1,50}@\Z")
"""What an "@" at the end of an address may be, and no login."""


class Secrecy:
    """Hides secrets in what others say, in each form in which they travel."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms = {form for secret in secrets if secret for form in _forms(secret)}
        self._forms = [_pattern(form) for form in sorted(forms, key=len, reverse=True)]  # one may be part of another

    def hide(self, said: str) -> str:
        """The text without any of the secrets, and without logins in URLs."""
        for form in self._forms:
            said = form.sub(HIDDEN, said)
        return _LOGIN.sub(rf"\1{HIDDEN}@", said)


def masked(value: str) -> str:
    """A value that was refused, and may be a URL: without what is secret in one, its user with the password, its query.

    Whatever stands before the last "@" may be a password; a path without a colon is none.
    """
    bare = value.rstrip("/")
    address = _FQRN_AT_END.sub("", bare)
    end = value[len(address) :]
    scheme, mark, rest = found.groups() if (found := _SCHEME.fullmatch(address)) else ("", "", address)
    login, at, place = rest.rpartition("@")
    if at and not mark and "/" in login and ":" not in login:
        return value
    if not mark and not at:
        return _PARAMETER.sub(rf"\1{HIDDEN}", value)
    place = re.sub(r"(?s)([?#]).+", rf"\1{HIDDEN}", place + end)
    return f"{HIDDEN if '@' in scheme else scheme}{mark}{at and HIDDEN}{at}{place}"


def without_secrets(sentence: str) -> str:
    """A sentence without the logins and the queries of the URLs in it, should one have got there."""
    sentence = _BARE_LOGIN.sub(f"{HIDDEN}@", _LOGIN.sub(rf"\1{HIDDEN}@", sentence))
    return _QUERY.sub(rf"\1{HIDDEN}", sentence)


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
