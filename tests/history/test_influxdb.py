"""Runs into a real InfluxDB, of versions 1 and 2, and back: what comes back is what was kept, byte for byte."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from telegraf_cvmfs.history.spool import kept, read, write
from telegraf_cvmfs.model import Health
from telegraf_cvmfs.net.influxdb import Database
from tests.builders.history import Look, spool
from tests.builders.runs import example
from tests.programs import influxdb as influx
from tests.programs import influxdb2 as influx2
from tests.programs.command import run as command
from tests.programs.seaweedfs import free_ports

BEGINS = datetime(2026, 10, 31, 23, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
WORDS = re.compile(r"(\d+) runs (?:replayed, (\d+) points|imported)\n")


@dataclass(frozen=True)
class Place:
    """A database of an InfluxDB, and how the command is told of it."""

    database: Database
    settings: dict[str, str]

    def points(self) -> int:
        """How many points of replicas there are."""
        (found,) = self.database.ask("SELECT count(up) FROM cvmfs_repo")
        return int(str(found.values[0][found.columns.index("count")]))


@pytest.fixture(params=["1", "2"])
def place(request: pytest.FixtureRequest) -> Place:
    if request.param == "1":
        first: influx.InfluxDB = request.getfixturevalue("influxdb")
        name = first.create_database()
        return Place(Database(first.url, name), {"INFLUXDB_URL": first.url, "INFLUXDB_DATABASE": name})
    second: influx2.InfluxDB2 = request.getfixturevalue("influxdb2")
    database = second.create_database("other value=1i")
    bucket = second.bucket_id(database.name)
    token = second.influx("auth", "create", "--read-bucket", bucket, "--write-bucket", bucket)["token"]
    org = second.variables["DOCKER_INFLUXDB_INIT_ORG"]
    settings = {"INFLUXDB_URL": second.url, "INFLUXDB_DATABASE": database.name, "INFLUXDB_TOKEN": token}
    return Place(database, settings | {"INFLUXDB_ORG": org})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    looks = [
        (BEGINS + number * 20 * MINUTE, Look(6 + number, number, BEGINS, number == 2, health=list(Health)[number % 4]))
        for number in range(6)
    ]
    folder = spool(tmp_path / "spool", looks)
    write(folder, example())
    return folder


def words(text: str) -> tuple[int, int]:
    found = WORDS.fullmatch(text)
    assert found, text
    return int(found[1]), int(found[2] or 0)


def test_what_is_replayed_and_imported_is_what_was_kept(place: Place, folder: Path, tmp_path: Path) -> None:
    done = command("history", "replay", "--spool", folder, env=place.settings)
    assert (done.returncode, done.stderr) == (0, "")
    count, points = words(done.stdout)
    rows = [row for one in kept(folder) for row in read(one.path)]
    assert (count, points) == (7, len(rows))
    replicas = place.points()
    assert command("history", "replay", "--spool", folder, env=place.settings).stdout == done.stdout
    assert place.points() == replicas == sum(row["measurement"] == "cvmfs_repo" for row in rows)

    other = tmp_path / "imported"
    span = ("--since", "2026-10-31T22:30:00Z", "--until", "2026-11-23")
    done = command("history", "import", "--spool", other, *span, env=place.settings, timeout=300)
    assert (done.returncode, done.stderr, words(done.stdout)) == (0, "", (7, 0))
    for one, again in zip(kept(folder), kept(other), strict=True):
        assert again.path.relative_to(other) == one.path.relative_to(folder)
        assert read(again.path) == read(one.path)
        assert again.path.read_bytes() == one.path.read_bytes()
    done = command("history", "import", "--spool", other, *span, env=place.settings, timeout=300)
    assert words(done.stdout) == (0, 0)


def test_a_span_is_replayed(place: Place, folder: Path) -> None:
    span = ("--since", "2026-11-01", "--until", "2026-11-02")
    done = command("history", "replay", "--spool", folder, *span, env=place.settings)
    assert words(done.stdout)[0] == 3


def test_what_is_wrong_is_said(place: Place, folder: Path, tmp_path: Path) -> None:
    asked = ("history", "replay", "--spool", folder)
    away = place.settings | {"INFLUXDB_URL": f"http://127.0.0.1:{free_ports(1)[0]}"}
    name = {"INFLUXDB_DATABASE": "nowhere"}
    for settings in (away, place.settings | name):
        done = command(*asked, env=settings, timeout=120)
        assert (done.returncode, done.stdout) == (1, "")
        (line,) = done.stderr.splitlines()
        assert line.startswith(f"E! history replay: {settings['INFLUXDB_URL']}: ")
    assert "nowhere" in line
    done = command("history", "import", "--spool", tmp_path / "x", "--since", "2026-11-01", env=away, timeout=120)
    assert done.returncode == 1
    assert not (tmp_path / "x").exists()
    damaged = kept(folder)[1].path
    damaged.write_bytes(damaged.read_bytes()[:99])
    done = command(*asked, env=place.settings)
    assert done.returncode == 1
    assert damaged.name in done.stderr


def test_a_wrong_token_is_told_and_not_shown(influxdb2: influx2.InfluxDB2, folder: Path) -> None:
    settings = {"INFLUXDB_URL": influxdb2.url, "INFLUXDB_TOKEN": "a-wrong-token", "INFLUXDB_ORG": "cvmfs"}
    done = command("history", "replay", "--spool", folder, env=settings)
    assert done.returncode == 1
    assert "HTTP status 401: unauthorized access" in done.stderr
    assert "a-wrong-token" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("replay",), "history replay: --influxdb-url or $INFLUXDB_URL says where: http://127.0.0.1:8086"),
        (("import",), "history import: --since says from when"),
        (("import", "--since", "2999-01-01"), "history import: --since is not in the past"),
        (("import", "--since", "2026-01-02", "--until", "2026-01-01"), "history import: --until is not after --since"),
        (("replay", "file"), "history replay: takes no file"),
    ],
)
def test_options_that_do_not_fit_are_refused(folder: Path, arguments: tuple[str, ...], said: str) -> None:
    done = command("history", *arguments, "--spool", folder)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"E! {said}\n")


def test_it_shows_how_far_it_is_to_somebody_at_a_terminal(influxdb: influx.InfluxDB, folder: Path) -> None:
    import pty  # noqa: PLC0415
    import subprocess  # noqa: PLC0415

    from tests.programs.command import command as line  # noqa: PLC0415
    from tests.programs.command import environment  # noqa: PLC0415

    ours, theirs = pty.openpty()
    said = environment(INFLUXDB_URL=influxdb.url, INFLUXDB_DATABASE=influxdb.create_database(), TERM="xterm")
    done = subprocess.run(
        line("history", "replay", "--spool", folder),
        env=said,
        stdout=subprocess.PIPE,
        stderr=theirs,
        check=False,
        text=True,
    )
    os.close(theirs)
    shown = os.read(ours, 65536).decode()
    os.close(ours)
    assert done.returncode == 0
    assert "7/7" in shown
    assert "runs" in shown
