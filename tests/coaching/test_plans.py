"""Plans: made in a minute, seen by those they concern, settled when they begin, ended with a reason."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from qa.accounts.models import Notice, User
from qa.coaching import plan_service, queries
from qa.coaching.goals import GoalChoice
from qa.coaching.models import CoachingPlan, CoachingTodo, PlanEvent
from qa.core import clock
from qa.core.db import Database
from qa.core.errors import Conflict, DomainError, Forbidden, Invalid, NotFound
from tests.coaching.conftest import NOW, REVIEW, Browser, Team1, goal_of, make_plan, token
from tests.factories import actor_of, make_user


def told(database: Database, person: User) -> list[str]:
    """What somebody was told."""
    with database.reading() as session:
        rows = select(Notice.words).where(Notice.person_id == person.id).order_by(Notice.id)
        return list(session.scalars(rows))


def test_a_plan_is_told_to_the_agent_when_it_begins_and_not_before(database: Database, people: Team1) -> None:
    draft = make_plan(database, people, begin=False)
    assert told(database, people.agent) == []
    with database.reading() as session, pytest.raises(NotFound):
        queries.get_plan(session, actor_of(session.get_one(User, people.agent.id)), draft.id)
    with database.transaction() as session:
        coach = actor_of(session.get_one(User, people.coach.id))
        plan_service.start_plan(session, coach, draft.id, now=NOW)
    assert told(database, people.agent) == ["Owen Price and you begin a coaching plan: Greeting."]
    with database.reading() as session:
        found = queries.get_plan(session, actor_of(session.get_one(User, people.agent.id)), draft.id)
        assert (found.state, found.months) == ("active", 2)
        words = list(session.scalars(select(PlanEvent.words).order_by(PlanEvent.id)))
    assert words == ["Made from the agent's page.", "The plan began."]


@pytest.mark.parametrize(
    ("over", "field"),
    [
        ({"goals": []}, "goals"),
        ({"title": " "}, "title"),
        ({"review_on": date(2026, 4, 20)}, "review_on"),
        ({"goals": [GoalChoice("behaviour", label=str(n)) for n in range(4)]}, "goals"),
        ({"goals": [GoalChoice("kpi", ref="luck", target=80)]}, "goals"),
        ({"goals": [GoalChoice("behaviour")]}, "goals"),
    ],
)
def test_what_makes_no_plan_is_said_beside_its_field(
    database: Database, people: Team1, over: dict[str, Any], field: str
) -> None:
    with pytest.raises(Invalid) as refused:
        make_plan(database, people, **over)
    assert list(refused.value.errors) == [field]


def test_goals_of_questions_that_are_gone_or_not_counted_are_refused(
    database: Database, people: Team1
) -> None:
    for ref in ("note", "nowhere"):
        with pytest.raises(Invalid):
            make_plan(database, people, goals=[goal_of(people, ref=ref)])
    with pytest.raises(Invalid):
        make_plan(database, people, goals=[goal_of(people), goal_of(people)])


def test_only_the_coach_the_teams_lead_and_managers_make_plans(database: Database, people: Team1) -> None:
    make_plan(database, people, by=people.lead)
    make_plan(database, people, by=people.manager)
    with database.transaction() as session:
        stranger = make_user(session, "coach", name="Someone Else")
        outside = make_user(session, "lead", name="Other Lead")
    for person in (people.agent, stranger, outside, people.evaluator):
        with pytest.raises(Forbidden), database.transaction() as session:
            plan_service.get_coachee(session, actor_of(session.get_one(User, person.id)), people.agent.id)


def test_a_plan_ends_with_a_reason_and_cannot_be_ended_twice(database: Database, people: Team1) -> None:
    plan = make_plan(database, people)

    def end(act: Any, words: str) -> None:
        with database.transaction() as session:
            coach = actor_of(session.get_one(User, people.coach.id))
            act(session, coach, plan.id, words=words, now=NOW)

    with pytest.raises(Invalid):
        end(plan_service.cancel_plan, " ")
    end(plan_service.complete_plan, "She says it each time.")
    with pytest.raises(Conflict):
        end(plan_service.cancel_plan, "again")
    assert told(database, people.agent)[-1] == "Your coaching plan was completed: Greeting."


def test_todos_are_ticked_by_whom_they_are_for_and_changed_by_the_coach(
    database: Database, people: Team1
) -> None:
    plan = make_plan(database, people, todos=[("Write the sentence down", date(2026, 3, 20))])
    with database.reading() as session:
        todo_id = session.scalars(select(CoachingTodo.id)).one()

    def act(person: User, act: str, **more: Any) -> CoachingTodo:
        with database.transaction() as session:
            actor = actor_of(session.get_one(User, person.id))
            return plan_service.set_todo(session, actor, todo_id, act=act, now=NOW, **more)

    assert act(people.agent, "done").done_at == NOW
    assert act(people.agent, "undone").done_at is None
    for wrong in ("drop", "move"):
        with pytest.raises(Forbidden):
            act(people.agent, wrong, due_on=REVIEW)
    with pytest.raises(NotFound):
        act(people.other, "done")
    assert act(people.coach, "move", due_on=REVIEW).due_on == REVIEW
    assert act(people.coach, "drop").dropped_at == NOW
    with pytest.raises(Conflict):
        act(people.coach, "done")
    assert plan.id


def test_a_plan_is_handed_over_and_passed_on_to_the_lead(database: Database, people: Team1) -> None:
    plan = make_plan(database, people)
    with database.transaction() as session:
        second = make_user(session, "coach", name="Clara Fischer")
        coach = actor_of(session.get_one(User, people.coach.id))
        assert plan_service.tell_lead(session, coach, plan.id, words="She needs more time.", now=NOW) == 1
        plan_service.hand_over(session, coach, plan.id, coach_id=second.id, now=NOW)
    assert told(database, people.lead) == [
        "Owen Price asks you to look at the coaching of Dana Ortiz: She needs more time."
    ]
    assert told(database, second) == ["You coach Dana Ortiz now: Greeting."]
    with database.reading() as session:
        row = session.get_one(CoachingPlan, plan.id)
        assert (row.coach_id, session.get_one(User, people.agent.id).coach_id) == (second.id, second.id)


def test_whoever_left_is_coached_no_more(database: Database, people: Team1) -> None:
    with database.transaction() as session:
        session.execute(update(User).where(User.id == people.agent.id).values(deactivated_at=NOW))
    with pytest.raises(DomainError):
        make_plan(database, people)


def test_a_plan_from_an_evaluation_takes_one_page(
    database: Database, people: Team1, browser_of: Browser
) -> None:
    coach = browser_of(people.coach)
    with clock.moved_to(NOW):
        address = f"/coaching/plans/new?evaluation={people.evaluation.id}"
        page = coach.get(address).text
        assert 'value="Greeted"' in page
        assert f'selected value="question:{people.evaluation.scorecard_id}:hello"' in page
        made = coach.post(
            address,
            data={
                "csrf_token": token(coach, address),
                "agent_id": people.agent.id,
                "coach_id": people.coach.id,
                "title": "Greeting",
                "goals-0-what": f"question:{people.evaluation.scorecard_id}:hello",
                "goals-0-target": "80",
                "review_on": "2026-06-15",
                "todos": "Write the sentence down",
                "session_day": str((NOW + timedelta(days=2)).date()),
                "session_at": "14:00",
                "minutes": "30",
            },
        )
        assert made.status_code == 303, made.text
        plan = coach.get(made.headers["Location"]).text
    assert "Running" in plan
    assert "Write the sentence down" in plan
    with database.reading() as session:
        row = session.scalars(select(CoachingPlan)).one()
        assert (row.origin, row.evaluation_id) == ("evaluation", people.evaluation.id)
    assert len(told(database, people.agent)) == 2


def test_a_refused_plan_keeps_what_was_typed(database: Database, people: Team1, browser_of: Browser) -> None:
    coach = browser_of(people.coach)
    typed = {
        "csrf_token": token(coach, "/coaching/plans/new"),
        "agent_id": people.agent.id,
        "coach_id": people.coach.id,
        "title": "Typed by hand",
        "review_on": "2026-03-20",
        "goals-0-what": "behaviour",
        "goals-0-words": "Says the date first",
    }
    with clock.moved_to(NOW):
        page = coach.post("/coaching/plans/new", data=typed)
    assert page.status_code == 422
    assert "no whole month has passed" in page.text
    assert 'value="Typed by hand"' in page.text
    assert 'value="Says the date first"' in page.text
