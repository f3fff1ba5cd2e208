"""What only one may do at a time, and a folder of one's own."""

from __future__ import annotations

import multiprocessing
import os
import signal
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from telegraf_cvmfs.history.exclusive import lock, tempdir


def _holding(path: Path, pipe: Connection) -> None:
    with lock(path) as had:
        pipe.send(had)
        pipe.recv()


@contextmanager
def held(path: Path) -> Iterator[int]:
    """Another process that has the lock; its process id."""
    mine, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_holding, args=(path, theirs), daemon=True)
    process.start()
    assert mine.recv()
    assert process.pid is not None
    yield process.pid
    if process.is_alive():
        process.kill()
    process.join()


def test_a_lock_is_had_by_one(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with held(path), lock(path) as had:
        assert not had
    with lock(path) as had:
        assert had


def test_a_lock_ends_with_a_process_that_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with held(path) as pid:
        os.kill(pid, signal.SIGKILL)
        with lock(path, wait=timedelta(seconds=20)) as had:
            assert had


def test_a_lock_is_waited_for_as_long_as_was_asked(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with held(path):
        began = time.monotonic()
        with lock(path, wait=timedelta(seconds=0.3)) as had:
            assert not had
        assert time.monotonic() - began >= 0.3


def test_a_lock_is_given_back_after_an_error(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with pytest.raises(ValueError, match="in between"), lock(path):
        raise ValueError("in between")
    with lock(path) as had:
        assert had


def test_a_lock_follows_no_link_and_makes_no_folder(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for path in (tmp_path / "link", tmp_path / "absent" / "lock"):
        with pytest.raises(OSError), lock(path):  # noqa: PT011  # which one is the system's own
            pass
    assert not (tmp_path / "elsewhere").exists()


def test_a_folder_of_ones_own_is_gone_afterwards() -> None:
    before = Path.cwd()
    with tempdir() as folder:
        assert stat.S_IMODE(folder.stat().st_mode) == stat.S_IRWXU
        assert Path.cwd() == before
        (folder / "file").write_text("x")
    assert not folder.exists()
    with pytest.raises(RuntimeError, match="in between"), tempdir() as folder:
        raise RuntimeError("in between")
    assert not folder.exists()
