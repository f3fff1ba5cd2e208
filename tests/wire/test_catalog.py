"""Root catalogs as their bytes come: the hash, what they inflate to, and how strange ones are taken."""

from __future__ import annotations

import hashlib
import itertools
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegraf_cvmfs.wire.catalog import CatalogReader

DATABASE = b"SQLite format 3\0" + bytes(range(256)) * 800
STORED = zlib.compress(DATABASE)


def judged(stored: bytes, size: int | None = len(DATABASE), cuts: tuple[int, ...] = ()) -> bool | None:
    reader = CatalogReader(hashlib.sha1(stored, usedforsecurity=False).hexdigest(), size)
    edges = sorted({0, len(stored), *(cut % (len(stored) + 1) for cut in cuts)})
    for start, end in itertools.pairwise(edges):
        reader.update(stored[start:end])
    assert reader.length == len(stored)
    return reader.is_intact()


@given(st.lists(st.integers(0, len(STORED)), max_size=8))
def test_a_catalog_is_intact_in_whatever_pieces_it_comes(cuts: list[int]) -> None:
    assert judged(STORED, cuts=tuple(cuts)) is True


def test_a_manifest_that_states_no_size_says_nothing_against_it() -> None:
    assert judged(STORED, None) is True


def test_bytes_of_another_hash_are_another_object() -> None:
    reader = CatalogReader("a" * 40, len(DATABASE))
    reader.update(STORED)
    assert reader.is_intact() is False


@pytest.mark.parametrize("size", [len(DATABASE) - 1, len(DATABASE) + 1, 0])
def test_another_size_than_the_manifest_states_is_corrupt(size: int) -> None:
    assert judged(STORED, size) is False


@pytest.mark.parametrize(
    "stored", [DATABASE, zlib.compress(b"<html>" + DATABASE), STORED[:-5], b"", zlib.compress(b""), b"nonsense"]
)
def test_what_is_no_catalog_is_corrupt_although_the_hash_is_right(stored: bytes) -> None:
    assert judged(stored, None) is False


@pytest.mark.parametrize("begin", [b"\x28\xb5\x2f\xfd", b"\x04\x22\x4d\x18", b"\x1f\x8b\x08", b"\xfd7zXZ\0", b"BZh9"])
def test_nothing_is_known_of_one_that_is_compressed_in_another_way(begin: bytes) -> None:
    assert judged(begin + b"whatever follows", None, cuts=(1, 2, 3)) is None


def test_a_bomb_is_inflated_no_further_than_the_stated_size() -> None:
    bomb = zlib.compress(b"SQLite format 3\0" + bytes(200 * 1024 * 1024), 9)
    assert judged(bomb, 4096) is False
