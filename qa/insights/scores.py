"""From evaluations to numbers about people: pure, every one with its n and range.

Only random selections count in an average; targeted ones are counted beside it. The score is the calculated
one, auto-fails left aside: they are a share of their own, because one of them drowns thirty ordinary calls.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from qa.stats.distributions import two_sided_t
from qa.stats.small_samples import (
    SCORE_BOUNDS,
    ShareRange,
    cut,
    diff_proportions,
    mean_of,
    pooled_sd,
    wilson,
)

FEWEST = 3
CONFIDENCE = 0.95
STRONG_FROM = 0.5
"""A strength is met more often than not even when counted strictly."""


@dataclass(frozen=True, slots=True)
class Scored:
    """One submitted evaluation as far as numbers need it; ``met``: which questions got full points."""

    id: int
    agent_id: int
    scorecard_id: int
    version_id: int
    at: datetime
    is_random: bool
    score: float | None
    auto_failed: bool
    met: Mapping[str, bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Spread:
    """How much one agent's calls differ among each other, from all agents together."""

    sd: float | None
    df: int
    within_bounds: bool


@dataclass(frozen=True, slots=True)
class Average:
    """An average as the words for numbers take it: none below three, no range without spread."""

    n: int
    mean: float | None = None
    lo: float | None = None
    hi: float | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Tally:
    """How often a question was met, of how often it counted."""

    k: int
    n: int

    @property
    def range(self) -> ShareRange:
        """Return the share with its range."""
        return wilson(self.k, self.n)

    def without(self, other: Tally) -> Tally:
        """Return what is left of a whole when a part is taken out."""
        return Tally(self.k - other.k, self.n - other.n)


def counted(rows: Iterable[Scored]) -> list[Scored]:
    """Return the evaluations that count in an average: drawn at random, with a score."""
    return [row for row in rows if row.is_random and row.score is not None]


def values_by_agent(rows: Iterable[Scored]) -> dict[str, list[float]]:
    """Return each agent's counted scores, by the agent's id as text."""
    found: dict[str, list[float]] = {}
    for row in counted(rows):
        found.setdefault(str(row.agent_id), []).append(row.score or 0.0)
    return found


def spread_of(groups: dict[str, list[float]]) -> Spread:
    """Return the spread within agents; scores with a bonus are not cut at 100."""
    sd, df = pooled_sd(groups)
    low, high = SCORE_BOUNDS
    inside = all(low <= value <= high for values in groups.values() for value in values)
    return Spread(sd, df, inside)


def average(values: Sequence[float], spread: Spread) -> Average:
    """Return the average of these scores with its range by the spread of all agents."""
    n = len(values)
    if n < FEWEST:
        return Average(n, reason=None if n else "no_values")
    mean = mean_of(list(values))
    if not spread.sd:
        return Average(n, mean, reason="one_value_each" if spread.sd is None else "no_variation")
    half = two_sided_t(CONFIDENCE, spread.df) * spread.sd / math.sqrt(n)
    bounds = list(SCORE_BOUNDS) if spread.within_bounds else None
    return Average(n, mean, cut(mean - half, bounds), cut(mean + half, bounds))


def auto_fails(rows: Sequence[Scored]) -> Tally:
    """Return how many of the counted evaluations failed as a whole by one answer."""
    rows = counted(rows)
    return Tally(sum(row.auto_failed for row in rows), len(rows))


def by_question(rows: Iterable[Scored]) -> dict[str, Tally]:
    """Return how often each question was met in evaluations drawn at random."""
    met: dict[str, int] = {}
    asked: dict[str, int] = {}
    for row in rows:
        if row.is_random:
            for ref, is_met in row.met.items():
                asked[ref] = asked.get(ref, 0) + 1
                met[ref] = met.get(ref, 0) + is_met
    return {ref: Tally(met[ref], n) for ref, n in asked.items()}


@dataclass(frozen=True, slots=True)
class Topic:
    """A question of one agent beside the rest of the team."""

    ref: str
    own: Tally
    others: Tally

    @property
    def against(self) -> str:
        """Return "under" or "above" where the difference has a range that leaves out none, else "alike"."""
        if self.own.n < FEWEST or self.others.n < FEWEST:
            return "unknown"
        found = diff_proportions(self.own.k, self.own.n, self.others.k, self.others.n)
        if found["lo"] is None or found["hi"] is None:
            return "unknown"
        return "above" if found["lo"] > 0 else "under" if found["hi"] < 0 else "alike"


def topics(own: Mapping[str, Tally], others: Mapping[str, Tally]) -> list[Topic]:
    """Return an agent's questions of which three were scored."""
    nothing = Tally(0, 0)
    return [Topic(ref, own[ref], others.get(ref, nothing)) for ref in own if own[ref].n >= FEWEST]


def to_work_on(found: Sequence[Topic], most: int) -> list[Topic]:
    """Return the questions that are lowest even when counted kindly: by the upper end of their range."""
    open_ones = [one for one in found if one.own.k < one.own.n]
    return sorted(open_ones, key=lambda one: (one.own.range["hi"] or 0.0, one.ref))[:most]


def strong_at(found: Sequence[Topic], most: int, but: Sequence[Topic] = ()) -> list[Topic]:
    """Return the questions that are highest even when counted strictly: by the lower end of their range."""
    taken = {one.ref for one in but}
    left = [one for one in found if one.ref not in taken and (one.own.range["lo"] or 0.0) >= STRONG_FROM]
    return sorted(left, key=lambda one: (-(one.own.range["lo"] or 0.0), one.ref))[:most]


@dataclass(frozen=True, slots=True)
class Need:
    """Why somebody may need a coach: what stays below the target even when counted kindly, and by how much.

    ``ref`` is a question, None the score as a whole; ``gap`` is a share of 1 and 0 when nothing can be said.
    """

    agent_id: int
    n: int
    gap: float = 0.0
    ref: str | None = None
    tally: Tally | None = None
    average: Average | None = None


def need_of(agent_id: int, rows: Sequence[Scored], spread: Spread, target: float | None) -> Need:
    """Return an agent's largest gap to the target at the kinder end of the range."""
    values = [row.score or 0.0 for row in counted(rows)]
    found = Need(agent_id, len(values))
    if target is None:
        return found
    whole = average(values, spread)
    if whole.hi is not None and target - whole.hi > 0:
        found = Need(agent_id, len(values), (target - whole.hi) / 100, average=whole)
    for ref, tally in by_question(rows).items():
        high = tally.range["hi"]
        gap = target / 100 - high if tally.n >= FEWEST and high is not None else 0.0
        if gap > found.gap:
            found = Need(agent_id, len(values), gap, ref, tally)
    return found


def in_need(found: Iterable[Need]) -> list[Need]:
    """Return those with a gap, the largest first."""
    return sorted((one for one in found if one.gap > 0), key=lambda one: (-one.gap, one.agent_id))
