"""People and teams to test with, and browsers in which they are signed in."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from qa.accounts import sessions
from qa.accounts.models import Membership, Team, User, UserRole
from qa.accounts.passwords import hash_password
from qa.core import clock
from qa.core.actor import Actor
from qa.core.db import Database
from qa.core.text import folded

NOW = datetime(2026, 11, 12, 10, 0, tzinfo=UTC)
TODAY = NOW.date()
PASSWORD = "kite saddle orbit plum"
_HASH = hash_password(PASSWORD)
_numbers = itertools.count(1)


@pytest.fixture
def signed_in(app: Flask, database: Database) -> Callable[[User], FlaskClient]:
    """Return a browser in which this person is signed in, without the form."""

    def browser_of(user: User) -> FlaskClient:
        client = app.test_client()
        with database.transaction() as session:
            token = sessions.start(session, user.id, browser="Firefox/131 Linux", address="", now=clock.now())
        with client.session_transaction() as cookie:
            cookie["t"] = token
        return client

    return browser_of


def token_on(page: str) -> str:
    """Return the CSRF token of a page's first form."""
    found = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert found, page
    return found[1]


def post(client: FlaskClient, path: str, page: str | None = None, **fields: Any) -> TestResponse:
    """Load a page, then send the form that stands on it, as a browser does."""
    token = token_on(client.get(page or path).text)
    return client.post(path, data={"csrf_token": token, **fields})


def make_team(session: Session, **over: Any) -> Team:
    """A team."""
    team = Team(**{"name": f"Team {next(_numbers)}", "created_at": NOW, **over})
    session.add(team)
    session.flush()
    return team


def make_user(session: Session, *roles: str, team: Team | None = None, **over: Any) -> User:
    """A person with a password, in a team since the first of the month."""
    number = next(_numbers)
    email = over.pop("email", f"person{number}@halden.example")
    user = User(
        **{
            "name": f"Person {number:05}",
            "email": email,
            "email_folded": folded(email),
            "password_hash": _HASH,
            "created_at": NOW,
            "preferences": {},
            "team_id": team.id if team else None,
            "roles": [UserRole(role=role) for role in roles or ("agent",)],
            "memberships": [Membership(team_id=team.id, since=NOW.date().replace(day=1))] if team else [],
            **over,
        }
    )
    session.add(user)
    session.flush()
    return user


def actor_for(session: Session, user: User, **over: Any) -> Actor:
    """The person as an actor, as a request would build it."""
    roles = frozenset(role.role for role in user.roles)
    teams = frozenset({user.team_id} if user.team_id else ())
    below, found = set(teams), set(teams)
    while found:
        found = set(session.scalars(select(Team.id).where(Team.parent_id.in_(found)))) - below
        below |= found
    return Actor(
        **{
            "id": user.id,
            "name": user.name,
            "roles": roles,
            "team_ids": teams,
            "teams_below": frozenset(below),
            **over,
        }
    )
