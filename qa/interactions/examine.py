"""What a child process does with one recording: look at it, and make it playable where it is not.

It is told where the sealed file lies and the one key that opens it; it knows no database.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, TypedDict, cast

from qa.core.crypto import Tampered, sub_key
from qa.core.errors import Unavailable
from qa.core.storage import LocalStorage, SealedFile, Storage, store_sealed
from qa.interactions import media
from qa.interactions.peaks import Samples
from qa.interactions.redacting import tones_of
from qa.interactions.tones import cover

READ_BYTES = 65_536


class Brief(TypedDict):
    """All that the child is told."""

    folder: str
    storage_key: str
    content_key: bytes
    playable_purpose: str
    size: int
    name: str
    tones: list[list[Any]]


def examine(brief: Brief, report: media.Report) -> dict[str, Any]:
    """Return ``{"described": columns of the recording}`` or ``{"broken": sentence}``."""
    storage = LocalStorage(Path(brief["folder"]))
    sealed = SealedFile(storage, brief["storage_key"], brief["content_key"], brief["size"])
    source = cast("BinaryIO", io.BufferedReader(sealed, READ_BYTES))
    try:
        return {"described": _described(storage, source, brief, report)}
    except media.BrokenMedia as error:
        return {"broken": str(error)}
    except Tampered:
        return {"broken": "The stored recording was damaged. Import it again."}
    except Unavailable:
        return {"broken": "The stored recording is missing. Import it again."}


def _described(storage: Storage, source: BinaryIO, brief: Brief, report: media.Report) -> dict[str, Any]:
    facts, lanes = media.describe(source, brief["size"], name=brief["name"], report=report)
    described: dict[str, Any] = {
        "format": f"{facts.format} {facts.codec}"[:40],
        "channel_count": facts.channels,
        "duration_ms": facts.duration_ms,
        "peaks": lanes,
        "problem": facts.warning,
        "covered": brief["tones"] or None,
    }
    if brief["tones"]:
        tones = tones_of(brief["tones"])

        def change(block: Samples, first: int, rate: int) -> None:
            cover(block, first, rate, tones)

        pieces = media.transcode(source, brief["size"], name=brief["name"], change=change, report=report)
        return described | _stored(storage, pieces, brief)
    if facts.media_type is not None:
        return described | {"media_type": facts.media_type}
    pieces = media.transcode(source, brief["size"], name=brief["name"], report=report)
    return described | _stored(storage, pieces, brief)


def _stored(storage: Storage, pieces: Iterator[bytes], brief: Brief) -> dict[str, Any]:
    key = sub_key(brief["content_key"], brief["playable_purpose"])
    made = store_sealed(storage, pieces, content_key=key)
    return {"playable_key": made.key, "playable_type": media.PLAYABLE_TYPE, "playable_bytes": made.size_bytes}
