"""What servers can make a run remember is bounded, and what they corrected themselves is forgotten."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from telegraf_cvmfs.assess.verdicts import assess
from telegraf_cvmfs.fleet.bound import MOST_REPLICAS
from telegraf_cvmfs.memory import file, value
from telegraf_cvmfs.memory.value import NOTHING, Memory, Publication, remember
from telegraf_cvmfs.model import Entry, Fleet, Listed, Listing, Replica, Run, Scrape, Server, Signature, Stratum, Trust
from telegraf_cvmfs.scraping.visits import scrape
from tests.builders.published import listing, repository
from tests.builders.runs import MANIFEST, NOW, S1, S1_NL, missed, ok
from tests.builders.strata import FakeNetwork

MINUTE = timedelta(minutes=5)
KEPT = value.MOST_UNLISTED


def entry(name: str, path: str = "") -> Entry:
    return Entry(name, path or f"/cvmfs/{name}", replica=True)


def held(one: Entry, listed: Listed = Listed.REPLICA, on: Server = S1) -> Replica:
    has = ok(replace(MANIFEST, repository=one.name))
    return Replica(on, one.name, f"{on.url}{one.path}/.cvmfspublished", listed, manifest=has)


def run_of(now_at: int, *strata: Stratum) -> Run:
    fleet = Fleet(tuple(one.server for one in strata))
    return assess(Scrape(fleet, NOW + now_at * MINUTE, strata), MINUTE, NOTHING)


def listing_of(*entries: Entry, gone: tuple[Entry, ...] = (), on: Server = S1) -> Stratum:
    """A server that lists some, and serves others of before that it no longer lists."""
    replicas = (*(held(one, on=on) for one in entries), *(held(one, Listed.UNLISTED, on) for one in gone))
    return Stratum(on, ok(Listing(entries)), replicas=replicas)


def test_a_server_that_lists_other_names_at_each_run_is_remembered_with_few_of_them() -> None:
    memory, said = NOTHING, list[str]()
    for at in range(8):
        said.clear()
        gone = memory.entries(S1.name, NOW + at * MINUTE)
        names = [entry(f"r{at}-{number}.tld") for number in range(500)]
        memory = remember(memory, run_of(at, listing_of(*names, gone=gone)), said.append)
        assert len(memory.replicas[S1.name]) <= 500 + KEPT
        assert len(said) == (at > 0)
    what = f"more than {KEPT} repositories that were listed there once, and no longer are; the oldest are forgotten"
    assert said == [f"W! {S1.name}: {what}"]
    kept = {one.entry.name.partition("-")[0] for one in memory.replicas[S1.name]}
    assert {"r7"} <= kept <= {"r7", "r6"}, "the oldest go first"


def test_a_server_that_is_down_keeps_all_that_it_had() -> None:
    memory = remember(NOTHING, run_of(0, listing_of(*(entry(f"r{number}.tld") for number in range(2000)))))
    down = Stratum(S1, missed(), replicas=tuple(held(one, Listed.UNKNOWN) for one in memory.entries(S1.name, NOW)))
    assert len(remember(memory, run_of(1, down)).entries(S1.name, NOW + MINUTE)) == 2000


def test_a_memory_that_has_grown_already_is_not_asked_for_in_full() -> None:
    rows = tuple(value.Remembered(entry(f"r{number}.tld"), NOW) for number in range(9000))
    assert len(Memory({S1.name: rows}).entries(S1.name, NOW)) == value.MOST_OF_A_SERVER


def test_all_servers_together_have_a_bound_and_the_oldest_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(value, "MOST_REPLICAS", 30)
    said = list[str]()
    memory = remember(NOTHING, run_of(0, listing_of(*(entry(f"old{number}.tld") for number in range(20)))))
    newer = listing_of(*(entry(f"new{number}.tld") for number in range(20)), on=S1_NL)
    memory = remember(memory, run_of(1, newer), said.append)
    assert {name: len(rows) for name, rows in memory.replicas.items()} == {S1.name: 10, S1_NL.name: 20}
    assert [line[:3] for line in said] == ["W! "]


def test_the_largest_memory_that_servers_can_cause_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tenth of it, in a file a tenth as large."""
    monkeypatch.setattr(file, "LARGEST", file.LARGEST // 10)
    name = "n" * 240
    rows = tuple(
        value.Remembered(
            Entry(f"{name}{number:05d}", f"/{'p' * 1000}/{number:05d}", replica=True), NOW, 2**64 - 1, "0" * 49, NOW
        )
        for number in range(MOST_REPLICAS // 10)
    )
    steps = tuple(Publication(2**60 + number * 999, NOW + number * MINUTE, "0" * 6) for number in range(250))
    several = {f"{name}{number:05d}": steps for number in range(value.MOST_PUBLICATIONS_IN_ALL // 2500)}
    certificates = {secrets.token_hex(20): bytes(value.MOST_CERTIFICATE_BYTES // 10)}
    memory = Memory({S1.name: rows}, several, certificates)
    file.write(tmp_path / "memory.json", memory)
    assert len(file.read(tmp_path / "memory.json").replicas[S1.name]) == len(rows)


def test_a_memory_that_would_not_be_read_again_is_kept_without_what_was_verified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file, "LARGEST", 20_000)
    rows = (value.Remembered(entry("a.tld"), NOW, 7, "0" * 40, NOW, certificate="1" * 40),)
    proofs = (f"{number:032x}" for number in range(20))
    verified = {
        proof: Trust(Signature.OK, "", certificate_read=True, subject="\U0001f600" * 190 + proof[-2:], proof=proof)
        for proof in proofs
    }
    memory = Memory({S1.name: rows}, certificates={"1" * 40: b"x"}, verified=verified)
    file.write(tmp_path / "memory.json", memory)
    kept = file.read(tmp_path / "memory.json")
    assert (kept.verified, kept.certificates) == ({}, {})
    assert [one.revision for one in kept.replicas[S1.name]] == [7]
    file.write(tmp_path / "memory.json", replace(memory, verified={}))
    assert file.read(tmp_path / "memory.json").certificates == memory.certificates


def test_certificates_have_a_bound_together_and_small_ones_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(value, "MOST_CERTIFICATE_BYTES", 100)
    rows = tuple(value.Remembered(entry(f"{size}.tld"), NOW, certificate=f"{size:040x}") for size in (60, 10, 90, 20))
    memory = Memory({S1.name: rows}, certificates={f"{size:040x}": bytes(size) for size in (60, 10, 90, 20)})
    kept = remember(memory, run_of(1)).certificates
    assert sorted(map(len, kept.values())) == [10, 20, 60]


# --- a corrected name -------------------------------------------------------------------------------

WRONG, RIGHT = "sofware.example.org", "software.example.org"
PATH = "/cvmfs/software.example.org"


@pytest.mark.parametrize("corrected", [True, False])
def test_a_name_that_the_server_corrected_at_the_same_path_is_forgotten(corrected: bool) -> None:
    memory = Memory({S1.name: (value.Remembered(entry(WRONG, PATH), NOW),)})
    files = {f"{S1.url}{path}": body for path, body in repository(RIGHT).items()}
    files[f"{S1.url}/cvmfs/info/v1/repositories.json"] = listing(RIGHT if corrected else "other.example.org")
    fleet = Fleet((S1,))
    seen = scrape(fleet, NOW + MINUTE, FakeNetwork(files), print, memory=memory)  # type: ignore[arg-type]
    (stratum,) = seen.strata
    found = {one.repo for one in stratum.replicas}
    assert found == ({RIGHT} if corrected else {WRONG, "other.example.org"})
    after = remember(memory, assess(seen, MINUTE, memory))
    assert {one.name for one in after.entries(S1.name, NOW + MINUTE)} == found
