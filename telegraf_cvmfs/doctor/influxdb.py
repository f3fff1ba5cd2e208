"""What an InfluxDB answers, in sentences: is it there, is the login right, may it be asked, do points arrive. Pure.

Two questions are enough for InfluxDB 1, 2 and 3, since all of them speak the API of version 1: a query for the newest
run, and an empty write, which writes nothing but tells whether this user may. To one who may not read it, InfluxDB 2
denies that the database is there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from telegraf_cvmfs.doctor.chain import Link, Step, Verdict
from telegraf_cvmfs.doctor.freshness import AHEAD, CLOCKS, Examined, Expected, Newest, chosen, freshness
from telegraf_cvmfs.doctor.login import Login
from telegraf_cvmfs.doctor.question import no_web_address, redirected, start_it, unanswered
from telegraf_cvmfs.model import FetchError, Result
from telegraf_cvmfs.net.question import REDIRECTS, Ask, Question, Reply, Status, web_address
from telegraf_cvmfs.words.duration import in_words

NEWEST_RUN = 'SELECT "servers" FROM "cvmfs_scrape" GROUP BY "fleet" ORDER BY time DESC LIMIT 1'

_LINK = Link.INFLUXDB
_ASK_AS_READER = "ask as the user who reads: INFLUXDB_USERNAME=grafana and its INFLUXDB_PASSWORD"
_REFUSED = (Status.UNAUTHORIZED, Status.FORBIDDEN)
_MAY_WRITE = (Status.NO_CONTENT, Status.OK, Status.BAD_REQUEST)


@dataclass(frozen=True)
class Database:
    """A database, or a bucket of that name, and as whom to ask for it."""

    login: Login
    name: str = "cvmfs"

    @property
    def url(self) -> str:
        """Where its server is."""
        return self.login.url

    @property
    def headers(self) -> dict[str, str]:
        """The header that logs in."""
        return self.login.by_password or self.login.by_token("Token")

    @property
    def who(self) -> str:
        """Who asks, in a sentence."""
        login = self.login
        return f"user {login.user!r}" if login.user else "this token" if login.token else "somebody without a login"

    @property
    def keys(self) -> str:
        """The variables that the login is from."""
        only_token = self.login.token and not self.login.user
        return "INFLUXDB_TOKEN" if only_token else "INFLUXDB_USERNAME and INFLUXDB_PASSWORD"


@dataclass(frozen=True)
class _Answers:
    """What the database said to both questions."""

    query: Reply
    write: Reply

    @property
    def error(self) -> str:
        """What is wrong with the query, in the database's words; empty if nothing is."""
        if self.query.status != Status.OK:
            return self.query.said()
        document = self.query.json()
        results = document.get("results") if isinstance(document, dict) else None
        if not isinstance(results, list) or not all(isinstance(result, dict) for result in results):
            return f"not an answer to a query: {self.query.said()}"
        said = next((str(result["error"]) for result in results if "error" in result), "")
        return self.query.without_secrets(said)[:300]

    @property
    def newest(self) -> list[Newest]:
        """The newest run of each fleet."""
        document = self.query.json()
        return [newest for result in document["results"] for newest in _runs(result.get("series"))]

    @property
    def not_found(self) -> bool:
        """Does the query say that there is no such database?"""
        return "not found" in self.error

    @property
    def may_write(self) -> bool:
        return self.write.status in _MAY_WRITE


def examine(database: Database, ask: Ask, clock: Callable[[], datetime], expected: Expected) -> Examined:
    """Ask a database: each step depends on the one before, so the first that fails is the last."""
    if not web_address(database.url):
        return Examined((no_web_address(_LINK, database.url, "INFLUXDB_URL"),))
    try:
        reply = ask(Question(f"{database.url}/ping", database.headers))
    except FetchError as error:
        return Examined((_silent(database, error, expected),))
    there = _version(database, reply)
    if there.verdict is not Verdict.OK:
        return Examined((there,))
    try:
        answers = _Answers(ask(_query(database)), ask(_empty_write(database)))
    except FetchError as error:
        return Examined((there, _unanswered(database, error, expected)))
    found = _judged(database, answers, clock(), expected, reply.headers.get("x-influxdb-version", ""))
    return replace(found, steps=(there, *_clocks(reply, clock()), *found.steps))


def _silent(database: Database, error: FetchError, expected: Expected) -> Step:
    if database.login.given or error.result is Result.DEADLINE:
        return _unanswered(database, error, expected)
    what = f"no INFLUXDB_URL is given, and {database.url} does not answer"
    return Step(_LINK, Verdict.NOT_ASKED, what, "set INFLUXDB_URL, INFLUXDB_USERNAME and INFLUXDB_PASSWORD")


def _unanswered(database: Database, error: FetchError, expected: Expected) -> Step:
    return unanswered(_LINK, database.url, error, start_it("influxdb", "INFLUXDB_URL", expected.start))


def _version(database: Database, reply: Reply) -> Step:
    version = reply.headers.get("x-influxdb-version", "")
    if version:
        return Step(_LINK, Verdict.OK, f"InfluxDB {version.removeprefix('v')} answers at {database.url}")
    if reply.status in REDIRECTS and database.login.given:
        return redirected(_LINK, database.url, reply, "INFLUXDB_URL")
    what = f"something answers at {database.url}, but it is no InfluxDB (HTTP status {reply.status})"
    if database.login.given:
        return Step(_LINK, Verdict.WRONG, what, "another program has that port: write InfluxDB's into INFLUXDB_URL")
    return Step(_LINK, Verdict.NOT_ASKED, f"no INFLUXDB_URL is given; {what}", "set INFLUXDB_URL")


def _query(database: Database) -> Question:
    asked = urlencode({"db": database.name, "q": NEWEST_RUN, "epoch": "ms"})
    return Question(f"{database.url}/query?{asked}", database.headers)


def _empty_write(database: Database) -> Question:
    asked = urlencode({"db": database.name})
    return Question(f"{database.url}/write?{asked}", database.headers, method="POST")


def _clocks(reply: Reply, now: datetime) -> Iterator[Step]:
    """The step about a clock that differs from ours: the database's machine says what time it is (RFC 9110, 6.6.1)."""
    try:
        there = datetime.strptime(reply.headers.get("date", ""), "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC)
    except ValueError:
        return
    if abs(now - there) > AHEAD:
        what = f"its clock and the one here differ by {in_words(now - there)}"
        yield Step(_LINK, Verdict.UNSURE, what, CLOCKS)


def _judged(database: Database, answers: _Answers, now: datetime, expected: Expected, version: str) -> Examined:
    """The steps about the login, the database and the points."""
    refusal = _refusal(database, answers, version)
    if refusal is not None:
        return Examined((refusal,))
    may = f"{database.who} may {'write to' if answers.may_write else 'read'} the database {database.name!r}"
    let_in = "the login is right" if database.login.is_one else "it asks for no login"
    welcome = Step(_LINK, Verdict.OK, f"{let_in}: {may}")
    if answers.error:
        unseen = _only_writes(database, answers)
        return Examined((welcome, unseen), unseen=unseen)
    newest = chosen(answers.newest, expected)
    return Examined((welcome, freshness(_LINK, newest, expected, now)), newest)


def _only_writes(database: Database, answers: _Answers) -> Step:
    what = f"{database.who} may write, but not read, as it should be for Telegraf: whether points arrive it cannot see"
    if answers.query.status in _REFUSED or answers.not_found:
        return Step(_LINK, Verdict.UNSURE, what, _ASK_AS_READER)
    return Step(_LINK, Verdict.UNSURE, f"{what} ({answers.error})", _ASK_AS_READER)


def _refusal(database: Database, answers: _Answers, version: str) -> Step | None:
    """The step that says why nothing further can be asked; None if something can."""
    statuses = (answers.query.status, answers.write.status)
    if Status.UNAUTHORIZED in statuses:
        return _not_let_in(database, answers)
    if "create admin user first" in answers.error:
        advice = "CREATE USER admin WITH PASSWORD '…' WITH ALL PRIVILEGES, then the users of docs/native.md"
        return Step(_LINK, Verdict.WRONG, "logins are switched on, but it has no users yet", advice)
    if answers.write.status == Status.NOT_FOUND or (answers.not_found and not answers.may_write):
        return _no_database(database, version)
    if not answers.error or answers.may_write:
        return None
    if answers.query.status in _REFUSED:
        what = f"the login is right, but {database.who} may neither read nor write the database {database.name!r}"
        return Step(_LINK, Verdict.WRONG, what, _grant(database, version))
    return Step(_LINK, Verdict.WRONG, f"it does not answer a query: {answers.error}", "look at the log of InfluxDB")


def _not_let_in(database: Database, answers: _Answers) -> Step:
    if database.login.is_one:
        said = answers.query.said() if answers.query.status == Status.UNAUTHORIZED else answers.write.said()
        what = f"the login is wrong: it does not let {database.who} in ({said})"
        return Step(_LINK, Verdict.WRONG, what, f"compare {database.keys} with what the database has (.env in Docker)")
    what = "it wants a login, and none is given"
    return Step(_LINK, Verdict.NOT_ASKED, what, "set INFLUXDB_USERNAME and INFLUXDB_PASSWORD, or INFLUXDB_TOKEN")


def _no_database(database: Database, version: str) -> Step:
    if version.startswith("v2"):
        what = f"there is no bucket for the database {database.name!r} that {database.who} may see"
        advice = (
            f"influx bucket list says which there are; if there is none: influx bucket create --name {database.name}"
        )
        return Step(_LINK, Verdict.WRONG, what, advice)
    what = f"there is no database {database.name!r}"
    return Step(_LINK, Verdict.WRONG, what, f'make it, as its administrator: CREATE DATABASE "{database.name}"')


def _grant(database: Database, version: str) -> str:
    if version.startswith("v2"):
        return "give it rights on the bucket: influx v1 auth create --read-bucket … or --write-bucket …"
    return f'as its administrator: GRANT WRITE (for Telegraf) or READ ON "{database.name}" TO "{database.login.user}"'


def _runs(series: Any) -> Iterator[Newest]:  # noqa: ANN401
    """The time of the first row of each series; what is not such a row is skipped."""
    for one in series if isinstance(series, list) else []:
        tags, values = (one.get("tags"), one.get("values")) if isinstance(one, dict) else (None, None)
        row = values[0] if isinstance(values, list) and values else None
        time = row[0] if isinstance(row, list) and row else None
        if isinstance(time, int) and (at := moment(time)) is not None:
            yield Newest(at, str(tags.get("fleet", ""))[:100] if isinstance(tags, dict) else "")


def moment(milliseconds: float) -> datetime | None:
    """Unix milliseconds as a moment; None for what no calendar has."""
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None
