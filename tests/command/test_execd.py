"""`execd`: a batch for each newline on stdin, for as long as Telegraf wants them."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fcntl import F_SETPIPE_SZ, fcntl
from pathlib import Path
from typing import Any

import pytest
from line_protocol_parser import parse_line  # type: ignore[import-untyped]

from telegraf_cvmfs.command.execd import Newlines
from telegraf_cvmfs.demo import DemoFleet
from telegraf_cvmfs.fleet import file as fleet_file
from telegraf_cvmfs.fleet import maintenance
from telegraf_cvmfs.fleet.watched import FleetFile
from telegraf_cvmfs.model import Fleet, Maintenance, Role, Server
from telegraf_cvmfs.net.deadline import Deadline
from telegraf_cvmfs.net.names import Names
from telegraf_cvmfs.net.network import Network
from telegraf_cvmfs.scraping.visits import scrape
from tests.builders import hostile
from tests.programs.command import PRINTED, environment, without_pauses

pytestmark = pytest.mark.slow

LINES = 64  # that the demo fleet comes to
PATIENCE = 20.0  # seconds for a batch; it takes a tenth of one on an idle machine
PROMPT = 1.5  # seconds; half a second is promised, a noisy machine gets another one
ROUNDS, WARM = (1000, 100) if os.environ.get("TELEGRAF_CVMFS_SOAK") else (100, 30)  # a round takes 0.1 s on two cores


@dataclass
class Execd:
    """The command while it runs, seen through its pipes as Telegraf sees it."""

    process: subprocess.Popen[bytes]
    errors: Path
    _read: bytearray = field(default_factory=bytearray)

    def ask(self, data: bytes = b"\n") -> None:
        assert self.process.stdin is not None
        os.write(self.process.stdin.fileno(), data)

    def batch(self, patience: float = PATIENCE) -> str:
        """The lines up to that of the run, which is the last of a batch."""
        until = time.monotonic() + patience
        while not (self._read.endswith(b"\n") and b"cvmfs_scrape," in self._read):
            assert self._more(until - time.monotonic()), f"no whole batch in time: {bytes(self._read)[-300:]!r}"
        text = self._read.decode()
        self._read.clear()
        return text

    def quiet(self, seconds: float) -> bool:
        """Does nothing come for so long?"""
        return not self._more(seconds)

    def rest(self) -> str:
        """All that comes until it ends, for at most a while."""
        while self._more(PATIENCE):
            pass
        return self._read.decode()

    def end(self) -> int:
        """Its exit code after the end of its input."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait(PATIENCE)

    def said(self) -> list[str]:
        return self.errors.read_text().splitlines()

    def threads(self) -> int:
        return self._status("Threads")

    def kilobytes(self) -> int:
        return self._status("VmRSS")

    def descriptors(self) -> int:
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    def _status(self, name: str) -> int:
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))

    def _more(self, seconds: float) -> bool:
        assert self.process.stdout is not None
        descriptor = self.process.stdout.fileno()
        if not select.select([descriptor], [], [], max(seconds, 0))[0]:
            return False
        data = os.read(descriptor, 1 << 16)
        self._read += data
        return bool(data)


@contextmanager
def execd(
    folder: Path, *arguments: str | Path, state: str | Path = "none", line: Callable[..., list[str]] = without_pauses
) -> Iterator[Execd]:
    """The command with its stderr in a file; killed at the end if it still runs."""
    errors = folder / f"stderr-{time.monotonic_ns()}"
    with (
        errors.open("wb") as file,
        subprocess.Popen(
            line(*arguments, "execd", "--state-dir", state),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=file,
            env=environment(),
        ) as process,
    ):
        try:
            yield Execd(process, errors)
        finally:
            process.kill()


def points(text: str) -> list[Mapping[str, Any]]:
    """One for each line, and all of them whole."""
    assert text == "" or text.endswith("\n")
    return [parse_line(line) for line in text.splitlines()]


def servers(text: str) -> set[str]:
    return {point["tags"]["server"] for point in points(text) if point["measurement"] == "cvmfs_server"}


def ended(text: str) -> tuple[int, int]:
    """Did the run's own time end it, or a signal?"""
    fields = points(text)[-1]["fields"]
    return int(fields["deadline_hit"]), int(fields["interrupted"])


# --- a batch for each newline -----------------------------------------------------------------------


def test_each_newline_gives_one_whole_batch_at_once_and_the_end_of_input_ends_it(
    fleet_file: Path, tmp_path: Path
) -> None:
    with execd(tmp_path, "--config", fleet_file) as running:
        assert running.quiet(0.5), "nobody has asked yet"
        times = set()
        for _ in range(3):
            running.ask()
            text = running.batch()
            PRINTED.add(text)
            assert len(points(text)) == LINES
            times.add(points(text)[-1]["time"])
        assert len(times) == 3
        assert running.quiet(0.5)
        assert (running.end(), running.rest(), running.said()) == (0, "", [])


def test_all_lines_of_a_batch_are_there_within_a_second_of_the_first(fleet_file: Path, tmp_path: Path) -> None:
    with execd(tmp_path, "--config", fleet_file) as running:
        running.ask()
        assert not running.quiet(PATIENCE)
        assert len(points(running.batch(patience=1))) == LINES


def test_who_asks_as_soon_as_the_batch_is_read_is_answered(fleet_file: Path, tmp_path: Path) -> None:
    with execd(tmp_path, "--config", fleet_file, state=tmp_path / "state") as running:
        for _ in range(20):
            running.ask()
            assert len(points(running.batch(patience=5))) == LINES


def test_newlines_that_come_during_a_run_are_not_queued_up(fleet_file: Path, tmp_path: Path) -> None:
    with (
        hostile.Server(hostile.silent) as silent,
        execd(tmp_path, "--config", fleet_file, "--stratum1", silent.url, "--deadline", "6") as running,
    ):
        running.ask()
        for _ in range(3):
            time.sleep(0.4)
            running.ask()
        assert running.quiet(0.2), "a third of the deadline is for the list of the silent server"
        assert len(servers(running.batch())) == 5
        assert running.quiet(4), "the newlines of before are not answered"
        assert len(next_servers(running)) == 5


def test_several_newlines_in_one_write_are_one_batch(fleet_file: Path, tmp_path: Path) -> None:
    with execd(tmp_path, "--config", fleet_file) as running:
        running.ask(b"\n\r\n\n" * 1000)
        assert len(points(running.batch())) == LINES
        assert running.quiet(1)


def test_what_is_no_newline_asks_for_nothing(fleet_file: Path, tmp_path: Path) -> None:
    with execd(tmp_path, "--config", fleet_file) as running:
        running.ask(b"gather")
        assert running.quiet(1)
        running.ask(b"\n")
        assert len(points(running.batch())) == LINES


# --- its end ----------------------------------------------------------------------------------------


def test_the_end_of_input_lets_it_finish_the_batch_that_it_is_making(fleet_file: Path, tmp_path: Path) -> None:
    with execd(tmp_path, "--config", fleet_file) as running:
        running.ask()
        assert running.end() == 0
        assert len(points(running.rest())) == LINES


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_run_at_once_with_what_is_known(
    fleet_file: Path, tmp_path: Path, number: signal.Signals
) -> None:
    with (
        hostile.Server(hostile.silent) as silent,
        execd(tmp_path, "--config", fleet_file, "--stratum1", silent.url) as running,
    ):
        running.ask()
        assert running.quiet(1.5), "the silent server is being waited for"
        began = time.monotonic()
        running.process.send_signal(number)
        assert running.process.wait(PATIENCE) == 0
        assert time.monotonic() - began < PROMPT
        text = running.rest()
        assert ended(text) == (0, 1)
        assert sum(p["measurement"] == "cvmfs_repo" and p["fields"]["up"] == 1 for p in points(text)) == 18
        (said,) = running.said()
        assert said.startswith(f"W! {number.name} ended the run after ")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_between_runs_ends_it_without_a_word(fleet_file: Path, tmp_path: Path, number: signal.Signals) -> None:
    with execd(tmp_path, "--config", fleet_file) as running:
        running.ask()
        running.batch()
        time.sleep(0.5)
        began = time.monotonic()
        running.process.send_signal(number)
        assert running.process.wait(PATIENCE) == 0
        assert time.monotonic() - began < PROMPT
        assert (running.rest(), running.said()) == ("", [])


@pytest.mark.parametrize("pause", [0.1, 0.15, 0.2, 0.25, 0.3, 0.4])
def test_a_signal_at_the_start_is_not_lost(tmp_path: Path, pause: float) -> None:
    with hostile.Server(hostile.silent) as silent, execd(tmp_path, "--stratum1", silent.url) as running:
        running.ask()
        time.sleep(pause)
        running.process.terminate()
        assert running.process.wait(PROMPT) in (0, -signal.SIGTERM), "Python itself is killed before it hears of it"
        points(running.rest())


def test_a_round_that_begins_after_the_signal_has_no_time() -> None:
    reading, writing = os.pipe()
    rounds = Newlines(reading)
    os.write(writing, b"\n")
    for _ in rounds:
        rounds.stop("SIGTERM")
        assert rounds.begin(Deadline(60)).passed
    os.close(writing)


def test_nobody_who_reads_it_ends_it_without_a_traceback(fleet_file: Path, tmp_path: Path) -> None:
    with execd(tmp_path, "--config", fleet_file) as running:
        running.ask()
        running.batch()
        assert running.process.stdout is not None
        running.process.stdout.close()
        running.ask()
        assert running.process.wait(PATIENCE) == 0
        assert running.said() == []


def test_a_slow_reader_gets_every_line(fleet_file: Path, tmp_path: Path) -> None:
    with execd(tmp_path, "--config", fleet_file) as running:
        assert running.process.stdout is not None
        descriptor = running.process.stdout.fileno()
        fcntl(descriptor, F_SETPIPE_SZ, 4096)
        running.ask()
        assert select.select([descriptor], [], [], PATIENCE)[0]
        running.ask()  # it is still being printed, so this is a round of its own
        text = b""
        while text.count(b"cvmfs_scrape,") < 2 or not text.endswith(b"\n"):
            assert select.select([descriptor], [], [], PATIENCE)[0]
            text += os.read(descriptor, 512)
            time.sleep(0.005)
        assert len(points(text.decode())) == 2 * LINES


def test_a_signal_while_a_slow_reader_reads_leaves_whole_lines(fleet_file: Path, tmp_path: Path) -> None:
    with execd(tmp_path, "--config", fleet_file) as running:
        assert running.process.stdout is not None
        fcntl(running.process.stdout.fileno(), F_SETPIPE_SZ, 4096)
        running.ask()
        time.sleep(1.5)
        running.process.terminate()
        time.sleep(0.3)
        assert len(points(running.rest())) == LINES
        assert running.process.wait(PATIENCE) == 0


# --- the fleet file ---------------------------------------------------------------------------------


def server(name: str, url: str, role: str = "stratum1") -> str:
    return f'[[server]]\nname = "{name}"\nurl = "{url}"\nrole = "{role}"\n'


@pytest.fixture
def watched(demo: DemoFleet, tmp_path: Path) -> tuple[Path, str, str]:
    """A fleet file with one server, its text, and a longer text with two."""
    one = server("one", demo.urls["stratum1-healthy"])
    path = tmp_path / "watched.toml"
    path.write_text(one)
    return path, one, one + server("two", demo.urls["stratum1-lagging"])


def next_servers(running: Execd) -> set[str]:
    running.ask()
    return servers(running.batch())


def test_a_server_that_is_added_to_the_fleet_file_is_scraped_from_then_on(
    watched: tuple[Path, str, str], tmp_path: Path
) -> None:
    path, one, two = watched
    with execd(tmp_path, "--config", path) as running:
        assert next_servers(running) == {"one"}
        path.write_text(two)
        assert next_servers(running) == {"one", "two"}
        (tmp_path / "new").write_text(one.replace('"one"', '"eins"'))
        (tmp_path / "new").replace(path)
        assert next_servers(running) == {"eins"}
        assert running.said() == []


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("half", "not TOML"),
        ("key", "unknown key"),
        ("empty", "no [[server]]"),
        ("binary", "not UTF-8"),
        ("removed", "No such file or directory"),
        ("folder", "Is a directory"),
    ],
)
def test_a_fleet_file_gone_wrong_is_said_once_and_the_old_one_stays_until_it_is_right(
    watched: tuple[Path, str, str], tmp_path: Path, broken: str, said: str
) -> None:
    path, _, two = watched
    contents = {"half": two[:-9], "key": two + "nmae = 1\n", "empty": "", "binary": "\udcff"}
    with execd(tmp_path, "--config", path) as running:
        assert next_servers(running) == {"one"}
        path.unlink()
        if broken in contents:
            path.write_bytes(contents[broken].encode(errors="surrogateescape"))
        elif broken == "folder":
            path.mkdir()
        for _ in range(3):
            assert next_servers(running) == {"one"}
        (line,) = running.said()
        assert line.startswith(f"E! fleet file {path}")
        assert said in line
        assert line.endswith("stays in use")
        if broken == "folder":
            path.rmdir()
        path.write_text(two)
        assert next_servers(running) == {"one", "two"}
        assert (running.end(), len(running.said())) == (0, 1)


def fleet_of(path: Path, complaints: list[str]) -> FleetFile:
    return FleetFile(path, fleet_file.load, complaints.append)


def test_a_fleet_file_is_taken_when_the_key_that_it_wants_has_come(demo: DemoFleet, tmp_path: Path) -> None:
    path, said = demo.write(tmp_path), list[str]()
    key = tmp_path / "keys" / "demo.pub"
    file = fleet_of(path, said)
    before = file.fleet()
    content = key.read_bytes()
    key.unlink()
    path.write_text(path.read_text().replace('name = "demo"', 'name = "renamed"'))
    assert [file.fleet() for _ in range(3)] == [before] * 3
    assert len(said) == 1
    assert "demo.pub: No such file" in said[0]
    key.write_bytes(content)
    assert file.fleet().name == "renamed"
    assert said[1] == f"I! fleet file {path} has changed and was read again"


def test_another_mistake_in_the_fleet_file_is_said_too(watched: tuple[Path, str, str]) -> None:
    (path, one, two), said = watched, list[str]()
    file = fleet_of(path, said)
    file.fleet()
    for text in (two + "nmae = 1\n", two + "rloe = 1\n", two + "rloe = 1\n# not saved for the last time\n", one):
        path.write_text(text)
        file.fleet()
    assert [line[:2] for line in said] == ["E!", "E!", "I!"]
    assert "nmae" in said[0]
    assert "rloe" in said[1]


def test_maintenance_that_is_added_counts_from_the_next_round_on(watched: tuple[Path, str, str]) -> None:
    said = list[str]()
    file, added = fleet_of(watched[0], said), maintenance.beside(watched[0])
    window = Maintenance(datetime(2026, 12, 1, 8, tzinfo=UTC), datetime(2026, 12, 1, 12, tzinfo=UTC), why="new disks")
    assert file.fleet().maintenance == ()
    added.write_text(maintenance.text([window]))
    assert file.fleet().maintenance == (window,)
    added.write_text("[[maintenance]]\n")
    assert file.fleet().maintenance == (window,)
    added.unlink()
    assert file.fleet().maintenance == ()
    assert [line[:2] for line in said] == ["I!", "E!", "I!"]
    assert f"maintenance file {added}, line 1: [[maintenance]] number 1: from is missing" in said[1]


def test_a_fleet_file_that_does_not_change_is_read_once(watched: tuple[Path, str, str]) -> None:
    loaded = []

    def load(path: Path) -> Fleet:
        loaded.append(path)
        return fleet_file.load(path)

    file = FleetFile(watched[0], load, print)
    assert file.fleet() is file.fleet() is file.fleet()
    assert len(loaded) == 1


def test_a_fleet_file_that_is_wrong_from_the_start_ends_it_with_exit_2(tmp_path: Path) -> None:
    (tmp_path / "wrong.toml").write_text('[[server]]\nurl = "http://127.0.0.1:1"\nroll = "stratum1"\n')
    with execd(tmp_path, "--config", tmp_path / "wrong.toml") as running:
        assert running.process.wait(PATIENCE) == 2
        (line,) = running.said()
        assert "line 3" in line
        assert "roll" in line


# --- the memory -------------------------------------------------------------------------------------


def settled(question: Any, wanted: Any, patience: float = 3.0) -> Any:
    """The answer once it is what is wanted, or at last."""
    until = time.monotonic() + patience
    while (answer := question()) != wanted and time.monotonic() < until:
        time.sleep(0.05)
    return answer


def test_what_a_round_saw_is_kept_before_the_next_newline(fleet_file: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    with execd(tmp_path, "--config", fleet_file, state=state) as running:
        versions = set()
        for _ in range(3):
            running.ask()
            running.batch()
            time.sleep(0.5)
            (file,) = state.iterdir()
            versions.add((file.stat().st_ino, file.stat().st_mtime_ns))
        assert len(versions) == 3
        running.process.kill()
    assert json.loads(file.read_text())["servers"].keys() >= {"stratum0", "stratum1-healthy"}


def test_a_memory_that_cannot_be_written_is_one_warning_for_the_whole_process(fleet_file: Path, tmp_path: Path) -> None:
    with execd(tmp_path, "--config", fleet_file, state="/proc/state") as running:
        for _ in range(3):
            running.ask()
            assert len(points(running.batch())) == LINES
        assert running.end() == 0
        (line,) = running.said()
        assert line.startswith("W! memory /proc/state/")
        assert "--state-dir" in line


# --- nothing piles up -------------------------------------------------------------------------------


def tasks() -> set[str]:
    """The threads of this process, whoever began them."""
    return {one.name for one in Path("/proc/self/task").iterdir()}


def test_hung_look_ups_hold_one_thread_for_each_name_however_many_rounds_there_are() -> None:
    hang, asked = threading.Event(), list[str]()

    def resolve(host: str) -> list[str]:
        asked.append(host)
        hang.wait()
        return []

    fleet = Fleet(tuple(Server(f"http://{name}.example", name, Role.STRATUM1) for name in "abc"))

    def left() -> int:
        return len(tasks() - before)

    names, before = Names(resolve), tasks()  # those of tests before this one may still end
    for _ in range(10):
        network = Network(Deadline(0.3), names=names)
        scrape(fleet, datetime.now(UTC), network, print)
        names.forget()
    held = settled(left, 3)
    hang.set()
    assert held == 3
    assert sorted(asked) == ["a.example", "b.example", "c.example"]
    assert settled(left, 0) == 0


def test_a_name_is_looked_up_again_in_each_round() -> None:
    asked = []

    def resolve(host: str) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    names = Names(resolve)
    with hostile.Server(hostile.serves({})) as good:
        fleet = Fleet((Server(f"http://a.example:{good.port}", "a", Role.STRATUM1),))
        for _ in range(3):
            network = Network(Deadline(5), names=names)
            scrape(fleet, datetime.now(UTC), network, print)
            names.forget()
    assert asked == ["a.example"] * 3


BAD = ("silent", "drips headers", "full backlog", "endless chunks", "closes at once", "resets", "HTML for everything")


def test_bad_servers_leave_no_thread_and_no_connection_behind(
    fleet_file_of_each_transport: Path, tmp_path: Path
) -> None:
    fleet_file = fleet_file_of_each_transport
    with ExitStack() as stack:
        urls = [stack.enter_context(hostile.KINDS[name].make()) for name in BAD]
        options = [word for url in urls for word in ("--stratum1", url)]
        running = stack.enter_context(execd(tmp_path, "--config", fleet_file, *options, "--deadline", "1"))
        counts = []
        for _ in range(6):
            running.ask()
            assert len(servers(running.batch())) == 4 + len(BAD)
            counts.append(settled(lambda: (running.threads(), running.descriptors()), (2, 3), 1.0))
        assert counts == [(2, 3)] * 6, "the main thread and that which listens; stdin, stdout and stderr"


@pytest.mark.soak
def test_many_rounds_leave_nothing_behind(fleet_file_of_each_transport: Path, tmp_path: Path) -> None:
    options = ("--config", fleet_file_of_each_transport)
    with execd(tmp_path, *options, state=tmp_path / "state") as running:
        seen = []
        for number in range(1, ROUNDS + 1):
            running.ask()
            assert running.batch().count("\n") == LINES
            if number in (WARM, ROUNDS):
                time.sleep(1)
                seen.append((running.threads(), running.descriptors(), running.kilobytes()))
        (threads, descriptors, before), (*end, after) = seen
        assert (running.end(), running.said()) == (0, [])
    assert end == [threads, descriptors] == [2, 3]
    assert after - before < 4 * 1024


def test_a_key_that_is_damaged_later_leaves_the_keys_as_they_were(demo: DemoFleet, tmp_path: Path) -> None:
    path = demo.write(tmp_path)
    with execd(tmp_path, "--config", path) as running:
        running.ask()
        assert 'signature="ok"' in running.batch()
        (path.parent / "keys" / "demo.pub").write_text("-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----\n")
        for _ in range(2):
            running.ask()
            assert 'signature="ok"' in running.batch()
        assert running.end() == 0
        (said,) = running.said()
    assert said.startswith("E! key file ")
    assert said.endswith("the keys as they were before stay in use")
