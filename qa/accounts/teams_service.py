"""What can be done with teams: they are made, named, moved in the tree and closed, never deleted."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from qa.accounts.models import Team, User
from qa.accounts.permissions import Permission as P
from qa.accounts.policy import require
from qa.accounts.queries import get_team
from qa.core import audit
from qa.core.actor import Actor, Scope
from qa.core.errors import Conflict, Invalid
from qa.core.text import checked_name


def create_team(session: Session, actor: Actor, *, name: str, parent_id: int | None, now: datetime) -> Team:
    """Add a team, perhaps inside another."""
    require(actor, P.TEAM_EDIT, Scope())
    if parent_id is not None:
        get_team(session, actor, parent_id)
    team = Team(name=checked_name(name, field="name", label="The name"), parent_id=parent_id, created_at=now)
    session.add(team)
    _flush_name(session)
    audit.record(session, actor, "team:create", "team", team.id, after={"parent_id": parent_id}, now=now)
    return team


def change_team(
    session: Session, actor: Actor, team_id: int, *, name: str, parent_id: int | None, now: datetime
) -> None:
    """Rename a team or move it in the tree; a team never lies inside itself."""
    require(actor, P.TEAM_EDIT, Scope())
    team = get_team(session, actor, team_id)
    above: int | None = parent_id
    while above is not None:
        if above == team_id:
            raise Invalid("A team cannot lie inside itself or inside one of its own teams.", field="parent_id")
        above = get_team(session, actor, above).parent_id
    before = {"parent_id": team.parent_id}
    team.name, team.parent_id = checked_name(name, field="name", label="The name"), parent_id
    _flush_name(session)
    audit.record(
        session, actor, "team:edit", "team", team_id, before=before, after={"parent_id": parent_id}, now=now
    )


def close_team(session: Session, actor: Actor, team_id: int, *, now: datetime) -> None:
    """Close a team in which nobody works and no open team lies."""
    require(actor, P.TEAM_EDIT, Scope())
    team = get_team(session, actor, team_id)
    people = session.scalar(
        select(func.count()).where(User.team_id == team_id, User.deactivated_at.is_(None)).select_from(User)
    )
    inside = session.scalar(
        select(func.count()).where(Team.parent_id == team_id, Team.closed_at.is_(None)).select_from(Team)
    )
    if people or inside:
        raise Conflict(f"{people} people and {inside} teams are still in this team. Move them first.")
    team.closed_at = now
    audit.record(session, actor, "team:close", "team", team_id, now=now)


def _flush_name(session: Session) -> None:
    try:
        session.flush()
    except IntegrityError as error:
        raise Invalid("There is a team of this name at this place already.", field="name") from error
