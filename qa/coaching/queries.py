"""What can be read about coaching, each only by those who may. Private notes are read by one query alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Select, and_, bindparam, func, or_, select
from sqlalchemy.orm import Session, aliased, joinedload, selectinload

from qa.accounts.models import Team, User, UserRole
from qa.accounts.permissions import Permission as P
from qa.accounts.policy import may_somewhere, visible
from qa.coaching.models import (
    CoachingGoal,
    CoachingPlan,
    CoachingSession,
    CoachingTodo,
    DayOff,
    PlanEvent,
    PlanTemplate,
    PrivateNote,
    SessionClip,
    SessionMember,
    coachee_scope,
)
from qa.core.actor import Actor, Scope
from qa.core.db import Clause
from qa.core.errors import NotFound
from qa.evaluations.models import Evaluation

SHOWN = 50
NO_PLAN = "There is no such coaching plan, or you may not see it."
NO_SESSION = "There is no such session, or you may not see it."


def _plans_seen(actor: Actor) -> Select[CoachingPlan]:
    # a suggestion is nobody's business but the coach's until it begins
    begun = or_(CoachingPlan.state != "draft", CoachingPlan.agent_id != actor.id)
    seen = visible(actor, P.COACHING_PLAN_READ, CoachingPlan.scope_columns())
    return select(CoachingPlan).where(seen, begun)


def get_plan(session: Session, actor: Actor, plan_id: int) -> CoachingPlan:
    """Return one plan with its people and goals, or raise ``NotFound``."""
    found = session.scalar(
        _plans_seen(actor)
        .where(CoachingPlan.id == plan_id)
        .options(
            joinedload(CoachingPlan.agent).joinedload(User.team),
            joinedload(CoachingPlan.coach),
            selectinload(CoachingPlan.goals).joinedload(CoachingGoal.scorecard),
        )
    )
    if found is None:
        raise NotFound(NO_PLAN)
    return found


def get_whole_plan(session: Session, actor: Actor, plan_id: int) -> CoachingPlan:
    """Return one plan with everything its page shows."""
    found = session.scalar(
        _plans_seen(actor)
        .where(CoachingPlan.id == plan_id)
        .options(
            joinedload(CoachingPlan.agent).joinedload(User.team),
            joinedload(CoachingPlan.coach),
            selectinload(CoachingPlan.goals).joinedload(CoachingGoal.scorecard),
            selectinload(CoachingPlan.sessions).selectinload(CoachingSession.members),
            selectinload(CoachingPlan.sessions)
            .selectinload(CoachingSession.clips)
            .joinedload(SessionClip.interaction),
            selectinload(CoachingPlan.todos).joinedload(CoachingTodo.person),
            selectinload(CoachingPlan.events).joinedload(PlanEvent.actor),
        )
        .execution_options(populate_existing=True)
    )
    if found is None:
        raise NotFound(NO_PLAN)
    return found


def list_plans(
    session: Session,
    actor: Actor,
    *,
    states: tuple[str, ...] = ("draft", "active"),
    agent_id: int | None = None,
) -> list[CoachingPlan]:
    """Return plans in these states, the next review first."""
    rows = _plans_seen(actor).where(CoachingPlan.state.in_(states))
    if agent_id is not None:
        rows = rows.where(CoachingPlan.agent_id == agent_id)
    rows = rows.options(
        joinedload(CoachingPlan.agent).joinedload(User.team),
        joinedload(CoachingPlan.coach),
        selectinload(CoachingPlan.goals),
    )
    return list(session.scalars(rows.order_by(CoachingPlan.review_on, CoachingPlan.id).limit(SHOWN)))


def list_past_plans(session: Session, actor: Actor) -> list[CoachingPlan]:
    """Return plans that ended, the last one first."""
    rows = (
        _plans_seen(actor)
        .where(CoachingPlan.ended_at.is_not(None))
        .options(joinedload(CoachingPlan.agent).joinedload(User.team), joinedload(CoachingPlan.coach))
        .order_by(CoachingPlan.ended_at.desc(), CoachingPlan.id.desc())
    )
    return list(session.scalars(rows.limit(SHOWN)))


# --- sessions -----------------------------------------------------------------


def _session_seen(actor: Actor) -> Clause:
    """Return the condition of sessions one may see: one's own, those one leads, those of one's teams."""
    return visible(actor, P.COACHING_PLAN_READ, CoachingSession.scope_columns())


def get_session(session: Session, actor: Actor, session_id: int) -> CoachingSession:
    """Return one session with everything its page shows but notes that are private, or raise ``NotFound``."""
    found = session.scalar(
        select(CoachingSession)
        .where(CoachingSession.id == session_id, _session_seen(actor))
        .options(
            joinedload(CoachingSession.coach),
            joinedload(CoachingSession.plan).joinedload(CoachingPlan.agent),
            selectinload(CoachingSession.members).joinedload(SessionMember.person).joinedload(User.team),
            selectinload(CoachingSession.clips).joinedload(SessionClip.interaction),
            selectinload(CoachingSession.clips).joinedload(SessionClip.evaluation),
            selectinload(CoachingSession.todos).joinedload(CoachingTodo.person),
        )
        .execution_options(populate_existing=True)
    )
    if found is None:
        raise NotFound(NO_SESSION)
    return found


def find_private_note(session: Session, actor: Actor, session_id: int) -> PrivateNote | None:
    """Return one's own private note about a session. No other query reads these notes."""
    own = visible(actor, P.COACHING_NOTE_READ_PRIVATE, PrivateNote.scope_columns())
    written_by_me = PrivateNote.author_id == actor.id
    return session.scalar(select(PrivateNote).where(PrivateNote.session_id == session_id, written_by_me, own))


def has_private_note(session: Session, actor: Actor, session_id: int) -> bool:
    """Tell whether somebody keeps a private note about a session one may see; never what it says."""
    get_session(session, actor, session_id)
    there = select(PrivateNote.session_id).where(PrivateNote.session_id == session_id)
    return session.scalar(there.limit(1)) is not None


def _in_state(*states: str) -> Clause:
    """Write the states out in the statement: an index over some rows is found only by what it says itself."""
    return CoachingSession.state.in_(bindparam("states", states, expanding=True, literal_execute=True))


def list_sessions(
    session: Session, actor: Actor, *, since: datetime, states: tuple[str, ...] = ("planned",)
) -> list[CoachingSession]:
    """Return sessions from a moment on, the next one first."""
    rows = (
        select(CoachingSession)
        .where(_in_state(*states), CoachingSession.starts_at >= since, _session_seen(actor))
        .options(
            joinedload(CoachingSession.coach),
            selectinload(CoachingSession.members).joinedload(SessionMember.person),
            selectinload(CoachingSession.clips),
        )
        .order_by(CoachingSession.starts_at, CoachingSession.id)
    )
    return list(session.scalars(rows.limit(SHOWN)))


def list_to_confirm(session: Session, actor: Actor) -> list[CoachingSession]:
    """Return held sessions that wait for oneself to confirm, the oldest first."""
    mine = select(SessionMember.session_id).where(
        SessionMember.person_id == actor.id, SessionMember.confirmed_at.is_(None)
    )
    rows = (
        select(CoachingSession)
        .where(
            CoachingSession.state == "held",
            CoachingSession.id.in_(mine),
            visible(actor, P.COACHING_SESSION_CONFIRM, CoachingSession.scope_columns()),
        )
        .options(joinedload(CoachingSession.coach))
        .order_by(CoachingSession.ended_at, CoachingSession.id)
    )
    return list(session.scalars(rows.limit(SHOWN)))


def list_open_sessions_of(session: Session, actor: Actor, agent_id: int) -> list[CoachingSession]:
    """Return planned sessions of an agent that this actor may change, the next one first."""
    theirs = select(SessionMember.session_id).where(SessionMember.person_id == agent_id)
    rows = (
        select(CoachingSession)
        .where(
            CoachingSession.state == "planned",
            CoachingSession.id.in_(theirs),
            visible(actor, P.COACHING_SESSION_EDIT, CoachingSession.scope_columns()),
        )
        .options(joinedload(CoachingSession.coach))
        .order_by(CoachingSession.starts_at, CoachingSession.id)
    )
    return list(session.scalars(rows.limit(SHOWN)))


# --- to-dos -------------------------------------------------------------------


def _sees_todo(actor: Actor) -> Clause:
    plans = _plans_seen(actor).with_only_columns(CoachingPlan.id)
    sessions = select(CoachingSession.id).where(_session_seen(actor))
    return or_(
        CoachingTodo.person_id == actor.id,
        CoachingTodo.plan_id.in_(plans),
        and_(CoachingTodo.plan_id.is_(None), CoachingTodo.session_id.in_(sessions)),
    )


def _todos_seen(actor: Actor) -> Select[CoachingTodo]:
    whole = select(CoachingTodo).options(
        joinedload(CoachingTodo.person),
        joinedload(CoachingTodo.plan).joinedload(CoachingPlan.agent),
        joinedload(CoachingTodo.session)
        .selectinload(CoachingSession.members)
        .joinedload(SessionMember.person),
    )
    return whole.where(_sees_todo(actor))


def get_todo(session: Session, actor: Actor, todo_id: int) -> CoachingTodo:
    """Return one to-do, or raise ``NotFound``."""
    found = session.scalar(_todos_seen(actor).where(CoachingTodo.id == todo_id))
    if found is None:
        raise NotFound("There is no such to-do, or you may not see it.")
    return found


def scope_of_todo(todo: CoachingTodo) -> Scope:
    """Return the scope of a to-do: its plan's, else its session's."""
    if todo.plan is not None:
        return todo.plan.scope
    return coachee_scope(todo.person) if todo.session is None else todo.session.scope


def list_todos(
    session: Session, actor: Actor, *, until: date | None = None, only_own: bool = False
) -> list[CoachingTodo]:
    """Return open to-dos that one may see, the first due first; ``until`` only those due by then."""
    rows = _todos_seen(actor).where(
        CoachingTodo.done_at.is_(None),
        CoachingTodo.dropped_at.is_(None),
        or_(CoachingTodo.plan_id.is_(None), CoachingTodo.plan.has(CoachingPlan.state == "active")),
    )
    if until is not None:
        rows = rows.where(CoachingTodo.due_on <= until)
    if only_own:
        rows = rows.where(CoachingTodo.person_id == actor.id)
    rows = rows.order_by(CoachingTodo.due_on.is_(None), CoachingTodo.due_on, CoachingTodo.id)
    return list(session.scalars(rows.limit(SHOWN)))


# --- people, templates, days off ----------------------------------------------


def list_coachees(session: Session, actor: Actor) -> list[User]:
    """Return the agents for whom this actor may make plans, by name, with team and coach."""
    rows = (
        select(User)
        .where(
            visible(actor, P.COACHING_PLAN_CREATE, User.scope_columns()),
            User.deactivated_at.is_(None),
            User.id.in_(select(UserRole.user_id).where(UserRole.role == "agent")),
        )
        .options(joinedload(User.team), joinedload(User.coach))
        .order_by(User.name_key, User.id)
    )
    return list(session.scalars(rows))


def list_coaches(session: Session, actor: Actor) -> list[User]:
    """Return who coaches, by name, for those who may make plans."""
    mine = select(User.id).where(visible(actor, P.COACHING_PLAN_CREATE, User.scope_columns()))
    if session.scalar(mine.limit(1)) is None:
        return []
    coaches = select(UserRole.user_id).where(UserRole.role == "coach")
    rows = select(User).where(User.id.in_(coaches), User.deactivated_at.is_(None))
    return list(session.scalars(rows.order_by(User.name_key, User.id)))


def list_leads(session: Session, agent: User) -> list[User]:
    """Return the leads of an agent's team; those of the teams above when it has none."""
    team_id, seen = agent.team_id, set[int]()
    while team_id is not None and team_id not in seen:
        seen.add(team_id)
        leads = select(UserRole.user_id).where(UserRole.role == "lead")
        found = list(
            session.scalars(
                select(User)
                .where(User.team_id == team_id, User.deactivated_at.is_(None), User.id.in_(leads))
                .order_by(User.id)
            )
        )
        if found:
            return found
        team_id = session.scalar(select(Team.parent_id).where(Team.id == team_id))
    return []


def list_templates(session: Session, actor: Actor) -> list[PlanTemplate]:
    """Return all templates by title, for those who make plans."""
    if not may_somewhere(actor, P.COACHING_PLAN_CREATE):
        return []
    return list(session.scalars(select(PlanTemplate).order_by(PlanTemplate.title, PlanTemplate.id)))


def get_template(session: Session, actor: Actor, template_id: int) -> PlanTemplate:
    """Return one template, or raise ``NotFound``."""
    known = may_somewhere(actor, P.COACHING_PLAN_CREATE)
    found = session.get(PlanTemplate, template_id) if known else None
    if found is None:
        raise NotFound("There is no such template.")
    return found


def list_days_off(session: Session, since: date | None = None) -> list[DayOff]:
    """Return the days on which the centre does not work, in order."""
    rows = select(DayOff).order_by(DayOff.day)
    return list(session.scalars(rows if since is None else rows.where(DayOff.day >= since)))


def days_off(session: Session, since: date) -> frozenset[date]:
    """Return those days as a set, from a day on."""
    return frozenset(session.scalars(select(DayOff.day).where(DayOff.day >= since)))


@dataclass(frozen=True, slots=True)
class Load:
    """How much a coach has to do."""

    coach_id: int
    name: str
    plans: int
    sessions: int
    overdue: int


def list_loads(session: Session, actor: Actor, *, today: date, now: datetime, until: datetime) -> list[Load]:
    """Return each coach's running plans, planned sessions until a moment and overdue reviews, by name."""
    seen = visible(actor, P.COACHING_PLAN_READ, CoachingPlan.scope_columns())
    coach = aliased(User)
    late = CoachingPlan.review_on < today
    plans = (
        select(coach.id, coach.name, func.count(), func.count().filter(late))
        .select_from(CoachingPlan)
        .join(coach, coach.id == CoachingPlan.coach_id)
        .where(CoachingPlan.state == "active", seen)
        .group_by(coach.id, coach.name)
        .order_by(coach.name)
    )
    ahead = (
        select(CoachingSession.coach_id, func.count())
        .where(
            CoachingSession.state == "planned",
            CoachingSession.starts_at.between(now, until),
            _session_seen(actor),
        )
        .group_by(CoachingSession.coach_id)
    )
    planned = {coach_id: number for coach_id, number in session.execute(ahead)}
    return [
        Load(coach_id, name, count, planned.get(coach_id, 0), overdue)
        for coach_id, name, count, overdue in session.execute(plans)
    ]


def find_evaluation_for_clip(session: Session, actor: Actor, evaluation_id: int) -> Evaluation | None:
    """Return an evaluation that one may read, with its pins and conversation, None otherwise."""
    seen = visible(actor, P.EVALUATION_READ, Evaluation.scope_columns())
    return session.scalar(
        select(Evaluation)
        .where(Evaluation.id == evaluation_id, Evaluation.submitted_at.is_not(None), seen)
        .options(
            joinedload(Evaluation.agent),
            joinedload(Evaluation.interaction),
            joinedload(Evaluation.version),
            selectinload(Evaluation.pins),
            selectinload(Evaluation.answers),
        )
    )
