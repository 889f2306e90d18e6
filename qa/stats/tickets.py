"""Times of written work: how long until a person answered, and until it was solved."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired

from pydantic import BeforeValidator, ConfigDict, with_config
from typing_extensions import TypedDict

from qa.stats.arguments import Category, Confidence, Count, NotNegative, RefusedArgument, as_tuple, at_most
from qa.stats.calls import percentile, ratio
from qa.stats.contacts import per_cent
from qa.stats.reasons import Reason
from qa.stats.small_samples import wilson
from qa.stats.times import Clock, Day, Hours, Moment, Weekday, Zone, minutes_between

WORKING_WEEK = [0, 1, 2, 3, 4]
SOLVED, REOPENED = "solved", "reopened"


TicketEvent = Annotated[tuple[Literal["solved", "reopened"], Moment], BeforeValidator(as_tuple)]


@with_config(ConfigDict(strict=True, extra="forbid"))
class Ticket(TypedDict):
    """One ticket; ``outbound``: the agent wrote first, so there is nothing to wait for."""

    id: Category
    created: Moment
    first_human_reply: NotRequired[Moment | None]
    outbound: NotRequired[bool]


class Elapsed(TypedDict):
    """Minutes between two moments: those in opening hours, and all."""

    business_minutes: float
    calendar_minutes: float


class FirstResponse(TypedDict):
    """How fast people answered. Decided: answered, or waiting beyond the target."""

    replied: int
    waiting: int
    calendar_median_min: float | None
    business_median_min: float | None
    decided: int
    within_target: int
    within_target_pct: float | None
    left_out: int
    reason: Reason | None


class Resolution(TypedDict):
    """Minutes until first solved, and until solved for good; reopening moves only the second."""

    first_resolution_min: float | None
    full_resolution_min: float | None
    reopens: int
    reason: Reason | None


class ReopenRate(TypedDict):
    """Per cent of solved tickets that were reopened at least once, with Wilson's range."""

    pct: float | None
    lo: float | None
    hi: float | None
    reason: Reason | None


def elapsed(
    start: Moment,
    end: Moment,
    timezone: Zone,
    open: Clock = 540,
    close: Clock = 1020,
    weekdays: list[Weekday] = WORKING_WEEK,
    holidays: list[Day] = [],  # noqa: B006 - read only; a schema shows its default
) -> Elapsed:
    """Minutes of opening hours, and of the calendar; a close that is not after the open is the next day's."""
    if end < start:
        raise RefusedArgument("end", 'must not be before "start".')
    hours = Hours(timezone, open, close, frozenset(weekdays), frozenset(holidays))
    return {"business_minutes": hours.minutes(start, end), "calendar_minutes": minutes_between(start, end)}


def first_response(
    tickets: list[Ticket],
    as_of: Moment,
    target_business_minutes: NotNegative,
    timezone: Zone,
    open: Clock = 540,
    close: Clock = 1020,
    weekdays: list[Weekday] = WORKING_WEEK,
    holidays: list[Day] = [],  # noqa: B006 - read only; a schema shows its default
) -> FirstResponse:
    """First reply by a person, automatic ones not counted, as known at ``as_of``.

    Who waits beyond the target is a miss already; who waits less is not decided. Tickets that an agent
    started, and those of later, are left out.
    """
    hours = Hours(timezone, open, close, frozenset(weekdays), frozenset(holidays))
    calendar, business, waiting = [], [], []
    for place, ticket in enumerate(tickets):
        created, reply = ticket["created"], ticket.get("first_human_reply")
        if reply is not None and reply < created:
            raise RefusedArgument(f"tickets[{place}].first_human_reply", 'must not be before "created".')
        if ticket.get("outbound", False) or created > as_of:
            continue
        if reply is None or reply > as_of:
            waiting.append(hours.minutes(created, as_of))
        else:
            calendar.append(minutes_between(created, reply))
            business.append(hours.minutes(created, reply))
    within = sum(minutes <= target_business_minutes for minutes in business)
    decided = len(business) + sum(minutes > target_business_minutes for minutes in waiting)
    return {
        "replied": len(business),
        "waiting": len(waiting),
        "calendar_median_min": percentile(calendar, 0.5),
        "business_median_min": percentile(business, 0.5),
        "decided": decided,
        "within_target": within,
        "within_target_pct": per_cent(ratio(within, decided)),
        "left_out": len(tickets) - len(business) - len(waiting),
        "reason": "none_decided" if not decided else None if business else "none_replied",
    }


def resolution(created: Moment, events: list[TicketEvent]) -> Resolution:
    """Minutes from creation until first solved, and until last solved when it stayed so."""
    for place, (kind, at) in enumerate(events):
        if at < created:
            raise RefusedArgument(f"events[{place}]", f'({kind}) must not be before "created".')
    ordered = sorted(events, key=lambda event: event[1])
    solved = [at for kind, at in ordered if kind == SOLVED]
    stayed = bool(ordered) and ordered[-1][0] == SOLVED
    reopens = sum(kind == REOPENED for kind, _ in ordered)
    return {
        "first_resolution_min": minutes_between(created, solved[0]) if solved else None,
        "full_resolution_min": minutes_between(created, solved[-1]) if stayed else None,
        "reopens": reopens,
        "reason": None if stayed else "reopened" if solved else "not_solved",
    }


def reopen_rate(solved: Count, reopened_at_least_once: Count, conf: Confidence = 0.95) -> ReopenRate:
    """How many solved tickets did not stay so."""
    at_most("reopened_at_least_once", reopened_at_least_once, "solved", solved)
    found = wilson(reopened_at_least_once, solved, conf)
    return {
        "pct": per_cent(found["p"]),
        "lo": per_cent(found["lo"]),
        "hi": per_cent(found["hi"]),
        "reason": found["reason"],
    }
