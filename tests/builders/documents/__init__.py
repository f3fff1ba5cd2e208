"""Documents as genuine servers gave them, and ways to break them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from telegraf_cvmfs.model import ParseError

HERE = Path(__file__).parent
STRATA = ("stratum0", "stratum1a", "stratum1b")
WEB_PAGE = b'<!DOCTYPE HTML>\n<html><head>\n<title>Welcome</title>\n--\n</head>\n"--"\n</html>\n'
JSON_BOMB = b'{"repositories":' + b"[" * 100_000


def served(name: str) -> bytes:
    return (HERE / name).read_bytes()


def as_json(value: object) -> bytes:
    return json.dumps(value).encode()


@st.composite
def damaged(draw: st.DrawFn, document: bytes) -> bytes:
    """The document with one piece, perhaps none, replaced by other bytes, perhaps none."""
    start = draw(st.integers(0, len(document)))
    end = draw(st.integers(start, min(len(document), start + 40)))
    piece = draw(st.binary(max_size=40) | st.text(max_size=10).map(lambda text: text.encode()))
    return document[:start] + piece + document[end:]


def survives(parse: Callable[[bytes], Any], body: bytes) -> None:
    """It is read, or refused with a sentence that fits on one printable line; nothing else happens."""
    sentence = "read"
    try:
        parse(body)
    except ParseError as why:
        sentence = str(why)
    assert sentence.isprintable()
    assert 0 < len(sentence) < 500
