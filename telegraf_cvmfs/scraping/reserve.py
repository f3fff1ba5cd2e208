"""The time of a run that is kept for judging and printing: what they take of some of it, measured as the run goes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from telegraf_cvmfs.model import Stratum
from telegraf_cvmfs.net.deadline import Deadline

Conclude = Callable[[tuple[Stratum, ...]], object]
"""Makes of servers, as they are known, what a run prints in the end."""

SAMPLE = 300
"""Of about so many replicas, those of whole servers, the time is measured."""

MARGIN = 1.3
"""What a machine may be slower later, and so many objects slower than few."""

_LAST = 0.2  # seconds before the end: measuring again would itself cost them


class Reserve:
    """Measures when half of the time is over, then when half of the rest is: a quick run does not pay for it."""

    def __init__(self, deadline: Deadline, conclude: Conclude, known: Callable[[], Sequence[Stratum]]) -> None:
        """`known` are all servers as they are known at that moment."""
        self._deadline = deadline
        self._conclude = conclude
        self._known = known
        self._next = deadline.remaining / 2

    def measure(self) -> None:
        """Keep the time that is needed, if it is the moment to measure it."""
        left = self._deadline.remaining
        if left >= self._next or left < _LAST:
            return
        strata = self._known()
        replicas = sum(len(stratum.replicas) for stratum in strata)
        sample = tuple(strata[:: max(replicas // SAMPLE, 1)])
        began = time.monotonic()
        self._conclude(sample)
        parts = (replicas + len(strata)) / sum(len(stratum.replicas) + 1 for stratum in sample)
        self._deadline.reserve((time.monotonic() - began) * parts * MARGIN)
        self._next = self._deadline.remaining / 2
