"""The public model as files: pages, a document for programs, a feed, badges. Pure but for its own templates."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from hashlib import sha256
from importlib import resources
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined

from telegraf_cvmfs.emit.phrases import size
from telegraf_cvmfs.statuspage.settings import Settings, slug
from telegraf_cvmfs.statuspage.site import Day, Server, Site, State
from telegraf_cvmfs.words.duration import in_words

SCHEMA = 1
"""Of status.json; counts the changes that break a reader."""

STAMP = "%Y%m%dT%H%MZ"
"""Of a run in a path."""

WEEK = timedelta(days=7)
WORDS: Mapping[State, str] = {
    State.OK: "ok",
    State.WARNING: "degraded",
    State.CRITICAL: "failing",
    State.UNKNOWN: "unknown",
    State.MAINTENANCE: "maintenance",
}
SHAPES: Mapping[State, str] = {
    State.OK: "●",
    State.WARNING: "▲",
    State.CRITICAL: "■",
    State.UNKNOWN: "?",
    State.MAINTENANCE: "◆",
}
_OWN = resources.files(__package__)
_ASSETS = ("style.css", "age.js")

Files = dict[str, bytes]
"""By their path in the site."""


class Pages:
    """Makes the files of a site; `own` are files of the operator's, by name: logo.svg, own.css, about.html."""

    def __init__(self, settings: Settings, own: Mapping[str, bytes]) -> None:
        self.settings = settings
        self.assets: dict[str, str] = {}
        self._files: Files = {}
        texts = {name: (_OWN / "assets" / name).read_bytes() for name in _ASSETS} | dict(own)
        for name, content in texts.items():
            if name != "about.html":
                stem, _, ending = name.rpartition(".")
                self.assets[name] = f"assets/{stem}.{sha256(content).hexdigest()[:12]}.{ending}"
                self._files[self.assets[name]] = content
        loader = FunctionLoader(lambda name: (_OWN / "templates" / name).read_text(encoding="utf-8"))
        self._templates = Environment(
            loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )
        self._templates.filters |= {
            "moment": moment, "iso": _iso, "span": in_words, "share": _share, "size": size, "word": WORDS.__getitem__,
            "shape": SHAPES.__getitem__, "slug": slug, "stamp": lambda when: when.strftime(STAMP),
        }  # fmt: skip
        self._templates.globals |= {
            "assets": self.assets, "settings": settings, "states": State,
            "about": own.get("about.html", b"").decode(errors="replace"), "bars": bars,
        }  # fmt: skip

    def whole(self, site: Site, built: datetime, runs: Sequence[datetime]) -> Files:
        """All files but those of old runs, of which the moments are given, the oldest first."""
        recent = [one for one in site.incidents if one.ends is None or one.ends > site.scraped - WEEK]
        common = {"site": site, "built": built}
        found = {
            "index.html": self._page("index.html", "", **common, incidents=recent),
            "incidents.html": self._page("incidents.html", "", **common),
            "definitions.html": self._page("definitions.html", "", **common),
            "status.json": status(site, built),
            "status.schema.json": (_OWN / "assets" / "status.schema.json").read_bytes(),
            "robots.txt": b"User-agent: *\nDisallow: /at/\n",
            "badges/fleet.svg": self._badge("CernVM-FS", site.state),
        }
        for server in site.servers:
            its = {"server": server, "incidents": [one for one in site.incidents if one.server == server.name]}
            found[f"servers/{server.slug}.html"] = self._page("server.html", "../", **common, **its)
            found[f"badges/servers/{server.slug}.svg"] = self._badge(server.name, server.state)
        for repo in site.repositories:
            its = {"repository": repo, "incidents": [one for one in site.incidents if repo.name in one.repositories]}
            found[f"repositories/{repo.name}.html"] = self._page("repository.html", "../", **common, **its)
            found[f"badges/repositories/{repo.name}.svg"] = self._badge(repo.name, repo.state)
        if self.settings.url:
            found["feed.atom"] = self._page("feed.atom", "", **common)
        return found | self._files | dict(self._days(runs, common))

    def run(self, site: Site, previous: datetime | None, following: datetime | None) -> bytes:
        """The page of an old run."""
        around = {"previous": previous, "following": following}
        return self._page("run.html", "../../", site=site, built=None, **around)

    def _days(self, runs: Sequence[datetime], common: Mapping[str, Any]) -> Iterator[tuple[str, bytes]]:
        days: dict[date, list[datetime]] = {}
        for run in runs:
            days.setdefault(run.date(), []).append(run)
        for day, of_day in days.items():
            yield f"at/{day:%Y-%m-%d}.html", self._page("day.html", "../", **common, day=day, runs=of_day)
        yield "at/index.html", self._page("days.html", "../", **common, days=days)

    def _page(self, template: str, root: str, **values: Any) -> bytes:  # noqa: ANN401
        return self._templates.get_template(template).render(root=root, **values).encode()

    def _badge(self, name: str, state: State) -> bytes:
        word = WORDS[state]
        left, right = 10 + 7 * len(name), 24 + 7 * len(word)
        return self._page("badge.svg", "", name=name, state=state, left=left, right=right)


def bars(days: Sequence[Day]) -> list[dict[str, Any]]:
    """What a row of days is drawn as: a bar each, whose height tells its state too."""
    heights = {State.OK: 24, State.MAINTENANCE: 18, State.WARNING: 13, State.CRITICAL: 8, State.UNKNOWN: 3}
    return [
        {
            "x": 4 * number,
            "y": 24 - heights[one.state],
            "height": heights[one.state],
            "state": one.state.value,
            "day": one,
        }
        for number, one in enumerate(days)
    ]


def status(site: Site, built: datetime) -> bytes:
    """The site for programs, see status.schema.json; what is not known or not to be told is left out."""
    document = {"schema": SCHEMA, "built": built, "state": site.state, "verdict": site.verdict} | _object(site)
    return json.dumps(document, default=_plain, ensure_ascii=False).encode() + b"\n"


def _object(value: Any) -> dict[str, Any]:  # noqa: ANN401
    found = {one.name: getattr(value, one.name) for one in fields(value)}
    if isinstance(value, Server):
        del found["replicas"]  # they stand with their repositories
    return {name: one for name, one in found.items() if one is not None}


def _plain(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, Day):
        return {"day": value.day, "state": value.state, "availability": value.availability}
    if is_dataclass(value):
        return _object(value)
    if isinstance(value, timedelta):
        return int(value.total_seconds())
    if isinstance(value, datetime):
        return _iso(value)
    if isinstance(value, date):
        return value.isoformat()
    return value.value if isinstance(value, Enum) else list(value)


def moment(when: datetime) -> str:
    """A moment for people."""
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _iso(when: datetime) -> str:
    return f"{when.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _share(share: float) -> str:
    return "100 %" if share == 1 else f"{min(share * 100, 99.99):.2f} %"
