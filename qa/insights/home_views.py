"""The first page of each role: the one next act, then what is due."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any

from flask import redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from qa.accounts.permissions import ROLE_MEANINGS, ROLE_WORDS, Role
from qa.core import clock
from qa.core.actor import Actor
from qa.evaluations import assignment_queries, attention_queries, queries
from qa.evaluations.models import SKIP_REASONS
from qa.insights.blueprint import bp
from qa.web.access import signed_in
from qa.web.context import current_actor, reading, site_zone

LEADS = frozenset({"lead", "manager"})
MARKED_FOR = LEADS | {"coach"}
READERS = MARKED_FOR | {"agent", "ops"}
SHOWN = 8
MARKED_DAYS = 30


@bp.get("/")
@signed_in
def home() -> ResponseReturnValue:
    """Lead to the work of one's role."""
    actor = current_actor()
    if "evaluator" in actor.roles:
        return redirect(url_for("evaluations.queue"))
    if "admin" in actor.roles and len(actor.roles) == 1:
        return redirect(url_for("accounts.people"))
    now = clock.now().astimezone(site_zone())
    with reading() as opened:
        panels = _panels(opened, actor, now)
    roles = [(ROLE_WORDS[role], ROLE_MEANINGS[role]) for role in Role if role.value in actor.roles]
    return render_template(
        "insights/home.html", now=now, roles=roles, reads=bool(actor.roles & READERS), **panels
    )


def _panels(opened: Session, actor: Actor, now: datetime) -> dict[str, Any]:
    """Return what the actor's roles call for; a panel nobody needs costs no statement."""
    found: dict[str, Any] = {"unread": [], "work": [], "marked": [], "to_release": 0, "newest": []}
    if "agent" in actor.roles:
        found["unread"] = attention_queries.list_to_acknowledge(opened, actor, limit=SHOWN)
    if actor.roles & LEADS:
        month = datetime.combine(now.date().replace(day=1), time(), tzinfo=site_zone())
        found["work"] = assignment_queries.list_work(opened, actor, month=month, now=now)
        found["to_release"] = attention_queries.count_to_release(opened, actor)
        found["skip_words"] = SKIP_REASONS
    if actor.roles & MARKED_FOR:
        since = now - timedelta(days=MARKED_DAYS)
        found["marked"] = attention_queries.list_marked(opened, actor, since=since, limit=SHOWN)
    if actor.roles & READERS:
        page = queries.list_evaluations(opened, actor, queries.EvaluationFilter())
        unread = {one.id for one in found["unread"]}
        found["newest"] = [one for one in page.evaluations if one.id not in unread][:SHOWN]
    return found
