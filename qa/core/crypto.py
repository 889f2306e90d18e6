"""Keys: the data key lies in a file, everything else is sealed by it; nothing secret in the database.

Small secrets are sealed with AES-GCM and carry the id of the key that sealed them, so that the key
can be changed while old values still open. A recording has a key of its own, itself sealed:
destroying that erases the recording. Its bytes are sealed in numbered chunks, so that a range is
read without opening the whole, and no chunk can be moved, swapped, cut or added.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import stat
import struct
from collections.abc import Sequence
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from qa.core.errors import Unavailable

KEY_BYTES = 32
KEY_ID_BYTES = 4
NONCE_BYTES = 12
TAG_BYTES = 16
CHUNK_BYTES = 65_536
SEALED_CHUNK_BYTES = CHUNK_BYTES + TAG_BYTES


class KeyFileError(Exception):
    """The data key cannot be used; the message says why and what to do."""


class Tampered(Unavailable):
    """Sealed bytes were changed, or belong to another key."""


class Keys:
    """The data key of one site; behind it, older ones that only open what they once sealed."""

    def __init__(self, key: bytes, older: Sequence[bytes] = (), *, file: Path | None = None) -> None:
        """``file`` is where they were read: looked at again when an unknown key sealed something."""
        self._key = key
        self._by_id = {_key_id(known): known for known in (*reversed(older), key)}
        self._file = file

    @property
    def older_count(self) -> int:
        """Return how many older keys there are."""
        return len(self._by_id) - 1

    def fingerprint(self) -> str:
        """Return a short name of the key that tells nothing about it."""
        return self.derive("fingerprint").hex()[:16]

    def derive(self, purpose: str) -> bytes:
        """Return 32 bytes for one purpose, the same each time."""
        return sub_key(self._key, purpose)

    def seal(self, plain: bytes, *, purpose: str) -> bytes:
        """Return ``plain`` sealed for one purpose by the newest key."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return _key_id(self._key) + nonce + AESGCM(self._key).encrypt(nonce, plain, purpose.encode())

    def open(self, sealed: bytes, *, purpose: str) -> bytes:
        """Return what was sealed; raise ``Tampered`` when it was changed or no key here sealed it."""
        key = self._by_id.get(sealed[:KEY_ID_BYTES]) or self._found_in_file(sealed[:KEY_ID_BYTES])
        if key is None:
            raise Tampered("A stored secret was sealed by a key that is not in the key file.")
        start = KEY_ID_BYTES + NONCE_BYTES
        try:
            return AESGCM(key).decrypt(sealed[KEY_ID_BYTES:start], sealed[start:], purpose.encode())
        except (InvalidTag, ValueError) as error:
            raise Tampered("A stored secret is damaged.") from error

    def _found_in_file(self, key_id: bytes) -> bytes | None:
        """Look for a key that was added since this process began."""
        if self._file is None:
            return None
        try:
            self._by_id |= load_keys(self._file)._by_id
        except KeyFileError:
            return None
        return self._by_id.get(key_id)

    def is_current(self, sealed: bytes) -> bool:
        """Tell whether the newest key sealed this; if not, ``reseal`` it."""
        return sealed[:KEY_ID_BYTES] == _key_id(self._key)

    def reseal(self, sealed: bytes, *, purpose: str) -> bytes:
        """Return the same secret sealed by the newest key; safe to repeat."""
        return self.seal(self.open(sealed, purpose=purpose), purpose=purpose)


def _key_id(key: bytes) -> bytes:
    return sub_key(key, "key-id")[:KEY_ID_BYTES]


def ensure_key(file: Path) -> bool:
    """Make the data key when there is none; return whether it was made. It is there whole or not at all."""
    if file.exists():
        return False
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = file.with_name(f"{file.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as out:
        out.write(secrets.token_hex(KEY_BYTES) + "\n")
        out.flush()
        os.fsync(out.fileno())
    try:
        os.link(draft, file)  # unlike a rename, never replaces a key that another process just made
    except FileExistsError:
        return False
    finally:
        draft.unlink()
    sync_folder(file.parent)
    return True


def load_keys(file: Path) -> Keys:
    """Read the key file: the newest key in its first line, older ones below.

    Raises ``KeyFileError`` when it is missing, open to others or damaged.
    """
    try:
        with file.open(encoding="ascii") as opened:
            mode = stat.S_IMODE(os.fstat(opened.fileno()).st_mode)
            lines = opened.read().split()
    except FileNotFoundError:
        raise KeyFileError(
            f"{file}: the data key is missing. Run `qa upgrade` to make one, or put the saved one there."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise KeyFileError(f"{file}: the data key cannot be read: {error}.") from error
    if mode & 0o077:
        raise KeyFileError(f"{file}: others can read the data key. Run: chmod 600 {file}")
    keys = [_key_of(line) for line in lines]
    if not keys or not all(keys):
        raise KeyFileError(f"{file}: the data key is damaged. Each line needs 64 hexadecimal digits.")
    return Keys(keys[0], keys[1:], file=file)


def add_key(file: Path) -> None:
    """Put a fresh key before the others in the key file; it seals from the next start on."""
    known = file.read_text(encoding="ascii").split()
    _write_keys(file, [secrets.token_hex(KEY_BYTES), *known])


def forget_older_keys(file: Path) -> None:
    """Leave only the newest key in the key file: what the others sealed cannot be opened any more."""
    _write_keys(file, file.read_text(encoding="ascii").split()[:1])


def _write_keys(file: Path, lines: Sequence[str]) -> None:
    """Replace the key file whole: it is the old one or the new one, at any moment."""
    draft = file.with_name(f"{file.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as out:
        out.write("".join(f"{line}\n" for line in lines))
        out.flush()
        os.fsync(out.fileno())
    draft.rename(file)
    sync_folder(file.parent)


def _key_of(line: str) -> bytes:
    try:
        key = bytes.fromhex(line)
    except ValueError:
        return b""
    return key if len(key) == KEY_BYTES else b""


def sync_folder(folder: Path) -> None:
    """Make a new or renamed name in ``folder`` survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def new_content_key() -> bytes:
    """Return a fresh key for one recording."""
    return secrets.token_bytes(KEY_BYTES)


def sub_key(key: bytes, purpose: str) -> bytes:
    """Return a key of its own for one purpose, the same each time."""
    return hmac.new(key, purpose.encode(), hashlib.sha256).digest()


class ChunkSealer:
    """Seal and open numbered chunks of one file under a key that no other file has.

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
        except (InvalidTag, ValueError) as error:
            words = f"The stored recording is damaged (part {number + 1}). Import it again."
            raise Tampered(words) from error


def _nonce(number: int, last: bool) -> bytes:
    return struct.pack(">IQ", int(last), number)


def sealed_size(plain_bytes: int) -> int:
    """Return how many bytes a file of ``plain_bytes`` takes when sealed; an empty file has one chunk."""
    return plain_bytes + TAG_BYTES * chunk_count(plain_bytes)


def chunk_count(plain_bytes: int) -> int:
    """Return the number of chunks of a file."""
    return max(1, -(-plain_bytes // CHUNK_BYTES))
