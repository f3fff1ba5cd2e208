"""A long text that is kept packed, and sent packed or unpacked with a short one after it."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

_GZIP = 31  # as zlib counts: the largest window, and gzip's head and checksum
_PIECE = 64 * 1024  # bytes


class Packed:
    """A text that grows until it is `finish`ed, and stays in gzip's form: 15 servers' 5 MB are 0.1.

    What packed it goes on where it stopped, on a copy of itself. So a request costs no more than its own end.
    """

    def __init__(self) -> None:
        self._packer = zlib.compressobj(wbits=_GZIP)
        self._pieces: list[bytes] = []
        self.size = 0
        """Bytes of the text, unpacked."""

    def add(self, piece: bytes) -> None:
        """More of the text."""
        self.size += len(piece)
        self._pieces.append(self._packer.compress(piece))

    def finish(self) -> None:
        """The text is complete: all of it leaves the packer, which stays open for what comes after it."""
        self._pieces = [b"".join([*self._pieces, self._packer.flush(zlib.Z_FULL_FLUSH)])]

    def packed(self, end: bytes) -> bytes:
        """All of it and this end, as one gzip file."""
        packer = self._packer.copy()
        return b"".join([*self._pieces, packer.compress(end), packer.flush()])

    def unpacked(self, end: bytes) -> Iterator[bytes]:
        """The same unpacked, in pieces: never all of it is held."""
        unpacker = zlib.decompressobj(wbits=_GZIP)
        for packed in self._pieces:
            piece = unpacker.decompress(packed, _PIECE)
            while piece:
                yield piece
                piece = unpacker.decompress(unpacker.unconsumed_tail, _PIECE)
        yield end
