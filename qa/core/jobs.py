"""Jobs as rows: the table owns the state, the bell only wakes the worker.

A job is written in the transaction of its cause. Taking one counts the attempt and gives a lease
and a token; every later write carries the token, so a worker that was thought dead can change
nothing any more. Whatever a job does must bear being done twice.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Index,
    Integer,
    String,
    Table,
    Text,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column

from qa.core import clock
from qa.core.db import Base, Database, UtcDateTime, insert_unless_there

LEASE = timedelta(seconds=60)
BEFORE_ALL = datetime(2000, 1, 1, tzinfo=UTC)
"""When a job was due that goes before all others."""
LONGEST_PAUSE = timedelta(seconds=300)
QUEUES = ("fast", "import", "media", "model")
STATES = ("queued", "running", "done", "cancelled", "dead")
RINGS = "rings"
BATCH = 500

_QUEUED = text("state = 'queued'")
_RUNNING = text("state = 'running'")


class Job(Base):
    """One piece of background work: queued, running, done, cancelled or dead.

    Of jobs with one ``alone_key`` a single one runs at a time; of those with one ``dedupe_key`` a
    single one waits.
    """

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
    alone_key: Mapped[str | None] = mapped_column(String(60))
    done_count: Mapped[int] = mapped_column(Integer, default=0)
    total_count: Mapped[int | None]
    message: Mapped[str] = mapped_column(String(300), default="")
    error: Mapped[str | None] = mapped_column(Text)
    cancel_asked: Mapped[bool] = mapped_column(Boolean, default=False)
    enqueued_at: Mapped[datetime] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    __table_args__ = (
        CheckConstraint(f"queue IN {QUEUES!r}", name="known_queue"),
        CheckConstraint(f"state IN {STATES!r}", name="known_state"),
        Index("ix_job_due", "queue", "run_after", "id", sqlite_where=_QUEUED, postgresql_where=_QUEUED),
        Index("ix_job_lease", "lease_until", sqlite_where=_RUNNING, postgresql_where=_RUNNING),
        Index("ix_job_state", "state", "id"),
        Index("uq_job_dedupe_key", "dedupe_key", unique=True, sqlite_where=_QUEUED, postgresql_where=_QUEUED),
        Index("uq_job_alone_key", "alone_key", unique=True, sqlite_where=_RUNNING, postgresql_where=_RUNNING),
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
    queue: str
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
    alone_key: str | None = None,
    max_attempts: int = 3,
) -> int | None:
    """Add a job to the caller's transaction; return its id, None when one with ``dedupe_key`` waits already.

    On PostgreSQL a ``dedupe_key`` makes concurrent callers wait for each other's commit.
    """
    values: dict[str, Any] = {
        "kind": kind,
        "queue": queue,
        "payload": payload,
        "run_after": run_after or _at_once(session, now),
        "dedupe_key": dedupe_key,
        "alone_key": alone_key,
        "max_attempts": max_attempts,
        "enqueued_at": now,
    }
    session.info.setdefault(RINGS, set()).add(queue)
    if dedupe_key is None:
        return session.scalar(insert(Job).values(values).returning(Job.id))
    unless_waiting = insert_unless_there(session, Job, on=["dedupe_key"], where=_QUEUED).values(values)
    job_id: int | None = session.scalar(unless_waiting.returning(Job.id))
    return job_id


def _at_once(session: Session, now: datetime) -> Any:
    """Due by the database's own clock, so that a machine whose clock runs ahead delays nothing."""
    return now if _is_sqlite(session) else func.clock_timestamp()


def _is_sqlite(session: Session) -> bool:
    return session.get_bind().dialect.name == "sqlite"


def ringer(ring: Callable[[str], object]) -> Callable[[Session], None]:
    """Return what a ``Database`` calls after a commit: one ring per queue, however many rows."""

    def told(session: Session) -> None:
        for queue in session.info.pop(RINGS, ()):
            ring(queue)

    return told


def database_time(session: Session) -> datetime:
    """Return the time by which leases are given and judged: the database server's, one for all workers.

    SQLite has no clock of its own; there every worker is on this machine.
    """
    if _is_sqlite(session):
        return clock.now()
    served: datetime = session.execute(select(func.clock_timestamp())).scalar_one()
    return served


_TABLE = cast("Table", Job.__table__)
_table = _TABLE.c
_running = aliased(Job)
_IS_DUE = (
    (_table.queue == bindparam("of")) & (_table.state == "queued") & (_table.run_after <= bindparam("at"))
)
_BUSY = select(_running.alone_key).where(_running.state == "running", _running.alone_key.is_not(None))
_ANY = select(_table.id).where(_IS_DUE).limit(1)
_NEXT = (
    select(_table.id)
    .where(_IS_DUE, or_(_table.alone_key.is_(None), _table.alone_key.not_in(_BUSY)))
    .order_by(_table.run_after, _table.id)
    .limit(1)
    .with_for_update(skip_locked=True)
)
_TAKE = (
    update(_TABLE)
    .where(_table.id == bindparam("job"))
    .values(
        state="running",
        attempt=_table.attempt + 1,
        token=bindparam("new_token"),
        lease_until=bindparam("until"),
        started_at=bindparam("at"),
        dedupe_key=None,
    )
    .returning(_table.kind, _table.payload, _table.attempt, _table.max_attempts)
)
# built once: putting these together for each job cost more than running them


def take(session: Session, queue: str, *, now: datetime) -> Taken | None:
    """Take the next due job of a queue, or None. The attempt is counted before the work.

    Raises ``IntegrityError`` when another worker takes a job with the same ``alone_key`` at the same
    moment (PostgreSQL): nothing is taken then.
    """
    job_id = session.execute(_NEXT, {"of": queue, "at": now}).scalar()
    if job_id is None:
        return None
    token = secrets.token_hex(16)
    values = {"job": job_id, "new_token": token, "until": now + LEASE, "at": now}
    row = session.execute(_TAKE, values).one()
    return Taken(job_id, row.kind, queue, row.payload, row.attempt, row.max_attempts, token)


def is_due(session: Session, queue: str, *, now: datetime) -> bool:
    """Tell whether another job of this queue waits."""
    return session.execute(_ANY, {"of": queue, "at": now}).scalar() is not None


def renew(session: Session, taken: Taken, *, now: datetime) -> bool:
    """Prolong the lease; False when the job is no longer in our hands."""
    return _mine(session, taken, lease_until=now + LEASE)


def standing(session: Session, taken: Taken) -> str:
    """Return "wanted", "cancelled" when somebody asked to stop it, "lost" when it is not ours any more."""
    asked = session.scalar(select(Job.cancel_asked).where(Job.id == taken.id, Job.token == taken.token))
    return {None: "lost", False: "wanted", True: "cancelled"}[asked]


def note_progress(session: Session, taken: Taken, done: int, total: int | None, message: str) -> bool:
    """Write how far the job is; False when it is no longer in our hands."""
    return _mine(session, taken, done_count=done, total_count=total, message=message[:300])


_FINISH = (
    update(_TABLE)
    .where(_table.id == bindparam("job"), _table.token == bindparam("held"))
    .values(state="done", finished_at=bindparam("at"), token=None, lease_until=None, error=None)
)


def finish(session: Session, taken: Taken, *, now: datetime) -> bool:
    """Mark the job as done; False when somebody else has it by now, then keep nothing of it."""
    ended: Any = session.execute(_FINISH, {"job": taken.id, "held": taken.token, "at": now})
    return bool(ended.rowcount == 1)


def fail(session: Session, taken: Taken, reason: str, *, now: datetime, final: bool = False) -> bool:
    """Queue the job again with a growing pause, or put it on the dead list with its reason."""
    if final or taken.attempt >= taken.max_attempts:
        return _mine(
            session, taken, state="dead", finished_at=now, token=None, lease_until=None, error=reason
        )
    return _back(session, taken, run_after=now + pause_after(taken.attempt), error=reason)


def pause_after(attempt: int) -> timedelta:
    """Return how long to wait before the next attempt: 2, 4, 8 … seconds, with some luck added."""
    return min(timedelta(seconds=2.0 ** min(attempt, 8) * (1 + secrets.randbelow(250) / 1000)), LONGEST_PAUSE)


def hand_back(session: Session, taken: Taken, *, now: datetime) -> bool:
    """Queue the job again because this worker stops; the attempt does not count."""
    return _back(session, taken, run_after=now, attempt=taken.attempt - 1)


def end_cancelled(session: Session, taken: Taken, *, now: datetime) -> bool:
    """Mark a job that a person stopped."""
    return _mine(session, taken, state="cancelled", finished_at=now, token=None, lease_until=None)


def _back(session: Session, taken: Taken, **values: Any) -> bool:
    session.info.setdefault(RINGS, set()).add(taken.queue)
    return _mine(session, taken, state="queued", token=None, lease_until=None, **values)


def _mine(session: Session, taken: Taken, **values: Any) -> bool:
    where = (Job.id == taken.id, Job.token == taken.token)
    return _changed(session, update(Job).where(*where).values(**values)) == 1


def _changed(session: Session, statement: Any) -> int:
    result: Any = session.execute(statement, execution_options={"synchronize_session": False})
    return int(result.rowcount)


@dataclass(frozen=True, slots=True)
class GivenUp:
    """A job that reached the dead list because no worker survived it."""

    kind: str
    payload: dict[str, Any]


DIED = "The worker died during the last attempt."


def sweep(session: Session, *, now: datetime, held: Collection[str] = ()) -> list[GivenUp]:
    """Queue jobs again whose worker died; return those that are dead now, after their last attempt.

    ``held`` are the tokens of the caller's own running jobs: they live, whatever a clock says.
    Times that lie too far ahead were written before a clock was put back; they are drawn in, or the
    jobs would wait for that clock to come round again.
    """
    too_long = update(Job).where(Job.state == "running", Job.lease_until > now + LEASE)
    _changed(session, too_long.values(lease_until=now + LEASE))
    at_once = (Job.run_after == Job.enqueued_at) & (Job.enqueued_at > now + LEASE)
    pausing = (Job.attempt > 0) & (Job.run_after > now + LONGEST_PAUSE)
    _changed(session, update(Job).where(Job.state == "queued", at_once | pausing).values(run_after=now))
    expired = (Job.state == "running", Job.lease_until < now, Job.token.not_in(held))
    gone = {"token": None, "lease_until": None}
    dead = (
        update(Job)
        .where(*expired, Job.attempt >= Job.max_attempts)
        .values(state="dead", finished_at=now, error=DIED, **gone)
        .returning(Job.kind, Job.payload)
        .execution_options(synchronize_session=False)
    )
    given_up = [GivenUp(kind, payload) for kind, payload in session.execute(dead)]
    _changed(session, update(Job).where(*expired).values(state="queued", run_after=now, **gone))
    return given_up


def retry(session: Session, job_id: int, *, now: datetime) -> bool:
    """Queue a dead or cancelled job again; False when it is neither."""
    where = (Job.id == job_id, Job.state.in_(("dead", "cancelled")))
    values = {
        "state": "queued",
        "attempt": 0,
        "run_after": _at_once(session, now),
        "cancel_asked": False,
        "finished_at": None,
    }
    queue = session.scalar(update(Job).where(*where).values(values).returning(Job.queue))
    if queue is None:
        return False
    session.info.setdefault(RINGS, set()).add(queue)
    return True


def ask_cancel(session: Session, job_id: int, *, now: datetime) -> bool:
    """Stop a waiting job at once, ask a running one to stop; False when it is over already."""
    waiting = update(Job).where(Job.id == job_id, Job.state == "queued")
    running = update(Job).where(Job.id == job_id, Job.state == "running")
    return (
        _changed(session, waiting.values(state="cancelled", finished_at=now))
        or _changed(session, running.values(cancel_asked=True))
    ) == 1


def hurry(session: Session, job_id: int) -> bool:
    """Put a waiting job before all others of its queue; False when it does not wait any more."""
    waiting = update(Job).where(Job.id == job_id, Job.state == "queued", Job.attempt == 0)
    return _changed(session, waiting.values(run_after=BEFORE_ALL)) == 1


def absorb(session: Session, kind: str) -> int:
    """Remove waiting jobs of a kind that the present run does as well; return how many."""
    return _changed(session, delete(Job).where(Job.kind == kind, Job.state == "queued"))


def is_live(session: Session, kind: str) -> bool:
    """Tell whether a job of this kind waits or runs."""
    live = select(Job.id).where(Job.kind == kind, Job.state.in_(("queued", "running")))
    return session.scalar(live.limit(1)) is not None


def claim_slot(session: Session, name: str, *, every: timedelta, now: datetime) -> bool:
    """Claim the present slot of a schedule; True for exactly one worker."""
    seconds = int(every.total_seconds())
    slot = datetime.fromtimestamp(int(now.timestamp()) // seconds * seconds, tz=now.tzinfo)
    claim = insert_unless_there(session, Scheduled, on=["name", "due_at"]).values(name=name, due_at=slot)
    return session.scalar(claim.returning(Scheduled.name)) is not None


def beat(session: Session, name: str, *, now: datetime) -> None:
    """Say that a worker lives, and forget those not seen for a day."""
    session.merge(Heartbeat(name=name, at=now))
    _changed(session, delete(Heartbeat).where(Heartbeat.at < now - timedelta(days=1)))


def end_beat(session: Session, name: str) -> None:
    """Say that a worker ended in good order."""
    _changed(session, delete(Heartbeat).where(Heartbeat.name == name))


def worker_heartbeat(session: Session) -> datetime | None:
    """Return when any worker was last seen."""
    return session.scalar(select(func.max(Heartbeat.at)))


def find_job(session: Session, job_id: int) -> Job | None:
    """Return one job, None when there is none."""
    return session.get(Job, job_id)


def counts(session: Session) -> dict[str, int]:
    """Return how many jobs are in each state."""
    rows = session.execute(select(Job.state, func.count()).group_by(Job.state))
    return {state: number for state, number in rows}


def list_jobs(session: Session, *, state: str | None = None, limit: int = 50) -> list[Job]:
    """Return the newest jobs, perhaps of one state."""
    wanted = select(Job).order_by(Job.id.desc()).limit(limit)
    return list(session.scalars(wanted if state is None else wanted.where(Job.state == state)))


def discard_dead(session: Session, job_id: int) -> bool:
    """Remove a dead or cancelled job for good; False when it is neither."""
    return _changed(session, delete(Job).where(Job.id == job_id, Job.state.in_(("dead", "cancelled")))) == 1


def forget_finished(database: Database, *, before: datetime) -> int:
    """Remove jobs and schedule slots that ended before, a batch a transaction; dead jobs stay."""
    old = select(Job.id).where(Job.state.in_(("done", "cancelled")), Job.finished_at < before).limit(BATCH)
    removed = 0
    while True:
        with database.transaction() as session:
            now_gone = _changed(session, delete(Job).where(Job.id.in_(old)))
            _changed(session, delete(Scheduled).where(Scheduled.due_at < before))
        removed += now_gone
        if now_gone < BATCH:
            return removed
