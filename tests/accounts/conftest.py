"""A site with the pages of accounts only, on a fresh database."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flask import Blueprint, Flask, g, request, session
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from qa import config
from qa.accounts import once, policy, sessions, views
from qa.accounts.models import Membership, Team, User, UserRole
from qa.accounts.passwords import hash_password
from qa.accounts.permissions import Permission
from qa.core import clock, crypto
from qa.core.actor import SYSTEM, Actor
from qa.core.db import Base, Database
from qa.core.storage import LocalStorage
from qa.core.text import folded
from qa.web import assets, context, display, errors, forms, gate, headers, navigation
from qa.web.access import signed_in

NOW = datetime(2026, 11, 12, 10, 0, tzinfo=UTC)
TODAY = NOW.date()
PASSWORD = "kite saddle orbit plum"
_HASH = hash_password(PASSWORD)
_numbers = itertools.count(1)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """A fresh database."""
    opened = Database(f"sqlite:///{tmp_path / 'candor.db'}")
    Base.metadata.create_all(opened.engine)
    yield opened
    opened.dispose()


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
    below = sessions.teams_below(session, user.team_id)
    return Actor(
        **{"id": user.id, "name": user.name, "roles": roles, "team_ids": teams, "teams_below": below, **over}
    )
