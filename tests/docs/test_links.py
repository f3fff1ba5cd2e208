"""The documents: every link leads to a file and to a heading of it, every command that is named exists."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tests import ROOT

DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    ROOT / "telegraf" / "fleet" / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
FENCED = re.compile(r"^ *```.*?^ *```$", re.DOTALL | re.MULTILINE)
EACH = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


# --- links ------------------------------------------------------------------------------------------


def anchors(text: str) -> set[str]:
    """What GitHub calls the headings: small letters, no punctuation, - for spaces, a number for the same again."""
    seen: dict[str, int] = {}
    for heading in re.findall(r"^#+ +(.*?) *$", FENCED.sub("", text), re.MULTILINE):
        words = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower()
        anchor = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        seen[anchor] = seen.get(anchor, -1) + 1
        if seen[anchor]:
            seen[f"{anchor}-{seen[anchor]}"] = 0
    return set(seen)


def broken(link: str, document: Path) -> bool:
    path, _, anchor = link.partition("#")
    target = document.parent / path if path else document
    return not target.exists() or (bool(anchor) and anchor not in anchors(target.read_text()))


@EACH
def test_every_relative_link_leads_to_a_file_and_a_heading(document: Path) -> None:
    prose = re.sub(r"`[^`\n]*`", "", FENCED.sub("", document.read_text()))
    links = re.findall(r"\]\(([^)\s]+)\)", prose) + re.findall(r"^\[[^]]+\]: (\S+)", prose, re.MULTILINE)
    assert [link for link in links if ":" not in link and broken(link, document)] == []


def test_a_link_to_a_heading_that_is_not_there_is_noticed(tmp_path: Path) -> None:
    document = tmp_path / "page.md"
    document.write_text("# `./stack` for *you*, twice\n## Twice\n## Twice\n```\n# no heading\n```\n")
    assert anchors(document.read_text()) == {"stack-for-you-twice", "twice", "twice-1"}
    assert broken("#no-heading", document)
    assert broken("other.md", document)
    assert not broken("page.md#twice-1", document)


def test_every_document_is_linked_from_the_readme() -> None:
    text = (ROOT / "README.md").read_text()
    documents = [path.relative_to(ROOT) for path in (ROOT / "docs").glob("*.md")]
    assert [str(path) for path in documents if f"]({path})" not in text] == []


# --- commands ---------------------------------------------------------------------------------------

PYTHON = (sys.executable, "-m")
PROGRAMS = {
    "telegraf-cvmfs": (*PYTHON, "telegraf_cvmfs"),
    "python -m telegraf_cvmfs": (*PYTHON, "telegraf_cvmfs"),
    "./stack": ("./stack",),
    "./stack native": (*PYTHON, "deploy.native"),
    "python -m grafana.generator": (*PYTHON, "grafana.generator"),
    "python -m grafana.queries": (*PYTHON, "grafana.queries"),
    "python -m grafana.preview": (*PYTHON, "grafana.preview"),
    "python -m grafana.tools": (*PYTHON, "grafana.tools"),
    "python -m docs.tables": (*PYTHON, "docs.tables"),
}
"""How it is written -> how it is called."""


@cache
def code() -> str:
    """All that stands as code in the documents, each piece on lines of its own."""
    texts = [document.read_text() for document in DOCUMENTS]
    pieces = [FENCED.findall(text) + re.findall(r"`([^`\n]+)`", FENCED.sub("", text)) for text in texts]
    return "\n".join(piece for found in pieces for piece in found)


def written(program: str) -> set[tuple[str, ...]]:
    """The words after the program's name, up to what a shell would not give it."""
    before = r"(?:(?<![\w/.-])(?<!--name )|(?<=/bin/))"  # neither a path nor the name of a container
    after = r"(?![\w/.,:-]| native)"
    words = r"((?: +[^\s;|&()<>#`\"'…]+)*)"
    return {tuple(found.split()) for found in re.findall(before + re.escape(program) + after + words, code())}


@cache
def help_of(program: str, command: str = "") -> str:
    """What the program says about itself, or about one of its commands; `./stack` says all at once."""
    ask = ["help"] if program.startswith("./stack") else [command, "--help"] if command else ["--help"]
    done = subprocess.run([*PROGRAMS[program], *ask], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    return done.stdout


def knows(program: str, words: tuple[str, ...]) -> bool:
    """Whether the program's help has the command that the words begin with, and that command's help their options."""
    command = words[0] if words and re.match(r"[a-z]", words[0]) else ""
    if command and not re.search(rf"^ +(?:\./stack native )?\[?{command}\b", help_of(program), re.MULTILINE):
        return False
    options = [word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)]
    return all(re.search(rf"(?<![\w-]){option}(?![\w-])", help_of(program, command)) for option in options)


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_command_and_option_that_is_named_is_in_the_programs_help(program: str) -> None:
    lines = written(program)
    assert lines
    assert [line for line in sorted(lines) if not knows(program, line)] == []


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_command_and_an_option_that_are_not_there_are_noticed(program: str) -> None:
    assert not knows(program, ("frobnicate",))
    assert not knows(program, ("--frobnicate",))


def test_every_module_that_is_named_can_be_called() -> None:
    called = set(re.findall(r"python -m (grafana[\w.]*|deploy[\w.]*|docs[\w.]*|telegraf_cvmfs[\w.]*)", code()))
    assert {f"python -m {module.rstrip('.')}" for module in called} <= set(PROGRAMS)


def test_every_target_of_make_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:^|\$ )make ([a-z-]+)", code(), re.MULTILINE)) - targets == set()
