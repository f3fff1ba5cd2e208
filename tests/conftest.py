"""What every test may ask for: the real programs, a real InfluxDB, and nobody beyond loopback."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from telegraf_cvmfs.demo import DemoFleet
from telegraf_cvmfs.model import TransportName
from telegraf_cvmfs.model import fleet as model_fleet
from telegraf_cvmfs.net import network
from tests.builders.asking import BOTH
from tests.programs import cache
from tests.programs import influxdb as influx
from tests.programs import influxdb2 as influx2
from tests.programs.command import PRINTED
from tests.programs.influxdb import InfluxDB
from tests.programs.loopback import only_loopback
from tests.programs.telegraf import Texts

PROGRAMS = {
    "telegraf",
    "older_telegraf",
    "influxd",
    "influxd2",
    "promtool",
    "chromium",
    "nginx",
    "axe",
    "systemd_analyze",
    "debian_pycurl",
}
"""Fixtures that ask for a real program."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--quick", action="store_true", help="only tests that need no other program and are not slow")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--quick"):
        left_out = [item for item in items if PROGRAMS & set(_fixtures(item)) or item.get_closest_marker("slow")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]


def _fixtures(item: pytest.Item) -> list[str]:
    """What a test asks for, and what that asks for."""
    return getattr(item, "fixturenames", [])


@pytest.fixture(scope="session", autouse=True)
def _short_pauses() -> Iterator[None]:
    """What fails is asked once more here too, but at once; how long the pause is has a test of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model_fleet, "PAUSE", (0.02, 0.04))
        yield


@pytest.fixture(scope="session", autouse=True)
def _environment() -> Iterator[None]:
    """Without what would let a test pass here and fail elsewhere.

    PYTHONUNBUFFERED hides a program that forgets to flush; the others would choose the fleet or the database.
    """
    ours = ("TELEGRAF_CVMFS", "INFLUXDB_")
    unwanted = ["PYTHONUNBUFFERED", "STATE_DIRECTORY"]
    unwanted += [name for name in os.environ if name.startswith(ours) and name not in cache.SETTINGS]
    with pytest.MonkeyPatch.context() as patch:
        for name in unwanted:
            patch.delenv(name, raising=False)
        yield


# --- real programs ----------------------------------------------------------------------------------


def _program(find: Callable[[], Path]) -> Path:
    """The program; without it the test is skipped, or fails where nothing may be skipped."""
    try:
        return find()
    except cache.Missing as why:
        if os.environ.get("TELEGRAF_CVMFS_REQUIRE_PROGRAMS") == "1":
            pytest.fail(str(why))
        pytest.skip(str(why))


@pytest.fixture(scope="session")
def telegraf() -> Path:
    return _program(cache.telegraf)


@pytest.fixture(scope="session")
def older_telegraf() -> Path:
    return _program(cache.older_telegraf)


@pytest.fixture(scope="session")
def influxd() -> Path:
    return _program(cache.influxd)


@pytest.fixture(scope="session")
def influxd2() -> Path:
    return _program(cache.influxd2)


@pytest.fixture(scope="session")
def promtool() -> Path:
    return _program(cache.promtool)


@pytest.fixture(scope="session")
def prometheus() -> Path:
    return _program(cache.prometheus)


@pytest.fixture(scope="session")
def alertmanager() -> Path:
    return _program(cache.alertmanager)


@pytest.fixture(scope="session")
def node_exporter() -> Path:
    return _program(cache.node_exporter)


@pytest.fixture(scope="session")
def chromium() -> Path:
    return _program(cache.chromium)


@pytest.fixture(scope="session")
def nginx() -> Path:
    return _program(cache.nginx)


@pytest.fixture(scope="session")
def axe() -> Path:
    return _program(cache.axe)


@pytest.fixture(scope="session")
def systemd_analyze() -> Path:
    return _program(cache.systemd_analyze)


@pytest.fixture(scope="session")
def seaweedfs() -> Path:
    return _program(cache.seaweedfs)


@pytest.fixture(scope="session")
def victoriametrics() -> Path:
    return _program(cache.victoriametrics)


@pytest.fixture(scope="session")
def debian_pycurl() -> Path:
    return _program(cache.debian_pycurl)


@pytest.fixture(scope="session")
def influxdb(influxd: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxDB]:
    with influx.running(influxd, tmp_path_factory.mktemp("influxdb")) as server:
        yield server


@pytest.fixture(scope="session")
def influxdb2(influxd2: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[influx2.InfluxDB2]:
    """With the two logins of the stack."""
    with influx2.running(influxd2, tmp_path_factory.mktemp("influxdb2")) as server:
        done = server.make_logins()
        assert (done.returncode, done.stderr) == (0, "")
        yield server


@pytest.fixture(scope="session", autouse=True)
def telegraf_parses(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Texts]:
    """`.add(text)` line protocol; when all tests have run, Telegraf parses it or the run fails.

    What the command prints is added by `commands.run`, so all of it goes through Telegraf's real parser once.
    Where there is no Telegraf, the tests that ask for one are the ones that are skipped or fail.
    """
    yield PRINTED
    if request.config.getoption("--quick"):
        return
    with contextlib.suppress(cache.Missing):
        PRINTED.parse(cache.telegraf(), tmp_path_factory.mktemp("line-protocol"))


# --- the demo fleet ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def demo() -> Iterator[DemoFleet]:
    """The demo fleet while it serves; for all tests of a file that ask."""
    with DemoFleet(now=datetime.now(UTC)) as fleet:
        yield fleet


@pytest.fixture
def fleet_file(demo: DemoFleet, tmp_path: Path) -> Path:
    """Its fleet file, in a folder of its own."""
    return demo.write(tmp_path / "fleet")


# --- the program as it is installed, with the shipped files ------------------------------------------


@pytest.fixture(scope="session")
def program() -> Path:
    path = Path(sys.executable).with_name("telegraf-cvmfs")
    assert path.is_file(), "the package is not installed beside this Python; `make test` does it"
    return path


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The demo fleet's file, while its servers run."""
    with DemoFleet(now=datetime.now(UTC)) as demo:
        yield demo.write(tmp_path_factory.mktemp("fleet"))


@pytest.fixture(scope="module")
def new_settings(
    program: Path, fleet: Path, influxdb: InfluxDB, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], dict[str, str]]:
    """The variables that the shipped files read; each call names a new database and a new home."""

    def settings() -> dict[str, str]:
        return {
            "HOME": str(tmp_path_factory.mktemp("home")),
            "TELEGRAF_CVMFS": str(program),
            "TELEGRAF_CVMFS_CONFIG": str(fleet),
            "INFLUXDB_URL": influxdb.url,
            "INFLUXDB_DATABASE": influxdb.create_database(),
        }

    return settings


@pytest.fixture
def settings(new_settings: Callable[[], dict[str, str]]) -> dict[str, str]:
    return new_settings()


# --- transports ---------------------------------------------------------------------------------------


@pytest.fixture(params=BOTH)
def each_transport(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> TransportName:
    """Whoever asks is run by each transport: that is the one which `auto` is."""
    name: TransportName = request.param
    monkeypatch.setattr(network, "has_curl", lambda: name is TransportName.CURL)
    return name


@pytest.fixture(params=BOTH)
def fleet_file_of_each_transport(request: pytest.FixtureRequest, fleet_file: Path) -> Path:
    """The demo fleet's file, naming each transport in turn: for what is run as a process of its own."""
    fleet_file.write_text(f'[scrape]\ntransport = "{request.param}"\n' + fleet_file.read_text())
    return fleet_file


# --- nobody beyond loopback -------------------------------------------------------------------------


@pytest.fixture(scope="session", autouse=True)
def _reached() -> Iterator[list[str]]:
    with only_loopback() as reached:
        yield reached


@pytest.fixture(autouse=True)
def _nobody_beyond_loopback(_reached: list[str]) -> Iterator[None]:
    """Fails the test also where the refusal was swallowed, for instance in a thread."""
    _reached.clear()
    yield
    if _reached:
        pytest.fail(f"reached beyond loopback: {', '.join(_reached)}")
