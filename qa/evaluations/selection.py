"""Drawing interactions by their hash: the same list and seed give the same sample on every machine.

It is the draw of ``qa stats select_random``, for numbers instead of texts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from qa.stats.sampling import hash_rank


def draw(frame: Iterable[int], count: int, *, seed: str) -> list[int]:
    """Return ``count`` items in the order in which they are drawn; all of a smaller frame."""
    return sorted(set(frame), key=lambda item: (hash_rank(seed, item), item))[:count]


def frame_hash(frame: Iterable[int]) -> str:
    """Return a hash of the frame's ids, whatever their order."""
    return hashlib.sha256(",".join(map(str, sorted(set(frame)))).encode()).hexdigest()
