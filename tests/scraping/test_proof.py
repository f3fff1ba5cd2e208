"""Root catalogs in runs one after the other: when their bytes are read, what a run costs, what is remembered."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from telegraf_cvmfs.demo import DemoFleet, faults
from telegraf_cvmfs.demo.signing import demo_keys
from telegraf_cvmfs.fleet import file as fleet_file
from tests.builders.demo_runs import (
    FAULTY,
    HEALTHY,
    LAGGING,
    NAMES,
    NOW,
    STRATUM0,
    Object,
    Place,
    Watched,
    replicas,
    slugs,
    watched,
)
from tests.programs.command import run as command

MINUTES, HOURS, DAY = timedelta(minutes=10), timedelta(hours=1), timedelta(days=1)
SERVERS = (STRATUM0, HEALTHY, LAGGING)
JUDGED = [(server, short) for server in SERVERS for short in NAMES if (server, short) != (LAGGING, "config")]


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Watched]:
    with watched(tmp_path) as running:
        yield running


def words(replica: Object) -> tuple[Any, ...]:
    return tuple(replica.get(name) for name in ("root_catalog", "root_catalog_code", "root_catalog_ok"))


def ages(found: dict[Place, Object]) -> set[int | None]:
    return {found[place].get("root_catalog_verified_age") for place in JUDGED}


def read(fleet: Watched) -> int:
    """How many root catalogs were read in the last run."""
    return fleet.requests("GET", "C").total()


def with_limits(fleet: Watched, **limits: Any) -> None:
    fleet.fleet = replace(fleet.fleet, **limits)


def stored(fleet: Watched, place: Place) -> int:
    """Bytes of the root catalog that a replica's manifest names, as stored."""
    server, short = place
    (asked,) = (
        one.path
        for one in fleet.asked
        if one.server == server and one.method == "HEAD" and one.path.startswith(fleet.repository(short).path + "/")
    )
    return len(fleet.demo.documents[server][asked])


# --- what a run costs ---------------------------------------------------------------------------------


def asked_of(fleet: Watched, place: Place) -> Counter[str]:
    """The requests for one replica, objects by their letter."""
    server, short = place
    below = fleet.repository(short).path + "/"
    found = (one for one in fleet.asked if one.server == server and one.path.startswith(below))
    return Counter(f"{one.method} {_kind(one.path.removeprefix(below))}" for one in found)


def _kind(name: str) -> str:
    return name[-1] if name.startswith("data/") else name


EVERY_RUN = ("GET .cvmfspublished", "GET .cvmfswhitelist", "GET .cvmfs_status.json", "HEAD C")


def cost(place: Place, *more: str) -> Counter[str]:
    """What one replica is asked for: on a stratum 1 also whether a snapshot runs."""
    running = () if place[0] == STRATUM0 else ("GET .cvmfs_is_snapshotting",)
    return Counter((*EVERY_RUN, *running, *more))


@pytest.mark.parametrize("place", JUDGED, ids="/".join)
def test_the_first_run_reads_certificate_and_catalog_once_and_later_ones_neither(
    shared: tuple[list[dict[Place, Counter[str]]], Any], place: Place
) -> None:
    first, second, third = (requests[place] for requests in shared[0])
    assert first == cost(place, "GET X", "GET C")
    assert second == third == cost(place)


def test_a_server_is_asked_once_for_its_list_and_for_who_runs_it(shared: Any) -> None:
    assert shared[1] == [Counter({"/cvmfs/info/v1/repositories.json": 3, "/cvmfs/info/v1/meta.json": 3})] * 3


def test_of_a_pass_through_replica_nothing_is_asked_that_has_to_be_judged(fleet: Watched) -> None:
    fleet.run()
    asked = asked_of(fleet, (LAGGING, "config"))
    assert not {"GET X", "GET C", "HEAD C"} & set(asked)


def test_the_older_mark_of_a_snapshot_is_asked_for_only_where_the_status_has_none(fleet: Watched) -> None:
    del fleet.demo.documents[HEALTHY][fleet.path("software", ".cvmfs_status.json")]
    fleet.run()
    fleet.run(MINUTES)
    assert asked_of(fleet, (HEALTHY, "software")) == cost((HEALTHY, "software"), "GET .cvmfs_last_snapshot")
    assert fleet.requests("GET", ".cvmfs_last_snapshot").total() == 2, "and for the pass-through replica"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[dict[Place, Counter[str]]], list[Counter[str]]]:
    """Three runs of an unchanged fleet: what was asked for each replica, and of the servers themselves."""
    with watched(tmp_path_factory.mktemp("shared")) as fleet:
        found, others = [], []
        for after in (timedelta(0), MINUTES, 2 * MINUTES):
            fleet.run(after)
            found.append({place: asked_of(fleet, place) for place in JUDGED})
            others.append(Counter(one.path for one in fleet.asked if one.path.startswith("/cvmfs/info/")))
    return found, others


def test_a_second_run_of_the_command_adds_one_head_and_one_whitelist_for_each_replica(tmp_path: Path) -> None:
    with DemoFleet(datetime.now(UTC)) as demo:
        options = ("--config", demo.write(tmp_path), "--format", "json", "--state-dir", tmp_path / "state")
        documents = [json.loads(command(*options).stdout) for _ in range(2)]
    requests = [document["scrape"]["requests"] for document in documents]
    assert requests[0] - requests[1] == 2 * len(JUDGED)
    later = replicas(documents[1])
    assert (
        {later[place]["root_catalog"] for place in JUDGED} == {later[place]["signature"] for place in JUDGED} == {"ok"}
    )
    assert all(0 <= later[place]["root_catalog_verified_age"] < 60 for place in JUDGED)


def test_without_a_memory_every_run_reads_everything(tmp_path: Path) -> None:
    with DemoFleet(datetime.now(UTC)) as demo:
        options = ("--config", demo.write(tmp_path), "--format", "json", "--state-dir", "none")
        documents = [json.loads(command(*options).stdout) for _ in range(2)]
    assert len({document["scrape"]["requests"] for document in documents}) == 1


# --- certificates -------------------------------------------------------------------------------------


def test_a_certificate_that_was_bad_is_read_again(fleet: Watched) -> None:
    path = fleet.certificate("software")
    good = fleet.demo.documents[HEALTHY][path]
    fleet.demo.documents[HEALTHY][path] = good[:-1]
    for after in (timedelta(0), MINUTES):
        assert fleet.run(after)[HEALTHY, "software"]["signature"] == "certificate_corrupt"
        assert fleet.count(HEALTHY, "GET", path) == 2, "and again, for it may be a race"
    fleet.demo.documents[HEALTHY][path] = good
    assert fleet.run(2 * MINUTES)[HEALTHY, "software"]["signature"] == "ok"
    assert fleet.count(HEALTHY, "GET", path) == 1
    fleet.run(3 * MINUTES)
    assert fleet.count(HEALTHY, "GET", path) == 0


def test_a_certificate_is_read_where_it_was_not_although_another_server_has_it(fleet: Watched) -> None:
    path = fleet.certificate("software")
    del fleet.demo.documents[HEALTHY][path]
    fleet.run()
    assert fleet.run(MINUTES)[HEALTHY, "software"]["signature"] == "certificate_missing"
    assert fleet.run(2 * MINUTES)[STRATUM0, "software"]["signature"] == "ok"
    assert fleet.count(STRATUM0, "GET", path) == 0


# --- when bytes are read ------------------------------------------------------------------------------


def test_catalogs_are_proved_at_once_and_again_when_a_day_is_over(fleet: Watched) -> None:
    counts = {}
    for after in (timedelta(0), MINUTES, 11 * HOURS, DAY, DAY + MINUTES, DAY + 11 * HOURS, 2 * DAY):
        found = fleet.run(after)
        counts[after] = read(fleet)
        assert {words(found[place]) for place in JUDGED} == {("ok", 0, 1)}
        assert ages(found) == {(after % DAY).total_seconds()}
    assert [after for after, count in counts.items() if count] == [timedelta(0), DAY, 2 * DAY]
    assert set(counts.values()) == {0, len(JUDGED)}


def test_what_was_first_proved_in_one_run_does_not_fall_due_in_one_run_again(fleet: Watched) -> None:
    fleet.run()
    counts = []
    for hour in range(1, 25):
        found = fleet.run(hour * HOURS)
        counts.append(read(fleet))
        assert all(age is not None and age < DAY.total_seconds() for age in ages(found))
    assert counts[:11] == [0] * 11
    assert sum(counts) == len(JUDGED), "each once a day"
    assert max(counts) < len(JUDGED) / 2


def test_another_length_than_that_of_the_proof_is_looked_into_at_once(fleet: Watched) -> None:
    fleet.run()
    (path,) = {
        one.path
        for one in fleet.asked
        if (one.server, one.method) == (HEALTHY, "HEAD")
        and one.path.startswith(fleet.repository("software").path + "/")
    }
    fleet.run(MINUTES)
    assert fleet.count(HEALTHY, "GET", path) == 0
    certificates = [asked for asked in fleet.asked if asked.path.endswith("X") and asked.server == HEALTHY]
    assert certificates == []
    fleet.demo.documents[HEALTHY][path] += b"more"
    assert words(fleet.run(2 * MINUTES)[HEALTHY, "software"]) == ("corrupt", 3, 0)
    (certificate,) = (asked for asked in fleet.asked if asked.path.endswith("X") and asked.server == HEALTHY)
    assert certificate.path.startswith(fleet.repository("software").path + "/")


def test_how_often_is_up_to_the_operator(fleet: Watched) -> None:
    with_limits(fleet, verify_every=HOURS)
    counts = []
    for after in (timedelta(0), HOURS / 2 - timedelta(minutes=1), HOURS):
        fleet.run(after)
        counts.append(read(fleet))
    assert counts == [len(JUDGED), 0, len(JUDGED)]


def test_switched_off_no_bytes_are_read_and_nothing_is_said_to_be_proved(fleet: Watched, tmp_path: Path) -> None:
    path = tmp_path / "off.toml"
    path.write_text(fleet.demo.fleet_toml() + '[scrape]\nverify_every = "off"\n')
    assert fleet_file.load(path).verify_every is None
    with_limits(fleet, verify_every=None)
    fleet.inflict(HEALTHY, faults.corrupt_root_catalog(fleet.copy("software"), demo_keys()))
    found = fleet.run()
    assert read(fleet) == 0
    assert {words(found[place]) for place in JUDGED} == {("ok", 0, 1)}
    assert ages(found) == {None}
    assert fleet.requests("HEAD", "C").total() == len(JUDGED)


def test_a_new_root_catalog_is_read_at_once_and_alone(fleet: Watched) -> None:
    fleet.run()
    revision = fleet.next_revision("software")
    for server in (STRATUM0, HEALTHY):
        fleet.inflict(server, fleet.published("software", revision))
    found = fleet.run(MINUTES)
    new = fleet.root_catalog("software", revision)
    assert fleet.requests("GET", "C") == Counter([f"{STRATUM0}{new}", f"{HEALTHY}{new}"])
    assert found[HEALTHY, "software"]["root_catalog_verified_age"] == 0
    assert found[LAGGING, "software"]["root_catalog_verified_age"] == 600


# --- how much -----------------------------------------------------------------------------------------


def test_no_catalog_is_read_that_is_larger_than_one_may_be(fleet: Watched) -> None:
    with_limits(fleet, verify_every=None)
    fleet.run()
    sizes = {place: stored(fleet, place) for place in JUDGED}
    limit = sorted(sizes.values())[len(sizes) // 2]
    with_limits(fleet, verify_every=DAY, verify_each=limit)
    small = {place for place, size in sizes.items() if size <= limit}
    assert 0 < len(small) < len(sizes)
    for after in (timedelta(0), DAY):
        found = fleet.run(after)
        assert {place for place in JUDGED if "root_catalog_verified_age" in found[place]} == small
        assert read(fleet) == len(small)
        assert {words(found[place]) for place in JUDGED} == {("ok", 0, 1)}


def test_a_run_reads_no_more_than_it_may_and_the_next_ones_read_the_rest(fleet: Watched) -> None:
    with_limits(fleet, verify_every=None)
    fleet.run()
    sizes = {place: stored(fleet, place) for place in JUDGED}
    with_limits(fleet, verify_every=DAY, verify_run=(most := 3 * max(sizes.values())))
    proved: set[Place] = set()
    for turn in range(10):
        found = fleet.run(turn * MINUTES)
        now = {place for place in JUDGED if found[place].get("root_catalog_verified_age") == 0}
        assert sum(sizes[place] for place in now) <= most
        assert read(fleet) == len(now) > 0
        assert not now & proved
        proved |= now
        if proved == set(JUDGED):
            break
    assert proved == set(JUDGED)
    assert turn > 1, "it took more than two runs"


# --- what is wrong ------------------------------------------------------------------------------------


def test_a_corrupt_catalog_is_read_in_each_run_until_it_is_good(fleet: Watched) -> None:
    path = fleet.root_catalog("software")
    good = fleet.demo.documents[HEALTHY][path]
    fleet.inflict(HEALTHY, faults.corrupt_root_catalog(fleet.copy("software"), demo_keys()))
    assert len(fleet.demo.documents[HEALTHY][path]) == len(good)
    for turn in range(3):
        replica = fleet.run(turn * MINUTES)[HEALTHY, "software"]
        assert words(replica) == ("corrupt", 3, 0)
        assert (replica["health"], slugs(replica)) == (2, ["root_catalog"])
        assert "root_catalog_verified_age" not in replica
        assert fleet.count(HEALTHY, "GET", path) == 2, "one bad answer is no proof"
    fleet.demo.documents[HEALTHY][path] = good
    replica = fleet.run(3 * MINUTES)[HEALTHY, "software"]
    assert (words(replica), replica["root_catalog_verified_age"]) == (("ok", 0, 1), 0)
    assert (replica["health"], replica["findings"]) == (0, [])
    fleet.run(4 * MINUTES)
    assert fleet.count(HEALTHY, "GET", path) == 0


def test_one_that_rots_is_found_when_it_is_read_the_next_time(fleet: Watched) -> None:
    fleet.run()
    fleet.inflict(HEALTHY, faults.corrupt_root_catalog(fleet.copy("software"), demo_keys()))
    assert fleet.run(11 * HOURS)[HEALTHY, "software"]["root_catalog_verified_age"] == 11 * 3600
    found = fleet.run(DAY)
    assert words(found[HEALTHY, "software"]) == ("corrupt", 3, 0)
    assert words(found[STRATUM0, "software"]) == ("ok", 0, 1)


@pytest.mark.parametrize(
    ("fault", "expected"),
    [(faults.missing_root_catalog, ("missing", 1, 0)), (faults.empty_root_catalog, ("empty", 2, 0))],
)
def test_one_that_goes_away_is_found_in_the_next_run(fleet: Watched, fault: faults.Fault, expected: Any) -> None:
    path = fleet.root_catalog("software")
    good = fleet.demo.documents[HEALTHY][path]
    fleet.run()
    fleet.inflict(HEALTHY, fault(fleet.copy("software"), demo_keys()))
    replica = fleet.run(MINUTES)[HEALTHY, "software"]
    assert words(replica) == expected
    assert (replica["health"], slugs(replica)) == (2, ["root_catalog"])
    assert fleet.count(HEALTHY, "GET", path) == 2, "a head is no proof, nor is one answer"
    fleet.demo.documents[HEALTHY][path] = good
    assert fleet.run(2 * MINUTES)[HEALTHY, "software"]["findings"] == []


@pytest.mark.parametrize("status", [403, 500, 503])
def test_one_that_the_server_fails_to_tell_of_is_not_known(fleet: Watched, status: int) -> None:
    fleet.instead(HEALTHY, fleet.root_catalog("software"), lambda good: replace(good, status=status, body=b""))
    replica = fleet.run()[HEALTHY, "software"]
    assert words(replica) == ("not_checked", 9, None)
    assert (replica["health"], slugs(replica)) == (3, ["root_catalog"])
    assert (replica["up"], replica["signature"]) == (1, "ok")


def test_a_fleet_with_every_fault_has_the_same_faults_in_its_second_run(tmp_path: Path) -> None:
    with watched(tmp_path, with_faults=True) as fleet:
        runs = [fleet.run(turn * MINUTES) for turn in range(2)]
        bad = [f"{FAULTY}{fleet.root_catalog(short)}" for short in ("data", "config", "containers")]
        assert fleet.requests("GET", "C") == Counter(bad * 2), "of those that are bad, and of no other"
    first, second = ({short: slugs(found[FAULTY, short]) for short in NAMES} for found in runs)
    assert first == second
    assert sum(map(len, second.values())) == len(NAMES)
    assert NOW.tzinfo is UTC
