"""The visits of a run: all servers of a fleet at the same time, until all is read or the time is up."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial

from telegraf_cvmfs.memory.value import NOTHING, Memory
from telegraf_cvmfs.model import Fleet, Scrape, Stratum
from telegraf_cvmfs.net.fetch import Network
from telegraf_cvmfs.net.workers import in_parallel
from telegraf_cvmfs.scraping.members import all_members
from telegraf_cvmfs.scraping.quota import Quota
from telegraf_cvmfs.scraping.visit import Context, Inconsistent, Visit
from telegraf_cvmfs.words.log import Log


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
        done: told the name of each server that is finished, from any thread.
        memory: what earlier runs saw: a server's repositories are asked for even if its list cannot be read, and what
            was proved of late is not proved again.
        inconsistent: does what was read of a replica look so wrong that it is read once more before it is judged? A
            publication in the midst of a scrape looks like that.
    """
    context = Context(memory, started, inconsistent, Quota(fleet.verify_run))
    servers = all_members(fleet.servers, network, log)
    visits = [Visit(fleet, server, network, log, context) for server in servers]

    def visit_all() -> None:
        in_parallel([partial(_finish, visit, done) for visit in visits], len(visits))
        _read_overtaken(visits, fleet.connections_per_server)
        in_parallel([visit.prove_root_catalogs for visit in visits], len(visits))
        network.deadline.finish()

    threading.Thread(target=visit_all, daemon=True).start()
    network.deadline.wait()
    strata = tuple(visit.stratum() for visit in visits)
    return Scrape(fleet, started, strata, network.traffic, not all(visit.finished for visit in visits))


def probe(fleet: Fleet, now: datetime, network: Network, log: Log) -> tuple[Stratum, ...]:
    """Try each server once: its list, and one manifest. What is found is told, nothing is scraped."""
    context = Context(NOTHING, now, lambda _replica: False, Quota(0))
    visits = [Visit(fleet, server, network, log, context) for server in fleet.servers]
    in_parallel([visit.probe for visit in visits], len(visits))
    network.close()
    return tuple(visit.stratum() for visit in visits)


def _read_overtaken(visits: Sequence[Visit], width: int) -> None:
    """Read an original again if a replica seems to be ahead of it: it may have published after we read it."""
    newest: dict[str, int] = {}
    for visit in visits:
        for repo, revision in visit.revisions(source=False):
            newest[repo] = max(newest.get(repo, 0), revision)
    jobs = [partial(visit.read_overtaken, newest) for visit in visits]
    in_parallel(jobs, width)


def _finish(visit: Visit, done: Callable[[str], None]) -> None:
    visit.run()
    done(visit.server.label)
