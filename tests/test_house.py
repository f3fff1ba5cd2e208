"""The rules of the house: who may import what, where the clock and the print are, what must be written down."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import ROOT

PACKAGE = ROOT / "telegraf_cvmfs"
MODULES = sorted(PACKAGE.rglob("*.py"))
BESIDE = sorted(path for room in ("grafana", "deploy") for path in (PACKAGE.parent / room).rglob("*.py"))
WINGS = [
    *(
        "model",
        "words",
        "whole_file",
        "wire",
        "net",
        "fleet",
        "points",
        "trust",
        "memory",
        "emit",
        "assess",
        "scraping",
    ),
    *("watch", "rounds", "library", "demo", "doctor", "command", "__main__"),
]
"""From left to right: a module imports only what stands to the left of its wing, or in it."""

BESIDE_EACH_OTHER = {"library", "demo", "doctor"}
"""None of these imports another."""

OUTSIDE_WORLD = {
    *("socket", "ssl", "selectors", "http", "urllib3", "requests", "certifi", "asyncio", "subprocess", "threading"),
    *("os", "sys", "time", "logging", "pathlib", "tempfile", "shutil", "random", "secrets", "getpass", "platform"),
}
MAY_REACH: dict[str, set[str]] = {
    **{wing: set() for wing in ("words", "wire", "points", "emit", "assess")},
    "model": {"pathlib"},  # names files, opens none
}
"""What of the outside world each wing that is mostly pure may import; those that are not in it are free."""

FORBIDDEN_NAMES = {"utils", "helpers", "manager", "info", "data", "common", "misc"}


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE if path.is_relative_to(PACKAGE) else PACKAGE.parent).as_posix()


def imported(path: Path) -> Iterator[str]:
    """Full names of the modules that a file imports, wherever in it; not those for type checking alone."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def called(path: Path) -> list[str]:
    calls = (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))
    return [ast.unparse(call.func) for call in calls]


def wing_of(path: Path) -> str:
    return name_of(path).partition("/")[0].removesuffix(".py")


PURE = [path for path in MODULES if wing_of(path) in MAY_REACH]


@pytest.mark.parametrize("path", PURE, ids=name_of)
def test_pure_rooms_do_not_reach_the_outside_world(path: Path) -> None:
    roots = {name.partition(".")[0] for name in imported(path)}
    assert not (roots & OUTSIDE_WORLD) - MAY_REACH[wing_of(path)]


@pytest.mark.parametrize("path", PURE, ids=name_of)
def test_pure_rooms_have_no_clock(path: Path) -> None:
    assert not {"datetime.now", "datetime.utcnow", "date.today", "datetime.today"} & set(called(path))


def test_there_is_one_print_and_one_wall_clock_and_both_are_at_the_door() -> None:
    prints = [name_of(path) for path in MODULES for call in called(path) if call == "print"]
    assert prints == ["command/cli.py"]
    clocks = {name_of(path) for path in MODULES for call in called(path) if call in ("datetime.now", "time.time")}
    assert clocks == {"command/cli.py", "library.py"}


def test_only_the_rooms_of_the_network_import_http() -> None:
    http = {"requests", "urllib3", "http"}
    users = {name_of(path) for path in MODULES if {name.partition(".")[0] for name in imported(path)} & http}
    assert {name for name in users if not name.startswith(("demo/", "net/"))} == set()


def test_what_stands_beside_the_package_is_not_imported_by_it() -> None:
    for path in MODULES:
        assert not {name.partition(".")[0] for name in imported(path)} & {"grafana", "deploy"}, name_of(path)


@pytest.mark.parametrize("path", [path for path in MODULES if wing_of(path) in WINGS], ids=name_of)
def test_a_module_imports_only_what_stands_to_its_left(path: Path) -> None:
    own = wing_of(path)
    wings = {name.split(".")[1] for name in imported(path) if name.startswith("telegraf_cvmfs.")} - {own, "_version"}
    assert not {wing for wing in wings if wing in WINGS[WINGS.index(own) :]}
    assert own not in BESIDE_EACH_OTHER or not wings & BESIDE_EACH_OTHER


@pytest.mark.parametrize("path", [*MODULES, *BESIDE], ids=name_of)
def test_a_module_is_a_noun_of_the_field(path: Path) -> None:
    assert path.stem not in FORBIDDEN_NAMES


@pytest.mark.parametrize("path", [*MODULES, *BESIDE], ids=name_of)
def test_every_public_name_has_a_docstring(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree)
    nodes = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    nodes += [
        part
        for node in nodes
        if isinstance(node, ast.ClassDef)
        for part in node.body
        if isinstance(part, ast.FunctionDef)
    ]
    public = [node for node in nodes if not node.name.startswith("_")]
    private = {node.name for node in tree.body if isinstance(node, ast.ClassDef) and node.name.startswith("_")}
    inside = [
        part for node in tree.body if isinstance(node, ast.ClassDef) and node.name in private for part in node.body
    ]
    missing = [node.name for node in public if node not in inside and not ast.get_docstring(node)]
    overrides = {"init_poolmanager", "proxy_manager_for", "cert_verify", "recv_into", "sendall", "error"}
    assert not set(missing) - overrides


@pytest.mark.parametrize("path", [*MODULES, *BESIDE], ids=name_of)
def test_modules_and_functions_are_short(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= 400
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            lines = (node.end_lineno or 0) - node.lineno + 1
            documented = len((ast.get_docstring(node) or "").splitlines())
            assert lines - documented <= 40, f"{node.name} has {lines} lines"
