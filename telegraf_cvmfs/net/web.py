"""A client for small questions over HTTP: one answer, in bounded time and size. No redirect is followed."""

from __future__ import annotations

import contextlib
import queue
from dataclasses import dataclass
from pathlib import Path

import requests

from telegraf_cvmfs.model import FetchError, Result
from telegraf_cvmfs.net.answer import HEADERS, LATE, MAX_HEAD
from telegraf_cvmfs.net.budget import budget
from telegraf_cvmfs.net.connection import Connector, Session, secure_context
from telegraf_cvmfs.net.deadline import Deadline
from telegraf_cvmfs.net.fetch import FAILURES, failure
from telegraf_cvmfs.net.names import Names
from telegraf_cvmfs.net.question import Question, Reply
from telegraf_cvmfs.net.transport import begin_thread
from telegraf_cvmfs.words.shortage import shortage

LARGEST_ANSWER = 4 * 1024 * 1024
"""Bytes; a large dashboard has a tenth of that."""

PATIENCE = 10.0
"""Seconds for one answer; less when the deadline is nearer."""


_NAP = 0.05  # seconds between two looks at whether the time is up


@dataclass(frozen=True)
class Web:
    """Asks over HTTP until the deadline. The environment's proxies and .netrc are not used.

    An answer may take `patience` seconds, from the look-up of the name to its last byte, and have `largest` bytes.
    `authority` is a file of certificate authorities (PEM) instead of the usual ones.
    """

    deadline: Deadline
    patience: float = PATIENCE
    largest: int = LARGEST_ANSWER
    authority: Path | None = None

    def ask(self, question: Question) -> Reply:
        """The answer, whatever its status.

        Raises:
            FetchError: there is none, or it is too large; str() says why, and `result` is DEADLINE if our time was up.
        """
        answers: queue.SimpleQueue[Reply | FetchError] = queue.SimpleQueue()
        # In a thread: nothing interrupts one that reads from a socket, and who is told to end ends at once.
        try:
            begin_thread(lambda: answers.put(self._answer(question)))
        except (OSError, MemoryError) as error:
            raise FetchError(Result.OWN_LIMIT, shortage(error)) from error
        while True:
            with contextlib.suppress(queue.Empty):
                answer = answers.get(timeout=_NAP)
                break
            if self.deadline.passed:
                answer = FetchError(Result.DEADLINE, LATE)
                break
        if isinstance(answer, FetchError):
            raise answer
        return answer

    def _answer(self, question: Question) -> Reply | FetchError:
        connector = Connector(Names())
        session = Session(connector.connect, lambda: secure_context(self.authority), 1, {})
        with contextlib.closing(session), budget.within(self.patience, self.deadline):
            try:
                return _asked(session, question, self.largest)
            except FAILURES as error:  # inside: whether the time was up is known here alone
                return failure(error)


def _asked(session: Session, question: Question, largest: int) -> Reply:
    headers = {**HEADERS, "Accept": "application/json", **question.headers}
    request = requests.Request(question.method, question.url, headers=headers, data=question.body or None).prepare()
    budget.allow(largest + 2 * MAX_HEAD, f"more than {largest} bytes")
    budget.kept, budget.fresh = False, True
    with session.send(request, stream=True, allow_redirects=False, timeout=budget.left()) as response:
        body: bytes = response.raw.read(largest + 1, decode_content=False)
        if len(body) > largest:
            raise FetchError(Result.TOO_LARGE, f"more than {largest} bytes")
        heads = {name.lower(): value for name, value in response.headers.items()}
        return Reply(response.status_code, heads, body, question.headers.get("Authorization", ""))
