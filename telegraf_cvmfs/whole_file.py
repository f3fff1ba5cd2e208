"""A file that is written whole or not at all, whoever reads it meanwhile and whatever happens: the one place for it."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

PRIVATE, PUBLIC = 0o600, 0o666
"""Modes of a file: for its owner alone, and for all to whom the umask gives it."""


@contextlib.contextmanager
def whole_file(path: Path, mode: int = PRIVATE, like: os.stat_result | None = None) -> Iterator[BinaryIO]:
    """A file to write into, which takes the place of `path` at the end; after an error nothing has changed.

    It lies beside `path` under a name of its own, so that two writers at once leave one whole file, and is on the disk
    before it is renamed. It gets the mode of the file that it is to be `like`, and where root writes, the owner of that
    file or folder. OSError, also at once, if it cannot be written.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        file = os.fdopen(descriptor, "wb")
        try:
            if like is not None:
                _make_alike(descriptor, like)
            yield file
            file.flush()
            os.fsync(descriptor)
        except BaseException:
            with contextlib.suppress(OSError):  # what could not be written cannot be when it is closed either
                file.close()
            raise
        file.close()
        beside.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise


def write_whole(path: Path, content: bytes, mode: int = PRIVATE) -> Path:
    """Write a file whole or not at all; OSError if it cannot be written."""
    with whole_file(path, mode) as file:
        file.write(content)
    return path


def _make_alike(descriptor: int, like: os.stat_result) -> None:
    if os.geteuid() == 0:
        os.fchown(descriptor, like.st_uid, like.st_gid)
    if stat.S_ISREG(like.st_mode):
        os.fchmod(descriptor, like.st_mode & 0o777)
