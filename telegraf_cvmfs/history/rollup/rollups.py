"""The rollups of a fleet in a spool: files of hours, days and months, and up to when they are complete.

`<folder>/<fleet>/rollups/hours/20261125T12Z.parquet`, `…/days/2026-11-25.parquet`, `…/months/2026-11.parquet`, each
with all tables. An hour is added up once, when it is over; what comes late is put to it. Days are put together of
hours, months of days. `bookmark.json` says up to when every hour is done: it goes on only past what succeeded.
"""

from __future__ import annotations

import contextlib
import json
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

from duckdb import DuckDBPyConnection

from telegraf_cvmfs.history.instants import iso, this_day, this_hour, this_month
from telegraf_cvmfs.history.query import opened
from telegraf_cvmfs.history.rollup.table import TableRuns, all_tables, put_together, take_runs, write_together
from telegraf_cvmfs.history.rollup.thin import thinned
from telegraf_cvmfs.history.rollup.words import BEFORE, EVER, Word, without, words
from telegraf_cvmfs.history.spool import Kept, SpoolError, kept
from telegraf_cvmfs.model import Keep
from telegraf_cvmfs.whole_file import PUBLIC, whole_file, write_whole

HOUR = timedelta(hours=1)
LATE = timedelta(minutes=5)
"""How long after an hour it is waited for runs that began in it; one after it says how often runs are made."""

Failed = Callable[[datetime, Exception], None]
Moved = Callable[[int, int], None]
_HOURS, _DAYS, _MONTHS = "%Y%m%dT%HZ", "%Y-%m-%d", "%Y-%m"


def _unmoved(_done: int, _total: int) -> None:
    """Nobody is told."""


@dataclass(frozen=True, slots=True)
class Rolled:
    """A run that was rolled up: when it began, for which time its word was taken, whether it saw something change."""

    run: datetime
    begins: datetime
    ends: datetime
    changed: bool


class Rollups:
    """What of a fleet's runs is rolled up in a spool."""

    def __init__(self, folder: Path | str, fleet: str) -> None:
        self.folder = Path(folder)
        self.fleet = fleet

    @property
    def root(self) -> Path:
        """The folder of them."""
        return self.folder / quote(self.fleet, safe="") / "rollups"

    def hour(self, begins: datetime) -> Path:
        """The file of an hour."""
        return self.root / "hours" / f"{begins.strftime(_HOURS)}.parquet"

    def day(self, begins: datetime) -> Path:
        """The file of a day."""
        return self.root / "days" / f"{begins.strftime(_DAYS)}.parquet"

    def month(self, begins: datetime) -> Path:
        """The file of a month."""
        return self.root / "months" / f"{begins.strftime(_MONTHS)}.parquet"

    def hours(self, since: datetime, until: datetime) -> list[datetime]:
        """The hours of a span that have a file."""
        return [begins for begins in _named(self.root / "hours", _HOURS) if since <= begins < until]

    @property
    def bookmark(self) -> datetime | None:
        """Up to when every hour is rolled up; None where none is, or the file is damaged: then all is looked at."""
        try:
            said = datetime.fromisoformat(json.loads((self.root / "bookmark.json").read_bytes())["until"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return said if said.tzinfo is not None else None

    def files(self, since: datetime = EVER[0], until: datetime = EVER[1]) -> list[Path]:
        """The largest files that cover what is rolled up of a span of whole hours: months, days, hours."""
        found = list[Path]()
        for month, days in self._parts(since, until).items():
            of_days = [self.day(day) for day in days]
            if _inside(month, _ends(month, this_month), since, until) and _fresh(self.month(month), of_days):
                found.append(self.month(month))
                continue
            for day, hours in days.items():
                of_hours = [self.hour(hour) for hour in hours]
                whole = _inside(day, _ends(day, this_day), since, until) and _fresh(self.day(day), of_hours)
                found += [self.day(day)] if whole else of_hours
        return found

    def whole_days(self, since: datetime, until: datetime) -> list[datetime]:
        """The days of a span whose file is all that is rolled up of them."""
        return [
            day
            for days in self._parts(since, until).values()
            for day, hours in days.items()
            if _fresh(self.day(day), [self.hour(hour) for hour in hours])
        ]

    def _parts(self, since: datetime, until: datetime) -> dict[datetime, dict[datetime, list[datetime]]]:
        """The hours that have a file, by month and day."""
        found: dict[datetime, dict[datetime, list[datetime]]] = {}
        for hour in self.hours(since, until):
            found.setdefault(this_month(hour), {}).setdefault(this_day(hour), []).append(hour)
        return found

    def runs(self) -> list[Rolled]:
        """All runs that were ever rolled up, in their order; OSError, ValueError as a table's `add_parquet`."""
        if not (files := self.files()):
            return []
        with opened() as database:
            TableRuns(database).add_parquet(*files).regroup()
            found = database.execute("SELECT run, begins, ends, changed FROM runs ORDER BY run").fetchall()
        return [
            Rolled(run.astimezone(UTC), begins.astimezone(UTC), ends.astimezone(UTC), changed != 0)
            for run, begins, ends, changed in found
        ]

    def update(self, now: datetime, failed: Failed, moved: Moved = _unmoved) -> int:
        """Roll up the hours that are over, and the days and months of them; the number of hours that were.

        What cannot be read is told with its hour, which is tried again the next time; `moved` is told how many of how
        many hours are done. The caller has the lock.

        Raises:
            OSError: the spool cannot be read, or a rollup not be written.
            ValueError: a file of rollups is none.
        """
        until, rolled = this_hour(now - LATE), self.bookmark or EVER[0]
        present = {run.started: run for run in kept(self.folder, None, until + LATE, self.fleet)}
        known = {one.run: one for one in self.runs()}
        moments = sorted({*present, *known})
        runs, hours = _Runs(moments, present, known, self.fleet), list(_hours_of(moments, until))
        done, whole = 0, until
        with opened() as database:
            for number, hour in enumerate(hours, 1):
                try:
                    done += self._roll(database, hour, runs, rolled)
                except SpoolError as error:
                    failed(hour, error)
                    whole = min(whole, hour)
                moved(number, len(hours))
        if hours:
            self._mark(whole)
        self._put_together()
        return done

    def _roll(self, database: DuckDBPyConnection, hour: datetime, runs: _Runs, rolled: datetime) -> bool:
        """Roll up an hour, or put to it what came late; whether there was something to do."""
        path, ends = self.hour(hour), hour + HOUR
        there = path.exists()
        if there or ends <= rolled:
            found = [] if runs.are_known(hour, ends) else runs.late(hour, ends)
        else:
            found = runs.words(hour, ends)
        if not any(word.own or word.seconds for word in found):
            return False
        tables = all_tables(database)
        take_runs(database, found)
        for table in tables:
            table.add_here()
            if there:
                table.add_parquet(path)
            table.regroup()
        self._write(database, path)
        return True

    def thin(self, keep: Sequence[Keep], now: datetime) -> int:
        """Remove runs that are rolled up and not to be kept; their number. The caller has the lock.

        Raises:
            OSError: the spool cannot be read, or a file not be removed.
            ValueError: a file of rollups is none.
        """
        until = self.bookmark or EVER[0]
        known = {one.run: one for one in self.runs()}
        runs = kept(self.folder, None, until, self.fleet)
        gone = list(thinned(runs, keep, now, lambda run: run.started in known, lambda run: known[run.started].changed))
        for run in gone:
            run.path.unlink(missing_ok=True)
        for day in {run.path.parent for run in gone}:
            with contextlib.suppress(OSError):  # what is not empty stays
                day.rmdir()
        return len(gone)

    def sizes(self) -> tuple[int, int, int]:
        """How many runs are kept, in how many bytes, and the bytes of the rollups; OSError if it cannot be read."""
        runs = kept(self.folder, None, None, self.fleet)
        rollups = (path for path in self.root.rglob("*.parquet"))
        return len(runs), _bytes(run.path for run in runs), _bytes(rollups)

    def _put_together(self) -> None:
        """Put together the days and months that are over, where they are not there or older than their parts."""
        until = self.bookmark or EVER[0]
        for month, days in self._parts(*EVER).items():
            for day, hours in days.items():
                if _ends(day, this_day) <= until:
                    self._put(self.day(day), [self.hour(hour) for hour in hours])
            if _ends(month, this_month) <= until:
                self._put(self.month(month), [self.day(day) for day in days])

    def _put(self, path: Path, parts: Sequence[Path]) -> None:
        if not _fresh(path, parts):
            with opened() as database:
                put_together(all_tables(database), parts)
                self._write(database, path)

    def _write(self, database: DuckDBPyConnection, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
        beside = path.with_name(f".{path.name}")
        try:
            write_together(database, beside)
            with beside.open("rb") as content, whole_file(path, PUBLIC) as file:
                file.write(content.read())
        finally:
            beside.unlink(missing_ok=True)

    def _mark(self, until: datetime) -> None:
        before = self.bookmark
        if before is None or until > before:
            self.root.mkdir(parents=True, exist_ok=True, mode=0o750)
            write_whole(self.root / "bookmark.json", json.dumps({"until": iso(until)}).encode() + b"\n", PUBLIC)


@dataclass(frozen=True, slots=True)
class _Runs:
    """All runs that ever were, in their order: those that are in the spool, and those that were rolled up."""

    moments: Sequence[datetime]
    present: Mapping[datetime, Kept]
    known: Mapping[datetime, Rolled]
    fleet: str

    def within(self, since: datetime, until: datetime) -> Sequence[datetime]:
        """Those that began in this span."""
        return self.moments[bisect_left(self.moments, since) : bisect_left(self.moments, until)]

    def are_known(self, since: datetime, until: datetime) -> bool:
        """Whether all that began in this span are rolled up."""
        return all(moment in self.known for moment in self.within(since, until))

    def words(self, since: datetime, until: datetime) -> list[Word]:
        """What the runs in the spool say of a span."""
        every = [
            self.present.get(one) or Kept(one, self.fleet, Path()) for one in self.within(since - BEFORE, until + LATE)
        ]
        found = words(every, since, until) if every else []
        before = [run for run in every if run.started < since][-1:]
        if before and (not found or found[0].run.started >= since):
            found.insert(0, Word(before[0], since, since, own=False))  # to see what is other than in that run
        return [word for word in found if word.run.started in self.present]

    def late(self, since: datetime, until: datetime) -> list[Word]:
        """What those of its runs that are not rolled up say of the time of which nothing was said."""
        said = [(one.begins, one.ends) for one in map(self.known.get, self.within(since - BEFORE, until)) if one]
        late = [word for word in self.words(since, until) if word.own and word.run.started not in self.known]
        return [piece for word in late for piece in without(word, said)]


def _bytes(paths: Iterable[Path]) -> int:
    """What files have on the disk; one that went away meanwhile has nothing."""
    found = 0
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            found += path.stat().st_size
    return found


def _ends(begins: datetime, first: Callable[[datetime], datetime]) -> datetime:
    """When a day, or a month, is over."""
    return first(begins + timedelta(days=1 if first is this_day else 31))


def _inside(begins: datetime, ends: datetime, since: datetime, until: datetime) -> bool:
    return since <= begins and ends <= until


def _hours_of(moments: Sequence[datetime], until: datetime) -> Iterator[datetime]:
    """The hours from the first run up to a moment."""
    hour = this_hour(moments[0]) if moments else until
    while hour < until:
        yield hour
        hour += HOUR


def _fresh(path: Path, parts: Sequence[Path]) -> bool:
    """Whether a file is there and no part of it was written after it."""
    if not path.exists() or not parts:
        return False
    return path.stat().st_mtime_ns >= max(part.stat().st_mtime_ns for part in parts)


def _named(folder: Path, form: str) -> list[datetime]:
    found = list[datetime]()
    for path in folder.glob("*.parquet") if folder.is_dir() else ():
        try:
            found.append(datetime.strptime(path.stem, form).replace(tzinfo=UTC))
        except ValueError:
            continue
    return sorted(found)
