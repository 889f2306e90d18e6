"""Who spoke how long, who interrupted, and when nobody spoke: from the stretches of one call.

Whole milliseconds, as on the pages; stretches are cut to the call. What agent and customer say at once counts
for both.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from qa.stats.arguments import NotNegative, RefusedArgument
from qa.stats.calls import ratio
from qa.stats.contacts import per_cent
from qa.stats.intervals import Span, clipped, gaps, overlaps, total_ms
from qa.stats.reasons import Reason

BREATH_MS = 300
"""A speaker's stretches this close together are one utterance."""

Stretch = Annotated[list[NotNegative], Field(min_length=2, max_length=2, description="seconds: start, end")]


class Speech(TypedDict):
    """Seconds, counts and per cents; ``gaps`` are all stretches without speech and hold."""

    agent_talk_s: float
    customer_talk_s: float
    agent_talk_ratio_pct: float | None
    agent_share_of_call_pct: float | None
    overlap_s: float
    gaps: list[list[float]]
    dead_air_s: float
    dead_air_count: int
    longest_silence_s: float
    dead_air_pct_of_call: float | None
    dead_air_pct_excl_hold: float | None
    interruptions_by_agent: int
    interruptions_by_customer: int
    reason: Reason | None


def speech(
    duration_s: NotNegative,
    agent: list[Stretch],
    customer: list[Stretch],
    hold: list[Stretch] = [],  # noqa: B006 - read only; a schema shows its default
    dead_air_longer_than_s: NotNegative = 5.0,
    min_overlap_s: NotNegative = 0.5,
) -> Speech:
    """Measures of one call. Exactly five seconds of silence are not dead air; hold never is.

    An interruption starts strictly inside what the other says and overlaps it for at least half a second.
    """
    length, longest = _ms(duration_s), _ms(dead_air_longer_than_s)
    ours, theirs = (_spans(name, said) for name, said in (("agent", agent), ("customer", customer)))
    talk = [clipped(said, length) for said in (ours, theirs)]
    held = clipped(_spans("hold", hold), length)
    silent = gaps([*talk[0], *talk[1], *held], length)
    dead = [gap for gap in silent if gap[1] - gap[0] > longest]
    agent_ms, customer_ms = total_ms(talk[0]), total_ms(talk[1])
    ratio_of_talk = per_cent(ratio(agent_ms, agent_ms + customer_ms))
    uttered = [_utterances(said) for said in talk]
    least = _ms(min_overlap_s)
    hold_ms = total_ms(held)
    return {
        "agent_talk_s": agent_ms / 1000,
        "customer_talk_s": customer_ms / 1000,
        "agent_talk_ratio_pct": ratio_of_talk,
        "agent_share_of_call_pct": per_cent(ratio(agent_ms, length)),
        "overlap_s": total_ms(overlaps(*talk)) / 1000,
        "gaps": [[start / 1000, end / 1000] for start, end in silent],
        "dead_air_s": total_ms(dead) / 1000,
        "dead_air_count": len(dead),
        "longest_silence_s": max((end - start for start, end in silent), default=0) / 1000,
        "dead_air_pct_of_call": per_cent(ratio(total_ms(dead), length)),
        "dead_air_pct_excl_hold": per_cent(ratio(total_ms(dead), length - hold_ms)),
        "interruptions_by_agent": _interruptions(uttered[0], uttered[1], least),
        "interruptions_by_customer": _interruptions(uttered[1], uttered[0], least),
        "reason": _reason(length, agent_ms + customer_ms, hold_ms),
    }


def _reason(length: int, talk_ms: int, hold_ms: int) -> Reason | None:
    if length == 0:
        return "no_call"
    if talk_ms == 0:
        return "no_speech"
    return "all_on_hold" if hold_ms == length else None


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _spans(name: str, stretches: list[Stretch]) -> list[Span]:
    for place, (start, end) in enumerate(stretches):
        if end < start:
            raise RefusedArgument(f"{name}[{place}]", "must not end before it starts.")
    return [(_ms(start), _ms(end)) for start, end in stretches]


def _utterances(talk: list[Span]) -> list[Span]:
    found: list[Span] = []
    for start, end in talk:
        if found and start - found[-1][1] <= BREATH_MS:
            found[-1] = (found[-1][0], end)
        else:
            found.append((start, end))
    return found


def _interruptions(own: list[Span], others: list[Span], least_ms: int) -> int:
    return sum(
        other_start < start < other_end and min(end, other_end) - start >= least_ms
        for start, end in own
        for other_start, other_end in others
    )
