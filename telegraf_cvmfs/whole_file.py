"""A file that is written whole or not at all, whoever reads it meanwhile and whatever happens: the one place for it."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

PRIVATE, PUBLIC = 0o600, 0o644
"""Modes of a file: for its owner alone, and for all to read."""


@contextlib.contextmanager
def whole_file(path: Path, mode: int = PRIVATE) -> Iterator[BinaryIO]:
    """A file to write into, which takes the place of `path` at the end; after an error nothing has changed.

    It lies beside `path` under a name of its own, so that two writers at once leave one whole file, and is on the disk
    before it is renamed. OSError, also at once, if it cannot be written.
    """
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)
            yield file
            file.flush()
            os.fsync(descriptor)
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise


def write_whole(path: Path, content: bytes, mode: int = PRIVATE) -> Path:
    """Write a file whole or not at all; OSError if it cannot be written."""
    with whole_file(path, mode) as file:
        file.write(content)
    return path
