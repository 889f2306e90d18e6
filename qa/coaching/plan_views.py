"""Pages of plans: a new one in a minute, what it says and how far it is, its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session
from wtforms.fields import SelectChoice

from qa.accounts.permissions import Permission as P
from qa.accounts.policy import allowed
from qa.coaching import plan_service as service
from qa.coaching import queries, session_service
from qa.coaching import template_service as templates
from qa.coaching.blueprint import bp
from qa.coaching.forms import PlanForm, TemplateForm, TodoForm, WordsForm
from qa.coaching.goals import GoalChoice, goal_labels, lost_goals
from qa.coaching.models import PlanTemplate
from qa.coaching.plan_page import plan_page
from qa.coaching.plan_service import Cause, PlanChoice
from qa.coaching.session_service import Appointment, SessionChoice
from qa.core import clock
from qa.core.errors import DomainError, Invalid
from qa.scorecards.queries import form_of, list_active
from qa.web.access import claims
from qa.web.asked import asked_id
from qa.web.context import current_actor, reading, settings, site_zone, transaction

MONTHS = 2


@bp.route("/coaching/plans/new", methods=["GET", "POST"])
@claims(P.COACHING_PLAN_CREATE)
def new_plan() -> ResponseReturnValue:
    """Make a plan, from nothing, a template or an evaluation; begin at once or keep it as a draft."""
    form, template, evaluation_id = _new_form()
    if request.method == "POST" and form.validate():
        try:
            with transaction() as opened:
                plan_id = _make(opened, form, template, evaluation_id)
        except DomainError as error:
            form.take(error if isinstance(error, Invalid) else Invalid(error.message))
        else:
            flash("The plan is made." if "draft" in request.form else "The plan runs.", "success")
            return redirect(url_for("coaching.plan", plan_id=plan_id), 303)
    with reading() as opened:
        offered = queries.list_templates(opened, current_actor())
    status = 422 if request.method == "POST" else 200
    return (
        render_template(
            "coaching/new_plan.html",
            form=form,
            templates=offered,
            template=template,
            evaluation_id=evaluation_id,
        ),
        status,
    )


def _new_form() -> tuple[PlanForm, PlanTemplate | None, int | None]:
    """Return the form with what can be chosen, filled from the template or the evaluation asked for."""
    actor, now = current_actor(), clock.now()
    template_id, evaluation_id = asked_id(request.args, "template"), asked_id(request.args, "evaluation")
    with reading() as opened:
        agents, coaches = queries.list_coachees(opened, actor), queries.list_coaches(opened, actor)
        versions = list_active(opened, actor)
        template = None if template_id is None else queries.get_template(opened, actor, template_id)
        first = _first(opened, template, evaluation_id)
    first |= {"agent_id": first.get("agent_id") or asked_id(request.args, "agent")}
    chosen = next((one for one in agents if one.id == first["agent_id"]), None)
    own = actor.id if actor.id in {one.id for one in coaches} else None
    first |= {
        "coach_id": (chosen.coach_id if chosen else None) or own,
        "review_on": service.default_review(now, site_zone(), template.months if template else MONTHS),
    }
    form = PlanForm(request.form, data=first)
    form.agent_id.choices = [
        SelectChoice(str(one.id), f"{one.name}, {one.team.name}" if one.team else one.name) for one in agents
    ]
    form.coach_id.choices = [SelectChoice(str(one.id), one.name) for one in coaches]
    form.offer([(version.title, _options(version)) for version in versions])
    return form, template, evaluation_id


def _options(version: Any) -> list[tuple[str, str]]:
    labels = goal_labels(form_of(version))
    return [
        (f"{kind}:{version.scorecard_id}:{ref}", label if kind == "question" else f"{label} (whole section)")
        for (kind, ref), label in labels.items()
    ]


def _first(opened: Session, template: PlanTemplate | None, evaluation_id: int | None) -> dict[str, Any]:
    """Return what stands in the fields at first."""
    found: dict[str, Any] = {"goals": [], "agenda": "", "todos": ""}
    if template is not None:
        found |= {
            "title": template.title,
            "agenda": template.agenda,
            "todos": "\n".join(str(one["words"]) for one in template.todos),
            "goals": [_goal_data(goal) for goal in templates.goals_of(opened, template)],
        }
    if evaluation_id is not None:
        evaluation = queries.find_evaluation_for_clip(opened, current_actor(), evaluation_id)
        if evaluation is not None:
            lost = lost_goals(evaluation)
            found["agent_id"] = evaluation.agent_id
            found["goals"] = found["goals"] or [_goal_data(goal) for goal in lost]
            if lost and not template:
                found["title"] = lost[0].label
    return found


def _goal_data(goal: GoalChoice) -> dict[str, Any]:
    what = {
        "behaviour": "behaviour",
        "kpi": f"kpi:{goal.ref}",
    }.get(goal.kind, f"{goal.kind}:{goal.scorecard_id}:{goal.ref}")
    words = goal.label if goal.kind == "behaviour" else ""
    return {"what": what, "target": goal.target or 80, "words": words}


def _make(opened: Session, form: PlanForm, template: PlanTemplate | None, evaluation_id: int | None) -> int:
    actor, now, zone = current_actor(), clock.now(), site_zone()
    assert form.review_on.data is not None
    origin = "evaluation" if evaluation_id else "template" if template else "agent"
    due = form.review_on.data
    if template is not None:
        days = {words: day for words, day in templates.todos_of(template, now.astimezone(zone).date())}
        todos = [(words, days.get(words, due)) for words, due in form.todo_lines(due)]
    else:
        todos = form.todo_lines(due)
    plan = service.create_plan(
        opened,
        actor,
        agent_id=form.agent_id.data,
        coach_id=form.coach_id.data,
        choice=PlanChoice(
            form.title.data or "", form.choices(), form.review_on.data, form.why.data or "", todos
        ),
        zone=zone,
        now=now,
        cause=Cause(origin, evaluation_id),
    )
    if "draft" not in request.form:
        service.start_plan(opened, actor, plan.id, now=now)
    if form.session_day.data and form.session_at.data:
        session_service.plan_session(
            opened,
            actor,
            plan_id=plan.id,
            coach_id=plan.coach_id,
            choice=SessionChoice(form.title.data or "", form.agenda.data or ""),
            appointment=Appointment(
                form.session_day.data, form.session_at.data, str(zone), form.minutes.data
            ),
            url=settings().public_url.rstrip("/"),
            now=now,
        )
    return plan.id


@bp.get("/coaching/plans/<int:plan_id>")
@claims(P.COACHING_PLAN_READ)
def plan(plan_id: int) -> ResponseReturnValue:
    """Show one plan."""
    return _page(plan_id)


def _page(plan_id: int, **forms: Any) -> str:
    actor, now = current_actor(), clock.now()
    with reading() as opened:
        found = queries.get_whole_plan(opened, actor, plan_id)
        coaches = queries.list_coaches(opened, actor)
        others = queries.list_plans(opened, actor, agent_id=found.agent_id)
    todo = forms.pop("todo", None) or TodoForm()
    todo.person_id.choices = [SelectChoice(str(one.id), one.name) for one in (found.agent, found.coach)]
    may = {
        "edit": allowed(actor, P.COACHING_PLAN_EDIT, found.scope),
        "effect": allowed(actor, P.COACHING_EFFECT_READ, found.scope),
    }
    return render_template(
        "coaching/plan.html",
        plan=found,
        page=plan_page(found, now=now, zone=site_zone()),
        may=may,
        mine=actor.id == found.agent_id,
        coaches=[one for one in coaches if one.id not in {found.coach_id, found.agent_id}],
        others=[one for one in others if one.id != found.id],
        todo_form=todo,
        words_form=forms.get("words_form") or WordsForm(),
        template_form=forms.get("template_form") or TemplateForm(data={"title": found.title}),
        now=now,
        today=now.astimezone(site_zone()).date(),
        refused=forms.get("refused", ""),
    )


def _acted(plan_id: int, act: Callable[[Session], object], words: str, **forms: Any) -> ResponseReturnValue:
    """Do one thing to a plan, or show it again with what is wrong."""
    try:
        with transaction() as opened:
            act(opened)
    except DomainError as error:
        for form in forms.values():
            form.take(error if isinstance(error, Invalid) else Invalid(error.message))
        return _page(plan_id, refused=error.message, **forms), error.status
    flash(words, "success")
    return redirect(url_for("coaching.plan", plan_id=plan_id), 303)


@bp.post("/coaching/plans/<int:plan_id>/start")
@claims(P.COACHING_PLAN_EDIT)
def start_plan(plan_id: int) -> ResponseReturnValue:
    """Begin a draft."""
    actor, now = current_actor(), clock.now()
    return _acted(
        plan_id, lambda opened: service.start_plan(opened, actor, plan_id, now=now), "The plan runs."
    )


@bp.post("/coaching/plans/<int:plan_id>/end")
@claims(P.COACHING_PLAN_EDIT)
def end_plan(plan_id: int) -> ResponseReturnValue:
    """Complete or cancel a plan."""
    actor, now, form = current_actor(), clock.now(), WordsForm(request.form)
    act = service.cancel_plan if request.form.get("act") == "cancel" else service.complete_plan
    words = form.words.data or ""
    return _acted(
        plan_id,
        lambda opened: act(opened, actor, plan_id, words=words, now=now),
        "The plan has ended.",
        words_form=form,
    )


@bp.post("/coaching/plans/<int:plan_id>/lead")
@claims(P.COACHING_PLAN_EDIT)
def tell_lead(plan_id: int) -> ResponseReturnValue:
    """Pass a plan on to the team's leads."""
    actor, now, form = current_actor(), clock.now(), WordsForm(request.form)
    return _acted(
        plan_id,
        lambda opened: service.tell_lead(opened, actor, plan_id, words=form.words.data or "", now=now),
        "The team lead is told.",
        words_form=form,
    )


@bp.post("/coaching/plans/<int:plan_id>/coach")
@claims(P.COACHING_PLAN_EDIT)
def hand_over(plan_id: int) -> ResponseReturnValue:
    """Give a plan to another coach."""
    actor, now, coach_id = current_actor(), clock.now(), asked_id(request.form, "coach_id") or 0
    return _acted(
        plan_id,
        lambda opened: service.hand_over(opened, actor, plan_id, coach_id=coach_id, now=now),
        "Handed over.",
    )


@bp.post("/coaching/plans/<int:plan_id>/todos")
@claims(P.COACHING_PLAN_EDIT)
def add_todo(plan_id: int) -> ResponseReturnValue:
    """Add a to-do."""
    actor, now, form = current_actor(), clock.now(), TodoForm(request.form)
    return _acted(
        plan_id,
        lambda opened: service.add_todo(
            opened,
            actor,
            plan_id,
            person_id=form.person_id.data,
            words=form.todo.data or "",
            due_on=form.due_on.data,
            now=now,
        ),
        "Added.",
        todo=form,
    )


@bp.post("/coaching/plans/<int:plan_id>/template")
@claims(P.COACHING_PLAN_EDIT)
def keep_as_template(plan_id: int) -> ResponseReturnValue:
    """Make a template of a plan."""
    actor, now, form = current_actor(), clock.now(), TemplateForm(request.form)
    return _acted(
        plan_id,
        lambda opened: templates.keep_as_template(
            opened,
            actor,
            plan_id,
            title=form.title.data or "",
            agenda=form.agenda.data or "",
            now=now,
        ),
        "Kept as a template.",
        template_form=form,
    )
