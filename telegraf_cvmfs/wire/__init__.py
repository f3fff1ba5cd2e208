"""What a stratum serves, document by document: bytes in, the nouns of `model` out.

Everything in here is pure. A document that is not what it claims to be is a `ParseError` with one short
sentence, and nothing but a `ParseError`, whatever the bytes: they come from a stranger. Below stands what
all documents have in common.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

from telegraf_cvmfs.model import ParseError

LONGEST_SHOWN = 40
LONGEST_LABEL = 200


def shown(text: str) -> str:
    """The text in quotes for a sentence: printable ASCII, its first 40 characters."""
    return ascii(text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}...")


def printable(text: str) -> str:
    """The text with a question mark for each character that cannot be printed.

    Control characters break a line of output; a lone surrogate, which a JSON escape can smuggle in, cannot
    be written as UTF-8 at all.
    """
    return "".join(c if c.isprintable() else "?" for c in text)


def label(value: object) -> str | None:
    """A stranger's text for people to read: printable, at most 200 characters; None if it is no text."""
    if not isinstance(value, str):
        return None
    return printable(value.strip()[:LONGEST_LABEL]) or None


def json_object(body: bytes, document: str) -> dict[str, Any]:
    """The object of a JSON document; ParseError if it is anything else.

    Bytes that are not UTF-8 become U+FFFD, and a byte order mark is skipped: meta.json is written by hand.
    """
    try:
        value = json.loads(body.decode("utf-8-sig", errors="replace"), parse_constant=_refuse)
    except json.JSONDecodeError as why:
        raise ParseError(f"{document}: not JSON, line {why.lineno} column {why.colno}") from None
    except (ValueError, RecursionError):
        raise ParseError(f"{document}: not JSON that can be read") from None
    if not isinstance(value, dict):
        raise ParseError(f"{document}: not a JSON object")
    return value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")
