"""What can be done with sources: set up, change, pause, resume, fill in the past, remove.

A source's secrets are no part of its settings; they are kept sealed elsewhere and only ever replaced.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from qa.accounts.permissions import Permission as P
from qa.accounts.policy import require
from qa.core import audit, jobs
from qa.core.actor import Actor, by
from qa.core.errors import Conflict, Invalid, NotFound
from qa.core.text import checked_name, sort_key
from qa.interactions.sources.models import KEY_MAX, NAME_MAX, Source, SyncLane
from qa.plugins.store import AGENTS, Lane

PULL_JOB = "sources.pull"
TRY_JOB = "sources.try_out"
EVERY = {"300": "5 minutes", "900": "15 minutes", "3600": "hour", "86400": "day"}
SLOWEST, FASTEST = 7 * 86_400, 60
LIVE_OVERLAP = timedelta(days=1)
AGENTS_EVERY = timedelta(days=1)
LONGEST_PAST = timedelta(days=3_660)


@dataclass(frozen=True, slots=True)
class Wanted:
    """How a source shall be: what a person chose, checked by the connector's own form already."""

    name: str
    plugin: str
    connector: str
    config: Mapping[str, Any]
    every_seconds: int = 300
    fetches_media: bool = True
    writes_back: bool = False


@dataclass(frozen=True, slots=True)
class Able:
    """What the connector can do, as far as setting up a source must know."""

    streams: Sequence[str] = ("main",)
    lists_agents: bool = False
    fills_in: bool = False
    has_webhook: bool = False


def draft_source(session: Session, actor: Actor, wanted: Wanted, able: Able, *, now: datetime) -> Source:
    """Set a source up without letting it run: it can be tested, and begins with ``start_source``."""
    require(actor, P.CONNECTOR_EDIT, by(actor.id))
    name = _checked(session, wanted, None)
    row = Source(
        key=_free_key(session, name),
        name=name,
        plugin=wanted.plugin,
        connector=wanted.connector,
        config=dict(wanted.config),
        every_seconds=wanted.every_seconds,
        fetches_media=wanted.fetches_media,
        writes_back=wanted.writes_back,
        hook_token=secrets.token_urlsafe(32) if able.has_webhook else None,
        is_paused=True,
        created_at=now,
    )
    session.add(row)
    session.flush()
    audit.record(session, actor, "connector:edit", "source", row.id, now=now, after=_facts(row))
    return row


def start_source(
    session: Session, actor: Actor, source_id: int, able: Able, *, past: timedelta | None, now: datetime
) -> Source:
    """Let a new source run. ``past`` is how far back to begin, None for everything there is.

    Where the connector can fill in, the past comes second and in its own lane.
    """
    require(actor, P.CONNECTOR_EDIT, by(actor.id))
    row = _source(session, source_id)
    if list_lanes(session, actor, source_id):
        raise Conflict("It has begun already.")
    row.is_paused, row.next_at = False, now
    _make_lanes(session, row, able, past, now)
    audit.record(session, actor, "connector:run", "source", source_id, now=now, after={"started": True})
    for lane in list_lanes(session, actor, source_id):
        enqueue_pull(session, lane, now=now)
    return row


def _make_lanes(session: Session, row: Source, able: Able, past: timedelta | None, now: datetime) -> None:
    if past is not None and not timedelta() <= past <= LONGEST_PAST:
        raise Invalid("Choose how far back to begin.", field="past")
    live_from = None if past is None or not able.fills_in else now - LIVE_OVERLAP
    for stream in able.streams:
        _add_lane(session, row.id, stream, Lane.LIVE, now, since=live_from)
        if live_from is not None and past is not None and past > LIVE_OVERLAP:
            _add_lane(session, row.id, stream, Lane.BACKFILL, now, since=now - past, until=live_from)
    if able.lists_agents:
        _add_lane(session, row.id, AGENTS, Lane.LIVE, now)
    session.flush()


def _add_lane(
    session: Session,
    source_id: int,
    stream: str,
    lane: Lane,
    now: datetime,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
) -> None:
    session.add(
        SyncLane(source_id=source_id, stream=stream, lane=str(lane), next_at=now, since=since, until=until)
    )


def _checked(session: Session, wanted: Wanted, source_id: int | None) -> str:
    name = checked_name(wanted.name, field="name", label="The name", limit=NAME_MAX)
    if not FASTEST <= wanted.every_seconds <= SLOWEST:
        raise Invalid("Choose how often to ask, from a minute to a week.", field="every_seconds")
    taken = select(Source.id).where(func.lower(Source.name) == name.lower(), Source.id != (source_id or 0))
    if session.scalar(taken.limit(1)) is not None:
        raise Invalid(f"There is a source called {name} already. Choose another name.", field="name")
    return name


def _free_key(session: Session, name: str) -> str:
    """Return a short key of the name that no source has."""
    words = re.sub(r"[^a-z0-9]+", "-", sort_key(name)).strip("-")[: KEY_MAX - 5] or "source"
    taken = set(session.scalars(select(Source.key).where(Source.key.startswith(words, autoescape=True))))
    keys = (words if number == 1 else f"{words}-{number}" for number in range(1, len(taken) + 2))
    return next(key for key in keys if key not in taken)


def _facts(row: Source) -> dict[str, Any]:
    return {
        "name": row.name,
        "connector": f"{row.plugin}/{row.connector}",
        "every_seconds": row.every_seconds,
        "fetches_media": row.fetches_media,
        "writes_back": row.writes_back,
        "settings": sorted(row.config),
    }


def _source(session: Session, source_id: int) -> Source:
    row = session.get(Source, source_id, with_for_update=True)
    if row is None:
        raise NotFound("There is no such source.")
    return row


def change_source(session: Session, actor: Actor, source_id: int, wanted: Wanted, *, now: datetime) -> Source:
    """Change name, settings and pace. What waited for a person is tried again at once."""
    require(actor, P.CONNECTOR_EDIT, by(actor.id))
    row = _source(session, source_id)
    before = _facts(row)
    row.name = _checked(session, wanted, source_id)
    row.config = dict(wanted.config)
    row.every_seconds = wanted.every_seconds
    row.fetches_media, row.writes_back = wanted.fetches_media, wanted.writes_back
    audit.record(
        session, actor, "connector:edit", "source", source_id, now=now, before=before, after=_facts(row)
    )
    _go_on(session, row, now)
    return row


def pause_source(session: Session, actor: Actor, source_id: int, *, now: datetime) -> None:
    """Stop pulling after the page in hand; webhooks are kept meanwhile."""
    require(actor, P.CONNECTOR_RUN, by(actor.id))
    row = _source(session, source_id)
    if row.is_paused:
        raise Conflict("It is paused already.")
    row.is_paused = True
    audit.record(session, actor, "connector:run", "source", source_id, now=now, after={"paused": True})


def resume_source(session: Session, actor: Actor, source_id: int, *, now: datetime) -> None:
    """Go on from where it stood, whoever or whatever paused it."""
    require(actor, P.CONNECTOR_RUN, by(actor.id))
    row = _source(session, source_id)
    row.is_paused = False
    audit.record(session, actor, "connector:run", "source", source_id, now=now, after={"paused": False})
    _go_on(session, row, now)


def pull_now(session: Session, actor: Actor, source_id: int, *, now: datetime) -> None:
    """Pull at once instead of at the next due time."""
    require(actor, P.CONNECTOR_RUN, by(actor.id))
    row = _source(session, source_id)
    if row.is_paused:
        raise Conflict("It is paused. Resume it first.")
    _go_on(session, row, now)


def _go_on(session: Session, row: Source, now: datetime) -> None:
    row.next_at = now
    lanes = select(SyncLane).where(SyncLane.source_id == row.id, ~SyncLane.is_finished, ~SyncLane.is_paused)
    for lane in session.scalars(lanes):
        lane.next_at = now
        enqueue_pull(session, lane, now=now)


def read_again(session: Session, actor: Actor, source_id: int, *, now: datetime) -> None:
    """Forget how far it is and read everything again: what is here unchanged stays untouched."""
    require(actor, P.CONNECTOR_EDIT, by(actor.id))
    row = _source(session, source_id)
    session.execute(
        update(SyncLane)
        .where(SyncLane.source_id == source_id)
        .values(cursor=None, window_since=None, window_until=None, is_finished=False)
    )
    audit.record(session, actor, "connector:run", "source", source_id, now=now, after={"read_again": True})
    _go_on(session, row, now)


def start_backfill(
    session: Session, actor: Actor, source_id: int, *, since: datetime, able: Able, now: datetime
) -> None:
    """Fill in the past from ``since`` on, newest first; live records always go first."""
    require(actor, P.CONNECTOR_RUN, by(actor.id))
    _source(session, source_id)
    if not able.fills_in:
        raise Invalid("This connector reads everything from the start; there is no past to fill in.")
    if not now - LONGEST_PAST <= since < now - LIVE_OVERLAP:
        raise Invalid("Choose a day before yesterday, at most ten years ago.", field="since")
    for stream in able.streams:
        lane = session.get(SyncLane, (source_id, stream, str(Lane.BACKFILL)), with_for_update=True)
        if lane is None:
            _add_lane(session, source_id, stream, Lane.BACKFILL, now, since=since, until=now - LIVE_OVERLAP)
            continue
        lane.since, lane.is_finished, lane.is_paused, lane.next_at = since, False, False, now
    session.flush()
    after = {"backfill_since": since.date().isoformat()}
    audit.record(session, actor, "connector:run", "source", source_id, now=now, after=after)
    for lane in list_lanes(session, actor, source_id):
        if lane.lane == Lane.BACKFILL:
            enqueue_pull(session, lane, now=now)


def set_backfill_paused(
    session: Session, actor: Actor, source_id: int, *, is_paused: bool, now: datetime
) -> None:
    """Pause or resume filling in the past; the live lane goes on."""
    require(actor, P.CONNECTOR_RUN, by(actor.id))
    _source(session, source_id)
    lanes = select(SyncLane).where(
        SyncLane.source_id == source_id, SyncLane.lane == str(Lane.BACKFILL), ~SyncLane.is_finished
    )
    for lane in session.scalars(lanes):
        lane.is_paused, lane.next_at = is_paused, now
        if not is_paused:
            enqueue_pull(session, lane, now=now)
    after = {"backfill_paused": is_paused}
    audit.record(session, actor, "connector:run", "source", source_id, now=now, after=after)


def remove_source(session: Session, actor: Actor, source_id: int, *, now: datetime) -> str:
    """Remove a source with its place, history and rejected records; conversations stay. Returns its key."""
    require(actor, P.CONNECTOR_EDIT, by(actor.id))
    row = _source(session, source_id)
    key = row.key
    session.execute(delete(Source).where(Source.id == source_id))
    audit.record(session, actor, "connector:edit", "source", source_id, now=now, before={"name": row.name})
    return key


def ask_trial(session: Session, actor: Actor, source_id: int, what: str, *, now: datetime) -> None:
    """Ask the worker for a ``check`` or a ``dry_run``; what it finds is kept for the source's page."""
    require(actor, P.CONNECTOR_RUN, by(actor.id))
    row = _source(session, source_id)
    row.checked = {name: told for name, told in (row.checked or {}).items() if name != what}
    payload = {"source_id": source_id, "what": what}
    key = f"try:{source_id}:{what}"
    jobs.enqueue(
        session, TRY_JOB, payload, now=now, queue="fast", dedupe_key=key, alone_key=key, max_attempts=1
    )


def keep_trial(
    session: Session, actor: Actor, source_id: int, what: str, told: Mapping[str, Any], *, now: datetime
) -> None:
    """Keep what the last test or dry run found."""
    require(actor, P.CONNECTOR_RUN, by(actor.id))
    row = _source(session, source_id)
    row.checked = {**(row.checked or {}), what: {**told, "at": now.isoformat()}}


def list_lanes(session: Session, actor: Actor, source_id: int) -> list[SyncLane]:
    """Return the lanes of a source."""
    require(actor, P.CONNECTOR_LIST, by(actor.id))
    lanes = select(SyncLane).where(SyncLane.source_id == source_id)
    return list(session.scalars(lanes.order_by(SyncLane.lane.desc(), SyncLane.stream)))


def enqueue_pull(session: Session, lane: SyncLane, *, now: datetime) -> None:
    """Ask the worker to run a lane; asked twice, it runs once."""
    payload = {"source_id": lane.source_id, "stream": lane.stream, "lane": lane.lane}
    key = f"pull:{lane.source_id}:{lane.lane}:{lane.stream}"[:60]
    jobs.enqueue(
        session, PULL_JOB, payload, now=now, queue="import", dedupe_key=key, alone_key=key, max_attempts=5
    )


def enqueue_due(session: Session, *, now: datetime) -> int:
    """Ask the worker to run every lane that is due, live ones first; return how many."""
    due = (
        select(SyncLane)
        .join(Source, Source.id == SyncLane.source_id)
        .where(
            SyncLane.next_at <= now,
            ~SyncLane.is_paused,
            ~SyncLane.is_finished,
            ~Source.is_paused,
        )
        .order_by(SyncLane.lane.desc(), SyncLane.next_at)
    )
    count = 0
    for lane in session.scalars(due):
        enqueue_pull(session, lane, now=now)
        count += 1
    return count
