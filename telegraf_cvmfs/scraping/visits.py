"""The visits of a run: all servers of a fleet at the same time, until all is read or the time is up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import datetime

from telegraf_cvmfs.fleet.bound import bounded
from telegraf_cvmfs.memory.value import NOTHING, Memory
from telegraf_cvmfs.model import Fleet, Scrape, Stratum
from telegraf_cvmfs.net.network import Network
from telegraf_cvmfs.scraping.asking.engine import Engine
from telegraf_cvmfs.scraping.asking.job import Program
from telegraf_cvmfs.scraping.context import Context, Inconsistent
from telegraf_cvmfs.scraping.members import all_members
from telegraf_cvmfs.scraping.proof import Quota
from telegraf_cvmfs.scraping.reserve import Reserve
from telegraf_cvmfs.scraping.visit import Visit
from telegraf_cvmfs.words.log import Log
from telegraf_cvmfs.words.progress import Moved, unmoved


def scrape(  # noqa: PLR0913  # a run has that many sides; four may be left out
    fleet: Fleet,
    started: datetime,
    network: Network,
    log: Log,
    *,
    moved: Moved = unmoved,
    memory: Memory = NOTHING,
    inconsistent: Inconsistent = lambda _replica: False,
    conclude: Callable[[Scrape], object] = lambda _seen: None,
) -> Scrape:
    """Visit every server of a fleet until all is read or the network's deadline passes.

    Args:
        fleet: what to scrape.
        started: when the run began (aware UTC); ages are reckoned from it.
        network: what the requests go through; it knows the deadline.
        log: told of what is our own fault; servers' faults are in the result.
        moved: told how far it is, one repository after the other.
        memory: what earlier runs saw: a server's repositories are asked for even if its list cannot be read, and what
            was proved of late is not proved again.
        inconsistent: does what was read of a replica look so wrong that it is read once more before it is judged? A
            publication in the midst of a scrape looks like that.
        conclude: makes of a part of the scrape what is made of all of it in the end; the time for that is kept.
    """
    context = Context(memory, started, inconsistent, Quota(fleet.verify_run), moved=moved)
    visits = [Visit(fleet, server, log, context) for server in all_members(fleet.servers, network, log)]

    def strata() -> tuple[Stratum, ...]:
        return tuple(visit.stratum() for visit in visits)

    def part(sample: tuple[Stratum, ...]) -> object:
        return conclude(Scrape(fleet, started, sample))

    with closing(network.transport()) as transport:
        reserve = Reserve(network.deadline, part, strata)
        engine = Engine(transport, network.deadline, fleet.connections_per_server, fleet.pause, reserve.measure)
        engine.run(Program(visit.scraping(), visit.failed, visit.progress.ends) for visit in visits)
        newest = _newest(visits)
        engine.run(Program(visit.reading_overtaken(newest), visit.failed) for visit in visits)
        engine.run(Program(visit.proving(), visit.failed) for visit in visits)
    if network.lacked:
        log(f"E! {'; '.join(network.lacked)}")
    finished = all(visit.finished for visit in visits)
    signal = "" if finished else network.deadline.interrupted
    return Scrape(fleet, started, bounded(fleet, strata(), log), network.traffic, not (finished or signal), signal)


def probe(fleet: Fleet, now: datetime, network: Network, log: Log) -> tuple[Stratum, ...]:
    """Try each server once: its list, and one manifest. What is found is told, nothing is scraped."""
    context = Context(NOTHING, now, lambda _replica: False, Quota(0))
    visits = [Visit(fleet, server, log, context) for server in fleet.servers]
    with closing(network.transport()) as transport:
        Engine(transport, network.deadline, 1, fleet.pause).run(
            Program(visit.probing(), visit.failed) for visit in visits
        )
    if network.lacked:
        log(f"E! {'; '.join(network.lacked)}")
    return tuple(visit.stratum() for visit in visits)


def _newest(visits: Sequence[Visit]) -> dict[str, int]:
    """The newest revision that a replica of each repository has: an original may be published after we read it."""
    newest: dict[str, int] = {}
    for visit in visits:
        for repo, revision in visit.revisions(source=False):
            newest[repo] = max(newest.get(repo, 0), revision)
    return newest
