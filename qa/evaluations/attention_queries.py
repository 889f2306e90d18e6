"""What waits for somebody: evaluations to read, to release, and to talk about."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session, contains_eager, joinedload

from qa.accounts.models import User
from qa.accounts.permissions import Permission as P
from qa.accounts.policy import visible
from qa.core.actor import Actor
from qa.evaluations.models import Evaluation
from qa.evaluations.queries import COUNTED, is_marked


def _visible(actor: Actor) -> Select[Evaluation]:
    return (
        select(Evaluation)
        .join(Evaluation.agent)
        .where(
            Evaluation.submitted_at.is_not(None),
            Evaluation.voided_at.is_(None),
            Evaluation.type.in_(COUNTED),
            visible(actor, P.EVALUATION_READ, Evaluation.scope_columns()),
        )
        .options(
            contains_eager(Evaluation.agent).joinedload(User.team),
            joinedload(Evaluation.evaluator),
            joinedload(Evaluation.version),
            joinedload(Evaluation.interaction),
        )
    )


def list_to_acknowledge(session: Session, actor: Actor, *, limit: int) -> list[Evaluation]:
    """Return one's own released evaluations that wait to be read, the newest first."""
    mine = _visible(actor).where(Evaluation.agent_id == actor.id, Evaluation.state == "released")
    return list(
        session.scalars(mine.order_by(Evaluation.released_at.desc(), Evaluation.id.desc()).limit(limit))
    )


def list_marked(session: Session, actor: Actor, *, since: datetime, limit: int) -> list[Evaluation]:
    """Return evaluations submitted since then with something worth a talk, the newest first."""
    rows = _visible(actor).where(is_marked(), Evaluation.submitted_at >= since)
    return list(
        session.scalars(rows.order_by(Evaluation.submitted_at.desc(), Evaluation.id.desc()).limit(limit))
    )


def count_to_release(session: Session, actor: Actor) -> int:
    """Return how many submitted evaluations wait for this actor to release them."""
    rows = (
        select(func.count())
        .select_from(Evaluation)
        .where(
            Evaluation.state == "submitted",
            Evaluation.release_at.is_(None),
            visible(actor, P.EVALUATION_RELEASE, Evaluation.scope_columns()),
        )
    )
    return session.scalar(rows) or 0
