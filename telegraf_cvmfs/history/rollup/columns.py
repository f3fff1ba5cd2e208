"""The tables of what is added up: what each column is of one run's row, and how spans are put together.

A row of one run is a rollup of that run alone: to add up is to put together, the same for runs, hours, days, months.
Counts and times are summed; not percentiles are kept, but the histograms that they are read from. The first and the
last revision and snapshot of each span are carried: what happened between two spans is counted where they are joined.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from telegraf_cvmfs.points.schema import REPO, REPOSITORY, SCRAPE, SERVER

LAGS = (0, *(minutes * 60 for minutes in (5, 15, 30)), *(hours * 3600 for hours in (1, 2, 4, 8, 12, 24, 48, 96, 168)))
"""Seconds up to which a lag is counted together with others; what is longer is in a last bucket."""

INTERVALS = tuple(minutes * 60 for minutes in (5, 10, 15, 20, 30, 60, 120, 240, 480, 1440, 2880))
"""Seconds up to which times between two snapshots are counted together; what is longer is in a last bucket."""

STATES = ("up", "down", "maintenance", "unknown")
STATE = """
    CASE WHEN maintenance = 1 THEN 'maintenance' WHEN health IN (0, 1) THEN 'up'
         WHEN health = 2 THEN 'down' ELSE 'unknown' END
"""
"""In which of them a row of a run is."""

SECONDS = "DECIMAL(18,6)"
"""Exact, so that the order in which spans are put together is of no influence."""

_HEALTHS = ("ok", "warning", "critical", "unknown")


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name and type in DuckDB, and two SQL expressions: of a run's row, and of rows put together."""

    name: str
    type: str
    of_run: str
    together: str


@dataclass(frozen=True, slots=True)
class Form:
    """A table: of which rows of a run it is made, by which columns rows are told apart, and what is added up."""

    measurements: tuple[str, ...]
    where: str
    keys: Mapping[str, str]
    columns: Sequence[Column]
    carried: tuple[str, ...] = ()
    """What has a first and a last in each span."""

    def types(self) -> dict[str, str]:
        """All columns with their types."""
        keys = {name: "TIMESTAMPTZ" if name == "run" else "VARCHAR" for name in self.keys}
        return keys | {one.name: one.type for one in self.columns}


def _sum(name: str, of_run: str, kind: str = "BIGINT") -> Column:
    return Column(name, kind, of_run, f"sum({name})")


def _least(name: str, of_run: str, kind: str = "BIGINT") -> Column:
    return Column(name, kind, of_run, f"min({name})")


def _most(name: str, of_run: str, kind: str = "BIGINT") -> Column:
    return Column(name, kind, of_run, f"max({name})")


def _own(value: str) -> str:
    return f"CASE WHEN own THEN {value} END"


_BY = "greatest(first_revision - before_revision, 0)"
_ONCE = "(first_snapshot > before_snapshot)::INT"


def _carried(noun: str, field: str, grown: str) -> Iterator[Column]:
    """The first and last value of a number that grows, and how much it did; `before_…` is of the span before."""
    yield Column(f"first_{noun}", "BIGINT", _own(field), f"arg_min(first_{noun}, first_run)")
    yield Column(f"last_{noun}", "BIGINT", _own(field), f"arg_max(last_{noun}, last_run)")
    yield Column(f"{noun}s", "BIGINT", "0", f"sum({noun}s + coalesce({grown}, 0))")


def _times_between() -> Iterator[Column]:
    time = "first_snapshot - before_snapshot"
    for name, within in _buckets("interval", INTERVALS, time):
        yield Column(name, "BIGINT", "0", f"sum({name} + coalesce(({time} > 0 AND {within})::INT, 0))")


def _lags() -> Iterator[Column]:
    yield _least("lag_min", "lag")
    yield _most("lag_max", "lag")
    for name, within in _buckets("lag", LAGS, "lag"):
        yield _sum(name, f"CASE WHEN {within} THEN seconds ELSE 0 END", SECONDS)


def lag_columns() -> list[str]:
    """The columns of the histogram of lags, seconds of time, in the order of `LAGS`; the last is of longer ones."""
    return [name for name, _ in _buckets("lag", LAGS, "lag")]


def interval_columns() -> list[str]:
    """The columns of the histogram of times between snapshots, in the order of `INTERVALS`."""
    return [name for name, _ in _buckets("interval", INTERVALS, "")]


def _buckets(noun: str, bounds: Sequence[int], value: str) -> Iterator[tuple[str, str]]:
    yield f"{noun}_le_{bounds[0]}", f"{value} <= {bounds[0]}"
    for lower, upper in pairwise(bounds):
        yield f"{noun}_le_{upper}", f"{value} > {lower} AND {value} <= {upper}"
    yield f"{noun}_more", f"{value} > {bounds[-1]}"


_JUDGED = (
    _least("first_run", _own("run"), "TIMESTAMPTZ"),
    _most("last_run", _own("run"), "TIMESTAMPTZ"),
    _sum("runs", "own::INT"),
    *(_sum(f"runs_{state}", f"(own AND state = '{state}')::INT") for state in STATES),
    *(_sum(f"health_{word}", f"(own AND coalesce(health, 3) = {number})::INT") for number, word in enumerate(_HEALTHS)),
    *(_sum(f"seconds_{state}", f"CASE WHEN state = '{state}' THEN seconds ELSE 0 END", SECONDS) for state in STATES),
)
_FLEET = {"fleet": "fleet"}
_SERVER = {"fleet": "fleet", "role": "role", "server": "server", "address": "coalesce(address, '')"}
_REPLICA = _SERVER | {"repo": "repo", "alias": "coalesce(alias, '')"}

SERVERS = Form(
    (SERVER,),
    "true",
    _SERVER,
    (
        *_JUDGED,
        _sum("geoapi_ok", "(own AND coalesce(geoapi_ok, 0) = 1)::INT"),
        _sum("geoapi_not_ok", "(own AND coalesce(geoapi_ok, 1) = 0)::INT"),
    ),
)
REPLICAS = Form(
    (REPO,),
    "health IS NOT NULL",
    _REPLICA,
    (
        *_JUDGED,
        *_lags(),
        *_carried("revision", "revision", _BY),
        *_carried("snapshot", "last_snapshot", _ONCE),
        *_times_between(),
    ),
    ("revision", "snapshot"),
)
REPOSITORIES = Form(
    (REPOSITORY,),
    "true",
    {"fleet": "fleet", "repo": "repo"},
    (
        *_JUDGED,
        _sum("served", "coalesce(seconds * replicas_ok, 0)", SECONDS),
        _sum("should", "coalesce(seconds * replicas, 0)", SECONDS),
        _least("served_least", "replicas_ok"),
        *_carried("revision", "revision", _BY),
    ),
    ("revision",),
)
RUNS = Form(
    (SCRAPE,),
    "true",
    _FLEET | {"run": "run"},
    (
        _least("begins", "begins", "TIMESTAMPTZ"),
        _most("ends", "ends", "TIMESTAMPTZ"),
        _most("changed", _own("changed::INT")),
        *(_most(name, name) for name in ("requests", "failures", "deadline_hit", "interrupted")),
        _most("duration", "duration", "DOUBLE"),
    ),
)
OUTAGES = Form(
    (SERVER, REPO, REPOSITORY),
    f"{STATE} = 'down' AND seconds > 0",
    {"kind": f"CASE measurement WHEN '{SERVER}' THEN 'server' WHEN '{REPO}' THEN 'replica' ELSE 'repository' END"}
    | {name: f"coalesce({name}, '')" for name in ("fleet", "role", "server", "address", "repo", "alias")},
    (
        _least("begins", "begins", "TIMESTAMPTZ"),
        _most("ends", "ends", "TIMESTAMPTZ"),
        Column("finding", "VARCHAR", "coalesce(finding, '')", "arg_min(finding, begins)"),
        Column("problem", "VARCHAR", "coalesce(problem, '')", "arg_min(problem, begins)"),
    ),
)
"""What touches is one outage, which has its first words: see `table`."""

FORMS: Mapping[str, Form] = {
    "servers": SERVERS,
    "replicas": REPLICAS,
    "repositories": REPOSITORIES,
    "runs": RUNS,
    "outages": OUTAGES,
}

READ: Mapping[str, str] = (
    dict.fromkeys(("fleet", "role", "server", "address", "repo", "alias", "finding", "problem"), "VARCHAR")
    | dict.fromkeys(
        (
            *("health", "maintenance", "lag", "revision", "last_snapshot", "geoapi_ok", "replicas", "replicas_ok"),
            *("deadline_hit", "interrupted", "requests", "failures"),
        ),
        "BIGINT",
    )
    | {"duration": "DOUBLE"}
)
"""What is read of a run's rows, and its type; none of them differs between measurements."""
