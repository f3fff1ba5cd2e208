"""The relay over real HTTP and SMTP, with stand-ins of the services on loopback and, mostly, a clock of the test's own."""

from __future__ import annotations

import base64
import contextlib
import copy
import json
import logging
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests

from grafana.relay import outbox
from grafana.relay import server as server_module
from grafana.relay.command import main, serve
from grafana.relay.config import Chat, Config, Mail, Matrix, Receiver
from grafana.relay.damping import Damping
from grafana.relay.log import Log
from grafana.relay.message import Kind, Message, News, compose
from grafana.relay.outbox import Outcome, Result
from grafana.relay.receivers import sender
from grafana.relay.server import LARGEST_BODY, MOST_CONNECTIONS, Server
from grafana.relay.service import Relay, run_threads
from tests import ROOT
from tests.grafana.relay.receivers import HOOK, PASSWORD, TOKEN, Fault, Post, Taken, chat, mail_server, make_certificate
from tests.grafana.relay.test_alert import DOCUMENTED, HOSTILE

SECRET = "a-secret-of-thirty-two-characters"  # noqa: S105
BEARER = {"Authorization": f"Bearer {SECRET}"}
START = 1_800_000_000.0
SERVICES = ("slack", "mattermost", "matrix")


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


def service(kind: str, taken: Taken, ca: Path | None = None) -> Receiver:
    if kind == "matrix":
        return Matrix("matrix", taken.url, "!room:example.org", TOKEN, ca)
    return Chat(kind, kind, taken.url + (HOOK if kind == "slack" else "/hooks/secretsecretsecret"), ca)


def config(folder: Path, *receivers: Receiver, damping: Damping | None = None, give_up: float = 3600.0) -> Config:
    state = folder / "state" / "relay.json"
    return Config("127.0.0.1", 0, SECRET, state, "", give_up, damping or Damping(), receivers, (SECRET,), ())


def notification(status: str = "firing", count: int = 1, **labels: str) -> dict[str, Any]:
    first = DOCUMENTED["alerts"][0]
    alerts = [
        {**copy.deepcopy(first), "status": status, "fingerprint": f"f{number}", "labels": {**first["labels"], **labels}}
        for number in range(count)
    ]
    return {**DOCUMENTED, "status": status, "alerts": alerts, "truncatedAlerts": 0}


class Running:
    """A relay in this process, its HTTP server on a free port, its clock in the test's hand."""

    def __init__(self, settings: Config, log: Log | None = None) -> None:
        self.now = START
        self.log = log or Log([SECRET, TOKEN, PASSWORD, HOOK])
        senders = {receiver.name: sender(receiver) for receiver in settings.receivers}
        self.relay = Relay(settings, senders, self.log, self.now)
        self.server = Server(("127.0.0.1", 0), self.relay, settings.secret, self.log, lambda: self.now)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def post(self, document: object, path: str = "/grafana", headers: dict[str, str] | None = None) -> int:
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        given = {"Content-Type": "application/json", **(BEARER if headers is None else headers)}
        with requests.post(self.url + path, data=body, headers=given, timeout=5) as response:
            return response.status_code

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.relay.tick(self.now)
        for name in self.relay.receivers:
            while self.relay.deliver(name, self.now):
                pass


@contextmanager
def running(settings: Config, log: Log | None = None) -> Iterator[Running]:
    one = Running(settings, log)
    thread = threading.Thread(target=one.server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield one
    finally:
        one.server.shutdown()
        one.server.server_close()
        one.server.finish(5)
        one.relay.close()


def message(summary: str = "behind", count: int = 1) -> Message:
    from grafana.relay.alert import read  # noqa: PLC0415

    document = notification(count=count)
    document["alerts"][0]["annotations"]["summary"] = summary
    reports = read(json.dumps(document).encode()).reports
    return compose([News(report.alert, Kind.FIRING) for report in reports], START, 10, count)


# --- from Grafana to every receiver -----------------------------------------------------------------


@pytest.mark.parametrize("kind", SERVICES)
def test_an_alert_of_grafana_reaches_the_chat_and_so_does_its_end(tmp_path: Path, kind: str) -> None:
    with chat() as taken, running(config(tmp_path, service(kind, taken))) as relay:
        assert relay.post(DOCUMENTED) == 200
        relay.pass_time(300)
        assert taken.messages == []
        relay.pass_time(71)
        assert relay.post(notification("resolved")) == 200
        document = {**DOCUMENTED, "alerts": [{**DOCUMENTED["alerts"][0], "status": "resolved"}]}
        assert relay.post(document) == 200
        relay.pass_time(371)
        relay.pass_time(3600)
        texts = [str(one.get("body") or one["text"]) for one in taken.messages]
    assert len(texts) == 2
    assert "firing: lagging on eessi / s1.example.org / software.eessi.io" in texts[0]
    assert "resolved: lagging on" in texts[1].replace("*", "")


def test_mail_is_sent_with_starttls_and_login(tmp_path: Path, certificate: tuple[Path, Path]) -> None:
    with mail_server(certificate, login=True) as post:
        mail = mailbox(post, certificate[0], user="relay", to=("ops@example.org", "b@example.org"))
        with running(config(tmp_path, mail)) as relay:
            relay.post(DOCUMENTED)
            relay.pass_time(371)
    (letter,) = post.letters
    assert (post.users, post.encrypted, len(post.to[0])) == (["relay"], [True], 2)
    assert letter["Subject"] == "[critical] CVMFS firing: lagging on eessi / s1.example.org / software.eessi.io"
    assert (letter["From"], letter["To"]) == ("cvmfs@example.org", "ops@example.org, b@example.org")
    assert letter["Auto-Submitted"] == "auto-generated"
    assert letter["Message-ID"].endswith("@example.org>")
    assert "what to do: https://example.org/docs/findings/lagging.md" in letter.get_content()


def mailbox(post: Post, ca: Path | None, **changes: Any) -> Mail:
    values: dict[str, Any] = {
        "name": "mail", "host": "127.0.0.1", "port": post.port, "tls": "starttls", "sender": "cvmfs@example.org",
        "to": ("ops@example.org",), "user": "", "password": PASSWORD, "ca": ca,
    }  # fmt: skip
    return Mail(**{**values, **changes})


def test_mail_can_be_sent_over_tls_from_the_start_and_without_login(certificate: tuple[Path, Path]) -> None:
    with mail_server(certificate, at_once=True) as post:
        assert sender(mailbox(post, certificate[0], tls="tls"))(message()).result is Result.TAKEN
    assert (post.encrypted, post.users) == ([True], [""])


def test_a_line_break_in_an_alert_makes_no_header_of_a_mail() -> None:
    document = notification()
    document["alerts"][0]["labels"] |= dict.fromkeys(
        ("finding", "server", "severity"), f"x\r\nBcc: evil@example.org\r\n{HOSTILE}"
    )
    from grafana.relay.alert import read  # noqa: PLC0415

    hostile = [News(report.alert, Kind.FIRING) for report in read(json.dumps(document).encode()).reports]
    with mail_server() as post:
        outcome = sender(mailbox(post, None, tls="none"))(compose(hostile, START, 10, 1))
    assert outcome.result is Result.TAKEN
    assert post.letters[0]["Bcc"] is None
    assert set(post.letters[0].keys()) == {
        "Subject", "From", "To", "Date", "Message-ID", "Auto-Submitted",
        "MIME-Version", "Content-Type", "Content-Transfer-Encoding",
    }  # fmt: skip
    assert len(post.to[0]) == 1


@pytest.mark.parametrize("kind", SERVICES)
def test_what_is_hostile_in_an_alert_is_taken_by_the_service_as_text(kind: str) -> None:
    with chat() as taken:
        assert sender(service(kind, taken))(message(HOSTILE, 30)) == Outcome(Result.TAKEN)
    assert len(taken.messages) == 1


def test_matrix_names_nobody_and_is_given_the_same_transaction_again() -> None:
    with chat() as taken:
        send = sender(service("matrix", taken))
        assert [send(message()).result, send(message()).result] == [Result.TAKEN] * 2
    assert taken.asked == 2
    (one,) = taken.messages
    assert one["m.mentions"] == {}
    assert one["format"] == "org.matrix.custom.html"


def test_hundreds_of_alerts_are_one_message(tmp_path: Path) -> None:
    with chat() as taken, running(config(tmp_path, service("slack", taken))) as relay:
        assert relay.post(notification(count=400)) == 200
        relay.pass_time(371)
    assert len(taken.messages) == 1
    assert "400 firing" in taken.messages[0]["text"]
    assert "and 390 more" in taken.messages[0]["text"]


def test_grafanas_test_button_is_answered_at_once_but_not_faster_than_once_a_minute(tmp_path: Path) -> None:
    labels = {"alertname": "TestAlert", "instance": "Grafana"}
    test = {
        **DOCUMENTED,
        "alerts": [{"status": "firing", "labels": labels, "annotations": {"summary": "Notification test"}}],
    }
    with chat() as taken, running(config(tmp_path, service("slack", taken))) as relay:
        for _ in range(5):
            assert relay.post(test) == 200
        relay.pass_time(1)
        assert ["CVMFS test" in one["text"] for one in taken.messages] == [True]
        relay.pass_time(3600)
    assert len(taken.messages) == 1


# --- receivers that fail ----------------------------------------------------------------------------


def test_a_receiver_that_fails_neither_loses_the_message_nor_stops_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with chat() as bad, chat() as good:
        bad.faults = [Fault(500), Fault(0, cut=True), Fault(404, "no_service")]
        with running(config(tmp_path, service("slack", bad), service("mattermost", good))) as relay:
            relay.post(notification())
            relay.pass_time(371)
            assert (len(bad.messages), len(good.messages), bad.asked) == (0, 1, 1)
            assert requests.get(f"{relay.url}/health", timeout=5).json() == {"status": "ok", "queued": 1, "alerts": 1}
            relay.pass_time(4)
            assert bad.asked == 1
            for _ in range(3):
                relay.pass_time(30)
            assert len(bad.messages) == 1
    said = capsys.readouterr().err.splitlines()
    assert [line[:2] for line in said] == ["W!", "I!"]
    assert "slack: message of 2027-01-15 08:06 UTC not taken, it will be tried again: it answered 500" in said[0]
    assert "after 4 attempts" in said[1]


def test_a_receiver_that_never_takes_it_costs_one_error_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with chat() as taken:
        taken.faults = [Fault(503)] * 100
        with running(config(tmp_path, service("slack", taken), give_up=600.0)) as relay:
            relay.post(DOCUMENTED)
            for _ in range(200):
                relay.pass_time(30)
        assert 3 < taken.asked < 15
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("E!")]
    assert len(errors) == 1
    assert "given up after" in errors[0]
    assert "it answered 503" in errors[0]


def test_retry_after_is_kept(tmp_path: Path) -> None:
    with chat() as taken, running(config(tmp_path, service("slack", taken))) as relay:
        taken.faults = [Fault(429, "rate_limited", (("Retry-After", "120"),))]
        relay.post(DOCUMENTED)
        relay.pass_time(371)
        relay.pass_time(119)
        assert taken.asked == 1
        relay.pass_time(1)
        assert len(taken.messages) == 1


@pytest.mark.parametrize(
    ("fault", "seconds"),
    [
        (Fault(429, '{"errcode": "M_LIMIT_EXCEEDED", "retry_after_ms": 2500}'), 2.5),
        (Fault(429, '{"retry_after_ms": true}'), None),
        (Fault(429, "", (("Retry-After", "Fri, 31 Dec 1999 23:59:59 GMT"),)), 0.0),
        (Fault(429, "", (("Retry-After", "soon"),)), None),
        (Fault(429, "", (("Retry-After", "9" * 5000),)), None),
    ],
)
def test_the_ways_of_saying_when_to_come_again_are_understood(fault: Fault, seconds: float | None) -> None:
    with chat() as taken:
        taken.faults = [fault]
        outcome = sender(service("matrix", taken))(message())
    assert (outcome.result, outcome.retry_after) == (Result.LATER, seconds)


def test_a_message_that_the_service_calls_wrong_does_not_hold_up_the_next(tmp_path: Path) -> None:
    with chat() as taken, running(config(tmp_path, service("slack", taken))) as relay:
        taken.faults = [Fault(400, "invalid_payload")]
        relay.post(notification())
        relay.pass_time(371)
        relay.post(notification("resolved"))
        relay.pass_time(371)
        assert ["resolved" in one["text"] for one in taken.messages] == [True]


def test_no_redirect_is_followed_with_the_secret() -> None:
    with chat() as elsewhere, chat() as taken:
        taken.faults = [Fault(307, "", (("Location", elsewhere.url + HOOK),))]
        outcome = sender(service("slack", taken))(message())
        assert elsewhere.asked == 0
    assert outcome == Outcome(Result.LATER, "it answered 307")


def test_an_answer_that_is_not_the_services_is_no_success() -> None:
    with chat() as taken:
        taken.faults = [Fault(200, "<html>Please log in</html>")]
        outcome = sender(service("slack", taken))(message())
    assert outcome.result is Result.LATER
    assert "is the URL right?" in outcome.why


@pytest.mark.parametrize("kind", SERVICES)
def test_a_certificate_that_is_not_trusted_gets_nothing(kind: str, certificate: tuple[Path, Path]) -> None:
    with chat(certificate) as taken:
        outcome = sender(service(kind, taken))(message())
        assert "TLS certificate is not trusted" in outcome.why
        assert taken.asked == 0
        assert sender(service(kind, taken, certificate[0]))(message()).result is Result.TAKEN


@pytest.mark.parametrize(
    ("refuses", "result", "why"),
    [
        ({"AUTH": "535 no"}, Result.LATER, "does not accept user and password"),
        ({"RCPT": "550 nobody"}, Result.LATER, "every address"),
        ({"MAIL": "451 later"}, Result.LATER, "refuses the address in `from`"),
        ({"DATA": "554 spam"}, Result.REFUSED, "answered 554 to the message"),
        ({"DATA": "452 full"}, Result.LATER, "answered 452"),
        ({"RCPT TO:<B@": "550 nobody"}, Result.TAKEN, "refused 1 of the addresses"),
        ({"STARTTLS": "454 no"}, Result.LATER, "answered with an error"),
    ],
)
def test_what_a_mail_server_refuses_is_said(
    certificate: tuple[Path, Path], refuses: dict[str, str], result: Result, why: str
) -> None:
    with mail_server(certificate, login=True) as post:
        post.refuses = refuses
        mail = mailbox(post, certificate[0], user="relay", to=("ops@example.org", "b@example.org"))
        outcome = sender(mail)(message())
    assert outcome.result is result
    assert why in outcome.why


def test_a_mail_server_without_starttls_or_with_a_foreign_certificate_gets_no_password(
    certificate: tuple[Path, Path],
) -> None:
    with mail_server(login=True) as plain, mail_server(certificate, login=True) as foreign:
        assert "does not offer TLS" in sender(mailbox(plain, None, user="relay"))(message()).why
        assert "certificate is not trusted" in sender(mailbox(foreign, None, user="relay"))(message()).why
        assert plain.users == foreign.users == []


def test_what_listens_to_nobody_is_said_to_be_out_of_reach() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    taken = Taken(url=f"http://127.0.0.1:{port}")
    assert sender(service("slack", taken))(message()).why == "it cannot be reached"
    assert "cannot be reached" in sender(mailbox(Post(port=port), None))(message()).why


@pytest.mark.parametrize(
    "receiver",
    [
        Matrix("matrix", "https://a..b", "!room:example.org", TOKEN, None),
        Matrix("matrix", f"https://{'a' * 64}.example.org", "!room:example.org", TOKEN, None),
        Matrix("matrix", "http://127.0.0.1:1", "!room:example.org", "tokén€", None),
    ],
)
def test_what_cannot_even_be_asked_is_an_outcome_and_no_end_of_the_thread(receiver: Receiver) -> None:
    outcome = sender(receiver)(message())
    assert outcome.result is Result.LATER
    assert re.search("cannot be reached|characters that cannot be sent", outcome.why)


def test_a_mail_password_that_smtp_cannot_send_is_told(certificate: tuple[Path, Path]) -> None:
    with mail_server(certificate, login=True) as post:
        outcome = sender(replace(mailbox(post, certificate[0], user="relay"), password="pässwörd"))(message())  # noqa: S106
    assert (outcome.result, "password has characters that cannot be sent" in outcome.why) == (Result.LATER, True)


@pytest.mark.parametrize("quoted", ["secretsecretsecret", quote(HOOK, safe=""), "T0123/B4567/secretsecretsecret"])
def test_neither_another_spelling_nor_the_end_of_a_secret_is_shown(quoted: str) -> None:
    with chat() as taken:
        taken.faults = [Fault(404, f"{'x' * 70} {quoted}")]
        assert "secretsec" not in sender(service("slack", taken))(message()).why


@pytest.mark.parametrize("quoted", [HOOK, HOOK.replace("/", "\\/")])
def test_a_secret_that_a_service_repeats_is_hidden_before_the_answer_is_cut(quoted: str) -> None:
    with chat() as taken:
        taken.faults = [Fault(404, f"{'x' * 70} {quoted}")]
        why = sender(service("slack", taken))(message()).why
    assert "x ***" in why or "x /***" in why or "x \\/***" in why
    assert "T0123" not in why


# --- faults of our own ------------------------------------------------------------------------------


def faulty(folder: Path, *ends: BaseException) -> tuple[Relay, list[Message]]:
    """A relay with two messages under way to a sender that ends like this, each time another, and then takes them."""
    taken: list[Message] = []
    left = list(ends)

    def send(message: Message) -> Outcome:
        if left:
            raise left.pop(0)
        taken.append(message)
        return Outcome(Result.TAKEN)

    settings = config(folder, damping=Damping(hold=0, gather=0))
    relay = Relay(settings, {"slack": send}, Log([SECRET]), START)
    for number in range(2):
        document = notification()
        document["alerts"][0]["fingerprint"] = f"n{number}"
        relay.take(json.dumps(document).encode(), START + number)
        relay.tick(START + number + 1)
    return relay, taken


def test_a_message_at_which_the_program_itself_fails_is_given_up_and_the_next_one_sent(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    relay, taken = faulty(tmp_path, ZeroDivisionError(f"with {SECRET}"))
    stop = threading.Event()
    threads = run_threads(relay, lambda: START + 60, stop, 0.01)
    wait_for(lambda: len(taken) == 1)
    assert relay.health() == {"status": "ok", "queued": 0, "alerts": 2}
    assert all(thread.is_alive() for thread in threads)
    stop.set()
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith("E! slack: message of 2027-01-15 08:00 UTC given up, please report it: unexpected ZeroDiv")
    assert SECRET not in said


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_health_says_it_when_a_worker_has_ended(tmp_path: Path) -> None:
    relay, _ = faulty(tmp_path, SystemExit())
    server = Server(("127.0.0.1", 0), relay, "", Log(), lambda: START)
    listener = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    listener.start()
    stop = threading.Event()
    url = f"http://127.0.0.1:{server.server_address[1]}/health"
    assert requests.get(url, timeout=5).status_code == 200
    run_threads(relay, lambda: START + 60, stop, 0.01)
    wait_for(lambda: requests.get(url, timeout=5).status_code == 503)
    assert requests.get(url, timeout=5).json()["status"] == "1 workers ended"
    stop.set()
    server.shutdown()
    server.server_close()


def test_health_says_it_when_a_worker_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    goes_on = threading.Event()

    def hang(_: Message) -> Outcome:
        goes_on.wait(10)
        return Outcome(Result.TAKEN)

    relay = Relay(config(tmp_path, damping=Damping(hold=0, gather=0)), {"slack": hang}, Log(), START)
    relay.take(json.dumps(notification()).encode(), START)
    relay.tick(START + 1)
    worker = threading.Thread(target=relay.deliver, args=("slack", START + 2))
    worker.start()
    assert relay.health()["status"] == "ok"
    monkeypatch.setattr("grafana.relay.service.LONGEST_ATTEMPT", 0.0)
    wait_for(lambda: relay.health()["status"] == "1 workers hang")
    goes_on.set()
    worker.join()
    assert relay.health()["status"] == "ok"


def test_a_fault_at_a_tick_is_said_once_and_the_next_tick_comes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    relay, _ = faulty(tmp_path)
    ticks: list[float] = []
    monkeypatch.setattr(relay, "tick", lambda now: ticks.append(now / len(ticks)))
    stop = threading.Event()
    run_threads(relay, lambda: START, stop, 0.01)
    wait_for(lambda: len(ticks) == 0 and "E! ticks: unexpected ZeroDivisionError" in capsys.readouterr().err)
    ticks.append(1.0)
    wait_for(lambda: len(ticks) > 1)
    stop.set()
    assert capsys.readouterr().err == ""


def test_a_notification_at_which_the_program_itself_fails_is_answered_so_that_grafana_asks_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(config(tmp_path)) as one:
        monkeypatch.setattr(one.relay, "take", lambda *_: 1 // 0)
        assert one.post(DOCUMENTED) == 500
    assert capsys.readouterr().err.startswith("E! a notification: unexpected ZeroDivisionError")


def test_a_log_that_nobody_reads_stops_no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr(sys, "stderr", full)
        Log().error("nobody hears it")
        monkeypatch.setattr(sys, "stderr", None)
        Log().error("nor this")
        monkeypatch.undo()
        with contextlib.suppress(OSError):
            full.close()


def test_the_queue_of_a_receiver_is_bounded_and_drops_the_oldest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "MOST_MESSAGES", 4)
    with (
        chat() as taken,
        running(config(tmp_path, service("slack", taken), damping=Damping(hold=0, gather=0))) as relay,
    ):
        for number in range(7):
            document = notification()
            document["alerts"][0] |= {"fingerprint": f"n{number}", "annotations": {"summary": f"number {number}"}}
            relay.relay.take(json.dumps(document).encode(), relay.now)
            relay.relay.tick(relay.now + number)
        assert relay.relay.health()["queued"] == 4
        relay.pass_time(60)
        assert [f"number {number}" in one["text"] for number, one in enumerate(taken.messages, 3)] == [True] * 4
    assert capsys.readouterr().err.count("E! slack: too many messages wait") == 3


# --- restart ----------------------------------------------------------------------------------------


def test_a_restart_loses_neither_what_is_held_nor_what_waits(tmp_path: Path) -> None:
    with chat() as taken:
        settings = config(tmp_path, service("slack", taken))
        with running(settings) as relay:
            relay.post(notification())
        with running(settings) as relay:
            relay.now += 371
            relay.relay.tick(relay.now)
        assert taken.messages == []
        with running(settings) as relay:
            relay.pass_time(372)
            assert len(taken.messages) == 1
            relay.post(notification())
            relay.pass_time(371)
        assert len(taken.messages) == 1


def test_the_state_file_is_private_and_holds_no_secret(tmp_path: Path) -> None:
    with chat() as taken, running(config(tmp_path, service("slack", taken), service("matrix", taken))) as relay:
        taken.faults = [Fault(500, f"echo {HOOK} {TOKEN}")] * 4
        relay.post(DOCUMENTED)
        relay.pass_time(371)
        state = tmp_path / "state" / "relay.json"
        assert stat.S_IMODE(state.stat().st_mode) == 0o600
        assert [path.name for path in state.parent.iterdir()] == ["relay.json"]
        text = state.read_text()
    assert "lagging" in text
    assert not [secret for secret in (SECRET, HOOK, TOKEN) if secret in text]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"version": 2}',
        b'{"version": 1, "alerts": [{}], "outboxes": {}}',
        b"\xff" * 9,
        b"[" * 99_999,
    ],
)
def test_a_state_file_that_is_not_ours_is_begun_anew(
    tmp_path: Path, body: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "relay.json").write_bytes(body)
    with chat() as taken, running(config(tmp_path, service("slack", taken))) as relay:
        assert relay.post(DOCUMENTED) == 200
    assert capsys.readouterr().err.startswith("W! state file ")


def test_what_cannot_be_stored_is_not_confirmed_to_grafana_and_health_says_so(tmp_path: Path) -> None:
    with chat() as taken, running(config(tmp_path, service("slack", taken))) as relay:
        (tmp_path / "state").write_text("a file where the folder should be")
        assert relay.post(DOCUMENTED) == 503
        assert requests.get(f"{relay.url}/health", timeout=5).status_code == 503
        relay.pass_time(371)
        assert len(taken.messages) == 1, "told all the same"
        (tmp_path / "state").unlink()
        assert relay.post(DOCUMENTED) == 200
        assert requests.get(f"{relay.url}/health", timeout=5).status_code == 200


def test_messages_for_a_receiver_that_was_taken_out_are_dropped_with_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with chat() as taken:
        taken.faults = [Fault(500)]
        with running(config(tmp_path, service("slack", taken))) as relay:
            relay.post(DOCUMENTED)
            relay.pass_time(371)
        with running(config(tmp_path, service("matrix", taken))):
            pass
    assert "W! 1 messages wait for 'slack', which is no receiver now: dropped" in capsys.readouterr().err


# --- hostile requests -------------------------------------------------------------------------------


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[Running]:
    with chat() as taken, running(config(tmp_path, service("slack", taken))) as one:
        yield one
        one.pass_time(4000)
        assert taken.messages == [], "a refused request was told"


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer "},
        {"Authorization": f"Bearer {SECRET[:-1]}"},
        {"Authorization": f"Bearer {SECRET}x"},
        {"Authorization": SECRET},
        {"Authorization": f"Digest {SECRET}"},
        {"Authorization": "Basic !!!"},
        {"Authorization": "Bearer \xff\xfe"},
        basic("grafana", "wrong"),
        basic(SECRET, ""),
    ],
)
def test_without_the_secret_nothing_is_taken(
    relay: Running, headers: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert relay.post(DOCUMENTED, headers=headers) == 401
    assert relay.post(DOCUMENTED, headers=headers) == 401
    said = capsys.readouterr().err
    assert said == "W! 127.0.0.1 did not have the secret\n"


def test_a_secret_may_have_letters_that_headers_have_not(tmp_path: Path) -> None:
    secret = "slaptažodis-żółw-à"  # noqa: S105
    with chat() as taken, running(replace(config(tmp_path, service("slack", taken)), secret=secret)) as relay:
        given: dict[str, str | bytes] = {
            "Content-Type": "application/json",
            "Authorization": f"Bearer {secret}".encode(),
        }
        assert requests.post(relay.url, data=b'{"alerts": []}', headers=given, timeout=5).status_code == 200
        assert relay.post({"alerts": []}, headers=basic("grafana", secret)) == 200


def test_the_secret_may_be_the_password_of_basic_authentication_and_put_is_taken_too(tmp_path: Path) -> None:
    with chat() as taken, running(config(tmp_path, service("slack", taken))) as relay:
        assert relay.post(DOCUMENTED, headers=basic("grafana", SECRET)) == 200
        given = {"Content-Type": "application/json; charset=utf-8", **BEARER}
        assert requests.put(relay.url, data=json.dumps(DOCUMENTED), headers=given, timeout=5).status_code == 200


@pytest.mark.parametrize("body", [b"", b"null", b"{", b'{"alerts": 1}', b"[" * 500_000, b"\x00\xff"], ids=range(6))
def test_a_body_that_is_no_notification_is_refused(relay: Running, body: bytes) -> None:
    assert relay.post(body) == 400
    assert relay.relay.health() == {"status": "ok", "queued": 0, "alerts": 0}


def test_other_paths_methods_and_types_are_refused(relay: Running) -> None:
    assert relay.post(DOCUMENTED, path="/x") == 404
    assert relay.post(DOCUMENTED, headers={**BEARER, "Content-Type": "text/plain"}) == 415
    assert requests.get(relay.url, timeout=5).status_code == 404
    assert requests.delete(relay.url, timeout=5).status_code == 501


def raw(relay: Running, request: bytes) -> bytes:
    with socket.create_connection(relay.server.server_address[:2], timeout=5) as connection:  # type: ignore[arg-type]
        connection.sendall(request)
        answer = b""
        while piece := connection.recv(4096):
            answer += piece
        return answer


HEAD = f"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAuthorization: Bearer {SECRET}\r\n".encode()


@pytest.mark.parametrize(
    ("rest", "status"),
    [
        (f"Content-Length: {LARGEST_BODY + 1}\r\n\r\n", 413),
        (f"Content-Length: {'9' * 5000}\r\n\r\n", 413),
        ("Content-Length: -1\r\n\r\n", 411),
        ("Content-Length: 1e3\r\n\r\n", 411),
        ("Content-Length: ²\r\n\r\n", 411),
        ("\r\n", 411),
        ("Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411),
        ("X: y\r\n" * 200 + "\r\n", 431),
        ("X: " + "y" * 70_000 + "\r\n\r\n", 431),
    ],
)
def test_a_body_without_a_sane_length_is_not_read(relay: Running, rest: str, status: int) -> None:
    assert raw(relay, HEAD + rest.encode("latin-1")).split(b" ")[1] == str(status).encode()


def test_a_connection_that_drips_is_cut_after_its_time(relay: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "SECONDS", 0.3)
    begin = time.monotonic()
    with socket.create_connection(relay.server.server_address[:2], timeout=5) as connection:  # type: ignore[arg-type]
        connection.sendall(HEAD + b"Content-Length: 100\r\n\r\n")
        cut = False
        while not cut and time.monotonic() - begin < 5:
            try:
                connection.sendall(b"[")
                time.sleep(0.05)
                cut = connection.recv(100, socket.MSG_DONTWAIT) == b""
            except BlockingIOError:
                continue
            except OSError:
                cut = True
    assert cut
    assert time.monotonic() - begin < 3


def test_so_many_connections_and_no_more(relay: Running) -> None:
    address = relay.server.server_address[:2]
    held = [socket.create_connection(address, timeout=5) for _ in range(MOST_CONNECTIONS)]  # type: ignore[arg-type]
    try:
        with socket.create_connection(address, timeout=5) as one_more:  # type: ignore[arg-type]
            one_more.settimeout(5)
            assert one_more.recv(100) == b""
    finally:
        for connection in held:
            connection.close()
    wait_for(lambda: requests.get(f"{relay.url}/health", timeout=5).status_code == 200)


def wait_for(holds: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if holds():
                return
        except requests.RequestException:
            logging.getLogger(__name__).debug("not yet")
        time.sleep(0.05)
    pytest.fail("it did not come")


# --- the command ------------------------------------------------------------------------------------

RELAY_FILE = """
listen = "127.0.0.1:{port}"
secret_env = "CVMFS_RELAY_SECRET"
state = "state/relay.json"

[damping]
hold = "1s"
gather = "0s"

[[receiver]]
kind = "slack"
url_env = "SLACK_WEBHOOK"

[[receiver]]
kind = "matrix"
homeserver = "{matrix}"
room = "!room:example.org"
token_file = "token"
"""


def write_file(folder: Path, taken: Taken, port: int) -> tuple[Path, dict[str, str]]:
    path = folder / "relay.toml"
    path.write_text(RELAY_FILE.format(port=port, matrix=taken.url))
    (folder / "token").write_text(TOKEN)
    (folder / "token").chmod(0o600)
    return path, {**os.environ, "CVMFS_RELAY_SECRET": SECRET, "SLACK_WEBHOOK": taken.url + HOOK}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.mark.slow
def test_the_command_takes_hands_on_and_stops_when_told_without_showing_a_secret(tmp_path: Path) -> None:
    with chat() as taken:
        taken.faults = [Fault(500, f"you sent {HOOK} with {TOKEN}")] * 2
        port = free_port()
        path, environment = write_file(tmp_path, taken, port)
        command = [sys.executable, "-m", "grafana.tools", "relay", "--config", str(path)]
        with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True) as process:
            try:
                url = f"http://127.0.0.1:{port}"
                wait_for(lambda: requests.get(f"{url}/health", timeout=1).status_code == 200)
                given = {"Content-Type": "application/json", **BEARER}
                assert requests.post(url, data=json.dumps(DOCUMENTED), headers=given, timeout=5).status_code == 200
                wait_for(lambda: len(taken.messages) == 2, 20)
                arguments = Path(f"/proc/{process.pid}/cmdline").read_bytes().decode()
                process.send_signal(signal.SIGTERM)
                _, said = process.communicate(timeout=15)
            finally:
                process.kill()
    assert process.returncode == 0
    state = (tmp_path / "state" / "relay.json").read_text()
    for secret in (SECRET, TOKEN, HOOK):
        assert secret not in arguments + said + state
    assert "you sent *** with ***" in said
    assert said.splitlines()[-1] == "I! stopped"
    assert all(line[:3] in ("E! ", "W! ", "I! ") for line in said.splitlines())


@pytest.mark.slow
def test_sigterm_keeps_what_is_queued_for_the_next_start(tmp_path: Path) -> None:
    with chat() as taken:
        taken.faults = [Fault(500)] * 50
        port = free_port()
        path, environment = write_file(tmp_path, taken, port)
        command = [sys.executable, "-m", "grafana.tools", "relay", "--config", str(path)]
        with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True) as process:
            try:
                url = f"http://127.0.0.1:{port}"
                wait_for(lambda: requests.get(f"{url}/health", timeout=1).status_code == 200)
                given = {"Content-Type": "application/json", **BEARER}
                requests.post(url, data=json.dumps(DOCUMENTED), headers=given, timeout=5).raise_for_status()
                wait_for(lambda: taken.asked >= 2)
                process.send_signal(signal.SIGTERM)
                _, said = process.communicate(timeout=15)
            finally:
                process.kill()
        assert (process.returncode, taken.messages) == (0, [])
        assert "2 messages are stored and sent at the next start" in said
        taken.faults = []
        with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL) as second:
            try:
                wait_for(lambda: len(taken.messages) == 2)
                second.send_signal(signal.SIGTERM)
                assert second.wait(timeout=15) == 0
            finally:
                second.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_each_signal_that_ends_a_program_ends_the_relay(tmp_path: Path, number: signal.Signals) -> None:
    with chat() as taken:
        path, environment = write_file(tmp_path, taken, 0)
        command = [sys.executable, "-m", "grafana.tools", "relay", "--config", str(path)]
        with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr is not None
            try:
                assert "listens on" in process.stderr.readline()
                process.send_signal(number)
                assert process.wait(timeout=15) == 0
                assert process.stderr.read() == "I! stopped\n"
            finally:
                process.kill()


def test_the_relay_ends_when_nobody_listens_any_more(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Server, "serve_forever", lambda *_: None)
    monkeypatch.setattr("grafana.relay.command.LOOK", 0.05)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        assert serve(config(tmp_path), Log()) == 1
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    assert "E! nobody listens any more: the relay ends" in capsys.readouterr().err


def test_check_sends_a_test_to_each_receiver_and_says_how_it_went(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with chat() as taken:
        path, environment = write_file(tmp_path, taken, 9099)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        assert main(["--config", str(path), "--check"]) == 0
        assert [one.get("text") or one["body"] for one in taken.messages] == [
            "*CVMFS test*\nThe relay of the CVMFS alerts reaches you.",
            "CVMFS test\nThe relay of the CVMFS alerts reaches you.",
        ]
        assert capsys.readouterr().err == "I! slack: took a test message\nI! matrix: took a test message\n"
        monkeypatch.setenv("SLACK_WEBHOOK", f"{taken.url}/services/T/B/wrongwrongwrong")
        assert main(["--config", str(path), "--check"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("E! slack: did not take a test message: it answered 404: no_service\n")
    assert "wrongwrongwrong" not in said


def test_an_address_that_is_taken_ends_the_command_with_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with chat() as taken, socket.create_server(("127.0.0.1", 0)) as busy:
        path, environment = write_file(tmp_path, taken, busy.getsockname()[1])
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        assert main(["--config", str(path)]) == 1
    assert "E! cannot listen on 127.0.0.1 port" in capsys.readouterr().err
