"""How often one may try to sign in: counted in rows, so it holds over processes and restarts.

After five failures of an account or an address each further try waits longer, up to a quarter of
an hour; nobody is locked out for good from outside.
"""

from __future__ import annotations

import hashlib
import math
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from qa.accounts.models import SignInAttempt
from qa.core.errors import TooMany
from qa.core.text import folded

FREE_FAILURES = 5
WINDOW = timedelta(minutes=30)
FIRST_DELAY_SECONDS = 5
LONGEST_DELAY_SECONDS = 900


def keys_of(email: str, address: str) -> tuple[str, str]:
    """Return the two things that are counted, as hashes."""
    return (_key("account", folded(email.strip())), _key("address", address))


def _key(kind: str, value: str) -> str:
    return hashlib.sha256(f"{kind}:{value}".encode("utf-8", "replace")).hexdigest()


def check(session: Session, keys: tuple[str, ...], *, now: datetime) -> None:
    """Raise ``TooMany`` while a pause is on for any of the keys."""
    rows = session.execute(
        select(SignInAttempt.key, func.count(), func.max(SignInAttempt.at))
        .where(SignInAttempt.key.in_(keys), SignInAttempt.at > now - WINDOW)
        .group_by(SignInAttempt.key)
    )
    wait = max((_left(count, last, now) for _, count, last in rows), default=0.0)
    if wait > 0:
        seconds = math.ceil(wait)
        words = f"{seconds} seconds" if seconds < 90 else f"{math.ceil(seconds / 60)} minutes"
        raise TooMany(f"Too many tries. Wait {words}, then try again.", retry_after=seconds)


def _left(failures: int, last: datetime, now: datetime) -> float:
    over = failures - FREE_FAILURES
    if over < 0:
        return 0.0
    delay = min(FIRST_DELAY_SECONDS * 2**over, LONGEST_DELAY_SECONDS)
    return delay - (now - last).total_seconds()


def note_failure(session: Session, keys: tuple[str, ...], *, now: datetime) -> None:
    """Count one failed try."""
    session.add_all(SignInAttempt(key=key, at=now) for key in keys)


def forget(session: Session, keys: tuple[str, ...], *, now: datetime) -> None:
    """Forget the failures of an account that signed in, and what is too old to count."""
    session.execute(delete(SignInAttempt).where(SignInAttempt.key == keys[0]))
    session.execute(delete(SignInAttempt).where(SignInAttempt.at < now - WINDOW))
