"""The worker's engine: take due jobs, do them, settle them; give back what died; keep the schedules.

It knows how work is done, not which: the kinds come from ``qa.worker``. A job's outcome and what is
kept of it are one transaction that holds only while the job is still ours.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from qa.core import clock, jobs, outbox
from qa.core.children import ChildFailed, Children, Progress, Unwanted
from qa.core.db import Database
from qa.core.errors import Forbidden, Invalid, NotFound, Unavailable

log = logging.getLogger(__name__)

FAST = "fast"
SWEEP_SECONDS = 5.0
RENEW_SECONDS = 20.0
NOTE_SECONDS = 1.0
HAND_BACK_SECONDS = 20.0
PATIENCE_SECONDS = 50.0
SETTLE_SECONDS = 3.0

Payload = dict[str, Any]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Kind:
    """Short work of our own, done in the worker's thread; it opens its own transactions."""

    run: Callable[[Database, Payload], None]


def _forget(_session: Session, _payload: Payload, _reason: str, _now: datetime) -> None:
    return


@dataclass(frozen=True, slots=True)
class ChildKind:
    """Work in a killable child: briefed here, done there, kept here.

    ``brief`` gathers what the child may know, None when there is nothing to do any more. ``work``
    names the function, ``package.module:function``. ``keep`` writes its answer in the transaction
    that ends the job, ``give_up`` what people shall read when the last attempt failed.
    """

    brief: Callable[[Database, Payload], Any]
    work: str
    keep: Callable[[Session, Payload, Any, datetime], None]
    deadline_seconds: float
    give_up: Callable[[Session, Payload, str, datetime], None] = _forget


@dataclass(frozen=True, slots=True)
class HostedKind:
    """Long work in a process that somebody else keeps, such as a plugin's: watched and kept like a child's.

    ``run`` does it in the worker's thread, asks what it is given whether to go on, and raises ``Unwanted``
    when told not to; None as its answer means that there was nothing to do.
    """

    run: Callable[[Database, Payload, Callable[[Progress | None], bool]], Any]
    keep: Callable[[Session, Payload, Any, datetime], None]
    give_up: Callable[[Session, Payload, str, datetime], None] = _forget


Kinds = Mapping[str, Kind | ChildKind | HostedKind]
Schedules = Sequence[tuple[str, timedelta]]
FINAL = (NotFound, Forbidden, Invalid)
"""Refusals: another attempt would be refused again."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job ended: done, failed, refused, cancelled, back (we stop) or lost (no longer ours)."""

    end: str
    reason: str = ""
    answer: Any = None


class Worker:
    """One process that works; any number of them share the table."""

    def __init__(
        self,
        database: Database,
        kinds: Kinds,
        *,
        schedules: Schedules = (),
        ring: Callable[[str], object],
        children: int,
        stopping: threading.Event | None = None,
    ) -> None:
        """``stopping`` is set when the worker ends, for work that looks up to see whether to go on."""
        self.database = database
        self.kinds = kinds
        self.schedules = schedules
        self.ring = ring
        self.name = f"{socket.gethostname()[:40]}:{os.getpid()}"
        self.stopping = stopping or threading.Event()
        self._stopped_at = 0.0
        self._children = Children(children)
        self._slots = threading.Semaphore(children)
        self._held: dict[str, jobs.Taken] = {}
        self.at_close: list[Callable[[], None]] = []
        database.after_commit.append(jobs.ringer(ring))

    # --- taking and settling -------------------------------------------------

    def drain(self, queue: str) -> int:
        """Answer a ring: take jobs of a queue until none is due; return how many ran.

        Long work gives way after each job, so that no queue holds every child: it rings again.
        """
        if queue == FAST:
            return self._drain_fast()
        if not self._slots.acquire(blocking=False):
            return 0  # whoever holds the slot rings again
        try:
            ran = self._drain_one(queue)
        finally:
            self._slots.release()
        if ran:
            self._ring_waiting()
        return ran

    def _drain_fast(self) -> int:
        ran = 0
        taken, more = self._take(FAST)
        if more:
            self.ring(FAST)  # one ring is one thread: call another
        while taken is not None:
            outcome = self._work(taken)
            ran += 1
            taken = self._settle_and_take(taken, outcome)
        return ran

    def _drain_one(self, queue: str) -> int:
        taken, _ = self._take(queue)
        if taken is None:
            return 0
        self._settle(taken, self._work(taken))
        return 1

    def _ring_waiting(self) -> None:
        def waiting() -> list[str]:
            with self.database.reading() as session:
                now = jobs.database_time(session)
                return [queue for queue in jobs.QUEUES if jobs.is_due(session, queue, now=now)]

        for queue in self._patiently(waiting) or ():
            self.ring(queue)

    def _take(self, queue: str) -> tuple[jobs.Taken | None, bool]:
        def take() -> tuple[jobs.Taken | None, bool]:
            with self.database.transaction() as session:
                return self._next(session, queue), self._is_due(session, queue)

        if self.stopping.is_set():
            return None, False
        try:
            taken, more = self._patiently(take) or (None, False)
        except IntegrityError:  # another worker took a job that runs alone in the same moment
            return None, False
        self._hold(taken)
        return taken, more

    def _hold(self, taken: jobs.Taken | None) -> None:
        if taken is not None:
            self._held[taken.token] = taken

    def _next(self, session: Session, queue: str) -> jobs.Taken | None:
        if self.stopping.is_set():
            return None
        return jobs.take(session, queue, now=jobs.database_time(session))

    @staticmethod
    def _is_due(session: Session, queue: str) -> bool:
        return jobs.is_due(session, queue, now=jobs.database_time(session))

    def _settle_and_take(self, taken: jobs.Taken, outcome: Outcome) -> jobs.Taken | None:
        """Settle one fast job and take the next in one commit: half the waiting for the disk."""

        def both() -> jobs.Taken | None:
            with self.database.transaction() as session:
                self._write(session, taken, outcome)
                return self._next(session, FAST)

        try:
            following = self._patiently(both)
        except Exception as error:  # a border: settle it alone, that finds out what is wrong
            log.info("settling alone", extra={"job_id": taken.id, "error": _named(error)})
            self._settle(taken, outcome)
            return None
        self._held.pop(taken.token, None)
        self._hold(following)
        return following

    def _settle(self, taken: jobs.Taken, outcome: Outcome) -> None:
        def write(end: Outcome) -> Callable[[], None]:
            def written() -> None:
                with self.database.transaction() as session:
                    self._write(session, taken, end)

            return written

        try:
            self._patiently(write(outcome))
        except Exception as error:  # a border: what the work answered cannot be kept
            log.warning("answer not kept", extra={"job_id": taken.id, "error": _named(error)})
            outcome = Outcome("failed", _named(error))
            self._patiently(write(outcome))
        finally:
            self._held.pop(taken.token, None)
        if _is_final(taken, outcome):
            self._give_up(taken.kind, taken.payload, outcome.reason)

    def _write(self, session: Session, taken: jobs.Taken, outcome: Outcome) -> None:
        now = jobs.database_time(session)
        kind = self.kinds.get(taken.kind)
        if outcome.end == "done":
            ours = jobs.finish(session, taken, now=now)
            if ours and isinstance(kind, ChildKind | HostedKind) and outcome.answer is not None:
                kind.keep(session, taken.payload, outcome.answer, clock.now())
        elif outcome.end == "cancelled":
            jobs.end_cancelled(session, taken, now=now)
        elif outcome.end == "back":
            jobs.hand_back(session, taken, now=now)
        elif outcome.end in {"failed", "refused"}:
            jobs.fail(session, taken, outcome.reason, now=now, final=_is_final(taken, outcome))

    def _give_up(self, kind_name: str, payload: Payload, reason: str) -> None:
        """Write what people shall read; after the job's own end, which must not hang on it."""
        kind = self.kinds.get(kind_name)
        if not isinstance(kind, ChildKind | HostedKind):
            return
        try:
            with self.database.transaction() as session:
                kind.give_up(session, payload, reason, clock.now())
        except Exception as error:  # a border: the job is dead either way
            log.warning("giving up failed", extra={"kind": kind_name, "error": _named(error)})

    def _patiently(self, act: Callable[[], T]) -> T | None:
        """Do it, again each second while the database is away; None when the lease would be over."""
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return act()
            except IntegrityError:
                raise
            except (Unavailable, DBAPIError) as error:
                log.warning("database away", extra={"error": _named(error)})
                if time.monotonic() > until or self.stopping.wait(1.0):
                    return None

    # --- the work itself -----------------------------------------------------

    def _work(self, taken: jobs.Taken) -> Outcome:
        kind = self.kinds.get(taken.kind)
        started = time.monotonic()
        try:
            if kind is None:
                outcome = Outcome("refused", f"This program knows no work called {taken.kind}.")
            elif isinstance(kind, ChildKind):
                outcome = self._in_child(kind, taken)
            elif isinstance(kind, HostedKind):
                outcome = self._hosted(kind, taken)
            else:
                kind.run(self.database, taken.payload)
                outcome = Outcome("done")
        except FINAL as error:
            outcome = Outcome("refused", str(error))
        except Exception as error:  # a border: one job's fault is its own
            outcome = Outcome("failed", _named(error))
        self._tell(taken, outcome, time.monotonic() - started)
        return outcome

    @staticmethod
    def _tell(taken: jobs.Taken, outcome: Outcome, seconds: float) -> None:
        facts = {"job_id": taken.id, "kind": taken.kind, "attempt": taken.attempt, "end": outcome.end}
        level = logging.WARNING if outcome.reason else logging.DEBUG if seconds < 1 else logging.INFO
        log.log(
            level, "job ended", extra=facts | {"seconds": round(seconds, 3), "error": outcome.reason[:500]}
        )

    def _in_child(self, kind: ChildKind, taken: jobs.Taken) -> Outcome:
        brief = kind.brief(self.database, taken.payload)
        if brief is None:
            return Outcome("done")
        watch = _Watch(self, taken)
        try:
            answer = self._children.run(
                kind.work, brief, deadline_seconds=kind.deadline_seconds, is_wanted=watch.is_wanted
            )
        except Unwanted:
            return Outcome(watch.end)
        except ChildFailed as error:
            return Outcome("failed", str(error))
        return Outcome("done", answer=answer)

    def _hosted(self, kind: HostedKind, taken: jobs.Taken) -> Outcome:
        watch = _Watch(self, taken)
        try:
            return Outcome("done", answer=kind.run(self.database, taken.payload, watch.is_wanted))
        except Unwanted:
            return Outcome(watch.end)

    # --- beside the work -----------------------------------------------------

    def start(self) -> None:
        """Start the threads that sweep and that keep leases alive."""
        for task, seconds in ((self.sweep, SWEEP_SECONDS), (self.renew, RENEW_SECONDS)):
            threading.Thread(target=self._repeat, args=(task, seconds), daemon=True).start()

    def _repeat(self, task: Callable[[], None], seconds: float) -> None:
        while not self.stopping.is_set():
            try:
                task()
            except Exception as error:  # a border: these threads must outlive a database that is away
                log.warning("%s failed", task.__name__, extra={"error": _named(error)})
            self.stopping.wait(seconds)

    def renew(self) -> None:
        """Prolong the lease of everything in our hands."""
        if not self._held:
            return
        with self.database.transaction() as session:
            now = jobs.database_time(session)
            for taken in list(self._held.values()):
                jobs.renew(session, taken, now=now)

    def sweep(self) -> None:
        """Give back what died, enqueue what is due by schedule, ring for what nobody rang for, and beat."""
        with self.database.transaction() as session:
            now = jobs.database_time(session)
            jobs.beat(session, self.name, now=clock.now())
            given_up = jobs.sweep(session, now=now, held=list(self._held))
            for name, every in self.schedules:
                if jobs.claim_slot(session, name, every=every, now=now):
                    jobs.enqueue(session, name, {}, now=now, dedupe_key=name)
            if outbox.has_waiting(session) and not jobs.is_live(session, outbox.JOB_KIND):
                jobs.enqueue(session, outbox.JOB_KIND, {}, now=now, alone_key=outbox.JOB_KIND)
            waiting = {queue for queue in jobs.QUEUES if jobs.is_due(session, queue, now=now)}
            session.info.setdefault(jobs.RINGS, set()).update(waiting)
        for gone in given_up:
            log.warning("job given up", extra={"kind": gone.kind, "error": jobs.DIED})
            self._give_up(gone.kind, gone.payload, jobs.DIED)

    # --- the end -------------------------------------------------------------

    def stop(self) -> None:
        """Take no more jobs; those that run have some seconds left, then long ones are handed back."""
        if not self.stopping.is_set():
            self._stopped_at = time.monotonic()
            self.stopping.set()

    @property
    def must_hand_back(self) -> bool:
        """Tell whether the seconds left after ``stop`` are over."""
        return self.stopping.is_set() and time.monotonic() - self._stopped_at > HAND_BACK_SECONDS

    def close(self) -> None:
        """End: hand back what still runs, kill the children, take the heartbeat away."""
        self.stop()
        try:
            with self.database.transaction() as session:
                now = jobs.database_time(session)
                for taken in list(self._held.values()):
                    jobs.hand_back(session, taken, now=now)
                jobs.end_beat(session, self.name)
        except (Unavailable, DBAPIError) as error:
            log.warning("left with the database away", extra={"error": _named(error)})
        for close in self.at_close:
            close()
        self._children.close()  # after handing back: what their deaths would write is not ours any more
        until = time.monotonic() + SETTLE_SECONDS
        while self._held and time.monotonic() < until:
            time.sleep(0.02)  # their threads look at the database once more
        self.database.dispose()


class _Watch:
    """Between a child and the table: progress goes in, a wish to stop comes out, once a second."""

    def __init__(self, worker: Worker, taken: jobs.Taken) -> None:
        self._worker = worker
        self._taken = taken
        self._noted: Progress | None = None
        self._looked_at = 0.0
        self.end = "lost"

    def is_wanted(self, progress: Progress | None) -> bool:
        """Tell whether the work shall go on."""
        if self._worker.must_hand_back:
            self.end = "back"
            return False
        if time.monotonic() - self._looked_at < NOTE_SECONDS:
            return True
        self._looked_at = time.monotonic()
        try:
            return self._look(progress)
        except (Unavailable, DBAPIError) as error:
            log.warning("database away", extra={"job_id": self._taken.id, "error": _named(error)})
            return True

    def _look(self, progress: Progress | None) -> bool:
        database = self._worker.database
        if progress is not None and progress != self._noted:
            with database.transaction() as session:
                jobs.note_progress(session, self._taken, progress.done, progress.total, progress.message)
            self._noted = progress
        with database.reading() as session:
            standing = jobs.standing(session, self._taken)
        if standing != "wanted":
            self.end = standing
        return standing == "wanted"


def _is_final(taken: jobs.Taken, outcome: Outcome) -> bool:
    last = taken.attempt >= taken.max_attempts
    return outcome.end == "refused" or (outcome.end == "failed" and last)


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
