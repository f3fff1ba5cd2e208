"""An InfluxDB that is asked in InfluxQL over HTTP, as versions 1, 2 and 3 take it: a query in, series out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from telegraf_cvmfs.model import FetchError
from telegraf_cvmfs.net.deadline import Deadline
from telegraf_cvmfs.net.question import Question, Reply, Status, basic
from telegraf_cvmfs.net.web import Web
from telegraf_cvmfs.words.secrecy import Secrecy

LARGEST = 64 * 1024 * 1024  # bytes of one answer
PATIENCE = 30.0  # seconds

Value = int | float | str | bool | None


class DatabaseError(Exception):
    """No series came; str() says why."""


class UnreachableError(DatabaseError):
    """No answer came."""


class StrangeError(DatabaseError):
    """An answer came, of this status, but none of an InfluxDB."""

    def __init__(self, status: int) -> None:
        super().__init__(f"HTTP status {status} and no JSON of an InfluxDB")
        self.status = status


class DeniedError(DatabaseError):
    """The database understood, and said no; str() has its words."""

    def __init__(self, said: str, status: int) -> None:
        super().__init__(said)
        self.status = status


@dataclass(frozen=True)
class Series:
    """One series of an answer; times are numbers of the unit that was asked for."""

    name: str
    tags: Mapping[str, str]
    columns: tuple[str, ...]
    values: tuple[tuple[Value, ...], ...]


@dataclass(frozen=True)
class Database:
    """Where to ask: the URL of an InfluxDB, a database (or bucket) there, and who asks: a user, or who has a token."""

    url: str
    name: str
    user: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)

    def ask(self, influxql: str, epoch: str = "ms", *, secret: bool = False) -> tuple[Series, ...]:
        """The series that a query gives; `epoch` is the unit of their times.

        A statement that is secret, as one that sets a password is, goes in the body: what is in a URL may be logged.

        Raises:
            UnreachableError: the server cannot be reached.
            StrangeError: it is no InfluxDB.
            DeniedError: it says no.
        """
        asked = urlencode({"db": self.name, "q": influxql, "epoch": epoch})
        url = f"{self.url.rstrip('/')}/query"
        if secret:
            form = {"Content-Type": "application/x-www-form-urlencoded"}
            question = Question(url, self._login | form, "POST", asked.encode())
        else:
            question = Question(f"{url}?{asked}", self._login)
        reply = _answer(question)
        try:
            return _series(reply)
        except DeniedError as why:  # it may quote the statement
            literals = re.findall(r"'((?:[^'\\]|\\.)+)'", influxql) if secret else []
            raise DeniedError(Secrecy(literals).hide(str(why)), why.status) from None

    def write(self, lines: str) -> None:
        """Write line protocol with times in nanoseconds, by `/write` of version 1.

        Raises:
            UnreachableError: the server cannot be reached.
            StrangeError, DeniedError: it does not take them.
        """
        asked = urlencode({"db": self.name, "precision": "ns"})
        question = Question(f"{self.url.rstrip('/')}/write?{asked}", self._login, "POST", lines.encode())
        reply = _answer(question)
        if reply.status == Status.NO_CONTENT:
            return
        if not isinstance(reply.json(), dict):
            raise StrangeError(reply.status)
        raise DeniedError(reply.said(), reply.status)

    @property
    def _login(self) -> dict[str, str]:
        if self.token:
            return {"Authorization": f"Token {self.token}"}
        return {"Authorization": basic(self.user, self.password)} if self.user else {}


def _answer(question: Question) -> Reply:
    try:
        return Web(Deadline(PATIENCE), PATIENCE, LARGEST).ask(question)
    except FetchError as why:
        raise UnreachableError(str(why)) from why


def _series(reply: Reply) -> tuple[Series, ...]:
    try:
        answer = reply.json()
        results: list[dict[str, Any]] = answer.get("results") or [answer]
        denied = next((said for one in results for said in (one.get("error"), one.get("message")) if said), None)
        found = () if denied else tuple(_one_series(one) for result in results for one in result.get("series", ()))
    except (AttributeError, KeyError, TypeError) as why:
        raise StrangeError(reply.status) from why
    if denied:
        raise DeniedError(reply.without_secrets(str(denied)), reply.status)
    return found


def _one_series(written: Mapping[str, Any]) -> Series:
    values = tuple(map(tuple, written["values"]))
    return Series(written.get("name", ""), written.get("tags") or {}, tuple(written["columns"]), values)
