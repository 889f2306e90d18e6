"""Pages of sign-in and of one's own account; pages of people are in ``people_views``."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue

from qa.accounts import queries, sessions
from qa.accounts import sign_in_service as service
from qa.accounts.forms import ChangePasswordForm, ConfirmForm, NewPasswordForm, PreferencesForm, SignInForm
from qa.accounts.people_service import set_preferences
from qa.core import clock
from qa.core.errors import Conflict, Invalid
from qa.web.access import public, signed_in
from qa.web.context import current_actor, reading, settings, transaction

bp = Blueprint("accounts", __name__, template_folder="templates")

TOKEN = "token"


def token_of_cookie() -> str | None:
    """Return the token this browser brought, or None."""
    token = session.get(TOKEN)
    return token if isinstance(token, str) else None


@bp.route("/sign-in", methods=["GET", "POST"])
@public
def sign_in() -> ResponseReturnValue:
    """Show the sign-in page, or begin a session."""
    form = SignInForm(request.form)
    if request.method == "POST" and form.validate():
        with transaction() as opened:
            done = service.sign_in(
                opened,
                email=str(form.email.data),
                password=str(form.password.data),
                browser=request.user_agent.string,
                address=request.remote_addr or "",
                now=clock.now(),
            )
        if done.token is not None:
            session.clear()  # a new session gets a new CSRF seed too
            session[TOKEN] = done.token
            return redirect(own_path(request.args.get("next")), 303)
        form.form_errors.append(service.WRONG)
    page = render_template("accounts/sign_in.html", form=form)
    return page, 422 if request.method == "POST" else 200


def own_path(path: str | None) -> str:
    """Return a path of this site, the home page for anything else."""
    parts = urlsplit(path or "")
    own = path and path.startswith("/") and not path.startswith(("//", "/\\")) and not parts.netloc
    return str(path) if own and "\\" not in str(path) else url_for("insights.home")


@bp.post("/sign-out")
@signed_in
def sign_out() -> ResponseReturnValue:
    """End the session and take its drafts' key away."""
    with transaction() as opened:
        service.sign_out(opened, current_actor(), now=clock.now())
    session.clear()
    answer = redirect(url_for("accounts.sign_in"), 303)
    answer.headers["Clear-Site-Data"] = '"cache", "storage"'
    return answer


@bp.route("/welcome/<token>", methods=["GET", "POST"])
@public
def invite(token: str) -> ResponseReturnValue:
    """Let a person with a one-time link choose a password."""
    form = NewPasswordForm(request.form)
    with reading() as opened:
        if queries.find_link(opened, token, now=clock.now()) is None:
            raise Conflict("This link was used already or is too old. Ask your administrator for a new one.")
    if request.method == "POST" and form.validate():
        try:
            with transaction() as opened:
                words = (settings().site_name, *settings().site_words)
                service.choose_password(opened, token, str(form.password.data), words=words, now=clock.now())
        except Invalid as error:
            form.take(error)
        else:
            flash("Your password is set. Sign in with it.", "success")
            return redirect(url_for("accounts.sign_in"), 303)
    return render_template("accounts/welcome.html", form=form), 422 if request.method == "POST" else 200


@bp.get("/account")
@signed_in
def my_account() -> ResponseReturnValue:
    """Show one's own account."""
    return _account_page(ChangePasswordForm())


@bp.post("/account/password")
@signed_in
def change_password() -> ResponseReturnValue:
    """Change one's own password."""
    form = ChangePasswordForm(request.form)
    if form.validate():
        try:
            with transaction() as opened:
                service.change_password(
                    opened,
                    current_actor(),
                    old=str(form.old.data),
                    new=str(form.password.data),
                    words=(settings().site_name, *settings().site_words),
                    now=clock.now(),
                )
        except Invalid as error:
            form.take(error)
        else:
            flash("Your password is changed. Other browsers were signed out.", "success")
            return redirect(url_for("accounts.my_account"), 303)
    return _account_page(form), 422


@bp.post("/account/preferences")
@signed_in
def preferences() -> ResponseReturnValue:
    """Keep how one likes to work."""
    form = PreferencesForm(request.form)
    with transaction() as opened:
        set_preferences(opened, current_actor(), keys_off=bool(form.keys_off.data), now=clock.now())
    flash("Saved.", "success")
    return redirect(url_for("accounts.my_account"), 303)


@bp.post("/account/sessions/<int:session_id>/end")
@signed_in
def end_session(session_id: int) -> ResponseReturnValue:
    """End one of one's own sessions."""
    with transaction() as opened:
        service.revoke_session(opened, current_actor(), session_id, now=clock.now())
    flash("That browser is signed out.", "success")
    return redirect(url_for("accounts.my_account"), 303)


@bp.route("/account/confirm", methods=["GET", "POST"])
@signed_in
def confirm() -> ResponseReturnValue:
    """Ask for the password before an act that matters, then go back to it."""
    form = ConfirmForm(request.form)
    if request.method == "POST" and form.validate():
        with transaction() as opened:
            fits = service.confirm_identity(opened, current_actor(), str(form.password.data), now=clock.now())
        if fits:
            return redirect(own_path(request.args.get("next")), 303)
        form.form_errors.append("That is not your password.")
    return render_template("accounts/confirm.html", form=form), 422 if request.method == "POST" else 200


def _account_page(form: ChangePasswordForm) -> str:
    actor = current_actor()
    with reading() as opened:
        user = queries.get_person(opened, actor, actor.id or 0)
        own = sessions.list_own(opened, user.id, now=clock.now())
    chosen = PreferencesForm(data={"keys_off": user.preferences.get("keys_off", False)})
    return render_template("accounts/account.html", user=user, sessions=own, form=form, preferences=chosen)
