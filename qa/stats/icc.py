"""Intraclass correlations of total scores (Shrout and Fleiss 1979), for evaluators who all scored all calls.

ICC2_1 is absolute agreement of one evaluator, ICC2_k of the panel's mean. ICC3 forgives severity: it is for
when severity was taken out on purpose.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from qa.stats.arguments import Confidence, Number, RefusedArgument
from qa.stats.distributions import f_upper
from qa.stats.reasons import Reason
from qa.stats.small_samples import mean_of

Matrix = Annotated[list[list[Number]], Field(description="a row for each interaction, no value missing")]
Interval = list[float] | None


class Icc(TypedDict):
    """Six coefficients, and their ranges as [lowest, highest]."""

    ICC1_1: float | None
    ICC2_1: float | None
    ICC3_1: float | None
    ICC1_k: float | None
    ICC2_k: float | None
    ICC3_k: float | None
    ICC1_1_ci: list[float] | None
    ICC1_k_ci: list[float] | None
    ICC2_1_ci: list[float] | None
    ICC2_k_ci: list[float] | None
    ICC3_1_ci: list[float] | None
    ICC3_k_ci: list[float] | None
    n: int
    k: int
    reason: Reason | None


@dataclass(frozen=True, slots=True)
class _Squares:
    """Mean squares of n interactions by k evaluators: between, within, evaluators, error."""

    n: int
    k: int
    between: float
    within: float
    evaluators: float
    error: float


def icc(matrix: Matrix, conf: Confidence = 0.95) -> Icc:
    """All six forms with their F-based ranges (Shrout and Fleiss 1979; McGraw and Wong 1996).

    Where evaluators differ so much that calls cannot be told apart, ICC2_k is undefined, not above 1.
    """
    n, k = _shape(matrix)
    result: Icc = {
        "ICC1_1": None,
        "ICC2_1": None,
        "ICC3_1": None,
        "ICC1_k": None,
        "ICC2_k": None,
        "ICC3_k": None,
        "ICC1_1_ci": None,
        "ICC1_k_ci": None,
        "ICC2_1_ci": None,
        "ICC2_k_ci": None,
        "ICC3_1_ci": None,
        "ICC3_k_ci": None,
        "n": n,
        "k": k,
        "reason": "one_interaction" if n < 2 else "one_evaluator" if k < 2 else None,
    }
    if result["reason"] is not None:
        return result
    s = _squares(matrix, n, k)
    if s.between == 0:
        result["reason"] = "no_variation"
        return result
    _add_coefficients(result, s)
    if s.error == 0:
        result["reason"] = "no_disagreement"
        return result
    _add_ranges(result, s, (1 - conf) / 2)
    return result


def _shape(matrix: list[list[float]]) -> tuple[int, int]:
    for place, row in enumerate(matrix):
        if len(row) != len(matrix[0]):
            wanted = f"must have as many values as the first row ({len(matrix[0])}), not {len(row)}."
            raise RefusedArgument(f"matrix[{place}]", wanted)
    return len(matrix), len(matrix[0]) if matrix else 0


def _squares(matrix: list[list[float]], n: int, k: int) -> _Squares:
    rows = [mean_of(row) for row in matrix]
    columns = [mean_of(list(column)) for column in zip(*matrix, strict=True)]
    grand = mean_of(rows)
    between = k * math.fsum((row - grand) ** 2 for row in rows)
    within = math.fsum((x - row) ** 2 for row, line in zip(rows, matrix, strict=True) for x in line)
    evaluators = n * math.fsum((column - grand) ** 2 for column in columns)
    error = math.fsum(
        (x - row - column + grand) ** 2
        for row, line in zip(rows, matrix, strict=True)
        for column, x in zip(columns, line, strict=True)
    )
    scale = max(1.0, max(abs(x) for line in matrix for x in line)) ** 2 * 1e-24 * n * k
    between, error = (0.0 if one < scale else one for one in (between, error))
    return _Squares(
        n=n,
        k=k,
        between=between / (n - 1),
        within=within / (n * (k - 1)),
        evaluators=evaluators / (k - 1),
        error=error / ((n - 1) * (k - 1)),
    )


def _add_coefficients(result: Icc, s: _Squares) -> None:
    n, k = s.n, s.k
    severity = (s.evaluators - s.error) / n
    result["ICC1_1"] = (s.between - s.within) / (s.between + (k - 1) * s.within)
    result["ICC2_1"] = (s.between - s.error) / (s.between + (k - 1) * s.error + k * severity)
    result["ICC3_1"] = (s.between - s.error) / (s.between + (k - 1) * s.error)
    result["ICC1_k"] = (s.between - s.within) / s.between
    if s.between + severity > 0:
        result["ICC2_k"] = (s.between - s.error) / (s.between + severity)
    else:
        result["reason"] = "no_variation"
    result["ICC3_k"] = (s.between - s.error) / s.between


def _add_ranges(result: Icc, s: _Squares, tail: float) -> None:
    n, k = s.n, s.k
    result["ICC1_1_ci"], result["ICC1_k_ci"] = _by_f(s.between / s.within, n - 1, n * (k - 1), k, tail)
    result["ICC3_1_ci"], result["ICC3_k_ci"] = _by_f(s.between / s.error, n - 1, (n - 1) * (k - 1), k, tail)
    single = result["ICC2_1_ci"] = _of_two_way(result["ICC2_1"] or 0.0, s, tail)
    if 1 + (k - 1) * single[0] > 0 and result["ICC2_k"] is not None:
        result["ICC2_k_ci"] = [k * one / (1 + (k - 1) * one) for one in single]
    else:
        result["reason"] = "no_variation"


def _by_f(f: float, df1: float, df2: float, k: int, tail: float) -> tuple[Interval, Interval]:
    low, high = f / f_upper(tail, df1, df2), f * f_upper(tail, df2, df1)
    single = [(low - 1) / (low + k - 1), (high - 1) / (high + k - 1)]
    return single, [1 - 1 / low, 1 - 1 / high]


def _of_two_way(rho: float, s: _Squares, tail: float) -> list[float]:
    """Return the range of ICC2_1, with Satterthwaite's degrees of freedom for evaluators drawn by chance."""
    n, k = s.n, s.k
    a, b = k * rho * s.evaluators / s.error, n * (1 + (k - 1) * rho) - k * rho
    df = (k - 1) * (n - 1) * (a + b) ** 2 / ((n - 1) * a * a + b * b)
    rest = k * s.evaluators + (k * n - k - n) * s.error
    up, down = f_upper(tail, n - 1, df), f_upper(tail, df, n - 1)
    low = n * (s.between - up * s.error) / (up * rest + n * s.between)
    high = n * (down * s.between - s.error) / (rest + n * down * s.between)
    return [low, high]
