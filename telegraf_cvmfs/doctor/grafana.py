"""What a Grafana answers, in sentences: is it there, has it what was provisioned, does it see points. Pure.

The requests are those of Grafana's HTTP API that a Viewer's token may make, so that least privilege is enough.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from telegraf_cvmfs.doctor.chain import Link, Step, Verdict
from telegraf_cvmfs.doctor.freshness import Examined, Expected, Newest, chosen, freshness
from telegraf_cvmfs.doctor.influxdb import NEWEST_RUN, moment
from telegraf_cvmfs.doctor.login import Login
from telegraf_cvmfs.doctor.question import no_web_address, redirected, start_it, unanswered
from telegraf_cvmfs.model import FetchError, Result
from telegraf_cvmfs.net.question import REDIRECTS, Ask, Question, Reply, Status, web_address
from telegraf_cvmfs.words.text import listed

DATASOURCE = "influxdb"
DASHBOARDS = tuple(
    f"cvmfs-{page}"
    for page in ("home", "fleet", "server", "repository", "trust", "freshness", "availability", "clients")
)
RULES = "cvmfs-"
"""How the uid of each of our alert rules begins."""

_LINK = Link.GRAFANA
_REFUSED = (Status.UNAUTHORIZED, Status.FORBIDDEN)
_NEW_LOGIN = (
    "make a token and set it, in the clone: "
    "`export GRAFANA_TOKEN=$(python -m grafana.tools create-token --name doctor --output -)`"
)
_PROVISION = "is grafana/provisioning mounted or copied to where Grafana reads it? Its log says what it refused"


def examine(login: Login, ask: Ask, clock: Callable[[], datetime], expected: Expected) -> Examined:
    """Ask a Grafana; what needs the data source is not asked where there is none."""
    if not web_address(login.url):
        return Examined((no_web_address(_LINK, login.url, "GRAFANA_URL"),))
    steps: list[Step] = []
    try:
        newest = _examine(login, ask, clock, expected, steps)
    except FetchError as error:
        return Examined((*steps, _silent(login, error, expected)))
    return Examined(tuple(steps), newest)


def _examine(
    login: Login, ask: Ask, clock: Callable[[], datetime], expected: Expected, steps: list[Step]
) -> Newest | None:
    """The newest point; adds the steps one by one, so that those before a failure, a `FetchError`, stay."""

    def add(step: Step) -> bool:
        """Append a step; returns whether to go on."""
        steps.append(step)
        return step.verdict is not Verdict.WRONG

    there = _health(login, ask(Question(f"{login.url}/api/health")))
    if not add(there) or there.verdict is Verdict.NOT_ASKED:
        return None
    if not login.is_one:
        add(Step(_LINK, Verdict.NOT_ASKED, "what is in it: no login is given", _NEW_LOGIN))
        return None
    if not add(_login(login, ask(Question(f"{login.url}/api/org", _headers(login))))):
        return None
    newest = None
    if add(_datasource(ask(Question(f"{login.url}/api/datasources/uid/{DATASOURCE}/health", _headers(login))))):
        step, newest = _points(ask(_newest_run(login)), clock(), expected)
        add(step)
    add(_dashboards([ask(_dashboard(login, uid)) for uid in DASHBOARDS]))
    add(_rules(login, ask))
    return newest


def _headers(login: Login) -> dict[str, str]:
    """The header that logs in."""
    return login.by_token("Bearer") or login.by_password


def _keys(login: Login) -> str:
    """The variables that the login is from."""
    return "GRAFANA_TOKEN" if login.token else "GRAFANA_USER and GRAFANA_PASSWORD"


def _silent(login: Login, error: FetchError, expected: Expected) -> Step:
    if login.given or error.result is Result.DEADLINE:
        return _unanswered(login, error, expected)
    what = f"no GRAFANA_URL is given, and {login.url} does not answer"
    return Step(_LINK, Verdict.NOT_ASKED, what, "set GRAFANA_URL and GRAFANA_TOKEN")


def _unanswered(login: Login, error: FetchError, expected: Expected) -> Step:
    return unanswered(_LINK, login.url, error, start_it("grafana-server", "GRAFANA_URL", expected.start))


def _health(login: Login, reply: Reply) -> Step:
    document = reply.json()
    if isinstance(document, dict) and "database" in document:
        version = str(document.get("version") or "")[:40]
        if reply.status == Status.OK and document["database"] == "ok":
            return Step(_LINK, Verdict.OK, f"Grafana {version} answers at {login.url}".replace("  ", " "))
        what = f"Grafana answers at {login.url}, but has trouble with its own database"
        return Step(_LINK, Verdict.WRONG, what, "look at Grafana's log: is its disk full?")
    if not login.given:
        what = f"no GRAFANA_URL is given, and what answers at {login.url} is no Grafana"
        return Step(_LINK, Verdict.NOT_ASKED, what, "set GRAFANA_URL and GRAFANA_TOKEN")
    if reply.status in REDIRECTS:
        return redirected(_LINK, login.url, reply, "GRAFANA_URL")
    if reply.status >= Status.INTERNAL_SERVER_ERROR:
        what = f"{login.url} is in trouble: HTTP status {reply.status}, {reply.said()}"
        return Step(_LINK, Verdict.WRONG, what, "look at Grafana's log, and at that of what stands before it")
    what = f"something answers at {login.url}, but it is no Grafana (HTTP status {reply.status})"
    advice = "another program has that port, or Grafana is under a path (GRAFANA_URL=http://host/grafana)"
    return Step(_LINK, Verdict.WRONG, what, advice)


def _login(login: Login, reply: Reply) -> Step:
    if reply.status == Status.UNAUTHORIZED:
        what = f"the login is wrong: {_keys(login)} not accepted ({reply.said()})"
        return Step(_LINK, Verdict.WRONG, what, _NEW_LOGIN)
    if reply.status in (Status.OK, Status.FORBIDDEN):  # known, though it may not see that
        return Step(_LINK, Verdict.OK, f"the login is right ({_keys(login)})")
    return _odd("the login", reply)


def _datasource(reply: Reply) -> Step:
    if reply.status == Status.OK:
        return Step(_LINK, Verdict.OK, f"the data source {DATASOURCE!r} is there, and reaches its database")
    if reply.status == Status.NOT_FOUND:
        return Step(_LINK, Verdict.WRONG, f"there is no data source with the uid {DATASOURCE!r}", _PROVISION)
    if reply.status in _REFUSED:
        what = f"the data source {DATASOURCE!r}: this login may not ask for it"
        return Step(_LINK, Verdict.NOT_ASKED, what, "it needs the role Viewer at least, with the right to query")
    what = f"the data source {DATASOURCE!r} does not reach its database: {reply.said()}"
    advice = "INFLUXDB_URL, INFLUXDB_DATABASE, INFLUXDB_USERNAME and INFLUXDB_PASSWORD of Grafana's own environment"
    return Step(_LINK, Verdict.WRONG, what, f"check {advice}, as Grafana's machine or container sees them")


def _newest_run(login: Login) -> Question:
    source = {"type": "influxdb", "uid": DATASOURCE}
    asked = {"refId": "A", "datasource": source, "rawQuery": True, "query": NEWEST_RUN, "resultFormat": "time_series"}
    asked |= {"intervalMs": 60_000, "maxDataPoints": 100}
    body = json.dumps({"queries": [asked], "from": "now-1h", "to": "now"}).encode()
    headers = {**_headers(login), "Content-Type": "application/json"}
    return Question(f"{login.url}/api/ds/query", headers, method="POST", body=body)


def _points(reply: Reply, now: datetime, expected: Expected) -> tuple[Step, Newest | None]:
    document = reply.json()
    result = document.get("results", {}).get("A") if isinstance(document, dict) and _is_results(document) else None
    if reply.status in _REFUSED:
        return Step(_LINK, Verdict.NOT_ASKED, "a query through Grafana: this login may not", _NEW_LOGIN), None
    if not isinstance(result, dict) or result.get("error"):
        said = reply.without_secrets(str(result["error"]))[:300] if isinstance(result, dict) else reply.said()
        what = f"a query through Grafana fails: {said}"
        return Step(_LINK, Verdict.WRONG, what, "the data source's settings: may its user read the database?"), None
    newest = chosen(list(_runs(result.get("frames"))), expected)
    step = freshness(_LINK, newest, expected, now)
    through = f"through Grafana, {step.what}"
    return Step(_LINK, step.verdict, through, step.advice), newest


def _is_results(document: dict[str, Any]) -> bool:
    return isinstance(document.get("results"), dict)


def _runs(frames: Any) -> Iterator[Newest]:  # noqa: ANN401
    """The newest time of each data frame (Grafana, packages/grafana-data: schema.fields beside data.values)."""
    for frame in frames if isinstance(frames, list) else []:
        try:
            fields, columns = frame["schema"]["fields"], frame["data"]["values"]
            times = [
                time
                for one, column in zip(fields, columns, strict=True)
                if one["type"] == "time"
                for time in column
                if isinstance(time, int | float)
            ]
            labels = [one["labels"] for one in fields if isinstance(one.get("labels"), dict)]
        except (KeyError, TypeError, ValueError, AttributeError):
            continue
        at = moment(max(times)) if times else None
        if at is not None:
            yield Newest(at, str(labels[0].get("fleet", ""))[:100] if labels else "")


def _dashboard(login: Login, uid: str) -> Question:
    return Question(f"{login.url}/api/dashboards/uid/{uid}", _headers(login))


def _dashboards(replies: list[Reply]) -> Step:
    missing = [uid for uid, reply in zip(DASHBOARDS, replies, strict=True) if reply.status == Status.NOT_FOUND]
    odd = [reply for reply in replies if reply.status not in (Status.OK, Status.NOT_FOUND)]
    if missing:
        what = f"{len(missing)} of {len(DASHBOARDS)} dashboards are missing: {listed(missing)}"
        return Step(_LINK, Verdict.WRONG, what, _PROVISION)
    if odd:
        return _odd("the dashboards", odd[0])
    return Step(_LINK, Verdict.OK, f"all {len(DASHBOARDS)} dashboards are there: begin with /d/{DASHBOARDS[0]}")


def _rules(login: Login, ask: Ask) -> Step:
    """The step about the alert rules.

    A Viewer may not always see provisioned rules as such, but then as those that are in force.
    """
    reply = ask(Question(f"{login.url}/api/v1/provisioning/alert-rules", _headers(login)))
    if reply.status in (Status.FORBIDDEN, Status.NOT_FOUND):
        reply = ask(Question(f"{login.url}/api/ruler/grafana/api/v1/rules", _headers(login)))
    if reply.status != Status.OK:
        return _odd("the alert rules", reply)
    ours = {uid for uid in _uids(reply.json()) if uid.startswith(RULES)}
    if ours:
        return Step(_LINK, Verdict.OK, f"{len(ours)} alert rules are there")
    return Step(_LINK, Verdict.WRONG, "there are no alert rules of this project: nobody would be alerted", _PROVISION)


def _uids(document: Any, depth: int = 0) -> Iterator[str]:  # noqa: ANN401
    """Every `uid` in it: in a list of rules, or in folders of groups of rules."""
    if isinstance(document, dict):
        if isinstance(document.get("uid"), str):
            yield document["uid"]
        document = list(document.values())
    for part in document if isinstance(document, list) and depth < _DEEPEST else []:
        yield from _uids(part, depth + 1)


_DEEPEST = 6


def _odd(what: str, reply: Reply) -> Step:
    """The step about an answer that says neither yes nor no."""
    if reply.status in _REFUSED:
        return Step(_LINK, Verdict.NOT_ASKED, f"{what}: this login may not see that", _NEW_LOGIN)
    said = f"{what}: Grafana answers with HTTP status {reply.status}, {reply.said()}"
    return Step(_LINK, Verdict.WRONG, said, "look at Grafana's log")
