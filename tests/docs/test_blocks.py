"""Every block of every page about a finding, against a faulty, a healthy and an unanswering server: it says only what it read."""

from __future__ import annotations

import itertools
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from telegraf_cvmfs.demo import DemoFleet
from telegraf_cvmfs.demo.inventory import LAGGING, STRATUM0
from telegraf_cvmfs.demo.stratum import utc_date
from tests.builders.hostile import Behaviour, Talk, answers, page
from tests.docs.blocks import BUSY, CLOSED, HOSTILE, PORTAL, Fault, Room, Served, State, blocks
from tests.docs.test_findings import PAGES, section

NOT_READ = "NOT READ"


# --- what is broken ---------------------------------------------------------------------------------


def without(path: str) -> Fault:
    def remove(served: Served, base: str) -> None:
        del served[path.replace("REPO", base)]

    return remove


def replaced(path: str, pattern: bytes, by: bytes) -> Fault:
    def damage(served: Served, base: str) -> None:
        whole = path.replace("REPO", base)
        served[whole], count = re.subn(pattern, by, served[whole], count=1, flags=re.DOTALL)
        assert count == 1

    return damage


def serving(path: str, content: Callable[[], bytes]) -> Fault:
    def add(served: Served, base: str) -> None:
        served[path.replace("REPO", base)] = content()

    return add


def ago(span: timedelta) -> bytes:
    return utc_date(datetime.now(UTC) - span).encode()


def status(field: str, span: timedelta) -> Fault:
    return serving(STATUS, lambda: b'{"%s": "%s"}\n' % (field.encode(), ago(span)))


def root_catalog(change: Callable[[bytes], bytes | None]) -> Fault:
    return of_manifest(b"C", change)


def of_manifest(letter: bytes, change: Callable[[bytes], bytes | None]) -> Fault:
    """Breaks the object that a letter of the manifest names."""

    def damage(served: Served, base: str) -> None:
        found = re.search(rb"^%s(\S+)$" % letter, served[f"{base}/.cvmfspublished"], re.MULTILINE)
        assert found
        path = f"{base}/data/{found[1][:2].decode()}/{(found[1][2:] + letter).decode()}"
        changed = change(served.pop(path))
        if changed is not None:
            served[path] = changed

    return damage


def expires_in(span: timedelta) -> Fault:
    moment = f"{datetime.now(UTC) + span:%Y%m%d%H%M%S}".encode()
    return replaced(WHITELIST, rb"\nE\d{14}", b"\nE" + moment)


def in_turn(*bodies: bytes) -> Behaviour:
    turns = itertools.cycle(bodies)
    return answers(lambda _: page(next(turns)))


def stale_cache(talk: Talk) -> None:
    """Has an old manifest, and a new one for who asks past it."""
    while request := talk.request():
        past = b"no-cache" in request
        talk.send(
            page(b"C%s\nS%d\nT9\n--\n" % (HASH, 416 if past else 400), "200 OK", *(() if past else ("Age: 7200",)))
        )


MANIFEST, WHITELIST, STATUS = "REPO/.cvmfspublished", "REPO/.cvmfswhitelist", "REPO/.cvmfs_status.json"
MARKER, LIST = "REPO/.cvmfs_is_snapshotting", "/cvmfs/info/v1/repositories.json"
ANOTHER_CATALOG = replaced(MANIFEST, rb"^C....", b"C0bad")
ANOTHER_SIGNATURE = rb".{8}$"
NOT_FOUND = answers(lambda _: page(b"no", "404 Not Found"))
HASH = b"0123456789" * 4


@dataclass(frozen=True)
class Block:
    """What a block says where all is well, what of faults, and whether it tells its two servers one by one."""

    good: str
    faults: tuple[State, ...]
    one_by_one: bool = False
    repo: str = "software"


BLOCKS: Mapping[str, tuple[Block, ...]] = {
    "redundancy": (
        Block(
            "the newest revision is served here",
            (
                State("an OLD revision is served here, by 3", server=LAGGING),
                State("does not serve it", fault=without(MANIFEST)),
            ),
        ),
    ),
    "server_down": (Block("HTTP 200: ", (State("HTTP 503", behave=BUSY), State("HTTP 404", behave=NOT_FOUND))),),
    "list_unread": (
        Block(
            "replicas software.demo.example",
            (
                State("NO LIST: HTTP 404", fault=without(LIST)),
                State("NO LIST: HTTP 503", behave=BUSY),
                State("NO LIST of repositories", behave=PORTAL),
                State("NO LIST of", fault=replaced(LIST, rb".{9}$", b"")),
                State("NO LIST of ", behave=answers(lambda _: page(b'{"replicas": [3]}'))),
            ),
        ),
    ),
    "geoapi_wrong": (
        Block(
            "the GeoAPI is right",
            (
                State("is WRONG", behave=answers(lambda _: page(b"1,2,3\n"))),
                State("GeoAPI is WRONG", behave=answers(lambda _: page(b"3,1,2\n"))),
                State("no usable answer", server=STRATUM0),
            ),
        ),
    ),
    "geoapi_down": (
        Block(
            "the GeoAPI answers: 2,1,3",
            (
                State("DOWN: HTTP 404", server=STRATUM0),
                State("DOWN: HTTP 503", behave=BUSY),
                State("DOWN: HTTP 200", behave=PORTAL),
                State("DOWN: HTTP 200, 1,1", behave=answers(lambda _: page(b"1,1\n"))),
            ),
        ),
    ),
    "geodb_old": (
        Block(
            "the database of places is 2 days old",
            (
                State("OLD: 35 days", server=LAGGING),
                State("does not say", server=STRATUM0),
                State("is no date", fault=replaced(LIST, rb'(_geodb_update": )"[^"]*"', rb'\1"gestern"')),
            ),
        ),
    ),
    "manifest": (
        Block(
            "this is its manifest\nlisted, at /cvmfs/software.demo.example",
            (
                State("manifest MISSING: HTTP 404\nlisted", fault=without(MANIFEST)),
                State("MISSING: HTTP 404\nNOT LISTED", repo="unheard-of"),
                State("NO MANIFEST", fault=replaced(MANIFEST, rb"\nS[^\n]*", b"")),
                State("this is NO MANIFEST", behave=PORTAL),
                State("ANOTHER REPOSITORY", fault=replaced(MANIFEST, rb"\nN[^\n]*", b"\nNother.example")),
                State("list NOT READ: HTTP 404", fault=without(LIST)),
            ),
        ),
    ),
    "snapshot_old": (
        Block(
            "last snapshot 0 hours ago\nno snapshot is running now",
            (
                State("OLD: 31 hours ago", server=LAGGING),
                State("OLD: 50 hours", fault=status("last_snapshot", timedelta(hours=50, minutes=1))),
                State("is no date", fault=serving(STATUS, lambda: b'{"last_snapshot": "gestern"}')),
                State("no snapshot is recorded", server=STRATUM0),
                State("is running now, or", fault=serving(MARKER, lambda: ago(timedelta(hours=1)))),
            ),
        ),
    ),
    "snapshot_stuck": (
        Block(
            "no snapshot is running",
            (
                State("STUCK: since", fault=serving(MARKER, lambda: ago(timedelta(hours=30)) + b"\n")),
                State("running for 2 hours", fault=serving(MARKER, lambda: ago(timedelta(hours=2, minutes=1)))),
                State("NOT READ: '' is no date", fault=serving(MARKER, lambda: b"")),
                State("'gestern' is no date", fault=serving(MARKER, lambda: b"gestern\n")),
            ),
        ),
    ),
    "lagging": (
        Block(
            "not behind",
            (
                State("BEHIND by 3 revisions", server=LAGGING),
                State("revision  here", fault=without(MANIFEST)),
            ),
        ),
    ),
    "gc_old": (
        Block(
            "last garbage collection 1 days ago\nit can be collected\nthe reference log is there",
            (
                State("OLD: 11 days ago", fault=status("last_gc", timedelta(days=11, hours=1))),
                State("is no date", fault=serving(STATUS, lambda: b'{"last_gc": "gestern", "last_check": ""}')),
                State("no garbage collection is recorded\nit cannot", repo="software"),
                State("reference log is MISSING", fault=without("REPO/.cvmfsreflog")),
            ),
            repo="nightlies",
        ),
    ),
    "check_failed": (
        Block(
            ": succeeded",
            (
                State(": FAILED", server=LAGGING, repo="conditions"),
                State("no check is recorded", fault=status("last_snapshot", timedelta())),
                State("no status is served", fault=without(STATUS)),
            ),
        ),
        Block(
            "C ok",
            (
                State("object DAMAGED", fault=root_catalog(lambda stored: stored + b"!")),
                State("MISSING", fault=root_catalog(lambda _: None)),
                State("manifest NOT READ", fault=without(MANIFEST)),
            ),
        ),
    ),
    "whitelist": (
        Block(
            ": valid",
            (
                State("EXPIRES SOON, clients", fault=expires_in(timedelta(hours=40)), reference=CLOSED),
                State("REFUSED by clients", fault=expires_in(timedelta(days=-2)), reference=CLOSED),
                State("REFUSED by", fault=expires_in(timedelta(seconds=1)), reference=CLOSED),
                State("whitelist MISSING", fault=without(WHITELIST), reference=CLOSED),
                State("NO WHITELIST", behave=PORTAL, reference=CLOSED),
            ),
            one_by_one=True,
        ),
    ),
    "signature": (
        Block(
            "the chain HOLDS",
            (
                State("manifest hash WRONG", fault=replaced(MANIFEST, rb"\nS416", b"\nS417")),
                State("manifest signature WRONG", fault=replaced(MANIFEST, ANOTHER_SIGNATURE, b"\0" * 8)),
                State("whitelist signature WRONG", fault=replaced(WHITELIST, ANOTHER_SIGNATURE, b"\0" * 8)),
                State("manifest name WRONG", fault=replaced(MANIFEST, rb"\nN[^\n]*", b"\nNother.example")),
                State("whitelist hash WRONG", fault=replaced(WHITELIST, rb"\n[0-9A-F]{2}:", b"\nZZ:")),
                State("certificate in the whitelist WRONG", fault=replaced(WHITELIST, rb"\n[0-9A-F]{2}:", b"\nYY:")),
                State("certificate hash WRONG", fault=of_manifest(b"X", lambda stored: stored + b"!")),
                State("not compressed", fault=of_manifest(b"X", lambda _: b"?")),
                State("certificate.z NOT READ", fault=of_manifest(b"X", lambda _: None)),
                State("whitelist NOT READ", fault=without(WHITELIST)),
                State("NO DOCUMENT", behave=PORTAL),
            ),
        ),
    ),
    "root_catalog": (
        Block(
            " ok\n",
            (
                State("MISSING", fault=root_catalog(lambda _: None)),
                State("EMPTY", fault=root_catalog(lambda _: b"")),
                State("CORRUPT", fault=root_catalog(lambda stored: stored + b"!")),
                State("CORRUPT: ", repo="data", fault=root_catalog(lambda stored: stored + b"!")),
                State("manifest NOT READ", fault=without(MANIFEST)),
            ),
        ),
    ),
    "diverged": (
        Block(
            "the same\n",
            (
                State("DIVERGED", fault=ANOTHER_CATALOG),
                State("another revision", server=LAGGING),
                State("NOT READ", fault=without(MANIFEST)),
            ),
        ),
    ),
    "ahead": (
        Block(
            "not from a cache\nnot ahead\n",
            (State("AHEAD by 3 revisions", reference=LAGGING), State("STALE CACHE stands", cache=stale_cache)),
        ),
    ),
    "backwards": (
        Block(
            "not below the reference",
            (
                State("BELOW the reference by 3", server=LAGGING),
                State(
                    "the tries DIFFER", behave=in_turn(*(b"C%s\nS%d\n--\n" % (HASH, number) for number in (416, 415)))
                ),
            ),
        ),
    ),
    "proxy_stale": (
        Block(
            "the proxy is not behind",
            (State("STALE: 3 revisions behind", proxy=LAGGING), State("NOT READ directly", fault=without(MANIFEST))),
        ),
    ),
    "members_differ": (
        Block(
            "serve the same (1 of 1)",
            (
                State("the machines DIFFER", fault=ANOTHER_CATALOG, machines=True),
                State("serve the same (1 of 2)", fault=without(MANIFEST), machines=True),
            ),
        ),
        Block(
            "one content",
            (State("DIFFER", behave=in_turn(*(b"C%s\nS%d\n--\n" % (HASH, number) for number in (7, 8)))),),
        ),
    ),
}
"""Each block of each page, in order."""


@pytest.fixture(scope="module")
def untouched() -> Iterator[DemoFleet]:
    for program in ("bash", "curl", "openssl", "python3", "sha1sum", "getent"):
        if shutil.which(program) is None:
            pytest.skip(f"the pages' commands need {program}, and there is none here")
    with DemoFleet(now=datetime.now(UTC)) as running:
        yield running


def pasted(page: str) -> list[str]:
    return blocks(section(page, "Confirm it by hand"))


def unanswering(block: str, tried: Block) -> Iterator[State]:
    """Each server of the block at which nobody answers."""
    silent = State(NOT_READ, tried.repo)
    yield replace(silent, server=CLOSED)
    if "REFERENCE=" in block:
        yield replace(silent, reference=CLOSED)
    if "PROXY=" in block:
        yield replace(silent, proxy=CLOSED)


def test_every_block_of_a_page_is_tried_and_none_stands_elsewhere() -> None:
    assert {page: len(pasted(page)) for page in PAGES} == {page: len(tried) for page, tried in BLOCKS.items()}
    assert all(len(blocks(text)) == len(pasted(page)) for page, text in PAGES.items())


@pytest.mark.slow
@pytest.mark.parametrize(("page", "number"), [(page, number) for page in BLOCKS for number in range(len(BLOCKS[page]))])
def test_a_block_tells_faulty_healthy_and_unanswering_apart(
    page: str, number: int, untouched: DemoFleet, tmp_path: Path
) -> None:
    block, tried = pasted(page)[number], BLOCKS[page][number]
    well = [State(tried.good, tried.repo)]
    if page in ("signature", "root_catalog"):
        well.append(State("", "data"))  # whose hashes are of another algorithm
    strange = list(unanswering(block, tried))
    foreign = [State("", tried.repo, behave=behave, reference=CLOSED) for behave in (BUSY, PORTAL)]
    hostile = State("", tried.repo, behave=HOSTILE)
    states = [*well, *tried.faults, *strange, *foreign, hostile]
    with ThreadPoolExecutor(4) as side_by_side:
        said = list(side_by_side.map(lambda state: Room(untouched, tmp_path).run(block, state), states))
    for state, text in zip(states, said, strict=True):
        assert state.said in text
        if state in well:
            assert tried.good in text
            assert NOT_READ not in text
        elif state in strange and tried.one_by_one:
            assert text.count(NOT_READ) == 1
        elif state is not hostile and (page != "server_down" or state not in foreign):
            assert tried.good not in text, f"{state} is no good"
