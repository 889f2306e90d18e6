"""Where recordings lie: one small interface, a local folder behind it, every byte sealed.

A file is whole or not there: written under a temporary name, synced, renamed, its folder synced;
only then may a row name it. Names are random; what people called the file is a label in the row.
"""

from __future__ import annotations

import hashlib
import io
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from qa.core.crypto import (
    CHUNK_BYTES,
    SEALED_CHUNK_BYTES,
    ChunkSealer,
    chunk_count,
    new_content_key,
    sealed_size,
)
from qa.core.errors import Unavailable


class Storage(Protocol):
    """Six verbs; keys are made by the caller and mean nothing."""

    def write(self, key: str, chunks: Iterator[bytes]) -> None:
        """Keep the chunks under ``key``, whole or not at all."""

    def read(self, key: str, start: int, length: int) -> bytes:
        """Return ``length`` bytes from ``start``."""

    def size(self, key: str) -> int:
        """Return the number of bytes."""

    def exists(self, key: str) -> bool:
        """Tell whether the key is kept."""

    def delete(self, key: str) -> None:
        """Remove the key; a missing one is fine."""

    def keys(self) -> Iterator[str]:
        """Return every key, in no order."""


class LocalStorage:
    """A folder, two levels deep so that no folder grows too large."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / key

    def write(self, key: str, chunks: Iterator[bytes]) -> None:
        """Keep the chunks under ``key``; the file is on the disk when this returns."""
        path = self._path(key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            temporary = path.with_suffix(".part")
            with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
                for chunk in chunks:
                    out.write(chunk)
                out.flush()
                os.fsync(out.fileno())
            temporary.rename(path)
            _sync_folder(path.parent)
        except OSError as error:
            raise Unavailable(f"The recording could not be kept: {error.strerror or error}.") from error

    def read(self, key: str, start: int, length: int) -> bytes:
        """Return the bytes asked for, fewer at the end of the file."""
        try:
            with self._path(key).open("rb") as file:
                file.seek(start)
                return file.read(length)
        except FileNotFoundError:
            raise Unavailable("The recording's file is missing from the storage.") from None

    def size(self, key: str) -> int:
        """Return the file's size in bytes."""
        return self._path(key).stat().st_size

    def exists(self, key: str) -> bool:
        """Tell whether the file is there."""
        return self._path(key).exists()

    def delete(self, key: str) -> None:
        """Remove the file."""
        self._path(key).unlink(missing_ok=True)

    def keys(self) -> Iterator[str]:
        """Return the name of every whole file."""
        return (path.name for path in self.folder.glob("??/*") if path.suffix != ".part")


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@dataclass(frozen=True, slots=True)
class Stored:
    """What was kept: its key in the storage, its own content key, size and hash of the plain bytes."""

    key: str
    content_key: bytes
    size_bytes: int
    sha256: str


def store_sealed(storage: Storage, source: BinaryIO, *, content_key: bytes | None = None) -> Stored:
    """Seal a stream into the storage in constant memory."""
    content_key = content_key or new_content_key()
    key = secrets.token_hex(16)
    counted = _Counted(source)
    storage.write(key, _sealed(counted, ChunkSealer(content_key)))
    return Stored(key=key, content_key=content_key, size_bytes=counted.size, sha256=counted.hash.hexdigest())


class _Counted:
    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self.size = 0
        self.hash = hashlib.sha256()

    def read_chunk(self) -> bytes:
        parts = []
        missing = CHUNK_BYTES
        while missing and (part := self._source.read(missing)):
            parts.append(part)
            missing -= len(part)
        chunk = b"".join(parts)
        self.size += len(chunk)
        self.hash.update(chunk)
        return chunk


def _sealed(source: _Counted, sealer: ChunkSealer) -> Iterator[bytes]:
    number, chunk = 0, source.read_chunk()
    while True:
        following = source.read_chunk() if len(chunk) == CHUNK_BYTES else b""
        last = not following
        yield sealer.seal(number, chunk, last=last)
        if last:
            return
        number, chunk = number + 1, following


def read_range(
    storage: Storage, key: str, content_key: bytes, *, size: int, start: int, end: int
) -> Iterator[bytes]:
    """Yield the plain bytes ``start`` up to, not including, ``end``, opening only their chunks.

    ``size`` is the plain size of the whole file. Raises ``Tampered`` when a byte was changed.
    """
    sealer = ChunkSealer(content_key)
    last_chunk = chunk_count(size) - 1
    number = start // CHUNK_BYTES
    while start < end:
        sealed = storage.read(key, number * SEALED_CHUNK_BYTES, SEALED_CHUNK_BYTES)
        plain = sealer.open(number, sealed, last=number == last_chunk)
        inside = start - number * CHUNK_BYTES
        piece = plain[inside : inside + end - start]
        yield piece
        start += len(piece)
        number += 1
        if not piece:
            return


class SealedFile(io.RawIOBase):
    """A sealed recording as a seekable file, for a decoder."""

    def __init__(self, storage: Storage, key: str, content_key: bytes, size: int) -> None:
        self._storage, self._key, self._content_key, self._size = storage, key, content_key, size
        self._place = 0
        self._held: tuple[int, bytes] = (-1, b"")

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def seekable(self) -> bool:
        """Say that it can be sought."""
        return True

    def tell(self) -> int:
        """Return the place."""
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move the place."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence]
        self._place = max(0, base + offset)
        return self._place

    def read(self, size: int = -1) -> bytes:
        """Return up to ``size`` bytes."""
        end = self._size if size < 0 else min(self._size, self._place + size)
        pieces = []
        while self._place < end:
            number, inside = divmod(self._place, CHUNK_BYTES)
            piece = self._chunk(number)[inside : inside + end - self._place]
            if not piece:
                break
            pieces.append(piece)
            self._place += len(piece)
        return b"".join(pieces)

    def _chunk(self, number: int) -> bytes:
        if self._held[0] != number:
            start = number * CHUNK_BYTES
            end = min(self._size, start + CHUNK_BYTES)
            pieces = read_range(
                self._storage, self._key, self._content_key, size=self._size, start=start, end=end
            )
            self._held = (number, b"".join(pieces))
        return self._held[1]


__all__ = [
    "LocalStorage",
    "SealedFile",
    "Storage",
    "Stored",
    "read_range",
    "sealed_size",
    "store_sealed",
]
