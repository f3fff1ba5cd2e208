"""What Grafana says is read, what is hostile in it is tamed, and how a message is worded for each receiver."""

from __future__ import annotations

import html
import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grafana.relay import wording
from grafana.relay.alert import Alert, PayloadError, clean, read, web_address
from grafana.relay.message import Kind, Message, News, compose, test_message
from grafana.relay.wording import MATRIX_HTML, MATRIX_PLAIN, MATTERMOST, PLAIN, SLACK, Style

test_message.__test__ = False  # type: ignore[attr-defined]  # it makes one, it is none

STYLES = {"plain": PLAIN, "slack": SLACK, "mattermost": MATTERMOST, "html": MATRIX_HTML, "matrix": MATRIX_PLAIN}
NOW = 1_800_000_000.0

DOCUMENTED: dict[str, Any] = {
    "receiver": "relay",
    "status": "firing",
    "orgId": 1,
    "alerts": [
        {
            "status": "firing",
            "labels": {
                "alertname": "Replica lags (critical)",
                "grafana_folder": "CVMFS",
                "severity": "critical",
                "finding": "lagging",
                "fleet": "eessi",
                "server": "s1.example.org",
                "repo": "software.eessi.io",
            },
            "annotations": {
                "summary": "software.eessi.io on s1.example.org is behind",
                "description": "Clients see old software.",
                "runbook_url": "https://example.org/docs/findings/lagging.md",
            },
            "startsAt": "2026-10-12T09:51:03.157076123+02:00",
            "endsAt": "0001-01-01T00:00:00Z",
            "values": {"B": 2, "C": 1},
            "generatorURL": "https://grafana.example.org/alerting/grafana/cvmfs-lagging-critical/view?orgId=1",
            "fingerprint": "c6eadffa33fcdf37",
            "silenceURL": "https://grafana.example.org/alerting/silence/new?alertmanager=grafana&matcher=a%3Db",
            "dashboardURL": "https://grafana.example.org/d/cvmfs-repository?orgId=1&var-repo=software.eessi.io",
            "panelURL": "",
            "imageURL": "",
        },
        {
            "status": "resolved",
            "labels": {"alertname": "Scraper silent", "zone": "eu-1"},
            "annotations": {},
            "startsAt": "2026-10-12T09:56:03Z",
            "endsAt": "2026-10-12T10:56:03Z",
            "generatorURL": "?orgId=1",
            "fingerprint": "bc97ff14869b13e3",
            "values": None,
        },
    ],
    "groupLabels": {"alertname": "Replica lags (critical)"},
    "commonLabels": {},
    "commonAnnotations": {},
    "externalURL": "https://grafana.example.org/",
    "version": "1",
    "groupKey": "{}:{}",
    "truncatedAlerts": 3,
    "title": "[FIRING:1, RESOLVED:1]",
    "state": "alerting",
    "message": "**Firing**",
}
HOSTILE = (
    "<!channel> <@U123> <https://evil.example|click> & *bold* `code` @all @here @channel @room "
    "[x](https://evil.example) <b>b</b> </a> # ~town | \\ \r\nBcc: all@example.org\r\n\r\n\u202eevil \x1b[2J \ud800 \u200b"
)


def payload(**changes: object) -> bytes:
    return json.dumps({**DOCUMENTED, **changes}).encode()


def first(**changes: object) -> Alert:
    """The alert of a payload in which these parts of the first are changed."""
    return read(payload(alerts=[{**DOCUMENTED["alerts"][0], **changes}])).reports[0].alert


def test_what_grafana_documents_is_read() -> None:
    notification = read(payload())
    lagging, silent = notification.reports
    assert lagging.alert == Alert(
        fingerprint="c6eadffa33fcdf37",
        name="lagging",
        severity="critical",
        place="eessi / s1.example.org / software.eessi.io",
        summary="software.eessi.io on s1.example.org is behind",
        link="https://grafana.example.org/d/cvmfs-repository?orgId=1&var-repo=software.eessi.io",
        runbook="https://example.org/docs/findings/lagging.md",
        started=1791791463.157076,
    )
    assert (lagging.firing, silent.firing) == (True, False)
    assert (silent.alert.name, silent.alert.place, silent.alert.link) == ("Scraper silent", "zone=eu-1", "")
    assert (notification.truncated, notification.skipped, notification.tests) == (3, 0, ())


def test_the_button_test_of_grafana_is_told_apart() -> None:
    labels = {"alertname": "TestAlert", "instance": "Grafana"}
    notification = read(payload(alerts=[{"status": "firing", "labels": labels, "annotations": {}}]))
    assert (len(notification.tests), notification.reports) == (1, ())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"alerts": {}}',
        b'{"alerts": "x"}',
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b'{"alerts":' + b"[" * 100_000,
        b'{"alerts": ' + b"9" * 10_000 + b"}",
    ],
    ids=range(10),
)
def test_what_is_no_notification_is_refused_with_a_sentence(body: bytes) -> None:
    with pytest.raises(PayloadError, match="^the body "):
        read(body)


def test_an_alert_that_is_not_understood_costs_only_itself() -> None:
    bad: list[object] = [
        None,
        1,
        "x",
        [],
        {},
        {"status": "firing"},
        {"status": ["firing"], "labels": {"a": "b"}},
        {"status": "firing", "labels": []},
    ]
    notification = read(payload(alerts=[*bad, DOCUMENTED["alerts"][0]]))
    assert (len(notification.reports), notification.skipped) == (1, len(bad))


@pytest.mark.parametrize("value", [None, 1, True, [], {}, ["x"], {"a": {}}, "", "x" * 100_000, HOSTILE, "\0", 1e308])
@pytest.mark.parametrize(
    "key",
    [
        "labels",
        "annotations",
        "startsAt",
        "endsAt",
        "fingerprint",
        "generatorURL",
        "dashboardURL",
        "panelURL",
        "values",
    ],
)
def test_any_value_of_any_key_gives_an_alert_that_can_be_told_or_none(key: str, value: object) -> None:
    notification = read(payload(alerts=[{**DOCUMENTED["alerts"][0], key: value}], truncatedAlerts=value))
    for report in notification.reports:
        for style in STYLES.values():
            assert wording.text(compose([News(report.alert, Kind.FIRING)], NOW, 10, 1), style).encode()


@settings(max_examples=150)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda s: (
            st.lists(s)
            | st.dictionaries(st.sampled_from(["status", "labels", "annotations", "startsAt", "alerts", "firing"]), s)
        ),
    )
)
def test_no_json_whatever_breaks_the_reader(alerts: object) -> None:
    body = json.dumps(
        {"alerts": [alerts, {"status": "firing", "labels": {"a": "b"}, "annotations": alerts, "startsAt": alerts}]}
    )
    assert 1 <= len(read(body.encode()).reports) <= 2


def test_a_label_that_is_no_text_is_left_out() -> None:
    assert first(labels={"alertname": "x", "server": ["s1"], "repo": None}).place == ""


def test_without_a_usable_fingerprint_the_labels_tell_alerts_apart() -> None:
    keys = {
        first(fingerprint=bad, labels={"alertname": name}).fingerprint
        for bad in (None, "", "x" * 65, "../..")
        for name in "ab"
    }
    assert len(keys) == 2


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://grafana.example.org/d/x?a=b&c=d#e", "https://grafana.example.org/d/x?a=b&c=d#e"),
        ("http://127.0.0.1:3000/d/x", "http://127.0.0.1:3000/d/x"),
        ("http://[::1]:3000/", "http://[::1]:3000/"),
        ("https://e.example/a(b)|<c>\"'`[d]@e", "https://e.example/a%28b%29%7C%3Cc%3E%22%27%60%5Bd%5D%40e"),
        ("javascript:alert(1)", ""),
        ("data:text/html,x", ""),
        ("file:///etc/passwd", ""),
        ("//evil.example", ""),
        ("https://", ""),
        ("https://user@evil.example/", ""),
        ("https://good.example\\@evil.example/", ""),
        ("https://e.example/a b", ""),
        ("https://e.example/\nx", ""),
        ("https://[::1/", ""),
        ("https://e.example/\ud800", ""),
        ("https://e.example/" + "x" * 2000, ""),
        (17, ""),
    ],
)
def test_a_link_is_http_and_cannot_leave_its_brackets(url: object, shown: str) -> None:
    assert web_address(url) == shown


@given(st.text() | st.text(st.characters(categories=["Cc", "Cf", "Cs", "Zl", "Zp", "Zs"])))
def test_a_cleaned_text_is_one_printable_line_that_can_be_sent(value: str) -> None:
    cleaned = clean(value, 20)
    assert cleaned.isprintable()
    assert len(cleaned) <= 20
    cleaned.encode()


# --- wording ----------------------------------------------------------------------------------------


def hostile_message(count: int = 3) -> Message:
    one = first(
        labels=dict.fromkeys(("alertname", "server", "repo", "severity", "finding"), HOSTILE),
        annotations={"summary": HOSTILE, "runbook_url": "https://e.example/)|>*_@all"},
        dashboardURL="https://e.example/?a=<b>&c=\"d'",
    )
    news = [News(one, kind) for kind in (Kind.FIRING, Kind.FLAPPING, Kind.RESOLVED)]
    return compose(news * count, NOW, 10 * count, 2)


def test_a_message_says_what_is_wrong_where_since_when_and_what_to_do() -> None:
    lagging, silent = read(payload()).reports
    news = [News(lagging.alert, Kind.FIRING), News(silent.alert, Kind.RESOLVED)]
    assert wording.text(compose(news, NOW, 10, 1), PLAIN).split("\n") == [
        "[critical] CVMFS alerts: 1 firing, 1 resolved",
        "firing (critical): lagging on eessi / s1.example.org / software.eessi.io",
        "software.eessi.io on s1.example.org is behind",
        "since 2026-10-12 07:51 UTC"  # noqa: ISC004
        " · look: https://grafana.example.org/d/cvmfs-repository?orgId=1&var-repo=software.eessi.io"
        " · what to do: https://example.org/docs/findings/lagging.md",
        "resolved: Scraper silent on zone=eu-1",
        "open now: 1",
    ]


def test_a_single_alert_is_the_headline() -> None:
    (lagging, _) = read(payload()).reports
    message = compose([News(lagging.alert, Kind.FIRING)], NOW, 10, 1)
    assert wording.headline(message) == "[critical] CVMFS firing: lagging on eessi / s1.example.org / software.eessi.io"


def test_slack_can_neither_call_anybody_nor_be_given_a_link() -> None:
    text = wording.text(hostile_message(), SLACK)
    marks = re.findall(r"<([^>]*)>", text)
    assert marks
    assert all(re.fullmatch(r"https?://e\.example/[^|<>]*\|(look|what to do)", mark) for mark in marks)
    assert not re.search(r"&(?!amp;|lt;|gt;)", text)


def test_mattermost_and_matrix_call_nobody() -> None:
    for style in (MATTERMOST, MATRIX_HTML, MATRIX_PLAIN):
        assert not re.search(r"@(?!\u200b)", wording.text(hostile_message(), style))


def test_mattermost_gets_no_link_and_no_mark_from_an_alert() -> None:
    text = wording.text(hostile_message(), MATTERMOST)
    links = re.findall(r"(?<!\\)\[([^\]]*)\]\(([^)]*)\)", text)
    assert {name for name, _ in links} == {"look", "what to do"}
    bare = re.sub(r"\\.", "", re.sub(r"(?<!\\)\[[^\]]*\]\([^)]*\)|\*\*", "", text))
    assert not re.search(r"[\\`*_{}\[\]#|~<>]", bare)


@pytest.mark.parametrize("style", STYLES.values(), ids=STYLES)
@pytest.mark.parametrize(
    "url",
    ["https://evil.example/login", "HTTP://evil.example", "www.evil.example", "mailto:a@evil.example", "ftp://evil.example",
     "slack://open?team=T1", "#room:evil.example", "see(https://evil.example)"],
)  # fmt: skip
def test_a_url_in_a_text_is_no_link_and_reads_as_it_was(style: Style, url: str) -> None:
    one = first(annotations={"summary": f"log in at {url}"}, dashboardURL="", generatorURL="")
    (line,) = [
        line
        for line in wording.text(compose([News(one, Kind.FIRING)], NOW, 10, 1), style).split(style.line)
        if "log in" in line
    ]
    if style is not PLAIN or "://" in url:
        assert not re.search(r"(?i)(://|www\.|mailto:|#)[a-z]", line)
        assert "evil.example" not in line or url.startswith("#")
    assert html.unescape(re.sub(r"\\(.)", r"\1", line)).replace("\u200b", "") == f"log in at {url}"


def test_matrix_gets_no_tag_from_an_alert() -> None:
    text = wording.text(hostile_message(), MATRIX_HTML)
    for tag in re.findall(r"<[^>]*>", text):
        assert re.fullmatch(r'</?b>|<br>|</a>|<a href="https://e\.example/[^"<>]*">', tag)
    assert html.unescape(text).count("<b>b</b>") >= 9, "each summary is shown, as text"


def test_no_style_lets_a_line_break_or_a_control_character_through() -> None:
    for style in STYLES.values():
        for line in wording.text(hostile_message(), style).replace("\u200b", "").split("\n"):
            assert line.isprintable()
    assert wording.headline(hostile_message(1)).isprintable()


@pytest.mark.parametrize("style", STYLES.values(), ids=STYLES)
def test_what_would_be_too_long_is_counted_instead_of_named(style: Style) -> None:
    wide = first(annotations={"summary": "&<" * 150, "runbook_url": "https://e.example/" + "&" * 700})
    text = wording.text(compose([News(wide, Kind.FIRING)] * 50, NOW, 50, 50), style)
    assert len(text.encode()) <= style.longest + 200
    named = text.count("what to do")
    assert 0 < named <= 50
    assert named == 50 or f"and {50 - named} more" in text


def test_no_time_whatever_breaks_the_wording() -> None:
    assert wording.when(1e300) == "9999-12-31 23:59 UTC"
    assert wording.when(-5) == "1970-01-01 00:00 UTC"
    assert first(startsAt="9999-12-31T23:59:59-14:00").started is None


def test_a_test_message_says_so_and_nothing_of_open_alerts() -> None:
    assert wording.text(test_message(NOW, "It works."), PLAIN) == "CVMFS test\nIt works."
