"""Signing in and out through the pages: one answer for all names, pauses, own paths, new sessions."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from urllib.parse import quote

import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from qa.accounts import passwords, sessions
from qa.accounts import sign_in_service as service
from qa.accounts.models import SignInAttempt, SignInSession, User
from qa.accounts.sign_in_views import own_path
from qa.accounts.throttle import door_of
from qa.core import clock
from qa.core.audit import AuditEntry
from qa.core.db import Database
from tests.accounts.conftest import NOW, PASSWORD, make_user, post, token_on

WRONG = "quite another river stone"


@pytest.fixture
def mara(database: Database) -> User:
    with database.transaction() as session:
        return make_user(session, "evaluator", email="mara@halden.example", name="Mara Lindqvist")


def stored(database: Database, user: User) -> User:
    with database.reading() as session:
        return session.get_one(User, user.id)


def live(database: Database, user: User) -> int:
    with database.reading() as session:
        mine = (SignInSession.user_id == user.id, SignInSession.ended_at.is_(None))
        return session.scalar(select(func.count(SignInSession.id)).where(*mine)) or 0


def test_the_right_password_opens_a_session_and_leads_home(
    client: FlaskClient, mara: User, database: Database
) -> None:
    answer = post(client, "/sign-in", email=" MARA@halden.example", password=PASSWORD)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert client.get("/account").status_code == 200
    assert live(database, mara) == 1


def test_a_wrong_password_is_refused_keeps_the_name_and_drops_the_password(
    client: FlaskClient, mara: User
) -> None:
    answer = post(client, "/sign-in", email=mara.email, password=WRONG)
    assert answer.status_code == 422
    assert service.WRONG in answer.text
    assert f'value="{mara.email}"' in answer.text
    assert WRONG not in answer.text


@pytest.mark.parametrize("missing", [{"email": ""}, {"password": ""}, {"password": "x" * 1001}])
def test_a_form_of_the_wrong_shape_is_refused_before_anything_is_counted(
    client: FlaskClient, mara: User, database: Database, missing: dict[str, str]
) -> None:
    answer = post(client, "/sign-in", **{"email": mara.email, "password": WRONG} | missing)
    assert answer.status_code == 422
    with database.reading() as session:
        assert session.scalar(select(func.count(SignInAttempt.id))) == 0


def without_tokens(page: str) -> str:
    return page.replace(token_on(page), "")


@pytest.mark.parametrize("state", ["no such name", "closed", "no sign-in", "no password"])
def test_every_name_that_cannot_sign_in_gets_the_same_answer(
    app: Flask, mara: User, database: Database, state: str
) -> None:
    with database.transaction() as session:
        user = session.get_one(User, mara.id)
        user.deactivated_at = NOW if state == "closed" else None
        user.can_sign_in = state != "no sign-in"
        user.password_hash = None if state == "no password" else user.password_hash
        make_user(session, email="anna@halden.example")
    asked = "nobody@halden.example" if state == "no such name" else mara.email
    with app.test_client() as one, app.test_client() as other:
        refused = post(one, "/sign-in", email=asked, password=PASSWORD)
        known = post(other, "/sign-in", email="anna@halden.example", password=WRONG)
    assert refused.status_code == known.status_code == 422
    shown = without_tokens(refused.text).replace(asked, "")
    assert shown == without_tokens(known.text).replace("anna@halden.example", "")


def test_an_unknown_name_costs_the_same_steps_as_a_known_one(
    database: Database, mara: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at: list[str] = []
    verify = PasswordHasher.verify

    def noted(self: PasswordHasher, stored: str, password: str) -> bool:
        looked_at.append(stored.rsplit("$", 2)[0])
        return bool(verify(self, stored, password))

    monkeypatch.setattr(PasswordHasher, "verify", noted)
    with database.transaction() as session:
        for email in (mara.email, "nobody@halden.example"):
            door = door_of(email, "192.0.2.1")
            tried = service.begin_sign_in(session, email=email, door=door, now=NOW)
            proof = service.look_at(tried, WRONG)
            given = {"browser": "", "address": "", "old_token": None, "now": NOW}
            assert service.complete_sign_in(session, proof, **given) is None
        session.flush()
        rows = session.execute(select(AuditEntry.action, AuditEntry.object_id)).all()
    assert looked_at == ["$argon2id$v=19$m=19456,t=2,p=1"] * 2
    assert rows == [("session:refuse", str(mara.id)), ("session:refuse", "unknown")]


def test_the_sixth_try_in_a_row_waits_for_known_and_unknown_names_alike(app: Flask, mara: User) -> None:
    pages = []
    for email in (mara.email, "nobody@halden.example"):
        with (
            app.test_client() as client,
            clock.moved_to(NOW if email == mara.email else NOW + timedelta(hours=3)),
        ):
            for _ in range(5):
                assert post(client, "/sign-in", email=email, password=WRONG).status_code == 422
            answer = post(client, "/sign-in", email=email, password=PASSWORD)
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "5")
        pages.append(without_tokens(answer.text).replace(email, ""))
    assert "Too many tries. Wait 5 seconds, then try again." in pages[0]
    assert pages[0] == pages[1]


def test_what_strangers_try_does_not_lock_a_person_out_of_their_own_browser(
    app: Flask, client: FlaskClient, mara: User
) -> None:
    with clock.moved_to(NOW):
        assert post(client, "/sign-in", email=mara.email, password=PASSWORD).status_code == 303
        with app.test_client() as stranger:
            for _ in range(6):
                answer = post(stranger, "/sign-in", email=mara.email, password=WRONG)
            assert answer.status_code == 429
        assert post(client, "/sign-out", "/account").status_code == 303
        assert post(client, "/sign-in", email=mara.email, password=PASSWORD).status_code == 303


def test_signing_in_eleven_times_within_a_minute_asks_for_a_pause(app: Flask, mara: User) -> None:
    with clock.moved_to(NOW):
        for _ in range(service.SIGN_INS_A_MINUTE):
            with app.test_client() as client:
                assert post(client, "/sign-in", email=mara.email, password=PASSWORD).status_code == 303
        with app.test_client() as client:
            answer = post(client, "/sign-in", email=mara.email, password=PASSWORD)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "60")


def test_a_hash_of_older_parameters_is_renewed_at_sign_in(
    client: FlaskClient, mara: User, database: Database
) -> None:
    older = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(PASSWORD)
    with database.transaction() as session:
        session.get_one(User, mara.id).password_hash = older
    assert post(client, "/sign-in", email=mara.email, password=PASSWORD).status_code == 303
    renewed = stored(database, mara).password_hash or ""
    assert renewed != older
    assert not passwords.needs_rehash(renewed)
    assert passwords.verify_password(renewed, PASSWORD)


@pytest.mark.parametrize("change", ["password", "closed", "sign-in off"])
def test_what_changed_while_the_password_was_looked_at_refuses(
    database: Database, mara: User, change: str
) -> None:
    door = door_of(mara.email, "192.0.2.1")
    with database.transaction() as session:
        proof = service.look_at(
            service.begin_sign_in(session, email=mara.email, door=door, now=NOW), PASSWORD
        )
    assert proof.fits
    with database.transaction() as session:
        user = session.get_one(User, mara.id)
        user.password_hash = passwords.hash_password(WRONG) if change == "password" else user.password_hash
        user.deactivated_at = NOW if change == "closed" else None
        user.can_sign_in = change != "sign-in off"
    with database.transaction() as session:
        given = {"browser": "", "address": "", "old_token": None, "now": NOW}
        assert service.complete_sign_in(session, proof, **given) is None


def test_every_sign_in_gets_a_new_token_and_ends_the_browsers_former_session(
    client: FlaskClient, mara: User, database: Database
) -> None:
    tokens = set()
    for _ in range(2):
        post(client, "/sign-in", email=mara.email, password=PASSWORD)
        with client.session_transaction() as cookie:
            assert set(cookie) <= {"t", "csrf"}
            tokens.add(cookie["t"])
    assert len(tokens) == 2
    assert all(len(token) >= 43 for token in tokens)
    assert live(database, mara) == 1
    with database.reading() as session:
        kept = set(session.scalars(select(SignInSession.token_hash)))
    assert kept == {sessions.token_hash(token) for token in tokens}
    assert not kept & tokens


def test_after_signing_in_one_is_where_one_wanted_to_be(client: FlaskClient, mara: User) -> None:
    sent = client.get("/account?from=mail")
    assert sent.status_code == 302
    answer = post(client, sent.headers["Location"], email=mara.email, password=PASSWORD)
    assert answer.headers["Location"] == "/account?from=mail"


@pytest.mark.parametrize(
    "path",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "/a\nSet-Cookie: x=y",
        "javascript:alert(1)",
        "evil.example",
        " /people",
        "/ /evil.example",
        "/people\\x",
        "",
        None,
    ],
)
def test_a_way_back_to_another_site_leads_home(app: Flask, path: str | None) -> None:
    with app.test_request_context("/sign-in"):
        assert own_path(path) == "/"


def test_a_way_back_to_another_site_leads_home_after_sign_in(client: FlaskClient, mara: User) -> None:
    page = "/sign-in?next=" + quote("//evil.example/x")
    assert post(client, page, email=mara.email, password=PASSWORD).headers["Location"] == "/"


def test_a_post_without_the_pages_token_signs_nobody_in(
    client: FlaskClient, mara: User, database: Database
) -> None:
    answer = client.post("/sign-in", data={"email": mara.email, "password": PASSWORD})
    assert answer.status_code == 422
    assert live(database, mara) == 0


def test_a_post_from_another_site_signs_nobody_in(
    client: FlaskClient, mara: User, database: Database
) -> None:
    token = token_on(client.get("/sign-in").text)
    fields = {"csrf_token": token, "email": mara.email, "password": PASSWORD}
    answer = client.post("/sign-in", data=fields, headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403
    assert live(database, mara) == 0


def test_signing_out_ends_the_session_the_draft_key_and_the_browsers_storage(
    client: FlaskClient, mara: User, database: Database
) -> None:
    post(client, "/sign-in", email=mara.email, password=PASSWORD)
    assert stored(database, mara).draft_key
    with client.session_transaction() as cookie:
        token = cookie["t"]
    answer = post(client, "/sign-out", "/account")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in")
    assert answer.headers["Clear-Site-Data"] == '"cache", "storage"'
    assert live(database, mara) == 0
    assert stored(database, mara).draft_key is None
    with client.session_transaction() as cookie:
        cookie["t"] = token
    assert client.get("/account").status_code == 302


def test_an_agent_with_no_other_role_can_sign_out(
    database: Database, signed_in: Callable[[User], FlaskClient]
) -> None:
    with database.transaction() as session:
        dana = make_user(session, "agent")
    assert post(signed_in(dana), "/sign-out", "/account").status_code == 303


def test_signing_in_out_and_failing_are_in_the_audit_log(
    client: FlaskClient, mara: User, database: Database
) -> None:
    post(client, "/sign-in", email=mara.email, password=WRONG)
    post(client, "/sign-in", email=mara.email, password=PASSWORD)
    post(client, "/sign-out", "/account")
    with database.reading() as session:
        rows = session.scalars(select(AuditEntry).order_by(AuditEntry.seq)).all()
    assert [(row.action, row.actor_id) for row in rows] == [
        ("session:refuse", None),
        ("session:start", mara.id),
        ("session:end", mara.id),
    ]
    assert rows[1].role == "evaluator"
    assert rows[1].source_address == "127.0.0.0"


@pytest.mark.parametrize(
    "email", ["a\x00b@halden.example", "‮mara@halden.example", "'; DROP TABLE user; --", "x" * 254]
)
def test_a_strange_name_is_an_unknown_name(client: FlaskClient, mara: User, email: str) -> None:
    answer = post(client, "/sign-in", email=email, password=WRONG)
    assert answer.status_code == 422
    assert service.WRONG in answer.text


def test_the_sign_in_page_is_kept_by_no_cache_and_shown_in_no_frame(client: FlaskClient) -> None:
    answer = client.get("/sign-in")
    assert answer.headers["Cache-Control"] == "no-store"
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert 'autocomplete="current-password"' in answer.text
    assert 'autocomplete="username"' in answer.text
