"""Averages and shares from few evaluations, each with the range in which the truth probably lies.

A range needs spread: from one value, or from values that are all equal, it is None with a reason.
"""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import BeforeValidator, Field
from typing_extensions import TypedDict

from qa.stats.arguments import (
    Bounds,
    Confidence,
    Count,
    FromOne,
    Number,
    OpenShare,
    Positive,
    RefusedArgument,
    Share,
    at_most,
    whole,
)
from qa.stats.distributions import normal_quantile, two_sided_t, two_sided_z
from qa.stats.reasons import Reason

SCORE_BOUNDS = (0.0, 100.0)
TELLING_SPREAD_N = 8
"""From this many values an agent's own spread says something beside the pooled one."""


class ShareRange(TypedDict):
    """A share between 0 and 1 with its range."""

    n: int
    p: float | None
    lo: float | None
    hi: float | None
    reason: Reason | None


class Difference(TypedDict):
    """First share minus second, with its range."""

    diff: float | None
    lo: float | None
    hi: float | None
    reason: Reason | None


class MeanRange(TypedDict):
    """An average with its range; ``sd`` is that of the values."""

    n: int
    mean: float | None
    sd: float | None
    lo: float | None
    hi: float | None
    reason: Reason | None


class AgentRange(TypedDict):
    """One agent's average with the range by the pooled spread, and the agent's own spread beside it."""

    n: int
    mean: float | None
    lo: float | None
    hi: float | None
    own_sd: float | None
    spread_differs: bool
    reason: Reason | None


class PooledRanges(TypedDict):
    """Every agent's average, with one spread for all of them."""

    pooled_sd: float | None
    df: int
    bounds: list[float] | None
    agents: dict[str, AgentRange]
    reason: Reason | None


class Factor(TypedDict):
    """What a range shrinks by."""

    factor: float


class NeededPerPeriod(TypedDict):
    """Evaluations needed in each of two periods."""

    n_per_period: int


class Needed(TypedDict):
    """How many are needed."""

    n: int


class Change(TypedDict):
    """A change in points."""

    change: float


class Places(TypedDict):
    """Equally likely places for a true average, lowest first."""

    places: list[float]


def mean_of(values: list[float]) -> float:
    """Return the plain average; exact whatever the order."""
    return math.fsum(values) / len(values)


def squares_about_mean(values: list[float]) -> float:
    """Return Σ(x − x̄)²; exactly 0 when all values are equal."""
    if not values or min(values) == max(values):
        return 0.0
    mean = mean_of(values)
    return math.fsum((value - mean) ** 2 for value in values)


def cut(value: float, bounds: list[float] | None) -> float:
    """Return the value, or the bound that it oversteps."""
    return value if bounds is None else min(max(value, bounds[0]), bounds[1])


def wilson(k: Count, n: Count, conf: Confidence = 0.95) -> ShareRange:
    """Range of a share from k of n, by Wilson's score interval (1927). Nothing of nothing has none."""
    at_most("k", k, "n", n)
    if n == 0:
        return {"n": 0, "p": None, "lo": None, "hi": None, "reason": "no_values"}
    lo, hi = wilson_limits(k, n, two_sided_z(conf))
    return {"n": n, "p": k / n, "lo": lo, "hi": hi, "reason": None}


def wilson_limits(k: float, n: float, z: float) -> tuple[float, float]:
    """Return the limits for k of n > 0; k need not be whole, as a mean of shares is not."""
    square = z * z
    middle = (k + square / 2) / (n + square)
    half = z / (n + square) * math.sqrt(k * (n - k) / n + square / 4)
    return 0.0 if k == 0 else max(0.0, middle - half), 1.0 if k == n else min(1.0, middle + half)


def diff_proportions(k1: Count, n1: Count, k2: Count, n2: Count, conf: Confidence = 0.95) -> Difference:
    """First share minus second, by Newcombe's square-and-add of two Wilson ranges (1998, method 10)."""
    at_most("k1", k1, "n1", n1)
    at_most("k2", k2, "n2", n2)
    one, two = wilson(k1, n1, conf), wilson(k2, n2, conf)
    if one["p"] is None or two["p"] is None:
        return {"diff": None, "lo": None, "hi": None, "reason": "no_values"}
    diff = one["p"] - two["p"]
    down = math.hypot(below(one), above(two))
    up = math.hypot(above(one), below(two))
    return {"diff": diff, "lo": max(-1.0, diff - down), "hi": min(1.0, diff + up), "reason": None}


def below(share: ShareRange) -> float:
    """Return how far a share's range reaches below it; 0 without a range."""
    return 0.0 if share["p"] is None or share["lo"] is None else share["p"] - share["lo"]


def above(share: ShareRange) -> float:
    """Return how far a share's range reaches above it; 0 without a range."""
    return 0.0 if share["p"] is None or share["hi"] is None else share["hi"] - share["p"]


def mean_t(values: list[Number], conf: Confidence = 0.95) -> MeanRange:
    """Average of values with Student's range from their own spread."""
    n = len(values)
    if n == 0:
        return {"n": 0, "mean": None, "sd": None, "lo": None, "hi": None, "reason": "no_values"}
    mean = mean_of(values)
    if n == 1:
        return {"n": 1, "mean": mean, "sd": None, "lo": None, "hi": None, "reason": "one_value"}
    sd = math.sqrt(squares_about_mean(values) / (n - 1))
    if sd == 0:
        return {"n": n, "mean": mean, "sd": 0.0, "lo": None, "hi": None, "reason": "no_variation"}
    half = two_sided_t(conf, n - 1) * sd / math.sqrt(n)
    return {"n": n, "mean": mean, "sd": sd, "lo": mean - half, "hi": mean + half, "reason": None}


def pooled_sd(groups: dict[str, list[Number]]) -> tuple[float | None, int]:
    """Return the within-agent standard deviation over all agents, and its degrees of freedom."""
    df = sum(len(values) - 1 for values in groups.values() if values)
    if df == 0:
        return None, 0
    return math.sqrt(math.fsum(squares_about_mean(values) for values in groups.values()) / df), df


Groups = Annotated[dict[str, list[Number]], Field(description="values by agent")]


def mean_pooled(
    groups: Groups,
    conf: Confidence = 0.95,
    bounds: Bounds | None = None,
    frame_sizes: dict[str, FromOne] | None = None,
) -> PooledRanges:
    """Every agent's average with a range from the spread of all agents together.

    With 3 to 5 evaluations an agent's own spread is itself a guess; the pooled one holds 95 %. Ranges are cut
    to ``bounds``: as given, else 0 to 100 when all values lie there. ``frame_sizes`` says of how many
    interactions the values were drawn, and narrows the range by √(1 − n/N).
    """
    limits = _bounds(groups, bounds)
    sizes = _frame_sizes(groups, frame_sizes)
    sd, df = pooled_sd(groups)
    t = two_sided_t(conf, df) if df else math.nan
    reason = _no_spread(groups, sd)
    agents: dict[str, AgentRange] = {}
    for agent, values in groups.items():
        n = len(values)
        own = math.sqrt(squares_about_mean(values) / (n - 1)) if n > 1 else None
        mean = mean_of(values) if n else None
        ranged: AgentRange = {
            "n": n,
            "mean": mean,
            "lo": None,
            "hi": None,
            "own_sd": own,
            "spread_differs": _differs(own, sd, n),
            "reason": reason if n else "no_values",
        }
        if mean is not None and sd:
            half = t * sd / math.sqrt(n) * (fpc(n, sizes[agent])["factor"] if agent in sizes else 1.0)
            ranged["lo"], ranged["hi"] = cut(mean - half, limits), cut(mean + half, limits)
            if half == 0:
                ranged.update({"lo": None, "hi": None, "reason": "all_evaluated"})
        agents[agent] = ranged
    return {"pooled_sd": sd, "df": df, "bounds": limits, "agents": agents, "reason": reason}


def _no_spread(groups: dict[str, list[float]], sd: float | None) -> Reason | None:
    if sd is None:
        return "one_value_each" if any(groups.values()) else "no_values"
    return "no_variation" if sd == 0 else None


def _bounds(groups: dict[str, list[float]], bounds: list[float] | None) -> list[float] | None:
    found = [value for values in groups.values() for value in values]
    low, high = (min(found), max(found)) if found else (0.0, 0.0)
    if bounds is None:
        scores = SCORE_BOUNDS[0] <= low and high <= SCORE_BOUNDS[1]
        return list(SCORE_BOUNDS) if scores else None
    if bounds[0] >= bounds[1]:
        raise RefusedArgument("bounds", "must be the lowest and the highest possible value, in this order.")
    if low < bounds[0] or high > bounds[1]:
        raise RefusedArgument("groups", 'has a value outside "bounds".')
    return bounds


def _frame_sizes(groups: dict[str, list[float]], sizes: dict[str, int] | None) -> dict[str, int]:
    for agent, size in (sizes or {}).items():
        if agent not in groups:
            raise RefusedArgument("frame_sizes", f'names "{agent}", who has no group.')
        if size < len(groups[agent]):
            raise RefusedArgument("frame_sizes", f'gives "{agent}" {size}, less than the values there are.')
    return sizes or {}


def _differs(own: float | None, pooled: float | None, n: int) -> bool:
    if own is None or not pooled or n < TELLING_SPREAD_N:
        return False
    return own > 2 * pooled or own < pooled / 2


def fpc(n: Count, N: FromOne) -> Factor:
    """What a range shrinks by when n of only N interactions were evaluated: √(1 − n/N)."""
    at_most("n", n, "N", N)
    return {"factor": math.sqrt((N - n) / N)}


def n_to_detect(
    change: Positive, sd: Positive, power: OpenShare = 0.8, alpha: OpenShare = 0.05
) -> NeededPerPeriod:
    """Evaluations needed in each of two periods to see a change: ⌈2 (z₁₋α/₂ + z_power)² sd²/change²⌉."""
    return {"n_per_period": math.ceil(2 * _both_errors(power, alpha) ** 2 * (sd / change) ** 2)}


def detectable_change(
    n_per_period: Annotated[float, Field(allow_inf_nan=False, ge=1, le=1e15)],
    sd: Positive,
    power: OpenShare = 0.8,
    alpha: OpenShare = 0.05,
) -> Change:
    """The smallest change between two periods that so many evaluations in each would show."""
    return {"change": math.sqrt(2 / n_per_period) * _both_errors(power, alpha) * sd}


def _both_errors(power: float, alpha: float) -> float:
    if power <= alpha / 2:
        raise RefusedArgument("power", 'must be greater than half of "alpha".')
    return normal_quantile(power) - normal_quantile(alpha / 2)


def n_for_icc(
    k: Annotated[int, Field(ge=2, le=1_000_000), BeforeValidator(whole)],
    rho: Share,
    width: Annotated[float, Field(allow_inf_nan=False, ge=1e-6, le=2)],
    conf: Confidence = 0.95,
) -> Needed:
    """Interactions that k evaluators must all score for an ICC of rho with a range of this width.

    Bonett (2002), equation 3, without the small correction for two evaluators.
    """
    z = two_sided_z(conf)
    spread = 8 * z**2 * (1 - rho) ** 2 * (1 + (k - 1) * rho) ** 2
    return {"n": math.ceil(spread / (k * (k - 1) * width**2) + 1)}


def likely_places(
    lo: Number,
    hi: Number,
    conf: Confidence = 0.95,
    count: Annotated[int, Field(ge=1, le=100), BeforeValidator(whole)] = 20,
    bounds: Bounds | None = None,
) -> Places:
    """So many equally likely places for a true average whose range is lo to hi, to be drawn as dots.

    Counting how many of twenty lie below a mark is easier than reading a curve.
    """
    if lo > hi:
        raise RefusedArgument("lo", f'must be at most "hi" ({hi:g}), not {lo:g}.')
    middle, spread = (lo + hi) / 2, (hi - lo) / 2 / two_sided_z(conf)
    shares = [(place - 0.5) / count for place in range(1, count + 1)]
    return {"places": [cut(middle + spread * normal_quantile(share), bounds) for share in shares]}
