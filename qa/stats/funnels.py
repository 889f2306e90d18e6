"""Funnels: whose average lies outside what chance alone would give, with few evaluations and with many.

``funnel`` draws the textbook's limits, which hold for scores that spread evenly around their middle. Scores
of calls do not: most are high and a few are very low. ``funnel_by_lot`` therefore deals out the evaluations
that there are to agents by lot, many times, and flags who lies further out than the lot puts anybody.
"""

from __future__ import annotations

import math
import random
from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict

from qa.stats.arguments import Bounds, FromOne, Number, Positive, RefusedArgument
from qa.stats.distributions import two_sided_z
from qa.stats.reasons import Reason
from qa.stats.small_samples import Groups, cut, mean_of

FEWEST_FOR_AN_AVERAGE = 3
MOST_SHOWN = 200
"""Limits are drawn up to this many evaluations; who has more is held against the last, the kinder ones."""

Place = Literal["inside", "below_95", "above_95", "below", "above", "too_few"]


class Funnel(TypedDict):
    """Limits for each n: 95 % and 99.8 % of agents who are all the same lie within."""

    lo95: list[float]
    hi95: list[float]
    lo998: list[float]
    hi998: list[float]


class InFunnel(TypedDict):
    """One agent; ``below`` and ``above`` are outside the 99.8 % limits, the others worth no flag."""

    n: int
    mean: float | None
    place: Place


class FunnelByLot(Funnel):
    """Limits for each n from 3 to the largest there is, and where each agent stands."""

    center: float | None
    n: list[int]
    agents: dict[str, InFunnel]
    seed: int
    draws: int
    reason: Reason | None


def funnel(center: Number, sd: Positive, n: list[FromOne], bounds: Bounds | None = None) -> Funnel:
    """Limits center ± z·sd/√n at 95 % and 99.8 % for averages of n evaluations (Spiegelhalter 2005)."""
    if bounds is not None and not bounds[0] <= center <= bounds[1]:
        raise RefusedArgument("center", 'must lie within "bounds".')
    z95, z998 = two_sided_z(0.95), two_sided_z(0.998)
    spreads = [sd / math.sqrt(one) for one in n]
    return {
        "lo95": [cut(center - z95 * one, bounds) for one in spreads],
        "hi95": [cut(center + z95 * one, bounds) for one in spreads],
        "lo998": [cut(center - z998 * one, bounds) for one in spreads],
        "hi998": [cut(center + z998 * one, bounds) for one in spreads],
    }


def funnel_by_lot(
    groups: Groups,
    seed: Annotated[int, Field(ge=0, le=2**63 - 1)],
    draws: Annotated[int, Field(ge=2000, le=100_000)] = 10_000,
) -> FunnelByLot:
    """Who lies outside what dealing out these very evaluations by lot would give.

    When agents are all the same, an agent is ``below`` or ``above`` with a chance of at most 1 in 500,
    whatever the shape of the scores (a permutation test in each tail). Agents with fewer than 3 evaluations
    count in the lot and are not judged; more than 200 are judged by the limits of 200, which are wider.
    """
    pool = [value for agent in sorted(groups) for value in sorted(groups[agent])]
    largest = min(MOST_SHOWN, max(map(len, groups.values()), default=0))
    shown = list(range(FEWEST_FOR_AN_AVERAGE, largest + 1))
    reason = _why_no_limits(groups, pool, shown)
    if reason is not None:
        shown = []
    lots = _lots(pool, largest, draws, seed) if shown else {}
    limits = {n: _limits(lots[n], draws) for n in shown}
    return {
        "center": mean_of(pool) if pool else None,
        "n": shown,
        "lo95": [limits[n][1] for n in shown],
        "hi95": [limits[n][2] for n in shown],
        "lo998": [limits[n][0] for n in shown],
        "hi998": [limits[n][3] for n in shown],
        "agents": {agent: _placed(values, limits) for agent, values in groups.items()},
        "seed": seed,
        "draws": draws,
        "reason": reason,
    }


def _why_no_limits(groups: dict[str, list[float]], pool: list[float], shown: list[int]) -> Reason | None:
    if not pool:
        return "no_values"
    if sum(bool(values) for values in groups.values()) < 2:
        return "one_agent"
    if not shown:
        return "fewer_than_three_each"
    return "no_variation" if min(pool) == max(pool) else None


def _lots(pool: list[float], largest: int, draws: int, seed: int) -> dict[int, list[float]]:
    """Return, for each n, the sorted averages of n evaluations dealt by lot: the first n of each deal."""
    source = random.Random(seed)  # noqa: S311 - a simulation that must come out the same again
    lots: dict[int, list[float]] = {n: [] for n in range(FEWEST_FOR_AN_AVERAGE, largest + 1)}
    for _ in range(draws):
        total = 0.0
        for n, value in enumerate(source.sample(pool, largest), start=1):
            total += value
            if n >= FEWEST_FOR_AN_AVERAGE:
                lots[n].append(total / n)
    for averages in lots.values():
        averages.sort()
    return lots


def _limits(averages: list[float], draws: int) -> tuple[float, float, float, float]:
    """Return the 99.8 % and 95 % limits: an average on a limit is inside.

    Beyond the limit lie at most α(draws + 1) − 1 lots, so that the agent's own average, counted among them,
    is one of at most α of all: what makes the test exact.
    """
    far, near = math.floor(0.001 * (draws + 1)) - 1, math.floor(0.025 * (draws + 1)) - 1
    return averages[far], averages[near], averages[-near - 1], averages[-far - 1]


def _placed(values: list[float], limits: dict[int, tuple[float, float, float, float]]) -> InFunnel:
    n = len(values)
    mean = mean_of(values) if n else None
    if mean is None or n < FEWEST_FOR_AN_AVERAGE or not limits:
        return {"n": n, "mean": mean, "place": "too_few"}
    lo998, lo95, hi95, hi998 = limits[min(n, max(limits))]
    # Sums of the same values in another order differ in the last digit; such a difference is none.
    slack = 1e-9 * max(1.0, abs(mean))
    place: Place = "inside"
    if mean < lo95 - slack:
        place = "below" if mean < lo998 - slack else "below_95"
    elif mean > hi95 + slack:
        place = "above" if mean > hi998 + slack else "above_95"
    return {"n": n, "mean": mean, "place": place}
