"""The report of a month: from a spool to sheets, and to the files that they are written as."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean
from typing import Any

from telegraf_cvmfs.history.instants import last_month
from telegraf_cvmfs.history.report import sheets
from telegraf_cvmfs.history.report.figures import Incident, Times, longest, mean_time_to_repair, percentile
from telegraf_cvmfs.history.report.sheets import Sheet, Value
from telegraf_cvmfs.history.rollup.columns import STATES, lag_columns
from telegraf_cvmfs.history.rollup.seen import listed, seen
from telegraf_cvmfs.history.rollup.words import usual

_DECEMBER = 12
_OUTAGE = "kind, fleet, server, address, role, repo, alias, begins, ends, finding, problem"
Key = tuple[str, ...]
Row = tuple[Value, ...]


class ReportAvailability:
    """What was available in a month, and for how much of it: sheets of figures, worked out in seconds.

    Args:
        source: the folder of a spool.
        month: any moment in it (aware); by default the month before now. Months are those of UTC.
        fleet: of this one alone; by default of all in the spool.

    Raises:
        ValueError: a moment without a zone.
        OSError: the spool cannot be read.
        SpoolError: a file of it is damaged.
    """

    def __init__(self, source: Path | str, *, month: datetime | None = None, fleet: str | None = None) -> None:
        moment = last_month() if month is None else month
        if moment.tzinfo is None:
            raise ValueError(f"month: {moment.isoformat()} has no time zone")
        utc = moment.astimezone(UTC)
        self.since = datetime(utc.year, utc.month, 1, tzinfo=UTC)
        self.until = datetime(utc.year + utc.month // _DECEMBER, utc.month % _DECEMBER + 1, 1, tzinfo=UTC)
        self._database = seen(Path(source), self.since, self.until, fleet)
        self._incidents: dict[Key, list[Incident]] = {}
        for *key, begins, ends, finding, problem in self._asked(f"SELECT {_OUTAGE} FROM outages ORDER BY ALL"):
            self._incidents.setdefault(tuple(key), []).append(Incident(begins, ends, finding, problem))

    @property
    def month(self) -> str:
        """The month, as 2026-10."""
        return f"{self.since:%Y-%m}"

    @property
    def fleets(self) -> list[str]:
        """The fleets that were watched in it; none where there was no run."""
        return [fleet for (fleet,) in self._asked("SELECT DISTINCT fleet FROM runs ORDER BY ALL")]

    def sheets(self) -> tuple[Sheet, ...]:
        """Summary, Servers, Served (a repository by any), Repositories (on each), Incidents, Coverage, Definitions."""
        servers, repositories, coverage = self._servers(), self._repositories(), self._coverage()
        summary = list(self._summary(servers, repositories, coverage))
        return (
            Sheet("summary", "Summary", sheets.SUMMARY, summary),
            Sheet("servers", "Servers", sheets.SERVERS, servers),
            Sheet("served", "Served", sheets.SERVED, repositories),
            Sheet("repositories", "Repositories", sheets.REPLICAS, self._replicas()),
            Sheet("incidents", "Incidents", sheets.INCIDENTS, list(self._happened())),
            Sheet("coverage", "Coverage", sheets.COVERAGE, coverage),
            Sheet("definitions", "Definitions", sheets.DEFINITIONS, sheets.TERMS),
        )

    @property
    def _span(self) -> float:
        return (self.until - self.since).total_seconds()

    def _asked(self, query: str) -> list[tuple[Any, ...]]:
        return listed(self._database, query)

    def _times(self, table: str, key: str) -> dict[Key, Times]:
        states = ", ".join(f"seconds_{state}::DOUBLE" for state in STATES)
        found = self._asked(f"SELECT {states}, {key} FROM {table} ORDER BY {key}")
        many = len(STATES)
        return {row[many:]: Times.of(dict(zip(STATES, row, strict=False)), self._span) for row in found}

    def _servers(self) -> list[Row]:
        found = list[Row]()
        for key, times in self._times("servers", "fleet, server, address, role").items():
            outages = self._incidents.get(("server", *key, "", ""), [])
            repair = longest(outages), mean_time_to_repair(outages)
            found.append((*key, *_shares(times), len(outages), *repair, *_seconds(times)))
        return found

    def _replicas(self) -> list[Row]:
        key = "fleet, repo, alias, server, address, role"
        columns = lag_columns()
        lags = f"SELECT {', '.join(f'{name}::DOUBLE' for name in columns)}, lag_max, {key} FROM replicas"
        found = {row[len(columns) + 1 :]: row for row in self._asked(lags)}
        buckets = {one: dict(enumerate(row[: len(columns)])) for one, row in found.items()}
        most = {one: row[len(columns)] for one, row in found.items()}
        return [
            (
                *one,
                *_shares(times),
                *(percentile(share, buckets[one], most[one]) for share in (0.5, 0.95)),
                most[one],
                *_seconds(times),
            )
            for one, times in self._times("replicas", key).items()
        ]

    def _repositories(self) -> list[Row]:
        all_of = " + ".join(f"seconds_{state}" for state in STATES)
        means = ", ".join(f"({name} / nullif({all_of}, 0))::DOUBLE" for name in ("served", "should"))
        served = {
            (fleet, repo): (mean, least, should)
            for fleet, repo, mean, should, least in self._asked(
                f"SELECT fleet, repo, {means}, served_least FROM repositories"
            )
        }
        times = self._times("repositories", "fleet, repo")
        return [(*key, *_shares(one), *served[key[0], key[1]], *_seconds(one)) for key, one in times.items()]

    def _happened(self) -> Iterator[Row]:
        every = [(key, one) for key, found in self._incidents.items() for one in found]
        for key, one in sorted(every, key=lambda each: (each[1].begins, each[0])):
            yield (*key, one.begins, one.ends, one.seconds, one.finding, one.problem)

    def _coverage(self) -> list[Row]:
        own = f"run >= '{self.since.isoformat()}'"
        sums = ", ".join(
            f"sum({name}) FILTER ({own})" for name in ("deadline_hit", "interrupted", "requests", "failures")
        )
        held = "(sum(date_diff('microsecond', begins, ends)) / 1e6)::DOUBLE"
        found = list[Row]()
        for fleet, made, *counts, held_for, starts in self._asked(
            f"SELECT fleet, count(*) FILTER ({own}), {sums}, {held}, list(run ORDER BY run) FROM runs"
            " GROUP BY fleet ORDER BY fleet"
        ):
            every = usual(starts)
            interval = None if every is None else every.total_seconds()
            expected = None if not interval else round(self._span / interval)
            found.append((fleet, interval, expected, made, *(count or 0 for count in counts), held_for / self._span))
        return found

    def _summary(
        self,
        servers: Sequence[Row],
        repositories: Sequence[Row],
        coverage: Sequence[Row],
    ) -> Iterator[Row]:
        of_servers = list(Sheet("", "", sheets.SERVERS, servers).records())
        of_repositories = list(Sheet("", "", sheets.SERVED, repositories).records())
        for fleet, *_, observed in coverage:
            ours = [one for one in of_servers if one["fleet"] == fleet]
            theirs = [one for one in of_repositories if one["fleet"] == fleet]
            happened = sum(len(found) for key, found in self._incidents.items() if key[1] == fleet)
            strata = [one for one in ours if one["role"] == "stratum1"]
            means = (_mean(one.get("availability") for one in some) for some in (strata, theirs))
            yield fleet, self.month, len({one["server"] for one in ours}), len(theirs), *means, happened, observed


def _shares(times: Times) -> tuple[float | None, float | None]:
    return times.availability, times.reliability


def _seconds(times: Times) -> tuple[float, float, float, float]:
    return times.up, times.down, times.maintenance, times.unknown


def _mean(values: Iterator[Value]) -> float | None:
    known = [value for value in values if isinstance(value, float)]
    return fmean(known) if known else None
