"""A vendor's quota: the budget that keeps to it, and the answer that says it is used up.

Every vendor says "too much" its own way: with a status, a code in the body, a delay in seconds, a
date, an epoch in seconds or milliseconds, or not at all. A connector declares the way as ``Quota``;
the reading of it happens here, once.
"""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from qa.plugins.api import Quota

UNKNOWN_PAUSE = timedelta(seconds=60)
LONGEST_WAIT = timedelta(days=1)
REFUSALS = (400, 403, 503)
SHORTEST_WAIT = timedelta(seconds=1)
UNITS = {
    "s": 1.0,
    "sec": 1.0,
    "second": 1.0,
    "min": 60.0,
    "m": 60.0,
    "h": 3600.0,
    "hour": 3600.0,
    "day": 86400.0,
}
_RATE = re.compile(r"(\d+)\s*/\s*(\d+)?\s*(" + "|".join(UNITS) + ")")


@dataclass(frozen=True, slots=True)
class Rate:
    """So many requests in so many seconds."""

    count: int
    seconds: float


def rate_of(text: str) -> Rate:
    """Read ``10/min``, ``100/10s`` or ``5/day``; raise ``ValueError`` with the way to write it."""
    found = _RATE.fullmatch(text.strip().lower())
    if found is None:
        raise ValueError(f"A rate is written like 10/min, 100/10s or 1000/day, not {text!r}.")
    count = int(found[1])
    if count < 1:
        raise ValueError("A rate allows at least one request.")
    return Rate(count, float(found[2] or 1) * UNITS[found[3]])


class Budget:
    """Lets at most a rate's count through in any span of its length, and no request later than needed.

    It remembers when each of the last requests was let through: exact where a token bucket with the
    same ceiling would give away half of the quota.
    """

    def __init__(self, rate: Rate, now: Callable[[], float]) -> None:
        self._rate, self._now = rate, now
        self._let: deque[float] = deque(maxlen=rate.count)

    def take(self, longest: float = math.inf) -> float:
        """Book the next request and return how many seconds to wait before sending it.

        Nothing is booked when that is more than ``longest``.
        """
        now = self._now()
        is_full = len(self._let) == self._rate.count
        at = max(now, self._let[0] + self._rate.seconds) if is_full else now
        if at - now <= longest:
            self._let.append(at)
        return at - now


def budget_of(quota: Quota, now: Callable[[], float]) -> Budget | None:
    """Return the budget that keeps to a declared rate, None when there is none."""
    return Budget(rate_of(quota.rate), now) if quota.rate else None


def says_too_much(quota: Quota, status: int, body: str) -> bool:
    """Tell whether an answer means "too often": by its status, or by a declared word in a refusal's body."""
    return status in quota.codes or (status in REFUSALS and any(word in body for word in quota.body_codes))


def free_at(headers: Mapping[str, str], quota: Quota, now: datetime) -> datetime:
    """Return when requests are allowed again: at the latest of what the headers say.

    ``Retry-After`` is read as seconds or a date, the declared headers by their kind. What cannot be
    read, lies in the past or says nothing gives a pause of a minute.
    """
    found = {name.lower(): value for name, value in headers.items()}
    moments = [_moment(found.get("retry-after"), "retry_after", now)]
    moments += [_moment(found.get(one.name.lower()), one.kind, now) for one in quota.headers]
    known = [moment for moment in moments if moment is not None and moment >= now]
    if not known:
        return now + UNKNOWN_PAUSE
    return min(max([*known, now + SHORTEST_WAIT]), now + LONGEST_WAIT)


def _moment(value: str | None, kind: str, now: datetime) -> datetime | None:
    if value is None:
        return None
    if kind == "retry_after":
        return _delta(value, now) or _date(value)
    readers: dict[str, Callable[[], datetime | None]] = {
        "delta_s": lambda: _delta(value, now),
        "epoch_s": lambda: _epoch(value, 1),
        "epoch_ms": lambda: _epoch(value, 1000),
        "http_date": lambda: _date(value),
        "iso": lambda: _iso(value),
    }
    reader = readers.get(kind)
    return None if reader is None else reader()


def _delta(value: str, now: datetime) -> datetime | None:
    seconds = _number(value)
    return (
        None
        if seconds is None or seconds > LONGEST_WAIT.total_seconds()
        else now + timedelta(seconds=seconds)
    )


def _epoch(value: str, per_second: int) -> datetime | None:
    number = _number(value)
    if number is None or number / per_second > 253_402_300_799:
        return None
    return datetime.fromtimestamp(number / per_second, UTC)


def _number(value: str) -> float | None:
    try:
        number = float(value.strip())
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _iso(value: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value.strip())
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _date(value: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(value)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
