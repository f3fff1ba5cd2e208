"""This program itself: does the fleet file hold, does a run give points, can the memory be kept."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from telegraf_cvmfs.doctor.chain import Link, Step, Verdict
from telegraf_cvmfs.doctor.processes import myself
from telegraf_cvmfs.emit import emitter
from telegraf_cvmfs.emit.phrases import counts
from telegraf_cvmfs.memory.file import StateError, problem, read
from telegraf_cvmfs.memory.value import NOTHING, Memory
from telegraf_cvmfs.model import ConfigError, Fleet, Run
from telegraf_cvmfs.net.deadline import Deadline
from telegraf_cvmfs.trust.keys import Keyring
from telegraf_cvmfs.watch import watch
from telegraf_cvmfs.words.duration import in_words

RUN = 15.0
"""Seconds that a run gets here: this asks whether points come, not whether all of them do."""

_LINK = Link.PLUGIN


@dataclass(frozen=True)
class Plugin:
    """What the command line says about this program.

    Args:
        fleet: the fleet, while the context lasts (the demo fleet is served as long); `ConfigError` if it is wrong.
        memory: where a fleet's memory lies, None for none.
        file: the fleet file that is meant; empty if there is none.
    """

    fleet: Callable[[], AbstractContextManager[Fleet]]
    memory: Callable[[Fleet], Path | None]
    file: str


class Share(Deadline):
    """A part of a longer time, which ends with that at the latest."""

    def __init__(self, whole: Deadline, seconds: float) -> None:
        super().__init__(seconds)
        self._whole = whole

    @property
    def remaining(self) -> float:
        """Seconds until the end of the part, or of the whole."""
        return min(super().remaining, self._whole.remaining)

    @property
    def interrupted(self) -> str:
        """The signal that ended the whole."""
        return self._whole.interrupted


def examine(plugin: Plugin, deadline: Deadline, clock: Callable[[], datetime]) -> tuple[list[Step], Fleet | None]:
    """The steps, and the fleet if there is one."""
    try:
        with plugin.fleet() as fleet:
            keyring = Keyring(fleet, lambda _line: None)
            return list(_steps(plugin, fleet, keyring, deadline, clock)), fleet
    except ConfigError as error:
        there = bool(plugin.file) and os.path.lexists(plugin.file)
        named = f"correct {plugin.file}" if there else "write one (README, Fleet file)"
        return [Step(_LINK, Verdict.WRONG, str(error), f"{named}, or name the right one: --config FILE")], None


def _steps(
    plugin: Plugin, fleet: Fleet, keyring: Keyring, deadline: Deadline, clock: Callable[[], datetime]
) -> Iterator[Step]:
    servers = f"{len(fleet.servers)} server{'s' * (len(fleet.servers) != 1)}"
    where = f"the fleet file {plugin.file}" if plugin.file else "the fleet"
    yield Step(_LINK, Verdict.OK, f"user {myself().name} reads {where}: fleet {fleet.name}, {servers}")
    yield from (Step(_LINK, Verdict.UNSURE, what, "telegraf-cvmfs --check says more") for what in keyring.problems)
    path = plugin.memory(fleet)
    yield _run(fleet, keyring, path, Share(deadline, min(RUN, fleet.deadline.total_seconds())), clock)
    if path is not None:
        wrong = problem(path)
        yield (
            Step(_LINK, Verdict.WRONG, wrong)
            if wrong
            else Step(_LINK, Verdict.OK, f"user {myself().name} can keep a memory: {path}")
        )


def _run(fleet: Fleet, keyring: Keyring, path: Path | None, within: Deadline, clock: Callable[[], datetime]) -> Step:
    """One run, which leaves no trace: the memory is Telegraf's to keep."""
    if within.passed:
        return Step(_LINK, Verdict.NOT_ASKED, "a run: the doctor's time was up (--deadline)")
    return _told(watch(fleet, clock(), within, lambda _line: None, keyring=keyring, memory=_memory(path)))


def _told(run: Run) -> Step:
    """How it went; a red fleet is no broken link, but a fleet of which nothing is up is strange."""
    points = sum(text.count("\n") for text in emitter("influx")(run))
    up = sum(server.stratum.up for server in run.servers)
    replicas = [verdict.health for verdict in run.replicas]
    health = f"servers: {counts(server.health for server in run.servers)}; repositories: {counts(replicas) or 'none'}"
    what = f"a run gives {points} points in {run.duration.total_seconds():.1f} s; {health}"
    if points and not up:
        return Step(_LINK, Verdict.UNSURE, f"no server answers: {what}", "telegraf-cvmfs --check says why")
    cut = f", cut short after {in_words(run.duration)}" if run.deadline_hit else ""
    cut = f", ended by {run.interrupted}" if run.interrupted else cut
    return Step(_LINK, Verdict.OK if points else Verdict.WRONG, what + cut)


def _memory(path: Path | None) -> Memory:
    try:
        return NOTHING if path is None else read(path)
    except StateError:
        return NOTHING
