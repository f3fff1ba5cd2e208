from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telegraf_cvmfs.model import ParseError, Status
from telegraf_cvmfs.wire.status import parse_date, parse_last_snapshot, parse_snapshotting, parse_status
from tests.builders.documents import JSON_BOMB, WEB_PAGE, as_json, damaged, served, survives

GENUINE = served("genuine/stratum1a/.cvmfs_status.json")
NOON = datetime(2024, 3, 21, 12, tzinfo=UTC)
TEXT = "Thu Mar 21 12:00:00 UTC 2024"


def test_a_genuine_status_is_read() -> None:
    assert parse_status(GENUINE) == Status(
        last_snapshot=datetime(2026, 11, 21, 12, 0, 1, tzinfo=UTC),
        last_check=datetime(2026, 11, 21, 16, 0, 2, tzinfo=UTC),
        check_ok=True,
    )


def test_a_genuine_status_with_a_padded_day_is_read() -> None:
    status = parse_status(served("genuine/stratum1b/.cvmfs_status.json"))
    assert status.last_snapshot == datetime(2026, 11, 1, 2, 30, tzinfo=UTC)


@pytest.mark.parametrize("stratum", ["stratum1a", "stratum1b"])
def test_the_older_marker_file_says_the_same_as_the_status(stratum: str) -> None:
    older = parse_last_snapshot(served(f"genuine/{stratum}/.cvmfs_last_snapshot"))
    status = parse_status(served(f"genuine/{stratum}/.cvmfs_status.json"))
    assert older == Status(last_snapshot=status.last_snapshot)


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        " Thu Mar 21 12:00:00 UTC 2024\n",
        "Thu 21 Mar 2024 12:00:00 PM UTC",
        "Thu Mar 21 12:00:00 PM UTC 2024",
        "Thu 21 Mar 12:00:00 UTC 2024",
        "Thursday 21 March 2024 12:00:00 UTC",
        "Thu, 21 Mar 2024 12:00:00 +0000",
        "Thu Mar 21 12:00:00 GMT 2024",
        "Thu Mar 21 13:00:00 CET 2024",
        "Thu Mar 21 14:00:00 CEST 2024",
        "Thu Mar 21 13:00:00 BST 2024",
        "Thu Mar 21 07:00:00 EST 2024",
        "Thu Mar 21 08:00:00 EDT 2024",
        "Thu Mar 21 08:00:00 AM EDT 2024",
        "Thu Mar 21 06:00:00 CST 2024",
        "Thu Mar 21 07:00:00 CDT 2024",
        "Thu Mar 21 04:00:00 PST 2024",
        "Thu Mar 21 05:00:00 PDT 2024",
        "Thu Mar 21 21:00:00 JST 2024",
        "Thu Mar 21 21:30:00 ACST 2024",
        "Fri Mar 22 01:00:00 NZDT 2024",
        "Thu Mar 21 09:00:00 -03 2024",
        "Thu Mar 21 17:30:00 +0530 2024",
        "2024-03-21T12:00:00Z",
        "2024-03-21T12:00:00+00:00",
        "2024-03-21T13:00:00+0100",
        "2024-03-21 07:00:00-05:00",
    ],
)
def test_the_same_moment_is_understood_in_every_form(text: str) -> None:
    assert parse_date(text) == NOON


@pytest.mark.parametrize(
    ("offset", "zones"),
    [
        ("+0000", "UTC GMT UT UCT Z WET"),
        ("+0100", "CET WEST BST"),
        ("+0200", "CEST EET"),
        ("+0300", "EEST MSK"),
        ("+0800", "HKT SGT AWST"),
        ("+0900", "JST KST"),
        ("+0930", "ACST"),
        ("+1000", "AEST"),
        ("+1030", "ACDT"),
        ("+1100", "AEDT"),
        ("+1200", "NZST"),
        ("+1300", "NZDT"),
        ("-0300", "ADT"),
        ("-0400", "EDT AST"),
        ("-0500", "EST CDT"),
        ("-0600", "CST MDT"),
        ("-0700", "MST PDT"),
        ("-0800", "PST AKDT"),
        ("-0900", "AKST"),
        ("-1000", "HST"),
    ],
)
def test_a_zone_has_its_offset(offset: str, zones: str) -> None:
    meant = parse_date(f"Thu Mar 21 12:00:00 {offset} 2024")
    assert meant is not None
    assert [parse_date(f"Thu Mar 21 12:00:00 {zone} 2024") for zone in zones.split()] == [meant] * len(zones.split())


@pytest.mark.parametrize("text", ["Sat Aug  2 01:02:03 UTC 2025", "Sat Aug 2 01:02:03 UTC 2025"])
def test_a_day_may_be_padded_with_a_space(text: str) -> None:
    assert parse_date(text) == datetime(2025, 8, 2, 1, 2, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "hour"), [("12:00:00 AM", 0), ("01:00:00 AM", 1), ("12:00:00 PM", 12), ("11:00:00 pm", 23)]
)
def test_midnight_is_twelve_in_the_morning(text: str, hour: int) -> None:
    assert parse_date(f"Thu 21 Mar 2024 {text} UTC") == NOON.replace(hour=hour)


def test_every_date_comes_in_utc() -> None:
    moment = parse_date("2024-03-21T13:00:00+01:00")
    assert moment is not None
    assert moment.utcoffset() == timedelta(0)
    assert moment.tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "1711022400",
        "2024-03-21",
        "2024-03-21T12:00:00",
        "Thu Mar 21 12:00:00 2024",
        "Thu Mar 21 12:00:00 XYZ 2024",
        "Thu Mar 21 12:00:00 IST 2024",
        "Thu Mar 21 12:00:00 UTC",
        "Thu Mar 32 12:00:00 UTC 2024",
        "Fri Feb 30 12:00:00 UTC 2024",
        "Thu Mar 21 25:00:00 UTC 2024",
        "Thu Mar 21 12:00:60 UTC 2024",
        "Thu Mar 21 13:00:00 PM UTC 2024",
        "Thu Mar 21 00:00:00 AM UTC 2024",
        "Thu Mar 21 12:00:00 UTC 0000",
        "Thu Mar 21 12:00:00 +9959 2024",
        "Thu Mar 21 12:00:00 UTC CET 2024",
        "Thu Mar Apr 21 12:00:00 UTC 2024",
        "Thu Mar 21 12:00:00 UTC 2024 2024",
        "do 21 mrt 2024 12:00:00 UTC",
        "Thu Mar \u0662\u0661 12:00:00 UTC 2024",
        "Sat Jan 1 00:00:00 JST 0001",
        "Fri Dec 31 23:59:59 EST 9999",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "\ud800",
        TEXT + " " * 1000,
    ],
    ids=ascii,
)
def test_what_is_no_date_with_a_zone_is_not_guessed(text: str) -> None:
    assert parse_date(text) is None


@pytest.mark.parametrize("document", [{}, {"last_gc": None, "check_status": None}, {"other": [1], "x": {}}], ids=str)
def test_everything_is_optional_and_null_is_tolerated(document: object) -> None:
    assert parse_status(as_json(document)) == Status()


def test_all_that_may_be_there_is_read() -> None:
    body = as_json({"last_snapshot": TEXT, "last_gc": TEXT, "last_check": TEXT, "check_status": "failed"})
    assert parse_status(body) == Status(NOON, NOON, NOON, check_ok=False)


@pytest.mark.parametrize("value", ["", "never", 1711022400, True, [], {"a": 1}, "\ud800", 1e300], ids=ascii)
@pytest.mark.parametrize("key", ["last_snapshot", "last_gc", "last_check", "check_status"])
def test_a_value_that_is_not_understood_is_named_and_the_others_are_kept(key: str, value: object) -> None:
    other = "last_check" if key == "last_gc" else "last_gc"
    status = parse_status(as_json({key: value, other: TEXT}))
    ((named, clause),) = status.unreadable
    assert named == key
    assert clause.startswith(f"{key} is not understood: ")
    assert getattr(status, other) == NOON
    assert status.check_ok is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"x"',
        b"5",
        b"{",
        b'{"last_gc": NaN}',
        b'{"last_gc": ' + b"9" * 5000 + b"}",
        b'{"a":' * 100_000,
        JSON_BOMB,
        WEB_PAGE,
        b"\x00\xff",
        TEXT.encode(),
    ],
    ids=lambda body: repr(body[:20]),
)
def test_what_is_no_json_object_is_an_error(body: bytes) -> None:
    with pytest.raises(ParseError, match=r"^status: not "):
        parse_status(body)


def test_a_byte_order_mark_and_bytes_that_are_not_utf_8_do_not_spoil_the_rest() -> None:
    assert parse_status(b'\xef\xbb\xbf{"x": "\xff", "last_gc": "' + TEXT.encode() + b'"}') == Status(last_gc=NOON)


@pytest.mark.parametrize(
    "body", [b"", b"\n", b"soon\n", WEB_PAGE, b"\xff" * 9999, b"{}"], ids=lambda body: repr(body[:9])
)
def test_a_last_snapshot_that_is_no_date_is_an_error(body: bytes) -> None:
    with pytest.raises(ParseError, match=r"^last snapshot: not a date: '") as caught:
        parse_last_snapshot(body)
    assert len(str(caught.value)) < 400


def test_a_running_snapshot_has_a_start() -> None:
    assert parse_snapshotting(TEXT.encode() + b"\n").since == NOON


def test_an_old_server_says_it_in_its_local_time() -> None:
    assert parse_snapshotting(b"Thu Mar 21 13:00:00 CET 2024\n").since == NOON


@pytest.mark.parametrize(
    "body", [b"", b"\n", b"\xff\x00", b"do 21 mrt 2024 12:00:00", b"x" * 9999], ids=lambda body: repr(body[:9])
)
def test_a_marker_that_cannot_be_read_is_still_a_marker(body: bytes) -> None:
    found = parse_snapshotting(body)
    assert found.since is None
    assert len(found.unread) < 100


@pytest.mark.parametrize(
    "body", [WEB_PAGE, b"\n <html>", b"\xef\xbb\xbf <html>", b"<?xml?>"], ids=lambda body: repr(body[:12])
)
def test_a_web_page_is_no_marker(body: bytes) -> None:
    with pytest.raises(ParseError, match="a web page, not the marker file"):
        parse_snapshotting(body)


@given(st.datetimes(datetime(1000, 1, 1), datetime(9999, 12, 31)))  # noqa: DTZ001
def test_what_date_writes_is_what_is_read(moment: datetime) -> None:
    meant = moment.replace(microsecond=0, tzinfo=UTC)
    assert parse_date(meant.strftime("%a %b %e %H:%M:%S UTC %Y")) == meant
    assert parse_date(meant.strftime("%a %d %b %Y %I:%M:%S %p UTC")) == meant
    assert parse_date(meant.isoformat()) == meant


@given(st.text() | st.lists(st.sampled_from(TEXT.split()) | st.text(max_size=5), max_size=8).map(" ".join))
def test_no_text_breaks_the_reading_of_dates(text: str) -> None:
    moment = parse_date(text)
    assert moment is None or moment.tzinfo is UTC


@settings(deadline=None, max_examples=300)
@given(damaged(GENUINE) | st.binary())
def test_no_damage_does_anything_but_a_parse_error(body: bytes) -> None:
    for parse in (parse_status, parse_last_snapshot, parse_snapshotting):
        survives(parse, body)
