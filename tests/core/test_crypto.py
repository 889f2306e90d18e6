"""Keys and seals: what is sealed opens unchanged for the right purpose and key, or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa.core import crypto
from qa.core.crypto import ChunkSealer, KeyFileError, Keys, Tampered

OLD, NEW = b"o" * 32, b"n" * 32


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "data.key"


def test_the_first_start_makes_a_key_that_only_its_owner_can_read(key_file: Path) -> None:
    assert crypto.ensure_key(key_file) is True
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(key_file.parent.stat().st_mode) == 0o700
    assert [path.name for path in key_file.parent.iterdir()] == ["data.key"]


def test_a_second_start_keeps_the_key(key_file: Path) -> None:
    crypto.ensure_key(key_file)
    before = key_file.read_bytes()
    assert crypto.ensure_key(key_file) is False
    assert key_file.read_bytes() == before


def test_two_sites_have_different_keys(tmp_path: Path) -> None:
    prints = set()
    for name in ("one", "two"):
        crypto.ensure_key(tmp_path / name)
        prints.add(crypto.load_keys(tmp_path / name).fingerprint())
    assert len(prints) == 2


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o620])
def test_a_key_that_others_can_read_is_refused_with_the_cure(key_file: Path, mode: int) -> None:
    crypto.ensure_key(key_file)
    key_file.chmod(mode)
    with pytest.raises(KeyFileError, match=f"others can read the data key. Run: chmod 600 {key_file}"):
        crypto.load_keys(key_file)


def test_a_missing_key_is_refused_with_the_cure(key_file: Path) -> None:
    with pytest.raises(KeyFileError, match=r"the data key is missing\. Run `qa upgrade`"):
        crypto.load_keys(key_file)


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"abc", b"zz" * 32, b"ab" * 31, b"\xff\xfe", b"ab" * 32 + b"\nx"]
)
def test_a_damaged_key_file_is_refused_in_one_sentence(key_file: Path, content: bytes) -> None:
    crypto.ensure_key(key_file)
    key_file.write_bytes(content)
    with pytest.raises(KeyFileError, match=r"is damaged|cannot be read"):
        crypto.load_keys(key_file)


def test_the_fingerprint_is_stable_and_holds_nothing_of_the_key() -> None:
    assert Keys(NEW).fingerprint() == Keys(NEW, [OLD]).fingerprint() != Keys(OLD).fingerprint()
    assert NEW.hex()[:8] not in Keys(NEW).fingerprint()


def test_each_purpose_has_a_key_of_its_own() -> None:
    assert Keys(NEW).derive("cookie") == Keys(NEW).derive("cookie") != Keys(NEW).derive("browser")


@given(st.binary(max_size=300), st.text(max_size=20))
def test_what_is_sealed_opens_for_its_purpose(plain: bytes, purpose: str) -> None:
    keys = Keys(NEW)
    sealed = keys.seal(plain, purpose=purpose)
    assert keys.open(sealed, purpose=purpose) == plain
    assert sealed != keys.seal(plain, purpose=purpose)
    with pytest.raises(Tampered):
        keys.open(sealed, purpose=purpose + "x")


@given(st.binary(max_size=60), st.integers(min_value=0), st.integers(1, 255))
def test_a_sealed_value_with_any_byte_changed_does_not_open(plain: bytes, place: int, flip: int) -> None:
    sealed = bytearray(Keys(NEW).seal(plain, purpose="p"))
    sealed[place % len(sealed)] ^= flip
    with pytest.raises(Tampered):
        Keys(NEW, [OLD]).open(bytes(sealed), purpose="p")


@given(st.integers(0, 200))
def test_a_sealed_value_cut_anywhere_does_not_open(kept: int) -> None:
    sealed = Keys(NEW).seal(b"secret", purpose="p")
    with pytest.raises(Tampered):
        Keys(NEW).open(sealed[: kept % len(sealed)], purpose="p")


def test_after_a_change_of_key_old_values_open_and_are_sealed_anew(key_file: Path) -> None:
    old = Keys(OLD).seal(b"secret", purpose="p")
    key_file.parent.mkdir()
    key_file.write_text(f"{NEW.hex()}\n{OLD.hex()}\n", encoding="ascii")
    key_file.chmod(0o600)
    keys = crypto.load_keys(key_file)
    assert keys.open(old, purpose="p") == b"secret"
    assert not keys.is_current(old)
    fresh = keys.reseal(old, purpose="p")
    assert keys.is_current(fresh)
    assert Keys(NEW).open(fresh, purpose="p") == b"secret"
    with pytest.raises(Tampered, match="not in the key file"):
        Keys(NEW).open(old, purpose="p")


def test_a_chunk_opens_only_at_its_place_and_with_its_key() -> None:
    sealer = ChunkSealer(NEW)
    sealed = sealer.seal(3, b"sound", last=False)
    assert sealer.open(3, sealed, last=False) == b"sound"
    for number, last, other in ((2, False, sealer), (3, True, sealer), (3, False, ChunkSealer(OLD))):
        with pytest.raises(Tampered):
            other.open(number, sealed, last=last)


def test_making_the_key_at_the_same_moment_twice_leaves_one(key_file: Path) -> None:
    children = []
    for _ in range(4):
        child = os.fork()
        if child == 0:
            os._exit(0 if crypto.ensure_key(key_file) else 1)
        children.append(child)
    made = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    assert made.count(0) == 1
    assert [path.name for path in key_file.parent.iterdir()] == ["data.key"]
    assert crypto.load_keys(key_file)
