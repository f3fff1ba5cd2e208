"""What `docs/migrating.md` says of other monitors, tried with them where they can be had."""

from __future__ import annotations

import re
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from benchmarks.programs import python_peer
from deploy.native.programs import Missing
from telegraf_cvmfs.demo import DemoFleet
from telegraf_cvmfs.fleet.file import parse
from telegraf_cvmfs.model import Backend, Fleet, Role
from tests import ROOT
from tests.docs.test_readme import fenced
from tests.programs.command import command, environment
from tests.programs.shipped import FOLDER
from tests.programs.telegraf import run

PAGE = "docs/migrating.md"
GALAXY, TELEGRAF, SERVERMON, EESSI = fenced(PAGE, "toml")


def read(text: str) -> Fleet:
    return parse(text, Path("fleet.toml"))


@pytest.fixture(scope="session")
def peer() -> Path:
    try:
        return python_peer()
    except Missing as why:
        pytest.skip(str(why))


def test_a_program_of_cvmfs_server_scraper_prints_the_same_with_our_import(peer: Path) -> None:
    (code,) = fenced(PAGE, "python")
    with DemoFleet(datetime.now(UTC)) as demo:
        code = code.replace("stratum0.example.org", demo.urls["stratum0"].removeprefix("http://"))
        code = code.replace("stratum1.example.org", demo.urls["stratum1-healthy"].removeprefix("http://"))
        unread = ("config", "containers", "data")  # no history, an alias, SHAKE-128: of these it has no attributes
        code = code.replace('"config.example.org"', ", ".join(f'"{name}.demo.example"' for name in unread))
        theirs = printed([str(peer), "-c", code])
        ours = printed([command()[0], "-c", code.replace("from cvmfsscraper import", "from telegraf_cvmfs import")])
    assert len(ours) == 2 * (1 + 3)
    assert ours == theirs


def printed(call: list[str | Path]) -> list[str]:
    done = subprocess.run(
        call, capture_output=True, text=True, env=environment(no_proxy="127.0.0.1"), timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_role_of_galaxy_becomes_a_fleet_file_that_asks_what_it_asks() -> None:
    fleet = read(GALAXY)
    assert [(server.url, server.role, server.repos) for server in fleet.servers] == [
        ("http://cvmfs1.example.org", Role.STRATUM1, ()),
        ("http://cvmfs0.example.org", Role.STRATUM0, ("repo1.example.org",)),
    ]
    assert fleet.repos == ("repo1.example.org", "repo2.example.org")


@pytest.mark.slow
def test_telegraf_reads_the_lines_of_galaxy_from_the_command_as_it_stands(
    telegraf: Path, program: Path, fleet: Path, tmp_path: Path
) -> None:
    text = TELEGRAF.replace('"telegraf-cvmfs"', f'"{program}"').replace("/etc/telegraf-cvmfs/fleet.toml", str(fleet))
    (tmp_path / "exec.conf").write_text(text)
    out = tmp_path / "points"
    output = FOLDER / "outputs" / "file.conf"
    options: list[str | Path] = [
        "--config",
        FOLDER / "telegraf.conf",
        "--config",
        tmp_path / "exec.conf",
        "--config",
        output,
        "--once",
    ]
    finished = run(telegraf, options, {"TELEGRAF_CVMFS_FILE": str(out), "HOME": str(tmp_path)})
    assert finished.code == 0
    lines = out.read_text().splitlines()
    assert {line.partition(",")[0] for line in lines} == {"cvmfs.status"}
    assert any(re.search(r"repo=software\.demo\.example\S* .*value=1.*rev=416", line) for line in lines)


def test_a_file_of_servermon_becomes_one_with_its_limits() -> None:
    fleet = read(SERVERMON)
    (server,) = fleet.servers
    assert (server.name, server.url, fleet.ignore_repos) == (
        "ral",
        "http://cvmfs-ral.example.org:8000",
        ("test.example.org",),
    )
    assert server.limits["snapshot_old"].warning == timedelta(hours=12)
    assert server.limits["snapshot_old"].critical == timedelta(hours=24)
    assert (server.limits["gc_old"].warning, server.limits["gc_old"].critical) == (None, None)
    assert [(rule.name, rule.snapshot_factor) for rule in fleet.rules] == [("big.example.org", 1.1)]


def test_the_limits_that_are_called_the_same_are() -> None:
    fleet = read('[[server]]\nurl = "http://stratum1.example.org"\nrole = "stratum1"\n')
    limits = fleet.servers[0].limits
    day = timedelta(days=1)
    assert (limits["snapshot_old"].warning, limits["snapshot_old"].critical) == (timedelta(hours=8), day)
    assert (limits["gc_old"].warning, limits["gc_old"].critical) == (10 * day, 20 * day)
    assert (limits["geodb_old"].warning, limits["geodb_old"].critical) == (30 * day, None)
    assert (limits["whitelist"].warning, limits["whitelist"].critical) == (2 * day, True)
    assert (limits["check_failed"].warning, limits["check_failed"].critical) == (True, None)
    assert (limits["geoapi_wrong"].warning, limits["geoapi_down"].critical) == (True, True)
    assert (limits["lagging"].warning, limits["lagging"].critical) == (timedelta(hours=8), day)


def test_so_many_findings_have_no_counterpart_in_servermon() -> None:
    text = (ROOT / PAGE).read_text().partition("## From cvmfs-servermon")[2].partition("## ")[0]
    shared = set(re.findall(r"findings/(\w+)\.md", text)) - {"README"}
    every = {path.stem for path in (ROOT / "docs" / "findings").glob("*.md")} - {"README"}
    assert shared <= every
    assert len(every - shared) == 13


def test_a_configuration_of_the_status_page_becomes_a_fleet_file() -> None:
    fleet = read(EESSI)
    assert [(server.role, server.backend) for server in fleet.servers] == [
        (Role.SYNC, Backend.S3),
        (Role.STRATUM0, Backend.AUTO),
    ]
    assert fleet.servers[0].limits["lagging"].warning == timedelta(minutes=10)
