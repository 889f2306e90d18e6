"""The verdict on a change: one of seven, by where its range lies, never by a test of significance."""

from __future__ import annotations

import math
from typing import Literal

from typing_extensions import TypedDict

from qa.stats.arguments import FromOne, NotNegative, Number, RefusedArgument
from qa.stats.reasons import Reason

Verdict = Literal[
    "improved",
    "improved_but_small",
    "worse",
    "worse_but_small",
    "no_meaningful_change",
    "not_enough_evidence",
    "cannot_be_measured",
]
CannotBeMeasured = Literal[
    "no_baseline", "stratum_not_sampled", "class_not_checked", "no_pairs", "no_variation"
]
SMALLEST_CHANGE_THAT_MATTERS = 3.0
"""In points of 100, unless a centre chooses another."""


class Judged(TypedDict):
    """The verdict, and why when a change cannot be measured at all."""

    verdict: Verdict
    reason: Reason | None


class StillNeeded(TypedDict):
    """More evaluations of the same kind, or None where no number can be given."""

    more: int | None
    reason: Reason | None


def verdict(
    lo: Number | None,
    hi: Number | None,
    smallest_change_that_matters: NotNegative = SMALLEST_CHANGE_THAT_MATTERS,
    reason: CannotBeMeasured | None = None,
) -> Judged:
    """Say in one of seven words what a change from lo to hi means; more is better.

    ``reason``: why there is no range although there are enough evaluations.
    """
    if reason is not None:
        return {"verdict": "cannot_be_measured", "reason": reason}
    if lo is None or hi is None:
        return {"verdict": "not_enough_evidence", "reason": None}
    if lo > hi:
        raise RefusedArgument("lo", f'must be at most "hi" ({hi:g}), not {lo:g}.')
    return {"verdict": _of(lo, hi, smallest_change_that_matters), "reason": None}


def _of(lo: float, hi: float, small: float) -> Verdict:
    if lo > 0:
        return "improved_but_small" if hi < small else "improved"
    if hi < 0:
        return "worse_but_small" if lo > -small else "worse"
    if -small < lo and hi < small:
        return "no_meaningful_change"
    return "not_enough_evidence"


def still_needed(
    lo: Number | None,
    hi: Number | None,
    n: FromOne,
    smallest_change_that_matters: NotNegative = SMALLEST_CHANGE_THAT_MATTERS,
) -> StillNeeded:
    """How many more evaluations, beside the n there are, until a change of this size gets another verdict.

    A range narrows as 1/√n about the middle d; it is decided when its half is below |d| (the change is real)
    or below smallest − |d| (it cannot matter), whichever comes first.
    """
    if lo is None or hi is None:
        return {"more": None, "reason": "no_range"}
    judged = verdict(lo, hi, smallest_change_that_matters)["verdict"]
    if judged != "not_enough_evidence":
        return {"more": 0, "reason": None}
    middle, half = abs(lo + hi) / 2, (hi - lo) / 2
    wanted = max(middle, smallest_change_that_matters - middle)
    if wanted <= 0 or (half / wanted) ** 2 * n > 1e9:
        return {"more": None, "reason": "no_change_to_see"}
    return {"more": max(1, math.ceil(n * (half / wanted) ** 2) - n), "reason": None}
