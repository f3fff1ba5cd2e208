"""The chain from the plugin to Grafana, what was found at each link, and where it breaks. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from telegraf_cvmfs.words.text import tame

LONGEST_LINE = 600
"""Characters: servers and programs are quoted, and they may say much."""


class Link(Enum):
    """A link of the chain, in the order in which data flows; the value is its name in a sentence."""

    PLUGIN = "plugin"
    TELEGRAF = "Telegraf"
    INFLUXDB = "InfluxDB"
    GRAFANA = "Grafana"


class Verdict(Enum):
    """The outcome of a question to a link."""

    OK = "ok"
    WRONG = "wrong"
    UNSURE = "unsure"
    NOT_ASKED = "not asked"


@dataclass(frozen=True)
class Step:
    """One question and its outcome: a sentence, and what to do next where something is to be done."""

    link: Link
    verdict: Verdict
    what: str
    advice: str = ""


def text(steps: Sequence[Step]) -> str:
    """The report: first where the chain breaks and what to do, then a line for each step, advice below its step."""
    return "\n".join([*_summary(steps), "", *_table(steps)]) + "\n"


def first_wrong(steps: Iterable[Step]) -> Step | None:
    """The step at which the chain breaks, None if it does not; what comes after it may follow from it."""
    return next((step for step in steps if step.verdict is Verdict.WRONG), None)


def told_once(steps: Iterable[Step]) -> list[Step]:
    """The same steps; advice that the one before has already given is not repeated."""
    told: list[Step] = []
    for step in steps:
        repeated = bool(told) and told[-1].advice == step.advice
        told.append(replace(step, advice="") if repeated else step)
    return told


def _summary(steps: Sequence[Step]) -> Iterator[str]:
    broken = first_wrong(steps)
    if broken is not None:
        yield tame(f"The chain breaks at {broken.link.value}: {broken.what}", LONGEST_LINE)
        if broken.advice:
            yield tame(f"Next: {broken.advice}", LONGEST_LINE)
        return
    sure = [link for link in Link if any(step.link is link and step.verdict is Verdict.OK for step in steps)]
    yield f"Nothing is broken: {_listed(link.value for link in sure)}." if sure else "Nothing could be asked."
    unsure = [link.value for link in Link if _doubts(link, steps)]
    if unsure:
        yield f"Not everything could be asked: see {_listed(unsure)} below."


def _doubts(link: Link, steps: Sequence[Step]) -> bool:
    return any(step.link is link and step.verdict in (Verdict.UNSURE, Verdict.NOT_ASKED) for step in steps)


def _listed(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def _table(steps: Sequence[Step]) -> Iterator[str]:
    for step in told_once(steps):
        yield tame(f"{step.link.value:<8}  {step.verdict.value + ':':<10}  {step.what}", LONGEST_LINE)
        if step.advice:
            yield tame(f"{'':<8}  {'next:':<10}  {step.advice}", LONGEST_LINE)
