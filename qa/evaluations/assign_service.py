"""Who is asked to judge what, and how it was chosen: stored at once, for it cannot be added later.

A person's pick has no probability and never counts in an average; a random draw stores frame,
seed and probability, so that anybody can draw it again.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from qa.accounts.models import User, UserRole
from qa.accounts.permissions import Permission as P
from qa.accounts.policy import require
from qa.core import audit
from qa.core.actor import Actor
from qa.core.errors import Conflict, Invalid
from qa.evaluations import queries
from qa.evaluations.models import Assignment
from qa.interactions.models import Interaction
from qa.interactions.queries import get_interaction
from qa.interactions.service import give_viewer, take_viewer
from qa.scorecards.queries import find_active

BECAUSE = "assignment"


def assign(
    session: Session,
    actor: Actor,
    *,
    interaction_id: int,
    agent_id: int,
    scorecard_id: int,
    evaluator_id: int,
    due_at: datetime,
    now: datetime,
) -> Assignment:
    """Give a conversation to an evaluator, as a person's own pick."""
    interaction = get_interaction(session, actor, interaction_id)
    require(actor, P.ASSIGNMENT_CREATE, interaction.scope)
    _check_pair(session, actor, interaction, agent_id, evaluator_id, scorecard_id)
    assignment = Assignment(
        interaction_id=interaction_id,
        agent_id=agent_id,
        scorecard_id=scorecard_id,
        evaluator_id=evaluator_id,
        due_at=due_at,
        assigned_at=now,
        assigned_by_id=actor.id,
        selection_method="manual",
    )
    add_assignment(session, assignment)
    audit.record(session, actor, "assignment:create", "assignment", assignment.id, now=now)
    return assignment


def _check_pair(
    session: Session,
    actor: Actor,
    interaction: Interaction,
    agent_id: int,
    evaluator_id: int,
    scorecard_id: int,
) -> None:
    if agent_id not in {part.user_id for part in interaction.participants}:
        raise Invalid("Choose an agent who took part in this conversation.", field="agent_id")
    if evaluator_id == agent_id or evaluator_id in {part.user_id for part in interaction.participants}:
        raise Invalid("Nobody evaluates a conversation in which they were the agent.", field="evaluator_id")
    check_evaluator(session, evaluator_id)
    if find_active(session, actor, scorecard_id) is None:
        raise Invalid("Choose a scorecard with an active version.", field="scorecard_id")


def check_evaluator(session: Session, user_id: int) -> None:
    """Raise ``Invalid`` unless this person evaluates and works here."""
    found = session.scalar(
        select(User.id)
        .join(UserRole, UserRole.user_id == User.id)
        .where(User.id == user_id, UserRole.role == "evaluator", User.deactivated_at.is_(None))
    )
    if found is None:
        raise Invalid("Choose somebody who evaluates.", field="evaluator_id")


def add_assignment(session: Session, assignment: Assignment) -> None:
    """Keep an assignment and let its evaluator see the conversation; ``Conflict`` when it is there."""
    session.add(assignment)
    try:
        session.flush()
    except IntegrityError as error:
        raise Conflict("This evaluator has this conversation in the queue already.") from error
    give_viewer(session, assignment.interaction_id, assignment.evaluator_id, BECAUSE)


def withdraw(session: Session, actor: Actor, assignment_id: int, *, now: datetime) -> None:
    """Take an assignment that was not begun out of a queue again."""
    assignment = queries.get_assignment(session, actor, assignment_id)
    require(actor, P.ASSIGNMENT_REASSIGN, assignment.scope)
    if assignment.state != "open":
        raise Conflict("This assignment was begun or closed already.")
    assignment.state, assignment.ended_at = "withdrawn", now
    take_viewer(session, assignment.interaction_id, assignment.evaluator_id, BECAUSE)
    audit.record(session, actor, "assignment:withdraw", "assignment", assignment.id, now=now)
