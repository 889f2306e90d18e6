"""The training pages without scripts: make a module, give it, try its quiz, mark it, see who is where."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from qa.accounts.models import User
from qa.coaching import training_service, training_task_service
from qa.core import clock
from tests.coaching.test_quiz import TEXT
from tests.factories import actor_of, make_scorecard, make_team, make_user

SignIn = Callable[[FlaskClient, User], None]
MODULE = {"title": "Refund times", "text": "# Why\n\n<script>alert(1)</script> **Name** a day.", "quiz": TEXT}
MODULE |= {"pass_percent": "80", "tries": "3", "certificate_months": "12", "minutes": "9"}


@pytest.fixture
def people(app: Flask) -> SimpleNamespace:
    """A team with a lead and two agents, and the QA manager."""
    with app.extensions["candor"].database.transaction() as session:
        team = make_team(session)
        made = SimpleNamespace(
            team=team,
            agent=make_user(session, "agent", team=team),
            second=make_user(session, "agent", team=team, name="Kofi Mensah"),
            lead=make_user(session, "lead", team=team, name="Priya Rao"),
            manager=make_user(session, "manager", name="Ines Sol"),
            auditor=make_user(session, "auditor", name="Ada Late"),
        )
        made.card = make_scorecard(session).scorecard_id
        return made


def post(client: FlaskClient, path: str, page: str = "", **form: Any) -> Any:
    """Post a form with the token of the page it stands on."""
    token = re.search(r'name="csrf" content="([^"]+)"', client.get(page or path).text)
    assert token
    return client.post(path, data={"csrf_token": token[1], **form}, content_type="multipart/form-data")


def test_a_manager_makes_a_module_and_a_lead_gives_it_to_the_team(
    client: FlaskClient, sign_in: SignIn, people: SimpleNamespace
) -> None:
    sign_in(client, people.manager)
    assert "The library is empty" in client.get("/training").text
    bad = post(client, "/training/modules/new", **MODULE | {"quiz": "Nothing", "title": ""})
    assert bad.status_code == 422
    assert "Give the module a title." in bad.text
    bad = post(client, "/training/modules/new", **MODULE | {"quiz": "Nothing"})
    assert "Line 1: a question begins with" in bad.text
    tags, card = f"{people.card}:hello", (io.BytesIO(b"two facts"), "card.txt")
    made = post(client, "/training/modules/new", **MODULE, tags=tags, file=card)
    path = made.headers["Location"]
    text = client.get(path).text
    assert "<script>alert" not in text
    assert "<strong>Name</strong>" in text
    assert client.get(f"{path}/file/1").data == b"two facts"
    assert "attachment" in client.get(f"{path}/file/1").headers["Content-Disposition"]
    assert client.get(f"{path}/file/9").status_code == 404
    changed = post(client, f"{path}/edit", **MODULE | {"title": "Refund times, new"}, seen="1", tags=tags)
    assert changed.status_code == 303
    assert post(client, f"{path}/edit", **MODULE, seen="1").status_code == 422
    assert "Refund times, new" in client.get("/training").text
    sign_in(client, people.lead)
    given = post(client, "/training/assign", module=path.split("/")[-1], people=f"team:{people.team.id}")
    assert given.status_code == 303
    assert "2 people have it now and were told." in client.get(path).text
    assert post(client, "/training/assign", module="x", people="person:1").status_code == 422
    ruled = post(
        client,
        "/training/rules/new",
        module=path.split("/")[-1],
        kind="auto_fail",
        team=people.team.id,
        times=2,
        days=30,
        due_days=10,
    )
    assert ruled.status_code == 303
    assert "2 auto-fails in 30 days in Billing" in client.get("/training").text
    assert post(client, "/training/rules/1/end", page="/training").status_code == 303
    sign_in(client, people.auditor)
    assert client.get("/training").status_code == 403


@pytest.fixture
def task(app: Flask, people: SimpleNamespace) -> str:
    """The address of a training with a quiz that the agent has."""
    with app.extensions["candor"].database.transaction() as session:
        who = (people.manager, people.lead)
        manager, lead = (actor_of(session.get_one(User, one.id)) for one in who)
        now = clock.now()
        whole = training_service.Content(
            title="Refund times", text="Read this.", quiz=TEXT, certificate_months=12
        )
        made = training_service.add_module(session, manager, whole, now=now)
        person = session.get_one(User, people.agent.id)
        training_task_service.assign(session, lead, module_id=made.id, people=[person], due_at=None, now=now)
    return "/training/1"


def test_a_quiz_works_without_scripts_from_the_first_answer_to_the_certificate(
    client: FlaskClient, sign_in: SignIn, people: SimpleNamespace, task: str
) -> None:
    sign_in(client, people.agent)
    text = client.get(task).text
    assert "Try 1 of 3" in text
    assert "Choose each step’s place" in text
    assert 'name="q3-0"' in text
    later = post(client, f"{task}/quiz", task, q1="1", act="later")
    assert later.status_code == 303
    kept = client.get(task).text
    assert "Your answers are kept." in kept
    assert re.search(r'checked[^>]*name="q1"[^>]*value="1"', kept)
    steps = {"q3-0": "1", "q3-1": "1", "q3-2": "3"}
    refused = post(client, f"{task}/quiz", task, q1="1", q2=["0", "2"], q4="Because.", act="hand_in", **steps)
    assert refused.status_code == 422
    assert "Give each step a place of its own." in refused.text
    steps["q3-1"] = "2"
    done = post(client, f"{task}/quiz", task, q1="1", q2=["0", "2"], q4="Because.", act="hand_in", **steps)
    assert done.status_code == 303
    assert "being marked" in client.get(task).text
    assert client.get(f"{task}/certificate").status_code == 404
    assert client.get(f"{task}/tries/1/mark").status_code == 403
    sign_in(client, people.second)
    assert client.get(task).status_code == 404
    sign_in(client, people.lead)
    assert "To mark" in client.get("/training").text
    mark = f"{task}/tries/1/mark"
    assert "Says why it is asked once more." in client.get(mark).text
    assert post(client, mark, points4="9").status_code == 422
    assert post(client, mark, points4="3", comment4="Clear.").status_code == 303
    assert client.get(mark).status_code == 404
    sign_in(client, people.agent)
    text = client.get(task).text
    assert "10 of 10" in text
    assert "Clear." in text
    assert "has completed this training" in client.get(f"{task}/certificate").text
    assert "Certificate until" in client.get("/training").text


def test_right_answers_are_shown_only_after_the_last_try(
    client: FlaskClient, sign_in: SignIn, people: SimpleNamespace, task: str
) -> None:
    sign_in(client, people.agent)
    answers = {"q1": "0", "q2": "0", "q3-0": "2", "q3-1": "1", "q3-2": "3", "q4": "No."}
    for number in (1, 2, 3):
        sign_in(client, people.agent)
        assert post(client, f"{task}/quiz", task, act="hand_in", **answers).status_code == 303
        sign_in(client, people.lead)
        post(client, f"{task}/tries/{number}/mark", points4="0")
        sign_in(client, people.agent)
        assert ("Right: One thing the menu did not ask" in client.get(task).text) is (number == 3)
    assert "not passed" in client.get("/training").text
    assert "Hand in" not in client.get(task).text
