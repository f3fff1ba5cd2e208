"""The programs of the contenders: what is on this machine, what the cache has or gets, and what is compiled here."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.contender import CURL, FLOOR, HERE, PYTHON_PEER, RUST_PEER
from deploy.native.programs import Missing, cache, installed, run

PYTHON_PACKAGE = "cvmfs-server-scraper==0.0.4"  # on PyPI
RUST_CRATE = "cvmfs_server_scraper 0.1.0"  # on crates.io; rust/Cargo.toml says so to Cargo


def compiled(name: str, room: Path) -> Path:
    """A C program of this folder, compiled into another one."""
    program = room / name
    run(["cc", "-O2", "-o", str(program), str(HERE / f"{name}.c")])
    return program


def found(room: Path, log: Callable[[str], None]) -> dict[str, Path]:
    """The contenders' programs by their names; the log is told of those that cannot be had."""
    ways: Mapping[str, Callable[[], Path]] = {
        PYTHON_PEER: python_peer,
        RUST_PEER: _rust_peer,
        CURL: _curl,
        FLOOR: lambda: compiled("floor", room),
    }
    programs = {}
    for name, find in ways.items():
        try:
            programs[name] = find()
        except Missing as why:
            log(f"left out: {name}: {why}")
    return programs


def _curl() -> Path:
    if not (curl := shutil.which("curl")):
        raise Missing("there is no curl")
    return Path(curl)


def python_peer() -> Path:
    """The Python of an environment with cvmfs-server-scraper."""
    folder = f"{PYTHON_PACKAGE.replace('==', '-')}-python{sys.version_info.major}.{sys.version_info.minor}"
    return installed(folder, "bin/python", _install_python_peer)


def _install_python_peer(where: Path) -> None:
    run([sys.executable, "-m", "venv", str(where)])
    run([str(where / "bin" / "python"), "-m", "pip", "install", "--quiet", PYTHON_PACKAGE])


def _rust_peer() -> Path:
    """Built in the cache and not here, so that Cargo leaves nothing in the clone."""
    room = cache() / "rust-peer"
    shutil.copytree(HERE / "rust", room, dirs_exist_ok=True)
    run(["cargo", "build", "--release", "--quiet", "--manifest-path", str(room / "Cargo.toml")])
    return room / "target" / "release" / "rust-peer"
