"""Talk and silence: the vectors of the definition, and the same as the pages compute."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa.stats.arguments import RefusedArgument
from qa.stats.speech import speech

seconds = st.integers(0, 600).map(lambda tenths: tenths / 10)
stretches = st.lists(st.tuples(seconds, seconds).map(sorted), max_size=6)


def of(text: str) -> list[list[float]]:
    """Stretches as the definition writes them: "0-6,10-20"."""
    return [[float(end) for end in part.split("-")] for part in text.split(",") if part]


@pytest.mark.parametrize(
    ("length", "agent", "customer", "hold", "expected"),
    [
        (
            60,
            "0-6,10-20",
            "6.5-10,21-30",
            "",
            {
                "agent_talk_s": 16,
                "customer_talk_s": 12.5,
                "agent_talk_ratio_pct": 56.140351,
                "dead_air_s": 30,
            },
        ),
        (
            40,
            "0-10",
            "9.4-15",
            "",
            {"overlap_s": 0.6, "interruptions_by_customer": 1, "interruptions_by_agent": 0},
        ),
        (40, "0-20", "6-8", "", {"interruptions_by_customer": 1}),
        (40, "3-9", "3-5", "", {"interruptions_by_agent": 0, "interruptions_by_customer": 0}),
        (40, "0-10", "15-20", "", {"dead_air_s": 20, "dead_air_count": 1, "gaps": [[10, 15], [20, 40]]}),
        (
            40,
            "0-10",
            "15.1-20",
            "25-35",
            {"dead_air_s": 5.1, "dead_air_pct_of_call": 12.75, "dead_air_pct_excl_hold": 17},
        ),
        (
            30,
            "",
            "",
            "",
            {"dead_air_s": 30, "agent_talk_ratio_pct": None, "longest_silence_s": 30, "reason": "no_speech"},
        ),
        (0, "", "", "", {"agent_share_of_call_pct": None, "reason": "no_call"}),
        (10, "0-10", "", "0-10", {"dead_air_pct_excl_hold": None, "reason": "all_on_hold"}),
        (40, "0-4,4.3-8", "3.9-4.6", "", {"interruptions_by_customer": 1, "interruptions_by_agent": 0}),
    ],
)
def test_the_definitions_vectors(
    length: float, agent: str, customer: str, hold: str, expected: dict[str, object]
) -> None:
    found = speech(length, of(agent), of(customer), of(hold))
    for key, value in expected.items():
        assert found[key] == (pytest.approx(value) if isinstance(value, float) else value), key


def test_two_shares_of_one_call_differ() -> None:
    found = speech(100, of("0-37.5"), of("40-76.6"), of("80-100"))
    assert round(found["agent_talk_ratio_pct"], 1) == 50.6
    assert found["agent_share_of_call_pct"] == 37.5


@given(st.integers(0, 600), stretches, stretches, stretches)
def test_every_second_is_spoken_silent_or_on_hold(
    length: int, agent: list[list[float]], customer: list[list[float]], hold: list[list[float]]
) -> None:
    found = speech(length, agent, customer, hold)
    silent = sum(end - start for start, end in found["gaps"])
    spoken = found["agent_talk_s"] + found["customer_talk_s"] - found["overlap_s"]
    if not hold:
        assert spoken + silent == pytest.approx(length)
    assert 0 <= found["dead_air_s"] <= silent + 1e-9
    turned = speech(length, customer, agent, hold)
    assert turned["interruptions_by_agent"] == found["interruptions_by_customer"]


def test_a_stretch_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(RefusedArgument, match=r'"customer\[0\]" must not end before it starts'):
        speech(10, [], [[5, 4]])
