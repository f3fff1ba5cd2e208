"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from telegraf_cvmfs.whole_file import PRIVATE, PUBLIC, whole_file, write_whole


def broken_off(path: Path) -> None:
    """Writes, and then something else fails."""
    with whole_file(path) as file:
        file.write(b"new")
        raise ValueError("half way")


def on_a_full_disk(path: Path, *, broken_off: bool = False) -> None:
    """Writes what will not fit."""
    with whole_file(path) as file:
        full = os.open("/dev/full", os.O_WRONLY)
        os.dup2(full, file.fileno())
        os.close(full)
        file.write(b"new")
        if broken_off:
            raise ValueError("half way")


def test_a_file_takes_the_place_of_an_older_one_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    assert write_whole(path, b"new") == path
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [("a", b"new")]


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o027])
def test_the_umask_decides_who_reads_what_is_no_secret(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        modes = [stat.S_IMODE(write_whole(tmp_path / "a", b"", mode).stat().st_mode) for mode in (PRIVATE, PUBLIC)]
    finally:
        os.umask(before)
    assert modes == [0o600, 0o666 & ~mask]


def test_after_an_error_the_older_file_stays_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    with pytest.raises(ValueError, match="half way"):
        broken_off(path)
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [("a", b"old")]


def test_the_first_error_is_the_one_that_is_told(tmp_path: Path) -> None:
    """Also where closing the file fails as well, because what is left in its buffer cannot be written."""
    with pytest.raises(ValueError, match="half way"):
        on_a_full_disk(tmp_path / "a", broken_off=True)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_an_error_and_leaves_the_older_file(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    with pytest.raises(OSError, match="No space left"):
        on_a_full_disk(path)
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [("a", b"old")]
