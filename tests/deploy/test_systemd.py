"""The units for sites that have no Telegraf: known to systemd, hardened, and their commands work. Run by systemd by hand only."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tests import ROOT
from tests.programs.command import run as command

UNITS = ROOT / "deploy" / "systemd"
SERVICES = sorted(UNITS.glob("*.service"))
PROGRAM = "/opt/telegraf-cvmfs/bin/telegraf-cvmfs"


@pytest.fixture
def instances(tmp_path: Path) -> Path:
    """The units as those of a fleet, with a program that is there."""
    for unit in UNITS.glob("*@.*"):
        name = unit.name.replace("@", "@demo")
        (tmp_path / name).write_text(unit.read_text().replace(PROGRAM, "/bin/true"))
    return tmp_path


def test_systemd_understands_every_line(systemd_analyze: Path, instances: Path) -> None:
    units = sorted(instances.iterdir())
    assert len(units) == 8
    done = subprocess.run([systemd_analyze, "verify", *units], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    (instances / units[0].name).write_text((instances / units[0].name).read_text() + "Nonsense=yes\n")
    done = subprocess.run([systemd_analyze, "verify", units[0]], capture_output=True, text=True, check=False)
    assert "Nonsense" in done.stderr


def test_they_may_do_little(systemd_analyze: Path, instances: Path) -> None:
    for unit in instances.glob("*.service"):
        done = subprocess.run(
            [systemd_analyze, "security", "--offline=yes", "--no-pager", unit],
            capture_output=True,
            text=True,
            check=False,
        )
        exposure = re.search(r"exposure level for \S+: ([\d.]+)", done.stdout)
        assert exposure, done.stderr
        assert float(exposure[1]) <= 2.0, unit.name


def test_what_goes_wrong_is_in_the_journal_also_where_the_output_is_not_wanted() -> None:
    for unit in SERVICES:
        text = unit.read_text()
        assert (
            "StandardOutput=null" not in text or "StandardError=journal" in text
        )  # else it goes where the output does


def test_each_service_has_a_timer_that_says_when() -> None:
    for unit in SERVICES:
        timer = unit.with_suffix(".timer").read_text()
        assert re.search(r"^OnCalendar=\S+", timer, re.MULTILINE)
        assert "WantedBy=timers.target" in timer


def test_their_commands_are_those_of_the_program(fleet_file: Path, tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "demo.toml").write_text(fleet_file.read_text())
    shutil.copytree(fleet_file.parent, tmp_path / "etc", dirs_exist_ok=True)
    settings = '[tell]\nfleet = "demo"\nrepositories = ["*"]\n[servers]\nstratum0 = "Source"\n'
    (tmp_path / "etc" / "demo-statuspage.toml").write_text(settings)
    for name in ("scrape", "rollup", "statuspage", "report"):
        (line,) = re.findall(r"^ExecStart=(.*)$", (UNITS / f"telegraf-cvmfs-{name}@.service").read_text(), re.MULTILINE)
        line = line.replace("%i", "demo").replace("/etc/telegraf-cvmfs", str(tmp_path / "etc"))
        program, *arguments = shlex.split(line.replace("/var/lib/telegraf-cvmfs", str(tmp_path / "lib")))
        assert program == PROGRAM
        if name == "report":  # of this month, for there is none before
            arguments += ["--month", next((tmp_path / "lib" / "demo" / "history").glob("*/2*")).name[:7]]
        done = command(*arguments)
        assert (done.returncode, done.stderr) == (0, ""), name
    made = tmp_path / "lib" / "demo"
    assert (made / "statuspage" / "site" / "index.html").is_file()
    assert list((made / "reports").glob("*.xlsx"))
    assert {day.stat().st_mode & 0o777 for day in (made / "history").glob("*/2*")} == {0o750}
    assert (made / "statuspage" / "site" / "index.html").stat().st_mode & 0o004
