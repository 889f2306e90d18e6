"""Secrets of plugins and sources: sealed before they reach the database, opened only to be used.

No door gives one back to a person: pages learn which are set, and nothing more.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from qa.core.crypto import Keys
from qa.core.db import Database
from qa.core.errors import Invalid
from qa.extensions.models import SealedSecret

PURPOSE = "extensions:secret"
FORMER = "_former"
GRACE = timedelta(days=7)
"""How long a replaced secret that the other side signs with is still good."""
LENGTH_MAX = 20_000
BATCH = 200


def keep_secrets(
    session: Session,
    keys: Keys,
    owner: str,
    secrets: Mapping[str, str],
    *,
    changed_by_id: int | None,
    now: datetime,
) -> None:
    """Seal these secrets of an owner, others stay. The caller has asked for permission to its settings."""
    for name, secret in secrets.items():
        if len(secret) > LENGTH_MAX:
            raise Invalid(f"A secret has at most {LENGTH_MAX:,} characters.", field=name)
        sealed = keys.seal(secret.encode("utf-8"), purpose=_purpose(owner, name))
        session.merge(
            SealedSecret(owner=owner, name=name, sealed=sealed, changed_by_id=changed_by_id, changed_at=now)
        )


def keep_former(session: Session, keys: Keys, owner: str, name: str, *, now: datetime) -> None:
    """Keep a secret that is about to be replaced beside the new one, for ``GRACE``."""
    row = session.get(SealedSecret, (owner, name))
    if row is None:
        return
    secret = keys.open(row.sealed, purpose=_purpose(owner, name)).decode("utf-8")
    keep_secrets(session, keys, owner, {f"{name}{FORMER}": secret}, changed_by_id=row.changed_by_id, now=now)


def open_pair(session: Session, keys: Keys, owner: str, name: str, *, now: datetime) -> list[str]:
    """Return a secret and, while its grace lasts, the one it replaced; empty text for one that is not set."""
    found = []
    for wanted in (name, f"{name}{FORMER}"):
        row = session.get(SealedSecret, (owner, wanted))
        is_good = row is not None and (wanted == name or row.changed_at > now - GRACE)
        found.append(
            keys.open(row.sealed, purpose=_purpose(owner, wanted)).decode("utf-8") if row and is_good else ""
        )
    return found


def drop_former(session: Session, *, now: datetime) -> None:
    """Destroy the secrets that were replaced before the grace."""
    old = SealedSecret.name.endswith(FORMER, autoescape=True) & (SealedSecret.changed_at <= now - GRACE)
    session.execute(delete(SealedSecret).where(old))


def drop_secrets(session: Session, owner: str) -> None:
    """Destroy all secrets of an owner: it goes, or the host they were meant for is another now."""
    session.execute(delete(SealedSecret).where(SealedSecret.owner == owner))


def set_names(session: Session, owner: str) -> frozenset[str]:
    """Return which secrets of an owner are set."""
    return frozenset(session.scalars(select(SealedSecret.name).where(SealedSecret.owner == owner)))


def open_secrets(session: Session, keys: Keys, owner: str) -> dict[str, str]:
    """Return the secrets of an owner, for use in this process only. Raises ``Tampered``."""
    mine = (SealedSecret.owner == owner) & ~SealedSecret.name.endswith(FORMER, autoescape=True)
    rows = session.scalars(select(SealedSecret).where(mine))
    return {
        row.name: keys.open(row.sealed, purpose=_purpose(owner, row.name)).decode("utf-8") for row in rows
    }


def reseal_all(database: Database, keys: Keys) -> tuple[int, int]:
    """Seal again with the newest key what an older one sealed; return how many, and of how many.

    In small transactions: safe to stop and to repeat.
    """
    with database.reading() as session:
        names = list(session.execute(select(SealedSecret.owner, SealedSecret.name).order_by("owner", "name")))
    resealed = 0
    for start in range(0, len(names), BATCH):
        with database.transaction() as session:
            for owner, name in names[start : start + BATCH]:
                row = session.get(SealedSecret, (owner, name))
                if row is not None and not keys.is_current(row.sealed):
                    row.sealed = keys.reseal(row.sealed, purpose=_purpose(owner, name))
                    resealed += 1
    return resealed, len(names)


def _purpose(owner: str, name: str) -> str:
    """A sealed secret opens only where it was put: it cannot be moved to another owner's row."""
    return f"{PURPOSE}:{owner}:{name}"
