"""Who is asked to judge what, and how it was chosen: stored at once, for it cannot be added later.

A person's pick has no probability and never counts in an average; a random draw stores frame,
seed and probability, so that anybody can draw it again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from fractions import Fraction

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from qa.accounts.models import User, UserRole
from qa.accounts.permissions import Permission as P
from qa.accounts.policy import require
from qa.core import audit
from qa.core.actor import Actor, Scope
from qa.core.errors import Conflict, Forbidden, Invalid
from qa.core.text import checked
from qa.evaluations import queries
from qa.evaluations.models import REASON_MAX, SKIP_REASONS, Assignment
from qa.evaluations.selection import draw, frame_hash
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
    _add(session, assignment)
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
    is_evaluator = select(UserRole.user_id).where(
        UserRole.user_id == evaluator_id, UserRole.role == "evaluator"
    )
    if session.scalar(is_evaluator) is None:
        raise Invalid("Choose somebody who evaluates.", field="evaluator_id")
    if find_active(session, actor, scorecard_id) is None:
        raise Invalid("Choose a scorecard with an active version.", field="scorecard_id")


def _add(session: Session, assignment: Assignment) -> None:
    session.add(assignment)
    try:
        session.flush()
    except IntegrityError as error:
        raise Conflict("This evaluator has this conversation in the queue already.") from error
    give_viewer(session, assignment.interaction_id, assignment.evaluator_id, BECAUSE)


def draw_random(
    session: Session,
    actor: Actor,
    *,
    agent_id: int,
    scorecard_id: int,
    evaluator_id: int,
    count: int,
    since: datetime,
    until: datetime,
    seed: str,
    due_at: datetime,
    now: datetime,
) -> list[Assignment]:
    """Draw ``count`` of an agent's conversations by hash and give them to an evaluator.

    The frame is every conversation of the agent that began in the half-open stretch of time.
    """
    agent = session.get(User, agent_id)
    team = None if agent is None else agent.team_id
    require(actor, P.ASSIGNMENT_CREATE, Scope(team_ids=frozenset() if team is None else frozenset({team})))
    frame = list(
        session.scalars(
            select(Interaction.id).where(
                Interaction.agent_id == agent_id,
                Interaction.deleted_at.is_(None),
                Interaction.started_at >= since,
                Interaction.started_at < until,
            )
        )
    )
    chosen = draw(frame, count, seed=seed)
    probability = Fraction(len(chosen), len(frame)) if frame else None
    made = []
    for interaction_id in chosen:
        assignment = Assignment(
            interaction_id=interaction_id,
            agent_id=agent_id,
            scorecard_id=scorecard_id,
            evaluator_id=evaluator_id,
            due_at=due_at,
            assigned_at=now,
            assigned_by_id=actor.id,
            selection_method="random",
            inclusion_probability=str(probability),
            frame_size=len(frame),
            seed=seed,
            frame_hash=frame_hash(frame),
            drawn_at=now,
        )
        _add(session, assignment)
        made.append(assignment)
    ids: Sequence[int] = [assignment.id for assignment in made]
    audit.record(session, actor, "assignment:draw", "assignment", ",".join(map(str, ids))[:80], now=now)
    return made


def skip(
    session: Session, actor: Actor, assignment_id: int, *, reason: str, note: str, now: datetime
) -> None:
    """Put an assignment aside with a reason that is counted; an empty draft goes with it."""
    assignment = queries.get_assignment(session, actor, assignment_id)
    require(actor, P.ASSIGNMENT_SKIP, assignment.scope)
    if assignment.evaluator_id != actor.id:
        raise Forbidden("Only the evaluator of this assignment may skip it.")
    if assignment.state not in {"open", "started"}:
        raise Conflict("This assignment is closed already.")
    if reason not in SKIP_REASONS:
        raise Invalid("Choose why you skip it.", field="reason")
    note = checked(note.strip(), field="note", label="The note", limit=REASON_MAX)
    if reason == "other" and not note:
        raise Invalid("Say in a few words why; your lead reads it.", field="note")
    if assignment.evaluation is not None:
        session.delete(_whole(session, actor, assignment.evaluation.id))
    assignment.state, assignment.ended_at = "skipped", now
    assignment.skip_reason, assignment.skip_note = reason, note or None
    take_viewer(session, assignment.interaction_id, assignment.evaluator_id, BECAUSE)
    audit.record(
        session, actor, "assignment:skip", "assignment", assignment.id, after={"reason": reason}, now=now
    )


def _whole(session: Session, actor: Actor, evaluation_id: int) -> object:
    return queries.get_own_draft(session, actor, evaluation_id)


def withdraw(session: Session, actor: Actor, assignment_id: int, *, now: datetime) -> None:
    """Take an assignment that was not begun out of a queue again."""
    assignment = queries.get_assignment(session, actor, assignment_id)
    require(actor, P.ASSIGNMENT_REASSIGN, assignment.scope)
    if assignment.state != "open":
        raise Conflict("This assignment was begun or closed already.")
    assignment.state, assignment.ended_at = "withdrawn", now
    take_viewer(session, assignment.interaction_id, assignment.evaluator_id, BECAUSE)
    audit.record(session, actor, "assignment:withdraw", "assignment", assignment.id, now=now)
