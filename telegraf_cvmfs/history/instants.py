"""Instants to ask history with: when minutes to months began, and so long ago. UTC, whatever the machine's zone.

Each takes `relative_to`, an aware moment, by default now. Spans are half-open: a month is from `last_month()` up to,
and without, `this_month()`. Weeks begin on Monday.

>>> from datetime import UTC, datetime
>>> then = datetime(2024, 3, 31, 12, 34, 56, tzinfo=UTC)
>>> iso(this_month(then)), iso(last_month(then)), iso(months_ago(1, then))
('2024-03-01T00:00:00Z', '2024-02-01T00:00:00Z', '2024-02-29T12:34:56Z')
"""

from __future__ import annotations

import calendar
from datetime import UTC, datetime, timedelta

_MONTHS = 12


def now() -> datetime:
    """This moment."""
    return datetime.now(UTC)


def _utc(relative_to: datetime | None) -> datetime:
    moment = now() if relative_to is None else relative_to
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} has no time zone: an instant is the same everywhere")
    return moment.astimezone(UTC)


def this_minute(relative_to: datetime | None = None) -> datetime:
    """When the minute began; ValueError for a moment without a zone, as of all these."""
    return _utc(relative_to).replace(second=0, microsecond=0)


def this_hour(relative_to: datetime | None = None) -> datetime:
    """When the hour began."""
    return this_minute(relative_to).replace(minute=0)


def this_day(relative_to: datetime | None = None) -> datetime:
    """When the day began."""
    return this_hour(relative_to).replace(hour=0)


def this_week(relative_to: datetime | None = None) -> datetime:
    """When the week began, on Monday."""
    day = this_day(relative_to)
    return day - timedelta(days=day.weekday())


def this_month(relative_to: datetime | None = None) -> datetime:
    """When the month began."""
    return this_day(relative_to).replace(day=1)


def last_hour(relative_to: datetime | None = None) -> datetime:
    """When the hour before this one began."""
    return this_hour(relative_to) - timedelta(hours=1)


def last_day(relative_to: datetime | None = None) -> datetime:
    """When yesterday began."""
    return this_day(relative_to) - timedelta(days=1)


def last_week(relative_to: datetime | None = None) -> datetime:
    """When the week before this one began."""
    return this_week(relative_to) - timedelta(weeks=1)


def last_month(relative_to: datetime | None = None) -> datetime:
    """When the month before this one began."""
    return months_ago(1, this_month(relative_to))


def minutes_ago(count: int, relative_to: datetime | None = None) -> datetime:
    """So many minutes ago."""
    return _utc(relative_to) - timedelta(minutes=count)


def hours_ago(count: int, relative_to: datetime | None = None) -> datetime:
    """So many hours ago."""
    return _utc(relative_to) - timedelta(hours=count)


def days_ago(count: int, relative_to: datetime | None = None) -> datetime:
    """So many days of 24 hours ago."""
    return _utc(relative_to) - timedelta(days=count)


def weeks_ago(count: int, relative_to: datetime | None = None) -> datetime:
    """So many weeks ago."""
    return _utc(relative_to) - timedelta(weeks=count)


def months_ago(count: int, relative_to: datetime | None = None) -> datetime:
    """The same day and time so many months ago; the last day of a month that has no such day."""
    moment = _utc(relative_to)
    year, month = divmod(moment.year * _MONTHS + moment.month - 1 - count, _MONTHS)
    day = min(moment.day, calendar.monthrange(year, month + 1)[1])
    return moment.replace(year=year, month=month + 1, day=day)


def iso(moment: datetime) -> str:
    """As text in UTC, to the second, `2026-11-25T12:00:00Z`; microseconds only if there are any."""
    return _utc(moment).isoformat().replace("+00:00", "Z")
