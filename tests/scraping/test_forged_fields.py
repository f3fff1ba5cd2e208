"""Whatever one server forges or withholds, with a key nothing else that is said or remembered changes."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from telegraf_cvmfs.assess.verdicts import assess
from telegraf_cvmfs.demo.signing import Keys, content_hash
from telegraf_cvmfs.memory.value import NOTHING, remember
from telegraf_cvmfs.model import FetchError, Fleet, GeoAPI, ReplicaVerdict, Result, Role, Run, Server
from telegraf_cvmfs.scraping.visits import scrape
from telegraf_cvmfs.trust.judge import Judge
from telegraf_cvmfs.trust.keys import Keyring
from tests.builders.signed import NOW, REPO, keys, ours, whitelist_text
from tests.builders.strata import FakeNetwork, Served

THEN = int(NOW.timestamp())
HOUR, DAY = 3600, 86400
SLOW = FetchError(Result.TIMEOUT, "slow")
EXPIRED = "20200101000000"
EMPTY = hashlib.md5(b"", usedforsecurity=False).hexdigest()

FORGED: Mapping[str, str | None] = {
    "S": "999999",
    "C": "0" * 40,
    "T": str(THEN - 300 * DAY),
    "B": "1",
    "D": "1",
    "G": "yes",
    "N": "other.example.org",
    "R": "0" * 32,
    "X": "1" * 40,
    "L": "0" * 40,
    "H": "0" * 40,
}
REPLACED: tuple[Mapping[str, str | None], ...] = (
    *({letter: value} for letter, value in FORGED.items()),
    *({letter: None} for letter in "TXN"),
    {"S": "0"},
    {"S": "8", "T": str(THEN - 2 * DAY)},
    {"S": "6", "C": "0" * 40},
    {"T": str(THEN + 300 * DAY)},
    {"T": "0"},
)


class Repository:
    """What a server has of a repository, by the name of the document; whoever signed it."""

    def __init__(self, by: Keys, changes: Mapping[str, str | None], expires: str = "20260401000000") -> None:
        self.certificate = zlib.compress(by.certificate_pem)
        self.name = content_hash(self.certificate, "sha1")
        root = hashlib.sha1((changes.get("S") or "7").encode(), usedforsecurity=False).hexdigest()
        letters: dict[str, str | None] = {
            "C": root,
            "B": "57344",
            "R": EMPTY,
            "D": "240",
            "S": "7",
            "G": "no",
            "N": REPO,
            "X": self.name,
        }
        letters |= {"T": str(THEN - 2 * HOUR), **changes}
        self.text = "".join(f"{letter}{value}\n" for letter, value in letters.items() if value is not None).encode()
        self.manifest = by.signed_manifest(self.text, "sha1")
        self.whitelist = by.signed_whitelist(whitelist_text(by, expires=expires), "sha1")


def served(
    server: Server, has: Repository, *, source: bool = False, **instead: Served | None
) -> Iterator[tuple[str, Served]]:
    entries = [{"name": REPO, "url": f"/cvmfs/{REPO}"}]
    lists = {"schema": 1, "repositories": entries if source else [], "replicas": [] if source else entries}
    status = {"last_snapshot": f"{NOW - timedelta(minutes=5):%a %b %d %H:%M:%S UTC %Y}"}
    documents = {
        f"{REPO}/.cvmfspublished": instead.get("manifest", has.manifest),
        f"{REPO}/.cvmfswhitelist": instead.get("whitelist", has.whitelist),
        f"{REPO}/data/{has.name[:2]}/{has.name[2:]}X": instead.get("certificate", has.certificate),
        f"{REPO}/.cvmfs_status.json": json.dumps(status).encode(),
        "info/v1/repositories.json": json.dumps(lists).encode(),
    }
    yield from ((f"{server.url}/cvmfs/{path}", body) for path, body in documents.items() if body is not None)


def forgeries(server: Server, changes: Mapping[str, str | None]) -> Iterator[dict[str, Served]]:
    """The same lie, told in each way: unsigned, damaged, signed by a stranger, with something withheld."""
    mine, theirs = Repository(ours(), changes), Repository(keys("theirs"), changes)
    genuine = Repository(ours(), {}).whitelist
    old = Repository(keys("theirs"), changes, EXPIRED)
    hash_at = mine.manifest.index(b"--\n") + 3
    yield dict(served(server, mine, manifest=mine.text))
    yield dict(served(server, mine, manifest=mine.manifest[:hash_at] + b"0" * 40 + mine.manifest[hash_at + 40 :]))
    yield dict(served(server, mine, manifest=mine.manifest[:-9] + b"x" * 9, certificate=SLOW))
    for source in (False, True):
        yield dict(served(server, theirs, source=source))
        yield dict(served(server, theirs, source=source, whitelist=genuine))
        yield dict(served(server, theirs, source=source, whitelist=genuine, certificate=SLOW))
        yield dict(served(server, theirs, source=source, whitelist=SLOW))
        yield dict(served(server, theirs, source=source, whitelist=None))
        yield dict(served(server, old, source=source))


Has = list[tuple[Server, dict[str, Served]]]


def stratum1(name: str) -> Server:
    return Server(f"http://{name}.example", name, Role.STRATUM1)


def honest(*, stratum0: bool) -> Has:
    new, old = Repository(ours(), {}), Repository(ours(), {"S": "6", "T": str(THEN - 3 * DAY)})
    has = {"a": new, "b": new, "c": old}
    found = [(stratum1(name), dict(served(stratum1(name), one))) for name, one in has.items()]
    source = Server("http://s0.example", "s0", Role.STRATUM0)
    return [(source, dict(served(source, new, source=True))), *found] if stratum0 else found


def run(key: Path, has: Has) -> Run:
    servers = tuple(server for server, _ in has)
    fleet = Fleet(servers, keys=(key,), verify_every=None, geoapi=GeoAPI(enabled=False))
    judge = Judge(Keyring(fleet, print))
    network = FakeNetwork({url: body for _, documents in has for url, body in documents.items()})
    return assess(scrape(fleet, NOW, network, print), timedelta(seconds=1), NOTHING, judge.judge)  # type: ignore[arg-type]


def said(one: ReplicaVerdict) -> tuple[object, ...]:
    return [found.slug for found in one.findings], one.lag, one.diverged, one.published_behind, one.is_reference


def known(of: Run, others: Has) -> tuple[object, ...]:
    """All that is said of these servers and of the repository as a whole, and is remembered of what was published."""
    (repository,) = of.repositories
    names = [server.name for server, _ in others]
    newest = repository.newest and repository.newest.manifest.value
    return (
        [said(one) for one in of.replicas if one.replica.server.name in names],
        newest and newest.revision,
        repository.revisions_spread,
        remember(NOTHING, of).publications,
    )


@pytest.mark.parametrize(
    ("role", "stratum0"),
    [(Role.STRATUM1, True), (Role.STRATUM1, False), (Role.SYNC, False), (Role.STRATUM0, True)],
    ids=["a stratum 1 beside a stratum 0", "a stratum 1", "a sync server", "another stratum 0"],
)
def test_with_a_key_no_field_that_a_server_forges_changes_what_is_known_of_others(
    tmp_path: Path, role: Role, *, stratum0: bool
) -> None:
    key = tmp_path / "our.pub"
    key.write_bytes(ours().master_public_pem)
    others, liar = honest(stratum0=stratum0), Server("http://liar.example", "liar", role)
    expected = known(run(key, others), others)
    assert expected[1:3] == (7, 1)
    for changes in REPLACED:
        for lie in forgeries(liar, changes):
            assert known(run(key, [(liar, lie), *others]), others) == expected, changes


def test_two_that_collude_change_nothing_either_where_there_is_a_key(tmp_path: Path) -> None:
    key = tmp_path / "our.pub"
    key.write_bytes(ours().master_public_pem)
    others = honest(stratum0=False)[:1]
    liars = stratum1("liar1"), stratum1("liar2")
    expected = known(run(key, others), others)
    for changes in REPLACED:
        for lies in zip(*(forgeries(liar, changes) for liar in liars), strict=True):
            assert known(run(key, [*zip(liars, lies, strict=True), *others]), others) == expected, changes
