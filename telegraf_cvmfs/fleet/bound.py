"""How much servers can make one run print: so many replicas, those of the largest servers are cut first. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from telegraf_cvmfs.fleet.targets import named_for
from telegraf_cvmfs.model import Fleet, Replica, Stratum
from telegraf_cvmfs.words.log import Log
from telegraf_cvmfs.words.text import listed

MOST_REPLICAS = 30_000
"""Of all servers together: what one run prints, and what the next remembers of it."""


def bounded(fleet: Fleet, strata: Sequence[Stratum], log: Log) -> tuple[Stratum, ...]:
    """The strata with as many replicas as one run may have; the log is told where there were more.

    No server takes the place of a smaller one. On each, what the fleet file names stays first, then what its list has
    first.
    """
    sizes = [len(stratum.replicas) for stratum in strata]
    if sum(sizes) <= MOST_REPLICAS:
        return tuple(strata)
    most = _most_of_each(sizes)
    cut = [stratum.server.label for stratum in strata if len(stratum.replicas) > most]
    log(f"W! {listed(cut)}: more than {MOST_REPLICAS} replicas in all; of each of these {most} are looked at, no more")
    return tuple(replace(stratum, replicas=_first(fleet, stratum, most)) for stratum in strata)


def _most_of_each(sizes: Iterable[int]) -> int:
    """What is left to each of the largest when all smaller ones have what they want."""
    left, largest = MOST_REPLICAS, sorted(sizes)
    while largest[0] * len(largest) <= left:  # ends before all are gone: together they want more
        left -= largest.pop(0)
    return left // len(largest)


def _first(fleet: Fleet, stratum: Stratum, most: int) -> tuple[Replica, ...]:
    if len(stratum.replicas) <= most:
        return stratum.replicas
    named = set(named_for(fleet, stratum.server))
    return tuple(sorted(stratum.replicas, key=lambda replica: replica.repo not in named)[:most])
