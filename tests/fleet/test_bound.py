"""What servers can make one run print is bounded, and no server takes the place of a smaller one."""

from __future__ import annotations

from datetime import timedelta

import pytest

from telegraf_cvmfs.assess.verdicts import assess
from telegraf_cvmfs.emit.line_protocol import render
from telegraf_cvmfs.fleet import bound
from telegraf_cvmfs.fleet.bound import bounded
from telegraf_cvmfs.model import Fleet, Listed, Replica, Role, Server, Stratum
from telegraf_cvmfs.scraping.visits import scrape
from tests.builders.published import LIST, NOW
from tests.builders.strata import FakeNetwork


def server(name: str, *repos: str) -> Server:
    return Server(f"http://{name}", name, Role.STRATUM1, repos=repos)


def stratum(on: Server, size: int) -> Stratum:
    names = (f"r{number}.{on.name}" for number in range(size))
    return Stratum(on, replicas=tuple(Replica(on, name, f"{on.url}/cvmfs/{name}", Listed.REPLICA) for name in names))


@pytest.mark.parametrize(
    ("sizes", "kept"),
    [
        ([30], [30]),
        ([31], [30]),
        ([10, 10, 10], [10, 10, 10]),
        ([10, 10, 11], [10, 10, 10]),
        ([2, 2000, 5, 2000], [2, 11, 5, 11]),
        ([0, 2000, 1, 14], [0, 15, 1, 14]),
        ([], []),
    ],
)
def test_the_largest_servers_are_cut_and_no_others(
    monkeypatch: pytest.MonkeyPatch, sizes: list[int], kept: list[int]
) -> None:
    monkeypatch.setattr(bound, "MOST_REPLICAS", 30)
    said = list[str]()
    strata = [stratum(server(f"s{number}.tld"), size) for number, size in enumerate(sizes)]
    found = bounded(Fleet(tuple(one.server for one in strata)), strata, said.append)
    assert [len(one.replicas) for one in found] == kept
    assert len(said) == (sizes != kept)


def test_what_the_fleet_file_names_stays_before_what_a_list_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bound, "MOST_REPLICAS", 3)
    on = server("s.tld", "r7.s.tld")
    (found,) = bounded(Fleet((on,)), [stratum(on, 9)], print)
    assert [one.repo for one in found.replicas] == ["r7.s.tld", "r0.s.tld", "r1.s.tld"]


def test_one_run_prints_so_many_points_and_says_once_that_there_was_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bound, "MOST_REPLICAS", 50)
    entries = ",".join(f'{{"name":"r{number}.tld"}}' for number in range(2000))
    fleet = Fleet(tuple(server(f"s{number}.tld") for number in range(3)))
    files = {f"{one.url}{LIST}": f'{{"replicas":[{entries}]}}'.encode() for one in fleet.servers}
    said = list[str]()
    seen = scrape(fleet, NOW, FakeNetwork(files), said.append)  # type: ignore[arg-type]
    lines = render(assess(seen, timedelta(seconds=1))).splitlines()
    assert sum(line.startswith("cvmfs_repo,") for line in lines) == 48
    what = "more than 50 replicas in all; of each of these 16 are looked at, no more"
    assert said == [f"W! s0.tld, s1.tld, s2.tld: {what}"]


def test_what_is_wrong_with_a_list_is_said_in_few_lines() -> None:
    on = server("s.tld")
    entries = ",".join(f'{{"name":"../{number}"}}' for number in range(2000))
    said = list[str]()
    files = {f"{on.url}{LIST}": f'{{"replicas":[{entries}]}}'.encode()}
    scrape(Fleet((on,)), NOW, FakeNetwork(files), said.append)  # type: ignore[arg-type]
    assert len(said) == 21
    assert said[-1] == "W! s.tld: repositories.json: and 1980 more entries like these"
