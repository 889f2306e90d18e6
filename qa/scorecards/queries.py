"""What can be read about scorecards: everybody reads the form that judges them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload, selectinload

from qa.accounts.permissions import Permission as P
from qa.accounts.policy import require
from qa.core.actor import Actor
from qa.core.errors import NotFound
from qa.scorecards.compiled import CompiledForm, compile_form
from qa.scorecards.document import load
from qa.scorecards.form import Form
from qa.scorecards.models import ACTIVE, Scorecard, ScorecardVersion


@dataclass(frozen=True, slots=True, eq=False)
class ReadyForm:
    """A version's form, read and compiled once per process: there is one of each, so it can be a key."""

    form: Form
    compiled: CompiledForm


def form_of(version: ScorecardVersion) -> ReadyForm:
    """Return the form of a version; the text itself is the key, so a draft is never stale."""
    return _ready(version.yaml)


@lru_cache(maxsize=256)
def _ready(text: str) -> ReadyForm:
    form = load(text).form
    return ReadyForm(form, compile_form(form))


def list_scorecards(session: Session, actor: Actor) -> list[Scorecard]:
    """Return every scorecard with its versions, by title."""
    require(actor, P.SCORECARD_READ)
    rows = select(Scorecard).options(selectinload(Scorecard.versions)).order_by(Scorecard.title)
    return list(session.scalars(rows))


def get_scorecard(session: Session, actor: Actor, ref: str) -> Scorecard:
    """Return one scorecard with its versions, or raise ``NotFound``."""
    require(actor, P.SCORECARD_READ)
    found = session.scalar(
        select(Scorecard).where(Scorecard.ref == ref).options(selectinload(Scorecard.versions))
    )
    if found is None:
        raise NotFound("There is no such scorecard.")
    return found


def get_version(session: Session, actor: Actor, ref: str, number: int) -> ScorecardVersion:
    """Return one version of a scorecard, or raise ``NotFound``."""
    require(actor, P.SCORECARD_READ)
    found = session.scalar(
        select(ScorecardVersion)
        .join(Scorecard, Scorecard.id == ScorecardVersion.scorecard_id)
        .where(Scorecard.ref == ref, ScorecardVersion.number == number)
        .options(joinedload(ScorecardVersion.scorecard))
    )
    if found is None:
        raise NotFound("There is no such version of this scorecard.")
    return found


def find_active(session: Session, actor: Actor, scorecard_id: int) -> ScorecardVersion | None:
    """Return the active version of a scorecard, or None."""
    require(actor, P.SCORECARD_READ)
    return session.scalar(
        select(ScorecardVersion).where(
            ScorecardVersion.scorecard_id == scorecard_id, ScorecardVersion.state == ACTIVE
        )
    )


def list_active(session: Session, actor: Actor) -> list[ScorecardVersion]:
    """Return the active version of each scorecard, by title."""
    require(actor, P.SCORECARD_READ)
    rows = (
        select(ScorecardVersion)
        .where(ScorecardVersion.state == ACTIVE)
        .options(joinedload(ScorecardVersion.scorecard))
        .order_by(ScorecardVersion.title)
    )
    return list(session.scalars(rows))
