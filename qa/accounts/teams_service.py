"""What can be done with teams: they are made, named, moved in the tree and closed, never deleted."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from qa.accounts.models import NAME_MAX, Team, User
from qa.accounts.permissions import Permission
from qa.accounts.policy import require
from qa.accounts.queries import get_team
from qa.core import audit
from qa.core.actor import Actor, Scope
from qa.core.errors import Conflict, Invalid
from qa.core.text import checked_name, folded

DEPTH_MAX = 10


def create_team(session: Session, actor: Actor, *, name: str, parent_id: int | None, now: datetime) -> Team:
    """Add a team, perhaps inside another."""
    require(actor, Permission.TEAM_EDIT, Scope())
    tree = _locked_tree(session)
    team = Team(name=_checked_team_name(name), parent_id=parent_id, created_at=now)
    _check_place(tree, team, parent_id)
    session.add(team)
    session.flush()
    after = {"name": team.name, "parent_id": parent_id}
    audit.record(session, actor, "team:create", "team", team.id, after=after, now=now)
    return team


def change_team(
    session: Session, actor: Actor, team_id: int, *, name: str, parent_id: int | None, now: datetime
) -> None:
    """Rename a team or move it in the tree with all that is below; it never lies inside itself."""
    team = get_team(session, actor, team_id)
    require(actor, Permission.TEAM_EDIT, team.scope)
    tree = _locked_tree(session)
    before = {"name": team.name, "parent_id": team.parent_id}
    after = {"name": _checked_team_name(name), "parent_id": parent_id}
    if after == before:
        return
    team.name = str(after["name"])
    _check_place(tree, team, parent_id)
    team.parent_id = parent_id
    session.flush()
    audit.record(session, actor, "team:edit", "team", team_id, before=before, after=after, now=now)


def close_team(session: Session, actor: Actor, team_id: int, *, now: datetime) -> None:
    """Close a team in which nobody works and no open team lies."""
    team = get_team(session, actor, team_id)
    require(actor, Permission.TEAM_EDIT, team.scope)
    if team.closed_at is not None:
        raise Conflict("This team is closed already.")
    at_work = (User.team_id == team_id, User.deactivated_at.is_(None))
    people = session.scalar(select(func.count(User.id)).where(*at_work)) or 0
    inside = (Team.parent_id == team_id, Team.closed_at.is_(None))
    teams = session.scalar(select(func.count(Team.id)).where(*inside)) or 0
    if people or teams:
        left = [f"{people} {'person' if people == 1 else 'people'}"] if people else []
        left += [f"{teams} {'team' if teams == 1 else 'teams'}"] if teams else []
        verb = "is" if people + teams == 1 else "are"
        raise Conflict(f"{' and '.join(left)} {verb} still in this team. Move them first, then close it.")
    team.closed_at = now
    audit.record(session, actor, "team:close", "team", team_id, now=now)


def reopen_team(session: Session, actor: Actor, team_id: int, *, now: datetime) -> None:
    """Open a closed team again."""
    team = get_team(session, actor, team_id)
    require(actor, Permission.TEAM_EDIT, team.scope)
    if team.closed_at is None:
        raise Conflict("This team is open already.")
    _check_place(_locked_tree(session), team, team.parent_id)
    team.closed_at = None
    audit.record(session, actor, "team:reopen", "team", team_id, now=now)


def _locked_tree(session: Session) -> dict[int, Team]:
    # two moves at once could close a ring; PostgreSQL needs the lock, SQLite has one writer
    return {team.id: team for team in session.scalars(select(Team).order_by(Team.id).with_for_update())}


def _checked_team_name(name: str) -> str:
    return checked_name(name, field="name", label="The name", limit=NAME_MAX)


def _check_place(tree: dict[int, Team], team: Team, parent_id: int | None) -> None:
    beside = [other for other in tree.values() if other.parent_id == parent_id and other is not team]
    if twin := next((other for other in beside if folded(other.name) == folded(team.name)), None):
        closed = " (closed)" if twin.closed_at else ""
        raise Invalid(f"There is a team “{twin.name}”{closed} at this place already.", field="name")
    above = _chain_up(tree, parent_id)
    if team in above:
        raise Invalid("A team cannot lie inside itself or inside one of its own teams.", field="parent_id")
    if above and above[0].closed_at is not None:
        raise Invalid("The team above is closed. Choose an open one.", field="parent_id")
    if len(above) + _height(tree, team) > DEPTH_MAX:
        raise Invalid(
            f"Teams nest at most {DEPTH_MAX} levels deep. Choose a higher place.", field="parent_id"
        )


def _chain_up(tree: dict[int, Team], team_id: int | None) -> list[Team]:
    above: list[Team] = []
    while team_id is not None:
        if team_id not in tree:
            raise Invalid("The team above does not exist. Choose one from the list.", field="parent_id")
        if tree[team_id] in above:
            break
        above.append(tree[team_id])
        team_id = tree[team_id].parent_id
    return above


def _height(tree: dict[int, Team], team: Team) -> int:
    below = [other for other in tree.values() if team.id is not None and other.parent_id == team.id]
    return 1 + max((_height(tree, other) for other in below), default=0)
