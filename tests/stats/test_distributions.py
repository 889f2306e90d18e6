"""Own quantiles are those of scipy."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from qa.stats.distributions import (
    beta_cdf,
    f_upper,
    normal_cdf,
    normal_pdf,
    normal_quantile,
    t_upper,
    two_sided_t,
    two_sided_z,
)

tails = st.floats(min_value=1e-9, max_value=0.49)
degrees = st.one_of(
    st.floats(min_value=0.5, max_value=3000), st.integers(1, 200), st.floats(min_value=3000, max_value=1e12)
)


@given(tail=tails, df=degrees)
def test_t_quantiles_are_those_of_scipy(tail: float, df: float) -> None:
    assert t_upper(tail, df) == pytest.approx(stats.t.isf(tail, df), rel=1e-10)


@given(tail=st.floats(min_value=1e-6, max_value=1 - 1e-6), df1=st.integers(1, 300), df2=st.integers(1, 300))
def test_f_quantiles_are_those_of_scipy(tail: float, df1: int, df2: int) -> None:
    assert f_upper(tail, df1, df2) == pytest.approx(stats.f.isf(tail, df1, df2), rel=1e-9)


@given(p=st.floats(min_value=1e-300, max_value=1 - 1e-15))
def test_normal_quantiles_are_those_of_scipy(p: float) -> None:
    assert normal_quantile(p) == pytest.approx(stats.norm.ppf(p), rel=1e-10, abs=1e-14)


@given(z=st.floats(min_value=-35, max_value=35))
def test_the_normal_distribution_is_that_of_scipy_far_into_the_tail(z: float) -> None:
    assert normal_cdf(z) == pytest.approx(stats.norm.cdf(z), rel=1e-10)
    assert normal_pdf(z) == pytest.approx(stats.norm.pdf(z), rel=1e-10)


@given(
    x=st.floats(min_value=0, max_value=1),
    a=st.floats(min_value=0.1, max_value=400),
    b=st.floats(min_value=0.1, max_value=400),
)
def test_the_incomplete_beta_function_is_that_of_scipy(x: float, a: float, b: float) -> None:
    assert beta_cdf(x, a, b) == pytest.approx(stats.beta.cdf(x, a, b), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(
    ("conf", "df", "printed"),
    [(0.95, 1, 12.706), (0.95, 4, 2.776), (0.99, 10, 3.169), (0.95, 120, 1.980), (0.998, 30, 3.385)],
)
def test_t_is_that_of_the_printed_tables(conf: float, df: int, printed: float) -> None:
    assert two_sided_t(conf, df) == pytest.approx(printed, abs=5e-4)


def test_z_is_that_of_the_printed_tables() -> None:
    assert [round(two_sided_z(conf), 4) for conf in (0.90, 0.95, 0.998)] == [1.6449, 1.96, 3.0902]
