"""Coaching that does nothing, and coaching worth three points: how often each report calls it a success.

Sixty agents; those in the lowest fifth of one month of five calls are coached. The naive report sets the
month that set coaching off beside the three months after. The product's sets the three months before beside
them, leaves the month itself out, and takes off what the others changed by.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.simulations.centre import Centre, Scores
from bench.simulations.claims import Claim, noise
from qa.stats.effect import did, expected_rtm
from qa.stats.small_samples import mean_t
from qa.stats.verdicts import verdict

AGENTS, LOWEST, CALLS, WINDOW = 60, 12, 5, 3
WITHIN = 12.0
"""Standard deviation of one agent's calls at an average of 82."""
IMPROVED = {"improved", "improved_but_small"}


@dataclass(slots=True)
class Counted:
    """What a number of programmes came to."""

    naive: int = 0
    honest: int = 0
    held: int = 0
    effect: float = 0.0
    rise: float = 0.0


def measure(source: np.random.Generator, runs: int) -> list[Claim]:
    """Return the claims about the effect of coaching."""
    claims = []
    for name, drift, wander in (("nothing else changed", 0.0, 0.0), ("all drift by 2 a month", 2.0, 0.0)):
        nothing = _programmes(source, runs, effect=0.0, drift=drift, wander=wander)
        claims += _without_effect(nothing, runs, name)
    wandering = _programmes(source, runs, effect=0.0, drift=0.0, wander=2.0)
    claims += _without_effect(wandering, runs, "true levels wander")
    real = _programmes(source, runs, effect=3.0, drift=0.0, wander=0.0)
    slack = 4 * 2.1 / runs**0.5
    return [
        *claims,
        Claim("coaching worth 3 points is put at", real.effect / runs, 3 - slack, 3 + slack, "points"),
        _held("its range holds the 3 points", real.held, runs),
    ]


def _without_effect(counted: Counted, runs: int, name: str) -> list[Claim]:
    share = counted.honest / runs
    claims = [
        Claim(f'no effect, yet "improved", {name}', share, 0, 0.05),
        _held(f"no effect, and the range holds 0, {name}", counted.held, runs),
        Claim(f'no effect, yet "it works" by the naive report, {name}', counted.naive / runs, 0.70, 1),
    ]
    if name == "nothing else changed":
        said = expected_rtm(4, WITHIN, CALLS, LOWEST / AGENTS)["expected_rise"]
        # The formula is for bell-shaped scores; those of calls reach further down, so they rise further.
        rise = counted.rise / runs
        claims.append(Claim("the rise without coaching, as announced", rise, said - 1, said + 1, "points"))
    return claims


def _held(name: str, held: int, runs: int) -> Claim:
    return Claim(name, held / runs, 0.93 - noise(0.95, runs), 0.97 + noise(0.95, runs))


def _programmes(
    source: np.random.Generator, runs: int, *, effect: float, drift: float, wander: float
) -> Counted:
    counted = Counted()
    for _ in range(runs):
        months = _months(source, effect, drift, wander)
        before, after = months[:, :WINDOW].mean(axis=1), months[:, WINDOW + 1 :].mean(axis=1)
        coached = _lowest(months[:, WINDOW])
        pairs = np.column_stack([before, after])
        found = did(pairs[coached].tolist(), pairs[~coached].tolist())
        counted.honest += verdict(found["lo"], found["hi"])["verdict"] in IMPROVED
        counted.held += found["lo"] <= effect <= found["hi"]  # type: ignore[operator]
        counted.effect += found["effect"]  # type: ignore[operator]
        rises = after[coached] - months[coached, WINDOW]
        naive = mean_t(rises.tolist())
        counted.naive += naive["lo"] > 0  # type: ignore[operator]
        counted.rise += float(rises.mean())
    return counted


def _months(source: np.random.Generator, effect: float, drift: float, wander: float) -> Scores:
    """Return each agent's monthly averages: three before, the month that sets off, three after."""
    base = source.normal(82, 4, AGENTS)
    level, levels = source.normal(0, wander, AGENTS), []
    for _ in range(2 * WINDOW + 1):
        levels.append(level)
        level = 0.6 * level + source.normal(0, wander * 0.8, AGENTS)
    trend = drift * np.arange(2 * WINDOW + 1) / (WINDOW + 1)
    before = [_averages(source, base + levels[month] + trend[month]) for month in range(WINDOW + 1)]
    gain = np.where(_lowest(before[WINDOW]), effect, 0.0)
    following = range(WINDOW + 1, 2 * WINDOW + 1)
    after = [_averages(source, base + levels[month] + trend[month] + gain) for month in following]
    return np.column_stack(before + after)


def _averages(source: np.random.Generator, true: Scores) -> Scores:
    averages: Scores = Centre(true).score(source, CALLS).mean(axis=1)
    return averages


def _lowest(averages: Scores) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    chosen = np.zeros(len(averages), dtype=bool)
    chosen[np.argsort(averages, kind="stable")[:LOWEST]] = True
    return chosen
