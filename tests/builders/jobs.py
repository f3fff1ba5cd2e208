"""Jobs driven without an engine: answers at once, or in whatever order a test likes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from telegraf_cvmfs.model import Answer, FetchError
from telegraf_cvmfs.net.transport import Request
from telegraf_cvmfs.scraping.asking.job import Job, Pause, Reply, Stages
from tests.builders.asking import Fetch

T = TypeVar("T")
SOON = timedelta(milliseconds=5)

Serve = Callable[[Request], Answer | FetchError | Exception]
"""What becomes of a request."""


def driven(job: Job[T], fetch: Fetch) -> T:
    """What a job returns, each of its requests made at once."""
    reply: Reply | None = None
    while True:
        try:
            request = next(job) if reply is None else job.send(reply)
        except StopIteration as end:
            found: T = end.value
            return found
        try:
            reply = Reply(fetch(request.url, request.limit, request.sink), SOON)
        except FetchError as error:
            reply = Reply(error, SOON)


def drive(stages: Stages, serve: Serve, pick: Callable[[int], int], width: int, most: int | None = None) -> int:
    """Drive jobs stage by stage, at most `width` at once; `pick` says which of so many is answered next.

    Stops after `most` answers, if that is not None, and leaves the rest without any; returns how many there were.
    """
    answered = 0
    for stage in stages:
        if isinstance(stage, Pause):
            continue
        waiting = list(stage)
        asked: list[tuple[Job[None], Request]] = []
        while waiting or asked:
            while waiting and len(asked) < width:
                _step(waiting.pop(0), None, asked)
            if not asked:
                continue
            if most is not None and answered >= most:
                return answered
            job, request = asked.pop(pick(len(asked)))
            answered += 1
            _step(job, Reply(serve(request), SOON), asked)
    return answered


def _step(job: Job[None], reply: Reply | None, asked: list[tuple[Job[None], Request]]) -> None:
    try:
        asked.append((job, next(job) if reply is None else job.send(reply)))
    except StopIteration:
        return
