"""Working on an evaluation: take it up, save each change, submit it once.

A draft is its author's alone. Saving never overwrites what somebody else changed meanwhile, and
submitting scores the stored answers with the one scoring code.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from qa.accounts.permissions import Permission as P
from qa.accounts.policy import require
from qa.core import audit, outbox
from qa.core.actor import Actor
from qa.core.errors import Conflict, Forbidden, Invalid
from qa.core.outbox import Event
from qa.core.text import checked
from qa.evaluations import queries
from qa.evaluations.events import EvaluationReleased, EvaluationStarted, EvaluationSubmitted
from qa.evaluations.merge import (
    ANSWER,
    CAUSE,
    COACHING,
    COMMENT,
    FIELDS,
    NOTE,
    POINT,
    WHOLE,
    WHOLE_FIELDS,
    Change,
    Conflicting,
    Key,
    merge,
)
from qa.evaluations.models import COMMENT_MAX, Answer, Assignment, Evaluation, Pin
from qa.evaluations.result import STATE_NAMES, answers_of, fields_of, needs_of, write_result
from qa.interactions.models import Turn
from qa.scorecards.answers import AnswerError, read_answers
from qa.scorecards.queries import ReadyForm, find_active, form_of
from qa.scorecards.scoring import score

SLACK_SECONDS = 5
MAX_PINS = 200
_CLIENT_ID = re.compile(r"^[A-Za-z0-9-]{1,40}$")


def start_evaluation(session: Session, actor: Actor, assignment_id: int, *, now: datetime) -> Evaluation:
    """Open the draft of an assignment, or return the one that is open already.

    The draft stays on the version that is active now. Raises ``Conflict`` when the assignment is
    closed or the scorecard has no active version, ``Forbidden`` where the actor is the agent.
    """
    return _start(session, actor, queries.get_assignment(session, actor, assignment_id), now)


def start_next(session: Session, actor: Actor, *, now: datetime) -> Evaluation | None:
    """Open the draft of what is due first in one's own queue, None when it is empty; raises as above."""
    following = queries.find_next(session, actor)
    return None if following is None else _start(session, actor, following, now)


def _start(session: Session, actor: Actor, assignment: Assignment, now: datetime) -> Evaluation:
    require(actor, P.EVALUATION_CREATE, assignment.scope)
    if assignment.agent_id == actor.id:
        raise Forbidden("Nobody evaluates a conversation in which they were the agent.")
    if assignment.evaluation is not None and assignment.state == "started":
        return assignment.evaluation
    if assignment.state != "open":
        raise Conflict("This assignment is closed. Open your queue for the next one.")
    version = find_active(session, actor, assignment.scorecard_id)
    if version is None:
        raise Conflict("This scorecard has no active version. Ask your QA manager.")
    evaluation = Evaluation(
        interaction_id=assignment.interaction_id,
        agent_id=assignment.agent_id,
        team_id=assignment.agent.team_id,
        scorecard_id=assignment.scorecard_id,
        version_id=version.id,
        evaluator_id=assignment.evaluator_id,
        assignment_id=assignment.id,
        type=assignment.type,
        selection_method=assignment.selection_method,
        inclusion_probability=assignment.inclusion_probability,
        frame_size=assignment.frame_size,
        seed=assignment.seed,
        frame_hash=assignment.frame_hash,
        drawn_at=assignment.drawn_at,
        started_at=now,
        saved_at=now,
    )
    session.add(evaluation)
    assignment.state = "started"
    try:
        session.flush()
    except IntegrityError as error:
        raise Conflict("This conversation is being evaluated with this scorecard already.") from error
    audit.record(session, actor, "evaluation:create", "evaluation", evaluation.id, now=now)
    if any(
        one.auto is not None for section in form_of(version).form.sections for one in section.all_questions()
    ):
        outbox.emit(session, EvaluationStarted(evaluation.id), now=now)
    return evaluation


@dataclass(frozen=True, slots=True)
class Changes:
    """What a save brings: fields of answers and of the whole form, pins, seconds worked."""

    answers: Sequence[Change] = ()
    pins_added: Sequence[Mapping[str, Any]] = ()
    pins_removed: Sequence[str] = ()
    worked_seconds: int = 0


@dataclass(frozen=True, slots=True)
class Saved:
    """The draft after a save, or the conflicts that kept it from being saved."""

    evaluation: Evaluation
    ready: ReadyForm
    conflicts: tuple[Conflicting, ...] = ()
    touched: frozenset[str] = field(default_factory=frozenset)


def save_draft(
    session: Session, actor: Actor, evaluation_id: int, changes: Changes, *, now: datetime
) -> Saved:
    """Keep changes of a draft, all or none; conflicts are returned, not raised.

    Raises ``Invalid`` with the question's ref as the field when an answer cannot be kept.
    """
    evaluation = _locked_draft(session, actor, evaluation_id)
    ready = form_of(evaluation.version)
    rows = {row.question: row for row in evaluation.answers}
    asked = [checked_change(ready, change) for change in changes.answers]
    merged = merge(stored(evaluation), asked)
    if merged.conflicts:
        return Saved(evaluation, ready, merged.conflicts)
    evaluation.revision += 1
    write_answers(evaluation, rows, merged.applied)
    write_pins(session, evaluation, ready, changes, now=now)
    _check_scorable(ready, evaluation)
    _add_seconds(evaluation, changes.worked_seconds, now)
    evaluation.saved_at = now
    session.flush()
    return Saved(evaluation, ready, touched=frozenset(question for question, _ in merged.applied))


def _locked_draft(session: Session, actor: Actor, evaluation_id: int) -> Evaluation:
    queries.take_turns(session, evaluation_id)
    return queries.get_own_draft(session, actor, evaluation_id)


def stored(evaluation: Evaluation) -> dict[Key, Any]:
    """Return the draft's fields as ``merge`` compares them."""
    rows = evaluation.answers
    answers = answers_of(rows)
    stored: dict[Key, Any] = {(row.question, ANSWER): answers.get(row.question) for row in rows}
    stored |= {(row.question, COMMENT): row.comment for row in rows}
    stored |= {(row.question, CAUSE): row.root_cause for row in rows}
    stored |= {(row.question, COACHING): row.coaching for row in rows}
    return stored | {(WHOLE, name): getattr(evaluation, name) for name in WHOLE_FIELDS}


def checked_change(ready: ReadyForm, change: Change) -> Change:
    """Return the change with its text checked, or raise ``Invalid`` naming the question."""
    if change.question == WHOLE:
        return _checked_whole(ready, change)
    question = ready.compiled.by_ref.get(change.question)
    if question is None or change.field not in FIELDS:
        raise Invalid("This question is not on the form any more. Load the page again.")
    place = f"question {question.number}"
    if change.field == COMMENT:
        text = checked(
            str(change.value or ""), field=question.ref, label=f"The comment of {place}", limit=COMMENT_MAX
        )
        return Change(change.question, change.field, change.was, text)
    if change.field == CAUSE:
        if not _is_cause(ready, change.value):
            raise Invalid(f"The root cause of {place} is not on the form.", field=question.ref)
    elif change.field == COACHING:
        return Change(change.question, change.field, bool(change.was), bool(change.value))
    elif isinstance(change.value, str):
        checked(change.value, field=question.ref, label=f"The answer to {place}", limit=COMMENT_MAX)
    return change


def _checked_whole(ready: ReadyForm, change: Change) -> Change:
    labels = {NOTE: "The private note", POINT: "The word for the coach"}
    if change.field == CAUSE and not _is_cause(ready, change.value):
        raise Invalid("The root cause of the conversation is not on the form.", field=CAUSE)
    if change.field in labels:
        text = str(change.value or "")
        text = checked(text, field=change.field, label=labels[change.field], limit=COMMENT_MAX)
        return Change(WHOLE, change.field, change.was, text)
    if change.field not in WHOLE_FIELDS:
        raise Invalid("This field is not on the form. Load the page again.")
    return change


def _is_cause(ready: ReadyForm, value: Any) -> bool:
    return value in ("", None) or any(cause.ref == value for cause in ready.form.root_causes)


def write_answers(evaluation: Evaluation, rows: dict[str, Answer], applied: Mapping[Key, Any]) -> None:
    """Write merged values onto the rows, and what concerns the whole form onto the evaluation."""
    for (question, name), value in applied.items():
        if question == WHOLE:
            setattr(evaluation, name, value or "")
            continue
        row = rows.get(question)
        if row is None:
            row = Answer(question=question, comment="", root_cause="", coaching=False, state="unanswered")
            rows[question] = row
            evaluation.answers.append(row)
        if name == COMMENT:
            row.comment = value or ""
        elif name == CAUSE:
            row.root_cause = value or ""
        elif name == COACHING:
            row.coaching = bool(value)
        else:
            row.state = "na" if value == "na" else "unanswered" if value is None else "value"
            row.value = None if value in (None, "na") else value
        row.revision = evaluation.revision


def _check_scorable(ready: ReadyForm, evaluation: Evaluation) -> None:
    try:
        read_answers(ready.compiled, answers_of(evaluation.answers), fields_of(evaluation.interaction))
    except AnswerError as error:
        numbered = {
            ref: f"Question {ready.compiled.by_ref[ref].number} {sentence}"
            for ref, sentence in error.problems.items()
            if ref in ready.compiled.by_ref
        }
        raise Invalid(next(iter(numbered.values()), str(error)), errors=numbered) from error


def _add_seconds(evaluation: Evaluation, seconds: int, now: datetime) -> None:
    """Count seconds really worked: never more than have passed since the last save."""
    passed = int((now - evaluation.saved_at).total_seconds()) + SLACK_SECONDS
    evaluation.worked_seconds += max(0, min(seconds, passed))


def write_pins(
    session: Session, evaluation: Evaluation, ready: ReadyForm, changes: Changes, *, now: datetime
) -> None:
    """Add and remove evidence, each piece once."""
    gone = set(changes.pins_removed)
    evaluation.pins = [pin for pin in evaluation.pins if pin.client_id not in gone]
    known = {pin.client_id for pin in evaluation.pins}
    for given in changes.pins_added:
        if given.get("client_id") in known | gone:
            continue
        if len(evaluation.pins) >= MAX_PINS:
            raise Invalid(f"An evaluation holds {MAX_PINS} pieces of evidence. Remove one first.")
        evaluation.pins.append(_pin(session, evaluation, ready, given, now=now))


def _pin(
    session: Session, evaluation: Evaluation, ready: ReadyForm, given: Mapping[str, Any], *, now: datetime
) -> Pin:
    client_id, question = str(given.get("client_id", "")), str(given.get("question", ""))
    if not _CLIENT_ID.match(client_id) or question not in ready.compiled.by_ref:
        raise Invalid("This piece of evidence is damaged. Pin it again.")
    pin = Pin(client_id=client_id, question=question, kind=str(given.get("kind")), pinned_at=now)
    pin.note = checked(
        str(given.get("note") or ""), field=question, label="The note of the evidence", limit=500
    )
    if pin.kind == "audio":
        pin.start_ms, pin.end_ms = _span(given, "start_ms", "end_ms", evaluation.interaction.duration_ms)
        return pin
    if pin.kind not in {"text", "message"}:
        raise Invalid("Evidence is a moment of the recording, a passage or a message.")
    turn = _turn(session, evaluation, given.get("turn_id"))
    pin.turn_id, pin.start_ms, pin.end_ms = turn.id, turn.start_ms, turn.end_ms
    if pin.kind == "text":
        pin.char_start, pin.char_end = _span(given, "char_start", "char_end", len(turn.text))
    return pin


def _turn(session: Session, evaluation: Evaluation, turn_id: Any) -> Turn:
    turn = session.get(Turn, turn_id) if isinstance(turn_id, int) else None
    if turn is None or turn.interaction_id != evaluation.interaction_id:
        raise Invalid("The passage belongs to another conversation. Pin it again.")
    return turn


def _span(given: Mapping[str, Any], first: str, last: str, limit: int | None) -> tuple[int, int]:
    start, end = given.get(first), given.get(last)
    whole = isinstance(start, int) and isinstance(end, int) and not isinstance(start, bool)
    if not whole or not 0 <= start < end or end > (limit or 0) + 1000:  # type: ignore[operator]
        raise Invalid("The pinned moment lies outside the conversation. Pin it again.")
    return start, end  # type: ignore[return-value]


def submit_evaluation(session: Session, actor: Actor, evaluation_id: int, *, now: datetime) -> Evaluation:
    """Score the draft and make it count.

    Raises ``Conflict`` when it was submitted already, ``Invalid`` naming each open question and
    each missing comment or piece of evidence.
    """
    if session.get_bind().dialect.name != "sqlite":
        session.execute(select(Evaluation.id).where(Evaluation.id == evaluation_id).with_for_update())
    evaluation = queries.get_evaluation(session, actor, evaluation_id)
    if evaluation.submitted_at is not None:
        raise Conflict("This evaluation was submitted already. A correction is a revision, with a reason.")
    require(actor, P.EVALUATION_SUBMIT, evaluation.scope)
    ready = form_of(evaluation.version)
    settle(ready, evaluation)
    evaluation.number = 1
    evaluation.submitted_at = now
    evaluation.state = "submitted"
    _plan_release(ready, evaluation, now)
    if evaluation.assignment_id is not None:
        _close_assignment(session, evaluation.assignment_id, now)
    told: list[Event] = [EvaluationSubmitted(evaluation.id, evaluation.interaction_id, evaluation.agent_id)]
    if evaluation.released_at is not None:
        told.append(EvaluationReleased(evaluation.id, evaluation.agent_id))
    outbox.emit(session, *told, now=now)
    after = {"score": evaluation.score, "outcome": evaluation.outcome}
    audit.record(session, actor, "evaluation:submit", "evaluation", evaluation.id, after=after, now=now)
    return evaluation


def settle(ready: ReadyForm, evaluation: Evaluation) -> None:
    """Score the answers, note each one's final state, and put the result on the row; or refuse."""
    rows = evaluation.answers
    result = score(ready.compiled, answers_of(rows), fields_of(evaluation.interaction))
    needs = needs_of(ready, evaluation.interaction, rows, evaluation.pins)
    _refuse_open(ready, result.missing, needs)
    by_ref = {row.question: row for row in rows}
    for one in result.questions:
        row = by_ref.get(one.ref)
        if row is None:
            row = Answer(question=one.ref, comment="", root_cause="", revision=evaluation.revision)
            evaluation.answers.append(row)
        row.state = STATE_NAMES[one.state]
    write_result(evaluation, result)


def _refuse_open(ready: ReadyForm, missing: Sequence[str], needs: Sequence[Mapping[str, str]]) -> None:
    number = {ref: question.number for ref, question in ready.compiled.by_ref.items()}
    errors = {ref: f"Question {number[ref]} is not answered." for ref in missing}
    for need in needs:
        sentence = {"comment": "needs a comment", "evidence": "needs a pinned moment"}[need["what"]]
        former = errors.get(need["ref"], "")
        errors[need["ref"]] = f"{former} Question {number[need['ref']]} {sentence}.".strip()
    if errors:
        count = len(errors)
        many = "One thing is missing." if count == 1 else f"{count} things are missing."
        raise Invalid(many, errors=errors)


def _close_assignment(session: Session, assignment_id: int, now: datetime) -> None:
    session.execute(
        update(Assignment).where(Assignment.id == assignment_id).values(state="done", ended_at=now)
    )


def _plan_release(ready: ReadyForm, evaluation: Evaluation, now: datetime) -> None:
    rule = ready.form.release
    if rule.rule == "at_once":
        evaluation.release_at = evaluation.released_at = now
        evaluation.state = "released"
    elif rule.rule == "after_days":
        evaluation.release_at = now + timedelta(days=rule.days or 0)
