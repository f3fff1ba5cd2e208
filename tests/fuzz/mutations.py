"""Documents made from others: broken at random, or with one piece repeated until time tells."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

PUMPED = 32_768
WIDTHS = (1, 2, 7)


def pumped(document: bytes, start: int, width: int) -> bytes:
    """The document with one piece repeated to 32 kB: what is not linear then takes long, what is deep sinks."""
    piece = document[start : start + width] or b" "
    return document[:start] + piece * (PUMPED // len(piece)) + document[start + width :]


def broken(random: Random, documents: Sequence[bytes], words: Sequence[bytes]) -> bytes:
    """One of the documents with a few pieces replaced by words, by noise, or by pieces of another."""
    document = random.choice(documents)
    for _ in range(random.randint(1, 6)):
        start = random.randint(0, len(document))
        end = start + random.choice((0, 0, 1, 4, 16))
        document = document[:start] + _piece(random, documents, words) + document[end:]
    return document


def _piece(random: Random, documents: Sequence[bytes], words: Sequence[bytes]) -> bytes:
    other = random.choice(documents)
    start = random.randint(0, len(other))
    return random.choice((random.choice(words), random.randbytes(2), other[start : start + 16], b""))
