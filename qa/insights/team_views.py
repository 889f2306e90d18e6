"""Agents and teams: who is covered, and what a team's evaluations can tell."""

from __future__ import annotations

from datetime import timedelta

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from qa.accounts.permissions import Permission as P
from qa.core import clock
from qa.core.errors import NotFound
from qa.insights import agent_page, score_queries, team_page
from qa.insights.blueprint import bp
from qa.insights.scores import FEWEST
from qa.web.access import claims
from qa.web.asked import asked_id
from qa.web.context import current_actor, reading, site_zone

COVERED_DAYS = 30
MOST_PLACES = 50


@bp.get("/agents")
@claims(P.EVALUATION_READ)
def agents() -> ResponseReturnValue:
    """List the agents one may read about, and their teams with coverage; an agent's own page at once."""
    actor, now = current_actor(), clock.now().astimezone(site_zone())
    if actor.roles == {"agent"}:
        return redirect(url_for(".agent", user_id=actor.id))
    since = now - timedelta(days=COVERED_DAYS)
    with reading() as opened:
        people = score_queries.list_agents(opened, actor)
        teams = score_queries.list_teams(opened, actor)
        coverage = score_queries.find_coverage(
            opened, actor, people, since=since, back_to=now - team_page.HALF_YEAR
        )
    return render_template(
        "insights/agents.html",
        people=people,
        lines=team_page.coverage_lines(teams, people, coverage),
        coverage=coverage,
        fewest=FEWEST,
        days=COVERED_DAYS,
        now=now,
    )


@bp.get("/teams/<int:team_id>/quality")
@claims(P.KPI_READ)
def team(team_id: int) -> ResponseReturnValue:
    """Show what a team's evaluations tell."""
    actor, now, asked = current_actor(), clock.now().astimezone(site_zone()), request.args
    days = asked_id(asked, "days")
    days = days if days in team_page.PERIODS else 90
    with reading() as opened:
        tree = team_page.tree_of(score_queries.list_teams(opened, actor))
        found = next(((team, ids) for team, _, ids in tree if team.id == team_id), None)
        if found is None:
            raise NotFound("There is no such team, or you may not see its numbers.")
        people = score_queries.list_agents(opened, actor, found[1])
        rows = score_queries.list_of_agents(opened, actor, people, since=now - team_page.HALF_YEAR)
        versions = score_queries.list_versions(opened, actor, sorted({row.scorecard_id for row in rows}))
    card, choices = agent_page.choose_card(rows, versions, asked_id(asked, "scorecard"))
    ranks = asked.get("ranks") == "yes"
    numbers = None
    if card is not None:
        numbers = team_page.numbers_of(
            card, people, rows, now=now, days=days, ranks=ranks, address=agent_address
        )
    places = min(asked_id(asked, "places") or 0, MOST_PLACES)
    drawn = team_page.drawn_by_lot(numbers.needs if numbers else [], places, f"{team_id}:{now:%Y-%m}")
    facts = {"periods": team_page.PERIODS, "days": days, "since": now - timedelta(days=days)}
    return render_template(
        "insights/team.html",
        team=found[0],
        people=people,
        numbers=numbers,
        choices=choices,
        places=places,
        drawn=drawn,
        **facts,
    )


def agent_address(user_id: int) -> str:
    """Return the address of an agent's page."""
    return url_for("insights.agent", user_id=user_id)
