"""Sessions: who holds a token, for how long, and everything that ends one at once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, select

from qa.accounts import people_service, sessions
from qa.accounts import sign_in_service as service
from qa.accounts.models import SignInSession, Team, User
from qa.accounts.throttle import door_of
from qa.core import clock
from qa.core.actor import SYSTEM
from qa.core.db import Database
from qa.core.errors import Forbidden, NotFound
from tests.accounts.conftest import NOW, PASSWORD, actor_for, make_team, make_user, post

MINUTE = timedelta(minutes=1)


def started(database: Database, user: User, **over: Any) -> str:
    with database.transaction() as session:
        given = {"browser": "Firefox/131 Linux", "address": "192.0.2.77", "now": NOW} | over
        return sessions.start(session, user.id, **given)


def holder(database: Database, token: str, now: Any = NOW) -> Any:
    with database.reading() as session:
        return sessions.actor_of(session, token, now)


@pytest.fixture
def north(database: Database) -> Team:
    with database.transaction() as session:
        top = make_team(session, name="Billing")
        return make_team(session, name="Billing North", parent_id=top.id)


@pytest.fixture
def lead(database: Database, north: Team) -> User:
    with database.transaction() as session:
        deeper = make_team(session, name="Night shift", parent_id=north.id)
        make_team(session, name="Deeper still", parent_id=deeper.id)
        return make_user(
            session, "lead", "coach", team=north, preferences={"theme": "dark", "single_keys": False}
        )


def test_a_token_names_its_holder_with_roles_and_teams(database: Database, lead: User, north: Team) -> None:
    actor = holder(database, started(database, lead))
    assert actor.id == lead.id
    assert actor.name == lead.name
    assert actor.roles == {"lead", "coach"}
    assert actor.team_ids == {north.id}
    assert actor.teams_below == {north.id, north.id + 1, north.id + 2}
    assert actor.session_id is not None
    assert (actor.theme, actor.single_keys) == ("dark", False)


def test_a_person_without_team_or_role_is_an_actor_too(database: Database) -> None:
    with database.transaction() as session:
        user = make_user(session, "agent", roles=[])
    actor = holder(database, started(database, user))
    assert (actor.roles, actor.team_ids, actor.teams_below) == (frozenset(), frozenset(), frozenset())


def test_teams_that_lie_in_a_ring_end_the_search(database: Database) -> None:
    with database.transaction() as session:
        one = make_team(session)
        two = make_team(session, parent_id=one.id)
        one.parent_id = two.id
        user = make_user(session, "lead", team=one)
    assert holder(database, started(database, user)).teams_below == {one.id, two.id}


def test_finding_the_holder_takes_one_statement_however_many_teams_there_are(
    database: Database, lead: User, north: Team
) -> None:
    token = started(database, lead)
    counts = []
    for more in (0, 30):
        with database.transaction() as session:
            for _ in range(more):
                make_team(session, parent_id=north.id)
        statements: list[str] = []

        def note(*args: Any, seen: list[str] = statements) -> None:
            seen.append(args[2])

        event.listen(database.engine, "before_cursor_execute", note)
        holder(database, token)
        event.remove(database.engine, "before_cursor_execute", note)
        counts.append(len([text for text in statements if not text.startswith("BEGIN")]))
    assert counts == [1, 1]


@pytest.mark.parametrize("token", ["", "x", "\x00", "\ud800", "' OR 1=1 --"])
def test_a_made_up_token_names_nobody(database: Database, lead: User, token: str) -> None:
    started(database, lead)
    assert holder(database, token) is None


def test_a_session_ends_after_an_hour_without_use(database: Database, lead: User) -> None:
    token = started(database, lead)
    assert holder(database, token, NOW + 59 * MINUTE)
    assert holder(database, token, NOW + 60 * MINUTE) is None


def test_a_session_in_use_ends_after_twelve_hours(database: Database, lead: User) -> None:
    token = started(database, lead)
    for half_hour in range(1, 24):
        now = NOW + half_hour * 30 * MINUTE
        assert sessions.actor_of_request(database, token, "192.0.2.7", "r", now=now)
    assert holder(database, token, NOW + timedelta(hours=12)) is None


def test_looking_at_pages_writes_at_most_once_a_minute(database: Database, lead: User) -> None:
    token = started(database, lead)

    def seen() -> Any:
        with database.reading() as session:
            return session.scalar(select(SignInSession.last_seen_at))

    for seconds in (1, 30, 60):
        sessions.actor_of_request(database, token, None, "r", now=NOW + timedelta(seconds=seconds))
        assert seen() == NOW
    later = NOW + timedelta(seconds=61)
    actor = sessions.actor_of_request(database, token, "192.0.2.7", "request 1", now=later)
    assert actor
    assert (actor.address, actor.request_id) == ("192.0.2.7", "request 1")
    assert seen() == later


def test_a_page_is_shown_while_the_database_takes_no_writing(
    database: Database, lead: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = started(database, lead)
    monkeypatch.setattr("qa.core.db.LOCK_PATIENCE_SECONDS", 0.05)
    with database.transaction():
        assert sessions.actor_of_request(database, token, None, "r", now=NOW + 5 * MINUTE)


def test_only_the_network_of_an_address_and_the_printable_part_of_a_browsers_name_are_kept(
    database: Database, lead: User
) -> None:
    started(database, lead, browser="Fire\x00fox\x1b[31m" + "x" * 400)
    with database.reading() as session:
        row = session.scalars(select(SignInSession)).one()
    assert row.address == "192.0.2.0"
    assert row.browser.startswith("Firefox[31mxxx")
    assert len(row.browser) == 300


@pytest.mark.parametrize("act", ["roles", "deactivate", "choose", "everywhere"])
def test_what_ends_every_session_of_a_person_ends_them_at_once(
    database: Database, lead: User, act: str
) -> None:
    tokens = [started(database, lead) for _ in range(3)]
    with database.transaction() as session:
        admin = actor_for(session, make_user(session, "admin"))
        if act == "roles":
            people_service.set_roles(session, admin, lead.id, roles=["agent"], now=NOW)
        elif act == "deactivate":
            people_service.deactivate(session, admin, lead.id, now=NOW)
        elif act == "choose":
            link = service.make_link(session, admin, lead.id, now=NOW)
            service.choose_password(session, link, "another kite saddle", words=(), now=NOW)
        else:
            service.revoke_all_sessions(session, admin, lead.id, now=NOW)
    assert [holder(database, token) for token in tokens] == [None] * 3


def test_changing_ones_password_ends_all_sessions_but_this_one(database: Database, lead: User) -> None:
    mine, other = started(database, lead), started(database, lead)
    actor = holder(database, mine)
    with database.transaction() as session:
        proof = service.look_at(service.begin_own(session, actor, now=NOW), PASSWORD)
        service.change_password(session, actor, proof, new="another kite saddle", words=(), now=NOW)
    assert holder(database, mine)
    assert holder(database, other) is None


def test_an_unchanged_set_of_roles_ends_nothing(database: Database, lead: User) -> None:
    token = started(database, lead)
    with database.transaction() as session:
        people_service.set_roles(session, SYSTEM, lead.id, roles=["coach", "lead"], now=NOW)
    assert holder(database, token)


@pytest.mark.parametrize("over", [{"deactivated_at": NOW}, {"can_sign_in": False}])
def test_a_session_of_somebody_who_may_not_sign_in_counts_for_nothing(
    database: Database, lead: User, over: dict[str, Any]
) -> None:
    token = started(database, lead)
    with database.transaction() as session:
        user = session.get_one(User, lead.id)
        for name, value in over.items():
            setattr(user, name, value)
    assert holder(database, token) is None


def test_one_ends_ones_own_sessions_and_nobody_elses(database: Database, lead: User) -> None:
    with database.transaction() as session:
        agent = make_user(session, "agent")
        admin = make_user(session, "admin")
    mine, theirs = started(database, agent), started(database, lead)
    one, two = holder(database, mine), holder(database, theirs)
    with database.transaction() as session, pytest.raises(NotFound):
        service.revoke_session(session, one, two.session_id, now=NOW)
    with database.transaction() as session, pytest.raises(NotFound):
        service.revoke_session(session, one, 10_000, now=NOW)
    with database.transaction() as session:
        service.revoke_session(session, one, one.session_id, now=NOW)
        service.revoke_session(session, actor_for(session, admin), two.session_id, now=NOW)
    assert holder(database, mine) is holder(database, theirs) is None


def test_one_lists_ones_own_sessions_and_an_administrator_everybodys(database: Database, lead: User) -> None:
    started(database, lead, now=NOW - timedelta(hours=2))
    token = started(database, lead)
    actor = holder(database, token)
    with database.transaction() as session:
        admin = actor_for(session, make_user(session, "admin"))
        agent = actor_for(session, make_user(session, "agent"))
        assert [row.id for row in sessions.list_sessions(session, actor, lead.id, now=NOW)] == [
            actor.session_id
        ]
        assert len(sessions.list_sessions(session, admin, lead.id, now=NOW)) == 1
        assert sessions.count_live(session, [lead.id, agent.id or 0], now=NOW) == {lead.id: 1}
        with pytest.raises(Forbidden):
            sessions.list_sessions(session, agent, lead.id, now=NOW)
        with pytest.raises(Forbidden):
            service.revoke_all_sessions(session, agent, lead.id, now=NOW)


def test_the_draft_key_outlives_a_session_and_ends_with_signing_out(database: Database, lead: User) -> None:
    token = started(database, lead)
    with database.transaction() as session:
        first = sessions.draft_key_for(session, lead.id)
        assert len(first) == 32
        assert sessions.draft_key_for(session, lead.id) == first
        assert sessions.find_draft_key(session, lead.id) == first
    actor = holder(database, token)
    assert holder(database, token, NOW + timedelta(hours=13)) is None
    started(database, lead, now=NOW + timedelta(hours=13))
    with database.transaction() as session:
        assert sessions.find_draft_key(session, lead.id) == first
        service.sign_out(session, actor, now=NOW)
        assert sessions.find_draft_key(session, lead.id) is None
        assert sessions.draft_key_for(session, lead.id) != first


def test_a_confirmation_holds_for_a_quarter_of_an_hour(database: Database, lead: User) -> None:
    actor = holder(database, started(database, lead))
    with database.transaction() as session:
        assert sessions.is_confirmed(session, actor, now=NOW + 15 * MINUTE)
        later = NOW + 16 * MINUTE
        assert not sessions.is_confirmed(session, actor, now=later)
        wrong = service.look_at(service.begin_own(session, actor, now=later), "not the password")
        assert not service.confirm_identity(session, actor, wrong, now=later)
        right = service.look_at(service.begin_own(session, actor, now=later), PASSWORD)
        assert service.confirm_identity(session, actor, right, now=later)
        assert sessions.is_confirmed(session, actor, now=later)
        assert not sessions.is_confirmed(session, SYSTEM, now=later)


def test_strangers_tries_do_not_slow_a_confirmation(database: Database, lead: User) -> None:
    actor = holder(database, started(database, lead))
    with database.transaction() as session:
        for _ in range(5):
            service.begin_sign_in(session, email=lead.email, door=door_of(lead.email, "203.0.113.1"), now=NOW)
        assert service.begin_own(session, actor, now=NOW).password_hash


def test_the_page_asks_for_the_password_and_goes_back(
    app: Flask, database: Database, signed_in: Callable[[User], FlaskClient]
) -> None:
    with database.transaction() as session:
        admin = make_user(session, "admin")
        other = make_user(session, "agent")
    with clock.moved_to(NOW):
        client = signed_in(admin)
        assert client.get(f"/people/{other.id}/roles").status_code == 200
    with clock.moved_to(NOW + 16 * MINUTE):
        asked = client.get(f"/people/{other.id}/roles?roles=coach")
        assert asked.status_code == 303
        page = asked.headers["Location"]
        assert post(client, page, password="not the password").status_code == 422
        answer = post(client, page, password=PASSWORD)
        assert (answer.status_code, answer.headers["Location"]) == (
            303,
            f"/people/{other.id}/roles?roles=coach",
        )
        assert 'checked id="roles-2"' in client.get(answer.headers["Location"]).text


def test_six_wrong_confirmations_wait(database: Database, signed_in: Callable[[User], FlaskClient]) -> None:
    with database.transaction() as session:
        admin = make_user(session, "admin")
    with clock.moved_to(NOW):
        client = signed_in(admin)
        answers = [post(client, "/account/confirm", password="not the password") for _ in range(6)]
    assert [answer.status_code for answer in answers] == [422] * 5 + [429]
    assert answers[-1].headers["Retry-After"] == "5"


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        ("Mozilla/5.0 (Windows NT 10.0) Gecko/20100101 Firefox/131.0", "Firefox on Windows"),
        (
            "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/130 Mobile Safari/537.36",
            "Chrome on Android",
        ),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15) Version/17 Safari/605", "Safari on Mac"),
        ("Mozilla/5.0 (Windows NT 10.0) Chrome/130 Safari/537.36 Edg/130", "Edge on Windows"),
        ("", "A browser"),
    ],
)
def test_a_browser_is_called_what_people_call_it(agent: str, words: str) -> None:
    assert sessions.browser_words(agent) == words
