"""Signing in and out, one-time links and passwords.

Known and unknown names take the same path: the try is counted, a hash is computed, and the answer is
the same. A password is looked at between two transactions, never inside one: the hash takes a tenth
of a second in which nobody else could write.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from qa.accounts import passwords, sessions, throttle
from qa.accounts.models import SignInLink, SignInSession, User, UserRole, own_scope
from qa.accounts.permissions import Permission
from qa.accounts.policy import require, visible
from qa.accounts.queries import get_person
from qa.accounts.throttle import Door, door_of
from qa.core import audit
from qa.core.actor import Actor
from qa.core.errors import Conflict, Invalid, NotFound, TooMany
from qa.core.text import fault_of, folded

LINK_LIFE = timedelta(minutes=30)
SIGN_INS_A_MINUTE = 10
WRONG = "E-mail or password is wrong. Check both; capital letters count."
LINK_OVER = "This link was used already or is too old. Ask your administrator for a new one."
CLOSED = "This account is closed. Ask your administrator."


@dataclass(frozen=True, slots=True)
class Try:
    """A counted try to prove who one is: the door it came to, and the hash to look at, if any."""

    door: Door
    user_id: int | None
    password_hash: str | None


@dataclass(frozen=True, slots=True)
class Proof:
    """What looking at a password gave; ``renewed_hash`` where today's parameters are stronger."""

    door: Door
    user_id: int | None
    password_hash: str | None
    fits: bool
    renewed_hash: str | None = None


def begin_sign_in(session: Session, *, email: str, door: Door, now: datetime) -> Try:
    """Count a try to sign in; raises ``TooMany`` while a pause is on, known name or not."""
    throttle.begin(session, door, now=now)
    user = _find_by_email(session, email)
    may = user is not None and user.can_sign_in and user.deactivated_at is None
    return Try(door, user.id if user else None, user.password_hash if user and may else None)


def begin_own(session: Session, actor: Actor, *, now: datetime) -> Try:
    """Count a signed-in person's try to give their own password; strangers' tries do not slow it."""
    require(actor, Permission.SESSION_REVOKE, own_scope(actor.id))
    user = _me(session, actor)
    door = door_of(user.email, actor.address or "", f"signed in: {user.id}")
    throttle.begin(session, door, now=now)
    return Try(door, user.id, user.password_hash)


def look_at(tried: Try, password: str) -> Proof:
    """Look at the password: slow on purpose, the same for nobody; call it outside any transaction."""
    fits = passwords.verify_password(tried.password_hash, password)
    renewed = None
    if fits and tried.password_hash and passwords.needs_rehash(tried.password_hash):
        renewed = passwords.hash_password(password)
    return Proof(tried.door, tried.user_id, tried.password_hash, fits, renewed)


def complete_sign_in(
    session: Session, proof: Proof, *, browser: str, address: str, old_token: str | None, now: datetime
) -> str | None:
    """Begin a session and return its token, or None when the password did not fit.

    What was looked at must still hold: an account closed or a password changed meanwhile refuses.
    """
    user = session.get(User, proof.user_id, with_for_update=True) if proof.user_id else None
    roles = session.scalars(select(UserRole.role).where(UserRole.user_id == proof.user_id))
    if user is None or not _still_holds(user, proof):
        stranger = Actor(id=None, name="", roles=frozenset(), address=address)
        audit.record(session, stranger, "session:refuse", "user", proof.user_id or "unknown", now=now)
        return None
    actor = Actor(id=user.id, name=user.name, roles=frozenset(roles), address=address)
    _not_too_often(session, user.id, now)
    if proof.renewed_hash:
        user.password_hash = proof.renewed_hash
    throttle.forgive(session, proof.door)
    if old_token is not None:
        sessions.end_by_token(session, old_token, now=now)
    token = sessions.start(session, user.id, browser=browser, address=address, now=now)
    audit.record(session, actor, "session:start", "user", user.id, now=now)
    return token


def _still_holds(user: User, proof: Proof) -> bool:
    open_now = user.can_sign_in and user.deactivated_at is None
    return proof.fits and open_now and user.password_hash == proof.password_hash


def _not_too_often(session: Session, user_id: int, now: datetime) -> None:
    recent = (SignInSession.user_id == user_id, SignInSession.started_at > now - timedelta(minutes=1))
    if (session.scalar(select(func.count()).where(*recent)) or 0) >= SIGN_INS_A_MINUTE:
        raise TooMany(
            "You signed in many times within a minute. Wait a minute, then try again.", retry_after=60
        )


def sign_out(session: Session, actor: Actor, *, now: datetime) -> None:
    """End this session and destroy the key of the drafts kept in the browser."""
    require(actor, Permission.SESSION_REVOKE, own_scope(actor.id))
    if actor.id is None:
        return
    if actor.session_id is not None:
        sessions.end(session, actor.session_id, now=now)
    sessions.forget_draft_key(session, actor.id)
    audit.record(session, actor, "session:end", "user", actor.id, now=now)


def revoke_session(session: Session, actor: Actor, session_id: int, *, now: datetime) -> None:
    """End one of the person's own sessions, or anybody's for an administrator."""
    theirs = visible(actor, Permission.SESSION_REVOKE, SignInSession.scope_columns())
    found = session.scalar(select(SignInSession).where(SignInSession.id == session_id, theirs))
    if found is None:
        raise NotFound("There is no such session, or it is not yours to end.")
    sessions.end(session, session_id, now=now)
    after = {"user_id": found.user_id}
    audit.record(session, actor, "session:revoke", "session", session_id, after=after, now=now)


def revoke_all_sessions(session: Session, actor: Actor, user_id: int, *, now: datetime) -> None:
    """Sign a person out everywhere; oneself everywhere else."""
    require(actor, Permission.SESSION_REVOKE, own_scope(user_id))
    sessions.end_all(session, user_id, now=now, but=actor.session_id if user_id == actor.id else None)
    audit.record(session, actor, "session:revoke_all", "user", user_id, now=now)


def confirm_identity(session: Session, actor: Actor, proof: Proof, *, now: datetime) -> bool:
    """Mark this session as confirmed when the password fitted."""
    require(actor, Permission.SESSION_REVOKE, own_scope(actor.id))
    if not _still_holds(_me(session, actor), proof):
        return False
    throttle.forgive(session, proof.door)
    where = SignInSession.id == actor.session_id
    session.execute(update(SignInSession).where(where).values(confirmed_at=now))
    return True


def make_link(session: Session, actor: Actor, user_id: int, *, now: datetime) -> str:
    """Return the token of a one-time link with which the person chooses a password.

    Earlier links of the person end; an agent without sign-in gets one by it.
    """
    user = get_person(session, actor, user_id)
    require(actor, Permission.USER_CREATE, user.scope)
    if user.deactivated_at is not None:
        raise Conflict("This account is closed. Open it first, then make a link.")
    end_links(session, user_id, now=now)
    user.can_sign_in = True
    token = secrets.token_urlsafe(32)
    until = now + LINK_LIFE
    session.add(
        SignInLink(user_id=user_id, token_hash=sessions.token_hash(token), made_at=now, expires_at=until)
    )
    audit.record(session, actor, "user:link", "user", user_id, now=now)
    return token


def end_links(session: Session, user_id: int, *, now: datetime) -> None:
    """Make every open one-time link of a person useless."""
    open_ones = (SignInLink.user_id == user_id, SignInLink.used_at.is_(None))
    session.execute(update(SignInLink).where(*open_ones).values(used_at=now))


def choose_password(
    session: Session, token: str, password: str, *, words: Iterable[str], now: datetime
) -> str:
    """Use a one-time link to choose a password, and return the account's e-mail; its sessions end.

    Raises ``Conflict`` when the link was used or is too old: of two uses one wins.
    """
    taken = (
        update(SignInLink)
        .where(
            SignInLink.token_hash == sessions.token_hash(token),
            SignInLink.used_at.is_(None),
            SignInLink.expires_at > now,
        )
        .values(used_at=now)
        .returning(SignInLink.user_id)
    )
    user_id = session.scalar(taken)
    if user_id is None:
        raise Conflict(LINK_OVER)
    user = session.get(User, user_id)
    if user is None or user.deactivated_at is not None or not user.can_sign_in:
        raise Conflict(CLOSED)
    _set_password(user, password, words)
    sessions.end_all(session, user.id, now=now)
    throttle.forgive(session, door_of(user.email, ""))
    actor = Actor(id=user.id, name=user.name, roles=frozenset())
    audit.record(session, actor, "user:password", "user", user.id, reason="one-time link", now=now)
    return user.email


def change_password(
    session: Session, actor: Actor, proof: Proof, *, new: str, words: Iterable[str], now: datetime
) -> None:
    """Change one's own password after proof of the present one; all other sessions end."""
    require(actor, Permission.SESSION_REVOKE, own_scope(actor.id))
    user = _me(session, actor)
    if not _still_holds(user, proof):
        raise Invalid("That is not your present password.", field="old")
    _set_password(user, new, words)
    throttle.forgive(session, proof.door)
    end_links(session, user.id, now=now)
    sessions.end_all(session, user.id, now=now, but=actor.session_id)
    audit.record(session, actor, "user:password", "user", user.id, now=now)


def _set_password(user: User, password: str, words: Iterable[str]) -> None:
    local, _, host = user.email.partition("@")
    about = [*words, user.name, *user.name.split(), user.email, local, *local.split("."), host]
    checked = passwords.checked_password(password, field="password", about=about)
    user.password_hash = passwords.hash_password(checked)


def _find_by_email(session: Session, email: str) -> User | None:
    known = None if fault_of(email) else folded(email.strip())
    return session.scalar(select(User).where(User.email_folded == known))


def _me(session: Session, actor: Actor) -> User:
    user = session.get(User, actor.id)
    if user is None:
        raise Conflict(CLOSED)
    return user
