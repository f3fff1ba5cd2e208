"""What values look like: words and colours for codes, limits for ages. The codes are those of the program itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from telegraf_cvmfs.model import SEVERITY as IN_ORDER
from telegraf_cvmfs.model import Coded, GeoAPIStatus, Health, Result, RootCatalogState, Signature

Json = dict[str, Any]

GREEN, ORANGE, RED, PURPLE, BLUE = "green", "orange", "red", "purple", "blue"
PLAIN = "text"  # as the rest of the text; a cell's background stays as it is
CLEAR = "transparent"

HOUR = 3600
DAY = 24 * HOUR


@dataclass(frozen=True)
class State:
    """One value of a field: the words and the colour that stand for it."""

    value: int | str
    text: str
    color: str


@dataclass(frozen=True)
class Scale:
    """The words and colours of a field; `steps` are (from this value on, colour), `base` is the colour below them."""

    states: tuple[State, ...] = ()
    steps: tuple[tuple[float, str], ...] = ()
    base: str = PLAIN

    def mappings(self) -> list[Json]:
        """Value mappings as Grafana has them; none if there are only steps."""
        options = {
            str(state.value): {"color": state.color, "index": index, "text": state.text}
            for index, state in enumerate(self.states)
        }
        return [{"type": "value", "options": options}] if options else []

    def thresholds(self) -> Json:
        """Thresholds as Grafana has them; the first has no value, it is for all below the second."""
        steps: list[Json] = [{"color": self.base, "value": None}]
        steps += [{"color": color, "value": value} for value, color in self.steps]
        return {"mode": "absolute", "steps": steps}


HEALTH_COLORS: Mapping[Health, str] = {
    Health.OK: GREEN,
    Health.WARNING: ORANGE,
    Health.CRITICAL: RED,
    Health.UNKNOWN: PURPLE,
}


def _health(values: Iterable[tuple[int, Health]]) -> tuple[State, ...]:
    return tuple(State(value, health.name.lower(), HEALTH_COLORS[health]) for value, health in values)


HEALTH = Scale(_health((int(health), health) for health in Health), base=CLEAR)
"""Of the field `health`, in the numbers of a Nagios check."""

SEVERITY = Scale((State(-1, "maintenance", BLUE), *_health(enumerate(IN_ORDER))), base=CLEAR)
"""Of the field `severity`: the same healths in the order of seriousness, so that sorting puts the worst first.

Before them what is under maintenance, as `question.MostSerious` has it.
"""

MAINTENANCE = Scale((State(0, "·", CLEAR), State(1, "maintenance", BLUE)), base=CLEAR)

FOUND = Scale((State(0, "·", CLEAR), *_health((int(health), health) for health in Health if health)), base=CLEAR)
"""Of the fields of `cvmfs_finding`; what was not found is a dot."""


def _coded(kind: type[Coded], colors: Mapping[str, str], other: str) -> Scale:
    """Words for a code, by its slug and by its number: Prometheus has only numbers; `colors` are by slug."""
    return Scale(
        tuple(
            State(value, one.slug.replace("_", " "), colors.get(one.slug, other))
            for one in kind
            for value in (one.slug, one.code)
        )
    )


_SIGNATURES = {one.slug: GREEN if one.ok else PURPLE if one.ok is None else RED for one in Signature}
SIGNATURE = _coded(Signature, _SIGNATURES, RED)

_CATALOGS = {RootCatalogState.OK.slug: GREEN, RootCatalogState.NOT_CHECKED.slug: PURPLE}
ROOT_CATALOG = _coded(RootCatalogState, _CATALOGS, RED)

_BROKEN = (Result.NOT_FOUND, Result.INVALID, Result.NAME_MISMATCH, Result.TOO_LARGE)
_RESULTS = {one.slug: RED for one in _BROKEN} | {Result.OK.slug: GREEN, Result.UNLISTED.slug: ORANGE}
RESULT = _coded(Result, _RESULTS, PURPLE)


def _geoapi() -> Scale:
    colors = {GeoAPIStatus.OK: GREEN, GeoAPIStatus.LOCATION_ERROR: ORANGE, GeoAPIStatus.NO_RESPONSE: RED}
    return Scale(tuple(State(int(one), one.words, colors.get(one, "#8e8e8e")) for one in GeoAPIStatus))


GEOAPI = _geoapi()

UP = Scale((State(1, "up", GREEN), State(0, "down", RED)))
YES_IS_BAD = Scale((State(0, "no", PLAIN), State(1, "yes", RED)))
YES_NO = Scale((State(0, "no", PLAIN), State(1, "yes", BLUE)))
OK_FAILED = Scale((State(1, "ok", GREEN), State(0, "failed", ORANGE)))

SOME_RED, SOME_ORANGE, SOME_PURPLE = (Scale(steps=((1, color),)) for color in (RED, ORANGE, PURPLE))
"""Of numbers in a cell: plain if there are none."""

NONE_IS_GOOD = Scale(steps=((0, GREEN), (1, RED)), base=PURPLE)
NONE_IS_GOOD_ORANGE = Scale(steps=((0, GREEN), (1, ORANGE)), base=PURPLE)
NONE_IS_GOOD_PURPLE = Scale(steps=((0, GREEN), (1, PURPLE)), base=PURPLE)
