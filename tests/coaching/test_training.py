"""Trainings: modules with versions, who may give and get them, tries, marks, certificates, rules."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from qa.accounts.models import Membership, Notice, User
from qa.coaching import training_queries, training_rules, training_service, training_task_service
from qa.coaching.training_models import TrainingModule, TrainingTask
from qa.coaching.training_service import Content
from qa.coaching.training_task_service import Mark, months_after
from qa.core.db import Database
from qa.core.errors import Conflict, DomainError, Forbidden, Invalid, NotFound
from tests.coaching.test_quiz import TEXT
from tests.factories import NOW, actor_of, make_scorecard, make_submitted, make_team, make_user

RIGHT: dict[str, Any] = {"1": 1, "2": [0, 2], "3": [0, 1, 2], "4": "Because the money moves."}


@pytest.fixture
def people(session: Session) -> SimpleNamespace:
    """A team with a lead and two agents, and a stranger from another team."""
    team, other = make_team(session), make_team(session, "Sales")
    return SimpleNamespace(
        team=team,
        agent=make_user(session, "agent", team=team),
        second=make_user(session, "agent", team=team, name="Kofi Mensah"),
        stranger=make_user(session, "agent", team=other, name="Otto Lang"),
        lead=make_user(session, "lead", team=team, name="Priya Rao"),
        manager=make_user(session, "manager", name="Ines Sol"),
        coach=make_user(session, "coach", name="Carl Coach"),
    )


def module(session: Session, people: SimpleNamespace, **content: Any) -> TrainingModule:
    """A module of the QA manager."""
    whole = Content(**{"title": "Identity after the menu", "text": "# Why\n\nTwo checks.", **content})
    return training_service.add_module(session, actor_of(people.manager), whole, now=NOW)


def give(
    session: Session, people: SimpleNamespace, made: TrainingModule, *to: User, due: datetime | None = None
) -> TrainingTask:
    """Give a module to people as the lead; return the first one's task."""
    lead = actor_of(people.lead)
    wanted: Sequence[User] = to or (people.agent,)
    training_task_service.assign(session, lead, module_id=made.id, people=wanted, due_at=due, now=NOW)
    rows = select(TrainingTask).where(TrainingTask.module_id == made.id)
    return session.scalars(rows.where(TrainingTask.person_id == wanted[0].id)).one()


def told(session: Session, person: User) -> list[str]:
    """What somebody was told, in order."""
    return list(
        session.scalars(select(Notice.words).where(Notice.person_id == person.id).order_by(Notice.id))
    )


def test_a_new_version_reaches_who_gets_it_from_then_on(session: Session, people: SimpleNamespace) -> None:
    made = module(session, people, file=("card.txt", b"two facts"))
    first = give(session, people, made)
    boss = actor_of(people.manager)
    content = Content(title="Identity, new", text="Three checks.")
    training_service.publish_version(session, boss, made.id, content, seen=1, now=NOW)
    second = give(session, people, made, people.second)
    seen = training_queries.get_task(session, actor_of(people.agent), first.id)
    assert (seen.version.number, seen.version.text) == (1, "# Why\n\nTwo checks.")
    newer = training_queries.get_task(session, actor_of(people.second), second.id)
    assert (newer.version.number, newer.version.file_name) == (2, "card.txt")
    assert training_queries.find_file(session, boss, newer.version_id) == b"two facts"
    with pytest.raises(Conflict):
        training_service.publish_version(session, boss, made.id, content, seen=1, now=NOW)


def test_a_retired_module_leaves_the_library_and_stays_with_those_who_have_it(
    session: Session, people: SimpleNamespace
) -> None:
    made = module(session, people)
    task = give(session, people, made)
    training_service.retire_module(session, actor_of(people.manager), made.id, now=NOW)
    assert training_queries.list_modules(session, actor_of(people.agent)) == []
    with pytest.raises(Conflict, match="retired"):
        give(session, people, made, people.second)
    training_task_service.complete(session, actor_of(people.agent), task.id, now=NOW)
    assert training_queries.get_task(session, actor_of(people.agent), task.id).state == "done"
    training_service.restore_module(session, actor_of(people.manager), made.id, now=NOW)
    assert give(session, people, made, people.second).state == "open"


@pytest.mark.parametrize(
    ("content", "field"),
    [
        ({"text": ""}, "text"),
        ({"video_url": "http://example.org/a"}, "video_url"),
        ({"video_url": "https://[x"}, "video_url"),
        ({"quiz": "no question"}, "quiz"),
        ({"file": ("a.txt", b"x" * 700_001)}, "file"),
        ({"file": ("a.txt", b"")}, "file"),
        ({"title": " "}, "title"),
    ],
)
def test_what_no_module_can_hold_is_refused_beside_its_field(
    session: Session, people: SimpleNamespace, content: dict[str, Any], field: str
) -> None:
    with pytest.raises(Invalid) as refused:
        module(session, people, **content)
    assert field in refused.value.errors


def test_trainings_are_given_to_ones_own_people_and_seen_by_them_alone(
    session: Session, people: SimpleNamespace
) -> None:
    made = module(session, people)
    task = give(session, people, made)
    assert told(session, people.agent) == ["You have a new training: Identity after the menu."]
    for who in (people.second, people.stranger, people.coach):
        with pytest.raises(NotFound):
            training_queries.get_task(session, actor_of(who), task.id)
    with pytest.raises(Forbidden):
        give(session, people, made, people.stranger)
    with pytest.raises(Forbidden):
        training_service.add_module(session, actor_of(people.lead), Content(title="x", text="y"), now=NOW)
    with pytest.raises(Forbidden):
        training_task_service.complete(session, actor_of(people.lead), task.id, now=NOW)
    own = Content(title="A coach's own", text="y")
    coached = training_service.add_module(session, actor_of(people.coach), own, now=NOW)
    assert coached.owner_id == people.coach.id
    with pytest.raises(Forbidden):
        training_service.retire_module(session, actor_of(people.coach), made.id, now=NOW)
    assert [one.id for one in training_queries.list_own(session, actor_of(people.agent))] == [task.id]
    assert training_queries.list_own(session, actor_of(people.second)) == []
    assert training_queries.list_of_module(session, actor_of(people.lead), made.id) == [task]
    assert training_queries.list_of_module(session, actor_of(people.coach), made.id) == []


def test_who_has_a_module_open_is_not_given_it_twice(session: Session, people: SimpleNamespace) -> None:
    made = module(session, people)
    task = give(session, people, made)
    lead = actor_of(people.lead)
    both = [people.agent, people.second]
    given = training_task_service.assign(session, lead, module_id=made.id, people=both, due_at=None, now=NOW)
    assert given == 1
    training_task_service.withdraw(session, lead, task.id, now=NOW)
    assert training_queries.list_own(session, actor_of(people.agent)) == []
    assert give(session, people, made, people.second).state == "open"
    with pytest.raises(Conflict):
        training_task_service.withdraw(session, lead, task.id, now=NOW)


def test_what_comes_first_has_to_be_done_first(session: Session, people: SimpleNamespace) -> None:
    first = module(session, people, title="Basics")
    made = module(session, people, needs=[first.id])
    task = give(session, people, made)
    agent = actor_of(people.agent)
    with pytest.raises(Conflict, match="First comes “Basics”"):
        training_task_service.complete(session, agent, task.id, now=NOW)
    training_task_service.complete(session, agent, give(session, people, first).id, now=NOW)
    training_task_service.complete(session, agent, task.id, now=NOW)
    assert task.state == "done"


def test_a_quiz_is_kept_handed_in_marked_by_a_person_and_passed(
    session: Session, people: SimpleNamespace
) -> None:
    task = give(session, people, module(session, people, quiz=TEXT, certificate_months=12))
    agent, lead = actor_of(people.agent), actor_of(people.lead)
    kept = training_task_service.save_answers(session, agent, task.id, {"1": 1}, now=NOW)
    assert (kept.number, kept.answers, kept.handed_in_at) == (1, {"1": 1}, None)
    with pytest.raises(Invalid) as refused:
        training_task_service.hand_in(session, agent, task.id, {"1": 1, "3": [2, 1, 0]}, now=NOW)
    assert set(refused.value.errors) == {"q2", "q4"}
    with pytest.raises(Conflict, match="ends with its quiz"):
        training_task_service.complete(session, agent, task.id, now=NOW)
    handed = training_task_service.hand_in(session, agent, task.id, RIGHT, now=NOW)
    assert (handed.number, handed.waits, handed.points) == (1, True, None)
    with pytest.raises(Conflict, match="being marked"):
        training_task_service.save_answers(session, agent, task.id, {"1": 1}, now=NOW)
    assert [one.task_id for one in training_queries.list_to_mark(session, lead)] == [task.id]
    assert "own words to mark" in told(session, people.lead)[0]
    with pytest.raises(Forbidden):
        training_task_service.mark_attempt(session, agent, task.id, 1, {"4": Mark(3)}, now=NOW)
    with pytest.raises(Invalid):
        training_task_service.mark_attempt(session, lead, task.id, 1, {"4": Mark(4)}, now=NOW)
    marked = training_task_service.mark_attempt(session, lead, task.id, 1, {"4": Mark(2, "Why?")}, now=NOW)
    assert (marked.points, marked.passed, task.state) == (9, True, "done")
    assert task.certified_until == NOW.replace(year=2027)
    assert told(session, people.agent)[-1] == "“Identity after the menu” is marked: passed."
    with pytest.raises(Conflict):
        training_task_service.mark_attempt(session, lead, task.id, 1, {"4": Mark(2)}, now=NOW)


def test_after_the_last_try_the_training_is_not_passed_and_whoever_gave_it_knows(
    session: Session, people: SimpleNamespace
) -> None:
    task = give(session, people, module(session, people, quiz="? Two and two?\n+ Four\n- Five", tries=2))
    agent = actor_of(people.agent)
    training_task_service.hand_in(session, agent, task.id, {"1": 1}, now=NOW)
    assert task.state == "open"
    training_task_service.hand_in(session, agent, task.id, {"1": 1}, now=NOW)
    assert task.state == "failed"
    assert told(session, people.lead) == ["Dana Ortiz did not pass “Identity after the menu” in 2 tries."]
    with pytest.raises(Conflict):
        training_task_service.hand_in(session, agent, task.id, {"1": 0}, now=NOW)


@pytest.mark.parametrize(
    "answers", [{"1": 9}, {"2": [0, 7]}, {"3": [0, 0, 1]}, {"4": "x" * 4_001}, {"1": "a"}]
)
def test_answers_no_form_offers_are_refused(
    session: Session, people: SimpleNamespace, answers: dict[str, Any]
) -> None:
    task = give(session, people, module(session, people, quiz=TEXT))
    with pytest.raises(DomainError):
        training_task_service.save_answers(session, actor_of(people.agent), task.id, answers, now=NOW)


def test_a_certificate_ends_on_the_same_day_of_a_month() -> None:
    assert months_after(datetime(2026, 1, 31), 1) == datetime(2026, 2, 28)
    assert months_after(datetime(2024, 2, 29), 12) == datetime(2025, 2, 28)
    assert months_after(datetime(2026, 3, 16), 24) == datetime(2028, 3, 16)


def rule(session: Session, people: SimpleNamespace, made: TrainingModule, kind: str, **facts: Any) -> None:
    """A rule of the lead for the team."""
    values: dict[str, Any] = {"team_id": people.team.id, "times": 2, "days": 30, "due_days": 10} | facts
    who = actor_of(people.lead if values["team_id"] else people.manager)
    training_rules.add_rule(session, who, module_id=made.id, kind=kind, now=NOW, **values)


def holders(database: Database) -> list[int]:
    """Who was given something by rule."""
    with database.reading() as session:
        return sorted(session.scalars(select(TrainingTask.person_id)))


def test_a_rule_gives_a_module_once_to_who_failed_twice_and_to_who_joined(
    database: Database,
) -> None:
    with database.transaction() as session:
        people = SimpleNamespace(team=make_team(session))
        for name in ("agent", "second", "other"):
            setattr(people, name, make_user(session, "agent", team=people.team, name=name))
        people.lead = make_user(session, "lead", team=people.team)
        people.manager = make_user(session, "manager")
        evaluator = make_user(session, "evaluator")
        for who, times in ((people.agent, 2), (people.second, 1)):
            for _ in range(times):
                done = make_submitted(session, evaluator, who, release="{rule: at_once}", hello="y")
                done.submitted_at, done.outcome = NOW, "fail"
                done.fail_causes = [{"ref": "fee", "scope": "form"}]
        session.add(Membership(user_id=people.other.id, team_id=people.team.id, since=date(2026, 3, 16)))
        rule(session, people, module(session, people), "auto_fail")
        rule(session, people, module(session, people, title="Welcome"), "joined")
        with pytest.raises(Forbidden):
            training_rules.add_rule(
                session,
                actor_of(people.lead),
                module_id=1,
                kind="joined",
                team_id=None,
                times=1,
                days=1,
                due_days=1,
                now=NOW,
            )
        expected = sorted([people.agent.id, people.other.id])
    for _ in range(2):
        training_rules.run_due(database, NOW + timedelta(hours=1))
        assert holders(database) == expected


def test_reminders_come_once_however_often_the_worker_looks(database: Database) -> None:
    with database.transaction() as session:
        team = make_team(session)
        people = SimpleNamespace(
            team=team,
            agent=make_user(session, "agent", team=team),
            lead=make_user(session, "lead", team=team),
            manager=make_user(session, "manager"),
        )
        task = give(session, people, module(session, people), due=NOW + timedelta(days=5))
        agent, task_id = people.agent, task.id
    for days in (1, 3.5, 4, 6, 7):
        training_rules.run_due(database, NOW + timedelta(days=days))
        training_rules.run_due(database, NOW + timedelta(days=days))
    with database.transaction() as session:
        assert told(session, agent)[1:] == [
            "“Identity after the menu” is due in two days.",
            "“Identity after the menu” is late.",
        ]
        ended = {"state": "done", "certified_until": NOW + timedelta(days=60), "due_at": None}
        session.execute(update(TrainingTask).where(TrainingTask.id == task_id).values(ended))
    for days in (8, 40, 41):
        training_rules.run_due(database, NOW + timedelta(days=days))
    with database.transaction() as session:
        assert len(told(session, agent)) == 4
        soon = training_queries.list_running_out(
            session, actor_of(session.get_one(User, people.lead.id)), until=NOW + timedelta(days=90)
        )
        assert [one.id for one in soon] == [task_id]


def test_a_module_says_which_questions_it_helps_with(session: Session, people: SimpleNamespace) -> None:
    version = make_scorecard(session)
    made = module(session, people, tags=[(version.scorecard_id, "hello"), (version.scorecard_id, "hello")])
    found = training_queries.get_module(session, actor_of(people.agent), made.id)
    assert [tag.question for tag in found.tags] == ["hello"]
    agent = actor_of(people.agent)
    helping = training_queries.list_modules(session, agent, card_id=version.scorecard_id)
    assert [one.id for one in helping] == [made.id]
    assert training_queries.list_modules(session, agent, card_id=version.scorecard_id + 1) == []


def test_a_coach_gives_trainings_to_those_they_coach_and_sees_how_far_they_are(
    session: Session, people: SimpleNamespace
) -> None:
    people.agent.coach_id = people.coach.id
    session.flush()
    made, coach = module(session, people), actor_of(people.coach)
    given = training_task_service.assign(
        session, coach, module_id=made.id, people=[people.agent], due_at=None, now=NOW
    )
    assert given == 1
    with pytest.raises(Forbidden):
        training_task_service.assign(
            session, coach, module_id=made.id, people=[people.second], due_at=None, now=NOW
        )
    seen = training_queries.list_of_module(session, coach, made.id)
    assert [task.person_id for task in seen] == [people.agent.id]
    assert training_queries.find_progress(session, coach, now=NOW)[made.id].open == 1
    assert [one.id for one in training_queries.list_learners(session, coach)] == [people.agent.id]
