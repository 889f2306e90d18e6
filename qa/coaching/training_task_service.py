"""Trainings that people have: give one, finish it, try its quiz, mark what a machine cannot.

What somebody did in a training never enters a score.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from qa.accounts.models import User
from qa.accounts.notices_service import notify
from qa.accounts.permissions import Permission as P
from qa.accounts.policy import require
from qa.coaching import quiz
from qa.coaching.training_models import (
    ANSWER_MAX,
    DONE,
    FAILED,
    OPEN,
    WITHDRAWN,
    TrainingAttempt,
    TrainingModule,
    TrainingTask,
    TrainingVersion,
)
from qa.coaching.training_queries import find_missing, get_task
from qa.core import audit
from qa.core.actor import Actor
from qa.core.db import insert_unless_there
from qa.core.errors import Conflict, Invalid, NotFound
from qa.core.text import checked

TASK_PAGE = "training.task"
IS_OPEN = text("state = 'open'")
"""Written out: a partial index is recognised only by what a statement says itself."""


def months_after(moment: datetime, months: int) -> datetime:
    """Return the same day so many months later, the last of the month where that day is missing."""
    place = moment.year * 12 + moment.month - 1 + months
    year, month = divmod(place, 12)
    for day in range(moment.day, 27, -1):
        try:
            return moment.replace(year=year, month=month + 1, day=day)
        except ValueError:
            continue
    return moment.replace(year=year, month=month + 1)


def assign(
    session: Session,
    actor: Actor,
    *,
    module_id: int,
    people: Sequence[User],
    due_at: datetime | None,
    now: datetime,
    rule_id: int | None = None,
) -> int:
    """Give a module's newest version to people and tell them; whoever has it open keeps what they have.

    Returns how many got it.
    """
    module = session.get(TrainingModule, module_id)
    if module is None:
        raise NotFound("There is no such module.")
    if module.retired_at is not None:
        raise Conflict("This module is retired. Put it back into the library first.")
    for person in people:
        require(actor, P.TRAINING_ASSIGN, person.scope)
    newest = select(TrainingVersion.id).where(
        TrainingVersion.module_id == module_id, TrainingVersion.number == module.newest
    )
    version_id = session.scalars(newest).one()
    given = 0
    for person in people:
        row = {
            "module_id": module_id,
            "version_id": version_id,
            "person_id": person.id,
            "assigned_by_id": actor.id,
            "rule_id": rule_id,
            "state": OPEN,
            "assigned_at": now,
            "due_at": due_at,
            "is_demo": False,
        }
        put = insert_unless_there(session, TrainingTask, on=["module_id", "person_id"], where=IS_OPEN)
        task_id = session.scalar(put.returning(TrainingTask.id), row)
        if task_id is None:
            continue
        given += 1
        audit.record(session, actor, "training:assign", "training_task", task_id, now=now)
        words = f"You have a new training: {module.title}."
        _tell(session, person.id, task_id, "assigned", words, now=now)
    return given


def withdraw(session: Session, actor: Actor, task_id: int, *, now: datetime) -> TrainingTask:
    """Take a training back that is not finished; tries that were made are kept."""
    task = get_task(session, actor, task_id)
    require(actor, P.TRAINING_ASSIGN, task.scope)
    if task.state != OPEN:
        raise Conflict("This training has ended already.")
    task.state, task.ended_at = WITHDRAWN, now
    audit.record(session, actor, "training:withdraw", "training_task", task.id, now=now)
    return task


def complete(session: Session, actor: Actor, task_id: int, *, now: datetime) -> TrainingTask:
    """Keep that somebody has gone through a training without a quiz."""
    task = get_own_open(session, actor, task_id)
    if quiz.read(task.version.quiz):
        raise Conflict("This training ends with its quiz.")
    _finish(session, actor, task, now=now)
    return task


def save_answers(
    session: Session, actor: Actor, task_id: int, answers: Mapping[str, Any], *, now: datetime
) -> TrainingAttempt:
    """Keep the answers of the running try, to finish later."""
    task = get_own_open(session, actor, task_id)
    attempt = _running(session, task, now)
    attempt.answers = _checked(quiz.read(task.version.quiz), answers)
    attempt.saved_at = now
    return attempt


def hand_in(
    session: Session, actor: Actor, task_id: int, answers: Mapping[str, Any], *, now: datetime
) -> TrainingAttempt:
    """End the running try and mark it; free text waits for whoever gave the training."""
    task = get_own_open(session, actor, task_id)
    questions = quiz.read(task.version.quiz)
    if not questions:
        raise Conflict("This training has no quiz.")
    answers = _checked(questions, answers)
    missing = [one.ref for one in questions if answers.get(one.ref) in (None, "", [])]
    if missing:
        sentences = {f"q{ref}": "Answer this question, or finish later." for ref in missing}
        raise Invalid("Some questions have no answer yet.", errors=sentences)
    attempt = _running(session, task, now)
    attempt.answers, attempt.saved_at, attempt.handed_in_at = answers, now, now
    _settle(session, actor, task, attempt, now=now)
    if attempt.waits and task.assigned_by_id is not None:
        words = f"{task.person.name} handed in “{task.module.title}”: own words to mark."
        key = f"mark:{attempt.number}"
        _tell(session, task.assigned_by_id, task.id, key, words, now=now)
    return attempt


@dataclass(frozen=True, slots=True)
class Mark:
    """A person's mark of one free text."""

    points: int
    comment: str = ""


def mark_attempt(
    session: Session, actor: Actor, task_id: int, number: int, marks: Mapping[str, Mark], *, now: datetime
) -> TrainingAttempt:
    """Mark the free texts of a try; the learner is told the result."""
    task = get_task(session, actor, task_id)
    require(actor, P.TRAINING_ASSIGN, task.scope)
    attempt = next((one for one in task.attempts if one.number == number), None)
    if attempt is None:
        raise NotFound("There is no such try.")
    if not attempt.waits:
        raise Conflict("This try is marked already.")
    questions = [one for one in quiz.read(task.version.quiz) if one.kind == quiz.FREE]
    given: dict[str, Any] = {}
    for question in questions:
        mark = marks.get(question.ref)
        if mark is None or not 0 <= mark.points <= question.points:
            sentence = f"Give 0 to {question.points} points."
            raise Invalid(sentence, field=f"points{question.ref}")
        name = f"comment{question.ref}"
        comment = checked(mark.comment.strip(), field=name, label="The comment", limit=ANSWER_MAX)
        given[question.ref] = {"points": mark.points, "comment": comment}
    attempt.marks, attempt.marked_at, attempt.marked_by_id = given, now, actor.id
    _settle(session, actor, task, attempt, now=now)
    audit.record(session, actor, "training:mark", "training_task", task.id, now=now)
    result = "passed" if attempt.passed else "not passed"
    words = f"“{task.module.title}” is marked: {result}."
    _tell(session, task.person_id, task.id, f"marked:{number}", words, now=now)
    return attempt


def get_own_open(session: Session, actor: Actor, task_id: int) -> TrainingTask:
    """Return one's own training that is open and whose turn has come, or refuse."""
    task = get_task(session, actor, task_id)
    require(actor, P.TRAINING_COMPLETE, task.scope)
    session.refresh(task, ["state"], with_for_update=True)
    if task.state != OPEN:
        raise Conflict("This training has ended already.")
    missing = find_missing(session, actor, task)
    if missing:
        raise Conflict(f"First comes “{missing[0].title}”.")
    return task


def _running(session: Session, task: TrainingTask, now: datetime) -> TrainingAttempt:
    """Return the try that is not handed in yet, or begin one."""
    last = task.attempts[-1] if task.attempts else None
    if last is not None and last.handed_in_at is None:
        return last
    if last is not None and last.waits:
        raise Conflict("Your last try is being marked. Wait for its result.")
    if len(task.attempts) >= task.version.tries:
        raise Conflict("There is no try left.")
    attempt = TrainingAttempt(
        task_id=task.id, number=len(task.attempts) + 1, answers={}, marks={}, saved_at=now
    )
    task.attempts.append(attempt)
    session.flush()
    return attempt


def _checked(questions: Sequence[quiz.Question], answers: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answers as they are kept; what no form offers is refused."""
    kept: dict[str, Any] = {}
    for question in questions:
        given = answers.get(question.ref)
        if given in (None, "", []):
            continue
        if question.kind == quiz.FREE:
            name = f"q{question.ref}"
            kept[question.ref] = checked(str(given).strip(), field=name, label="The answer", limit=ANSWER_MAX)
            continue
        places = given if isinstance(given, list) else [given]
        if question.kind == quiz.ORDER and set(places) != set(range(len(question.options))):
            raise Invalid("Give each step a place of its own.", field=f"q{question.ref}")
        if not all(isinstance(one, int) and 0 <= one < len(question.options) for one in places):
            raise Invalid("This answer is not among those offered.", field=f"q{question.ref}")
        kept[question.ref] = sorted(places) if question.kind == quiz.MULTIPLE else given
    return kept


def _settle(
    session: Session, actor: Actor, task: TrainingTask, attempt: TrainingAttempt, *, now: datetime
) -> None:
    """Give a try its result once every question has points, and the training its end when it is decided."""
    questions = quiz.read(task.version.quiz)
    found = quiz.mark(questions, attempt.answers, attempt.marks)
    if any(one.points is None for one in found):
        return
    attempt.points = sum(one.points or 0 for one in found)
    attempt.passed = attempt.points >= quiz.needed(questions, task.version.pass_percent)
    if attempt.passed:
        _finish(session, actor, task, now=now)
    elif attempt.number >= task.version.tries:
        task.state, task.ended_at = FAILED, now
        if task.assigned_by_id is not None:
            words = f"{task.person.name} did not pass “{task.module.title}” in {attempt.number} tries."
            _tell(session, task.assigned_by_id, task.id, "failed", words, now=now)


def _finish(session: Session, actor: Actor, task: TrainingTask, *, now: datetime) -> None:
    task.state, task.ended_at = DONE, now
    if task.version.certificate_months:
        task.certified_until = months_after(now, task.version.certificate_months)
    audit.record(session, actor, "training:complete", "training_task", task.id, now=now)


def _tell(session: Session, person_id: int, task_id: int, what: str, words: str, *, now: datetime) -> None:
    notify(
        session,
        person_id=person_id,
        kind="training",
        words=words,
        endpoint=TASK_PAGE,
        values={"task_id": task_id},
        key=f"training:{task_id}:{what}",
        now=now,
    )
