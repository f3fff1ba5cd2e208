"""The demo's past: a fleet that lives through it, scraped at each step as the program would have scraped it then."""

from __future__ import annotations

import tempfile
from collections.abc import Generator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from telegraf_cvmfs.demo.fleet import KEY, DemoFleet
from telegraf_cvmfs.demo.life import missing
from telegraf_cvmfs.demo.rhythm import EPOCH
from telegraf_cvmfs.memory.state import State
from telegraf_cvmfs.model import Run
from telegraf_cvmfs.net.deadline import Deadline
from telegraf_cvmfs.trust.keys import Keyring
from telegraf_cvmfs.watch import watch
from telegraf_cvmfs.words.log import Log


def moments(now: datetime, span: timedelta, step: timedelta) -> tuple[datetime, ...]:
    """When to scrape within a span until now (aware), oldest first: at whole multiples of the step.

    So whoever asks twice gets the same moments, and a database the same points.

    Raises:
        ValueError: there is no such moment, or the demo did not live yet.
    """
    if step > span:
        raise ValueError("the step is longer than the history")
    last = now - (now - datetime(1970, 1, 1, tzinfo=UTC)) % step
    found = tuple(last - step * before for before in reversed(range(span // step)))
    if min((found[0], *missing(found[0]))) < EPOCH:
        raise ValueError(f"the demo's history begins some days after {EPOCH:%F}")
    return found


def history(when: Sequence[datetime], state: State, log: Log, *, faults: bool = False) -> Generator[Run, None, None]:
    """The runs at these moments (aware, ascending), with what they remember of each other in `state`.

    Before the first of them come others, of which nothing but memory is left: when something was published that is
    still missing somewhere, so that the first lag is right. It serves on loopback meanwhile. `log` is told what
    the program would say.
    """
    earlier = tuple(moment for moment in missing(when[0]) if moment < when[0])
    folder = tempfile.TemporaryDirectory(prefix="telegraf-cvmfs-demo-")
    with folder, DemoFleet((*earlier, *when)[0], faults=faults) as demo:
        fleet = demo.fleet(keys=(demo.write(Path(folder.name)).parent / KEY,))
        fleet = replace(fleet, pause=(0, 0))  # of the past: nothing gets better by waiting now
        keyring = Keyring(fleet, log)
        for moment in (*earlier, *when):
            demo.advance(moment)
            deadline = Deadline(fleet.deadline.total_seconds())
            run = watch(fleet, moment, deadline, log, keyring=keyring, memory=state.memory)
            state.keep(run)
            if moment >= when[0]:
                yield run
