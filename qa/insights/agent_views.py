"""An agent's page: how somebody does, how sure that is, and what to talk about."""

from __future__ import annotations

from flask import jsonify, render_template, request
from flask.typing import ResponseReturnValue

from qa.accounts.permissions import Permission as P
from qa.core import clock
from qa.evaluations import queries
from qa.insights import agent_page, record, score_queries
from qa.insights.blueprint import bp
from qa.web.access import claims
from qa.web.asked import asked_id
from qa.web.context import current_actor, reading, site_zone

SHOWN = 8


@bp.get("/agents/<int:user_id>")
@claims(P.EVALUATION_READ)
def agent(user_id: int) -> ResponseReturnValue:
    """Show one agent."""
    actor, now = current_actor(), clock.now().astimezone(site_zone())
    since = agent_page.first_day(now)
    with reading() as opened:
        person = score_queries.get_agent(opened, actor, user_id)
        rows = score_queries.list_of_agent(opened, actor, user_id, since=since)
        beside = score_queries.list_beside(opened, actor, person, since=since)
        moments = score_queries.list_moments(opened, actor, user_id, since=since)
        versions = score_queries.list_versions(opened, actor, sorted({row.scorecard_id for row in rows}))
        coached = score_queries.list_coaching_begun(opened, actor, user_id, since=since)
        page = queries.list_evaluations(opened, actor, queries.EvaluationFilter(agent_id=user_id))
    card, choices = agent_page.choose_card(rows, versions, asked_id(request.args, "scorecard"))
    numbers = agent_page.numbers_of(card, rows, beside, moments, now=now, coached=coached) if card else None
    return render_template(
        "insights/agent.html",
        person=person,
        mine=actor.id == user_id,
        numbers=numbers,
        choices=choices,
        evaluations=page.evaluations[:SHOWN],
        has_more=len(page.evaluations) > SHOWN,
    )


@bp.get("/my-record.json")
@claims(P.EXPORT_MY_DATA)
def my_record() -> ResponseReturnValue:
    """Give somebody their own evaluations as a file."""
    with reading() as opened:
        found = record.get_own_record(opened, current_actor(), now=clock.now())
    answer = jsonify(found)
    answer.headers["Content-Disposition"] = 'attachment; filename="my-record.json"'
    return answer
