"""Comment templates: kept, changed and removed by those whose they are; shared ones by the QA manager."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from qa.accounts.models import User
from qa.core.db import Database
from qa.evaluations.models import CommentTemplate
from tests.accounts.conftest import token_on
from tests.factories import make_user

SignIn = Callable[[FlaskClient, User], None]


def kept(database: Database) -> dict[str, tuple[str, bool]]:
    """Title, text, and whether everybody has it."""
    with database.reading() as session:
        return {
            one.title: (one.text, one.owner_id is None) for one in session.scalars(select(CommentTemplate))
        }


def person(database: Database, role: str) -> User:
    with database.transaction() as session:
        return make_user(session, role)


def send(client: FlaskClient, path: str, **fields: str) -> int:
    token = token_on(client.get("/comment-templates").text)
    return client.post(path, data={"csrf_token": token, **fields}).status_code


def test_a_template_is_kept_changed_and_removed(
    client: FlaskClient, database: Database, sign_in: SignIn
) -> None:
    sign_in(client, person(database, "evaluator"))
    assert send(client, "/comment-templates", title="Dates", text="Name a day.", shared="y") == 403
    assert send(client, "/comment-templates", title="Dates", text="Name a day.") == 303
    page = client.get("/comment-templates/1")
    assert "Change this one" in page.text
    assert "Name a day." in page.text
    assert send(client, "/comment-templates/1", title="Dates", text="Name a day, not “soon”.") == 303
    assert kept(database) == {"Dates": ("Name a day, not “soon”.", False)}
    refused = send(client, "/comment-templates/1", title="", text="Something else")
    assert refused == 422
    assert kept(database) == {"Dates": ("Name a day, not “soon”.", False)}
    assert send(client, "/comment-templates/1/remove") == 303
    assert kept(database) == {}


@pytest.mark.parametrize(("role", "status"), [("manager", 303), ("evaluator", 403)])
def test_a_shared_template_is_changed_by_a_qa_manager_only(
    client: FlaskClient, database: Database, sign_in: SignIn, role: str, status: int
) -> None:
    sign_in(client, person(database, "manager"))
    assert send(client, "/comment-templates", title="Dates", text="Name a day.", shared="y") == 303
    sign_in(client, person(database, role))
    assert send(client, "/comment-templates/1", title="Days", text="Name a day.") == status
    assert set(kept(database)) == {"Days" if status == 303 else "Dates"}


def test_somebody_elses_template_is_not_there(
    client: FlaskClient, database: Database, sign_in: SignIn
) -> None:
    sign_in(client, person(database, "evaluator"))
    assert send(client, "/comment-templates", title="Dates", text="Name a day.") == 303
    sign_in(client, person(database, "evaluator"))
    assert client.get("/comment-templates/1").status_code == 404
    assert send(client, "/comment-templates/1", title="Mine", text="Mine.") == 404
    assert send(client, "/comment-templates/1/remove") == 404
    assert set(kept(database)) == {"Dates"}
