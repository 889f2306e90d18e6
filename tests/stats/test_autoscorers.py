"""Machine scores corrected by people: the worked examples, the limits, and coverage in small simulations."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from qa.stats.agreement import gwet_ac
from qa.stats.arguments import RefusedArgument
from qa.stats.autoscorers import combine_binary, combine_numeric, confusion, ppi, prevalence_ci, rogan_gladen
from qa.stats.small_samples import mean_t, wilson

counts = st.integers(0, 60)


@pytest.mark.parametrize(
    ("checked", "estimate", "lo", "hi"),
    [((43, 34, 157, 6), 19.6, 16.2, 23.5), ((50, 41, 50, 1), 18.8, 15.8, 25.7)],
)
def test_four_thousand_machine_scores_and_a_few_of_people(
    checked: tuple[int, int, int, int], estimate: float, lo: float, hi: float
) -> None:
    found = combine_binary(840, 3160, *checked)
    assert [round(100 * found[key], 1) for key in ("estimate", "lo", "hi")] == [estimate, lo, hi]
    assert found["auto_only"] == 0.21


def test_a_class_nobody_checked_leaves_no_estimate() -> None:
    found = combine_binary(840, 3160, 43, 34, 0, 0)
    assert (found["estimate"], found["lo"], found["reason"]) == (None, None, "class_not_checked")
    assert found["auto_only"] == 0.21
    assert combine_binary(0, 0, 0, 0, 0, 0)["reason"] == "no_values"


def test_a_machine_that_fails_nothing_leaves_people_s_own_share() -> None:
    found, plain = combine_binary(0, 500, 0, 0, 40, 4), wilson(4, 40)
    assert [found["estimate"], found["lo"], found["hi"]] == pytest.approx(
        [plain["p"], plain["lo"], plain["hi"]]
    )


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((5, 5, 6, 0, 1, 0), '"human_checked_auto_fail" must be at most "auto_fail_total"'),
        ((5, 5, 3, 4, 1, 0), '"human_fail_in_auto_fail" must be at most "human_checked_auto_fail"'),
        ((5, 5, 3, 1, 9, 0), '"human_checked_auto_pass"'),
        ((5, 5, 3, 1, 2, 3), '"human_fail_in_auto_pass"'),
    ],
)
def test_more_checks_than_calls_are_refused(arguments: tuple[int, ...], named: str) -> None:
    with pytest.raises(RefusedArgument, match=named):
        combine_binary(*arguments)


def test_the_combined_range_holds_the_true_share() -> None:
    source, held, runs = np.random.default_rng(4), 0, 400
    for _ in range(runs):
        truth = source.random(4000) < 0.15
        auto = np.where(truth, source.random(4000) < 0.85, source.random(4000) < 0.10)
        checks = [source.choice(np.flatnonzero(auto == flag), 50, replace=False) for flag in (True, False)]
        fails = [int(truth[places].sum()) for places in checks]
        found = combine_binary(int(auto.sum()), int((~auto).sum()), 50, fails[0], 50, fails[1])
        held += found["lo"] <= truth.mean() <= found["hi"]
    assert 0.92 <= held / runs <= 0.99


def test_rogan_and_gladen() -> None:
    assert rogan_gladen(0.2225, 0.85, 0.90)["prevalence"] == pytest.approx(0.1633333)
    assert rogan_gladen(6 / 151, 0.964, 0.927)["prevalence"] == 0, "Moujaber 2008: cut at nought"
    assert rogan_gladen(23 / 150, 0.96, 0.89)["prevalence"] == pytest.approx(0.051, abs=5e-4)
    assert rogan_gladen(0.3, 0.6, 0.4) == {"prevalence": None, "reason": "no_better_than_chance"}
    assert rogan_gladen(0.3, 0.2, 0.4)["prevalence"] is None


def test_the_range_of_a_corrected_share_holds_it_when_the_test_set_is_small() -> None:
    source, held, runs = np.random.default_rng(5), 0, 500
    for _ in range(runs):
        tp, tn = source.binomial(60, 0.85), source.binomial(60, 0.90)
        positives = source.binomial(200, 0.15 * 0.85 + 0.85 * 0.10)
        found = prevalence_ci(int(positives), 200, int(tp), 60, int(tn), 60)
        held += found["lo"] <= 0.15 <= found["hi"]
    assert 0.93 <= held / runs <= 1.0


def test_a_perfect_known_scorer_leaves_the_plain_range() -> None:
    huge = 10**12
    found = prevalence_ci(30, 200, huge, huge, huge, huge)
    z = stats.norm.ppf(0.975)
    middle = (30 + z * z / 2) / (200 + z * z)
    half = z * math.sqrt(middle * (1 - middle) / (200 + z * z))
    assert [found["lo"], found["hi"]] == pytest.approx([middle - half, middle + half], abs=1e-6)
    assert prevalence_ci(3, 10, 1, 4, 1, 4)["reason"] == "no_better_than_chance"
    with pytest.raises(RefusedArgument, match='"tp" must be at most "known_pos"'):
        prevalence_ci(3, 10, 5, 4, 1, 4)


def test_of_twelve_calls_people_failed_the_machine_found_nine() -> None:
    found = confusion(tp=9, fp=2, fn=3, tn=86)
    assert found["sensitivity"] == 0.75
    assert found["sens_ci"] == [wilson(9, 12)["lo"], wilson(9, 12)["hi"]]
    assert found["percent_agreement"] == 0.95
    assert (found["auto_rate"], found["human_rate"]) == (0.11, 0.12)
    assert found["kappa"] == pytest.approx(0.7544, abs=5e-5)


@given(counts, counts, counts, counts)
def test_the_coefficients_of_a_confusion_are_those_of_ratings(tp: int, fp: int, fn: int, tn: int) -> None:
    ratings = [[1.0, 1.0]] * tp + [[1.0, 0.0]] * fp + [[0.0, 1.0]] * fn + [[0.0, 0.0]] * tn
    found, other = confusion(tp, fp, fn, tn), gwet_ac(ratings, [0.0, 1.0])
    assert found["ac1"] == (None if other["coef"] is None else pytest.approx(other["coef"]))


def test_a_machine_that_missed_all_is_not_hidden_by_agreement() -> None:
    found = confusion(tp=0, fp=0, fn=2, tn=98)
    assert (found["percent_agreement"], found["sensitivity"]) == (0.98, 0)
    assert (found["ppv"], found["reason"]) == (None, "class_empty")
    assert confusion(0, 0, 0, 0)["reason"] == "no_values"


def test_points_follow_the_line_of_people_on_machine() -> None:
    source = np.random.default_rng(6)
    auto = source.normal(80, 10, 40)
    human = 10 + 0.8 * auto + source.normal(0, 4, 40)
    found = combine_numeric(human.tolist(), auto.tolist(), 83.0, 4000)
    line = stats.linregress(auto, human)
    assert (found["slope"], found["correlation"]) == (pytest.approx(line.slope), pytest.approx(line.rvalue))
    assert found["estimate"] == pytest.approx(human.mean() + line.slope * (83 - auto.mean()))
    left = human - line.intercept - line.slope * auto
    leverage = 1 / 40 + (83 - auto.mean()) ** 2 / ((auto - auto.mean()) ** 2).sum()
    se = math.sqrt((left**2).sum() / 38 * (1 - 40 / 4000) * leverage)
    assert found["hi"] - found["estimate"] == pytest.approx(stats.t.ppf(0.975, 38) * se)
    alone = mean_t(human.tolist())
    shrunk = (alone["hi"] - alone["mean"]) * math.sqrt(1 - 40 / 4000)
    assert found["human_only_hi"] - found["human_only"] == pytest.approx(shrunk)
    assert found["hi"] - found["lo"] < found["human_only_hi"] - found["human_only_lo"]


@pytest.mark.parametrize(
    ("human", "auto", "size", "reason"),
    [
        ([], [], 10, "too_few_pairs"),
        ([80.0, 90.0], [80.0, 85.0], 10, "too_few_pairs"),
        ([80.0, 90.0, 70.0], [80.0, 80.0, 80.0], 10, "no_variation"),
        ([80.0, 90.0, 70.0], [80.0, 90.0, 70.0], 10, "no_variation"),
        ([80.0, 90.0, 70.0], [80.0, 91.0, 70.0], 3, "all_evaluated"),
    ],
)
def test_points_without_a_range_say_why(
    human: list[float], auto: list[float], size: int, reason: str
) -> None:
    found = combine_numeric(human, auto, 80, size)
    assert (found["lo"], found["reason"]) == (None, reason)


def test_prediction_powered_averages() -> None:
    source = np.random.default_rng(7)
    auto, rest = source.normal(80, 10, 50), source.normal(80, 10, 2000)
    human = auto + source.normal(3, 5, 50)
    plain = ppi(human.tolist(), auto.tolist(), rest.tolist(), 1.0)
    assert plain["estimate"] == pytest.approx(human.mean() + rest.mean() - auto.mean())
    se = math.sqrt((human - auto).var(ddof=1) / 50 + rest.var(ddof=1) / 2000)
    assert plain["se"] == pytest.approx(se)
    ignored = ppi(human.tolist(), auto.tolist(), rest.tolist(), 0.0)
    assert ignored["estimate"] == pytest.approx(human.mean())
    tuned = ppi(human.tolist(), auto.tolist(), rest.tolist(), None)
    assert 0 < tuned["lam"] <= 1
    assert tuned["se"] <= min(plain["se"], ignored["se"])
    useless = ppi(human.tolist(), [1.0] * 50, [1.0] * 9, None)
    assert useless["lam"] == 0
    assert ppi([1.0], [1.0], [1.0])["reason"] == "too_few_pairs"
    assert ppi([1.0, 1.0], [1.0, 1.0], [1.0, 1.0])["reason"] == "no_variation"
