"""A form that arrives twice is taken once: the second time it gets the first answer."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from qa.accounts.models import OnceKey
from qa.core.db import insert_unless_there
from qa.core.errors import Invalid

KEPT = timedelta(hours=48)


def take_once(session: Session, user_id: int, key: str, body: str, *, now: datetime) -> str | None:
    """Take the key in the caller's transaction; None when it is new, else the first answer.

    An empty text means the first post is kept but its answer is not known. Raises ``Invalid``
    when the same key comes with another body.
    """
    take = insert_unless_there(session, OnceKey, on=["user_id", "key"]).returning(OnceKey.key)
    values = {"user_id": user_id, "key": key, "body_hash": body, "taken_at": now}
    if session.scalar(take, values) is not None:
        return None
    earlier = session.get_one(OnceKey, (user_id, key))
    if earlier.body_hash != body:
        raise Invalid("This form was sent before with other content. Load the page again to send a new one.")
    return earlier.location or ""


def keep_answer(session: Session, user_id: int, key: str, location: str) -> None:
    """Keep where the first answer led to."""
    of_key = (OnceKey.user_id == user_id, OnceKey.key == key)
    session.execute(update(OnceKey).where(*of_key).values(location=location[:2000]))


def forget_old(session: Session, *, now: datetime) -> None:
    """Remove keys that nobody repeats any more."""
    session.execute(delete(OnceKey).where(OnceKey.taken_at < now - KEPT))
