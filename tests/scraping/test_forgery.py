"""One server that serves what it should not: whole runs with keys and without a stratum 0 to compare with."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from telegraf_cvmfs.demo import faults
from telegraf_cvmfs.demo.repository import manifest, objects
from telegraf_cvmfs.demo.signing import demo_keys
from tests.builders.demo_runs import FAULTY, HEALTHY, LAGGING, NOW, STRATUM0, Watched, slugs, watched

Forge = Callable[[bytes], bytes]
LATER = timedelta(minutes=5)


@pytest.fixture
def replicated(tmp_path: object) -> Iterator[Watched]:
    """Three stratum 1s, on which `software` is as it should be."""
    with watched(tmp_path, with_faults=True) as running:
        running.inflict(FAULTY, running.published("software", running.copy("software").revision))
        servers = tuple(one for one in running.fleet.servers if one.name != STRATUM0)
        running.fleet = replace(running.fleet, servers=servers)
        yield running


def _line(letter: bytes, value: bytes, text: bytes) -> bytes:
    return re.sub(rb"(?m)^%b.*$" % letter, letter + value, text, count=1)


def unsigned(text: bytes) -> bytes:
    return text.partition(b"--\n")[0] + b"--\n"


def self_made(text: bytes) -> bytes:
    """With the hash of its text, and a signature that is nobody's."""
    text = text.partition(b"--\n")[0]
    return text + b"--\n" + hashlib.sha1(text).hexdigest().encode() + b"\n" + b"\x01" * 256  # noqa: S324


FORGERIES: dict[str, Forge] = {
    "unsigned and newer": lambda good: unsigned(_line(b"S", b"999999", good)),
    "unsigned with another catalog": lambda good: unsigned(_line(b"C", b"ba" * 20, good)),
    "self-made and newer": lambda good: self_made(_line(b"S", b"999999", good)),
    "self-made with another catalog": lambda good: self_made(_line(b"C", b"ba" * 20, good)),
    "damaged on the way": lambda good: _line(b"S", b"999999", good),
    "older": lambda good: self_made(_line(b"S", b"1", good)),
}


def forged(fleet: Watched, forge: Forge) -> faults.Changes:
    path = fleet.path("software", ".cvmfspublished")
    return {path: forge(fleet.demo.documents[FAULTY][path])}


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES.keys())
def test_a_forged_manifest_says_nothing_about_others_and_is_not_remembered(replicated: Watched, forge: Forge) -> None:
    before = replicated.run()
    good = dict(replicated.demo.documents[FAULTY])
    replicated.inflict(FAULTY, forged(replicated, forge))
    found = replicated.run(LATER)
    assert found[FAULTY, "software"]["signature"] == "manifest_invalid"
    assert set(slugs(found[FAULTY, "software"])) <= {"signature", "root_catalog"}
    for name in ("revisions_behind", "lag", "published_behind", "diverged"):
        assert name not in found[FAULTY, "software"]
    for where in (HEALTHY, LAGGING):
        assert slugs(found[where, "software"]) == slugs(before[where, "software"])
        assert found[where, "software"].get("diverged", 0) == 0
    known = [one.revision for one in replicated.memory.publications["software.demo.example"]]
    assert not {1, 999999} & set(known)
    replicated.inflict(FAULTY, dict(good))
    assert slugs(replicated.run(2 * LATER)[FAULTY, "software"]) == [], "it did not go backwards: no client took that"


def test_a_manifest_by_a_strangers_certificate_whose_whitelist_does_not_come_is_not_the_reference(
    replicated: Watched,
) -> None:
    repository = replicated.repository("software")
    newer = replace(replicated.next_revision("software"), number=999999)
    changes = replicated.published("software", newer, by=faults.forger())
    replicated.inflict(FAULTY, changes)
    replicated.instead(FAULTY, f"{repository.path}/.cvmfswhitelist", lambda good: good._replace(status=500))
    found = replicated.run()
    assert found[FAULTY, "software"]["signature"] == "not_checked"
    assert (found[HEALTHY, "software"]["is_reference"], slugs(found[HEALTHY, "software"])) == (True, [])


def test_an_expired_whitelist_does_not_hide_that_a_replica_lags(replicated: Watched) -> None:
    copy = replicated.copy("software")
    old = replace(copy.revision, number=copy.revision.number - 3, published=NOW - timedelta(hours=30))
    replicated.inflict(FAULTY, faults.expired_whitelist(copy, demo_keys()))
    base = f"{copy.repository.path}/"
    below = {base + name: body for name, body in objects(copy.repository, old, demo_keys()).items()}
    replicated.inflict(FAULTY, {base + ".cvmfspublished": manifest(copy.repository, old, demo_keys()), **below})
    replica = replicated.run()[FAULTY, "software"]
    assert (replica["signature"], replica["revisions_behind"]) == ("whitelist_expired", 3)
