"""The page of one person and what can be changed on it."""

from __future__ import annotations

from flask import current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict

from qa.accounts import people_service, queries, sessions, throttle
from qa.accounts import sign_in_service as signing
from qa.accounts.blueprint import bp
from qa.accounts.forms import MoveForm, ProfileForm, RolesForm, offer_teams
from qa.accounts.models import SignInSession, User, own_scope
from qa.accounts.people_views import link_page, site_day, team_choices
from qa.accounts.permissions import PEOPLE, ROLE_MEANINGS, ROLE_WORDS, Permission, Role
from qa.accounts.policy import allowed
from qa.accounts.sign_in_views import confirm_first
from qa.core import clock
from qa.core.errors import Invalid
from qa.web.access import claims
from qa.web.context import current_actor, reading, transaction

PERSON = "/people/<int:user_id>"


@bp.get(PERSON)
@claims(Permission.USER_READ_PROFILE)
def person(user_id: int) -> ResponseReturnValue:
    """Show one person."""
    return _person_page(user_id)


@bp.post(f"{PERSON}/profile")
@claims(Permission.USER_CREATE)
def update_profile(user_id: int) -> ResponseReturnValue:
    """Change a person's name or address."""
    form = ProfileForm(request.form)
    if not form.validate():
        return _person_page(user_id, profile=form), 422
    try:
        with transaction() as opened:
            people_service.update_profile(
                opened,
                current_actor(),
                user_id,
                name=str(form.name.data),
                email=str(form.email.data),
                now=clock.now(),
            )
    except Invalid as error:
        form.take(error)
        return _person_page(user_id, profile=form), 422
    return _done(user_id, "Name and address are kept.")


@bp.post(f"{PERSON}/team")
@claims(Permission.USER_SET_TEAM)
def move_person(user_id: int) -> ResponseReturnValue:
    """Move a person to another team from a day on."""
    form = MoveForm(request.form)
    with reading() as opened:
        offer_teams(form.team_id, team_choices(opened))
    if not form.validate():
        return _person_page(user_id, move=form), 422
    today = site_day()
    try:
        with transaction() as opened:
            people_service.set_team(
                opened,
                current_actor(),
                user_id,
                team_id=form.team_id.data,
                since=form.since.data or today,
                today=today,
                now=clock.now(),
            )
    except Invalid as error:
        form.take(error)
        return _person_page(user_id, move=form), 422
    return _done(user_id, "The move is kept.")


@bp.route(f"{PERSON}/roles", methods=["GET", "POST"])
@claims(Permission.USER_SET_ROLE)
def roles(user_id: int) -> ResponseReturnValue:
    """Change a person's roles; asks for the password first and keeps what was ticked."""
    chosen = request.form.getlist("roles") or request.args.getlist("roles")
    back = url_for("accounts.roles", user_id=user_id, roles=chosen)
    if (confirmation := confirm_first(back)) is not None:
        return confirmation
    with reading() as opened:
        user = queries.get_person(opened, current_actor(), user_id)
    held = [role.role for role in user.roles]
    form = RolesForm(request.form or MultiDict({"roles": chosen or held}))
    if request.method == "POST":
        try:
            with transaction() as opened:
                people_service.set_roles(
                    opened, current_actor(), user_id, roles=request.form.getlist("roles"), now=clock.now()
                )
        except Invalid as error:
            form.take(error)
        else:
            return _done(user_id, f"{user.name}’s roles are changed. Their sessions have ended.")
    page = render_template("accounts/roles.html", user=user, form=form, meanings=ROLE_MEANINGS)
    return page, 422 if request.method == "POST" else 200


@bp.post(f"{PERSON}/link")
@claims(Permission.USER_CREATE)
def new_link(user_id: int) -> ResponseReturnValue:
    """Make a one-time link and show it, once."""
    if (confirmation := confirm_first(url_for("accounts.person", user_id=user_id))) is not None:
        return confirmation
    with transaction() as opened:
        token = signing.make_link(opened, current_actor(), user_id, now=clock.now())
        user = queries.get_person(opened, current_actor(), user_id)
    return link_page(user.id, user.name, token)


@bp.post(f"{PERSON}/close")
@claims(Permission.USER_DEACTIVATE)
def close_account(user_id: int) -> ResponseReturnValue:
    """Close an account; it can be opened again."""
    if (confirmation := confirm_first(url_for("accounts.person", user_id=user_id))) is not None:
        return confirmation
    with transaction() as opened:
        people_service.deactivate(opened, current_actor(), user_id, now=clock.now())
    return _done(user_id, "The account is closed and signed out everywhere. You can open it again.")


@bp.post(f"{PERSON}/open")
@claims(Permission.USER_DEACTIVATE)
def open_account(user_id: int) -> ResponseReturnValue:
    """Open a closed account again."""
    if (confirmation := confirm_first(url_for("accounts.person", user_id=user_id))) is not None:
        return confirmation
    with transaction() as opened:
        people_service.reactivate(opened, current_actor(), user_id, now=clock.now())
    return _done(user_id, "The account is open again.")


@bp.post(f"{PERSON}/sign-out")
@claims(Permission.SESSION_REVOKE)
def sign_out_everywhere(user_id: int) -> ResponseReturnValue:
    """End every session of a person."""
    with transaction() as opened:
        queries.get_person(opened, current_actor(), user_id)
        signing.revoke_all_sessions(opened, current_actor(), user_id, now=clock.now())
    return _done(user_id, "Every browser of theirs is signed out.")


def _done(user_id: int, words: str) -> ResponseReturnValue:
    flash(words, "success")
    return redirect(url_for("accounts.person", user_id=user_id), 303)


def _person_page(user_id: int, *, profile: ProfileForm | None = None, move: MoveForm | None = None) -> str:
    actor, now, today = current_actor(), clock.now(), site_day()
    with reading() as opened:
        user = queries.get_person(opened, actor, user_id)
        live = _sessions_shown(opened, user)
        invitation = queries.find_invitation(opened, actor, user_id, now=now)
        failures = throttle.failures_of(opened, throttle.account_key(user.email), now=now)
        choices = team_choices(opened)
    move = move or MoveForm(data={"team_id": user.team_id})
    offer_teams(move.team_id, choices)
    return render_template(
        "accounts/person.html",
        user=user,
        is_me=user.id == actor.id,
        roles=[role for role in PEOPLE if role in {held.role for held in user.roles}],
        names=ROLE_WORDS,
        meanings=ROLE_MEANINGS,
        memberships=[m for m in reversed(user.memberships) if m.until != m.since],
        today=today,
        sessions=live,
        browser_words=sessions.browser_words,
        invitation=invitation,
        failures=failures,
        slowed_from=throttle.FREE_FAILURES,
        profile=profile or ProfileForm(data={"name": user.name, "email": user.email}),
        move=move,
        agent_page=_agent_page(user),
    )


def _sessions_shown(opened: Session, user: User) -> list[SignInSession] | None:
    actor = current_actor()
    if not allowed(actor, Permission.SESSION_REVOKE, own_scope(user.id)):
        return None
    return sessions.list_sessions(opened, actor, user.id, now=clock.now())


def _agent_page(user: User) -> str | None:
    """Return where an agent's results stand, for those who may read them."""
    is_agent = any(role.role == Role.AGENT for role in user.roles)
    if not is_agent or not allowed(current_actor(), Permission.KPI_READ, user.scope):
        return None
    has_page = "insights.agent" in current_app.view_functions  # a higher package's, known by its name only
    return url_for("insights.agent", user_id=user.id) if has_page else None
