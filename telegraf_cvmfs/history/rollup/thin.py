"""Which runs of a spool are left as they grow old. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime

from telegraf_cvmfs.history.spool import Kept
from telegraf_cvmfs.model import Keep

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def thinned(
    runs: Iterable[Kept],
    keep: Sequence[Keep],
    now: datetime,
    may_go: Callable[[Kept], bool],
    changed: Callable[[Kept], bool],
) -> Iterator[Kept]:
    """Those of a fleet's runs, in their order, that go: what is not rolled up never does.

    The first of each hour (or day) stays, and what saw something change; what is older than all that is kept goes.
    """
    last: tuple[object, int] | None = None
    for run in runs:
        rule = next((one for one in keep if now - run.started <= one.until), None)
        if rule is None:
            if may_go(run):
                yield run
            continue
        if not rule.step:
            continue
        step = rule.step, (run.started - _EPOCH) // rule.step
        if step != last:
            last = step
        elif may_go(run) and not changed(run):
            yield run
