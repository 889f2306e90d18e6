"""Days and hours of appointments: wall clocks in their own zone, working days, whole months.

Pure: moments in, moments out; a day on which a clock is put forward or back changes no appointment.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

from qa.core.errors import Invalid

SATURDAY = 5
LONGEST_PAUSE_DAYS = 30


def zone_of(name: str, otherwise: ZoneInfo) -> ZoneInfo:
    """Return a zone by its name, the other one when the name is empty or unknown."""
    return ZoneInfo(name) if name and name in available_timezones() else otherwise


def moment_of(day: date, at: time, zone: ZoneInfo, *, field: str) -> datetime:
    """Return the moment of a wall clock's day and time in UTC.

    Of an hour that comes twice the first is meant; raises ``Invalid`` for one that the clock jumps over.
    """
    local = datetime.combine(day, at, tzinfo=zone)
    moment = local.astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) != local.replace(tzinfo=None):
        raise Invalid("On this day the clock jumps over this hour. Choose another time.", field=field)
    return moment


def is_day_off(day: date, days_off: Collection[date]) -> bool:
    """Tell whether nobody works on this day."""
    return day.weekday() >= SATURDAY or day in days_off


def working_day_before(day: date, days_off: Collection[date]) -> date:
    """Return the last working day before this one."""
    for back in range(1, LONGEST_PAUSE_DAYS):
        before = day - timedelta(days=back)
        if not is_day_off(before, days_off):
            return before
    return day - timedelta(days=1)


def remind_at(starts_at: datetime, zone: ZoneInfo, days_off: Collection[date]) -> datetime:
    """Return when to remind of an appointment: at the same wall clock on the working day before."""
    local = starts_at.astimezone(zone)
    day = working_day_before(local.date(), days_off)
    return datetime.combine(day, local.time(), tzinfo=zone).astimezone(UTC)


def month_of(moment: datetime, zone: ZoneInfo) -> date:
    """Return the first day of a moment's month."""
    return moment.astimezone(zone).date().replace(day=1)


def add_months(first: date, count: int) -> date:
    """Return the first day of the month so many months on."""
    months = first.year * 12 + first.month - 1 + count
    return date(months // 12, months % 12 + 1, 1)


def start_of(day: date, zone: ZoneInfo) -> datetime:
    """Return the moment at which a day begins."""
    return datetime.combine(day, time(), tzinfo=zone).astimezone(UTC)


def whole_months_until(trigger: date, review_on: date) -> int:
    """Return how many whole months, three at most, lie between the month of the trigger and the review."""
    return sum(add_months(trigger, 2 + number) <= review_on for number in range(3))
