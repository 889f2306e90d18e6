"""Drawing by hash: the same seed and list give the same sample on every machine, in whatever order it stands.

Whoever has the list of ids and the seed can draw again and get the same interactions.
"""

from __future__ import annotations

import hashlib
from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from qa.stats.arguments import Count, RefusedArgument

Ids = Annotated[list[str], Field(description="each id once")]


class Uniforms(TypedDict):
    """A number between 0 and 1 for each id, in the order of the ids."""

    u: list[float]


class Drawn(TypedDict):
    """Ids in the order in which they were drawn, and each id's chance to be among them."""

    selected: list[str]
    frame_size: int
    inclusion_probability: float | None
    reason: str | None


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
    reason = None if ids else "no_ids"
    return {
        "selected": selected,
        "frame_size": len(ids),
        "inclusion_probability": chance,
        "reason": reason,
    }


def once(name: str, ids: list[str]) -> None:
    """Refuse a list in which an id stands twice.

    :raises RefusedArgument: naming the first such id.
    """
    seen: set[str] = set()
    for one in ids:
        if one in seen:
            raise RefusedArgument(name, f'has "{one}" twice.')
        seen.add(one)
