"""Stretches of a call: unions, gaps and overlaps agree with counting each millisecond."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa.stats import intervals
from qa.stats.intervals import Span


def ms(words: str) -> list[Span]:
    """Spans in milliseconds from the notation of the specification: "0-6,10-20" in seconds."""
    parts = [part.split("-") for part in words.split(",") if part not in {"", "–"}]
    return [(round(float(start) * 1000), round(float(end) * 1000)) for start, end in parts]


@pytest.mark.parametrize(
    ("spoken", "expected"),
    [
        ("", [(0, 10_000)]),
        ("0-10", []),
        ("2-8", [(0, 2_000), (8_000, 10_000)]),
        ("1.999-8.001", []),
        ("3-4,5-6", [(0, 3_000), (6_000, 10_000)]),
        ("0-4,2-6,20-30", [(6_000, 10_000)]),
    ],
)
def test_a_silence_is_two_seconds_in_which_nobody_speaks(spoken: str, expected: list[Span]) -> None:
    assert intervals.silences(ms(spoken), 10_000) == expected


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("0-5", "5-9", []),
        ("0-5", "4-9", [(4_000, 5_000)]),
        ("0-10", "1-2,3-4", [(1_000, 2_000), (3_000, 4_000)]),
        ("0-3,2-6", "1-5", [(1_000, 5_000)]),
        ("0-1", "", []),
    ],
)
def test_an_overlap_is_where_both_speak(one: str, other: str, expected: list[Span]) -> None:
    assert intervals.overlaps(ms(one), ms(other)) == expected
    assert intervals.overlaps(ms(other), ms(one)) == expected


LENGTH = 60
SPANS = st.lists(st.tuples(st.integers(-5, LENGTH + 5), st.integers(-5, LENGTH + 5)), max_size=12)


def covered(spans: list[Span]) -> set[int]:
    return {moment for start, end in spans for moment in range(max(start, 0), min(end, LENGTH))}


@given(SPANS, SPANS)
def test_spans_agree_with_counting_each_millisecond(one: list[Span], other: list[Span]) -> None:
    assert covered(intervals.clipped(one, LENGTH)) == covered(one)
    assert covered(intervals.gaps([*one, *other], LENGTH)) == set(range(LENGTH)) - covered(one) - covered(
        other
    )
    assert covered(intervals.overlaps(one, other)) == covered(one) & covered(other)
    assert intervals.total_ms(intervals.clipped(one, LENGTH)) == len(covered(one))


@given(SPANS)
def test_joined_spans_are_in_order_and_do_not_touch(spans: list[Span]) -> None:
    found = intervals.joined(spans)
    assert all(start < end for start, end in found)
    assert all(one[1] < two[0] for one, two in pairwise(found))
    assert intervals.joined(reversed(found)) == found
