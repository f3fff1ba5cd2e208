"""One finished run as a page for a person: how the fleet serves, its servers, what is wrong, and the repositories.

What is wrong is told once for each cause, so that a bad server is a few lines and not a screen for each hour that it
sleeps. Every line is complete in itself (how serious, where, what); the words carry the meaning, colours repeat it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from telegraf_cvmfs.emit.causes import causes, windows
from telegraf_cvmfs.emit.phrases import WORDS, counts, facts, hosts, newest, rank, together
from telegraf_cvmfs.emit.table import Row, lines
from telegraf_cvmfs.emit.view import EVERYTHING, View
from telegraf_cvmfs.model import Health, ReplicaVerdict, RepositoryVerdict, Run, ServerVerdict, worst
from telegraf_cvmfs.words.maintenance import until_and_why
from telegraf_cvmfs.words.served import by_repository, by_whom, in_one_phrase
from telegraf_cvmfs.words.text import listed

MAINTENANCE = "maintenance"
"""Stands where a health would, of what is under maintenance."""

_MOST_ROWS = 20
"""So many servers, and so many repositories, have a line each; of more, those that are alike share one."""


def render(run: Run, view: View = EVERYTHING) -> str:
    """The page for one run, or for the part of it that is asked for, ending with a newline."""
    shown = view.of(run)
    repositories = _replicas(shown) if view.each else _repositories(shown)
    return lines((_summary(run, shown, view), _servers(shown), _causes(shown, view), repositories), view)


# --- the fleet and its servers ------------------------------------------------------------------------


def _summary(run: Run, shown: Run, view: View) -> Iterator[Row]:
    """The whole fleet, also where a part of it is shown."""
    when = run.started.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    up = sum(server.stratum.up for server in run.servers)
    yield Row(_overall(run), ("fleet",), in_one_phrase(run.repositories))
    yield Row("", ("run",), f"{run.fleet.name}, {when}, took {run.duration.total_seconds():.1f}s")
    yield Row(
        "", ("servers",), f"{up} of {len(run.servers)} up{_at_work(run.servers)}" if run.servers else "none to ask"
    )
    yield Row("", ("replicas",), _tally(run.replicas))
    if view.narrow:
        repos = f"{len(by_repository(shown))} of {len(by_repository(run))} repositories"
        yield Row("", ("shown",), f"{len(shown.servers)} of {len(run.servers)} servers, {repos}")
    if run.deadline_hit:
        yield Row("warning", ("time",), "the run's time was up before everything was read")
    if run.interrupted:
        yield Row("warning", ("time",), f"{run.interrupted} ended the run before everything was read")


def _servers(run: Run) -> Iterator[Row]:
    """Each server with the verdict of the whole, worst first; of many those that are well share a line."""
    servers = sorted(run.servers, key=lambda server: -rank(server.status))
    well = [one for one in servers if one.status is Health.OK and not one.maintenance]
    well = well if len(servers) > _MOST_ROWS else []
    for server in servers:
        if server not in well:
            yield _server(server)
    if well:
        replicas = _tally([one for server in well for one in server.replicas])
        yield Row(WORDS[Health.OK], (f"{len(well)} servers", ""), f"replicas: {replicas}")


def _server(verdict: ServerVerdict) -> Row:
    server = verdict.stratum.server
    up = "" if verdict.stratum.up else "not up; " if verdict.health is Health.CRITICAL else "not read; "
    return Row(
        _word(verdict, verdict.status), (server.label, server.role.value), f"{up}replicas: {_tally(verdict.replicas)}"
    )


def _causes(run: Run, view: View) -> Iterator[Row]:
    """What is wrong, each cause once. Where each replica has lines of its own, they tell what is wrong with it."""
    for window, (servers, repos) in windows(run).items():
        names = (servers[0] if len(servers) == 1 else f"{len(servers)} servers",)
        of_what = f" (only {listed(repos)})" if repos else ""
        yield Row(MAINTENANCE, names, until_and_why(window) + of_what)
    for cause in causes(run):
        if view.each and cause.repos and cause.servers:
            continue
        if len(cause.servers) <= 1:
            yield Row(WORDS[cause.health], cause.servers or ("clients",), cause.sentence)
        else:
            text = f"{cause.sentence} ({listed(cause.servers)})"
            yield Row(WORDS[cause.health], (f"{len(cause.servers)} servers",), text)


# --- the repositories ---------------------------------------------------------------------------------


def _repositories(run: Run) -> Iterator[Row]:
    """Each with who serves it well, worst first; of many those that are served alike share a line."""
    repos = _worst_first(run.repositories)
    if len(repos) > _MOST_ROWS:
        yield from _alike(repos)
        return
    replicas = by_repository(run)
    for one in repos:
        yield Row(_word(one, one.health), (one.repo, by_whom(one)), _in_one_line(replicas[one.repo], run.started))


def _word(verdict: ServerVerdict | ReplicaVerdict | RepositoryVerdict, health: Health | None) -> str:
    return MAINTENANCE if verdict.maintenance else WORDS[health]


def _worst_first(repositories: Iterable[RepositoryVerdict]) -> list[RepositoryVerdict]:
    """Of equally serious ones those first that the fewest serve."""
    return sorted(repositories, key=lambda one: (-rank(one.health), one.replicas_ok - len(one.replicas), one.repo))


def _alike(repos: Sequence[RepositoryVerdict]) -> Iterator[Row]:
    groups: dict[tuple[str, str], list[str]] = {}
    for one in repos:
        groups.setdefault((_word(one, one.health), by_whom(one)), []).append(one.repo)
    for (word, phrase), names in groups.items():
        yield Row(word, (f"{len(names)} repositories", phrase), listed(names))


def _in_one_line(verdicts: Sequence[ReplicaVerdict], now: datetime) -> str:
    """What those have that are well, and where it is not well."""
    well = [verdict for verdict in verdicts if verdict.health is Health.OK]
    others = [verdict for verdict in verdicts if verdict.health is not Health.OK and not verdict.maintenance]
    told = [
        f"{WORDS[health]} on {listed(hosts(one for one in others if one.health is health))}"
        for health in sorted({one.health for one in others}, key=rank, reverse=True)
    ]
    if at_work := [verdict for verdict in verdicts if verdict.maintenance and verdict.health is not Health.OK]:
        told.append(f"{MAINTENANCE} on {listed(hosts(at_work))}")
    return "; ".join((together(well, now) if well else newest(verdicts, now), *told))


def _replicas(run: Run) -> Iterator[Row]:
    """Each repository with each of its replicas, worst first, and all that is wrong with it."""
    replicas = by_repository(run)
    for one in _worst_first(run.repositories):
        verdicts = replicas[one.repo]
        yield Row(_word(one, one.health), (one.repo, by_whom(one)), newest(verdicts, run.started, named=True))
        for verdict in sorted(verdicts, key=lambda verdict: -rank(verdict.health)):
            yield from _replica(verdict, run.started)


def _replica(verdict: ReplicaVerdict, now: datetime) -> Iterator[Row]:
    names = (verdict.replica.repo, verdict.replica.server.label)
    yield Row(_word(verdict, verdict.health), names, facts(verdict, now), 1)
    for finding in verdict.findings:
        yield Row(_word(verdict, finding.health), names, f"{finding.slug}: {finding.problem}", 2)


# --- verdicts of the whole ----------------------------------------------------------------------------


def _tally(verdicts: Sequence[ReplicaVerdict]) -> str:
    if not verdicts:
        return "none known"
    return (counts(one.health for one in verdicts if not one.maintenance) + _at_work(verdicts)).removeprefix(", ")


def _at_work(verdicts: Sequence[ServerVerdict | ReplicaVerdict]) -> str:
    at_work = sum(one.maintenance is not None for one in verdicts)
    return f", {at_work} {MAINTENANCE}" if at_work else ""


def _overall(run: Run) -> str:
    """The fleet in one word; of a fleet without servers nothing is known."""
    if run.servers and all(server.maintenance for server in run.servers):
        return MAINTENANCE
    repositories = (one.health for one in run.repositories if one.health is not None)
    return WORDS[worst((*(server.status for server in run.servers), *repositories)) if run.servers else Health.UNKNOWN]
