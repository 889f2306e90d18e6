"""Background work of coaching: reminders, what is overdue, follow-up draws, numbers, plans by rule.

Everything that is told has a key, so that a worker that dies and begins again, or two of them, tell it once.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload, selectinload

from qa.accounts.models import User
from qa.accounts.notices_service import notify
from qa.coaching import queries
from qa.coaching.effect_service import measure_plan
from qa.coaching.follow_up_service import draw_follow_ups
from qa.coaching.goals import lost_goals
from qa.coaching.models import CoachingPlan, CoachingSession, CoachingTodo, SessionMember
from qa.coaching.plan_service import Cause, PlanChoice, create_plan, default_review, end_for_leaver
from qa.coaching.session_service import when_words
from qa.coaching.times import remind_at
from qa.core import clock, jobs
from qa.core.actor import SYSTEM
from qa.core.db import Database
from qa.core.working import Payload
from qa.evaluations.models import Evaluation
from qa.interactions.service import give_viewer

TICK_JOB = "coaching.tick"
MEASURE_JOB = "coaching.measure"
SOON = timedelta(hours=1)
LOOK_AHEAD = timedelta(days=14)
CONFIRM_AFTER = timedelta(days=2)
UNTOLD_AFTER = timedelta(days=1)
LATE_DAYS = 3
RULE_DAYS = timedelta(days=30)
RULE_COUNT = 2
RULE_MONTHS = 2
BECAUSE = "coachee"


def tick(database: Database, zone: ZoneInfo, now: datetime) -> None:
    """Do all that time alone makes due."""
    for act in (_remind, _ask_to_confirm, _ask_how_it_went, _tell_of_todos, _tell_of_reviews, _end_leavers):
        with database.transaction() as session:
            act(session, zone, now)
    with database.reading() as session:
        running = list(session.scalars(select(CoachingPlan.id).where(CoachingPlan.state == "active")))
    for plan_id in running:
        with database.transaction() as session:
            draw_follow_ups(session, plan_id, zone=zone, now=now)


def _remind(session: Session, _zone: ZoneInfo, now: datetime) -> None:
    """Remind everybody on the working day before and in the hour before, in their own zones."""
    ahead = _sessions().where(
        CoachingSession.state == "planned",
        CoachingSession.starts_at > now,
        CoachingSession.starts_at < now + LOOK_AHEAD,
    )
    days_off = queries.days_off(session, now.date() - timedelta(days=1))
    for one in session.scalars(ahead):
        first = remind_at(one.starts_at, ZoneInfo(one.zone), days_off)
        if one.timed_at < first <= now:
            _tell_all(session, one, f"day:{one.sequence}", "Next: {}, {}.", now)
        second = one.starts_at - SOON
        if one.timed_at < second <= now:
            _tell_all(session, one, f"hour:{one.sequence}", "Soon: {}, {}.", now)


def _tell_all(session: Session, one: CoachingSession, key: str, words: str, now: datetime) -> None:
    for member in one.members:
        said = words.format(one.title, when_words(one, member.person))
        _tell_of_session(session, one, member.person_id, key, said, now)


def _ask_to_confirm(session: Session, _zone: ZoneInfo, now: datetime) -> None:
    """Remind those who have not confirmed a session two days after it, once."""
    waiting = _sessions().where(
        CoachingSession.state == "held",
        CoachingSession.ended_at < now - CONFIRM_AFTER,
        CoachingSession.id.in_(select(SessionMember.session_id).where(SessionMember.confirmed_at.is_(None))),
    )
    for one in session.scalars(waiting):
        for member in one.members:
            if member.confirmed_at is None:
                said = f"Your session waits for you to confirm it: {one.title}."
                _tell_of_session(session, one, member.person_id, "confirm:again", said, now)


def _ask_how_it_went(session: Session, _zone: ZoneInfo, now: datetime) -> None:
    """Ask the coach about a session that is over and was neither held nor missed."""
    over = _sessions().where(
        CoachingSession.state == "planned", CoachingSession.starts_at < now - UNTOLD_AFTER
    )
    for one in session.scalars(over):
        said = f"Did it take place? Close it, move it, or say that nobody came: {one.title}."
        _tell_of_session(session, one, one.coach_id, f"how:{one.sequence}", said, now)


def _tell_of_todos(session: Session, zone: ZoneInfo, now: datetime) -> None:
    """Remind of a to-do on its day, and pass on what is three days late to coach and team lead."""
    today = now.astimezone(zone).date()
    rows = (
        select(CoachingTodo)
        .where(
            CoachingTodo.done_at.is_(None),
            CoachingTodo.dropped_at.is_(None),
            CoachingTodo.due_on <= today,
        )
        .options(
            joinedload(CoachingTodo.person),
            joinedload(CoachingTodo.plan).joinedload(CoachingPlan.agent),
        )
    )
    for todo in session.scalars(rows):
        assert todo.due_on is not None
        if todo.plan is not None and todo.plan.state != "active":
            continue
        _tell_of_todo(session, todo, todo.person_id, "due", f"Due today: {todo.words}", now)
        if todo.due_on <= today - timedelta(days=LATE_DAYS) and todo.plan is not None:
            said = f"{LATE_DAYS} days late, {todo.person.name}: {todo.words}"
            told = {todo.plan.coach_id, *(lead.id for lead in queries.list_leads(session, todo.plan.agent))}
            for person_id in told - {todo.person_id}:
                _tell_of_todo(session, todo, person_id, "late", said, now)


def _tell_of_todo(
    session: Session, todo: CoachingTodo, person_id: int, key: str, words: str, now: datetime
) -> None:
    if todo.plan_id is not None:
        endpoint, values = "coaching.plan", {"plan_id": todo.plan_id}
    else:
        endpoint, values = "coaching.session", {"session_id": todo.session_id or 0}
    notify(
        session,
        person_id=person_id,
        kind="coaching_todo",
        words=words,
        endpoint=endpoint,
        values=values,
        key=f"todo:{todo.id}:{key}:{todo.due_on}",
        now=now,
    )


def _tell_of_reviews(session: Session, zone: ZoneInfo, now: datetime) -> None:
    """Tell both when the day of review has come, and have the numbers computed."""
    today = now.astimezone(zone).date()
    due = (
        select(CoachingPlan)
        .where(CoachingPlan.state == "active", CoachingPlan.review_on <= today)
        .options(joinedload(CoachingPlan.agent))
    )
    for plan in session.scalars(due):
        said = f"The day of review has come: {plan.title}."
        told = [
            _tell_of_plan(session, plan, one, "review", said, now) for one in (plan.agent_id, plan.coach_id)
        ]
        if any(told):
            ask_to_measure(session, plan.id, now=now)


def _end_leavers(session: Session, _zone: ZoneInfo, now: datetime) -> None:
    """End the plans of agents who left; tell the leads of those whose coach did."""
    rows = (
        select(CoachingPlan)
        .where(CoachingPlan.state.in_(("draft", "active")))
        .options(joinedload(CoachingPlan.agent), joinedload(CoachingPlan.coach))
    )
    for plan in session.scalars(rows):
        if plan.agent.deactivated_at is not None:
            end_for_leaver(session, plan, now=now)
        elif plan.coach.deactivated_at is not None:
            said = f"{plan.coach.name} has left. Choose another coach for {plan.agent.name}: {plan.title}."
            for lead in queries.list_leads(session, plan.agent):
                _tell_of_plan(session, plan, lead.id, f"left:{plan.coach_id}", said, now)


# --- what follows an event ----------------------------------------------------


def begin_measuring(database: Database, event: dict[str, Any], now: datetime) -> None:
    """Have the numbers from before frozen when a plan begins."""
    with database.transaction() as session:
        ask_to_measure(session, event["plan_id"], now=now)


def measure_again(database: Database, event: dict[str, Any], now: datetime) -> None:
    """Have the numbers of an agent's running plans computed anew after an evaluation."""
    with database.transaction() as session:
        running = select(CoachingPlan.id).where(
            CoachingPlan.agent_id == event["agent_id"], CoachingPlan.state == "active"
        )
        for plan_id in session.scalars(running):
            ask_to_measure(session, plan_id, now=now)


def ask_to_measure(session: Session, plan_id: int, *, now: datetime) -> None:
    """Have a plan's numbers computed."""
    jobs.enqueue(session, MEASURE_JOB, {"plan_id": plan_id}, now=now, dedupe_key=f"{MEASURE_JOB}:{plan_id}")


def measure(zone: ZoneInfo, database: Database, payload: Payload) -> None:
    """Compute a plan's numbers. For the worker's table of kinds."""
    with database.transaction() as session:
        measure_plan(session, int(payload["plan_id"]), zone=zone, now=clock.now())


def show_to_coach(database: Database, event: dict[str, Any], now: datetime) -> None:
    """Let an agent's coach hear the conversation of a released evaluation."""
    with database.transaction() as session:
        found = session.execute(
            select(Evaluation.interaction_id, User.coach_id)
            .join(User, User.id == Evaluation.agent_id)
            .where(Evaluation.id == event["evaluation_id"], User.coach_id.is_not(None))
        ).one_or_none()
        if found is not None:
            give_viewer(session, found.interaction_id, found.coach_id, BECAUSE)


def suggest_plan(zone: ZoneInfo, database: Database, event: dict[str, Any], now: datetime) -> None:
    """Suggest a plan when an agent failed as a whole twice within thirty days and has none.

    A draft for the agent's coach; without a coach the team's leads are asked to choose one.
    """
    with database.transaction() as session:
        failed = _failed_lately(session, event["agent_id"], now)
        agent = session.get(User, event["agent_id"])
        if len(failed) < RULE_COUNT or agent is None or agent.deactivated_at is not None:
            return
        open_plans = select(func.count()).where(
            CoachingPlan.agent_id == agent.id, CoachingPlan.state.in_(("draft", "active"))
        )
        if session.scalar(open_plans):
            return
        latest = failed[-1]
        if agent.coach_id is None:
            said = f"{agent.name} failed {len(failed)} conversations in 30 days. Choose a coach."
            for lead in queries.list_leads(session, agent):
                _tell(session, lead.id, said, "coaching.coaches", {}, f"rule:{agent.id}:{latest.id}", now)
            return
        _suggest(session, agent, failed, zone, now)


def _failed_lately(session: Session, agent_id: int, now: datetime) -> list[Evaluation]:
    rows = (
        select(Evaluation)
        .where(
            Evaluation.agent_id == agent_id,
            Evaluation.type == "standard",
            Evaluation.submitted_at > now - RULE_DAYS,
            Evaluation.voided_at.is_(None),
            Evaluation.outcome == "fail",
        )
        .options(joinedload(Evaluation.version))
        .order_by(Evaluation.submitted_at, Evaluation.id)
    )
    return [
        one
        for one in session.scalars(rows)
        if any(cause.get("scope") == "form" for cause in one.fail_causes or ())
    ]


def _suggest(session: Session, agent: User, failed: list[Evaluation], zone: ZoneInfo, now: datetime) -> None:
    latest = failed[-1]
    goals = lost_goals(latest)[:1]
    if not goals or agent.coach_id is None:
        return
    plan = create_plan(
        session,
        SYSTEM,
        agent_id=agent.id,
        coach_id=agent.coach_id,
        choice=PlanChoice(goals[0].label, goals, default_review(now, zone, RULE_MONTHS)),
        zone=zone,
        now=now,
        cause=Cause("rule", latest.id, f"{len(failed)} conversations failed as a whole in 30 days."),
    )
    said = f"A plan is suggested for {agent.name}: {plan.title}."
    _tell_of_plan(session, plan, plan.coach_id, "suggested", said, now)


# --- shared -------------------------------------------------------------------


def _sessions() -> Any:
    return select(CoachingSession).options(
        joinedload(CoachingSession.coach),
        selectinload(CoachingSession.members).joinedload(SessionMember.person),
    )


def _tell_of_session(
    session: Session, one: CoachingSession, person_id: int, key: str, words: str, now: datetime
) -> bool:
    place = {"session_id": one.id}
    return _tell(session, person_id, words, "coaching.session", place, f"session:{one.id}:{key}", now)


def _tell_of_plan(
    session: Session, plan: CoachingPlan, person_id: int, key: str, words: str, now: datetime
) -> bool:
    return _tell(
        session, person_id, words, "coaching.plan", {"plan_id": plan.id}, f"plan:{plan.id}:{key}", now
    )


def _tell(
    session: Session,
    person_id: int,
    words: str,
    endpoint: str,
    values: dict[str, int],
    key: str,
    now: datetime,
) -> bool:
    return notify(
        session,
        person_id=person_id,
        kind="coaching",
        words=words,
        endpoint=endpoint,
        values=values,
        key=key,
        now=now,
    )
