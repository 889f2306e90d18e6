"""Numbers of the telephone: handle time, service level, abandonment.

Ratios of sums, never means of ratios. A part that is unknown leaves the call out of what needs it, and is
counted. There are five service levels in use; none is wrong, so each has its name.
"""

from __future__ import annotations

import math
from typing import Literal, NotRequired

from pydantic import ConfigDict, with_config
from typing_extensions import TypedDict

from qa.stats.arguments import Category, Count, NotNegative, Rating, RefusedArgument
from qa.stats.reasons import Reason


@with_config(ConfigDict(strict=True, extra="forbid"))
class Call(TypedDict):
    """One call; seconds that are not known are null or left out."""

    id: Category
    outcome: Literal["answered", "abandoned", "in_progress"]
    wait_s: NotRequired[NotNegative | None]
    talk_s: NotRequired[NotNegative | None]
    hold_s: NotRequired[NotNegative | None]
    wrap_s: NotRequired[NotNegative | None]
    transferred: NotRequired[bool]
    agent: NotRequired[Rating]


class ServiceLevels(TypedDict):
    """Three ways to count callers who hang up within the threshold: as shares of 1."""

    ignore: float | None
    negative: float | None
    positive: float | None
    reason: Reason | None


class VoiceKpis(TypedDict):
    """Counts, shares of 1 and seconds; None where there is nothing to divide by."""

    offered: int
    answered: int
    abandoned: int
    in_progress: int
    answered_within: int
    abandoned_within: int
    short_abandons: int
    wait_unknown: int
    sl_ignore_abandons_within: float | None
    sl_abandons_negative: float | None
    sl_abandons_positive: float | None
    sl_answered_only: float | None
    sl_exclude_short: float | None
    abandon_rate_gross: float | None
    abandon_rate_excl_short: float | None
    asa_s: float | None
    aht_s: float | None
    aht_n: int
    aht_left_out: int
    handle_median_s: float | None
    handle_p90_s: float | None
    transfer_rate: float | None
    reason: Reason | None


def ratio(part: float, whole: float) -> float | None:
    """Return part / whole; None where there is nothing to divide by."""
    return part / whole if whole else None


def percentile(values: list[float], share: float) -> float | None:
    """Return the value below which this share lies, by linear interpolation; None without values."""
    if not values:
        return None
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    after = ordered[min(below + 1, len(ordered) - 1)]
    return ordered[below] + (place - below) * (after - ordered[below])


def service_level_counts(answered_within: Count, abandoned_within: Count, events: Count) -> ServiceLevels:
    """Service level with callers who hung up in time ignored, counted against, or counted for.

    ``events``: all that were offered, abandoned ones included.
    """
    if answered_within + abandoned_within > events:
        raise RefusedArgument("events", "must be at least the answered and the abandoned together.")
    ignore = ratio(answered_within, events - abandoned_within)
    return {
        "ignore": ignore,
        "negative": ratio(answered_within, events),
        "positive": ratio(answered_within + abandoned_within, events),
        "reason": "no_calls" if ignore is None else None,
    }


def voice_kpis(
    calls: list[Call],
    service_level_seconds: NotNegative = 20.0,
    short_abandon_seconds: NotNegative = 5.0,
) -> VoiceKpis:
    """All numbers of a list of calls. A threshold belongs to it: 20 of 20 seconds is in time.

    Calls in progress are in none of them. Transferred calls are handled calls.
    """
    _once(calls)
    answered = [call for call in calls if call["outcome"] == "answered"]
    abandoned = [call for call in calls if call["outcome"] == "abandoned"]
    waits = [wait for call in answered if (wait := call.get("wait_s")) is not None]
    given_up = [wait for call in abandoned if (wait := call.get("wait_s")) is not None]
    within = sum(wait <= service_level_seconds for wait in waits)
    gone_within = sum(wait <= service_level_seconds for wait in given_up)
    short = sum(wait <= short_abandon_seconds for wait in given_up)
    timed = len(waits) + len(given_up)
    handled = [seconds for call in answered if (seconds := _handle_seconds(call)) is not None]
    offered = len(answered) + len(abandoned)
    return {
        "offered": offered,
        "answered": len(answered),
        "abandoned": len(abandoned),
        "in_progress": len(calls) - offered,
        "answered_within": within,
        "abandoned_within": gone_within,
        "short_abandons": short,
        "wait_unknown": offered - timed,
        "sl_ignore_abandons_within": ratio(within, timed - gone_within),
        "sl_abandons_negative": ratio(within, timed),
        "sl_abandons_positive": ratio(within + gone_within, timed),
        "sl_answered_only": ratio(within, len(waits)),
        "sl_exclude_short": ratio(within, timed - short),
        "abandon_rate_gross": ratio(len(abandoned), offered),
        "abandon_rate_excl_short": ratio(len(abandoned) - short, offered - short),
        "asa_s": ratio(math.fsum(waits), len(waits)),
        "aht_s": ratio(math.fsum(handled), len(handled)),
        "aht_n": len(handled),
        "aht_left_out": len(answered) - len(handled),
        "handle_median_s": percentile(handled, 0.5),
        "handle_p90_s": percentile(handled, 0.9),
        "transfer_rate": ratio(sum(call.get("transferred", False) for call in answered), len(answered)),
        "reason": _reason(offered, waits, handled, timed - gone_within, timed - short),
    }


def _once(calls: list[Call]) -> None:
    seen: set[str | float] = set()
    for place, call in enumerate(calls):
        if call["id"] in seen:
            raise RefusedArgument(f"calls[{place}].id", f"{call['id']} stands twice.")
        seen.add(call["id"])


def _handle_seconds(call: Call) -> float | None:
    talk, hold, wrap = call.get("talk_s"), call.get("hold_s"), call.get("wrap_s")
    return None if talk is None or hold is None or wrap is None else talk + hold + wrap


def _reason(offered: int, waits: list[float], handled: list[float], *counted: int) -> Reason | None:
    if not offered:
        return "no_calls"
    if not waits or not all(counted):
        return "none_answered_with_known_wait"
    return None if handled else "handle_time_unknown"
