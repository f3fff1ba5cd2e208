"""Instants: month ends, leap years, weeks, and a machine whose zone has nothing to say."""

from __future__ import annotations

import doctest
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from inspect import getmembers, isfunction

import pytest
from hypothesis import given
from hypothesis import strategies as some

from telegraf_cvmfs.history import instants
from telegraf_cvmfs.history.instants import (
    days_ago,
    hours_ago,
    iso,
    last_day,
    last_hour,
    last_month,
    last_week,
    minutes_ago,
    months_ago,
    this_day,
    this_hour,
    this_minute,
    this_month,
    this_week,
    weeks_ago,
)
from tests.programs.command import environment

moments = some.integers(631152000, 4102444800).map(lambda unix: datetime.fromtimestamp(unix, UTC))


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


def test_the_examples_are_true() -> None:
    assert doctest.testmod(instants).attempted
    assert doctest.testmod(instants).failed == 0


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (utc(2026, 3, 31), utc(2026, 2, 28)),
        (utc(2024, 3, 31), utc(2024, 2, 29)),
        (utc(2026, 1, 15, 7, 8, 9), utc(2025, 12, 15, 7, 8, 9)),
        (utc(2026, 12, 31), utc(2026, 11, 30)),
    ],
)
def test_a_month_ago_is_the_same_day_or_the_last(moment: datetime, expected: datetime) -> None:
    assert months_ago(1, moment) == expected


def test_many_months_are_years() -> None:
    assert months_ago(25, utc(2026, 2, 28)) == utc(2024, 1, 28)
    assert months_ago(12, utc(2024, 2, 29)) == utc(2023, 2, 28)
    assert months_ago(0, utc(2024, 2, 29)) == utc(2024, 2, 29)
    assert months_ago(-1, utc(2024, 1, 31)) == utc(2024, 2, 29)


def test_weeks_begin_on_monday() -> None:
    assert this_week(utc(2026, 11, 29, 23, 59)) == utc(2026, 11, 23)  # a Sunday
    assert this_week(utc(2026, 11, 23)) == utc(2026, 11, 23)
    assert last_week(utc(2026, 11, 23)) == utc(2026, 11, 16)


@given(moments)
def test_what_is_now_began_before_and_what_was_last_ended_when_this_began(moment: datetime) -> None:
    for begins, longest in (
        (this_minute, timedelta(minutes=1)),
        (this_hour, timedelta(hours=1)),
        (this_day, timedelta(days=1)),
        (this_week, timedelta(weeks=1)),
        (this_month, timedelta(days=31)),
    ):
        assert timedelta(0) <= moment - begins(moment) < longest
        assert begins(begins(moment)) == begins(moment)
    assert last_hour(moment) == hours_ago(1, this_hour(moment))
    assert last_day(moment) == days_ago(1, this_day(moment))
    assert last_week(moment) == weeks_ago(1, this_week(moment))
    assert this_month(last_month(moment) + timedelta(days=31)) == this_month(moment)
    assert minutes_ago(60, moment) == hours_ago(1, moment)


@given(moments, some.integers(-12, 12))
def test_a_moment_in_another_zone_is_the_same(moment: datetime, hours: int) -> None:
    there = moment.astimezone(timezone(timedelta(hours=hours)))
    for name, function in getmembers(instants, isfunction):
        if name.startswith(("this_", "last_")):
            assert function(there) == function(moment)
            assert function(there).tzinfo is UTC
    assert iso(there) == iso(moment)


@pytest.mark.parametrize("name", [name for name, _ in getmembers(instants, isfunction) if name[0] in "tlhdwm"])
def test_a_moment_without_a_zone_is_refused(name: str) -> None:
    function, naive = getattr(instants, name), datetime(2026, 11, 25)  # noqa: DTZ001
    with pytest.raises(ValueError, match="no time zone"):
        function(1, naive) if name.endswith("_ago") else function(naive)


def test_summer_time_of_the_machine_changes_nothing() -> None:
    code = (
        "from telegraf_cvmfs.history.instants import *\n"
        "from datetime import datetime, UTC\n"
        "then = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)\n"
        "print(iso(hours_ago(1, then)), iso(this_day(then)), iso(last_day(then)), now().tzinfo)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**environment(), "TZ": "Europe/Oslo"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["2026-03-29T00:30:00Z", "2026-03-29T00:00:00Z", "2026-03-28T00:00:00Z", "UTC"]


def test_text_has_microseconds_only_where_there_are_some() -> None:
    assert iso(utc(2026, 11, 25, 12)) == "2026-11-25T12:00:00Z"
    assert iso(utc(2026, 11, 25, 12, 0, 0, 5)) == "2026-11-25T12:00:00.000005Z"
