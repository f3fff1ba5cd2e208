"""The run: all servers of a fleet side by side, until all is read or the time is up."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial

from telegraf_cvmfs.memory.value import NOTHING, Memory
from telegraf_cvmfs.model import Fleet, Scrape, Stratum
from telegraf_cvmfs.net.fetch import Network
from telegraf_cvmfs.net.workers import side_by_side
from telegraf_cvmfs.scraping.allowance import Allowance
from telegraf_cvmfs.scraping.members import all_members
from telegraf_cvmfs.scraping.reader import Complain
from telegraf_cvmfs.scraping.visit import Doubt, Past, Visit


def scrape(
    fleet: Fleet,
    started: datetime,
    network: Network,
    complain: Complain,
    *,
    done: Callable[[str], None] = lambda _name: None,
    memory: Memory = NOTHING,
    doubt: Doubt = lambda _replica: False,
) -> Scrape:
    """Visit every server of a fleet until all is read or the network's deadline passes.

    Args:
        fleet: what to scrape.
        started: when the run began (aware UTC); ages are reckoned from it.
        network: what the requests go through; it knows the deadline.
        complain: told of what is our own fault; servers' faults are in the result.
        done: told the name of each server that is finished, from any thread.
        memory: what earlier runs saw: a server's repositories are asked for even if its list cannot be read, and what
            was proved of late is not proved again.
        doubt: does what was read of a replica look so wrong that it is read once more before it is judged? A
            publication in the midst of a scrape looks like that.
    """
    past = Past(memory, started, doubt, Allowance(fleet.verify_run))
    servers = all_members(fleet.servers, network, complain)
    visits = [Visit(fleet, server, network, complain, past) for server in servers]

    def visit_all() -> None:
        side_by_side([partial(_finish, visit, done) for visit in visits], len(visits))
        _read_overtaken(visits, fleet.connections_per_server)
        side_by_side([visit.prove_root_catalogs for visit in visits], len(visits))
        network.deadline.finish()

    threading.Thread(target=visit_all, daemon=True).start()
    network.deadline.wait()
    strata = tuple(visit.stratum() for visit in visits)
    return Scrape(fleet, started, strata, network.traffic, not all(visit.finished for visit in visits))


def knock(fleet: Fleet, now: datetime, network: Network, complain: Complain) -> tuple[Stratum, ...]:
    """Try each server once: its list, and one manifest. What is found is told, nothing is scraped."""
    past = Past(NOTHING, now, lambda _replica: False, Allowance(0))
    visits = [Visit(fleet, server, network, complain, past) for server in fleet.servers]
    side_by_side([visit.knock for visit in visits], len(visits))
    network.close()
    return tuple(visit.stratum() for visit in visits)


def _read_overtaken(visits: Sequence[Visit], width: int) -> None:
    """Read an original again if a replica seems to be ahead of it: it may have published after we read it."""
    newest: dict[str, int] = {}
    for visit in visits:
        for repo, revision in visit.revisions(source=False):
            newest[repo] = max(newest.get(repo, 0), revision)
    jobs = [partial(visit.read_overtaken, newest) for visit in visits]
    side_by_side(jobs, width)


def _finish(visit: Visit, done: Callable[[str], None]) -> None:
    visit.run()
    done(visit.server.label)
