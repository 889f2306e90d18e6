"""How far the text of a recording is, on its conversation's page: progress, stop, and another try."""

from __future__ import annotations

from datetime import timedelta

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from qa.accounts.permissions import Permission as P
from qa.accounts.policy import allowed
from qa.core import clock, jobs
from qa.core.errors import Conflict
from qa.core.jobs import Job
from qa.interactions import queries
from qa.interactions import speech_service as service
from qa.interactions.speech_models import DONE
from qa.web.access import claims
from qa.web.context import current_actor, reading, transaction

bp = Blueprint("speech", __name__, template_folder="templates")
SURE_AFTER = timedelta(seconds=3)


@bp.get("/interactions/<int:interaction_id>/speech")
@claims(P.INTERACTION_READ)
def progress(interaction_id: int) -> ResponseReturnValue:
    """Show how far the text is: alone, or as a part of the conversation's page."""
    actor = current_actor()
    with reading() as opened:
        found = queries.get_interaction(opened, actor, interaction_id)
        row = service.find_transcription(opened, actor, interaction_id)
        job = None if row is None or row.job_id is None else jobs.find_job(opened, row.job_id)
    if request.headers.get("HX-Request") is None:
        name = "interactions/speech.html"
    elif row is not None and row.state == DONE:
        return "", {"HX-Refresh": "true"}  # the words are there: the page shows them
    else:
        name = "interactions/_speech.html"
    return render_template(
        name,
        interaction=found,
        row=row,
        job=job,
        left=_left(job),
        may_change=allowed(actor, P.TRANSCRIPT_CORRECT, found.scope),
    )


def _left(job: Job | None) -> timedelta | None:
    """Return how long it will still take at the pace so far, None when that is not known yet."""
    if (
        job is None
        or job.state != "running"
        or not job.total_count
        or not job.done_count
        or not job.started_at
    ):
        return None
    spent = clock.now() - job.started_at
    return None if spent < SURE_AFTER else spent * (job.total_count - job.done_count) / job.done_count


@bp.post("/interactions/<int:interaction_id>/speech/stop")
@claims(P.TRANSCRIPT_CORRECT)
def stop(interaction_id: int) -> ResponseReturnValue:
    """Stop making the text."""
    try:
        with transaction() as opened:
            service.stop_transcription(opened, current_actor(), interaction_id, now=clock.now())
    except Conflict as error:
        flash(error.message, "error")
    return redirect(url_for("interactions.show", interaction_id=interaction_id), 303)


@bp.post("/interactions/<int:interaction_id>/speech/again")
@claims(P.TRANSCRIPT_CORRECT)
def again(interaction_id: int) -> ResponseReturnValue:
    """Ask for the text before all others."""
    try:
        with transaction() as opened:
            service.transcribe_again(opened, current_actor(), interaction_id, now=clock.now())
    except Conflict as error:
        flash(error.message, "error")
    return redirect(url_for("interactions.show", interaction_id=interaction_id), 303)
