"""`telegraf-cvmfs doctor`, part by part: what each answer means in words, and what asking may cost.

tests/integration/test_doctor.py breaks a whole chain link by link.
"""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from telegraf_cvmfs.doctor import grafana as dashboards
from telegraf_cvmfs.doctor import influxdb
from telegraf_cvmfs.doctor.chain import LONGEST_LINE, Link, Step, Verdict, text
from telegraf_cvmfs.doctor.freshness import Examined, Expected, Newest, chosen, freshness, is_fresh
from telegraf_cvmfs.doctor.login import DEFAULT_GRAFANA, Login
from telegraf_cvmfs.doctor.plugin import Share
from telegraf_cvmfs.doctor.processes import Process, User, myself, obstacle, telegrafs
from telegraf_cvmfs.doctor.program import output_of
from telegraf_cvmfs.doctor.question import no_web_address
from telegraf_cvmfs.doctor.telegraf import Installation, Trial, examine, installation
from telegraf_cvmfs.doctor.telegraf.files import ConfigFile, inputs
from telegraf_cvmfs.model import FetchError, Result
from telegraf_cvmfs.net.deadline import Deadline
from telegraf_cvmfs.net.question import Ask, Question, Reply, basic
from telegraf_cvmfs.net.web import Web
from telegraf_cvmfs.words.secrecy import HIDDEN, Secrecy, login_in, secrets_in
from tests import ROOT
from tests.grafana import server as grafana_server
from tests.grafana.server import Grafana, grafana
from tests.programs.command import run

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
OK, WRONG, UNSURE, NOT_ASKED = Verdict.OK, Verdict.WRONG, Verdict.UNSURE, Verdict.NOT_ASKED


def verdicts(steps: Sequence[Step]) -> list[Verdict]:
    return [step.verdict for step in steps]


# --- the report -------------------------------------------------------------------------------------


def test_the_report_begins_with_the_first_link_that_is_broken() -> None:
    steps = [
        Step(Link.PLUGIN, OK, "it runs"),
        Step(Link.TELEGRAF, UNSURE, "who knows"),
        Step(Link.INFLUXDB, WRONG, "it is down", "start it"),
        Step(Link.GRAFANA, WRONG, "it sees nothing", "look"),
    ]
    first, second, third, *rest = text(steps).splitlines()
    assert (first, second, third) == ("The chain breaks at InfluxDB: it is down", "Next: start it", "")
    assert rest == [
        "plugin    ok:         it runs",
        "Telegraf  unsure:     who knows",
        "InfluxDB  wrong:      it is down",
        "          next:       start it",
        "Grafana   wrong:      it sees nothing",
        "          next:       look",
    ]


def test_where_nothing_is_wrong_the_report_says_what_was_seen_and_what_was_not() -> None:
    steps = [Step(Link.PLUGIN, OK, "a"), Step(Link.TELEGRAF, OK, "b"), Step(Link.GRAFANA, NOT_ASKED, "c")]
    assert text(steps).startswith(
        "Nothing is broken: plugin and Telegraf.\nNot everything could be asked: see Grafana below.\n\n"
    )
    assert text(steps[:1]).startswith("Nothing is broken: plugin.\n\n")


def test_the_same_advice_is_not_given_twice_in_a_row() -> None:
    steps = [Step(Link.TELEGRAF, WRONG, what, "do this") for what in ("a", "b")]
    assert text(steps).count("next:") == 1


@given(st.text(max_size=2000))
def test_whatever_is_quoted_stays_on_its_line(said: str) -> None:
    lines = text([Step(Link.GRAFANA, WRONG, said, said)]).rstrip("\n").split("\n")
    assert len(lines) == (5 if said else 3)
    assert all(line.isprintable() and len(line) <= LONGEST_LINE for line in lines)


def test_the_report_that_the_documentation_shows_has_as_many_rules_and_dashboards_as_there_are() -> None:
    page, grafana_files = (ROOT / "docs" / "doctor.md").read_text(), ROOT / "grafana"
    document = yaml.safe_load((grafana_files / "provisioning" / "alerting" / "rules.yaml").read_text())
    rules = [rule for group in document["groups"] for rule in group["rules"]]
    assert re.findall(r"(\d+) alert rules are there", page) == [str(len(rules))]
    assert re.findall(r"all (\d+) dashboards are there", page) == [str(len([*grafana_files.glob("dashboards/*.json")]))]


# --- how old is too old -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("age", "verdict", "words"),
    [
        (timedelta(0), OK, "0s old"),
        (12 * MINUTE, OK, "12m old"),
        (12 * MINUTE + timedelta(seconds=1), WRONG, "should write every 5m: it does not write"),
        (-MINUTE, OK, "points arrive"),
        (-MINUTE - timedelta(seconds=1), WRONG, "in the future"),
    ],
)
def test_points_are_fresh_until_two_runs_are_missing(age: timedelta, verdict: Verdict, words: str) -> None:
    newest, expected = Newest(NOW - age, "demo"), Expected("demo")
    step = freshness(Link.INFLUXDB, newest, expected, NOW)
    assert step.verdict is verdict
    assert words in step.what
    assert is_fresh(newest, expected, NOW) is (verdict is OK)


def test_of_several_fleets_the_one_that_is_expected_counts() -> None:
    found = [Newest(NOW, "other"), Newest(NOW - timedelta(days=1), "demo")]
    assert chosen(found, Expected("demo")) == found[1]
    assert chosen(found, Expected()) == found[0]
    assert chosen([], Expected("demo")) is None
    assert not is_fresh(found[0], Expected("demo"), NOW)


@pytest.mark.parametrize(
    ("writes", "advice"), [(True, "its log says why"), (False, "start Telegraf"), (None, "look where Telegraf runs")]
)
def test_what_to_do_about_old_points_depends_on_whether_telegraf_runs(writes: bool | None, advice: str) -> None:
    old = Newest(NOW - timedelta(days=2), "demo")
    assert advice in freshness(Link.INFLUXDB, old, Expected("demo", writes=writes), NOW).advice
    assert advice in freshness(Link.INFLUXDB, None, Expected("demo", writes=writes), NOW).advice


def test_who_starts_all_parts_together_is_told_that_command_and_no_service() -> None:
    start = "./stack native up"
    refused, expected = FetchError(Result.CONNECTION_FAILED, "refused"), Expected("demo", writes=False, start=start)

    steps = [
        *influxdb.examine(USER, asked({"/ping": refused}), lambda: NOW, expected).steps,
        *influxdb.examine(USER, asked({"/ping": version("1.8"), "/query": refused}), lambda: NOW, expected).steps[1:],
        *dashboards.examine(
            Login(DEFAULT_GRAFANA), asked({DEFAULT_GRAFANA + "/api/health": refused}), lambda: NOW, expected
        ).steps,
        *(list(examine(found(pid=None, others=others), "", MINUTE, "", start))[-1] for others in ((), (3,))),
        freshness(Link.INFLUXDB, None, expected, NOW),
    ]
    assert [step.advice for step in steps] == [*[f"start it: {start}"] * 3, start, start, f"start Telegraf: {start}"]


# --- InfluxDB ---------------------------------------------------------------------------------------

Answers = Mapping[str, Reply | FetchError]


def asked(answers: Answers) -> Ask:
    """Answers by the path of the question."""

    def ask(question: Question) -> Reply:
        path = question.url.split("?")[0].removeprefix("http://db:8086")
        answer = answers[path]
        if isinstance(answer, FetchError):
            raise answer
        return answer

    return ask


def reply(status: int = 200, document: Any = None, **headers: str) -> Reply:
    body = b"" if document is None else document if isinstance(document, bytes) else json.dumps(document).encode()
    return Reply(status, headers, body)


def version(number: str, date: str = "Sun, 22 Nov 2026 12:00:00 GMT") -> Reply:
    return reply(204, **{"x-influxdb-version": number, "date": date})


def rows(*times: Any, fleet: Any = "demo") -> dict[str, Any]:
    series = [
        {"name": "cvmfs_scrape", "tags": {"fleet": fleet}, "columns": ["time", "servers"], "values": [[time, 4]]}
        for time in times
    ]
    return {"results": [{"statement_id": 0, "series": series}]}


FRESH = rows(int(NOW.timestamp() * 1000))
NO_POINTS = {"results": [{"statement_id": 0}]}
USER = influxdb.Database(Login("http://db:8086", user="grafana", password="pw"))  # noqa: S106
TOKEN = influxdb.Database(Login("http://db:8086", token="tk"))  # noqa: S106


def database(one: influxdb.Database, **answers: Reply | FetchError) -> Examined:
    usual = {"/ping": version("1.8.10"), "/query": reply(200, FRESH), "/write": reply(403, {"error": "no"})}
    given = usual | {f"/{path}": answer for path, answer in answers.items()}
    return influxdb.examine(one, asked(given), lambda: NOW, Expected("demo"))


@pytest.mark.parametrize("number", ["1.6.7", "v2.7.12", "3.2.1"])
@pytest.mark.parametrize("login", [USER, TOKEN])
def test_each_version_of_influxdb_is_asked_in_the_same_way(number: str, login: influxdb.Database) -> None:
    seen = database(login, ping=version(number))
    assert verdicts(seen.steps) == [OK, OK, OK]
    assert f"InfluxDB {number.removeprefix('v')} answers" in seen.steps[0].what
    assert seen.newest == Newest(NOW, "demo")


def test_a_login_is_sent_as_each_kind_of_login_is() -> None:
    assert USER.headers == {"Authorization": basic("grafana", "pw")}
    assert TOKEN.headers == {"Authorization": "Token tk"}
    assert influxdb.Database(Login("http://db:8086")).headers == {}
    assert "pw" not in repr(USER) + repr(Question("http://db", USER.headers))


@pytest.mark.parametrize(
    ("number", "query", "write", "verdict", "words"),
    [
        ("v2.7.1", reply(401, {"code": "unauthorized", "message": "unauthorized access"}), reply(401), WRONG, "the login is wrong"),
        ("v2.7.1", reply(200, NO_POINTS), reply(404, {"message": "no dbrp mapping found"}), WRONG, "no bucket for the database"),
        ("v2.7.1", reply(200, {"results": [{"error": "database not found: cvmfs"}]}), reply(403), WRONG, "no bucket for"),
        ("v2.7.1", reply(200, {"results": [{"error": "database not found: cvmfs"}]}), reply(204), UNSURE, "may write, but not read"),
        ("v2.7.1", reply(200, NO_POINTS), reply(403), WRONG, "no points of cvmfs_scrape"),
        ("v2.7.1", reply(200, NO_POINTS), reply(204), WRONG, "no points of cvmfs_scrape"),
        ("v2.7.1", reply(200, {"results": [{"error": "unauthorized"}]}), reply(400), UNSURE, "may write, but not read"),
        ("v2.7.1", reply(403), reply(403), WRONG, "may neither read nor write"),
        ("1.8.10", reply(403, {"error": "error authorizing query: create admin user first"}), reply(403), WRONG, "no users yet"),
        ("1.8.10", reply(200, NO_POINTS), reply(204), WRONG, "no points of cvmfs_scrape"),
        ("1.8.10", reply(500, {"error": "timeout"}), reply(500), WRONG, "does not answer a query: timeout"),
        ("1.8.10", reply(200, b"<html>"), reply(500), WRONG, "not an answer to a query"),
        ("1.8.10", reply(200, []), reply(500), WRONG, "not an answer to a query"),
        ("1.8.10", reply(200, {"results": [3]}), reply(500), WRONG, "not an answer to a query"),
    ],
)  # fmt: skip
def test_what_a_database_says_is_understood(
    number: str, query: Reply, write: Reply, verdict: Verdict, words: str
) -> None:
    seen = database(USER, ping=version(number), query=query, write=write)
    assert seen.steps[-1].verdict is verdict
    assert words in seen.steps[-1].what
    assert seen.steps[-1].advice
    assert seen.newest is None


@pytest.mark.parametrize(
    "odd",
    [
        {"results": [{"series": 3}]},
        {"results": [{"series": [{"values": []}, {"values": [[]]}, {"values": [["x"]]}, 7]}]},
        rows(10**30),
        rows(-(10**30)),
        rows(None),
    ],
)
def test_points_that_are_none_are_no_points(odd: Any) -> None:
    seen = database(USER, query=reply(200, odd))
    assert seen.newest is None
    assert seen.steps[-1].verdict is WRONG


def test_a_tag_may_be_anything() -> None:
    assert database(USER, query=reply(200, rows(1, fleet=["x"]))).newest is not None


def test_two_clocks_that_differ_are_told() -> None:
    seen = database(USER, ping=version("1.8", date="Sun, 22 Nov 2026 12:05:00 GMT"))
    assert "differ by 5m" in seen.steps[1].what
    assert seen.steps[1].verdict is UNSURE
    assert len(database(USER, ping=version("1.8", date="yesterday")).steps) == 3


@pytest.mark.parametrize(
    ("error", "given", "verdict", "advice"),
    [
        (FetchError(Result.CONNECTION_FAILED, "refused"), True, WRONG, "systemctl start influxdb"),
        (FetchError(Result.DNS_ERROR, "no such name"), True, WRONG, "is the name in the address right"),
        (FetchError(Result.TLS_ERROR, "TLS: bad"), True, WRONG, "SSL_CERT_FILE"),
        (FetchError(Result.DEADLINE, "late"), True, NOT_ASKED, "--deadline"),
        (FetchError(Result.CONNECTION_FAILED, "refused"), False, NOT_ASKED, "set INFLUXDB_URL"),
    ],
)
def test_a_database_that_does_not_answer(error: FetchError, given: bool, verdict: Verdict, advice: str) -> None:
    login = influxdb.Database(Login("http://db:8086", given=given))
    for path in ("ping", "query") if given else ("ping",):
        last = database(login, **{path: error}).steps[-1]
        assert last.verdict is verdict
        assert advice in last.advice


def test_what_answers_at_the_usual_port_unasked_may_be_anything() -> None:
    login = influxdb.Database(Login("http://db:8086", given=False))
    assert verdicts(database(login, ping=reply(302, location="http://elsewhere")).steps) == [NOT_ASKED]
    assert verdicts(database(USER, ping=reply(302, location="http://elsewhere")).steps) == [WRONG]
    assert verdicts(database(login, query=reply(401), write=reply(401)).steps) == [OK, NOT_ASKED]


# --- Grafana, over real HTTP ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def served() -> Iterator[Grafana]:
    with grafana() as server:
        yield server


@pytest.fixture
def server(served: Grafana) -> Grafana:
    """As it is when everything was provisioned."""
    for state in (served.broken, served.unhealthy, served.dashboards, served.rules, served.asked):
        state.clear()
    served.datasources = {"influxdb": {"uid": "influxdb", "type": "influxdb"}}
    for uid in dashboards.DASHBOARDS:
        served.add_dashboard({"uid": uid, "title": uid}, folder="CVMFS")
    served.rules.append({"uid": "cvmfs-server-down", "title": "a server is down"})
    served.newest_run = NOW
    return served


def shown(server: Grafana, patience: float = 10, seconds: float = 20, **login: Any) -> Examined:
    who = Login(server.url, **({"token": server.token} | login))
    return dashboards.examine(who, Web(Deadline(seconds), patience).ask, lambda: NOW, Expected("demo"))


def test_a_grafana_as_it_should_be_is_well_for_a_viewer(server: Grafana) -> None:
    seen = shown(server)
    assert verdicts(seen.steps) == [OK] * 6
    assert seen.newest == Newest(NOW, "")


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (grafana_server.status(500), "in trouble: HTTP status 500, Internal server error"),
        (grafana_server.GARBAGE, "it is no Grafana"),
        (grafana_server.raw(b'{"database": "ok"'), "it is no Grafana"),
        (grafana_server.raw(b"[" * 100_000), "it is no Grafana"),
        (grafana_server.huge, "more than 4194304 bytes"),
        (grafana_server.endless, "more than 4194304 bytes"),
        (grafana_server.dribble, "no complete answer in time"),
        (grafana_server.slow(5), "no complete answer in time"),
        (grafana_server.hang_up, "closed the connection"),
        (grafana_server.redirect("http://127.0.0.2:9/api/health"), "redirects to 'http://127.0.0.2:9/api/health'"),
        (grafana_server.answer({"database": "failing"}), "trouble with its own database"),
    ],
)
def test_a_grafana_that_answers_strangely(server: Grafana, fault: grafana_server.Fault, words: str) -> None:
    server.broken["/api/health"] = fault
    began = time.monotonic()
    (step,) = shown(server, patience=1).steps
    assert time.monotonic() - began < 3
    assert step.verdict is WRONG
    assert words in step.what
    assert step.advice


def test_a_login_is_sent_to_nobody_but_who_it_is_for(server: Grafana) -> None:
    with grafana() as stranger:
        server.broken["/api/org"] = grafana_server.redirect(f"{stranger.url}/api/org")
        seen = shown(server)
        assert stranger.asked == []
    assert seen.steps[-1].verdict is WRONG
    assert "authorization" not in server.asked[0].headers, "its health needs no login"
    assert "authorization" in server.asked[1].headers


@pytest.mark.parametrize(
    ("path", "fault", "verdict", "words"),
    [
        ("/api/org", grafana_server.status(403), OK, "the login is right"),
        ("/api/org", grafana_server.status(401, "Invalid API key"), WRONG, "not accepted (Invalid API key)"),
        ("/api/datasources/", grafana_server.status(403), NOT_ASKED, "may not ask for it"),
        ("/api/datasources/", grafana_server.status(400, "connection refused"), WRONG, "connection refused"),
        ("/api/ds/query", grafana_server.status(403), NOT_ASKED, "a query through Grafana"),
        ("/api/ds/query", grafana_server.status(500, "boom"), WRONG, "a query through Grafana fails: boom"),
        ("/api/ds/query", grafana_server.answer({"results": {"A": {"error": "no database"}}}), WRONG, "no database"),
        ("/api/ds/query", grafana_server.answer({"results": 3}), WRONG, "a query through Grafana fails"),
        ("/api/ds/query", grafana_server.answer({"results": {"A": {"frames": [3, {}]}}}), WRONG, "no points"),
        ("/api/dashboards/", grafana_server.status(403), NOT_ASKED, "the dashboards"),
        ("/api/dashboards/uid/cvmfs-trust", grafana_server.status(404), WRONG, "1 of 8 dashboards are missing: cvmfs-trust"),
        ("/api/v1/provisioning", grafana_server.status(403), OK, "1 alert rules are there"),
        ("/api/v1/provisioning", grafana_server.status(500), WRONG, "the alert rules"),
        ("/api/v1/provisioning", grafana_server.answer([[[[[[[[[{"uid": "cvmfs-deep"}]]]]]]]]]), WRONG, "no alert rules"),
    ],
)  # fmt: skip
def test_what_grafana_refuses_is_understood(
    server: Grafana, path: str, fault: grafana_server.Fault, verdict: Verdict, words: str
) -> None:
    server.broken[path] = fault
    steps = shown(server).steps
    assert [step.verdict for step in steps if words in step.what] == [verdict]
    assert all(step.advice for step in steps if step.verdict is not OK)


def test_what_the_data_source_is_needed_for_is_not_asked_without_it(server: Grafana) -> None:
    server.datasources = {}
    assert [step.verdict for step in shown(server).steps] == [OK, OK, WRONG, OK, OK]
    assert not [asked.path for asked in server.asked if "query" in asked.path]


def test_the_fleet_of_a_frame_is_read_from_its_labels(server: Grafana) -> None:
    fields = [{"name": "Time", "type": "time"}, {"name": "servers", "type": "number", "labels": {"fleet": "demo"}}]
    old, new = int(NOW.timestamp() - 60) * 1000, int(NOW.timestamp()) * 1000
    frames = [{"schema": {"fields": fields}, "data": {"values": [[old, new], [4, 4]]}}]
    server.broken["/api/ds/query"] = grafana_server.answer({"results": {"A": {"frames": frames}}})
    assert shown(server).newest == Newest(NOW, "demo")


@pytest.mark.parametrize("token", ["two\nlines", "l\u00e4tin", "\u20ac"])
def test_a_token_that_cannot_be_sent_is_told(server: Grafana, token: str) -> None:
    assert verdicts(shown(server, token=token).steps) == [OK, WRONG]


def test_when_the_time_is_up_nothing_more_is_asked(server: Grafana) -> None:
    server.broken["/api/org"] = grafana_server.slow(5)
    steps = shown(server, seconds=0.5).steps
    assert verdicts(steps) == [OK, NOT_ASKED]
    assert "--deadline" in steps[-1].what


def test_without_a_login_only_its_health_is_asked(server: Grafana) -> None:
    seen = shown(server, token="")
    assert verdicts(seen.steps) == [OK, NOT_ASKED]
    assert [asked.path for asked in server.asked] == ["/api/health"]


# --- secrets ----------------------------------------------------------------------------------------


def test_a_secret_is_hidden_in_each_form() -> None:
    secrecy = Secrecy({'p@ss "word/1'})
    said = 'it was p@ss "word/1, p%40ss%20%22word%2F1, {"x": "p@ss \\"word/1"}, cEBzcyAid29yZC8x, http://u:secret@h/'
    assert secrecy.hide(said) == f'it was {HIDDEN}, {HIDDEN}, {{"x": "{HIDDEN}"}}, {HIDDEN}, http://{HIDDEN}@h/'


def test_a_secret_that_is_a_word_is_hidden_where_it_stands_alone() -> None:
    assert Secrecy({"cvmfs"}).hide("telegraf-cvmfs cvmfs_repo 'cvmfs'") == f"telegraf-cvmfs cvmfs_repo '{HIDDEN}'"


@given(st.text(min_size=8), st.text(), st.text())
def test_no_long_secret_survives(secret: str, before: str, after: str) -> None:
    assert secret not in Secrecy({secret}).hide(before + secret + after) or secret in before + HIDDEN + after


def test_secrets_are_known_by_the_names_of_their_variables() -> None:
    environment = {"INFLUXDB_PASSWORD": "a", "GRAFANA_TOKEN": "b", "INFLUXDB_URL": "http://u:c@h", "HOME": "d"}
    assert secrets_in(environment, {"X_SECRET": "", "TOKEN_URL": "https://e@h"}) >= {"a", "b", "c", "e"}
    assert not secrets_in(environment) & {"u", "d", ""}
    assert login_in("http://u:p@host:1/x") == ("http://host:1/x", "u", "p")
    assert login_in("http://[x") == ("http://[x", "", "")


# --- Telegraf in words ------------------------------------------------------------------------------

FILE = ConfigFile(
    "a.conf",
    '[[inputs.exec]]\ncommands = [["telegraf-cvmfs"]]\ntimeout = "60s"\ndata_format = "influx"\n[[outputs.influxdb]]\n',
)


def found(*files: ConfigFile, **more: Any) -> Installation:
    files = files or (FILE,)
    usual: dict[str, Any] = {
        "program": "/usr/bin/telegraf",
        "version": "1.39.3",
        "pid": 7,
        "others": (),
        "user": "telegraf",
    }
    return Installation(**(usual | {"files": files, "obstacles": (), "inputs": tuple(inputs(files, {}))} | more))


def trial(points: int = 0, *complaints: str, code: int | None = 0) -> Trial:
    return Trial(points, complaints, code, "telegraf")


def said(installation: Installation, tried: Trial | str = "not now", fleet_file: str = "") -> list[Step]:
    return list(examine(installation, tried, timedelta(seconds=45), fleet_file))


def test_a_telegraf_as_it_should_be_is_well() -> None:
    assert verdicts(said(found(), trial(52))) == [OK, OK, OK, OK]


@pytest.mark.parametrize(
    ("installation", "verdict", "words"),
    [
        (found(program="", pid=None), WRONG, "not installed here"),
        (found(program=""), UNSURE, "it is not on the PATH"),
        (found(version=""), UNSURE, "does not say which version"),
        (found(version="1.38.4"), WRONG, "does not take `commands` as lists"),
        (found(ConfigFile("a.conf", problem="Permission denied")), UNSURE, "sudo telegraf-cvmfs doctor"),
        (
            found(ConfigFile("a.conf", problem="No such file or directory", missing=True), pid=None),
            WRONG,
            "no configuration of Telegraf",
        ),
        (found(ConfigFile("a.conf", problem="No such file or directory", missing=True)), UNSURE, "in a container"),
        (found(ConfigFile("a.conf", "telegraf-cvmfs = [")), UNSURE, "cannot be read as TOML"),
        (found(pid=None), WRONG, "Telegraf is not running"),
        (found(pid=None, others=(3,)), WRONG, "runs with others (process 3)"),
        (found(obstacles=("user telegraf may not run x",)), WRONG, "sudo -u telegraf telegraf-cvmfs --check"),
    ],
)
def test_what_is_wrong_with_an_installation_is_told(installation: Installation, verdict: Verdict, words: str) -> None:
    assert verdict in [step.verdict for step in said(installation) if words in step.what + step.advice]


def test_an_older_version_is_fine_with_strings() -> None:
    strings = ConfigFile("a.conf", FILE.text.replace('[["telegraf-cvmfs"]]', '["telegraf-cvmfs"]'))
    assert said(found(strings, version="1.29.0"))[0].verdict is OK


def test_each_wrong_setting_has_its_own_advice() -> None:
    text = FILE.text.replace("60s", "5s").replace('data_format = "influx"', "")
    wrong = [step for step in said(found(ConfigFile("a.conf", text))) if step.verdict is WRONG]
    assert ["data_format" in wrong[0].what, "its timeout is 5s" in wrong[1].what] == [True, True]
    assert [step.advice for step in wrong] == [
        "correct that in a.conf",
        'write timeout = "60s" there, or give the program a shorter --deadline',
    ]


def test_what_is_not_understood_is_no_advice_about_what_is_wrong() -> None:
    text = FILE.text.replace("60s", "soon").replace('data_format = "influx"', "")
    steps = [step for step in said(found(ConfigFile("a.conf", text))) if "[[inputs.exec]]" in step.what]
    assert [(step.verdict, step.advice) for step in steps] == [
        (WRONG, "correct that in a.conf"),
        (UNSURE, "telegraf config check"),
    ]


@pytest.mark.parametrize(
    ("tried", "verdict", "words"),
    [
        ("not now", NOT_ASKED, "a trial of Telegraf: not now"),
        (trial(code=None), UNSURE, "--deadline"),
        (trial(), WRONG, "gives no points and no error"),
        (trial(0, "E! [inputs.exec] Error in plugin: exec: permission denied for command"), WRONG, "mode 755"),
        (trial(0, "E! [inputs.exec] Error in plugin: exec: command timed out"), WRONG, "give it more time"),
        (trial(0, "E! loading config file x failed: required variable INFLUXDB_TOKEN is missing a value"), WRONG, "set INFLUXDB_TOKEN"),
        (trial(0, "E! loading config file x failed: line 3"), WRONG, "telegraf config check"),
        (trial(0, "E! [inputs.exec] something new"), WRONG, "run it yourself"),
        (trial(9, "E! [inputs.exec] Error of another command"), OK, "gives 9 points"),
        (trial(9, "W! [inputs.exec] memory x cannot be written"), UNSURE, "goes without a memory: memory x"),
    ],
)  # fmt: skip
def test_what_a_trial_says_is_understood(tried: Trial | str, verdict: Verdict, words: str) -> None:
    assert verdict in [step.verdict for step in said(found(), tried) if words in step.what + step.advice]


def test_a_trial_as_somebody_else_than_telegraf_proves_nothing_if_it_fails() -> None:
    tried = Trial(0, ("E! loading config file x failed: required variable INFLUXDB_TOKEN is missing",), 1, "me")
    (step,) = [step for step in said(found(), tried) if "a trial" in step.what]
    assert (step.verdict, "as root" in step.advice) == (UNSURE, True)


def test_of_a_long_error_the_beginning_and_the_end_are_kept() -> None:
    steps = said(found(), trial(0, f"E! [inputs.exec] Error in plugin: begin {'x' * 5000} end"))
    what = next(step.what for step in steps if "fails" in step.what)
    assert len(what) < 400
    assert "begin x" in what
    assert what.endswith("x end")


def test_another_fleet_file_than_telegrafs_is_told() -> None:
    steps = said(found(), fleet_file="/home/me/fleet.toml")
    assert [step.advice for step in steps if "reads the fleet file" in step.what] == [
        "telegraf-cvmfs doctor --config /etc/telegraf-cvmfs/fleet.toml"
    ]
    assert not [step for step in said(found(), fleet_file="/etc/telegraf-cvmfs/fleet.toml") if step.verdict is UNSURE]


# --- processes, users, programs ---------------------------------------------------------------------


def process(proc: Path, pid: int, *arguments: str, uid: int = 0, environ: str = "A=1\0B=x=y\0") -> None:
    folder = proc / str(pid)
    folder.mkdir()
    (folder / "cmdline").write_text("".join(f"{argument}\0" for argument in arguments))
    (folder / "status").write_text(f"Name:\tx\nUid:\t1\t{uid}\t1\t1\nGid:\t5\t6\t5\t5\nGroups:\t7 8 \n")
    (folder / "cwd").symlink_to("/srv")
    if environ:
        (folder / "environ").write_text(environ)


def test_the_telegraf_that_stays_is_found_among_the_processes(tmp_path: Path) -> None:
    process(tmp_path, 30, "/usr/bin/telegraf", "--config", "a.conf", uid=4_000_000)
    process(tmp_path, 4, "telegraf", environ="")
    process(tmp_path, 5, "/usr/bin/telegraf", "--test")
    process(tmp_path, 6, "python3", "/usr/bin/telegraf-cvmfs")
    process(tmp_path, 7)
    (tmp_path / "self").mkdir()
    (tmp_path / "9").mkdir()
    first, second = telegrafs(tmp_path)
    assert (first.pid, first.environment) == (4, None)
    assert (second.pid, second.environment, second.folder) == (30, {"A": "1", "B": "x=y"}, Path("/srv"))
    assert second.user == User(4_000_000, 6, frozenset({6, 7, 8}), "#4000000")
    assert telegrafs(tmp_path / "none") == []


def test_the_program_of_a_process_is_one_that_nobody_else_could_have_put_there(tmp_path: Path) -> None:
    def program(place: Path, **who: Any) -> Path | None:
        proc = tmp_path / f"proc{len(list(tmp_path.iterdir()))}"
        proc.mkdir()
        process(proc, 30, "telegraf", **who)
        (proc / "30" / "exe").symlink_to(place)
        return telegrafs(proc)[0].program

    folder = tmp_path / "bin"
    folder.mkdir(mode=0o755)
    (folder / "telegraf").write_text("#!/bin/sh\n")
    (folder / "telegraf").chmod(0o755)
    assert program(folder / "telegraf") == folder / "telegraf"
    assert program(folder / "gone (deleted)") is None
    (folder / "telegraf").chmod(0o775)
    assert program(folder / "telegraf") is None
    (folder / "telegraf").chmod(0o755)
    folder.chmod(0o777)
    assert program(folder / "telegraf") is None


def test_a_telegraf_that_runs_and_is_not_on_the_path_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    runs = Process(7, ("telegraf",), myself(), None, {}, tmp_path / "telegraf")
    monkeypatch.setattr(installation, "telegrafs", lambda: [runs])
    assert installation.machine("", [], {}).program == tmp_path / "telegraf"
    assert installation.machine("another-telegraf", [], {}).program is None


def test_who_only_calls_a_program_telegraf_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "telegraf").write_text("#!/bin/sh\n")
    (tmp_path / "telegraf").chmod(0o755)
    monkeypatch.setenv("PATH", "/nonexistent")

    def found(uid: int) -> installation.Machine:
        user = User(uid, uid, frozenset({uid}), "somebody")
        runs = Process(7, (str(tmp_path / "telegraf"),), user, None, {"INFLUXDB_URL": "http://stranger"})
        monkeypatch.setattr(installation, "telegrafs", lambda: [runs])
        return installation.machine("", [], {})

    stranger, service = found(myself().uid + 70_000), found(999)
    assert (stranger.process, [one.pid for one in stranger.others]) == (None, [7])
    assert "INFLUXDB_URL" not in stranger.environment, "our login would go there"
    assert service.environment["INFLUXDB_URL"] == "http://stranger"
    assert (stranger.program, service.program) == (None, None), "its version would be asked of it as root"


def test_a_trial_is_given_no_secret_of_ours_that_telegrafs_files_do_not_name(tmp_path: Path) -> None:
    (tmp_path / "telegraf.conf").write_text('password = "${INFLUXDB_PASSWORD:-}"\n')
    ours = {"GRAFANA_TOKEN": "a", "GRAFANA_PASSWORD": "b", "INFLUXDB_PASSWORD": "c", "LANG": "d"}
    found = installation.machine("", [tmp_path / "telegraf.conf"], ours).environment
    assert {name: found.get(name) for name in ours} == {
        "GRAFANA_TOKEN": None, "GRAFANA_PASSWORD": None, "INFLUXDB_PASSWORD": "c", "LANG": "d"
    }  # fmt: skip


def test_an_address_that_its_password_makes_none_does_not_show_it() -> None:
    step = no_web_address(Link.INFLUXDB, "http://grafana:pass/word@host:8086", "INFLUXDB_URL")
    assert "pass" not in step.what.replace("password", "")
    assert "'http://***@host:8086'" in step.what


def test_what_keeps_a_user_from_a_file_is_named(tmp_path: Path) -> None:
    room = tmp_path / "room"
    room.mkdir()
    file = room / "fleet.toml"
    file.write_text("")
    me = myself()
    for folder in (room, *room.parents):
        if folder.stat().st_uid == me.uid and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o755)
    stranger = User(4_000_000, 4_000_000, frozenset({4_000_000}), "somebody")
    file.chmod(0o644)
    assert obstacle(file, stranger) is None
    file.chmod(0o640)
    assert obstacle(file, stranger) == f"user somebody may not read {file}"
    assert obstacle(file, User(4_000_000, 1, frozenset({1, file.stat().st_gid}), "x")) is None
    assert obstacle(file, User(4_000_000, 1, frozenset({1, file.stat().st_gid}), "x"), run=True) is not None
    room.chmod(0o700)
    assert obstacle(file, stranger) == f"user somebody may not enter the folder {room}"
    link = tmp_path / "link"
    link.symlink_to(file)
    assert obstacle(link, stranger) == f"user somebody may not enter the folder {room}"
    assert obstacle(file, me) is None
    assert obstacle(tmp_path / "none", me) == f"there is no {tmp_path / 'none'}"


def test_a_program_that_takes_too_long_is_stopped_with_all_that_it_started(tmp_path: Path) -> None:
    script = f"echo said; sh -c 'echo $$ > {tmp_path}/pid; exec sleep 60' & wait"
    ran = output_of(["sh", "-c", script], Deadline(30), 0.5)
    assert (ran.code, ran.output) == (None, "said\n")
    left, until = Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}/cmdline"), time.monotonic() + 5

    def runs() -> bool:
        with contextlib.suppress(OSError):
            return b"sleep" in left.read_bytes()
        return False

    while runs() and time.monotonic() < until:  # a signal takes its time to arrive
        time.sleep(0.05)
    assert not runs()


def test_a_program_that_cannot_be_started_says_why(tmp_path: Path) -> None:
    ran = output_of([str(tmp_path / "none")], Deadline(30), 5)
    assert ran.code == 127
    assert "No such file" in ran.errors


def test_a_share_of_the_time_ends_with_the_whole() -> None:
    whole = Deadline(100)
    share = Share(whole, 5)
    assert 4 < share.remaining <= 5
    whole.cut()
    assert share.passed


# --- the command ------------------------------------------------------------------------------------


def test_wrong_use_is_told_and_is_not_a_broken_link() -> None:
    done = run("doctor", "--no-such-option")
    assert done.returncode == 2
    assert done.stderr.startswith("E! ")


def test_options_before_and_after_the_sub_command_are_the_same(tmp_path: Path) -> None:
    missing: list[str | Path] = ["--config", tmp_path / "none.toml"]
    rest: list[str | Path] = ["--telegraf", tmp_path / "none", "--telegraf-config", tmp_path / "none.conf"]
    env = {"INFLUXDB_URL": "http://127.0.0.1:1", "GRAFANA_URL": "http://127.0.0.1:1"}
    after = run("doctor", *missing, *rest, env=env)
    before = run(*missing, "doctor", *rest, env=env)
    assert after.stdout == before.stdout
    assert (after.returncode, after.stderr) == (1, "")
    assert after.stdout.startswith(f"The chain breaks at plugin: fleet file {tmp_path}/none.toml: No such file")


DOCS = ROOT / "docs" / "doctor.md"


def test_the_docs_name_the_options_that_there_are() -> None:
    options = run("doctor", "--help").stdout
    named = set(re.findall(r"`(--[a-z0-9-]+)", DOCS.read_text())) - {"--check"}
    assert named == {*re.findall(r"(--(?:telegraf|influxdb|grafana)[a-z-]*)", options), "--config", "--deadline"}


def test_the_example_in_the_docs_is_what_the_report_looks_like() -> None:
    match = re.search(r"```text\n(.*?)```", DOCS.read_text(), re.DOTALL)
    assert match
    rows = [re.fullmatch(r"(\w*) +([a-z ]+): +(.*)", line) for line in match[1].splitlines()[3:]]
    steps: list[Step] = []
    for row in filter(None, rows):
        if row[1]:
            steps.append(Step(next(link for link in Link if link.value == row[1]), Verdict(row[2]), row[3]))
        else:
            steps[-1] = replace(steps[-1], advice=row[3])
    assert text(steps) == match[1]


@pytest.mark.parametrize(
    "variable",
    [
        {"INFLUXDB_URL": "http://127.0.0.1:9/?token=s3cr3t-one"},
        {"GRAFANA_URL": "http://127.0.0.1:9/grafana?auth_token=s3cr3t-one"},
        {"TELEGRAF_CONFIG_PATH": "telegraf:s3cr3t-one@example.org/telegraf.conf"},
    ],
    ids=lambda variable: next(iter(variable)),
)
def test_what_stands_in_an_address_and_may_be_a_secret_is_not_shown(variable: dict[str, str], tmp_path: Path) -> None:
    fleet = tmp_path / "fleet.toml"
    fleet.write_text('[[server]]\nurl = "http://127.0.0.1:9"\nrole = "stratum1"\n')
    done = run("doctor", "--config", fleet, "--state-dir", tmp_path, "--deadline", "8", env=variable)
    assert done.returncode in (0, 1)
    assert next(iter(variable)) in done.stdout or "127.0.0.1:9" in done.stdout or "example.org" in done.stdout
    assert "s3cr3t-one" not in done.stdout + done.stderr
