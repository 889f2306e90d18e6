"""What can be read about judgements, each only by those who may."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, bindparam, func, or_, select, tuple_
from sqlalchemy.orm import Session, contains_eager, joinedload, selectinload
from sqlalchemy.orm.attributes import set_committed_value

from qa.accounts.models import User, UserRole
from qa.accounts.permissions import Permission as P
from qa.accounts.policy import require, visible
from qa.core.actor import Actor, by
from qa.core.db import Clause
from qa.core.errors import Forbidden, NotFound
from qa.core.keyset import key_of, read_key
from qa.evaluations.models import Answer, Assignment, CommentTemplate, Evaluation, Pin, Revision
from qa.interactions.models import Interaction
from qa.interactions.queries import get_interaction

PAGE = 50
COUNTED = ("standard", "self", "peer")
OPEN = ("open", "started")
IS_OPEN = Assignment.state.in_(bindparam("open", OPEN, expanding=True, literal_execute=True))
"""Written out in the statement: an index over some rows is found only by what it says itself."""

GONE = "There is no such evaluation, or you may not see it."
SUBMITTED = "This evaluation is submitted. A correction is a revision, with a reason."


def list_queue(session: Session, actor: Actor, *, limit: int = PAGE) -> list[Assignment]:
    """Return one's own open assignments, the oldest due first."""
    require(actor, P.ASSIGNMENT_LIST, by(actor.id))
    rows = (
        select(Assignment)
        .where(Assignment.evaluator_id == actor.id, IS_OPEN)
        .options(
            joinedload(Assignment.interaction),
            joinedload(Assignment.agent).joinedload(User.team),
            joinedload(Assignment.scorecard),
            joinedload(Assignment.evaluation),
        )
        .order_by(Assignment.due_at, Assignment.id)
        .limit(limit)
    )
    return list(session.scalars(rows))


@dataclass(frozen=True, slots=True)
class QueueCounts:
    """Facts about one's own queue."""

    open: int
    done_this_week: int
    skipped: list[tuple[str, int]]
    finished_this_month: int
    minutes: list[float]


def count_queue(session: Session, actor: Actor, *, week: datetime, month: datetime) -> QueueCounts:
    """Return how many are open, done this week, skipped this month with reasons, and recent minutes."""
    require(actor, P.ASSIGNMENT_LIST, by(actor.id))
    mine = Assignment.evaluator_id == actor.id
    states = session.execute(
        select(
            func.count().filter(IS_OPEN),
            func.count().filter(Assignment.state == "done", Assignment.ended_at >= week),
            func.count().filter(Assignment.state.in_(("done", "skipped")), Assignment.ended_at >= month),
        ).where(mine)
    ).one()
    skipped = session.execute(
        select(Assignment.skip_reason, func.count())
        .where(mine, Assignment.state == "skipped", Assignment.ended_at >= month)
        .group_by(Assignment.skip_reason)
        .order_by(func.count().desc())
    ).all()
    worked = session.scalars(
        select(Evaluation.worked_seconds)
        .where(Evaluation.evaluator_id == actor.id, Evaluation.submitted_at.is_not(None))
        .order_by(Evaluation.submitted_at.desc())
        .limit(20)
    )
    minutes = [round(seconds / 60, 1) for seconds in worked if seconds]
    return QueueCounts(states[0], states[1], [(str(r), n) for r, n in skipped], states[2], minutes[::-1])


def count_open(session: Session, actor: Actor) -> int:
    """Return how many assignments are open in one's own queue."""
    require(actor, P.ASSIGNMENT_LIST, by(actor.id))
    mine = (Assignment.evaluator_id == actor.id, IS_OPEN)
    return session.scalar(select(func.count()).select_from(Assignment).where(*mine)) or 0


def find_next(session: Session, actor: Actor, *, but: int | None = None) -> Assignment | None:
    """Return what is due first in one's own queue, or None when it is empty."""
    require(actor, P.ASSIGNMENT_LIST, by(actor.id))
    rows = (
        select(Assignment)
        .where(Assignment.evaluator_id == actor.id, IS_OPEN)
        .options(
            joinedload(Assignment.interaction),
            joinedload(Assignment.agent),
            joinedload(Assignment.evaluation),
            joinedload(Assignment.scorecard),
        )
        .order_by(Assignment.due_at, Assignment.id)
        .limit(1)
    )
    return session.scalar(rows if but is None else rows.where(Assignment.id != but))


def get_assignment(session: Session, actor: Actor, assignment_id: int) -> Assignment:
    """Return one assignment, or raise ``NotFound``."""
    found = session.scalar(
        select(Assignment)
        .where(Assignment.id == assignment_id, visible(actor, P.ASSIGNMENT_LIST, Assignment.scope_columns()))
        .options(
            joinedload(Assignment.agent),
            joinedload(Assignment.interaction),
            joinedload(Assignment.scorecard),
            joinedload(Assignment.evaluation),
        )
    )
    if found is None:
        raise NotFound("There is no such assignment, or it is not yours to see.")
    return found


def _seen(actor: Actor, evaluation_id: int) -> Select[Evaluation]:
    return select(Evaluation).where(
        Evaluation.id == evaluation_id, visible(actor, P.EVALUATION_READ, Evaluation.scope_columns())
    )


def get_evaluation(session: Session, actor: Actor, evaluation_id: int) -> Evaluation:
    """Return one evaluation with answers, pins, form and conversation facts: three statements."""
    found = session.scalar(_seen(actor, evaluation_id).options(*_FORM))
    if found is None:
        raise NotFound(GONE)
    of = {"evaluation_id": found.id}
    set_committed_value(found, "answers", session.scalars(_ANSWERS, of).all())
    set_committed_value(found, "pins", session.scalars(_PINS, of).all())
    return found


_FORM = (
    joinedload(Evaluation.agent),
    joinedload(Evaluation.version),
    joinedload(Evaluation.interaction),
)
_ANSWERS = select(Answer).where(Answer.evaluation_id == bindparam("evaluation_id"))
_PINS = select(Pin).where(Pin.evaluation_id == bindparam("evaluation_id")).order_by(Pin.start_ms, Pin.id)
# asked for directly: loading them along with the evaluation takes twice as long, at every autosave


def take_turns(session: Session, evaluation_id: int) -> None:
    """Let writers of one evaluation come one after the other; SQLite has one writer anyhow."""
    if session.get_bind().dialect.name != "sqlite":
        session.execute(select(Evaluation.id).where(Evaluation.id == evaluation_id).with_for_update())


def get_own_draft(session: Session, actor: Actor, evaluation_id: int) -> Evaluation:
    """Return one's own draft to work on; somebody else's or a submitted one is refused."""
    found = get_evaluation(session, actor, evaluation_id)
    if found.submitted_at is not None:
        raise Forbidden(SUBMITTED)
    require(actor, P.EVALUATION_EDIT, found.scope)
    return found


def get_for_reading(session: Session, actor: Actor, evaluation_id: int) -> Evaluation:
    """Return one submitted evaluation with everything its page shows, or raise ``NotFound``."""
    found = find_for_reading(session, actor, evaluation_id)
    if found is None:
        raise NotFound(GONE)
    return found


def find_for_reading(session: Session, actor: Actor, evaluation_id: int) -> Evaluation | None:
    """Return one submitted evaluation with everything its page shows, None when it is a draft or hidden."""
    return session.scalar(
        _seen(actor, evaluation_id)
        .where(Evaluation.submitted_at.is_not(None))
        .options(
            joinedload(Evaluation.agent).joinedload(User.team),
            joinedload(Evaluation.evaluator),
            joinedload(Evaluation.version),
            joinedload(Evaluation.scorecard),
            joinedload(Evaluation.interaction).joinedload(Interaction.agent),
            selectinload(Evaluation.answers),
            selectinload(Evaluation.pins),
            selectinload(Evaluation.revisions).joinedload(Revision.author),
        )
    )


def is_marked() -> Clause:
    """Return the condition that somebody marked something of an evaluation as worth a talk."""
    starred = select(Answer.evaluation_id).where(Answer.coaching, Answer.evaluation_id == Evaluation.id)
    return or_(Evaluation.coaching_note != "", starred.exists())


@dataclass(frozen=True, slots=True)
class EvaluationFilter:
    """What a list of evaluations is narrowed by."""

    state: str = ""
    outcome: str = ""
    scorecard_id: int | None = None
    agent_id: int | None = None
    is_marked: bool = False


@dataclass(frozen=True, slots=True)
class EvaluationPage:
    """One page of evaluations, newest first, and the key of the next one."""

    evaluations: list[Evaluation]
    next_key: str | None


def list_evaluations(
    session: Session, actor: Actor, wanted: EvaluationFilter, *, after: str | None = None
) -> EvaluationPage:
    """Return submitted evaluations, newest first, fifty a page."""
    rows = (
        select(Evaluation)
        .where(
            Evaluation.submitted_at.is_not(None),
            Evaluation.type.in_(COUNTED),
            visible(actor, P.EVALUATION_READ, Evaluation.scope_columns()),
        )
        .join(Evaluation.agent)
        .options(
            contains_eager(Evaluation.agent).joinedload(User.team),
            joinedload(Evaluation.evaluator),
            joinedload(Evaluation.version),
            joinedload(Evaluation.interaction),
        )
        .order_by(Evaluation.submitted_at.desc(), Evaluation.id.desc())
        .limit(PAGE + 1)
    )
    if wanted.state:
        rows = rows.where(Evaluation.state == wanted.state)
    if wanted.outcome:
        rows = rows.where(Evaluation.outcome == wanted.outcome)
    if wanted.scorecard_id is not None:
        rows = rows.where(Evaluation.scorecard_id == wanted.scorecard_id)
    if wanted.agent_id is not None:
        rows = rows.where(Evaluation.agent_id == wanted.agent_id)
    if wanted.is_marked:
        rows = rows.where(is_marked())
    if after:
        rows = rows.where(tuple_(Evaluation.submitted_at, Evaluation.id) < read_key(after))
    found = list(session.scalars(rows))
    more = len(found) > PAGE
    found = found[:PAGE]
    last_one = found[-1] if more else None
    next_key = key_of(last_one.submitted_at, last_one.id) if last_one and last_one.submitted_at else None
    return EvaluationPage(found, next_key)


def list_of_interaction(session: Session, actor: Actor, interaction_id: int) -> list[Evaluation]:
    """Return the submitted evaluations of a conversation that this actor may see.

    Raises ``NotFound`` where there is no such conversation, or none for this actor.
    """
    get_interaction(session, actor, interaction_id)
    return list(
        session.scalars(
            select(Evaluation)
            .where(
                Evaluation.interaction_id == interaction_id,
                Evaluation.submitted_at.is_not(None),
                visible(actor, P.EVALUATION_READ, Evaluation.scope_columns()),
            )
            .options(joinedload(Evaluation.evaluator), joinedload(Evaluation.version))
            .order_by(Evaluation.submitted_at)
        )
    )


def list_evaluators(session: Session, actor: Actor) -> list[User]:
    """Return the people who can be asked to evaluate, for whoever may assign."""
    require(actor, P.SCORECARD_READ)
    rows = (
        select(User)
        .where(
            User.deactivated_at.is_(None),
            User.id.in_(select(UserRole.user_id).where(UserRole.role == "evaluator")),
        )
        .order_by(User.name)
    )
    return list(session.scalars(rows))


def list_templates(session: Session, actor: Actor) -> list[CommentTemplate]:
    """Return one's own and the shared comment templates, by title."""
    require(actor, P.SCORECARD_READ)
    mine = or_(CommentTemplate.owner_id.is_(None), CommentTemplate.owner_id == actor.id)
    return list(session.scalars(select(CommentTemplate).where(mine).order_by(CommentTemplate.title)))


def get_template(session: Session, actor: Actor, template_id: int) -> CommentTemplate:
    """Return a template that the actor may change: one's own, or a shared one as QA manager."""
    template = session.get(CommentTemplate, template_id)
    if template is None or template.owner_id not in {None, actor.id}:
        raise NotFound("There is no such template.")
    require(actor, P.COMMENT_TEMPLATE_EDIT, template.scope)
    return template
