"""Events: told in the transaction of the act, delivered by the worker, at least once each.

Each reaction to each event is settled alone: one that fails is tried again with growing pauses and
holds up its own later events, never those of other reactions. Payloads hold ids and numbers, never
what people said.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import JSON, ForeignKey, Index, String, Text, delete, exists, insert, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from qa.core import clock, jobs
from qa.core.db import Base, Database, UtcDateTime

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 8
BATCH = 200
JOB_KIND = "outbox"

_WAITING = text("delivered_at IS NULL")


@dataclass(frozen=True, slots=True)
class Event:
    """Every event is a frozen dataclass of plain values with a past-tense name."""

    name: ClassVar[str] = ""


Reaction = Callable[[Database, dict[str, Any], datetime], None]
"""Gets the event's payload with its ``event_id``, the same at each try."""
Reactions = Mapping[str, Sequence[tuple[str, Reaction]]]


class OutboxEvent(Base):
    """One thing that happened; ``delivered_at`` is when its last reaction was settled."""

    __tablename__ = "outbox_event"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(60))
    payload: Mapped[dict[str, Any]] = mapped_column(JSON)
    emitted_at: Mapped[datetime] = mapped_column(UtcDateTime)
    delivered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    __table_args__ = (
        Index("ix_outbox_event_waiting", "id", sqlite_where=_WAITING, postgresql_where=_WAITING),
    )


class OutboxDelivery(Base):
    """One reaction's dealings with one event: delivered, to be tried again, or dead."""

    __tablename__ = "outbox_delivery"

    event_id: Mapped[int] = mapped_column(ForeignKey("outbox_event.id", ondelete="CASCADE"), primary_key=True)
    target: Mapped[str] = mapped_column(String(80), primary_key=True)
    attempt: Mapped[int] = mapped_column(default=0)
    retry_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    delivered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    dead_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    error: Mapped[str | None] = mapped_column(Text)

    @property
    def is_settled(self) -> bool:
        """Tell whether nothing more is to be done."""
        return self.delivered_at is not None or self.dead_at is not None


def emit(session: Session, *events: Event, now: datetime) -> None:
    """Tell events in the caller's transaction, in this order, with a job that delivers them.

    A job for each transaction, not one for all: a shared one could run and end before the later of
    two commits. The run that comes first does the work of those that wait.
    """
    rows = [{"name": type(one).__name__, "payload": asdict(one), "emitted_at": now} for one in events]
    session.execute(insert(OutboxEvent), rows)
    jobs.enqueue(session, JOB_KIND, {}, now=now, alone_key=JOB_KIND)


def deliver(database: Database, reactions: Reactions) -> datetime | None:
    """Deliver what waits, in order for each target; return when to try again, None when all is settled.

    Runs alone: the job has an ``alone_key``.
    """
    with database.transaction() as session:
        jobs.absorb(session, JOB_KIND)
    blocked: dict[str, datetime] = {}
    for events, dealings in _pages(database):
        settled = [event.id for event in events if _settle(database, event, dealings, reactions, blocked)]
        if settled:
            with database.transaction() as session:
                session.execute(
                    update(OutboxEvent).where(OutboxEvent.id.in_(settled)).values(delivered_at=clock.now())
                )
    return min(blocked.values(), default=None)


Dealings = dict[tuple[int, str], OutboxDelivery]


def _pages(database: Database) -> Iterator[tuple[list[OutboxEvent], Dealings]]:
    """Yield the waiting events with what was tried so far, in pages: one stuck target hides no event."""
    reached = 0
    while True:
        waiting = (
            select(OutboxEvent)
            .where(OutboxEvent.delivered_at.is_(None), OutboxEvent.id > reached)
            .order_by(OutboxEvent.id)
            .limit(BATCH)
        )
        with database.reading() as session:
            events = list(session.scalars(waiting))
            if not events:
                return
            reached = events[-1].id
            tried = select(OutboxDelivery).where(OutboxDelivery.event_id.in_([event.id for event in events]))
            dealings = {(row.event_id, row.target): row for row in session.scalars(tried)}
        yield events, dealings


def _settle(
    database: Database,
    event: OutboxEvent,
    dealings: Dealings,
    reactions: Reactions,
    blocked: dict[str, datetime],
) -> bool:
    settled = True
    for target, reaction in reactions.get(event.name, ()):
        earlier = dealings.get((event.id, target))
        if earlier is not None and earlier.is_settled:
            continue
        again_at = blocked.get(target) or _try(database, event, target, reaction, earlier)
        if again_at is not None:
            blocked[target] = again_at
            settled = False
    return settled


def _try(
    database: Database, event: OutboxEvent, target: str, reaction: Reaction, earlier: OutboxDelivery | None
) -> datetime | None:
    """Run one reaction; return when to try again, None when it is settled."""
    now = clock.now()
    if earlier is not None and earlier.retry_at is not None and earlier.retry_at > now:
        return earlier.retry_at
    attempt = 1 + (0 if earlier is None else earlier.attempt)
    if attempt > MAX_ATTEMPTS:
        _note(database, event, target, attempt=earlier.attempt if earlier else 0, dead_at=now, error=DIED)
        return None
    # counted before the work: a reaction that kills the worker must not do so for ever
    _note(database, event, target, attempt=attempt, retry_at=now)
    try:
        reaction(database, {**event.payload, "event_id": event.id}, now)
    except Exception as failure:  # a border: one reaction's fault is its own
        error = f"{type(failure).__name__}: {failure}"
        log.warning("reaction failed", extra={"target": target, "event_id": event.id, "error": error[:500]})
        return _failed(database, event, target, attempt, error)
    _note(database, event, target, attempt=attempt, delivered_at=clock.now(), retry_at=None, error=None)
    return None


DIED = "The worker died during each attempt."


def _failed(database: Database, event: OutboxEvent, target: str, attempt: int, error: str) -> datetime | None:
    now = clock.now()
    if attempt >= MAX_ATTEMPTS:
        _note(database, event, target, attempt=attempt, dead_at=now, error=error)
        return None
    retry_at = now + jobs.pause_after(attempt)
    _note(database, event, target, attempt=attempt, retry_at=retry_at, error=error)
    return retry_at


def _note(database: Database, event: OutboxEvent, target: str, **values: Any) -> None:
    with database.transaction() as session:
        session.merge(OutboxDelivery(event_id=event.id, target=target, **values))


def has_waiting(session: Session) -> bool:
    """Tell whether any event waits for delivery."""
    return bool(session.scalar(select(exists().where(OutboxEvent.delivered_at.is_(None)))))


def list_dead(session: Session, *, limit: int = 50) -> list[tuple[OutboxDelivery, str]]:
    """Return the newest deliveries given up on, each with its event's name."""
    dead = (
        select(OutboxDelivery, OutboxEvent.name)
        .join(OutboxEvent, OutboxEvent.id == OutboxDelivery.event_id)
        .where(OutboxDelivery.dead_at.is_not(None))
        .order_by(OutboxDelivery.event_id.desc())
        .limit(limit)
    )
    return [(row[0], row[1]) for row in session.execute(dead)]


def retry_dead(session: Session, *, now: datetime, event_id: int | None = None) -> int:
    """Deliver again what was given up on, of one event or of all; return how many deliveries."""
    dead = select(OutboxDelivery).where(OutboxDelivery.dead_at.is_not(None))
    rows = list(
        session.scalars(dead if event_id is None else dead.where(OutboxDelivery.event_id == event_id))
    )
    for row in rows:
        row.attempt, row.dead_at, row.retry_at, row.error = 0, None, None, None
    ids = {row.event_id for row in rows}
    session.execute(update(OutboxEvent).where(OutboxEvent.id.in_(ids)).values(delivered_at=None))
    if rows:
        jobs.enqueue(session, JOB_KIND, {}, now=now, alone_key=JOB_KIND)
    return len(rows)


def forget_delivered(database: Database, *, before: datetime) -> None:
    """Remove events delivered before, a batch a transaction; those with a dead delivery stay."""
    dead = exists().where(OutboxDelivery.event_id == OutboxEvent.id, OutboxDelivery.dead_at.is_not(None))
    old = select(OutboxEvent.id).where(OutboxEvent.delivered_at < before, ~dead).limit(BATCH)
    while True:
        with database.transaction() as session:
            ids = list(session.scalars(old))
            session.execute(delete(OutboxDelivery).where(OutboxDelivery.event_id.in_(ids)))
            session.execute(delete(OutboxEvent).where(OutboxEvent.id.in_(ids)))
        if len(ids) < BATCH:
            return
