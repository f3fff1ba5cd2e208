"""The rules of the house: who may import what, where the clock and the print are, what must be written down."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import ROOT

PACKAGE = ROOT / "telegraf_cvmfs"
MODULES = sorted(PACKAGE.rglob("*.py"))
BESIDE = sorted(path for room in ("grafana", "deploy", "docs") for path in (PACKAGE.parent / room).rglob("*.py"))
WINGS = [
    *("model", "words", "whole_file", "wire", "net", "fleet", "points", "trust", "memory", "emit", "assess"),
    "scraping",
    *("watch", "rounds", "library", "demo", "doctor", "exporter", "history", "statuspage", "command", "__main__"),
]
"""From left to right: a module imports only what stands to the left of its wing, or in it."""

BESIDE_EACH_OTHER = {"library", "demo", "doctor", "exporter", "history"}
"""None of these imports another."""

OUTSIDE_WORLD = {
    *("socket", "ssl", "selectors", "http", "urllib3", "requests", "certifi", "asyncio", "subprocess", "threading"),
    *("os", "sys", "time", "logging", "pathlib", "tempfile", "shutil", "random", "secrets", "getpass", "platform"),
}
MAY_REACH: dict[str, set[str]] = {
    **dict.fromkeys(("__main__", "command", "net", "whole_file"), OUTSIDE_WORLD),
    **{
        file: {"pathlib"}
        for file in (
            "model/fleet.py",
            "fleet/access.py",
            "fleet/file.py",
            "fleet/maintenance.py",
            "fleet/table.py",
            "fleet/watched.py",
            "fleet/public/__init__.py",
        )
    },
    **{file: {"pathlib"} for file in ("trust/keys.py", "rounds.py", "demo/fleet.py")},
    "trust/keysdir.py": {"os", "pathlib"},
    "memory/file.py": {"os", "pathlib", "tempfile"},
    "memory/state.py": {"pathlib"},
    "scraping/asking/engine.py": {"random", "time"},
    "scraping/members.py": {"time", "socket"},
    "scraping/reserve.py": {"time"},
    "watch.py": {"time"},
    "library.py": {"logging"},
    "demo/history.py": {"pathlib", "tempfile"},
    "demo/server.py": {"http", "socket", "sys", "threading"},
    "history/spool.py": {"pathlib"},
    "history/collector.py": {"pathlib"},
    "history/collectors.py": {"pathlib", "shutil", "tempfile"},
    "history/query.py": {"pathlib"},
    "history/exclusive.py": {"fcntl", "os", "pathlib", "shutil", "tempfile", "time"},
    "history/package/package.py": {"pathlib", "shutil", "time"},
    **{f"history/report/{name}.py": {"pathlib"} for name in ("files", "report")},
    **{f"history/rollup/{name}.py": {"pathlib"} for name in ("rollups", "seen", "table")},
    "history/influxdb/transfer.py": {"pathlib"},
    "history/influxdb/version2.py": {"urllib3"},
    **{f"history/package/{name}.py": {"pathlib"} for name in ("extract", "members", "split", "verify")},
    **{f"history/storage/{name}.py": OUTSIDE_WORLD for name in ("content", "directory", "http", "s3")},
    **{f"statuspage/{name}.py": {"pathlib"} for name in ("build", "leaks", "past", "settings")},
    "statuspage/server.py": {"http", "pathlib"},
    "statuspage/tree.py": {"os", "pathlib", "shutil"},
    "exporter/server.py": {"http", "socket", "time"},
    **{f"doctor/telegraf/{name}.py": OUTSIDE_WORLD for name in ("installation", "configuration")},
    **{f"doctor/{name}.py": OUTSIDE_WORLD for name in ("plugin", "processes", "program")},
}
"""What of the outside world a wing or a file may import; whatever is not named here is pure."""

WALL_CLOCKS = {"command/terminal.py", "library.py", "history/instants.py"}

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
    """Its folder, or its own name; what runs a sub-command belongs to the command, wherever it lies."""
    wing, *rooms = name_of(path).removesuffix(".py").split("/")
    return "command" if rooms[:1] == ["command"] else wing


def wing_named(module: str) -> str:
    """The same of a module by its full name."""
    parts = module.split(".")
    return "command" if parts[2:3] == ["command"] else parts[1]


def modules_imported(path: Path) -> set[str]:
    """Full names of this package's modules that a file imports, those for type checking too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names} & MODULE_NAMES or {node.module or ""}
    return found & MODULE_NAMES


def module_name(path: Path) -> str:
    return "telegraf_cvmfs." + name_of(path).removesuffix(".py").removesuffix("/__init__").replace("/", ".")


MODULE_NAMES = {module_name(path) for path in MODULES if path.parent != PACKAGE or path.stem != "__init__"}


def may_reach(path: Path) -> set[str]:
    return MAY_REACH.get(name_of(path), MAY_REACH.get(wing_of(path), set()))


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_reaches_no_more_of_the_outside_world_than_it_may(path: Path) -> None:
    assert not ({name.partition(".")[0] for name in imported(path)} & OUTSIDE_WORLD) - may_reach(path)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_that_is_pure_has_no_clock(path: Path) -> None:
    clocks = {"datetime.now", "datetime.utcnow", "date.today", "datetime.today"}
    allowed = may_reach(path) or name_of(path) in WALL_CLOCKS
    assert allowed or not clocks & set(called(path))


def test_there_is_one_print_and_the_wall_clocks_are_that_of_the_terminal_and_those_of_who_imports_us() -> None:
    printing = ("print", "sys.stderr.write", "sys.stdout.write")  # print writes a line and its end in two pieces
    prints = [name_of(path) for path in MODULES for call in called(path) if call in printing]
    assert prints == ["command/terminal.py"]
    clocks = {name_of(path) for path in MODULES for call in called(path) if call in ("datetime.now", "time.time")}
    assert clocks == WALL_CLOCKS


def test_only_the_rooms_of_the_network_import_http() -> None:
    http = {"requests", "urllib3", "http"}
    users = {name_of(path) for path in MODULES if {name.partition(".")[0] for name in imported(path)} & http}
    rooms = ("demo/", "exporter/", "net/", "history/storage/", "history/influxdb/version2", "statuspage/server")
    assert {name for name in users if not name.startswith(rooms)} == set()


def test_what_stands_beside_the_package_is_not_imported_by_it() -> None:
    for path in MODULES:
        assert not {name.partition(".")[0] for name in imported(path)} & {"grafana", "deploy", "docs"}, name_of(path)


def test_every_module_is_in_a_wing() -> None:
    assert {wing_of(path) for path in MODULES} == {*WINGS, "__init__", "_version"}


@pytest.mark.parametrize("path", [path for path in MODULES if wing_of(path) in WINGS], ids=name_of)
def test_a_module_imports_only_what_stands_to_its_left(path: Path) -> None:
    own = wing_of(path)
    wings = {wing_named(module) for module in modules_imported(path)} - {own, "_version"}
    assert wings <= set(WINGS[: WINGS.index(own)])
    assert own not in BESIDE_EACH_OTHER or not wings & BESIDE_EACH_OTHER


def test_no_module_imports_itself_by_way_of_others() -> None:
    imports = {module_name(path): modules_imported(path) for path in MODULES}
    done: set[str] = set()

    def visit(module: str, way: tuple[str, ...]) -> None:
        assert module not in way, " -> ".join((*way, module))
        if module not in done:
            for other in sorted(imports.get(module, set()) - {module}):
                visit(other, (*way, module))
            done.add(module)

    for module in sorted(imports):
        visit(module, ())


def test_a_folder_can_be_read_at_a_glance() -> None:
    rooms = [path for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()]
    assert len(rooms) <= 25
    for folder in {path.parent for path in (*MODULES, *BESIDE)}:
        assert len(list(folder.glob("*.py"))) <= 15, folder


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
