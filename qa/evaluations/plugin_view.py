"""An evaluation as plugins are told of it: answers and points, no comments, no private notes."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from qa.core.db import Database
from qa.evaluations.models import Answer, Evaluation
from qa.interactions.models import Interaction
from qa.interactions.plugin_view import view_of
from qa.plugins.api import AnswerView, EvaluationView

HOOK = "qa_evaluation_changed"
PLACES = Decimal("0.000001")


def arguments(public_url: str, database: Database, evaluation_id: int) -> dict[str, Any] | None:
    """Return what the hook is told, None when there is no such submitted evaluation any more."""
    wanted = (
        select(Evaluation)
        .where(Evaluation.id == evaluation_id, Evaluation.submitted_at.is_not(None))
        .options(
            selectinload(Evaluation.interaction).selectinload(Interaction.agent),
            selectinload(Evaluation.interaction).selectinload(Interaction.tags),
            selectinload(Evaluation.evaluator),
            selectinload(Evaluation.scorecard),
            selectinload(Evaluation.version),
            selectinload(Evaluation.answers),
        )
    )
    with database.reading() as session:
        row = session.scalar(wanted)
        return None if row is None else {"evaluation": _view_of(row, public_url)}


def _view_of(row: Evaluation, public_url: str) -> EvaluationView:
    parts = {part["ref"]: part for part in (row.breakdown or {}).get("questions", [])}
    return EvaluationView(
        id=row.id,
        interaction=view_of(row.interaction, public_url),
        scorecard=row.scorecard.ref,
        scorecard_version=row.version.number,
        revision=row.number,
        state=row.state,
        kind=row.type,
        percent=_decimal(row.score),
        outcome=row.outcome or "",
        band=row.band or "",
        failed=[str(cause.get("ref", "")) for cause in row.fail_causes or ()],
        answers=[_answer_of(answer, parts.get(answer.question, {})) for answer in row.answers],
        evaluator=row.evaluator.name,
        submitted_at=row.submitted_at,
        released_at=row.released_at,
        url=f"{public_url}/evaluations/{row.id}" if public_url else "",
    )


def _answer_of(answer: Answer, part: dict[str, Any]) -> AnswerView:
    value = answer.value if answer.state == "value" else answer.state
    words = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return AnswerView(answer.question, words, _decimal(part.get("earned")), _decimal(part.get("max")))


def _decimal(text: str | None) -> Decimal | None:
    """Return an exact number to six places; None stays None."""
    if text is None:
        return None
    number = Fraction(text)
    return (Decimal(number.numerator) / Decimal(number.denominator)).quantize(PLACES).normalize()
