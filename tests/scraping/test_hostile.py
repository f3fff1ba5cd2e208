"""Whole runs against fleets in which most servers misbehave: in time, in whole lines, and fair to the good ones."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from line_protocol_parser import parse_line  # type: ignore[import-untyped]

from telegraf_cvmfs.demo import DemoFleet
from telegraf_cvmfs.model import Result, TransportName
from tests.builders import hostile
from tests.builders.asking import BOTH
from tests.builders.published import LIST

pytestmark = pytest.mark.slow

DEADLINE = 8.0  # with 76 bad servers on the same two cores the good ones need most of three
ROOM = 2.0  # seconds that a busy machine may take on top
MEGABYTES = 100
NAMED = "software.demo.example"

Point = Mapping[str, Any]


@dataclass(frozen=True)
class Outcome:
    """One run of the command, seen from outside; `seconds` from its start to its end, `megabytes` at its peak."""

    code: int
    out: str
    err: str
    seconds: float
    megabytes: float

    @property
    def points(self) -> list[Point]:
        """What it printed; each line must be one point."""
        assert self.out.endswith("\n"), "whole lines only"
        return [parse_line(line) for line in self.out.splitlines()]

    def servers(self) -> dict[str, Point]:
        return {point["tags"]["server"]: point for point in self.points if point["measurement"] == "cvmfs_server"}

    def replicas(self, server: str) -> dict[str, Point]:
        found = [point for point in self.points if point["measurement"] == "cvmfs_repo"]
        return {point["tags"]["repo"]: point for point in found if point["tags"]["server"] == server}


@dataclass(frozen=True)
class Mixed:
    """A fleet file, and what each bad server in it should come to (None: its list is no list)."""

    path: Path
    good: Sequence[str]
    bad: Mapping[str, Result | None]
    environment: Mapping[str, str]

    @property
    def names(self) -> set[str]:
        return {*self.good, *self.bad}


@contextmanager
def fleet(folder: Path, transport: TransportName, *, bad: bool) -> Iterator[Mixed]:
    """The demo fleet, one more of its servers under TLS, and, if asked for, one server of every bad kind."""
    certificates = hostile.certified(folder)
    kinds = {**hostile.KINDS, **{f"TLS {name}": kind for name, kind in hostile.tls_kinds(certificates).items()}}
    with ExitStack() as stack:
        demo = stack.enter_context(DemoFleet(now=datetime.now(UTC)))
        copy = hostile.serves(demo.documents["stratum1-healthy"])
        secure = stack.enter_context(hostile.Server(copy, tls=certificates.good))
        text = demo.fleet_toml() + _server("healthy-tls", secure.url)
        for name, kind in kinds.items() if bad else ():
            text += _server(name, stack.enter_context(kind.make()))
        path = folder / "fleet.toml"
        path.write_text(f'[scrape]\ntransport = "{transport}"\n{text}')
        yield Mixed(
            path,
            ("stratum0", "stratum1-healthy", "stratum1-lagging", "healthy-tls"),
            {name: kind.result_by(transport) for name, kind in kinds.items()} if bad else {},
            {**_environment(), "SSL_CERT_FILE": str(certificates.authority)},
        )


def _server(name: str, url: str) -> str:
    return f'[[server]]\nname = "{name}"\nurl = "{url}"\nrole = "stratum1"\nrepos = ["{NAMED}"]\n'


def _environment() -> dict[str, str]:
    """This one's, without what would choose a proxy or hide a missing flush."""
    return {
        name: text
        for name, text in os.environ.items()
        if not name.lower().endswith("_proxy") and name != "PYTHONUNBUFFERED"
    }


def run(mixed: Mixed, *options: str, term_after: float | None = None, deadline: float = DEADLINE) -> Outcome:
    """Run the command to its end; SIGTERM so many seconds after its start, if asked for."""
    command = [
        sys.executable,
        "-m",
        "telegraf_cvmfs",
        "--config",
        str(mixed.path),
        "--deadline",
        str(deadline),
        *options,
    ]
    folder = mixed.path.parent
    with (folder / "out").open("w+b") as out, (folder / "err").open("w+b") as err:
        began, signalled, peak = time.monotonic(), False, 0.0
        child = subprocess.Popen(command, stdout=out, stderr=err, env=mixed.environment, stdin=subprocess.DEVNULL)
        while child.poll() is None:
            peak = max(peak, _peak(child.pid))
            if term_after is not None and not signalled and time.monotonic() - began >= term_after:
                child.send_signal(signal.SIGTERM)
                signalled = True
            time.sleep(0.005)
        seconds = time.monotonic() - began
    print(f"{seconds:.2f} s, {peak:.0f} MB, SIGTERM {term_after}")  # noqa: T201  # shown with a failure
    return Outcome(child.returncode, (folder / "out").read_text(), (folder / "err").read_text(), seconds, peak)


def _peak(pid: int) -> float:
    """The most memory that a process has had so far, in MB; 0 if it has gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), 0.0)


@pytest.fixture(scope="module", params=BOTH)
def transport(request: pytest.FixtureRequest) -> TransportName:
    name: TransportName = request.param
    return name


@pytest.fixture(scope="module")
def peaceful(tmp_path_factory: pytest.TempPathFactory, transport: TransportName) -> Outcome:
    with fleet(tmp_path_factory.mktemp("peaceful"), transport, bad=False) as mixed:
        return run(mixed)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory, transport: TransportName) -> Iterator[Mixed]:
    with fleet(tmp_path_factory.mktemp("mixed"), transport, bad=True) as made:
        yield made


@pytest.fixture(scope="module")
def outcome(mixed: Mixed) -> Outcome:
    return run(mixed)


# --- the whole run ----------------------------------------------------------------------------------


def test_the_run_ends_with_success_by_its_deadline(outcome: Outcome) -> None:
    assert outcome.code == 0
    assert outcome.seconds < DEADLINE + ROOM


def test_the_run_stays_small(outcome: Outcome) -> None:
    assert 10 < outcome.megabytes < MEGABYTES


def test_only_whole_lines_are_printed_and_no_bug_is_reported(outcome: Outcome) -> None:
    assert len(outcome.points) > 100
    assert "Traceback" not in outcome.err
    assert "internal error" not in outcome.err
    assert all(line[:3] in ("E! ", "W! ", "I! ") for line in outcome.err.splitlines())


def test_every_server_has_one_point(outcome: Outcome, mixed: Mixed) -> None:
    assert {*mixed.names, "stratum1-down"} == set(outcome.servers())


def test_every_bad_server_has_a_point_that_says_what_happened(outcome: Outcome, mixed: Mixed) -> None:
    expected = {name: (result or Result.INVALID).slug for name, result in mixed.bad.items()}
    found = {name: outcome.servers()[name]["fields"]["result"] for name in mixed.bad}
    # A flood takes a time of its own: with all those servers on one machine it may be longer than a request has.
    floods = [name for name in found if "endless" in name or "bomb" in name]
    late = {name: expected[name] for name in floods if found[name] == "timeout"}
    assert found | late == expected


def test_every_bad_server_is_down_and_so_is_the_replica_that_the_fleet_file_names(
    outcome: Outcome, mixed: Mixed
) -> None:
    servers = outcome.servers()
    assert not [name for name in mixed.bad if servers[name]["fields"]["up"]]
    assert {name: outcome.replicas(name)[NAMED]["fields"]["up"] for name in mixed.bad} == dict.fromkeys(mixed.bad, 0)
    assert not [name for name in mixed.bad if not servers[name]["fields"].get("problem")]


LAST_OF_ALL = {"root_catalog_verified_age"}


def test_the_good_servers_are_as_complete_as_without_the_bad_ones(
    outcome: Outcome, peaceful: Outcome, mixed: Mixed
) -> None:
    for name in mixed.good:
        alone, among = peaceful.replicas(name), outcome.replicas(name)
        assert alone
        # The bytes of root catalogs are read after all else, and here the bad servers use up the run's time.
        assert {repo: set(point["fields"]) | LAST_OF_ALL for repo, point in among.items()} == {
            repo: set(point["fields"]) | LAST_OF_ALL for repo, point in alone.items()
        }
        assert [point["fields"]["revision"] for point in among.values()] == [
            point["fields"]["revision"] for point in alone.values()
        ]
        assert set(outcome.servers()[name]["fields"]) == set(peaceful.servers()[name]["fields"])


# --- cut short --------------------------------------------------------------------------------------


@pytest.mark.parametrize("moment", [0.6, 1.2, 2.0])
def test_a_run_that_is_told_to_end_ends_at_once_with_what_is_known(mixed: Mixed, moment: float) -> None:
    cut = run(mixed, term_after=moment, deadline=20)
    assert cut.code == 0, cut.err
    assert cut.seconds < moment + ROOM
    assert {*mixed.names, "stratum1-down"} == set(cut.servers())
    assert "Traceback" not in cut.err


@pytest.mark.parametrize("moment", [0.0, 0.03, 0.06, 0.1, 0.15, 0.2, 0.3])
def test_a_run_that_is_told_to_end_while_it_starts_prints_every_server_or_nothing(mixed: Mixed, moment: float) -> None:
    """The interpreter itself needs a moment before it can take a signal."""
    cut = run(mixed, term_after=moment, deadline=20)
    assert cut.seconds < moment + ROOM
    assert "Traceback" not in cut.err
    if cut.code == -signal.SIGTERM:
        assert cut.out == ""
    else:
        assert cut.code == 0
        assert {*mixed.names, "stratum1-down"} == set(cut.servers())


# --- bombs that are lists ---------------------------------------------------------------------------


def _long_list() -> bytes:
    """As many repositories as fit into a list that is just not too large."""
    entries = (f'{{"name":"r{n:05}.example","url":"/cvmfs/r{n:05}.example"}}' for n in range(70_000))
    return f'{{"schema":1,"replicas":[{",".join(entries)}]}}'.encode()


def test_a_list_of_tens_of_thousands_of_repositories_does_not_hold_the_run_up(tmp_path: Path) -> None:
    listing = _long_list()
    assert 3_000_000 < len(listing) < 4 * 1024 * 1024

    with hostile.Server(hostile.serves({LIST: listing})) as bad:
        path = tmp_path / "fleet.toml"
        path.write_text(_server("long list", bad.url))
        outcome = run(Mixed(path, (), {"long list": None}, _environment()))
    assert outcome.code == 0
    assert outcome.seconds < DEADLINE + ROOM
    assert outcome.megabytes < MEGABYTES
    assert "long list" in outcome.servers()
