"""A site from a spool: what is told of the last run, of what was before it, and of old runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from telegraf_cvmfs._version import __version__
from telegraf_cvmfs.history.rollup.thin import thinned
from telegraf_cvmfs.history.spool import Kept, kept, read
from telegraf_cvmfs.statuspage.pages import STAMP, Files, Pages
from telegraf_cvmfs.statuspage.past import before
from telegraf_cvmfs.statuspage.public import MEASUREMENTS, site
from telegraf_cvmfs.statuspage.settings import Settings
from telegraf_cvmfs.statuspage.site import Site
from telegraf_cvmfs.statuspage.tree import Tree

OWN = ("logo.svg", "own.css", "about.html")
"""What may be in the operator's folder."""

LARGEST = 1 << 20
"""Bytes of a file of the operator's."""


class NothingKeptError(Exception):
    """There is no run to tell of; str() says where."""


@dataclass(frozen=True)
class Built:
    """What a build did: the site, and the tree if a new one was written."""

    site: Site | None
    tree: Path | None


def build(source: Path, settings: Settings, out: Path, now: datetime, *, force: bool = False) -> Built:
    """Write the site of a spool, if something changed since it was written; the caller has the lock.

    Raises:
        NothingKeptError: there is no run of the fleet.
        OSError: the spool cannot be read, or the site not be written.
        SpoolError: a file of the spool is damaged.
    """
    runs = kept(source, None, None, settings.fleet)
    if not runs:
        raise NothingKeptError(f"there is no run of fleet {settings.fleet} in {source}")
    own, tree = _own(settings.folder), Tree(out)
    form, before_it, there = _form(settings, own), tree.inputs, tree.now
    inputs = {"form": form, "run": runs[-1].path.name, "days": str(now.date())}
    if not force and {name: before_it.get(name) for name in inputs} == inputs:
        return Built(None, None)
    pages = Pages(settings, own)
    shown = site(read(runs[-1].path, MEASUREMENTS), settings, before(source, settings, now))
    old = _old_runs(runs, settings, now)
    files = pages.whole(shown, now, [one.started for one in old])
    around = {one.started.strftime(STAMP): _around(old, number) for number, one in enumerate(old)}
    known = before_it.get("around", {}) if before_it.get("form") == form else {}
    linked = set[str]()
    for number, one in enumerate(old):
        stamp = one.started.strftime(STAMP)
        path = f"at/{stamp}/index.html"
        if known.get(stamp) == around[stamp] and there is not None and (there / path).is_file():
            linked.add(path)
        else:
            files[path] = _run(pages, one, settings, _neighbours(old, number))
    return Built(shown, tree.write(files, linked, inputs | {"around": around}))


def at(source: Path, settings: Settings, moment: datetime) -> Site:
    """The site of the last run that had begun by then.

    Raises:
        NothingKeptError: there is none.
        OSError, SpoolError: as `build`.
    """
    runs = [one for one in kept(source, None, None, settings.fleet) if one.started <= moment]
    if not runs:
        raise NothingKeptError(f"there is no run of fleet {settings.fleet} by {moment.isoformat()} in {source}")
    return site(read(runs[-1].path, MEASUREMENTS), settings)


def _run(pages: Pages, run: Kept, settings: Settings, around: tuple[datetime | None, datetime | None]) -> bytes:
    return pages.run(site(read(run.path, MEASUREMENTS), settings), *around)


def _old_runs(runs: Sequence[Kept], settings: Settings, now: datetime) -> list[Kept]:
    """Those that have a page, one a minute at most: a page is named by its minute."""
    gone = {one.path for one in thinned(runs, settings.old_runs, now, lambda _run: True, lambda _run: False)}
    by_minute = {one.started.strftime(STAMP): one for one in reversed(runs) if one.path not in gone}
    return sorted(by_minute.values())


def _neighbours(old: Sequence[Kept], number: int) -> tuple[datetime | None, datetime | None]:
    previous = old[number - 1].started if number else None
    return previous, old[number + 1].started if number + 1 < len(old) else None


def _around(old: Sequence[Kept], number: int) -> list[str | None]:
    return [None if one is None else one.strftime(STAMP) for one in _neighbours(old, number)]


def _own(folder: Path | None) -> Files:
    if folder is None:
        return {}
    found = {name: (folder / name).read_bytes() for name in OWN if (folder / name).is_file()}
    for name, content in found.items():
        if len(content) > LARGEST:
            raise OSError(27, f"has more than {LARGEST} bytes", str(folder / name))
    return found


def _form(settings: Settings, own: Files) -> str:
    """Changes with whatever changes all pages."""
    return sha256(repr((__version__, settings, sorted(own.items()))).encode()).hexdigest()
