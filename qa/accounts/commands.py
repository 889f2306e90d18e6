"""``qa user``: add people and hand out one-time links; for the first administrator, and for scripts."""

from __future__ import annotations

import json
from pathlib import Path

import click
from sqlalchemy import select

from qa import config
from qa.accounts import queries
from qa.accounts.models import Team
from qa.accounts.people_service import create_person, role_words
from qa.accounts.permissions import PEOPLE
from qa.accounts.sign_in_service import make_link
from qa.core import clock
from qa.core.actor import SYSTEM
from qa.core.db import Database
from qa.core.errors import NotFound

ROLES = click.Choice([role.value for role in PEOPLE])


@click.group()
def group() -> None:
    """Add people and hand out sign-in links."""


@group.command()
@click.option("--name", required=True, help="As colleagues know the person.")
@click.option("--email", required=True, help="The address to sign in with.")
@click.option(
    "--role",
    "roles",
    required=True,
    multiple=True,
    type=ROLES,
    help="Give it several times for several roles.",
)
@click.option("--team", default=None, help="The name of an existing team.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def add(
    path: str | None, name: str, email: str, roles: tuple[str, ...], team: str | None, as_json: bool
) -> None:
    """Add a person and print a one-time link to choose a password. It works for a day."""
    settings = config.load(Path(path) if path else None)
    database = Database(settings.database)
    now = clock.now()
    with database.transaction() as session:
        team_id = None
        if team is not None:
            team_id = session.scalar(select(Team.id).where(Team.name == team, Team.closed_at.is_(None)))
            if team_id is None:
                raise NotFound(f"There is no team “{team}”.")
        user = create_person(session, SYSTEM, name=name, email=email, roles=roles, team_id=team_id, now=now)
        token = make_link(session, SYSTEM, user.id, now=now)
    _tell_link(settings, user.email, token, as_json)


@group.command()
@click.argument("email")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def link(path: str | None, email: str, as_json: bool) -> None:
    """Print a new one-time link for a person; earlier ones end."""
    settings = config.load(Path(path) if path else None)
    with Database(settings.database).transaction() as session:
        user = queries.find_by_email(session, email)
        if user is None:
            raise NotFound(f"Nobody here has the address {email}.")
        token = make_link(session, SYSTEM, user.id, now=clock.now())
    _tell_link(settings, email, token, as_json)


@group.command(name="list")
@click.pass_obj
def list_(path: str | None) -> None:
    """Print everybody: e-mail, roles, name."""
    settings = config.load(Path(path) if path else None)
    after = None
    with Database(settings.database).reading() as session:
        while True:
            page = queries.list_people(session, SYSTEM, queries.PeopleFilter(state=""), after=after)
            for user in page.people:
                click.echo(f"{user.email:<36} {role_words(user):<30} {user.name}")
            after = page.next_key
            if after is None:
                return


def _tell_link(settings: config.Settings, email: str, token: str, as_json: bool) -> None:
    base = settings.public_url.rstrip("/") or f"http://{settings.host}:{settings.port}"
    url = f"{base}/welcome/{token}"
    if as_json:
        click.echo(json.dumps({"email": email, "link": url}))
    else:
        click.echo(f"{email} chooses a password here, once, within a day:\n{url}")
