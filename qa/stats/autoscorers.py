"""What a machine's scores are worth, and how to combine many of them with few of people's.

Positive means "a person says fail". The machine's own rate is never shown alone: it is corrected by people
who checked a random part of what it failed and of what it passed.
"""

from __future__ import annotations

import math

from typing_extensions import TypedDict

from qa.stats.arguments import (
    Confidence,
    Count,
    FromOne,
    Number,
    Share,
    at_most,
    same_length,
)
from qa.stats.distributions import two_sided_t, two_sided_z
from qa.stats.reasons import Reason
from qa.stats.small_samples import above, below, mean_of, squares_about_mean, wilson
from qa.stats.two_raters import cohen


class Prevalence(TypedDict):
    """A true share, corrected for a scorer that errs."""

    prevalence: float | None
    reason: Reason | None


class PrevalenceRange(TypedDict):
    """A corrected share with its range."""

    estimate: float | None
    lo: float | None
    hi: float | None
    reason: Reason | None


class Confusion(TypedDict):
    """How the machine's verdicts compare with people's; ranges as [lowest, highest]."""

    sensitivity: float | None
    specificity: float | None
    ppv: float | None
    npv: float | None
    sens_ci: list[float] | None
    spec_ci: list[float] | None
    ppv_ci: list[float] | None
    npv_ci: list[float] | None
    percent_agreement: float | None
    kappa: float | None
    ac1: float | None
    auto_rate: float | None
    human_rate: float | None
    n: int
    reason: Reason | None


class CombinedShare(TypedDict):
    """The share of fails among all, and the machine's own figure beside it."""

    estimate: float | None
    lo: float | None
    hi: float | None
    auto_only: float | None
    reason: Reason | None


class CombinedMean(TypedDict):
    """The average of all by machine scores led by people's, and by the people's sample alone."""

    estimate: float | None
    lo: float | None
    hi: float | None
    slope: float | None
    correlation: float | None
    human_only: float | None
    human_only_lo: float | None
    human_only_hi: float | None
    n: int
    reason: Reason | None


class Ppi(TypedDict):
    """A prediction-powered average; ``lam`` is how far the machine was trusted."""

    estimate: float | None
    se: float | None
    lo: float | None
    hi: float | None
    lam: float | None
    reason: Reason | None


def rogan_gladen(apparent: Share, sensitivity: Share, specificity: Share) -> Prevalence:
    """(apparent + specificity − 1)/(sensitivity + specificity − 1), cut to 0 and 1 (Rogan and Gladen 1978).

    A scorer no better than chance says nothing about the true share.
    """
    better = sensitivity + specificity - 1
    if better <= 1e-12:
        return {"prevalence": None, "reason": "no_better_than_chance"}
    return {"prevalence": min(1.0, max(0.0, (apparent + specificity - 1) / better)), "reason": None}


def prevalence_ci(
    positives: Count,
    tested: FromOne,
    tp: Count,
    known_pos: FromOne,
    tn: Count,
    known_neg: FromOne,
    conf: Confidence = 0.95,
) -> PrevalenceRange:
    """Range of a share when another test set gave sensitivity and specificity (Lang and Reiczigel 2014)."""
    for part, value, whole, limit in (
        ("positives", positives, "tested", tested),
        ("tp", tp, "known_pos", known_pos),
        ("tn", tn, "known_neg", known_neg),
    ):
        at_most(part, value, whole, limit)
    found = rogan_gladen(positives / tested, tp / known_pos, tn / known_neg)
    z = two_sided_z(conf)
    size, n_se, n_sp = tested + z * z, known_pos + 2, known_neg + 2
    apparent, se, sp = (positives + z * z / 2) / size, (tp + 1) / n_se, (tn + 1) / n_sp
    better = se + sp - 1
    if found["prevalence"] is None or better <= 1e-12:
        return {"estimate": found["prevalence"], "lo": None, "hi": None, "reason": "no_better_than_chance"}
    p = (apparent + sp - 1) / better
    of_se, of_sp = se * (1 - se) / n_se, sp * (1 - sp) / n_sp
    moved = p + 2 * z * z * (p * of_se - (1 - p) * of_sp)
    spread = apparent * (1 - apparent) / size + p * p * of_se + (1 - p) ** 2 * of_sp
    half = z * math.sqrt(spread) / better
    lo, hi = (min(1.0, max(0.0, limit)) for limit in (moved - half, moved + half))
    return {"estimate": found["prevalence"], "lo": lo, "hi": hi, "reason": None}


def confusion(tp: Count, fp: Count, fn: Count, tn: Count, conf: Confidence = 0.95) -> Confusion:
    """How often the machine finds what people fail, and passes what they pass; Wilson's ranges.

    tp: both say fail; fp: only the machine; fn: only the person; tn: neither.
    """
    n = tp + fp + fn + tn
    sens, spec = wilson(tp, tp + fn, conf), wilson(tn, tn + fp, conf)
    ppv, npv = wilson(tp, tp + fp, conf), wilson(tn, tn + fn, conf)
    kappa = cohen([[tp, fp], [fn, tn]])["coef"]
    unknown = None in {sens["p"], spec["p"], ppv["p"], npv["p"], kappa}
    return {
        "sensitivity": sens["p"],
        "specificity": spec["p"],
        "ppv": ppv["p"],
        "npv": npv["p"],
        "sens_ci": _limits(sens["lo"], sens["hi"]),
        "spec_ci": _limits(spec["lo"], spec["hi"]),
        "ppv_ci": _limits(ppv["lo"], ppv["hi"]),
        "npv_ci": _limits(npv["lo"], npv["hi"]),
        "percent_agreement": (tp + tn) / n if n else None,
        "kappa": kappa,
        "ac1": _ac1(tp, fp, fn, tn),
        "auto_rate": (tp + fp) / n if n else None,
        "human_rate": (tp + fn) / n if n else None,
        "n": n,
        "reason": "no_values" if not n else "class_empty" if unknown else None,
    }


def _limits(lo: float | None, hi: float | None) -> list[float] | None:
    return None if lo is None or hi is None else [lo, hi]


def _ac1(tp: int, fp: int, fn: int, tn: int) -> float | None:
    n = tp + fp + fn + tn
    if n == 0:
        return None
    share = (2 * tp + fp + fn) / (2 * n)
    chance = 2 * share * (1 - share)
    return ((tp + tn) / n - chance) / (1 - chance)


def combine_binary(
    auto_fail_total: Count,
    auto_pass_total: Count,
    human_checked_auto_fail: Count,
    human_fail_in_auto_fail: Count,
    human_checked_auto_pass: Count,
    human_fail_in_auto_pass: Count,
    conf: Confidence = 0.95,
) -> CombinedShare:
    """Share of fails among all: people's rate within each of the machine's classes, weighted by its size.

    Valid for any number of checks in each class, as long as they are random inside it. The range puts
    Wilson's ranges of both classes together by square-and-add.
    """
    classes = (
        ("fail", auto_fail_total, human_checked_auto_fail, human_fail_in_auto_fail),
        ("pass", auto_pass_total, human_checked_auto_pass, human_fail_in_auto_pass),
    )
    for name, size, checked, failed in classes:
        at_most(f"human_checked_auto_{name}", checked, f"auto_{name}_total", size)
        at_most(f"human_fail_in_auto_{name}", failed, f"human_checked_auto_{name}", checked)
    total = auto_fail_total + auto_pass_total
    auto_only = auto_fail_total / total if total else None
    parts = [(size / total, wilson(failed, checked, conf)) for _, size, checked, failed in classes if size]
    if not parts or any(share["p"] is None for _, share in parts):
        reason: Reason = "class_not_checked" if parts else "no_values"
        return {"estimate": None, "lo": None, "hi": None, "auto_only": auto_only, "reason": reason}
    estimate = math.fsum(weight * (share["p"] or 0.0) for weight, share in parts)
    down = math.hypot(*(weight * below(share) for weight, share in parts))
    up = math.hypot(*(weight * above(share) for weight, share in parts))
    return {
        "estimate": estimate,
        "lo": max(0.0, estimate - down),
        "hi": min(1.0, estimate + up),
        "auto_only": auto_only,
        "reason": None,
    }


def combine_numeric(
    human: list[Number],
    auto_on_human: list[Number],
    auto_mean_all: Number,
    N: FromOne,
    conf: Confidence = 0.95,
) -> CombinedMean:
    """Average points of all N: people's average, moved along the line of people's scores on the machine's.

    ȳ + b(F − f̄), SE² = s²(1 − n/N)(1/n + (F − f̄)²/Σ(f − f̄)²), t(n − 2). With a useless machine b is near 0
    and nothing is lost.
    """
    same_length("human", human, "auto_on_human", auto_on_human)
    n = len(human)
    at_most("human", n, "N", N)
    result = _human_only(human, N, conf)
    across = squares_about_mean(auto_on_human)
    if n < 3 or across == 0:
        result["reason"] = "too_few_pairs" if n < 3 else "no_variation"
        return result
    mean, auto_mean = mean_of(human), mean_of(auto_on_human)
    pairs = list(zip(human, auto_on_human, strict=True))
    together = math.fsum((y - mean) * (f - auto_mean) for y, f in pairs)
    slope = result["slope"] = together / across
    upright = squares_about_mean(human)
    estimate = result["estimate"] = mean + slope * (auto_mean_all - auto_mean)
    if upright > 0:
        result["correlation"] = max(-1.0, min(1.0, together / math.sqrt(across * upright)))
    left = math.fsum((y - mean - slope * (f - auto_mean)) ** 2 for y, f in pairs)
    if left <= 1e-18 * max(upright, 1e-300) or n == N:
        result["reason"] = "all_evaluated" if n == N else "no_variation"
        return result
    leverage = 1 / n + (auto_mean_all - auto_mean) ** 2 / across
    half = two_sided_t(conf, n - 2) * math.sqrt(left / (n - 2) * (1 - n / N) * leverage)
    result["lo"], result["hi"] = estimate - half, estimate + half
    return result


def _human_only(human: list[float], N: int, conf: float) -> CombinedMean:
    n = len(human)
    result: CombinedMean = {
        "estimate": None,
        "lo": None,
        "hi": None,
        "slope": None,
        "correlation": None,
        "human_only": mean_of(human) if n else None,
        "human_only_lo": None,
        "human_only_hi": None,
        "n": n,
        "reason": None,
    }
    spread = squares_about_mean(human)
    if result["human_only"] is not None and spread > 0 and n < N:
        half = two_sided_t(conf, n - 1) * math.sqrt(spread / (n - 1) / n * (1 - n / N))
        result["human_only_lo"] = result["human_only"] - half
        result["human_only_hi"] = result["human_only"] + half
    return result


def ppi(
    human: list[Number],
    auto_on_human: list[Number],
    auto_unlabelled: list[Number],
    lam: Number | None = 1.0,
    conf: Confidence = 0.95,
) -> Ppi:
    """Prediction-powered average ȳ + λ(f̄ of the unchecked − f̄ of the checked) (Angelopoulos 2023).

    λ = 1 trusts the machine fully and can be worse than people alone; null takes the λ of least error. Pages
    use ``combine_numeric``; this is for comparison.
    """
    same_length("human", human, "auto_on_human", auto_on_human)
    n, unchecked = len(human), len(auto_unlabelled)
    if n < 2 or unchecked < 2:
        return {"estimate": None, "se": None, "lo": None, "hi": None, "lam": lam, "reason": "too_few_pairs"}
    trust = _best_trust(human, auto_on_human, auto_unlabelled) if lam is None else lam
    left = [y - trust * f for y, f in zip(human, auto_on_human, strict=True)]
    estimate = mean_of(left) + trust * mean_of(auto_unlabelled)
    of_left = squares_about_mean(left) / (n - 1) / n
    of_auto = trust**2 * squares_about_mean(auto_unlabelled) / (unchecked - 1) / unchecked
    se = math.sqrt(of_left + of_auto)
    if se == 0:
        return {
            "estimate": estimate,
            "se": 0.0,
            "lo": None,
            "hi": None,
            "lam": trust,
            "reason": "no_variation",
        }
    half = two_sided_z(conf) * se
    return {
        "estimate": estimate,
        "se": se,
        "lo": estimate - half,
        "hi": estimate + half,
        "lam": trust,
        "reason": None,
    }


def _best_trust(human: list[float], auto: list[float], unlabelled: list[float]) -> float:
    """Return the λ of least standard error, cov(y, f)/(var f + n/N var f of the unchecked), from 0 to 1."""
    n, rest = len(human), len(unlabelled)
    spread = squares_about_mean(auto) / (n - 1) + n / rest * squares_about_mean(unlabelled) / (rest - 1)
    if spread == 0:
        return 0.0
    mean, auto_mean = mean_of(human), mean_of(auto)
    together = math.fsum((y - mean) * (f - auto_mean) for y, f in zip(human, auto, strict=True)) / (n - 1)
    return max(0.0, min(1.0, together / spread))
