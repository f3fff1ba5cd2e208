"""The questions that dashboards ask, written in PromQL for what the exporter tells.

A question is answered by one query for each column: the columns of a row have the same labels. What is about now is so
only while the run that it is from began no longer than `$fresh` seconds ago, a text file that nobody writes any more
would say the same for ever. Several exporters of one fleet count once. Names that are not written are refused with a
KeyError. What Prometheus does not have (sentences, hashes) is no column.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import singledispatch

from grafana.generator.question import (
    FLEET,
    Availability,
    Events,
    FoundNow,
    HowMany,
    LastRuns,
    Matrix,
    MostSerious,
    Names,
    Newest,
    NewestRun,
    OneNumber,
    OverTime,
    Question,
    Ranked,
    SilentFleets,
    TotalNow,
    TotalsOverTime,
    UnderMaintenance,
    ValuesOf,
    Where,
    Worst,
)
from telegraf_cvmfs.emit.prometheus import LABELS, REPLICA, STARTED, finding_metric, metric
from telegraf_cvmfs.model import FINDINGS, SEVERITY, Health, RootCatalogState, Signature, Subject
from telegraf_cvmfs.points.schema import FIELDS, FINDING, PUBLISH, REPO, REPOSITORY, SCRAPE, SERVER, TAGS

MONTH = "30d:5m"
"""Over what time availability is averaged, and in what steps."""

RECENT = "7d"
"""How far back the last run of a fleet is looked for."""

LABELS_OF_ROWS = tuple(TAGS[REPO])
"""The labels that a row may have."""

TIME = "Time"
"""The column that says when."""

_ABOUT = {REPO: REPLICA}
_SELECTORS = {REPO: "up", SERVER: "up", REPOSITORY: "replicas", SCRAPE: "servers"}
_CODES = {"result": "result_code", "signature": "signature_code", "root_catalog": "root_catalog_code"}
"""Words that are numbers here; the same scale has both."""

_NOT_HAD = {"problem", "root_hash", "published_behind", "served", "url"}


@dataclass(frozen=True)
class Column:
    """A column of an answer, or a curve: its name, and the query; without a name only the labels of its rows count."""

    name: str
    promql: str


@singledispatch
def columns(asked: Question) -> tuple[Column, ...]:
    """A question in PromQL, with Grafana's variables and macros; the first column has a row where there is anything."""
    raise TypeError(f"{asked} is no question that Prometheus can answer")


@columns.register
def _newest(asked: Newest) -> tuple[Column, ...]:
    if asked.measurement == SCRAPE:
        return tuple(_served(asked))
    chosen = " or ".join(_holds(asked.measurement, one, asked.of) for one in asked.only)
    return tuple(_table(asked.measurement, asked.columns, asked.of, chosen))


@columns.register
def _worst(asked: Worst) -> tuple[Column, ...]:
    measurement, tags = asked.measurement, _listed(TAGS[asked.measurement])
    quiet = _series(measurement, "maintenance", asked.of)
    wrong = f"{_once(measurement, _field(measurement, asked.severity, asked.of))} > 0 unless on ({tags}) {quiet} == 1"
    chosen = f"topk({asked.most}, {wrong})"
    return tuple(_table(measurement, (asked.severity, *asked.columns), asked.of, chosen))


@columns.register
def _ranked(asked: Ranked) -> tuple[Column, ...]:
    value = _once(asked.measurement, _now(_field(asked.measurement, asked.field, asked.of)))
    chosen = f"{asked.function}k({asked.most}, {value})"
    return tuple(_table(asked.measurement, (asked.field, *asked.columns), asked.of, chosen))


@columns.register
def _availability(asked: Availability) -> tuple[Column, ...]:
    available = _field(asked.measurement, "available", asked.of)
    shares = _once(asked.measurement, f"avg_over_time({available}[{MONTH}]) or {available}")  # a first step comes late
    return (Column("available", f"bottomk({asked.most}, {shares})"),)


@columns.register
def _last_runs(asked: LastRuns) -> tuple[Column, ...]:
    """Each column is as it last was, and so is when that was, in milliseconds."""
    fields = [name for name in asked.columns if name not in TAGS[SCRAPE]]
    numbers = [
        Column(name, f"max by (fleet) (last_over_time({_series(SCRAPE, name, FLEET)}[{RECENT}]))") for name in fields
    ]
    return (Column(TIME, f"max by (fleet) ({_started(RECENT)}) * 1000"), *numbers)


@columns.register
def _newest_run(_: NewestRun) -> tuple[Column, ...]:
    return (Column(TIME, f"max({_started(RECENT)}) * 1000"),)


@columns.register
def _under_maintenance(asked: UnderMaintenance) -> tuple[Column, ...]:
    servers, replicas = (_series(measurement, "maintenance", asked.of) for measurement in (SERVER, REPO))
    return (Column("", _once(REPO, _now(f"({servers} == 1 or {replicas} == 1)"))),)


@columns.register
def _matrix(asked: Matrix) -> tuple[Column, ...]:
    _known(asked.measurement, asked.by)
    severity = _with_maintenance(asked.measurement, asked.field, asked.of)
    return (Column(asked.field, f"max by ({_listed(asked.by)}) ({severity})"),)


@columns.register
def _most_serious(asked: MostSerious) -> tuple[Column, ...]:
    return (Column(asked.field, f"max({_with_maintenance(asked.measurement, asked.field, asked.of)})"),)


@columns.register
def _one_number(asked: OneNumber) -> tuple[Column, ...]:
    return (Column(asked.field, f"{asked.function}({_now(_field(asked.measurement, asked.field, asked.of))})"),)


@columns.register
def _found_now(asked: FoundNow) -> tuple[Column, ...]:
    """A query for each finding: what has none of them has no row."""
    return tuple(Column(slug, _once(_measurement(slug), _now(_found(slug, asked.of)))) for slug in asked.slugs)


@columns.register
def _how_many(asked: HowMany) -> tuple[Column, ...]:
    """`count` alone would give nothing both where none has it and where nothing was judged."""
    measurement = _measurement(asked.slug)
    found = f"count({_once(measurement, _now(_found(asked.slug, asked.of)))} < {int(Health.UNKNOWN)})"
    return (Column("found", f"{found} or count({_now(_series(measurement, 'health', asked.of))}) * 0"),)


@columns.register
def _total_now(asked: TotalNow) -> tuple[Column, ...]:
    return (Column(asked.field, f"sum({_once(SCRAPE, _now(_series(SCRAPE, asked.field, FLEET)))})"),)


@columns.register
def _silent_fleets(_: SilentFleets) -> tuple[Column, ...]:
    known = f"max by (fleet) ({_started(RECENT)})"
    return (Column("silent", f"count({known} < time() - $fresh) or count({known}) * 0"),)


@columns.register
def _over_time(asked: OverTime) -> tuple[Column, ...]:
    _known(asked.measurement, asked.by)
    value = _field(asked.measurement, asked.field, asked.of)
    if asked.only is not None:
        value = f"{value} and on ({_listed(TAGS[asked.measurement])}) {_holds(asked.measurement, asked.only, asked.of)}"
    return (
        Column(asked.field, f"{_FUNCTIONS.get(asked.function, asked.function)} by ({_listed(asked.by)}) ({value})"),
    )


@columns.register
def _totals_over_time(asked: TotalsOverTime) -> tuple[Column, ...]:
    return tuple(Column(field, f"sum({_once(SCRAPE, _series(SCRAPE, field, FLEET))})") for field in asked.fields)


@columns.register
def _events(asked: Events) -> tuple[Column, ...]:
    """A publication is a revision that is another than a moment ago."""
    if asked.measurement != PUBLISH:
        raise TypeError(f"{asked} is no question that Prometheus can answer")
    revision = _series(REPOSITORY, "revision", asked.of)
    return (Column("revision", _once(REPOSITORY, f"{revision} != {revision} offset $__interval")),)


def labels(asked: ValuesOf) -> str:
    """The query of a variable, as Grafana's Prometheus data source has it."""
    _known(asked.measurement, (asked.tag,))
    return f"label_values({_series(asked.measurement, _SELECTORS[asked.measurement], asked.of)}, {asked.tag})"


def shown_labels(asked: Question) -> Names:
    """The labels that are columns of a table, in the order asked for."""
    tags = {tag for measurement in TAGS for tag in TAGS[measurement]} | {"finding", *LABELS[SERVER]}
    return [name for name in shown_columns(asked) if name in tags]


def shown_columns(asked: Question) -> Names:
    """The columns of a table, in the order asked for: values that others are sorted or chosen by come first."""
    if isinstance(asked, Matrix):
        return (asked.field, *asked.by)
    names: Names = getattr(asked, "columns", ())
    others = [column.name for column in columns(asked) if column.name and column.name not in names]
    return (*names, *others) if isinstance(asked, FoundNow) else (*others, *names)


def _table(measurement: str, names: Names, of: Names, chosen: str) -> Iterator[Column]:
    """A column for each field that Prometheus has, where there is anything in `chosen`; labels come with each."""
    _known(measurement, names)
    only = f" and on ({_listed(TAGS[measurement])}) ({chosen})" if chosen else ""
    words = [name for name in LABELS.get(measurement, ()) if name in names]
    for name in dict.fromkeys(names):
        if name in (*TAGS[measurement], "finding", *words, *_NOT_HAD):
            continue
        yield Column(name, _once(measurement, f"{_now(_field(measurement, name, of))}{only}"))
    if "finding" in names:
        yield Column("", _first_finding(measurement, of, only))
    if words:
        info = f"{_about(measurement)}_info{_chosen(measurement, of)}"
        yield Column("", f"max by ({_listed((*TAGS[measurement], *words))}) ({_now(info)}{only})")


def _first_finding(measurement: str, of: Names, only: str) -> str:
    """The most serious finding of each, as a label; which of several that are equally serious is left open."""
    tags = _listed(TAGS[measurement])
    findings = f"{finding_metric(TAGS[measurement])}{_chosen(measurement, of)}"
    found = f"max by ({tags}, finding) ({_now(findings)})"
    return f"topk by ({tags}) (1, {_severity(found)}){only}"


def _served(asked: Newest) -> Iterator[Column]:
    """Of each fleet, how many repositories are served by all of their replicas, and how many by fewer."""
    served, had = (_once(REPOSITORY, _now(_series(REPOSITORY, name, asked.of))) for name in ("replicas_ok", "replicas"))
    none = f"count by (fleet) ({had}) * 0"
    yield Column("Served by all", f"count by (fleet) ({served} == {had}) or {none}")
    yield Column("Served by fewer", f"count by (fleet) ({served} < {had}) or {none}")


def _with_maintenance(measurement: str, field: str, of: Names) -> str:
    """What counts as now, in the order of seriousness; what is under maintenance is -1."""
    tags, worked_on = _listed(TAGS[measurement]), _series(measurement, "maintenance", of)
    return _now(f"({_field(measurement, field, of)} unless on ({tags}) {worked_on} == 1 or {worked_on} * -1)")


def _field(measurement: str, name: str, of: Names) -> str:
    """The value of a field, an age of what is a moment here, in the parentheses that it needs."""
    name = _CODES.get(name, name)
    _known(measurement, (name,))
    if name in _DERIVED:
        return f"({_DERIVED[name](measurement, of)})"
    if name == "whitelist_expires_in":
        hours = f"floor({_series(measurement, 'whitelist_expires', of)} / 3600)"  # clients compare whole hours only
        return f"({hours} * 3600 - time())"
    if name.endswith("_age") and (moment := _moment(measurement, name)):
        return f"(time() - {moment}{_chosen(measurement, of)})"
    return _series(measurement, name, of)


def _health_in_order(measurement: str, of: Names) -> str:
    return _severity(_series(measurement, "health", of))


def _available(measurement: str, of: Names) -> str:
    """1 or 0; nothing where it is unknown or under maintenance."""
    judged = f"({_series(measurement, 'health', of)} != {int(Health.UNKNOWN)}) < bool {int(Health.CRITICAL)}"
    return f"{judged} unless on ({_listed(TAGS[measurement])}) {_series(measurement, 'maintenance', of)} == 1"


def _maintenance(measurement: str, of: Names) -> str:
    base = _series(measurement, _SELECTORS[measurement], of)
    return f"{_series(measurement, 'maintenance', of)} or {base} * 0"


def _http_status(measurement: str, of: Names) -> str:
    """Where the list or the manifest was read there is no sample, and it came with a 200."""
    read = f"({_series(measurement, 'result_code', of)} == 0)"
    return f"{_series(measurement, 'http_status', of)} or {read} + 200"


_DERIVED: Mapping[str, Callable[[str, Names], str]] = {
    "severity": _health_in_order,
    "available": _available,
    "maintenance": _maintenance,
    "http_status": _http_status,
}
"""Fields that are made of others here."""

_FUNCTIONS = {"mean": "avg"}
"""What is called otherwise than in InfluxQL."""


def _moment(measurement: str, age: str) -> str | None:
    """The metric of the moment whose age this is; None for an age that is told as one."""
    what = age.removesuffix("_age")
    names = (age, what, f"last_{what}")
    metrics = (metric(measurement, field) for field in FIELDS[measurement] if field.name in names)
    return next((name for name in metrics if name and name.endswith("_timestamp_seconds")), None)


def _severity(health: str) -> str:
    """A health in the order of seriousness."""
    orders = " + ".join(
        f"({health} == bool {int(one)}) * {SEVERITY.index(one)}" for one in Health if SEVERITY.index(one)
    )
    return f"({orders})"


def _holds(measurement: str, where: Where, of: Names) -> str:
    """What fulfils a condition, with the labels of the measurement."""
    what = where.field.removesuffix("_ok")
    if where.field == "diverged":
        return f"{_found(where.field, of)} {where.sign} {where.value}"
    if where.field != what and what in _CODES:
        kinds: tuple[Signature | RootCatalogState, ...] = (*Signature,) if what == "signature" else (*RootCatalogState,)
        wrong = [one.code for one in kinds if _is_ok(one) is bool(where.value)]
        code = _series(measurement, _CODES[what], of)
        return " or ".join(f"{code} == {one}" for one in wrong)
    return f"{_field(measurement, where.field, of)} {'==' if where.sign == '=' else where.sign} {where.value}"


def _is_ok(state: Signature | RootCatalogState) -> bool | None:
    if isinstance(state, Signature):
        return state.ok
    return None if state is RootCatalogState.NOT_CHECKED else state is RootCatalogState.OK


def _found(slug: str, of: Names) -> str:
    measurement = _measurement(slug)
    name = f'finding="{slug}"'
    return f"{finding_metric(TAGS[measurement])}{_chosen(measurement, of, name)}"


def _measurement(slug: str) -> str:
    return {Subject.SERVER: SERVER, Subject.REPLICA: REPO, Subject.REPOSITORY: REPOSITORY}[FINDINGS[slug].about]


def _now(value: str) -> str:
    return f"{value} and on (fleet) ({STARTED} >= time() - $fresh)"


def _started(within: str) -> str:
    return f"last_over_time({STARTED}{_chosen(SCRAPE, FLEET)}[{within}])"


def _once(measurement: str, value: str) -> str:
    """However many exporters tell of it."""
    return f"max by ({_listed(TAGS[measurement])}) ({value})"


def _series(measurement: str, name: str, of: Names) -> str:
    found = next((metric(measurement, field) for field in FIELDS[measurement] if field.name == name), None)
    if found is None:
        raise KeyError(f"{measurement} has no {name} in Prometheus")
    return f"{found}{_chosen(measurement, of)}"


def _about(measurement: str) -> str:
    return _ABOUT.get(measurement, measurement)


def _chosen(measurement: str, variables: Names, *others: str) -> str:
    """In back quotes, where a backslash needs no other: Grafana puts in what is chosen as a regular expression."""
    _known(measurement, variables)
    chosen = ", ".join([*(f"{tag}=~`${{{tag}:regex}}`" for tag in variables), *others])
    return f"{{{chosen}}}" if chosen else ""


def _known(measurement: str, names: Names) -> None:
    fields = {field.name for field in FIELDS[measurement]} | {field.name for field in FIELDS[FINDING]}
    if strangers := set(names) - fields - set(TAGS[measurement]):
        raise KeyError(f"{measurement} has no {sorted(strangers)}")


def _listed(names: Names) -> str:
    return ", ".join(names)
