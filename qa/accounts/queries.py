"""What can be read about people and teams, each row only by those who may."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date, datetime

from sqlalchemy import Select, func, or_, select, tuple_
from sqlalchemy.orm import Session, joinedload, selectinload

from qa.accounts.models import Membership, SignInLink, SignInSession, Team, User, UserRole, own_scope
from qa.accounts.permissions import Permission
from qa.accounts.policy import require, visible
from qa.accounts.sessions import token_hash
from qa.core.actor import Actor
from qa.core.db import Clause
from qa.core.errors import Invalid, NotFound
from qa.core.text import fault_of, folded, sort_key

PAGE = 50
STATES = {"active": "Active", "invited": "Invited", "left": "Left", "all": "All"}
"""What a list of people can be narrowed to: *invited* has an open link and no password yet."""


@dataclass(frozen=True, slots=True)
class PeopleFilter:
    """What a list of people is narrowed by; empty means everybody."""

    text: str = ""
    team_id: int | None = None
    role: str = ""
    state: str = "active"


@dataclass(frozen=True, slots=True)
class PersonRow:
    """One person in a list: when they were last seen, and until when an invitation is open."""

    user: User
    last_seen_at: datetime | None
    invited_until: datetime | None


@dataclass(frozen=True, slots=True)
class PeoplePage:
    """One page of people, and the key of the next one."""

    rows: list[PersonRow]
    next_key: str | None


def list_people(
    session: Session, actor: Actor, wanted: PeopleFilter, *, now: datetime, after: str | None = None
) -> PeoplePage:
    """Return people by name, fifty a page: three statements, however many people there are."""
    found = _people(actor, wanted, now).options(selectinload(User.roles), joinedload(User.team))
    if after:
        found = found.where(tuple_(User.name_key, User.id) > _key_of(after))
    people = list(session.scalars(found.order_by(User.name_key, User.id).limit(PAGE + 1)))
    more, people = len(people) > PAGE, people[:PAGE]
    marks = _marks(session, [user.id for user in people], now)
    rows = [PersonRow(user, *marks.get(user.id, (None, None))) for user in people]
    return PeoplePage(rows, f"{people[-1].id}~{people[-1].name_key}" if more else None)


def count_people(session: Session, actor: Actor, wanted: PeopleFilter, *, now: datetime) -> dict[str, int]:
    """Return how many people the same filter finds in each state: one statement."""
    each = [
        select(func.count())
        .select_from(_people(actor, replace(wanted, state=state), now).subquery())
        .scalar_subquery()
        for state in STATES
    ]
    return dict(zip(STATES, session.execute(select(*each)).one(), strict=True))


def _people(actor: Actor, wanted: PeopleFilter, now: datetime) -> Select[User]:
    rows = select(User).where(visible(actor, Permission.USER_READ_PROFILE, User.scope_columns()))
    if wanted.text:
        rows = rows.where(_matches(wanted.text))
    if wanted.team_id is not None:
        rows = rows.where(User.team_id == wanted.team_id)
    if wanted.role:
        rows = rows.where(User.id.in_(select(UserRole.user_id).where(UserRole.role == wanted.role)))
    match wanted.state:
        case "active":
            return rows.where(User.deactivated_at.is_(None))
        case "left":
            return rows.where(User.deactivated_at.is_not(None))
        case "invited":
            invited = select(SignInLink.user_id).where(_is_open(now))
            return rows.where(
                User.deactivated_at.is_(None), User.password_hash.is_(None), User.id.in_(invited)
            )
    return rows


def _matches(text: str) -> Clause:
    if fault := fault_of(text):
        raise Invalid(f"What you search for {fault}", field="q")
    text = text.strip()
    return or_(
        User.name_key.contains(sort_key(text), autoescape=True),
        User.email_folded.contains(folded(text), autoescape=True),
    )


def _key_of(after: str) -> tuple[str, int]:
    found = re.fullmatch(r"([0-9]{1,18})~([^\x00]*)", after, re.ASCII | re.DOTALL)
    if found is None:
        raise Invalid("This list has no such page. Start again at the first one.")
    return found[2], int(found[1])


def _marks(
    session: Session, user_ids: list[int], now: datetime
) -> dict[int, tuple[datetime | None, datetime | None]]:
    seen = (
        select(func.max(SignInSession.last_seen_at)).where(SignInSession.user_id == User.id).scalar_subquery()
    )
    until = (
        select(func.max(SignInLink.expires_at))
        .where(SignInLink.user_id == User.id, User.password_hash.is_(None), _is_open(now))
        .scalar_subquery()
    )
    rows = session.execute(select(User.id, seen, until).where(User.id.in_(user_ids)))
    return {user_id: (last_seen_at, invited_until) for user_id, last_seen_at, invited_until in rows}


def _is_open(now: datetime) -> Clause:
    return SignInLink.used_at.is_(None) & (SignInLink.expires_at > now)


def get_person(session: Session, actor: Actor, user_id: int) -> User:
    """Return one person with roles, team and memberships, or raise ``NotFound``."""
    found = session.scalar(
        select(User)
        .where(User.id == user_id, visible(actor, Permission.USER_READ_PROFILE, User.scope_columns()))
        .options(
            selectinload(User.roles),
            selectinload(User.team),
            selectinload(User.memberships).selectinload(Membership.team),
        )
        .execution_options(populate_existing=True)
    )
    if found is None:
        raise NotFound("There is no such person, or you may not see them.")
    return found


def get_own_account(session: Session, actor: Actor) -> User:
    """Return the signed-in person with roles and team; everybody may see themselves."""
    require(actor, Permission.SESSION_REVOKE, own_scope(actor.id))
    wanted = select(User).where(User.id == actor.id)
    found = session.scalar(wanted.options(selectinload(User.roles), selectinload(User.team)))
    if found is None:
        raise NotFound("This account is gone.")
    return found


def find_person_by_email(session: Session, actor: Actor, email: str) -> User | None:
    """Return the person with this address, if this actor may see them."""
    theirs = User.email_folded == folded(email.strip())
    seen = visible(actor, Permission.USER_READ_PROFILE, User.scope_columns())
    return None if fault_of(email) else session.scalar(select(User).where(theirs, seen))


def find_invitation(session: Session, actor: Actor, user_id: int, *, now: datetime) -> SignInLink | None:
    """Return a person's open one-time link: when it ends, never what it is."""
    seen = visible(actor, Permission.USER_READ_PROFILE, User.scope_columns())
    theirs = select(SignInLink).join(User, User.id == SignInLink.user_id).where(User.id == user_id, seen)
    return session.scalar(theirs.where(_is_open(now)).order_by(SignInLink.id.desc()).limit(1))


def find_link(session: Session, token: str, *, now: datetime) -> SignInLink | None:
    """Return a link that is still good; holding its token is the permission."""
    return session.scalar(select(SignInLink).where(SignInLink.token_hash == token_hash(token), _is_open(now)))


@dataclass(frozen=True, slots=True)
class TeamRow:
    """A team in its tree: people who work in it today, and with all teams below it."""

    team: Team
    depth: int
    people: int
    people_below: int


def list_teams(session: Session, actor: Actor) -> list[TeamRow]:
    """Return the open teams whose people this actor may see, as a tree in reading order: two statements."""
    seen = visible(actor, Permission.USER_READ_PROFILE, Team.scope_columns())
    teams = list(session.scalars(select(Team).where(Team.closed_at.is_(None), seen)))
    at_work = (User.team_id.is_not(None), User.deactivated_at.is_(None))
    counted = select(User.team_id, func.count()).where(*at_work).group_by(User.team_id)
    people = {team_id: number for team_id, number in session.execute(counted)}
    return _as_tree(sorted(teams, key=lambda team: (sort_key(team.name), team.id)), people)


def _as_tree(teams: list[Team], people: dict[int | None, int]) -> list[TeamRow]:
    shown = {team.id for team in teams}
    inside: dict[int | None, list[Team]] = {}
    for team in teams:
        inside.setdefault(team.parent_id if team.parent_id in shown else None, []).append(team)
    rows: list[TeamRow] = []

    def walk(above: int | None, depth: int) -> int:
        total = 0
        for team in inside.get(above, ()):
            place = len(rows)
            own = people.get(team.id, 0)
            rows.append(TeamRow(team, depth, own, own))
            below = own + walk(team.id, depth + 1)
            rows[place] = TeamRow(team, depth, own, below)
            total += below
        return total

    walk(None, 0)
    return rows


def get_team(session: Session, actor: Actor, team_id: int) -> Team:
    """Return one team whose people this actor may see, or raise ``NotFound``."""
    seen = visible(actor, Permission.USER_READ_PROFILE, Team.scope_columns())
    team = session.scalar(select(Team).where(Team.id == team_id, seen))
    if team is None:
        raise NotFound("There is no such team, or you may not see it.")
    return team


def list_closed_teams(session: Session, actor: Actor) -> list[Team]:
    """Return the closed teams whose past this actor may see, by name."""
    seen = visible(actor, Permission.USER_READ_PROFILE, Team.scope_columns())
    teams = session.scalars(select(Team).where(Team.closed_at.is_not(None), seen))
    return sorted(teams, key=lambda team: (sort_key(team.name), team.id))


def chain_up(rows: list[TeamRow], team: Team) -> list[Team]:
    """Return the teams above one, the highest first, as far as they are in this tree."""
    tree = {row.team.id: row.team for row in rows}
    above: list[Team] = []
    while team.parent_id in tree and tree[team.parent_id] not in above:
        team = tree[team.parent_id]
        above.insert(0, team)
    return above


def list_members(session: Session, actor: Actor, team_id: int) -> list[User]:
    """Return the people who work in a team today, by name."""
    return list(
        session.scalars(
            select(User)
            .where(
                visible(actor, Permission.USER_READ_PROFILE, User.scope_columns()),
                User.team_id == team_id,
                User.deactivated_at.is_(None),
            )
            .options(selectinload(User.roles))
            .order_by(User.name_key, User.id)
        )
    )


def list_with_role(session: Session, actor: Actor, role: str) -> list[User]:
    """Return the active people with a role that this actor may know of, by name, with their teams."""
    return list(
        session.scalars(
            select(User)
            .where(
                visible(actor, Permission.USER_READ_PROFILE, User.scope_columns()),
                User.deactivated_at.is_(None),
                User.id.in_(select(UserRole.user_id).where(UserRole.role == role)),
            )
            .options(joinedload(User.team))
            .order_by(User.name_key, User.id)
        )
    )


def moves_ahead(user: User, today: date) -> list[Membership]:
    """Return a person's moves that are entered but not due yet."""
    return [move for move in user.memberships if move.since > today and move.until != move.since]
