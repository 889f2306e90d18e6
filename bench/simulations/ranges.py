"""How often ranges hold the true average: the agent's own spread, the pooled one, and the best guess."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np

from bench.simulations.centre import AGENTS, AUTO_FAIL, different_agents, groups
from bench.simulations.claims import Claim, noise
from qa.stats.shrinkage import empirical_bayes, variance_components
from qa.stats.small_samples import mean_pooled, mean_t, wilson

MONTHS_OF_COMPONENTS = 6


def measure(source: np.random.Generator, runs: int) -> list[Claim]:
    """Return the claims about ranges."""
    claims = []
    for calls in (3, 5, 10):
        for auto_fail, spread in ((0.0, 3.5), (AUTO_FAIL, 3.5)):
            claims += _of_month(source, runs, calls, spread, auto_fail)
    return [*claims, *_shares(source, runs)]


def _of_month(
    source: np.random.Generator, runs: int, calls: int, spread: float, auto_fail: float
) -> list[Claim]:
    held: dict[str, int] = defaultdict(int)
    widths: dict[str, float] = defaultdict(float)
    missed: dict[str, float] = defaultdict(float)
    for _ in range(runs):
        centre = different_agents(source, spread, auto_fail)
        past = variance_components(groups(centre.score(source, calls * MONTHS_OF_COMPONENTS)))
        month = groups(centre.score(source, calls))
        guessed = empirical_bayes(
            month, sigma2_within=past["sigma2_within"], tau2_between=past["tau2_between"]
        )["agents"]
        pooled = mean_pooled(month)["agents"]
        for agent, truth in zip(month, centre.expected.tolist(), strict=True):
            for kind, found in (
                ("own", mean_t(month[agent])),
                ("pooled", pooled[agent]),
                ("guess", guessed[agent]),
            ):
                _count(kind, found, truth, held, widths)
            missed["raw"] += _square(pooled[agent]["mean"], truth)
            missed["guess"] += _square(guessed[agent]["shrunk"], truth)
    return _claims(runs * AGENTS, calls, auto_fail, held, widths, missed)


def _square(guess: float | None, truth: float) -> float:
    return 0.0 if guess is None else (guess - truth) ** 2


def _count(
    kind: str, found: Mapping[str, Any], truth: float, held: dict[str, int], widths: dict[str, float]
) -> None:
    if found["lo"] is None:
        return
    held[kind] += found["lo"] <= truth <= found["hi"]
    widths[kind] += found["hi"] - found["lo"]


def _claims(
    count: int,
    calls: int,
    auto_fail: float,
    held: dict[str, int],
    widths: dict[str, float],
    missed: dict[str, float],
) -> list[Claim]:
    where = f"{calls} calls a month{', auto-fails in' if auto_fail else ''}"
    slack = noise(0.94, count)
    return [
        Claim(
            f"pooled range holds the true average, {where}",
            held["pooled"] / count,
            0.93 - slack,
            0.96 + slack,
        ),
        Claim(f"the agent's own range does not, {where}", held["own"] / count, 0.5, 0.94 + slack),
        Claim(f"best guess's range holds it, {where}", held["guess"] / count, 0.92 - slack, 0.96 + slack),
        Claim(f"best guess's width of the own range's, {where}", widths["guess"] / widths["own"], 0.1, 0.9),
        Claim(f"best guess's error of the plain average's, {where}", _ratio(missed), 0.2, 0.95),
    ]


def _ratio(missed: dict[str, float]) -> float:
    return float(np.sqrt(missed["guess"] / missed["raw"]))


def _shares(source: np.random.Generator, runs: int) -> list[Claim]:
    held, count = 0, runs * AGENTS
    for truth, n in zip(source.uniform(0.02, 0.98, count), source.integers(3, 30, count), strict=True):
        found = wilson(int(source.binomial(n, truth)), int(n))
        if found["lo"] is not None and found["hi"] is not None:
            held += found["lo"] <= truth <= found["hi"]
    return [Claim("Wilson's range holds the true share", held / count, 0.94 - noise(0.95, count), 0.97)]
