"""Recordings that lie with the vendor: which are due to be fetched, and what came of it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from qa.accounts.permissions import Permission as P
from qa.accounts.policy import require
from qa.core import jobs
from qa.core.actor import Actor
from qa.interactions.models import Recording
from qa.interactions.sources.models import REASON_MAX, MediaReference, Source
from qa.plugins import wire
from qa.plugins.api import MediaRef
from qa.plugins.page_rules import as_json

MEDIA_JOB = "sources.fetch_media"
MOST_TRIES = 6


def enqueue_due(session: Session, *, now: datetime) -> None:
    """Ask the worker to fetch for every source that has something due."""
    due = (
        select(MediaReference.source_id)
        .join(Source, Source.id == MediaReference.source_id)
        .where(
            MediaReference.state == "waiting",
            MediaReference.next_at <= now,
            Source.fetches_media,
            ~Source.is_paused,
        )
        .distinct()
    )
    for source_id in session.scalars(due):
        enqueue_fetch(session, source_id, now=now)


def enqueue_fetch(session: Session, source_id: int, *, now: datetime) -> None:
    """Ask the worker to fetch a source's recordings; asked twice, it is done once."""
    key = f"media:{source_id}"
    jobs.enqueue(
        session,
        MEDIA_JOB,
        {"source_id": source_id},
        now=now,
        queue="import",
        dedupe_key=key,
        alone_key=key,
        max_attempts=5,
    )


def find_due(session: Session, actor: Actor, *, source_id: int, now: datetime) -> MediaReference | None:
    """Return the recording that is due longest, newest conversations first among equals."""
    require(actor, P.RECORDING_UPLOAD)
    due = (
        select(MediaReference)
        .where(
            MediaReference.source_id == source_id,
            MediaReference.state == "waiting",
            MediaReference.next_at <= now,
        )
        .order_by(MediaReference.next_at, MediaReference.id.desc())
        .limit(1)
    )
    return session.scalar(due)


def ref_of(one: MediaReference) -> MediaRef:
    """Return the reference as the connector gave it."""
    ref: MediaRef = wire.decode(as_json(one.reference).encode(), MediaRef)
    return ref


def mark_kept(session: Session, actor: Actor, one: MediaReference, *, recording: Recording | None) -> None:
    """Note that a recording is here; ``recording`` is None when the very same file was here already."""
    require(actor, P.RECORDING_UPLOAD)
    row = session.get(MediaReference, one.id)
    if row is not None:
        row.state, row.error, row.next_at = "kept", "", None
        row.recording_id = None if recording is None else recording.id


def mark_gone(session: Session, actor: Actor, one: MediaReference, *, error: str) -> None:
    """Note that the vendor no longer has it."""
    require(actor, P.RECORDING_UPLOAD)
    row = session.get(MediaReference, one.id)
    if row is not None:
        row.state, row.error, row.next_at = "gone", error[:REASON_MAX], None


def put_off(
    session: Session, actor: Actor, one: MediaReference, *, error: str, until: datetime, counts: bool
) -> None:
    """Try again later; after some failing tries it is given up. Waiting for the vendor counts as no try."""
    require(actor, P.RECORDING_UPLOAD)
    row = session.get(MediaReference, one.id)
    if row is None:
        return
    row.tries += counts
    row.error, row.next_at = error[:REASON_MAX], until
    if row.tries >= MOST_TRIES:
        row.state, row.next_at = "failed", None
