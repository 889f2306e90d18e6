"""Drawing by hash: the same list and seed give the same sample on every machine, in any order.

u = (first 8 bytes of SHA-256("seed:id") as a big-endian number + 0.5) / 2**64; the n smallest u are drawn.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable


def rank(seed: str, item: object) -> int:
    """Return the 64-bit number whose order is the order of ``u``; exact, where a float would round."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{item}".encode()).digest()[:8], "big")


def draw(frame: Iterable[int], count: int, *, seed: str) -> list[int]:
    """Return ``count`` items in the order in which they are drawn; all of a smaller frame."""
    return sorted(set(frame), key=lambda item: (rank(seed, item), item))[:count]


def frame_hash(frame: Iterable[int]) -> str:
    """Return a hash of the frame's ids, whatever their order."""
    return hashlib.sha256(",".join(map(str, sorted(set(frame)))).encode()).hexdigest()
