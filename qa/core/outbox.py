"""Events: told in the transaction of the act, delivered by the worker, at least once each.

Each reaction to each event is a row of its own: one that fails is tried again alone and holds up
neither the others nor the next event of another target.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import JSON, ForeignKey, String, Text, exists, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from qa.core import jobs
from qa.core.db import Base, Database, UtcDateTime

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 8
BATCH = 100
JOB_KIND = "outbox"


@dataclass(frozen=True, slots=True)
class Event:
    """Base of every event: a frozen dataclass of plain values with a past-tense name."""

    name: ClassVar[str] = ""


Reaction = Callable[[Database, dict[str, Any], datetime], None]


class OutboxEvent(Base):
    """One thing that happened."""

    __tablename__ = "outbox_event"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(60))
    payload: Mapped[dict[str, Any]] = mapped_column(JSON)
    emitted_at: Mapped[datetime] = mapped_column(UtcDateTime)
    delivered_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)


class OutboxDelivery(Base):
    """One reaction's dealings with one event."""

    __tablename__ = "outbox_delivery"

    event_id: Mapped[int] = mapped_column(ForeignKey("outbox_event.id", ondelete="CASCADE"), primary_key=True)
    target: Mapped[str] = mapped_column(String(80), primary_key=True)
    attempt: Mapped[int] = mapped_column(default=0)
    delivered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    dead_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    error: Mapped[str | None] = mapped_column(Text)


def emit(session: Session, event: Event, *, now: datetime) -> None:
    """Tell an event in the caller's transaction."""
    session.add(OutboxEvent(name=type(event).__name__, payload=asdict(event), emitted_at=now))
    jobs.enqueue(session, JOB_KIND, {}, now=now, dedupe_key=JOB_KIND)


def deliver(
    database: Database, reactions: Mapping[str, tuple[tuple[str, Reaction], ...]], *, now: datetime
) -> bool:
    """Deliver what waits, in order per target; return whether something is left to try again."""
    blocked: set[str] = set()
    left = False
    with database.reading() as session:
        waiting = list(
            session.scalars(
                select(OutboxEvent).where(OutboxEvent.delivered_at.is_(None)).order_by(OutboxEvent.id).limit(BATCH)
            )
        )
    for event in waiting:
        targets = reactions.get(event.name, ())
        settled = [_delivered(database, event, *target, blocked, now=now) for target in targets]
        if all(settled):
            with database.transaction() as session:
                kept = session.get(OutboxEvent, event.id)
                if kept is not None:
                    kept.delivered_at = now
        else:
            left = True
    return left or len(waiting) == BATCH


def _delivered(
    database: Database, event: OutboxEvent, target: str, reaction: Reaction, blocked: set[str], *, now: datetime
) -> bool:
    if target in blocked:
        return False
    with database.reading() as session:
        earlier = session.get(OutboxDelivery, (event.id, target))
    if earlier is not None and (earlier.delivered_at or earlier.dead_at):
        return True
    attempt = 1 if earlier is None else earlier.attempt + 1
    error: str | None = None
    try:
        reaction(database, event.payload, now)
    except Exception as failure:  # a border: one reaction's fault is its own
        error = f"{type(failure).__name__}: {failure}"
        log.warning("reaction failed", extra={"target": target, "event_id": event.id, "error": error})
    dead = error is not None and attempt >= MAX_ATTEMPTS
    with database.transaction() as session:
        session.merge(
            OutboxDelivery(
                event_id=event.id,
                target=target,
                attempt=attempt,
                delivered_at=now if error is None else None,
                dead_at=now if dead else None,
                error=error,
            )
        )
    if error is not None and not dead:
        blocked.add(target)
        return False
    return True


def has_waiting(session: Session) -> bool:
    """Tell whether any event waits for delivery."""
    return bool(session.scalar(select(exists().where(OutboxEvent.delivered_at.is_(None)))))
