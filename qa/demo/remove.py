"""Take the demo centre away again: everything marked as demo, and what people added to it.

Audit rows stay. Real people's own things are left alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, delete, func, or_, select, update
from sqlalchemy.orm import Session

from qa.accounts.models import Team, User
from qa.coaching.models import (
    CoachingPlan,
    CoachingSession,
    CoachingTodo,
    PlanEvent,
    PlanTemplate,
    PrivateNote,
    SessionMember,
)
from qa.core import audit
from qa.core.actor import SYSTEM
from qa.core.storage import Storage
from qa.demo.train import remove_trainings, touching
from qa.evaluations.models import Assignment, CommentTemplate, Evaluation
from qa.interactions.models import Interaction, Recording
from qa.scorecards.models import Scorecard, ScorecardVersion


@dataclass(frozen=True, slots=True)
class RealWork:
    """Something a real person added to demo data."""

    words: str
    count: int


def demo_interactions() -> Select[int]:
    """Return the demo conversations' ids."""
    return select(Interaction.id).where(Interaction.is_demo)


def demo_people() -> Select[int]:
    """Return the demo people's ids."""
    return select(User.id).where(User.is_demo)


def demo_forms() -> Select[int]:
    """Return the demo scorecards' ids."""
    return select(Scorecard.id).where(Scorecard.is_demo)


def real_work(session: Session) -> list[RealWork]:
    """Return what real people have added to demo data and what would go with it."""
    asked: list[tuple[str, Any]] = [
        ("evaluations of demo conversations or with demo scorecards", _touching(Evaluation)),
        ("assignments of demo conversations", _touching(Assignment)),
        ("trainings of demo people or of demo modules", touching()),
        ("coaching plans with demo people", ~CoachingPlan.is_demo & _coaching(CoachingPlan.agent_id)),
        ("real people in demo teams (they stay, without a team)", _in_demo_teams()),
        ("real conversations of demo agents (they stay, without an agent)", _of_demo_agents()),
    ]
    found = []
    for words, condition in asked:
        count = session.scalar(select(func.count()).where(condition)) or 0
        if count:
            found.append(RealWork(words, count))
    return found


def _touching(table: Any) -> Any:
    """Not marked as demo, but cannot stay without what is."""
    return ~table.is_demo & or_(
        table.interaction_id.in_(demo_interactions()),
        table.scorecard_id.in_(demo_forms()),
        table.agent_id.in_(demo_people()),
        table.evaluator_id.in_(demo_people()),
    )


def _coaching(agent_id: Any) -> Any:
    return or_(agent_id.in_(demo_people()), CoachingPlan.coach_id.in_(demo_people()))


def _in_demo_teams() -> Any:
    return ~User.is_demo & User.team_id.in_(select(Team.id).where(Team.is_demo))


def _of_demo_agents() -> Any:
    return ~Interaction.is_demo & Interaction.agent_id.in_(demo_people())


def remove(session: Session, storage: Storage, *, now: datetime) -> int:
    """Take everything away, in the order of its references; return how many conversations went."""
    gone = session.scalar(select(func.count()).select_from(Interaction).where(Interaction.is_demo)) or 0
    keys = list(session.scalars(select(Recording.storage_key).where(Recording.is_demo)))
    _remove_coaching(session)
    evaluations = select(Evaluation.id).where(or_(Evaluation.is_demo, _touching(Evaluation)))
    session.execute(delete(Evaluation).where(Evaluation.id.in_(evaluations)))
    session.execute(delete(Assignment).where(or_(Assignment.is_demo, _touching(Assignment))))
    session.execute(delete(Recording).where(Recording.interaction_id.in_(demo_interactions())))
    session.execute(delete(Interaction).where(Interaction.is_demo))
    session.execute(delete(CommentTemplate).where(CommentTemplate.is_demo))
    remove_trainings(session)
    _free_references(session)
    session.execute(delete(ScorecardVersion).where(ScorecardVersion.scorecard_id.in_(demo_forms())))
    session.execute(delete(Scorecard).where(Scorecard.is_demo))
    _remove_people(session)
    audit.record(session, SYSTEM, "demo:remove", "site", "demo", now=now)
    for key in keys:
        storage.delete(key)
    return gone


def _remove_coaching(session: Session) -> None:
    """Take plans and sessions with demo people away, and what real ones say of them."""
    people = demo_people()
    sessions = select(CoachingSession.id).where(
        or_(
            CoachingSession.is_demo,
            CoachingSession.coach_id.in_(people),
            CoachingSession.id.in_(
                select(SessionMember.session_id).where(SessionMember.person_id.in_(people))
            ),
        )
    )
    of_people = (CoachingPlan.is_demo, CoachingPlan.agent_id.in_(people), CoachingPlan.coach_id.in_(people))
    session.execute(delete(PrivateNote).where(PrivateNote.author_id.in_(people)))
    session.execute(delete(CoachingTodo).where(CoachingTodo.person_id.in_(people)))
    session.execute(delete(CoachingSession).where(CoachingSession.id.in_(sessions)))
    session.execute(delete(CoachingPlan).where(or_(*of_people)))
    session.execute(
        delete(PlanTemplate).where(or_(PlanTemplate.is_demo, PlanTemplate.made_by_id.in_(people)))
    )
    session.execute(update(PlanEvent).where(PlanEvent.actor_id.in_(people)).values(actor_id=None))
    session.execute(update(CoachingPlan).where(CoachingPlan.made_by_id.in_(people)).values(made_by_id=None))
    session.execute(update(CoachingTodo).where(CoachingTodo.made_by_id.in_(people)).values(made_by_id=None))
    session.execute(update(User).where(User.coach_id.in_(people)).values(coach_id=None))


def _free_references(session: Session) -> None:
    """Let real rows stand without the demo people and teams they name."""
    people, teams = demo_people(), select(Team.id).where(Team.is_demo)
    session.execute(update(Interaction).where(Interaction.agent_id.in_(people)).values(agent_id=None))
    session.execute(update(Interaction).where(Interaction.team_id.in_(teams)).values(team_id=None))
    session.execute(update(User).where(~User.is_demo, User.team_id.in_(teams)).values(team_id=None))
    for column in ("made_by_id", "activated_by_id"):
        of_version = getattr(ScorecardVersion, column)
        session.execute(update(ScorecardVersion).where(of_version.in_(people)).values({column: None}))


def _remove_people(session: Session) -> None:
    tables = User.metadata.tables
    people, teams = demo_people(), select(Team.id).where(Team.is_demo)
    session.execute(tables["participant"].delete().where(tables["participant"].c.user_id.in_(people)))
    session.execute(tables["viewer"].delete().where(tables["viewer"].c.user_id.in_(people)))
    session.execute(tables["membership"].delete().where(tables["membership"].c.user_id.in_(people)))
    session.execute(tables["membership"].delete().where(tables["membership"].c.team_id.in_(teams)))
    session.execute(
        tables["comment_template"].delete().where(tables["comment_template"].c.owner_id.in_(people))
    )
    session.execute(delete(User).where(User.is_demo))
    while leaves := list(
        session.scalars(
            select(Team.id).where(
                Team.is_demo, Team.id.not_in(select(Team.parent_id).where(Team.parent_id.is_not(None)))
            )
        )
    ):
        session.execute(delete(Team).where(Team.id.in_(leaves)))
