"""The README and the reference: what a program can write is what the program writes, and what is written by hand works."""

from __future__ import annotations

import re
import shlex
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from docs import tables
from telegraf_cvmfs.command import options
from telegraf_cvmfs.demo import DemoFleet
from telegraf_cvmfs.fleet import public
from telegraf_cvmfs.fleet.file import SECTIONS, parse
from telegraf_cvmfs.model import FINDINGS
from telegraf_cvmfs.points.schema import FIELDS, MEANING_OF_MEASUREMENTS
from tests import ROOT
from tests.programs.command import command, environment

README = ROOT / "README.md"
DOCUMENTS = [README, *sorted((ROOT / "docs").glob("*.md"))]
PARTS = [(document, name) for document, parts in tables.DOCUMENTS.items() for name in parts]


# --- what the program writes ------------------------------------------------------------------------


@pytest.mark.parametrize(("document", "name"), PARTS)
def test_a_part_is_what_the_program_makes(document: str, name: str) -> None:
    found, made = tables.part(document, name), tables.DOCUMENTS[document][name]()
    assert tables.steady(name, found) == tables.steady(name, made), "`make docs-tables` writes it"


def test_whatever_is_marked_is_written_by_the_program() -> None:
    documents = [README, *(ROOT / "docs").rglob("*.md")]
    marked = {
        (str(document.relative_to(ROOT)), name)
        for document in documents
        for name in re.findall(r"^<!-- begin (\S+) -->$", document.read_text(), re.MULTILINE)
    }
    assert marked == set(PARTS)


def test_every_finding_and_measurement_is_explained() -> None:
    assert all(one.meaning for one in FINDINGS.values())
    assert list(MEANING_OF_MEASUREMENTS) == list(FIELDS)


OLD = """\
# A page
<!-- begin table -->
old
<!-- end table -->
<!-- begin example -->
took 0.1s
<!-- end example -->
"""
NEW = OLD.replace("old", "new")


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A document with a table that is old, and an example that another run would give."""
    monkeypatch.setattr(tables, "ROOT", tmp_path)
    monkeypatch.setattr(tables, "DOCUMENTS", {"page.md": {"table": lambda: "new\n", "example": lambda: "took 0.2s\n"}})
    path = tmp_path / "page.md"
    path.write_text(OLD)
    return path


def test_what_differs_is_named_and_then_written(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tables.main(["--check"]) == 1
    assert capsys.readouterr().err.startswith("page.md differs")
    assert page.read_text() == OLD
    assert tables.main([]) == 0
    assert page.read_text() == NEW, "an example that differs by the time alone stays"
    assert tables.main(["--check"]) == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("marker", ["<!-- begin table -->", "<!-- end table -->"])
def test_a_part_without_its_markers_is_named(page: Path, marker: str, capsys: pytest.CaptureFixture[str]) -> None:
    page.write_text(OLD.replace(marker, ""))
    assert tables.main([]) == 2
    assert capsys.readouterr().err == "page.md has no `<!-- begin table -->` with an end\n"


# --- what is written by hand ------------------------------------------------------------------------


def fenced(document: str, language: str) -> list[str]:
    """A document's blocks of this language."""
    text = (ROOT / document).read_text()
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def test_the_readme_is_read_in_one_sitting_and_has_the_sections_of_a_plugin_of_telegraf() -> None:
    lines = README.read_text().splitlines()
    assert len(lines) <= 200
    assert {"## Configuration", "## Metrics", "## Example Output"} <= set(lines)


def test_the_readme_has_a_fleet_file_to_begin_with(tmp_path: Path) -> None:
    (text,) = fenced("README.md", "toml")
    for begun in (text, text.replace("# only", "only")):
        assert [server.role for server in parse(begun, tmp_path / "fleet.toml").servers] == ["stratum0", "stratum1"]


def test_the_fleet_file_is_one_and_shows_every_key(tmp_path: Path) -> None:
    text, bucket = fenced("docs/fleet-file.md", "toml")
    assert parse(bucket, tmp_path / "bucket.toml").servers[0].places == ("/cvmfs", "")
    fleet = parse(text, tmp_path / "fleet.toml")
    assert (fleet.name, [server.name for server in fleet.servers]) == (
        "eessi",
        ["aws-eu-west-s1-sync.eessi.science", "ral-uk"],
    )
    shown = set(re.findall(r"^(?:# )?([a-z_]+) =", text, re.MULTILINE))  # some name files that must be there
    for section, keys in SECTIONS.items():
        assert f"[{section}]" in text
        assert section == "limits" or set(keys) <= shown


def test_the_library_example_runs() -> None:
    (code,) = fenced("docs/library.md", "python")
    with DemoFleet(now=datetime.now(UTC)) as demo:
        hosts = {name: url.removeprefix("http://") for name, url in demo.urls.items()}
        code = code.replace("https://stratum1-b.example.org:8443", hosts["stratum1-down"])
        code = code.replace("stratum1-a.example.org", hosts["stratum1-healthy"])
        code = code.replace("stratum0.example.org", hosts["stratum0"]).replace("example.org", "demo.example")
        done = subprocess.run(
            [command()[0], "-c", code], capture_output=True, text=True, env=environment(), timeout=60, check=False
        )
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == f"{hosts['stratum0']} NOT_FOUND up"
    assert f"{hosts['stratum1-down']} NOT_YET_TESTED down" in lines
    assert any(line.startswith("  software.demo.example 416 2") for line in lines)
    assert lines[-1] == "6"


def test_make_has_the_targets_that_are_named() -> None:
    targets = set(re.findall(r"^make ([a-z]+)", README.read_text(), re.MULTILINE))
    assert targets == {"demo", "test"}
    for target in targets:
        subprocess.run(["make", "--dry-run", "--silent", target], cwd=ROOT, check=True, capture_output=True)


def test_every_command_line_is_one_that_the_program_understands() -> None:
    text = "\n".join(document.read_text() for document in DOCUMENTS)
    written = re.findall(r"^(?:/\S*)?telegraf-cvmfs (-[^\n]+)$", text, re.MULTILINE) + re.findall(
        r"`telegraf-cvmfs ([^`]+)`", text
    )
    assert len(written) > 5
    for line in written:
        if "--help" not in line:
            assert options.parse(shlex.split(line)).command


def test_every_public_fleet_is_named_and_the_one_of_the_readme_is_one() -> None:
    section = (ROOT / "docs" / "fleet-file.md").read_text().split("\n## Public fleets\n")[1]
    assert [name for name in public.names() if f"`{name}`" not in section] == []
    assert set(re.findall(r"--fleet (\w+)", README.read_text())) <= set(public.names())
