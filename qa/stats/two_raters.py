"""Two evaluators, or one and the master: kappa of a table, and how many points apart they score."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from qa.stats.arguments import Confidence, Count, Number, RefusedArgument, same_length
from qa.stats.distributions import two_sided_t, two_sided_z
from qa.stats.ratings import Weights, WeightsName, weights_of
from qa.stats.reasons import Reason
from qa.stats.small_samples import mean_of, squares_about_mean

Table = Annotated[list[list[Count]], Field(description="rows: first evaluator, columns: second")]


class Kappa(TypedDict):
    """Kappa with its large-sample standard error, observed and chance agreement."""

    coef: float | None
    se: float | None
    po: float | None
    pe: float | None
    n: int
    reason: Reason | None


class Bias(TypedDict):
    """First minus second: the mean with its range, and between which limits single differences lie."""

    n: int
    bias: float | None
    sd: float | None
    bias_lo: float | None
    bias_hi: float | None
    loa_lo: float | None
    loa_hi: float | None
    reason: Reason | None


def cohen(table: Table, weights: WeightsName = "identity") -> Kappa:
    """Cohen's kappa (1960), or weighted kappa (1968), with the error of Fleiss, Cohen and Everitt (1969)."""
    for place, row in enumerate(table):
        if len(row) != len(table):
            wanted = f"must have as many values as there are rows ({len(table)}), not {len(row)}."
            raise RefusedArgument(f"table[{place}]", wanted)
    n = sum(map(sum, table))
    if n == 0:
        return {"coef": None, "se": None, "po": None, "pe": None, "n": 0, "reason": "no_values"}
    weight = weights_of(weights, [float(place) for place in range(len(table))])
    rows = [sum(row) / n for row in table]
    columns = [sum(column) / n for column in zip(*table, strict=True)]
    places = range(len(table))
    po = math.fsum(weight[i][j] * table[i][j] for i in places for j in places) / n
    pe = math.fsum(weight[i][j] * rows[i] * columns[j] for i in places for j in places)
    if pe >= 1 - 1e-12:
        return {"coef": None, "se": None, "po": po, "pe": 1.0, "n": n, "reason": "no_variation"}
    kappa = (po - pe) / (1 - pe)
    if po == 1:
        return {"coef": 1.0, "se": None, "po": 1.0, "pe": pe, "n": n, "reason": "no_disagreement"}
    se = _error(table, weight, rows, columns, kappa, pe)
    if se == 0:
        return {"coef": kappa, "se": None, "po": po, "pe": pe, "n": n, "reason": "no_variation"}
    return {"coef": kappa, "se": se, "po": po, "pe": pe, "n": n, "reason": None}


def _error(
    table: list[list[int]],
    weight: Weights,
    rows: list[float],
    columns: list[float],
    kappa: float,
    pe: float,
) -> float:
    n, places = sum(map(sum, table)), range(len(table))
    across = [math.fsum(weight[i][j] * columns[j] for j in places) for i in places]
    down = [math.fsum(weight[i][j] * rows[i] for i in places) for j in places]
    spread = math.fsum(
        table[i][j] / n * (weight[i][j] - (across[i] + down[j]) * (1 - kappa)) ** 2
        for i in places
        for j in places
    )
    variance = spread - (kappa - pe * (1 - kappa)) ** 2
    return math.sqrt(variance / n) / (1 - pe) if variance > 1e-15 else 0.0


def bias(a: list[Number], b: list[Number], conf: Confidence = 0.95) -> Bias:
    """How much higher a scores the same calls than b: mean difference and limits (Bland and Altman 1986).

    The limits, bias ± z·sd, say where single differences lie; the range, by t, where the mean one does.
    """
    same_length("a", a, "b", b)
    differences = [one - other for one, other in zip(a, b, strict=True)]
    n = len(differences)
    result: Bias = {
        "n": n,
        "bias": mean_of(differences) if n else None,
        "sd": None,
        "bias_lo": None,
        "bias_hi": None,
        "loa_lo": None,
        "loa_hi": None,
        "reason": "no_pairs" if n == 0 else "one_value" if n == 1 else None,
    }
    if n < 2 or result["bias"] is None:
        return result
    middle, sd = result["bias"], math.sqrt(squares_about_mean(differences) / (n - 1))
    result["sd"] = sd
    if sd == 0:
        result["reason"] = "no_variation"
        return result
    half, wide = two_sided_t(conf, n - 1) * sd / math.sqrt(n), two_sided_z(conf) * sd
    result["bias_lo"], result["bias_hi"] = middle - half, middle + half
    result["loa_lo"], result["loa_hi"] = middle - wide, middle + wide
    return result
