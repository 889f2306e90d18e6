"""Talk times: silences, overlaps and shares are exact durations; nothing is said where it is not known."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa.interactions import talk
from qa.interactions.talk import Span


def ms(words: str) -> list[Span]:
    """Spans in milliseconds from the notation of the specification: "0-6,10-20" in seconds."""
    parts = [part.split("-") for part in words.split(",") if part not in {"", "–"}]
    return [(round(float(start) * 1000), round(float(end) * 1000)) for start, end in parts]


VECTORS: list[tuple[int, str, str, str, str, dict[str, Any]]] = [
    (
        60,
        "0-6,10-20",
        "6.5-10,21-30",
        "",
        "",
        {"agent_ms": 16_000, "customer_ms": 12_500, "dead_air_ms": 30_000},
    ),
    (60, "0-6,10-20", "6.5-10,21-30", "", "", {"agent_of_talk": pytest.approx(56.140351)}),
    (40, "0-10", "9.4-15", "", "", {"overlap_ms": 600}),
    (40, "0-10", "15-20", "", "", {"dead_air_ms": 20_000, "dead_air_count": 1}),
    (40, "0-10", "15.1-20", "25-35", "", {"dead_air_ms": 5_100, "dead_air_count": 1}),
    (
        100,
        "0-20",
        "20-40",
        "",
        "40-51",
        {"unknown_ms": 11_000, "reason": "speakers_unknown", "agent_of_talk": None},
    ),
    (100, "0-20", "20-40", "", "40-50", {"unknown_ms": 10_000, "reason": None, "agent_of_talk": 50.0}),
    (
        30,
        "",
        "",
        "",
        "",
        {"dead_air_ms": 30_000, "reason": "no_speech", "agent_of_talk": None, "overlap_ms": None},
    ),
    (30, "", "", "", "1-9", {"reason": "speakers_unknown", "speech_ms": 8_000, "agent_of_call": None}),
    (40, "0-10", "20-25", "", "", {"agent_of_call": 25.0, "customer_of_call": 12.5, "speech_ms": 15_000}),
    (0, "", "", "", "", {"reason": "no_speech", "dead_air_count": 0}),
    (10, "0-99", "", "", "", {"agent_ms": 10_000, "agent_of_talk": 100.0, "agent_of_call": 100.0}),
    (10, "5-5,7-6", "1-2", "", "", {"agent_ms": 0, "agent_of_talk": 0.0}),
]


@pytest.mark.parametrize(("seconds", "agent", "customer", "holds", "unknown", "expected"), VECTORS)
def test_the_vectors_hold(
    seconds: int, agent: str, customer: str, holds: str, unknown: str, expected: dict[str, Any]
) -> None:
    found = talk.talk_of(
        seconds * 1000, agent=ms(agent), customer=ms(customer), holds=ms(holds), unknown=ms(unknown)
    )
    assert {name: getattr(found, name) for name in expected} == expected


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
    assert talk.silences(ms(spoken), 10_000) == expected


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
    assert talk.overlaps(ms(one), ms(other)) == expected
    assert talk.overlaps(ms(other), ms(one)) == expected


LENGTH = 60
SPANS = st.lists(st.tuples(st.integers(-5, LENGTH + 5), st.integers(-5, LENGTH + 5)), max_size=12)


def covered(spans: list[Span]) -> set[int]:
    return {moment for start, end in spans for moment in range(max(start, 0), min(end, LENGTH))}


@given(SPANS, SPANS)
def test_spans_agree_with_counting_each_millisecond(one: list[Span], other: list[Span]) -> None:
    assert covered(talk.clipped(one, LENGTH)) == covered(one)
    assert covered(talk.gaps([*one, *other], LENGTH)) == set(range(LENGTH)) - covered(one) - covered(other)
    assert covered(talk.overlaps(one, other)) == covered(one) & covered(other)
    found = talk.talk_of(LENGTH, agent=one, customer=other)
    assert (found.agent_ms, found.customer_ms) == (len(covered(one)), len(covered(other)))
    assert found.speech_ms == len(covered(one) | covered(other))


@given(SPANS)
def test_joined_spans_are_in_order_and_do_not_touch(spans: list[Span]) -> None:
    found = talk.joined(spans)
    assert all(start < end for start, end in found)
    assert all(one[1] < two[0] for one, two in pairwise(found))
    assert talk.joined(reversed(found)) == found
