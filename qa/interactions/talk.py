"""How a call's time was used: shares, silences, overlaps, interruptions and waits as durations and counts.

Nothing in here guesses at a feeling. All arithmetic is in whole milliseconds; A, C and U are the unions of
what agent, customer and unknown speakers say, H of the holds that the telephone system reported, D is the
length of the call. A guess never changes a fact: an inferred hold is told as such and stays dead air.
"""

from __future__ import annotations

import re
import statistics
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from qa.interactions.transcript import Segment, Transcript, seconds, spoken, words_in
from qa.stats.intervals import Span, clipped, gaps, joined, overlaps, total_ms

JOIN_MS = 300
DEAD_AIR_MS = 5_000
LONG_GAP_MS = 3_000
INTERRUPTION_MS = 500
MONOLOGUE_PAUSE_MS = 2_000
REPLY_MS = 1_000
LEAST_FOR_PACE_MS = 5_000
HOLD_WORDS_BEFORE_MS = 10_000
UNKNOWN_PER_CENT = 20

_HOLD_WORDS = re.compile(
    r"\b(?:(?:place|put) you on (?:a )?(?:(?:brief|short|quick) )?hold"
    r"|hold the line|bear with me|one moment|hold on)\b"
)


@dataclass(frozen=True, slots=True)
class Side:
    """One speaker's part. None: who spoke is not known, or there is nothing to measure."""

    talk_ms: int
    words: int
    words_per_minute: float | None = None
    interruptions: int | None = None
    took_floor: int | None = None
    longest_monologue_ms: int | None = None
    responses_ms: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Talk:
    """The measures of one call; shares are percent, None where the denominator or the speaker is missing."""

    duration_ms: int
    agent: Side
    customer: Side
    unknown: Side
    speech_ms: int
    overlap_ms: int | None
    speaker_switches: int | None
    gaps: tuple[Span, ...]
    hold_ms: int
    hold_count: int
    hold_source: str
    given_hold_ms: int
    segments_ignored: int
    reason: str | None

    @property
    def dead_air(self) -> tuple[Span, ...]:
        """The gaps longer than five seconds."""
        return tuple(gap for gap in self.gaps if gap[1] - gap[0] > DEAD_AIR_MS)

    @property
    def non_talk_ms(self) -> int:
        """Holds, and the gaps longer than three seconds."""
        return self.given_hold_ms + total_ms(gap for gap in self.gaps if gap[1] - gap[0] > LONG_GAP_MS)

    @property
    def agent_talk_ratio(self) -> float | None:
        """The agent's share of the two sides' talk."""
        if self.reason is not None:
            return None
        return per_cent(self.agent.talk_ms, self.agent.talk_ms + self.customer.talk_ms)

    @property
    def agent_share_of_call(self) -> float | None:
        """The agent's share of the whole call."""
        return None if self.reason is not None else per_cent(self.agent.talk_ms, self.duration_ms)


def per_cent(part: int, whole: int) -> float | None:
    """Return a percentage; None where there is nothing to divide by."""
    return 100 * part / whole if whole else None


def talk_of(transcript: Transcript) -> Talk:
    """Return how a call's time was used. ``reason`` says why what names a speaker is None."""
    length = transcript.duration_ms
    kept = [segment for _, segment in spoken(transcript)]
    by_speaker = {who: [s for s in kept if s.speaker == who] for who in ("agent", "customer", "unknown")}
    unions = {who: joined((s.start_ms, s.end_ms) for s in segments) for who, segments in by_speaker.items()}
    speech = joined(span for spans in unions.values() for span in spans)
    given_holds = clipped(transcript.holds or (), length)
    open_gaps = tuple(gaps([*speech, *given_holds], length))
    sides = {who: Side(total_ms(unions[who]), _word_count(by_speaker[who])) for who in unions}
    reason = _reason(*(side.talk_ms for side in sides.values()))
    held, source = given_holds, "given"
    if transcript.holds is None:
        held = _inferred_holds(kept, open_gaps)
        source = "inferred" if held else "none"
    switches = overlap = None
    if reason is None:
        agent, customer = (utterances(by_speaker[who]) for who in ("agent", "customer"))
        sides["agent"] = _side(sides["agent"], agent, customer, given_holds, is_agent=True)
        sides["customer"] = _side(sides["customer"], customer, agent, given_holds, is_agent=False)
        order = _order(agent, customer)
        switches = sum(one != two for (*_, one), (*_, two) in pairwise(order))
        overlap = total_ms(overlaps(unions["agent"], unions["customer"]))
    return Talk(
        duration_ms=length,
        **sides,
        speech_ms=total_ms(speech),
        overlap_ms=overlap,
        speaker_switches=switches,
        gaps=open_gaps,
        hold_ms=total_ms(held),
        hold_count=len(held),
        hold_source=source,
        given_hold_ms=total_ms(given_holds),
        segments_ignored=len(transcript.segments) - len(kept),
        reason=reason,
    )


def utterances(segments: Iterable[Segment]) -> list[Span]:
    """Return one speaker's utterances: segments joined over gaps of at most 0.3 s, in order."""
    found: list[Span] = []
    for start, end in sorted((segment.start_ms, segment.end_ms) for segment in segments):
        if found and start - found[-1][1] <= JOIN_MS:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found


def _word_count(segments: Iterable[Segment]) -> int:
    return sum(len(words_in(segment.text)) for segment in segments)


def _reason(agent_ms: int, customer_ms: int, unknown_ms: int) -> str | None:
    total = agent_ms + customer_ms + unknown_ms
    if total == 0:
        return "no_speech"
    if agent_ms + customer_ms == 0 or unknown_ms * 100 > UNKNOWN_PER_CENT * total:
        return "speakers_unknown"
    return None


def _inferred_holds(segments: Iterable[Segment], open_gaps: Iterable[Span]) -> list[Span]:
    """Return the gaps of dead air before which one of the last two segments announces a hold."""
    ended = sorted(segments, key=lambda segment: (segment.end_ms, segment.start_ms))
    ends = [segment.end_ms for segment in ended]
    found: list[Span] = []
    for start, end in open_gaps:
        place = bisect_right(ends, start)
        before = [s for s in ended[max(place - 2, 0) : place] if start - s.end_ms <= HOLD_WORDS_BEFORE_MS]
        if end - start > DEAD_AIR_MS and any(map(_announces_hold, before)):
            found.append((start, end))
    return found


def _announces_hold(segment: Segment) -> bool:
    return segment.speaker == "agent" and _HOLD_WORDS.search(_plain(segment.text)) is not None


def _plain(text: str) -> str:
    return " ".join(text[start:end].lower() for start, end in words_in(text))


def _side(side: Side, own: list[Span], other: list[Span], holds: list[Span], *, is_agent: bool) -> Side:
    into = _interruptions(own, other)
    return Side(
        talk_ms=side.talk_ms,
        words=side.words,
        words_per_minute=None if side.talk_ms < LEAST_FOR_PACE_MS else side.words / side.talk_ms * 60_000,
        interruptions=len(into),
        took_floor=sum(mine[1] > theirs[1] for mine, theirs in into),
        longest_monologue_ms=_longest_monologue(own, other, holds),
        responses_ms=_responses(own, other, holds, own_first=is_agent),
    )


def _interruptions(own: list[Span], other: list[Span]) -> list[tuple[Span, Span]]:
    """Return (mine, theirs) where mine starts strictly inside theirs and both go on for half a second."""
    found: list[tuple[Span, Span]] = []
    place = 0
    for mine in own:
        while place < len(other) and other[place][1] <= mine[0]:
            place += 1
        if place == len(other):
            break
        theirs = other[place]
        if theirs[0] < mine[0] and min(mine[1], theirs[1]) - mine[0] >= INTERRUPTION_MS:
            found.append((mine, theirs))
    return found


def _longest_monologue(own: list[Span], other: list[Span], holds: list[Span]) -> int | None:
    replies = [theirs[0] for theirs in other if theirs[1] - theirs[0] >= REPLY_MS]
    longest: int | None = None
    begun = former = None
    for mine in own:
        if begun is None or former is None or _breaks(former, mine, replies, holds):
            begun = mine[0]
        former = mine
        longest = max(longest or 0, mine[1] - begun)
    return longest


def _breaks(former: Span, latter: Span, replies: list[int], holds: list[Span]) -> bool:
    return (
        latter[0] - former[1] > MONOLOGUE_PAUSE_MS
        or _hold_between(former[1], latter[0], holds)
        or bisect_left(replies, former[0]) < bisect_left(replies, latter[0])
    )


def _hold_between(start: int, end: int, holds: list[Span]) -> bool:
    """Tell whether a hold, of disjoint ones in order, reaches into a stretch."""
    place = bisect_right(holds, start, key=lambda hold: hold[1])
    return place < len(holds) and holds[place][0] < end


def _order(agent: list[Span], customer: list[Span]) -> list[tuple[int, int, int]]:
    """Return both sides' utterances by start, the agent's (0) first on a tie: (start, end, side)."""
    both = [(start, 0, end) for start, end in agent] + [(start, 1, end) for start, end in customer]
    return [(start, end, side) for start, side, end in sorted(both)]


def _responses(own: list[Span], other: list[Span], holds: list[Span], *, own_first: bool) -> tuple[int, ...]:
    mine = 0 if own_first else 1
    order = _order(own, other) if own_first else _order(other, own)
    return tuple(
        later[0] - earlier[1]
        for earlier, later in pairwise(order)
        if earlier[2] != mine == later[2]
        and later[0] >= earlier[1]
        and not _hold_between(earlier[1], later[0], holds)
    )


def as_json(talk: Talk) -> dict[str, Any]:
    """Return the published fields: seconds with three decimals, shares as percent."""
    dead = talk.dead_air
    dead_ms = total_ms(dead)
    told: dict[str, Any] = {"duration_s": seconds(talk.duration_ms)}
    told |= {f"{who}_talk_s": seconds(side.talk_ms) for who, side in _named(talk)}
    told |= {
        "speech_s": seconds(talk.speech_ms),
        "overlap_s": _maybe(talk.overlap_ms),
        "agent_talk_ratio_pct": talk.agent_talk_ratio,
        "agent_share_of_call_pct": talk.agent_share_of_call,
        "gaps": [[seconds(start), seconds(end)] for start, end in talk.gaps],
        "dead_air_s": seconds(dead_ms),
        "dead_air_count": len(dead),
        "dead_air_pct_of_call": per_cent(dead_ms, talk.duration_ms),
        "dead_air_pct_excl_hold": per_cent(dead_ms, talk.duration_ms - talk.given_hold_ms),
        "non_talk_s": seconds(talk.non_talk_ms),
    }
    for who, side in _named(talk)[:2]:
        told |= _side_as_json(who, side)
    return told | {
        "speaker_switches": talk.speaker_switches,
        "words_unknown": talk.unknown.words,
        "hold_s": seconds(talk.hold_ms),
        "hold_count": talk.hold_count,
        "hold_source": talk.hold_source,
        "segments_ignored": talk.segments_ignored,
        "reason": talk.reason,
    }


def _named(talk: Talk) -> list[tuple[str, Side]]:
    return [("agent", talk.agent), ("customer", talk.customer), ("unknown", talk.unknown)]


def _side_as_json(who: str, side: Side) -> dict[str, Any]:
    waits = side.responses_ms
    return {
        f"interruptions_by_{who}": side.interruptions,
        f"interruptions_took_floor_by_{who}": side.took_floor,
        f"longest_monologue_{who}_s": _maybe(side.longest_monologue_ms),
        f"{who}_response_n": None if waits is None else len(waits),
        f"{who}_response_median_s": round(statistics.median(waits) / 1000, 4) if waits else None,
        f"{who}_response_max_s": seconds(max(waits)) if waits else None,
        f"words_{who}": side.words,
        f"wpm_{who}": side.words_per_minute,
    }


def _maybe(ms: int | None) -> float | None:
    return None if ms is None else seconds(ms)
