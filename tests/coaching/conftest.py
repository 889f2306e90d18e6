"""A small team with a coach, and what happens between them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from flask.testing import FlaskClient

from qa.accounts.models import Team, User
from qa.coaching import plan_service, session_service
from qa.coaching.goals import GoalChoice
from qa.coaching.models import CoachingPlan, CoachingSession
from qa.coaching.plan_service import PlanChoice
from qa.coaching.session_service import Appointment, SessionChoice
from qa.core.db import Database
from qa.evaluations.models import Evaluation
from tests.factories import actor_of, make_submitted, make_team, make_user, start_session

NOW = datetime(2026, 3, 16, 9, 30, tzinfo=UTC)
ZONE = ZoneInfo("Europe/Berlin")
REVIEW = date(2026, 6, 15)
Browser = Callable[[User], FlaskClient]


@dataclass(slots=True)
class Team1:
    """Who is there."""

    team: Team
    agent: User
    other: User
    coach: User
    lead: User
    manager: User
    evaluator: User
    evaluation: Evaluation


@pytest.fixture
def people(database: Database) -> Team1:
    """An agent with a coach, a colleague without, a lead, and one evaluation that lost points."""
    with database.transaction() as session:
        team = make_team(session)
        coach = make_user(session, "coach", name="Owen Price")
        agent = make_user(session, "agent", team=team)
        agent.coach_id = coach.id
        return Team1(
            team=team,
            agent=agent,
            other=make_user(session, "agent", team=team, name="Kofi Mensah"),
            coach=coach,
            lead=make_user(session, "lead", team=team, name="Priya Raman"),
            manager=make_user(session, "manager", name="Ingrid Solheim"),
            evaluator=make_user(session, "evaluator", name="Mara Lindqvist"),
            evaluation=make_submitted(
                session, make_user(session, "evaluator"), agent, hello="n", why="n", bye="y"
            ),
        )


@pytest.fixture
def browser_of(app: Flask) -> Browser:
    """A browser in which somebody is signed in."""

    def opened(user: User) -> FlaskClient:
        client = app.test_client()
        start_session(app, client, user)
        return client

    return opened


def goal_of(people: Team1, **over: Any) -> GoalChoice:
    """A goal on the first question of the evaluation's scorecard."""
    values: dict[str, Any] = {"scorecard_id": people.evaluation.scorecard_id, "ref": "hello", "target": 80}
    return GoalChoice(**({"kind": "question"} | values | over))


def make_plan(
    database: Database, people: Team1, *, by: User | None = None, begin: bool = True, **over: Any
) -> CoachingPlan:
    """A plan of the agent with its coach."""
    values: dict[str, Any] = {"title": "Greeting", "goals": [goal_of(people)], "review_on": REVIEW}
    with database.transaction() as session:
        actor = actor_of(session.get_one(User, (by or people.coach).id), below=frozenset({people.team.id}))
        plan = plan_service.create_plan(
            session,
            actor,
            agent_id=people.agent.id,
            coach_id=people.coach.id,
            choice=PlanChoice(**(values | over)),
            zone=ZONE,
            now=NOW,
        )
        if begin:
            plan_service.start_plan(session, actor, plan.id, now=NOW)
    return plan


def at(days: int = 2, hour: int = 14, zone: str = "Europe/Berlin", **over: Any) -> Appointment:
    """An appointment some days after now."""
    return Appointment((NOW + timedelta(days=days)).date(), time(hour), zone, **over)


def make_session(
    database: Database, people: Team1, plan: CoachingPlan | None = None, **over: Any
) -> CoachingSession:
    """A planned session."""
    appointment = over.pop("appointment", at())
    choice = SessionChoice(**({"title": "First talk", "agent_ids": (people.agent.id,)} | over))
    with database.transaction() as session:
        return session_service.plan_session(
            session,
            actor_of(session.get_one(User, people.coach.id)),
            plan_id=plan.id if plan else None,
            coach_id=people.coach.id,
            choice=choice,
            appointment=appointment,
            url="https://qa.example.org",
            now=NOW,
        )


def token(client: FlaskClient, path: str) -> str:
    """The token on a page."""
    page = client.get(path)
    assert page.status_code == 200, page.text
    return page.text.split('name="csrf_token" value="')[1].split('"')[0]
