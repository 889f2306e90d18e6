"""Few evaluations: published tables, other libraries, and what must always hold."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from qa.stats.arguments import RefusedArgument
from qa.stats.small_samples import (
    detectable_change,
    diff_proportions,
    fpc,
    likely_places,
    mean_pooled,
    mean_t,
    n_for_icc,
    n_to_detect,
    wilson,
)
from qa.stats.verdicts import still_needed, verdict

scores = st.floats(min_value=0, max_value=100)
groups = st.dictionaries(st.text(min_size=1, max_size=3), st.lists(scores, max_size=6), max_size=6)
part_and_whole = st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@pytest.mark.parametrize(
    ("k", "n", "lo", "hi"),
    [
        (4, 5, 38, 96),
        (5, 5, 57, 100),
        (9, 10, 60, 98),
        (0, 20, 0, 16),
        (10, 10, 72, 100),
    ],
)
def test_wilson_says_what_few_calls_can_say(k: int, n: int, lo: int, hi: int) -> None:
    found = wilson(k, n)
    assert (round(100 * found["lo"]), round(100 * found["hi"])) == (lo, hi)


@pytest.mark.parametrize(
    ("k", "n", "lo", "hi"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_gives_newcombes_printed_intervals(k: int, n: int, lo: float, hi: float) -> None:
    found = wilson(k, n)  # Newcombe 1998, Statistics in Medicine 17, 857-872, table I, method 3
    assert (found["lo"], found["hi"]) == (pytest.approx(lo, abs=6e-5), pytest.approx(hi, abs=6e-5))


@given(part_and_whole, st.floats(min_value=0.5, max_value=0.999))
def test_wilson_is_that_of_statsmodels(pair: tuple[int, int], conf: float) -> None:
    k, n = pair
    found = wilson(k, n, conf)
    lo, hi = proportion_confint(k, n, alpha=1 - conf, method="wilson")
    assert found["lo"] == pytest.approx(lo, abs=1e-10)
    assert found["hi"] == pytest.approx(hi, abs=1e-10)


@given(part_and_whole)
def test_wilson_mirrors_and_holds_the_share(pair: tuple[int, int]) -> None:
    k, n = pair
    found, other = wilson(k, n), wilson(n - k, n)
    assert 0 <= found["lo"] <= found["p"] <= found["hi"] <= 1
    assert found["lo"] < found["hi"]
    assert found["lo"] == pytest.approx(1 - other["hi"])


def test_wilson_holds_for_counts_beyond_all_calls() -> None:
    found = wilson(5 * 10**14, 10**15)
    assert 0.49999 < found["lo"] < 0.5 < found["hi"] < 0.50001


def test_a_share_of_nothing_is_unknown() -> None:
    assert wilson(0, 0) == {"n": 0, "p": None, "lo": None, "hi": None, "reason": "no_values"}
    assert diff_proportions(0, 0, 1, 2)["diff"] is None


def test_more_than_all_is_refused() -> None:
    with pytest.raises(RefusedArgument, match=r'"k" must be at most "n" \(5\), not 6'):
        wilson(6, 5)
    with pytest.raises(RefusedArgument, match='"k2"'):
        diff_proportions(1, 2, 3, 2)


@pytest.mark.parametrize(
    ("k1", "n1", "k2", "n2", "diff", "lo", "hi"),
    [
        (56, 70, 48, 80, 0.2, 0.0524, 0.3339),
        (9, 10, 3, 10, 0.6, 0.1705, 0.8090),
        (10, 10, 0, 20, 1.0, 0.6791, 1.0),
        (6, 7, 2, 7, 0.5714, 0.0582, 0.8062),
    ],
)
def test_newcombes_printed_differences(
    k1: int, n1: int, k2: int, n2: int, diff: float, lo: float, hi: float
) -> None:
    found = diff_proportions(k1, n1, k2, n2)  # Newcombe 1998, 873-890, table II, method 10
    assert [found["diff"], found["lo"], found["hi"]] == pytest.approx([diff, lo, hi], abs=6e-5)


@given(part_and_whole, part_and_whole)
def test_differences_are_those_of_statsmodels(one: tuple[int, int], two: tuple[int, int]) -> None:
    found = diff_proportions(*one, *two)
    lo, hi = confint_proportions_2indep(*one, *two, method="newcomb", compare="diff")
    assert (found["lo"], found["hi"]) == (pytest.approx(lo, abs=1e-9), pytest.approx(hi, abs=1e-9))


@given(st.lists(st.integers(0, 100), min_size=2, max_size=30), st.floats(min_value=0.5, max_value=0.999))
def test_the_range_of_a_mean_is_that_of_scipy(values: list[int], conf: float) -> None:
    found = mean_t([float(value) for value in values], conf)
    if len(set(values)) == 1:
        assert (found["mean"], found["lo"], found["reason"]) == (values[0], None, "no_variation")
        return
    lo, hi = stats.t.interval(conf, len(values) - 1, loc=found["mean"], scale=stats.sem(values))
    assert (found["lo"], found["hi"]) == (pytest.approx(lo), pytest.approx(hi))


def test_student_s_sleep_data_come_out_as_printed() -> None:
    gained = [1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4]  # Student 1908, R's `sleep`
    found = mean_t(gained)
    assert [found["mean"], found["lo"], found["hi"]] == pytest.approx([1.58, 0.7001142, 2.4598858])


@pytest.mark.parametrize(("values", "mean", "reason"), [([], None, "no_values"), ([80.0], 80.0, "one_value")])
def test_no_spread_is_made_up(values: list[float], mean: float | None, reason: str) -> None:
    found = mean_t(values)
    assert (found["mean"], found["lo"], found["hi"], found["reason"]) == (mean, None, None, reason)


def test_the_pooled_range_is_the_formula_by_hand() -> None:
    found = mean_pooled({"a": [80, 90, 85], "b": [70, 75, 60, 90], "c": [100]})
    squares = 50 + 468.75
    sd = math.sqrt(squares / 5)
    assert found["pooled_sd"] == pytest.approx(sd)
    assert found["df"] == 5
    half = stats.t.ppf(0.975, 5) * sd
    assert found["agents"]["b"]["lo"] == pytest.approx(73.75 - half / 2)
    assert found["agents"]["c"]["lo"] == pytest.approx(100 - half)
    assert found["agents"]["c"]["hi"] == 100, "a score ends at 100"


def test_ranges_are_cut_only_where_values_end() -> None:
    minutes = {"a": [95.0, 140.0], "b": [180.0, 90.0]}
    assert mean_pooled(minutes)["bounds"] is None
    assert mean_pooled(minutes)["agents"]["a"]["lo"] < 0
    assert mean_pooled(minutes, bounds=[0, 1000])["agents"]["a"]["lo"] == 0
    with pytest.raises(RefusedArgument, match='"groups" has a value outside'):
        mean_pooled(minutes, bounds=[0, 100])
    with pytest.raises(RefusedArgument, match='"bounds"'):
        mean_pooled(minutes, bounds=[100, 0])


def test_few_interactions_in_all_narrow_the_range() -> None:
    calls = {"a": [80.0, 84.0, 88.0], "b": [70.0, 74.0, 78.0]}
    wide = mean_pooled(calls)["agents"]
    narrow = mean_pooled(calls, frame_sizes={"a": 4, "b": 3})["agents"]
    assert narrow["a"]["hi"] - 84 == pytest.approx((wide["a"]["hi"] - 84) / 2)
    assert (narrow["b"]["lo"], narrow["b"]["reason"]) == (None, "all_evaluated")
    with pytest.raises(RefusedArgument, match='"frame_sizes" gives "a" 2'):
        mean_pooled(calls, frame_sizes={"a": 2})
    with pytest.raises(RefusedArgument, match='"frame_sizes" names "z"'):
        mean_pooled(calls, frame_sizes={"z": 2})


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({}, "no_values"),
        ({"a": []}, "no_values"),
        ({"a": [80.0], "b": [70.0]}, "one_value_each"),
        ({"a": [80.0, 80.0], "b": [70.0, 70.0]}, "no_variation"),
    ],
)
def test_without_spread_no_agent_has_a_range(given: dict[str, list[float]], reason: str) -> None:
    found = mean_pooled(given)
    assert found["reason"] == reason
    assert [one["lo"] for one in found["agents"].values()] == [None] * len(given)


def test_an_agent_who_varies_far_more_than_the_others_is_told() -> None:
    steady = {f"agent {number}": [80.0, 82.0] * 10 for number in range(20)}
    found = mean_pooled(steady | {"wild": [40.0, 100.0] * 4})
    assert [name for name, one in found["agents"].items() if one["spread_differs"]][-1] == "wild"


@given(groups)
def test_the_order_of_values_and_agents_changes_nothing(given: dict[str, list[float]]) -> None:
    turned = {agent: values[::-1] for agent, values in reversed(given.items())}
    assert mean_pooled(turned) == mean_pooled(given)


@given(st.lists(scores, min_size=2, max_size=6), st.floats(min_value=0.1, max_value=10))
def test_a_range_keeps_its_place_on_another_scale(values: list[float], scale: float) -> None:
    one, other = mean_t(values), mean_t([scale * value + 7 for value in values])
    if one["lo"] is not None and other["lo"] is not None:
        assert other["lo"] == pytest.approx(scale * one["lo"] + 7, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize(
    ("change", "sd", "n"),
    [
        *[(10, 10, 16), (10, 12, 23), (10, 18, 51), (5, 10, 63), (5, 12, 91), (5, 18, 204)],
        *[(3, 10, 175), (3, 12, 252), (3, 18, 566), (2, 10, 393), (2, 12, 566), (2, 18, 1272)],
    ],
)
def test_how_many_evaluations_show_a_change(change: float, sd: float, n: int) -> None:
    assert n_to_detect(change, sd)["n_per_period"] == n


@pytest.mark.parametrize(("n", "change"), [(3, 27), (5, 21), (10, 15), (20, 11), (50, 6.7)])
def test_what_change_so_many_evaluations_show(n: int, change: float) -> None:
    assert detectable_change(n, 12)["change"] == pytest.approx(change, abs=0.5)


@given(st.floats(min_value=0.5, max_value=50), st.floats(min_value=0.5, max_value=50))
def test_the_planner_s_two_answers_fit(change: float, sd: float) -> None:
    needed = n_to_detect(change, sd)["n_per_period"]
    assert detectable_change(needed, sd)["change"] <= change * (1 + 1e-9)
    if needed > 1:
        assert detectable_change(needed - 1, sd)["change"] > change * (1 - 1e-9)


@pytest.mark.parametrize(("k", "n"), [(2, 51), (3, 36), (5, 29)])
def test_bonetts_number_of_calls_for_an_icc(k: int, n: int) -> None:
    assert n_for_icc(k, 0.8, 0.2)["n"] == n


def test_a_power_that_asks_for_nothing_is_refused() -> None:
    with pytest.raises(RefusedArgument, match='"power"'):
        n_to_detect(5, 12, power=0.01, alpha=0.05)


def test_all_evaluated_leaves_nothing_open() -> None:
    assert fpc(5, 5)["factor"] == 0
    assert fpc(5, 20)["factor"] == pytest.approx(math.sqrt(0.75))
    with pytest.raises(RefusedArgument, match='"n"'):
        fpc(6, 5)


@pytest.mark.parametrize(
    ("lo", "hi", "word"),
    [
        (0.5, 4.0, "improved"),
        (0.5, 2.9, "improved_but_small"),
        (0.5, 3.0, "improved"),
        (-4.0, -0.5, "worse"),
        (-2.9, -0.5, "worse_but_small"),
        (-3.0, -0.5, "worse"),
        (-2.0, 2.0, "no_meaningful_change"),
        (-1.5, 5.7, "not_enough_evidence"),
        (-3.0, 2.0, "not_enough_evidence"),
        (0.0, 2.0, "no_meaningful_change"),
        (0.0, 8.0, "not_enough_evidence"),
        (None, None, "not_enough_evidence"),
    ],
)
def test_the_verdict_is_one_of_seven(lo: float | None, hi: float | None, word: str) -> None:
    assert verdict(lo, hi, 3)["verdict"] == word
    if lo is not None and hi is not None:
        mirrored = word.replace("improved", "x").replace("worse", "improved").replace("x", "worse")
        assert verdict(-hi, -lo, 3)["verdict"] == mirrored


def test_the_seventh_verdict_has_a_reason() -> None:
    assert verdict(None, None, reason="no_baseline") == {
        "verdict": "cannot_be_measured",
        "reason": "no_baseline",
    }


def test_a_range_that_is_turned_round_is_refused() -> None:
    with pytest.raises(RefusedArgument, match='"lo"'):
        verdict(3, 1)


def test_how_much_is_still_needed() -> None:
    assert still_needed(-1.5, 5.7, 21) == {"more": 41, "reason": None}
    assert still_needed(1, 5, 21)["more"] == 0
    assert still_needed(None, None, 3) == {"more": None, "reason": "no_range"}


@given(
    st.floats(min_value=-20, max_value=20),
    st.floats(min_value=0.01, max_value=30),
    st.integers(1, 500),
)
def test_with_what_was_needed_the_verdict_is_another(middle: float, half: float, n: int) -> None:
    more = still_needed(middle - half, middle + half, n)["more"]
    assert more is not None
    if more:
        assert verdict(middle - half, middle + half)["verdict"] == "not_enough_evidence"
        later = half * math.sqrt(n / (n + more)) * (1 - 1e-9)
        assert verdict(middle - later, middle + later)["verdict"] != "not_enough_evidence"


def test_twenty_places_lie_as_the_range_says() -> None:
    places = likely_places(72, 90)["places"]
    assert len(places) == 20
    assert places == sorted(places)
    assert sum(place < 81 for place in places) == 10
    assert places[0] == pytest.approx(72), "the middle of the lowest twentieth"
    assert likely_places(90, 104, bounds=[0, 100])["places"][-1] == 100
    assert likely_places(80, 80)["places"] == [80] * 20
    with pytest.raises(RefusedArgument, match='"lo"'):
        likely_places(90, 72)
