"""An agent's page: who may read it, what it says, and what it leaves unsaid."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from qa.accounts.models import User
from qa.coaching.models import CoachingPlan
from qa.core import clock
from qa.evaluations import draft_service
from qa.evaluations.models import Evaluation
from qa.scorecards.models import ScorecardVersion
from tests.factories import actor_of, answers, make_draft, make_scorecard, make_team, make_user

SignIn = Callable[[FlaskClient, User], None]


def judge(
    session: Session, evaluator: User, agent: User, version: ScorecardVersion, *, days: int, **given: Any
) -> Evaluation:
    """A submitted evaluation so many days ago, drawn at random unless told otherwise."""
    method = given.pop("method", "random")
    draft = make_draft(session, evaluator, agent, version)
    given = {"hello": "y", "why": "n", "bye": "y"} | given
    draft_service.save_draft(session, actor_of(evaluator), draft.id, answers(**given), now=clock.now())
    session.flush()
    done = draft_service.submit_evaluation(session, actor_of(evaluator), draft.id, now=clock.now())
    done.submitted_at = clock.now() - timedelta(days=days)
    done.selection_method = method
    session.flush()
    return done


@pytest.fixture
def people(app: Flask) -> dict[str, User]:
    """An agent with nine random evaluations and a targeted one, and everybody around."""
    with app.extensions["candor"].database.transaction() as session:
        team, other = make_team(session), make_team(session, "Sales")
        made = {
            "agent": make_user(session, "agent", team=team),
            "colleague": make_user(session, "agent", team=team, name="Kofi Mensah"),
            "evaluator": make_user(session, "evaluator", name="Mara Lind"),
            "lead": make_user(session, "lead", team=team, name="Priya Rao"),
            "stranger": make_user(session, "lead", team=other, name="Otto Lang"),
            "manager": make_user(session, "manager", name="Ines Sol"),
            "admin": make_user(session, "admin", name="Root"),
        }
        version = make_scorecard(session)
        for days in (1, 2, 3, 4, 16, 17, 18, 31, 32):
            judge(
                session, made["evaluator"], made["agent"], version, days=days, hello="n" if days < 4 else "y"
            )
        judge(session, made["evaluator"], made["agent"], version, days=5, hello="n", method="targeted")
        for days in (1, 2, 3):
            judge(session, made["evaluator"], made["colleague"], version, days=days)
    return made


def page(client: FlaskClient, sign_in: SignIn, who: User, agent: User) -> Any:
    """Open an agent's page as somebody."""
    sign_in(client, who)
    return client.get(f"/agents/{agent.id}")


@pytest.mark.parametrize(
    ("who", "status"),
    [("agent", 200), ("lead", 200), ("manager", 200), ("colleague", 404), ("stranger", 404), ("admin", 403)],
)
def test_the_page_is_for_the_agent_the_lead_and_the_managers(
    client: FlaskClient, sign_in: SignIn, people: dict[str, User], who: str, status: int
) -> None:
    assert page(client, sign_in, people[who], people["agent"]).status_code == status


def test_the_page_says_n_and_range_and_leaves_targeted_ones_out(
    client: FlaskClient, sign_in: SignIn, people: dict[str, User]
) -> None:
    text = page(client, sign_in, people["lead"], people["agent"]).text
    assert "random only, 9 of 10" in text
    assert "1 evaluation picked for a reason is" in text
    assert "The true average is probably between" in text
    assert "6 of 9 (could be anything from 35 % to 88 %)" in text
    assert "9 of 9 (could be anything from 70 % to 100 %)" in text
    assert "Average score by fortnight" in text
    assert "Colleague" not in text


def test_an_agent_reads_only_what_is_released_and_takes_it_along(
    app: Flask, client: FlaskClient, sign_in: SignIn, people: dict[str, User]
) -> None:
    with app.extensions["candor"].database.transaction() as session:
        held = judge(
            session,
            session.get_one(User, people["evaluator"].id),
            session.get_one(User, people["agent"].id),
            make_scorecard(session, "{rule: by_lead}"),
            days=1,
            hello="n",
        )
        assert held.released_at is None
    assert "random only, 9 of 10" in page(client, sign_in, people["agent"], people["agent"]).text
    answer = client.get("/my-record.json")
    assert "attachment" in answer.headers["Content-Disposition"]
    record = answer.json["evaluations"]
    assert len(record) == 10
    assert record[0]["answers"][0] == {"question": "Greeted", "answer": "y", "comment": ""}
    assert "private" not in answer.text


def test_an_agent_without_evaluations_has_a_page_that_says_so(
    app: Flask, client: FlaskClient, sign_in: SignIn, people: dict[str, User]
) -> None:
    with app.extensions["candor"].database.transaction() as session:
        new = make_user(session, "agent", name="Zoe New")
    assert "Nothing scored yet" in page(client, sign_in, people["manager"], new).text
    assert client.get(f"/agents/{people['lead'].id}").status_code == 404


def test_the_trend_says_when_coaching_began(
    app: Flask, client: FlaskClient, sign_in: SignIn, people: dict[str, User]
) -> None:
    began = clock.now() - timedelta(days=18)
    with app.extensions["candor"].database.transaction() as session:
        plan = CoachingPlan(
            agent_id=people["agent"].id,
            coach_id=people["lead"].id,
            title="Greeting",
            state="active",
            trigger_at=began,
            months=1,
            review_on=clock.now().date(),
            made_at=began,
            started_at=began,
        )
        session.add(plan)
    assert "coaching began" in page(client, sign_in, people["lead"], people["agent"]).text
