"""What a centre sets up once for coaching: who coaches whom, templates, days off."""

from __future__ import annotations

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from qa.accounts.permissions import Permission as P
from qa.coaching import plan_service, queries
from qa.coaching import template_service as service
from qa.coaching.blueprint import bp
from qa.coaching.forms import DayOffForm
from qa.core import clock
from qa.core.errors import Invalid
from qa.web.access import claims
from qa.web.asked import asked_id
from qa.web.context import current_actor, reading, site_zone, transaction


@bp.get("/coaching/coaches")
@claims(P.USER_SET_TEAM)
def coaches() -> ResponseReturnValue:
    """Show who coaches whom."""
    actor = current_actor()
    with reading() as opened:
        agents, offered = queries.list_coachees(opened, actor), queries.list_coaches(opened, actor)
    return render_template("coaching/coaches.html", agents=agents, coaches=offered)


@bp.post("/coaching/coaches/<int:agent_id>")
@claims(P.USER_SET_TEAM)
def set_coach(agent_id: int) -> ResponseReturnValue:
    """Say who coaches an agent."""
    coach_id = asked_id(request.form, "coach_id")
    with transaction() as opened:
        plan_service.set_coach(opened, current_actor(), agent_id, coach_id=coach_id, now=clock.now())
    flash("Kept.", "success")
    return redirect(url_for("coaching.coaches"), 303)


@bp.get("/coaching/templates")
@claims(P.COACHING_PLAN_CREATE)
def templates() -> ResponseReturnValue:
    """Show the templates of plans."""
    actor = current_actor()
    with reading() as opened:
        found = queries.list_templates(opened, actor)
    return render_template("coaching/templates.html", templates=found)


@bp.post("/coaching/templates/<int:template_id>/remove")
@claims(P.COACHING_PLAN_EDIT)
def remove_template(template_id: int) -> ResponseReturnValue:
    """Take a template away."""
    with transaction() as opened:
        service.remove_template(opened, current_actor(), template_id, now=clock.now())
    flash("The template is gone. Plans made of it stay.", "success")
    return redirect(url_for("coaching.templates"), 303)


@bp.route("/coaching/days-off", methods=["GET", "POST"])
@claims(P.USER_SET_TEAM)
def days_off() -> ResponseReturnValue:
    """Show the days on which nobody works, and add one."""
    form, now = DayOffForm(request.form), clock.now()
    if request.method == "POST" and form.validate():
        assert form.day.data is not None
        try:
            with transaction() as opened:
                service.add_day_off(
                    opened, current_actor(), day=form.day.data, name=form.name.data or "", now=now
                )
        except Invalid as error:
            form.take(error)
        else:
            return redirect(url_for("coaching.days_off"), 303)
    with reading() as opened:
        rows = queries.list_days_off(opened, now.astimezone(site_zone()).date())
    status = 422 if request.method == "POST" else 200
    return render_template("coaching/days_off.html", form=form, rows=rows), status


@bp.post("/coaching/days-off/<int:day_off_id>/remove")
@claims(P.USER_SET_TEAM)
def remove_day_off(day_off_id: int) -> ResponseReturnValue:
    """Say that the centre works on this day after all."""
    with transaction() as opened:
        service.remove_day_off(opened, current_actor(), day_off_id, now=clock.now())
    return redirect(url_for("coaching.days_off"), 303)
