"""Limits of chance: the tables of the handbooks, and what must always hold."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from qa.stats.arguments import RefusedArgument
from qa.stats.charts import ewma, laney_p, p_chart, xmr
from qa.stats.funnels import funnel

FLOWRATE = [49.6, 47.6, 49.9, 51.3, 47.8, 51.2, 52.6, 52.4, 53.6, 52.1]
NIST_EWMA = [52.0, 47.0, 53.0, 49.3, 50.1, 47.0, 51.0, 50.1, 51.2, 50.5]
NIST_EWMA += [49.6, 47.6, 49.9, 51.3, 47.8, 51.2, 52.6, 52.4, 53.6, 52.1]
NIST_Z = [50.60, 49.52, 50.56, 50.18, 50.16, 49.21, 49.75, 49.85, 50.26, 50.33]
NIST_Z += [50.11, 49.36, 49.52, 50.05, 49.38, 49.92, 50.73, 51.23, 51.94, 51.99]
MONTGOMERY_EWMA = [9.45, 7.99, 9.29, 11.66, 12.16, 10.18, 8.04, 11.46, 9.20, 10.34]
MONTGOMERY_EWMA += [9.03, 11.47, 10.51, 9.40, 10.08, 9.37, 10.62, 10.31, 8.52, 10.84]
MONTGOMERY_EWMA += [10.90, 9.33, 12.29, 11.50, 10.60, 11.08, 10.38, 11.62, 11.31, 10.52]
JUICE = [12, 15, 8, 10, 4, 7, 16, 9, 14, 10, 5, 6, 17, 12, 22]
JUICE += [8, 10, 5, 13, 11, 20, 18, 24, 15, 9, 12, 7, 13, 9, 6]
ORDERS = [100, 80, 80, 100, 110, 110, 100, 100, 90, 90, 110, 120, 120]
ORDERS += [120, 110, 80, 80, 80, 90, 100, 100, 100, 100, 90, 90]
WRONG_ORDERS = [12, 8, 6, 9, 10, 12, 11, 16, 10, 6, 20, 15, 9, 8, 6, 8, 10, 7, 5, 8, 5, 8, 10, 6, 9]
counts = st.lists(
    st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), min_size=8, max_size=30
)


def test_the_individuals_chart_of_the_nist_handbook() -> None:
    found = xmr(FLOWRATE)  # NIST/SEMATECH e-Handbook 6.3.2.2
    assert found["center"] == pytest.approx(50.81)
    assert found["mr_bar"] == pytest.approx(1.8778, abs=5e-5)
    assert (found["ucl"], found["lcl"]) == (
        pytest.approx(55.8041, abs=5e-5),
        pytest.approx(45.8159, abs=5e-5),
    )
    assert found["mr_ucl"] == pytest.approx(3.267 * 16.9 / 9)
    assert found["mr"][:3] == pytest.approx([2.0, 2.3, 1.4])
    assert (found["limits"], found["signals_1based"]) == ([found["lcl"], found["ucl"]], [])


def test_the_ewma_chart_of_the_nist_handbook() -> None:
    found = ewma(NIST_EWMA, lam=0.3, target=50, sigma=2.0539, L=3)  # 6.3.2.4
    assert [round(z, 2) for z in found["z"]] == NIST_Z
    assert (found["ucl"], found["lcl"]) == (
        pytest.approx(52.5884, abs=5e-5),
        pytest.approx(47.4115, abs=1e-4),
    )
    assert found["signals_1based"] == []


def test_the_ewma_chart_of_montgomery() -> None:
    found = ewma(MONTGOMERY_EWMA, lam=0.1, target=10, sigma=1, L=2.7, steady=False)
    assert found["z"][:6] == pytest.approx([9.945, 9.7495, 9.70355, 9.8992, 10.1253, 10.1307], abs=5e-5)
    assert [round(one, 2) for one in found["ucl_each"][:3]] == [10.27, 10.36, 10.42]
    assert [round(one, 2) for one in found["lcl_each"][:3]] == [9.73, 9.64, 9.58]
    assert min(found["signals_1based"]) > 20, "the mean shifts after the twentieth"
    steady = ewma(MONTGOMERY_EWMA, lam=0.1, target=10, sigma=1, L=2.7)
    assert (round(steady["ucl"], 2), round(steady["lcl"], 2)) == (10.62, 9.38)


def test_the_p_chart_of_orange_juice_cans() -> None:
    found = p_chart(JUICE, [50] * 30)  # Montgomery, Introduction to Statistical Quality Control, ch. 7
    assert found["center"] == pytest.approx(0.2313, abs=5e-5)
    assert (found["ucl_first"], found["lcl_first"]) == (
        pytest.approx(0.4102, abs=5e-5),
        pytest.approx(0.0524, abs=5e-5),
    )
    assert found["signals_1based"] == [15, 23]


def test_the_p_chart_of_purchase_orders_has_limits_for_each_n() -> None:
    found = p_chart(WRONG_ORDERS, ORDERS)  # Montgomery, variable sample size
    assert found["center"] == pytest.approx(234 / 2450)
    assert found["signals_1based"] == [11]
    half = 3 * math.sqrt(found["center"] * (1 - found["center"]) / 80)
    assert found["ucl"][1] == pytest.approx(found["center"] + half)
    assert min(found["lcl"]) == 0


@given(st.lists(st.integers(0, 200), min_size=8, max_size=20))
def test_laney_with_one_n_is_the_individuals_chart_of_the_shares(defects: list[int]) -> None:
    found, single = laney_p(defects, [200] * len(defects)), xmr([one / 200 for one in defects])
    if found["reason"] is None:
        assert found["ucl"][0] == pytest.approx(min(1.0, single["ucl"]))
        assert found["lcl"][0] == pytest.approx(max(0.0, single["lcl"]))


def test_large_counts_of_uneven_days_cry_wolf_without_laney() -> None:
    source = random.Random(3)
    rates = [0.2 + source.gauss(0, 0.024) for _ in range(60)]
    defects = [sum(source.random() < rate for _ in range(5000)) for rate in rates]
    found = laney_p(defects, [5000] * 60)
    assert len(found["signals_plain_p"]) > 20
    assert found["signals_laney"] == []
    assert found["sigma_z"] > 3


@given(counts)
def test_shares_stay_shares(pairs: list[tuple[int, int]]) -> None:
    defects, n = [one for one, _ in pairs], [of for _, of in pairs]
    for found in (p_chart(defects, n), laney_p(defects, n)):
        for low, high in zip(found["lcl"], found["ucl"], strict=True):
            assert 0 <= low <= found["center"] <= high <= 1


def test_no_limits_from_fewer_than_eight_points() -> None:
    few = [80.0, 82.0, 79.0, 85.0, 81.0, 80.0, 83.0]
    assert (xmr(few)["limits"], xmr(few)["ucl"], xmr(few)["reason"]) == (
        None,
        None,
        "fewer_than_eight_points",
    )
    assert xmr(few)["center"] == pytest.approx(81.4286, abs=1e-4)
    assert ewma(few)["reason"] == ewma(few, target=80)["reason"] == "fewer_than_eight_points"
    assert ewma(few, target=80, sigma=2)["reason"] is None, "limits that were given need no points"
    assert p_chart([1] * 7, [10] * 7)["ucl"] == laney_p([1] * 7, [10] * 7)["ucl"] == []
    assert xmr([])["center"] is None


def test_points_that_never_vary_have_no_limits() -> None:
    assert xmr([80.0] * 9)["reason"] == "no_variation"
    assert ewma([80.0] * 9)["reason"] == "no_variation"
    assert p_chart([0] * 9, [10] * 9)["reason"] == "no_variation"
    assert laney_p([5] * 9, [10] * 9)["reason"] == "no_variation"


def test_limits_stay_those_of_the_baseline() -> None:
    values = [80.0, 82, 79, 81, 80, 83, 81, 80, 78, 82, 81, 80]
    frozen = xmr([*values, 60.0, 61.0], baseline=12)
    assert frozen["limits"] == xmr(values)["limits"]
    assert frozen["signals_1based"] == [13, 14]
    assert p_chart([2] * 6 + [1] * 6 + [9], [10] * 13, baseline=12)["signals_1based"] == [13]
    assert laney_p([2, 1] * 6 + [9], [10] * 13, baseline=12)["signals_laney"] == [13]
    with pytest.raises(RefusedArgument, match='"baseline" must be at most'):
        xmr(values, baseline=20)


def test_an_ewma_of_uneven_means_has_limits_that_follow_n() -> None:
    found = ewma([80.0, 81, 79], target=80, sigma=12, n=[1, 4, 9])
    variance = 0.04 * (0.8**4 * 144 + 0.8**2 * 144 / 4 + 144 / 9)
    assert found["ucl"] == pytest.approx(80 + 2.86 * math.sqrt(variance))
    even = ewma([80.0] * 5, target=80, sigma=12, n=[4] * 5)
    plain = ewma([80.0] * 5, target=80, sigma=6, steady=False)
    assert even["ucl_each"] == pytest.approx(plain["ucl_each"])
    with pytest.raises(RefusedArgument, match='"sigma" is missing'):
        ewma([80.0], n=[1])
    with pytest.raises(RefusedArgument, match='"n" must have as many'):
        ewma([80.0], sigma=3, n=[1, 2])


def test_a_funnel_narrows_as_the_root_of_n() -> None:
    found = funnel(86, 11, [4, 16, 64])
    z95, z998 = stats.norm.ppf(0.975), stats.norm.ppf(0.999)
    assert found["lo95"] == pytest.approx([86 - z95 * 11 / root for root in (2, 4, 8)])
    assert found["hi998"] == pytest.approx([86 + z998 * 11 / root for root in (2, 4, 8)])
    assert funnel(86, 11, [1], bounds=[0, 100])["hi998"] == [100]
    with pytest.raises(RefusedArgument, match='"center"'):
        funnel(186, 11, [1], bounds=[0, 100])


def test_a_share_of_more_than_all_is_refused() -> None:
    with pytest.raises(RefusedArgument, match='"defects" must be at most "n"'):
        p_chart([11], [10])
    with pytest.raises(RefusedArgument, match='"defects" must have as many'):
        laney_p([1, 2], [10])
