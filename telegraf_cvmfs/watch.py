"""One look at a fleet: all servers asked, all that they served judged, one `Run`. Everything downstream starts here."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from functools import partial

from telegraf_cvmfs.assess.verdicts import assess
from telegraf_cvmfs.emit.line_protocol import render
from telegraf_cvmfs.memory.value import NOTHING, Memory
from telegraf_cvmfs.model import Fleet, Run, Scrape, Signature, Stratum
from telegraf_cvmfs.net.deadline import Deadline
from telegraf_cvmfs.net.names import Names
from telegraf_cvmfs.net.network import Network
from telegraf_cvmfs.scraping import visits
from telegraf_cvmfs.trust.judge import Judge
from telegraf_cvmfs.trust.keys import Keyring
from telegraf_cvmfs.words.log import Log
from telegraf_cvmfs.words.progress import Moved, unmoved


def watch(  # noqa: PLR0913  # a run has that many sides; four may be left out
    fleet: Fleet,
    started: datetime,
    deadline: Deadline,
    log: Log,
    *,
    keyring: Keyring | None = None,
    memory: Memory = NOTHING,
    names: Names | None = None,
    moved: Moved = unmoved,
) -> Run:
    """Scrape a fleet until all is read or the deadline passes, and judge it as of the moment it began.

    Args:
        fleet: what to scrape.
        started: when the run begins (aware UTC); ages are reckoned from it.
        deadline: when it ends at the latest; the fleet's own deadline is not looked at.
        log: told of what is this program's own fault; servers' faults are in the run.
        keyring: the master keys of the fleet; by default its files are read here.
        memory: what earlier runs saw.
        names: look-ups of host names that are shared with other runs.
        moved: told how far it is, one repository after the other, from any thread.

    Raises:
        ConfigError: a key file of the fleet cannot be read.
    """
    began = time.monotonic()
    keyring = keyring or Keyring(fleet, log)
    judge = Judge(keyring, memory.verified)
    inconsistent = partial(judge.inconsistent, now=started)
    network = _network(fleet, deadline, names)

    def concluded(seen: Scrape) -> Run:
        return assess(seen, timedelta(seconds=time.monotonic() - began), memory, judge.judge)

    seen = visits.scrape(
        fleet,
        started,
        network,
        log,
        moved=moved,
        memory=memory,
        inconsistent=inconsistent,
        conclude=lambda seen: render(concluded(seen)),
    )
    run = concluded(seen)
    judged = [one for one in run.replicas if one.trust]
    without = {one.replica.repo for one in judged if one.trust and one.trust.signature is Signature.NO_KEY}
    if problem := keyring.lacks(without, among=len({one.replica.repo for one in judged})):
        log(f"W! {problem}")
    return run


def scrape(fleet: Fleet, started: datetime, deadline: Deadline, log: Log, *, names: Names | None = None) -> Scrape:
    """What the servers serve, without keys, memory or verdicts; arguments as those of `watch`."""
    return visits.scrape(fleet, started, _network(fleet, deadline, names), log)


def probe(fleet: Fleet, started: datetime, deadline: Deadline, log: Log) -> tuple[Stratum, ...]:
    """Each server tried once: its list, one manifest and what signs it; arguments as those of `watch`."""
    return visits.probe(fleet, started, _network(fleet, deadline), log)


def _network(fleet: Fleet, deadline: Deadline, names: Names | None = None) -> Network:
    network = Network(deadline, fleet.connections_per_server, fleet.proxy, names, fleet.transport)
    for server in fleet.servers:
        network.proxy_for(server.url)  # one that is none is an error of ours, and not the server's
    return network
