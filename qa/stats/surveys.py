"""What customers say: satisfaction, recommendation, effort; each with how many answered."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import BeforeValidator, Field
from typing_extensions import TypedDict

from qa.stats.arguments import Confidence, Count, RefusedArgument, whole
from qa.stats.contacts import per_cent
from qa.stats.distributions import two_sided_z
from qa.stats.reasons import Reason
from qa.stats.small_samples import mean_of, wilson

FEW_ANSWERED_PCT = 10.0
EFFORT = range(1, 8)

OfTen = Annotated[int, Field(ge=0, le=10), BeforeValidator(whole)]
Points = Annotated[int, Field(ge=0, le=100), BeforeValidator(whole)]


class Csat(TypedDict):
    """Per cent who chose one of the two best answers, with Wilson's range, and the response rate."""

    n: int
    top2_pct: float | None
    mean: float | None
    top2_lo: float | None
    top2_hi: float | None
    response_rate_pct: float | None
    few_answered: bool
    reason: Reason | None


class Nps(TypedDict):
    """Promoters less detractors in points from −100 to 100; the range is the adjusted one."""

    n: int
    promoters: int
    passives: int
    detractors: int
    nps: float | None
    se_wald: float | None
    adj_lo: float | None
    adj_hi: float | None
    reason: Reason | None


class Ces(TypedDict):
    """Customer effort on seven points: mean, per cent who agree (5 to 7), and (6–7) less (1–3)."""

    n: int
    mean: float | None
    agree_pct: float | None
    index: float | None
    reason: Reason | None


def csat(
    scores: list[Points | None],
    sent: Count,
    scale_max: Annotated[int, Field(ge=3, le=100), BeforeValidator(whole)] = 5,
    conf: Confidence = 0.95,
) -> Csat:
    """Customer satisfaction of answers from 1 to ``scale_max``; null is "not answered"."""
    answers = [score for score in scores if score is not None]
    for place, score in enumerate(scores):
        if score is not None and not 1 <= score <= scale_max:
            raise RefusedArgument(f"scores[{place}]", f"must be from 1 to {scale_max}, not {score}.")
    if len(answers) > sent:
        raise RefusedArgument("sent", f"must be at least the number of answers ({len(answers)}), not {sent}.")
    found = wilson(sum(score >= scale_max - 1 for score in answers), len(answers), conf)
    rate = per_cent(len(answers) / sent) if sent else None
    return {
        "n": len(answers),
        "top2_pct": per_cent(found["p"]),
        "mean": mean_of([float(score) for score in answers]) if answers else None,
        "top2_lo": per_cent(found["lo"]),
        "top2_hi": per_cent(found["hi"]),
        "response_rate_pct": rate,
        "few_answered": rate is None or rate < FEW_ANSWERED_PCT,
        "reason": None if answers else "no_answers",
    }


def nps(scores: list[OfTen], conf: Confidence = 0.95) -> Nps:
    """Net promoter score with the adjusted Wald range (Rocks 2016: ¾, 1½, ¾ answers added).

    The plain Wald range, of which ``se_wald`` is the standard error in points, holds too little at small n.
    """
    n = len(scores)
    promoters = sum(score >= 9 for score in scores)
    detractors = sum(score <= 6 for score in scores)
    result: Nps = {
        "n": n,
        "promoters": promoters,
        "passives": n - promoters - detractors,
        "detractors": detractors,
        "nps": None,
        "se_wald": None,
        "adj_lo": None,
        "adj_hi": None,
        "reason": None if n else "no_answers",
    }
    if n:
        net, error = _net(promoters, detractors, n)
        middle, wide = _net(promoters + 0.75, detractors + 0.75, n + 3)
        half = two_sided_z(conf) * wide
        result["nps"], result["se_wald"] = 100 * net, 100 * error
        result["adj_lo"], result["adj_hi"] = 100 * max(-1.0, middle - half), 100 * min(1.0, middle + half)
    return result


def _net(promoters: float, detractors: float, n: float) -> tuple[float, float]:
    """Return the difference of the two shares and its standard error."""
    net = (promoters - detractors) / n
    return net, math.sqrt(max(0.0, (promoters + detractors) / n - net * net) / n)


def ces(counts: dict[str, Count]) -> Ces:
    """Customer effort score 2.0 of counts by answer: "1" disagree, it was hard, to "7" agree, it was easy."""
    by_answer = {str(answer): counts.get(str(answer), 0) for answer in EFFORT}
    for answer in sorted(set(counts) - set(by_answer)):
        raise RefusedArgument("counts", f'has "{answer}"; answers are 1 to 7.')
    n = sum(by_answer.values())
    if n == 0:
        return {"n": 0, "mean": None, "agree_pct": None, "index": None, "reason": "no_answers"}

    def share(answers: str) -> float:
        return 100 * sum(by_answer[answer] for answer in answers) / n

    return {
        "n": n,
        "mean": sum(int(answer) * count for answer, count in by_answer.items()) / n,
        "agree_pct": share("567"),
        "index": share("67") - share("123"),
        "reason": None,
    }
