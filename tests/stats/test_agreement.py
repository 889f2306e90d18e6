"""Evaluators: the printed tables of the literature, other libraries, and the traps they fell into."""

from __future__ import annotations

import krippendorff
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import aggregate_raters, cohens_kappa, fleiss_kappa

from qa.stats.agreement import alpha, conger, fleiss, gwet_ac, percent_agreement
from qa.stats.arguments import RefusedArgument
from qa.stats.icc import icc
from qa.stats.two_raters import bias, cohen

X = None
A = [list(pair) for pair in zip([0, 1, 0, 0, 0, 0, 0, 0, 1, 0], [1, 1, 1, 0, 0, 1, 0, 0, 0, 0], strict=True)]
B = [list(pair) for pair in zip("aabbdcccedda", "babbbcccedddd"[:12], strict=True)]
C = [
    [1, 1, X, 1],
    [2, 2, 3, 2],
    [3, 3, 3, 3],
    [3, 3, 3, 3],
    [2, 2, 2, 2],
    [1, 2, 3, 4],
    [4, 4, 4, 4],
    [1, 1, 2, 1],
    [2, 2, 2, 2],
    [X, 5, 5, 5],
    [X, X, 1, 1],
    [X, 3, X, X],
]
FLEISS = (
    *("00060", "03003", "01401", "00006", "03030", "20400", "00402", "20310", "20040", "00006"),
    *("10050", "11040", "03300", "10050", "02031", "00501", "30012", "51000", "02040", "10203"),
    *("00006", "01050", "02013", "20040", "10041", "05010", "40002", "02040", "10500", "00006"),
)
SHROUT_FLEISS = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
WRIGHT = [494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427]
MINI = [512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451]
SKIN = [[10, 4, 1, 0], [5, 10, 12, 2], [2, 4, 12, 5], [0, 2, 6, 13]]

tables = st.integers(2, 4).flatmap(
    lambda q: st.lists(st.lists(st.integers(0, 30), min_size=q, max_size=q), min_size=q, max_size=q)
)
rated = st.integers(2, 4).flatmap(
    lambda r: st.lists(
        st.lists(st.one_of(st.integers(1, 4), st.none()), min_size=r, max_size=r), min_size=2, max_size=12
    )
)


def spread(counted: str) -> list[float]:
    """One patient's diagnoses from the counts of each."""
    return [float(place) for place, n in enumerate(counted) for _ in range(int(n))]


def of_table(table: list[list[int]]) -> list[list[float]]:
    """A square table as ratings of two evaluators."""
    return [[float(i), float(j)] for i, row in enumerate(table) for j, n in enumerate(row) for _ in range(n)]


@pytest.mark.parametrize(
    ("ratings", "level", "printed"),
    [
        *[(A, "nominal", 0.095), (B, "nominal", 0.692), (C, "nominal", 0.743)],
        *[(C, "ordinal", 0.815), (C, "interval", 0.849), (C, "ratio", 0.797)],
    ],
)
def test_alpha_is_krippendorffs(ratings: list[list[object]], level: str, printed: float) -> None:
    assert alpha(ratings, level)["alpha"] == pytest.approx(printed, abs=6e-4)


def test_ac_and_the_kappas_are_gwets() -> None:
    found = gwet_ac(C, [1, 2, 3, 4, 5])
    assert (found["coef"], found["se"]) == (
        pytest.approx(0.77544, abs=5e-6),
        pytest.approx(0.14295, abs=5e-6),
    )
    assert fleiss(C, [1, 2, 3, 4, 5])["coef"] == pytest.approx(0.76117, abs=5e-6)
    copied = [*C[:-1], [X, X, X, 3]], [*C[:-1], [X, X, 3, X]], [*C[:-1], [3, X, X, X]], C
    kappas = {round(conger(table, [1, 2, 3, 4, 5])["coef"], 5) for table in copied}
    assert kappas >= {0.76282, 0.76207}, "the last rating stands under another evaluator in Gwet's copy"


def test_fleiss_thirty_patients_come_out_as_printed() -> None:
    assert fleiss([spread(one) for one in FLEISS])["coef"] == pytest.approx(0.430, abs=5e-4)


@pytest.mark.parametrize(
    ("table", "printed"),
    [
        ([[88, 14, 18], [10, 40, 10], [2, 6, 12]], 0.492),
        ([[106, 10, 4], [22, 28, 10], [2, 12, 6]], 0.429),
    ],
)
def test_cohens_and_everitts_tables_come_out_as_printed(table: list[list[int]], printed: float) -> None:
    assert cohen(table)["coef"] == pytest.approx(printed, abs=5e-4)


def test_the_skin_conditions_of_the_sas_manual_come_out_as_printed() -> None:
    simple, weighted = cohen(SKIN), cohen(SKIN, "linear")
    assert [simple["coef"], simple["se"]] == pytest.approx([0.3449, 0.0724], abs=5e-5)
    assert [weighted["coef"], weighted["se"]] == pytest.approx([0.5082, 0.0655], abs=5e-5)


def test_two_tables_of_equal_agreement_have_kappas_of_070_and_032() -> None:
    even, lopsided = [[40, 9], [6, 45]], [[80, 10], [5, 5]]  # Feinstein and Cicchetti 1990
    assert [round(cohen(table)["coef"], 2) for table in (even, lopsided)] == [0.70, 0.32]
    assert [cohen(table)["po"] for table in (even, lopsided)] == [0.85, 0.85]
    assert gwet_ac(of_table(lopsided), [0, 1])["coef"] == pytest.approx(0.81, abs=5e-3)


def test_nineteen_of_twenty_is_a_kappa_of_nothing_and_an_ac_of_95() -> None:
    ratings = [["yes", "yes"]] * 19 + [["yes", "no"]]
    assert percent_agreement(ratings)["value"] == pytest.approx(0.95)
    assert cohen([[19, 1], [0, 0]])["coef"] == pytest.approx(0)
    assert alpha(ratings)["alpha"] == pytest.approx(0, abs=1e-12)
    assert gwet_ac(ratings, ["yes", "no"])["coef"] == pytest.approx(0.947, abs=5e-4)


def test_unanimity_has_no_range_and_percent_agreement_says_what_ten_calls_can() -> None:
    ratings = [["yes", "yes", "yes"]] * 10
    found = gwet_ac(ratings, ["yes", "no"])
    assert (found["coef"], found["se"], found["lo"], found["reason"]) == (1, None, None, "no_disagreement")
    share = percent_agreement(ratings, ["yes", "no"])
    assert (share["value"], round(share["lo"], 2), share["hi"], share["same_pairs"]) == (1, 0.72, 1, 30)
    assert (alpha(ratings)["alpha"], alpha(ratings)["reason"]) == (None, "no_variation")
    assert fleiss(ratings)["coef"] is conger(ratings)["coef"] is None


def test_not_applicable_is_a_third_answer() -> None:
    hidden = gwet_ac([["yes", "yes"]] * 8 + [["yes", None]] * 4, ["yes", "no"])
    told = gwet_ac([["yes", "yes"]] * 8 + [["yes", "n/a"]] * 4, ["yes", "no", "n/a"])
    assert (hidden["coef"], round(told["pa"], 2)) == (1, 0.67)


@given(rated, st.sampled_from(["nominal", "ordinal", "interval", "ratio"]))
def test_alpha_is_that_of_the_other_library(ratings: list[list[float | None]], level: str) -> None:
    found = alpha(ratings, level)["alpha"]
    assume(found is not None)
    as_columns = np.array(ratings, dtype=float).T
    theirs = krippendorff.alpha(reliability_data=as_columns, level_of_measurement=level)
    assert found == pytest.approx(theirs, abs=1e-9)


@given(
    st.lists(st.lists(st.integers(0, 3), min_size=3, max_size=3), min_size=2, max_size=15),
)
def test_fleiss_is_that_of_statsmodels(ratings: list[list[int]]) -> None:
    found = fleiss(ratings)["coef"]
    assume(found is not None)
    assert found == pytest.approx(fleiss_kappa(aggregate_raters(np.array(ratings))[0]), abs=1e-9)


@given(tables)
def test_cohens_kappa_and_its_error_are_those_of_statsmodels_and_scikit_learn(table: list[list[int]]) -> None:
    found = cohen(table)
    assume(found["se"] is not None)
    theirs = cohens_kappa(np.array(table))
    assert (found["coef"], found["se"]) == (
        pytest.approx(theirs.kappa, abs=1e-9),
        pytest.approx(theirs.std_kappa, abs=1e-7),
    )
    one, other = zip(*of_table(table), strict=True)
    for weights in ("linear", "quadratic"):
        places = list(range(len(table)))
        learnt = cohen_kappa_score(one, other, weights=weights, labels=places)
        assert cohen(table, weights)["coef"] == pytest.approx(learnt, abs=1e-9)


@given(rated, st.sampled_from(["identity", "linear", "quadratic", "ordinal"]), st.randoms())
def test_neither_the_order_of_evaluators_nor_of_calls_matters(
    ratings: list[list[float | None]], weights: str, shuffler: object
) -> None:
    turned = [list(row) for row in ratings]
    shuffler.shuffle(turned)
    turned = [list(reversed(row)) for row in turned]
    one, other = (gwet_ac(table, [1, 2, 3, 4], weights) for table in (ratings, turned))
    assert one["reason"] == other["reason"]
    for key in ("coef", "pa", "pe", "se", "lo", "hi"):
        assert one[key] == (None if other[key] is None else pytest.approx(other[key], abs=1e-9))
    if one["coef"] is not None:
        assert one["coef"] <= 1 + 1e-12
    for kappa in (fleiss, conger):
        assert (kappa(ratings)["coef"] is None) == (kappa(turned)["coef"] is None)


def test_shrout_and_fleiss_six_coefficients_come_out_as_printed() -> None:
    found = icc(SHROUT_FLEISS)
    names = ("ICC1_1", "ICC2_1", "ICC3_1", "ICC1_k", "ICC2_k", "ICC3_k")
    assert [round(found[name], 2) for name in names] == [0.17, 0.29, 0.71, 0.44, 0.62, 0.91]
    printed = {
        "ICC1_1": [-0.133, 0.723],
        "ICC2_1": [0.019, 0.761],
        "ICC3_1": [0.342, 0.946],
        "ICC1_k": [-0.884, 0.912],
        "ICC2_k": [0.071, 0.927],
        "ICC3_k": [0.676, 0.986],
    }
    for name, interval in printed.items():
        assert found[f"{name}_ci"] == pytest.approx(interval, abs=6e-4), name


@pytest.mark.parametrize(
    ("matrix", "coefficients", "ranges"),
    [
        (
            [[80, 76, 82], [90, 86, 95], [70, 66, 71], [85, 82, 80], [60, 55, 66]],
            [0.900542, 0.902168, 0.948679, 0.964493, 0.965114, 0.982287],
            [[0.64, 0.99], [0.53, 0.99], [0.77, 0.99], [0.84, 1.0], [0.77, 1.0], [0.91, 1.0]],
        ),
        (
            [[100, 95], [92.5, 90], [87.5, 92.5], [100, 97.5], [45, 60], [80, 77.5], [95, 95], [72.5, 65]],
            [0.921, 0.920551, 0.91022, 0.958875, 0.958632, 0.953],
            [[0.69, 0.98], [0.65, 0.98], [0.62, 0.98], [0.81, 0.99], [0.79, 0.99], [0.77, 0.99]],
        ),
    ],
)
def test_coefficients_and_ranges_are_those_of_pingouin(
    matrix: list[list[float]], coefficients: list[float], ranges: list[list[float]]
) -> None:
    # Printed by pingouin 0.7.0, which rounds its ranges; it is not installed, for it needs seaborn and more.
    found = icc(matrix)
    names = [f"ICC{form}_{size}" for size in ("1", "k") for form in (1, 2, 3)]
    assert [found[name] for name in names] == pytest.approx(coefficients, abs=1e-6)
    for name, printed in zip(names, ranges, strict=True):
        assert [round(limit, 2) for limit in found[f"{name}_ci"]] == printed


def test_evaluators_who_differ_more_than_calls_have_no_agreement_above_one() -> None:
    found = icc([[3, 9, 4, 1], [8, 2, 7, 6], [5, 5, 1, 9], [2, 8, 8, 3]])
    assert found["ICC2_1"] == pytest.approx(-0.387097, abs=1e-6)
    assert (found["ICC2_k"], found["ICC2_k_ci"], found["reason"]) == (None, None, "no_variation")


@given(st.lists(st.lists(st.integers(0, 20).map(float), min_size=3, max_size=3), min_size=3, max_size=9))
def test_mean_squares_are_those_of_an_analysis_of_variance(matrix: list[list[float]]) -> None:
    found = icc(matrix)
    assume(found["reason"] is None)
    x = np.array(matrix)
    n, k = x.shape
    between, evaluators = k * x.mean(axis=1).var(ddof=1), n * x.mean(axis=0).var(ddof=1)
    residual = x - x.mean(axis=1, keepdims=True) - x.mean(axis=0, keepdims=True) + x.mean()
    error = (residual**2).sum() / ((n - 1) * (k - 1))
    assert found["ICC3_1"] == pytest.approx((between - error) / (between + (k - 1) * error), abs=1e-9)
    f = between / error
    low = f / stats.f.ppf(0.975, n - 1, (n - 1) * (k - 1))
    assert found["ICC3_k_ci"][0] == pytest.approx(1 - 1 / low, rel=1e-6)
    total = between + (k - 1) * error + k * (evaluators - error) / n
    assert found["ICC2_1"] == pytest.approx((between - error) / total, abs=1e-9)


def test_an_evaluator_who_is_always_four_points_lower_is_consistent_and_not_in_agreement() -> None:
    lower = [[80.0, 76.0], [90.0, 86.0], [70.0, 66.0], [85.0, 82.0], [60.0, 55.0]]
    found = icc(lower)
    assert found["ICC3_1"] > 0.99
    assert found["ICC2_1"] < 0.95
    assert bias([a for a, _ in lower], [b for _, b in lower])["bias"] == 4


@pytest.mark.parametrize(
    ("matrix", "reason"),
    [
        ([], "one_interaction"),
        ([[1.0, 2.0]], "one_interaction"),
        ([[1.0], [2.0]], "one_evaluator"),
        ([[80.0, 80.0], [80.0, 80.0]], "no_variation"),
        ([[80.0, 76.0], [90.0, 86.0]], "no_disagreement"),
    ],
)
def test_an_icc_that_has_no_range_says_why(matrix: list[list[float]], reason: str) -> None:
    found = icc(matrix)
    assert (found["ICC2_1_ci"], found["reason"]) == (None, reason)


def test_the_peak_flow_meters_of_bland_and_altman() -> None:
    found = bias(WRIGHT, MINI)
    assert [round(found[key], 1) for key in ("bias", "sd", "bias_lo", "bias_hi")] == [-2.1, 38.8, -22.0, 17.8]
    assert (found["loa_lo"], found["loa_hi"]) == (
        pytest.approx(found["bias"] - 1.96 * found["sd"], abs=0.01),
        pytest.approx(found["bias"] + 1.96 * found["sd"], abs=0.01),
    )
    assert bias([], [])["reason"] == "no_pairs"
    assert bias([1.0], [2.0])["reason"] == "one_value"
    assert bias([1.0, 2.0], [2.0, 3.0])["reason"] == "no_variation"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda: alpha([["a", "b"]], "ordinal"), '"level" "ordinal" needs numbers'),
        (lambda: alpha([[-1.0, 2.0]], "ratio"), '"ratings" must not be negative'),
        (lambda: alpha([[1.0, 2.0], [1.0]]), r'"ratings\[1\]" must have as many'),
        (lambda: gwet_ac([["a", "b"]], ["a"]), '"categories" must hold every rating; "b" is missing'),
        (lambda: gwet_ac([["a", "b"]], ["a", "b", "a"]), '"categories" must name each category once'),
        (lambda: cohen([[1, 2], [3]]), r'"table\[1\]" must have as many'),
        (lambda: icc([[1, 2], [3]]), r'"matrix\[1\]" must have as many'),
        (lambda: bias([1], []), '"b" must have as many values as "a"'),
    ],
)
def test_ratings_that_cannot_be_compared_are_refused(wrong: object, words: str) -> None:
    with pytest.raises(RefusedArgument, match=words):
        wrong()


def test_alphas_range_is_that_of_the_jackknife() -> None:
    found = alpha(C, "ordinal")
    units = [row for row in C if sum(value is not None for value in row) > 1]
    left = [alpha(units[:i] + units[i + 1 :], "ordinal")["alpha"] for i in range(len(units))]
    n = len(left)
    se = np.sqrt((n - 1) / n * np.sum((np.array(left) - np.mean(left)) ** 2))
    assert found["se"] == pytest.approx(se)
    assert found["lo"] == pytest.approx(found["alpha"] - 2.2281 * se, abs=1e-4)
    assert found["hi"] <= 1


def test_one_call_that_decides_all_leaves_no_range() -> None:
    found = alpha([["a", "a"], ["a", "a"], ["b", "b"]])
    assert (found["alpha"], found["lo"], found["reason"]) == (1, None, "one_interaction_decides")
    assert alpha([["a", "b"]])["reason"] == "one_interaction"
    assert gwet_ac([["a", "b"]])["reason"] == "one_interaction"
    assert gwet_ac([["a", None]], ["a", "b"])["reason"] == "no_pairs"
    assert gwet_ac([["a", "a"]])["reason"] == "one_category"
