"""Signed-in browsers: a random token in the cookie, its hash in a row that decides.

Ending the row ends the session at once in every process. Idle for an hour or twelve hours old, a
session is over; reading a page writes nothing but a mark once a minute.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from qa.accounts.models import Membership, SignInSession, Team, User, UserRole
from qa.core.actor import Actor
from qa.core.db import Database

IDLE = timedelta(minutes=60)
LONGEST = timedelta(hours=12)
CONFIRMED = timedelta(minutes=15)
MARK_EVERY = timedelta(minutes=1)


def token_hash(token: str) -> str:
    """Return what the database keeps of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


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
            browser=browser[:300],
            address=address[:64],
        )
    )
    return token


def end(session: Session, session_id: int, *, now: datetime) -> None:
    """End one session."""
    where = (SignInSession.id == session_id, SignInSession.ended_at.is_(None))
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
        found = actor_of(session, token, address=address, request_id=request_id, now=now)
        if found is None:
            return None
        actor, seen = found
    if now - seen > MARK_EVERY:
        with database.transaction() as session:
            where = SignInSession.id == actor.session_id
            session.execute(update(SignInSession).where(where).values(last_seen_at=now))
    return actor


def actor_of(
    session: Session, token: str, *, now: datetime, address: str | None = None, request_id: str | None = None
) -> tuple[Actor, datetime] | None:
    """Return the actor of a live token and when it was last seen: three statements."""
    row = session.execute(
        select(SignInSession.id, SignInSession.last_seen_at, User.id, User.name)
        .join(User, User.id == SignInSession.user_id)
        .where(
            SignInSession.token_hash == token_hash(token),
            SignInSession.ended_at.is_(None),
            SignInSession.last_seen_at > now - IDLE,
            SignInSession.started_at > now - LONGEST,
            User.deactivated_at.is_(None),
            User.can_sign_in,
        )
    ).one_or_none()
    if row is None:
        return None
    session_id, seen, user_id, name = row
    actor = build_actor(session, user_id, name, now=now)
    named = Actor(
        id=actor.id,
        name=actor.name,
        roles=actor.roles,
        team_ids=actor.team_ids,
        teams_below=actor.teams_below,
        session_id=session_id,
        request_id=request_id,
        address=address,
    )
    return named, seen


def build_actor(session: Session, user_id: int, name: str, *, now: datetime) -> Actor:
    """Return a person as an actor, with roles and today's teams."""
    roles = frozenset(session.scalars(select(UserRole.role).where(UserRole.user_id == user_id)))
    today = now.date()
    own = (
        select(Membership.team_id.label("id"))
        .where(
            Membership.user_id == user_id,
            Membership.since <= today,
            (Membership.until.is_(None)) | (Membership.until > today),
        )
        .cte("own", recursive=True)
    )
    below = own.union(select(Team.id).join(own, Team.parent_id == own.c.id))
    mine = select(Membership.team_id).where(
        Membership.user_id == user_id,
        Membership.since <= today,
        (Membership.until.is_(None)) | (Membership.until > today),
    )
    rows = session.execute(select(below.c.id, below.c.id.in_(mine)).distinct()).all()
    return Actor(
        id=user_id,
        name=name,
        roles=roles,
        team_ids=frozenset(team for team, is_own in rows if is_own),
        teams_below=frozenset(team for team, _ in rows),
    )


def is_confirmed(session: Session, session_id: int | None, *, now: datetime) -> bool:
    """Tell whether the person proved within the last quarter of an hour who they are."""
    if session_id is None:
        return False
    at = session.scalar(select(SignInSession.confirmed_at).where(SignInSession.id == session_id))
    return at is not None and now - at <= CONFIRMED


def list_own(session: Session, user_id: int, *, now: datetime) -> list[SignInSession]:
    """Return a person's live sessions, the newest first."""
    return list(
        session.scalars(
            select(SignInSession)
            .where(
                SignInSession.user_id == user_id,
                SignInSession.ended_at.is_(None),
                SignInSession.last_seen_at > now - IDLE,
                SignInSession.started_at > now - LONGEST,
            )
            .order_by(SignInSession.last_seen_at.desc())
        )
    )
