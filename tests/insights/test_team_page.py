"""A team's page and the homes: who may read them, who stands out, who needs a coach, no ranking."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import pytest
from flask import Flask
from flask.testing import FlaskClient

from qa.accounts.models import User
from qa.insights import team_page
from tests.factories import make_scorecard, make_team, make_user
from tests.insights.test_agent_page import judge

SignIn = Callable[[FlaskClient, User], None]


@pytest.fixture
def people(app: Flask) -> SimpleNamespace:
    """A team of four: one clearly low, two well, one hardly heard."""
    with app.extensions["candor"].database.transaction() as session:
        above = make_team(session, "Site")
        team, other = make_team(session, "Billing", above), make_team(session, "Sales")
        evaluator = make_user(session, "evaluator", name="Mara Lind")
        version = make_scorecard(session)
        names = ("Kofi Mensah", "Aisha Bello", "Noor Haddad", "Zeynep Aydin")
        agents = [make_user(session, "agent", team=team, name=name) for name in names]
        for agent, days, hello in ((0, 9, "n"), (1, 6, "y"), (2, 5, "y"), (3, 2, "y")):
            for day in range(1, days + 1):
                bye = "n" if day % 3 == 0 else "y"
                judge(session, evaluator, agents[agent], version, days=day, hello=hello, bye=bye)
        return SimpleNamespace(
            team=team,
            agents=agents,
            lead=make_user(session, "lead", team=above, name="Priya Rao"),
            stranger=make_user(session, "lead", team=other, name="Otto Lang"),
            ops=make_user(session, "ops", name="Olga Opal"),
            coach=make_user(session, "coach", name="Carl Coach"),
        )


@pytest.mark.parametrize(
    ("who", "status"), [("lead", 200), ("ops", 200), ("stranger", 404), ("coach", 404), ("agent", 404)]
)
def test_a_teams_numbers_are_for_its_leads_and_the_managers(
    client: FlaskClient, sign_in: SignIn, people: SimpleNamespace, who: str, status: int
) -> None:
    sign_in(client, people.agents[0] if who == "agent" else getattr(people, who))
    assert client.get(f"/teams/{people.team.id}/quality").status_code == status


def test_a_team_is_told_apart_from_chance_in_words_and_never_ranked(
    client: FlaskClient, sign_in: SignIn, people: SimpleNamespace
) -> None:
    sign_in(client, people.lead)
    text = client.get(f"/teams/{people.team.id}/quality").text
    assert "4 agents, 22 random evaluations" in text
    assert "Kofi Mensah does, of 3 agents." in text
    assert "Greeted: 0 of 9; at most 30 % even when counted kindly." in text
    assert "2 evaluations: too few for an average." in text
    assert "Of 1 nothing can be said yet" in text
    everyone = text[text.index('id="everyone"') :]
    order = [everyone.index(name) for name in ("Aisha", "Kofi", "Noor", "Zeynep")]
    assert order == sorted(order)
    assert "Somewhere between" not in text
    asked = client.get(f"/teams/{people.team.id}/quality?ranks=yes&days=30&places=3&scorecard=0")
    assert "Somewhere between 3rd and 3rd of 3." in asked.text
    assert "There is a place for everybody." in asked.text


def test_places_are_given_by_lot_and_the_lot_is_the_same_for_everybody() -> None:
    needs = [SimpleNamespace(agent=SimpleNamespace(id=number)) for number in range(1, 9)]
    drawn = team_page.drawn_by_lot(needs, 3, "7:2026-03")  # type: ignore[arg-type]
    again = team_page.drawn_by_lot(needs[::-1], 3, "7:2026-03")  # type: ignore[arg-type]
    assert {one.agent.id for one in drawn} == {one.agent.id for one in again}
    assert len(drawn) == 3
    assert len(team_page.drawn_by_lot(needs, 20, "7:2026-03")) == 8  # type: ignore[arg-type]


def test_the_list_of_agents_says_who_is_covered_and_who_waits(
    client: FlaskClient, sign_in: SignIn, people: SimpleNamespace
) -> None:
    sign_in(client, people.lead)
    text = client.get("/agents").text
    assert "3 of 4" in text
    assert "too few for an average" in text
    sign_in(client, people.agents[0])
    assert client.get("/agents").headers["Location"] == f"/agents/{people.agents[0].id}"


def test_homes_tell_a_lead_who_needs_them_and_an_agent_how_it_goes(
    client: FlaskClient, sign_in: SignIn, people: SimpleNamespace
) -> None:
    sign_in(client, people.lead)
    text = client.get("/").text
    assert "Who needs me" in text
    assert text.index("Kofi Mensah") < text.index("Coverage")
    assert "3 of 4 agents" in text
    sign_in(client, people.agents[0])
    own = client.get("/").text
    assert "How it goes" in own
    assert "random only, 9 of 9" in own
    assert "Who needs me" not in own
