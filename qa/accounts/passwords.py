"""Passwords: hashed with argon2id, long rather than complicated, never one that everybody tries.

No rule of composition and no expiry: length, and a list of what attackers try first.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from importlib import resources

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from qa.accounts.models import PASSWORD_MAX, PASSWORD_MIN
from qa.core.errors import Invalid
from qa.core.text import fault_of, folded

_HASHER = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)

NOBODYS_HASH = (
    "$argon2id$v=19$m=19456,t=2,p=1$0cXq+mOwQYiOzpN/H7c1LA$pzHjh2CkClLzv+hIrwyI7MD3o5m52H9Z94elD2NPhpw"
)
"""Made from 64 random bytes that were thrown away: an unknown name costs the same time as a known one."""

LOOK_ALIKES = tuple(str.maketrans("0345789@$!", f"oeastbgas{one}") | {ord("1"): one} for one in "il")
"""Digits and marks read as the letters they stand for; 1 and ! as i, then as l."""

ENDS_MAX = 8
"""So many digits and marks around a well-known word still leave it a well-known password."""

OWN_PART_MIN = 8
"""So many characters must be left when the words of the site and of the person are taken out."""


def hash_password(password: str) -> str:
    """Return the hash to store."""
    return _HASHER.hash(_composed(password))


def verify_password(stored: str | None, password: str) -> bool:
    """Tell whether the password fits; for nobody's hash the same work is done and the answer is no."""
    takeable = fault_of(password) is None and len(password) <= PASSWORD_MAX
    try:
        fits = _HASHER.verify(stored or NOBODYS_HASH, _composed(password if takeable else ""))
    except (VerificationError, InvalidHashError):
        return False
    return fits and takeable and stored is not None


def needs_rehash(stored: str) -> bool:
    """Tell whether the hash was made with other parameters than today's."""
    return _HASHER.check_needs_rehash(stored)


@lru_cache
def common_passwords() -> frozenset[str]:
    """Return the passwords that are refused because everybody tries them."""
    text = (resources.files("qa.accounts") / "words" / "common.txt").read_text(encoding="utf-8")
    return frozenset(folded(line.strip()) for line in text.splitlines() if line and not line.startswith("# "))


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
        raise Invalid(
            f"The password has {len(password):,} characters; {PASSWORD_MAX:,} are kept.", field=field
        )
    if is_common(password):
        raise Invalid("This password is among the first that anybody would try. Choose another.", field=field)
    if word := _mostly(password, about):
        raise Invalid(f"The password is little more than “{word}”. Choose another.", field=field)
    return password


def is_common(password: str) -> bool:
    """Tell whether attackers try this first: a listed one, decorated, repeated, or hardly any letters."""
    bare = folded(password)
    return len(set(bare)) < 5 or any(_is_listed(variant) for variant in _variants(bare))


def _variants(bare: str) -> Iterable[str]:
    """Return the password itself, then without marks and blanks, then without what stands at its ends."""
    plain = bare.strip("".join(letter for letter in set(bare) if not letter.isalnum()))
    core = bare.strip("".join(letter for letter in set(bare) if not letter.isalpha()))
    joined = "".join(letter for letter in bare if letter.isalnum())
    for part in (bare, joined, plain, core):
        if len(bare) - len(part) <= ENDS_MAX:
            yield part
            yield from (part.translate(read_as) for read_as in LOOK_ALIKES)


def _is_listed(text: str) -> bool:
    listed = common_passwords()
    period = (text + text).find(text, 1)  # the shortest part of which the whole is a repetition
    return text in listed or text[:period] in listed


def _mostly(password: str, words: Iterable[str]) -> str | None:
    bare = folded(password)
    for word in words:
        if len(word) > 3 and folded(word) in bare and len(bare.replace(folded(word), "")) < OWN_PART_MIN:
            return word
    return None


def _composed(password: str) -> str:
    # one keyboard sends é as one character, another as two
    return unicodedata.normalize("NFC", password)
