"""What happens in coaching, told to whoever reacts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from qa.core import outbox


@dataclass(frozen=True, slots=True)
class CoachingChanged(outbox.Event):
    """A plan, session, goal or training changed; ``change`` is the past-tense word for how."""

    kind: str
    subject_id: int
    change: str


@dataclass(frozen=True, slots=True)
class PlanStarted(outbox.Event):
    """A plan runs from now on: its numbers from before are to be frozen."""

    plan_id: int


def tell(session: Session, kind: str, subject_id: int, change: str, *, now: datetime) -> None:
    """Tell plugins of a change, in the caller's transaction."""
    outbox.emit(session, CoachingChanged(kind, subject_id, change), now=now)
