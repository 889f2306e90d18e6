"""Submitted evaluations as numbers about people need them, each only for those who may read it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction
from typing import Any

from sqlalchemy import Select, false, func, select, true
from sqlalchemy.orm import Session, joinedload, selectinload

from qa.accounts.models import Team, User, UserRole
from qa.accounts.permissions import Permission as P
from qa.accounts.policy import require, visible
from qa.coaching.models import CoachingPlan
from qa.core.actor import Actor
from qa.core.db import Clause
from qa.core.errors import NotFound
from qa.core.text import sort_key
from qa.evaluations.models import Evaluation, Pin
from qa.insights.scores import Scored
from qa.interactions.models import Interaction
from qa.scorecards.models import ScorecardVersion

MICRO = 1_000_000
COMPARED = 400
MOMENTS = 60


def get_agent(session: Session, actor: Actor, user_id: int) -> User:
    """Return an agent whose released evaluations this actor may read, or raise ``NotFound``."""
    found = session.scalar(
        _people(actor).where(User.id == user_id).options(joinedload(User.team), selectinload(User.roles))
    )
    if found is None:
        raise NotFound("There is no such agent, or you may not see their page.")
    return found


def list_agents(session: Session, actor: Actor, team_ids: frozenset[int] | None = None) -> list[User]:
    """Return the agents at work whose released evaluations this actor may read, by name."""
    rows = _people(actor).where(User.deactivated_at.is_(None)).options(joinedload(User.team))
    if team_ids is not None:
        rows = rows.where(User.team_id.in_(team_ids))
    return list(session.scalars(rows.order_by(User.name_key, User.id)))


def _people(actor: Actor) -> Select[User]:
    """Whoever may read a released evaluation of somebody may read the page about them."""
    columns = replace(
        User.scope_columns(), by=None, in_states=lambda states: true() if "released" in states else false()
    )
    return select(User).where(
        User.id.in_(select(UserRole.user_id).where(UserRole.role == "agent")),
        visible(actor, P.EVALUATION_READ, columns),
    )


def _countable() -> tuple[Clause, ...]:
    return (
        Evaluation.type == "standard",
        Evaluation.submitted_at.is_not(None),
        Evaluation.voided_at.is_(None),
    )


def _columns(*, answers: bool) -> Any:
    chosen: Any = select(
        Evaluation.id,
        Evaluation.agent_id,
        Evaluation.scorecard_id,
        Evaluation.version_id,
        Evaluation.submitted_at,
        Evaluation.selection_method,
        Evaluation.raw_micro,
        Evaluation.fail_causes,
    )
    return chosen.add_columns(Evaluation.breakdown) if answers else chosen


def _scored(row: Any, *, answers: bool) -> Scored:
    parts = (row.breakdown or {}).get("questions", []) if answers else []
    return Scored(
        id=row.id,
        agent_id=row.agent_id,
        scorecard_id=row.scorecard_id,
        version_id=row.version_id,
        at=row.submitted_at,
        is_random=row.selection_method == "random",
        score=None if row.raw_micro is None else row.raw_micro / MICRO,
        auto_failed=any(cause["scope"] == "form" for cause in row.fail_causes or ()),
        met={part["ref"]: Fraction(part["ratio"]) >= 1 for part in parts if part["ratio"] is not None},
    )


def list_of_agent(session: Session, actor: Actor, agent_id: int, *, since: datetime) -> list[Scored]:
    """Return an agent's countable evaluations since then that this actor may read, the oldest first."""
    rows = session.execute(
        _columns(answers=True)
        .where(
            *_countable(),
            Evaluation.agent_id == agent_id,
            Evaluation.submitted_at >= since,
            visible(actor, P.EVALUATION_READ, Evaluation.scope_columns()),
        )
        .order_by(Evaluation.submitted_at, Evaluation.id)
    )
    return [_scored(row, answers=True) for row in rows]


def list_beside(session: Session, actor: Actor, agent: User, *, since: datetime) -> list[Scored]:
    """Return what was scored of the agent's team since then, to compare with and to take the spread from.

    Whoever may read the agent's page may have these numbers counted together; nobody is shown a colleague's.
    """
    require(actor, P.EVALUATION_READ, replace(agent.scope, author_ids=frozenset(), state="released"))
    if agent.team_id is None:
        return []
    rows = session.execute(
        _columns(answers=True)
        .where(
            *_countable(),
            Evaluation.team_id == agent.team_id,
            Evaluation.agent_id != agent.id,
            Evaluation.selection_method == "random",
            Evaluation.submitted_at >= since,
        )
        .order_by(Evaluation.submitted_at.desc(), Evaluation.id.desc())
        .limit(COMPARED)
    )
    return [_scored(row, answers=True) for row in rows]


def list_of_agents(
    session: Session, actor: Actor, agents: Iterable[User], *, since: datetime, answers: bool = True
) -> list[Scored]:
    """Return the countable evaluations of these agents since then that this actor may read."""
    rows = session.execute(
        _columns(answers=answers).where(
            *_countable(),
            Evaluation.agent_id.in_([agent.id for agent in agents]),
            Evaluation.submitted_at >= since,
            visible(actor, P.EVALUATION_READ, Evaluation.scope_columns()),
        )
    )
    return sorted((_scored(row, answers=answers) for row in rows), key=lambda one: (one.at, one.id))


@dataclass(frozen=True, slots=True)
class Moment:
    """A pinned moment of one evaluation, and the question it belongs to."""

    question: str
    evaluation_id: int
    start_ms: int | None
    note: str
    subject: str
    at: datetime | None


def list_moments(session: Session, actor: Actor, agent_id: int, *, since: datetime) -> list[Moment]:
    """Return the newest pinned moments of an agent's evaluations that this actor may read."""
    rows = session.execute(
        select(
            Pin.question,
            Pin.evaluation_id,
            Pin.start_ms,
            Pin.note,
            Interaction.subject,
            Evaluation.submitted_at,
        )
        .select_from(Evaluation)
        .join(Pin, Pin.evaluation_id == Evaluation.id)
        .join(Interaction, Interaction.id == Evaluation.interaction_id)
        .where(
            *_countable(),
            Evaluation.agent_id == agent_id,
            Evaluation.submitted_at >= since,
            visible(actor, P.EVALUATION_READ, Evaluation.scope_columns()),
        )
        .order_by(Evaluation.submitted_at.desc(), Evaluation.id.desc())
        .limit(MOMENTS)
    )
    return [Moment(*row) for row in rows]


def list_versions(session: Session, actor: Actor, scorecard_ids: Sequence[int]) -> list[ScorecardVersion]:
    """Return the activated versions of these scorecards, with their scorecards, the oldest first."""
    require(actor, P.SCORECARD_READ)
    return list(
        session.scalars(
            select(ScorecardVersion)
            .where(
                ScorecardVersion.scorecard_id.in_(scorecard_ids), ScorecardVersion.activated_at.is_not(None)
            )
            .options(joinedload(ScorecardVersion.scorecard))
            .order_by(ScorecardVersion.scorecard_id, ScorecardVersion.number)
        )
    )


@dataclass(frozen=True, slots=True)
class Coverage:
    """One agent: how many random evaluations since the month began to count, and the day of the last one."""

    random: int
    last: datetime | None


def find_coverage(
    session: Session, actor: Actor, agents: Iterable[User], *, since: datetime, back_to: datetime
) -> dict[int, Coverage]:
    """Return by agent how many evaluations were drawn at random since then, and when the last one was."""
    counted = func.count().filter(Evaluation.selection_method == "random", Evaluation.submitted_at >= since)
    rows = session.execute(
        select(Evaluation.agent_id, counted, func.max(Evaluation.submitted_at))
        .where(
            *_countable(),
            Evaluation.agent_id.in_([agent.id for agent in agents]),
            Evaluation.submitted_at >= back_to,
            visible(actor, P.EVALUATION_READ, Evaluation.scope_columns()),
        )
        .group_by(Evaluation.agent_id)
    )
    return {agent_id: Coverage(number, last) for agent_id, number, last in rows}


def list_teams(session: Session, actor: Actor) -> list[Team]:
    """Return the open teams whose numbers this actor may read, by name."""
    seen = visible(actor, P.KPI_READ, Team.scope_columns())
    teams = session.scalars(select(Team).where(Team.closed_at.is_(None), seen))
    return sorted(teams, key=lambda team: (sort_key(team.name), team.id))


def list_coaching_begun(session: Session, actor: Actor, agent_id: int, *, since: datetime) -> list[datetime]:
    """Return when coaching of an agent began since then, of plans that this actor may read."""
    rows = select(CoachingPlan.started_at).where(
        CoachingPlan.agent_id == agent_id,
        CoachingPlan.started_at >= since,
        visible(actor, P.COACHING_PLAN_READ, CoachingPlan.scope_columns()),
    )
    return sorted(at for at in session.scalars(rows) if at is not None)
