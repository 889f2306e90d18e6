"""After the submit: release, acknowledgement, revision, void. What was read once stays readable."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from qa.accounts.permissions import Permission as P
from qa.accounts.policy import require
from qa.core import audit, outbox
from qa.core.actor import Actor
from qa.core.errors import Conflict, Invalid
from qa.core.text import checked
from qa.evaluations import queries
from qa.evaluations.draft_service import checked_change, settle, stored, write_answers
from qa.evaluations.events import (
    EvaluationAcknowledged,
    EvaluationReleased,
    EvaluationRevised,
    EvaluationVoided,
)
from qa.evaluations.merge import Change, merge
from qa.evaluations.models import COMMENT_MAX, REASON_MAX, Evaluation, Revision
from qa.evaluations.result import answers_of
from qa.scorecards.queries import form_of

BATCH = 200


def release(session: Session, actor: Actor, evaluation_id: int, *, now: datetime) -> None:
    """Let the agent read it now."""
    evaluation = _submitted(session, actor, evaluation_id)
    require(actor, P.EVALUATION_RELEASE, evaluation.scope)
    if evaluation.released_at is not None:
        raise Conflict("The agent may read this evaluation already.")
    _release(session, actor, evaluation, now)


def release_due(session: Session, actor: Actor, *, now: datetime) -> int:
    """Release what the scorecards' rules make due; return how many."""
    require(actor, P.EVALUATION_RELEASE)
    due = (
        select(Evaluation)
        .where(
            Evaluation.state == "submitted", Evaluation.release_at <= now, Evaluation.released_at.is_(None)
        )
        .order_by(Evaluation.release_at, Evaluation.id)
        .limit(BATCH)
    )
    found = list(session.scalars(due))
    for evaluation in found:
        _release(session, actor, evaluation, now)
    return len(found)


def _release(session: Session, actor: Actor, evaluation: Evaluation, now: datetime) -> None:
    evaluation.released_at, evaluation.state = now, "released"
    outbox.emit(session, EvaluationReleased(evaluation.id, evaluation.agent_id), now=now)
    audit.record(session, actor, "evaluation:release", "evaluation", evaluation.id, now=now)


def acknowledge(session: Session, actor: Actor, evaluation_id: int, *, comment: str, now: datetime) -> None:
    """Say as the agent that one has read it, with a comment if one likes."""
    evaluation = _submitted(session, actor, evaluation_id)
    require(actor, P.EVALUATION_ACKNOWLEDGE, evaluation.scope)
    if evaluation.state != "released":
        raise Conflict("This evaluation is acknowledged already, or counts no more.")
    text = checked(comment.strip(), field="comment", label="Your comment", limit=COMMENT_MAX)
    evaluation.acknowledged_at, evaluation.acknowledgement = now, text or None
    evaluation.state = "acknowledged"
    outbox.emit(session, EvaluationAcknowledged(evaluation.id, evaluation.agent_id), now=now)
    audit.record(session, actor, "evaluation:acknowledge", "evaluation", evaluation.id, now=now)


def revise(
    session: Session,
    actor: Actor,
    evaluation_id: int,
    *,
    changes: Sequence[Change],
    reason: str,
    seen_number: int,
    now: datetime,
    cause: str = "revise",
) -> Evaluation:
    """Change a submitted evaluation, with a reason; what it said before stays whole.

    The acknowledgement is asked again when an answer or the score changed. Raises ``Conflict`` when
    somebody revised it since ``seen_number``.
    """
    evaluation = _submitted(session, actor, evaluation_id)
    require(actor, P.EVALUATION_REVISE, evaluation.scope)
    _refuse_what_cannot_be_revised(evaluation, seen_number)
    reason = checked(reason.strip(), field="reason", label="The reason", limit=REASON_MAX)
    if not reason:
        raise Invalid("Say why you change it. The agent reads the reason.", field="reason")
    before = snapshot(evaluation)
    ready = form_of(evaluation.version)
    asked = [checked_change(ready, change) for change in changes]
    before_fields = stored(evaluation)
    applied = merge(
        before_fields,
        [Change(c.question, c.field, before_fields.get((c.question, c.field)), c.value) for c in asked],
    )
    evaluation.revision += 1
    write_answers(evaluation, {row.question: row for row in evaluation.answers}, applied.applied)
    settle(ready, evaluation)
    if not applied.applied:
        raise Invalid("Nothing was changed. Change an answer or a comment, or go back.")
    session.add(
        Revision(
            evaluation_id=evaluation.id,
            number=evaluation.number,
            cause=cause,
            reason=reason,
            author_id=actor.id,
            made_at=now,
            snapshot=before,
        )
    )
    evaluation.number += 1
    evaluation.revised_at = now
    if any(name == "answer" for _, name in applied.applied) or before["score"] != evaluation.score:
        evaluation.acknowledged_at = evaluation.acknowledgement = None
        evaluation.state = "submitted" if evaluation.released_at is None else "released"
    session.flush()
    revised = EvaluationRevised(evaluation.id, evaluation.number, evaluation.agent_id)
    outbox.emit(session, revised, now=now)
    values = {"before": {"score": before["score"]}, "after": {"score": evaluation.score}}
    audit.record(
        session, actor, "evaluation:revise", "evaluation", evaluation.id, reason=reason, now=now, **values
    )
    return evaluation


def _refuse_what_cannot_be_revised(evaluation: Evaluation, seen_number: int) -> None:
    if evaluation.state == "voided" or evaluation.type == "calibration":
        raise Conflict("A voided or calibration evaluation cannot be revised.")
    if evaluation.number != seen_number:
        raise Conflict("Somebody revised this evaluation while you were reading. Load it again.")


def snapshot(evaluation: Evaluation) -> dict[str, Any]:
    """Return everything an evaluation says, as plain data."""
    return {
        "number": evaluation.number,
        "score": evaluation.score,
        "raw": evaluation.raw,
        "outcome": evaluation.outcome,
        "band": evaluation.band,
        "fail_causes": evaluation.fail_causes,
        "breakdown": evaluation.breakdown,
        "engine_version": evaluation.engine_version,
        "acknowledged_at": None
        if evaluation.acknowledged_at is None
        else evaluation.acknowledged_at.isoformat(),
        "acknowledgement": evaluation.acknowledgement,
        "answers": answers_of(row for row in evaluation.answers if row.state != "hidden"),
        "comments": {row.question: row.comment for row in evaluation.answers if row.comment},
        "root_causes": {row.question: row.root_cause for row in evaluation.answers if row.root_cause},
        "root_cause": evaluation.root_cause,
        "coaching": [row.question for row in evaluation.answers if row.coaching],
        "coaching_note": evaluation.coaching_note,
    }


def void(session: Session, actor: Actor, evaluation_id: int, *, reason: str, now: datetime) -> None:
    """Take an evaluation out of everything that counts; it stays readable, with the reason."""
    evaluation = _submitted(session, actor, evaluation_id)
    require(actor, P.EVALUATION_VOID, evaluation.scope)
    reason = checked(reason.strip(), field="reason", label="The reason", limit=REASON_MAX)
    if not reason:
        raise Invalid("Say why it shall not count. The agent reads the reason.", field="reason")
    if evaluation.voided_at is not None:
        raise Conflict("This evaluation counts no more already.")
    evaluation.voided_at, evaluation.void_reason, evaluation.state = now, reason, "voided"
    outbox.emit(session, EvaluationVoided(evaluation.id, evaluation.agent_id), now=now)
    audit.record(session, actor, "evaluation:void", "evaluation", evaluation.id, reason=reason, now=now)


def _submitted(session: Session, actor: Actor, evaluation_id: int) -> Evaluation:
    queries.take_turns(session, evaluation_id)
    evaluation = queries.get_evaluation(session, actor, evaluation_id)
    if evaluation.submitted_at is None:
        raise Conflict("This evaluation is still a draft.")
    return evaluation
