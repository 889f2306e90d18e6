"""Did coaching help: Welch's range, the trap in numbers, and what cannot be measured."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from qa.stats.effect import did, expected_rtm

SLEEP_1 = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
SLEEP_2 = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
pairs = st.lists(st.lists(st.integers(0, 100).map(float), min_size=2, max_size=2), min_size=2, max_size=12)


def test_student_s_sleep_data_come_out_as_printed() -> None:
    found = did([[0, one] for one in SLEEP_1], [[0, one] for one in SLEEP_2])  # R: t.test(extra ~ group)
    assert found["effect"] == pytest.approx(-1.58)
    assert found["df"] == pytest.approx(17.776, abs=5e-4)
    assert [found["lo"], found["hi"]] == pytest.approx([-3.3654832, 0.2054832])


@given(pairs, pairs, st.floats(min_value=0.5, max_value=0.99))
def test_the_range_is_welchs(treated: list[list[float]], control: list[list[float]], conf: float) -> None:
    found = did(treated, control, conf)
    changes, others = ([after - before for before, after in group] for group in (treated, control))
    assume(len(set(changes)) > 1)
    assume(len(set(others)) > 1)
    lo, hi = stats.ttest_ind(changes, others, equal_var=False).confidence_interval(conf)
    assert [found["lo"], found["hi"]] == pytest.approx([lo, hi], rel=1e-8, abs=1e-8)


@given(pairs, pairs, st.floats(min_value=-20, max_value=20))
def test_a_drift_of_everybody_is_no_effect(
    treated: list[list[float]], control: list[list[float]], drift: float
) -> None:
    drifted = [[[before, after + drift] for before, after in group] for group in (treated, control)]
    assert did(*drifted)["effect"] == pytest.approx(did(treated, control)["effect"], abs=1e-9)


@pytest.mark.parametrize(
    ("treated", "control", "reason"),
    [
        ([], [[80, 81], [82, 83]], "no_pairs"),
        ([[80, 84], [70, 75]], [], "no_pairs"),
        ([[None, 84], [None, 75]], [[80, 81], [82, 83]], "no_baseline"),
        ([[80, None]], [[80, 81], [82, 83]], "no_pairs"),
    ],
)
def test_what_cannot_be_measured_says_why(
    treated: list[list[float | None]], control: list[list[float | None]], reason: str
) -> None:
    found = did(treated, control)
    assert (found["effect"], found["se"], found["lo"], found["reason"]) == (None, None, None, reason)


def test_the_same_change_everywhere_has_no_range() -> None:
    found = did([[80, 84], [70, 74]], [[80, 81], [82, 83]])
    assert (found["effect"], found["lo"], found["reason"]) == (3, None, "no_variation")


def test_one_agent_has_an_effect_and_no_range() -> None:
    found = did([[80, 84]], [[80, 81], [82, 83]])
    assert (found["effect"], found["lo"], found["reason"]) == (3, None, "too_few_agents")


def test_an_agent_without_a_baseline_is_left_out_and_counted() -> None:
    found = did([[80, 84], [70, 76], [None, 99]], [[80, 81], [82, 84]])
    assert (found["effect"], found["n_treated"], found["left_out"]) == (3.5, 2, 1)


@pytest.mark.parametrize(
    ("n", "fraction", "rise"),
    [
        *[(3, 0.2, 8.4), (5, 0.2, 6.0), (10, 0.2, 3.7), (20, 0.2, 2.1)],
        *[(3, 0.1, 10.5), (5, 0.1, 7.6), (10, 0.1, 4.6), (20, 0.1, 2.6)],
    ],
)
def test_the_lowest_rise_by_themselves(n: int, fraction: float, rise: float) -> None:
    assert expected_rtm(4, 12, n, fraction)["expected_rise"] == pytest.approx(rise, abs=0.05)


def test_who_never_differs_is_all_luck() -> None:
    assert expected_rtm(0, 12, 4, 0.5)["expected_rise"] == pytest.approx(6 * 0.7978846)
