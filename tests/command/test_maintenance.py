"""Maintenance: measured as ever, and not judged aloud, from the fleet file and from the command line."""

from __future__ import annotations

import json
import re
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from telegraf_cvmfs.fleet.maintenance import beside, load, text
from telegraf_cvmfs.model import Maintenance
from tests.programs.command import run

HOUR = timedelta(hours=1)


@pytest.fixture(name="fleet_file")
def without_windows(fleet_file: Path) -> Path:
    """The demo's, without its own maintenance."""
    fleet_file.write_text(fleet_file.read_text().partition("[[maintenance]]")[0])
    return fleet_file


def document(*arguments: str | Path) -> dict[str, Any]:
    done = run(*arguments, "--format", "json", "--state-dir", "none")
    assert (done.returncode, done.stderr) == (0, "")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def said(*arguments: str | Path) -> list[str]:
    done = run("maintenance", *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def servers(seen: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["server"]: one for one in seen["servers"]}


def test_what_is_under_maintenance_is_measured_and_not_counted(fleet_file: Path) -> None:
    before = document("--config", fleet_file)
    (line,) = said("add", "--config", fleet_file, "--server", "stratum1-l*", "--for", "4h", "--why", "new disks")
    assert re.fullmatch(r" 1  now      \d{4}-\d\d-\d\d \d\d:\d\d to .* UTC  stratum1-l\*: new disks", line)
    after = document("--config", fleet_file)
    lagging, was = servers(after)["stratum1-lagging"], servers(before)["stratum1-lagging"]
    assert (was["status"], was["maintenance"], was["available"]) == (2, 0, 1)
    assert (lagging["status"], lagging["maintenance"]) == (0, 1)
    assert "available" not in lagging
    for one, earlier in zip(lagging["replicas"], was["replicas"], strict=True):
        assert one["maintenance"] == 1
        assert {one.get(name) == earlier.get(name) for name in ("health", "finding", "revision")} == {True}
        assert one["problem"].startswith("maintenance until ")
        assert "new disks" in one["problem"]
    assert after["scrape"]["repos_critical"] == before["scrape"]["repos_critical"] - was["replicas_critical"]
    assert servers(after)["stratum1-down"]["health"] == 2


def test_no_finding_is_left_for_an_alert(fleet_file: Path) -> None:
    said("add", "--config", fleet_file, "--server", "stratum1-lagging", "--for", "4h")
    lines = run("--config", fleet_file, "--state-dir", "none").stdout.splitlines()
    quiet = [line for line in lines if line.startswith("cvmfs_finding,") and "server=stratum1-lagging" in line]
    assert quiet
    assert all(set(re.findall(r"=(\d)i", line)) == {"0"} for line in quiet)
    others = [line for line in lines if line.startswith("cvmfs_finding,") and "server=stratum1-down" in line]
    assert any("=2i" in line for line in others)


def test_only_the_replicas_of_some_repositories_may_be_meant(fleet_file: Path) -> None:
    said("add", "--config", fleet_file, "--server", "stratum1-down", "--repository", "software.*", "--for", "1h")
    down = servers(document("--config", fleet_file))["stratum1-down"]
    assert (down["maintenance"], down["health"]) == (0, 2)
    assert {one["repo"]: one["maintenance"] for one in down["replicas"]} == {
        "software.demo.example": 1,
        "data.demo.example": 0,
    }


def test_the_page_says_until_when_and_why(fleet_file: Path) -> None:
    said("add", "--config", fleet_file, "--server", "stratum1-down", "--for", "4h", "--why", "new disks")
    page = run("--config", fleet_file, "--state-dir", "none", "--print-for-human").stdout
    assert re.search(r"^maintenance +stratum1-down +until .* UTC: new disks$", page, re.MULTILINE)
    assert not re.search(r"^critical +stratum1-down", page, re.MULTILINE)
    assert "server_down" not in page
    assert "2 maintenance" in page


def test_windows_are_listed_and_ended_and_those_that_are_over_go(fleet_file: Path) -> None:
    assert said("list", "--config", fleet_file) == ["no maintenance, now or planned"]
    begins = datetime.now(UTC) + 24 * HOUR
    said("add", "--config", fleet_file, "--from", begins.isoformat(), "--for", "1h", "--why", "later")
    two = ("--server", "stratum0", "--server", "*-down")
    lines = said("add", "--config", fleet_file, *two, "--for", "2h")
    assert [line[:11].split() for line in lines] == [["1", "planned"], ["2", "now"]]
    assert "stratum0, *-down" in lines[1]
    over = Maintenance(begins - 72 * HOUR, begins - 48 * HOUR, ("c",))
    path = beside(fleet_file)
    path.write_text(text([over, *load(path)]))
    assert said("list", "--config", fleet_file) == lines
    assert "later" in said("end", "2", "--config", fleet_file)[0]
    assert said("end", "--config", fleet_file) == ["no maintenance, now or planned"]
    assert load(path) == ()


def test_those_of_the_fleet_file_are_listed_and_cannot_be_ended_here(fleet_file: Path) -> None:
    until = (datetime.now(UTC) + HOUR).replace(microsecond=0)
    window = (
        f"[[maintenance]]\nserver = 'stratum1-down'\nfrom = 2026-01-01T00:00:00+01:00\nuntil = {until.isoformat()}\n"
    )
    fleet_file.write_text(fleet_file.read_text() + window)
    (line,) = said("list", "--config", fleet_file)
    assert line.endswith("stratum1-down (in the fleet file)")
    done = run("maintenance", "end", "1", "--config", fleet_file)
    assert done.returncode == 2
    assert "there are: none" in done.stderr
    assert servers(document("--config", fleet_file))["stratum1-down"]["maintenance"] == 1


def test_check_lists_them_and_ends_with_1_where_no_server_is_called_so(fleet_file: Path) -> None:
    url = fleet_file.read_text().split('url = "')[2].partition('"')[0]
    server = f'[[server]]\nurl = "{url}"\nrole = "stratum1"\nname = "ral-uk"\n[[maintenance]]\nserver = "ral{{}}"\n'
    until = datetime.now(UTC) + HOUR
    for glob, code in (("-*", 0), ("_uk", 1)):
        fleet_file.write_text(f"{server.format(glob)}from = 2026-01-01T00:00:00Z\nuntil = {until.isoformat()}\n")
        done = run("--check", "--config", fleet_file)
        assert done.returncode == code
        assert f"maintenance: now      2026-01-01 00:00 to {until:%Y-%m-%d %H:%M} UTC  ral{glob}\n" in done.stdout
        assert ("maintenance: wrong: no server is called 'ral_uk': expected one of ral-uk\n" in done.stdout) == bool(
            code
        )


WRONG = {
    "from = 2026-12-01T08:00:00\nuntil = 2026-12-01T09:00:00Z\nserver = 'a'": "with its offset",
    "from = '2026-12-01T08:00:00Z'\nuntil = 2026-12-01T09:00:00Z\nserver = 'a'": "without quotes",
    "from = 2026-12-01T08:00:00Z\nuntil = 9999-12-31T23:59:59-01:00\nserver = 'a'": "expected a time",
    "from = 2026-12-01\nuntil = 2026-12-01T09:00:00Z\nserver = 'a'": "with its offset",
    "from = 2026-12-01T08:00:00Z\nserver = 'a'": "until is missing",
    "from = 2026-12-01T08:00:00Z\nuntil = 2026-12-01T07:00:00Z\nserver = 'a'": "is not after from",
    "from = 2026-12-01T08:00:00Z\nuntil = 2026-12-01T09:00:00Z": "server or repository is missing",
    "from = 2026-12-01T08:00:00Z\nuntil = 2026-12-01T09:00:00Z\nservers = 'a'": "unknown key",
    "from = 2026-12-01T08:00:00Z\nuntil = 2026-12-01T09:00:00Z\nserver = 3": "server",
}


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("wrong", WRONG)
def test_a_window_that_cannot_be_read_is_an_error_with_its_line(fleet_file: Path, wrong: str, own: bool) -> None:
    path = beside(fleet_file) if own else fleet_file
    before = "" if own else fleet_file.read_text()
    path.write_text(f"{before}[[maintenance]]\n{wrong}\n")
    done = run("--config", fleet_file)
    assert done.returncode == 2
    first = done.stderr.splitlines()[0]
    assert re.search(rf"{re.escape(str(path))}, line \d+: \[\[maintenance\]\] number 1", first)
    assert WRONG[wrong] in first


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("add",), "say when it ends"),
        (("add", "--for", "1h", "--until", "2030-01-01T00:00:00Z"), "say when it ends"),
        (("add", "--until", "2020-01-01T00:00:00Z"), "is not after --from"),
        (("add", "--until", "2030-01-01T00:00:00"), "no time with its offset"),
        (("add", "--for", "soon"), "expected a duration"),
        (("add", "--for", "1d", "--from", "9999-12-31T12:00:00Z"), "after the year 9999"),
        (("add", "--until", "9999-12-31T23:59:59-01:00"), "no time with its offset"),
        (("add", "--for", "1h", "--from", "2020-01-01T00:00:00Z"), "is over"),
        (("add", "--for", "1h", "--server", "ral"), "no server is called 'ral': expected one of stratum0, "),
        (("list", "3"), "takes no number"),
        (("end",), "say which"),
        (("end", "7"), "say which"),
    ],
)
def test_what_does_not_fit_together_is_refused(fleet_file: Path, arguments: tuple[str, ...], why: str) -> None:
    done = run("maintenance", *arguments, "--config", fleet_file)
    assert done.returncode == 2
    assert why in done.stderr.splitlines()[0]
    assert not beside(fleet_file).exists()


def test_without_a_fleet_file_it_is_kept_where_the_memory_is(fleet_file: Path, tmp_path: Path) -> None:
    url = re.findall(r'url = "(.*)"', fleet_file.read_text())[1]
    options = ("--stratum1", url, "--state-dir", tmp_path / "state")
    _, kept = said("add", *options, "--for", "1h")
    assert kept.startswith(f"kept in {tmp_path / 'state'}/telegraf-cvmfs-cvmfs.maintenance.toml, for runs of this user")
    done = run(*options, "--format", "json")
    assert {one["maintenance"] for one in json.loads(done.stdout)["servers"]} == {1}
    assert [path.name for path in (tmp_path / "state").glob("*.toml")] == ["telegraf-cvmfs-cvmfs.maintenance.toml"]


def test_whoever_may_read_the_fleet_file_may_read_what_is_added_to_it(fleet_file: Path) -> None:
    fleet_file.chmod(0o640)
    said("add", "--config", fleet_file, "--for", "1h")
    assert stat.S_IMODE(beside(fleet_file).stat().st_mode) == 0o640
    beside(fleet_file).chmod(0o644)
    said("end", "--config", fleet_file)
    assert stat.S_IMODE(beside(fleet_file).stat().st_mode) == 0o644


def test_what_cannot_be_written_or_read_is_an_error_and_changes_nothing(fleet_file: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = run("maintenance", "add", "--stratum1", "http://x.tld", "--state-dir", tmp_path / "file", "--for", "1h")
    assert done.returncode == 1
    assert done.stderr.startswith(f"E! {tmp_path / 'file'}")
    beside(fleet_file).mkdir()
    for arguments in ((), ("maintenance", "list"), ("maintenance", "add", "--for", "1h")):
        done = run(*arguments, "--config", fleet_file)
        assert (done.returncode, done.stdout) == (2, "")
        assert f"maintenance file {beside(fleet_file)}" in done.stderr.splitlines()[0]


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    windows = (
        Maintenance(
            datetime(2026, 12, 1, 8, tzinfo=UTC), datetime(2026, 12, 1, 12, tzinfo=UTC), ('a"b', "ö*"), (), 'x\\" 🐢'
        ),
        Maintenance(datetime(2026, 12, 1, 8, 0, 0, 5, UTC), datetime(2026, 12, 2, tzinfo=UTC), ("*",), ("c.*",)),
    )
    path = tmp_path / "windows.toml"
    path.write_text(text(windows))
    assert load(path) == windows


def test_of_many_who_add_at_once_nobody_loses_a_window(fleet_file: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        adding = [
            pool.submit(run, "maintenance", "add", "--config", fleet_file, "--for", "4h", "--why", f"reason {n}")
            for n in range(8)
        ]
    assert [one.result().returncode for one in adding] == [0] * 8
    kept = load(beside(fleet_file))
    assert {window.why for window in kept} == {f"reason {number}" for number in range(8)}
