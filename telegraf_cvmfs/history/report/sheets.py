"""The sheets of a report: names, columns with their units, rows of values. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

Value = str | int | float | datetime | None


class Unit(StrEnum):
    """What the values of a column are."""

    TEXT = "text"
    NUMBER = "number"
    DECIMAL = "decimal"
    SHARE = "share"  # of 1
    SECONDS = "seconds"
    MOMENT = "moment"  # aware, in UTC


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name in JSON and CSV, its title for people, and what its values are."""

    name: str
    title: str
    unit: Unit = Unit.TEXT


@dataclass(frozen=True)
class Sheet:
    """A table of a report."""

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: Sequence[tuple[Value, ...]]

    def records(self) -> Iterator[dict[str, Value]]:
        """The rows with the names of their columns; what has no value is left out."""
        for row in self.rows:
            named = zip(self.columns, row, strict=True)
            yield {column.name: value for column, value in named if value not in (None, "")}


_PLACE = (Column("fleet", "Fleet"), Column("server", "Server"), Column("address", "Address"), Column("role", "Role"))
_SHARES = (
    Column("availability", "Availability", Unit.SHARE),
    Column("reliability", "Reliability", Unit.SHARE),
)
_TIMES = tuple(Column(name, name.capitalize(), Unit.SECONDS) for name in ("up", "down", "maintenance", "unknown"))
SUMMARY = (
    Column("fleet", "Fleet"),
    Column("month", "Month"),
    Column("servers", "Servers", Unit.NUMBER),
    Column("repositories", "Repositories", Unit.NUMBER),
    Column("servers_availability", "Availability of stratum 1s", Unit.SHARE),
    Column("repositories_availability", "Availability of repositories", Unit.SHARE),
    Column("incidents", "Incidents", Unit.NUMBER),
    Column("observed", "Observed", Unit.SHARE),
)
SERVERS = (
    *_PLACE,
    *_SHARES,
    Column("outages", "Outages", Unit.NUMBER),
    Column("longest", "Longest", Unit.SECONDS),
    Column("mean_time_to_repair", "Mean time to repair", Unit.SECONDS),
    *_TIMES,
)
REPLICAS = (
    Column("fleet", "Fleet"),
    Column("repo", "Repository"),
    Column("alias", "Alias"),
    *_PLACE[1:],
    *_SHARES,
    Column("lag_p50", "Lag, half of the time", Unit.SECONDS),
    Column("lag_p95", "Lag, 95 % of the time", Unit.SECONDS),
    Column("lag_max", "Longest lag", Unit.SECONDS),
    *_TIMES,
)
SERVED = (
    Column("fleet", "Fleet"),
    Column("repo", "Repository"),
    *_SHARES,
    Column("served_by", "Served by, on average", Unit.DECIMAL),
    Column("served_by_least", "Served by, at least", Unit.NUMBER),
    Column("replicas", "Of, on average", Unit.DECIMAL),
    *_TIMES,
)
INCIDENTS = (
    Column("kind", "Of a"),
    *_PLACE,
    Column("repo", "Repository"),
    Column("alias", "Alias"),
    Column("begins", "Began", Unit.MOMENT),
    Column("ends", "Ended", Unit.MOMENT),
    Column("seconds", "Took", Unit.SECONDS),
    Column("finding", "Finding"),
    Column("problem", "What was seen"),
)
COVERAGE = (
    Column("fleet", "Fleet"),
    Column("interval", "Usual interval", Unit.SECONDS),
    Column("runs_expected", "Runs expected", Unit.NUMBER),
    Column("runs_made", "Runs made", Unit.NUMBER),
    Column("runs_cut_short", "Cut short by their deadline", Unit.NUMBER),
    Column("runs_interrupted", "Interrupted", Unit.NUMBER),
    Column("requests", "Requests", Unit.NUMBER),
    Column("failures", "Failed requests", Unit.NUMBER),
    Column("observed", "Observed", Unit.SHARE),
)
DEFINITIONS = (Column("term", "Term"), Column("means", "Means"))
TERMS = (
    (
        "word of a run",
        (
            "What a run saw counts from its begin until the next run of its fleet begins, but for at most twice the"
            " median of that day's intervals between runs (UTC; for an hour that is rolled up, of those until its end)."
            " All figures are of seconds, not of runs."
        ),
    ),
    ("up", "Health ok or warning: clients can use it."),
    ("down", "Health critical: clients are refused, or cannot mount, or it is far behind."),
    ("maintenance", "It was announced as under maintenance, whatever was seen."),
    ("unknown", "It could not be judged, or no run's word covers the time. What was not observed is never up."),
    ("availability", "up / (up + down + maintenance), that is up / (all - unknown)."),
    ("reliability", "up / (up + down): scheduled maintenance is left out."),
    (
        "outage, incident",
        (
            "Down in runs one after the other, without time between them that no run's word covers. It begins and ends"
            " with the words of those runs, and with the month."
        ),
    ),
    ("mean time to repair", "The time of a server's outages, divided by how many there were."),
    (
        "lag",
        (
            "For how long a replica has been without something published. A percentile is the upper end of the bucket"
            " (0, 5, 15, 30 minutes, 1, 2, 4, 8, 12 hours, 1, 2, 4, 7 days) in which that share of the time is reached."
        ),
    ),
    ("availability of a repository", "It is down while no stratum 1 serves it as it should: clients fail over."),
    ("availability of stratum 1s", "The mean of theirs."),
    ("observed", "The share of the month that words of runs cover."),
    ("runs expected", "The seconds of the month, divided by the median interval between the runs that were made."),
)
