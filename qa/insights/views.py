"""The first page of each role: the one next act, then what is due."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from qa.core import clock
from qa.evaluations import queries
from qa.web.access import signed_in
from qa.web.context import current_actor, reading, site_zone

bp = Blueprint("insights", __name__, template_folder="templates")


@bp.get("/")
@signed_in
def home() -> ResponseReturnValue:
    """Lead to the work of one's role."""
    actor = current_actor()
    if "evaluator" in actor.roles:
        return redirect(url_for("evaluations.queue"))
    if "admin" in actor.roles and len(actor.roles) == 1:
        return redirect(url_for("accounts.people"))
    reads = actor.roles & {"agent", "coach", "lead", "manager", "ops"}
    with reading() as opened:
        page = queries.list_evaluations(opened, actor, queries.EvaluationFilter()) if reads else None
        waiting = queries.count_to_acknowledge(opened, actor) if "agent" in actor.roles else 0
    newest = page.evaluations[:10] if page else []
    unread = next((one for one in newest if one.state == "released" and one.agent_id == actor.id), None)
    now = clock.now().astimezone(site_zone())
    return render_template(
        "insights/home.html", newest=newest, unread=unread, waiting=waiting, now=now, reads=bool(reads)
    )
