"""The pages about findings: complete, in agreement with the program, and their commands work against a server."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from telegraf_cvmfs.demo import DemoFleet
from telegraf_cvmfs.demo.inventory import DOWN, HEALTHY, LAGGING, STRATUM0, full_name
from telegraf_cvmfs.demo.stratum import utc_date
from telegraf_cvmfs.fleet.file import SECTIONS, parse
from telegraf_cvmfs.model import FINDINGS
from tests import ROOT

PAGES_DIRECTORY = ROOT / "docs" / "findings"
INDEX = (PAGES_DIRECTORY / "README.md").read_text()
PAGES = {path.stem: path.read_text() for path in sorted(PAGES_DIRECTORY.glob("*.md")) if path.stem != "README"}
ANNOUNCED: set[str] = set()
"""These may have a page before the program has the finding."""

SECTIONS_OF_A_PAGE = [
    "What it means",
    "How it is measured",
    "Confirm it by hand",
    "What to do",
    "If it is a false alarm",
]
EXAMPLE = {
    "SERVER": "http://stratum1.example.org",
    "REFERENCE": "http://stratum0.example.org",
    "PROXY": "http://squid.example.org:3128",
    "KEY": "/etc/cvmfs/keys/example.org/example.org.pub",
    "REPO": "software.example.org",
}


# --- what is written --------------------------------------------------------------------------------


def section(page: str, name: str) -> str:
    return PAGES[page].split(f"\n## {name}\n")[1].split("\n## ")[0]


def fenced(text: str, language: str) -> list[str]:
    return re.findall(rf"^ *```{language}\n(.*?)^ *```$", text, re.DOTALL | re.MULTILINE)


def test_every_finding_has_a_page_and_every_page_a_finding() -> None:
    assert set(FINDINGS) <= set(PAGES) <= set(FINDINGS) | ANNOUNCED


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_its_name_one_sentence_and_the_five_sections_in_order(page: str) -> None:
    text = PAGES[page]
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == SECTIONS_OF_A_PAGE
    title, sentence = text.split("\n## ")[0].strip().split("\n\n")
    assert title == f"# {page}"
    assert sentence.count(". ") == 0
    assert sentence.endswith(".")
    assert all(section(page, name).strip() for name in SECTIONS_OF_A_PAGE)


@pytest.mark.parametrize("page", [*PAGES, "README"])
def test_keys_of_limits_are_ones_that_a_fleet_file_knows(page: str) -> None:
    text = PAGES.get(page, INDEX)
    coming = ANNOUNCED - set(FINDINGS)
    keys = {found[0] for found in re.finditer(r"\b[a-z]+(?:_[a-z]+)*_(?:warning|critical)\b", text)}
    unknown = {key for key in keys if key.rpartition("_")[0] not in coming} - set(SECTIONS["limits"])
    assert not unknown


@pytest.mark.parametrize("page", sorted({key.rpartition("_")[0] for key in SECTIONS["limits"]}))
def test_a_page_says_how_to_move_its_own_limit(page: str) -> None:
    assert re.search(rf"\b{page}_(warning|critical)\b", section(page, "If it is a false alarm"))


@pytest.mark.parametrize("page", [*PAGES, "README"])
def test_what_stands_there_as_a_fleet_file_is_one(page: str, tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "example.org.pub").write_text("-----BEGIN PUBLIC KEY-----")
    for text in fenced(PAGES.get(page, INDEX), "toml"):
        parse(text, tmp_path / "fleet.toml")


# --- what is executed -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Place:
    """Where a page's commands are tried: names of the demo's servers, and a repository."""

    server: str = HEALTHY
    repo: str = "software"
    reference: str = STRATUM0
    proxy: str = HEALTHY


def script(page: str, place: Place, demo: DemoFleet, key: Path) -> str:
    """All commands under "Confirm it by hand", in order, with the demo's values in place of the examples."""
    text = "".join(fenced(section(page, "Confirm it by hand"), "bash"))
    values = {
        "SERVER": demo.urls[place.server],
        "REFERENCE": demo.urls[place.reference],
        "PROXY": demo.urls[place.proxy],
        "KEY": str(key),
        "REPO": full_name(place.repo),
    }
    for name, example in EXAMPLE.items():
        text = text.replace(f"{name}={example}\n", f"{name}={values[name]}\n")
    assert "example.org" not in text, "a value that no variable holds"
    return text


def run(page: str, place: Place, demo: DemoFleet, room: Path) -> subprocess.CompletedProcess[str]:
    for program in ("bash", "curl", "openssl", "python3", "sha1sum"):
        if shutil.which(program) is None:
            pytest.skip(f"the pages' commands need {program}, and there is none here")
    key = room / "master.pub"
    key.write_bytes(demo.public_key)
    kept = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script(page, place, demo, key)],
        cwd=room,
        env=kept,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=60,
        check=False,
    )


@pytest.fixture
def demo() -> Iterator[DemoFleet]:
    """A fleet to break things in."""
    with DemoFleet(now=datetime.now(UTC)) as running:
        yield running


@pytest.fixture(scope="module")
def untouched() -> Iterator[DemoFleet]:
    with DemoFleet(now=datetime.now(UTC)) as running:
        yield running


GOOD = {
    "server_down": "HTTP 200",
    "list_unread": "replicas software.demo.example",
    "geoapi_wrong": "2,1,3\n1,2,3\n",
    "geoapi_down": "2,1,3\nHTTP 200",
    "geodb_old": "2 days old",
    "manifest": "Nsoftware.demo.example\n",
    "snapshot_old": "last snapshot 0 hours ago",
    "snapshot_stuck": "no snapshot is running",
    "lagging": "revision 416 here, 416 there: 0 behind",
    "gc_old": "last garbage collection: none\nGno\nreference log: HTTP 200",
    "check_failed": "status: succeeded",
    "whitelist": "\nvalid\n",
    "signature": "whitelist signature ok\nVerified OK\ncertificate is in the whitelist\n",
    "root_catalog": "hash ok\nb'SQLite format 3'",
    "diverged": "the same\n",
    "ahead": "revision 416, published",
    "backwards": "try 3: revision 416, published",
    "proxy_stale": "416 through the proxy: 0 behind",
    "members_differ": "127.0.0.1: revision 416\n",
}
"""What the commands of each page say where nothing is wrong."""


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_page_find_a_healthy_server_healthy(page: str, untouched: DemoFleet, tmp_path: Path) -> None:
    assert fenced(section(page, "Confirm it by hand"), "bash"), "commands that nobody tries"
    done = run(page, Place(), untouched, tmp_path)
    assert done.returncode == 0, done.stdout
    assert GOOD[page] in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("page", ["manifest", "whitelist", "signature", "root_catalog", "diverged"])
def test_the_commands_know_hashes_of_another_algorithm(page: str, untouched: DemoFleet, tmp_path: Path) -> None:
    done = run(page, Place(repo="data"), untouched, tmp_path)
    assert done.returncode == 0, done.stdout
    assert GOOD[page].replace("software", "data") in done.stdout


Served = dict[str, bytes]
Fault = Callable[[Served, str], None]
"""Breaks something of what one server serves; the text is the repository's path."""


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


def snapshot_since_yesterday(served: Served, base: str) -> None:
    served[f"{base}/.cvmfs_is_snapshotting"] = utc_date(datetime.now(UTC) - timedelta(hours=30)).encode() + b"\n"


def root_catalog_damaged(served: Served, base: str) -> None:
    served[catalog_path(served, base)] += b"!"


def root_catalog_gone(served: Served, base: str) -> None:
    del served[catalog_path(served, base)]


def catalog_path(served: Served, base: str) -> str:
    text = re.search(rb"^C(\S+)$", served[f"{base}/.cvmfspublished"], re.MULTILINE)
    assert text
    return f"{base}/data/{text[1][:2].decode()}/{text[1][2:].decode()}C"


def nothing(_served: Served, _base: str) -> None:
    """The demo has the fault by itself."""


@dataclass(frozen=True)
class Case:
    """A fault, and what the page's commands say about it and not about a healthy server."""

    page: str
    place: Place
    fault: Fault
    said: str


MANIFEST, WHITELIST = "REPO/.cvmfspublished", "REPO/.cvmfswhitelist"
LIST = "/cvmfs/info/v1/repositories.json"
BAD = [
    Case("server_down", Place(server=DOWN), nothing, "no answer: http"),
    Case("list_unread", Place(), without(LIST), "HTTP 404"),
    Case("list_unread", Place(), replaced(LIST, rb"^.", b"<"), "this is not a list of repositories"),
    Case("geoapi_down", Place(server=STRATUM0), nothing, "HTTP 404"),
    Case("geodb_old", Place(server=LAGGING), nothing, "35 days old"),
    Case("manifest", Place(), without(MANIFEST), "HTTP 404"),
    Case("manifest", Place(repo="unheard-of"), nothing, "not listed"),
    Case("snapshot_old", Place(server=LAGGING), nothing, "last snapshot 31 hours ago"),
    Case("snapshot_stuck", Place(), snapshot_since_yesterday, "30 hours"),
    Case("lagging", Place(server=LAGGING), nothing, "revision 413 here, 416 there: 3 behind"),
    Case("gc_old", Place(server=LAGGING, repo="nightlies"), nothing, "1 days ago\nGyes"),
    Case("check_failed", Place(server=LAGGING, repo="conditions"), nothing, "status: failed"),
    Case("whitelist", Place(), replaced(WHITELIST, rb"\nE....", b"\nE2020"), "REFUSED by clients"),
    Case("signature", Place(), replaced(MANIFEST, rb"\nS416", b"\nS417"), "manifest hash WRONG"),
    Case("signature", Place(), replaced(MANIFEST, rb".{8}$", b"\0" * 8), "Verification failure"),
    Case(
        "signature", Place(), replaced(WHITELIST, rb"\n[0-9A-F]{2}:", b"\nZZ:"), "certificate is NOT in the whitelist"
    ),
    Case("root_catalog", Place(), root_catalog_gone, " 404 "),
    Case("root_catalog", Place(), root_catalog_damaged, "hash WRONG"),
    Case("root_catalog", Place(repo="data"), root_catalog_damaged, "hash WRONG"),
    Case("diverged", Place(), replaced(MANIFEST, rb"^C....", b"Cxxxx"), "they differ"),
    Case("ahead", Place(reference=LAGGING), nothing, "revision 413, published"),
    Case("backwards", Place(server=LAGGING), nothing, "try 3: revision 413, published"),
    Case("proxy_stale", Place(proxy=LAGGING), nothing, "revision 416 directly, 413 through the proxy: 3 behind"),
    Case("members_differ", Place(server=DOWN), nothing, "127.0.0.1: revision no answer"),
]


@pytest.mark.slow
@pytest.mark.parametrize("case", BAD, ids=lambda case: f"{case.page}-{case.said.strip()}")
def test_the_commands_of_a_page_show_the_fault(case: Case, demo: DemoFleet, tmp_path: Path) -> None:
    assert case.said not in GOOD[case.page]
    case.fault(demo.documents.get(case.place.server, {}), f"/cvmfs/{full_name(case.place.repo)}")
    assert case.said in run(case.page, case.place, demo, tmp_path).stdout


@pytest.mark.slow
def test_the_commands_refuse_a_whitelist_of_another_master_key(demo: DemoFleet, tmp_path: Path) -> None:
    served = demo.documents[HEALTHY]
    replaced(WHITELIST, rb".{8}$", b"\0" * 8)(served, f"/cvmfs/{full_name('software')}")
    done = run("signature", Place(), demo, tmp_path)
    assert done.returncode != 0
    assert "whitelist hash ok" in done.stdout
    assert "whitelist signature ok" not in done.stdout
