"""Recordings in the storage: whole or not there, every byte sealed, any range as if it were plain."""

from __future__ import annotations

import gc
import io
import os
import random
import shutil
import stat
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from tempfile import mkdtemp
from typing import BinaryIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qa.core.crypto import CHUNK_BYTES, SEALED_CHUNK_BYTES, Tampered, new_content_key, sealed_size
from qa.core.errors import Unavailable
from qa.core.storage import (
    Entry,
    LocalStorage,
    SealedFile,
    Stored,
    TooMuchToSweep,
    read_range,
    store_sealed,
    sweep,
)

SIZES = st.one_of(
    st.integers(0, 5 * CHUNK_BYTES),
    st.sampled_from([n * CHUNK_BYTES + d for n in range(4) for d in (-1, 0, 1) if n * CHUNK_BYTES + d >= 0]),
)


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    return LocalStorage(tmp_path / "recordings")


@pytest.fixture(scope="module", autouse=True)
def _made_files_go() -> Iterator[None]:
    yield
    kept.cache_clear()
    for folder in MADE:
        shutil.rmtree(folder)
    MADE.clear()


MADE: list[Path] = []


@lru_cache(maxsize=64)
def kept(size: int) -> tuple[LocalStorage, Stored, bytes]:
    """A sealed file of ``size`` bytes, made once for all examples."""
    plain = random.Random(size).randbytes(size)
    MADE.append(Path(mkdtemp(prefix="candor-test-")))
    storage = LocalStorage(MADE[-1])
    return storage, store_sealed(storage, io.BytesIO(plain)), plain


def opened(storage: LocalStorage, stored: Stored, start: int, end: int) -> bytes:
    return b"".join(
        read_range(storage, stored.key, stored.content_key, size=stored.size_bytes, start=start, end=end)
    )


def file_of(storage: LocalStorage, stored: Stored) -> Path:
    return storage.folder / stored.key[:2] / stored.key


@given(SIZES, st.data())
@settings(deadline=None)
def test_any_range_of_any_length_equals_the_plain_bytes(size: int, data: st.DataObject) -> None:
    storage, stored, plain = kept(size)
    start = data.draw(st.integers(0, size + 10))
    end = data.draw(st.integers(0, size + 10))
    assert opened(storage, stored, start, end) == plain[start:end]


@given(SIZES)
@settings(deadline=None)
def test_what_is_kept_is_counted_hashed_and_longer_only_by_its_seals(size: int) -> None:
    storage, stored, plain = kept(size)
    assert stored.size_bytes == len(plain)
    assert storage.size(stored.key) == sealed_size(size)
    assert opened(storage, stored, 0, size) == plain


@given(st.integers(1, 3 * CHUNK_BYTES), st.integers(0), st.integers(1, 255))
@settings(deadline=None, max_examples=60)
def test_a_file_with_any_byte_changed_is_refused(size: int, place: int, flip: int) -> None:
    storage, stored, _ = kept(size)
    path = file_of(storage, stored)
    good = path.read_bytes()
    bad = bytearray(good)
    bad[place % len(bad)] ^= flip
    path.write_bytes(bad)
    try:
        with pytest.raises(Tampered):
            opened(storage, stored, 0, size)
    finally:
        path.write_bytes(good)


def test_every_single_byte_of_a_small_file_is_proven() -> None:
    storage, stored, plain = kept(200)
    path = file_of(storage, stored)
    good = path.read_bytes()
    for place in range(len(good)):
        path.write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
        with pytest.raises(Tampered):
            opened(storage, stored, 0, len(plain))
    path.write_bytes(good)


@pytest.mark.parametrize("size", [100, CHUNK_BYTES, 2 * CHUNK_BYTES + 5])
def test_a_file_cut_or_made_longer_is_refused(storage: LocalStorage, size: int) -> None:
    stored = store_sealed(storage, io.BytesIO(b"x" * size))
    path = file_of(storage, stored)
    good = path.read_bytes()
    for bad in (b"", good[:-1], good[:-SEALED_CHUNK_BYTES], good + b"x", good + good[-SEALED_CHUNK_BYTES:]):
        path.write_bytes(bad)
        with pytest.raises(Tampered):
            opened(storage, stored, 0, 1)


def test_a_cut_at_a_chunk_is_found_even_when_the_row_is_made_to_agree(storage: LocalStorage) -> None:
    stored = store_sealed(storage, io.BytesIO(b"x" * 3 * CHUNK_BYTES))
    path = file_of(storage, stored)
    path.write_bytes(path.read_bytes()[: 2 * SEALED_CHUNK_BYTES])
    with pytest.raises(Tampered):
        list(
            read_range(
                storage, stored.key, stored.content_key, size=2 * CHUNK_BYTES, start=0, end=2 * CHUNK_BYTES
            )
        )


def test_chunks_that_changed_places_are_refused(storage: LocalStorage) -> None:
    stored = store_sealed(storage, io.BytesIO(random.Random(1).randbytes(3 * CHUNK_BYTES)))
    path = file_of(storage, stored)
    raw = path.read_bytes()
    one, two, three = (raw[n * SEALED_CHUNK_BYTES : (n + 1) * SEALED_CHUNK_BYTES] for n in range(3))
    path.write_bytes(two + one + three)
    with pytest.raises(Tampered):
        opened(storage, stored, 0, 10)


def test_files_under_one_content_key_cannot_be_swapped(storage: LocalStorage) -> None:
    key = new_content_key()
    one = store_sealed(storage, io.BytesIO(b"1" * 500), content_key=key)
    two = store_sealed(storage, io.BytesIO(b"2" * 500), content_key=key)
    raw = file_of(storage, one).read_bytes()
    file_of(storage, one).write_bytes(file_of(storage, two).read_bytes())
    file_of(storage, two).write_bytes(raw)
    for stored in (one, two):
        with pytest.raises(Tampered):
            opened(storage, stored, 0, 500)


def test_the_plain_bytes_are_nowhere_on_the_disk(storage: LocalStorage) -> None:
    store_sealed(storage, io.BytesIO(b"CANARY-" * 20_000))
    for path in storage.folder.rglob("*"):
        assert path.is_dir() or b"CANARY" not in path.read_bytes()


def test_names_are_random_and_files_are_for_their_owner_only(storage: LocalStorage) -> None:
    made = [store_sealed(storage, io.BytesIO(b"same")) for _ in range(3)]
    assert len({stored.key for stored in made}) == 3
    for stored in made:
        assert stat.S_IMODE(file_of(storage, stored).stat().st_mode) == 0o600
        assert stat.S_IMODE(file_of(storage, stored).parent.stat().st_mode) == 0o700


def test_a_range_reads_only_its_chunks(storage: LocalStorage) -> None:
    asked: list[tuple[int, int]] = []

    class Watched(LocalStorage):
        def open(self, key: str, start: int, length: int) -> BinaryIO:
            asked.append((start, length))
            return super().open(key, start, length)

    stored = store_sealed(storage, io.BytesIO(bytes(40 * CHUNK_BYTES)))
    watched = Watched(storage.folder)
    assert len(opened(watched, stored, 10 * CHUNK_BYTES + 5, 14 * CHUNK_BYTES + 5)) == 4 * CHUNK_BYTES
    assert asked == [(10 * SEALED_CHUNK_BYTES, 5 * SEALED_CHUNK_BYTES)]


def test_a_large_file_passes_in_constant_memory(storage: LocalStorage) -> None:
    pieces = (bytes(70_001) for _ in range(600))
    tracemalloc.start()
    stored = store_sealed(storage, pieces)
    length = sum(
        len(piece)
        for piece in read_range(
            storage, stored.key, stored.content_key, size=stored.size_bytes, start=0, end=stored.size_bytes
        )
    )
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert length == stored.size_bytes == 600 * 70_001
    assert peak < 2_000_000


def test_a_reader_that_stops_early_leaves_no_file_open(storage: LocalStorage) -> None:
    stored = store_sealed(storage, io.BytesIO(bytes(5 * CHUNK_BYTES)))
    pieces = read_range(
        storage, stored.key, stored.content_key, size=stored.size_bytes, start=0, end=stored.size_bytes
    )
    next(pieces)
    assert len(opened_of(stored.key)) == 1
    del pieces
    gc.collect()
    assert opened_of(stored.key) == []


def opened_of(key: str) -> list[Path]:
    """The stored files of this key that this process holds open."""
    places = [Path(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd")]
    return [place.readlink() for place in places if place.exists() and key in str(place.readlink())]


def test_a_source_that_breaks_off_leaves_nothing(storage: LocalStorage) -> None:
    def breaking() -> Iterator[bytes]:
        yield bytes(3 * CHUNK_BYTES)
        raise ConnectionResetError("the client went away")

    with pytest.raises((ConnectionResetError, Unavailable)):
        store_sealed(storage, breaking())
    assert list(storage.entries()) == []


def test_a_full_disk_is_said_in_a_sentence_and_leaves_nothing(storage: LocalStorage) -> None:
    key = "ab" * 16
    part = storage.folder / "ab" / f"{key}.part"
    part.parent.mkdir(parents=True)
    part.symlink_to("/dev/full")
    with pytest.raises(Unavailable, match="The disk is full, so the recording could not be kept"):
        storage.write(key, iter([bytes(100_000)]))
    assert list(part.parent.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_said_in_a_sentence() -> None:
    with pytest.raises(Unavailable, match="could not be kept"):
        store_sealed(LocalStorage(Path("/dev/null/recordings")), io.BytesIO(b"x"))


def test_a_missing_file_is_said_before_the_answer_begins(storage: LocalStorage) -> None:
    stored = store_sealed(storage, io.BytesIO(b"x"))
    storage.delete(stored.key)
    storage.delete(stored.key)
    assert not storage.exists(stored.key)
    with pytest.raises(Unavailable, match="missing from the storage"):
        read_range(storage, stored.key, stored.content_key, size=1, start=0, end=1)


@pytest.mark.parametrize("key", ["../../etc/passwd", "a" * 31, "A" * 32, "/etc/passwd", "", "a" * 32 + "/x"])
def test_a_name_that_is_no_key_never_becomes_a_path(storage: LocalStorage, key: str) -> None:
    with pytest.raises(ValueError, match="no key of the storage"):
        storage.open(key, 0, 1)


def test_the_sweep_takes_old_files_without_a_row_and_nothing_else(storage: LocalStorage) -> None:
    named, lost, fresh = (store_sealed(storage, io.BytesIO(b"x")) for _ in range(3))
    part = storage.folder / "ab" / ("ab" * 16 + ".part")
    part.parent.mkdir(exist_ok=True)
    part.write_bytes(b"half")
    two_days_ago = datetime.now(UTC) - timedelta(days=2)
    for path in (file_of(storage, named), file_of(storage, lost), part):
        os.utime(path, (two_days_ago.timestamp(),) * 2)
    removed = sweep(storage, lambda keys: {named.key} & set(keys), before=two_days_ago + timedelta(days=1))
    assert removed == 2
    assert {entry.key for entry in storage.entries()} == {named.key, fresh.key}


def test_the_sweep_touches_nothing_when_the_rows_seem_to_be_another_sites(
    storage: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qa.core.storage.SWEEP_SURELY", 3)
    for _ in range(5):
        store_sealed(storage, io.BytesIO(b"x"))
    with pytest.raises(TooMuchToSweep, match="5 of 5 recordings are named by no row; none was removed"):
        sweep(storage, lambda keys: set(), before=datetime.now(UTC) + timedelta(days=1))
    assert len(list(storage.entries())) == 5


def test_entries_tell_what_was_left_half_written(storage: LocalStorage) -> None:
    stored = store_sealed(storage, io.BytesIO(b"x"))
    (storage.folder / stored.key[:2] / ("c" * 32 + ".part")).write_bytes(b"half")
    (storage.folder / stored.key[:2] / "README").write_bytes(b"not ours")
    whole = {entry.key: entry.is_whole for entry in storage.entries()}
    assert whole == {stored.key: True, "c" * 32 + ".part": False}
    assert all(isinstance(entry, Entry) and entry.size_bytes > 0 for entry in storage.entries())


@given(SIZES, st.lists(st.tuples(st.integers(0, 6 * CHUNK_BYTES), st.integers(0, 100_000)), max_size=8))
@settings(deadline=None, max_examples=40)
def test_a_sealed_file_reads_and_seeks_like_the_plain_one(size: int, moves: list[tuple[int, int]]) -> None:
    storage, stored, plain = kept(size)
    sealed = SealedFile(storage, stored.key, stored.content_key, stored.size_bytes)
    reader, twin = io.BufferedReader(sealed), io.BytesIO(plain)
    for place, length in moves:
        assert reader.seek(place) == twin.seek(place)
        assert reader.read(length) == twin.read(length)
    assert reader.seek(0, io.SEEK_END) == twin.seek(0, io.SEEK_END)
    assert reader.seek(0) == 0
    assert reader.read() == plain
