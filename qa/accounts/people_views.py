"""The list of people, and bringing somebody in."""

from __future__ import annotations

from datetime import date
from typing import Any

from flask import render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from qa.accounts import people_service, queries
from qa.accounts.blueprint import bp
from qa.accounts.forms import PersonForm, offer_teams
from qa.accounts.permissions import PEOPLE, ROLE_MEANINGS, ROLE_WORDS, Permission
from qa.accounts.sign_in_service import LINK_LIFE, make_link
from qa.accounts.sign_in_views import confirm_first
from qa.core import clock
from qa.core.errors import Invalid
from qa.web.access import claims
from qa.web.asked import asked_id
from qa.web.context import current_actor, reading, settings, site_zone, transaction

INDENT = "\u2003"


@bp.get("/people")
@claims(Permission.USER_READ_PROFILE)
def people() -> ResponseReturnValue:
    """List people, narrowed by what the address says."""
    wanted, now, actor = _wanted(), clock.now(), current_actor()
    with reading() as opened:
        page = queries.list_people(opened, actor, wanted, now=now, after=request.args.get("after"))
        counts = queries.count_people(opened, actor, wanted, now=now)
        teams = queries.list_teams(opened, actor)
    next_url = _list_url(wanted, after=page.next_key) if page.next_key else None
    return render_template(
        "accounts/people.html",
        page=page,
        next_url=next_url,
        is_first="after" not in request.args,
        wanted=wanted,
        states=[(state, words, counts[state], _list_url(wanted, state=state)) for state, words in STATES],
        counts=counts,
        teams=teams,
        roles=[(role.value, ROLE_WORDS[role]) for role in PEOPLE],
        role_words=people_service.role_words,
        now=now,
    )


STATES = list(queries.STATES.items())


def _wanted() -> queries.PeopleFilter:
    asked = request.args
    role, state = asked.get("role", ""), asked.get("state", "active")
    return queries.PeopleFilter(
        text=asked.get("q", "").strip()[:200],
        team_id=asked_id(asked, "team"),
        role=role if role in {known.value for known in PEOPLE} else "",
        state=state if state in queries.STATES else "active",
    )


def _list_url(wanted: queries.PeopleFilter, **over: Any) -> str:
    asked = {"q": wanted.text, "team": wanted.team_id, "role": wanted.role, "state": wanted.state, **over}
    if asked["state"] == "active":
        asked["state"] = None
    return url_for("accounts.people", **{name: value for name, value in asked.items() if value})


@bp.route("/people/new", methods=["GET", "POST"])
@claims(Permission.USER_CREATE)
def new_person() -> ResponseReturnValue:
    """Add a person and show the link with which they choose a password."""
    if (confirmation := confirm_first(url_for("accounts.new_person"))) is not None:
        return confirmation
    form = PersonForm(request.form)
    with reading() as opened:
        offer_teams(form.team_id, team_choices(opened))
    if request.method == "POST" and form.validate():
        try:
            return _added(form)
        except Invalid as error:
            form.take(error)
    page = render_template("accounts/new_person.html", form=form, meanings=ROLE_MEANINGS)
    return page, 422 if request.method == "POST" else 200


def _added(form: PersonForm) -> str:
    now, actor = clock.now(), current_actor()
    with transaction() as opened:
        user = people_service.create_person(
            opened,
            actor,
            name=str(form.name.data),
            email=str(form.email.data),
            roles=form.roles.data or [],
            team_id=form.team_id.data,
            today=site_day(),
            now=now,
        )
        token = make_link(opened, actor, user.id, now=now)
    return link_page(user.id, user.name, token)


def link_page(user_id: int, name: str, token: str) -> str:
    """Return the page that shows a one-time link, once."""
    base = settings().public_url.rstrip("/") or request.host_url.rstrip("/")
    link = f"{base}{url_for('accounts.invite', token=token)}"
    minutes = int(LINK_LIFE.total_seconds() // 60)
    return render_template("accounts/link.html", user_id=user_id, name=name, link=link, minutes=minutes)


def team_choices(opened: Session) -> list[tuple[int, str]]:
    """Return the open teams as a list to choose from, indented as they nest."""
    rows = queries.list_teams(opened, current_actor())
    return [(row.team.id, INDENT * row.depth + row.team.name) for row in rows]


def site_day() -> date:
    """Return today in the site's time zone."""
    return clock.now().astimezone(site_zone()).date()
