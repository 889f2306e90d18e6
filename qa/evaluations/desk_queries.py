"""What the workspace shows of one draft, as plain rows: it is opened all day, to be looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Select, bindparam, select
from sqlalchemy.orm import Session, contains_eager, joinedload

from qa.accounts.permissions import Permission as P
from qa.accounts.policy import require, visible
from qa.core.actor import Actor
from qa.core.errors import Forbidden, NotFound
from qa.evaluations.models import Answer, Evaluation, Pin
from qa.evaluations.queries import GONE, SUBMITTED
from qa.interactions.models import Interaction
from qa.interactions.queries import Heard, heard_in


class AnswerFacts(NamedTuple):
    """An answer as it is shown and scored."""

    question: str
    state: str
    value: Any
    comment: str
    root_cause: str
    coaching: bool


class PinFacts(NamedTuple):
    """A piece of evidence as it is shown."""

    client_id: str
    question: str
    kind: str
    start_ms: int | None
    end_ms: int | None
    turn_id: int | None
    char_start: int | None
    char_end: int | None
    note: str


@dataclass(frozen=True, slots=True)
class Desk:
    """A draft with its version and conversation, its answers and evidence, and what was said."""

    evaluation: Evaluation
    answers: list[AnswerFacts]
    pins: list[PinFacts]
    heard: Heard


def get_desk(session: Session, actor: Actor, evaluation_id: int) -> Desk:
    """Return one's own draft to work on: five statements.

    Raises ``NotFound`` where evaluation or conversation are not this actor's to see, ``Forbidden`` when
    it is submitted already.
    """
    found = session.scalar(
        _DRAFT.where(
            Evaluation.id == evaluation_id,
            Interaction.deleted_at.is_(None),
            visible(actor, P.EVALUATION_READ, Evaluation.scope_columns()),
            visible(actor, P.INTERACTION_READ, Interaction.scope_columns()),
        )
    )
    if found is None:
        raise NotFound(GONE)
    if found.submitted_at is not None:
        raise Forbidden(SUBMITTED)
    require(actor, P.EVALUATION_EDIT, found.scope)
    asked = {"evaluation_id": found.id}
    return Desk(
        found,
        [AnswerFacts._make(row) for row in session.execute(_ANSWERS, asked)],
        [PinFacts._make(row) for row in session.execute(_PINS, asked)],
        heard_in(session, found.interaction_id),
    )


_conversation = contains_eager(Evaluation.interaction)
_DRAFT = (
    select(Evaluation)
    .join(Evaluation.interaction)
    .options(
        joinedload(Evaluation.agent),
        joinedload(Evaluation.version),
        _conversation.joinedload(Interaction.agent),
        _conversation.joinedload(Interaction.team),
    )
)


def _plain(table: Any, kind: type[Any], *order: str) -> Select[Any]:
    """Return the statement that reads the fields of ``kind`` of one evaluation."""
    here = table.c.evaluation_id == bindparam("evaluation_id")
    return (
        select(*(table.c[name] for name in kind._fields))
        .where(here)
        .order_by(*(table.c[name] for name in order))
    )


_ANSWERS = _plain(Answer.__table__, AnswerFacts)
_PINS = _plain(Pin.__table__, PinFacts, "start_ms", "id")
