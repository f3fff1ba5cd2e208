"""The rules of the house: who may import what, where the clock and the print are, what must be written down."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "telegraf_cvmfs"
MODULES = sorted(PACKAGE.rglob("*.py"))
BESIDE = sorted(path for room in ("grafana", "deploy") for path in (PACKAGE.parent / room).rglob("*.py"))
PURE = [
    *sorted((PACKAGE / "wire").glob("*.py")),
    *sorted((PACKAGE / "emit").glob("*.py")),
    *sorted((PACKAGE / "model").glob("*.py")),
    *(PACKAGE / f"{name}.py" for name in ("assess", "replica_checks", "server_checks", "finding", "compare", "memory")),
    *(PACKAGE / f"{name}.py" for name in ("trust", "certificate", "rsa", "masterkey", "blacklist")),
    *(PACKAGE / f"{name}.py" for name in ("schema", "points", "settings", "targets", "duration", "documents", "check")),
    *(
        PACKAGE / "doctor" / f"{name}.py"
        for name in ("chain", "freshness", "question", "secrecy", "influxdb", "grafana")
    ),
    *(PACKAGE / "doctor" / f"{name}.py" for name in ("telegraf", "telegraf_files")),
]
OUTSIDE_WORLD = {
    *("socket", "ssl", "selectors", "http", "urllib3", "requests", "certifi", "asyncio", "subprocess", "threading"),
    *("os", "sys", "time", "logging", "pathlib", "tempfile", "shutil", "random", "secrets", "getpass", "platform"),
}
ALLOWED = {"fleet.py": {"pathlib"}}
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


@pytest.mark.parametrize("path", PURE, ids=name_of)
def test_pure_rooms_do_not_reach_the_outside_world(path: Path) -> None:
    roots = {name.partition(".")[0] for name in imported(path)}
    assert not (roots & OUTSIDE_WORLD) - ALLOWED.get(path.name, set())
    assert not {"telegraf_cvmfs.fetch", "telegraf_cvmfs.visit", "telegraf_cvmfs.cli"} & set(imported(path))


@pytest.mark.parametrize("path", PURE, ids=name_of)
def test_pure_rooms_have_no_clock(path: Path) -> None:
    assert not {"datetime.now", "datetime.utcnow", "date.today", "datetime.today"} & set(called(path))


def test_there_is_one_print_and_one_wall_clock_and_both_are_at_the_door() -> None:
    prints = [name_of(path) for path in MODULES for call in called(path) if call == "print"]
    assert prints == ["cli.py"]
    clocks = {name_of(path) for path in MODULES for call in called(path) if call in ("datetime.now", "time.time")}
    assert clocks == {"cli.py", "library.py"}, "the command and the library are the two doors"


def test_only_the_rooms_of_the_network_import_http() -> None:
    http = {"requests", "urllib3", "http"}
    users = {name_of(path) for path in MODULES if {name.partition(".")[0] for name in imported(path)} & http}
    assert {name for name in users if not name.startswith("demo/")} <= {"fetch.py", "connection.py", "doctor/web.py"}


def test_what_stands_beside_the_package_is_not_imported_by_it() -> None:
    for path in MODULES:
        assert not {name.partition(".")[0] for name in imported(path)} & {"grafana", "deploy"}, name_of(path)


def test_a_later_room_is_not_imported_by_an_earlier_one() -> None:
    order = ["model", "wire", "compare", "assess", "schema", "points", "emit", "cli"]
    for path in MODULES:
        room = name_of(path).partition("/")[0].removesuffix(".py")
        if room in order:
            later = order[order.index(room) + 1 :]
            rooms = {name.split(".")[1] for name in imported(path) if name.startswith("telegraf_cvmfs.")}
            assert not rooms & set(later), f"{name_of(path)} imports what comes after it"


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
