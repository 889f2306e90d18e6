"""Scores as centres have them: most high, some low, in the steps of a form with forty points.

Per call a quality from a beta distribution, then forty points by it: within an agent the standard deviation
is 11 points at an average of 86. Auto-fails turn 3.6 % of calls into 0 and the deviation into 20.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

AVERAGE = 86.0
AGENTS = 50
STEPS = 40
CONCENTRATION = 11.9
AUTO_FAIL = 0.036

Scores = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Centre:
    """Agents with true averages, and the chance that a call is failed as a whole."""

    true: Scores
    auto_fail: float = 0.0

    @property
    def expected(self) -> Scores:
        """What each agent's scores come to in the long run."""
        return self.true * (1 - self.auto_fail)

    def score(self, source: np.random.Generator, calls: int) -> Scores:
        """Return the scores of so many calls of each agent: a row for each agent."""
        share = np.clip(self.true, 1, 99)[:, None] / 100
        quality = source.beta(
            share * CONCENTRATION, (1 - share) * CONCENTRATION, size=(len(self.true), calls)
        )
        points = source.binomial(STEPS, quality) * (100 / STEPS)
        return np.where(source.random(points.shape) < self.auto_fail, 0.0, points)


def different_agents(source: np.random.Generator, spread: float, auto_fail: float = 0.0) -> Centre:
    """Return agents whose true averages differ with this standard deviation."""
    return Centre(np.clip(source.normal(AVERAGE, spread, AGENTS), 5, 99), auto_fail)


def same_agents(auto_fail: float = 0.0) -> Centre:
    """Return agents who are all the same."""
    return Centre(np.full(AGENTS, AVERAGE), auto_fail)


def groups(scores: Scores) -> dict[str, list[float]]:
    """Return the scores as the product takes them."""
    return {f"agent {place:02}": row for place, row in enumerate(scores.tolist())}
