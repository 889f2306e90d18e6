"""One's own queue: what is due, take up the next, put one aside; and giving work to others."""

from __future__ import annotations

from datetime import datetime, time, timedelta

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from wtforms.fields import SelectChoice

from qa.accounts.permissions import Permission as P
from qa.core import clock
from qa.core.errors import DomainError, Invalid
from qa.evaluations import assign_service, draft_service, queries
from qa.evaluations.forms import AssignForm, SkipForm
from qa.evaluations.models import SKIP_REASONS
from qa.evaluations.work_views import bp
from qa.interactions.queries import get_interaction
from qa.scorecards.queries import list_active
from qa.web.access import claims
from qa.web.context import current_actor, reading, site_zone, transaction

DUE_DAYS = 3


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
    )


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
                assign_service.skip(
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
            flash("Skipped. The reason is counted, and your lead sees it.", "success")
            return redirect(url_for(".queue"), 303)
    status = 422 if request.method == "POST" else 200
    return render_template("evaluations/skip.html", assignment=assignment, form=form), status


@bp.route("/interactions/<int:interaction_id>/assign", methods=["GET", "POST"])
@claims(P.ASSIGNMENT_CREATE)
def assign(interaction_id: int) -> ResponseReturnValue:
    """Give a conversation to an evaluator."""
    actor, now = current_actor(), clock.now()
    with reading() as opened:
        found = get_interaction(opened, actor, interaction_id)
        evaluators = queries.list_evaluators(opened, actor)
        versions = list_active(opened, actor)
    today = now.astimezone(site_zone()).date()
    form = AssignForm(request.form, data={"due": today + timedelta(days=DUE_DAYS)})
    form.agent_id.choices = [SelectChoice(str(p.user_id), p.user.name) for p in found.participants]
    form.evaluator_id.choices = [SelectChoice(str(user.id), user.name) for user in evaluators]
    form.scorecard_id.choices = [
        SelectChoice(str(v.scorecard_id), f"{v.title}, version {v.number}") for v in versions
    ]
    if request.method == "POST" and form.validate():
        due = datetime.combine(form.due.data or today, time(17), tzinfo=site_zone())
        try:
            with transaction() as opened:
                assign_service.assign(
                    opened,
                    actor,
                    interaction_id=interaction_id,
                    agent_id=form.agent_id.data,
                    scorecard_id=form.scorecard_id.data,
                    evaluator_id=form.evaluator_id.data,
                    due_at=due,
                    now=now,
                )
        except DomainError as error:
            form.take(error if isinstance(error, Invalid) else Invalid(error.message))
        else:
            flash("Assigned. As a person's pick it can train and coach; it counts in no average.", "success")
            return redirect(url_for("interactions.show", interaction_id=interaction_id), 303)
    status = 422 if request.method == "POST" else 200
    return render_template("evaluations/assign.html", interaction=found, form=form), status
