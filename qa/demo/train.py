"""Trainings of the demo centre: a library, who has what, tries that passed, failed and wait to be marked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from random import Random

from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session

from qa.accounts.models import Team, User
from qa.coaching import quiz
from qa.coaching.training_models import (
    AUTO_FAIL,
    DONE,
    FAILED,
    JOINED,
    OPEN,
    TrainingAttempt,
    TrainingModule,
    TrainingNeed,
    TrainingRule,
    TrainingTag,
    TrainingTask,
    TrainingVersion,
)
from qa.coaching.training_task_service import months_after
from qa.core.db import Clause
from qa.demo.courses import COURSES, RETIRED, Course


def add_trainings(
    session: Session,
    random: Random,
    *,
    agents: Sequence[int],
    shown: int,
    coach: int,
    lead: int,
    manager: int,
    team: int,
    cards: dict[str, int],
    now: datetime,
) -> None:
    """Fill the library and give its modules to the agents; ``shown`` has one of every kind."""
    born = now - timedelta(days=200)
    made = {one.title: _module(session, one, manager, born, cards) for one in (*COURSES, RETIRED)}
    made[RETIRED.title].retired_at = now - timedelta(days=30)
    for one in COURSES:
        if one.needs:
            needed = made[one.needs].id
            session.add(TrainingNeed(module_id=made[one.title].id, needs_id=needed))
    session.add_all(_rules(made, lead, team, now))
    session.flush()
    for one in (*COURSES, RETIRED):
        module = made[one.title]
        takers = [agent for agent in agents if agent == shown or random.random() < one.share]
        for place, agent in enumerate(takers):
            by = coach if random.random() < 0.4 else lead
            task = _task(random, one, module, agent, by, now)
            if agent == shown and one in COURSES[:3]:
                _begun(random, one, task, now)
            elif place % 5 == 2 and task.state == OPEN and one.quiz:
                _tried(random, one, task, now, handed=True)
            session.add(task)
    session.flush()


def _module(
    session: Session, one: Course, owner: int, born: datetime, cards: dict[str, int]
) -> TrainingModule:
    version = TrainingVersion(
        number=1,
        summary=one.summary,
        minutes=one.minutes,
        text=one.text,
        video_url=one.video_url,
        quiz=one.quiz,
        pass_percent=one.pass_percent,
        tries=3,
        certificate_months=one.months,
        made_by_id=owner,
        made_at=born,
    )
    tags = [TrainingTag(scorecard_id=cards[card], question=ref) for card, ref in one.tags if card in cards]
    module = TrainingModule(
        title=one.title, owner_id=owner, created_at=born, is_demo=True, versions=[version], tags=tags
    )
    session.add(module)
    session.flush()
    return module


def _rules(made: dict[str, TrainingModule], lead: int, team: int, now: datetime) -> Iterator[TrainingRule]:
    facts = {"team_id": team, "made_by_id": lead, "made_at": now - timedelta(days=60)}
    first, second = made[COURSES[0].title].id, made[COURSES[1].title].id
    yield TrainingRule(module_id=first, kind=AUTO_FAIL, times=2, days=30, due_days=10, **facts)
    yield TrainingRule(module_id=second, kind=JOINED, times=1, days=14, due_days=14, **facts)


def _task(
    random: Random, one: Course, module: TrainingModule, agent: int, by: int, now: datetime
) -> TrainingTask:
    given = now - timedelta(days=random.randint(3, 150))
    task = TrainingTask(
        module_id=module.id,
        version_id=module.versions[0].id,
        person_id=agent,
        assigned_by_id=by,
        state=OPEN,
        assigned_at=given,
        due_at=given + timedelta(days=random.choice((10, 14, 21))),
        is_demo=True,
        attempts=[],
    )
    chance = random.random()
    is_fresh = given > now - timedelta(days=12)
    if chance < (0.3 if is_fresh else 0.75):
        _ended(random, one, task, now)
    return task


def _begun(random: Random, one: Course, task: TrainingTask, now: datetime) -> None:
    """Give the agent whose pages are full a training that is open: with a quiz, one try that failed."""
    task.state, task.ended_at, task.certified_until, task.attempts = OPEN, None, None, []
    task.assigned_at, task.due_at = now - timedelta(days=8), now + timedelta(days=5)
    questions = quiz.read(one.quiz)
    if questions:
        at, by = now - timedelta(days=3), task.assigned_by_id
        task.attempts.append(_attempt(random, questions, one, 1, at, good=False, by=by))


def _ended(random: Random, one: Course, task: TrainingTask, now: datetime) -> None:
    at = min(task.assigned_at + timedelta(days=random.randint(1, 9)), now - timedelta(hours=2))
    task.state, task.ended_at = DONE, at
    questions = quiz.read(one.quiz)
    if questions:
        fails = random.random() < 0.06
        tries = 3 if fails else random.choice((1, 1, 1, 2))
        for number in range(1, tries + 1):
            good = number == tries and not fails
            task.attempts.append(
                _attempt(random, questions, one, number, at, good=good, by=task.assigned_by_id)
            )
        task.state = FAILED if fails else DONE
    if one.months and task.state == DONE:
        task.certified_until = months_after(at, one.months) - timedelta(days=random.choice((0, 0, 0, 330)))


def _tried(random: Random, one: Course, task: TrainingTask, now: datetime, *, handed: bool) -> None:
    questions = quiz.read(one.quiz)
    task.attempts = []
    at = now - timedelta(days=random.randint(0, 2), hours=3)
    attempt = _attempt(random, questions, one, 1, at, good=True, by=None)
    if not handed or all(question.kind != quiz.FREE for question in questions):
        attempt.handed_in_at, attempt.points, attempt.passed = None, None, None
        attempt.answers = dict(list(attempt.answers.items())[:2])
    task.attempts.append(attempt)


WORDS = (
    "Thank you, I can see that. I only need one more thing because we change where your money goes.",
    "Thanks for your patience. For new bank details I ask one fact more, so that nobody else can do it.",
)
BARE_WORDS = ("I have to ask again, those are the rules.", "The system wants it.")


def _attempt(
    random: Random,
    questions: Sequence[quiz.Question],
    one: Course,
    number: int,
    at: datetime,
    *,
    good: bool,
    by: int | None,
) -> TrainingAttempt:
    answers: dict[str, object] = {}
    marks: dict[str, object] = {}
    for question in questions:
        if question.kind == quiz.FREE:
            answers[question.ref] = random.choice(WORDS if good else BARE_WORDS)
            if by is not None:
                comment = "Clear and kind." if good else "True, but they hear a wall. Say why."
                marks[question.ref] = {"points": question.points if good else 1, "comment": comment}
        elif question.kind == quiz.ORDER:
            places = list(range(len(question.options)))
            answers[question.ref] = places if good else [*places[1:], places[0]]
        elif question.kind == quiz.MULTIPLE:
            answers[question.ref] = sorted(question.right) if good else [0]
        else:
            answers[question.ref] = min(question.right) if good else (min(question.right) + 1) % 2
    found = quiz.mark(questions, answers, marks)  # type: ignore[arg-type]
    points = None if any(each.points is None for each in found) else sum(each.points or 0 for each in found)
    return TrainingAttempt(
        number=number,
        answers=answers,
        marks=marks,
        points=points,
        passed=None if points is None else points >= quiz.needed(questions, one.pass_percent),
        saved_at=at,
        handed_in_at=at,
        marked_at=at if marks else None,
        marked_by_id=by if marks else None,
    )


def touching() -> Clause:
    """Return the condition on trainings of real people's making that cannot stay without the demo data."""
    people = select(User.id).where(User.is_demo)
    modules = select(TrainingModule.id).where(TrainingModule.is_demo)
    return ~TrainingTask.is_demo & or_(
        TrainingTask.person_id.in_(people), TrainingTask.module_id.in_(modules)
    )


def remove_trainings(session: Session) -> None:
    """Take the demo library away, and every training of demo people; real modules stay."""
    people = select(User.id).where(User.is_demo)
    teams = select(Team.id).where(Team.is_demo)
    modules = select(TrainingModule.id).where(TrainingModule.is_demo)
    session.execute(delete(TrainingTask).where(or_(TrainingTask.is_demo, touching())))
    session.execute(
        delete(TrainingRule).where(or_(TrainingRule.module_id.in_(modules), TrainingRule.team_id.in_(teams)))
    )
    session.execute(delete(TrainingModule).where(TrainingModule.is_demo))
    for table, column in (
        (TrainingModule, "owner_id"),
        (TrainingVersion, "made_by_id"),
        (TrainingRule, "made_by_id"),
        (TrainingTask, "assigned_by_id"),
        (TrainingAttempt, "marked_by_id"),
    ):
        named = getattr(table, column)
        session.execute(update(table).where(named.in_(people)).values({column: None}))
