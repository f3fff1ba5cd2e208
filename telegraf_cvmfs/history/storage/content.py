"""What is put into a storage, and how often that is tried."""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import IO, Any, TypeVar

from telegraf_cvmfs.whole_file import open_file, read_file

T = TypeVar("T")

_LONGEST_SECRET = 4096  # bytes

WAITS = (0.2, 0.8, 2.0)
"""Seconds between one attempt and the next."""


class Transient(Exception):  # noqa: N818  # it is no error yet: another attempt may do
    """An attempt failed in a way that may pass; its cause says how."""


@contextlib.contextmanager
def opened(
    document: Mapping[str, Any] | None, filename: str | Path | None, fileobj: IO[bytes] | None
) -> Iterator[IO[bytes]]:
    """The bytes of a document (as JSON), a file, or an open file from where it stands; it can be read many times.

    ValueError unless it is exactly one of them.
    """
    if sum(one is not None for one in (document, filename, fileobj)) != 1:
        raise ValueError("put takes exactly one of dict=, filename= and fileobj=")
    if document is not None:
        text = json.dumps(document, ensure_ascii=True, allow_nan=False, sort_keys=True, indent=2)
        yield BytesIO(text.encode() + b"\n")
    elif filename is not None:
        with open_file(Path(filename)) as file:
            yield file
    elif fileobj is not None:
        with tempfile.TemporaryFile() as copy:  # an open file may be a pipe
            shutil.copyfileobj(fileobj, copy)
            copy.seek(0)
            yield copy


@contextlib.contextmanager
def copied(pieces: Callable[[IO[bytes]], object], name: str) -> Iterator[Path]:
    """A temporary file of that name into which the pieces were written; it is gone after the block."""
    with tempfile.TemporaryDirectory(prefix="telegraf-cvmfs-") as folder:
        path = Path(folder) / name.rpartition("/")[2]
        with path.open("wb") as file:
            pieces(file)
        yield path


def secret_in(path: Path) -> str:
    """The secret that a file holds; OSError if it cannot be read, or is no file."""
    return read_file(path, _LONGEST_SECRET).decode(errors="replace").strip()


def attempts(work: Callable[[], T], sleep: Callable[[float], None] = time.sleep) -> T:
    """What the work gives, tried again after a while where its failure may pass; its last cause if none does."""
    for wait in WAITS:
        try:
            return work()
        except Transient:
            sleep(wait)
    return work()
