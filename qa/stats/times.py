"""Moments, clock times and opening hours, as statistics take them.

A moment without an offset is refused: in autumn it would name two moments. Hours open are real hours, so the
night in which the clocks change is an hour shorter or longer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from qa.stats.arguments import RefusedArgument, whole

LONGEST_DAYS = 36_600
MINUTES_OF_A_DAY = 24 * 60
CLOCK = re.compile("([0-9]{2}):([0-5][0-9])")


def _moment(value: Any) -> Any:
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value
    if isinstance(value, str):
        try:
            found = datetime.fromisoformat(value)
        except ValueError:
            found = None
        if found is not None and found.tzinfo is not None:
            return found
    raise PydanticCustomError("said", "must be a time with an offset, such as 2026-03-01T09:00:00+01:00.")


def _clock(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MINUTES_OF_A_DAY:
        return value
    shown = CLOCK.fullmatch(value) if isinstance(value, str) else None
    found = int(shown[1]) * 60 + int(shown[2]) if shown else MINUTES_OF_A_DAY + 1
    if found <= MINUTES_OF_A_DAY:
        return found
    raise PydanticCustomError("said", "must be a time of day from 00:00 to 24:00, such as 09:00.")


def _day(value: Any) -> Any:
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(value) if isinstance(value, str) and len(value) == 10 else _no_day()
    except ValueError:
        return _no_day()


def _no_day() -> Any:
    raise PydanticCustomError("said", "must be a day, such as 2026-12-25.")


def _zone(value: Any) -> Any:
    if isinstance(value, ZoneInfo):
        return value
    try:
        return ZoneInfo(value) if isinstance(value, str) and value else _no_zone()
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return _no_zone()


def _no_zone() -> Any:
    raise PydanticCustomError("said", "must be the name of a time zone, such as Europe/Berlin.")


Moment = Annotated[
    datetime, BeforeValidator(_moment), WithJsonSchema({"type": "string", "format": "date-time"})
]
Clock = Annotated[
    int,
    BeforeValidator(_clock),
    WithJsonSchema({"type": "string", "pattern": "^[0-2][0-9]:[0-5][0-9]$", "examples": ["09:00"]}),
]
Day = Annotated[date, BeforeValidator(_day), WithJsonSchema({"type": "string", "format": "date"})]
Zone = Annotated[Any, BeforeValidator(_zone), WithJsonSchema({"type": "string", "examples": ["UTC"]})]
Weekday = Annotated[int, Field(ge=0, le=6, description="0 is Monday"), BeforeValidator(whole)]


@dataclass(frozen=True, slots=True)
class Hours:
    """When somebody answers: open to close on these weekdays of a zone, holidays apart.

    A close at or before the open is that of the next day.
    """

    zone: ZoneInfo
    opens: int
    closes: int
    weekdays: frozenset[int]
    holidays: frozenset[date]

    def minutes(self, start: datetime, end: datetime) -> float:
        """Return the open minutes between two moments.

        :raises RefusedArgument: when they lie more than a hundred years apart.
        """
        if (end - start).days > LONGEST_DAYS:
            raise RefusedArgument("end", "must be within a hundred years of the start.")
        day = start.astimezone(self.zone).date() - timedelta(days=1)
        last = end.astimezone(self.zone).date()
        total = timedelta()
        while day <= last:
            if day.weekday() in self.weekdays and day not in self.holidays:
                opens, closes = self._open_on(day)
                total += max(timedelta(), min(end, closes) - max(start, opens))
            day += timedelta(days=1)
        return total / timedelta(minutes=1)

    def _open_on(self, day: date) -> tuple[datetime, datetime]:
        length = self.closes - self.opens
        closes = self.closes if length > 0 else self.closes + MINUTES_OF_A_DAY
        return self._at(day, self.opens), self._at(day, closes)

    def _at(self, day: date, minutes: int) -> datetime:
        """Return the moment at which the wall clock shows this; in the hour that is left out, just after."""
        wall = datetime(day.year, day.month, day.day, tzinfo=self.zone) + timedelta(minutes=minutes)
        return wall.astimezone(UTC)


def minutes_between(start: datetime, end: datetime) -> float:
    """Return the minutes that pass, whatever the clocks do."""
    return (end - start) / timedelta(minutes=1)
