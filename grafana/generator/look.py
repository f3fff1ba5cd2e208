"""How one value is shown: its name, unit, colours, and where it leads."""

from __future__ import annotations

from dataclasses import dataclass

from grafana.generator.scale import Json, Scale


@dataclass(frozen=True)
class Link:
    """A way from a value or a panel to elsewhere; the URL may have variables of Grafana."""

    title: str
    url: str
    new_tab: bool = False

    def json(self) -> Json:
        """As a data link."""
        return {"title": self.title, "url": self.url, "targetBlank": self.new_tab}


@dataclass(frozen=True)
class Look:
    """The look of a column, a curve or a number; what is left empty is as Grafana does it.

    `cell` is a table's way to show the scale's colours ("color-text", "color-background"), `width` is in pixels,
    `color` is fixed, for a curve.
    """

    title: str = ""
    unit: str = ""
    scale: Scale | None = None
    cell: str = ""
    width: int = 0
    decimals: int | None = None
    links: tuple[Link, ...] = ()
    color: str = ""

    def properties(self) -> Json:
        """What differs from the default, by the names that overrides use."""
        found: Json = {"displayName": self.title, "unit": self.unit, "decimals": self.decimals}
        if self.scale is not None:
            found |= {"mappings": self.scale.mappings(), "thresholds": self.scale.thresholds()}
            found["color"] = {"mode": "thresholds"}
        if self.color:
            found["color"] = {"mode": "fixed", "fixedColor": self.color}
        if self.cell:
            found["custom.cellOptions"] = {"type": self.cell} | ({"mode": "basic"} if "background" in self.cell else {})
        found["custom.width"] = self.width or None
        found["links"] = [link.json() for link in self.links]
        return {name: value for name, value in found.items() if value not in ("", None, [])}

    def override(self, column: str) -> Json:
        """The override that gives a column this look."""
        properties = [{"id": name, "value": value} for name, value in self.properties().items()]
        return {"matcher": {"id": "byName", "options": column}, "properties": properties}
