"""The page of unknown accounts: who sees it, what it proposes, what a decision does."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, select

from qa.accounts.models import User
from qa.core.actor import SYSTEM
from qa.core.audit import AuditEntry
from qa.core.db import Database
from qa.interactions.alias_models import Alias
from qa.interactions.lines import parse
from qa.interactions.redacting import safe_line
from qa.interactions.storing_service import Counts, store_lines
from tests.factories import NOW, make_user
from tests.interactions.sources_site import KEYS

SignIn = Callable[[FlaskClient, User], None]


@pytest.fixture
def database(app: Flask) -> Database:
    """The app's own database."""
    found: Database = app.extensions["candor"].database
    return found


def bring(database: Database, *agents: dict[str, str]) -> None:
    """One conversation for each of these agents."""
    lines = [
        parse(
            json.dumps(
                {"external_id": f"A-{n}-{agent}", "started_at": "2026-03-14T09:30:00Z", "agents": [agent]}
            ).encode()
        )
        for n, agent in enumerate(agents)
    ]
    with database.transaction() as session:
        safe = [safe_line(one, KEYS) for one in lines]
        store_lines(session, SYSTEM, source="desk", lines=safe, counts=Counts(), now=NOW)


@pytest.fixture
def manager(database: Database, client: FlaskClient, sign_in: SignIn) -> User:
    """A signed-in QA manager."""
    with database.transaction() as session:
        user = make_user(session, "manager", name="Ilse Verhoeven")
    sign_in(client, user)
    return user


def post(client: FlaskClient, path: str, **values: str) -> Any:
    page = client.get("/unknown-accounts").get_data(as_text=True)
    token = re.search(r'name="csrf_token" value="([^"]+)"', page) or re.search(
        r'name="csrf" content="([^"]+)"', page
    )
    assert token is not None
    return client.post(path, data={"csrf_token": token[1], **values})


def alias(database: Database) -> Alias:
    with database.reading() as session:
        return session.scalars(select(Alias)).one()


def test_an_empty_page_says_what_will_be_here(client: FlaskClient, manager: User) -> None:
    page = client.get("/unknown-accounts").get_data(as_text=True)
    assert "Nobody is missing" in page
    assert "Every account of other systems is matched." in page


def test_people_of_the_same_name_are_proposed_and_matched(
    client: FlaskClient, database: Database, manager: User
) -> None:
    with database.transaction() as session:
        dana = make_user(session, "agent", name="Dana Ortiz")
    bring(database, {"external_id": "77", "name": "dana  ORTIZ".replace("  ", " ")})
    page = client.get("/unknown-accounts").get_data(as_text=True)
    assert "same name" in page
    answer = post(client, f"/unknown-accounts/{alias(database).id}", who=str(dana.id))
    assert answer.status_code == 303
    assert (alias(database).state, alias(database).user_id) == ("confirmed", dana.id)
    after = client.get("/unknown-accounts").get_data(as_text=True)
    assert "77 is matched" in after
    assert "Ilse Verhoeven" in after
    with database.reading() as session:
        acts = session.scalars(select(AuditEntry.action)).all()
    assert "alias:confirm" in acts


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "Choose who this is."),
        ({"who": "else"}, "Type the person"),
        ({"who": "else", "email": "<b>@example.org"}, "Nobody here has the address &lt;b&gt;"),
        ({"who": "99999"}, "no such person"),
        ({"who": "9" * 40}, "Choose who this is."),
    ],
)
def test_an_answer_that_cannot_be_is_refused_beside_its_account(
    client: FlaskClient, database: Database, manager: User, values: dict[str, str], words: str
) -> None:
    bring(database, {"external_id": "77"})
    answer = post(client, f"/unknown-accounts/{alias(database).id}", **values)
    assert answer.status_code == 422
    assert words in answer.get_data(as_text=True)
    assert alias(database).state == "suggested"


def test_somebody_else_is_found_by_address_and_a_match_is_undone(
    client: FlaskClient, database: Database, manager: User
) -> None:
    with database.transaction() as session:
        kofi = make_user(session, "agent", name="Kofi Mensah")
    bring(database, {"external_id": "77"})
    path = f"/unknown-accounts/{alias(database).id}"
    assert post(client, path, who="else", email=kofi.email.upper()).status_code == 303
    assert alias(database).user_id == kofi.id
    assert post(client, path, who="else", email=kofi.email).status_code == 409
    assert post(client, f"{path}/undo").status_code == 303
    assert (alias(database).state, alias(database).user_id) == ("suggested", None)


@pytest.mark.parametrize("choice", ["nobody", "ignored"])
def test_an_account_may_be_nobody(
    client: FlaskClient, database: Database, manager: User, choice: str
) -> None:
    bring(database, {"external_id": "bot"})
    assert post(client, f"/unknown-accounts/{alias(database).id}", who=choice).status_code == 303
    assert alias(database).state == choice
    assert "Every account of other systems is matched." in client.get("/unknown-accounts").get_data(True)


def test_all_that_is_certain_is_matched_by_one_button(
    client: FlaskClient, database: Database, manager: User
) -> None:
    bring(database, {"external_id": "77", "email": "late@example.org"})
    with database.transaction() as session:
        user = make_user(session, "agent")
        user.email, user.email_folded = "late@example.org", "late@example.org"
    assert "Match 1 that is certain" in client.get("/unknown-accounts").get_data(as_text=True)
    assert post(client, "/unknown-accounts/certain").status_code == 303
    assert alias(database).state == "auto"


@pytest.mark.parametrize("role", ["agent", "evaluator", "lead", "privacy", "auditor"])
def test_others_never_get_here(client: FlaskClient, database: Database, sign_in: SignIn, role: str) -> None:
    with database.transaction() as session:
        user = make_user(session, role)
    sign_in(client, user)
    assert client.get("/unknown-accounts").status_code == 403


def test_pages_follow_the_number_of_conversations_and_cost_the_same(
    client: FlaskClient, database: Database, manager: User
) -> None:
    def statements(path: str) -> tuple[str, int]:
        seen: list[str] = []
        note = lambda _c, _cur, words, *_rest: seen.append(words)  # noqa: E731
        event.listen(database.engine, "before_cursor_execute", note)
        page = client.get(path).get_data(as_text=True)
        event.remove(database.engine, "before_cursor_execute", note)
        return page, len(seen)

    bring(database, {"external_id": "few"})
    few = statements("/unknown-accounts")[1]
    bring(database, *({"external_id": f"acc-{n % 30}", "name": f"Name {n % 30}"} for n in range(60)))
    page, many = statements("/unknown-accounts")
    assert many <= few + 3
    assert page.count('class="alias"') == 20
    following = re.search(r'rel="next" href="([^"]+)"', page) or re.search(r'href="([^"]+)" rel="next"', page)
    if following is None:
        following = re.search(r'href="(/unknown-accounts\?after=[^"]+)"', page)
    assert following is not None
    rest = client.get(following[1].replace("&amp;", "&")).get_data(as_text=True)
    assert rest.count('class="alias"') == 11
    assert client.get("/unknown-accounts?after=x~y").status_code == 404
