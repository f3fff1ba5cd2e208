"""For how long the word of a run holds: until the next run, but not for ever. Pure.

A scraper that stopped knows nothing, so a word holds for at most twice the time that usually is between two runs of
that day; what comes after it, until the next run, was not observed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby, pairwise
from statistics import median

from telegraf_cvmfs.history.spool import Kept

AT_MOST = 2
"""Times the median of the day's intervals."""

BEFORE = timedelta(days=1)
"""How long before a span runs are looked for whose word may reach into it."""

Span = tuple[datetime, datetime]

EVER: Span = datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)
"""All of time."""


@dataclass(frozen=True, slots=True)
class Word:
    """From when to when (aware UTC) a run's word holds; `own` where the run is to be counted, not its time alone."""

    run: Kept
    begins: datetime
    ends: datetime
    own: bool = True

    @property
    def seconds(self) -> float:
        """How long that is."""
        return (self.ends - self.begins).total_seconds()


def words(runs: Iterable[Kept], since: datetime, until: datetime) -> list[Word]:
    """What of their words is within a span, for each fleet by itself, in the order of the runs.

    Runs from before it are not its own, and left out if their word is not within it. Of a run that is alone it is not
    known for how long its word holds: for no time.
    """
    found = list[Word]()
    by_fleet = sorted(runs, key=lambda run: (run.fleet, run.started))
    for _, group in groupby(by_fleet, key=lambda run: run.fleet):
        found += _words(list(group), since, until)
    return found


def usual(starts: Sequence[datetime]) -> timedelta | None:
    """The median time between two of these moments, which are in order; None for fewer than two."""
    gaps = [(after - before).total_seconds() for before, after in pairwise(starts)]
    return timedelta(seconds=median(gaps)) if gaps else None


def without(word: Word, said: Iterable[Span]) -> Iterator[Word]:
    """What of a word is in none of these spans; of its own run there is at least a word of no time."""
    begins, own = word.begins, word.own
    for since, until in sorted(said):
        if until <= begins or since >= word.ends:
            continue
        if begins < since:
            yield Word(word.run, begins, since, own)
            own = False
        begins = max(begins, until)
    if begins < word.ends or own:
        yield Word(word.run, min(begins, word.ends), word.ends, own)


def _words(runs: Sequence[Kept], since: datetime, until: datetime) -> list[Word]:
    longest = _longest(runs)
    ends = [min(one.started + longest[one], after.started) for one, after in pairwise(runs)]
    ends.append(runs[-1].started + longest[runs[-1]])
    clipped = (
        Word(run, max(run.started, since), min(end, until), own=run.started >= since)
        for run, end in zip(runs, ends, strict=True)
    )
    return [word for word in clipped if word.begins < word.ends or since <= word.run.started < until]


def _longest(runs: Sequence[Kept]) -> dict[Kept, timedelta]:
    """How long the word of each may hold at most; where a day has but one run, its fleet's median counts."""
    of_all = usual([run.started for run in runs]) or timedelta(0)
    gaps: dict[object, list[float]] = {}
    for before, after in pairwise(runs):
        gaps.setdefault(before.started.date(), []).append((after.started - before.started).total_seconds())
    usually = {day: timedelta(seconds=median(found)) for day, found in gaps.items()}
    return {run: usually.get(run.started.date(), of_all) * AT_MOST for run in runs}
