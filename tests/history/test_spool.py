"""The spool: a run is kept whole or not at all, as its points, and found again by its time."""

from __future__ import annotations

import contextlib
import gzip
import json
import multiprocessing
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from telegraf_cvmfs.emit.line_protocol import nanoseconds
from telegraf_cvmfs.history import spool
from telegraf_cvmfs.history.spool import Spool, SpoolError, kept, read, write
from telegraf_cvmfs.model import Run
from telegraf_cvmfs.points.rows import points
from tests.builders.runs import NOW, example
from tests.programs.command import run

HOUR = timedelta(hours=1)


def at(moment: datetime, fleet: str = "demo") -> Run:
    seen = example()
    return replace(seen, started=moment, fleet=replace(seen.fleet, name=fleet))


# --- one run ----------------------------------------------------------------------------------------


def test_a_run_is_its_points_with_their_times(tmp_path: Path) -> None:
    seen = at(NOW)
    rows = read(write(tmp_path, seen))
    assert rows[0]["measurement"] == "cvmfs_scrape"
    assert rows[0]["schema"] == spool.SCHEMA
    found = sorted(
        json.dumps({name: value for name, value in row.items() if name not in ("schema", "version")}, sort_keys=True)
        for row in rows
    )
    assert found == sorted(
        json.dumps(
            {"measurement": one.measurement, "time": nanoseconds(one.time), **one.tags, **one.fields}, sort_keys=True
        )
        for one in points(seen)
    )


def test_replicas_of_a_repository_stand_together(tmp_path: Path) -> None:
    repos = [row["repo"] for row in read(write(tmp_path, at(NOW))) if "repo" in row]
    assert len(set(repos)) > 1
    assert repos == sorted(repos)


def test_the_file_says_when_and_of_which_fleet_and_the_same_run_is_the_same_bytes(tmp_path: Path) -> None:
    path = write(tmp_path, at(datetime(2026, 11, 25, 12, 0, 0, 250_000, UTC), "a/b ö"))
    assert path == tmp_path / "a%2Fb%20%C3%B6/2026-11-25/20261125T120000.250000Z.jsonl.gz"
    assert path.stat().st_mode & 0o007 == 0
    before = path.read_bytes()
    assert write(tmp_path, at(datetime(2026, 11, 25, 12, 0, 0, 250_000, UTC), "a/b ö")).read_bytes() == before
    (one,) = kept(tmp_path)
    assert (one.fleet, one.started) == ("a/b ö", datetime(2026, 11, 25, 12, 0, 0, 250_000, UTC))


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "cut": lambda body: body[: len(body) // 2],
    "empty": lambda _body: b"",
    "no gzip": lambda _body: b"{}\n",
    "no rows": lambda _body: gzip.compress(b""),
    "no objects": lambda _body: gzip.compress(b"1\n"),
    "no run first": lambda _body: gzip.compress(b'{"measurement":"cvmfs_repo"}\n'),
    "another form": lambda _body: gzip.compress(b'{"measurement":"cvmfs_scrape","schema":99}\n'),
    "a byte": lambda body: body[:200] + bytes([body[200] ^ 1]) + body[201:],
    "deep": lambda _body: gzip.compress(b"[" * 100_000),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_named(tmp_path: Path, damage: str) -> None:
    path = write(tmp_path, at(NOW))
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    with pytest.raises(SpoolError, match=str(path)):
        read(path)


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    path = write(tmp_path, at(NOW))
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(OSError, match="it is a pipe, and no file"):
        read(path)


# --- many -------------------------------------------------------------------------------------------


def test_a_span_holds_its_beginning_and_not_its_end(tmp_path: Path) -> None:
    times = [NOW + number * HOUR for number in range(60)]
    for moment in (*times[20:], *times[:20]):  # a clock may jump back
        write(tmp_path, at(moment))
    assert [one.started for one in kept(tmp_path)] == times
    assert [one.started for one in kept(tmp_path, times[7], times[30])] == times[7:30]
    assert kept(tmp_path, since=times[-1])[0].started == times[-1]
    assert kept(tmp_path, until=times[0]) == []


def test_fleets_share_a_folder(tmp_path: Path) -> None:
    for fleet in ("a", "b"):
        write(tmp_path, at(NOW, fleet))
    assert [one.fleet for one in kept(tmp_path)] == ["a", "b"]
    assert [one.fleet for one in kept(tmp_path, fleet="b")] == ["b"]
    assert kept(tmp_path, fleet="../a") == []


def test_what_is_none_of_ours_is_left_alone(tmp_path: Path) -> None:
    path = write(tmp_path, at(NOW))
    for name in (".20261125T120000.000000Z.jsonl.gz.0a0b", "notes.txt", "20269999T120000.000000Z.jsonl"):
        (path.parent / name).write_text("x")
    (tmp_path / "demo/notes").mkdir()
    assert [one.path for one in kept(tmp_path)] == [path]


def test_a_time_without_a_zone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no time zone"):
        kept(tmp_path, since=datetime(2026, 11, 25))  # noqa: DTZ001


# --- while a program runs ---------------------------------------------------------------------------


def test_what_cannot_be_written_is_said_once_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = list[str]()
    keeping = Spool(said.append)
    full = OSError(28, "No space left on device")
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", lambda _descriptor: (_ for _ in ()).throw(full))
        for number in range(3):
            keeping.keep(tmp_path, at(NOW + number * HOUR))
    assert len(said) == 1
    assert said[0].startswith(f"W! history {tmp_path} cannot be written (No space left on device)")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    keeping.keep(tmp_path, at(NOW))
    assert len(kept(tmp_path)) == 1


@pytest.mark.parametrize("where", ["option", "fleet file"])
def test_a_run_is_kept_after_it_is_printed(fleet_file: Path, tmp_path: Path, where: str) -> None:
    folder = tmp_path / "fleet" / "runs"
    options: list[str | Path] = ["--spool", folder]
    if where == "fleet file":
        fleet_file.write_text(fleet_file.read_text() + '[history]\ndir = "runs"\n')
        options = []
    done = run("--config", fleet_file, *options, "--state-dir", "none")
    assert (done.returncode, done.stderr) == (0, "")
    (one,) = kept(folder)
    rows = [row for row in read(one.path) if row["measurement"] == "cvmfs_repo"]
    assert len(rows) == sum(line.startswith("cvmfs_repo,") for line in done.stdout.splitlines())
    assert str(tmp_path) not in gzip.decompress(one.path.read_bytes()).decode()


def test_a_folder_that_cannot_be_written_is_one_warning(fleet_file: Path) -> None:
    done = run("--config", fleet_file, "--spool", "/proc/spool")
    assert done.returncode == 0
    assert done.stdout
    (line,) = done.stderr.splitlines()
    assert line.startswith("W! history /proc/spool cannot be written")


@pytest.mark.parametrize("keep", ["48h", "48h all 30d hourly", "30d hourly, 48h all", "1d weekly", "", "0s all"])
def test_what_says_not_how_long_is_refused(fleet_file: Path, keep: str) -> None:
    fleet_file.write_text(fleet_file.read_text() + f'[history]\nkeep = "{keep}"\n')
    done = run("--config", fleet_file)
    assert done.returncode == 2
    assert "[history] keep" in done.stderr.splitlines()[0] or "keep" in done.stderr.splitlines()[0]
    assert "48h all, 30d hourly, 400d daily" in done.stderr


def _write_for_ever(folder: Path, number: int, pipe: Connection) -> None:
    for count in range(1_000_000):
        moment = NOW + timedelta(seconds=count, microseconds=number)
        pipe.send(write(folder, at(moment)))


@dataclass
class Writer:
    """A process that writes runs and says each that it has written."""

    folder: Path
    number: int

    def __post_init__(self) -> None:
        self._mine, theirs = multiprocessing.Pipe(duplex=False)
        fork = multiprocessing.get_context("fork")
        self._process = fork.Process(target=_write_for_ever, args=(self.folder, self.number, theirs), daemon=True)
        self._process.start()
        theirs.close()

    def killed(self) -> int:
        """How many runs it said that it had finished; each is there, and whole."""
        self._process.kill()
        self._process.join()
        finished = 0
        with contextlib.suppress(EOFError, OSError):
            while True:
                assert read(self._mine.recv())
                finished += 1
        self._mine.close()
        return finished


@pytest.mark.soak
@pytest.mark.slow
def test_two_writers_that_are_killed_lose_nothing_that_was_finished(tmp_path: Path) -> None:
    rounds = 200 if "TELEGRAF_CVMFS_SOAK" in os.environ else 20
    writers, finished = [Writer(tmp_path, 0), Writer(tmp_path, 1)], 0
    for number in range(2, rounds + 2):
        time.sleep(0.02 + 0.007 * (number % 9))
        finished += writers.pop(0).killed()
        writers.append(Writer(tmp_path, number))
    finished += sum(writer.killed() for writer in writers)
    assert finished > rounds
    assert len(kept(tmp_path)) >= finished
    assert all(read(one.path) for one in kept(tmp_path))
