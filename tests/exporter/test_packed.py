from __future__ import annotations

import gzip

from hypothesis import given
from hypothesis import strategies as st

from telegraf_cvmfs.exporter.packed import Packed


def packed(*pieces: bytes) -> Packed:
    text = Packed()
    for piece in pieces:
        text.add(piece)
    text.finish()
    return text


@given(st.lists(st.binary(max_size=200), max_size=5), st.binary(max_size=100), st.binary(max_size=100))
def test_packed_and_unpacked_are_the_same_text_with_each_end(pieces: list[bytes], end: bytes, other: bytes) -> None:
    text = packed(*pieces)
    whole = b"".join(pieces)
    for last in (end, other):
        assert gzip.decompress(text.packed(last)) == whole + last
        assert b"".join(text.unpacked(last)) == whole + last
    assert text.size == len(whole)


def test_a_long_text_is_unpacked_in_pieces() -> None:
    pieces = list(packed(*(b"%9d\n" % number for number in range(50_000))).unpacked(b"end"))
    assert sum(map(len, pieces)) == 500_003
    assert max(map(len, pieces)) <= 64 * 1024
