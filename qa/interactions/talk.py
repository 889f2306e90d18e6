"""Who talks when: silences, overlaps and shares as durations, nothing that guesses at a feeling.

All arithmetic is in whole milliseconds. Spans are (start, end), half-open; A, C and U below are the
unions of the agent's, the customer's and unknown speakers' spans, D the length of the call.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

Span = tuple[int, int]

SILENCE_MS = 2_000
DEAD_AIR_MS = 5_000
UNKNOWN_PER_CENT = 20


@dataclass(frozen=True, slots=True)
class Talk:
    """How a call's time was used; shares are percent, None where who spoke is not known."""

    duration_ms: int
    agent_ms: int
    customer_ms: int
    unknown_ms: int
    speech_ms: int
    overlap_ms: int | None
    dead_air_ms: int
    dead_air_count: int
    agent_of_talk: float | None
    agent_of_call: float | None
    customer_of_call: float | None
    reason: str | None


def joined(spans: Iterable[Span]) -> list[Span]:
    """Return the union of spans, in order, touching ones merged, empty ones dropped."""
    found: list[Span] = []
    for start, end in sorted(span for span in spans if span[1] > span[0]):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found


def clipped(spans: Iterable[Span], duration_ms: int) -> list[Span]:
    """Return the union of spans inside [0, D]."""
    return joined((max(start, 0), min(end, duration_ms)) for start, end in spans)


def gaps(spoken: Iterable[Span], duration_ms: int) -> list[Span]:
    """Return the complement of the spans in [0, D], start and end of the call included."""
    found, reached = [], 0
    for start, end in [*clipped(spoken, duration_ms), (duration_ms, duration_ms)]:
        if start > reached:
            found.append((reached, start))
        reached = max(reached, end)
    return found


def silences(spoken: Iterable[Span], duration_ms: int, *, at_least_ms: int = SILENCE_MS) -> list[Span]:
    """Return the stretches of at least ``at_least_ms`` in which nobody speaks, holds counted as speech."""
    return [gap for gap in gaps(spoken, duration_ms) if gap[1] - gap[0] >= at_least_ms]


def overlaps(one: Iterable[Span], other: Iterable[Span]) -> list[Span]:
    """Return the stretches in which both speak."""
    left, right = joined(one), joined(other)
    found: list[Span] = []
    place = 0
    for start, end in left:
        while place < len(right) and right[place][1] <= start:
            place += 1
        ahead = place
        while ahead < len(right) and right[ahead][0] < end:
            found.append((max(start, right[ahead][0]), min(end, right[ahead][1])))
            ahead += 1
    return found


def total_ms(spans: Iterable[Span]) -> int:
    """Return the length of the union."""
    return sum(end - start for start, end in joined(spans))


def talk_of(
    duration_ms: int,
    *,
    agent: Iterable[Span] = (),
    customer: Iterable[Span] = (),
    unknown: Iterable[Span] = (),
    holds: Iterable[Span] = (),
) -> Talk:
    """Return how a call's time was used. Dead air is a gap longer than five seconds outside holds.

    Where nobody spoke, or more than a fifth of the talk has no known speaker, ``reason`` says so and
    every share that names a speaker is None.
    """
    sides = [clipped(spans, duration_ms) for spans in (agent, customer, unknown)]
    agent_ms, customer_ms, unknown_ms = (total_ms(spans) for spans in sides)
    speech = joined(span for spans in sides for span in spans)
    dead = [gap for gap in gaps([*speech, *holds], duration_ms) if gap[1] - gap[0] > DEAD_AIR_MS]
    reason = _reason(agent_ms, customer_ms, unknown_ms)
    known = reason is None
    return Talk(
        duration_ms=duration_ms,
        agent_ms=agent_ms,
        customer_ms=customer_ms,
        unknown_ms=unknown_ms,
        speech_ms=total_ms(speech),
        overlap_ms=total_ms(overlaps(sides[0], sides[1])) if known else None,
        dead_air_ms=total_ms(dead),
        dead_air_count=len(dead),
        agent_of_talk=_per_cent(agent_ms, agent_ms + customer_ms) if known else None,
        agent_of_call=_per_cent(agent_ms, duration_ms) if known else None,
        customer_of_call=_per_cent(customer_ms, duration_ms) if known else None,
        reason=reason,
    )


def _reason(agent_ms: int, customer_ms: int, unknown_ms: int) -> str | None:
    total = agent_ms + customer_ms + unknown_ms
    if total == 0:
        return "no_speech"
    if agent_ms + customer_ms == 0 or unknown_ms * 100 > UNKNOWN_PER_CENT * total:
        return "speakers_unknown"
    return None


def _per_cent(part: int, whole: int) -> float | None:
    return 100 * part / whole if whole else None
