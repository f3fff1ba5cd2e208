"""What a visit asks for: jobs that yield requests and take what became of them. Without I/O."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from telegraf_cvmfs.model import Answer, FetchError
from telegraf_cvmfs.net.transport import Request

T = TypeVar("T")


@dataclass(frozen=True)
class Reply:
    """What became of a request, and how long it took; an exception that is no FetchError is our own fault."""

    outcome: Answer | FetchError | Exception
    took: timedelta


Job = Generator[Request, Reply, T]
"""Asks one thing after the other: yields each request, is sent its reply, and returns what it found."""


@dataclass(frozen=True)
class Program:
    """What is to be asked of one server: jobs in stages.

    The jobs of a stage may all be under way together; the next stage is taken when all of them have ended. `failed` is
    told of an error of this program, which ends it, and `ended` that it is over.
    """

    stages: Iterator[Sequence[Job[None]]]
    failed: Callable[[Exception], None]
    ended: Callable[[], None] = lambda: None
