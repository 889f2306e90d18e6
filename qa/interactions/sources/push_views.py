"""What a person does about notes that could not be left at a source."""

from __future__ import annotations

from collections.abc import Callable

from flask import flash, redirect, url_for
from flask.typing import ResponseReturnValue

from qa.accounts.permissions import Permission as P
from qa.core import clock
from qa.core.errors import Conflict
from qa.interactions.sources import push_service
from qa.interactions.sources.blueprint import bp
from qa.web.access import claims
from qa.web.context import current_actor, transaction


@bp.post("/sources/<int:source_id>/notes/<int:outgoing_id>/send")
@claims(P.JOB_RETRY)
def send_note(source_id: int, outgoing_id: int) -> ResponseReturnValue:
    """Send a note again that was given up on."""
    return _settled(push_service.send_again, source_id, outgoing_id, "It is sent again.")


@bp.post("/sources/<int:source_id>/notes/<int:outgoing_id>/discard")
@claims(P.JOB_RETRY)
def discard_note(source_id: int, outgoing_id: int) -> ResponseReturnValue:
    """Give a note up for good."""
    return _settled(push_service.discard, source_id, outgoing_id, "It is discarded.")


def _settled(act: Callable[..., None], source_id: int, outgoing_id: int, words: str) -> ResponseReturnValue:
    try:
        with transaction() as opened:
            act(opened, current_actor(), source_id, outgoing_id, now=clock.now())
        flash(words, "success")
    except Conflict as refusal:  # somebody else was quicker: the page shows how it stands now
        flash(refusal.message, "error")
    return redirect(url_for("sources.show", source_id=source_id), 303)
