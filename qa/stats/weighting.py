"""Averages of samples whose members had different chances: what the whole list would have come to.

A call picked because something was wrong counts only as often as such calls occur. A plain average over mixed
selections is wrong by many points, and no number of evaluations mends it.
"""

from __future__ import annotations

import math

from pydantic import ConfigDict, with_config
from typing_extensions import TypedDict

from qa.stats.arguments import Chance, Confidence, Count, Number, RefusedArgument, same_length
from qa.stats.distributions import two_sided_t
from qa.stats.reasons import Reason
from qa.stats.small_samples import mean_of, squares_about_mean


@with_config(ConfigDict(strict=True, extra="forbid"))
class Stratum(TypedDict):
    """A part of the list: how many there are, and the scores of those that were evaluated."""

    N: Count
    y: list[Number]


class WeightedMean(TypedDict):
    """An average with standard error, range, and how many equally weighted values it is worth."""

    mean: float | None
    se: float | None
    lo: float | None
    hi: float | None
    n: int
    n_eff: float | None
    reason: Reason | None


class StratifiedMean(TypedDict):
    """An average with standard error and range."""

    mean: float | None
    se: float | None
    lo: float | None
    hi: float | None
    n: int
    reason: Reason | None


def weighted_mean(y: list[Number], pi: list[Chance], conf: Confidence = 0.95) -> WeightedMean:
    """Hájek's mean Σwy/Σw with w = 1/π, for values drawn with known chances π.

    SE² = n/(n − 1) Σ(z − z̄)², z = w(y − ȳ)/Σw; effective n = (Σw)²/Σw². Pool over a team: with a handful of
    values the mean itself is biased.
    """
    same_length("y", y, "pi", pi)
    n = len(y)
    result: WeightedMean = {
        "mean": None,
        "se": None,
        "lo": None,
        "hi": None,
        "n": n,
        "n_eff": None,
        "reason": "no_values" if n == 0 else "one_value" if n == 1 else None,
    }
    if n == 0:
        return result
    weights = [1 / chance for chance in pi]
    total = math.fsum(weights)
    mean = math.fsum(w * one for w, one in zip(weights, y, strict=True)) / total
    result["mean"], result["n_eff"] = mean, total * total / math.fsum(w * w for w in weights)
    if n == 1:
        return result
    z = [w * (one - mean) / total for w, one in zip(weights, y, strict=True)]
    se = result["se"] = 0.0 if min(y) == max(y) else math.sqrt(n / (n - 1) * squares_about_mean(z))
    if se == 0:
        result["reason"] = "no_variation"
        return result
    half = two_sided_t(conf, n - 1) * se
    result["lo"], result["hi"] = mean - half, mean + half
    return result


def stratified_mean(strata: list[Stratum], conf: Confidence = 0.95) -> StratifiedMean:
    """Σ N ȳ / Σ N over the parts of a list, each sampled at random; a part taken whole adds no error.

    SE² = Σ (N/ΣN)² (1 − n/N) s²/n, with Satterthwaite's degrees of freedom (Cochran 1977, 5.3 and 5.4).
    """
    for place, stratum in enumerate(strata):
        if len(stratum["y"]) > stratum["N"]:
            problem = f'has more values ({len(stratum["y"])}) than "N" ({stratum["N"]}).'
            raise RefusedArgument(f"strata[{place}].y", problem)
    filled = [stratum for stratum in strata if stratum["N"]]
    result: StratifiedMean = {
        "mean": None,
        "se": None,
        "lo": None,
        "hi": None,
        "n": sum(len(stratum["y"]) for stratum in filled),
        "reason": _why_no_mean(filled),
    }
    if result["reason"] is not None:
        return result
    total = sum(stratum["N"] for stratum in filled)
    mean = result["mean"] = math.fsum(stratum["N"] * mean_of(stratum["y"]) for stratum in filled) / total
    if any(len(stratum["y"]) == 1 < stratum["N"] for stratum in filled):
        result["reason"] = "one_value_in_stratum"
        return result
    parts = [(_variance(stratum, total), len(stratum["y"]) - 1) for stratum in filled]
    se = result["se"] = math.sqrt(math.fsum(variance for variance, _ in parts))
    if se == 0:
        whole = all(len(stratum["y"]) == stratum["N"] for stratum in filled)
        result["reason"] = "all_evaluated" if whole else "no_variation"
        return result
    df = se**4 / math.fsum(variance**2 / df for variance, df in parts if variance)
    half = two_sided_t(conf, df) * se
    result["lo"], result["hi"] = mean - half, mean + half
    return result


def _why_no_mean(filled: list[Stratum]) -> Reason | None:
    if not filled:
        return "no_values"
    return None if all(stratum["y"] for stratum in filled) else "stratum_not_sampled"


def _variance(stratum: Stratum, total: int) -> float:
    n, size = len(stratum["y"]), stratum["N"]
    if n in {1, size}:
        return 0.0
    spread = squares_about_mean(stratum["y"]) / (n - 1)
    return (size / total) ** 2 * (size - n) / size * spread / n
