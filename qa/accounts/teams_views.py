"""The tree of teams and the page of one team."""

from __future__ import annotations

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from qa.accounts import people_service, queries, teams_service
from qa.accounts.blueprint import bp
from qa.accounts.forms import TeamForm, offer_teams
from qa.accounts.people_views import team_choices
from qa.accounts.permissions import Permission
from qa.core import clock
from qa.core.errors import Invalid
from qa.web.access import claims
from qa.web.context import current_actor, reading, transaction


@bp.get("/teams")
@claims(Permission.USER_READ_PROFILE)
def teams() -> ResponseReturnValue:
    """Show the tree of teams."""
    return _teams_page(TeamForm())


@bp.post("/teams")
@claims(Permission.TEAM_EDIT)
def new_team() -> ResponseReturnValue:
    """Add a team."""
    form = TeamForm(request.form)
    with reading() as opened:
        offer_teams(form.parent_id, team_choices(opened))
    if form.validate():
        try:
            with transaction() as opened:
                made = teams_service.create_team(
                    opened,
                    current_actor(),
                    name=str(form.name.data),
                    parent_id=form.parent_id.data,
                    now=clock.now(),
                )
        except Invalid as error:
            form.take(error)
        else:
            flash(f"The team {made.name} is there. Move people into it from their pages.", "success")
            return redirect(url_for("accounts.teams"), 303)
    return _teams_page(form), 422


@bp.get("/teams/<int:team_id>")
@claims(Permission.USER_READ_PROFILE)
def team(team_id: int) -> ResponseReturnValue:
    """Show one team and its people."""
    return _team_page(team_id)


@bp.post("/teams/<int:team_id>")
@claims(Permission.TEAM_EDIT)
def change_team(team_id: int) -> ResponseReturnValue:
    """Rename a team or move it in the tree."""
    form = TeamForm(request.form)
    with reading() as opened:
        offer_teams(form.parent_id, team_choices(opened))
    if not form.validate():
        return _team_page(team_id, form), 422
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
        return _team_page(team_id, form), 422
    flash("Name and place of the team are kept.", "success")
    return redirect(url_for("accounts.team", team_id=team_id), 303)


@bp.post("/teams/<int:team_id>/close")
@claims(Permission.TEAM_EDIT)
def close_team(team_id: int) -> ResponseReturnValue:
    """Close an empty team."""
    with transaction() as opened:
        teams_service.close_team(opened, current_actor(), team_id, now=clock.now())
    flash("The team is closed; its past stays readable.", "success")
    return redirect(url_for("accounts.team", team_id=team_id), 303)


@bp.post("/teams/<int:team_id>/open")
@claims(Permission.TEAM_EDIT)
def reopen_team(team_id: int) -> ResponseReturnValue:
    """Open a closed team again."""
    with transaction() as opened:
        teams_service.reopen_team(opened, current_actor(), team_id, now=clock.now())
    flash("The team is open again.", "success")
    return redirect(url_for("accounts.team", team_id=team_id), 303)


def _teams_page(form: TeamForm) -> str:
    actor = current_actor()
    with reading() as opened:
        rows = queries.list_teams(opened, actor)
        closed = queries.list_closed_teams(opened, actor)
        offer_teams(form.parent_id, team_choices(opened))
    return render_template("accounts/teams.html", rows=rows, closed=closed, form=form)


def _team_page(team_id: int, form: TeamForm | None = None) -> str:
    actor = current_actor()
    with reading() as opened:
        found = queries.get_team(opened, actor, team_id)
        rows = queries.list_teams(opened, actor)
        members = queries.list_members(opened, actor, team_id)
        choices = team_choices(opened)
    form = form or TeamForm(data={"name": found.name, "parent_id": found.parent_id})
    offer_teams(form.parent_id, [choice for choice in choices if choice[0] != team_id])
    return render_template(
        "accounts/team.html",
        team=found,
        above=queries.chain_up(rows, found),
        inside=[row for row in rows if row.team.parent_id == team_id],
        members=members,
        role_words=people_service.role_words,
        form=form,
    )
