"""Passwords: hashed with argon2id, long rather than complicated, never one that everybody tries."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from importlib import resources

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from qa.accounts.models import PASSWORD_MAX, PASSWORD_MIN
from qa.core.errors import Invalid
from qa.core.text import fault_of, folded

_HASHER = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)


def hash_password(password: str) -> str:
    """Return the hash to store."""
    return _HASHER.hash(password)


def verify_password(stored: str | None, password: str) -> bool:
    """Tell whether the password fits; for nobody's hash the same work is done and the answer is no."""
    try:
        return _HASHER.verify(stored or dummy_hash(), password) and stored is not None
    except (VerificationError, InvalidHashError):
        return False


def needs_rehash(stored: str) -> bool:
    """Tell whether the hash was made with weaker parameters than today's."""
    return _HASHER.check_needs_rehash(stored)


@lru_cache
def dummy_hash() -> str:
    """Return a hash nobody has the password of, so that unknown names cost the same time."""
    return _HASHER.hash("a password that nobody has")


@lru_cache
def common_passwords() -> frozenset[str]:
    """Return the passwords that are refused because everybody tries them."""
    text = (resources.files("qa.accounts") / "words" / "common.txt").read_text(encoding="utf-8")
    return frozenset(line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#"))


def checked_password(password: str, *, field: str, about: Iterable[str]) -> str:
    """Return the password, or raise ``Invalid``: length, what everybody tries, words of site and person."""
    if fault := fault_of(password):
        raise Invalid(f"The password {fault}", field=field)
    if len(password) < PASSWORD_MIN:
        raise Invalid(
            f"The password has {len(password)} characters; at least {PASSWORD_MIN} are needed. "
            "Four or five unrelated words are easy to remember.",
            field=field,
        )
    if len(password) > PASSWORD_MAX:
        raise Invalid(f"The password is longer than {PASSWORD_MAX:,} characters.", field=field)
    bare = folded(password)
    stripped = "".join(letter for letter in bare if letter.isalpha())
    if bare in common_passwords() or stripped in common_passwords() or len(set(bare)) < 5:
        raise Invalid("This password is among the first that anybody would try. Choose another.", field=field)
    for word in about:
        if len(word) > 3 and folded(word) in bare and len(bare) - len(word) < 8:
            raise Invalid(f"The password is little more than “{word}”. Choose another.", field=field)
    return password
