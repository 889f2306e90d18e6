"""Stretches of a call in whole milliseconds: unions, gaps and overlaps of (start, end), half-open."""

from __future__ import annotations

from collections.abc import Iterable

Span = tuple[int, int]

SILENCE_MS = 2_000


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
