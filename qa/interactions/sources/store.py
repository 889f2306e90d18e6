"""The database behind the sync loop: what ``qa.plugins.store`` asks for, each writing method one transaction.

The rule of a page: the lease's token is checked and renewed first, in the transaction that keeps the
page's records, what was rejected, the event and the cursor. Killed at any moment, all of it is there or
nothing, and whoever lost the lease can write nothing more.
"""

from __future__ import annotations

import secrets
import threading
import zlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from qa.accounts.models import UserRole
from qa.accounts.notices_service import notify
from qa.core import clock
from qa.core.actor import SYSTEM
from qa.core.crypto import Keys
from qa.core.db import Database, insert_unless_there
from qa.core.errors import NotFound
from qa.core.jobs import database_time
from qa.extensions.queries import has_redactors
from qa.interactions import storing_service
from qa.interactions.alias_service import resolve_accounts
from qa.interactions.lines import AgentPart, BrokenLine, Parsed
from qa.interactions.redacting import SafeLine, safe_line
from qa.interactions.sources.mapping import agent_part, media_of, parsed_record
from qa.interactions.sources.media_service import enqueue_fetch
from qa.interactions.sources.models import (
    REASON_MAX,
    MediaReference,
    Quarantined,
    Source,
    SyncLane,
    SyncRun,
)
from qa.plugins.api import AgentRef, MediaRef, Page, Window
from qa.plugins.masking import Mask
from qa.plugins.page_rules import PAGE_BYTES, as_json, digest_of, plain, sorted_out
from qa.plugins.store import (
    Counts,
    Lane,
    Lease,
    LeaseLost,
    Outcome,
    PageWrite,
    Progress,
    Rejected,
    State,
    Stop,
)

QUARANTINE = "quarantine"
INTERRUPTED = "interrupted"


class DatabaseStore:
    """Keeps the pages of the site's sources; safe for any number of workers."""

    def __init__(
        self,
        database: Database,
        keys: Keys,
        *,
        plugin_version: str = "",
        patterns: tuple[str, ...] = (),
        stopping: threading.Event | None = None,
    ) -> None:
        """``stopping`` is set when this worker ends: its runs then stop after the page in hand."""
        self._database, self._keys = database, keys
        self._plugin_version = plugin_version
        self._patterns = patterns
        self._stopping = stopping or threading.Event()

    # --- the lease -----------------------------------------------------------

    def acquire(self, source: str, stream: str, lane: Lane, *, ttl: timedelta) -> Lease | None:
        """Take the lane and begin a run in the history; None while another run holds it."""
        with self._database.transaction() as session:
            now = database_time(session)
            row = _lane(session, source, stream, lane)
            if row.token is not None and row.lease_until is not None and row.lease_until > now:
                return None
            _close_killed_run(session, row, now=now)
            run = SyncRun(source_id=row.source_id, stream=stream, lane=lane, started_at=clock.now())
            session.add(run)
            session.flush()
            row.token, row.lease_until, row.run_id = secrets.token_hex(16), now + ttl, run.id
            return Lease(source, stream, lane, row.token)

    def renew(self, lease: Lease, *, ttl: timedelta) -> None:
        """Hold the lane longer; raise ``LeaseLost``."""
        with self._database.transaction() as session:
            _renewed(session, lease, ttl)

    def is_cancelled(self, lease: Lease) -> bool:
        """Tell whether a person paused the source or the lane, or this worker ends."""
        if self._stopping.is_set():
            return True
        asked = (
            select(Source.is_paused, SyncLane.is_paused).join(SyncLane).where(SyncLane.token == lease.token)
        )
        with self._database.reading() as session:
            row = session.execute(asked).one_or_none()
        return row is not None and any(row)

    def read_progress(self, lease: Lease) -> Progress:
        """Return where the lane stands."""
        with self._database.reading() as session:
            row = session.scalar(select(SyncLane).where(SyncLane.token == lease.token))
        if row is None:
            return Progress()
        window = None
        if row.window_since is not None and row.window_until is not None:
            window = Window(row.window_since, row.window_until)
        return Progress(
            cursor=row.cursor,
            cursor_version=row.cursor_version,
            window=window,
            is_finished=row.is_finished,
            failures=row.failures,
            is_held=row.is_held,
        )

    # --- a page --------------------------------------------------------------

    def write_page(self, lease: Lease, page: PageWrite, *, ttl: timedelta) -> Counts:
        """Keep a page whole and return what came of its records."""
        parsed, media, unkept = _mapped(page)
        lines = self._safe(parsed)
        rejected = [*page.rejected, *unkept]
        with self._database.transaction() as session:
            source_id = _renewed(session, lease, ttl)
            counts = storing_service.Counts()
            kept = storing_service.store_lines(
                session, SYSTEM, source=lease.source, lines=lines, counts=counts, now=clock.now()
            )
            _note_media(session, source_id, kept, media, now=clock.now())
            _note_accounts(session, lease.source, page.agents, now=clock.now())
            self._quarantine(session, source_id, lease.stream, rejected)
            _release(session, source_id, [one.line.external_id for one in parsed])
            if page.moves or kept or counts.deleted or rejected:
                _move(session, lease, page, len(parsed))
        return Counts(counts.new, counts.changed, counts.unchanged, counts.deleted, len(rejected))

    def write_single(self, source: str, stream: str, page: Page, *, secrets: Sequence[str]) -> Counts:
        """Keep a page that was pulled for one object: no lane, no cursor, the same rules."""
        found = sorted_out(page, Mask(secrets), PAGE_BYTES)
        write = PageWrite(list(found.good.values()), found.bad, [], None, 1, None, False, moves=False)
        parsed, media, unkept = _mapped(write)
        lines = self._safe(parsed)
        rejected = [*write.rejected, *unkept]
        with self._database.transaction() as session:
            source_id = session.scalar(select(Source.id).where(Source.key == source))
            if source_id is None:
                raise NotFound(f"There is no source {source}.")
            counts = storing_service.Counts()
            kept = storing_service.store_lines(
                session, SYSTEM, source=source, lines=lines, counts=counts, now=clock.now()
            )
            _note_media(session, source_id, kept, media, now=clock.now())
            self._quarantine(session, source_id, stream, rejected)
            _release(session, source_id, [one.line.external_id for one in parsed])
        return Counts(counts.new, counts.changed, counts.unchanged, counts.deleted, len(rejected))

    def _safe(self, parsed: Sequence[Parsed]) -> list[SafeLine]:
        """Take out what may not be read, before the transaction begins: it takes a moment."""
        with self._database.reading() as session:
            waits = has_redactors(session, SYSTEM)
        return [safe_line(one, self._keys, patterns=self._patterns, waits=waits) for one in parsed]

    def _quarantine(
        self, session: Session, source_id: int, stream: str, rejected: Sequence[Rejected]
    ) -> None:
        """Keep each rejected record once, sealed; one that comes again counts a try more."""
        now = clock.now()
        for one in rejected:
            known = update(Quarantined).where(Quarantined.source_id == source_id, Quarantined.key == one.key)
            again = session.execute(
                known.values(
                    error=one.error[:REASON_MAX],
                    tries=Quarantined.tries + 1,
                    last_at=now,
                    plugin_version=self._plugin_version,
                )
            )
            if _rowcount(again):
                continue
            session.add(
                Quarantined(
                    source_id=source_id,
                    key=one.key,
                    stream=stream,
                    external_id=one.external_id or None,
                    sealed=self._keys.seal(zlib.compress(one.raw.encode()), purpose=QUARANTINE),
                    error=one.error[:REASON_MAX],
                    plugin_version=self._plugin_version,
                    first_at=now,
                    last_at=now,
                )
            )
        session.flush()

    # --- the end of a run ----------------------------------------------------

    def finish(self, lease: Lease, outcome: Outcome) -> bool:
        """Close the run, free the lane and note the source's state; True when the state changed."""
        with self._database.transaction() as session:
            row = session.scalar(select(SyncLane).where(SyncLane.token == lease.token).with_for_update())
            if row is None:
                return False
            row.token, row.lease_until = None, None
            row.failures, row.next_at = outcome.failures, outcome.again_at
            row.is_held = outcome.stop is Stop.HELD
            _close_run(session, row, outcome)
            row.run_id = None
            session.flush()
            return _note_state(session, row, outcome)


def _lane(session: Session, source: str, stream: str, lane: Lane) -> SyncLane:
    source_id = session.scalar(select(Source.id).where(Source.key == source))
    if source_id is None:
        raise NotFound(f"There is no source {source}.")
    make = insert_unless_there(session, SyncLane, on=("source_id", "stream", "lane"))
    session.execute(make.values(source_id=source_id, stream=stream, lane=str(lane)))
    held = select(SyncLane).where(
        SyncLane.source_id == source_id, SyncLane.stream == stream, SyncLane.lane == str(lane)
    )
    return session.scalars(held.with_for_update()).one()


def _close_killed_run(session: Session, row: SyncLane, *, now: datetime) -> None:
    """End in the history what ended without a word: the last page kept stands, the rest is read again."""
    if row.run_id is not None:
        killed = update(SyncRun).where(SyncRun.id == row.run_id, SyncRun.ended_at.is_(None))
        words = "The worker ended in the middle; the run goes on from its last kept page."
        session.execute(killed.values(ended_at=now, ended=INTERRUPTED, words=words))


def _renewed(session: Session, lease: Lease, ttl: timedelta) -> int:
    """Prolong the lease and return the source's id; raise ``LeaseLost`` when the lane has another token."""
    until = database_time(session) + ttl
    held = update(SyncLane).where(SyncLane.token == lease.token).values(lease_until=until)
    source_id: int | None = session.scalar(held.returning(SyncLane.source_id))
    if source_id is None:
        raise LeaseLost(f"{lease.source}, {lease.stream}, {lease.lane}")
    return source_id


def _mapped(page: PageWrite) -> tuple[list[Parsed], dict[str, list[MediaRef]], list[Rejected]]:
    """Return a page's records as lines, their media, and those that cannot be kept here."""
    parsed: list[Parsed] = []
    media: dict[str, list[MediaRef]] = {}
    unkept: list[Rejected] = []
    for one in page.records:
        record = one.record
        try:
            parsed.append(parsed_record(record, one.content_hash))
        except BrokenLine as error:
            raw = as_json(plain(record))
            unkept.append(Rejected(digest_of(raw), raw, str(error), record.external_id))
            continue
        if found := media_of(record):
            media[record.external_id] = found
    return parsed, media, unkept


def _note_media(
    session: Session,
    source_id: int,
    kept: Mapping[str, int],
    media: Mapping[str, Sequence[MediaRef]],
    *,
    now: datetime,
) -> None:
    values = [
        {
            "source_id": source_id,
            "interaction_id": interaction_id,
            "key": ref.ref[:200] if len(ref.ref) <= 200 else digest_of(ref.ref),
            "reference": plain(ref),
            "next_at": now,
            "noted_at": now,
        }
        for external_id, interaction_id in kept.items()
        for ref in media.get(external_id, ())
        if ref.kind == "recording"
    ]
    if values:
        session.execute(insert_unless_there(session, MediaReference, on=("interaction_id", "key")), values)
        enqueue_fetch(session, source_id, now=now)


def _note_accounts(session: Session, source: str, agents: Sequence[AgentRef], *, now: datetime) -> None:
    named = [ref for ref in agents if ref.external_id or ref.email or ref.extension]
    parts = [AgentPart.model_validate(agent_part(ref)) for ref in named]
    if parts:
        resolve_accounts(session, SYSTEM, source=source, parts=parts, now=now)


def _release(session: Session, source_id: int, external_ids: Sequence[str]) -> None:
    """Forget the rejected versions of what has come in well now."""
    if session.scalar(select(Quarantined.id).where(Quarantined.source_id == source_id).limit(1)) is not None:
        accepted = Quarantined.external_id.in_(external_ids)
        session.execute(delete(Quarantined).where(Quarantined.source_id == source_id, accepted))


def _move(session: Session, lease: Lease, page: PageWrite, record_count: int) -> None:
    values: dict[str, Any] = {"record_count": SyncLane.record_count + record_count}
    if page.moves:
        values |= {
            "cursor": None if page.cursor is None else dict(page.cursor),
            "cursor_version": page.cursor_version,
            "window_since": None if page.window is None else page.window.start,
            "window_until": None if page.window is None else page.window.end,
            "is_finished": page.is_finished,
        }
    session.execute(update(SyncLane).where(SyncLane.token == lease.token).values(values))


def _close_run(session: Session, row: SyncLane, outcome: Outcome) -> None:
    counts = outcome.counts
    session.execute(
        update(SyncRun)
        .where(SyncRun.id == row.run_id)
        .values(
            ended_at=clock.now(),
            ended=str(outcome.stop),
            words=outcome.reason[:REASON_MAX],
            error=outcome.error[:REASON_MAX],
            page_count=outcome.pages,
            new_count=counts.new,
            changed_count=counts.changed,
            same_count=counts.unchanged,
            deleted_count=counts.deleted,
            refused_count=counts.rejected,
        )
    )


def _note_state(session: Session, row: SyncLane, outcome: Outcome) -> bool:
    source = session.get(Source, row.source_id, with_for_update=True)
    if source is None:
        return False
    now = clock.now()
    if outcome.stop in (Stop.DONE, Stop.MORE):
        source.good_at = now
    source.next_at = session.scalar(
        select(func.min(SyncLane.next_at)).where(SyncLane.source_id == source.id, ~SyncLane.is_paused)
    )
    if outcome.state is None or (outcome.state is State.OK and _another_fails(session, row)):
        return False
    changed = source.state != str(outcome.state)
    source.state = str(outcome.state)
    source.reason, source.cure = outcome.reason[:REASON_MAX], outcome.cure[:REASON_MAX]
    source.until = outcome.again_at if outcome.state is State.LIMITED else None
    if changed:
        source.state_since = now
        if outcome.state is State.NEEDS_REAUTH:
            _tell_administrators(session, source, now)
    return changed


def _tell_administrators(session: Session, source: Source, now: datetime) -> None:
    """Tell those who can enter new credentials, once for each time they are needed."""
    admins = select(UserRole.user_id).where(UserRole.role == "admin")
    for person_id in session.scalars(admins):
        notify(
            session,
            person_id=person_id,
            kind="source",
            words=f"The source {source.name} needs new credentials; what it misses is fetched then.",
            endpoint="sources.show",
            values={"source_id": source.id},
            key=f"source:{source.id}:{now.isoformat()}",
            now=now,
        )


def _another_fails(session: Session, row: SyncLane) -> bool:
    others = select(SyncLane.stream).where(
        SyncLane.source_id == row.source_id,
        SyncLane.failures > 0,
        (SyncLane.stream != row.stream) | (SyncLane.lane != row.lane),
    )
    return session.scalar(others.limit(1)) is not None


def _rowcount(result: Any) -> int:
    return int(result.rowcount)
