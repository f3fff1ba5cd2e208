"""What a panel's field configuration makes of one column: name, text and colour of its values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from grafana.preview.unit import written

Json = Mapping[str, Any]
Value = int | float | str | bool | None

COLORS: Mapping[str, str] = {
    "green": "#5aa64b",
    "orange": "#e07f13",
    "yellow": "#d9a300",
    "red": "#d2293d",
    "purple": "#8f5fb8",
    "blue": "#3274d9",
    "text": "#24292e",
    "transparent": "transparent",
}
PALETTE = ("#3274d9", "#e07f13", "#5aa64b", "#d2293d", "#8f5fb8", "#0a9396", "#b5838d", "#606c38", "#bc6c25", "#6d6875")


@dataclass(frozen=True)
class Appearance:
    """The look of a column; `now` is the moment of the page in Unix milliseconds."""

    title: str
    unit: str
    decimals: int | None
    mappings: Mapping[str, Json]
    steps: tuple[tuple[float, str], ...]  # (from this value on, colour), lowest first
    fixed: str
    cell: str
    width: int
    linked: bool
    nothing: str
    now: float

    def text(self, value: Value) -> str:
        """The value as it is shown."""
        if value is None:
            return self.nothing
        if (mapped := self.mappings.get(_key(value))) and mapped.get("text"):
            return str(mapped["text"])
        if isinstance(value, int | float) and not isinstance(value, bool):
            return written(value, self.unit, self.decimals, self.now)
        return str(value)

    def color(self, value: Value) -> str:
        """The colour of the value, for CSS; empty where it has none of its own."""
        if mapped := self.mappings.get(_key(value)):
            return _css(str(mapped.get("color", "")))
        if isinstance(value, int | float) and self.steps:
            return _css([color for start, color in self.steps if value >= start][-1])
        return ""


def appearance(panel: Json, column: str, now: float) -> Appearance:
    """The look of the column of this name, or of the series of this alias."""
    config = panel.get("fieldConfig", {})
    found = dict(_flat(config.get("defaults", {})))
    for override in config.get("overrides", ()):
        if _meant(override["matcher"], column):
            found |= {one["id"]: one["value"] for one in override["properties"]}
    color = found.get("color", {})
    return Appearance(
        title=str(found.get("displayName", column)),
        unit=str(found.get("unit", "")),
        decimals=found.get("decimals"),
        mappings={key: one for mapping in found.get("mappings", ()) for key, one in mapping.get("options", {}).items()},
        steps=_steps(found) if color.get("mode") == "thresholds" else (),
        fixed=_css(str(color.get("fixedColor", ""))) if color.get("mode") == "fixed" else "",
        cell=str(found.get("custom.cellOptions", {}).get("type", "")),
        width=int(found.get("custom.width", 0)),
        linked=bool(found.get("links")),
        nothing=str(found.get("noValue", "")),
        now=now,
    )


def limits(panel: Json) -> tuple[tuple[float, str], ...]:
    """The thresholds that are drawn as lines over curves, with their colours."""
    defaults = panel.get("fieldConfig", {}).get("defaults", {})
    if defaults.get("custom", {}).get("thresholdsStyle", {}).get("mode", "off") == "off":
        return ()
    return tuple((start, _css(color)) for start, color in _steps(defaults) if start != float("-inf"))


def _meant(matcher: Json, column: str) -> bool:
    wanted = str(matcher["options"])
    return bool(re.search(wanted.strip("/"), column)) if matcher["id"] == "byRegexp" else wanted == column


def _flat(defaults: Json) -> dict[str, Any]:
    """Defaults under the names that overrides use."""
    custom = {f"custom.{name}": value for name, value in defaults.get("custom", {}).items()}
    return {name: value for name, value in defaults.items() if name != "custom"} | custom


def _steps(found: Json) -> tuple[tuple[float, str], ...]:
    steps = found.get("thresholds", {}).get("steps", ())
    return tuple((float("-inf") if one["value"] is None else float(one["value"]), str(one["color"])) for one in steps)


def _key(value: Value) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _css(color: str) -> str:
    return COLORS.get(color, color)
