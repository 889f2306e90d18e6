"""A person's own record: what was judged about them, as far as they may read it, as plain data to keep."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload, selectinload

from qa.accounts.models import User
from qa.accounts.permissions import Permission as P
from qa.accounts.policy import require, visible
from qa.core.actor import Actor
from qa.evaluations.models import Evaluation
from qa.evaluations.queries import COUNTED
from qa.evaluations.result import answers_of, chosen_words
from qa.scorecards.queries import form_of


def get_own_record(session: Session, actor: Actor, *, now: datetime) -> dict[str, Any]:
    """Return one's own released evaluations with answers and comments, the oldest first."""
    person = session.get_one(User, actor.id)
    require(actor, P.EXPORT_MY_DATA, person.scope)
    rows = session.scalars(
        select(Evaluation)
        .where(
            Evaluation.agent_id == person.id,
            Evaluation.type.in_(COUNTED),
            Evaluation.released_at.is_not(None),
            visible(actor, P.EVALUATION_READ, Evaluation.scope_columns()),
        )
        .options(
            joinedload(Evaluation.interaction),
            joinedload(Evaluation.version),
            joinedload(Evaluation.evaluator),
            selectinload(Evaluation.answers),
        )
        .order_by(Evaluation.submitted_at, Evaluation.id)
    )
    return {
        "name": person.name,
        "made_at": now.isoformat(),
        "evaluations": [_evaluation(one) for one in rows],
    }


def _evaluation(one: Evaluation) -> dict[str, Any]:
    ready = form_of(one.version)
    given = answers_of(one.answers)
    comments = {row.question: row.comment for row in one.answers if row.comment}
    return {
        "conversation": {
            "reference": one.interaction.external_id,
            "subject": one.interaction.subject,
            "channel": one.interaction.channel,
            "started_at": one.interaction.started_at.isoformat(),
        },
        "scorecard": {"title": one.version.title, "version": one.version.number},
        "type": one.type,
        "evaluator": one.evaluator.name,
        "submitted_at": _moment(one.submitted_at),
        "released_at": _moment(one.released_at),
        "score": one.score,
        "score_without_auto_fail": one.raw,
        "outcome": one.outcome,
        "counts": one.voided_at is None,
        "selection": one.selection_method,
        "answers": [
            {
                "question": question.text,
                "answer": chosen_words(ready, question.ref, given.get(question.ref)),
                "comment": comments.get(question.ref, ""),
            }
            for question in ready.compiled.questions
            if question.ref in given
        ],
        "acknowledged_at": _moment(one.acknowledged_at),
        "acknowledgement": one.acknowledgement or "",
    }


def _moment(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
