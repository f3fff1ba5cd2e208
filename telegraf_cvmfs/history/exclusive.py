"""What only one may do at a time, and a folder of one's own to do it in."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

_PAUSE = 0.05


@contextlib.contextmanager
def lock(path: Path, wait: timedelta | None = timedelta(0)) -> Iterator[bool]:
    """Take a lock that ends with the process, and say whether it was had; nobody else has it until the end.

    `wait` is for how long it is waited for: None until it is had. The file stays, for whoever removed
    it would let two have it. OSError if it cannot be made.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o660)
    try:
        yield _taken(descriptor, wait)
    finally:
        os.close(descriptor)


def _taken(descriptor: int, wait: timedelta | None) -> bool:
    if wait is None:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        return True
    until = time.monotonic() + wait.total_seconds()
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                return False
            time.sleep(_PAUSE)
        else:
            return True


PREFIX = "telegraf-cvmfs-"


@contextlib.contextmanager
def tempdir(prefix: str = PREFIX) -> Iterator[Path]:
    """A new folder, removed afterwards with all that is in it; the process stays where it is."""
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
