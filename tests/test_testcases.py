"""The test cases: a fleet file, what its servers serve, the time; then the line protocol that this is worth.

How a case is laid out stands in testcases/README.md.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from telegraf_cvmfs.emit.line_protocol import render
from telegraf_cvmfs.fleet import file as fleet_file
from telegraf_cvmfs.model import Answer, FetchError, Fleet, Result, Run, ServerVerdict
from tests.builders.strata import Served, down, run_of, served_by

TESTCASES = Path(__file__).parent / "testcases"
CASES = sorted(path.parent for path in TESTCASES.glob("*/fleet.toml"))
RESPONSE_TIME = timedelta(milliseconds=250)
RESULTS = {result.slug: result for result in Result}


@dataclass(frozen=True)
class Strata(Mapping[str, Served]):
    """What all servers of a case serve: files, then what `answers` says, then 404 or a refusal."""

    files: Mapping[str, Served]
    answers: tuple[tuple[str, Served], ...]
    reachable: tuple[str, ...]

    def __getitem__(self, url: str) -> Served:
        if url in self.files:
            return self.files[url]
        for pattern, answer in self.answers:
            if fnmatchcase(url, pattern):
                return answer
        if url.startswith(self.reachable):
            raise KeyError(url)  # a 404
        return down("{0.scheme}://{0.netloc}".format(urlsplit(url)))

    def __iter__(self) -> Iterator[str]:
        return iter(self.files)

    def __len__(self) -> int:
        return len(self.files)


def strata_of(case: Path, fleet: Fleet) -> Strata:
    files: dict[str, Served] = {}
    reachable = []
    for server in fleet.servers:
        folder = case / "served" / server.name
        if folder.is_dir():
            files |= served_by(folder, server.url)
            reachable.append(f"{server.url}/")
    return Strata(files, tuple(answers_of(case)), tuple(reachable))


def answers_of(case: Path) -> Iterator[tuple[str, Served]]:
    """Lines of a glob of URLs and what it answers: an HTTP status and a text, or how the request fails."""
    file = case / "answers"
    for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else ():
        pattern, answer, *text = line.split(maxsplit=2)
        if answer.isdigit():
            yield pattern, Answer(int(answer), "".join(f"{one}\n" for one in text).encode())
        else:
            yield pattern, FetchError(RESULTS[answer], f"the test case says {answer}")


def fleet_of(case: Path) -> Fleet:
    file = case / "fleet.toml"
    return fleet_file.parse(file.read_text(encoding="utf-8"), file)


def run_case(case: Path, complaints: list[str] | None = None) -> Run:
    fleet = fleet_of(case)
    now = datetime.fromisoformat((case / "now").read_text(encoding="utf-8").strip())
    run = run_of(fleet, strata_of(case, fleet), now, complaints)
    return replace(run, servers=tuple(map(_with_fixed_response_time, run.servers)))


def _with_fixed_response_time(verdict: ServerVerdict) -> ServerVerdict:
    if verdict.stratum.response_time is None:
        return verdict
    return replace(verdict, stratum=replace(verdict.stratum, response_time=RESPONSE_TIME))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_case_gives_the_lines_that_are_expected(case: Path) -> None:
    complaints: list[str] = []
    found = sorted(render(run_case(case, complaints)).splitlines())
    if os.environ.get("UPDATE_TESTCASES") == "1":
        update(case, found, complaints)
    assert found == sorted((case / "expected.out").read_text(encoding="utf-8").splitlines())
    assert sorted(complaints) == expected_complaints(case)


def update(case: Path, found: list[str], complaints: list[str]) -> None:
    """Take what the program says for right; to be read line by line before it is kept."""
    (case / "expected.out").write_text("".join(f"{line}\n" for line in found), encoding="utf-8")
    errors = case / "expected.err"
    errors.unlink(missing_ok=True)
    if complaints:
        errors.write_text("".join(f"{line}\n" for line in sorted(complaints)), encoding="utf-8")


def expected_complaints(case: Path) -> list[str]:
    file = case / "expected.err"
    return file.read_text(encoding="utf-8").splitlines() if file.exists() else []


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_case_says_what_it_is_about_and_has_no_folder_that_no_server_serves(case: Path) -> None:
    assert (case / "fleet.toml").read_text(encoding="utf-8").startswith("# ")
    names = {server.name for server in fleet_of(case).servers}
    folders = {path.name for path in (case / "served").iterdir()} if (case / "served").exists() else set()
    assert folders <= names


# --- what the genuine tools say of their own data ---------------------------------------------------

GENUINE = TESTCASES / "genuine"
TRUTH = json.loads((GENUINE / "expected.json").read_text(encoding="utf-8"))["expect"]


def _unix(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp())


@pytest.mark.parametrize("truth", TRUTH, ids=lambda truth: truth["server"])
def test_genuine_strata_are_read_as_the_genuine_tools_read_them(truth: dict[str, object]) -> None:
    run = run_case(GENUINE)
    (verdict,) = (one for one in run.replicas if one.replica.server.name == truth["server"])
    replica = verdict.replica
    manifest = replica.manifest.value
    status = replica.status.value
    whitelist = replica.whitelist.value
    assert manifest is not None
    assert whitelist is not None
    behind = verdict.published_behind
    assert {
        "repository": replica.repo,
        "directory": replica.url.removesuffix("/.cvmfspublished").removeprefix(f"{replica.server.url}/cvmfs/"),
        "garbage_collectable": manifest.garbage_collectable,
        "last_check": None if status is None else _unix(status.last_check),
        "last_gc": None if status is None else _unix(status.last_gc),
        "last_snapshot": None if status is None else _unix(status.last_snapshot),
        "check_status": "succeeded" if status is not None and status.check_ok else None,
        "manifest_present": replica.up,
        "pass_through": replica.pass_through,
        "published": _unix(manifest.published),
        "published_seconds_behind": None if behind is None else int(behind.total_seconds()),
        "revision": manifest.revision,
        "revisions_behind": verdict.revisions_behind,
        "root_hash": manifest.root_catalog,
        "root_size": manifest.root_size,
        "ttl": int(manifest.ttl.total_seconds()),
        "whitelist_expires": _unix(whitelist.expires),
    }.items() <= truth.items()


def test_genuine_times_are_utc() -> None:
    assert datetime.fromisoformat((GENUINE / "now").read_text(encoding="utf-8").strip()).tzinfo == UTC
