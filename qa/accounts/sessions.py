"""Signed-in browsers: a random token in the cookie, its hash in a row that decides.

Ending the row ends the session at once in every process. Idle for an hour or twelve hours old, a
session is over; looking at a page writes nothing but a mark once a minute.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import String, bindparam, cast, func, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from qa.accounts.keys import keys_of
from qa.accounts.models import Notice, SignInSession, Team, User, UserRole, own_scope
from qa.accounts.permissions import Permission
from qa.accounts.policy import require
from qa.core.actor import Actor
from qa.core.audit import shortened
from qa.core.db import Clause, Database
from qa.core.errors import Unavailable

IDLE = timedelta(minutes=60)
LONGEST = timedelta(hours=12)
CONFIRMED = timedelta(minutes=15)
MARK_EVERY = timedelta(minutes=1)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who holds a token, and when they were last seen."""

    actor: Actor
    last_seen_at: datetime


def token_hash(token: str) -> str:
    """Return what the database keeps of a token."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def start(session: Session, user_id: int, *, browser: str, address: str, now: datetime) -> str:
    """Begin a session and return its token."""
    token = secrets.token_urlsafe(32)
    session.add(
        SignInSession(
            user_id=user_id,
            token_hash=token_hash(token),
            started_at=now,
            last_seen_at=now,
            confirmed_at=now,
            browser="".join(letter for letter in browser if letter.isprintable())[:300],
            address=shortened(address or None) or "",
        )
    )
    draft_key_for(session, user_id)
    return token


def end(session: Session, session_id: int, *, now: datetime) -> None:
    """End one session."""
    where = (SignInSession.id == session_id, SignInSession.ended_at.is_(None))
    session.execute(update(SignInSession).where(*where).values(ended_at=now))


def end_by_token(session: Session, token: str, *, now: datetime) -> None:
    """End the session of a browser that signs in anew."""
    where = (SignInSession.token_hash == token_hash(token), SignInSession.ended_at.is_(None))
    session.execute(update(SignInSession).where(*where).values(ended_at=now))


def end_all(session: Session, user_id: int, *, now: datetime, but: int | None = None) -> None:
    """End every session of a person, perhaps but the present one."""
    where = [SignInSession.user_id == user_id, SignInSession.ended_at.is_(None)]
    if but is not None:
        where.append(SignInSession.id != but)
    session.execute(update(SignInSession).where(*where).values(ended_at=now))


def actor_of_request(
    database: Database, token: str, address: str | None, request_id: str, *, now: datetime
) -> Actor | None:
    """Return who holds this token, or None; a mark is written at most once a minute."""
    with database.reading() as session:
        found = find_signed_in(session, token, now=now)
    if found is None:
        return None
    if now - found.last_seen_at > MARK_EVERY:
        _mark_seen(database, found.actor, now)
    return replace(found.actor, address=address, request_id=request_id)


def _mark_seen(database: Database, actor: Actor, now: datetime) -> None:
    try:
        with database.transaction() as session:
            where = SignInSession.id == actor.session_id
            session.execute(update(SignInSession).where(where).values(last_seen_at=now))
    except (Unavailable, OperationalError):
        # a page can be read while nothing can be written; the next one marks
        log.warning("session could not be marked as seen", extra={"session_id": actor.session_id})


def actor_of(session: Session, token: str, now: datetime) -> Actor | None:
    """Return who holds this token, or None."""
    found = find_signed_in(session, token, now=now)
    return found.actor if found else None


_me = (
    select(
        SignInSession.id.label("session_id"),
        SignInSession.last_seen_at,
        User.id.label("user_id"),
        User.name,
        User.team_id,
        User.preferences,
    )
    .join(User, User.id == SignInSession.user_id)
    .where(
        SignInSession.token_hash == bindparam("token"),
        SignInSession.ended_at.is_(None),
        SignInSession.last_seen_at > bindparam("seen_after"),
        SignInSession.started_at > bindparam("started_after"),
        User.deactivated_at.is_(None),
        User.can_sign_in,
    )
    .cte("me")
)
_below = select(_me.c.team_id.label("id")).where(_me.c.team_id.is_not(None)).cte("below", recursive=True)
_below = _below.union(select(Team.id).join(_below, Team.parent_id == _below.c.id))  # ends on a ring too
_ROLES = select(func.aggregate_strings(UserRole.role, ",")).where(UserRole.user_id == _me.c.user_id)
_TEAMS = select(func.aggregate_strings(cast(_below.c.id, String), ","))
_UNREAD = select(func.count(Notice.id)).where(Notice.person_id == _me.c.user_id, Notice.read_at.is_(None))
_WHO = select(
    _me,
    _ROLES.scalar_subquery().label("roles"),
    _TEAMS.scalar_subquery().label("teams_below"),
    _UNREAD.scalar_subquery().label("unread"),
)
# built once: every request asks it, and putting it together costs more than running it


def find_signed_in(session: Session, token: str, *, now: datetime) -> SignedIn | None:
    """Return who holds this token and when they were last seen, or None: one statement."""
    asked = {"token": token_hash(token), "seen_after": now - IDLE, "started_after": now - LONGEST}
    row = session.execute(_WHO, asked).one_or_none()
    if row is None:
        return None
    actor = Actor(
        id=row.user_id,
        name=row.name,
        roles=frozenset(_listed(row.roles)),
        team_ids=frozenset() if row.team_id is None else frozenset({row.team_id}),
        teams_below=frozenset(map(int, _listed(row.teams_below))),
        session_id=row.session_id,
        theme=row.preferences.get("theme", "system"),
        single_keys=row.preferences.get("single_keys", True),
        keys=tuple(keys_of(row.preferences.get("keys", {})).items()),
        unread=row.unread,
    )
    return SignedIn(actor, row.last_seen_at)


def _listed(joined: str | None) -> list[str]:
    return joined.split(",") if joined else []


def _is_live(now: datetime) -> Clause:
    return (
        SignInSession.ended_at.is_(None)
        & (SignInSession.last_seen_at > now - IDLE)
        & (SignInSession.started_at > now - LONGEST)
    )


def is_confirmed(session: Session, actor: Actor, *, now: datetime) -> bool:
    """Tell whether the person proved within the last quarter of an hour who they are."""
    if actor.session_id is None:
        return False
    at = session.scalar(select(SignInSession.confirmed_at).where(SignInSession.id == actor.session_id))
    return at is not None and now - at <= CONFIRMED


def list_sessions(session: Session, actor: Actor, user_id: int, *, now: datetime) -> list[SignInSession]:
    """Return the live sessions of oneself, or for an administrator of anybody, the latest seen first."""
    require(actor, Permission.SESSION_REVOKE, own_scope(user_id))
    live = select(SignInSession).where(SignInSession.user_id == user_id, _is_live(now))
    return list(session.scalars(live.order_by(SignInSession.last_seen_at.desc(), SignInSession.id.desc())))


def count_live(session: Session, user_ids: list[int], *, now: datetime) -> dict[int, int]:
    """Return how many live sessions each of these people has; people without one are left out."""
    rows = select(SignInSession.user_id, func.count()).where(
        SignInSession.user_id.in_(user_ids), _is_live(now)
    )
    return {user_id: number for user_id, number in session.execute(rows.group_by(SignInSession.user_id))}


def draft_key_for(session: Session, user_id: int) -> bytes:
    """Return the key that seals a person's drafts in the browser, making it at first need.

    It outlives an expired session, so that drafts come back after signing in again, and ends with
    ``forget_draft_key``. Needs a transaction; ``find_draft_key`` only looks.
    """
    made = update(User).where(User.id == user_id, User.draft_key.is_(None))
    session.execute(made.values(draft_key=secrets.token_bytes(32)))
    return session.execute(select(User.draft_key).where(User.id == user_id)).scalar_one() or b""


def find_draft_key(session: Session, user_id: int) -> bytes | None:
    """Return the key that seals a person's drafts in the browser, if there is one."""
    return session.scalar(select(User.draft_key).where(User.id == user_id))


def forget_draft_key(session: Session, user_id: int) -> None:
    """Destroy the key: what a browser still keeps can never be read again."""
    session.execute(update(User).where(User.id == user_id).values(draft_key=None))


_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Firefox", "Firefox"),
    ("HeadlessChrome", "Chrome"),
    ("Chrome", "Chrome"),
    ("Chromium", "Chromium"),
    ("Safari", "Safari"),
)
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS", "Mac"),
    ("CrOS", "Chromebook"),
    ("Linux", "Linux"),
)


def browser_words(user_agent: str) -> str:
    """Return what a person calls the browser: "Firefox on Windows"."""
    browser = next((words for mark, words in _BROWSERS if mark in user_agent), "A browser")
    system = next((words for mark, words in _SYSTEMS if mark in user_agent), "")
    return f"{browser} on {system}" if system else browser
