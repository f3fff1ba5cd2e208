"""What a visit asks for: jobs that yield requests and take what became of them. Without I/O."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from telegraf_cvmfs.net.transport import Outcome, Request

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Reply:
    """What became of a request, and how long it took; an exception that is no FetchError is our own fault."""

    outcome: Outcome | Exception
    took: timedelta


Job = Generator[Request, Reply, T]
"""Asks one thing after the other: yields each request, is sent its reply, and returns what it found."""


class Pause:
    """A stage in which nothing is asked, for a second or two: what has just failed may be well again."""


Stages = Iterator[Iterable[Job[None]] | Pause]
"""Jobs in stages, each made when it is its turn.

Those of one stage may all be under way together; the next is asked for when all of the last have ended.
"""


@dataclass(frozen=True, slots=True)
class Program:
    """What is to be asked of one server.

    `failed` is told of an error of this program, which ends it, and `ended` that it is over.
    """

    stages: Stages
    failed: Callable[[Exception], None]
    ended: Callable[[], None] = lambda: None
