"""What can be read about sources: how each stands, what came in, what waits in quarantine."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select, tuple_
from sqlalchemy.orm import Session, joinedload, selectinload

from qa.accounts.permissions import Permission as P
from qa.accounts.policy import require
from qa.core.actor import Actor, by
from qa.core.crypto import Keys
from qa.core.errors import NotFound
from qa.core.keyset import key_of, read_key
from qa.interactions.sources.models import (
    Delivery,
    MediaReference,
    Quarantined,
    Source,
    SyncLane,
    SyncRun,
)
from qa.interactions.sources.store import QUARANTINE

GONE = "There is no such source."
RUNS = 20
PAGE = 25
RECENT = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Standing:
    """One source as a list shows it."""

    source: Source
    came_lately: int
    waiting: int
    last_run: SyncRun | None
    backfill: SyncLane | None
    is_running: bool

    @property
    def needs_somebody(self) -> bool:
        """Tell whether a person must act."""
        return not self.source.is_paused and self.source.state in {"needs_reauth", "paused"}

    @property
    def filled(self) -> float | None:
        """Return how much of the past is filled in, 0 to 1; None when nothing is being filled in."""
        lane = self.backfill
        if lane is None or lane.is_finished or lane.since is None or lane.until is None:
            return None
        reached = lane.window_until or lane.until
        whole = (lane.until - lane.since).total_seconds()
        return min(1.0, max(0.0, (lane.until - reached).total_seconds() / whole)) if whole > 0 else 1.0


def list_sources(session: Session, actor: Actor, *, now: datetime) -> list[Standing]:
    """Return all sources with how they stand, those that need somebody first; few statements."""
    require(actor, P.CONNECTOR_LIST, by(actor.id))
    rows = session.scalars(
        select(Source).options(selectinload(Source.progress)).order_by(func.lower(Source.name))
    )
    return sorted(_standings(session, list(rows), now), key=lambda one: not one.needs_somebody)


def get_source(session: Session, actor: Actor, source_id: int) -> Source:
    """Return one source with its lanes, or raise ``NotFound``."""
    require(actor, P.CONNECTOR_LIST, by(actor.id))
    wanted = select(Source).where(Source.id == source_id).options(selectinload(Source.progress))
    row = session.scalar(wanted)
    if row is None:
        raise NotFound(GONE)
    return row


def find_source(session: Session, actor: Actor, name: str) -> Source | None:
    """Return the source of this key or name."""
    require(actor, P.CONNECTOR_LIST, by(actor.id))
    named = (Source.key == name) | (func.lower(Source.name) == name.lower())
    return session.scalar(select(Source).where(named).options(selectinload(Source.progress)).limit(1))


def get_standing(session: Session, actor: Actor, source_id: int, *, now: datetime) -> Standing:
    """Return how one source stands."""
    return _standings(session, [get_source(session, actor, source_id)], now)[0]


def _standings(session: Session, rows: Sequence[Source], now: datetime) -> list[Standing]:
    ids = [row.id for row in rows]
    brought = func.sum(SyncRun.new_count + SyncRun.changed_count)
    lately = select(SyncRun.source_id, brought).where(
        SyncRun.source_id.in_(ids), SyncRun.started_at >= now - RECENT
    )
    came = {row[0]: row[1] for row in session.execute(lately.group_by(SyncRun.source_id))}
    waiting = _waiting_counts(session, ids)
    newest = select(func.max(SyncRun.id)).where(SyncRun.source_id.in_(ids)).group_by(SyncRun.source_id)
    runs = {run.source_id: run for run in session.scalars(select(SyncRun).where(SyncRun.id.in_(newest)))}
    standings = []
    for row in rows:
        filling = [lane for lane in row.progress if lane.lane == "backfill" and not lane.is_finished]
        held = any(lane.lease_until is not None and lane.lease_until > now for lane in row.progress)
        standings.append(
            Standing(
                row,
                came.get(row.id) or 0,
                waiting.get(row.id, 0),
                runs.get(row.id),
                filling[0] if filling else None,
                held,
            )
        )
    return standings


def _waiting_counts(session: Session, ids: Sequence[int]) -> dict[int, int]:
    waiting = (
        select(Quarantined.source_id, func.count())
        .where(Quarantined.source_id.in_(ids), Quarantined.state == "waiting")
        .group_by(Quarantined.source_id)
    )
    return {source_id: count for source_id, count in session.execute(waiting)}


def list_runs(session: Session, actor: Actor, source_id: int) -> list[SyncRun]:
    """Return the newest runs of a source."""
    require(actor, P.CONNECTOR_LIST, by(actor.id))
    runs = select(SyncRun).where(SyncRun.source_id == source_id).order_by(SyncRun.id.desc()).limit(RUNS)
    return list(session.scalars(runs))


@dataclass(frozen=True, slots=True)
class Beside:
    """What else a source has: recordings still with the vendor, webhooks taken in the last day."""

    media_waiting: int
    media_failed: int
    deliveries: int
    delivered_at: datetime | None


def look_beside(session: Session, actor: Actor, source_id: int, *, now: datetime) -> Beside:
    """Return the recordings and webhooks of a source in numbers."""
    require(actor, P.CONNECTOR_LIST, by(actor.id))
    media = select(
        func.count().filter(MediaReference.state == "waiting"),
        func.count().filter(MediaReference.state == "failed"),
    ).where(MediaReference.source_id == source_id)
    hooks = select(
        func.count().filter(Delivery.received_at >= now - RECENT), func.max(Delivery.received_at)
    ).where(Delivery.source_id == source_id)
    return Beside(*session.execute(media).one(), *session.execute(hooks).one())


# --- quarantine --------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class QuarantinePage:
    """One page of rejected records, newest first, and the key of the next one."""

    rows: list[Quarantined]
    next_key: str | None
    total: int


def count_quarantine(session: Session, actor: Actor, *, source_id: int | None = None) -> int:
    """Return how many rejected records wait."""
    require(actor, P.CONNECTOR_LIST, by(actor.id))
    waiting = select(func.count()).select_from(Quarantined).where(Quarantined.state == "waiting")
    if source_id is not None:
        waiting = waiting.where(Quarantined.source_id == source_id)
    return session.scalar(waiting) or 0


def list_quarantine(
    session: Session, actor: Actor, *, source_id: int | None = None, after: str | None = None
) -> QuarantinePage:
    """Return rejected records, newest first."""
    require(actor, P.CONNECTOR_LIST, by(actor.id))
    rows = (
        select(Quarantined)
        .where(Quarantined.state == "waiting")
        .options(joinedload(Quarantined.source))
        .order_by(Quarantined.last_at.desc(), Quarantined.id.desc())
        .limit(PAGE + 1)
    )
    if source_id is not None:
        rows = rows.where(Quarantined.source_id == source_id)
    if after:
        rows = rows.where(tuple_(Quarantined.last_at, Quarantined.id) < read_key(after))
    found = list(session.scalars(rows))
    more, found = len(found) > PAGE, found[:PAGE]
    key = key_of(found[-1].last_at, found[-1].id) if more else None
    return QuarantinePage(found, key, count_quarantine(session, actor, source_id=source_id))


def get_quarantined(session: Session, actor: Actor, quarantined_id: int) -> Quarantined:
    """Return one rejected record with its source, or raise ``NotFound``."""
    require(actor, P.CONNECTOR_LIST, by(actor.id))
    wanted = select(Quarantined).where(Quarantined.id == quarantined_id, Quarantined.state == "waiting")
    row = session.scalar(wanted.options(joinedload(Quarantined.source)))
    if row is None:
        raise NotFound("That record does not wait any more.")
    return row


def raw_of(row: Quarantined, keys: Keys) -> str:
    """Return a rejected record's text as it came. Show it to nobody unredacted."""
    return zlib.decompress(keys.open(row.sealed, purpose=QUARANTINE)).decode()
