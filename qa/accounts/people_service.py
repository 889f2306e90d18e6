"""What can be done with people: bring in, name, give roles and teams, let go and take back.

Nobody changes their own role, team or standing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import available_timezones

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from qa.accounts import sessions
from qa.accounts.keys import checked_keys
from qa.accounts.models import EMAIL_MAX, NAME_MAX, Membership, Team, User, UserRole, own_scope
from qa.accounts.permissions import PEOPLE, ROLE_WORDS, Permission
from qa.accounts.policy import REFUSALS, require
from qa.accounts.queries import get_person, get_team
from qa.accounts.sign_in_service import end_links
from qa.core import audit
from qa.core.actor import SYSTEM, Actor, Scope
from qa.core.errors import Conflict, Forbidden, Invalid
from qa.core.text import checked_name, folded, sort_key

THEMES = ("system", "light", "dark")
MOVE_BACK = timedelta(days=366)
MOVE_AHEAD = timedelta(days=366)
TAKEN = "Somebody has this address already. Search the list of people for it."

_PART = r"[^@\s<>\"(),;:\[\]\\.]+"
_EMAIL = re.compile(rf"{_PART}(\.{_PART})*@({_PART}\.)+{_PART}")


def create_person(
    session: Session,
    actor: Actor,
    *,
    name: str,
    email: str,
    roles: Iterable[str],
    team_id: int | None,
    today: date,
    now: datetime,
    is_demo: bool = False,
) -> User:
    """Add a person; they choose a password by a one-time link. ``today`` is the site's day.

    Raises ``Invalid`` with the field for what cannot be taken.
    """
    require(actor, Permission.USER_CREATE, Scope())
    name, email = checked_person_name(name), checked_email(email)
    user = User(
        name=name,
        name_key=_name_key(name),
        email=email,
        email_folded=folded(email),
        created_at=now,
        preferences={},
        is_demo=is_demo,
        roles=[UserRole(role=role) for role in checked_roles(roles)],
        memberships=[],
    )
    session.add(user)
    _flush_address(session)
    if team_id is not None:
        team = _open_team(session, actor, team_id)
        user.memberships.append(Membership(user_id=user.id, team_id=team.id, since=today))
        user.team_id = team.id
    after = {
        "name": name,
        "email": email,
        "roles": sorted(role.role for role in user.roles),
        "team_id": team_id,
    }
    audit.record(session, actor, "user:create", "user", user.id, after=after, now=now)
    return user


def checked_person_name(name: str) -> str:
    """Return a name that can be shown anywhere, or raise ``Invalid``."""
    return checked_name(name, field="name", label="The name", limit=NAME_MAX)


def checked_email(email: str) -> str:
    """Return an address that mail can reach, or raise ``Invalid``."""
    email = checked_name(email, field="email", label="The e-mail address", limit=EMAIL_MAX)
    if not _EMAIL.fullmatch(email) or len(folded(email)) > EMAIL_MAX * 2:
        raise Invalid("This is no e-mail address. It looks like name@example.org.", field="email")
    return email


def checked_roles(roles: Iterable[str]) -> list[str]:
    """Return the roles, each once and sorted, or raise ``Invalid``."""
    found = sorted(set(roles))
    known = sorted(role.value for role in PEOPLE)
    if unknown := [role for role in found if role not in known]:
        raise Invalid(f"There is no role “{unknown[0]}”. Choose among {', '.join(known)}.", field="roles")
    if not found:
        raise Invalid("Choose at least one role.", field="roles")
    return found


def update_profile(
    session: Session, actor: Actor, user_id: int, *, name: str, email: str, now: datetime
) -> None:
    """Change a person's name or address."""
    user = get_person(session, actor, user_id)
    require(actor, Permission.USER_CREATE, user.scope)
    before = {"name": user.name, "email": user.email}
    after = {"name": checked_person_name(name), "email": checked_email(email)}
    if after == before:
        return
    user.name, user.name_key = after["name"], _name_key(after["name"])
    user.email, user.email_folded = after["email"], folded(after["email"])
    _flush_address(session)
    audit.record(session, actor, "user:rename", "user", user_id, before=before, after=after, now=now)


def set_roles(session: Session, actor: Actor, user_id: int, *, roles: Iterable[str], now: datetime) -> None:
    """Give a person exactly these roles; every session of theirs ends."""
    user = get_person(session, actor, user_id)
    _require_of_another(actor, user, Permission.USER_SET_ROLE)
    wanted = checked_roles(roles)
    before = sorted(role.role for role in user.roles)
    if wanted == before:
        return
    kept = [role for role in user.roles if role.role in wanted]
    user.roles = [*kept, *(UserRole(role=role) for role in wanted if role not in before)]
    sessions.end_all(session, user.id, now=now)
    was, now_has = {"roles": before}, {"roles": wanted}
    audit.record(session, actor, "user:set_role", "user", user_id, before=was, after=now_has, now=now)


def set_team(
    session: Session,
    actor: Actor,
    user_id: int,
    *,
    team_id: int | None,
    since: date,
    today: date,
    now: datetime,
) -> None:
    """Move a person into a team, or out of all, from a day on. ``today`` is the site's day.

    The former membership ends that day and is kept; a later move that was entered ahead is dropped.
    """
    user = get_person(session, actor, user_id)
    _require_of_another(actor, user, Permission.USER_SET_TEAM)
    team = None if team_id is None else _open_team(session, actor, team_id)
    if team is not None:
        require(actor, Permission.USER_SET_TEAM, team.scope)
    if not today - MOVE_BACK <= since <= today + MOVE_AHEAD:
        raise Invalid("Choose a day at most a year back or ahead.", field="since")
    before = {"team_id": user.team_id}
    _end_memberships(user, since)
    if team is not None:
        _join(user, team.id, since)
    user.team_id = team_on(user.memberships, today)
    after = {"team_id": team_id, "since": since.isoformat()}
    audit.record(session, actor, "user:set_team", "user", user_id, before=before, after=after, now=now)


def _end_memberships(user: User, day: date) -> None:
    for membership in user.memberships:
        if membership.until is None or membership.until > day:
            membership.until = max(day, membership.since)


def _join(user: User, team_id: int, since: date) -> None:
    for membership in user.memberships:
        if membership.team_id != team_id:
            continue
        if since in (membership.since, membership.until):
            membership.until = None  # the same team goes on
            return
    user.memberships.append(Membership(user_id=user.id, team_id=team_id, since=since))


def team_on(memberships: Iterable[Membership], day: date) -> int | None:
    """Return the team these memberships say a person is in on a day."""
    on_day = [m for m in memberships if m.since <= day and (m.until is None or m.until > day)]
    return max(on_day, key=lambda m: m.since).team_id if on_day else None


def apply_due_moves(session: Session, actor: Actor, *, today: date) -> int:
    """Bring ``User.team_id`` up to the site's day, for moves entered ahead; return how many changed."""
    require(actor, Permission.USER_SET_TEAM, Scope())
    by_person: dict[int, list[Membership]] = {}
    for membership in session.scalars(select(Membership)):
        by_person.setdefault(membership.user_id, []).append(membership)
    now_in = {row.id: row.team_id for row in session.execute(select(User.id, User.team_id))}
    changed = 0
    for user_id, memberships in by_person.items():
        team_id = team_on(memberships, today)
        if now_in[user_id] != team_id:
            session.execute(update(User).where(User.id == user_id).values(team_id=team_id))
            changed += 1
    return changed


def deactivate(session: Session, actor: Actor, user_id: int, *, now: datetime) -> None:
    """Close an account: sessions, links and local drafts end at once; what the person did stays."""
    user = get_person(session, actor, user_id)
    _require_of_another(actor, user, Permission.USER_DEACTIVATE)
    if user.deactivated_at is not None:
        raise Conflict("This account is closed already.")
    user.deactivated_at = now
    sessions.end_all(session, user.id, now=now)
    sessions.forget_draft_key(session, user.id)
    end_links(session, user.id, now=now)
    audit.record(session, actor, "user:deactivate", "user", user_id, now=now)


def reactivate(session: Session, actor: Actor, user_id: int, *, now: datetime) -> None:
    """Open a closed account again."""
    user = get_person(session, actor, user_id)
    _require_of_another(actor, user, Permission.USER_DEACTIVATE)
    if user.deactivated_at is None:
        raise Conflict("This account is open already.")
    user.deactivated_at = None
    audit.record(session, actor, "user:reactivate", "user", user_id, now=now)


def set_preferences(
    session: Session,
    actor: Actor,
    *,
    single_keys: bool,
    theme: str,
    now: datetime,
    keys: Mapping[str, str] | None = None,
    mail: bool = True,
    time_zone: str = "",
) -> None:
    """Keep how this person likes pages to be: single keys, light or dark, mail; ``keys`` None leaves them.

    ``time_zone`` is the one their appointments are told in, empty the site's.

    Raises ``Invalid`` naming each field that cannot be kept.
    """
    require(actor, Permission.SESSION_REVOKE, own_scope(actor.id))
    if theme not in THEMES:
        raise Invalid("Choose light, dark, or as the computer has it.", field="theme")
    if time_zone and time_zone not in available_timezones():
        raise Invalid("Choose a time zone such as Europe/Berlin, or leave it empty.", field="time_zone")
    kept: Mapping[str, Any] = session.scalar(select(User.preferences).where(User.id == actor.id)) or {}
    chosen = {**kept, "single_keys": single_keys, "theme": theme, "mail": mail, "time_zone": time_zone}
    if keys is not None:
        chosen["keys"] = checked_keys(keys)
    session.execute(update(User).where(User.id == actor.id).values(preferences=chosen))
    audit.record(session, actor, "user:preferences", "user", actor.id, now=now)


def role_words(user: User) -> list[str]:
    """Return a person's roles as people read them, in the order of the table of roles."""
    held = {role.role for role in user.roles}
    return [ROLE_WORDS[role] for role in PEOPLE if role in held]


def _open_team(session: Session, actor: Actor, team_id: int) -> Team:
    team = get_team(session, actor, team_id)
    if team.closed_at is not None:
        raise Invalid("This team is closed. Choose an open one.", field="team_id")
    return team


def _require_of_another(actor: Actor, user: User, permission: Permission) -> None:
    if actor.id == user.id and actor is not SYSTEM:
        raise Forbidden(REFUSALS.get(permission, "Nobody changes their own role, team or standing."))
    require(actor, permission, user.scope)


def _name_key(name: str) -> str:
    return sort_key(name)[: NAME_MAX * 4]


def _flush_address(session: Session) -> None:
    try:
        session.flush()
    except IntegrityError as error:
        raise Invalid(TAKEN, field="email") from error
