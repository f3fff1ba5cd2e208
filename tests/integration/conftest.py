"""The demo fleet, the program as it is installed, and the variables that join them to the shipped files."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from integration.influxdb import InfluxDB
from telegraf_cvmfs.demo import DemoFleet


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
