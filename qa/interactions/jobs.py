"""Work on recordings (brief the child that looks at one, keep its answer, sweep) and on matched accounts."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from qa.core.actor import SYSTEM
from qa.core.crypto import Keys
from qa.core.db import Database
from qa.core.storage import Storage, TooMuchToSweep, sweep
from qa.interactions import alias_service, service
from qa.interactions.models import PLAYABLE, RECORDING_KEY, Recording, SealedOriginal

log = logging.getLogger(__name__)

RUBBISH_AFTER = timedelta(hours=24)
UNREADABLE = (
    "The recording could not be examined. Import it again; if that fails too, the file itself is at fault."
)


def brief_examiner(
    folder: Path, keys: Keys, database: Database, payload: dict[str, Any]
) -> dict[str, Any] | None:
    """Return what a child needs to know about one recording, None when it is gone."""
    with database.reading() as session:
        row = session.get(Recording, payload["recording_id"])
        tones = None if row is None else tones_for(session, row)
    if row is None:
        return None
    return {
        "folder": str(folder),
        "storage_key": row.storage_key,
        "content_key": keys.open(row.sealed_key, purpose=RECORDING_KEY),
        "playable_purpose": PLAYABLE,
        "size": row.size_bytes,
        "name": row.original_name,
        "tones": tones,
    }


def tones_for(session: Session, recording: Recording) -> list[list[Any]]:
    """Return where this recording's sound must be covered."""
    wanted = select(SealedOriginal.tones).where(SealedOriginal.interaction_id == recording.interaction_id)
    found: list[list[Any]] | None = session.scalar(wanted)
    return found or []


def keep_answer(session: Session, payload: dict[str, Any], answer: dict[str, Any], now: datetime) -> None:
    """Keep what the child found out."""
    service.store_media_result(
        session,
        SYSTEM,
        recording_id=payload["recording_id"],
        described=answer.get("described"),
        broken=answer.get("broken"),
        now=now,
    )


def give_up(session: Session, payload: dict[str, Any], _reason: str, now: datetime) -> None:
    """Show a recording as broken that no child survived."""
    service.store_media_result(
        session, SYSTEM, recording_id=payload["recording_id"], described=None, broken=UNREADABLE, now=now
    )


def sweep_recordings(database: Database, storage: Storage, *, now: datetime) -> int:
    """Remove files that no row has named for a day; return how many."""

    def named(keys: list[str]) -> set[str]:
        columns = (Recording.storage_key, Recording.playable_key)
        with database.reading() as session:
            return {
                str(key)
                for column in columns
                for key in session.scalars(select(column).where(column.in_(keys)))
            }

    try:
        return sweep(storage, named, before=now - RUBBISH_AFTER)
    except TooMuchToSweep as error:
        log.error("recordings not swept", extra={"error": str(error)})
        return 0


def move_history(database: Database, payload: dict[str, Any]) -> None:
    """Put the right people into every conversation of an account that was matched, a batch at a time."""
    done: int | None = 0
    while done is not None:
        with database.transaction() as session:
            done = alias_service.reattribute(session, SYSTEM, alias_id=payload["alias_id"], after_id=done)
