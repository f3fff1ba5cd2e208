"""The demo fleet as it lives: what it promises at every moment, and what the program makes of it."""

from __future__ import annotations

import itertools
import re
import signal
import subprocess
import sys
import time
import tomllib
import urllib.request
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from line_protocol_parser import parse_line  # type: ignore[import-untyped]

from telegraf_cvmfs.demo import DemoFleet, life
from telegraf_cvmfs.demo.faults import FAULTS
from telegraf_cvmfs.demo.history import history, moments
from telegraf_cvmfs.demo.rhythm import EPOCH, Rhythm
from telegraf_cvmfs.demo.stratum import Copy
from telegraf_cvmfs.memory.state import State
from telegraf_cvmfs.memory.value import Memory, remember
from telegraf_cvmfs.model import Health, ReplicaVerdict, Run
from telegraf_cvmfs.points.rows import points
from tests.builders.demo_runs import FAULTY, HEALTHY, LAGGING, NAMES, STRATUM0, run_once
from tests.programs.command import command, environment, run

pytestmark = pytest.mark.slow

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
START = datetime(2026, 3, 2, 4, 5, 6, tzinfo=UTC)
DOWN = "stratum1-down"
URLS = dict.fromkeys((STRATUM0, HEALTHY, LAGGING, DOWN, FAULTY), "http://127.0.0.1:1")

Place = tuple[str, str]  # a server, and the short name of a repository


def short(name: str) -> str:
    return name.partition(".")[0]


# --- rhythms ------------------------------------------------------------------------------------------

RHYTHM = Rhythm(36, (3, 20.75))


@given(number=st.integers(-10_000, 10_000))
def test_a_rhythm_has_counted_to_a_number_at_its_moment_and_not_a_second_before(number: int) -> None:
    moment = RHYTHM.moment(number)
    assert RHYTHM.count(moment) == number
    assert RHYTHM.count(moment - timedelta(seconds=1)) == number - 1
    assert RHYTHM.last(moment) == moment


def test_a_rhythm_follows_on_itself() -> None:
    hours = [(RHYTHM.moment(number) - EPOCH) / HOUR for number in range(5)]
    assert hours == [-15.25, 3, 20.75, 39, 56.75]


def rhythms() -> Iterator[Rhythm]:
    yield from (plan.rhythm for plan in life.PUBLISHING.values())
    yield from (*life.GEODB.values(), *life.STRATUM0_GC.values(), life.SIGNING)
    for care in (care for cares in life.CARE.values() for care in cares.values()):
        yield from (rhythm for rhythm in (care.snapshots, care.checks, care.gc) if rhythm is not None)


def test_the_hours_of_every_rhythm_ascend_within_its_cycle() -> None:
    for rhythm in rhythms():
        assert sorted({*rhythm.at}) == list(rhythm.at)
        assert 0 <= rhythm.at[0] <= rhythm.at[-1] < rhythm.cycle


# --- what is planned ----------------------------------------------------------------------------------


def planned(now: datetime) -> dict[Place, Copy]:
    strata = life.strata(now, life.repositories(now, URLS), (HEALTHY, LAGGING, FAULTY))
    return {(stratum.name, short(copy.repository.name)): copy for stratum in strata for copy in stratum.copies}


MONTH = tuple(START + step * 47 * MINUTE for step in range(30 * 24 * 60 // 47))
"""A month in steps that fall on every minute of an hour."""


@pytest.fixture(scope="module")
def month() -> list[tuple[datetime, dict[Place, Copy]]]:
    return [(now, planned(now)) for now in MONTH]


Month = list[tuple[datetime, dict[Place, Copy]]]


def test_a_replica_has_what_was_published_when_its_snapshot_began(month: Month) -> None:
    for now, copies in month:
        for (server, name), copy in copies.items():
            plan, care = life.PUBLISHING[name], life.CARE.get(server, {}).get(name)
            begun = now
            if care is not None and care.snapshots is not None:
                assert copy.last_snapshot is not None
                begun = copy.last_snapshot - timedelta(hours=care.takes)
            assert copy.revision.number == plan.before + plan.rhythm.count(begun), (now, server, name)


def test_no_revision_and_no_date_ever_goes_backwards(month: Month) -> None:
    for (_, before), (_, after) in itertools.pairwise(month):
        for place, copy in after.items():
            assert copy.revision.number >= before[place].revision.number
            for what in ("last_snapshot", "last_gc", "last_check"):
                new, old = getattr(copy, what), getattr(before[place], what)
                assert new == old or new > old, (place, what)


def test_revisions_are_above_those_of_the_fleet_that_stands_still() -> None:
    standing = {"software": 416, "data": 87, "conditions": 2210, "containers": 153, "nightlies": 9034, "config": 12}
    for name, copy in {name: copy for (_, name), copy in planned(EPOCH + 5 * DAY).items()}.items():
        assert copy.revision.number > standing[name]


def test_everything_is_published_on_a_quarter_of_an_hour_when_the_faulty_server_replicates_it(month: Month) -> None:
    for plan in life.PUBLISHING.values():
        assert all(hours % 0.25 == 0 for hours in (plan.rhythm.cycle, *plan.rhythm.at))
    for _, copies in month:
        assert {copies[FAULTY, name].revision == copies[STRATUM0, name].revision for name in NAMES} == {True}


def test_one_snapshot_at_a_time_runs_on_a_replica_and_healthy_ones_within_minutes(month: Month) -> None:
    for cares in life.CARE.values():
        for care in cares.values():
            if care.snapshots is not None:
                first = [care.snapshots.moment(number) for number in range(4)]
                assert all(timedelta(hours=care.takes) < after - before for before, after in itertools.pairwise(first))
    running = Counter(place for _, copies in month for place, copy in copies.items() if copy.snapshotting)
    assert {server for server, _ in running} == {HEALTHY, LAGGING}
    assert 0 < running[LAGGING, "nightlies"] < len(month)
    for now, copies in month:
        since = copies[HEALTHY, "software"].snapshotting
        assert since is None or timedelta(0) <= now - since < 3 * MINUTE


def test_whitelists_are_signed_in_time_and_replicated(month: Month) -> None:
    left = {
        place: min(copies[place].repository.whitelist_expires - now for now, copies in month) for place in month[0][1]
    }
    assert min(left.values()) > 6 * DAY
    assert len({copies[STRATUM0, "software"].repository.whitelist_created for _, copies in month}) > 1
    late = [copies for _, copies in month if signed(copies[LAGGING, "data"]) < signed(copies[STRATUM0, "data"])]
    assert late, "what is signed anew is not on the lagging server before its snapshot"


def signed(copy: Copy) -> datetime:
    return copy.repository.whitelist_created


def test_the_same_moment_is_the_same_whenever_it_is_asked() -> None:
    assert planned(MONTH[77]) == planned(MONTH[77])


# --- what the program sees ----------------------------------------------------------------------------


def verdicts(seen: Run) -> dict[Place, ReplicaVerdict]:
    return {
        (server.stratum.server.name, short(one.replica.repo)): one for server in seen.servers for one in server.replicas
    }


def slugs(one: Any) -> dict[str, Health]:
    return {finding.slug: finding.health for finding in one.findings}


def revision(one: ReplicaVerdict) -> int:
    assert one.replica.manifest.value is not None, one.replica.manifest.why
    return one.replica.manifest.value.revision


def missing_since(name: str, mine: int) -> datetime:
    plan = life.PUBLISHING[name]
    return plan.rhythm.moment(mine - plan.before + 1)


def nothing_said(line: str) -> None:
    pytest.fail(line)


def keeps_its_promises(seen: Run) -> None:
    """What is true of every run at any moment, also of one without memory."""
    found, servers = verdicts(seen), {one.stratum.server.name: slugs(one) for one in seen.servers}
    assert servers.pop(DOWN) == {"server_down": Health.CRITICAL}
    assert servers.pop(LAGGING) == {"geodb_old": Health.WARNING}
    assert not any(servers.values()), servers
    for (server, name), one in found.items():
        if server in (STRATUM0, HEALTHY):
            assert (one.health, slugs(one)) == (Health.OK, {}), (seen.started, server, name)
        if server == FAULTY:
            assert one.health is Health.CRITICAL, (seen.started, name, one.findings)
            assert set(slugs(one)) == {FOUND[name]}
    late = {name: slugs(found[LAGGING, name]) for name in NAMES}
    assert late["conditions"] == {"check_failed": Health.WARNING}
    assert any("lagging" in slugs_of for slugs_of in late.values())
    assert any(slugs_of.get("snapshot_old") is Health.CRITICAL for slugs_of in late.values())
    assert late["nightlies"] == {}
    assert found[LAGGING, "config"].health is None
    assert {one.health for (server, _), one in found.items() if server == DOWN} == {Health.UNKNOWN}


FOUND = {
    "nightlies": "whitelist",
    "conditions": "signature",
    "containers": "root_catalog",
    "config": "root_catalog",
    "data": "root_catalog",
    "software": "diverged",
}


def test_each_fault_has_its_finding() -> None:
    assert set(FOUND) == set(FAULTS)


@pytest.fixture(scope="module")
def days() -> list[Run]:
    """An hour after the other for as long as the lagging server's longest cycle, as `demo --history` scrapes it."""
    when = tuple(START + hours * HOUR for hours in range(49))
    return list(history(when, State(None, nothing_said), nothing_said))


def test_hour_by_hour_it_keeps_its_promises(days: list[Run]) -> None:
    assert [seen.started for seen in days] == [START + hours * HOUR for hours in range(49)]
    for seen in days:
        keeps_its_promises(seen)


def test_hour_by_hour_lag_is_since_the_oldest_publication_that_is_missing(days: list[Run]) -> None:
    lags: dict[Place, list[timedelta]] = {}
    for seen in days:
        for (server, name), one in verdicts(seen).items():
            if one.lag:
                lags.setdefault((server, name), []).append(one.lag)
                assert one.lag == seen.started.replace(microsecond=0) - missing_since(name, revision(one))
                assert one.revisions_behind is not None
    assert {server for server, _ in lags} == {HEALTHY, LAGGING}
    for name in ("software", "data"):
        assert len(lags[LAGGING, name]) == len(days), "without something published at all times"
        assert DAY < min(lags[LAGGING, name]) < 2 * DAY < max(lags[LAGGING, name]) < 4 * DAY
    assert max(lag for place, found in lags.items() if place[0] == HEALTHY for lag in found) <= 15 * MINUTE
    assert {slugs(verdicts(seen)[LAGGING, "software"])["lagging"] for seen in days} == {Health.CRITICAL}


def test_hour_by_hour_other_findings_come_and_go(days: list[Run]) -> None:
    for name, slug in (("software", "snapshot_old"), ("software", "snapshot_stuck"), ("containers", "snapshot_old")):
        times = sum(slug in slugs(verdicts(seen)[LAGGING, name]) for seen in days)
        assert 0 < times < len(days), (name, slug)


def test_hour_by_hour_every_publication_is_one_point(days: list[Run]) -> None:
    made = {
        (short(point.tags["repo"]), point.time): point.fields["revision"]
        for seen in days
        for point in points(seen)
        if point.measurement == "cvmfs_publish"
    }
    for name, plan in life.PUBLISHING.items():
        numbers = range(plan.rhythm.count(START - DAY) + 1, plan.rhythm.count(days[-1].started) + 1)
        wanted = {plan.rhythm.moment(number): plan.before + number for number in numbers}
        seen = {time: number for (repo, time), number in made.items() if repo == name}
        # What was not the newest any more when the first run came is known to nobody.
        assert {time: number for time, number in wanted.items() if time >= START}.items() <= seen.items()
        assert seen.items() <= wanted.items()


def test_day_by_day_over_a_month_it_keeps_its_promises_with_every_fault(tmp_path: Path) -> None:
    memory, before = Memory(), dict[Place, int]()
    with DemoFleet(START, faults=True) as demo:
        fleet = demo.fleet((demo.write(tmp_path).parent / "keys" / "demo.pub",))
        for day in range(31):
            now = START + day * (DAY + 47 * MINUTE)
            demo.advance(now)
            seen = run_once(fleet, now, memory)
            memory = remember(memory, seen)
            keeps_its_promises(seen)
            after = {place: revision(one) for place, one in verdicts(seen).items() if place[0] != DOWN}
            assert all(after[place] >= number for place, number in before.items())
            before = after


@pytest.mark.parametrize("hours", [8.49, 8.5, 15.01, 23.0, 24.0, 31.99, 32.0, 48.0])
def test_without_memory_it_keeps_its_promises_also_when_they_are_closest(hours: float, tmp_path: Path) -> None:
    now = EPOCH + 600 * DAY + timedelta(hours=hours)
    with DemoFleet(now) as demo:
        demo.advance(now)
        fleet = demo.fleet((demo.write(tmp_path).parent / "keys" / "demo.pub",))
        keeps_its_promises(run_once(fleet, now))


# --- a fleet that goes on -----------------------------------------------------------------------------


def stated(demo: DemoFleet) -> dict[str, Any]:
    """What is served, but for what recommends URLs or depends on it."""
    return {
        server + path: content.partition(b"--\n")[0].split(b"X")[0].split(b"H")[0]
        for server, documents in demo.documents.items()
        for path, content in documents.items()
        if not re.search("/data/../[^/]*M$", path)
    }


def test_a_fleet_is_the_same_however_it_came_to_its_moment() -> None:
    with DemoFleet(START, faults=True) as stepping, DemoFleet(START - 40 * DAY, faults=True) as leaping:
        for hours in range(0, 31, 3):
            stepping.advance(START + hours * HOUR)
        leaping.advance(START + 30 * HOUR)
        assert stated(stepping) == stated(leaping)


def test_a_fleet_that_does_not_advance_stands_still_and_its_life_is_another() -> None:
    with DemoFleet(START) as demo, DemoFleet(START) as other:
        before = stated(demo)
        assert before == stated(other)
        other.advance(START)
        assert stated(other) != before


def test_what_is_long_gone_is_not_served_any_more() -> None:
    with DemoFleet(START) as demo:
        demo.advance(START)
        paths = set(demo.documents[STRATUM0])
        demo.advance(START + 20 * DAY)
        gone = paths - set(demo.documents[STRATUM0])
        assert all("/data/" in path for path in gone)
        assert {path.split("/")[2] for path in gone} >= {"software.demo.example", "containers"}
        assert len(demo.documents[STRATUM0]) < len(paths) + 20


@pytest.mark.parametrize(
    ("now", "why"),
    [
        (START - timedelta(seconds=1), "does not go back in time, from 2026-03-02 04:05:06 UTC to 2026-03-02 04:05:05"),
        (START.replace(tzinfo=None), "time zone"),
    ],
)
def test_a_moment_that_cannot_be_is_refused(now: datetime, why: str) -> None:
    with DemoFleet(START) as demo:
        before = stated(demo)
        with pytest.raises(ValueError, match=why):
            demo.advance(now)
        assert (demo.now, stated(demo)) == (START, before)


def test_before_the_first_cycle_there_is_no_life() -> None:
    with DemoFleet(EPOCH - DAY) as demo, pytest.raises(ValueError, match="lives from 2025-01-01 on, and it is 2024"):
        demo.advance(EPOCH - timedelta(seconds=1))


# --- its past -----------------------------------------------------------------------------------------


def test_the_moments_of_a_history_are_whole_multiples_of_its_step() -> None:
    found = moments(START, HOUR, 15 * MINUTE)
    assert [f"{moment:%H:%M:%S}" for moment in found] == ["03:15:00", "03:30:00", "03:45:00", "04:00:00"]
    assert moments(START + 9 * MINUTE, HOUR, 15 * MINUTE) == found
    assert moments(found[-1], HOUR, 15 * MINUTE) == found


def test_a_history_knows_from_its_first_run_on_what_one_that_began_earlier_knows(days: list[Run]) -> None:
    now = START + 40 * HOUR
    (seen,) = history((now,), State(None, nothing_said), nothing_said)
    told = [
        {place: (one.lag, slugs(one)) for place, one in verdicts(each).items() if place[0] != DOWN}
        for each in (seen, days[40])
    ]
    assert told[0] == told[1]
    assert told[0][LAGGING, "software"][0] == now - datetime(2026, 3, 1, 8, 30, tzinfo=UTC)


# --- the command --------------------------------------------------------------------------------------

Row = dict[str, Any]


def rows(text: str) -> list[Row]:
    return [parse_line(line) for line in text.splitlines()]


def tags_of(found: list[Row]) -> set[tuple[tuple[str, str], ...]]:
    return {(("", one["measurement"]), *sorted(one["tags"].items())) for one in found}


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Path]:
    """The fleet file of a demo that serves, in a directory that it made."""
    directory = tmp_path / "new" / "demo"
    process = subprocess.Popen(
        command("demo", "--directory", directory), stdout=subprocess.PIPE, text=True, env=environment()
    )
    assert process.stdout is not None
    lines = [process.stdout.readline().split() for _ in range(5)]
    assert lines[-1] == ["fleet", "file", str(directory / "fleet.toml")]
    yield directory / "fleet.toml"
    process.terminate()
    process.stdout.close()
    assert process.wait(timeout=20) == 0
    assert not directory.exists()


def test_a_history_runs_into_what_the_demo_serves(serving: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    past = run("demo", "--history", "1h", "--step", "30m", "--state-dir", state)
    now = run("--config", serving, "--state-dir", state)
    assert (past.returncode, past.stderr, now.returncode, now.stderr) == (0, "", 0, "")
    before, after = rows(past.stdout), rows(now.stdout)
    runs = [one["time"] for one in before if one["measurement"] == "cvmfs_scrape"]
    assert len(runs) == 2
    assert time.time_ns() - runs[-1] < 31 * 60 * 10**9
    assert runs[1] - runs[0] == 30 * 60 * 10**9
    assert [time % (30 * 60 * 10**9) for time in runs] == [0, 0]
    assert tags_of(before) == tags_of(after)
    assert {one["fields"].get("backwards", 0) for one in before + after} == {0}
    (late,) = (one for one in after if of(one) == ("cvmfs_repo", LAGGING, "software.demo.example"))
    since = missing_since("software", late["fields"]["revision"]).timestamp()
    assert late["fields"]["lag"] == int(late["time"] / 10**9 - since) > DAY.total_seconds()


def of(row: Row) -> tuple[str, str | None, str | None]:
    return row["measurement"], row["tags"].get("server"), row["tags"].get("repo")


def test_a_history_that_is_told_to_stop_ends_with_whole_lines_and_leaves_nothing_behind(tmp_path: Path) -> None:
    process = subprocess.Popen(
        command("demo", "--history", "24h", "--demo-faults", "--state-dir", tmp_path / "state"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(TMPDIR=str(tmp_path)),
    )
    assert process.stdout is not None
    assert process.stderr is not None
    first = process.stdout.readline()
    assert process.poll() is None
    process.terminate()
    rest, complaints = process.stdout.read(), process.stderr.read()
    assert (process.wait(timeout=10), complaints) == (0, "")
    process.stdout.close()
    process.stderr.close()
    found = rows(first + rest)
    assert rest.endswith("\n")
    assert found[-1]["measurement"] == "cvmfs_scrape"
    assert FAULTY in rest
    runs = [one["time"] for one in found if one["measurement"] == "cvmfs_scrape"]
    assert runs == sorted(runs)
    assert len(runs) < 100
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--history", "5m"), "demo: --history: the step is longer than the history"),
        (("--history", "9000d"), "demo: --history: the demo's history begins some days after 2025-01-01"),
        (("--history", "soon"), "argument --history: 'soon' is not a span of time such as 10m, 24h or 7d (see"),
        (("--history", "0s"), "argument --history: '0s' is not a span of time"),
        (("--step", "5m"), "demo: --step is the time between runs of --history, which was not asked for"),
        (("--state-dir", "x"), "demo: --state-dir is for the memory of --history, which was not asked for"),
        (("--history", "1h", "--directory", "x"), "demo: --directory is for a demo that serves, and --history"),
        (("--directory", "/dev/null/x"), "demo: --directory /dev/null/x cannot be written: Not a directory"),
    ],
)
def test_options_that_do_not_fit_are_refused_in_a_sentence(arguments: tuple[str, ...], why: str) -> None:
    done = run("demo", *arguments)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith(f"E! {why}")


HURRIED = """
import itertools, sys
from datetime import datetime, timedelta
from telegraf_cvmfs.net.deadline import Deadline
from telegraf_cvmfs.demo import command
from telegraf_cvmfs.command.options import parse
began, hours = datetime.fromisoformat(sys.argv[1]), itertools.count()
command.TICK = 0.02
clock = lambda: began + timedelta(hours=next(hours) % 40)
command.serve(parse(["demo", "--directory", sys.argv[2]]), Deadline(float("inf")), clock)
"""


def served_revision(url: str) -> int:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"{url}/cvmfs/nightlies.demo.example/.cvmfspublished", timeout=10) as answer:
        found = re.search(rb"^S(\d+)$", answer.read(), re.MULTILINE)
    assert found
    return int(found[1])


def test_a_demo_that_serves_lives_on_by_itself_also_when_the_clock_is_set_back(tmp_path: Path) -> None:
    (tmp_path / "kept.txt").touch()
    process = subprocess.Popen(
        [sys.executable, "-c", HURRIED, START.isoformat(), tmp_path],
        stdout=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    assert process.stdout is not None
    urls = [process.stdout.readline().split()[1] for _ in range(5)]
    plan, seen = life.PUBLISHING["nightlies"], [0]
    newest = plan.before + plan.rhythm.count(START + 39 * HOUR)
    until = time.monotonic() + 30
    while seen[-1] < newest and time.monotonic() < until:
        seen.append(served_revision(urls[0]))
    time.sleep(0.5)
    assert served_revision(urls[0]) == newest
    assert seen[1:] == sorted(seen[1:])
    assert len(set(seen)) > 3
    fleet = tomllib.loads((tmp_path / "fleet.toml").read_text())
    assert [server["url"] for server in fleet["server"]] == urls[:4]
    process.send_signal(signal.SIGINT)
    process.stdout.close()
    assert process.wait(timeout=20) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["kept.txt"]


def test_a_fleet_file_that_another_demo_has_put_there_since_is_not_removed(serving: Path) -> None:
    ours = serving.read_text()
    process = subprocess.Popen(
        command("demo", "--directory", serving.parent), stdout=subprocess.PIPE, text=True, env=environment()
    )
    assert process.stdout is not None
    for _ in range(5):
        process.stdout.readline()
    assert serving.read_text() != ours
    serving.write_text(ours)
    process.terminate()
    process.stdout.close()
    assert process.wait(timeout=20) == 0
    assert serving.read_text() == ours
    assert list((serving.parent / "keys").iterdir()) == []
