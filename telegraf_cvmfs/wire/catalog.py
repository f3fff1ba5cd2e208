"""A root catalog as it is stored: its bytes, as they come, are hashed and inflated, and no more of them is kept."""

from __future__ import annotations

import zlib

from telegraf_cvmfs.wire.letter import Hasher

_SQLITE = b"SQLite format 3\0"
_BEGIN = 8  # bytes that tell one compression from another
_PIECE = 1 << 16  # bytes that are inflated at a time: a bomb has to be refused, not held

_OTHER_COMPRESSIONS = (
    b"\x28\xb5\x2f\xfd",  # Zstandard
    b"\x04\x22\x4d\x18",  # LZ4
    b"\x1f\x8b",  # gzip
    b"\xfd7zXZ",
    b"BZh",
)
"""How bytes begin that are compressed in ways that CernVM-FS does not know, or not yet."""


class CatalogReader:
    """Takes the pieces of a root catalog of this name, and judges them when all have come.

    CernVM-FS compresses catalogs with zlib, whatever a repository does with its files (Spooler::ProcessCatalog).
    `size` is how many bytes it has inflated, as the manifest states (B); None if it does not.

    UnsupportedHashError where this machine cannot compute the hash; ValueError if `name` is no content hash.
    """

    def __init__(self, name: str, size: int | None) -> None:
        self._hasher = Hasher(name)
        self._size = size
        self._inflater = zlib.decompressobj()
        self._begin = b""
        self._top = b""
        self._inflated = 0
        self._broken = False

    @property
    def length(self) -> int:
        """Bytes so far, as stored."""
        return self._hasher.length

    def update(self, piece: bytes) -> None:
        """Take the next piece."""
        self._hasher.update(piece)
        self._begin += piece[: _BEGIN - len(self._begin)]
        if not self._broken:
            self._inflate(piece)

    def is_intact(self) -> bool | None:
        """Are they the object of this name, and a catalog of that size? None if compressed in a way unknown here."""
        if not self._hasher.is_object():
            return False
        if begins_otherwise(self._begin):
            return None
        whole = self._inflater.eof and not self._broken and self._top.startswith(_SQLITE)
        return whole and self._size in (None, self._inflated)

    def _inflate(self, piece: bytes) -> None:
        try:
            more = not self._inflater.eof
            while more:
                inflated = self._inflater.decompress(piece, _PIECE)
                self._top += inflated[: len(_SQLITE) - len(self._top)]
                self._inflated += len(inflated)
                piece = self._inflater.unconsumed_tail
                more = len(inflated) == _PIECE and (self._size is None or self._inflated <= self._size)
        except zlib.error:
            self._broken = True


def begins_otherwise(stored: bytes) -> bool:
    """Do these bytes begin as if they were compressed in a way that is not known here?"""
    return stored.startswith(_OTHER_COMPRESSIONS)
