"""`python -m benchmarks [--rounds N] [--only FLEET] [--write]`: what a scrape takes beside peers, as ratios."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.contender import WrongOutput
from benchmarks.fleet import Size
from benchmarks.measurement import Row, measured
from benchmarks.programs import found
from benchmarks.record import write
from benchmarks.table import tables
from deploy.native.programs import Missing

SIZES = tuple(map(Size.parse, ("3x30", "10x100", "3x30@50ms", "10x100@50ms", "15x125@50ms")))


def main(words: Sequence[str] | None = None) -> int:
    """Measure and print; 1 if somebody found what is not there, or nothing could be measured."""
    options = _options().parse_args(words)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that nothing is left behind
    with tempfile.TemporaryDirectory(prefix="benchmark.") as folder:
        programs = found(Path(folder), _log)
        try:
            rows = _rows(options.only or SIZES, programs, options.rounds)
        except WrongOutput as why:
            _log(str(why))
            return 1
    if not rows:
        return 1
    print(tables(rows))
    if options.write:
        write(rows, programs, options.rounds)
    return 0


def _rows(sizes: Sequence[Size], programs: dict[str, Path], rounds: int) -> list[Row]:
    rows = []
    for size in sizes:
        try:
            rows.append(measured(size, programs, rounds, _log))
        except Missing as why:
            _log(f"left out: {size}: {why}")
    return rows


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="How long a scrape takes, beside peers.")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="runs of each contender (default: 3)")
    parser.add_argument(
        "--only",
        type=Size.parse,
        action="append",
        metavar="FLEET",
        help="this fleet, like 10x100 or 3x30@50ms; may stand many times",
    )
    parser.add_argument("--write", action="store_true", help="write the tables into README.md, and wall.svg")
    return parser


def _log(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
