"""Pages of signing in and out, of one-time links, and of proving again who one is."""

from __future__ import annotations

import re

from flask import Response, flash, make_response, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue

from qa.accounts import queries, sessions, throttle
from qa.accounts import sign_in_service as service
from qa.accounts.blueprint import bp
from qa.accounts.forms import ConfirmForm, NewPasswordForm, SignInForm
from qa.accounts.known_browsers import DAYS, KnownBrowsers
from qa.core import clock
from qa.core.errors import Conflict, Invalid, TooMany
from qa.web.access import public, signed_in
from qa.web.context import current_actor, reading, settings, site, transaction

COOKIE_ENTRY = "t"
NOT_YOURS = "That is not your password. Check it; capital letters count."


@bp.route("/sign-in", methods=["GET", "POST"])
@public
def sign_in() -> ResponseReturnValue:
    """Show the sign-in page, or begin a session and go where the person wanted to."""
    form = SignInForm(request.form)
    if request.method != "POST":
        return _sign_in_page(form)
    if not form.validate():
        return _sign_in_page(form), 422
    try:
        token = _token_for(str(form.email.data), str(form.password.data))
    except TooMany as pause:
        form.form_errors.append(pause.message)
        return _sign_in_page(form), 429, {"Retry-After": str(pause.retry_after)}
    if token is None:
        form.form_errors.append(service.WRONG)
        return _sign_in_page(form), 422
    session.clear()  # a new session gets a new CSRF seed too
    session[COOKIE_ENTRY] = token
    return _remembering(redirect(own_path(request.args.get("next")), 303), str(form.email.data))


def _token_for(email: str, password: str) -> str | None:
    now, address = clock.now(), request.remote_addr or ""
    door = throttle.door_of(email, address, _known_browser(email))
    with transaction() as opened:
        tried = service.begin_sign_in(opened, email=email, door=door, now=now)
    proof = service.look_at(tried, password)
    with transaction() as opened:
        return service.complete_sign_in(
            opened,
            proof,
            browser=request.user_agent.string,
            address=address,
            old_token=token_of_cookie(),
            now=now,
        )


def _sign_in_page(form: SignInForm) -> str:
    return render_template("accounts/sign_in.html", form=form, site_name=settings().site_name)


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
            raise Conflict(service.LINK_OVER)
    if request.method == "POST" and form.validate():
        try:
            with transaction() as opened:
                email = service.choose_password(
                    opened, token, str(form.password.data), words=site_words(), now=clock.now()
                )
        except Invalid as error:
            form.take(error)
        else:
            session.clear()
            flash("Your password is set. Sign in with it.", "success")
            return _remembering(redirect(url_for("accounts.sign_in"), 303), email)
    page = render_template("accounts/welcome.html", form=form, site_name=settings().site_name)
    return page, 422 if request.method == "POST" else 200


@bp.route("/account/confirm", methods=["GET", "POST"])
@signed_in
def confirm() -> ResponseReturnValue:
    """Ask for the password before an act that matters, then go back to it."""
    form = ConfirmForm(request.form)
    back = own_path(request.args.get("next"))
    if request.method != "POST":
        return _confirm_page(form)
    try:
        if form.validate() and _confirmed(str(form.password.data)):
            return redirect(back, 303)
    except TooMany as pause:
        form.form_errors.append(pause.message)
        return _confirm_page(form), 429, {"Retry-After": str(pause.retry_after)}
    if not form.errors:
        form.form_errors.append(NOT_YOURS)
    return _confirm_page(form), 422


def _confirmed(password: str) -> bool:
    proof = proof_of(password)
    with transaction() as opened:
        return service.confirm_identity(opened, current_actor(), proof, now=clock.now())


def _confirm_page(form: ConfirmForm) -> str:
    with reading() as opened:
        email = queries.get_own_account(opened, current_actor()).email
    return render_template("accounts/confirm.html", form=form, email=email)


def proof_of(password: str) -> service.Proof:
    """Look at the signed-in person's own password; raises ``TooMany`` while a pause is on."""
    with transaction() as opened:
        tried = service.begin_own(opened, current_actor(), now=clock.now())
    return service.look_at(tried, password)


def confirm_first(back: str) -> ResponseReturnValue | None:
    """Return the way to the confirmation page and back, or None when that is fresh enough."""
    with reading() as opened:
        if sessions.is_confirmed(opened, current_actor(), now=clock.now()):
            return None
    return redirect(url_for("accounts.confirm", next=back), 303)


def token_of_cookie() -> str | None:
    """Return the session token this browser brought, or None."""
    token = session.get(COOKIE_ENTRY)
    return token if isinstance(token, str) else None


def own_path(path: str | None) -> str:
    """Return a path of this site, the home page for anything else."""
    own = re.fullmatch(r"/(?![/\\])[^\s\\\x00-\x1f\x7f]*", path or "")
    return str(path) if own else url_for("insights.home")


def site_words() -> tuple[str, ...]:
    """Return the words that may not make up a password here."""
    return (settings().site_name, *settings().site_words, "candor")


def _known_browser(email: str) -> str | None:
    return _known().browser_of(request.cookies.get(_cookie_name()), throttle.account_key(email))


def _remembering(answer: ResponseReturnValue, email: str) -> Response:
    response = make_response(answer)
    kept = _known().remember(request.cookies.get(_cookie_name()), throttle.account_key(email))
    response.set_cookie(
        _cookie_name(),
        kept,
        max_age=DAYS * 86_400,
        secure=settings().over_tls,
        httponly=True,
        samesite="Lax",
    )
    return response


def _known() -> KnownBrowsers:
    return KnownBrowsers(site().keys.derive("known-browsers"))


def _cookie_name() -> str:
    return "__Host-candor-known" if settings().over_tls else "candor-known"
