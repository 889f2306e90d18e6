"""Talk metrics: exact durations and counts, and nothing said where it is not known."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa.interactions.talk import as_json, talk_of
from qa.interactions.transcript import Segment, Transcript, from_json
from tests.interactions.calls import call, say

VECTORS: list[tuple[Transcript, dict[str, Any]]] = [
    (
        call(60, "0-6,10-20", "6.5-10,21-30"),
        {
            "agent_talk_s": 16,
            "customer_talk_s": 12.5,
            "agent_talk_ratio_pct": pytest.approx(56.140351, abs=1e-6),
            "dead_air_s": 30,
            "speaker_switches": 3,
        },
    ),
    (
        call(40, "0-10", "9.4-15"),
        {"overlap_s": 0.6, "interruptions_by_customer": 1, "interruptions_by_agent": 0},
    ),
    (
        call(40, "0-20", "6-8"),
        {
            "interruptions_by_customer": 1,
            "interruptions_took_floor_by_customer": 0,
            "longest_monologue_agent_s": 20,
        },
    ),
    (call(40, "3-9", "3-5"), {"interruptions_by_agent": 0, "interruptions_by_customer": 0}),
    (call(25, "0-5,5.2-8,10-14,16.1-20"), {"longest_monologue_agent_s": 14}),
    (call(30, "0-4,5.2-12", "4.1-5.1"), {"longest_monologue_agent_s": 6.8}),
    (call(30, "0-4,5.2-12", "4.1-5"), {"longest_monologue_agent_s": 12}),
    (call(40, "0-10", "15-20", holds=""), {"dead_air_s": 20, "dead_air_count": 1, "non_talk_s": 25}),
    (
        call(40, "0-10", "15.1-20", holds="25-35"),
        {
            "dead_air_s": 5.1,
            "dead_air_pct_of_call": pytest.approx(12.75, abs=1e-6),
            "dead_air_pct_excl_hold": pytest.approx(17, abs=1e-6),
            "non_talk_s": 25.1,
        },
    ),
    (
        call(60, "6-10,22-30,31-33", "0-5,11-21,29-32"),
        {"agent_response_n": 2, "agent_response_median_s": 1, "customer_response_n": 1},
    ),
    (
        call(100, "0-20", "20-40", unknown="40-51"),
        {"agent_talk_ratio_pct": None, "unknown_talk_s": 11, "reason": "speakers_unknown"},
    ),
    (
        call(30),
        {
            "dead_air_s": 30,
            "agent_talk_ratio_pct": None,
            "longest_monologue_agent_s": None,
            "reason": "no_speech",
        },
    ),
]


@pytest.mark.parametrize(("transcript", "expected"), VECTORS)
def test_the_published_vectors_hold(transcript: Transcript, expected: dict[str, Any]) -> None:
    assert_told(transcript, expected)


def assert_told(transcript: Transcript, expected: dict[str, Any]) -> None:
    """The published fields have these values."""
    told = as_json(talk_of(transcript))
    assert {name: told[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("transcript", "expected"),
    [
        (call(100, "0-20", "20-40", unknown="40-50"), {"reason": None, "agent_talk_ratio_pct": 50.0}),
        (
            call(30, unknown="1-9"),
            {"reason": "speakers_unknown", "speech_s": 8, "agent_share_of_call_pct": None},
        ),
        (call(0), {"reason": "no_speech", "dead_air_count": 0, "dead_air_pct_of_call": None, "gaps": []}),
        (call(10, "0-99"), {"agent_talk_s": 10, "agent_talk_ratio_pct": 100, "agent_share_of_call_pct": 100}),
        (call(10, "5-5,7-6,11-12", "1-2"), {"agent_talk_s": 0, "segments_ignored": 3}),
        (call(None, "0-4", "5-6"), {"duration_s": 6}),
        (call(20, "1-2"), {"gaps": [[0, 1], [2, 20]], "dead_air_s": 18, "non_talk_s": 18}),
        (call(15, "0-5", "10-15"), {"dead_air_count": 0, "non_talk_s": 5}),
        (call(40, "0-10", "9.501-15"), {"interruptions_by_customer": 0, "overlap_s": 0.499}),
        (
            call(40, "0-10", "9.5-15"),
            {"interruptions_by_customer": 1, "interruptions_took_floor_by_customer": 1},
        ),
        (call(40, "0-5,5.3-10", "5.1-9"), {"interruptions_by_customer": 1, "longest_monologue_agent_s": 10}),
        (call(40, "0-5,6-10", "1-2"), {"longest_monologue_agent_s": 5}),
        (call(60, "0-10,11-20", holds="10.2-10.8"), {"longest_monologue_agent_s": 10}),
        (
            call(60, "0-10", "11-20", holds="10.2-10.8"),
            {"customer_response_n": 0, "customer_response_max_s": None},
        ),
        (call(60, "5-6", "5-7"), {"speaker_switches": 1, "customer_response_n": 0}),
        (
            call(60, "0-5,7-9,12-13", "5.5-6,10-11"),
            {"agent_response_median_s": 1, "customer_response_median_s": 0.75},
        ),
        (call(60, "0-5", "6-10.999"), {"wpm_agent": 12, "wpm_customer": None, "words_customer": 1}),
        (call(60, "0-5", holds="10-20,15-25,70-80"), {"hold_s": 15, "hold_count": 1, "hold_source": "given"}),
        (call(60, "0-5", holds=""), {"hold_s": 0, "hold_count": 0, "hold_source": "given"}),
    ],
)
def test_borders_are_exact(transcript: Transcript, expected: dict[str, Any]) -> None:
    assert_told(transcript, expected)


def test_words_are_counted_as_people_count_them() -> None:
    said = [say("agent", 0, 6, "I don't – can’t 5_5 e-mail, OK?"), say("customer", 7, 8, "… — !")]
    told = as_json(talk_of(from_json({"segments": said})))
    assert (told["words_agent"], told["wpm_agent"], told["segments_ignored"]) == (8, 80, 1)


@pytest.mark.parametrize(
    ("last_words", "is_hold"),
    [
        ("May I place you on a brief hold?", True),
        ("I'll put you on hold.", True),
        ("Please HOLD the line", True),
        ("Bear with me.", True),
        ("One moment, please.", True),
        ("Hold on!", True),
        ("I put you on a very long hold", False),
        ("The household one moments", False),
    ],
)
def test_a_hold_is_inferred_from_the_agents_words_and_changes_no_fact(last_words: str, is_hold: bool) -> None:
    said = [say("agent", 0, 3, last_words), say("customer", 3.5, 4, "Okay."), say("agent", 30, 31, "Back.")]
    told = as_json(talk_of(from_json({"duration": 31, "segments": said})))
    assert (told["hold_source"], told["hold_s"]) == (("inferred", 26) if is_hold else ("none", 0))
    assert told["dead_air_s"] == 26


@pytest.mark.parametrize(
    "said",
    [
        [say("customer", 0, 3, "Hold on"), say("agent", 30, 31, "Back.")],
        [
            say("agent", 0, 3, "Hold on"),
            say("agent", 6, 7, "a"),
            say("customer", 7, 8, "b"),
            say("agent", 30, 31, "c"),
        ],
        [say("agent", 0, 3, "Hold on"), say("agent", 8, 9, "Back.")],
    ],
)
def test_other_silences_are_no_holds(said: list[dict[str, Any]]) -> None:
    assert as_json(talk_of(from_json({"segments": said})))["hold_source"] == "none"


TIMES = st.integers(-2_000, 62_000)
SEGMENTS = st.builds(
    Segment,
    TIMES,
    TIMES,
    st.sampled_from(["agent", "customer", "unknown"]),
    st.sampled_from(["a", "b c", "…"]),
)
CALLS = st.builds(
    Transcript,
    st.just(60_000),
    st.lists(SEGMENTS, max_size=12).map(tuple),
    st.none() | st.lists(st.tuples(TIMES, TIMES), max_size=3).map(tuple),
)


@given(CALLS)
def test_measures_stay_within_the_call(transcript: Transcript) -> None:
    talk = talk_of(transcript)
    told = as_json(talk)
    assert 0 <= told["dead_air_s"] <= told["non_talk_s"] <= told["duration_s"] == 60
    assert talk.speech_ms <= talk.agent.talk_ms + talk.customer.talk_ms + talk.unknown.talk_ms
    if told["reason"] is None:
        assert told["overlap_s"] <= min(told["agent_talk_s"], told["customer_talk_s"])
        assert 0 <= told["agent_talk_ratio_pct"] <= 100
        for who in ("agent", "customer"):
            assert told[f"interruptions_took_floor_by_{who}"] <= told[f"interruptions_by_{who}"]
            assert (told[f"longest_monologue_{who}_s"] is None) == (told[f"{who}_talk_s"] == 0)
    else:
        assert all(
            told[name] is None for name in told if name.startswith(("interruptions", "longest", "wpm"))
        )


@given(CALLS)
def test_the_order_of_segments_changes_nothing(transcript: Transcript) -> None:
    turned = Transcript(transcript.duration_ms, transcript.segments[::-1], transcript.holds)
    assert talk_of(turned) == talk_of(transcript)


@given(CALLS)
def test_swapping_the_speakers_swaps_the_sides(transcript: Transcript) -> None:
    other = {"agent": "customer", "customer": "agent", "unknown": "unknown"}
    swapped = tuple(Segment(s.start_ms, s.end_ms, other[s.speaker], s.text) for s in transcript.segments)
    one, two = talk_of(transcript), talk_of(Transcript(60_000, swapped, transcript.holds))
    assert (one.agent.interruptions, one.agent.longest_monologue_ms) == (
        two.customer.interruptions,
        two.customer.longest_monologue_ms,
    )
    assert (one.overlap_ms, one.gaps, one.reason) == (two.overlap_ms, two.gaps, two.reason)
