"""A file that is written whole or not at all, and one that is read without waiting: the one place for it."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import select
import stat
import time
from collections.abc import Callable, Iterator
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
    _refuse_what_is_none(path)
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


def _refuse_what_is_none(path: Path) -> None:
    """OSError where something else than a file would be replaced by one: a device, for instance."""
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISREG(mode := path.stat().st_mode) and not stat.S_ISDIR(mode):  # a folder cannot be replaced
            raise OSError(errno.EINVAL, f"it is {_kind(mode)}, and no file")


def write_whole(path: Path, content: bytes, mode: int = PRIVATE) -> Path:
    """Write a file whole or not at all; OSError if it cannot be written."""
    with whole_file(path, mode) as file:
        file.write(content)
    return path


def open_file(path: Path) -> BinaryIO:
    """A regular file, open for reading; OSError for what is none: a FIFO would be waited for, a device may not end."""
    return _regular(_opened(path))


def read_file(path: Path, most: int, over: Callable[[], bool] | None = None) -> bytes:
    """What is in a regular file, one byte more than `most` if there is more; OSError as `open_file`.

    With `over` a pipe that is open already may be read, as `<(command)` of a shell gives it: until its end, or until
    it is over.
    """
    descriptor = _opened(path)
    if over is not None and str(path).startswith(_OPEN_ALREADY) and stat.S_ISFIFO(os.fstat(descriptor).st_mode):
        with os.fdopen(descriptor, "rb"):
            return _piped(descriptor, most, over)
    with _regular(descriptor) as file:
        return file.read(most + 1) or b""  # None of a file in /proc that would be waited for


def within(seconds: float = 60.0) -> Callable[[], bool]:
    """Is it over? Once so many seconds have passed from now: a person may have to unlock what comes through a pipe."""
    end = time.monotonic() + seconds
    return lambda: time.monotonic() > end


_OPEN_ALREADY = ("/dev/fd/", "/dev/stdin", "/proc/self/fd/")
_KINDS = {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
_NAP = 100  # milliseconds between two looks at whether it is over


def _opened(path: Path) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ENXIO:  # a socket, or a device that is not there, has no words of its own
            raise OSError(errno.EINVAL, f"it is {_kind(path.stat().st_mode)}, and no file") from error
        raise


def _regular(descriptor: int) -> BinaryIO:
    file = None
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, f"it is {_kind(mode)}, and no file")
        file = os.fdopen(descriptor, "rb")
    finally:
        if file is None:
            os.close(descriptor)
    return file


def _kind(mode: int) -> str:
    return _KINDS.get(stat.S_IFMT(mode), "a device")


def _piped(descriptor: int, most: int, over: Callable[[], bool]) -> bytes:
    poller = select.poll()
    poller.register(descriptor, select.POLLIN)
    body = b""
    while len(body) <= most:
        if over():
            raise TimeoutError(errno.ETIMEDOUT, "its end did not come through this pipe in time")
        if poller.poll(_NAP):
            piece = os.read(descriptor, most + 1 - len(body))
            if not piece:
                break
            body += piece
    return body


def _make_alike(descriptor: int, like: os.stat_result) -> None:
    if os.geteuid() == 0:
        os.fchown(descriptor, like.st_uid, like.st_gid)
    if stat.S_ISREG(like.st_mode):
        os.fchmod(descriptor, like.st_mode & 0o777)
