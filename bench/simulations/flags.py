"""How often agents who are all the same are flagged, and days on which nothing happened."""

from __future__ import annotations

import numpy as np

from bench.simulations.centre import AGENTS, AUTO_FAIL, Scores, groups, same_agents
from bench.simulations.claims import Claim, noise
from qa.stats.charts import laney_p
from qa.stats.funnels import funnel, funnel_by_lot
from qa.stats.small_samples import mean_of, pooled_sd

PROMISED = 1 / 500


def measure(source: np.random.Generator, runs: int) -> list[Claim]:
    """Return the claims about flags."""
    claims = []
    for calls in (3, 5, 10):
        for auto_fail in (0.0, AUTO_FAIL):
            claims += _of_month(source, runs, calls, auto_fail)
    return [*claims, _even_scores(source, runs), *_days(source, max(10, runs // 10))]


def _of_month(source: np.random.Generator, runs: int, calls: int, auto_fail: float) -> list[Claim]:
    centre, by_lot, by_book = same_agents(auto_fail), 0, 0
    for run in range(runs):
        scores = centre.score(source, calls)
        found = funnel_by_lot(groups(scores), seed=run, draws=2000)["agents"]
        by_lot += sum(one["place"] in {"below", "above"} for one in found.values())
        by_book += _outside_by_book(scores)
    where = f"{calls} calls a month{', auto-fails in' if auto_fail else ''}"
    count = runs * AGENTS
    return [
        _flagged(f"same agents flagged of 500 by lot, {where}", by_lot, count),
        Claim(f"the same by the textbook's limits, {where}", 500 * by_book / count, 0, 500),
    ]


def _flagged(name: str, flagged: int, count: int) -> Claim:
    return Claim(name, 500 * flagged / count, 0, 500 * (PROMISED + noise(PROMISED, count)))


def _outside_by_book(scores: Scores) -> int:
    month = groups(scores)
    sd, _ = pooled_sd(month)
    center = mean_of([value for values in month.values() for value in values])
    limits = funnel(center, sd or 1.0, [scores.shape[1]])
    return sum(not limits["lo998"][0] <= mean_of(values) <= limits["hi998"][0] for values in month.values())


def _even_scores(source: np.random.Generator, runs: int) -> Claim:
    flagged = sum(
        _outside_by_book(np.asarray(source.normal(80, 5, (AGENTS, 20)), dtype=np.float64))
        for _ in range(runs)
    )
    return _flagged("same agents flagged of 500 by the textbook, bell-shaped scores", flagged, runs * AGENTS)


def _days(source: np.random.Generator, runs: int) -> list[Claim]:
    """Days whose true rate wanders by 2.4 points by itself: the plain chart cries wolf, Laney's does not."""
    return [
        claim for n, expected in ((500, 0.14), (5000, 0.60)) for claim in _days_of(source, runs, n, expected)
    ]


def _days_of(source: np.random.Generator, runs: int, n: int, expected: float) -> list[Claim]:
    days, plain, laney = 60, 0, 0
    for _ in range(runs):
        rates = np.clip(source.normal(0.1, 0.024, days), 0.001, 0.999)
        found = laney_p(source.binomial(n, rates).tolist(), [n] * days)
        plain += len(found["signals_plain_p"])
        laney += len(found["signals_laney"])
    count = runs * days
    return [
        Claim(f"quiet days flagged by a plain p-chart, {n} a day", plain / count, expected / 1.5, 1),
        Claim(f"quiet days flagged by Laney's, {n} a day", laney / count, 0, 0.01 + noise(0.01, count)),
    ]
