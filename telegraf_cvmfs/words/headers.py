"""Headers of HTTP as a file has them, a line each. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VALUE = re.compile(r"[\x21-\x7e\x80-\xff](?:[\x20-\x7e\x80-\xff\t]*[\x21-\x7e\x80-\xff])?")
_OURS = ("host", "content-length", "transfer-encoding", "connection", "user-agent", "accept-encoding", "te", "upgrade")
MOST = 32


def headers(text: str) -> dict[str, str]:
    """The headers of a file; empty lines, and those that begin with `#`, are none.

    ValueError says which line is none, and no word of what it has: it may be a secret.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, colon, value = line.partition(":")
        if not colon or not _NAME.fullmatch(name) or not _VALUE.fullmatch(value.strip()):
            raise ValueError(f"line {number} is no header such as `Authorization: Bearer ...`")
        if name.lower() in _OURS:
            raise ValueError(f"line {number}: {name} is not for a file to say")
        found[name] = value.strip()
    if len(found) > MOST:
        raise ValueError(f"it has more than {MOST} headers")
    return found


def cookie(text: str) -> dict[str, str]:
    """The header of a file with what stands behind `Cookie:`; ValueError if it is not that."""
    value = text.strip()
    if not _VALUE.fullmatch(value) or "=" not in value:
        raise ValueError("it is not one line such as `name=value; other=value`")
    return {"Cookie": value}


READERS: Mapping[str, Callable[[str], dict[str, str]]] = {"headers_file": headers, "cookie_file": cookie}
"""How the file of each of these keys of a server is read."""
