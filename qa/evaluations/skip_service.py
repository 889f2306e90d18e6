"""Putting work aside: always with a reason that is counted, and a drawn one leaves its place to the next."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from qa.accounts.permissions import Permission as P
from qa.accounts.policy import require
from qa.core import audit
from qa.core.actor import Actor
from qa.core.errors import Conflict, Forbidden, Invalid
from qa.core.text import checked
from qa.evaluations import queries
from qa.evaluations.assign_service import BECAUSE
from qa.evaluations.draw_service import replace
from qa.evaluations.models import REASON_MAX, SKIP_REASONS, Assignment
from qa.interactions.service import take_viewer


def skip(
    session: Session, actor: Actor, assignment_id: int, *, reason: str, note: str, now: datetime
) -> Assignment | None:
    """Put an assignment aside; a begun draft goes with it. Return what took its place, if anything did."""
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
        session.delete(queries.get_own_draft(session, actor, assignment.evaluation.id))
    assignment.state, assignment.ended_at = "skipped", now
    assignment.skip_reason, assignment.skip_note = reason, note or None
    take_viewer(session, assignment.interaction_id, assignment.evaluator_id, BECAUSE)
    audit.record(
        session, actor, "assignment:skip", "assignment", assignment.id, after={"reason": reason}, now=now
    )
    session.flush()
    return replace(session, actor, assignment, now=now)
