"""`history package` and `history verify`, from outside."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from telegraf_cvmfs.history.spool import write
from tests.builders.runs import NOW, example, run, server
from tests.programs.command import run as command


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    folder = tmp_path / "spool"
    write(folder, example())
    write(folder, run(server(), started=NOW + timedelta(hours=1)))
    return folder


def test_a_span_is_packed_and_what_was_packed_is_whole(spool: Path, tmp_path: Path) -> None:
    asked = ("history", "package", "--spool", spool, "--since", "2026-11-22", "--until", "2026-11-23T00:00:00Z")
    done = command(*asked, "--to", tmp_path / "out")
    assert (done.returncode, done.stderr) == (0, "")
    (path,) = map(Path, done.stdout.splitlines())
    whole = command("history", "verify", path)
    assert (whole.returncode, whole.stderr) == (0, "")
    assert whole.stdout.startswith(f"{path}: whole: checksums.json, config.json, ")
    assert "replicas.csv" in whole.stdout
    assert command(*asked, "--to", tmp_path / "again").returncode == 0
    assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()


def test_a_package_is_no_larger_than_it_may_be(spool: Path, tmp_path: Path) -> None:
    done = command("history", "package", "--spool", spool, "--max-size", "2kB", "--to", tmp_path / "out")
    paths = done.stdout.splitlines()
    assert len(paths) > 2
    assert command("history", "verify", *paths).returncode == 0


def test_a_damaged_package_is_told_and_the_others_are_verified(spool: Path, tmp_path: Path) -> None:
    (good,) = command("history", "package", "--spool", spool, "--to", tmp_path / "out").stdout.splitlines()
    bad = tmp_path / "bad.tar.gz"
    bad.write_bytes(Path(good).read_bytes()[:-20])
    done = command("history", "verify", bad, tmp_path / "nowhere", good)
    assert done.returncode == 1
    assert done.stdout.startswith(f"{good}: whole: ")
    first, second = done.stderr.splitlines()
    assert first.startswith(f"E! history verify: {bad}: damaged: ")
    assert second == f"E! history verify: {tmp_path / 'nowhere'}: No such file or directory"


def test_a_collector_that_fails_is_told_and_the_others_are_packed(spool: Path, tmp_path: Path) -> None:
    broken = next(spool.rglob("*.gz"))
    broken.write_bytes(b"no gzip")
    done = command("history", "package", "--spool", spool, "--to", tmp_path)
    assert done.returncode == 1
    assert all(line.startswith("E! history package: ") and broken.name in line for line in done.stderr.splitlines())
    assert command("history", "verify", *done.stdout.splitlines()).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("package",), "no spool is named: --spool DIR does, or [history] dir of the fleet file"),
        (("verify",), "history verify: name the packages"),
        (("package", "--since", "yesterday"), "'yesterday' is not a day of UTC or a time with its offset"),
        (("package", "--since", "2026-11-22T08:00:00"), "is not a day of UTC or a time with its offset"),
        (("package", "--max-size", "0"), "'0' is no size such as 200MB"),
        (
            ("package", "--spool", "SPOOL", "--since", "2026-11-22", "--until", "2026-11-22"),
            "--until is not after --since",
        ),
        (("package", "x.tar.gz", "--spool", "SPOOL"), "history package: takes no file"),
        (("pack",), "invalid choice: 'pack'"),
    ],
)
def test_what_does_not_fit_is_said(spool: Path, tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    fleet = tmp_path / "fleet.toml"
    fleet.write_text('[[server]]\nurl = "http://127.0.0.1:9"\nrole = "stratum1"\n')
    words = [str(spool) if word == "SPOOL" else word for word in arguments]
    done = command("history", *words, "--config", fleet)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
