"""One's own queue: what is due, take up the next, put one aside; and giving work to others."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from statistics import median

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup

from qa.accounts.permissions import Permission as P
from qa.core import clock
from qa.core.errors import Invalid
from qa.evaluations import draft_service, queries, skip_service
from qa.evaluations.forms import SkipForm
from qa.evaluations.models import SKIP_REASONS, Assignment
from qa.evaluations.work_views import bp
from qa.web.access import claims
from qa.web.charts.spark import spark
from qa.web.context import current_actor, reading, site_zone, transaction

USUAL = 3
"""As many evaluations make a pace."""


@bp.get("/queue")
@claims(P.ASSIGNMENT_LIST)
def queue() -> ResponseReturnValue:
    """Show what is due, the oldest first."""
    now = clock.now().astimezone(site_zone())
    midnight = datetime.combine(now.date(), time(), tzinfo=site_zone())
    week, month = midnight - timedelta(days=now.weekday()), midnight.replace(day=1)
    with reading() as opened:
        waiting = queries.list_queue(opened, current_actor())
        counts = queries.count_queue(opened, current_actor(), week=week, month=month)
    channel = request.args.get("channel", "")
    chips: dict[str, int] = {}
    for assignment in waiting:
        chips[assignment.interaction.channel] = chips.get(assignment.interaction.channel, 0) + 1
    rest = [one for one in waiting[1:] if not channel or one.interaction.channel == channel]
    today_end = midnight + timedelta(days=1)
    return render_template(
        "evaluations/queue.html",
        following=waiting[0] if waiting else None,
        rest=rest,
        counts=counts,
        chips=chips,
        channel=channel,
        due_today=sum(one.due_at < today_end for one in waiting),
        today_end=today_end,
        now=now,
        skip_words=SKIP_REASONS,
        left=_time_left(counts),
        pace=_pace(counts.minutes),
    )


def _time_left(counts: queries.QueueCounts) -> timedelta | None:
    """Return how long the open ones take at this person's usual pace, once there is one."""
    if len(counts.minutes) < USUAL or not counts.open:
        return None
    return timedelta(minutes=counts.open * median(counts.minutes))


def _pace(minutes: list[float]) -> Markup | None:
    if len(minutes) < USUAL:
        return None
    return spark(minutes, f"Minutes of the last {len(minutes)} evaluations, the newest {minutes[-1]:g}")


@bp.post("/queue/next")
@claims(P.EVALUATION_CREATE)
def next_() -> ResponseReturnValue:
    """Open what is due first."""
    with transaction() as opened:
        draft = draft_service.start_next(opened, current_actor(), now=clock.now())
    if draft is None:
        flash("Your queue is empty.", "success")
        return redirect(url_for(".queue"), 303)
    return redirect(url_for(".work", evaluation_id=draft.id), 303)


@bp.post("/queue/<int:assignment_id>/start")
@claims(P.EVALUATION_CREATE)
def start(assignment_id: int) -> ResponseReturnValue:
    """Open the draft of an assignment."""
    with transaction() as opened:
        draft = draft_service.start_evaluation(opened, current_actor(), assignment_id, now=clock.now())
    return redirect(url_for(".work", evaluation_id=draft.id), 303)


@bp.route("/queue/<int:assignment_id>/skip", methods=["GET", "POST"])
@claims(P.ASSIGNMENT_SKIP)
def skip(assignment_id: int) -> ResponseReturnValue:
    """Put an assignment aside with a reason."""
    form = SkipForm(request.form)
    with reading() as opened:
        assignment = queries.get_assignment(opened, current_actor(), assignment_id)
    if request.method == "POST" and form.validate():
        try:
            with transaction() as opened:
                following = skip_service.skip(
                    opened,
                    current_actor(),
                    assignment_id,
                    reason=str(form.reason.data),
                    note=form.note.data or "",
                    now=clock.now(),
                )
        except Invalid as error:
            form.take(error)
        else:
            flash(skipped_words(assignment, following), "success")
            return redirect(url_for(".queue"), 303)
    status = 422 if request.method == "POST" else 200
    return render_template("evaluations/skip.html", assignment=assignment, form=form), status


def skipped_words(skipped: Assignment, following: Assignment | None) -> str:
    """Return what a skip came to, for the person who skipped."""
    if following is not None:
        return "Replaced by the next one of the same draw. The reason is counted, and your lead sees it."
    if skipped.selection_method == "random":
        return "Skipped. Nothing is left of this draw to take its place. The reason is counted."
    return "Skipped. The reason is counted, and your lead sees it."
