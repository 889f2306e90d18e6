"""Filling quotas when evaluators cannot do them all: the same share of each quota, never all from one."""

from __future__ import annotations

import heapq
from fractions import Fraction

from typing_extensions import TypedDict

from qa.stats.arguments import Count, RefusedArgument

MOST = 1_000_000
"""Evaluations that are allocated at once."""


class Allocation(TypedDict):
    """Evaluations for each agent, and what is missing from the quotas."""

    allocation: dict[str, int]
    shortfall: dict[str, int]


def allocate(
    quota: dict[str, Count],
    eligible: dict[str, Count],
    capacity: Count,
    debt: dict[str, Count] | None = None,
) -> Allocation:
    """One evaluation at a time to whoever has the smallest part of the quota, up to what is eligible.

    Ties go to the larger debt (what was missing last period), then to the smaller id.
    """
    for name, given in (("eligible", eligible), ("debt", debt or {})):
        for agent in sorted(set(given) - set(quota)):
            raise RefusedArgument(name, f'names "{agent}", who has no quota.')
    limits = {agent: min(wanted, eligible.get(agent, 0)) for agent, wanted in quota.items()}
    if min(capacity, sum(limits.values())) > MOST:
        raise RefusedArgument("capacity", f"must be at most {MOST}.")
    owed = {agent: -(debt or {}).get(agent, 0) for agent in quota}
    allocation = dict.fromkeys(quota, 0)
    waiting = [(Fraction(0), owed[agent], agent) for agent, limit in limits.items() if limit]
    heapq.heapify(waiting)
    for _ in range(capacity):
        if not waiting:
            break
        _, _, agent = heapq.heappop(waiting)
        allocation[agent] += 1
        if allocation[agent] < limits[agent]:
            heapq.heappush(waiting, (Fraction(allocation[agent], quota[agent]), owed[agent], agent))
    shortfall = {agent: wanted - allocation[agent] for agent, wanted in quota.items()}
    return {"allocation": allocation, "shortfall": shortfall}
