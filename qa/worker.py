"""The worker: takes jobs from the table, delivers the outbox, keeps schedules, gives back what died.

``REACTIONS`` and ``KINDS`` are the two tables of what happens in the background.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import TimeoutError as DeadlineError
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from typing import Any

from huey.consumer import Consumer
from pebble import ProcessExpired, ProcessPool

from qa.accounts.jobs import apply_due_memberships
from qa.accounts.once import forget_old
from qa.config import Settings
from qa.core import clock, crypto, jobs, logs, outbox, transport
from qa.core.db import Database
from qa.core.errors import Unavailable
from qa.core.storage import LocalStorage
from qa.evaluations.jobs import note_evaluated, release_due
from qa.interactions.jobs import describe_recording

log = logging.getLogger(__name__)

SWEEP_SECONDS = 5.0
RENEW_SECONDS = 20.0

REACTIONS: dict[str, tuple[tuple[str, outbox.Reaction], ...]] = {
    "EvaluationSubmitted": (("interactions.note_evaluated", note_evaluated),),
}
"""Event: who reacts. Every arrow that points upward in the house is a line here."""


@dataclass(frozen=True, slots=True)
class Kind:
    """How a kind of job runs: in this thread, or in a child that is killed at its deadline."""

    run: Callable[..., Any]
    in_child: bool = False
    deadline_seconds: float = 60.0


def _noop(_database: Database, _payload: dict[str, Any]) -> None:
    return


def _deliver(database: Database, _payload: dict[str, Any]) -> None:
    if outbox.deliver(database, REACTIONS, now=clock.now()):
        with database.transaction() as session:
            again = clock.now() + timedelta(seconds=2)
            jobs.enqueue(session, outbox.JOB_KIND, {}, now=clock.now(), run_after=again, dedupe_key="outbox")


def _release(database: Database, _payload: dict[str, Any]) -> None:
    release_due(database, clock.now())


def _daily(database: Database, _payload: dict[str, Any]) -> None:
    apply_due_memberships(database, clock.now())
    with database.transaction() as session:
        forget_old(session, now=clock.now())


def _describe_in_child(settings: Settings, payload: dict[str, Any]) -> None:
    database = Database(settings.database)
    try:
        keys = crypto.load_keys(settings.key_path)
        describe_recording(database, LocalStorage(settings.recordings_path), keys, payload["recording_id"])
    finally:
        database.dispose()


KINDS: dict[str, Kind] = {
    "noop": Kind(_noop),
    outbox.JOB_KIND: Kind(_deliver),
    "evaluations.release_due": Kind(_release),
    "daily": Kind(_daily),
    "media.describe": Kind(_describe_in_child, in_child=True, deadline_seconds=900.0),
}
SCHEDULES: tuple[tuple[str, timedelta], ...] = (
    ("evaluations.release_due", timedelta(minutes=1)),
    ("daily", timedelta(hours=1)),
)


class Worker:
    """One process that works; any number of them share the table."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.database = Database(settings.database)
        self.bell = transport.make_bell(settings.queue_url, settings.data_path)
        self.database.after_commit.append(jobs.ringer(self.bell))
        self.stopping = threading.Event()
        self._pool: ProcessPool | None = None
        self._pool_guard = threading.Lock()

    def drain(self, queue: str) -> int:
        """Take jobs of a queue until none is due; return how many ran."""
        ran = 0
        while not self.stopping.is_set():
            with self.database.transaction() as session:
                taken = jobs.take(session, queue, now=clock.now())
                more = taken is not None and jobs.is_due(session, queue, now=clock.now())
            if taken is None:
                return ran
            if more and ran == 0:
                self.bell(queue)
            self._work(taken)
            ran += 1
        return ran

    def _work(self, taken: jobs.Taken) -> None:
        kind = KINDS.get(taken.kind)
        reason: str | None = None
        final = False
        try:
            if kind is None:
                reason, final = f"This program knows no work called {taken.kind}.", True
            elif kind.in_child:
                reason, final = self._in_child(kind, taken)
            else:
                kind.run(self.database, taken.payload)
        except Exception as error:  # a border: one job's fault is its own
            reason = f"{type(error).__name__}: {error}"
            log.warning("job failed", extra={"job_id": taken.id, "kind": taken.kind, "error": reason})
        with self.database.transaction() as session:
            if reason is None:
                jobs.finish(session, taken, now=clock.now())
            elif reason == CANCELLED:
                jobs.end_cancelled(session, taken, now=clock.now())
            else:
                jobs.fail(session, taken, reason, now=clock.now(), final=final)

    def _in_child(self, kind: Kind, taken: jobs.Taken) -> tuple[str | None, bool]:
        future = self._children().schedule(
            kind.run, args=(self.settings, taken.payload), timeout=kind.deadline_seconds
        )
        while True:
            try:
                future.result(timeout=RENEW_SECONDS)
                return None, False
            except DeadlineError:
                if future.done():
                    return f"Stopped after {kind.deadline_seconds:.0f} s, its time limit.", False
                with self.database.transaction() as session:
                    ours = jobs.renew(session, taken, now=clock.now())
                if not ours:
                    future.cancel()
                    return CANCELLED, True
            except ProcessExpired as error:
                return f"The child process ended with code {error.exitcode}.", False

    def _children(self) -> ProcessPool:
        with self._pool_guard:
            if self._pool is None:
                context = get_context("forkserver")
                self._pool = ProcessPool(
                    max_workers=self.settings.worker_children, max_tasks=200, context=context, initializer=child_init
                )
            return self._pool

    def sweep_once(self) -> None:
        """Give back what died, enqueue what is due by schedule, ring for what nobody rang for, and beat."""
        now = clock.now()
        with self.database.transaction() as session:
            jobs.beat(session, f"worker-{os.getpid()}", now=now)
            jobs.sweep(session, now=now)
            for name, every in SCHEDULES:
                if jobs.due_schedule(session, name, every=every, now=now):
                    jobs.enqueue(session, name, {}, now=now, dedupe_key=name)
            if outbox.has_waiting(session):
                jobs.enqueue(session, outbox.JOB_KIND, {}, now=now, dedupe_key=outbox.JOB_KIND)
            waiting = [queue for queue in jobs.QUEUES if jobs.is_due(session, queue, now=now)]
        for queue in waiting:
            self.bell(queue)

    def sweep_for_ever(self) -> None:
        """Sweep every five seconds until stopped; a database that is away for a while is waited for."""
        while not self.stopping.is_set():
            try:
                self.sweep_once()
            except Exception as error:  # a border: the sweep must outlive a database that is away
                log.warning("sweep failed", extra={"error": f"{type(error).__name__}: {error}"})
            self.stopping.wait(SWEEP_SECONDS)

    def close(self) -> None:
        """Stop taking work and end the children."""
        self.stopping.set()
        if self._pool is not None:
            self._pool.stop()
            self._pool.join(timeout=5)
        self.database.dispose()


CANCELLED = "cancelled"


def child_init() -> None:
    """End this child when its worker dies, however it dies."""
    logs.set_up("warning")
    parent = parent_process()
    if parent is None:
        return
    sentinel = parent.sentinel

    def watch() -> None:
        wait([sentinel])
        os._exit(70)

    threading.Thread(target=watch, daemon=True).start()


class _Listener(Consumer):  # type: ignore[misc]  # Huey has no types
    """Huey's consumer, which ends gracefully on SIGTERM too."""

    def _set_signal_handlers(self) -> None:
        super()._set_signal_handlers()
        signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGINT))


def run_worker(settings: Settings) -> None:
    """Work until told to stop."""
    worker = Worker(settings)
    huey = transport.make_huey(settings.queue_url, settings.data_path)
    transport.task_of(huey, worker.drain)
    sweeper = threading.Thread(target=worker.sweep_for_ever, daemon=True)
    sweeper.start()
    watch_parent()
    listener = _Listener(huey, workers=settings.worker_threads, worker_type="thread", periodic=False, max_delay=0.3)
    try:
        listener.run()
    finally:
        worker.close()


def watch_parent() -> None:
    """End this worker when the ``qa run`` that started it is gone."""
    parent = os.environ.get("QA_PARENT")
    if parent is None:
        return

    def watch() -> None:
        while os.getppid() == int(parent):
            time.sleep(1)
        os._exit(70)

    threading.Thread(target=watch, daemon=True).start()


def run_until_empty(settings: Settings) -> int:
    """Do everything that is due, in this process, and return how many jobs ran."""
    worker = Worker(settings)
    ran = 0
    try:
        while True:
            with_work = [worker.drain(queue) for queue in jobs.QUEUES]
            ran += sum(with_work)
            if not any(with_work):
                return ran
    except Unavailable:
        return ran
    finally:
        worker.close()
