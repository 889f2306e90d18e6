"""Work on recordings: look at the sound once, in a child process that may die."""

from __future__ import annotations

import io
from typing import Any

from qa.core.actor import SYSTEM
from qa.core.crypto import Keys, Tampered, sub_key
from qa.core.db import Database
from qa.core.errors import Unavailable
from qa.core.storage import SealedFile, Storage, store_sealed
from qa.interactions import media, service
from qa.interactions.import_lines import RECORDING_KEY
from qa.interactions.models import PLAYABLE, Recording


def describe_recording(database: Database, storage: Storage, keys: Keys, recording_id: int) -> None:
    """Find out what a recording is, make it playable where a browser cannot, and keep both."""
    with database.reading() as session:
        row = session.get(Recording, recording_id)
    if row is None:
        return
    described: dict[str, Any] | None = None
    broken: str | None = None
    try:
        described = _described(storage, keys, row)
    except media.BrokenMedia as error:
        broken = str(error)
    except (Tampered, Unavailable):
        broken = "The stored recording is damaged or missing. Import it again."
    with database.transaction() as session:
        service.store_media_result(
            session, SYSTEM, recording_id=recording_id, described=described, broken=broken
        )


def _described(storage: Storage, keys: Keys, row: Recording) -> dict[str, Any]:
    content_key = keys.open(row.sealed_key, purpose=RECORDING_KEY)
    source = SealedFile(storage, row.storage_key, content_key, row.size_bytes)
    found = media.describe(source, row.size_bytes)  # type: ignore[arg-type]  # PyAV needs read and seek only
    facts: dict[str, Any] = {
        "format": f"{found.format} {found.codec}"[:40],
        "channel_count": found.channel_count,
        "duration_ms": found.duration_ms,
        "peaks": found.peaks_json(),
    }
    if found.media_type is not None:
        return facts | {"media_type": found.media_type}
    target = io.BytesIO()
    source.seek(0)
    media.transcode(source, target)  # type: ignore[arg-type]
    target.seek(0)
    made = store_sealed(storage, target, content_key=sub_key(content_key, PLAYABLE))
    return facts | {"playable_key": made.key, "playable_type": "audio/ogg", "playable_bytes": made.size_bytes}
