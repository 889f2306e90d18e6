"""Pages of people and teams."""

from __future__ import annotations

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session
from wtforms.fields import SelectChoice

from qa.accounts import people_service as people_of
from qa.accounts import queries, sessions, teams_service
from qa.accounts.forms import MoveForm, PersonForm, ProfileForm, RolesForm, TeamForm
from qa.accounts.permissions import PEOPLE, ROLE_WORDS
from qa.accounts.permissions import Permission as P
from qa.accounts.sign_in_service import make_link
from qa.accounts.views import bp
from qa.core import clock
from qa.core.errors import DomainError, Invalid
from qa.web.access import claims
from qa.web.context import current_actor, reading, settings, site_zone, transaction


@bp.get("/people")
@claims(P.USER_READ_PROFILE)
def people() -> ResponseReturnValue:
    """List people."""
    asked = request.args
    wanted = queries.PeopleFilter(
        text=asked.get("q", "")[:200],
        team_id=int(asked["team"]) if asked.get("team", "").isdigit() else None,
        role=asked.get("role", ""),
        state=asked.get("state", "active"),
    )
    with reading() as opened:
        page = queries.list_people(opened, current_actor(), wanted, after=asked.get("after"))
        teams = queries.list_teams(opened, current_actor())
    roles = [(role.value, ROLE_WORDS[role]) for role in PEOPLE]
    return render_template(
        "accounts/people.html",
        page=page,
        wanted=wanted,
        teams=teams,
        roles=roles,
        role_words=people_of.role_words,
    )


@bp.route("/people/new", methods=["GET", "POST"])
@claims(P.USER_CREATE)
def new_person() -> ResponseReturnValue:
    """Add a person and show the link with which they choose a password."""
    form = PersonForm(request.form)
    with reading() as opened:
        form.team_id.choices = _team_choices(opened)
    if request.method == "POST" and form.validate():
        now = clock.now()
        try:
            with transaction() as opened:
                made = people_of.create_person(
                    opened,
                    current_actor(),
                    name=str(form.name.data),
                    email=str(form.email.data),
                    roles=form.roles.data or [],
                    team_id=form.team_id.data,
                    now=now,
                )
                token = make_link(opened, current_actor(), made.id, now=now)
        except Invalid as error:
            form.take(error)
        else:
            return render_template("accounts/link.html", user=made, link=_link(token))
    return render_template("accounts/new_person.html", form=form), 422 if request.method == "POST" else 200


@bp.get("/people/<int:user_id>")
@claims(P.USER_READ_PROFILE)
def person(user_id: int) -> ResponseReturnValue:
    """Show one person."""
    return _person_page(user_id, None)


@bp.post("/people/<int:user_id>/link")
@claims(P.USER_CREATE)
def new_link(user_id: int) -> ResponseReturnValue:
    """Make a new one-time link."""
    with transaction() as opened:
        token = make_link(opened, current_actor(), user_id, now=clock.now())
        user = queries.get_person(opened, current_actor(), user_id)
    return render_template("accounts/link.html", user=user, link=_link(token))


@bp.post("/people/<int:user_id>/<any(profile, roles, team, close, open):what>")
@claims(P.USER_SET_ROLE, P.USER_SET_TEAM, P.USER_CREATE, P.USER_DEACTIVATE)
def change_person(user_id: int, what: str) -> ResponseReturnValue:
    """Change one thing about a person; roles ask for the password first."""
    actor = current_actor()
    if what in {"roles", "close"}:
        with reading() as opened:
            if not sessions.is_confirmed(opened, actor.session_id, now=clock.now()):
                back = url_for(".person", user_id=user_id)
                return redirect(url_for(".confirm", next=back), 303)
    try:
        _change(user_id, what)
    except Invalid as error:
        return _person_page(user_id, error), 422
    flash("Saved.", "success")
    return redirect(url_for(".person", user_id=user_id), 303)


def _change(user_id: int, what: str) -> None:
    actor, now = current_actor(), clock.now()
    with transaction() as opened:
        if what == "profile":
            form = ProfileForm(request.form)
            name, email = str(form.name.data), str(form.email.data)
            people_of.rename_person(opened, actor, user_id, name=name, email=email, now=now)
        elif what == "roles":
            roles = RolesForm(request.form).roles.data or []
            people_of.set_roles(opened, actor, user_id, roles=roles, now=now)
        elif what == "team":
            move = MoveForm(request.form)
            since = move.since.data or now.astimezone(site_zone()).date()
            people_of.set_team(opened, actor, user_id, team_id=move.team_id.data, since=since, now=now)
        elif what == "close":
            people_of.deactivate(opened, actor, user_id, now=now)
        else:
            people_of.reactivate(opened, actor, user_id, now=now)


def _person_page(user_id: int, error: DomainError | None) -> str:
    actor = current_actor()
    with reading() as opened:
        user = queries.get_person(opened, actor, user_id)
        choices = _team_choices(opened)
    profile = ProfileForm(data={"name": user.name, "email": user.email})
    roles = RolesForm(data={"roles": [role.role for role in user.roles]})
    move = MoveForm(data={"team_id": user.team_id, "since": None})
    move.team_id.choices = choices
    for form in (profile, roles, move):
        if isinstance(error, Invalid) and set(error.errors) & set(form._fields):
            form.process(request.form)
            form.take(error)
    return render_template(
        "accounts/person.html",
        user=user,
        profile=profile,
        roles=roles,
        move=move,
        error=error,
        role_words=people_of.role_words,
    )


@bp.get("/teams")
@claims(P.TEAM_EDIT)
def teams() -> ResponseReturnValue:
    """Show the tree of teams."""
    with reading() as opened:
        rows = queries.list_teams(opened, current_actor())
    form = TeamForm()
    form.parent_id.choices = [SelectChoice("", "No other team"), *_choices(rows)]
    return render_template("accounts/teams.html", rows=rows, form=form)


@bp.post("/teams")
@claims(P.TEAM_EDIT)
def new_team() -> ResponseReturnValue:
    """Add a team."""
    form = TeamForm(request.form)
    with reading() as opened:
        rows = queries.list_teams(opened, current_actor())
    form.parent_id.choices = [SelectChoice("", "No other team"), *_choices(rows)]
    if form.validate():
        try:
            with transaction() as opened:
                teams_service.create_team(
                    opened,
                    current_actor(),
                    name=str(form.name.data),
                    parent_id=form.parent_id.data,
                    now=clock.now(),
                )
        except Invalid as error:
            form.take(error)
        else:
            flash("The team is there.", "success")
            return redirect(url_for(".teams"), 303)
    return render_template("accounts/teams.html", rows=rows, form=form), 422


@bp.route("/teams/<int:team_id>", methods=["GET", "POST"])
@claims(P.TEAM_EDIT)
def team(team_id: int) -> ResponseReturnValue:
    """Show and change one team."""
    with reading() as opened:
        found = queries.get_team(opened, current_actor(), team_id)
        rows = queries.list_teams(opened, current_actor())
    given = request.form if request.method == "POST" else None
    form = TeamForm(given, data={"name": found.name, "parent_id": found.parent_id})
    form.parent_id.choices = [SelectChoice("", "No other team"), *_choices(rows)]
    if request.method == "POST" and form.validate():
        try:
            with transaction() as opened:
                teams_service.change_team(
                    opened,
                    current_actor(),
                    team_id,
                    name=str(form.name.data),
                    parent_id=form.parent_id.data,
                    now=clock.now(),
                )
        except Invalid as error:
            form.take(error)
        else:
            flash("Saved.", "success")
            return redirect(url_for(".teams"), 303)
    return render_template(
        "accounts/team.html", team=found, form=form
    ), 422 if request.method == "POST" else 200


@bp.post("/teams/<int:team_id>/close")
@claims(P.TEAM_EDIT)
def close_team(team_id: int) -> ResponseReturnValue:
    """Close an empty team."""
    with transaction() as opened:
        teams_service.close_team(opened, current_actor(), team_id, now=clock.now())
    flash("The team is closed; its past stays readable.", "success")
    return redirect(url_for(".teams"), 303)


def _team_choices(opened: Session) -> list[SelectChoice]:
    return [SelectChoice("", "No team"), *_choices(queries.list_teams(opened, current_actor()))]


def _choices(rows: list[queries.TeamRow]) -> list[SelectChoice]:
    return [SelectChoice(str(row.team.id), "\u2003" * row.depth + row.team.name) for row in rows]


def _link(token: str) -> str:
    base = settings().public_url.rstrip("/") or request.host_url.rstrip("/")
    return f"{base}{url_for('accounts.invite', token=token)}"
