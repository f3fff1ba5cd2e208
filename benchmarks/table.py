"""The measurements as Markdown tables: what each took, ours beside the others, and memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchmarks.contender import FIRST, NAMES, PYTHON_PEER, RUST_PEER, WARM
from benchmarks.measurement import Row, Run

NOTHING = "-"
MIB = 1024  # KiB
BESIDE = [(ours, other) for ours in (WARM, FIRST) for other in (PYTHON_PEER, RUST_PEER, "F")]


def tables(rows: Sequence[Row]) -> str:
    """All of them, with a sentence before each."""
    names = [name for name in NAMES if any(name in row.runs for row in rows)]
    parts = [
        "Seconds by the clock / seconds of CPU, medians:",
        _table(names, {_fleet(row): [_took(row, name) for name in names] for row in rows}),
        "Ours with curl as a multiple of a peer's, clock / CPU, and of F:",
        _table(
            [f"{ours} ÷ {other}" for ours, other in BESIDE],
            {_fleet(row): [_ratio(row, ours, other) for ours, other in BESIDE] for row in rows},
        ),
        "MiB of memory at most, medians:",
        _table(names, {_fleet(row): [_memory(row, name) for name in names] for row in rows}),
    ]
    return "\n\n".join(parts) + "\n"


def wall(run: Run) -> float:
    """Seconds by the clock."""
    return run.wall


def cpu(run: Run) -> float:
    """Seconds of CPU."""
    return run.cpu


def _took(row: Row, name: str) -> str:
    return _both(_seconds(row.median(name, quantity)) for quantity in (wall, cpu))


def _ratio(row: Row, ours: str, other: str) -> str:
    if other == "F":
        return _quotient(row.median(ours, wall), row.least(ours))
    return _both(_quotient(row.median(ours, quantity), row.median(other, quantity)) for quantity in (wall, cpu))


def _memory(row: Row, name: str) -> str:
    memory = row.median(name, _of_memory)
    return NOTHING if memory is None else f"{memory / MIB:.0f}"


def _of_memory(run: Run) -> float:
    return run.memory


def _both(texts: Iterable[str]) -> str:
    clock, of_cpu = texts
    return NOTHING if NOTHING in (clock, of_cpu) else f"{clock} / {of_cpu}"


def _seconds(number: float | None) -> str:
    return NOTHING if number is None else f"{number:.3f}" if number < 1 else f"{number:.2f}"


def _quotient(one: float | None, other: float | None) -> str:
    return f"{one / other:.2f}" if one and other else NOTHING


def _fleet(row: Row) -> str:
    size = row.size
    return f"{size.servers}x{size.repositories}, " + (f"{size.round_trip} ms" if size.round_trip else "loopback")


def _table(headings: Sequence[str], rows: dict[str, list[str]]) -> str:
    lines = [["fleet", *headings], ["---"] + ["---:"] * len(headings)]
    lines += [[name, *cells] for name, cells in rows.items()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
