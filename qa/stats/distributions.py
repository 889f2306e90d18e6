"""Quantiles and tails of the normal, Student's t and F distributions, in plain Python.

A page needs a handful of them at once, and loading scipy for that costs a second and 100 MB. The t and F
distributions stand on the regularised incomplete beta function (continued fraction by Lentz's method);
the tests hold every function against scipy to 1e-10.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from statistics import NormalDist

_NORMAL = NormalDist()
_LARGE_DF = 1000.0
_TINY = 1e-300


def normal_cdf(z: float) -> float:
    """Return P(Z ≤ z), exact also far out in the lower tail."""
    return 0.5 * math.erfc(-z / math.sqrt(2))


def normal_pdf(z: float) -> float:
    """Return the density at z."""
    return math.exp(-z * z / 2) / math.sqrt(2 * math.pi)


def normal_quantile(p: float) -> float:
    """Return z with P(Z ≤ z) = p, for 0 < p < 1."""
    return _NORMAL.inv_cdf(p)


def two_sided_z(conf: float) -> float:
    """Return the z that holds ``conf`` between −z and z: 1.96 for 0.95."""
    return -normal_quantile((1 - conf) / 2)


@lru_cache(maxsize=512)
def two_sided_t(conf: float, df: float) -> float:
    """Return the t that holds ``conf`` between −t and t with ``df`` degrees of freedom (not only whole)."""
    return t_upper((1 - conf) / 2, df)


def t_upper(tail: float, df: float) -> float:
    """Return t with P(T > t) = tail, for 0 < tail < ½ and df > 0."""
    start = _t_expanded(-normal_quantile(tail), df)
    if df >= _LARGE_DF:
        return start
    return _solve(lambda t: _t_tail(t, df) - tail, lambda t: -_t_pdf(t, df), start)


def f_upper(tail: float, df1: float, df2: float) -> float:
    """Return x with P(F > x) = tail, for 0 < tail < 1."""
    if tail > 0.5:
        return 1 / f_upper(1 - tail, df2, df1)
    a, b = df2 / 2, df1 / 2
    part = _solve_share(lambda s: beta_cdf(s, a, b) - tail)
    return df2 * (1 - part) / (df1 * part)


def beta_cdf(x: float, a: float, b: float) -> float:
    """Return the regularised incomplete beta function I_x(a, b)."""
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    front = math.exp(log_front)
    if x < (a + 1) / (a + b + 2):
        return front * _beta_fraction(x, a, b) / a
    return 1 - front * _beta_fraction(1 - x, b, a) / b


def _beta_fraction(x: float, a: float, b: float) -> float:
    c, d = 1.0, 1 / _not_zero(1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, 10_000):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for step in (even, odd):
            d = 1 / _not_zero(1 + step * d)
            c = _not_zero(1 + step / c)
            value *= c * d
        if abs(c * d - 1) < 1e-16:
            break
    return value


def _not_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY


def _t_tail(t: float, df: float) -> float:
    square = t * t
    if square < 1:
        return 0.5 - 0.5 * beta_cdf(square / (df + square), 0.5, df / 2)
    return 0.5 * beta_cdf(df / (df + square), df / 2, 0.5)


def _t_pdf(t: float, df: float) -> float:
    log_scale = math.lgamma((df + 1) / 2) - math.lgamma(df / 2) - 0.5 * math.log(df * math.pi)
    return math.exp(log_scale - (df + 1) / 2 * math.log1p(t * t / df))


def _t_expanded(z: float, df: float) -> float:
    """Return Fisher's expansion of a t quantile about the normal one (Abramowitz and Stegun 26.7.5)."""
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
        (27 * z**11 + 339 * z**9 + 930 * z**7 - 1782 * z**5 - 765 * z**3 + 17955 * z) / 368640,
    )
    return z + math.fsum(term / df**power for power, term in enumerate(terms, start=1))


def _solve(excess: Callable[[float], float], slope: Callable[[float], float], start: float) -> float:
    """Return where a falling function of a positive number crosses zero: Newton's step, or half the way."""
    low, high = 0.0, 1.0
    while excess(high) > 0:
        low, high = high, high * 2
    at = start if low < start < high else (low + high) / 2
    for _ in range(200):
        value = excess(at)
        low, high = (at, high) if value > 0 else (low, at)
        downhill = slope(at)
        step = at - value / downhill if downhill else low
        following = step if low < step < high else (low + high) / 2
        if abs(following - at) <= 2e-16 * at:
            break
        at = following
    return at


def _solve_share(excess: Callable[[float], float]) -> float:
    """Return where a rising function of a share crosses zero; by halves, in logarithms near nought."""
    low, high = 1e-300, 1.0
    for _ in range(400):
        middle = math.sqrt(low * high) if high < 0.1 or low < 1e-3 else (low + high) / 2
        if middle in {low, high}:
            break
        low, high = (low, middle) if excess(middle) > 0 else (middle, high)
    return (low + high) / 2
