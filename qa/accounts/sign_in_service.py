"""Signing in and out, one-time links and passwords.

Known and unknown names cost the same work and get the same answer.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from qa.accounts import passwords, sessions, throttle
from qa.accounts.models import SignInLink, SignInSession, User
from qa.accounts.permissions import Permission as P
from qa.accounts.policy import require
from qa.accounts.queries import find_by_email, find_link, get_person
from qa.core import audit
from qa.core.actor import Actor, by
from qa.core.errors import Conflict, Invalid

LINK_LIFE = timedelta(hours=24)
WRONG = "E-mail or password is wrong. Check both; capital letters count."


@dataclass(frozen=True, slots=True)
class SignIn:
    """How a try to sign in ended: a token, or nothing."""

    token: str | None


def sign_in(
    session: Session, *, email: str, password: str, browser: str, address: str, now: datetime
) -> SignIn:
    """Check name and password and begin a session; a failure is counted, not raised.

    Raises ``TooMany`` while a pause is on. The caller tells the person ``WRONG``.
    """
    keys = throttle.keys_of(email, address)
    throttle.check(session, keys, now=now)
    user = find_by_email(session, email)
    fits = passwords.verify_password(user.password_hash if user else None, password[:1000])
    if user is None or not fits or not user.can_sign_in or user.deactivated_at is not None:
        throttle.note_failure(session, keys, now=now)
        return SignIn(None)
    if user.password_hash and passwords.needs_rehash(user.password_hash):
        user.password_hash = passwords.hash_password(password)
    throttle.forget(session, keys, now=now)
    token = sessions.start(session, user.id, browser=browser, address=address, now=now)
    actor = Actor(id=user.id, name=user.name, roles=frozenset(), address=address)
    audit.record(session, actor, "session:start", "user", user.id, now=now)
    return SignIn(token)


def sign_out(session: Session, actor: Actor, *, now: datetime) -> None:
    """End this session and destroy the key of the drafts kept in the browser."""
    require(actor, P.SESSION_REVOKE, by(actor.id))
    if actor.session_id is not None:
        sessions.end(session, actor.session_id, now=now)
    session.execute(update(User).where(User.id == actor.id).values(draft_key=None))
    audit.record(session, actor, "session:end", "user", actor.id, now=now)


def revoke_session(session: Session, actor: Actor, session_id: int, *, now: datetime) -> None:
    """End one of the person's own sessions, or anybody's for an administrator."""
    owner = session.scalar(select(SignInSession.user_id).where(SignInSession.id == session_id))
    require(actor, P.SESSION_REVOKE, by(owner))
    sessions.end(session, session_id, now=now)
    audit.record(session, actor, "session:revoke", "session", session_id, now=now)


def confirm_identity(session: Session, actor: Actor, password: str, *, now: datetime) -> bool:
    """Mark this session as confirmed when the password fits; count a failure when not."""
    require(actor, P.SESSION_REVOKE, by(actor.id))
    user = session.get(User, actor.id)
    keys = throttle.keys_of(user.email if user else "", actor.address or "")
    throttle.check(session, keys, now=now)
    if user is None or not passwords.verify_password(user.password_hash, password[:1000]):
        throttle.note_failure(session, keys, now=now)
        return False
    where = SignInSession.id == actor.session_id
    session.execute(update(SignInSession).where(where).values(confirmed_at=now))
    return True


def make_link(session: Session, actor: Actor, user_id: int, *, now: datetime) -> str:
    """Return the token of a one-time link with which the person chooses a password.

    Earlier links of the person end.
    """
    user = get_person(session, actor, user_id)
    require(actor, P.USER_CREATE, user.scope)
    ended = (SignInLink.user_id == user_id, SignInLink.used_at.is_(None))
    session.execute(update(SignInLink).where(*ended).values(used_at=now))
    token = secrets.token_urlsafe(32)
    link = SignInLink(user_id=user_id, token_hash=sessions.token_hash(token), made_at=now, expires_at=now + LINK_LIFE)
    session.add(link)
    audit.record(session, actor, "user:link", "user", user_id, now=now)
    return token


def choose_password(session: Session, token: str, password: str, *, words: tuple[str, ...], now: datetime) -> int:
    """Use a one-time link to choose a password; every session of the person ends.

    Raises ``Conflict`` when the link was used or is too old. Of two uses one wins.
    """
    link = find_link(session, token, now=now)
    if link is None:
        raise Conflict("This link was used already or is too old. Ask your administrator for a new one.")
    user = session.get(User, link.user_id)
    if user is None or user.deactivated_at is not None:
        raise Conflict("This account is closed. Ask your administrator.")
    user.password_hash = _hashed(password, user, words)
    user.can_sign_in = True
    link.used_at = now
    sessions.end_all(session, user.id, now=now)
    actor = Actor(id=user.id, name=user.name, roles=frozenset())
    audit.record(session, actor, "user:password", "user", user.id, now=now)
    return user.id


def change_password(
    session: Session, actor: Actor, *, old: str, new: str, words: tuple[str, ...], now: datetime
) -> None:
    """Change one's own password; all other sessions end."""
    require(actor, P.SESSION_REVOKE, by(actor.id))
    user = session.get(User, actor.id)
    if user is None or not passwords.verify_password(user.password_hash, old[:1000]):
        raise Invalid("That is not your present password.", field="old")
    user.password_hash = _hashed(new, user, words)
    sessions.end_all(session, user.id, now=now, but=actor.session_id)
    audit.record(session, actor, "user:password", "user", user.id, now=now)


def _hashed(password: str, user: User, words: tuple[str, ...]) -> str:
    about = [*words, *user.name.split(), user.email.split("@")[0]]
    return passwords.hash_password(passwords.checked_password(password, field="password", about=about))


def draft_key(session: Session, actor: Actor) -> bytes:
    """Return the key that seals drafts in this person's browser, making it at first need."""
    require(actor, P.SESSION_REVOKE, by(actor.id))
    user = session.get(User, actor.id)
    if user is None:
        raise Conflict("This account is closed.")
    if user.draft_key is None:
        user.draft_key = secrets.token_bytes(32)
    return user.draft_key
