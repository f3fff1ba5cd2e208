"""How old the newest points are, and what that says about who writes them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from telegraf_cvmfs.doctor.chain import Link, Step, Verdict
from telegraf_cvmfs.words.duration import in_words

AHEAD = timedelta(minutes=1)
"""How much two clocks may differ before points are from the future."""

CLOCKS = "compare `date -u` on both machines, and keep their clocks right (chrony)"
"""What to do about two clocks that differ."""

SLACK = timedelta(minutes=2)
"""What a run may come late: its jitter (30 s), its time (60 s), Telegraf's flush (10 s)."""


@dataclass(frozen=True)
class Newest:
    """The newest point that a run left behind: when that run began (aware UTC), and of which fleet it was."""

    at: datetime
    fleet: str


@dataclass(frozen=True)
class Examined:
    """What a link that can see points was found to be.

    Args:
        steps: each question and its outcome.
        newest: the newest point, if it was seen.
        unseen: the one of the steps that leaves open whether points arrive, because this login may not look.
    """

    steps: tuple[Step, ...]
    newest: Newest | None = None
    unseen: Step | None = None


@dataclass(frozen=True)
class Expected:
    """The points that should be there, and who writes them.

    Args:
        fleet: the tag `fleet`; empty if it is not known.
        interval: how often Telegraf asks.
        writes: does a Telegraf run here that has this program's input? None if nobody knows.
        start: the command that starts all parts together; empty where each is a service of its own.
    """

    fleet: str = ""
    interval: timedelta = timedelta(minutes=5)
    writes: bool | None = None
    start: str = ""

    @property
    def oldest(self) -> timedelta:
        """The greatest age at which no run is missing."""
        return 2 * self.interval + SLACK


def chosen(found: list[Newest], expected: Expected) -> Newest | None:
    """The newest point of the fleet that is expected, else of any."""
    ours = [newest for newest in found if newest.fleet == expected.fleet]
    return max(ours or found, key=lambda newest: newest.at, default=None)


def is_fresh(newest: Newest | None, expected: Expected, now: datetime) -> bool:
    """Is the newest point of the fleet that is expected, and new enough as of now?"""
    return newest is not None and -AHEAD <= now - newest.at <= expected.oldest and _is_ours(newest, expected)


def freshness(link: Link, newest: Newest | None, expected: Expected, now: datetime) -> Step:
    """The step about the age of the newest point, with what to do if that is not good."""
    if newest is None:
        return Step(link, Verdict.WRONG, "there are no points of cvmfs_scrape: nothing was written yet", _who(expected))
    age = now - newest.at
    if not _is_ours(newest, expected):
        what = f"there are points of the fleet {newest.fleet!r}, but none of {expected.fleet!r}"
        return Step(link, Verdict.WRONG, what, "is this the fleet file that Telegraf reads? " + _who(expected))
    if age < -AHEAD:
        what = (
            f"the newest point is {in_words(age)} in the future: the clock of Telegraf's machine is wrong, or this one"
        )
        return Step(link, Verdict.WRONG, what, CLOCKS)
    if age > expected.oldest:
        often = f"Telegraf should write every {in_words(expected.interval)}"
        what = f"the newest point is {in_words(age)} old, and {often}: it does not write"
        return Step(link, Verdict.WRONG, what, _who(expected))
    fleet = f" of the fleet {newest.fleet}" if newest.fleet else ""
    return Step(link, Verdict.OK, f"points arrive: the newest run{fleet} is {in_words(age)} old")


def _is_ours(newest: Newest, expected: Expected) -> bool:
    return not expected.fleet or newest.fleet in (expected.fleet, "")


def _who(expected: Expected) -> str:
    if expected.writes:
        return "Telegraf runs here: its log says why it does not write, journalctl -u telegraf | grep outputs"
    if expected.writes is None:
        return "look where Telegraf runs: does it run, and what does its log say about its outputs?"
    return f"start Telegraf: {expected.start or 'sudo systemctl start telegraf (./stack up in Docker)'}"
