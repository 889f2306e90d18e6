"""How often one may try to sign in: counted in rows, so it holds over processes and restarts.

A try is written down before the password is looked at and struck out when it succeeds, so that many
at once count as many. After five failures of an account or of an address each further try waits
longer, up to a quarter of an hour. A browser that signed in to the account before is counted by
itself: nobody is locked out by what strangers try.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.orm import Session

from qa.accounts.models import SignInAttempt
from qa.core.errors import TooMany
from qa.core.text import folded

FREE_FAILURES = 5
WINDOW = timedelta(hours=2)
FIRST_DELAY_SECONDS = 5
LONGEST_DELAY_SECONDS = 900


@dataclass(frozen=True, slots=True)
class Door:
    """What is counted for one try, as hashes; ``browser`` only where it is known to the account."""

    account: str
    address: str
    browser: str | None = None


def door_of(email: str, address: str, browser: str | None = None) -> Door:
    """Return the door of a try with this name from this address."""
    return Door(account_key(email), _key("address", address), browser and _key("browser", browser))


def account_key(email: str) -> str:
    """Return the hash by which an account is counted, whether it exists or not."""
    return _key("account", folded(email.strip()))


def _key(kind: str, value: str) -> str:
    return hashlib.sha256(f"{kind}:{value}".encode("utf-8", "replace")).hexdigest()


def begin(session: Session, door: Door, *, now: datetime) -> None:
    """Count one more try, or raise ``TooMany`` while a pause is on."""
    _wait_for_others(session, door)
    wait = max(_pause_left(session, counted, now) for counted in _counted(door))
    if wait > 0:
        raise TooMany(f"Too many tries. Wait {in_words(wait)}, then try again.", retry_after=wait)
    session.execute(delete(SignInAttempt).where(SignInAttempt.at < now - WINDOW))
    session.add(SignInAttempt(account=door.account, address=door.address, browser=door.browser, at=now))


def _wait_for_others(session: Session, door: Door) -> None:
    # two tries at once must not both find the same number; SQLite has one writer anyway
    if session.get_bind().dialect.name == "postgresql":
        for key in sorted({int(door.account[:15], 16), int(door.address[:15], 16)}):
            session.execute(select(func.pg_advisory_xact_lock(key)))


def forgive(session: Session, door: Door) -> None:
    """Strike out the tries of an account whose owner has signed in."""
    session.execute(delete(SignInAttempt).where(SignInAttempt.account == door.account))


def failures_of(session: Session, account: str, *, now: datetime) -> int:
    """Return how many tries of an account failed lately."""
    rows = select(func.count()).where(SignInAttempt.account == account, SignInAttempt.at > now - WINDOW)
    return session.scalar(rows) or 0


def in_words(seconds: int) -> str:
    """Return a pause as people say it."""
    if seconds == 1:
        return "a second"
    return f"{seconds} seconds" if seconds < 90 else f"{math.ceil(seconds / 60)} minutes"


def _counted(door: Door) -> list[ColumnElement[bool]]:
    if door.browser is not None:
        return [(SignInAttempt.account == door.account) & (SignInAttempt.browser == door.browser)]
    strangers = SignInAttempt.browser.is_(None)
    return [
        (SignInAttempt.account == door.account) & strangers,
        (SignInAttempt.address == door.address) & strangers,
    ]


def _pause_left(session: Session, counted: ColumnElement[bool], now: datetime) -> int:
    rows = select(func.count(), func.max(SignInAttempt.at)).where(counted, SignInAttempt.at > now - WINDOW)
    failures, last = session.execute(rows).one()
    over = failures - FREE_FAILURES
    if over < 0:
        return 0
    delay = min(FIRST_DELAY_SECONDS * 2.0 ** min(over, 10), LONGEST_DELAY_SECONDS)
    return max(0, math.ceil(delay - (now - last).total_seconds()))
