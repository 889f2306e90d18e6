"""Jobs as rows: the table owns the state, the bell only wakes the worker.

A job is written in the transaction of its cause. Taking one gives a lease and a token; every later
write carries the token, so a worker that was thought dead can change nothing any more.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import JSON, Boolean, Index, Integer, String, Text, func, or_, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from qa.core.db import Base, Database, UtcDateTime

LEASE = timedelta(seconds=60)
QUEUES = ("fast", "import", "media", "model")
LIVE = ("queued", "running")
RINGS = "rings"


class Job(Base):
    """One piece of background work: queued, running, done, cancelled or dead."""

    __tablename__ = "job"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(60))
    queue: Mapped[str] = mapped_column(String(10))
    payload: Mapped[dict[str, Any]] = mapped_column(JSON)
    state: Mapped[str] = mapped_column(String(10), default="queued")
    attempt: Mapped[int] = mapped_column(Integer, default=0)
    max_attempts: Mapped[int] = mapped_column(Integer, default=3)
    token: Mapped[str | None] = mapped_column(String(32))
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    run_after: Mapped[datetime] = mapped_column(UtcDateTime)
    dedupe_key: Mapped[str | None] = mapped_column(String(120))
    done_count: Mapped[int] = mapped_column(Integer, default=0)
    total_count: Mapped[int | None]
    message: Mapped[str] = mapped_column(String(300), default="")
    error: Mapped[str | None] = mapped_column(Text)
    cancel_asked: Mapped[bool] = mapped_column(Boolean, default=False)
    enqueued_at: Mapped[datetime] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    __table_args__ = (
        Index("ix_job_due", "queue", "state", "run_after", "id"),
        Index(
            "uq_job_dedupe_key",
            "dedupe_key",
            unique=True,
            sqlite_where=state == "queued",
            postgresql_where=state == "queued",
        ),
    )


class Scheduled(Base):
    """A due time that was enqueued: two workers cannot double it."""

    __tablename__ = "scheduled"

    name: Mapped[str] = mapped_column(String(60), primary_key=True)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)


class Heartbeat(Base):
    """When a worker was last seen alive."""

    __tablename__ = "heartbeat"

    name: Mapped[str] = mapped_column(String(60), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)


@dataclass(frozen=True, slots=True)
class Taken:
    """A job in this worker's hands."""

    id: int
    kind: str
    payload: dict[str, Any]
    attempt: int
    max_attempts: int
    token: str


def enqueue(
    session: Session,
    kind: str,
    payload: dict[str, Any],
    *,
    now: datetime,
    queue: str = "fast",
    run_after: datetime | None = None,
    dedupe_key: str | None = None,
    max_attempts: int = 3,
) -> None:
    """Add a job to the caller's transaction; with a ``dedupe_key`` that waits already, nothing."""
    if dedupe_key is not None:
        waiting = select(Job.id).where(Job.dedupe_key == dedupe_key, Job.state == "queued")
        if session.scalar(waiting) is not None:
            return
    session.add(
        Job(
            kind=kind,
            queue=queue,
            payload=payload,
            run_after=run_after or now,
            dedupe_key=dedupe_key,
            max_attempts=max_attempts,
            enqueued_at=now,
        )
    )
    session.info.setdefault(RINGS, set()).add(queue)


def ringer(ring: Callable[[str], None]) -> Callable[[Session], None]:
    """Return what a ``Database`` calls after a commit: one ring per queue, however many rows."""

    def told(session: Session) -> None:
        for queue in session.info.pop(RINGS, ()):
            ring(queue)

    return told


def take(session: Session, queue: str, *, now: datetime) -> Taken | None:
    """Take the next due job of a queue, or None. The attempt is counted before the work."""
    due = (
        select(Job.id)
        .where(Job.queue == queue, Job.state == "queued", Job.run_after <= now)
        .order_by(Job.run_after, Job.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    job_id = session.scalar(due)
    if job_id is None:
        return None
    token = secrets.token_hex(16)
    row = session.execute(
        update(Job)
        .where(Job.id == job_id, Job.state == "queued")
        .values(
            state="running",
            attempt=Job.attempt + 1,
            token=token,
            lease_until=now + LEASE,
            started_at=now,
            dedupe_key=None,
        )
        .returning(Job.id, Job.kind, Job.payload, Job.attempt, Job.max_attempts)
    ).one()
    return Taken(row.id, row.kind, row.payload, row.attempt, row.max_attempts, token)


def is_due(session: Session, queue: str, *, now: datetime) -> bool:
    """Tell whether another job of this queue waits."""
    due = select(Job.id).where(Job.queue == queue, Job.state == "queued", Job.run_after <= now)
    return session.scalar(due.limit(1)) is not None


def renew(session: Session, taken: Taken, *, now: datetime) -> bool:
    """Prolong the lease; False when the job is no longer in our hands or shall be cancelled."""
    changed = _mine(session, taken, lease_until=now + LEASE)
    asked = session.scalar(select(Job.cancel_asked).where(Job.id == taken.id))
    return changed and not asked


def note_progress(session: Session, taken: Taken, done: int, total: int | None, message: str) -> None:
    """Write how far the job is."""
    _mine(session, taken, done_count=done, total_count=total, message=message[:300])


def finish(session: Session, taken: Taken, *, now: datetime) -> bool:
    """Mark the job as done; False when somebody else has it by now."""
    return _mine(session, taken, state="done", finished_at=now, token=None, error=None)


def fail(session: Session, taken: Taken, reason: str, *, now: datetime, final: bool = False) -> None:
    """Queue the job again with a growing pause, or put it on the dead list with its reason."""
    if final or taken.attempt >= taken.max_attempts:
        _mine(session, taken, state="dead", finished_at=now, token=None, error=reason)
        return
    pause = timedelta(seconds=2.0 ** min(taken.attempt, 8) + secrets.randbelow(1000) / 1000)
    _mine(session, taken, state="queued", run_after=now + pause, token=None, error=reason)


def end_cancelled(session: Session, taken: Taken, *, now: datetime) -> None:
    """Mark a job that a person stopped."""
    _mine(session, taken, state="cancelled", finished_at=now, token=None)


def _mine(session: Session, taken: Taken, **values: Any) -> bool:
    where = (Job.id == taken.id, Job.token == taken.token)
    changed = session.execute(update(Job).where(*where).values(**values))
    return bool(changed.rowcount)  # type: ignore[attr-defined]  # an UPDATE's result counts rows


def sweep(session: Session, *, now: datetime) -> int:
    """Give back jobs whose worker died: queued again, or dead after the last attempt."""
    expired = (Job.state == "running", Job.lease_until < now)
    dead = session.execute(
        update(Job)
        .where(*expired, Job.attempt >= Job.max_attempts)
        .values(state="dead", finished_at=now, token=None, error="The worker died during each attempt.")
    )
    back = session.execute(
        update(Job)
        .where(*expired, Job.attempt < Job.max_attempts)
        .values(state="queued", token=None, run_after=now)
    )
    return int(dead.rowcount + back.rowcount)  # type: ignore[attr-defined]


def retry(session: Session, job_id: int, *, now: datetime) -> bool:
    """Queue a dead or cancelled job again; False when it is neither."""
    where = (Job.id == job_id, Job.state.in_(("dead", "cancelled")))
    values = {"state": "queued", "attempt": 0, "run_after": now, "cancel_asked": False, "finished_at": None}
    changed = session.execute(update(Job).where(*where).values(**values).returning(Job.queue)).scalar()
    if changed is None:
        return False
    session.info.setdefault(RINGS, set()).add(changed)
    return True


def ask_cancel(session: Session, job_id: int, *, now: datetime) -> None:
    """Stop a waiting job at once and ask a running one to stop."""
    where = (Job.id == job_id, Job.state == "queued")
    session.execute(update(Job).where(*where).values(state="cancelled", finished_at=now))
    session.execute(update(Job).where(Job.id == job_id, Job.state == "running").values(cancel_asked=True))


def due_schedule(session: Session, name: str, *, every: timedelta, now: datetime) -> bool:
    """Claim the present slot of a schedule; True for exactly one worker."""
    seconds = int(every.total_seconds())
    slot = datetime.fromtimestamp(int(now.timestamp()) // seconds * seconds, tz=now.tzinfo)
    if session.get(Scheduled, (name, slot)) is not None:
        return False
    session.add(Scheduled(name=name, due_at=slot))
    session.flush()
    return True


def beat(session: Session, name: str, *, now: datetime) -> None:
    """Say that a worker lives."""
    row = session.get(Heartbeat, name)
    if row is None:
        session.add(Heartbeat(name=name, at=now))
    else:
        row.at = now


def worker_heartbeat(session: Session) -> datetime | None:
    """Return when any worker was last seen."""
    return session.scalar(select(func.max(Heartbeat.at)))


def counts(session: Session) -> dict[str, int]:
    """Return how many jobs are in each state."""
    rows = session.execute(select(Job.state, func.count()).group_by(Job.state))
    return {state: number for state, number in rows}


def list_jobs(session: Session, *, state: str | None = None, limit: int = 50) -> list[Job]:
    """Return the newest jobs, perhaps of one state."""
    wanted = select(Job).order_by(Job.id.desc()).limit(limit)
    return list(session.scalars(wanted if state is None else wanted.where(Job.state == state)))


def discard(database: Database, *, before: datetime) -> int:
    """Remove finished jobs older than ``before``; dead ones stay."""
    from_table = Job.__table__.delete().where(
        or_(Job.state == "done", Job.state == "cancelled"), Job.finished_at < before
    )
    with database.transaction() as session:
        return int(session.execute(from_table).rowcount)  # type: ignore[attr-defined]
