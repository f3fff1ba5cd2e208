"""A finished run as the one line of a Nagios check: what is worst, then performance data.

`CVMFS CRITICAL - text | label=value;warn;crit;min;max …`: https://www.monitoring-plugins.org/doc/guidelines.html.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from telegraf_cvmfs.emit.causes import causes, windows
from telegraf_cvmfs.emit.phrases import counts
from telegraf_cvmfs.emit.view import View
from telegraf_cvmfs.model import Health, Run, worst
from telegraf_cvmfs.words.maintenance import until_and_why
from telegraf_cvmfs.words.secrecy import without_secrets
from telegraf_cvmfs.words.served import in_one_phrase
from telegraf_cvmfs.words.text import listed, tame

_MOST_CAUSES = 3
_LONGEST_TEXT = 500
"""Characters: with the performance data a line has to fit into the 1,024 bytes that old NRPE passes on."""


def checked(run: Run, servers: Sequence[str] = (), faults: Sequence[str] = ()) -> tuple[Health, str]:
    """The health that a check ends with, and its line.

    It is the worst of all repositories, as their users have them, and of the status of all servers; with `servers`
    (names) of the status of these alone. `faults` are this program's own: then nothing is known for sure, and so it is
    where the run was cut short.
    """
    shown = View(servers=tuple(servers)).of(run)
    shown = replace(shown, repositories=()) if servers else shown
    health = worst((*(one.status for one in shown.servers), *_judged(one.health for one in shown.repositories)))
    text = "; ".join(_sentences(shown))
    if broken := [*_cut_short(run), *faults]:
        text = f"{broken[0]}; what was seen is {health.name}: {text}"
        health = Health.UNKNOWN
    return health, line(health, text, [f"time={run.duration.total_seconds():.3f}s;;;0", *_numbers(shown)])


def line(health: Health, text: str, performance: Iterable[str] = ()) -> str:
    """The one line; its text has no `|`, which begins the performance data, and no end of a line."""
    said = tame(without_secrets(text).replace("|", "/"), _LONGEST_TEXT)
    return " | ".join([f"CVMFS {health.name} - {said}", *filter(None, [" ".join(performance)])]) + "\n"


def _cut_short(run: Run) -> Iterator[str]:
    if run.interrupted:
        yield f"{run.interrupted} ended the run before everything was read"
    if run.deadline_hit:
        took = run.duration.total_seconds()
        yield f"the run's time was up after {took:.1f} s before everything was read (--deadline)"


def _sentences(run: Run) -> Iterator[str]:
    """How it is served, what is wrong, worst first, and what is under maintenance."""
    if run.repositories:
        yield in_one_phrase(run.repositories)
    else:
        names = listed([one.stratum.server.label for one in run.servers])
        yield f"{names}: replicas: {counts(_judged(one.counted for one in run.replicas)) or 'none judged'}"
    wrong = causes(run)
    for cause in wrong[:_MOST_CAUSES]:
        yield f"{listed(cause.servers)}: {cause.sentence}" if cause.servers else cause.sentence
    if len(wrong) > _MOST_CAUSES:
        yield f"and {len(wrong) - _MOST_CAUSES} more"
    for window, (labels, _) in windows(run).items():
        yield f"maintenance of {listed(labels)} {until_and_why(window)}"


def _numbers(run: Run) -> Iterator[str]:
    kinds = {
        "repositories": [one.health for one in run.repositories],
        "servers": [None if one.maintenance else one.status for one in run.servers],
        "replicas": [one.counted for one in run.replicas],
    }
    for kind, healths in kinds.items():
        judged = _judged(healths)
        for health in Health if judged else ():
            yield f"{kind}_{health.name.lower()}={judged.count(health)};;;0;{len(judged)}"


def _judged(healths: Iterable[Health | None]) -> list[Health]:
    return [health for health in healths if health is not None]
