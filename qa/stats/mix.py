"""Why a rate of everything moved: because work got better, or because there is other work."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import BeforeValidator
from typing_extensions import TypedDict

from qa.stats.arguments import NotNegative, Number, as_tuple
from qa.stats.reasons import Reason

Channel = Annotated[tuple[Number, NotNegative], BeforeValidator(as_tuple)]


class Mix(TypedDict):
    """Rates before and after, and the change as the sum of two parts."""

    before: float | None
    after: float | None
    total: float | None
    performance: float | None
    mix: float | None
    reason: Reason | None


def mix_decomposition(before: dict[str, Channel], after: dict[str, Channel]) -> Mix:
    """Split the change of an overall rate into performance and mix (Kitagawa 1955); both add up to it.

    ``{channel: [rate, n]}``. Performance is the change of each channel's rate at the mean of its two shares,
    mix the change of its share at the mean of its two rates. A channel that exists on one side only is mix.
    """
    of_before, of_after = (math.fsum(n for _, n in channels.values()) for channels in (before, after))
    result: Mix = {
        "before": _overall(before, of_before),
        "after": _overall(after, of_after),
        "total": None,
        "performance": None,
        "mix": None,
        "reason": None,
    }
    if not of_before or not of_after:
        result["reason"] = "no_values"
        return result
    performance, mix = [], []
    for channel in sorted(set(before) | set(after)):
        rate, n = before.get(channel, (0.0, 0.0))
        later_rate, later_n = after.get(channel, (0.0, 0.0))
        rate, later_rate = (rate if n else later_rate), (later_rate if later_n else rate)
        share, later_share = n / of_before, later_n / of_after
        performance.append((later_rate - rate) * (share + later_share) / 2)
        mix.append((later_share - share) * (rate + later_rate) / 2)
    result["performance"], result["mix"] = math.fsum(performance), math.fsum(mix)
    result["total"] = math.fsum(performance + mix)
    return result


def _overall(channels: dict[str, Channel], total: float) -> float | None:
    return math.fsum(rate * n for rate, n in channels.values()) / total if total else None
