"""The page of one's own account: password, signed-in browsers, how one likes pages to be."""

from __future__ import annotations

from zoneinfo import available_timezones

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from qa.accounts import people_service, queries, sessions
from qa.accounts import sign_in_service as service
from qa.accounts.blueprint import bp
from qa.accounts.forms import ChangePasswordForm, PreferencesForm, key_field, preferences_form
from qa.accounts.keys import KEYS
from qa.accounts.sign_in_views import proof_of, site_words
from qa.core import clock
from qa.core.errors import Invalid, TooMany
from qa.web.access import signed_in
from qa.web.context import current_actor, reading, transaction


@bp.get("/account")
@signed_in
def my_account() -> ResponseReturnValue:
    """Show one's own account."""
    return _account_page(ChangePasswordForm())


@bp.post("/account/password")
@signed_in
def change_password() -> ResponseReturnValue:
    """Change one's own password; every other browser is signed out."""
    form = ChangePasswordForm(request.form)
    if not form.validate():
        return _account_page(form), 422
    try:
        proof = proof_of(str(form.old.data))
        with transaction() as opened:
            service.change_password(
                opened,
                current_actor(),
                proof,
                new=str(form.password.data),
                words=site_words(),
                now=clock.now(),
            )
    except Invalid as error:
        form.take(error)
        return _account_page(form), 422
    except TooMany as pause:
        form.form_errors.append(pause.message)
        return _account_page(form), 429, {"Retry-After": str(pause.retry_after)}
    flash("Your password is changed. Your other browsers are signed out.", "success")
    return redirect(url_for("accounts.my_account"), 303)


@bp.post("/account/preferences")
@signed_in
def preferences() -> ResponseReturnValue:
    """Keep how one likes pages to be."""
    form = preferences_form(request.form)
    try:
        with transaction() as opened:
            people_service.set_preferences(
                opened,
                current_actor(),
                single_keys=bool(form.single_keys.data),
                theme=form.theme.data or "system",
                keys={} if "first_keys" in request.form else form.chosen_keys(),
                mail=bool(form.mail.data),
                time_zone=(form.time_zone.data or "").strip(),
                now=clock.now(),
            )
    except Invalid as error:
        form.take(error)
        return _account_page(ChangePasswordForm(), form), 422
    flash("Your choices are kept.", "success")
    return redirect(url_for("accounts.my_account"), 303)


@bp.post("/account/sessions/<int:session_id>/end")
@signed_in
def end_session(session_id: int) -> ResponseReturnValue:
    """End one of one's own sessions."""
    with transaction() as opened:
        service.revoke_session(opened, current_actor(), session_id, now=clock.now())
    flash("That browser is signed out.", "success")
    return redirect(url_for("accounts.my_account"), 303)


@bp.post("/account/sessions/end-others")
@signed_in
def end_other_sessions() -> ResponseReturnValue:
    """End every session of one's own but this one."""
    actor = current_actor()
    with transaction() as opened:
        service.revoke_all_sessions(opened, actor, actor.id or 0, now=clock.now())
    flash("Your other browsers are signed out.", "success")
    return redirect(url_for("accounts.my_account"), 303)


def _account_page(form: ChangePasswordForm, preferences: PreferencesForm | None = None) -> str:
    actor, now = current_actor(), clock.now()
    shown = {key_field(name): key for name, key in actor.keys}
    with reading() as opened:
        user = queries.get_own_account(opened, actor)
        live = sessions.list_sessions(opened, actor, user.id, now=now)
    kept = {
        "single_keys": actor.single_keys,
        "theme": actor.theme,
        "mail": user.preferences.get("mail", True),
        "time_zone": user.preferences.get("time_zone", ""),
        **shown,
    }
    return render_template(
        "accounts/account.html",
        user=user,
        roles=people_service.role_words(user),
        sessions=live,
        browser_words=sessions.browser_words,
        form=form,
        preferences=preferences or preferences_form(data=kept),
        keys=KEYS,
        zones=sorted(available_timezones()),
    )
