"""Bringing people in, naming them, giving roles and teams, letting go: what is taken and what refused."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from threading import Barrier
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from qa.accounts import jobs, people_service, queries
from qa.accounts import sign_in_service as service
from qa.accounts.models import Membership, Team, User
from qa.accounts.people_service import checked_email, team_on
from qa.accounts.queries import PeopleFilter
from qa.core.actor import SYSTEM, Actor
from qa.core.audit import AuditEntry
from qa.core.db import Base, Database
from qa.core.errors import Conflict, Forbidden, Invalid, NotFound
from tests.accounts.conftest import NOW, TODAY, actor_for, make_team, make_user

DAY = timedelta(days=1)


@pytest.fixture
def admin(database: Database) -> Actor:
    with database.transaction() as session:
        return actor_for(session, make_user(session, "admin", name="Ilse Verhoeven"))


def create(session: Session, actor: Actor, **over: Any) -> User:
    given = {
        "name": "Theo Lang",
        "email": "t.lang@halden.example",
        "roles": ["agent"],
        "team_id": None,
        "today": TODAY,
        "now": NOW,
    }
    return people_service.create_person(session, actor, **given | over)


def acts(database: Database) -> list[tuple[str, Any, Any]]:
    with database.reading() as session:
        rows = session.scalars(select(AuditEntry).order_by(AuditEntry.seq))
        return [(row.action, row.before, row.after) for row in rows]


def test_a_person_is_created_with_roles_and_team_and_no_password(database: Database, admin: Actor) -> None:
    with database.transaction() as session:
        team = make_team(session)
        made = create(session, admin, roles=["agent", "coach", "agent"], team_id=team.id)
    with database.reading() as session:
        user = queries.get_person(session, admin, made.id)
        assert (user.name, user.email, user.password_hash) == ("Theo Lang", "t.lang@halden.example", None)
        assert sorted(role.role for role in user.roles) == ["agent", "coach"]
        assert user.team_id == team.id
        assert [(m.team_id, m.since, m.until) for m in user.memberships] == [(team.id, TODAY, None)]
    assert acts(database)[-1][0] == "user:create"


@pytest.mark.parametrize(
    "role", ["agent", "evaluator", "lead", "manager", "ops", "privacy", "auditor", "coach"]
)
def test_only_an_administrator_brings_people_in(database: Database, role: str) -> None:
    with database.transaction() as session:
        actor = actor_for(session, make_user(session, role))
        with pytest.raises(Forbidden):
            create(session, actor)


NAMES = [
    ("", "is missing"),
    ("   ", "is missing"),
    ("Dana\x00Ortiz", "NUL"),
    ("Dana \ud83d", "half of a character"),
    ("Dana\x1bOrtiz", "control character"),
    ("Dana\nOrtiz", "one line"),
    ("Dana ‮zitrO", "text-direction"),
    ("Dana ⁧Ortiz", "text-direction"),
    ("x" * 201, "201 characters; 200"),
    ("x" * 4000, "4,000 characters; 200"),
]


@pytest.mark.parametrize(("name", "words"), NAMES)
def test_a_name_that_cannot_be_shown_is_refused_in_a_sentence(
    database: Database, admin: Actor, name: str, words: str
) -> None:
    with database.transaction() as session, pytest.raises(Invalid, match=words) as refused:
        create(session, admin, name=name)
    assert set(refused.value.errors) == {"name"}


@pytest.mark.parametrize(
    "name", ["Ngọc Ánh", "李 小龙", "O’Brien-Çelik", "👩‍🚀 Zoë", "x" * 200, "שרה כהן", "e\u0301" * 60]
)
def test_a_name_is_kept_as_it_is_typed(database: Database, admin: Actor, name: str) -> None:
    with database.transaction() as session:
        made = create(session, admin, name=f"  {name} ")
    with database.reading() as session:
        assert session.get_one(User, made.id).name == name


@pytest.mark.parametrize(
    "email",
    [
        "",
        "dana",
        "dana@",
        "@halden.example",
        "dana@halden",
        "d na@halden.example",
        "dana@halden.example.",
        "a@b@c.de",
        "dana@halden..example",
        "da..na@halden.example",
        "<dana@halden.example>",
        "dana\x00@halden.example",
        "d@" + "x" * 250 + ".de",
        "‮dana@halden.example",
        "dana@halden.example\nBcc: x@y.zz",
    ],
)
def test_what_is_no_address_is_refused_in_a_sentence(email: str) -> None:
    with pytest.raises(Invalid) as refused:
        checked_email(email)
    assert set(refused.value.errors) == {"email"}


@pytest.mark.parametrize("email", ["dana@halden.example", "d.o'r+tiz_1@mail.halden.co", "жанна@пример.рф"])
def test_ordinary_addresses_are_taken(email: str) -> None:
    assert checked_email(f" {email} ") == email


def test_the_same_address_in_other_letters_is_taken_once(database: Database, admin: Actor) -> None:
    with database.transaction() as session:
        create(session, admin, email="Dana@Halden.example")
    with pytest.raises(Invalid) as refused, database.transaction() as session:
        create(session, admin, email="dana@halden.EXAMPLE")
    assert refused.value.errors == {"email": people_service.TAKEN}
    with database.reading() as session:
        assert len(session.scalars(select(User).where(User.email_folded == "dana@halden.example")).all()) == 1


@pytest.mark.parametrize("roles", [[], ["service"], ["anonymous"], ["link"], ["agent", "root"], ["\ud800"]])
def test_only_roles_of_people_can_be_given(database: Database, admin: Actor, roles: list[str]) -> None:
    with database.transaction() as session, pytest.raises(Invalid) as refused:
        create(session, admin, roles=roles)
    assert set(refused.value.errors) == {"roles"}


def test_nobody_is_put_into_a_closed_or_unknown_team(database: Database, admin: Actor) -> None:
    with database.transaction() as session:
        closed = make_team(session, closed_at=NOW)
    with pytest.raises(Invalid, match="closed"), database.transaction() as session:
        create(session, admin, team_id=closed.id)
    with pytest.raises(NotFound), database.transaction() as session:
        create(session, admin, team_id=10_000)
    with database.reading() as session:
        assert queries.find_person_by_email(session, SYSTEM, "t.lang@halden.example") is None


def test_roles_are_replaced_and_the_log_keeps_before_and_after(database: Database, admin: Actor) -> None:
    with database.transaction() as session:
        user = make_user(session, "agent", "coach")
        people_service.set_roles(session, admin, user.id, roles=["coach", "lead"], now=NOW)
    with database.reading() as session:
        found = queries.get_person(session, admin, user.id)
        assert {role.role for role in found.roles} == {"coach", "lead"}
    assert acts(database)[-1] == (
        "user:set_role",
        {"roles": ["agent", "coach"]},
        {"roles": ["coach", "lead"]},
    )


OWN_STANDING: list[Callable[[Session, Actor, int], None]] = [
    lambda session, me, id_: people_service.set_roles(session, me, id_, roles=["manager"], now=NOW),
    lambda session, me, id_: people_service.deactivate(session, me, id_, now=NOW),
    lambda session, me, id_: people_service.reactivate(session, me, id_, now=NOW),
    lambda session, me, id_: people_service.set_team(
        session, me, id_, team_id=None, since=TODAY, today=TODAY, now=NOW
    ),
]


@pytest.mark.parametrize("act", OWN_STANDING)
@pytest.mark.parametrize("with_team", [True, False])
def test_nobody_changes_their_own_role_team_or_standing(
    database: Database, act: Callable[[Session, Actor, int], None], with_team: bool
) -> None:
    with database.transaction() as session:
        user = make_user(session, "admin", "manager", team=make_team(session) if with_team else None)
        me = actor_for(session, user)
        with pytest.raises(Forbidden):
            act(session, me, user.id)
    assert acts(database) == []


@pytest.mark.parametrize(
    "role", ["agent", "evaluator", "coach", "lead", "calibrator", "manager", "ops", "privacy"]
)
def test_nobody_but_an_administrator_gives_roles_or_closes_accounts(database: Database, role: str) -> None:
    with database.transaction() as session:
        team = make_team(session)
        actor = actor_for(session, make_user(session, role, team=team))
        other = make_user(session, "agent", team=team)
        with pytest.raises((Forbidden, NotFound)):
            people_service.set_roles(session, actor, other.id, roles=["admin"], now=NOW)
        with pytest.raises((Forbidden, NotFound)):
            people_service.deactivate(session, actor, other.id, now=NOW)
        with pytest.raises((Forbidden, NotFound)):
            service.make_link(session, actor, other.id, now=NOW)
        with pytest.raises((Forbidden, NotFound)):
            people_service.update_profile(session, actor, other.id, name="X", email="x@y.zz", now=NOW)


def moved(
    session: Session, actor: Actor, user: User, team: Team | None, since: date, today: date = TODAY
) -> None:
    people_service.set_team(
        session, actor, user.id, team_id=team.id if team else None, since=since, today=today, now=NOW
    )


def history(session: Session, user: User) -> list[tuple[int, date, date | None]]:
    rows = session.scalars(select(Membership).where(Membership.user_id == user.id).order_by(Membership.id))
    return [(row.team_id, row.since, row.until) for row in rows]


def test_a_move_today_ends_the_former_membership_and_keeps_it(database: Database, admin: Actor) -> None:
    with database.transaction() as session:
        north, south = make_team(session), make_team(session)
        user = make_user(session, team=north)
        moved(session, admin, user, south, TODAY)
    first = TODAY.replace(day=1)
    with database.reading() as session:
        assert history(session, user) == [(north.id, first, TODAY), (south.id, TODAY, None)]
        assert session.get_one(User, user.id).team_id == south.id


def test_a_move_ahead_comes_into_force_on_its_day(database: Database, admin: Actor) -> None:
    with database.transaction() as session:
        north, south = make_team(session), make_team(session)
        user = make_user(session, team=north)
        moved(session, admin, user, south, TODAY + 5 * DAY)

    def team_after(days: int) -> int | None:
        jobs.apply_due_memberships(database, NOW + days * DAY)
        with database.reading() as session:
            return session.get_one(User, user.id).team_id

    assert [team_after(days) for days in (0, 4, 5, 6)] == [north.id, north.id, south.id, south.id]
    assert jobs.apply_due_memberships(database, NOW + 6 * DAY) == 0


def test_another_move_drops_one_that_was_entered_ahead(database: Database, admin: Actor) -> None:
    with database.transaction() as session:
        north, south, west = (make_team(session) for _ in range(3))
        user = make_user(session, team=north)
        moved(session, admin, user, south, TODAY + 5 * DAY)
        moved(session, admin, user, west, TODAY + 2 * DAY)
    for days, team in ((1, north), (2, west), (5, west), (50, west)):
        jobs.apply_due_memberships(database, NOW + days * DAY)
        with database.reading() as session:
            assert session.get_one(User, user.id).team_id == team.id
    with database.reading() as session:
        assert queries.moves_ahead(queries.get_person(session, admin, user.id), TODAY)[0].team_id == west.id


def test_leaving_all_teams_and_coming_back_the_same_day_goes_on_as_before(
    database: Database, admin: Actor
) -> None:
    with database.transaction() as session:
        north = make_team(session)
        user = make_user(session, team=north)
        moved(session, admin, user, None, TODAY)
        assert user.team_id is None
        moved(session, admin, user, north, TODAY)
        assert user.team_id == north.id
    with database.reading() as session:
        assert history(session, user) == [(north.id, TODAY.replace(day=1), None)]


@pytest.mark.parametrize("days", [-367, 367, 36_500])
def test_a_move_far_from_today_is_refused(database: Database, admin: Actor, days: int) -> None:
    with database.transaction() as session:
        user = make_user(session, team=make_team(session))
        with pytest.raises(Invalid, match="at most a year"):
            moved(session, admin, user, None, TODAY + days * DAY)


def test_people_without_any_membership_are_left_where_they_are(database: Database) -> None:
    with database.transaction() as session:
        team = make_team(session)
        user = make_user(session, team_id=team.id)
    assert jobs.apply_due_memberships(database, NOW) == 0
    with database.reading() as session:
        assert session.get_one(User, user.id).team_id == team.id


moves = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 12), st.integers(1, 3) | st.none()), min_size=1, max_size=8
)


@given(moves)
def test_after_any_moves_a_person_is_in_at_most_one_team_each_day_and_the_last_word_counts(
    entered: list[tuple[int, int, int | None]],
) -> None:
    user = User(id=1, memberships=[])
    expected: dict[int, int | None] = {}
    for _, since, team_id in entered:
        day = TODAY + since * DAY
        people_service._end_memberships(user, day)
        if team_id is not None:
            people_service._join(user, team_id, day)
        expected = {d: expected.get(d) if d < since else team_id for d in range(14)}
    for days, team_id in expected.items():
        on_day = TODAY + days * DAY
        held = [m for m in user.memberships if m.since <= on_day and (m.until is None or m.until > on_day)]
        assert len(held) <= 1
        assert team_on(user.memberships, on_day) == team_id
    assert all(m.until is None or m.until >= m.since for m in user.memberships)
    keys = [(m.team_id, m.since) for m in user.memberships]
    assert len(keys) == len(set(keys))


def test_a_lead_moves_people_within_what_they_lead_and_nowhere_else(database: Database) -> None:
    with database.transaction() as session:
        top = make_team(session)
        north, south = make_team(session, parent_id=top.id), make_team(session, parent_id=top.id)
        foreign = make_team(session)
        lead = actor_for(session, make_user(session, "lead", team=top))
        mine, theirs = make_user(session, team=north), make_user(session, team=foreign)
        moved(session, lead, mine, south, TODAY)
        assert mine.team_id == south.id
        with pytest.raises(NotFound):
            moved(session, lead, mine, foreign, TODAY)
        with pytest.raises(NotFound):
            moved(session, lead, theirs, south, TODAY)


def test_after_a_move_the_former_lead_sees_the_person_no_more(database: Database, admin: Actor) -> None:
    with database.transaction() as session:
        north, south = make_team(session), make_team(session)
        lead = actor_for(session, make_user(session, "lead", team=north))
        user = make_user(session, team=north)
        assert queries.get_person(session, lead, user.id).id == user.id
        moved(session, admin, user, south, TODAY)
        with pytest.raises(NotFound):
            queries.get_person(session, lead, user.id)


def test_an_account_is_closed_and_opened_again_once_each(database: Database, admin: Actor) -> None:
    with database.transaction() as session:
        user = make_user(session)
        token = service.make_link(session, admin, user.id, now=NOW)
        people_service.deactivate(session, admin, user.id, now=NOW)
        with pytest.raises(Conflict):
            people_service.deactivate(session, admin, user.id, now=NOW)
        with pytest.raises(Conflict):
            service.choose_password(session, token, "another kite saddle", words=(), now=NOW)
        with pytest.raises(Conflict):
            service.make_link(session, admin, user.id, now=NOW)
        people_service.reactivate(session, admin, user.id, now=NOW)
        with pytest.raises(Conflict):
            people_service.reactivate(session, admin, user.id, now=NOW)
    assert [action for action, *_ in acts(database)] == ["user:link", "user:deactivate", "user:reactivate"]


def test_a_profile_is_changed_by_an_administrator_and_an_unchanged_one_leaves_no_trace(
    database: Database, admin: Actor
) -> None:
    with database.transaction() as session:
        user = make_user(session, name="Hugo M")
        make_user(session, email="taken@halden.example")
        people_service.update_profile(session, admin, user.id, name="Hugo M", email=user.email, now=NOW)
    assert acts(database) == []
    with database.transaction() as session:
        people_service.update_profile(
            session, admin, user.id, name="Hugo Marchetti", email="hugo@halden.example", now=NOW
        )
    with database.reading() as session:
        assert session.get_one(User, user.id).name_key == "hugo marchetti"
        assert queries.find_person_by_email(session, SYSTEM, " HUGO@halden.example")
    with pytest.raises(Invalid) as refused, database.transaction() as session:
        people_service.update_profile(
            session, admin, user.id, name="Hugo", email="TAKEN@halden.example", now=NOW
        )
    assert set(refused.value.errors) == {"email"}
    with database.reading() as session:
        assert session.get_one(User, user.id).name == "Hugo Marchetti"


def test_a_link_lets_choose_a_password_once(database: Database, admin: Actor) -> None:
    with database.transaction() as session:
        user = make_user(session, password_hash=None, can_sign_in=False)
        token = service.make_link(session, admin, user.id, now=NOW)
    assert len(token) >= 43
    with database.transaction() as session:
        assert service.choose_password(session, token, "another kite saddle", words=(), now=NOW) == user.email
    for now in (NOW, NOW + DAY):
        with pytest.raises(Conflict, match="used already"), database.transaction() as session:
            service.choose_password(session, token, "yet another saddle", words=(), now=now)
    with database.reading() as session:
        kept = session.get_one(User, user.id)
        assert kept.can_sign_in
        assert service.passwords.verify_password(kept.password_hash, "another kite saddle")


def test_a_refused_password_leaves_the_link_good(database: Database, admin: Actor) -> None:
    with database.transaction() as session:
        user = make_user(session, password_hash=None, name="Theodor Langenscheidt")
        token = service.make_link(session, admin, user.id, now=NOW)
    for password in ("short", "password1234", "langenscheidt", "candor-candor"):
        with pytest.raises(Invalid), database.transaction() as session:
            service.choose_password(session, token, password, words=("Candor",), now=NOW)
    with database.transaction() as session:
        assert service.choose_password(session, token, "another kite saddle", words=(), now=NOW)


def test_a_link_lives_for_half_an_hour_and_ends_with_the_next_one(database: Database, admin: Actor) -> None:
    with database.transaction() as session:
        user = make_user(session, password_hash=None)
        first = service.make_link(session, admin, user.id, now=NOW)
        second = service.make_link(session, admin, user.id, now=NOW)
        assert queries.find_link(session, first, now=NOW) is None
        good_until = NOW + service.LINK_LIFE - timedelta(seconds=1)
        assert queries.find_link(session, second, now=good_until)
        assert queries.find_link(session, second, now=NOW + service.LINK_LIFE) is None
    with pytest.raises(Conflict), database.transaction() as session:
        service.choose_password(session, second, "another kite saddle", words=(), now=NOW + service.LINK_LIFE)


def test_of_two_uses_of_one_link_at_once_one_wins(database: Database, admin: Actor) -> None:
    with database.transaction() as session:
        user = make_user(session, password_hash=None)
        token = service.make_link(session, admin, user.id, now=NOW)
    together = Barrier(4)

    def use(number: int) -> str | None:
        together.wait()
        try:
            with database.transaction() as session:
                service.choose_password(session, token, f"kite saddle orbit {number}", words=(), now=NOW)
        except Conflict:
            return None
        return f"kite saddle orbit {number}"

    with ThreadPoolExecutor(4) as threads:
        won = [password for password in threads.map(use, range(4)) if password]
    assert len(won) == 1
    with database.reading() as session:
        assert service.passwords.verify_password(session.get_one(User, user.id).password_hash, won[0])


def test_the_database_keeps_no_token_and_no_password(database: Database, admin: Actor) -> None:
    with database.transaction() as session:
        user = make_user(session, password_hash=None)
        token = service.make_link(session, admin, user.id, now=NOW)
        service.choose_password(session, token, "another kite saddle", words=(), now=NOW)
        spare = service.make_link(session, admin, user.id, now=NOW)
    with database.reading() as session:
        stored = repr([session.execute(select(table)).all() for table in Base.metadata.sorted_tables])
    assert user.email in stored
    for secret in (token, spare, "another kite saddle"):
        assert secret not in stored


def test_preferences_are_kept_beside_what_else_is_there(database: Database) -> None:
    with database.transaction() as session:
        user = make_user(session, preferences={"later": 1})
        actor = actor_for(session, user)
        people_service.set_preferences(session, actor, single_keys=False, theme="dark", now=NOW)
        with pytest.raises(Invalid):
            people_service.set_preferences(session, actor, single_keys=True, theme="pink", now=NOW)
    with database.reading() as session:
        kept = session.get_one(User, user.id).preferences
    assert kept["later"] == 1
    assert (kept["single_keys"], kept["theme"]) == (False, "dark")


PEOPLE = ["Émile Zola", "emil Berg", "Zoë Q", "Ángel Ruiz", "İpek Ak", "Straße Nord", "K. Lin", "x_y%z"]


def found(session: Session, actor: Actor, **over: Any) -> list[str]:
    page = queries.list_people(session, actor, PeopleFilter(**over), now=NOW)
    return [row.user.name for row in page.rows]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("emil", ["emil Berg", "Émile Zola"]),
        ("ÉMILE", ["Émile Zola"]),
        ("e\u0301mile", ["Émile Zola"]),
        ("zoe", ["Zoë Q"]),
        ("ipek", ["İpek Ak"]),
        ("STRASSE", ["Straße Nord"]),
        ("k. lin", ["K. Lin"]),
        ("%", ["x_y%z"]),
        ("_", ["x_y%z"]),
        ("'; --", []),
    ],
)
def test_a_name_is_found_however_it_is_typed(
    database: Database, admin: Actor, text: str, names: list[str]
) -> None:
    with database.transaction() as session:
        for name in PEOPLE:
            make_user(session, name=name)
    with database.reading() as session:
        assert found(session, admin, text=text) == names


def test_people_are_listed_by_name_without_regard_to_case_and_accents(
    database: Database, admin: Actor
) -> None:
    with database.transaction() as session:
        for name in PEOPLE[:4]:
            make_user(session, name=name)
    with database.reading() as session:
        assert found(session, admin) == ["Ángel Ruiz", "emil Berg", "Émile Zola", "Ilse Verhoeven", "Zoë Q"]


def test_a_search_that_no_text_can_match_is_refused(database: Database, admin: Actor) -> None:
    with database.reading() as session, pytest.raises(Invalid):
        found(session, admin, text="a\x00b")


def test_pages_of_people_follow_each_other_without_gap_or_repeat(database: Database, admin: Actor) -> None:
    with database.transaction() as session:
        for number in range(130):
            make_user(session, name=f"Person {number // 3:03}")
    seen: list[int] = []
    after: str | None = None
    with database.reading() as session:
        while True:
            page = queries.list_people(session, admin, PeopleFilter(), now=NOW, after=after)
            seen += [row.user.id for row in page.rows]
            after = page.next_key
            if after is None:
                break
    assert len(seen) == len(set(seen)) == 131


@pytest.mark.parametrize("after", ["x", "~", "1", "²~a", "99999999999999999999~a", "1~a\x00"])
def test_a_page_that_is_none_is_refused_in_a_sentence(database: Database, admin: Actor, after: str) -> None:
    with database.reading() as session, pytest.raises(Invalid, match="no such page"):
        queries.list_people(session, admin, PeopleFilter(), now=NOW, after=after)


def test_people_are_narrowed_by_team_role_and_state_and_counted_alike(
    database: Database, admin: Actor
) -> None:
    with database.transaction() as session:
        team = make_team(session)
        coach = make_user(session, "coach", team=team, name="A")
        make_user(session, "agent", team=team, name="B", deactivated_at=NOW)
        guest = make_user(session, "agent", name="C", password_hash=None)
        service.make_link(session, admin, guest.id, now=NOW)
    with database.reading() as session:
        assert found(session, admin, team_id=team.id) == ["A"]
        assert found(session, admin, role="coach") == [coach.name]
        assert found(session, admin, state="left") == ["B"]
        assert found(session, admin, state="invited") == ["C"]
        assert queries.count_people(session, admin, PeopleFilter(), now=NOW) == {
            "active": 3,
            "invited": 1,
            "left": 1,
            "all": 4,
        }
        row = queries.list_people(session, admin, PeopleFilter(state="invited"), now=NOW).rows[0]
        assert row.invited_until == NOW + service.LINK_LIFE
        later = NOW + service.LINK_LIFE
        assert queries.list_people(session, admin, PeopleFilter(state="invited"), now=later).rows == []


def test_each_role_sees_the_people_its_row_allows(database: Database) -> None:
    with database.transaction() as session:
        top = make_team(session)
        below, foreign = make_team(session, parent_id=top.id), make_team(session)
        for name, team in (("T", top), ("S", below), ("F", foreign)):
            make_user(session, team=team, name=name)

        def seen_by(role: str) -> str:
            return "".join(found(session, actor_for(session, make_user(session, role, team=top, name="M"))))

        expected = {"agent": "M", "auditor": "", "calibrator": "M", "coach": "M"}
        for role, names in expected.items():
            assert seen_by(role) == names, role
        assert seen_by("evaluator").replace("M", "") == "T"
        assert seen_by("lead").replace("M", "") == "ST"
        for role in ("manager", "ops", "privacy", "admin"):
            assert seen_by(role).replace("M", "") == "FST", role


def test_the_list_with_a_role_is_that_of_people_one_may_see(database: Database, admin: Actor) -> None:
    with database.transaction() as session:
        team = make_team(session)
        mine = make_user(session, "evaluator", team=team)
        make_user(session, "evaluator")
        lead = actor_for(session, make_user(session, "lead", team=team))
        assert [user.id for user in queries.list_with_role(session, lead, "evaluator")] == [mine.id]
        assert len(queries.list_with_role(session, admin, "evaluator")) == 2
