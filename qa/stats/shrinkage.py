"""Best guesses: averages of few evaluations, led towards the average of all by how little they say alone.

An agent's few calls are partly the agent and partly luck; the reliability is the share that is the agent.
"""

from __future__ import annotations

import math
import random
from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict

from qa.stats.arguments import (
    Confidence,
    FromOne,
    NotNegative,
    Number,
    Positive,
    RefusedArgument,
    Share,
    same_length,
)
from qa.stats.distributions import normal_cdf, two_sided_z
from qa.stats.reasons import Reason
from qa.stats.small_samples import Groups, mean_of, pooled_sd


class Shrunken(TypedDict):
    """The grand mean, the share of each deviation that is kept, and the estimates in the order given."""

    grand: float | None
    factor: float | None
    estimates: list[float]
    reason: Reason | None


class RandomEffects(TypedDict):
    """Variance between studies, their mean with its standard error and range, and Cochran's Q."""

    tau2: float | None
    mu: float | None
    se: float | None
    lo: float | None
    hi: float | None
    Q: float | None
    reason: Reason | None


class Components(TypedDict):
    """How much scores vary within an agent and between agents, and the mean of all agents."""

    sigma2_within: float | None
    tau2_between: float | None
    mu: float | None
    mu_variance: float | None
    reason: Reason | None


class BestGuess(TypedDict):
    """One agent: what was seen, how reliable it is, and the best guess with its range."""

    n: int
    raw: float | None
    reliability: float | None
    shrunk: float | None
    lo: float | None
    hi: float | None


class BestGuesses(Components):
    """The components and every agent's best guess."""

    agents: dict[str, BestGuess]


class ExpectedRanks(TypedDict):
    """Expected rank by agent; 1 is the highest average."""

    expected_rank: dict[str, float]
    reason: Reason | None


class RankRange(TypedDict):
    """Somewhere between ``lo`` and ``hi``."""

    lo: int
    hi: int


class RankRanges(TypedDict):
    """Rank range by agent; 1 is the highest average."""

    rank_range: dict[str, RankRange]
    seed: int
    draws: int
    reason: Reason | None


def james_stein(
    means: list[Share],
    n: Annotated[FromOne, Field(description="trials behind each mean")],
    kind: Literal["proportion"] = "proportion",
) -> Shrunken:
    """Shares from n trials each, shrunk towards their mean (Efron and Morris 1977).

    factor = 1 − (k − 3) p̄(1 − p̄)/n / Σ(p − p̄)², at least 0; it needs four shares.
    """
    if not means:
        return {"grand": None, "factor": None, "estimates": [], "reason": "no_values"}
    grand = mean_of(means)
    if len(means) < 4:
        return {"grand": grand, "factor": None, "estimates": [], "reason": "fewer_than_four"}
    squares = math.fsum((mean - grand) ** 2 for mean in means) if min(means) != max(means) else 0.0
    noise = (len(means) - 3) * grand * (1 - grand) / n
    factor = max(0.0, 1 - noise / squares) if squares > 0 else 0.0
    estimates = [grand + factor * (mean - grand) for mean in means]
    return {"grand": grand, "factor": factor, "estimates": estimates, "reason": None}


def random_effects(y: list[Number], v: list[Positive], conf: Confidence = 0.95) -> RandomEffects:
    """Estimates y with variances v as one, by DerSimonian and Laird (1986)."""
    same_length("y", y, "v", v)
    if not y:
        return {
            "tau2": None,
            "mu": None,
            "se": None,
            "lo": None,
            "hi": None,
            "Q": None,
            "reason": "no_values",
        }
    q, tau2 = _derivation(y, v)
    weights = [1 / (one + (tau2 or 0.0)) for one in v]
    total = math.fsum(weights)
    mu = math.fsum(w * one for w, one in zip(weights, y, strict=True)) / total
    se = math.sqrt(1 / total)
    half = two_sided_z(conf) * se
    reason: Reason | None = "one_value" if tau2 is None else None
    return {"tau2": tau2, "mu": mu, "se": se, "lo": mu - half, "hi": mu + half, "Q": q, "reason": reason}


def _derivation(y: list[float], v: list[float]) -> tuple[float, float | None]:
    """Return Q and tau²; tau² is None for a single estimate."""
    weights = [1 / one for one in v]
    total = math.fsum(weights)
    fixed = math.fsum(w * one for w, one in zip(weights, y, strict=True)) / total
    q = math.fsum(w * (one - fixed) ** 2 for w, one in zip(weights, y, strict=True))
    # Σw − Σw²/Σw as a sum of parts ≥ 0: the difference itself may round to nought or below.
    scale = math.fsum(w * (1 - w / total) for w in weights)
    if len(y) < 2 or scale <= 0:
        return (0.0 if len(y) < 2 else q), None
    return q, max(0.0, (q - (len(y) - 1)) / scale)


def variance_components(groups: Groups) -> Components:
    """Variance within and between agents by moments, and the weighted mean of all agents.

    Taken over some months they are far steadier than from one; hand them to ``empirical_bayes`` then.
    """
    filled = {agent: values for agent, values in groups.items() if values}
    sd, _ = pooled_sd(filled)
    nothing: Components = {
        "sigma2_within": None,
        "tau2_between": None,
        "mu": None,
        "mu_variance": None,
        "reason": "no_values" if not filled else "one_value_each",
    }
    if sd is None:
        return nothing
    within = sd * sd
    if len(filled) < 2:
        mu, _ = _weighted_mean(filled, within, 0.0)
        return {**nothing, "sigma2_within": within, "mu": mu, "reason": "one_agent"}
    between = _between(filled, within)
    mu, variance = _weighted_mean(filled, within, between)
    return {
        "sigma2_within": within,
        "tau2_between": between,
        "mu": mu,
        "mu_variance": variance,
        "reason": "no_variation" if within == 0 else None,
    }


def _between(groups: dict[str, list[float]], within: float) -> float:
    k, total = len(groups), sum(map(len, groups.values()))
    means = {agent: mean_of(values) for agent, values in groups.items()}
    grand = mean_of([value for values in groups.values() for value in values])
    squares = math.fsum(len(values) * (means[agent] - grand) ** 2 for agent, values in groups.items())
    n0 = (total - sum(len(values) ** 2 for values in groups.values()) / total) / (k - 1)
    return max(0.0, (squares / (k - 1) - within) / n0)


def _weighted_mean(groups: dict[str, list[float]], within: float, between: float) -> tuple[float, float]:
    """Return the generalised-least-squares mean of all agents and its variance."""
    if within + between == 0:
        return mean_of([mean_of(values) for values in groups.values()]), 0.0
    weights = {agent: 1 / (between + within / len(values)) for agent, values in groups.items()}
    total = math.fsum(weights.values())
    return math.fsum(weights[agent] * mean_of(values) for agent, values in groups.items()) / total, 1 / total


def empirical_bayes(
    groups: Groups,
    conf: Confidence = 0.95,
    sigma2_within: NotNegative | None = None,
    tau2_between: NotNegative | None = None,
) -> BestGuesses:
    """Every agent's best guess μ + B(x̄ − μ), where the reliability B = τ²/(τ² + σ²/n).

    Without given components they come from these very values; from one month the ranges are then too narrow.
    """
    found = _components(groups, sigma2_within, tau2_between)
    agents = {agent: _guess(values, found, conf) for agent, values in groups.items()}
    return {**found, "agents": agents}


def _components(groups: dict[str, list[float]], within: float | None, between: float | None) -> Components:
    if (within is None) != (between is None):
        missing = "sigma2_within" if within is None else "tau2_between"
        raise RefusedArgument(missing, "is missing: give both components or neither.")
    if within is None or between is None:
        return variance_components(groups)
    filled = {agent: values for agent, values in groups.items() if values}
    if not filled:
        return {**variance_components({}), "sigma2_within": within, "tau2_between": between}
    mu, variance = _weighted_mean(filled, within, between)
    reason: Reason | None = "no_variation" if within == 0 else None
    return {
        "sigma2_within": within,
        "tau2_between": between,
        "mu": mu,
        "mu_variance": variance,
        "reason": reason,
    }


def _guess(values: list[float], found: Components, conf: float) -> BestGuess:
    n = len(values)
    guess: BestGuess = {
        "n": n,
        "raw": mean_of(values) if n else None,
        "reliability": None,
        "shrunk": None,
        "lo": None,
        "hi": None,
    }
    believed = _posterior(values, found)
    if believed is not None:
        reliability, middle, variance = believed
        guess.update({"reliability": reliability, "shrunk": middle})
        if variance > 0:
            half = two_sided_z(conf) * math.sqrt(variance)
            guess.update({"lo": middle - half, "hi": middle + half})
    return guess


def _posterior(values: list[float], found: Components) -> tuple[float, float, float] | None:
    """Return reliability, best guess and its variance; None without components."""
    within, between, mu = found["sigma2_within"], found["tau2_between"], found["mu"]
    mu_variance = found["mu_variance"]
    if within is None or between is None or mu is None or mu_variance is None:
        return None
    n = len(values)
    if n == 0 or between == 0:
        return 0.0, mu, between + mu_variance
    reliability = between / (between + within / n)
    variance = reliability * within / n + (1 - reliability) ** 2 * mu_variance
    return reliability, mu + reliability * (mean_of(values) - mu), variance


def expected_rank(groups: Groups) -> ExpectedRanks:
    """Where each agent probably stands: 1 + Σ P(another's true average is higher), from the best guesses.

    1 is the highest. Agents who cannot be told apart all stand in the middle.
    """
    believed, reason = _all_posteriors(groups)
    ranks = {
        agent: 1 + math.fsum(_above(other, own) for name, other in believed.items() if name != agent)
        for agent, own in believed.items()
    }
    return {"expected_rank": ranks, "reason": reason}


def _all_posteriors(groups: dict[str, list[float]]) -> tuple[dict[str, tuple[float, float]], Reason | None]:
    found = variance_components(groups)
    believed = {agent: _posterior(values, found) for agent, values in groups.items()}
    return {agent: (one[1], one[2]) for agent, one in believed.items() if one is not None}, found["reason"]


def _above(other: tuple[float, float], own: tuple[float, float]) -> float:
    spread = math.sqrt(other[1] + own[1])
    if spread == 0:
        return 0.5 if other[0] == own[0] else float(other[0] > own[0])
    return normal_cdf((other[0] - own[0]) / spread)


def rank_range(
    groups: Groups,
    seed: Annotated[int, Field(ge=0, le=2**63 - 1)],
    conf: Confidence = 0.95,
    draws: Annotated[int, Field(ge=100, le=100_000)] = 2000,
) -> RankRanges:
    """Between which places each agent stands, by drawing everybody's true average so many times."""
    believed, reason = _all_posteriors(groups)
    source = random.Random(seed)  # noqa: S311 - a simulation that must come out the same again
    spread = {agent: (middle, math.sqrt(variance)) for agent, (middle, variance) in believed.items()}
    places: dict[str, list[int]] = {agent: [] for agent in spread}
    for _ in range(draws if spread else 0):
        # The second number settles ties by lot, never by name.
        drawn = sorted(((source.gauss(*own), source.random(), agent) for agent, own in spread.items()))
        for place, (_, _, agent) in enumerate(reversed(drawn), start=1):
            places[agent].append(place)
    tail = (1 - conf) / 2
    return {
        "rank_range": {agent: _middle_of(found, tail) for agent, found in places.items()},
        "seed": seed,
        "draws": draws,
        "reason": reason,
    }


def _middle_of(places: list[int], tail: float) -> RankRange:
    ordered = sorted(places)
    last = len(ordered) - 1
    return {"lo": ordered[math.floor(tail * last)], "hi": ordered[math.ceil((1 - tail) * last)]}
