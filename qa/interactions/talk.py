"""Who talks when: silences and overlaps as durations, nothing that guesses at a feeling.

Spans are (start, end) in milliseconds, half-open.
"""

from __future__ import annotations

from collections.abc import Iterable

Span = tuple[int, int]

SILENCE_MS = 2_000


def joined(spans: Iterable[Span]) -> list[Span]:
    """Return the union of spans, in order, touching ones merged."""
    found: list[Span] = []
    for start, end in sorted(span for span in spans if span[1] > span[0]):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found


def silences(spoken: Iterable[Span], duration_ms: int, *, at_least_ms: int = SILENCE_MS) -> list[Span]:
    """Return the stretches of at least ``at_least_ms`` in which nobody speaks."""
    found, reached = [], 0
    for start, end in [*joined(spoken), (duration_ms, duration_ms)]:
        if start - reached >= at_least_ms:
            found.append((reached, start))
        reached = max(reached, end)
    return found


def overlaps(one: Iterable[Span], other: Iterable[Span]) -> list[Span]:
    """Return the stretches in which both speak."""
    right = joined(other)
    crossing = [
        (max(start, from_), min(end, to)) for start, end in joined(one) for from_, to in right if from_ < end and to > start
    ]
    return joined(crossing)


def total_ms(spans: Iterable[Span]) -> int:
    """Return the length of the union."""
    return sum(end - start for start, end in joined(spans))
