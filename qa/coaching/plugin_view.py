"""A plan, session or goal as plugins are told of it: who, what, when; no notes, neither shared nor private.

A subject's number holds its kind too, because one hook tells of all kinds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, cast

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload, selectinload

from qa.accounts.models import User
from qa.coaching.models import CoachingPlan, CoachingSession, SessionMember
from qa.core.db import Database
from qa.extensions.events import Happening
from qa.interactions.plugin_view import agent_of
from qa.plugins.api import CoachingView

HOOK = "qa_coaching_changed"
KINDS = ("plan", "session", "goal", "training")


def happenings(payload: Mapping[str, Any]) -> Iterator[Happening]:
    """Read a change of coaching. For the worker's table."""
    number = int(payload["subject_id"]) * len(KINDS) + KINDS.index(payload["kind"])
    yield Happening(HOOK, str(payload["change"]), (number,))


def arguments(public_url: str, database: Database, number: int) -> dict[str, Any] | None:
    """Return what the hook is told, None when there is no such thing any more."""
    subject_id, place = divmod(number, len(KINDS))
    makers = {"plan": _plan, "session": _session}
    make = makers.get(KINDS[place])
    if make is None:
        return None
    with database.reading() as session:
        view = make(session, subject_id, public_url)
    return None if view is None else {"item": view}


def _plan(session: Session, plan_id: int, public_url: str) -> CoachingView | None:
    found = session.scalar(
        select(CoachingPlan)
        .where(CoachingPlan.id == plan_id)
        .options(joinedload(CoachingPlan.agent), joinedload(CoachingPlan.coach))
    )
    if found is None:
        return None
    return _view(
        "plan",
        found.id,
        found.title,
        found.state,
        found.agent,
        coach=found.coach.name,
        due_on=found.review_on,
        url=f"{public_url}/coaching/plans/{found.id}" if public_url else "",
    )


def _session(session: Session, session_id: int, public_url: str) -> CoachingView | None:
    found = session.scalar(
        select(CoachingSession)
        .where(CoachingSession.id == session_id)
        .options(
            joinedload(CoachingSession.coach),
            selectinload(CoachingSession.members).joinedload(SessionMember.person),
        )
    )
    agent = None if found is None else next((m.person for m in found.members if m.part == "agent"), None)
    if found is None or agent is None:
        return None
    return _view(
        "session",
        found.id,
        found.title,
        found.state,
        agent,
        coach=found.coach.name,
        due_on=found.starts_at.date(),
        url=f"{public_url}/coaching/sessions/{found.id}" if public_url else "",
    )


def _view(kind: str, subject_id: int, title: str, state: str, agent: User, **facts: Any) -> CoachingView:
    told = cast("Literal['plan', 'session']", kind)
    return CoachingView(subject_id, told, title, state, agent_of(agent), **facts)
