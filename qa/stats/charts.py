"""Control charts: which points over time lie outside what chance alone would give.

Limits that are drawn from the points themselves need eight of them. Lists of signals count points from 1, as
people do.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Annotated

from pydantic import BeforeValidator, Field
from typing_extensions import TypedDict

from qa.stats.arguments import (
    Count,
    FromOne,
    Number,
    Positive,
    RefusedArgument,
    at_most,
    same_length,
    whole,
)
from qa.stats.reasons import Reason
from qa.stats.small_samples import mean_of

FEWEST_POINTS = 8
MEAN_RANGE_OF_TWO = 1.128
"""d₂: the mean distance of two values from one normal distribution, in standard deviations."""
RANGE_LIMIT_OF_TWO = 3.267
"""D₄: the upper limit of a moving range, in mean moving ranges."""

Baseline = Annotated[int, Field(ge=FEWEST_POINTS), BeforeValidator(whole)]


class Xmr(TypedDict):
    """A chart of single values and their moving ranges."""

    center: float | None
    mr_bar: float | None
    ucl: float | None
    lcl: float | None
    mr_ucl: float | None
    mr: list[float]
    limits: list[float] | None
    signals_1based: list[int]
    reason: Reason | None


class Ewma(TypedDict):
    """A weighted moving average; ``ucl`` and ``lcl`` hold at the last point, the lists at each."""

    z: list[float]
    target: float | None
    sigma: float | None
    ucl: float | None
    lcl: float | None
    ucl_each: list[float]
    lcl_each: list[float]
    signals_1based: list[int]
    reason: Reason | None


class PChart(TypedDict):
    """A chart of shares."""

    center: float | None
    p: list[float]
    ucl_first: float | None
    lcl_first: float | None
    signals_1based: list[int]
    ucl: list[float]
    lcl: list[float]
    reason: Reason | None


class LaneyP(TypedDict):
    """A chart of shares whose limits allow for days that differ by themselves."""

    center: float | None
    p: list[float]
    sigma_z: float | None
    ucl: list[float]
    lcl: list[float]
    signals_laney: list[int]
    signals_plain_p: list[int]
    reason: Reason | None


def xmr(values: list[Number], baseline: Baseline | None = None) -> Xmr:
    """Single values with limits at x̄ ± 3·mR̄/1.128; ``baseline``: how many first points set the limits."""
    ranges = [abs(after - before) for before, after in pairwise(values)]
    counted = _baseline(values, baseline)
    chart: Xmr = {
        "center": mean_of(counted) if counted else None,
        "mr_bar": mean_of(ranges[: len(counted) - 1]) if len(counted) > 1 else None,
        "ucl": None,
        "lcl": None,
        "mr_ucl": None,
        "mr": ranges,
        "limits": None,
        "signals_1based": [],
        "reason": _too_few(values) or ("no_variation" if not any(ranges[: len(counted) - 1]) else None),
    }
    if chart["reason"] is None and chart["center"] is not None and chart["mr_bar"] is not None:
        half = 3 * chart["mr_bar"] / MEAN_RANGE_OF_TWO
        lcl, ucl = chart["center"] - half, chart["center"] + half
        chart.update({"lcl": lcl, "ucl": ucl, "limits": [lcl, ucl]})
        chart["mr_ucl"] = RANGE_LIMIT_OF_TWO * chart["mr_bar"]
        chart["signals_1based"] = _outside(values, [lcl] * len(values), [ucl] * len(values))
    return chart


def ewma(
    values: list[Number],
    lam: Annotated[float, Field(allow_inf_nan=False, ge=1e-6, le=1)] = 0.2,
    target: Number | None = None,
    sigma: Positive | None = None,
    L: Positive = 2.86,
    steady: bool = True,
    n: list[FromOne] | None = None,
) -> Ewma:
    """z = λx + (1 − λ)z, from the target on, with limits target ± L·σ·√(λ/(2 − λ)).

    Not ``steady``: limits that widen from the first point, √(1 − (1 − λ)²ᵗ) of that. With ``n``, the
    evaluations behind each value, ``sigma`` is that of one evaluation, must be given, and limits follow n.
    Without target or sigma: the mean, and mR̄/1.128, of the values.
    """
    if n is not None:
        same_length("values", values, "n", n)
        if sigma is None:
            raise RefusedArgument("sigma", 'is missing: with "n" it is the spread of one evaluation.')
    reason: Reason | None = None
    if target is None or sigma is None:
        own = xmr(values)
        reason = own["reason"] if sigma is None else _too_few(values)
        target = own["center"] if target is None else target
        sigma = own["mr_bar"] / MEAN_RANGE_OF_TWO if sigma is None and own["mr_bar"] else sigma
    z = _smoothed(values, lam, target or 0.0)
    chart: Ewma = {
        "z": z,
        "target": target,
        "sigma": sigma,
        "ucl": None,
        "lcl": None,
        "ucl_each": [],
        "lcl_each": [],
        "signals_1based": [],
        "reason": reason,
    }
    if reason is None and target is not None and sigma is not None:
        shares = _spread_of_z(len(values), lam, steady, n)
        chart["ucl_each"] = [target + L * sigma * share for share in shares]
        chart["lcl_each"] = [target - L * sigma * share for share in shares]
        last = shares[-1] if shares else math.sqrt(lam / (2 - lam))
        chart.update({"ucl": target + L * sigma * last, "lcl": target - L * sigma * last})
        chart["signals_1based"] = _outside(z, chart["lcl_each"], chart["ucl_each"])
    return chart


def _smoothed(values: list[float], lam: float, start: float) -> list[float]:
    found, level = [], start
    for value in values:
        level = lam * value + (1 - lam) * level
        found.append(level)
    return found


def _spread_of_z(count: int, lam: float, steady: bool, n: list[int] | None) -> list[float]:
    """Return the standard deviation of z at each point, in sigmas."""
    if n is not None:
        variance, found = 0.0, []
        for one in n:
            variance = (1 - lam) ** 2 * variance + lam**2 / one
            found.append(math.sqrt(variance))
        return found
    full = math.sqrt(lam / (2 - lam))
    if steady:
        return [full] * count
    return [full * math.sqrt(1 - (1 - lam) ** (2 * t)) for t in range(1, count + 1)]


def p_chart(defects: list[Count], n: list[FromOne], baseline: Baseline | None = None) -> PChart:
    """Shares defects/n with limits p̄ ± 3√(p̄(1 − p̄)/n), cut to 0 and 1."""
    p, center = _shares(defects, n, baseline)
    reason: Reason | None = _too_few(p) or ("no_variation" if center in {0.0, 1.0} else None)
    lcl, ucl = ([], []) if reason or center is None else _share_limits(center, n, 1.0)
    return {
        "center": center,
        "p": p,
        "ucl_first": ucl[0] if ucl else None,
        "lcl_first": lcl[0] if lcl else None,
        "signals_1based": _outside(p, lcl, ucl),
        "ucl": ucl,
        "lcl": lcl,
        "reason": reason,
    }


def laney_p(defects: list[Count], n: list[FromOne], baseline: Baseline | None = None) -> LaneyP:
    """Laney's p′ (2002): limits p̄ ± 3·σ_p·σ_z, where σ_z = mean|Δz|/1.128 is how much days differ.

    For large n, where a plain p-chart cries wolf every week.
    """
    plain = p_chart(defects, n, baseline)
    chart: LaneyP = {
        "center": plain["center"],
        "p": plain["p"],
        "sigma_z": None,
        "ucl": [],
        "lcl": [],
        "signals_laney": [],
        "signals_plain_p": plain["signals_1based"],
        "reason": plain["reason"],
    }
    center = plain["center"]
    if center is None or plain["reason"] is not None:
        return chart
    z = [(p - center) / math.sqrt(center * (1 - center) / one) for p, one in zip(plain["p"], n, strict=True)]
    counted = _baseline(z, baseline)
    sigma_z = chart["sigma_z"] = _mean_step(counted) / MEAN_RANGE_OF_TWO
    if sigma_z == 0:
        chart["reason"] = "no_variation"
        return chart
    chart["lcl"], chart["ucl"] = _share_limits(center, n, sigma_z)
    chart["signals_laney"] = _outside(plain["p"], chart["lcl"], chart["ucl"])
    return chart


def _shares(defects: list[int], n: list[int], baseline: int | None) -> tuple[list[float], float | None]:
    same_length("n", n, "defects", defects)
    for one, of in zip(defects, n, strict=True):
        at_most("defects", one, "n", of)
    p = [one / of for one, of in zip(defects, n, strict=True)]
    counted = len(_baseline(p, baseline))
    return p, sum(defects[:counted]) / sum(n[:counted]) if p else None


def _share_limits(center: float, n: list[int], widened: float) -> tuple[list[float], list[float]]:
    halves = [3 * widened * math.sqrt(center * (1 - center) / one) for one in n]
    return [max(0.0, center - half) for half in halves], [min(1.0, center + half) for half in halves]


def _mean_step(values: list[float]) -> float:
    return mean_of([abs(after - before) for before, after in pairwise(values)])


def _baseline(values: list[float], baseline: int | None) -> list[float]:
    if baseline is None:
        return values
    at_most("baseline", baseline, "the number of points", len(values))
    return values[:baseline]


def _too_few(values: list[float]) -> Reason | None:
    return "fewer_than_eight_points" if len(values) < FEWEST_POINTS else None


def _outside(values: list[float], lcl: list[float], ucl: list[float]) -> list[int]:
    limits = zip(values, lcl, ucl, strict=False)
    return [place for place, (value, low, high) in enumerate(limits, start=1) if not low <= value <= high]
