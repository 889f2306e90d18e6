"""The tree of teams: made, named, moved and closed, never a ring, never a twin."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from qa.accounts import people_service, queries, teams_service
from qa.accounts.models import Team
from qa.core.actor import SYSTEM, Actor
from qa.core.audit import AuditEntry
from qa.core.db import Database
from qa.core.errors import Conflict, Forbidden, Invalid, NotFound
from tests.accounts.conftest import NOW, TODAY, actor_for, make_team, make_user


@pytest.fixture
def manager(database: Database) -> Actor:
    with database.transaction() as session:
        return actor_for(session, make_user(session, "manager"))


def made(session: Session, actor: Actor, name: str, parent: Team | None = None) -> Team:
    parent_id = parent.id if parent else None
    return teams_service.create_team(session, actor, name=name, parent_id=parent_id, now=NOW)


def changed(session: Session, actor: Actor, team: Team, parent: Team | None, name: str | None = None) -> None:
    parent_id = parent.id if parent else None
    teams_service.change_team(
        session, actor, team.id, name=team.name if name is None else name, parent_id=parent_id, now=NOW
    )


def test_teams_nest_and_are_listed_as_a_tree_with_their_people(database: Database, manager: Actor) -> None:
    with database.transaction() as session:
        billing = made(session, manager, "Billing")
        south = made(session, manager, "South", billing)
        made(session, manager, "Account desk")
        north = made(session, manager, "north", billing)
        night = made(session, manager, "Night", north)
        for team, people in ((billing, 1), (south, 2), (north, 1), (night, 3)):
            for _ in range(people):
                make_user(session, team=team)
        make_user(session, team=night, deactivated_at=NOW)
    with database.reading() as session:
        rows = queries.list_teams(session, manager)
        assert [(row.team.name, row.depth, row.people, row.people_below) for row in rows] == [
            ("Account desk", 0, 0, 0),
            ("Billing", 0, 1, 7),
            ("north", 1, 1, 4),
            ("Night", 2, 3, 3),
            ("South", 1, 2, 2),
        ]
        assert [team.name for team in queries.chain_up(rows, night)] == ["Billing", "north"]


def test_a_lead_sees_the_own_teams_and_all_below_and_an_agent_none(
    database: Database, manager: Actor
) -> None:
    with database.transaction() as session:
        top = made(session, manager, "Top")
        north, south = made(session, manager, "North", top), made(session, manager, "South", top)
        night = made(session, manager, "Night", north)
        lead = actor_for(session, make_user(session, "lead", team=north))
        agent = actor_for(session, make_user(session, "agent", team=north))
        assert [row.team.id for row in queries.list_teams(session, lead)] == [north.id, night.id]
        assert queries.list_teams(session, agent) == []
        assert queries.get_team(session, lead, night.id).id == night.id
        for unseen in (top, south):
            with pytest.raises(NotFound):
                queries.get_team(session, lead, unseen.id)


@pytest.mark.parametrize(
    "role", ["agent", "evaluator", "coach", "lead", "calibrator", "ops", "privacy", "auditor"]
)
def test_only_managers_and_administrators_arrange_teams(database: Database, role: str) -> None:
    with database.transaction() as session:
        team = make_team(session)
        actor = actor_for(session, make_user(session, role, team=team))
        with pytest.raises(Forbidden):
            made(session, actor, "New")
        with pytest.raises((Forbidden, NotFound)):
            changed(session, actor, team, None, "Other")
        with pytest.raises((Forbidden, NotFound)):
            teams_service.close_team(session, actor, team.id, now=NOW)
        assert session.scalar(select(func.count(AuditEntry.seq))) == 0


def test_a_team_never_lies_inside_itself(database: Database, manager: Actor) -> None:
    with database.transaction() as session:
        top = made(session, manager, "Top")
        middle = made(session, manager, "Middle", top)
        low = made(session, manager, "Low", middle)
        for inside in (top, middle, low):
            with pytest.raises(Invalid, match="inside itself") as refused:
                changed(session, manager, top, inside)
            assert set(refused.value.errors) == {"parent_id"}
        changed(session, manager, low, None)
        changed(session, manager, top, low)
        assert (top.parent_id, low.parent_id) == (low.id, None)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 6)), max_size=14))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_row_of_moves_makes_a_ring(database: Database, moves: list[tuple[int, int]]) -> None:
    with database.reading() as session:  # nothing is kept: each example starts anew
        teams = [make_team(session) for _ in range(6)]
        for which, where in moves:
            try:
                changed(session, SYSTEM, teams[which], teams[where] if where < 6 else None)
            except Invalid:
                continue
        rows = queries.list_teams(session, SYSTEM)
        assert {team.id for team in teams} <= {row.team.id for row in rows}


def test_teams_nest_ten_levels_deep_and_no_deeper(database: Database, manager: Actor) -> None:
    with database.transaction() as session:
        chain: list[Team] = []
        for level in range(teams_service.DEPTH_MAX):
            chain.append(made(session, manager, f"Level {level}", chain[-1] if chain else None))
        with pytest.raises(Invalid, match="10 levels"):
            made(session, manager, "Too deep", chain[-1])
        pair = made(session, manager, "Pair")
        made(session, manager, "Inside", pair)
        with pytest.raises(Invalid, match="10 levels"):
            changed(session, manager, pair, chain[-2])
        changed(session, manager, pair, chain[-3])


@pytest.mark.parametrize("at_top", [True, False])
@pytest.mark.parametrize("twin", ["Billing", "BILLING ", "billing"])
def test_two_teams_of_one_name_do_not_stand_at_one_place(
    database: Database, manager: Actor, at_top: bool, twin: str
) -> None:
    with database.transaction() as session:
        place = None if at_top else made(session, manager, "Top")
        made(session, manager, "Billing", place)
        with pytest.raises(Invalid) as refused:
            made(session, manager, twin, place)
        assert set(refused.value.errors) == {"name"}
        elsewhere = made(session, manager, "Elsewhere")
        assert made(session, manager, twin, elsewhere).name == twin.strip()


@pytest.mark.parametrize("name", ["", " ", "a\x00b", "‮gnilliB", "x" * 201, "two\nlines"])
def test_a_team_name_that_cannot_be_shown_is_refused(database: Database, manager: Actor, name: str) -> None:
    with database.transaction() as session, pytest.raises(Invalid) as refused:
        made(session, manager, name)
    assert set(refused.value.errors) == {"name"}


def test_a_team_is_closed_when_it_is_empty_and_opened_again(database: Database, manager: Actor) -> None:
    with database.transaction() as session:
        team = made(session, manager, "Billing")
        inside = made(session, manager, "Inside", team)
        user = make_user(session, team=team)
        with pytest.raises(Conflict, match="1 person and 1 team are still in this team"):
            teams_service.close_team(session, manager, team.id, now=NOW)
        people_service.set_team(session, manager, user.id, team_id=None, since=TODAY, today=TODAY, now=NOW)
        with pytest.raises(Conflict, match="1 team is still in this team"):
            teams_service.close_team(session, manager, team.id, now=NOW)
        teams_service.close_team(session, manager, inside.id, now=NOW)
        teams_service.close_team(session, manager, team.id, now=NOW)
        with pytest.raises(Conflict, match="closed already"):
            teams_service.close_team(session, manager, team.id, now=NOW)
        assert queries.list_teams(session, manager) == []
        assert [row.name for row in queries.list_closed_teams(session, manager)] == ["Billing", "Inside"]
        with pytest.raises(Invalid, match="closed"):
            made(session, manager, "New", team)
        with pytest.raises(Invalid, match="above is closed"):
            teams_service.reopen_team(session, manager, inside.id, now=NOW)
        teams_service.reopen_team(session, manager, team.id, now=NOW + timedelta(days=1))
        with pytest.raises(Conflict, match="open already"):
            teams_service.reopen_team(session, manager, team.id, now=NOW)


def test_what_is_done_with_a_team_is_in_the_audit_log_and_nothing_done_is_not(
    database: Database, manager: Actor
) -> None:
    with database.transaction() as session:
        top = made(session, manager, "Top")
        team = made(session, manager, "Billing")
        changed(session, manager, team, None)
        changed(session, manager, team, top, "Billing North")
        teams_service.close_team(session, manager, team.id, now=NOW)
    with database.reading() as session:
        rows = session.scalars(select(AuditEntry).order_by(AuditEntry.seq)).all()
        assert [row.action for row in rows] == ["team:create", "team:create", "team:edit", "team:close"]
        assert rows[2].before == {"name": "Billing", "parent_id": None}
        assert rows[2].after == {"name": "Billing North", "parent_id": top.id}


def test_an_unknown_place_is_refused(database: Database, manager: Actor) -> None:
    with database.transaction() as session, pytest.raises(Invalid) as refused:
        teams_service.create_team(session, manager, name="New", parent_id=999, now=NOW)
    assert set(refused.value.errors) == {"parent_id"}
