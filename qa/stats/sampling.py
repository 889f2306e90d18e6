"""Drawing by hash: the same seed and list give the same sample on every machine, in whatever order it stands.

Whoever has the list of ids and the seed can draw again and get the same interactions.
"""

from __future__ import annotations

import hashlib
import math
from fractions import Fraction
from itertools import accumulate
from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from qa.stats.arguments import Count, NotNegative, RefusedArgument, same_length
from qa.stats.reasons import Reason

Ids = Annotated[list[str], Field(description="each id once")]
Sizes = Annotated[list[NotNegative], Field(description="how much each wants to be drawn")]


class Uniforms(TypedDict):
    """A number between 0 and 1 for each id, in the order of the ids."""

    u: list[float]


class Drawn(TypedDict):
    """Ids in the order in which they were drawn, and each id's chance to be among them."""

    selected: list[str]
    frame_size: int
    inclusion_probability: float | None
    reason: Reason | None


class Inclusion(TypedDict):
    """Each one's chance to be drawn, and the places (from 0) of those that are drawn for certain."""

    pi: list[float]
    certainty: list[int]


class DrawnBySize(TypedDict):
    """Ids that were drawn, and each one's chance, in the order of the ids."""

    selected: list[str]
    pi: list[float]


def hash_rank(seed: str, item: object) -> int:
    """Return the first 8 bytes of SHA-256("seed:item") as a number: the order of ``u``, without rounding."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{item}".encode()).digest()[:8], "big")


def uniform(seed: str, ids: list[str]) -> Uniforms:
    """u = (first 8 bytes of SHA-256("seed:id"), big-endian, + 0.5) / 2⁶⁴ for each id."""
    return {"u": [(hash_rank(seed, one) + 0.5) / 2**64 for one in ids]}


def select_random(seed: str, ids: Ids, n: Count) -> Drawn:
    """The n ids with the smallest u, smallest first; all of them when there are no more than n."""
    once("ids", ids)
    selected = sorted(ids, key=lambda one: (hash_rank(seed, one), one))[:n]
    chance = len(selected) / len(ids) if ids else None
    reason: Reason | None = None if ids else "no_ids"
    return {
        "selected": selected,
        "frame_size": len(ids),
        "inclusion_probability": chance,
        "reason": reason,
    }


def inclusion_probabilities(size: Sizes, n: Count) -> Inclusion:
    """Chances n·x/X, where whoever would get 1 or more is certain and leaves the rest to the others."""
    chances = _chances(size, n)
    certain = [place for place, chance in enumerate(chances) if chance == 1]
    return {"pi": [float(chance) for chance in chances], "certainty": certain}


def _chances(size: list[float], n: int) -> list[Fraction]:
    sizes = [Fraction(one) for one in size]
    possible = sum(one > 0 for one in sizes)
    if n > possible:
        raise RefusedArgument("n", f"must be at most the number of sizes above 0 ({possible}), not {n}.")
    certain: set[int] = set()
    while True:
        left, total = n - len(certain), sum(one for at, one in enumerate(sizes) if at not in certain)
        more = {at for at, one in enumerate(sizes) if at not in certain and 0 < total <= left * one}
        if not more:
            break
        certain |= more
    return [
        Fraction(1) if at in certain else left * one / total if total else Fraction(0)
        for at, one in enumerate(sizes)
    ]


def select_pps(seed: str, ids: Ids, size: Sizes, n: Count) -> DrawnBySize:
    """n ids with chances by size: Pareto order sampling (Rosén 1997), certainties first.

    The others by the smallest [u/(1 − u)]/[π/(1 − π)], where u is that of ``uniform``.
    """
    once("ids", ids)
    same_length("ids", ids, "size", size)
    chances = _chances(size, n)
    ordered = sorted((_pareto(seed, one, chance), one) for one, chance in zip(ids, chances, strict=True))
    return {"selected": [one for _, one in ordered[:n]], "pi": [float(chance) for chance in chances]}


def _pareto(seed: str, one: str, chance: Fraction) -> float:
    if chance in {0, 1}:
        return 0.0 if chance else math.inf
    twice = 2 * hash_rank(seed, one) + 1
    return twice / (2**65 - twice) / float(chance / (1 - chance))


def select_systematic(
    ids: Ids,
    size: Sizes,
    n: Count,
    start: Annotated[NotNegative, Field(description="below 1: share of the interval; else units of size")],
) -> DrawnBySize:
    """Every interval-th unit of size along the list, from the start on: for audits by the textbook.

    A whole start of 1 or more counts in units of size, as textbooks do, and picks whose running total first
    reaches it. Some pairs can never be drawn together, so the spread of such a sample is only approximate.
    """
    once("ids", ids)
    same_length("ids", ids, "size", size)
    chances = _chances(size, n)
    first, reaches = Fraction(start), start >= 1
    if reaches and n:
        interval = sum(map(Fraction, size), Fraction(0)) / n
        if max(size) > interval:
            raise RefusedArgument("start", "must be below 1 when a size is larger than the interval.")
        if first > interval:
            raise RefusedArgument("start", f"must be at most the interval ({float(interval):g}).")
        first /= interval
    totals = list(accumulate(chances))
    selected, place = [], 0
    for pick in range(n):
        wanted = first + pick
        while totals[place] < wanted or (totals[place] == wanted and not reaches):
            place += 1
        selected.append(ids[place])
    return {"selected": selected, "pi": [float(chance) for chance in chances]}


def once(name: str, ids: list[str]) -> None:
    """Refuse a list in which an id stands twice.

    :raises RefusedArgument: naming the first such id.
    """
    seen: set[str] = set()
    for one in ids:
        if one in seen:
            raise RefusedArgument(name, f'has "{one}" twice.')
        seen.add(one)
