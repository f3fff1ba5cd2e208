"""The plot of seconds against the size of the fleet, as SVG: both axes logarithmic, each line labelled at its end."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.contender import NAMES
from benchmarks.measurement import Row
from benchmarks.table import wall

Points = Sequence[tuple[int, float]]
"""Replicas and seconds, the smallest fleet first."""

WIDTH, HEIGHT = 1000, 440
TOP, BOTTOM = 60, 400
LEFTS = (60, 540)  # of the panels
ACROSS = 250  # a panel, without the labels to its right
LINE = 15  # between labels
COLOURS = ("#0b5394", "#3d85c6", "#7a3b9c", "#b07cc6", "#c0392b", "#d68910", "#3a7d44", "#555555")
STYLE = (
    "text{font:12px sans-serif;fill:#222}.title{font-weight:bold}"
    ".grid{stroke:#ddd}.line{fill:none;stroke-width:2}.lead{opacity:.4}"
)


@dataclass(frozen=True)
class Scale:
    """Values to places in the picture, by their logarithms."""

    values: tuple[float, float]
    places: tuple[float, float]

    def __call__(self, value: float) -> float:
        """Where a value is."""
        least, most = map(math.log, self.values)
        start, end = self.places
        return start + (math.log(value) - least) / (most - least) * (end - start)


def plot(rows: Sequence[Row]) -> str:
    """Loopback, and beside it the round trips."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}">',
        f"<style>{STYLE}</style>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
    ]
    for left, (title, lines) in zip(LEFTS, _panels(rows).items(), strict=False):
        parts += _panel(left, title, lines)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panels(rows: Sequence[Row]) -> dict[str, dict[str, Points]]:
    """Title to contender to points, the nearest servers first."""
    by_distance = {
        round_trip: _series([row for row in rows if row.size.round_trip == round_trip])
        for round_trip in sorted({row.size.round_trip for row in rows})
    }
    return {f"{away} ms round trip" if away else "Loopback": lines for away, lines in by_distance.items()}


def _series(rows: Sequence[Row]) -> dict[str, Points]:
    """Contender to points."""
    found: dict[str, Points] = {}
    for name in NAMES:
        points = sorted((row.size.replicas, row.median(name, wall)) for row in rows if name in row.runs)
        if points:
            found[name] = [(replicas, seconds) for replicas, seconds in points if seconds is not None]
    return found


def _panel(left: float, title: str, lines: Mapping[str, Points]) -> Iterator[str]:
    sizes = sorted({replicas for points in lines.values() for replicas, _ in points})
    times = [seconds for points in lines.values() for _, seconds in points]
    decades = range(math.floor(math.log10(min(times))), math.ceil(math.log10(max(times))) + 1)
    ticks = [10.0**decade for decade in decades]
    across = Scale((sizes[0] / 1.1, sizes[-1] * 1.1), (left, left + ACROSS))
    down = Scale((ticks[0], ticks[-1]), (BOTTOM, TOP))
    yield f'<text class="title" x="{left}" y="{TOP - 30}">{title}: seconds against replicas</text>'
    for tick in ticks:
        yield f'<path class="grid" d="M{left} {down(tick):.1f}h{ACROSS}"/>'
        yield f'<text x="{left - 6}" y="{down(tick) + 4:.1f}" text-anchor="end">{tick:g}</text>'
    for size in sizes:
        yield f'<path class="grid" d="M{across(size):.1f} {TOP}V{BOTTOM}"/>'
        yield f'<text x="{across(size):.1f}" y="{BOTTOM + 18}" text-anchor="middle">{size}</text>'
    yield from _lines(left + ACROSS, lines, across, down)


def _lines(right: float, lines: Mapping[str, Points], across: Scale, down: Scale) -> Iterator[str]:
    colours = dict(zip(NAMES, COLOURS, strict=True))
    labels = _apart({name: down(points[-1][1]) for name, points in lines.items()})
    for name, points in lines.items():
        places = [(across(replicas), down(seconds)) for replicas, seconds in points]
        colour, (x, y) = colours[name], places[-1]
        path = " ".join(f"{at:.1f},{height:.1f}" for at, height in places)
        yield f'<polyline class="line" stroke="{colour}" points="{path}"/>'
        yield from (f'<circle cx="{at:.1f}" cy="{height:.1f}" r="3" fill="{colour}"/>' for at, height in places)
        yield f'<path class="lead" stroke="{colour}" d="M{x + 4:.1f} {y:.1f}L{right + 20} {labels[name]:.1f}"/>'
        text = f"{name}, {points[-1][1]:.2g} s"
        yield f'<text x="{right + 24}" y="{labels[name] + 4:.1f}" style="fill:{colour}">{text}</text>'


def _apart(heights: Mapping[str, float]) -> dict[str, float]:
    """The labels' heights, moved down until none covers another, and up again where they would leave the picture."""
    placed: dict[str, float] = {}
    lowest = -math.inf
    for name, height in sorted(heights.items(), key=lambda item: item[1]):
        lowest = placed[name] = max(height, lowest + LINE)
    beyond = max(0.0, lowest - BOTTOM)
    return {name: height - beyond for name, height in placed.items()}
