"""Plain functions that make what a test needs, and only that."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session, object_session

from qa.accounts import sessions
from qa.accounts.models import Team, User, UserRole
from qa.core.actor import SYSTEM, Actor
from qa.core.text import folded
from qa.evaluations import assign_service, draft_service
from qa.evaluations.merge import ANSWER, COMMENT, Change
from qa.evaluations.models import Assignment, Evaluation
from qa.interactions.models import Interaction, Participant, Turn
from qa.scorecards import service as scorecards
from qa.scorecards.models import ScorecardVersion

NOW = datetime(2026, 3, 16, 9, 30, tzinfo=UTC)
_numbers = itertools.count(1)

FORM = """
form: {ref}
title: Short call
mode: weighted_questions
pass: 80
channels: {channels}
release: {release}
root_causes: [{{ref: hurry, text: Hurried}}]
sections:
  - ref: all
    title: All
    questions:
      - ref: hello
        text: Greeted
        type: single
        weight: 40
        options: [{{ref: y, points: 1}}, {{ref: n, points: 0}}]
      - {{ref: why, text: About a sale, type: single, scored: false, options: [{{ref: y}}, {{ref: n}}]}}
      - ref: fee
        text: Named the fee
        type: single
        weight: 40
        show_when: {{answer: why, in: [y]}}
        options:
          - {{ref: y, points: 1}}
          - {{ref: n, points: 0, fail: form, comment: required, evidence: required}}
      - ref: bye
        text: Said goodbye
        type: single
        weight: 20
        na: allowed
        options: [{{ref: y, points: 1}}, {{ref: n, points: 0}}]
      - {{ref: note, text: A word, type: text}}
"""


def make_team(session: Session, name: str = "Billing", parent: Team | None = None) -> Team:
    """A team."""
    team = Team(name=f"{name} {next(_numbers)}", parent_id=parent.id if parent else None, created_at=NOW)
    session.add(team)
    session.flush()
    return team


def make_user(session: Session, *roles: str, team: Team | None = None, name: str = "Dana Ortiz") -> User:
    """A person with these roles."""
    email = f"person{next(_numbers)}@example.org"
    user = User(
        name=name,
        email=email,
        email_folded=folded(email),
        team_id=team.id if team else None,
        created_at=NOW,
        preferences={},
        roles=[UserRole(role=role) for role in roles],
    )
    session.add(user)
    session.flush()
    return user


def actor_of(user: User, *, below: frozenset[int] = frozenset()) -> Actor:
    """The person as whoever asks."""
    own = frozenset() if user.team_id is None else frozenset({user.team_id})
    session = object_session(user)
    assert session is not None
    roles = frozenset(session.scalars(select(UserRole.role).where(UserRole.user_id == user.id)))
    return Actor(id=user.id, name=user.name, roles=roles, team_ids=own, teams_below=own | below)


def make_interaction(session: Session, agent: User, **over: Any) -> Interaction:
    """A call of this agent with three turns."""
    values: dict[str, Any] = {
        "source": "test",
        "external_id": f"T-{next(_numbers)}",
        "channel": "voice",
        "subject": "Charged twice",
        "agent_id": agent.id,
        "team_id": agent.team_id,
        "started_at": NOW - timedelta(days=1),
        "duration_ms": 60_000,
        "turn_count": 3,
        "imported_at": NOW,
        "fields": {},
        "redaction": "done",
    }
    row = Interaction(**(values | over))
    session.add(row)
    session.flush()
    session.add(Participant(interaction_id=row.id, user_id=agent.id))
    said = (
        ("agent", "Hello, this is Dana."),
        ("customer", "I was charged twice."),
        ("agent", "I look at it."),
    )
    for place, (who, text) in enumerate(said, start=1):
        start = place * 3_000
        session.add(
            Turn(
                interaction_id=row.id,
                position=place,
                speaker=who,
                stored=text,
                is_redacted=True,
                start_ms=start,
                end_ms=start + 2_000,
            )
        )
    session.flush()
    return row


def make_scorecard(
    session: Session, release: str = "{rule: at_once}", channels: str = "[]"
) -> ScorecardVersion:
    """An active scorecard with five questions."""
    text = FORM.format(ref=f"short-{next(_numbers)}", release=release, channels=channels)
    draft = scorecards.draft_version(session, SYSTEM, text=text, now=NOW)
    return scorecards.activate_version(session, SYSTEM, draft.id, now=NOW)


def make_assignment(
    session: Session, evaluator: User, interaction: Interaction, version: ScorecardVersion
) -> Assignment:
    """A conversation in somebody's queue."""
    return assign_service.assign(
        session,
        SYSTEM,
        interaction_id=interaction.id,
        agent_id=interaction.agent_id or 0,
        scorecard_id=version.scorecard_id,
        evaluator_id=evaluator.id,
        due_at=NOW + timedelta(days=1),
        now=NOW,
    )


def make_draft(
    session: Session, evaluator: User, agent: User, version: ScorecardVersion | None = None
) -> Evaluation:
    """A begun evaluation without answers."""
    version = version or make_scorecard(session)
    assignment = make_assignment(session, evaluator, make_interaction(session, agent), version)
    return draft_service.start_evaluation(session, actor_of(evaluator), assignment.id, now=NOW)


def answers(**given: Any) -> draft_service.Changes:
    """A save that answers questions for the first time; ``fee_comment`` comments on ``fee``."""
    changes = []
    for name, value in given.items():
        question, _, comment = name.partition("_")
        changes.append(Change(question, COMMENT if comment else ANSWER, None, value))
    return draft_service.Changes(answers=changes)


def make_submitted(session: Session, evaluator: User, agent: User, **given: Any) -> Evaluation:
    """A submitted evaluation, all well unless told otherwise."""
    version = make_scorecard(session, given.pop("release", "{rule: at_once}"))
    draft = make_draft(session, evaluator, agent, version)
    given = {"hello": "y", "why": "n", "bye": "y"} | given
    draft_service.save_draft(session, actor_of(evaluator), draft.id, answers(**given), now=NOW)
    session.flush()
    return draft_service.submit_evaluation(session, actor_of(evaluator), draft.id, now=NOW)


def start_session(app: Flask, client: FlaskClient, user: User) -> None:
    """Sign a person in without the form."""
    from qa.core import clock

    database = app.extensions["candor"].database
    with database.transaction() as session:
        token = sessions.start(session, user.id, browser="test", address="127.0.0.1", now=clock.now())
    with client.session_transaction() as kept:
        kept["t"] = token
