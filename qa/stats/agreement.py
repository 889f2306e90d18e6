"""Do evaluators agree: percent agreement, Gwet's AC, kappas and Krippendorff's alpha.

Kappas and alpha collapse where one answer is given nearly always (two evaluators who agree on 19 of 20 calls
may have a kappa of 0), so yes/no questions are judged by AC1, scales by alpha. Without any disagreement a
coefficient has no range: ten equal answers do not prove that the eleventh is.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import Literal

from typing_extensions import TypedDict

from qa.stats.arguments import Confidence, RefusedArgument
from qa.stats.distributions import two_sided_t, two_sided_z
from qa.stats.ratings import (
    Categories,
    Ratings,
    Value,
    Weights,
    WeightsName,
    categories_of,
    checked,
    counts,
    weights_of,
)
from qa.stats.reasons import Reason
from qa.stats.small_samples import mean_of, squares_about_mean, wilson_limits

Level = Literal["nominal", "ordinal", "interval", "ratio"]
MOST_STEPS = 5_000_000
"""Of a jackknife at ratio level, whose cost grows with the square of the values."""


class Agreement(TypedDict):
    """A coefficient, observed and chance agreement, and the coefficient's range over interactions."""

    coef: float | None
    pa: float | None
    pe: float | None
    se: float | None
    lo: float | None
    hi: float | None
    n: int
    reason: Reason | None


class Coefficient(TypedDict):
    """A coefficient with observed and chance agreement."""

    coef: float | None
    pa: float | None
    pe: float | None
    reason: Reason | None


class PercentAgreement(TypedDict):
    """Share of pairs of evaluators who gave the same answer, averaged over interactions."""

    value: float | None
    lo: float | None
    hi: float | None
    n: int
    same_pairs: int
    pairs: int
    reason: Reason | None


class Alpha(TypedDict):
    """Krippendorff's alpha with its range by the jackknife over interactions."""

    alpha: float | None
    se: float | None
    lo: float | None
    hi: float | None
    n: int
    reason: Reason | None


def percent_agreement(
    ratings: Ratings, categories: Categories | None = None, conf: Confidence = 0.95
) -> PercentAgreement:
    """How often two evaluators of one interaction gave the same answer; Wilson's range over interactions."""
    table = counts(checked(ratings), categories_of(ratings, categories))
    pairs = sum(math.comb(sum(row), 2) for row in table)
    same = sum(math.comb(one, 2) for row in table for one in row)
    shares = [_observed_of(row, None) for row in table if sum(row) > 1]
    result: PercentAgreement = {
        "value": None,
        "lo": None,
        "hi": None,
        "n": len(shares),
        "same_pairs": same,
        "pairs": pairs,
        "reason": None if shares else "no_pairs",
    }
    if shares:
        n = len(shares)
        result["value"] = mean_of(shares)
        result["lo"], result["hi"] = wilson_limits(min(float(n), math.fsum(shares)), n, two_sided_z(conf))
    return result


def _observed_of(row: list[int], weights: Weights | None) -> float:
    """Return the share of pairs of one interaction that agree, in part where weights say so."""
    r = sum(row)
    if weights is None:
        return sum(one * (one - 1) for one in row) / (r * (r - 1))
    weighted = [math.fsum(w * n for w, n in zip(line, row, strict=True)) for line in weights]
    return math.fsum(n * (w - 1) for n, w in zip(row, weighted, strict=True)) / (r * (r - 1))


def gwet_ac(
    ratings: Ratings,
    categories: Categories | None = None,
    weights: WeightsName = "identity",
    conf: Confidence = 0.95,
) -> Agreement:
    """Gwet's AC1, or AC2 with weights, with the linearised standard error and t(n − 1) (Gwet 2014).

    Declare the categories: those that nobody chose lower the agreement by chance.
    """
    names = categories_of(checked(ratings), categories)
    table, weight = counts(ratings, names), weights_of(weights, names)
    observed = [_observed_of(row, weight) if sum(row) > 1 else None for row in table]
    paired = [share for share in observed if share is not None]
    result: Agreement = {
        "coef": None,
        "pa": mean_of(paired) if paired else None,
        "pe": None,
        "se": None,
        "lo": None,
        "hi": None,
        "n": len(table),
        "reason": "no_pairs" if not paired else "one_category" if len(names) < 2 else None,
    }
    if result["pa"] is None or len(names) < 2:
        return result
    shares = _shares_of_categories(table)
    scale = math.fsum(map(math.fsum, weight)) / (len(names) * (len(names) - 1))
    pe = result["pe"] = scale * math.fsum(share * (1 - share) for share in shares)
    coef = result["coef"] = (result["pa"] - pe) / (1 - pe)
    if len(paired) == paired.count(1.0):
        result["reason"] = "no_disagreement"
    elif len(table) < 2:
        result["reason"] = "one_interaction"
    else:
        chance = [scale * _mean_of_row(row, [1 - share for share in shares]) for row in table]
        se = result["se"] = _linearised(observed, chance, pe, coef)
        half = two_sided_t(conf, len(table) - 1) * se
        result["lo"], result["hi"] = coef - half, min(1.0, coef + half)
    return result


def _shares_of_categories(table: list[list[int]]) -> list[float]:
    return [mean_of([row[k] / sum(row) for row in table]) for k in range(len(table[0]))]


def _mean_of_row(row: list[int], values: list[float]) -> float:
    return math.fsum(n * value for n, value in zip(row, values, strict=True)) / sum(row)


def _linearised(observed: list[float | None], chance: list[float], pe: float, coef: float) -> float:
    """Return Gwet's standard error: each interaction's own coefficient, less its part in the chance term."""
    n = len(observed)
    scale = n / sum(share is not None for share in observed)
    own = [0.0 if share is None else scale * (share - pe) / (1 - pe) for share in observed]
    linear = [
        one - 2 * (1 - coef) * (expected - pe) / (1 - pe) for one, expected in zip(own, chance, strict=True)
    ]
    return math.sqrt(math.fsum((one - coef) ** 2 for one in linear) / (n * (n - 1)))


def fleiss(ratings: Ratings, categories: Categories | None = None) -> Coefficient:
    """Fleiss' kappa (1971) for any number of evaluators, some of whom may be missing."""
    table = counts(checked(ratings), categories_of(ratings, categories))
    paired = [_observed_of(row, None) for row in table if sum(row) > 1]
    if not paired:
        return {"coef": None, "pa": None, "pe": None, "reason": "no_pairs"}
    pe = math.fsum(share * share for share in _shares_of_categories(table))
    return _beyond_chance(mean_of(paired), pe)


def conger(ratings: Ratings, categories: Categories | None = None) -> Coefficient:
    """Conger's kappa (1980): as Fleiss', with each evaluator's own habit in the chance term."""
    names = categories_of(checked(ratings), categories)
    paired = [_observed_of(row, None) for row in counts(ratings, names) if sum(row) > 1]
    if not paired:
        return {"coef": None, "pa": None, "pe": None, "reason": "no_pairs"}
    habits = [habit for habit in map(_habit, zip(*ratings, strict=True)) if habit]
    r = len(habits)
    pe = 0.0
    for name in names:
        own = [habit.get(name, 0.0) for habit in habits]
        mean = mean_of(own)
        variance = (math.fsum(one * one for one in own) - r * mean * mean) / (r - 1)
        pe += mean * mean - variance / r
    return _beyond_chance(mean_of(paired), pe)


def _habit(answers: tuple[Value | None, ...]) -> dict[Value, float]:
    """Return how often one evaluator gives each answer."""
    given = [answer for answer in answers if answer is not None]
    return {answer: n / len(given) for answer, n in Counter(given).items()}


def _beyond_chance(pa: float, pe: float) -> Coefficient:
    if pe >= 1 - 1e-12:
        return {"coef": None, "pa": pa, "pe": 1.0, "reason": "no_variation"}
    return {"coef": (pa - pe) / (1 - pe), "pa": pa, "pe": pe, "reason": None}


def alpha(ratings: Ratings, level: Level = "nominal", conf: Confidence = 0.95) -> Alpha:
    """Krippendorff's alpha; "ordinal" is Krippendorff's metric, not Gwet's weights.

    Interactions that one evaluator rated are left out. The range is that of the jackknife over interactions.
    """
    units = [[value for value in row if value is not None] for row in checked(ratings)]
    units = [unit for unit in units if len(unit) > 1]
    _check_level(units, level)
    found = _alpha(units, level)
    result: Alpha = {"alpha": found, "se": None, "lo": None, "hi": None, "n": len(units), "reason": None}
    if found is None:
        result["reason"] = "no_variation" if units else "no_pairs"
    else:
        result["reason"] = _add_jackknife(result, found, units, level, conf)
    return result


def _check_level(units: list[list[Value]], level: Level) -> None:
    values = [value for unit in units for value in unit]
    if level != "nominal" and any(isinstance(value, str) for value in values):
        raise RefusedArgument("level", f'"{level}" needs numbers; texts have the level "nominal".')
    if level == "ratio" and any(not isinstance(value, str) and value < 0 for value in values):
        raise RefusedArgument("ratings", 'must not be negative at level "ratio".')


def _alpha(units: list[list[Value]], level: Level) -> float | None:
    """Return 1 − observed / expected disagreement; None when nothing differs or nothing is paired."""
    tally = Counter(value for unit in units for value in unit)
    if len(tally) < 2:
        return None
    total = sum(tally.values())
    scores = _scores(tally, level)
    observed = math.fsum(_disagreement(Counter(unit), scores, level) / (len(unit) - 1) for unit in units)
    return 1 - (total - 1) * observed / _disagreement(tally, scores, level)


def _scores(tally: Counter[Value], level: Level) -> dict[Value, float]:
    """Return what values are apart by: themselves, or at ordinal level the middle of their ranks."""
    if level == "nominal":
        return {}
    scores, below = {}, 0.0
    for value in sorted(tally, key=float):
        scores[value] = below + tally[value] / 2 if level == "ordinal" else float(value)
        below += tally[value]
    return scores


def _disagreement(tally: Counter[Value], scores: dict[Value, float], level: Level) -> float:
    """Return Σ δ² over all ordered pairs of these values."""
    total = sum(tally.values())
    if level == "nominal":
        return float(total * total - sum(n * n for n in tally.values()))
    if level == "ratio":
        return math.fsum(
            n * m * _ratio(scores[one], scores[other])
            for one, n in tally.items()
            for other, m in tally.items()
        )
    if len(tally) < 2:
        return 0.0
    mean = math.fsum(n * scores[value] for value, n in tally.items()) / total
    return 2 * total * math.fsum(n * (scores[value] - mean) ** 2 for value, n in tally.items())


def _ratio(one: float, other: float) -> float:
    return ((one - other) / (one + other)) ** 2 if one + other else 0.0


def _add_jackknife(
    result: Alpha, found: float, units: list[list[Value]], level: Level, conf: float
) -> Reason | None:
    if len(units) < 2:
        return "one_interaction"
    values = len({value for unit in units for value in unit})
    if level == "ratio" and len(units) * values**2 > MOST_STEPS:
        return "too_many_values"
    left = [_alpha(units[:place] + units[place + 1 :], level) for place in range(len(units))]
    known = [one for one in left if one is not None]
    if len(known) < len(left):
        return "one_interaction_decides"
    n = len(known)
    se = math.sqrt((n - 1) / n * squares_about_mean(known))
    if se == 0:
        return "no_disagreement" if found == 1 else "no_variation"
    half = two_sided_t(conf, n - 1) * se
    result["se"], result["lo"], result["hi"] = se, found - half, min(1.0, found + half)
    return None
