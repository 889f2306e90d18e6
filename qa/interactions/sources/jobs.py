"""The worker's part in sources: lanes, webhooks to read, objects to pull again, recordings to fetch.

A run takes its share and is asked for again, so that no source holds a worker and live records of all go
before anybody's past.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
import threading
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import delete, func, or_, select
from sqlalchemy.orm import Session

from qa.core import clock, jobs
from qa.core.actor import SYSTEM
from qa.core.crypto import Keys
from qa.core.db import Database
from qa.core.errors import DomainError
from qa.core.storage import Storage, store_sealed
from qa.core.working import Kind
from qa.extensions.secrets_service import drop_former
from qa.interactions import service as interactions
from qa.interactions.models import RECORDING_KEY, Recording
from qa.interactions.sources import inbox_service, media_service, quarantine_service, service
from qa.interactions.sources.connectors import Connectors, Facts, find_facts, get_facts
from qa.interactions.sources.models import Source, SyncLane, SyncRun
from qa.interactions.sources.store import DatabaseStore
from qa.interactions.sources.trial import check_source, try_source
from qa.interactions.speech_models import Transcription
from qa.plugins import sync
from qa.plugins.api import ExternalRef, Gone, NotReady, PluginError, RateLimited
from qa.plugins.calling import PluginFailed
from qa.plugins.store import AGENTS, Lane, Stop

log = logging.getLogger(__name__)

BACKFILL_SHARE = timedelta(seconds=60)
LIVE_SHARE = timedelta(minutes=10)
MEDIA_SHARE_SECONDS = 60.0
SPAN = timedelta(days=7)
TICK_JOB = "sources.tick"
KEEP_RUNS = timedelta(days=90)
KEEP_READ = timedelta(days=7)
Payload = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Runner:
    """What the jobs of sources need: where things are kept, and the connectors."""

    keys: Keys
    storage: Storage
    folder: Path
    connectors: Connectors
    stopping: threading.Event
    patterns: tuple[str, ...] = ()

    # --- pulling -------------------------------------------------------------

    def tick(self, database: Database, _payload: Payload) -> None:
        """Ask for every lane and every piece of media that is due."""
        now = clock.now()
        with database.transaction() as session:
            service.enqueue_due(session, now=now)
            media_service.enqueue_due(session, now=now)

    def pull(self, database: Database, payload: Payload) -> None:
        """Run one lane of one source for its share of time."""
        with database.reading() as session:
            source = session.get(Source, payload["source_id"])
            lane = session.get(SyncLane, (payload["source_id"], payload["stream"], payload["lane"]))
            if source is None or lane is None or source.is_paused or lane.is_paused or lane.is_finished:
                return
            facts = get_facts(session, source.plugin, source.connector)
        store = DatabaseStore(
            database,
            self.keys,
            plugin_version=facts.plugin_version,
            patterns=self.patterns,
            stopping=self.stopping,
        )
        pull = self._pull_of(source, lane, facts)
        limits = sync.Limits(run_time=LIVE_SHARE if pull.lane is Lane.LIVE else BACKFILL_SHARE)
        outcome = sync.run(store, pull, clock=_Clock(), waiting=_Waiting(database), limits=limits)
        if outcome is not None and outcome.stop is Stop.MORE and not self.stopping.is_set():
            with database.transaction() as session:
                service.enqueue_pull(session, lane, now=clock.now())

    def _pull_of(self, source: Source, lane: SyncLane, facts: Facts) -> sync.Pull:
        which = Lane(lane.lane)
        every = service.AGENTS_EVERY if lane.stream == AGENTS else timedelta(seconds=source.every_seconds)
        plan = sync.Plan(live_from=lane.since)
        if which is Lane.BACKFILL:
            plan = sync.Plan(live_from=lane.until, backfill_from=lane.since, span=SPAN)
        return sync.Pull(
            source=source.key,
            stream=lane.stream,
            lane=which,
            pages=self.connectors.pages(source, lane.stream, which, lambda _p: not self.stopping.is_set()),
            plan=plan,
            every=every,
            cursor_version=facts.cursor_version,
            migrate=lambda cursor, version: self.connectors.migrated(source, cursor, version),
            secrets=list(self.connectors.secrets(source).values()),
        )

    def try_out(self, database: Database, payload: Payload) -> None:
        """Test a source, or read some records without storing them; keep what was found for its page."""
        source = _source(database, payload["source_id"])
        if source is None:
            return
        now, what = clock.now(), payload["what"]
        if what == "check":
            told = check_source(self.connectors, source, now)
        else:
            with database.reading() as session:
                stream = get_facts(session, source.plugin, source.connector).streams[0]
                told = try_source(session, self.connectors, source, stream, now)
        with database.transaction() as session:
            service.keep_trial(session, SYSTEM, source.id, what, told, now=clock.now())

    # --- webhooks ------------------------------------------------------------

    def read_inbox(self, database: Database, payload: Payload) -> None:
        """Let the connector read what was delivered, all that waits."""
        source_id = payload["source_id"]
        source = _source(database, source_id)
        while source is not None and not source.is_paused and not self.stopping.is_set():
            with database.reading() as session:
                waiting = inbox_service.waiting_deliveries(session, SYSTEM, source_id=source_id)
            if not waiting:
                return
            refs: list[ExternalRef] = []
            read: list[int] = []
            for delivery in waiting:
                try:
                    refs += self.connectors.webhook(
                        source, inbox_service.request_of(delivery, self.keys)
                    ).refs
                    read.append(delivery.id)
                except (PluginError, PluginFailed) as error:
                    with database.transaction() as session:
                        inbox_service.note_unread(
                            session, SYSTEM, delivery, error=str(error), now=clock.now()
                        )
            with database.transaction() as session:
                inbox_service.note_refs(
                    session, SYSTEM, source_id=source_id, delivery_ids=read, refs=refs, now=clock.now()
                )

    def repull(self, database: Database, payload: Payload) -> None:
        """Pull again what webhooks spoke of, each object alone."""
        source_id = payload["source_id"]
        source = _source(database, source_id)
        if source is None or source.is_paused:
            return
        with database.reading() as session:
            facts = get_facts(session, source.plugin, source.connector)
            due = inbox_service.due_refs(session, SYSTEM, source_id=source_id, now=clock.now())
        store = DatabaseStore(
            database, self.keys, plugin_version=facts.plugin_version, patterns=self.patterns
        )
        for ref in due:
            if self.stopping.is_set():
                return
            self._pull_again(database, store, source, ref, facts.streams[0])
        with database.transaction() as session:
            inbox_service.ask_to_repull(session, SYSTEM, source_id=source_id, now=clock.now())

    def _pull_again(
        self, database: Database, store: DatabaseStore, source: Source, ref: Any, main: str
    ) -> None:
        due_at, now = ref.due_at, clock.now()
        stream = ref.stream or main
        try:
            page = self.connectors.pull_one(source, ExternalRef(ref.external_id, stream))
        except (PluginError, PluginFailed) as error:
            until = now + timedelta(minutes=1 + ref.tries * 5)
            if isinstance(error, RateLimited) and error.at is not None:
                until = max(error.at, now)
            log.warning("not pulled again", extra={"source": source.key, "error": type(error).__name__})
            with database.transaction() as session:
                inbox_service.put_off(session, SYSTEM, ref, until=until, now=now)
            return
        store.write_single(source.key, stream, page, secrets=list(self.connectors.secrets(source).values()))
        with database.transaction() as session:
            inbox_service.mark_pulled(session, SYSTEM, ref, due_at=due_at, now=now)

    def retry(self, database: Database, payload: Payload) -> None:
        """Try all rejected records of a source again, a batch at a time."""
        with database.reading() as session:
            source = session.get(Source, payload["source_id"])
            facts = None if source is None else find_facts(session, source.plugin, source.connector)
        done: int | None = 0
        while done is not None and not self.stopping.is_set():
            with database.transaction() as session:
                done = quarantine_service.retry_batch(
                    session,
                    SYSTEM,
                    source_id=payload["source_id"],
                    after_id=done,
                    keys=self.keys,
                    patterns=self.patterns,
                    can_pull=facts is not None and facts.can("webhook"),
                    now=clock.now(),
                )

    # --- recordings ----------------------------------------------------------

    def fetch_media(self, database: Database, payload: Payload) -> None:
        """Fetch recordings of one source for a minute, then be asked again."""
        source = _source(database, payload["source_id"])
        until = time.monotonic() + MEDIA_SHARE_SECONDS
        if source is None or not source.fetches_media:
            return
        while not source.is_paused and not self.stopping.is_set():
            with database.reading() as session:
                one = media_service.find_due(session, SYSTEM, source_id=source.id, now=clock.now())
            if one is None:
                return
            if time.monotonic() > until:
                with database.transaction() as session:
                    media_service.enqueue_fetch(session, source.id, now=clock.now())
                return
            self._fetch_one(database, source, one)

    def _fetch_one(self, database: Database, source: Source, one: Any) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder = Path(tempfile.mkdtemp(prefix="fetch-", dir=self.folder))
        ref = media_service.ref_of(one)
        try:
            media = self.connectors.fetch_media(source, ref, folder)
            with (folder / "media").open("rb") as file:
                stored = store_sealed(self.storage, file)
            with database.transaction() as session:
                kept = interactions.attach_recording(
                    session,
                    SYSTEM,
                    interaction_id=one.interaction_id,
                    stored=stored,
                    sealed_key=self.keys.seal(stored.content_key, purpose=RECORDING_KEY),
                    name=media.name or ref.name or ref.ref,
                    speakers=list(ref.speakers),
                    now=clock.now(),
                )
                media_service.mark_kept(session, SYSTEM, one, recording=kept)
        except (PluginError, PluginFailed, OSError, DomainError) as error:
            with database.transaction() as session:
                _note_media_failure(session, one, error, clock.now())
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def kinds(runner: Runner) -> dict[str, Kind]:
    """Return the kinds of work of this package by name."""
    return {
        TICK_JOB: Kind(runner.tick),
        service.PULL_JOB: Kind(runner.pull),
        service.TRY_JOB: Kind(runner.try_out),
        inbox_service.READ_JOB: Kind(runner.read_inbox),
        inbox_service.REPULL_JOB: Kind(runner.repull),
        quarantine_service.RETRY_JOB: Kind(runner.retry),
        media_service.MEDIA_JOB: Kind(runner.fetch_media),
    }


def forget_old(database: Database, *, now: datetime) -> None:
    """Remove what nobody looks at any more: old runs, webhooks that were read, marks of repeated pulls."""
    with database.transaction() as session:
        session.execute(delete(SyncRun).where(SyncRun.ended_at < now - KEEP_RUNS))
        inbox_service.forget_old(session, before=now - KEEP_READ)
        drop_former(session, now=now)


def _note_media_failure(session: Session, one: Any, error: Exception, now: datetime) -> None:
    if isinstance(error, Gone):
        media_service.mark_gone(session, SYSTEM, one, error=str(error))
        return
    pause = jobs.pause_after(one.tries + 4)
    if isinstance(error, NotReady):
        pause = error.retry_in
    elif isinstance(error, RateLimited) and error.at is not None:
        pause = max(error.at - now, timedelta())
    waits = isinstance(error, NotReady | RateLimited)
    media_service.put_off(session, SYSTEM, one, error=str(error), until=now + pause, counts=not waits)


def _source(database: Database, source_id: int) -> Source | None:
    with database.reading() as session:
        return session.get(Source, source_id)


class _Clock:
    """The product's time, for the sync loop."""

    def now(self) -> datetime:
        return clock.now()

    def monotonic(self) -> float:
        return time.monotonic()


class _Waiting:
    """How many recordings wait to be looked at or transcribed: pulling pauses when there are too many."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._looked_at, self._found = -60.0, (0, 0)

    def __call__(self) -> tuple[int, int]:
        if time.monotonic() - self._looked_at > 5.0:
            waiting = select(func.count(), func.coalesce(func.sum(Recording.size_bytes), 0))
            with self._database.reading() as session:
                count, size = session.execute(
                    waiting.outerjoin(Transcription).where(
                        or_(Recording.state == "waiting", Transcription.state == "waiting")
                    )
                ).one()
            self._looked_at, self._found = time.monotonic(), (int(count), int(size))
        return self._found
