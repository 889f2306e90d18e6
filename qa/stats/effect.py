"""Did coaching help? Change of the coached beside change of the others, the month that set it off left out.

Whoever is chosen for a bad month was partly unlucky, and rises without any coaching: that rise is computed
here too, so that it can be said aloud.
"""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from qa.stats.arguments import Confidence, NotNegative, Number, OpenShare, Positive
from qa.stats.distributions import normal_pdf, normal_quantile, two_sided_t
from qa.stats.reasons import Reason
from qa.stats.small_samples import mean_of, squares_about_mean

Pair = Annotated[list[Number | None], Field(min_length=2, max_length=2, description="before, after")]


class Effect(TypedDict):
    """How much more the treated changed than the controls, with Welch's range."""

    effect: float | None
    se: float | None
    lo: float | None
    hi: float | None
    df: float | None
    n_treated: int
    n_control: int
    left_out: int
    treated_change: float | None
    control_change: float | None
    reason: Reason | None


class ExpectedRise(TypedDict):
    """Points by which the chosen rise with no coaching at all."""

    expected_rise: float


def did(treated: list[Pair], control: list[Pair], conf: Confidence = 0.95) -> Effect:
    """Difference in differences: mean change of the treated minus that of the controls.

    One pair of means for each agent, with mirrored windows around the month that set coaching off and that
    month in neither. An agent whose before or after is null is left out and counted.
    """
    changes, others = _changes(treated), _changes(control)
    left_out = len(treated) + len(control) - len(changes) - len(others)
    result: Effect = {
        "effect": None,
        "se": None,
        "lo": None,
        "hi": None,
        "df": None,
        "n_treated": len(changes),
        "n_control": len(others),
        "left_out": left_out,
        "treated_change": mean_of(changes) if changes else None,
        "control_change": mean_of(others) if others else None,
        "reason": _why_not(treated, control, changes, others),
    }
    if not changes or not others:
        return result
    result["effect"] = mean_of(changes) - mean_of(others)
    if result["reason"] is None:
        _add_range(result, changes, others, conf)
    return result


def _changes(pairs: list[Pair]) -> list[float]:
    return [after - before for before, after in pairs if before is not None and after is not None]


def _why_not(
    treated: list[Pair], control: list[Pair], changes: list[float], others: list[float]
) -> Reason | None:
    if not changes or not others:
        without = treated if not changes else control
        return "no_baseline" if any(before is None for before, _ in without) else "no_pairs"
    return "too_few_agents" if len(changes) < 2 or len(others) < 2 else None


def _add_range(result: Effect, changes: list[float], others: list[float], conf: float) -> None:
    one = squares_about_mean(changes) / (len(changes) - 1) / len(changes)
    two = squares_about_mean(others) / (len(others) - 1) / len(others)
    total = one + two
    result["se"] = math.sqrt(total)
    if total == 0 or result["effect"] is None:
        result["reason"] = "no_variation"
        return
    first, second = one / total, two / total
    df = 1 / (first**2 / (len(changes) - 1) + second**2 / (len(others) - 1))
    half = two_sided_t(conf, df) * math.sqrt(total)
    result.update({"df": df, "lo": result["effect"] - half, "hi": result["effect"] + half})


def expected_rtm(
    between_sd: NotNegative,
    within_sd: Positive,
    n: Annotated[float, Field(allow_inf_nan=False, ge=1, le=1e15, description="evaluations per agent")],
    selected_fraction: OpenShare,
) -> ExpectedRise:
    """Points by which the lowest part of agents rises by itself (Davis 1976).

    σ²/√(σ² + τ²) · φ(z)/Φ(z), with σ² = within²/n and Φ(z) the selected fraction.
    """
    luck = within_sd**2 / n
    z = normal_quantile(selected_fraction)
    depth = normal_pdf(z) / selected_fraction
    return {"expected_rise": luck / math.hypot(math.sqrt(luck), between_sd) * depth}
