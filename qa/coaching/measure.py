"""From scored conversations to what a goal's page says. Pure: values in, plain JSON out.

What was met or not is a share with Wilson's range; points are an average with the spread of all agents.
Nothing is said about one person before there are as many conversations as a change of this size takes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from qa.stats.distributions import two_sided_t
from qa.stats.effect import did, expected_rtm
from qa.stats.shrinkage import variance_components
from qa.stats.small_samples import diff_proportions, mean_of, n_to_detect, pooled_sd, wilson
from qa.stats.verdicts import still_needed, verdict

FULL = 100.0
FEWEST = 3
CONFIDENCE = 0.95
COACHED_SHARE = 0.2
"""Coaching goes to about the lowest fifth: by so much these rise on their own."""

SMALLEST_WISH = 10.0
"""Points that one person's change is looked for at least: less takes more calls than anybody has."""

Values = Mapping[int, Sequence[float]]
"""Points of 100 by agent."""


def is_share(kind: str, ref: str) -> bool:
    """Tell whether a goal is met or not in each conversation, rather than by points."""
    return kind == "question" or ref in {"fcr", "sla"}


def summary(values: Sequence[float], spread: Values, *, share: bool) -> dict[str, Any]:
    """Return one window of one agent: n with mean or k, and the range."""
    n = len(values)
    if share:
        k = sum(value >= FULL for value in values)
        found = wilson(k, n)
        return {"kind": "share", "k": k, **found}
    result: dict[str, Any] = {"kind": "mean", "n": n, "mean": None, "lo": None, "hi": None, "reason": None}
    if n < FEWEST:
        return result | {"reason": None if n else "no_values"}
    sd, df = pooled_sd({str(agent): list(some) for agent, some in spread.items()})
    mean = mean_of(list(values))
    if not sd:
        return result | {"mean": mean, "reason": "one_value_each" if sd is None else "no_variation"}
    half = two_sided_t(CONFIDENCE, df) * sd / math.sqrt(n)
    return result | {"mean": mean, "lo": max(0.0, mean - half), "hi": min(FULL, mean + half)}


def change_of_one(
    before: Sequence[float], after: Sequence[float], spread: Values, *, share: bool, target: int | None
) -> dict[str, Any]:
    """Return one person's change with range, the verdict, and how many are needed in each window.

    ``too_early`` stays until both windows hold what a change to the target takes to be seen.
    """
    found: dict[str, Any] = {"change": None, "lo": None, "hi": None, "needed": None, "too_early": True}
    if not before:
        return found | {"verdict": "cannot_be_measured", "reason": "no_baseline", "too_early": False}
    if share:
        k1, k2 = (sum(value >= FULL for value in some) for some in (after, before))
        diff = diff_proportions(k1, len(after), k2, len(before))
        change, lo, hi = (_points(one) for one in (diff["diff"], diff["lo"], diff["hi"]))
        smoothed = (k2 + 1) / (len(before) + 2)
        sd: float | None = FULL * math.sqrt(smoothed * (1 - smoothed))
    else:
        sd, df = pooled_sd({str(agent): list(some) for agent, some in spread.items()})
        change = mean_of(list(after)) - mean_of(list(before)) if after else None
        lo = hi = None
        if sd and change is not None:
            half = two_sided_t(CONFIDENCE, df) * sd * math.sqrt(1 / len(after) + 1 / len(before))
            lo, hi = change - half, change + half
    wished = max(SMALLEST_WISH, (target or 0) - mean_of(list(before)))
    needed = n_to_detect(wished, sd)["n_per_period"] if sd else None
    enough = needed is not None and min(len(before), len(after)) >= needed
    judged = verdict(lo, hi)
    return found | {
        "change": change,
        "lo": lo,
        "hi": hi,
        "needed": needed,
        "wished": wished,
        "too_early": not enough,
        "verdict": judged["verdict"],
        "reason": judged["reason"],
    }


def _points(share: float | None) -> float | None:
    return None if share is None else FULL * share


def programme(
    coached: Sequence[tuple[float | None, float | None]],
    others: Sequence[tuple[float | None, float | None]],
    calls: int,
    before: Values,
) -> dict[str, Any]:
    """Return the change of all coached beside that of the others, its verdict, what is still needed.

    ``calls`` is how many were scored after; ``before`` the values of everybody from before, for the rise that
    comes by itself.
    """
    effect = did([list(pair) for pair in coached], [list(pair) for pair in others])
    reason = effect["reason"] if effect["reason"] in {"no_baseline", "no_pairs", "no_variation"} else None
    judged = verdict(effect["lo"], effect["hi"], reason=reason)
    more = still_needed(effect["lo"], effect["hi"], max(calls, 1))["more"]
    return {
        "effect": dict(effect),
        "verdict": judged["verdict"],
        "reason": judged["reason"] or effect["reason"],
        "more": more,
        "rise": rise_by_itself(before),
    }


def rise_by_itself(before: Values) -> float | None:
    """Return by how much the lowest fifth rises with no coaching; None while the spread is unknown."""
    groups = {str(agent): list(values) for agent, values in before.items() if values}
    found = variance_components(groups)
    within, between = found["sigma2_within"], found["tau2_between"]
    if not within or between is None:
        return None
    typical = mean_of([float(len(values)) for values in groups.values()])
    if typical < FEWEST:  # of one or two each, anything could come
        return None
    return expected_rtm(math.sqrt(between), math.sqrt(within), typical, COACHED_SHARE)["expected_rise"]


def means(values: Values) -> dict[int, float]:
    """Return each agent's plain average, of those who have a value."""
    return {agent: mean_of(list(some)) for agent, some in values.items() if some}
