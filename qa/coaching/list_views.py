"""The first page of coaching: what is next, what waits, what is late; for coaches, leads and agents."""

from __future__ import annotations

from datetime import timedelta

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from qa.accounts.permissions import Permission as P
from qa.accounts.policy import may_somewhere
from qa.coaching import plan_service, queries
from qa.coaching.blueprint import bp
from qa.core import clock
from qa.web.access import claims
from qa.web.asked import asked_day
from qa.web.context import current_actor, reading, site_zone, transaction

AHEAD = timedelta(days=7)
LATELY = timedelta(hours=12)


@bp.get("/coaching")
@claims(P.COACHING_PLAN_READ)
def index() -> ResponseReturnValue:
    """Show sessions, what waits to be confirmed, to-dos, plans, and the load of coaches."""
    actor, now = current_actor(), clock.now()
    today = now.astimezone(site_zone()).date()
    coaches = may_somewhere(actor, P.COACHING_PLAN_CREATE)
    with reading() as opened:
        sessions = queries.list_sessions(opened, actor, since=now - LATELY)
        waiting = queries.list_to_confirm(opened, actor)
        todos = queries.list_todos(opened, actor, only_own=not coaches)
        plans = queries.list_plans(opened, actor)
        loads = []
        if coaches:
            loads = queries.list_loads(opened, actor, today=today, now=now, until=now + AHEAD)
    late = [one for one in todos if one.due_on and one.due_on < today]
    return render_template(
        "coaching/index.html",
        sessions=sessions,
        waiting=waiting,
        late=late,
        todos=[one for one in todos if one not in late],
        drafts=[one for one in plans if one.state == "draft"],
        running=[one for one in plans if one.state == "active"],
        loads=loads,
        coaches=coaches,
        now=now,
        today=today,
    )


@bp.get("/coaching/past")
@claims(P.COACHING_PLAN_READ)
def past() -> ResponseReturnValue:
    """Show plans that ended."""
    with reading() as opened:
        plans = queries.list_past_plans(opened, current_actor())
    return render_template("coaching/past.html", plans=plans)


@bp.post("/coaching/todos/<int:todo_id>")
@claims(P.COACHING_PLAN_READ)
def todo(todo_id: int) -> ResponseReturnValue:
    """Do, reopen, drop or move a to-do, then go back to where it was."""
    moved_to = asked_day(request.form, "due_on", site_zone())
    with transaction() as opened:
        found = plan_service.set_todo(
            opened,
            current_actor(),
            todo_id,
            act=request.form.get("act", ""),
            due_on=moved_to.date() if moved_to else None,
            now=clock.now(),
        )
    if request.form.get("back") == "session" and found.session_id:
        return redirect(url_for("coaching.session", session_id=found.session_id), 303)
    if request.form.get("back") == "plan" and found.plan_id:
        return redirect(url_for("coaching.plan", plan_id=found.plan_id), 303)
    return redirect(url_for("coaching.index"), 303)
