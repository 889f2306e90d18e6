"""Keys: one data key in a file, everything else sealed by it; nothing secret in the database.

Small secrets are sealed with AES-GCM under the data key. A recording has a key of its own, itself
sealed: destroying that erases the recording. Its bytes are sealed in chunks, so that a range can
be read without opening the whole, and no chunk can be moved, swapped, cut or added.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import stat
import struct
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
NONCE_BYTES = 12
TAG_BYTES = 16
CHUNK_BYTES = 65_536
SEALED_CHUNK_BYTES = CHUNK_BYTES + TAG_BYTES


class KeyFileError(Exception):
    """The data key cannot be used; the message says why and what to do."""


class Tampered(Exception):
    """Sealed bytes were changed, or belong to another key."""


class Keys:
    """The data key of one site."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def fingerprint(self) -> str:
        """Return a short name of the key that tells nothing about it."""
        return self.derive("fingerprint").hex()[:16]

    def derive(self, purpose: str) -> bytes:
        """Return 32 bytes for one purpose, the same each time."""
        return hmac.new(self._key, purpose.encode(), hashlib.sha256).digest()

    def seal(self, plain: bytes, *, purpose: str) -> bytes:
        """Return ``plain`` sealed for one purpose."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + AESGCM(self._key).encrypt(nonce, plain, purpose.encode())

    def open(self, sealed: bytes, *, purpose: str) -> bytes:
        """Return what was sealed; raise ``Tampered`` when it was changed."""
        try:
            return AESGCM(self._key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], purpose.encode())
        except InvalidTag as error:
            raise Tampered("a sealed value was changed, or the data key is another one") from error


def ensure_key(file: Path) -> bool:
    """Make the data key when there is none; return whether it was made."""
    if file.exists():
        return False
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as out:
        out.write(secrets.token_hex(KEY_BYTES) + "\n")
        out.flush()
        os.fsync(out.fileno())
    return True


def load_keys(file: Path) -> Keys:
    """Read the data key; raise ``KeyFileError`` when it is missing, open to others or damaged."""
    try:
        mode = stat.S_IMODE(file.stat().st_mode)
        text = file.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        raise KeyFileError(f"{file}: the data key is missing. Run `qa upgrade` to make one.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise KeyFileError(f"{file}: the data key cannot be read: {error}.") from error
    if mode & 0o077:
        raise KeyFileError(f"{file}: others can read the data key. Run: chmod 600 {file}")
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise KeyFileError(f"{file}: the data key is damaged: 64 hexadecimal digits are needed.")
    return Keys(key)


def new_content_key() -> bytes:
    """Return a fresh key for one recording."""
    return secrets.token_bytes(KEY_BYTES)


def sub_key(key: bytes, purpose: str) -> bytes:
    """Return a key of its own for a second file of the same recording: nonces must never meet twice."""
    return hmac.new(key, purpose.encode(), hashlib.sha256).digest()


class ChunkSealer:
    """Seal and open numbered chunks of one file under its own key.

    The nonce is the chunk's number and whether it is the last, so order and length are proven:
    a file without its last chunk, or with more behind it, does not open.
    """

    def __init__(self, key: bytes) -> None:
        self._box = AESGCM(key)

    def seal(self, number: int, plain: bytes, *, last: bool) -> bytes:
        """Return one sealed chunk."""
        return self._box.encrypt(_nonce(number, last), plain, None)

    def open(self, number: int, sealed: bytes, *, last: bool) -> bytes:
        """Return one plain chunk; raise ``Tampered``."""
        try:
            return self._box.decrypt(_nonce(number, last), sealed, None)
        except InvalidTag as error:
            raise Tampered(f"chunk {number} of a recording was changed") from error


def _nonce(number: int, last: bool) -> bytes:
    return struct.pack(">IQ", int(last), number)


def sealed_size(plain_bytes: int) -> int:
    """Return how many bytes a file of ``plain_bytes`` takes when sealed; an empty file has one chunk."""
    return plain_bytes + TAG_BYTES * chunk_count(plain_bytes)


def chunk_count(plain_bytes: int) -> int:
    """Return the number of chunks of a file."""
    return max(1, -(-plain_bytes // CHUNK_BYTES))
