"""Who may do what: the table in permissions.csv, and the two ways in which each rule answers."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, literal, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from qa.accounts.models import SignInSession, Team, User
from qa.accounts.permissions import PEOPLE, ROLE_MEANINGS, ROLE_WORDS, Permission, Role
from qa.accounts.policy import POLICY, REFUSALS, allowed, may_somewhere, require, visible
from qa.core.actor import SYSTEM, Actor, Scope, ScopeColumns
from qa.core.db import Database
from qa.core.errors import Forbidden
from tests.accounts.agreement import assert_agreement
from tests.accounts.conftest import NOW, make_team, make_user

TABLE = Path(__file__).with_name("permissions.csv")
ME, SOMEBODY = 7, 8
MY_TEAM, BELOW, FOREIGN = 1, 2, 3


def rows() -> list[dict[str, str]]:
    lines = (line for line in TABLE.read_text(encoding="utf-8").splitlines() if not line.startswith("#"))
    return list(csv.DictReader(lines))


def scope_of(place: str, state: str = "") -> Scope:
    others = frozenset({SOMEBODY})
    facts = {
        "own": Scope(agent_ids=frozenset({ME}), author_ids=frozenset({ME}), state=state or None),
        "assigned": Scope(others, others, frozenset({ME}), frozenset(), state or None),
        "team": Scope(others, others, others, frozenset({MY_TEAM}), state or None),
        "sub": Scope(others, others, others, frozenset({BELOW}), state or None),
        "other": Scope(others, others, others, frozenset({FOREIGN}), state or None),
    }
    return facts[place]


def expected(cell: str, place: str, state: str) -> bool:
    covered = {"all": {"own", "assigned", "team", "sub", "other"}, "sub": {"team", "sub"}}
    for part in cell.split("+"):
        where, _, states = part.partition(":")
        if place in covered.get(where, {where}) and (not states or state in states.split("|")):
            return True
    return False


def cells() -> Iterator[tuple[str, str, str, bool]]:
    for row in rows():
        for scope in row["scopes"].split("+"):
            place, _, state = scope.partition(":")
            for role in Role:
                yield row["permission"], role, scope, expected(row[role], place, state)


def test_the_table_and_the_policy_name_the_same_permissions() -> None:
    assert {row["permission"] for row in rows()} == {permission.value for permission in Permission}
    assert set(POLICY) == set(Permission)


def test_every_role_of_the_table_is_known_and_every_persons_role_is_explained() -> None:
    columns = list(rows()[0])
    assert set(columns) - {"permission", "resource", "action", "scopes", "note"} == {*Role}
    assert set(ROLE_WORDS) == set(ROLE_MEANINGS) == set(PEOPLE)


@pytest.mark.parametrize("role", list(Role))
def test_each_cell_of_the_table_is_what_the_policy_says(role: Role) -> None:
    actor = Actor(ME, "Me", frozenset({role}), frozenset({MY_TEAM}), frozenset({MY_TEAM, BELOW}))
    wrong = [
        (permission, scope, granted)
        for permission, of_role, scope, granted in cells()
        if of_role == role and allowed(actor, Permission(permission), scope_of(*scope.split(":"))) != granted
    ]
    assert wrong == []


def test_the_table_has_many_cells_of_both_kinds() -> None:
    answers = [granted for *_, granted in cells()]
    assert len(answers) > 4000
    assert 300 < sum(answers) < len(answers) // 2


def test_roles_add_up() -> None:
    both = Actor(ME, "Me", frozenset({"agent", "evaluator"}), frozenset(), frozenset())
    own_release = Scope(agent_ids=frozenset({ME}), author_ids=frozenset({SOMEBODY}), state="released")
    own_draft = Scope(agent_ids=frozenset({SOMEBODY}), author_ids=frozenset({ME}), state="draft")
    assert allowed(both, Permission.EVALUATION_READ, own_release)
    assert allowed(both, Permission.EVALUATION_EDIT, own_draft)
    assert not allowed(both, Permission.EVALUATION_EDIT, own_release)


def test_nobody_holds_what_nobody_may() -> None:
    everything = Actor(ME, "Me", frozenset(Role), frozenset({MY_TEAM}), frozenset({MY_TEAM, BELOW}))
    for permission in (Permission.SECRET_READ, Permission.AUDIT_DELETE):
        assert not may_somewhere(everything, permission)
        assert not allowed(everything, permission, scope_of("own", ""))


def test_an_administrators_own_record_is_not_among_those_of_the_team() -> None:
    admin = Actor(ME, "Me", frozenset({"admin"}), frozenset({MY_TEAM}), frozenset({MY_TEAM}))
    myself = Scope(agent_ids=frozenset({ME}), author_ids=frozenset({ME}), team_ids=frozenset({MY_TEAM}))
    colleague = Scope(agent_ids=frozenset({8}), author_ids=frozenset({8}), team_ids=frozenset({MY_TEAM}))
    for permission in (Permission.USER_SET_ROLE, Permission.USER_DEACTIVATE, Permission.USER_IMPERSONATE):
        assert not allowed(admin, permission, myself)
        assert allowed(admin, permission, colleague)


def test_a_refusal_is_a_sentence() -> None:
    agent = Actor(ME, "Me", frozenset({"agent"}))
    for permission in Permission:
        if not may_somewhere(agent, permission):
            with pytest.raises(Forbidden, match=r"^[A-Z].*\.$"):
                require(agent, permission)
    assert set(REFUSALS) <= set(Permission)


def test_the_products_own_hand_may_do_everything() -> None:
    assert all(allowed(SYSTEM, permission) for permission in Permission)
    impostor = Actor(id=None, name="Candor", roles=frozenset({"system"}))
    assert not any(allowed(impostor, permission) for permission in Permission)


class Base(DeclarativeBase):
    pass


class Record(Base):
    """A record of every kind: with and without agent, author, team and state."""

    __tablename__ = "record"

    id: Mapped[int] = mapped_column(primary_key=True)
    agent_id: Mapped[int | None]
    author_id: Mapped[int | None]
    assigned_id: Mapped[int | None]
    team_id: Mapped[int | None]
    state: Mapped[str | None]

    @property
    def scope(self) -> Scope:
        def some(value: int | None) -> frozenset[int]:
            return frozenset() if value is None else frozenset({value})

        return Scope(
            some(self.agent_id), some(self.author_id), some(self.assigned_id), some(self.team_id), self.state
        )

    @classmethod
    def scope_columns(cls) -> ScopeColumns:
        return ScopeColumns(
            about=lambda user_id: cls.agent_id == user_id,
            by=lambda user_id: cls.author_id == user_id,
            assigned=lambda user_id: cls.assigned_id == user_id,
            in_teams=lambda ids: cls.team_id.in_(ids),
            in_states=lambda states: cls.state.in_(states),
        )


IDS = st.one_of(st.none(), st.integers(1, 4))
STATES = ("draft", "submitted", "released", "scoring", "revealed")
RECORDS = st.lists(
    st.builds(
        Record,
        agent_id=IDS,
        author_id=IDS,
        assigned_id=IDS,
        team_id=IDS,
        state=st.sampled_from([None, *STATES]),
    ),
    min_size=1,
    max_size=12,
)
TEAMS = st.frozensets(st.integers(1, 4), max_size=3)
ACTORS = st.builds(
    lambda id_, roles, own, below: Actor(id_, "Somebody", frozenset(roles), own, own | below),
    st.integers(1, 4),
    st.frozensets(st.sampled_from(list(Role)), max_size=4),
    TEAMS,
    TEAMS,
)


@given(records=RECORDS, actor=ACTORS)
@settings(max_examples=60, deadline=None)
def test_a_rule_says_the_same_about_one_record_and_about_all(records: list[Record], actor: Actor) -> None:
    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add_all(records)
        session.flush()
        assert_agreement(session, Record, records, actor, Permission)
    engine.dispose()


def test_people_teams_and_sessions_are_listed_as_they_are_read_one_by_one(database: Database) -> None:
    with database.transaction() as session:
        top = make_team(session)
        north, south = (make_team(session, parent_id=top.id) for _ in range(2))
        people = [
            make_user(session, *roles, team=team)
            for team in (top, north, south, None)
            for roles in (("agent",), ("lead",), ("admin", "evaluator"), ("manager",), ("auditor", "coach"))
        ]
        signed_in = [
            SignInSession(
                user_id=user.id,
                token_hash=f"{user.id:064}",
                started_at=NOW,
                last_seen_at=NOW,
                confirmed_at=NOW,
            )
            for user in people
        ]
        session.add_all(signed_in)
        session.flush()
        for user in people:
            team_ids = frozenset({user.team_id} if user.team_id else ())
            below = team_ids | (frozenset({north.id, south.id}) if user.team_id == top.id else frozenset())
            actor = Actor(user.id, user.name, frozenset(r.role for r in user.roles), team_ids, below)
            of_people = [p for p in Permission if p.startswith(("user:", "session:", "team:"))]
            assert_agreement(session, User, people, actor, of_people)
            assert_agreement(session, Team, [top, north, south], actor, of_people)
            assert_agreement(session, SignInSession, signed_in, actor, of_people)


def test_a_model_without_a_column_for_a_rule_shows_nothing_by_that_rule(database: Database) -> None:
    lead = Actor(ME, "Me", frozenset({"lead"}), frozenset({MY_TEAM}), frozenset({MY_TEAM}))
    with database.reading() as session:
        clause = visible(lead, Permission.KPI_READ, ScopeColumns())
        assert session.scalars(select(literal(1)).where(clause)).all() == []
