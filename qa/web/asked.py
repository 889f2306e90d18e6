"""What an address asks for, read so that nothing in it can break a page: what makes no sense is left out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from qa.core.keyset import id_in

FIRST_YEAR, LAST_YEAR = 1900, 9000


def asked_id(asked: Mapping[str, str], name: str) -> int | None:
    """Return the id under this name, None when there is none that a row can have."""
    return id_in(asked.get(name, ""))


def moment_in(text: str, zone: ZoneInfo) -> datetime | None:
    """Return the moment that a text (``2026-03-14T09:30:00``) names in a zone, None when it names none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.replace(tzinfo=zone) if FIRST_YEAR <= moment.year <= LAST_YEAR else None


def asked_day(asked: Mapping[str, str], name: str, zone: ZoneInfo, *, plus_days: int = 0) -> datetime | None:
    """Return the first moment of the day under this name (``2026-03-14``), None when there is none."""
    try:
        day = date.fromisoformat(asked.get(name, ""))
    except ValueError:
        return None
    if not FIRST_YEAR <= day.year <= LAST_YEAR:  # beyond, no zone can be counted with
        return None
    return datetime.combine(day + timedelta(days=plus_days), time(), tzinfo=zone)
