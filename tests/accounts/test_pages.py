"""The pages of people, teams and one's own account: who gets which, what they take, what they say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, func, select

from qa.accounts.models import SignInSession, Team, User
from qa.accounts.passwords import verify_password
from qa.accounts.queries import get_person
from qa.core.actor import SYSTEM
from qa.core.audit import AuditEntry
from qa.core.db import Database
from qa.web.access import claim_of
from tests.accounts.conftest import PASSWORD, make_team, make_user, post, token_on

Browser = Callable[[User], FlaskClient]


@pytest.fixture
def team(database: Database) -> Team:
    with database.transaction() as session:
        return make_team(session, name="Billing North")


@pytest.fixture
def dana(database: Database, team: Team) -> User:
    with database.transaction() as session:
        return make_user(session, "agent", team=team, name="Dana Ortiz", email="dana@halden.example")


@pytest.fixture
def admin(database: Database, signed_in: Browser) -> FlaskClient:
    with database.transaction() as session:
        ilse = make_user(session, "admin", name="Ilse Verhoeven")
    return signed_in(ilse)


def person(database: Database, user: User) -> User:
    with database.reading() as session:
        return get_person(session, SYSTEM, user.id)


def test_every_page_of_accounts_says_what_it_needs(app: Flask) -> None:
    views = {name: view for name, view in app.view_functions.items() if name.startswith("accounts.")}
    assert len(views) > 20
    assert [name for name, view in views.items() if not claim_of(view)] == []
    assert {name for name, view in views.items() if claim_of(view) == ("public",)} == {
        "accounts.sign_in",
        "accounts.invite",
    }


PAGES = [
    "/people",
    "/people/new",
    "/people/{dana}",
    "/people/{dana}/roles",
    "/teams",
    "/teams/{team}",
    "/account",
]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_sends_nobody_signed_in_to_the_sign_in_page(
    client: FlaskClient, dana: User, team: Team, page: str
) -> None:
    path = page.format(dana=dana.id, team=team.id)
    answer = client.get(path)
    assert answer.status_code == 302
    assert answer.headers["Location"] == f"/sign-in?next={path}"


STATUS = {
    "admin": (200, 200, 200, 200, 200, 200, 200),
    "manager": (200, 403, 200, 403, 200, 200, 200),
    "ops": (200, 403, 200, 403, 200, 200, 200),
    "lead": (200, 403, 200, 403, 200, 200, 200),
    "evaluator": (200, 403, 200, 403, 200, 200, 200),
    "agent": (200, 403, 404, 403, 200, 404, 200),
    "auditor": (403, 403, 403, 403, 403, 403, 200),
}


@pytest.mark.parametrize("role", STATUS)
def test_each_role_opens_the_pages_its_row_allows(
    database: Database, signed_in: Browser, dana: User, team: Team, role: str
) -> None:
    with database.transaction() as session:
        user = make_user(session, role, team=team)
    browser = signed_in(user)
    paths = [page.format(dana=dana.id, team=team.id) for page in PAGES]
    assert tuple(browser.get(path).status_code for path in paths) == STATUS[role]


@pytest.mark.parametrize(
    "path",
    [
        "/people/999999",
        "/teams/999999",
        "/people/0",
        "/people/x",
        "/teams/-1",
        "/people/" + "9" * 10,
        "/teams/" + "9" * 40,
    ],
)
def test_what_is_not_there_looks_like_what_one_may_not_see(
    database: Database, signed_in: Browser, dana: User, path: str
) -> None:
    with database.transaction() as session:
        stranger = make_user(session, "agent")
    browser = signed_in(stranger)
    missing, hidden = browser.get(path), browser.get(f"/people/{dana.id}")
    assert missing.status_code == hidden.status_code == 404


def test_an_administrator_adds_a_person_who_chooses_a_password_and_signs_in(
    app: Flask, admin: FlaskClient, team: Team, database: Database
) -> None:
    fields = {
        "name": "Theo Lang",
        "email": "theo@halden.example",
        "roles": ["agent", "coach"],
        "team_id": team.id,
    }
    answer = post(admin, "/people/new", **fields)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    link = answer.text.partition('value="http://localhost')[2].partition('"')[0]
    with app.test_client() as theo:
        assert post(theo, link, password="short").status_code == 422
        assert post(theo, link, password="another kite saddle").headers["Location"] == "/sign-in"
        assert "Your password is set." in theo.get("/sign-in").text
        signed = post(theo, "/sign-in", email="theo@halden.example", password="another kite saddle")
        assert signed.status_code == 303
        assert "Theo Lang" in theo.get("/account").text
        used = theo.get(link)
    assert used.status_code == 409
    assert "used already or is too old" in used.text
    with database.reading() as session:
        actions = session.scalars(select(AuditEntry.action).order_by(AuditEntry.seq)).all()
    assert actions[:3] == ["user:create", "user:link", "user:password"]


@pytest.mark.parametrize(
    ("over", "sentence"),
    [
        ({"name": ""}, "Type a name."),
        ({"name": "Dana ‮zitrO"}, "hidden text-direction character"),
        ({"name": "x" * 4000}, "At most 200 characters"),
        ({"email": "no address"}, "This is no e-mail address."),
        ({"email": "DANA@halden.example"}, "Somebody has this address already."),
        ({"roles": []}, "Choose at least one role."),
        ({"roles": ["root"]}, "There is no role “root”."),
        ({"team_id": "99"}, "Choose one from the list."),
        ({"team_id": "²"}, "Choose one from the list."),
    ],
)
def test_a_person_that_cannot_be_added_leaves_the_form_as_it_was_typed(
    admin: FlaskClient, dana: User, database: Database, over: dict[str, Any], sentence: str
) -> None:
    fields = {
        "name": "Theo <b>Lang",
        "email": "theo@halden.example",
        "roles": ["coach"],
        "team_id": "",
    } | over
    answer = post(admin, "/people/new", **fields)
    assert answer.status_code == 422
    assert sentence in answer.text
    if "name" not in over:
        assert "Theo &lt;b&gt;Lang" in answer.text
    with database.reading() as session:
        assert session.scalar(select(func.count(User.id))) == 2


def test_roles_are_changed_on_their_page_and_end_the_persons_sessions(
    admin: FlaskClient, dana: User, database: Database, signed_in: Browser
) -> None:
    hers = signed_in(dana)
    assert hers.get("/account").status_code == 200
    answer = post(admin, f"/people/{dana.id}/roles", roles=["agent", "lead"])
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/people/{dana.id}")
    assert {role.role for role in person(database, dana).roles} == {"agent", "lead"}
    assert hers.get("/account").status_code == 302
    assert "roles are changed" in admin.get(f"/people/{dana.id}").text


def test_nobody_finds_a_way_to_their_own_roles(
    app: Flask, admin: FlaskClient, database: Database, signed_in: Browser
) -> None:
    with database.transaction() as session:
        me = make_user(session, "admin", team=make_team(session))
    browser = signed_in(me)
    page = browser.get(f"/people/{me.id}").text
    assert f"/people/{me.id}/roles" not in page
    assert "Close account" not in page
    for act in ("roles", "team", "close"):
        answer = post(browser, f"/people/{me.id}/{act}", f"/people/{me.id}", roles=["manager"], team_id="")
        assert answer.status_code == 403, act
    assert {role.role for role in person(database, me).roles} == {"admin"}


def test_ticking_no_role_is_refused_on_the_page(admin: FlaskClient, dana: User) -> None:
    answer = post(admin, f"/people/{dana.id}/roles")
    assert answer.status_code == 422
    assert "Choose at least one role." in answer.text


def test_a_person_is_moved_renamed_closed_and_opened_from_the_page(
    admin: FlaskClient, dana: User, team: Team, database: Database
) -> None:
    with database.transaction() as session:
        south = make_team(session, name="Billing South")
    page = f"/people/{dana.id}"
    assert post(admin, f"{page}/team", page, team_id=south.id, since="").status_code == 303
    assert person(database, dana).team_id == south.id
    assert post(admin, f"{page}/profile", page, name="Dana O.", email="d@halden.example").status_code == 303
    assert person(database, dana).name == "Dana O."
    assert post(admin, f"{page}/close", page).status_code == 303
    assert person(database, dana).deactivated_at
    assert "This account was closed" in admin.get(page).text
    assert post(admin, f"{page}/open", page).status_code == 303
    assert person(database, dana).deactivated_at is None


@pytest.mark.parametrize(
    "fields",
    [{}, {"since": "2026-11-12"}, {"team_id": "99"}, {"team_id": "x"}, {"team_id": "", "since": "soon"},
     {"team_id": "", "since": "0001-01-01"}],
)  # fmt: skip
def test_a_move_that_says_nothing_clear_moves_nobody(
    admin: FlaskClient, dana: User, team: Team, database: Database, fields: dict[str, str]
) -> None:
    page = f"/people/{dana.id}"
    assert post(admin, f"{page}/team", page, **fields).status_code == 422
    assert person(database, dana).team_id == team.id


def test_a_link_is_shown_once_and_a_repeated_form_makes_no_second_one(admin: FlaskClient, dana: User) -> None:
    page = admin.get(f"/people/{dana.id}").text
    once = page.partition('name="once" value="')[2].partition('"')[0]
    fields = {"csrf_token": token_on(page), "once": once}
    first = admin.post(f"/people/{dana.id}/link", data=fields)
    assert "/welcome/" in first.text
    again = admin.post(f"/people/{dana.id}/link", data=fields)
    assert again.status_code == 409
    assert "/welcome/" not in again.text


def test_ones_own_password_is_changed_with_the_present_one_only(
    dana: User, database: Database, signed_in: Browser
) -> None:
    browser, other = signed_in(dana), signed_in(dana)
    new = "another kite saddle"
    wrong = post(browser, "/account/password", "/account", old="not the password", password=new)
    assert wrong.status_code == 422
    assert "That is not your present password." in wrong.text
    weak = post(browser, "/account/password", "/account", old=PASSWORD, password="dana-ortiz-dana")
    assert weak.status_code == 422
    assert "little more than" in weak.text
    answer = post(browser, "/account/password", "/account", old=PASSWORD, password=new)
    assert answer.status_code == 303
    assert verify_password(person(database, dana).password_hash, new)
    assert browser.get("/account").status_code == 200
    assert other.get("/account").status_code == 302


def test_guessing_the_present_password_is_slowed(dana: User, signed_in: Browser) -> None:
    browser = signed_in(dana)
    fields = {"old": "not the password", "password": "another kite saddle"}
    answers = [post(browser, "/account/password", "/account", **fields) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [422] * 5 + [429]


def test_one_signs_out_ones_other_browsers_from_the_account_page(
    dana: User, database: Database, signed_in: Browser
) -> None:
    browser, one, two = signed_in(dana), signed_in(dana), signed_in(dana)
    with database.reading() as session:
        ids = session.scalars(select(SignInSession.id).order_by(SignInSession.id)).all()
    assert post(browser, f"/account/sessions/{ids[1]}/end", "/account").status_code == 303
    assert [each.get("/account").status_code for each in (browser, one, two)] == [200, 302, 200]
    assert post(browser, "/account/sessions/end-others", "/account").status_code == 303
    assert [each.get("/account").status_code for each in (browser, two)] == [200, 302]


def test_nobody_ends_somebody_elses_session(
    dana: User, database: Database, signed_in: Browser, team: Team
) -> None:
    with database.transaction() as session:
        other = make_user(session, "lead", team=team)
    hers, his = signed_in(dana), signed_in(other)
    with database.reading() as session:
        of_dana = session.scalar(select(SignInSession.id).where(SignInSession.user_id == dana.id))
    assert post(his, f"/account/sessions/{of_dana}/end", "/account").status_code == 404
    assert post(his, f"/people/{dana.id}/sign-out", "/account").status_code == 403
    assert hers.get("/account").status_code == 200


def test_an_administrator_signs_a_person_out_everywhere(
    admin: FlaskClient, dana: User, signed_in: Browser
) -> None:
    hers = signed_in(dana)
    assert post(admin, f"/people/{dana.id}/sign-out", f"/people/{dana.id}").status_code == 303
    assert hers.get("/account").status_code == 302
    assert admin.get("/account").status_code == 200


def test_preferences_are_kept_and_shown(dana: User, database: Database, signed_in: Browser) -> None:
    browser = signed_in(dana)
    assert post(browser, "/account/preferences", "/account", theme="dark").status_code == 303
    kept = {"single_keys": False, "theme": "dark", "mail": False, "time_zone": ""}
    assert person(database, dana).preferences == kept
    wrong = post(browser, "/account/preferences", "/account", theme="dark", time_zone="Mars/Olympus")
    assert (wrong.status_code, "Choose a time zone" in wrong.text) == (422, True)
    page = browser.get("/account").text
    assert 'checked id="theme-2"' in page
    assert 'data-theme="dark"' in page
    assert post(browser, "/account/preferences", "/account", theme="pink").status_code == 422


def test_teams_are_added_changed_closed_and_opened_from_their_pages(
    admin: FlaskClient, team: Team, database: Database
) -> None:
    assert post(admin, "/teams", name="Night", parent_id=team.id).status_code == 303
    twin = post(admin, "/teams", name="night", parent_id=team.id)
    assert twin.status_code == 422
    assert "at this place already" in twin.text
    with database.reading() as session:
        night = session.scalars(select(Team).where(Team.name == "Night")).one()
    page = f"/teams/{night.id}"
    assert post(admin, page, name="Night shift", parent_id="").status_code == 303
    assert post(admin, page, name="Night shift", parent_id=night.id).status_code == 422
    assert post(admin, f"{page}/close", page).status_code == 303
    assert "This team was closed" in admin.get(page).text
    assert post(admin, f"{page}/open", page).status_code == 303


@pytest.mark.parametrize("query", ["q=a%00b", "after=x", "after=%C2%B2~a"])
def test_an_address_that_makes_no_sense_is_refused_in_a_sentence(admin: FlaskClient, query: str) -> None:
    assert admin.get(f"/people?{query}").status_code == 422


@pytest.mark.parametrize(
    "query", ["team=x", "team=%C2%B2", "team=" + "9" * 40, "role=root", "state=none", "q=%FF%FE"]
)
def test_a_filter_that_nothing_has_is_left_out(admin: FlaskClient, dana: User, query: str) -> None:
    assert admin.get(f"/people?{query}").status_code == 200


def test_a_filter_with_a_control_character_is_refused(admin: FlaskClient) -> None:
    assert admin.get("/people?state=%00").status_code == 422


def test_filters_stay_in_the_address_from_page_to_page(
    admin: FlaskClient, database: Database, team: Team
) -> None:
    with database.transaction() as session:
        for _ in range(51):
            make_user(session, "coach", team=team)
    page = admin.get(f"/people?team={team.id}&role=coach").text
    following = page.partition('rel="next" href="')[2].partition('"')[0].replace("&amp;", "&")
    assert f"team={team.id}" in following
    assert "role=coach" in following
    assert admin.get(following).text.count('class="title"') == 1


def test_a_name_is_shown_as_text_and_set_apart_from_the_line_around_it(
    admin: FlaskClient, database: Database
) -> None:
    with database.transaction() as session:
        user = make_user(session, name="<script>alert(1)</script> שרה")
    for page in ("/people", f"/people/{user.id}", f"/people/{user.id}/roles"):
        text = admin.get(page).text
        assert "<script>alert" not in text
        assert "<bdi>&lt;script&gt;alert(1)&lt;/script&gt; שרה</bdi>" in text


def statements_of(database: Any, browser: FlaskClient, path: str) -> int:
    count = 0

    def note(*args: Any) -> None:
        nonlocal count
        count += not args[2].startswith("BEGIN")

    event.listen(database.engine, "before_cursor_execute", note)
    assert browser.get(path).status_code == 200
    event.remove(database.engine, "before_cursor_execute", note)
    return count


def test_pages_take_the_same_few_statements_however_many_people_there_are(
    app: Flask, admin: FlaskClient, database: Database, team: Team, dana: User
) -> None:
    pages = ["/people", f"/people/{dana.id}", "/teams", f"/teams/{team.id}"]
    site = app.extensions["candor"].database
    few = [statements_of(site, admin, page) for page in pages]
    with database.transaction() as session:
        for _ in range(60):
            make_user(session, "agent", "coach", team=team)
            make_team(session, parent_id=team.id)
    assert [statements_of(site, admin, page) for page in pages] == few
    assert max(few) <= 12
