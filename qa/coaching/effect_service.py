"""Freezing the numbers from before, and measuring what came of a plan. Called by the worker alone.

What is frozen is never touched again: no later evaluation, revision or person changes it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from qa.coaching.effect_queries import Found, Window, Windows, coached_on, values_in, windows_of
from qa.coaching.measure import change_of_one, is_share, means, programme, summary
from qa.coaching.models import CoachingGoal, CoachingPlan

COUNTED = ("question", "section", "kpi")


def measure_plan(session: Session, plan_id: int, *, zone: ZoneInfo, now: datetime) -> None:
    """Freeze what is not frozen yet, and note for each counted goal what is known today."""
    plan = session.scalar(
        select(CoachingPlan)
        .where(CoachingPlan.id == plan_id, CoachingPlan.started_at.is_not(None))
        .options(selectinload(CoachingPlan.goals))
    )
    if plan is None or plan.started_at is None:
        return
    windows = windows_of(plan.trigger_at, plan.months, zone)
    for goal in plan.goals:
        if goal.kind in COUNTED:
            _measure(session, plan, goal, windows, zone, now)


def _measure(
    session: Session, plan: CoachingPlan, goal: CoachingGoal, windows: Windows, zone: ZoneInfo, now: datetime
) -> None:
    assert plan.started_at is not None
    share = is_share(goal.kind, goal.ref)
    before = values_in(session, goal, windows.before, as_of=plan.started_at)
    if goal.baseline is None:
        goal.baseline = _window(before, plan.agent_id, windows.before, share=share)
        goal.frozen_at = now
    after = values_in(session, goal, windows.after, as_of=now)
    mine: list[float] = goal.baseline["values"]
    since = after.values.get(plan.agent_id, [])
    goal.measured = {
        "after": _window(after, plan.agent_id, windows.after, share=share),
        "own": change_of_one(mine, since, before.values, share=share, target=goal.target),
        "all": _programme(session, plan, goal, windows, zone, before, after),
    }
    goal.measured_at = now


def _window(found: Found, agent_id: int, window: Window, *, share: bool) -> dict[str, Any]:
    values = found.values.get(agent_id, [])
    return {
        **summary(values, found.values, share=share),
        "values": values,
        "evaluations": found.ids.get(agent_id, []),
        "without": found.without.get(agent_id, 0),
        "since": window.since.isoformat(),
        "until": window.until.isoformat(),
        "selection": "all" if not found.ids and values else "random",
        "method": "wilson" if share else "pooled_sd",
    }


def _programme(
    session: Session,
    plan: CoachingPlan,
    goal: CoachingGoal,
    windows: Windows,
    zone: ZoneInfo,
    before: Found,
    after: Found,
) -> dict[str, Any]:
    together, anybody = coached_on(session, goal, windows, plan.months, zone)
    first, then = means(before.values), means(after.values)
    coached = [(first.get(one), then.get(one)) for one in sorted(together)]
    others = [(first.get(one), then.get(one)) for one in sorted((set(first) | set(then)) - anybody)]
    calls = sum(len(after.values.get(one, ())) for one in together)
    return programme(coached, others, calls, before.values)
