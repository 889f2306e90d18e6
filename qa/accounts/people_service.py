"""What can be done with people: bring in, name, give roles and teams, let go.

Nobody changes their own role, team or standing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from qa.accounts import sessions
from qa.accounts.models import EMAIL_MAX, Membership, Team, User, UserRole
from qa.accounts.permissions import PEOPLE, ROLE_WORDS, Role
from qa.accounts.permissions import Permission as P
from qa.accounts.policy import require
from qa.accounts.queries import find_by_email, get_person, get_team
from qa.core import audit
from qa.core.actor import Actor, Scope, by
from qa.core.errors import Conflict, Forbidden, Invalid
from qa.core.text import checked, checked_name, folded

_EMAIL = re.compile(r"^[^@\s<>\"'(),;:]+@[^@\s<>\"'(),;:]+\.[^@\s<>\"'(),;:.]+$|^[^@\s]+@localhost$")


def create_person(
    session: Session,
    actor: Actor,
    *,
    name: str,
    email: str,
    roles: Iterable[str],
    team_id: int | None,
    now: datetime,
    is_demo: bool = False,
) -> User:
    """Add a person; they choose a password by a one-time link.

    Raises ``Invalid`` with the field, ``Conflict`` when the address is taken.
    """
    require(actor, P.USER_CREATE, Scope())
    name = checked_name(name, field="name", label="The name")
    email = checked_email(email)
    if find_by_email(session, email) is not None:
        raise Invalid("Somebody has this address already. Search the list of people for it.", field="email")
    user = User(
        name=name,
        email=email,
        email_folded=folded(email),
        created_at=now,
        preferences={},
        is_demo=is_demo,
        roles=[UserRole(role=role) for role in checked_roles(roles)],
    )
    session.add(user)
    session.flush()
    if team_id is not None:
        _join(session, user, get_team(session, actor, team_id), now.date())
    after = {"roles": sorted(role.role for role in user.roles), "team_id": team_id}
    audit.record(session, actor, "user:create", "user", user.id, after=after, now=now)
    return user


def checked_email(email: str) -> str:
    """Return an address that mail can reach, or raise ``Invalid``."""
    email = checked(email.strip(), field="email", label="The e-mail address", limit=EMAIL_MAX, multiline=False)
    if not _EMAIL.match(email):
        raise Invalid("This is no e-mail address. It looks like name@example.org.", field="email")
    return email


def checked_roles(roles: Iterable[str]) -> list[str]:
    """Return the roles, each once, or raise ``Invalid``."""
    found = sorted(set(roles))
    known = {role.value for role in PEOPLE}
    if unknown := [role for role in found if role not in known]:
        raise Invalid(f"There is no role {unknown[0]!r}; known are {', '.join(sorted(known))}.", field="roles")
    if not found:
        raise Invalid("Choose at least one role.", field="roles")
    return found


def rename_person(session: Session, actor: Actor, user_id: int, *, name: str, email: str, now: datetime) -> None:
    """Change a person's name or address."""
    user = get_person(session, actor, user_id)
    require(actor, P.USER_CREATE, user.scope)
    name, email = checked_name(name, field="name", label="The name"), checked_email(email)
    other = find_by_email(session, email)
    if other is not None and other.id != user.id:
        raise Invalid("Somebody else has this address already.", field="email")
    user.name, user.email, user.email_folded = name, email, folded(email)
    audit.record(session, actor, "user:rename", "user", user_id, now=now)


def set_roles(session: Session, actor: Actor, user_id: int, *, roles: Iterable[str], now: datetime) -> None:
    """Give a person exactly these roles; every session of theirs ends."""
    user = get_person(session, actor, user_id)
    _not_oneself(actor, user, P.USER_SET_ROLE)
    wanted = checked_roles(roles)
    before = sorted(role.role for role in user.roles)
    if wanted == before:
        return
    user.roles = [role for role in user.roles if role.role in wanted] + [
        UserRole(role=role) for role in wanted if role not in before
    ]
    sessions.end_all(session, user.id, now=now)
    audit.record(
        session, actor, "user:set_role", "user", user_id, before={"roles": before}, after={"roles": wanted}, now=now
    )


def set_team(
    session: Session, actor: Actor, user_id: int, *, team_id: int | None, since: date, now: datetime
) -> None:
    """Move a person into a team from a day on; the former membership ends that day and is kept."""
    user = get_person(session, actor, user_id)
    _not_oneself(actor, user, P.USER_SET_TEAM)
    team = None if team_id is None else get_team(session, actor, team_id)
    if team is not None and team.closed_at is not None:
        raise Invalid("This team is closed. Choose an open one.", field="team_id")
    before = user.team_id
    for membership in user.memberships:
        if membership.until is None or membership.until > since:
            membership.until = max(since, membership.since)
    if team is not None:
        session.flush()
        _join(session, user, team, since)
    if since <= now.date():
        user.team_id = team_id
    values = {"before": {"team_id": before}, "after": {"team_id": team_id, "since": since.isoformat()}}
    audit.record(session, actor, "user:set_team", "user", user_id, now=now, **values)


def _join(session: Session, user: User, team: Team, since: date) -> None:
    earlier = session.scalar(
        select(Membership).where(
            Membership.user_id == user.id, Membership.team_id == team.id, Membership.since == since
        )
    )
    if earlier is not None:
        earlier.until = None
    else:
        session.add(Membership(user_id=user.id, team_id=team.id, since=since))
    user.team_id = team.id


def apply_due_memberships(session: Session, actor: Actor, *, now: datetime) -> int:
    """Bring ``User.team_id`` up to today, for moves that were entered ahead; return how many changed."""
    require(actor, P.USER_SET_TEAM, Scope())
    today = now.date()
    current = (
        select(Membership.user_id, Membership.team_id)
        .where(Membership.since <= today, or_(Membership.until.is_(None), Membership.until > today))
        .order_by(Membership.since)
    )
    wanted = {user_id: team_id for user_id, team_id in session.execute(current)}
    changed = 0
    for user in session.scalars(select(User).where(User.id.in_(select(Membership.user_id)))):
        if user.team_id != wanted.get(user.id):
            user.team_id = wanted.get(user.id)
            changed += 1
    return changed


def deactivate(session: Session, actor: Actor, user_id: int, *, now: datetime) -> None:
    """Close an account; its sessions end at once, what the person did stays."""
    user = get_person(session, actor, user_id)
    _not_oneself(actor, user, P.USER_DEACTIVATE)
    if user.deactivated_at is not None:
        raise Conflict("This account is closed already.")
    user.deactivated_at = now
    sessions.end_all(session, user.id, now=now)
    audit.record(session, actor, "user:deactivate", "user", user_id, now=now)


def reactivate(session: Session, actor: Actor, user_id: int, *, now: datetime) -> None:
    """Open a closed account again."""
    user = get_person(session, actor, user_id)
    _not_oneself(actor, user, P.USER_DEACTIVATE)
    user.deactivated_at = None
    audit.record(session, actor, "user:reactivate", "user", user_id, now=now)


def set_preferences(session: Session, actor: Actor, *, keys_off: bool, now: datetime) -> None:
    """Keep how this person likes to work: single-letter keys on or off."""
    require(actor, P.SESSION_REVOKE, by(actor.id))
    session.execute(update(User).where(User.id == actor.id).values(preferences={"keys_off": keys_off}))


def _not_oneself(actor: Actor, user: User, permission: P) -> None:
    if actor.id == user.id:
        raise Forbidden("Nobody changes their own role, team or standing; another administrator may.")
    require(actor, permission, user.scope)


def role_words(user: User) -> str:
    """Return a person's roles as people read them."""
    return ", ".join(ROLE_WORDS[Role(role.role)] for role in sorted(user.roles, key=lambda r: r.role))
