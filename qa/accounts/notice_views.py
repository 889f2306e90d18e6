"""The page of one's own notices, and the way from a notice to what it is about."""

from __future__ import annotations

from flask import redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from werkzeug.routing import BuildError

from qa.accounts import notices_service as service
from qa.accounts.blueprint import bp
from qa.core import clock
from qa.web.access import signed_in
from qa.web.context import current_actor, reading, transaction


@bp.get("/notices")
@signed_in
def notices() -> ResponseReturnValue:
    """Show one's own notices, the newest first."""
    with reading() as session:
        rows = service.list_notices(session, current_actor())
    return render_template("accounts/notices.html", rows=rows)


@bp.get("/notices/<int:notice_id>")
@signed_in
def notice(notice_id: int) -> ResponseReturnValue:
    """Mark a notice as read and go to what it is about."""
    with transaction() as session:
        found = service.open_notice(session, current_actor(), notice_id, now=clock.now())
    try:
        return redirect(url_for(found.endpoint, **found.values), 303)
    except BuildError:
        # the page it led to is gone since
        return redirect(url_for("accounts.notices"), 303)


@bp.post("/notices/read")
@signed_in
def read_notices() -> ResponseReturnValue:
    """Mark all as read."""
    with transaction() as session:
        service.read_all(session, current_actor(), now=clock.now())
    return redirect(url_for("accounts.notices"), 303)
