"""A page that was open too long: what it sends is answered with a sentence, and nothing is half done."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from qa.accounts.models import User
from qa.core.db import Database
from qa.evaluations.models import Answer, Evaluation
from tests.accounts.conftest import token_on
from tests.factories import make_draft, make_submitted, make_team, make_user

SignIn = Callable[[FlaskClient, User], None]


@pytest.fixture
def evaluator(database: Database) -> User:
    with database.transaction() as session:
        return make_user(session, "evaluator", "manager")


@pytest.fixture
def signed_in(client: FlaskClient, evaluator: User, sign_in: SignIn) -> FlaskClient:
    sign_in(client, evaluator)
    return client


def draft(database: Database, evaluator: User) -> int:
    with database.transaction() as session:
        agent = make_user(session, "agent", team=make_team(session))
        return make_draft(session, session.get_one(User, evaluator.id), agent).id


def submitted(database: Database, evaluator: User) -> int:
    with database.transaction() as session:
        agent = make_user(session, "agent", team=make_team(session))
        return make_submitted(session, session.get_one(User, evaluator.id), agent).id


def send(client: FlaskClient, path: str, **fields: str) -> tuple[int, str]:
    token = token_on(client.get("/queue").text)
    answer = client.post(path, data={"csrf_token": token, **fields})
    return answer.status_code, answer.text


def comments(database: Database, evaluation_id: int) -> dict[str, str]:
    with database.reading() as session:
        rows = select(Answer.question, Answer.comment).where(Answer.evaluation_id == evaluation_id)
        return {question: text for question, text in session.execute(rows)}


def test_a_plain_form_of_yesterday_does_not_overwrite_what_was_written_since(
    app: Flask, signed_in: FlaskClient, database: Database, evaluator: User
) -> None:
    evaluation_id = draft(database, evaluator)
    path = f"/evaluations/{evaluation_id}/work"
    first = {"revision": "0", "q-1": "y", "q-1-comment": "What the first tab says."}
    assert send(signed_in, path, **first)[0] == 303
    status, text = send(signed_in, path, **(first | {"q-1-comment": "What the old tab says."}))
    assert status == 409
    assert "What the old tab says." in text, "what was typed stays on the page"
    assert comments(database, evaluation_id)["hello"] == "What the first tab says."


@pytest.mark.parametrize("act", ["submit", "work", "draft"])
def test_work_on_a_submitted_evaluation_is_refused_with_the_way_on(
    signed_in: FlaskClient, database: Database, evaluator: User, act: str
) -> None:
    evaluation_id = submitted(database, evaluator)
    before = comments(database, evaluation_id)
    if act == "draft":
        token = token_on(signed_in.get("/queue").text)
        change = {"question": "hello", "field": "comment", "was": "", "value": "Late"}
        answer = signed_in.put(
            f"/evaluations/{evaluation_id}/draft", json={"changes": [change]}, headers={"X-CSRF": token}
        )
        status, text = answer.status_code, answer.text
    else:
        status, text = send(signed_in, f"/evaluations/{evaluation_id}/{act}", revision="0", **{"q-1": "n"})
    assert status in {403, 409}
    assert "A correction is a revision, with a reason." in text
    assert comments(database, evaluation_id) == before


def test_what_is_void_is_voided_once(signed_in: FlaskClient, database: Database, evaluator: User) -> None:
    evaluation_id = submitted(database, evaluator)
    path = f"/evaluations/{evaluation_id}/void"
    assert send(signed_in, path, reason="The wrong call.")[0] == 303
    status, text = send(signed_in, path, reason="Again.")
    assert status in {409, 422}
    assert "already" in text
    with database.reading() as session:
        assert session.get_one(Evaluation, evaluation_id).void_reason == "The wrong call."
