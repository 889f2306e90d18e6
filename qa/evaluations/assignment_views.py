"""Work given to evaluators: who has what, a draw at random, a person's own pick, and taking back."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from wtforms.fields import SelectChoice

from qa.accounts import queries as people
from qa.accounts.permissions import Permission as P
from qa.core import clock
from qa.core.errors import DomainError, Invalid
from qa.evaluations import assign_service, assignment_queries, draw_service, queries
from qa.evaluations.forms import AssignForm, DrawForm
from qa.evaluations.models import SKIP_REASONS
from qa.evaluations.work_views import bp
from qa.interactions.queries import get_interaction
from qa.scorecards.queries import list_active
from qa.web.access import claims
from qa.web.asked import asked_id
from qa.web.context import current_actor, reading, site_zone, transaction

DUE_DAYS = 3
DUE_HOUR = 17
DRAWN_DAYS = 14


@bp.get("/assignments")
@claims(P.ASSIGNMENT_REASSIGN)
def assignments() -> ResponseReturnValue:
    """Show who has what to evaluate, and what was skipped and why."""
    asked, actor = request.args, current_actor()
    now = clock.now().astimezone(site_zone())
    month = datetime.combine(now.date().replace(day=1), time(), tzinfo=site_zone())
    state = asked.get("state", "open")
    wanted = assignment_queries.AssignmentFilter(
        state=state if state in assignment_queries.STATES else "open",
        evaluator_id=asked_id(asked, "evaluator"),
    )
    with reading() as opened:
        work = assignment_queries.list_work(opened, actor, month=month, now=now)
        page = assignment_queries.list_assignments(opened, actor, wanted, after=asked.get("after"))
    return render_template(
        "evaluations/assignments.html", work=work, page=page, wanted=wanted, now=now, skip_words=SKIP_REASONS
    )


@bp.route("/assignments/draw", methods=["GET", "POST"])
@claims(P.ASSIGNMENT_CREATE)
def draw() -> ResponseReturnValue:
    """Draw conversations at random and give them to an evaluator."""
    actor, now = current_actor(), clock.now()
    today = now.astimezone(site_zone()).date()
    with reading() as opened:
        agents = people.list_with_role(opened, actor, "agent")
        evaluators = queries.list_evaluators(opened, actor)
        versions = list_active(opened, actor)
    first = {"count": 2, "since": today - timedelta(days=DRAWN_DAYS), "until": today - timedelta(days=1)}
    form = DrawForm(request.form, data={**first, "due": today + timedelta(days=DUE_DAYS)})
    teams = {one.team_id: one.team.name for one in agents if one.team is not None}
    form.agent.choices = [
        *(SelectChoice(f"team:{team}", f"Everybody in {name}") for team, name in teams.items()),
        *(SelectChoice(str(one.id), one.name) for one in agents),
    ]
    form.evaluator_id.choices = [SelectChoice(str(user.id), user.name) for user in evaluators]
    form.scorecard_id.choices = [
        SelectChoice(str(v.scorecard_id), f"{v.title}, version {v.number}") for v in versions
    ]
    if request.method == "POST" and form.validate():
        try:
            with transaction() as opened:
                made = draw_service.draw_random(
                    opened,
                    actor,
                    agent_ids=form.agents([(one.id, one.team_id) for one in agents]),
                    scorecard_id=form.scorecard_id.data,
                    evaluator_id=form.evaluator_id.data,
                    count=form.count.data or 0,
                    since=_start_of(form.since.data or today),
                    until=_start_of((form.until.data or today) + timedelta(days=1)),
                    due_at=_due(form.due.data or today),
                    now=now,
                )
        except DomainError as error:
            form.take(error if isinstance(error, Invalid) else Invalid(error.message))
        else:
            flash(f"{len(made)} drawn at random. They count in averages.", "success")
            return redirect(url_for(".assignments", evaluator=form.evaluator_id.data), 303)
    return render_template("evaluations/draw.html", form=form), 422 if request.method == "POST" else 200


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
        try:
            with transaction() as opened:
                assign_service.assign(
                    opened,
                    actor,
                    interaction_id=interaction_id,
                    agent_id=form.agent_id.data,
                    scorecard_id=form.scorecard_id.data,
                    evaluator_id=form.evaluator_id.data,
                    due_at=_due(form.due.data or today),
                    now=now,
                )
        except DomainError as error:
            form.take(error if isinstance(error, Invalid) else Invalid(error.message))
        else:
            flash("Assigned. As a person's pick it can train and coach; it counts in no average.", "success")
            return redirect(url_for("interactions.show", interaction_id=interaction_id), 303)
    status = 422 if request.method == "POST" else 200
    return render_template("evaluations/assign.html", interaction=found, form=form), status


@bp.post("/assignments/<int:assignment_id>/withdraw")
@claims(P.ASSIGNMENT_REASSIGN)
def withdraw(assignment_id: int) -> ResponseReturnValue:
    """Take an assignment that was not begun out of a queue."""
    with transaction() as opened:
        assign_service.withdraw(opened, current_actor(), assignment_id, now=clock.now())
    flash("Taken out of the queue. It stays in the list of what was withdrawn.", "success")
    return redirect(url_for(".assignments"), 303)


def _start_of(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=site_zone())


def _due(day: date) -> datetime:
    return datetime.combine(day, time(DUE_HOUR), tzinfo=site_zone())
