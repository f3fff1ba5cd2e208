"""How real programs get into the cache."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import tests.programs.cache as catalogue
from deploy.native import programs
from tests import ROOT


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TELEGRAF_CVMFS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def _install(room: Path) -> None:
    (room / "tool").write_text("a program")


def test_a_program_is_installed_once(cache: Path) -> None:
    def install_again(_: Path) -> None:
        raise AssertionError("it was there already")

    assert programs.cached("tool-1", "tool") is None
    for install in (_install, install_again):
        assert programs.installed("tool-1", "tool", install).read_text() == "a program"
    assert programs.cached("tool-1", "tool") == cache / "tool-1" / "tool"
    assert [path.name for path in cache.iterdir()] == ["tool-1"]


def test_of_two_that_install_at_the_same_time_the_second_takes_the_first_ones_copy(cache: Path) -> None:
    def overtaken(room: Path) -> None:
        programs.installed("tool-1", "tool", _install)
        (room / "tool").write_text("the same program")

    assert programs.installed("tool-1", "tool", overtaken).read_text() == "a program"
    assert [path.name for path in cache.iterdir()] == ["tool-1"]


def test_an_installation_that_fails_leaves_nothing_behind(cache: Path) -> None:
    with pytest.raises(programs.Missing, match="did not give bin/tool"):
        programs.installed("tool-1", "bin/tool", _install)
    assert list(cache.iterdir()) == []


def test_a_command_that_fails_is_told_with_its_last_words() -> None:
    with pytest.raises(programs.Missing, match="sh -c failed: no network"):
        programs.run(["sh", "-c", "echo first >&2; echo no network >&2; exit 1"])


def test_a_cache_that_cannot_be_made_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELEGRAF_CVMFS_CACHE", "/dev/null/cache")
    with pytest.raises(programs.Missing, match="no room for programs"):
        programs.telegraf()


@pytest.mark.parametrize("missing", ["go", "cargo"])
def test_of_two_compilers_the_one_that_is_missing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    for there in {"go", "cargo"} - {missing}:
        (tmp_path / there).write_text("#!/bin/sh\n")
        (tmp_path / there).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(programs.Missing, match=f"from its sources, and {missing} is not on the PATH"):
        catalogue.influxd2()


def test_as_a_program_it_says_of_every_program_where_it_is_or_why_not() -> None:
    nowhere = {"TELEGRAF_CVMFS_CACHE": "/dev/null/cache", "HOME": "/dev/null", "PATH": "/dev/null"}
    script = [sys.executable, "-m", "tests.programs.cache"]
    done = subprocess.run(script, cwd=ROOT, env=nowhere, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    missing = [line.partition(": missing: ")[0] for line in done.stderr.splitlines()]
    assert missing == list(catalogue.PROGRAMS)
