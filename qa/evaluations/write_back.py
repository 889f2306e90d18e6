"""A released score goes back to where the conversation came from, as a private note, if its source wants it.

The note is written when it is pushed, so that it says what holds then: a score that was changed meanwhile
is told by its own note. It names no evaluator and quotes no answer.
"""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction
from functools import partial
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from qa.config import Settings
from qa.core.actor import SYSTEM
from qa.core.crypto import Keys
from qa.core.db import Database
from qa.core.outbox import Reaction
from qa.evaluations.models import Evaluation
from qa.extensions.outgoing_service import Parcel
from qa.extensions.runtime import Runtime
from qa.interactions.sources import push_service
from qa.plugins.api import Gone, PushItem
from qa.scorecards.display import score_shown
from qa.scorecards.queries import form_of

WRITTEN = ("standard",)
OUTCOMES = {"pass": "passed", "fail": "not passed"}
VOIDED = "voided"


def reaction(keys: Keys, change: str) -> Reaction:
    """Return the reaction to an evaluation that was released, revised or voided; for the worker's table."""
    return partial(_put_down, keys, change)


def _put_down(keys: Keys, change: str, database: Database, payload: dict[str, Any], now: datetime) -> None:
    with database.transaction() as session:
        row = _found(session, int(payload["evaluation_id"]))
        if row is None or row.type not in WRITTEN or row.released_at is None or row.submitted_at is None:
            return
        if change == VOIDED and not push_service.has_note(session, SYSTEM, row.interaction):
            return
        # the moment makes it unlike a key of another site that wrote to the same place
        number = VOIDED if change == VOIDED else str(row.number)
        push_service.put_note(
            session,
            SYSTEM,
            keys,
            row.interaction,
            key=f"{row.id}-{number}-{row.submitted_at:%y%m%d%H%M%S}",
            contents={"evaluation": row.id, "number": row.number, "change": change},
            now=now,
        )


def carry(settings: Settings, keys: Keys, database: Database, runtime: Runtime, parcel: Parcel) -> None:
    """Push one note. For the worker's table of carriers."""
    with database.reading() as session:
        row = _found(session, int(parcel.contents["evaluation"]))
        if row is None:
            raise Gone("The evaluation is gone.")
        is_void = parcel.contents["change"] == VOIDED
        if not is_void and (row.voided_at is not None or row.number != parcel.contents["number"]):
            return  # what came after has a note of its own, which follows
        item = _note(settings, row, is_void=is_void)
    push_service.push(database, runtime, keys, settings.time_zone, parcel, item)


def _found(session: Session, evaluation_id: int) -> Evaluation | None:
    return session.scalar(
        select(Evaluation)
        .where(Evaluation.id == evaluation_id)
        .options(
            joinedload(Evaluation.interaction),
            joinedload(Evaluation.version),
        )
    )


def _note(settings: Settings, row: Evaluation, *, is_void: bool) -> PushItem:
    public_url = settings.public_url.rstrip("/")
    url = f"{public_url}/evaluations/{row.id}" if public_url else ""
    if is_void:
        return PushItem("note", text="Quality review: it was withdrawn, the score does not count.", url=url)
    return PushItem("note", text=_sentence(row, settings.decimals), url=url)


def _sentence(row: Evaluation, decimals: int) -> str:
    score = None if row.score is None else Fraction(row.score)
    shown = score_shown(score, form_of(row.version).compiled.pass_mark, row.outcome or "", decimals)
    said = "no question counted, so there is no score" if shown is None else f"{shown} of 100"
    outcome = OUTCOMES.get(row.outcome or "", "") if shown is not None else ""
    more = ", ".join(words for words in (row.band or "", outcome) if words)
    review = "Quality review, changed" if row.revised_at is not None else "Quality review"
    return f"{review}: {said}{f' ({more})' if more else ''}. Scorecard: {row.version.title}."
