"""Curves and bars over time, as SVG."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from itertools import pairwise

LEFT, RIGHT, TOP, BOTTOM = 78, 8, 6, 20  # pixels around the plot
LETTER, LONGEST_NAME = 6.6, 360  # pixels of a letter, for the names of bars
SPACING = 110  # pixels from one written moment to the next, about
LEVELS = 4
NEAR = 0.6  # an axis begins at 0 unless all values are nearer to the largest than this
FAR = 3  # a limit is shown if it is less than so many times the largest value

Spot = tuple[float, float | None]


@dataclass(frozen=True)
class Curve:
    """One series: its name, its colour for CSS, and what it has at which Unix millisecond, in order."""

    name: str
    color: str
    spots: tuple[Spot, ...]


@dataclass(frozen=True)
class Plot:
    """Where it is drawn: size in pixels, the range of time in Unix milliseconds, events to mark."""

    width: float
    height: float
    start: float
    end: float
    gap: float  # ms: a curve does not go through a longer hole
    events: tuple[float, ...] = ()

    def x(self, moment: float, left: float = LEFT) -> float:
        """Pixels from the left."""
        return left + (moment - self.start) / (self.end - self.start) * (self.width - left - RIGHT)

    @property
    def floor(self) -> float:
        """Pixels from the top, of the lower edge of the plot."""
        return self.height - BOTTOM


def curves(
    plot: Plot,
    lines: Sequence[Curve],
    label: Callable[[float], str],
    limits: Sequence[tuple[float, str]] = (),
    *,
    stacked: bool = False,
    stepped: bool = False,
) -> str:
    """The curves, with levels and moments written beside them."""
    if stacked:
        lines = _stacked(lines)
    values = [value for line in lines for _, value in line.spots if value is not None]
    low, high = _scale(values, [start for start, _ in limits])

    def y(value: float) -> float:
        return TOP + (high - value) / (high - low) * (plot.floor - TOP)

    parts = [*_levels(plot, low, high, y, label), *_moments(plot, LEFT)]
    parts += [_rule(plot, y(start), color) for start, color in limits if low <= start <= high]
    for line in reversed(lines) if stacked else lines:
        parts += _line(plot, line, y, stepped=stepped or stacked, filled=stacked)
    return _svg(plot, parts)


def bars(plot: Plot, rows: Sequence[tuple[str, Sequence[tuple[float, str]]]]) -> str:
    """A bar for each row (name, then colours from a moment on), in colours."""
    height = min(26.0, (plot.floor - TOP) / max(1, len(rows)))
    edge = min(LONGEST_NAME, 12 + LETTER * max((len(name) for name, _ in rows), default=0))
    parts = list(_moments(plot, edge))
    for index, (name, states) in enumerate(rows):
        top = TOP + index * height
        parts.append(f'<text x="{edge - 6}" y="{top + height * 0.65:.1f}" text-anchor="end">{escape(name)}</text>')
        for start, end, color in _merged(states, plot):
            left, right = plot.x(start, edge), plot.x(end, edge)
            size = f'width="{max(1.0, right - left):.1f}" height="{height * 0.8:.1f}"'
            parts.append(f'<rect x="{left:.1f}" y="{top:.1f}" {size} fill="{escape(color)}"/>')
    return _svg(plot, parts)


def _merged(states: Sequence[tuple[float, str]], plot: Plot) -> list[tuple[float, float, str]]:
    """Spans of one colour: from, until, colour. A state lasts until the next, but not longer than the gap."""
    found: list[tuple[float, float, str]] = []
    ends = [moment for moment, _ in states[1:]] + [plot.end]
    for (start, color), following in zip(states, ends, strict=True):
        end = min(following, start + plot.gap)
        joined = found and found[-1][1:] == (start, color)
        found.append((found.pop()[0] if joined else start, end, color))
    return found


def _stacked(lines: Sequence[Curve]) -> list[Curve]:
    sums: dict[float, float] = {}
    found = []
    for line in lines:
        spots = []
        for moment, value in line.spots:
            sums[moment] = sums.get(moment, 0) + (value or 0)
            spots.append((moment, sums[moment]))
        found.append(Curve(line.name, line.color, tuple(spots)))
    return found


def _scale(values: Sequence[float], limits: Sequence[float]) -> tuple[float, float]:
    """Round ends of an axis on which all values are, and the first limit above them."""
    if not values:
        return 0.0, 1.0
    low, high = min(values), max(values)
    low = min(low, 0.0) if low < high * NEAR or low == high else low
    high = max([high, *(limit for limit in sorted(limits)[:1] if limit < high * FAR)])
    if low == high:
        high = low + 1
    step = 10 ** math.floor(math.log10(high - low))
    return math.floor(low / step) * step, math.ceil(high / step) * step


def _line(plot: Plot, line: Curve, y: Callable[[float], float], *, stepped: bool, filled: bool) -> Iterator[str]:
    for piece in _pieces(line.spots, plot.gap):
        path = [f"M{plot.x(piece[0][0]):.1f},{y(piece[0][1]):.1f}"]
        for (_, before), (moment, value) in pairwise(piece):
            corner = f"L{plot.x(moment):.1f},{y(before):.1f}" if stepped else ""
            path.append(f"{corner}L{plot.x(moment):.1f},{y(value):.1f}")
        drawn = "".join(path)
        if filled:
            ends = f"L{plot.x(piece[-1][0]):.1f},{plot.floor}L{plot.x(piece[0][0]):.1f},{plot.floor}Z"
            yield f'<path d="{drawn}{ends}" fill="{line.color}" stroke="none"/>'
        elif len(piece) == 1:
            yield f'<circle cx="{plot.x(piece[0][0]):.1f}" cy="{y(piece[0][1]):.1f}" r="2.5" fill="{line.color}"/>'
        else:
            yield f'<path d="{drawn}" fill="none" stroke="{line.color}" stroke-width="1.6"/>'


def _pieces(spots: Sequence[Spot], gap: float) -> Iterator[list[tuple[float, float]]]:
    """Runs of values without a hole longer than the gap; neighbours are no hole, however long a bucket is."""
    piece: list[tuple[float, float]] = []
    hole = False
    for moment, value in spots:
        if value is None:
            hole = True
            continue
        if piece and hole and moment - piece[-1][0] >= gap:
            yield piece
            piece = []
        piece.append((moment, value))
        hole = False
    if piece:
        yield piece


def _levels(
    plot: Plot, low: float, high: float, y: Callable[[float], float], label: Callable[[float], str]
) -> Iterator[str]:
    for index in range(LEVELS + 1):
        value = low + (high - low) * index / LEVELS
        at = y(value)
        yield f'<line class="grid" x1="{LEFT}" x2="{plot.width - RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>'
        yield f'<text x="{LEFT - 5}" y="{at + 4:.1f}" text-anchor="end">{escape(label(value))}</text>'


def _moments(plot: Plot, left: float) -> Iterator[str]:
    moments = max(1, int((plot.width - left) // SPACING))
    for index in range(moments):
        moment = plot.start + (plot.end - plot.start) * (index + 0.5) / moments
        at, text = plot.x(moment, left), f"{datetime.fromtimestamp(moment / 1000, UTC):%H:%M}"
        yield f'<line class="grid" x1="{at:.1f}" x2="{at:.1f}" y1="{TOP}" y2="{plot.floor}"/>'
        yield f'<text x="{at:.1f}" y="{plot.height - 5}" text-anchor="middle">{text}</text>'
    for moment in plot.events:
        if plot.start <= moment <= plot.end:
            at = plot.x(moment, left)
            yield f'<line class="event" x1="{at:.1f}" x2="{at:.1f}" y1="{TOP}" y2="{plot.floor}"/>'


def _rule(plot: Plot, at: float, color: str) -> str:
    ends = f'x1="{LEFT}" x2="{plot.width - RIGHT}" y1="{at:.1f}" y2="{at:.1f}"'
    return f'<line {ends} stroke="{color}" stroke-dasharray="6 4"/>'


def _svg(plot: Plot, parts: Sequence[str]) -> str:
    return f'<svg width="{plot.width:.0f}" height="{plot.height:.0f}">{"".join(parts)}</svg>'
