"""A URL of one server to a `Reading`, whatever goes wrong; a server that is gone is not asked for ever."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

from telegraf_cvmfs.model import Answer, Cause, FetchError, ParseError, Reading, Result, Server
from telegraf_cvmfs.net.answer import NOT_SERVED
from telegraf_cvmfs.net.question import Status
from telegraf_cvmfs.net.transport import Outcome, Request, Sink
from telegraf_cvmfs.scraping.asking.job import Job
from telegraf_cvmfs.scraping.documents import NameMismatchError
from telegraf_cvmfs.words.fault import place
from telegraf_cvmfs.words.log import Log
from telegraf_cvmfs.words.shortage import shortage

T = TypeVar("T")

FORBIDDEN = Status.FORBIDDEN  # what S3 says of an object that is not there, to those who may not list the bucket
SERVER_ERRORS = range(500, 600)

HEAD_NOT_TAKEN = (FORBIDDEN, 405, 501)
"""What servers answer that do not know HEAD, or do not want it."""

SILENT = (Result.CONNECTION_FAILED, Result.DNS_ERROR, Result.TIMEOUT, Result.TLS_ERROR)
"""Failures that come without any answer."""


def in_doubt(reading: Reading[Any]) -> bool:
    """May what went wrong have been chance, so that it is asked for once more before anybody is woken?"""
    if reading.result is Result.HTTP_ERROR:
        return reading.http_status in SERVER_ERRORS
    if reading.result is Result.TLS_ERROR:  # without a cause: it ended in the handshake
        return reading.cause is None
    return reading.result is Result.CONNECTION_FAILED or reading.cause is Cause.UNCONNECTED


class Reader:
    """Reads documents of one server: each method is a job, which yields what is to be asked.

    `s3` says that 403 means "not there". `gone` says that it never answered: then nothing more is asked, nor after
    `patience` requests in a row without an answer.
    """

    def __init__(self, server: Server, log: Log, patience: int, *, s3: bool, through_proxy: bool = False) -> None:
        self.s3 = s3
        self.gone = False
        self.followed = False
        """Was a redirect followed?"""
        self.took = timedelta(0)
        """What the last request took."""
        self._server = server
        self._through_proxy = through_proxy
        self._log = log
        self._patience = patience
        self._silences = 0
        self._last: FetchError | None = None
        self._failed: dict[tuple[str, int], Reading[Any]] = {}
        """What was asked for in vain, by its URL and limit."""

    @property
    def heard(self) -> bool:
        """Did the last request get an answer?"""
        return self._silences == 0

    def ask_once_more(self) -> None:
        """One answer, and a server that has not answered is asked like any other again."""
        self._silences = min(self._silences, self._patience)

    def read(self, url: str, limit: int, parse: Callable[[bytes], T], sink: Sink | None = None) -> Job[Reading[T]]:
        """One document of at most so many bytes; whatever goes wrong is part of the answer.

        With a sink its bytes go there as they come, and none are left to parse.
        """
        answer = yield from self._ask(url, limit, sink)
        if isinstance(answer, Reading):
            return answer
        status, age = answer.status, answer.age
        try:
            return Reading(Result.OK, parse(answer.body), status, "", age)
        except NameMismatchError as error:
            return Reading(Result.NAME_MISMATCH, None, status, str(error), age, fault=error.why)
        except ParseError as error:
            return Reading(Result.INVALID, None, status, str(error), age, fault=error.why)
        except Exception as error:  # noqa: BLE001  # our fault: it costs this document, not the run
            return self._our_fault(url, error)

    def look(self, url: str, make: Callable[[Answer], T]) -> Job[Reading[T]]:
        """What the head of a document tells: that it is there, and how long it is.

        Some servers do not take HEAD, or say then what is not so: before it is missing or empty, it is asked for by GET
        as clients do, but for no more than a byte.
        """
        answer = yield from self._ask(url, 0)
        if isinstance(answer, Reading):
            doubtful = answer.result is Result.NOT_FOUND or answer.http_status in HEAD_NOT_TAKEN
        else:
            doubtful = answer.length == 0
        if doubtful:
            answer = yield from self._ask(url, 1)
            if isinstance(answer, Reading) and answer.result is Result.TOO_LARGE:
                answer = Answer(Status.OK, b"")
        return answer if isinstance(answer, Reading) else Reading(Result.OK, make(answer), answer.status, "")

    def _ask(self, url: str, limit: int, sink: Sink | None = None) -> Job[Answer | Reading[Any]]:
        """The answer of a server that has the document, else what to make of it."""
        if (self.gone or self._silences > self._patience) and self._last is not None:
            return Reading(self._last.result, why=str(self._last), cause=self._last.cause)
        what = url, limit
        reply = yield Request(self._server, *what, self._through_proxy, sink, again=what in self._failed)
        self.took = reply.took
        found = self._made_of(url, reply.outcome)
        if isinstance(found, Answer) or found.result is Result.NOT_FOUND:
            self._failed.pop(what, None)
        elif found.result.ours:
            found = self._failed.get(what, found)  # that it failed is known, and not known to be otherwise
        elif not found.ours:
            self._failed[what] = found
        return found

    def _made_of(self, url: str, answer: Outcome | Exception) -> Answer | Reading[Any]:
        if isinstance(answer, FetchError):
            self._note(answer)
            return Reading(answer.result, http_status=answer.http_status, why=str(answer), cause=answer.cause)
        if isinstance(answer, Exception):
            return self._our_fault(url, answer)
        self._silences = 0
        self.followed |= answer.redirected
        if answer.status == Status.OK:
            return answer
        if answer.status in NOT_SERVED or (answer.status == FORBIDDEN and self.s3):
            return Reading(Result.NOT_FOUND, http_status=answer.status, why=f"not served (HTTP {answer.status})")
        cause = Cause.SERVER_ERROR if answer.status in SERVER_ERRORS else None
        return Reading(Result.HTTP_ERROR, http_status=answer.status, why=f"HTTP status {answer.status}", cause=cause)

    def _note(self, error: FetchError) -> None:
        if error.result in SILENT and error.http_status is None:
            self._silences += 1
            self._last = error
        else:
            self._silences = 0

    def _our_fault(self, url: str, error: Exception) -> Reading[Any]:
        if lacked := shortage(error):
            self._log(f"E! {lacked}")
            return Reading(Result.OWN_LIMIT, why=lacked, ours=True)
        why = internal(error)
        self._log(f"E! {why}")  # one cause, which many documents may meet
        self._log(f"I! {url}: {why}")
        return Reading(Result.INVALID, why=why, ours=True)


def internal(error: Exception) -> str:
    """An error of this program itself, as a sentence: what this process lacked, if it comes from that."""
    return shortage(error) or f"internal error, please report it: {type(error).__name__}: {error} (in {place(error)})"
