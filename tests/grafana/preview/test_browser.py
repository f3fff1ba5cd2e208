"""The previews, drawn by a real browser from what a real InfluxDB answers."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path

import pytest
from PIL import Image

from grafana.preview.__main__ import previews
from grafana.preview.browser import PictureError, picture
from grafana.preview.page import WIDTH
from grafana.queries.dashboard import FOLDER
from telegraf_cvmfs.net.influxdb import Database
from tests import ROOT
from tests.programs.command import run
from tests.programs.influxdb import InfluxDB

PICTURES = ROOT / "docs" / "dashboards"
RED, GREEN, PURPLE = (0xD2, 0x29, 0x3D), (0x5A, 0xA6, 0x4B), (0x8F, 0x5F, 0xB8)


@pytest.fixture(scope="module")
def pictures(influxdb: InfluxDB, chromium: Path, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """A picture of each dashboard, by its name, from some hours of the demo fleet with all faults."""
    history = run("demo", "--demo-faults", "--history", "2h", "--step", "10m")  # newer than what counts as now
    assert (history.returncode, history.stderr) == (0, "")
    name = influxdb.create_database()
    influxdb.write(name, history.stdout)
    folder = tmp_path_factory.mktemp("pictures")
    return {path.stem: path for path in previews(Database(influxdb.url, name), chromium, folder)}


def colours(path: Path) -> set[tuple[int, ...]]:
    with Image.open(path) as image:
        found = image.convert("RGB").getcolors(1 << 24)
    assert found is not None
    return {colour for count, colour in found if count > 50 and isinstance(colour, tuple)}


def test_every_dashboard_has_a_picture_of_its_whole_page(pictures: Mapping[str, Path]) -> None:
    assert pictures.keys() == {path.stem for path in FOLDER.glob("*.json")}
    for name, path in pictures.items():
        panels = json.loads((FOLDER / f"{name}.json").read_text())["panels"]
        bottom = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels)
        width, height = struct.unpack(">II", path.read_bytes()[16:24])
        assert width == WIDTH
        assert height > bottom * 38


def test_what_is_wrong_is_red_and_what_is_well_is_green(pictures: Mapping[str, Path]) -> None:
    assert {RED, GREEN, PURPLE} <= colours(pictures["home"])
    assert {RED, GREEN} <= colours(pictures["fleet"])
    assert RED in colours(pictures["trust"])


def test_the_pictures_in_the_documents_are_of_these_dashboards() -> None:
    assert {path.stem for path in PICTURES.glob("*.png")} == {path.stem for path in FOLDER.glob("*.json")}


def test_a_browser_that_makes_no_picture_is_told(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match="made no picture"):
        picture(Path("/bin/true"), "<p>", (10, 10), tmp_path / "a.png")
    with pytest.raises(PictureError, match="no-such-browser"):
        picture(tmp_path / "no-such-browser", "<p>", (10, 10), tmp_path / "a.png")
    assert not list(tmp_path.iterdir())
