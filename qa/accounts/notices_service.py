"""Notices: what a person should know, written in the transaction of its cause, once for each key.

Words name people and dates, never what was said in a conversation or written in a private note: a notice
also goes out by mail.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from qa.accounts.models import WORDS_MAX, Notice, User, own_scope
from qa.accounts.permissions import Permission
from qa.accounts.policy import require
from qa.core import outbox
from qa.core.actor import Actor
from qa.core.db import insert_unless_there
from qa.core.errors import NotFound

SHOWN = 100
KEPT = timedelta(days=180)


@dataclass(frozen=True, slots=True)
class NoticeMade(outbox.Event):
    """Somebody has something new to read."""

    notice_id: int
    person_id: int


def notify(
    session: Session,
    *,
    person_id: int,
    kind: str,
    words: str,
    endpoint: str,
    values: Mapping[str, Any],
    key: str,
    now: datetime,
    calendar: str = "",
) -> bool:
    """Tell a person something in the caller's transaction; False when this key was told them before.

    The notice leads to the page of ``endpoint`` with ``values``. Whoever has left is told nothing.
    """
    at_work = select(User.id).where(User.id == person_id, User.deactivated_at.is_(None))
    if session.scalar(at_work) is None:
        return False
    row = {
        "person_id": person_id,
        "kind": kind,
        "words": words if len(words) <= WORDS_MAX else f"{words[: WORDS_MAX - 1]}…",
        "endpoint": endpoint,
        "values": dict(values),
        "key": key,
        "calendar": calendar,
        "made_at": now,
    }
    put = insert_unless_there(session, Notice, on=["person_id", "key"]).returning(Notice.id)
    notice_id = session.scalar(put, row)
    if notice_id is None:
        return False
    outbox.emit(session, NoticeMade(notice_id, person_id), now=now)
    return True


def list_notices(session: Session, actor: Actor) -> list[Notice]:
    """Return one's own newest notices."""
    require(actor, Permission.SESSION_REVOKE, own_scope(actor.id))
    own = select(Notice).where(Notice.person_id == actor.id)
    return list(session.scalars(own.order_by(Notice.id.desc()).limit(SHOWN)))


def open_notice(session: Session, actor: Actor, notice_id: int, *, now: datetime) -> Notice:
    """Mark one of one's own notices as read and return it, or raise ``NotFound``."""
    require(actor, Permission.SESSION_REVOKE, own_scope(actor.id))
    found = session.scalar(select(Notice).where(Notice.id == notice_id, Notice.person_id == actor.id))
    if found is None:
        raise NotFound("There is no such notice.")
    found.read_at = found.read_at or now
    return found


def read_all(session: Session, actor: Actor, *, now: datetime) -> None:
    """Mark all of one's own notices as read."""
    require(actor, Permission.SESSION_REVOKE, own_scope(actor.id))
    unread = update(Notice).where(Notice.person_id == actor.id, Notice.read_at.is_(None))
    session.execute(unread.values(read_at=now))


def forget_old_notices(session: Session, *, now: datetime) -> None:
    """Remove notices that are half a year old."""
    session.execute(delete(Notice).where(Notice.made_at < now - KEPT))
