"""Best guesses: published tables, other libraries, and what must always hold."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from statsmodels.stats.meta_analysis import combine_effects

from qa.stats.arguments import RefusedArgument
from qa.stats.shrinkage import (
    empirical_bayes,
    expected_rank,
    james_stein,
    random_effects,
    rank_range,
    variance_components,
)

BASEBALL = [0.400, 0.378, 0.356, 0.333, 0.311, 0.311, 0.289, 0.267, 0.244, 0.244]
BASEBALL += [0.222, 0.222, 0.222, 0.222, 0.222, 0.200, 0.178, 0.156]
SEASON = [0.346, 0.298, 0.276, 0.222, 0.273, 0.270, 0.263, 0.210, 0.269, 0.230]
SEASON += [0.264, 0.256, 0.303, 0.264, 0.226, 0.285, 0.316, 0.200]
BCG = [
    (4, 119, 11, 128),
    (6, 300, 29, 274),
    (3, 228, 11, 209),
    (62, 13536, 248, 12619),
    (33, 5036, 47, 5761),
    (180, 1361, 372, 1079),
    (8, 2537, 10, 619),
    (505, 87886, 499, 87892),
    (29, 7470, 45, 7232),
    (17, 1699, 65, 1600),
    (186, 50448, 141, 27197),
    (5, 2493, 3, 2338),
    (27, 16886, 29, 17825),
]
DYESTUFF = {
    "A": [1545.0, 1440, 1440, 1520, 1580],
    "B": [1540.0, 1555, 1490, 1560, 1495],
    "C": [1595.0, 1550, 1605, 1510, 1560],
    "D": [1445.0, 1440, 1595, 1465, 1545],
    "E": [1595.0, 1630, 1515, 1635, 1625],
    "F": [1520.0, 1455, 1450, 1480, 1445],
}
agents = st.dictionaries(
    st.text(min_size=1, max_size=3),
    st.lists(st.floats(min_value=0, max_value=100), max_size=5),
    max_size=6,
)


def test_eighteen_batters_shrink_as_in_the_paper() -> None:
    found = james_stein(BASEBALL, 45, "proportion")  # Efron and Morris 1977, Scientific American 236
    assert found["grand"] == pytest.approx(0.265, abs=5e-4)
    assert found["factor"] == pytest.approx(0.212, abs=5e-4)
    assert [round(found["estimates"][place], 3) for place in (0, -2, -1)] == [0.294, 0.247, 0.242]
    missed = [math.fsum((a - b) ** 2 for a, b in zip(SEASON, guess, strict=True)) for guess in guesses(found)]
    assert missed == [pytest.approx(0.077, abs=2e-3), pytest.approx(0.022, abs=2e-3)]


def guesses(found: dict[str, list[float]]) -> list[list[float]]:
    """What was seen, and the estimates."""
    return [BASEBALL, found["estimates"]]


@pytest.mark.parametrize(
    ("means", "factor", "reason"),
    [([], None, "no_values"), ([0.1, 0.2, 0.3], None, "fewer_than_four"), ([0.3] * 5, 0.0, None)],
)
def test_there_is_no_shrinking_without_enough_to_shrink(
    means: list[float], factor: float | None, reason: str | None
) -> None:
    found = james_stein(means, 45)
    assert (found["factor"], found["reason"]) == (factor, reason)


@given(st.lists(st.floats(min_value=0, max_value=1), min_size=4, max_size=20), st.integers(1, 500))
def test_no_estimate_leaves_the_way_between_its_mean_and_all(means: list[float], n: int) -> None:
    found = james_stein(means, n)
    assert 0 <= found["factor"] <= 1
    for mean, guess in zip(means, found["estimates"], strict=True):
        assert min(mean, found["grand"]) - 1e-12 <= guess <= max(mean, found["grand"]) + 1e-12


def test_thirteen_vaccine_trials_come_out_as_printed() -> None:
    y = [math.log(a / (a + b) / (c / (c + d))) for a, b, c, d in BCG]
    v = [1 / a - 1 / (a + b) + 1 / c - 1 / (c + d) for a, b, c, d in BCG]
    found = random_effects(y, v)  # Colditz 1994; R's metafor, rma(method="DL")
    assert found["tau2"] == pytest.approx(0.3088, abs=5e-5)
    assert found["mu"] == pytest.approx(-0.7141, abs=5e-5)
    assert found["se"] == pytest.approx(0.1787, abs=5e-5)
    assert found["Q"] == pytest.approx(152.2330, abs=5e-4)


@given(
    st.lists(
        st.tuples(st.floats(min_value=-50, max_value=50), st.floats(min_value=0.01, max_value=50)),
        min_size=2,
        max_size=9,
    )
)
def test_random_effects_are_those_of_statsmodels(pairs: list[tuple[float, float]]) -> None:
    y, v = [one for one, _ in pairs], [one for _, one in pairs]
    found = random_effects(y, v)
    assume(found["tau2"] > 1e-6)  # statsmodels does not cut it at 0, and warns
    theirs = combine_effects(np.array(y), np.array(v), method_re="dl")
    assert found["tau2"] == pytest.approx(theirs.tau2, rel=1e-6)
    assert found["mu"] == pytest.approx(theirs.mean_effect_re, rel=1e-6, abs=1e-8)
    assert found["se"] == pytest.approx(theirs.sd_eff_w_re, rel=1e-6)


def test_variance_between_is_never_less_than_nought() -> None:
    found = random_effects([0, 0.5], [1, 2])
    assert (found["tau2"], found["mu"]) == (0, pytest.approx(1 / 6))


def test_one_estimate_has_no_variance_between() -> None:
    assert random_effects([3.0], [2.0])["tau2"] is None
    assert random_effects([3.0], [2.0])["mu"] == 3
    assert random_effects([], [])["reason"] == "no_values"
    with pytest.raises(RefusedArgument, match='"v" must have as many values as "y"'):
        random_effects([3.0], [])


def test_six_batches_of_dyestuff_have_the_printed_components() -> None:
    found = variance_components(DYESTUFF)  # Davies 1960; R's lme4, `Dyestuff`, by REML
    assert found["sigma2_within"] == pytest.approx(2451.25)
    assert found["tau2_between"] == pytest.approx(1764.05)
    assert found["mu"] == pytest.approx(1527.5)
    assert math.sqrt(found["mu_variance"]) == pytest.approx(19.383, abs=5e-4)
    shrunk = empirical_bayes(DYESTUFF)["agents"]
    printed = [-17.60685, 0.39126, 28.56223, 56.73318]
    assert [shrunk[batch]["shrunk"] - 1527.5 for batch in "ABCE"] == pytest.approx(printed, abs=5e-5)


@pytest.mark.parametrize(("n", "reliability"), [(5, 0.36), (20, 0.69), (36, 0.80)])
def test_reliability_grows_as_promised(n: int, reliability: float) -> None:
    found = empirical_bayes({"a": [80.0] * n}, sigma2_within=144, tau2_between=16)
    assert found["agents"]["a"]["reliability"] == pytest.approx(reliability, abs=6e-3)


def test_who_has_no_evaluations_is_guessed_at_the_average_with_the_widest_range() -> None:
    given = {"a": [80.0, 90.0], "b": [60.0, 75.0], "new": []}
    found = empirical_bayes(given, sigma2_within=144, tau2_between=16)
    new = found["agents"]["new"]
    assert (new["n"], new["raw"], new["reliability"]) == (0, None, 0)
    assert new["shrunk"] == pytest.approx(found["mu"])
    assert new["hi"] - new["lo"] > found["agents"]["a"]["hi"] - found["agents"]["a"]["lo"]


def test_half_the_components_are_refused() -> None:
    with pytest.raises(RefusedArgument, match='"tau2_between" is missing'):
        empirical_bayes({}, sigma2_within=3)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({}, "no_values"),
        ({"a": [80.0], "b": [70.0]}, "one_value_each"),
        ({"a": [80.0, 70.0]}, "one_agent"),
        ({"a": [80.0, 80.0], "b": [70.0, 70.0]}, "no_variation"),
    ],
)
def test_without_components_there_is_no_range(given: dict[str, list[float]], reason: str) -> None:
    found = empirical_bayes(given)
    assert found["reason"] == reason
    assert [one["lo"] for one in found["agents"].values()] == [None] * len(given)


@given(agents)
def test_a_best_guess_stands_between_what_was_seen_and_the_average(given: dict[str, list[float]]) -> None:
    found = empirical_bayes(given)
    for one in found["agents"].values():
        if one["shrunk"] is not None and one["raw"] is not None:
            low, high = sorted([one["raw"], found["mu"]])
            assert low - 1e-9 <= one["shrunk"] <= high + 1e-9
            assert 0 <= one["reliability"] <= 1


@given(agents)
def test_expected_ranks_share_out_all_places(given: dict[str, list[float]]) -> None:
    ranks = expected_rank(given)["expected_rank"]
    k = len(ranks)
    assert math.fsum(ranks.values()) == pytest.approx(k * (k + 1) / 2)
    assert all(1 <= rank <= k for rank in ranks.values())


def test_the_best_is_expected_first_and_nobody_by_name() -> None:
    apart = {"low": [10.0, 11.0, 12.0], "high": [90.0, 91.0, 92.0], "middle": [50.0, 51.0, 52.0]}
    ranks = expected_rank(apart)["expected_rank"]
    assert [round(ranks[name], 3) for name in ("high", "middle", "low")] == [1, 2, 3]
    same = {"a": [70.0, 90.0], "b": [90.0, 70.0], "c": [80.0, 80.0]}
    assert set(expected_rank(same)["expected_rank"].values()) == {2.0}


def test_rank_ranges_are_wide_for_few_calls_and_come_out_the_same_again() -> None:
    given = {f"agent {number:02}": [70.0 + number % 7, 95.0 - number % 5, 86.0] for number in range(20)}
    one = rank_range(given, seed=7)
    assert one == rank_range(dict(reversed(given.items())), seed=7)
    assert one != rank_range(given, seed=8)
    assert all(found["hi"] - found["lo"] > 12 for found in one["rank_range"].values())
    equal = rank_range({name: [80.0, 80.0] for name in "abcd"}, seed=1)["rank_range"]
    assert list(equal.values()) == [{"lo": 1, "hi": 4}] * 4
