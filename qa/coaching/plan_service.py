"""Coaching plans: made from an evaluation, an agent's page, a rule or a template, then run, reviewed, ended.

Goals and the months that are compared are settled when a plan begins; nobody changes them afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from qa.accounts.models import User, UserRole
from qa.accounts.notices_service import notify
from qa.accounts.permissions import Permission as P
from qa.accounts.policy import require
from qa.coaching import queries
from qa.coaching.events import PlanStarted, tell
from qa.coaching.goals import GoalChoice, make_goals
from qa.coaching.models import (
    TITLE_MAX,
    WORDS_MAX,
    CoachingPlan,
    CoachingSession,
    CoachingTodo,
    PlanEvent,
    coachee_scope,
)
from qa.coaching.times import add_months, month_of, whole_months_until
from qa.core import audit, outbox
from qa.core.actor import SYSTEM, Actor
from qa.core.errors import Conflict, Invalid, NotFound
from qa.core.text import checked
from qa.evaluations.queries import get_evaluation

MOST_TODOS = 50


@dataclass(frozen=True, slots=True)
class PlanChoice:
    """What a new plan says. ``todos`` are words with the day they are due."""

    title: str
    goals: Sequence[GoalChoice]
    review_on: date
    why: str = ""
    todos: Sequence[tuple[str, date | None]] = ()


@dataclass(frozen=True, slots=True)
class Cause:
    """What a plan comes from."""

    origin: str = "agent"
    evaluation_id: int | None = None
    rule: str = ""


def create_plan(
    session: Session,
    actor: Actor,
    *,
    agent_id: int,
    coach_id: int,
    choice: PlanChoice,
    zone: ZoneInfo,
    now: datetime,
    cause: Cause = Cause(),
) -> CoachingPlan:
    """Make a draft. Raises ``Invalid`` naming the field."""
    agent = get_coachee(session, actor, agent_id)
    coach = _coach(session, coach_id, agent)
    if cause.evaluation_id is not None:
        get_evaluation(session, actor, cause.evaluation_id)
    trigger = month_of(now, zone)
    months = whole_months_until(trigger, choice.review_on)
    if not months:
        first = add_months(trigger, 2)
        raise Invalid(
            f"Before {first.day} {first:%B %Y} no whole month has passed that could be compared. "
            "Choose a later day.",
            field="review_on",
        )
    plan = CoachingPlan(
        agent_id=agent.id,
        coach_id=coach.id,
        title=_words(choice.title, "title", "The title", TITLE_MAX, needed="Give the plan a title."),
        why=_words(choice.why, "why", "The reason", WORDS_MAX),
        origin=cause.origin,
        rule=cause.rule,
        evaluation_id=cause.evaluation_id,
        trigger_at=now,
        months=months,
        review_on=choice.review_on,
        made_by_id=actor.id,
        made_at=now,
        goals=make_goals(session, actor, choice.goals),
        todos=[_todo(actor, agent.id, words, due, now) for words, due in choice.todos[:MOST_TODOS]],
        events=[],
        agent=agent,
        coach=coach,
    )
    session.add(plan)
    session.flush()
    _note(session, actor, plan, _origin_words(cause), now)
    if agent.coach_id is None and actor is not SYSTEM:
        agent.coach_id = coach.id
    audit.record(session, actor, "coaching_plan:create", "coaching_plan", plan.id, now=now)
    tell(session, "plan", plan.id, "created", now=now)
    return plan


def get_coachee(session: Session, actor: Actor, agent_id: int) -> User:
    """Return an agent for whom this actor may make plans; ``NotFound`` for whoever left."""
    agent = session.scalar(select(User).where(User.id == agent_id, User.deactivated_at.is_(None)))
    if agent is None:
        raise NotFound("There is no such agent.")
    require(actor, P.COACHING_PLAN_CREATE, coachee_scope(agent))
    return agent


def _coach(session: Session, coach_id: int, agent: User) -> User:
    found = session.scalar(
        select(User)
        .join(UserRole, UserRole.user_id == User.id)
        .where(User.id == coach_id, UserRole.role == "coach", User.deactivated_at.is_(None))
    )
    if found is None or found.id == agent.id:
        raise Invalid("Choose somebody with the role of coach, other than the agent.", field="coach_id")
    return found


def start_plan(session: Session, actor: Actor, plan_id: int, *, now: datetime) -> CoachingPlan:
    """Begin: the agent is told, and the numbers from before are frozen."""
    plan = get_editable_plan(session, actor, plan_id, "draft")
    plan.state, plan.started_at = "active", now
    _note(session, actor, plan, "The plan began.", now)
    outbox.emit(session, PlanStarted(plan.id), now=now)
    words = f"{plan.coach.name} and you begin a coaching plan: {plan.title}."
    _notify(session, plan, plan.agent_id, "started", words, now)
    if plan.coach_id != actor.id:
        words = f"You coach {plan.agent.name} now: {plan.title}."
        _notify(session, plan, plan.coach_id, "started", words, now)
    audit.record(session, actor, "coaching_plan:start", "coaching_plan", plan.id, now=now)
    tell(session, "plan", plan.id, "started", now=now)
    return plan


def complete_plan(session: Session, actor: Actor, plan_id: int, *, words: str, now: datetime) -> None:
    """End a plan that was carried out."""
    _end(session, actor, get_editable_plan(session, actor, plan_id, "active"), "completed", words, now)


def cancel_plan(session: Session, actor: Actor, plan_id: int, *, words: str, now: datetime) -> None:
    """End a plan that is not carried out, with a reason. Its planned sessions are cancelled."""
    plan = get_editable_plan(session, actor, plan_id, "draft", "active")
    if not words.strip():
        raise Invalid("Say why the plan ends. The agent reads it.", field="words")
    _end(session, actor, plan, "cancelled", words, now)


def _end(session: Session, actor: Actor, plan: CoachingPlan, state: str, words: str, now: datetime) -> None:
    was_draft = plan.state == "draft"
    plan.state, plan.ended_at = state, now
    plan.end_words = _words(words, "words", "The words", WORDS_MAX)
    _note(session, actor, plan, f"The plan was {state}. {plan.end_words}".strip(), now)
    left = select(CoachingSession).where(
        CoachingSession.plan_id == plan.id, CoachingSession.state == "planned"
    )
    for one in session.scalars(left):
        one.state, one.ended_at, one.sequence = "cancelled", now, one.sequence + 1
    if not was_draft:
        words = f"Your coaching plan was {state}: {plan.title}."
        _notify(session, plan, plan.agent_id, state, words, now)
    audit.record(session, actor, f"coaching_plan:{state}", "coaching_plan", plan.id, now=now)
    tell(session, "plan", plan.id, state, now=now)


def end_for_leaver(session: Session, plan: CoachingPlan, *, now: datetime) -> None:
    """End the plan of an agent who left; the caller is the worker. Needs agent and coach loaded."""
    _end(session, SYSTEM, plan, "cancelled", "The agent has left.", now)


def hand_over(session: Session, actor: Actor, plan_id: int, *, coach_id: int, now: datetime) -> None:
    """Give a plan to another coach, who becomes the agent's coach."""
    plan = get_editable_plan(session, actor, plan_id, "draft", "active")
    coach = _coach(session, coach_id, plan.agent)
    if coach.id == plan.coach_id:
        raise Invalid("This is the coach already.", field="coach_id")
    before = plan.coach_id
    plan.coach_id = plan.agent.coach_id = coach.id
    waiting = select(CoachingSession).where(
        CoachingSession.plan_id == plan.id, CoachingSession.state == "planned"
    )
    for one in session.scalars(waiting):
        one.coach_id = coach.id
    _note(session, actor, plan, f"{coach.name} is the coach from now on.", now)
    words = f"You coach {plan.agent.name} now: {plan.title}."
    _notify(session, plan, coach.id, f"handed:{coach.id}", words, now)
    audit.record(
        session,
        actor,
        "coaching_plan:hand_over",
        "coaching_plan",
        plan.id,
        now=now,
        before={"coach_id": before},
        after={"coach_id": coach.id},
    )
    tell(session, "plan", plan.id, "handed_over", now=now)


def tell_lead(session: Session, actor: Actor, plan_id: int, *, words: str, now: datetime) -> int:
    """Pass a plan on to the leads of the agent's team with a sentence; return how many were told."""
    plan = get_editable_plan(session, actor, plan_id, "draft", "active")
    words = _words(words, "words", "The words", 200, needed="Say what the team lead should know.")
    leads = queries.list_leads(session, plan.agent)
    if not leads:
        raise Conflict("No lead works in this agent's team or above it.")
    said = f"{actor.name} asks you to look at the coaching of {plan.agent.name}: {words}"
    for lead in leads:
        _notify(session, plan, lead.id, f"lead:{now.isoformat()}", said, now)
    _note(session, actor, plan, f"Passed on to {', '.join(one.name for one in leads)}: {words}", now)
    audit.record(session, actor, "coaching_plan:tell_lead", "coaching_plan", plan.id, now=now)
    return len(leads)


def set_coach(session: Session, actor: Actor, agent_id: int, *, coach_id: int | None, now: datetime) -> None:
    """Say who coaches an agent; None ends it. Plans that run keep their coach."""
    agent = session.scalar(select(User).where(User.id == agent_id, User.deactivated_at.is_(None)))
    if agent is None:
        raise NotFound("There is no such agent.")
    require(actor, P.USER_SET_TEAM, agent.scope)
    before, agent.coach_id = agent.coach_id, None if coach_id is None else _coach(session, coach_id, agent).id
    after = {"coach_id": agent.coach_id}
    audit.record(
        session, actor, "user:set_coach", "user", agent.id, now=now, before={"coach_id": before}, after=after
    )


# --- to-dos -------------------------------------------------------------------


def add_todo(
    session: Session,
    actor: Actor,
    plan_id: int,
    *,
    person_id: int,
    words: str,
    due_on: date | None,
    now: datetime,
) -> CoachingTodo:
    """Add something that the agent or the coach does by a day."""
    plan = get_editable_plan(session, actor, plan_id, "draft", "active")
    if person_id not in {plan.agent_id, plan.coach_id}:
        raise Invalid("Choose the agent or the coach.", field="person_id")
    todo = _todo(actor, person_id, words, due_on, now)
    todo.plan_id = plan.id
    session.add(todo)
    session.flush()
    if plan.state == "active" and person_id != actor.id:
        _tell_of_todo(session, todo, "coaching.plan", {"plan_id": plan.id}, now)
    return todo


def _tell_of_todo(
    session: Session, todo: CoachingTodo, endpoint: str, values: dict[str, int], now: datetime
) -> None:
    until = f", by {todo.due_on.day} {todo.due_on:%B}" if todo.due_on else ""
    notify(
        session,
        person_id=todo.person_id,
        kind="coaching_todo",
        words=f"To do{until}: {todo.words}",
        endpoint=endpoint,
        values=values,
        key=f"todo:{todo.id}",
        now=now,
    )


def _todo(actor: Actor, person_id: int, words: str, due_on: date | None, now: datetime) -> CoachingTodo:
    text = _words(words, "todo", "A to-do", WORDS_MAX, needed="Say what is to be done.")
    return CoachingTodo(person_id=person_id, words=text, due_on=due_on, made_by_id=actor.id, made_at=now)


def set_todo(
    session: Session, actor: Actor, todo_id: int, *, act: str, due_on: date | None = None, now: datetime
) -> CoachingTodo:
    """Do, reopen, drop or move a to-do: the person themself ticks it, the coach does all."""
    todo = queries.get_todo(session, actor, todo_id)
    if todo.dropped_at is not None:
        raise Conflict("This to-do was dropped.")
    if not (todo.person_id == actor.id and act in {"done", "undone"}):
        require(actor, P.COACHING_PLAN_EDIT, queries.scope_of_todo(todo))
    match act:
        case "done":
            todo.done_at = todo.done_at or now
        case "undone":
            todo.done_at = None
        case "drop":
            todo.dropped_at = now
        case "move":
            if due_on is None:
                raise Invalid("Choose a day.", field="due_on")
            todo.due_on = due_on
        case _:
            raise Invalid("There is no such act.")
    return todo


# --- shared -------------------------------------------------------------------


def get_editable_plan(session: Session, actor: Actor, plan_id: int, *states: str) -> CoachingPlan:
    plan = queries.get_plan(session, actor, plan_id)
    require(actor, P.COACHING_PLAN_EDIT, plan.scope)
    if plan.state not in states:
        raise Conflict("Somebody has begun or ended this plan meanwhile. Load the page again.")
    return plan


def _words(text: str, field: str, label: str, limit: int, *, needed: str = "") -> str:
    found = checked(text.strip(), field=field, label=label, limit=limit)
    if not found and needed:
        raise Invalid(needed, field=field)
    return found


def _note(session: Session, actor: Actor, plan: CoachingPlan, words: str, now: datetime) -> None:
    session.add(PlanEvent(plan_id=plan.id, at=now, actor_id=actor.id, words=words[:WORDS_MAX]))


def _notify(
    session: Session, plan: CoachingPlan, person_id: int, key: str, words: str, now: datetime
) -> None:
    notify(
        session,
        person_id=person_id,
        kind="coaching_plan",
        words=words,
        endpoint="coaching.plan",
        values={"plan_id": plan.id},
        key=f"plan:{plan.id}:{key}",
        now=now,
    )


def _origin_words(cause: Cause) -> str:
    said = {
        "agent": "Made from the agent's page.",
        "evaluation": "Made from an evaluation.",
        "template": "Made from a template.",
    }
    return cause.rule or said.get(cause.origin, "")


def default_review(now: datetime, zone: ZoneInfo, months: int) -> date:
    """Return the day of review that leaves so many whole months to compare, and two weeks to score them."""
    return add_months(month_of(now, zone), 1 + months) + timedelta(days=14)
