"""The first page of each role: the one next act, then what is due."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any

from flask import redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from qa.accounts.permissions import ROLE_MEANINGS, ROLE_WORDS, Role
from qa.coaching import queries as coaching
from qa.coaching import training_queries
from qa.core import clock
from qa.core.actor import Actor
from qa.evaluations import assignment_queries, attention_queries, queries
from qa.evaluations.models import SKIP_REASONS
from qa.insights import agent_page, score_queries, team_page
from qa.insights.blueprint import bp
from qa.web.access import signed_in
from qa.web.context import current_actor, reading, site_zone

LEADS = frozenset({"lead", "manager"})
COACHING = frozenset({"coach", "lead"})
MARKED_FOR = LEADS | {"coach"}
READERS = MARKED_FOR | {"agent", "ops"}
COACHED = frozenset({"agent", "coach"})
SHOWN = 8
FEW = 3
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
    found |= {"own": None, "moments": [], "needs": [], "coverage": [], "trainings": []}
    if actor.roles & COACHED:
        found |= _coaching(opened, actor, now)
    if "agent" in actor.roles:
        found["unread"] = attention_queries.list_to_acknowledge(opened, actor, limit=SHOWN)
        found |= _own(opened, actor, now)
        own = training_queries.list_own(opened, actor)
        found["trainings"] = [one for one in own if one.state == "open"][:SHOWN]
    if actor.roles & COACHING:
        found |= _needs(opened, actor, now)
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


def _coaching(opened: Session, actor: Actor, now: datetime) -> dict[str, Any]:
    """Return one's next sessions, those that wait for one's word, and one's open to-dos."""
    return {
        "sessions": coaching.list_sessions(opened, actor, since=now)[:FEW],
        "to_confirm": coaching.list_to_confirm(opened, actor)[:FEW],
        "todos": coaching.list_todos(opened, actor, only_own=True)[:SHOWN],
        "today": now.date(),
    }


def _own(opened: Session, actor: Actor, now: datetime) -> dict[str, Any]:
    """Return an agent's own trend and best moments, by the scorecard most used."""
    since = agent_page.first_day(now)
    person = score_queries.get_agent(opened, actor, actor.id or 0)
    rows = score_queries.list_of_agent(opened, actor, person.id, since=since)
    beside = score_queries.list_beside(opened, actor, person, since=since)
    moments = score_queries.list_moments(opened, actor, person.id, since=since)
    versions = score_queries.list_versions(opened, actor, sorted({row.scorecard_id for row in rows}))
    card, choices = agent_page.choose_card(rows, versions, None)
    if card is None:
        return {}
    questions: dict[str, str] = {}
    for choice in choices:
        one, _ = agent_page.choose_card(rows, versions, choice.id)
        questions |= one.questions if one else {}
    return {
        "own": agent_page.numbers_of(card, rows, beside, moments, now=now),
        "moments": agent_page.best_moments(rows, moments, questions),
    }


def _needs(opened: Session, actor: Actor, now: datetime) -> dict[str, Any]:
    """Return who needs a coach, of those this actor may read about; for a lead also their teams' coverage."""
    people = score_queries.list_agents(opened, actor)
    rows = score_queries.list_of_agents(opened, actor, people, since=now - team_page.HALF_YEAR)
    versions = score_queries.list_versions(opened, actor, sorted({row.scorecard_id for row in rows}))
    needs, unknown = team_page.needs_of_all(people, rows, versions, now=now)
    found: dict[str, Any] = {"needs": needs[:SHOWN], "in_need": len(needs), "unknown": unknown}
    if "lead" in actor.roles:
        since = now - timedelta(days=MARKED_DAYS)
        coverage = score_queries.find_coverage(
            opened, actor, people, since=since, back_to=now - team_page.HALF_YEAR
        )
        teams = score_queries.list_teams(opened, actor)
        found["coverage"] = team_page.coverage_lines(teams, people, coverage)
    return found
