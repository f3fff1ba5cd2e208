"""The pages about findings: complete, and in agreement with the program; `test_blocks` tries their commands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from telegraf_cvmfs.fleet.file import SECTIONS, parse
from telegraf_cvmfs.model import FINDINGS
from tests import ROOT
from tests.docs.blocks import blocks

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


# --- what is written --------------------------------------------------------------------------------


def section(page: str, name: str) -> str:
    return PAGES[page].split(f"\n## {name}\n")[1].split("\n## ")[0]


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


@pytest.mark.parametrize("page", sorted({key.rpartition("_")[0] for key in SECTIONS["limits"]} - {"min_replicas"}))
def test_a_page_says_how_to_move_its_own_limit(page: str) -> None:
    assert re.search(rf"\b{page}_(warning|critical)\b", section(page, "If it is a false alarm"))


@pytest.mark.parametrize("page", [*PAGES, "README"])
def test_what_stands_there_as_a_fleet_file_is_one(page: str, tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "example.org.pub").write_text("-----BEGIN PUBLIC KEY-----")
    for text in blocks(PAGES.get(page, INDEX), "toml"):
        parse(text, tmp_path / "fleet.toml")
