from __future__ import annotations

import contextlib
import errno
import json
import multiprocessing
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from line_protocol_parser import parse_line  # type: ignore[import-untyped]

from telegraf_cvmfs.demo import DemoFleet
from telegraf_cvmfs.memory import file as memory_file
from telegraf_cvmfs.memory.document import document as pieces_of
from telegraf_cvmfs.memory.file import StateError, default_folder, path_of, read, write
from telegraf_cvmfs.memory.state import State
from telegraf_cvmfs.memory.value import Memory, Publication, Remembered
from telegraf_cvmfs.model import Entry
from tests.builders.runs import NOW, S1, down_server, example
from tests.builders.runs import run as run_of
from tests.programs.command import PRINTED, environment, run

SECOND = timedelta(seconds=1)
T0 = datetime(2026, 11, 22, 12, tzinfo=UTC)
SOMEBODY = 61234
"""A user who is not in use anywhere."""

as_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can act as another user")


def _entry(name: str, **more: object) -> Entry:
    return replace(Entry(name, f"/cvmfs/{name}", replica=True), **more)  # type: ignore[arg-type]


MEMORY = Memory(
    {
        "stratum1.tld": (
            Remembered(_entry("repo.tld"), T0, 7, "a" * 40, T0 - SECOND, T0 - 2 * SECOND, 4096, "c" * 40),
            Remembered(_entry("other.tld", path="/cvmfs/deep/short", alias="short", pass_through=True), T0),
        ),
        "stratum0.tld": (Remembered(_entry("repo.tld", replica=False), T0, 8, f"{'b' * 40}-rmd160", T0),),
    },
    {"repo.tld": (Publication(7, T0 - 9 * SECOND), Publication(8, T0))},
    {"c" * 40: bytes(range(256))},
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state" / "memory.json"


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# --- there and back ---------------------------------------------------------------------------------

NAMES = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9_-][.]?){0,20}[A-Za-z0-9_-]", fullmatch=True)
MOMENTS = st.integers(0, 253402300799).map(
    lambda seconds: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
)
REVISIONS = st.integers(0, 2**64 - 1)
ENTRIES = st.builds(
    Entry,
    name=NAMES,
    path=NAMES.map(lambda name: f"/cvmfs/{name}"),
    replica=st.booleans(),
    alias=st.none() | NAMES,
    pass_through=st.booleans(),
)
REMEMBERED = st.builds(
    Remembered,
    ENTRIES,
    MOMENTS,
    st.none() | REVISIONS,
    st.none() | st.text("0123456789abcdef", max_size=40),
    st.none() | MOMENTS,
)
PUBLICATIONS = st.lists(st.builds(Publication, REVISIONS, MOMENTS), max_size=4).map(tuple)
SERVERS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
MEMORIES = st.builds(
    Memory,
    st.dictionaries(SERVERS, st.lists(REMEMBERED, max_size=4).map(tuple), max_size=4),
    st.dictionaries(NAMES, PUBLICATIONS, max_size=4),
)


@settings(max_examples=60, deadline=None)
@given(MEMORIES)
def test_what_is_written_is_what_is_read(tmp_path_factory: pytest.TempPathFactory, memory: Memory) -> None:
    path = tmp_path_factory.getbasetemp() / "round-trip" / "memory.json"
    write(path, memory)
    assert read(path) == memory


def test_fractions_of_a_second_are_not_kept(file: Path) -> None:
    odd = timedelta(microseconds=999_999)
    write(file, Memory({"s": (Remembered(_entry("repo.tld"), T0 + odd, 7, "a" * 40, T0 + odd),)}))
    assert read(file) == Memory({"s": (Remembered(_entry("repo.tld"), T0, 7, "a" * 40, T0),)})


def test_no_file_is_no_memory(file: Path) -> None:
    assert read(file) == Memory()
    assert not file.parent.exists(), "to read makes nothing"


def test_what_is_written_takes_the_place_of_what_was_there_and_leaves_nothing_beside_it(file: Path) -> None:
    for _ in range(5):
        write(file, MEMORY)
    write(file, Memory())
    assert read(file) == Memory()
    assert files(file.parent) == ["memory.json"]


def test_others_may_not_read_it(file: Path) -> None:
    write(file, MEMORY)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_a_folder_that_is_there_keeps_its_permissions(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    write(tmp_path / "memory.json", MEMORY)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


# --- damage -----------------------------------------------------------------------------------------


def attempt(path: Path) -> tuple[Memory, list[str]]:
    """The memory that a run would begin with, and what it would say."""
    said: list[str] = []
    return State(path, said.append).memory, said


@pytest.fixture(scope="module")
def body(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("body") / "memory.json"
    write(path, MEMORY)
    return path.read_bytes()


def test_every_beginning_of_a_file_is_forgotten_with_one_line(body: bytes, tmp_path: Path) -> None:
    path = tmp_path / "memory.json"
    for length in range(len(body)):
        path.write_bytes(body[:length])
        memory, said = attempt(path)
        assert memory == Memory(), length
        assert len(said) == 1, length
        assert said[0].startswith(f"W! memory {path} "), length


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 255))
def test_a_flipped_byte_costs_at_most_the_memory(
    tmp_path_factory: pytest.TempPathFactory, body: bytes, where: int, how: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "flipped.json"
    damaged = bytearray(body)
    damaged[where % len(body)] ^= how
    path.write_bytes(damaged)
    said: list[str] = []
    state_of = State(path, said.append)
    assert len(said) <= 1
    assert (state_of.memory == Memory()) or not said
    state_of.memory.entries("stratum1.tld", NOW)
    state_of.keep(example())
    assert read(path) == _in_whole_seconds(state_of.memory)


def _in_whole_seconds(memory: Memory) -> Memory:
    def whole(one: Remembered) -> Remembered:
        since = one.revision_seen
        return replace(
            one,
            seen=one.seen.replace(microsecond=0),
            revision_seen=None if since is None else since.replace(microsecond=0),
        )

    def of(one: Publication) -> Publication:
        return replace(one, published=one.published.replace(microsecond=0))

    return replace(
        memory,
        replicas={server: tuple(map(whole, rows)) for server, rows in memory.replicas.items()},
        publications={repo: tuple(map(of, rows)) for repo, rows in memory.publications.items()},
    )


def _document(**more: object) -> bytes:
    return json.dumps({"version": 1, "servers": {}, "published": {}, "certificates": []} | more).encode()


def _row(*row: object) -> bytes:
    """A file with one row; no proof and no certificate in it."""
    return _document(servers={"s": [[*row[:5], None, None, *row[5:]]]})


HASH = "a" * 40
DAMAGED = {
    "empty": b"",
    "zeros": b"\0" * 4096,
    "not text": b"\xff\xfe\xfa",
    "a web page": b"<html></html>",
    "null": b"null",
    "a number": b"1",
    "a text": b'"memory"',
    "a list": b"[]",
    "no keys": b"{}",
    "no servers": b'{"version":1,"published":{}}',
    "no publications": b'{"version":1,"servers":{}}',
    "twice": _document() * 2,
    "version 2": _document(version=2),
    "version 0": _document(version=0),
    "version as text": _document(version="1"),
    "no version": b'{"servers":{},"published":{}}',
    "servers as list": _document(servers=[]),
    "servers as null": _document(servers=None),
    "published as list": _document(published=[[1, 2]]),
    "rows as text": _document(servers={"s": "rows"}),
    "rows as number": _document(servers={"s": 5}),
    "row as null": _document(servers={"s": [None]}),
    "row as object": _document(servers={"s": [{"a": 1, "b": 2, "c": 3, "d": 4, "e": 5}]}),
    "row as text": _document(servers={"s": ["12345"]}),
    "row too short": _row("repo.tld", 1, 2, HASH),
    "name as number": _row(5, 1, 2, HASH, 3),
    "name as null": _row(None, 1, 2, HASH, 3),
    "name with a path": _row("../../etc", 1, 2, HASH, 3),
    "name with a line feed": _row("repo.tld\nx", 1, 2, HASH, 3),
    "empty name": _row("", 1, 2, HASH, 3),
    "seen as null": _row("repo.tld", None, 2, HASH, 3),
    "seen as text": _row("repo.tld", "1", 2, HASH, 3),
    "seen as fraction": _row("repo.tld", 1.5, 2, HASH, 3),
    "seen as truth": _row("repo.tld", True, 2, HASH, 3),
    "seen before time": _row("repo.tld", -1, 2, HASH, 3),
    "seen after time": _row("repo.tld", 10**30, 2, HASH, 3),
    "seen beyond years": _row("repo.tld", 253402300800, 2, HASH, 3),
    "revision as text": _row("repo.tld", 1, "2", HASH, 3),
    "revision negative": _row("repo.tld", 1, -2, HASH, 3),
    "hash as number": _row("repo.tld", 1, 2, 3, 3),
    "since as list": _row("repo.tld", 1, 2, HASH, []),
    "path outside": _row("repo.tld", 1, 2, HASH, 3, {"path": "/cvmfs/../../x"}),
    "path as number": _row("repo.tld", 1, 2, HASH, 3, {"path": 5}),
    "path of another host": _row("repo.tld", 1, 2, HASH, 3, {"path": "//evil.tld/x"}),
    "path with a question": _row("repo.tld", 1, 2, HASH, 3, {"path": "/cvmfs/x?y"}),
    "alias as number": _row("repo.tld", 1, 2, HASH, 3, {"alias": 5}),
    "unusual as text": _row("repo.tld", 1, 2, HASH, 3, "x"),
    "publications as null": _document(published={"repo.tld": None}),
    "publication too short": _document(published={"repo.tld": [1]}),
    "publication as text": _document(published={"repo.tld": "123"}),
    "publication without time": _document(published={"repo.tld": [1, None, "a"]}),
    "publication with endless time": b'{"version":1,"servers":{},"certificates":[],"published":{"repo.tld":[1,1e999,"a"]}}',
    "publication that is no number": b'{"version":1,"servers":{},"certificates":[],"published":{"repo.tld":[NaN,1,"a"]}}',
    "a number of 5000 digits": b'{"version":1,"servers":{},"certificates":[],"published":{"repo.tld":['
    + b"9" * 5000
    + b',1,"a"]}}',
    "deep lists": b"[" * 100_000,
    "deep objects": b'{"version":' * 100_000,
    "deep within": b'{"version":1,"servers":{"s":' + b"[" * 5000 + b"]" * 5000 + b'},"published":{}}',
    "half a character": b'{"version":1,"servers":{"\xc3":[]},"published":{}}',
}


def test_the_rows_that_are_damaged_here_are_good_otherwise(tmp_path: Path) -> None:
    path = tmp_path / "memory.json"
    path.write_bytes(_row("repo.tld", 1, 2, HASH, 3, {"path": "/cvmfs/x", "alias": "x"}))
    assert [one.alias for one in read(path).entries("s", datetime(1970, 1, 1, tzinfo=UTC))] == ["x"]
    path.write_bytes(_document(published={"repo.tld": [1, 2, "a"]}))
    assert read(path).publications


@pytest.mark.parametrize("damaged", DAMAGED.values(), ids=DAMAGED.keys())
def test_what_this_program_did_not_write_is_forgotten_with_one_line(damaged: bytes, tmp_path: Path) -> None:
    path = tmp_path / "memory.json"
    path.write_bytes(damaged)
    memory, said = attempt(path)
    assert memory == Memory()
    what = f"memory {path} is not what was written there"
    assert said == [f"W! {what}: a run sets it aside as {path}.bad and begins anew"]
    assert files(tmp_path) == ["memory.json.bad"]
    assert (tmp_path / "memory.json.bad").read_bytes() == damaged
    assert attempt(path) == (Memory(), []), "it is said once"


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "memory.json"
    with path.open("wb") as file:
        file.truncate(100 * 1024**3)
    memory, said = attempt(path)
    assert (memory, len(said)) == (Memory(), 1)


def test_nor_is_one_that_only_its_length_speaks_against(
    body: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "memory.json"
    monkeypatch.setattr(memory_file, "LARGEST", len(body) + 10)
    path.write_bytes(body + b" " * 10)
    assert attempt(path) == (MEMORY, [])
    path.write_bytes(body + b" " * 11)
    memory, said = attempt(path)
    assert (memory, len(said)) == (Memory(), 1)


def test_a_pipe_in_its_place_does_not_hold_up_the_run(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "memory.json")
    text = "import sys, pathlib; from telegraf_cvmfs.memory.state import State; State(pathlib.Path(sys.argv[1]), print)"
    done = subprocess.run(
        [sys.executable, "-c", text, tmp_path / "memory.json"], capture_output=True, text=True, timeout=5, check=False
    )
    assert (done.returncode, done.stdout.count("\n")) == (0, 1)


@settings(max_examples=200, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-5, 2**70) | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
        max_leaves=12,
    )
)
def test_any_json_in_the_place_of_servers_is_read_or_forgotten(
    tmp_path_factory: pytest.TempPathFactory, value: object
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.json"
    for document in ({"servers": value}, {"servers": {"s": [value]}}, {"published": {"repo.tld": value}}):
        path.write_bytes(_document(**document))
        said: list[str] = []
        kept = State(path, said.append)
        assert len(said) <= 1
        kept.keep(example())


def test_of_several_that_were_damaged_the_last_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "memory.json"
    said: list[str] = []
    for text in (b"one", b"two"):
        path.write_bytes(text)
        State(path, said.append).keep(example())
    assert files(tmp_path) == ["memory.json", "memory.json.bad"]
    assert (tmp_path / "memory.json.bad").read_bytes() == b"two"
    assert read(path).replicas


def test_what_cannot_be_read_for_an_error_of_the_disk_is_left_alone(
    body: bytes, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.parent.mkdir()
    file.write_bytes(body)
    opened = os.open

    def broken(path: str, *others: int) -> int:
        if Path(path) == file:
            raise OSError(errno.EIO, "Input/output error")
        return opened(path, *others)

    said: list[str] = []
    with monkeypatch.context() as patched:
        patched.setattr(os, "open", broken)
        kept = State(file, said.append)
        kept.keep(example())
        kept.keep(example())
    where = "take another place with --state-dir (none for no memory)"
    assert said == [f"W! memory {file} cannot be read (Input/output error): {where}"]
    assert (files(file.parent), file.read_bytes()) == (["memory.json"], body)
    assert kept.memory.entries(S1.name, NOW), "it remembers as long as it runs"
    kept.keep(example())
    assert len(said) == 1
    assert set(MEMORY.replicas) <= set(read(file).replicas), "as soon as it can be read it is taken up"


# --- where it cannot be -----------------------------------------------------------------------------


def _below_a_file(folder: Path) -> Path:
    (folder / "file").write_text("", encoding="utf-8")
    return folder / "file" / "state" / "memory.json"


def _in_a_file(folder: Path) -> Path:
    (folder / "file").write_text("", encoding="utf-8")
    return folder / "file" / "memory.json"


def _is_a_folder(folder: Path) -> Path:
    (folder / "memory.json" / "x").mkdir(parents=True)
    return folder / "memory.json"


def _dangling(folder: Path) -> Path:
    (folder / "link").symlink_to(folder / "nothing" / "there")
    return folder / "link" / "memory.json"


def _in_a_loop(folder: Path) -> Path:
    (folder / "link").symlink_to(folder / "link")
    return folder / "link" / "memory.json"


PLACES: Mapping[str, Callable[[Path], Path]] = {
    "below a file": _below_a_file,
    "in a file": _in_a_file,
    "is a folder": _is_a_folder,
    "dangling link": _dangling,
    "link to itself": _in_a_loop,
    "proc": lambda _: Path("/proc/telegraf-cvmfs/memory.json"),
    "device": lambda _: Path("/dev/null/memory.json"),
    "long name": lambda folder: folder / ("x" * 300) / "memory.json",
    "long path": lambda folder: folder.joinpath(*["x" * 200] * 30) / "memory.json",
}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES.keys())
def test_where_it_cannot_be_kept_runs_go_on_and_say_so_once(place: Callable[[Path], Path], tmp_path: Path) -> None:
    path = place(tmp_path)
    before = sorted(tmp_path.iterdir())
    said: list[str] = []
    kept = State(path, said.append)
    for _ in range(3):
        kept.keep(example())
    assert len(said) == 1
    assert said[0].startswith(f"W! memory {path} cannot be ")
    assert "\n" not in said[0]
    assert kept.memory.entries(S1.name, NOW), "it remembers as long as it runs"
    assert sorted(tmp_path.iterdir()) == before, "nothing is left behind"


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES.keys())
def test_what_is_said_of_it_tells_how_to_help(place: Callable[[Path], Path], tmp_path: Path) -> None:
    with pytest.raises(StateError, match="--state-dir"):
        write(place(tmp_path), MEMORY)


def test_a_full_disk_leaves_what_was_there(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(file, MEMORY)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fdopen", full)
    with pytest.raises(StateError, match="No space left on device"):
        write(file, Memory())
    monkeypatch.undo()
    assert read(file) == MEMORY
    assert files(file.parent) == ["memory.json"]


def test_no_path_is_memory_for_as_long_as_the_process() -> None:
    said: list[str] = []
    kept = State(None, said.append)
    kept.keep(example())
    assert (bool(kept.memory.entries(S1.name, NOW)), said) == (True, [])


def test_a_file_of_one_run_is_the_memory_of_the_next(file: Path) -> None:
    said: list[str] = []
    State(file, said.append).keep(example())
    following = State(file, said.append)
    assert [one.name for one in following.memory.entries(S1.name, NOW)] == ["repo.tld", "other.tld", "through.tld"]
    following.keep(run_of(down_server(S1), started=NOW + timedelta(hours=1)))
    assert read(file).entries(S1.name, NOW + timedelta(hours=1))
    assert not said


# --- two at once, and killed ------------------------------------------------------------------------


def _of_size(number: int) -> Memory:
    rows = (Remembered(_entry(f"repo-{one}.tld"), T0, number, HASH, T0) for one in range(100 * number))
    return Memory({f"server-{number}": tuple(rows)})


def _write_often(path: Path, number: int) -> None:
    memory = _of_size(number)
    for _ in range(200):
        write(path, memory)


def _write_for_ever(path: Path) -> None:
    memory = _of_size(20)
    while True:
        write(path, memory)


@pytest.mark.slow
def test_of_two_that_write_at_once_there_is_always_one_whole_file(file: Path) -> None:
    wholes = [_of_size(1), _of_size(3)]
    write(file, wholes[0])
    context = multiprocessing.get_context("spawn")
    both = [context.Process(target=_write_often, args=(file, number)) for number in (1, 3)]
    for one in both:
        one.start()
    seen = 0
    while any(one.is_alive() for one in both):
        assert read(file) in wholes
        seen += 1
    for one in both:
        one.join()
        assert one.exitcode == 0
    assert seen > 10
    assert files(file.parent) == ["memory.json"]


@pytest.mark.slow
def test_who_is_killed_while_writing_leaves_a_whole_file(file: Path) -> None:
    write(file, whole := _of_size(20))
    for nap in (0.01, 0.05, 0.1):
        writer = multiprocessing.get_context("spawn").Process(target=_write_for_ever, args=(file,))
        writer.start()
        before = file.stat().st_ino
        while file.stat().st_ino == before:
            time.sleep(0.005)
        time.sleep(nap)
        assert writer.pid is not None
        os.kill(writer.pid, signal.SIGKILL)
        writer.join()
        assert read(file) == whole
    write(file, MEMORY)
    assert read(file) == MEMORY


# --- where it lies ----------------------------------------------------------------------------------


def test_systemd_says_where(tmp_path: Path) -> None:
    given = {"STATE_DIRECTORY": "/var/lib/one:/var/lib/two", "XDG_STATE_HOME": str(tmp_path), "HOME": str(tmp_path)}
    assert default_folder(given) == Path("/var/lib/one")


def test_else_the_users_folder_for_state(tmp_path: Path) -> None:
    given = {"XDG_STATE_HOME": str(tmp_path / "xdg"), "HOME": str(tmp_path / "home")}
    assert default_folder(given) == tmp_path / "xdg" / "telegraf-cvmfs"
    assert default_folder({"STATE_DIRECTORY": "", **given}) == tmp_path / "xdg" / "telegraf-cvmfs"


def test_else_what_that_is_by_default(tmp_path: Path) -> None:
    assert default_folder({"HOME": str(tmp_path)}) == tmp_path / ".local" / "state" / "telegraf-cvmfs"
    assert default_folder({"XDG_STATE_HOME": "", "HOME": str(tmp_path)}).is_relative_to(tmp_path)


@pytest.mark.parametrize("given", [{}, {"HOME": ""}, {"HOME": "/dev/null"}])
def test_else_a_private_folder_that_every_user_can_have(given: dict[str, str]) -> None:
    assert default_folder(given) == Path(f"/var/tmp/telegraf-cvmfs-{os.getuid()}")  # noqa: S108


def test_each_fleet_has_a_file_of_its_own_in_the_folder(tmp_path: Path) -> None:
    names = [
        "eessi",
        "EESSI",
        "a/b",
        "a b",
        "..",
        "",
        "ü",
        "a%2Fb",
        "x" * 200,
        "x" * 200 + "y",
        "研究" * 20 + "一",
        "研究" * 20,
    ]
    paths = [path_of(tmp_path, name) for name in names]
    assert len({path.name.lower() if path.name.islower() else path.name for path in paths}) == len(names)
    for path in paths:
        assert path.parent == tmp_path
        write(path, MEMORY)


# --- the command ------------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    return {"XDG_STATE_HOME": str(tmp_path / "xdg"), "HOME": str(tmp_path / "home")}


def made(folder: Path) -> list[str]:
    """The files below a folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_run_remembers_unless_told_not_to(fleet_file: Path, home: dict[str, str], tmp_path: Path) -> None:
    done = run("--config", fleet_file, env=home)
    assert (done.returncode, done.stderr) == (0, "")
    (kept,) = made(tmp_path / "xdg")
    assert kept.startswith("telegraf-cvmfs/telegraf-cvmfs-")
    assert read(tmp_path / "xdg" / kept).replicas
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("option", [["--state-dir", "none"], ["--state-dir=none"]])
def test_a_run_that_is_told_to_remember_nothing_writes_nothing(
    fleet_file: Path, home: dict[str, str], tmp_path: Path, option: list[str]
) -> None:
    before = made(tmp_path)
    done = run("--config", fleet_file, *option, env=home)
    assert (done.returncode, done.stderr, made(tmp_path)) == (0, "", before)


def test_the_demo_remembers_nothing(home: dict[str, str], tmp_path: Path) -> None:
    done = run("--demo", env=home)
    assert (done.returncode, done.stderr, made(tmp_path)) == (0, "", [])


def test_the_option_goes_before_systemd_and_systemd_before_the_user(
    fleet_file: Path, home: dict[str, str], tmp_path: Path
) -> None:
    systemd = home | {"STATE_DIRECTORY": str(tmp_path / "systemd")}
    assert run("--config", fleet_file, env=systemd).stderr == ""
    assert run("--config", fleet_file, "--state-dir", tmp_path / "option", env=systemd).stderr == ""
    assert [len(made(tmp_path / one)) for one in ("systemd", "option", "xdg")] == [1, 1, 0]


def test_a_place_that_cannot_be_is_one_warning_and_the_run_is_made(fleet_file: Path, home: dict[str, str]) -> None:
    done = run("--config", fleet_file, "--state-dir", "/dev/null/x", env=home)
    assert done.returncode == 0
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("W! memory /dev/null/x/")
    assert "cvmfs_scrape" in done.stdout


def test_a_damaged_memory_is_one_warning_and_is_replaced(
    fleet_file: Path, home: dict[str, str], tmp_path: Path
) -> None:
    run("--config", fleet_file, env=home)
    path = tmp_path / "xdg" / made(tmp_path / "xdg")[0]
    path.write_bytes(path.read_bytes()[:100])
    done = run("--config", fleet_file, env=home)
    assert (done.returncode, len(done.stderr.splitlines())) == (0, 1)
    assert read(path).replicas
    assert run("--config", fleet_file, env=home).stderr == ""


def _rows(text: str) -> dict[str, dict[str, object]]:
    """The points of repositories, by their tags."""
    parsed = [parse_line(line) for line in text.splitlines()]
    return {
        json.dumps(one["tags"], sort_keys=True): one["fields"] for one in parsed if one["measurement"] == "cvmfs_repo"
    }


def test_a_server_that_went_down_keeps_the_points_of_its_repositories(home: dict[str, str], tmp_path: Path) -> None:
    with DemoFleet(now=datetime.now(UTC)) as demo:
        path = demo.write(tmp_path)
        before = _rows(run("--config", path, env=home).stdout)
    after = _rows(run("--config", path, env=home).stdout)
    assert len(before) > 10
    assert set(after) == set(before)
    judged = {key for key, row in before.items() if "health" in row}
    assert {(row["up"], row.get("health")) for key, row in after.items() if key in judged} == {(0, 3)}
    forgetful = _rows(run("--config", path, "--state-dir", "none", env=home).stdout)
    assert set(forgetful) < set(before)


# --- users that others trust less -------------------------------------------------------------------


AS_SOMEBODY = f"""
import os, sys
from telegraf_cvmfs.command import cli
streams = [os.dup(1), os.dup(2)]
nowhere = os.open(os.devnull, os.O_WRONLY)
os.dup2(nowhere, 1), os.dup2(nowhere, 2)
cli.main([*sys.argv[1:3], "--state-dir", "none"])
os.dup2(streams[0], 1), os.dup2(streams[1], 2)
os.setgroups([])
os.setgid({SOMEBODY})
os.setuid({SOMEBODY})
os._exit(cli.main(sys.argv[1:]))
"""
"""A run before the rights are given up has everything imported: others may not be able to read this Python."""


def run_as_somebody(*arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """The command as a user without a name, a home or a right; a fleet file comes first."""
    unset = {"HOME", "XDG_STATE_HOME", "USER", "LOGNAME"}
    clean = {name: value for name, value in environment().items() if name not in unset} | variables
    done = subprocess.run(
        [sys.executable, "-c", AS_SOMEBODY, *map(str, arguments)],
        env=clean,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    PRINTED.add(done.stdout)
    return done


@pytest.fixture
def private() -> Iterator[Path]:
    """Somebody's folder in /var/tmp, not there before and not there after."""
    folder = Path(f"/var/tmp/telegraf-cvmfs-{SOMEBODY}")  # noqa: S108
    _remove(folder)
    yield folder
    _remove(folder)


def _remove(folder: Path) -> None:
    if folder.is_symlink() or folder.is_file():
        folder.unlink()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def public_fleet_file(demo: DemoFleet) -> Iterator[Path]:
    """Where any user can read it, as pytest's own folders are not."""
    folder = Path(f"/var/tmp/telegraf-cvmfs-tests-{os.getpid()}")  # noqa: S108
    folder.mkdir()
    path = demo.write(folder)
    for one in (folder, *folder.rglob("*")):
        one.chmod(0o755)
    yield path
    shutil.rmtree(folder)


@as_root
@pytest.mark.parametrize("variables", [{}, {"HOME": ""}, {"HOME": "/nonexistent"}, {"HOME": "/"}], ids=str)
def test_a_user_without_a_home_remembers_in_a_private_folder(
    public_fleet_file: Path, private: Path, variables: dict[str, str]
) -> None:
    done = run_as_somebody("--config", public_fleet_file, **variables)
    assert (done.returncode, done.stderr) == (0, "")
    assert stat.S_IMODE(private.stat().st_mode) == 0o700
    assert private.stat().st_uid == SOMEBODY
    assert len(files(private)) == 1
    again = run_as_somebody("--config", public_fleet_file, **variables)
    assert (again.returncode, again.stderr, len(files(private))) == (0, "", 1)


@as_root
@pytest.mark.parametrize("variable", ["HOME", "XDG_STATE_HOME"])
def test_a_home_that_one_may_not_enter_is_no_home(
    public_fleet_file: Path, private: Path, tmp_path: Path, variable: str
) -> None:
    (tmp_path / "home").mkdir(mode=0o700)
    done = run_as_somebody("--config", public_fleet_file, **{variable: str(tmp_path / "home")})
    assert (done.returncode, done.stderr) == (0, "")
    assert len(files(private)) == 1


def _somebody_elses(private: Path, elsewhere: Path) -> None:
    del elsewhere
    private.mkdir(mode=0o777)
    private.chmod(0o777)


def _a_link(private: Path, elsewhere: Path) -> None:
    private.symlink_to(elsewhere)


def _a_file(private: Path, elsewhere: Path) -> None:
    del elsewhere
    private.write_text("", encoding="utf-8")


@as_root
@pytest.mark.parametrize("make", [_somebody_elses, _a_link, _a_file])
def test_what_somebody_else_put_in_the_place_of_the_private_folder_is_not_used(
    public_fleet_file: Path, private: Path, make: Callable[[Path, Path], None]
) -> None:
    elsewhere = public_fleet_file.parent / "elsewhere"
    elsewhere.mkdir()
    os.chown(elsewhere, SOMEBODY, SOMEBODY)
    make(private, elsewhere)
    done = run_as_somebody("--config", public_fleet_file)
    assert done.returncode == 0
    assert len(done.stderr.splitlines()) == 1
    assert "somebody else" in done.stderr or "cannot be" in done.stderr
    assert files(elsewhere) == []
    with contextlib.suppress(NotADirectoryError):
        assert files(private) == []


@as_root
@pytest.mark.parametrize("make", [_somebody_elses, _a_link])
def test_what_somebody_else_wrote_there_is_not_believed(
    demo: DemoFleet, public_fleet_file: Path, private: Path, make: Callable[[Path, Path], None]
) -> None:
    elsewhere = public_fleet_file.parent / "elsewhere"
    elsewhere.mkdir(mode=0o755)
    make(private, elsewhere)
    fleet = demo.fleet()
    forged = Remembered(_entry("forged.tld"), datetime.now(UTC), 7, HASH, datetime.now(UTC))
    path = path_of(private, fleet.name)
    path.write_bytes(b"".join(pieces_of(Memory({server.name: (forged,) for server in fleet.servers}))))
    path.chmod(0o644)
    done = run_as_somebody("--config", public_fleet_file)
    assert "forged.tld" not in done.stdout


@as_root
def test_a_run_as_root_leaves_owner_and_mode_of_file_and_folder(public_fleet_file: Path, home: dict[str, str]) -> None:
    folder = public_fleet_file.parent / "telegraf-state"
    folder.mkdir(mode=0o750)
    os.chown(folder, SOMEBODY, SOMEBODY)
    first, then = (run("--config", public_fleet_file, "--state-dir", folder, env=home).stderr for _ in range(2))
    (path,) = folder.iterdir()
    assert (first, then, _owner_and_mode(path)) == ("", "", (SOMEBODY, SOMEBODY, 0o600)), "that of the folder at first"
    path.chmod(0o640)
    run("--config", public_fleet_file, "--state-dir", folder, env=home)
    assert (_owner_and_mode(path), _owner_and_mode(folder)) == (
        (SOMEBODY, SOMEBODY, 0o640),
        (SOMEBODY, SOMEBODY, 0o750),
    )
    path.write_bytes(b"damaged")
    run("--config", public_fleet_file, "--state-dir", folder, env=home)
    assert _owner_and_mode(path) == (SOMEBODY, SOMEBODY, 0o640)
    assert run_as_somebody("--config", public_fleet_file, "--state-dir", folder).stderr == ""


def _owner_and_mode(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)


@as_root
@pytest.mark.parametrize("locked", ["file", "folder"])
def test_what_one_may_not_read_is_left_alone_and_the_command_that_is_said_helps(
    public_fleet_file: Path, home: dict[str, str], locked: str
) -> None:
    folder = public_fleet_file.parent / "a telegraf's state"
    folder.mkdir(mode=0o700)
    if locked == "file":
        os.chown(folder, SOMEBODY, SOMEBODY)
    arguments = ("--config", public_fleet_file, "--state-dir", folder)
    run(*arguments, env=home)
    (path,) = folder.iterdir()
    os.chown(path, 0, 0)
    before = path.read_bytes()
    (line,) = run_as_somebody(*arguments).stderr.splitlines()
    assert line.startswith(f"W! memory {path} cannot be read (Permission denied): sudo ")
    assert (path.read_bytes(), [one.name for one in folder.iterdir()]) == (before, [path.name])
    command = line.partition(": sudo ")[2].partition(", or another place")[0]
    assert str(path).replace("'", "'\"'\"'") in command
    subprocess.run(["sh", "-c", command], check=True)  # as a person would paste it
    assert run_as_somebody(*arguments).stderr == ""
    assert _owner_and_mode(path)[0] == SOMEBODY


@as_root
def test_a_folder_of_others_is_not_given_away_by_what_is_said(public_fleet_file: Path) -> None:
    folder = public_fleet_file.parent / "shared"
    folder.mkdir(mode=0o755)
    (folder / "theirs").write_text("", encoding="utf-8")
    said = run_as_somebody("--config", public_fleet_file, "--state-dir", folder).stderr
    assert "(Permission denied): take another place with --state-dir" in said


@as_root
def test_a_folder_that_may_be_read_and_not_written_is_one_warning(public_fleet_file: Path) -> None:
    folder = public_fleet_file.parent / "read-only"
    folder.mkdir(mode=0o755)
    done = run_as_somebody("--config", public_fleet_file, "--state-dir", folder)
    assert (done.returncode, len(done.stderr.splitlines())) == (0, 1)
    assert f"W! memory {folder}/" in done.stderr
    assert "Permission denied" in done.stderr
    assert files(folder) == []
