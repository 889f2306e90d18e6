"""``qa user``: add people and hand out one-time links; for the first administrator, and for scripts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import click
from sqlalchemy import select
from sqlalchemy.orm import Session

from qa import config
from qa.accounts import queries
from qa.accounts.models import EMAIL_MAX, NAME_MAX, Team, User
from qa.accounts.people_service import create_person, role_words
from qa.accounts.permissions import PEOPLE
from qa.accounts.sign_in_service import LINK_LIFE, make_link
from qa.core import clock
from qa.core.actor import SYSTEM
from qa.core.db import Database
from qa.core.errors import Invalid, NotFound
from qa.core.text import checked

ROLES = click.Choice([role.value for role in PEOPLE])


@click.group()
def group() -> None:
    """Add people and hand out one-time links."""


@group.command()
@click.option("--name", required=True, help="As colleagues know the person.")
@click.option("--email", required=True, help="The address to sign in with.")
@click.option("--role", "roles", required=True, multiple=True, type=ROLES, help="Once for each role.")
@click.option("--team", default=None, help="The name of an existing team.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def add(
    path: str | None, name: str, email: str, roles: tuple[str, ...], team: str | None, as_json: bool
) -> None:
    """Add a person and print a one-time link to choose a password.

    Whoever opens the link first chooses the password, so hand it over in person or by a private
    message. It works once, for half an hour; `qa user link` makes another.
    """
    settings, now = _settings(path), clock.now()
    with Database(settings.database) as database, database.transaction() as session:
        user = create_person(
            session,
            SYSTEM,
            name=name,
            email=email,
            roles=roles,
            team_id=None if team is None else _team_named(session, team),
            today=now.astimezone(settings.zone).date(),
            now=now,
        )
        token = make_link(session, SYSTEM, user.id, now=now)
    _tell_link(settings, user.email, token, as_json)


@group.command()
@click.argument("email")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def link(path: str | None, email: str, as_json: bool) -> None:
    """Print a new one-time link for a person; earlier ones end."""
    settings, email = _settings(path), checked(email, field="email", label="The address", limit=EMAIL_MAX)
    with Database(settings.database) as database, database.transaction() as session:
        user = queries.find_person_by_email(session, SYSTEM, email)
        if user is None:
            raise NotFound(f"Nobody here has the address {email}. `qa user list` shows everybody.")
        token = make_link(session, SYSTEM, user.id, now=clock.now())
    _tell_link(settings, user.email, token, as_json)


@group.command(name="list")
@click.option("--all", "everybody", is_flag=True, help="People whose account is closed too.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
@click.pass_obj
def list_(path: str | None, everybody: bool, as_json: bool) -> None:
    """Print people by name: e-mail, roles, team, name."""
    settings = _settings(path)
    with Database(settings.database) as database, database.reading() as session:
        for user in _everybody(session, "all" if everybody else "active"):
            click.echo(_as_json(user) if as_json else _as_line(user))


def _settings(path: str | None) -> config.Settings:
    return config.load(Path(path) if path else None)


def _team_named(session: Session, name: str) -> int:
    name = checked(name, field="team", label="The team's name", limit=NAME_MAX)
    found = list(session.scalars(select(Team.id).where(Team.name == name, Team.closed_at.is_(None))))
    if not found:
        raise NotFound(f"There is no open team “{name}”. Its name must be given exactly.")
    if len(found) > 1:
        raise Invalid(
            f"{len(found)} teams are called “{name}”. Add the person without a team, then move them."
        )
    return found[0]


def _everybody(session: Session, state: str) -> Iterator[User]:
    after: str | None = None
    while True:
        wanted = queries.PeopleFilter(state=state)
        page = queries.list_people(session, SYSTEM, wanted, now=clock.now(), after=after)
        yield from (row.user for row in page.rows)
        after = page.next_key
        if after is None:
            return


def _as_line(user: User) -> str:
    team = user.team.name if user.team else "-"
    return f"{user.email:<36} {', '.join(role_words(user)):<28} {team:<20} {user.name}"


def _as_json(user: User) -> str:
    return json.dumps(
        {
            "email": user.email,
            "name": user.name,
            "roles": sorted(role.role for role in user.roles),
            "team": user.team.name if user.team else None,
            "active": user.deactivated_at is None,
        }
    )


def _tell_link(settings: config.Settings, email: str, token: str, as_json: bool) -> None:
    base = settings.public_url.rstrip("/") or f"http://{settings.host}:{settings.port}"
    url = f"{base}/welcome/{token}"
    if as_json:
        click.echo(json.dumps({"email": email, "link": url}))
        return
    minutes = int(LINK_LIFE.total_seconds() // 60)
    click.echo(f"{email} chooses a password here, once, within {minutes} minutes:\n{url}")
