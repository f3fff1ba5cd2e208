"""Every alert rule, as Grafana would evaluate it, on a real InfluxDB: what fires, when, and what never does.

The points are made by the program itself. The `Alerting` here does with a rule what Grafana does: it sends query A with
the time filter filled in, takes the last value of each series, compares, and waits for as long as the rule's `for` says.
Its clock is an argument. What a point says is in the database from the second on at which its run began.
"""

from __future__ import annotations

import json
import random
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

import tests.scraping.test_members as members_cases
import tests.scraping.test_proxy as proxy_cases
from telegraf_cvmfs.demo import DemoFleet
from telegraf_cvmfs.emit import line_protocol
from telegraf_cvmfs.model import FINDINGS, Answer, FetchError, Health, Result, Run, Server
from telegraf_cvmfs.net.deadline import Deadline
from telegraf_cvmfs.net.transport import Sink
from telegraf_cvmfs.scraping import visits
from telegraf_cvmfs.words.duration import duration
from tests import ROOT
from tests.builders import demo_runs, runs
from tests.builders.asking import Fetch
from tests.builders.published import NOW
from tests.builders.simulation import (
    DAY,
    HOUR,
    MINUTE,
    ORIGINAL,
    SECOND,
    START,
    Fault,
    Monitor,
    World,
    fleet_of,
    served,
)
from tests.builders.strata import FakeNetwork, Served, run_of
from tests.programs.influxdb import InfluxDB
from tests.test_testcases import TESTCASES, strata_of
from tests.test_testcases import fleet_of as case_fleet

INTERVAL = 5 * MINUTE
"""How often telegraf/telegraf.d/cvmfs.conf asks; a test below says so."""

NOTHING_CAME: Mapping[str, str] = {}
"""The labels of an alert about no data, or about a database that does not answer."""

Labels = Mapping[str, str]
Key = tuple[str, frozenset[tuple[str, str]]]
Made = Callable[[datetime], Run]
"""Makes the run that begins at a moment."""

FILE = ROOT / "grafana" / "provisioning" / "alerting" / "rules.yaml"
PROVISIONED = {rule["uid"]: rule for group in yaml.safe_load(FILE.read_text())["groups"] for rule in group["rules"]}
SILENT, CUT_SHORT, INTERRUPTED = "cvmfs-scraper-silent", "cvmfs-deadline-hit", "cvmfs-interrupted"


# --- what Grafana does ------------------------------------------------------------------------------


@dataclass
class Alerting:
    """Rules evaluated minute by minute: `firing` are those that fire now, `history` is each change of that."""

    url: str
    database: str
    uids: Iterable[str] = tuple(PROVISIONED)
    firing: set[Key] = field(default_factory=set)
    history: list[tuple[datetime, str, Key]] = field(default_factory=list)
    _pending: dict[Key, datetime] = field(default_factory=dict)
    _missing: dict[Key, int] = field(default_factory=dict)

    def evaluate(self, now: datetime) -> None:
        """All rules once, as of a moment."""
        wanted = [PROVISIONED[uid] for uid in self.uids]
        for rule, answer in zip(wanted, self._ask(wanted, now), strict=True):
            self._judge(rule, answer, now)

    def watch(self, since: datetime, until: datetime) -> None:
        """Every minute from one moment to another, both included."""
        for number in range((until - since) // MINUTE + 1):
            self.evaluate(since + number * MINUTE)

    def labels(self, uid: str) -> set[frozenset[tuple[str, str]]]:
        """Of what a rule fires for now."""
        return {labels for one, labels in self.firing if one == uid}

    def fired(self) -> set[str]:
        """The rules that have ever fired."""
        return {uid for _, what, (uid, _) in self.history if what == "fires"}

    def _ask(self, wanted: Iterable[dict[str, Any]], now: datetime) -> list[Any]:
        """The series of query A of each rule; an error of all is one error each, as if they were asked one by one."""
        queries = [_sent(rule["data"][0], now) for rule in wanted]
        asked = {"db": self.database, "q": ";".join(queries), "epoch": "ms"}
        try:
            answer = requests.post(f"{self.url}/query", data=asked, timeout=30)
            answer.raise_for_status()
        except requests.RequestException as error:
            return [error] * len(queries)
        found = answer.json()["results"]
        assert not [one["error"] for one in found if "error" in one]
        return [one.get("series", []) for one in found]

    def _judge(self, rule: dict[str, Any], answer: Any, now: datetime) -> None:
        if isinstance(answer, Exception):
            self._settle(rule, self._without(rule, rule["execErrState"]), now, gone_at_once=True)
        elif not answer:
            self._settle(rule, self._without(rule, rule["noDataState"]), now, gone_at_once=True)
        else:
            self._settle(rule, dict(_compared(rule, answer)), now, gone_at_once=False)

    def _without(self, rule: dict[str, Any], state: str) -> dict[Key, bool]:
        """What holds without an answer; with `KeepLast` what fires goes on, and what waits goes on waiting."""
        if state == "KeepLast":
            return dict.fromkeys((key for key in {*self._pending, *self.firing} if key[0] == rule["uid"]), True)
        return {_key(rule, NOTHING_CAME): True} if state == "Alerting" else {}

    def _settle(self, rule: dict[str, Any], states: dict[Key, bool], now: datetime, *, gone_at_once: bool) -> None:
        """What is true begins to wait or fires; what is false ends; a series that is gone ends at the second time."""
        known = {key for key in {*self._pending, *self.firing} if key[0] == rule["uid"]}
        for key in known - set(states):
            self._missing[key] = self._missing.get(key, 0) + 1
            if gone_at_once or self._missing[key] > 1:
                self._end(key, now)
        for key, true in states.items():
            self._missing.pop(key, None)
            if not true:
                self._end(key, now)
            elif key not in self.firing and now - self._pending.setdefault(key, now) >= duration(rule["for"]):
                self.firing.add(key)
                self.history.append((now, "fires", key))

    def _end(self, key: Key, now: datetime) -> None:
        self._pending.pop(key, None)
        self._missing.pop(key, None)
        if key in self.firing:
            self.firing.remove(key)
            self.history.append((now, "ends", key))


def _sent(step: dict[str, Any], now: datetime) -> str:
    """The query as it leaves Grafana."""
    span = step["relativeTimeRange"]
    since, until = now - span["from"] * SECOND, now - span["to"] * SECOND
    between = f"time >= {_ms(since)}ms and time <= {_ms(until)}ms"
    return str(step["model"]["query"]).replace("$timeFilter", between)


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def _compared(rule: dict[str, Any], answer: list[dict[str, Any]]) -> Iterator[tuple[Key, bool]]:
    _, reduced, compared = rule["data"]
    assert (reduced["model"]["type"], reduced["model"]["reducer"]) == ("reduce", "last")
    (condition,) = compared["model"]["conditions"]
    assert condition["evaluator"]["type"] == "within_range"
    low, high = condition["evaluator"]["params"]
    for series in answer:
        assert len(series["columns"]) == 2, "time and one value"
        _, last = series["values"][-1]
        yield _key(rule, series.get("tags", {})), last is not None and low < last < high


def _key(rule: dict[str, Any], tags: Labels) -> Key:
    """An alert is its labels; Alertmanager leaves out those that are empty."""
    return rule["uid"], frozenset((tags | rule["labels"]).items()) - {(name, "") for name in tags}


def write(influxdb: InfluxDB, database: str, runs: Iterable[Run]) -> None:
    influxdb.write(database, "".join(line_protocol.render(one) for one in runs))


def every(interval: timedelta, since: datetime, until: datetime) -> Iterator[datetime]:
    return (since + number * interval for number in range((until - since) // interval + 1))


# --- a fault for each rule --------------------------------------------------------------------------


@contextmanager
def case(name: str) -> Iterator[tuple[datetime, Made]]:
    """A folder of tests/testcases, that stays as it is."""
    folder = TESTCASES / name
    start = datetime.fromisoformat((folder / "now").read_text().strip())
    fleet = case_fleet(folder)
    yield start, partial(run_of, fleet, strata_of(folder, fleet))


@contextmanager
def demo_with_faults(folder: Path) -> Iterator[tuple[datetime, Made]]:
    """The demo fleet and its server with every fault, signed and served on loopback."""
    with DemoFleet(demo_runs.NOW, faults=True) as demo:
        fleet = demo.fleet((demo.write(folder).parent / "keys" / "demo.pub",))
        yield demo_runs.NOW, partial(demo_runs.run_once, fleet)


@contextmanager
def gone_back(folder: Path) -> Iterator[tuple[datetime, Made]]:
    """A replica that was restored from a backup; the run before has seen what it had."""
    world, monitor = World({"repo.tld": HOUR}, replicas=("a", "b")), Monitor(folder / "memory.json")
    before = world.copies["a"]["repo.tld"].edition
    world.advance(START + 6 * HOUR + 12 * MINUTE)
    monitor.scrape(world, fleet_of(world))
    world.copies["a"]["repo.tld"].edition = before
    world.faults = (Fault("stops", "a", START, START + DAY),)

    def made(now: datetime) -> Run:
        world.advance(now)
        return monitor.scrape(world, fleet_of(world))

    yield START + 6 * HOUR + 13 * MINUTE, made


@contextmanager
def stale_proxy() -> Iterator[tuple[datetime, Made]]:
    answer = proxy_cases.gives(5, NOW - 7 * HOUR, "Age: 7200")
    with proxy_cases.behind(answer) as site:
        yield NOW, lambda now: site.run(now - NOW)


@contextmanager
def unlike_machines() -> Iterator[tuple[datetime, Made]]:
    one, other = (members_cases.stratum(members_cases.replica(revision=number)) for number in (6, 7))
    with members_cases.behind_one_name(one, other) as name:
        yield NOW, lambda now: name.run(now - NOW)


@contextmanager
def cut_short(folder: Path) -> Iterator[tuple[datetime, Made]]:
    """A server that hangs, in runs with little time."""
    world, monitor = World({"repo.tld": HOUR}, replicas=("a", "b")), Monitor(folder / "memory.json")
    yield START + HOUR, lambda now: hurried(world, monitor, now)


@contextmanager
def interrupted() -> Iterator[tuple[datetime, Made]]:
    """Telegraf ends each run."""
    yield START, lambda now: runs.run(started=now, interrupted="SIGTERM")


@dataclass
class Hanging(FakeNetwork):
    """Of one server no answer ever comes."""

    hangs: str = ""

    def fetch(self, server: Server) -> Fetch:
        answers = super().fetch(server)

        def fetch(url: str, limit: int, sink: Sink | None = None) -> Answer:
            if server.name == self.hangs:
                time.sleep(max(0.0, self.deadline.remaining) + 0.2)
            return answers(url, limit, sink)

        return fetch


def hurried(world: World, monitor: Monitor, now: datetime) -> Run:
    world.advance(now)
    network, said = Hanging(served(world), deadline=Deadline(0.3), hangs="a"), list[str]()
    seen = visits.scrape(fleet_of(world), now, network, said.append, memory=monitor.memory)  # type: ignore[arg-type]
    assert (seen.deadline_hit, said) == (True, [])
    return monitor.judge(seen)


FAULTS: Mapping[str, str] = {
    "cvmfs-redundancy-warning": "lagging",
    "cvmfs-redundancy-critical": "lagging",
    "cvmfs-server_down": "servers-down",
    "cvmfs-list_unread": "list-broken",
    "cvmfs-geoapi_wrong": "geoapi-and-geodb",
    "cvmfs-geoapi_down": "geoapi-and-geodb",
    "cvmfs-geodb_old": "geoapi-and-geodb",
    "cvmfs-manifest-warning": "listed-or-served",
    "cvmfs-manifest-critical": "broken-manifests",
    "cvmfs-snapshot_old-warning": "snapshot-factor",
    "cvmfs-snapshot_old-critical": "lagging",
    "cvmfs-snapshot_stuck": "killed-snapshot",
    "cvmfs-lagging-warning": "lagging",
    "cvmfs-lagging-critical": "lagging",
    "cvmfs-gc_old-warning": "gc-and-check",
    "cvmfs-gc_old-critical": "gc-and-check",
    "cvmfs-check_failed": "gc-and-check",
    "cvmfs-whitelist-warning": "whitelists",
    "cvmfs-whitelist-critical": "whitelists",
    "cvmfs-root_catalog": "s3",
    "cvmfs-diverged": "diverged",
    "cvmfs-ahead": "ahead-and-resigned",
}
"""A folder of tests/testcases for each rule that has one; the others are made here."""


@contextmanager
def faulty(uid: str, folder: Path) -> Iterator[tuple[datetime, Made]]:
    """When it begins, and what makes the runs from then on; KeyError for a rule that nobody has made a fault for."""
    made_here: Mapping[str, Callable[[], Any]] = {
        "cvmfs-signature": lambda: demo_with_faults(folder),
        "cvmfs-backwards": lambda: gone_back(folder),
        "cvmfs-proxy_stale": stale_proxy,
        "cvmfs-members_differ": unlike_machines,
        CUT_SHORT: lambda: cut_short(folder),
        INTERRUPTED: interrupted,
    }
    with ExitStack() as running:
        yield running.enter_context(made_here[uid]() if uid in made_here else case(FAULTS[uid]))


def told(runs: Iterable[Run], uid: str) -> set[frozenset[tuple[str, str]]]:
    """The labels that a rule should fire with: of what every one of these runs has found."""
    labels = PROVISIONED[uid]["labels"]
    each = [{frozenset((tags | labels).items()) for tags in _found(one, labels)} for one in runs]
    return set.intersection(*each)


_HEALTH = {"warning": Health.WARNING, "critical": Health.CRITICAL, "info": Health.UNKNOWN}


def _found(one: Run, labels: Labels) -> Iterator[dict[str, str]]:
    fleet = {"fleet": one.fleet.name}
    if (labels["finding"] == "deadline_hit" and one.deadline_hit) or (
        labels["finding"] == "interrupted" and one.interrupted
    ):
        yield fleet
    wanted = labels["finding"], _HEALTH[labels["severity"]]
    for repository in one.repositories:
        if wanted in {(found.slug, found.health) for found in repository.findings}:
            yield fleet | {"repo": repository.repo}
    for verdict in one.servers:
        server = verdict.stratum.server
        tags = fleet | {"role": server.role.value, "server": server.name}
        tags |= {"address": server.address} if server.address else {}
        if wanted in {(found.slug, found.health) for found in verdict.findings}:
            yield tags
        for replica in verdict.replicas:
            place = {"repo": replica.replica.repo} | ({"alias": replica.replica.alias} if replica.replica.alias else {})
            if wanted in {(found.slug, found.health) for found in replica.findings}:
                yield tags | place


@pytest.mark.parametrize("uid", [uid for uid in PROVISIONED if uid != SILENT])
def test_each_rule_fires_for_its_fault_alone_and_not_before_its_time(
    influxdb: InfluxDB, tmp_path: Path, uid: str
) -> None:
    patience = duration(PROVISIONED[uid]["for"])
    database = influxdb.create_database()
    with faulty(uid, tmp_path) as (start, made):
        runs = [made(now) for now in every(INTERVAL, start, start + patience)]
    write(influxdb, database, runs)
    grafana = Alerting(influxdb.url, database, (uid,))
    grafana.watch(start, start + patience - MINUTE)
    assert not grafana.firing
    grafana.evaluate(start + patience)
    assert grafana.labels(uid) == told(runs, uid)
    assert grafana.labels(uid), "the fault is one for which it fires"


def test_every_finding_has_a_fault_for_which_a_rule_fires() -> None:
    asked = {rule["labels"]["finding"] for uid, rule in PROVISIONED.items() if uid != SILENT}
    assert set(FINDINGS) <= asked


# --- what is no fault -------------------------------------------------------------------------------


@dataclass
class Year:
    """A fleet over time, looked at again and again, up to half a minute late.

    Some looks are lost. In the `slow` ones a server answers nothing in time, the `hurried` ones are cut short.
    """

    world: World
    monitor: Monitor
    late: int = 0  # seconds, at most
    lost: frozenset[datetime] = frozenset()
    slow: frozenset[datetime] = frozenset()
    hurried: frozenset[datetime] = frozenset()
    runs: list[Run] = field(default_factory=list)

    def live(self, since: datetime, until: datetime) -> None:
        jitter = random.Random(1)  # noqa: S311
        for due in every(INTERVAL, since, until):
            now = due + jitter.randint(0, self.late) * SECOND
            self.world.advance(now)
            if due in self.hurried:
                self.runs.append(hurried(self.world, self.monitor, now))
            elif due in self.slow:
                self.runs.append(self._timed_out(now))
            elif due not in self.lost:
                self.runs.append(self.monitor.scrape(self.world, fleet_of(self.world)))

    def _timed_out(self, now: datetime) -> Run:
        late: dict[str, Served] = {
            url: FetchError(Result.TIMEOUT, "no answer") if url.startswith("http://a.tld") else body
            for url, body in served(self.world).items()
        }
        network = FakeNetwork(late)
        fleet, said = fleet_of(self.world), list[str]()
        seen = visits.scrape(fleet, now, network, said.append, memory=self.monitor.memory)  # type: ignore[arg-type]
        assert said == []
        return self.monitor.judge(seen)


def test_a_healthy_fleet_is_silent_for_a_day(influxdb: InfluxDB, tmp_path: Path) -> None:
    begin = START + HOUR
    faults = (
        Fault("down", "a", begin + 3 * HOUR + 2 * MINUTE, begin + 3 * HOUR + 12 * MINUTE),  # a reboot
        Fault("stale", "b", begin + 6 * HOUR, begin + 7 * HOUR + 20 * MINUTE),  # a revision behind
        Fault("down", ORIGINAL, begin + 10 * HOUR + 4 * MINUTE, begin + 10 * HOUR + 14 * MINUTE),
    )
    year = Year(
        World({"busy.tld": HOUR, "daily.tld": DAY, "dormant.tld": None}, faults=faults, seed=7),
        Monitor(tmp_path / "memory.json"),
        lost=frozenset({begin + 8 * HOUR, begin + 3 * HOUR + 15 * MINUTE}),  # one right after the reboot
        slow=frozenset({begin + 9 * HOUR}),
        hurried=frozenset({begin + 13 * HOUR}),
        late=30,
    )
    year.live(begin, begin + DAY)
    database = influxdb.create_database()
    write(influxdb, database, year.runs)
    grafana = Alerting(influxdb.url, database)
    grafana.watch(begin, begin + DAY)
    assert grafana.history == []
    seen = [replica for one in year.runs for replica in one.replicas]
    assert sum(bool(one.revisions_behind) for one in seen) > 30, "replicas are behind now and then"
    assert sum(one.replica.snapshotting.value is not None for one in seen) > 30, "snapshots run now and then"
    assert {finding.slug for one in year.runs for server in one.servers for finding in server.findings} == {
        "server_down"
    }, "a reboot is seen"


def test_in_a_signed_and_healthy_fleet_no_condition_is_ever_true(influxdb: InfluxDB, tmp_path: Path) -> None:
    with DemoFleet(demo_runs.NOW) as demo:
        fleet = demo.fleet((demo.write(tmp_path).parent / "keys" / "demo.pub",))
        well = tuple(one for one in fleet.servers if one.name in (demo_runs.STRATUM0, demo_runs.HEALTHY))
        one = demo_runs.run_once(replace(fleet, servers=well), demo_runs.NOW)
    database = influxdb.create_database()
    write(influxdb, database, [one])
    grafana = Alerting(influxdb.url, database)
    grafana.evaluate(demo_runs.NOW + SECOND)
    assert not grafana._pending
    assert all(replica.trust is not None and replica.trust.signature.ok for replica in one.replicas)


# --- what ends --------------------------------------------------------------------------------------


def test_a_server_that_is_down_fires_once_and_ends_at_the_first_run_that_finds_it_up(
    influxdb: InfluxDB, tmp_path: Path
) -> None:
    begin, down, up = START + HOUR, START + 2 * HOUR + MINUTE, START + 4 * HOUR + MINUTE
    world = World({"busy.tld": HOUR}, replicas=("a", "b"), faults=(Fault("down", "a", down, up),))
    year = Year(world, Monitor(tmp_path / "memory.json"))
    year.live(begin, begin + 5 * HOUR)
    database = influxdb.create_database()
    write(influxdb, database, year.runs)
    grafana = Alerting(influxdb.url, database)
    grafana.watch(begin, begin + 5 * HOUR)
    labels = {"fleet": "cvmfs", "role": "stratum1", "server": "a", **PROVISIONED["cvmfs-server_down"]["labels"]}
    key = "cvmfs-server_down", frozenset(labels.items())
    found, well = down + 4 * MINUTE, up + 4 * MINUTE  # the first runs after
    history = [one for one in grafana.history if one[2][0] != "cvmfs-redundancy-warning"]  # one of two is left
    assert history == [(found + 20 * MINUTE, "fires", key), (well, "ends", key)]


def test_a_server_that_is_taken_out_of_the_fleet_file_takes_its_alert_with_it(
    influxdb: InfluxDB, tmp_path: Path
) -> None:
    begin = START + HOUR
    world = World({"busy.tld": HOUR}, replicas=("a", "b"), faults=(Fault("down", "a", START, START + DAY),))
    monitor = Monitor(tmp_path / "memory.json")
    runs = []
    for now in every(INTERVAL, begin, begin + HOUR):
        world.advance(now)
        fleet = fleet_of(world)
        kept = fleet.servers if now < begin + 30 * MINUTE else tuple(one for one in fleet.servers if one.name != "a")
        runs.append(monitor.scrape(world, replace(fleet, servers=kept)))
    database = influxdb.create_database()
    write(influxdb, database, runs)
    grafana = Alerting(influxdb.url, database)
    grafana.watch(begin, begin + HOUR)
    assert [what for _, what, _ in grafana.history] == ["fires", "ends"]


# --- a scraper that is dead -------------------------------------------------------------------------


def two_fleets(influxdb: InfluxDB, tmp_path: Path, begin: datetime, until: Mapping[str, datetime]) -> str:
    """A database with two fleets, each with a server that is down, and each written to for so long."""
    database = influxdb.create_database()
    for name, end in until.items():
        faults = (Fault("down", "a", START, START + 9 * DAY),)
        world = World({"busy.tld": HOUR}, replicas=("a", "b"), faults=faults)
        monitor = Monitor(tmp_path / f"{name}.json")
        runs = []
        for now in every(INTERVAL, begin, end):
            world.advance(now)
            runs.append(monitor.scrape(world, replace(fleet_of(world), name=name)))
        write(influxdb, database, runs)
    return database


def silent(fleet: str) -> Key:
    return _key(PROVISIONED[SILENT], {"fleet": fleet})


@pytest.mark.parametrize("offset", [0, 1, 300, 599])
def test_one_silent_fleet_of_two_is_told_once_wherever_its_last_run_fell(
    influxdb: InfluxDB, tmp_path: Path, offset: int
) -> None:
    begin = START + HOUR + offset * SECOND
    last, end = begin + HOUR, begin + 4 * HOUR
    database = two_fleets(influxdb, tmp_path, begin, {"dead": last, "alive": end})
    grafana = Alerting(influxdb.url, database, (SILENT,))
    grafana.watch(begin + 7 * SECOND, end)
    ((when, what, key),) = grafana.history
    assert (what, key) == ("fires", silent("dead"))
    assert 40 * MINUTE <= when - last <= 52 * MINUTE


def test_a_dead_scraper_is_one_alert_for_each_fleet_and_nothing_is_said_to_be_resolved(
    influxdb: InfluxDB, tmp_path: Path
) -> None:
    begin = START + HOUR
    last = begin + HOUR
    database = two_fleets(influxdb, tmp_path, begin, {"one": last, "two": last})
    grafana = Alerting(influxdb.url, database)
    grafana.watch(begin, last)
    before = set(grafana.firing)
    assert {uid for uid, _ in before} == {"cvmfs-server_down"}
    grafana.watch(last + MINUTE, last + 5 * HOUR)
    assert grafana.firing == before | {silent("one"), silent("two")}
    assert [what for _, what, _ in grafana.history] == ["fires"] * 4


def test_what_fires_goes_on_while_the_database_does_not_answer(influxdb: InfluxDB, tmp_path: Path) -> None:
    begin = START + HOUR
    database = two_fleets(influxdb, tmp_path, begin, {"one": begin + 3 * HOUR})
    grafana = Alerting(influxdb.url, database)
    grafana.watch(begin, begin + HOUR)
    before = set(grafana.firing)
    grafana.url = "http://127.0.0.1:9"
    grafana.watch(begin + HOUR + MINUTE, begin + HOUR + 9 * MINUTE)
    grafana.url = influxdb.url
    grafana.watch(begin + HOUR + 10 * MINUTE, begin + 2 * HOUR)
    assert {uid for uid, _ in before} == {"cvmfs-server_down"}
    assert grafana.firing == before
    assert [what for _, what, _ in grafana.history] == ["fires"]


def test_a_scraper_that_comes_back_ends_its_alert_at_the_first_run(influxdb: InfluxDB, tmp_path: Path) -> None:
    begin = START + HOUR
    last, back = begin + HOUR, begin + 3 * HOUR + 123 * SECOND
    world, monitor = World({"busy.tld": HOUR}, replicas=("a", "b")), Monitor(tmp_path / "memory.json")
    runs = []
    for now in (*every(INTERVAL, begin, last), *every(INTERVAL, back, back + 2 * HOUR)):
        world.advance(now)
        runs.append(monitor.scrape(world, fleet_of(world)))
    database = influxdb.create_database()
    write(influxdb, database, runs)
    grafana = Alerting(influxdb.url, database)
    grafana.watch(begin, back + 2 * HOUR)
    (_, fires, key), (end, ends, same) = grafana.history
    assert (fires, ends, key, same) == ("fires", "ends", silent("cvmfs"), silent("cvmfs"))
    assert back <= end < back + MINUTE


def test_a_fleet_that_was_taken_out_of_use_is_forgotten_after_a_week(influxdb: InfluxDB, tmp_path: Path) -> None:
    begin = START + HOUR
    week = begin + 7 * DAY
    database = two_fleets(influxdb, tmp_path, begin, {"old": begin, "new": begin + 20 * MINUTE})
    grafana = Alerting(influxdb.url, database, (SILENT,))
    grafana.watch(begin + HOUR, begin + 90 * MINUTE)
    assert grafana.firing == {silent("old"), silent("new")}
    grafana.watch(week + 12 * MINUTE, week + 14 * MINUTE)
    assert grafana.firing == {silent("new")}


def test_a_database_without_a_point_and_one_that_does_not_answer_are_one_alert(influxdb: InfluxDB) -> None:
    database = influxdb.create_database()
    for url in (influxdb.url, "http://127.0.0.1:9"):
        grafana = Alerting(url, database)
        grafana.watch(START, START + 9 * MINUTE)
        assert not grafana.firing, "a restart is nothing to tell"
        grafana.watch(START + 10 * MINUTE, START + HOUR)
        assert grafana.firing == {_key(PROVISIONED[SILENT], NOTHING_CAME)}
        assert len(grafana.history) == 1


# --- what the tests rest on -------------------------------------------------------------------------


def test_this_is_how_often_telegraf_is_told_to_ask() -> None:
    shipped = (ROOT / "telegraf" / "telegraf.d" / "cvmfs.conf").read_text()
    assert re.findall(r'^ *interval = "(?:\$\{\w+:-)?(\w+)\}?"$', shipped, re.MULTILINE) == [f"{INTERVAL // MINUTE}m"]


def test_the_evaluation_sees_a_rule_that_waits_for_nothing(influxdb: InfluxDB, monkeypatch: pytest.MonkeyPatch) -> None:
    """Proof that these tests can fail: with `for: 0m` a single look at a fault fires."""
    hasty = json.loads(json.dumps(PROVISIONED["cvmfs-server_down"])) | {"for": "0m"}
    monkeypatch.setitem(PROVISIONED, "cvmfs-server_down", hasty)
    database = influxdb.create_database()
    with case("servers-down") as (start, made):
        write(influxdb, database, [made(start)])
    grafana = Alerting(influxdb.url, database, ("cvmfs-server_down",))
    grafana.evaluate(start)
    assert grafana.firing
