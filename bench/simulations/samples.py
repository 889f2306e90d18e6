"""Which calls are evaluated decides what an average says: plain, weighted, and corrected averages of samples.

Fifty agents with 400 calls each; riskier calls are worse (r = −0.5). The truth is the average of all 20,000.
"""

from __future__ import annotations

import numpy as np

from bench.simulations.centre import Scores, different_agents
from bench.simulations.claims import Claim, noise
from qa.stats.autoscorers import combine_binary
from qa.stats.weighting import stratified_mean, weighted_mean

CALLS, EACH = 400, 5


def measure(source: np.random.Generator, runs: int) -> list[Claim]:
    """Return the claims about samples."""
    few = max(10, runs // 5)
    missed: dict[str, list[float]] = {name: [] for name in ("random", "riskiest", "mixed", "strata", "hajek")}
    held = {"strata": 0, "hajek": 0}
    for _ in range(few):
        scores = different_agents(source, 3.5).score(source, CALLS)
        risk = _risk(source, scores)
        truth = float(scores.mean())
        order = np.argsort(-risk, axis=1)
        worst = np.take_along_axis(scores, order[:, :EACH], axis=1)
        missed["riskiest"].append(float(worst.mean()) - truth)
        missed["random"].append(float(_random(source, scores, EACH).mean()) - truth)
        _two_and_three(source, scores, order, truth, missed, held)
        _by_risk(source, scores, risk, truth, missed, held)
    return [*_claims(missed, held, few), _machine(source, runs)]


def _risk(source: np.random.Generator, scores: Scores) -> Scores:
    """Return a risk of each call that goes with low scores, by half."""
    standard = (scores - scores.mean()) / scores.std()
    risk: Scores = np.exp(-0.5 * standard + np.sqrt(0.75) * source.normal(size=scores.shape))
    return risk


def _random(source: np.random.Generator, scores: Scores, n: int) -> Scores:
    return source.permuted(scores, axis=1)[:, :n]


def _two_and_three(
    source: np.random.Generator,
    scores: Scores,
    order: np.ndarray[tuple[int, ...], np.dtype[np.int64]],
    truth: float,
    missed: dict[str, list[float]],
    held: dict[str, int],
) -> None:
    """The two riskiest of each agent, and three of the others by lot."""
    top = np.take_along_axis(scores, order[:, :2], axis=1)
    rest = _random(source, np.take_along_axis(scores, order[:, 2:], axis=1), 3)
    missed["mixed"].append(float(np.hstack([top, rest]).mean()) - truth)
    strata = [{"N": 2, "y": row} for row in top.tolist()]
    strata += [{"N": CALLS - 2, "y": row} for row in rest.tolist()]
    found = stratified_mean(strata)  # type: ignore[arg-type]
    if found["mean"] is not None and found["lo"] is not None and found["hi"] is not None:
        missed["strata"].append(found["mean"] - truth)
        held["strata"] += found["lo"] <= truth <= found["hi"]


def _by_risk(
    source: np.random.Generator,
    scores: Scores,
    risk: Scores,
    truth: float,
    missed: dict[str, list[float]],
    held: dict[str, int],
) -> None:
    """Half of the chance equal for all, half by risk; each call drawn or not by its own chance."""
    chance = np.minimum(1.0, 0.5 * EACH / CALLS + 0.5 * EACH * risk / risk.sum(axis=1, keepdims=True))
    drawn = source.random(scores.shape) < chance
    found = weighted_mean(scores[drawn].tolist(), chance[drawn].tolist())
    if found["mean"] is not None and found["lo"] is not None and found["hi"] is not None:
        missed["hajek"].append(found["mean"] - truth)
        held["hajek"] += found["lo"] <= truth <= found["hi"]


def _claims(missed: dict[str, list[float]], held: dict[str, int], runs: int) -> list[Claim]:
    bias = {name: float(np.mean(values)) for name, values in missed.items()}
    slack = {name: 4 * float(np.std(values)) / len(values) ** 0.5 for name, values in missed.items()}
    unit = "points"
    return [
        Claim("five random calls each are off by", bias["random"], -slack["random"], slack["random"], unit),
        Claim("the five riskiest are off by", bias["riskiest"], -60, -10, unit),
        Claim("two riskiest and three random, plain, are off by", bias["mixed"], -30, -5, unit),
        Claim("the same by strata are off by", bias["strata"], -slack["strata"], slack["strata"], unit),
        Claim("drawn half by risk, weighted, are off by", bias["hajek"], -0.2, 0.2, unit),
        Claim("the range by strata holds the truth", held["strata"] / runs, 0.93 - noise(0.95, runs), 1),
        Claim("the weighted range holds the truth", held["hajek"] / runs, 0.93 - noise(0.95, runs), 1),
    ]


def _machine(source: np.random.Generator, runs: int) -> Claim:
    """4,000 calls scored by a machine (85 % of fails found, 10 % false), 50 checked of each verdict."""
    held = 0
    for _ in range(runs):
        truth = source.random(4000) < 0.15
        auto = np.where(truth, source.random(4000) < 0.85, source.random(4000) < 0.10)
        fails = [
            int(truth[source.choice(np.flatnonzero(auto == verdict), 50, replace=False)].sum())
            for verdict in (True, False)
        ]
        found = combine_binary(int(auto.sum()), int((~auto).sum()), 50, fails[0], 50, fails[1])
        if found["lo"] is not None and found["hi"] is not None:
            held += found["lo"] <= truth.mean() <= found["hi"]
    slack = noise(0.95, runs)
    return Claim("a machine corrected by 100 checks: its range holds the truth", held / runs, 0.93 - slack, 1)
