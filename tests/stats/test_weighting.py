"""Samples with unequal chances: every possible sample is drawn, and what is promised on average holds."""

from __future__ import annotations

import math
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa.stats.allocation import allocate
from qa.stats.arguments import RefusedArgument
from qa.stats.sampling import inclusion_probabilities, select_pps, select_random, select_systematic, uniform
from qa.stats.small_samples import mean_t
from qa.stats.weighting import stratified_mean, weighted_mean

LETTERS = list("abcdefgh")
sizes = st.lists(st.one_of(st.just(0.0), st.floats(min_value=1e-6, max_value=50)), min_size=1, max_size=12)


def test_who_is_larger_than_the_interval_is_certain_and_leaves_the_rest_to_the_others() -> None:
    found = inclusion_probabilities([100, 30, 10, 10, 10], 3)
    assert found == {"pi": [1, 1, pytest.approx(1 / 3), pytest.approx(1 / 3), pytest.approx(1 / 3)]} | {
        "certainty": [0, 1]
    }
    assert inclusion_probabilities([1, 2, 3, 4], 2)["pi"] == pytest.approx([0.2, 0.4, 0.6, 0.8])


@given(sizes, st.integers(0, 12))
def test_chances_add_up_to_the_size_of_the_sample(given: list[float], n: int) -> None:
    if n > sum(one > 0 for one in given):
        with pytest.raises(RefusedArgument, match='"n" must be at most the number of sizes above 0'):
            inclusion_probabilities(given, n)
        return
    pi = inclusion_probabilities(given, n)["pi"]
    assert math.fsum(pi) == pytest.approx(n)
    assert all(0 <= one <= 1 for one in pi)
    assert all((one == 0) == (size == 0 or n == 0) for one, size in zip(pi, given, strict=True))


def test_pareto_sampling_keeps_the_chances_and_the_order_does_not_matter() -> None:
    size = [40.0, 1, 2, 3, 4, 5, 6, 7]
    draws = 6000
    counted = dict.fromkeys(LETTERS, 0)
    for number in range(draws):
        found = select_pps(f"seed {number}", LETTERS, size, 3)
        for one in found["selected"]:
            counted[one] += 1
    pi = inclusion_probabilities(size, 3)["pi"]
    for letter, chance in zip(LETTERS, pi, strict=True):
        assert counted[letter] / draws == pytest.approx(chance, abs=0.03)
    assert counted["a"] == draws
    turned = select_pps("s", LETTERS[::-1], size[::-1], 3)
    assert turned["selected"] == select_pps("s", LETTERS, size, 3)["selected"]
    assert turned["selected"][0] == "a"


def test_pareto_sampling_is_the_published_formula() -> None:
    size = [1.0, 2, 3, 4, 5, 6, 7, 8]
    u = uniform("july", LETTERS)["u"]
    pi = inclusion_probabilities(size, 3)["pi"]
    q = {one: (a / (1 - a)) / (b / (1 - b)) for one, a, b in zip(LETTERS, u, pi, strict=True)}
    assert select_pps("july", LETTERS, size, 3)["selected"] == sorted(LETTERS, key=q.__getitem__)[:3]


def test_equal_sizes_draw_the_same_as_a_plain_lot() -> None:
    plain = select_random("july", LETTERS, 3)["selected"]
    assert select_pps("july", LETTERS, [2.0] * 8, 3)["selected"] == plain


def test_systematic_selection_by_the_textbook() -> None:
    size = [10.0, 40, 20, 30, 15, 25, 10, 50]  # running totals 10 50 70 100 115 140 150 200, interval 50
    assert select_systematic(LETTERS, size, 4, 10)["selected"] == ["a", "c", "e", "h"]
    assert select_systematic(LETTERS, size, 4, 11)["selected"] == ["b", "c", "e", "h"]
    assert select_systematic(LETTERS, size, 4, 0)["selected"] == ["a", "c", "e", "h"]
    assert select_systematic(LETTERS, size, 4, 0.2)["selected"] == ["b", "c", "e", "h"]
    assert select_systematic(LETTERS, size, 4, 0.2)["pi"] == pytest.approx([one / 50 for one in size])
    with pytest.raises(RefusedArgument, match=r'"start" must be at most the interval \(50\)'):
        select_systematic(LETTERS, size, 4, 51)
    with pytest.raises(RefusedArgument, match='"start" must be below 1'):
        select_systematic(["a", "b", "c"], [90, 5, 5], 2, 5)
    with pytest.raises(RefusedArgument, match='"size" must have as many'):
        select_systematic(["a"], [], 0, 0)


@given(sizes, st.integers(1, 12), st.floats(min_value=0, max_value=1, exclude_max=True))
def test_systematic_selection_takes_n_different_ones(given: list[float], n: int, start: float) -> None:
    n = min(n, sum(one > 0 for one in given))
    found = select_systematic([str(at) for at in range(len(given))], given, n, start)
    assert len(set(found["selected"])) == n


def test_a_stratified_mean_and_its_error_are_right_on_average_over_all_samples() -> None:
    strata = [[80.0, 90, 70, 86], [10.0, 40, 30], [55.0]]
    truth = np.mean([y for stratum in strata for y in stratum])
    means, squares = [], []
    for drawn in product(*(combinations(y, n) for y, n in zip(strata, (2, 2, 1), strict=True))):
        found = stratified_mean([{"N": len(a), "y": list(b)} for a, b in zip(strata, drawn, strict=True)])
        means.append(found["mean"])
        squares.append(found["se"] ** 2)
    assert np.mean(means) == pytest.approx(truth)
    assert np.mean(squares) == pytest.approx(np.var(means)), "unbiased error, with the part taken whole at 0"


@pytest.mark.parametrize(
    ("strata", "mean", "reason"),
    [
        ([], None, "no_values"),
        ([{"N": 5, "y": [80.0, 90.0]}, {"N": 3, "y": []}], None, "stratum_not_sampled"),
        ([{"N": 5, "y": [80.0, 90.0]}, {"N": 5, "y": [60.0]}], 72.5, "one_value_in_stratum"),
        ([{"N": 2, "y": [80.0, 90.0]}, {"N": 1, "y": [70.0]}], 80, "all_evaluated"),
        ([{"N": 5, "y": [80.0, 80.0]}, {"N": 0, "y": []}], 80, "no_variation"),
    ],
)
def test_a_part_nobody_sampled_leaves_no_average(
    strata: list[dict[str, object]], mean: float | None, reason: str
) -> None:
    found = stratified_mean(strata)
    assert (found["mean"], found["lo"], found["reason"]) == (mean, None, reason)


def test_more_values_than_there_are_is_refused() -> None:
    with pytest.raises(RefusedArgument, match=r'"strata\[0\].y" has more values \(2\) than "N" \(1\)'):
        stratified_mean([{"N": 1, "y": [1.0, 2.0]}])


def test_two_riskiest_and_three_random_calls_are_not_five_calls() -> None:
    mixed = stratified_mean([{"N": 2, "y": [20.0, 30.0]}, {"N": 98, "y": [85.0, 90.0, 80.0]}])
    assert mixed["mean"] == pytest.approx(0.02 * 25 + 0.98 * 85)
    assert np.mean([20, 30, 85, 90, 80]) == pytest.approx(61)


@given(st.lists(st.floats(min_value=0, max_value=100), min_size=2, max_size=20))
def test_equal_chances_are_the_plain_average(y: list[float]) -> None:
    found, plain = weighted_mean(y, [0.05] * len(y)), mean_t(y)
    assert found["mean"] == pytest.approx(plain["mean"])
    assert found["n_eff"] == pytest.approx(len(y))
    if plain["lo"] is not None:
        assert found["lo"] == pytest.approx(plain["lo"], rel=1e-6, abs=1e-6)


def test_hajeks_mean_is_the_formula_by_hand() -> None:
    y, pi = [20.0, 80, 90], [1.0, 0.1, 0.05]
    found, w = weighted_mean(y, pi), np.array([1, 10, 20])
    mean = (w * y).sum() / w.sum()
    z = w * (np.array(y) - mean) / w.sum()
    assert found["mean"] == pytest.approx(mean)
    assert found["se"] == pytest.approx(math.sqrt(3 / 2 * ((z - z.mean()) ** 2).sum()))
    assert found["n_eff"] == pytest.approx(31**2 / 501)
    assert weighted_mean([], [])["reason"] == "no_values"
    assert weighted_mean([80.0], [0.5])["se"] is None
    assert weighted_mean([80.0, 80.0], [0.5, 0.1])["reason"] == "no_variation"


def test_quotas_are_filled_in_the_same_part() -> None:
    eligible = {"a": 100, "b": 3, "c": 50, "d": 0}
    found = allocate(dict.fromkeys("abcd", 5), eligible, 9)
    assert found["allocation"] == {"a": 3, "b": 3, "c": 3, "d": 0}
    assert found["shortfall"] == {"a": 2, "b": 2, "c": 2, "d": 5}
    part_time = allocate({"full": 10, "half": 5}, {"full": 99, "half": 99}, 9)["allocation"]
    assert part_time == {"full": 6, "half": 3}
    owed = allocate(dict.fromkeys("abc", 5), dict.fromkeys("abc", 9), 1, {"c": 2})["allocation"]
    assert owed == {"a": 0, "b": 0, "c": 1}
    with pytest.raises(RefusedArgument, match='"debt" names "z"'):
        allocate({"a": 1}, {"a": 1}, 1, {"z": 1})
    with pytest.raises(RefusedArgument, match='"capacity" must be at most'):
        allocate({"a": 10**9}, {"a": 10**9}, 10**9)


@given(
    st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 12)),
    st.integers(0, 40),
    st.data(),
)
def test_nobody_gets_more_than_is_eligible_while_another_waits(
    quota: dict[str, int], capacity: int, data: st.DataObject
) -> None:
    eligible = {agent: data.draw(st.integers(0, 15)) for agent in quota}
    given_out = allocate(quota, eligible, capacity)["allocation"]
    limits = {agent: min(quota[agent], eligible[agent]) for agent in quota}
    assert sum(given_out.values()) == min(capacity, sum(limits.values()))
    for agent, n in given_out.items():
        assert n <= limits[agent]
        for other, m in given_out.items():
            if n and m < limits[other]:
                assert (n - 1) / quota[agent] <= m / quota[other] + 1e-12
