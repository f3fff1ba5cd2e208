"""A JSON document whose top is an object, and what to say of a value in it that is not understood."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from telegraf_cvmfs.model import ParseError
from telegraf_cvmfs.words.text import shown


def json_object(body: bytes, document: str) -> dict[str, Any]:
    """The object of a JSON document; ParseError if it is anything else.

    Bytes that are not UTF-8 become U+FFFD, and a byte order mark is skipped: meta.json is written by hand.
    """
    try:
        value = json.loads(body.decode("utf-8-sig", errors="replace"), parse_constant=_refuse)
    except json.JSONDecodeError as why:
        raise ParseError(document, f"not JSON, line {why.lineno} column {why.colno}") from None
    except (ValueError, RecursionError):
        raise ParseError(document, "not JSON that can be read") from None
    if not isinstance(value, dict):
        raise ParseError(document, "not a JSON object")
    return value


def not_understood(key: str, value: object) -> str:
    """What to say of the value of a key, in one clause."""
    if isinstance(value, list | dict):
        return f"{key} is not understood: {'a list' if isinstance(value, list) else 'an object'}"
    return f"{key} is not understood: {shown(value if isinstance(value, str) else json.dumps(value))}"


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")
