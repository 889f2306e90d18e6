"""Follow-up conversations: drawn by hash after each month of a plan, scored by somebody who is not told why.

Beside each coached agent somebody who is not coached is drawn in the same way, so that whoever scores cannot
guess who is, and the comparison grows as well.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session, selectinload

from qa.accounts.models import User, UserRole
from qa.coaching.effect_queries import windows_of
from qa.coaching.models import CoachingPlan, FollowUpDraw
from qa.coaching.times import add_months, start_of
from qa.core.actor import SYSTEM
from qa.core.db import insert_unless_there
from qa.core.errors import DomainError
from qa.evaluations.draw_service import draw_random
from qa.evaluations.models import Assignment
from qa.stats.sampling import hash_rank

DRAWN = 5
DUE = timedelta(days=7)
NOBODY = "Nobody who scores is free of the people in this plan."


def due_months(plan: CoachingPlan, zone: ZoneInfo, now: datetime) -> list[date]:
    """Return the first days of the months after the trigger that are over by now."""
    first = windows_of(plan.trigger_at, plan.months, zone).trigger
    months = [add_months(first, 1 + number) for number in range(plan.months)]
    return [month for month in months if start_of(add_months(month, 1), zone) <= now]


def draw_follow_ups(session: Session, plan_id: int, *, zone: ZoneInfo, now: datetime) -> int:
    """Draw from each month that is over and was not drawn from; return how many were given out."""
    plan = session.scalar(
        select(CoachingPlan)
        .where(CoachingPlan.id == plan_id, CoachingPlan.state == "active")
        .options(selectinload(CoachingPlan.goals))
    )
    if plan is None:
        return 0
    scorecards = sorted({one.scorecard_id for one in plan.goals if one.scorecard_id is not None})
    return sum(
        _draw_month(session, plan, scorecards, month, zone, now) for month in due_months(plan, zone, now)
    )


def _draw_month(
    session: Session, plan: CoachingPlan, scorecards: list[int], month: date, zone: ZoneInfo, now: datetime
) -> int:
    put = insert_unless_there(session, FollowUpDraw, on=["plan_id", "month"]).returning(FollowUpDraw.month)
    row = {"plan_id": plan.id, "month": month, "drawn_at": now, "count": 0, "problem": ""}
    if session.scalar(put, row) is None:
        return 0
    made, problem = 0, ""
    for scorecard_id in scorecards:
        evaluator_id = _evaluator(session, plan, month)
        if evaluator_id is None:
            problem = NOBODY
            continue
        for agent_id in (plan.agent_id, _beside(session, plan, month)):
            if agent_id is not None and agent_id != evaluator_id:
                drawn, said = _drawn(session, agent_id, scorecard_id, evaluator_id, month, zone, now)
                made, problem = made + drawn, problem or (said if agent_id == plan.agent_id else "")
    kept = session.get_one(FollowUpDraw, (plan.id, month))
    kept.count, kept.problem = made, problem
    return made


def _drawn(
    session: Session,
    agent_id: int,
    scorecard_id: int,
    evaluator_id: int,
    month: date,
    zone: ZoneInfo,
    now: datetime,
) -> tuple[int, str]:
    try:
        made = draw_random(
            session,
            SYSTEM,
            agent_ids=[agent_id],
            scorecard_id=scorecard_id,
            evaluator_id=evaluator_id,
            count=DRAWN,
            since=start_of(month, zone),
            until=start_of(add_months(month, 1), zone),
            due_at=now + DUE,
            now=now,
        )
    except DomainError as refusal:
        return 0, refusal.message
    return len(made), ""


def _evaluator(session: Session, plan: CoachingPlan, month: date) -> int | None:
    """Return who scores: the one with the shortest queue who is neither coach nor agent; ties by hash."""
    waiting = (
        select(Assignment.evaluator_id, func.count().label("open"))
        .where(Assignment.state.in_(("open", "started")))
        .group_by(Assignment.evaluator_id)
        .subquery()
    )
    rows = session.execute(
        select(User.id, func.coalesce(waiting.c.open, 0))
        .join(UserRole, UserRole.user_id == User.id)
        .outerjoin(waiting, waiting.c.evaluator_id == User.id)
        .where(
            UserRole.role == "evaluator",
            User.deactivated_at.is_(None),
            User.id.not_in((plan.coach_id, plan.agent_id)),
        )
    )
    seed = f"{plan.id}:{month}"
    return min(((open_, hash_rank(seed, one), one) for one, open_ in rows), default=(0, 0, None))[2]


def _beside(session: Session, plan: CoachingPlan, month: date) -> int | None:
    """Return somebody of the same team who is not coached, by hash; None when there is nobody."""
    team_id = session.scalar(select(User.team_id).where(User.id == plan.agent_id))
    if team_id is None:
        return None
    coached = select(CoachingPlan.agent_id).where(CoachingPlan.state == "active")
    rows = session.scalars(
        select(User.id)
        .join(UserRole, UserRole.user_id == User.id)
        .where(
            UserRole.role == "agent",
            User.team_id == team_id,
            User.deactivated_at.is_(None),
            User.id.not_in(coached),
        )
    )
    return min(rows, key=lambda one: (hash_rank(f"beside:{plan.id}:{month}", one), one), default=None)
