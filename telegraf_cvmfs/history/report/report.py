"""The report of a month: from a spool to sheets, and to the files that they are written as."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean
from typing import Any

from telegraf_cvmfs.history.instants import last_month
from telegraf_cvmfs.history.report import sheets
from telegraf_cvmfs.history.report.figures import (
    Down,
    Incident,
    Times,
    incidents,
    longest,
    mean_time_to_repair,
    percentile,
)
from telegraf_cvmfs.history.report.seen import Seen, seen
from telegraf_cvmfs.history.report.sheets import Sheet, Value
from telegraf_cvmfs.history.report.words import usual

_DECEMBER = 12
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
        self._seen = seen(Path(source), self.since, self.until, fleet)
        self._incidents = dict(_incidents(self._seen))

    @property
    def month(self) -> str:
        """The month, as 2026-10."""
        return f"{self.since:%Y-%m}"

    @property
    def fleets(self) -> list[str]:
        """The fleets that were watched in it; none where there was no run."""
        return sorted({word.run.fleet for word in self._seen.words})

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
        return self._seen.database.execute(query).fetchall()

    def _times(self, table: str, key: str) -> dict[Key, Times]:
        states: dict[Key, dict[str, float]] = {}
        for *found, state, seconds in self._asked(
            f"SELECT {key}, state, sum(seconds) FROM {table} GROUP BY ALL ORDER BY ALL"
        ):
            states.setdefault(tuple(found), {})[state] = seconds
        return {found: Times.of(one, self._span) for found, one in states.items()}

    def _servers(self) -> list[Row]:
        found = list[Row]()
        for key, times in self._times("servers", "fleet, server, address, role").items():
            outages = self._incidents.get(("server", *key, "", ""), [])
            repair = longest(outages), mean_time_to_repair(outages)
            found.append((*key, *_shares(times), len(outages), *repair, *_seconds(times)))
        return found

    def _replicas(self) -> list[Row]:
        key = "fleet, repo, alias, server, address, role"
        buckets: dict[Key, dict[int, float]] = {}
        counted = f"SELECT {key}, bucket, sum(seconds) FROM replicas WHERE bucket IS NOT NULL GROUP BY ALL"
        for *one, bucket, seconds in self._asked(counted):
            buckets.setdefault(tuple(one), {})[bucket] = seconds
        most = {tuple(one): lag for *one, lag in self._asked(f"SELECT {key}, max(longest) FROM replicas GROUP BY ALL")}
        return [
            (
                *one,
                *_shares(times),
                *(percentile(share, buckets.get(one, {}), most[one]) for share in (0.5, 0.95)),
                most[one],
                *_seconds(times),
            )
            for one, times in self._times("replicas", key).items()
        ]

    def _repositories(self) -> list[Row]:
        totals = "sum(served) / nullif(sum(seconds), 0), min(least), sum(had) / nullif(sum(seconds), 0)"
        served = {(fleet, repo): tuple(row) for fleet, repo, *row in self._asked(
            f"SELECT fleet, repo, {totals} FROM repositories GROUP BY ALL"
        )}  # fmt: skip
        times = self._times("repositories", "fleet, repo")
        return [(*key, *_shares(one), *served[key[0], key[1]], *_seconds(one)) for key, one in times.items()]

    def _happened(self) -> Iterator[Row]:
        every = [(key, one) for key, found in self._incidents.items() for one in found]
        for key, one in sorted(every, key=lambda each: (each[1].begins, each[0])):
            yield (*key, one.begins, one.ends, one.seconds, one.finding, one.problem)

    def _coverage(self) -> list[Row]:
        sums = "sum(made), sum(cut_short), sum(interrupted), sum(requests), sum(failures)"
        made = {fleet: row for fleet, *row in self._asked(f"SELECT fleet, {sums} FROM runs GROUP BY ALL")}
        found = list[Row]()
        for fleet in sorted(made):
            words = [word for word in self._seen.words if word.run.fleet == fleet]
            every = usual([word.run.started for word in words])
            interval = None if every is None else every.total_seconds()
            expected = None if not interval else round(self._span / interval)
            observed = sum(word.seconds for word in words) / self._span
            found.append((fleet, interval, expected, *map(int, made[fleet]), observed))
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


def _incidents(seen: Seen) -> Iterator[tuple[Key, list[Incident]]]:
    key = "kind, fleet, server, address, role, repo, alias"
    downs: dict[Key, list[Down]] = {}
    for *one, number, begins, ends, finding, problem in seen.database.execute(
        f"SELECT {key}, number, begins, ends, finding, problem FROM down ORDER BY {key}, number"
    ).fetchall():
        when = begins.astimezone(UTC), ends.astimezone(UTC)
        downs.setdefault(tuple(one), []).append(Down(number, *when, finding or "", problem or ""))
    for found, of_it in downs.items():
        yield found, incidents(of_it)


def _shares(times: Times) -> tuple[float | None, float | None]:
    return times.availability, times.reliability


def _seconds(times: Times) -> tuple[float, float, float, float]:
    return times.up, times.down, times.maintenance, times.unknown


def _mean(values: Iterator[Value]) -> float | None:
    known = [value for value in values if isinstance(value, float)]
    return fmean(known) if known else None
