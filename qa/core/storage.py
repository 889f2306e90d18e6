"""Where recordings lie: one small interface, a local folder behind it, every byte sealed.

A file is whole or not there: written under a temporary name, synced, renamed, its folder synced;
only then may a row name it. Names are random; what people called the file is a label in the row.
"""

from __future__ import annotations

import errno
import hashlib
import io
import os
import re
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol, cast

from qa.core.crypto import (
    CHUNK_BYTES,
    SEALED_CHUNK_BYTES,
    ChunkSealer,
    Tampered,
    chunk_count,
    new_content_key,
    sealed_size,
    sub_key,
    sync_folder,
)
from qa.core.errors import Unavailable

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

KEY = re.compile(r"[0-9a-f]{32}(\.part)?")
SWEEP_BATCH = 500
SWEEP_SURELY = 100


class TooMuchToSweep(Exception):
    """So many files are named by no row that something else must be wrong."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One kept file; ``is_whole`` is False for what an interrupted write left behind."""

    key: str
    size_bytes: int
    written_at: datetime
    is_whole: bool


class Storage(Protocol):
    """Six verbs; keys are 32 hexadecimal digits and mean nothing."""

    def write(self, key: str, chunks: Iterable[bytes]) -> None:
        """Keep the chunks under ``key``, whole or not at all; safe on the disk when this returns."""

    def open(self, key: str, start: int, length: int) -> BinaryIO:
        """Return ``length`` bytes from ``start`` as a stream; the caller closes it."""

    def size(self, key: str) -> int:
        """Return the number of bytes."""

    def exists(self, key: str) -> bool:
        """Tell whether the key is kept."""

    def delete(self, key: str) -> None:
        """Remove the key; a missing one is fine."""

    def entries(self) -> Iterator[Entry]:
        """Return everything that lies here, in no order, what was left half written too."""


class LocalStorage:
    """A folder, two levels deep so that no folder grows too large."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def _path(self, key: str) -> Path:
        if not KEY.fullmatch(key):
            raise ValueError(f"{key!r} is no key of the storage")
        return self.folder / key[:2] / key

    def write(self, key: str, chunks: Iterable[bytes]) -> None:
        """Keep the chunks under ``key``; raise ``Unavailable`` when the disk does not take them."""
        path = self._path(key)
        temporary = path.with_suffix(".part")
        try:
            self._make_folder(path.parent)
            with _gone_on_failure(temporary):
                _write_synced(temporary, chunks)
                temporary.rename(path)
            sync_folder(path.parent)
        except OSError as error:
            raise Unavailable(_words(error)) from error

    def _make_folder(self, folder: Path) -> None:
        if not folder.is_dir():
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            sync_folder(self.folder)

    def open(self, key: str, start: int, length: int) -> BinaryIO:
        """Return a stream at ``start``; raise ``Unavailable`` when the file is missing."""
        try:
            file = self._path(key).open("rb", buffering=0)
        except OSError as error:
            raise Unavailable("The recording's file is missing from the storage.") from error
        file.seek(start)
        return file

    def size(self, key: str) -> int:
        """Return the file's size in bytes."""
        try:
            return self._path(key).stat().st_size
        except OSError as error:
            raise Unavailable("The recording's file is missing from the storage.") from error

    def exists(self, key: str) -> bool:
        """Tell whether the file is there."""
        return self._path(key).exists()

    def delete(self, key: str) -> None:
        """Remove the file."""
        self._path(key).unlink(missing_ok=True)

    def entries(self) -> Iterator[Entry]:
        """Return every file; one that vanishes meanwhile is left out."""
        for path in self.folder.glob("??/*"):
            if not KEY.fullmatch(path.name):
                continue
            try:
                found = path.stat()
            except FileNotFoundError:
                continue
            written_at = datetime.fromtimestamp(found.st_mtime, tz=UTC)
            yield Entry(path.name, found.st_size, written_at, is_whole=path.suffix != ".part")


@contextmanager
def _gone_on_failure(path: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:  # the disk is full, or the source broke off: nothing may stay
        path.unlink(missing_ok=True)
        raise


def _write_synced(path: Path, chunks: Iterable[bytes]) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
        out.writelines(chunks)
        out.flush()
        os.fsync(out.fileno())


def _words(error: OSError) -> str:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return "The disk is full, so the recording could not be kept. Make room, then try again."
    return f"The recording could not be kept: {error.strerror or error}."


def sweep(storage: Storage, named: Callable[[list[str]], set[str]], *, before: datetime) -> int:
    """Remove files written before ``before`` that no row names; return how many.

    ``named`` gets a batch of keys and returns those that a row names. When that would be more than
    a tenth of everything, nothing is removed and ``TooMuchToSweep`` is raised: the folder then
    rather belongs to another database.
    """
    rubbish, whole = list[str](), 0
    for batch in _batches(storage.entries()):
        kept = named([entry.key for entry in batch])
        whole += sum(entry.is_whole for entry in batch)
        rubbish += [entry.key for entry in batch if entry.key not in kept and entry.written_at < before]
    lost = [key for key in rubbish if not key.endswith(".part")]
    if len(lost) > max(SWEEP_SURELY, whole // 10):
        raise TooMuchToSweep(f"{len(lost)} of {whole} recordings are named by no row; none was removed")
    for key in rubbish:
        storage.delete(key)
    return len(rubbish)


def _batches(entries: Iterator[Entry]) -> Iterator[list[Entry]]:
    while batch := list(islice(entries, SWEEP_BATCH)):
        yield batch


@dataclass(frozen=True, slots=True)
class Stored:
    """What was kept: its key in the storage, its own content key, size and hash of the plain bytes."""

    key: str
    content_key: bytes
    size_bytes: int
    sha256: str


def store_sealed(
    storage: Storage, source: BinaryIO | Iterator[bytes], *, content_key: bytes | None = None
) -> Stored:
    """Seal a stream, or pieces of any size, into the storage in constant memory.

    One content key may seal several files: each has its own key, made of it and the file's name.
    """
    content_key = content_key or new_content_key()
    key = secrets.token_hex(16)
    counted = _Counted(source)
    storage.write(key, _sealed(counted, ChunkSealer(sub_key(content_key, key))))
    return Stored(key=key, content_key=content_key, size_bytes=counted.size, sha256=counted.hash.hexdigest())


class _Counted:
    """A source cut into chunks of equal size, counted and hashed on the way."""

    def __init__(self, source: BinaryIO | Iterator[bytes]) -> None:
        # an open file is an iterator too, of lines: ask for ``read`` first
        self._pieces = _read(cast("BinaryIO", source)) if hasattr(source, "read") else source
        self._held = bytearray()
        self.size = 0
        self.hash = hashlib.sha256()

    def chunk(self) -> bytes:
        while len(self._held) < CHUNK_BYTES and (piece := next(self._pieces, None)) is not None:
            self._held += piece
        chunk = bytes(self._held[:CHUNK_BYTES])
        del self._held[:CHUNK_BYTES]
        self.size += len(chunk)
        self.hash.update(chunk)
        return chunk


def _read(source: BinaryIO) -> Iterator[bytes]:
    while piece := source.read(CHUNK_BYTES):
        yield piece


def _sealed(source: _Counted, sealer: ChunkSealer) -> Iterator[bytes]:
    number, chunk = 0, source.chunk()
    while True:
        following = source.chunk() if len(chunk) == CHUNK_BYTES else b""
        last = not following
        yield sealer.seal(number, chunk, last=last)
        if last:
            return
        number, chunk = number + 1, following


def read_range(
    storage: Storage, key: str, content_key: bytes, *, size: int, start: int, end: int
) -> Iterator[bytes]:
    """Return the plain bytes ``start`` up to, not including, ``end``, opening only their chunks.

    ``size`` is the plain size of the whole file. The first chunk is opened before this returns, so
    that a missing or changed file is refused while an answer can still say so. Raises ``Tampered``
    when a byte was changed, ``Unavailable`` when the file is missing.
    """
    end = min(end, size)
    if not 0 <= start < end:
        return iter(())
    if storage.size(key) != sealed_size(size):
        raise Tampered("The stored recording is damaged: its length is not what it was. Import it again.")
    pieces = _opened(storage, key, ChunkSealer(sub_key(content_key, key)), size, start, end)
    return _Primed(next(pieces), pieces)


class _Primed(Iterator[bytes]):
    """The first piece, then the rest; closing it closes the file."""

    def __init__(self, first: bytes, rest: Iterator[bytes]) -> None:
        self._first: bytes | None = first
        self._rest = rest

    def __next__(self) -> bytes:
        if self._first is None:
            return next(self._rest)
        first, self._first = self._first, None
        return first

    def close(self) -> None:
        self._rest.close()  # type: ignore[attr-defined]  # it is a generator


def _opened(
    storage: Storage, key: str, sealer: ChunkSealer, size: int, start: int, end: int
) -> Iterator[bytes]:
    first, final = start // CHUNK_BYTES, (end - 1) // CHUNK_BYTES
    last = chunk_count(size) - 1
    length = (final - first + 1) * SEALED_CHUNK_BYTES
    with storage.open(key, first * SEALED_CHUNK_BYTES, length) as file:
        for number in range(first, final + 1):
            plain = sealer.open(number, _filled(file), last=number == last)
            from_ = max(start - number * CHUNK_BYTES, 0)
            yield plain[from_ : end - number * CHUNK_BYTES]


def _filled(file: BinaryIO) -> bytes:
    """Read one sealed chunk, however small the pieces in which it comes."""
    sealed = file.read(SEALED_CHUNK_BYTES)
    while len(sealed) < SEALED_CHUNK_BYTES and (more := file.read(SEALED_CHUNK_BYTES - len(sealed))):
        sealed += more
    return sealed


class SealedFile(io.RawIOBase):
    """A sealed recording as a seekable file, for a decoder; holds one opened chunk."""

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
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence]
        self._place = max(0, start + offset)
        return self._place

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Fill ``buffer`` up to the end of a chunk; return how many bytes."""
        view = memoryview(buffer).cast("B")
        number, inside = divmod(self._place, CHUNK_BYTES)
        piece = self._chunk(number)[inside : inside + len(view)]
        view[: len(piece)] = piece
        self._place += len(piece)
        return len(piece)

    def _chunk(self, number: int) -> bytes:
        if self._held[0] != number:
            start = number * CHUNK_BYTES
            pieces = read_range(
                self._storage, self._key, self._content_key,
                size=self._size, start=start, end=start + CHUNK_BYTES,
            )  # fmt: skip
            self._held = (number, b"".join(pieces))
        return self._held[1]
