"""What can be read about people and teams, each row only by those who may."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, func, or_, select, tuple_
from sqlalchemy.orm import Session, selectinload

from qa.accounts.models import Membership, SignInLink, Team, User, UserRole
from qa.accounts.permissions import Permission as P
from qa.accounts.policy import require, visible
from qa.accounts.sessions import token_hash
from qa.core.actor import Actor
from qa.core.errors import NotFound
from qa.core.text import folded

PAGE = 50


@dataclass(frozen=True, slots=True)
class PeopleFilter:
    """What a list of people is narrowed by; empty means everybody."""

    text: str = ""
    team_id: int | None = None
    role: str = ""
    state: str = "active"


@dataclass(frozen=True, slots=True)
class PeoplePage:
    """One page of people, and the key of the next one."""

    people: list[User]
    next_key: str | None


def list_people(session: Session, actor: Actor, wanted: PeopleFilter, *, after: str | None = None) -> PeoplePage:
    """Return people by name, fifty a page."""
    rows = (
        select(User)
        .where(visible(actor, P.USER_READ_PROFILE, User.scope_columns()))
        .options(selectinload(User.roles), selectinload(User.team))
        .order_by(User.name, User.id)
        .limit(PAGE + 1)
    )
    if wanted.text:
        start = folded(wanted.text.strip())
        like = f"%{start.replace('%', '').replace('_', '')}%"
        rows = rows.where(or_(func.lower(User.name).like(like), User.email_folded.like(like)))
    if wanted.team_id is not None:
        rows = rows.where(User.team_id == wanted.team_id)
    if wanted.role:
        rows = rows.where(User.id.in_(select(UserRole.user_id).where(UserRole.role == wanted.role)))
    if wanted.state == "active":
        rows = rows.where(User.deactivated_at.is_(None))
    elif wanted.state == "left":
        rows = rows.where(User.deactivated_at.is_not(None))
    if after:
        name, _, user_id = after.rpartition("~")
        rows = rows.where(tuple_(User.name, User.id) > (name, int(user_id) if user_id.isdigit() else 0))
    people = list(session.scalars(rows))
    more = len(people) > PAGE
    people = people[:PAGE]
    return PeoplePage(people, f"{people[-1].name}~{people[-1].id}" if more else None)


def get_person(session: Session, actor: Actor, user_id: int) -> User:
    """Return one person with roles, team and memberships, or raise ``NotFound``."""
    found = session.scalar(
        select(User)
        .where(User.id == user_id, visible(actor, P.USER_READ_PROFILE, User.scope_columns()))
        .options(
            selectinload(User.roles),
            selectinload(User.team),
            selectinload(User.memberships).selectinload(Membership.team),
        )
    )
    if found is None:
        raise NotFound("There is no such person, or you may not see them.")
    return found


def find_by_email(session: Session, email: str) -> User | None:
    """Return the person with this address; for sign-in only, nobody is signed in yet."""
    return session.scalar(select(User).where(User.email_folded == folded(email.strip())))


def find_link(session: Session, token: str, *, now: datetime) -> SignInLink | None:
    """Return a link that is still good; holding its token is the permission."""
    return session.scalar(
        select(SignInLink).where(
            SignInLink.token_hash == token_hash(token),
            SignInLink.used_at.is_(None),
            SignInLink.expires_at > now,
        )
    )


@dataclass(frozen=True, slots=True)
class TeamRow:
    """A team in its tree, with the number of people who work in it today."""

    team: Team
    depth: int
    people: int


def list_teams(session: Session, actor: Actor) -> list[TeamRow]:
    """Return the open teams as a tree in reading order: two statements."""
    require(actor, P.SCORECARD_READ)  # whoever works here may know how it is organised
    teams = list(session.scalars(select(Team).where(Team.closed_at.is_(None)).order_by(Team.name)))
    counted = select(User.team_id, func.count()).where(and_(User.team_id.is_not(None), User.deactivated_at.is_(None)))
    people = {team_id: number for team_id, number in session.execute(counted.group_by(User.team_id))}
    children: dict[int | None, list[Team]] = {}
    known = {team.id for team in teams}
    for team in teams:
        children.setdefault(team.parent_id if team.parent_id in known else None, []).append(team)
    rows: list[TeamRow] = []

    def walk(parent: int | None, depth: int) -> None:
        for team in children.get(parent, []):
            rows.append(TeamRow(team, depth, people.get(team.id, 0)))
            walk(team.id, depth + 1)

    walk(None, 0)
    return rows


def get_team(session: Session, actor: Actor, team_id: int) -> Team:
    """Return one team, or raise ``NotFound``."""
    require(actor, P.SCORECARD_READ)
    team = session.get(Team, team_id)
    if team is None:
        raise NotFound("There is no such team.")
    return team


def list_with_role(session: Session, actor: Actor, role: str) -> list[User]:
    """Return the active people with a role that this actor may know of, by name."""
    return list(
        session.scalars(
            select(User)
            .where(
                visible(actor, P.USER_READ_PROFILE, User.scope_columns()),
                User.deactivated_at.is_(None),
                User.id.in_(select(UserRole.user_id).where(UserRole.role == role)),
            )
            .order_by(User.name)
        )
    )
