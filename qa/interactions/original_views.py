"""The original of a conversation, for the privacy role and with a reason; withheld ones tried again."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from wtforms import TextAreaField
from wtforms.validators import InputRequired, Length

from qa.accounts.permissions import Permission as P
from qa.core import clock
from qa.core.errors import Invalid
from qa.interactions import original_service as service
from qa.interactions import queries
from qa.interactions.conversation import SPEAKER_WORDS
from qa.web.access import claims
from qa.web.context import current_actor, reading, site, transaction
from qa.web.forms import Form

bp = Blueprint("originals", __name__, template_folder="templates")


class ReasonForm(Form):
    """Why somebody needs the original."""

    reason = TextAreaField(
        "Reason", [InputRequired("Say why you need the original."), Length(max=service.REASON_MAX)]
    )


@bp.route("/interactions/<int:interaction_id>/original", methods=["GET", "POST"])
@claims(P.RECORDING_UNREDACTED)
def original(interaction_id: int) -> ResponseReturnValue:
    """Ask why, then show the texts as they came; the look is in the audit log."""
    form = ReasonForm(request.form)
    with reading() as opened:
        found = queries.get_interaction(opened, current_actor(), interaction_id)
    if request.method == "POST" and form.validate():
        try:
            with transaction() as opened:
                seen = service.look_at_original(
                    opened,
                    current_actor(),
                    interaction_id,
                    keys=site().keys,
                    reason=form.reason.data or "",
                    now=clock.now(),
                )
        except Invalid as error:
            form.take(error)
        else:
            return render_template("interactions/original.html", seen=seen, words=SPEAKER_WORDS)
    status = 422 if request.method == "POST" else 200
    return render_template("interactions/ask_original.html", interaction=found, form=form), status


@bp.post("/interactions/<int:interaction_id>/redact-again")
@claims(P.RECORDING_UNREDACTED)
def again(interaction_id: int) -> ResponseReturnValue:
    """Have redaction try again what it withheld."""
    with transaction() as opened:
        service.try_again(opened, current_actor(), interaction_id=interaction_id, now=clock.now())
    flash("Redaction tries again. Reload the conversation in a moment.", "success")
    return redirect(url_for("interactions.show", interaction_id=interaction_id), 303)
