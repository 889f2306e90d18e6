"""How working time was spent: occupancy, utilisation, adherence to the schedule."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Annotated

from pydantic import BeforeValidator
from typing_extensions import TypedDict

from qa.stats.arguments import NotNegative, RefusedArgument, as_tuple
from qa.stats.calls import ratio
from qa.stats.contacts import per_cent
from qa.stats.reasons import Reason
from qa.stats.times import Moment, minutes_between

Shift = Annotated[tuple[Moment, Moment, str], BeforeValidator(as_tuple)]


class Occupancy(TypedDict):
    """Per cent of the time at the telephone, and of paid time, that was spent so."""

    occupancy_pct: float | None
    utilisation_pct: float | None
    reason: Reason | None


class Adherence(TypedDict):
    """Minutes scheduled and kept; adherence minds when, conformance only how long."""

    scheduled_min: float
    in_adherence_min: float
    adherence_pct: float | None
    conformance_pct: float | None
    reason: Reason | None


def occupancy(
    talk_s: NotNegative,
    hold_s: NotNegative,
    wrap_s: NotNegative,
    available_s: NotNegative,
    break_s: NotNegative = 0.0,
    meeting_s: NotNegative = 0.0,
) -> Occupancy:
    """Handling ÷ (handling + waiting for calls), and both of them ÷ paid time with breaks and meetings."""
    handling = math.fsum((talk_s, hold_s, wrap_s))
    logged_in = handling + available_s
    paid = math.fsum((logged_in, break_s, meeting_s))
    reason: Reason | None = None if logged_in else "no_time_at_work" if paid else "no_time"
    return {
        "occupancy_pct": per_cent(ratio(handling, logged_in)),
        "utilisation_pct": per_cent(ratio(logged_in, paid)),
        "reason": reason,
    }


def adherence(scheduled: list[Shift], actual: list[Shift]) -> Adherence:
    """Minutes in the scheduled state ÷ minutes scheduled; and minutes worked ÷ minutes scheduled.

    A quarter of an hour late and a quarter of an hour longer is 75 % and 100 %. Worked are the states that
    the schedule knows.
    """
    for name, shifts in (("scheduled", scheduled), ("actual", actual)):
        _check(name, shifts)
    planned = math.fsum(minutes_between(start, end) for start, end, _ in scheduled)
    kept = math.fsum(
        max(0.0, minutes_between(max(start, began), min(end, stopped)))
        for start, end, state in scheduled
        for began, stopped, doing in actual
        if state == doing
    )
    states = {state for _, _, state in scheduled}
    worked = math.fsum(minutes_between(start, end) for start, end, state in actual if state in states)
    return {
        "scheduled_min": planned,
        "in_adherence_min": kept,
        "adherence_pct": per_cent(ratio(kept, planned)),
        "conformance_pct": per_cent(ratio(worked, planned)),
        "reason": None if planned else "nothing_scheduled",
    }


def _check(name: str, shifts: list[Shift]) -> None:
    """Refuse a stretch that ends before it starts, or two at once."""
    for place, (start, end, _) in enumerate(shifts):
        if end < start:
            raise RefusedArgument(f"{name}[{place}]", "must not end before it starts.")
    ordered = sorted((start, end, place) for place, (start, end, _) in enumerate(shifts))
    for (_, end, _), (start, _, place) in pairwise(ordered):
        if start < end:
            raise RefusedArgument(f"{name}[{place}]", "overlaps another.")
