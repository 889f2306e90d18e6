"""The page of outgoing mail: server, sender, a test to oneself."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from qa.accounts.permissions import Permission as P
from qa.core import clock
from qa.core.errors import Conflict, Invalid
from qa.extensions import mail_service as service
from qa.extensions.forms import MailForm
from qa.web.access import claims
from qa.web.context import current_actor, reading, site, transaction

bp = Blueprint("mail", __name__, template_folder="templates")


@bp.get("/mail")
@claims(P.SETTINGS_EDIT)
def show() -> ResponseReturnValue:
    """Show how mail goes out."""
    return _page()


@bp.post("/mail")
@claims(P.SETTINGS_EDIT)
def set_up() -> ResponseReturnValue:
    """Keep how mail goes out."""
    form = MailForm(request.form)
    if not form.validate():
        return _page(form), 422
    try:
        with transaction() as session:
            service.set_up_mail(session, current_actor(), site().keys, form.choice(), now=clock.now())
    except Invalid as error:
        form.take(error)
        return _page(form), 422
    flash("Kept. Send yourself a test mail now.", "success")
    return redirect(url_for("mail.show"), 303)


@bp.post("/mail/test")
@claims(P.SETTINGS_EDIT)
def test() -> ResponseReturnValue:
    """Have a test mail sent to oneself."""
    try:
        with transaction() as session:
            service.ask_for_test(session, current_actor(), site().keys, now=clock.now())
    except Conflict as refusal:
        flash(refusal.message, "error")
    return redirect(url_for("mail.show"), 303)


def _page(form: MailForm | None = None) -> str:
    with reading() as session:
        actor = current_actor()
        kept = service.find_settings(session, actor)
        has_password = service.has_password(session, actor)
        last = service.find_last_test(session, actor)
    return render_template(
        "extensions/mail.html",
        form=form or MailForm(obj=kept),
        is_set_up=kept is not None,
        has_password=has_password,
        last=last,
    )
