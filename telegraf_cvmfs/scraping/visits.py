"""The visits of a run: all servers of a fleet at the same time, until all is read or the time is up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import datetime

from telegraf_cvmfs.memory.value import NOTHING, Memory
from telegraf_cvmfs.model import Fleet, Scrape, Stratum
from telegraf_cvmfs.net.network import Network
from telegraf_cvmfs.scraping.engine import Engine
from telegraf_cvmfs.scraping.job import Program, Stages
from telegraf_cvmfs.scraping.members import all_members
from telegraf_cvmfs.scraping.quota import Quota
from telegraf_cvmfs.scraping.visit import Context, Inconsistent, Visit
from telegraf_cvmfs.words.log import Log

SECONDS_PER_REPLICA = 0.0002
"""What judging and printing one takes, on a slow machine: it has to fit into the run's time too."""


def scrape(
    fleet: Fleet,
    started: datetime,
    network: Network,
    log: Log,
    *,
    done: Callable[[str], None] = lambda _name: None,
    memory: Memory = NOTHING,
    inconsistent: Inconsistent = lambda _replica: False,
) -> Scrape:
    """Visit every server of a fleet until all is read or the network's deadline passes.

    Args:
        fleet: what to scrape.
        started: when the run began (aware UTC); ages are reckoned from it.
        network: what the requests go through; it knows the deadline.
        log: told of what is our own fault; servers' faults are in the result.
        done: told the name of each server that is finished.
        memory: what earlier runs saw: a server's repositories are asked for even if its list cannot be read, and what
            was proved of late is not proved again.
        inconsistent: does what was read of a replica look so wrong that it is read once more before it is judged? A
            publication in the midst of a scrape looks like that.
    """
    context = Context(memory, started, inconsistent, Quota(fleet.verify_run))
    visits = [Visit(fleet, server, log, context) for server in all_members(fleet.servers, network, log)]

    def reserving(visit: Visit) -> Stages:
        known = 0
        for stage in visit.scraping():
            network.deadline.reserve((visit.size - known) * SECONDS_PER_REPLICA)
            known = visit.size
            yield stage

    def ended(visit: Visit) -> Callable[[], None]:
        return lambda: done(visit.server.label)

    with closing(network.transport()) as transport:
        engine = Engine(transport, network.deadline, fleet.connections_per_server)
        engine.run(Program(reserving(visit), visit.failed, ended(visit)) for visit in visits)
        newest = _newest(visits)
        engine.run(Program(visit.reading_overtaken(newest), visit.failed) for visit in visits)
        engine.run(Program(visit.proving(), visit.failed) for visit in visits)
    strata = tuple(visit.stratum() for visit in visits)
    return Scrape(fleet, started, strata, network.traffic, not all(visit.finished for visit in visits))


def probe(fleet: Fleet, now: datetime, network: Network, log: Log) -> tuple[Stratum, ...]:
    """Try each server once: its list, and one manifest. What is found is told, nothing is scraped."""
    context = Context(NOTHING, now, lambda _replica: False, Quota(0))
    visits = [Visit(fleet, server, log, context) for server in fleet.servers]
    with closing(network.transport()) as transport:
        Engine(transport, network.deadline, 1).run(Program(visit.probing(), visit.failed) for visit in visits)
    return tuple(visit.stratum() for visit in visits)


def _newest(visits: Sequence[Visit]) -> dict[str, int]:
    """The newest revision that a replica of each repository has: an original may be published after we read it."""
    newest: dict[str, int] = {}
    for visit in visits:
        for repo, revision in visit.revisions(source=False):
            newest[repo] = max(newest.get(repo, 0), revision)
    return newest
