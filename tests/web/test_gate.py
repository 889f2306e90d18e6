"""The gate: nobody gets in unasked, posts are one's own and taken once, answers carry their headers."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from flask import Flask
from flask.testing import FlaskClient

from qa.accounts.models import User
from qa.core import clock
from qa.core.db import Database
from qa.evaluations.models import Evaluation
from tests.factories import make_draft, make_submitted, make_team, make_user

SignIn = Callable[[FlaskClient, User], None]


def token_in(page: str) -> str:
    """The CSRF token of a page."""
    found = re.search(r'name="csrf_token" value="([^"]+)"', page) or re.search(
        r'name="csrf" content="([^"]+)"', page
    )
    assert found
    return found.group(1)


@pytest.fixture
def centre(app: Flask) -> dict[str, User | int]:
    """An agent, an evaluator with a draft, and a stranger."""
    database: Database = app.extensions["candor"].database
    with database.transaction() as session:
        team = make_team(session)
        made: dict[str, User | int] = {
            "agent": make_user(session, "agent", team=team),
            "evaluator": make_user(session, "evaluator"),
            "other": make_user(session, "evaluator"),
        }
        made["draft"] = make_draft(session, made["evaluator"], made["agent"]).id  # type: ignore[arg-type]
        made["done"] = make_submitted(session, made["evaluator"], made["agent"]).id  # type: ignore[arg-type]
    return made


def test_nobody_signed_in_is_sent_to_the_sign_in_page_and_back(client: FlaskClient) -> None:
    answer = client.get("/interactions?channel=chat")
    assert answer.status_code == 302
    assert answer.headers["Location"] == "/sign-in?next=/interactions?channel%3Dchat"


def test_a_script_without_a_session_gets_a_sentence_not_a_redirect(client: FlaskClient) -> None:
    answer = client.put("/evaluations/1/draft", json={})
    assert (answer.status_code, answer.get_json()["sign_in"]) == (401, "/sign-in")


def test_a_post_without_its_token_or_from_another_site_changes_nothing(
    client: FlaskClient, sign_in: SignIn, centre: dict[str, User]
) -> None:
    sign_in(client, centre["evaluator"])
    assert client.post("/queue/next").status_code == 422
    token = token_in(client.get("/queue").text)
    foreign = client.post(
        "/queue/next", data={"csrf_token": token}, headers={"Origin": "https://evil.example"}
    )
    assert foreign.status_code == 403
    assert client.post("/queue/next", data={"csrf_token": token}).status_code == 303


def test_a_form_that_arrives_twice_is_taken_once_and_gets_the_first_answer(
    client: FlaskClient, sign_in: SignIn, centre: dict[str, User | int], app: Flask
) -> None:
    sign_in(client, centre["agent"])  # type: ignore[arg-type]
    url = f"/evaluations/{centre['done']}"
    form = {"csrf_token": token_in(client.get(url).text), "once": "k" * 24, "comment": "Read."}
    first, second = (client.post(f"{url}/acknowledge", data=form) for _ in range(2))
    assert (first.status_code, first.headers["Location"]) == (303, url)
    assert (second.status_code, second.headers["Location"]) == (303, url)
    other = client.post(f"{url}/acknowledge", data=form | {"comment": "Another"})
    assert other.status_code == 422


@pytest.mark.parametrize("who", ["agent", "other"])
@pytest.mark.parametrize(
    "path", ["/evaluations/{draft}/work", "/evaluations/{draft}", "/evaluations/{draft}/sheet"]
)
def test_somebody_elses_draft_is_not_there(
    client: FlaskClient, sign_in: SignIn, centre: dict[str, User | int], who: str, path: str
) -> None:
    sign_in(client, centre[who])  # type: ignore[arg-type]
    missing = client.get(path.format(draft=999_999))
    found = client.get(path.format(draft=centre["draft"]))
    assert found.status_code in {403, 404}
    assert found.status_code == missing.status_code
    strip = re.compile(r"\d+|csrf.*?>|value=\"[^\"]*\"")
    assert strip.sub("", found.text) == strip.sub("", missing.text)


def test_every_answer_carries_the_security_headers(client: FlaskClient) -> None:
    answer = client.get("/sign-in")
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ([], 422),
        ({"changes": "x"}, 422),
        ({"changes": [{"question": "hello", "field": "answer", "value": "zzz"}]}, 422),
        ({"changes": [{"question": "hello", "field": "comment", "value": "a\x00b"}]}, 422),
        ({"changes": [{"question": "nowhere", "field": "answer", "value": "y"}]}, 422),
        (
            {
                "pins": {
                    "add": [
                        {"client_id": "c1", "question": "hello", "kind": "audio", "start_ms": -1, "end_ms": 5}
                    ]
                }
            },
            422,
        ),
        (
            {
                "pins": {
                    "add": [{"client_id": "c1", "question": "hello", "kind": "message", "turn_id": 99999}]
                }
            },
            422,
        ),
        ({"worked_seconds": "long"}, 422),
        ({"changes": [{"question": "hello", "field": "answer", "was": None, "value": "y"}]}, 200),
    ],
)
def test_autosave_takes_what_is_right_and_names_what_is_not(
    client: FlaskClient, sign_in: SignIn, centre: dict[str, User | int], body: object, status: int
) -> None:
    sign_in(client, centre["evaluator"])  # type: ignore[arg-type]
    token = token_in(client.get(f"/evaluations/{centre['draft']}/work").text)
    answer = client.put(f"/evaluations/{centre['draft']}/draft", json=body, headers={"X-CSRF": token})
    assert answer.status_code == status
    assert (answer.get_json().get("live", {}).get("raw") == "100.0") == (status == 200)


def test_health_names_what_is_missing_and_tells_strangers_nothing_else(
    client: FlaskClient, app: Flask
) -> None:
    assert client.get("/health").get_json() == {"status": "ok"}
    assert client.get("/health/ready").get_json() == {"status": "not ready", "failing": ["worker"]}
    from qa.core import jobs

    with app.extensions["candor"].database.transaction() as session:
        jobs.beat(session, "worker", now=clock.now())
    assert client.get("/health/ready").status_code == 200


def test_a_session_ends_after_an_idle_hour(
    client: FlaskClient, sign_in: SignIn, centre: dict[str, User]
) -> None:
    with clock.moved_to(datetime(2026, 3, 16, 9, 0, tzinfo=UTC)):
        sign_in(client, centre["evaluator"])
        assert client.get("/queue").status_code == 200
    with clock.moved_to(datetime(2026, 3, 16, 10, 1, tzinfo=UTC)):
        assert client.get("/queue").status_code == 302


@pytest.mark.parametrize("path", ["/queue", "/interactions", "/evaluations", "/scorecards"])
def test_pages_need_a_fixed_number_of_statements(
    client: FlaskClient, sign_in: SignIn, centre: dict[str, User | int], app: Flask, path: str
) -> None:
    from sqlalchemy import event, select

    database: Database = app.extensions["candor"].database
    sign_in(client, centre["evaluator"])  # type: ignore[arg-type]
    seen: list[str] = []
    event.listen(database.engine, "before_cursor_execute", lambda *a: seen.append(a[2]))

    def statements() -> int:
        client.get(path)
        seen.clear()
        assert client.get(path).status_code == 200
        return len(seen)

    few = statements()
    with database.transaction() as session:
        evaluator, agent = session.get_one(User, centre["evaluator"].id), centre["agent"]  # type: ignore[union-attr]
        for _ in range(12):
            make_submitted(session, evaluator, session.get_one(User, agent.id))  # type: ignore[union-attr]
            make_draft(session, evaluator, session.get_one(User, agent.id))  # type: ignore[union-attr]
        assert len(list(session.scalars(select(Evaluation.id)))) > 20
    assert statements() == few <= 10


def test_the_workspace_and_a_save_stay_within_their_statements(
    client: FlaskClient, sign_in: SignIn, centre: dict[str, User | int], app: Flask
) -> None:
    from sqlalchemy import event

    database: Database = app.extensions["candor"].database
    sign_in(client, centre["evaluator"])  # type: ignore[arg-type]
    page = client.get(f"/evaluations/{centre['draft']}/work").text
    seen: list[str] = []
    event.listen(database.engine, "before_cursor_execute", lambda *a: seen.append(a[2]))
    client.get(f"/evaluations/{centre['draft']}/work")
    assert len(seen) <= 16
    seen.clear()
    change = {"question": "hello", "field": "answer", "was": None, "value": "y"}
    headers = {"X-CSRF": token_in(page)}
    client.put(f"/evaluations/{centre['draft']}/draft", json={"changes": [change]}, headers=headers)
    assert len(seen) <= 9
