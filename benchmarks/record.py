"""The record of a run: its tables in README.md, with what they were measured on, and the plot."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pycurl

from benchmarks.contender import CURL, HERE, PYTHON_PEER, RUST_PEER
from benchmarks.measurement import Row
from benchmarks.nginx import nginx
from benchmarks.plot import plot
from benchmarks.programs import PYTHON_PACKAGE, RUST_CRATE
from benchmarks.table import tables
from telegraf_cvmfs._version import __version__

README, PLOT = HERE / "README.md", HERE / "wall.svg"
BEGIN, END = "<!-- begin results -->\n", "<!-- end results -->\n"


def write(rows: Sequence[Row], programs: Mapping[str, Path], rounds: int) -> None:
    """Write both files. ValueError: README.md has lost its markers."""
    before, begin, rest = README.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{README} has no {BEGIN.strip()} with an end")
    results = f"{_circumstances(programs, rounds)}\n\n{tables(rows)}"
    README.write_text(before + begin + results + end + after, encoding="utf-8")
    PLOT.write_text(plot(rows), encoding="utf-8")


def _circumstances(programs: Mapping[str, Path], rounds: int) -> str:
    machine = f"{os.cpu_count()} cores, {platform.system()} {platform.release()}, Python {platform.python_version()}"
    when = f"{datetime.now(UTC):%Y-%m-%d}, {rounds} {'round' if rounds == 1 else 'rounds'}"
    return f"{when}, {machine}; {', '.join(_versions(programs))}."


def _versions(programs: Mapping[str, Path]) -> Iterator[str]:
    yield f"telegraf-cvmfs {__version__}"
    yield from (library.replace("/", " ") for library in pycurl.version.split()[:2])
    if PYTHON_PEER in programs:
        yield PYTHON_PACKAGE.replace("==", " ")
    if RUST_PEER in programs:
        yield RUST_CRATE
    if CURL in programs:
        yield _said(str(programs[CURL]), "--version")
    yield _said(str(nginx()), "-e", "stderr", "-v")


def _said(*command: str) -> str:
    """The program and its version, of the first line that it prints."""
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    found = re.search(r"(curl|nginx)[ /]([0-9.]+)", done.stdout + done.stderr)
    return " ".join(found.groups()) if found else command[0]
