"""A claim, what was counted, and whether the claim holds."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Claim:
    """What is promised, between which figures, and the figure that was counted."""

    name: str
    figure: float
    low: float
    high: float
    unit: str = ""

    @property
    def holds(self) -> bool:
        """Whether the figure lies between the promised ones."""
        return bool(self.low <= self.figure <= self.high)


def noise(share: float, count: int) -> float:
    """Return how far a counted share may lie from a true one by the luck of the simulation (4 errors)."""
    return 4 * math.sqrt(share * (1 - share) / count)
