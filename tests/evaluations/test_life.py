"""An evaluation's life: who may do what when, what is refused, and what stays for ever."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from qa.core.actor import SYSTEM, Actor
from qa.core.audit import AuditEntry
from qa.core.db import Database
from qa.core.errors import Conflict, DomainError, Forbidden, Invalid, NotFound
from qa.core.outbox import OutboxEvent
from qa.evaluations import draft_service, life_service, queries, skip_service
from qa.evaluations.commands import problem_of, submitted
from qa.evaluations.merge import ANSWER, COMMENT, Change
from qa.evaluations.models import Answer, Evaluation
from tests.factories import (
    NOW,
    actor_of,
    answers,
    make_assignment,
    make_draft,
    make_interaction,
    make_scorecard,
    make_submitted,
    make_team,
    make_user,
)


def people(session: Session) -> dict[str, Any]:
    """A team with an agent, and everybody who deals with their evaluations."""
    team, other = make_team(session), make_team(session, "Elsewhere")
    made = {
        "evaluator": make_user(session, "evaluator"),
        "agent": make_user(session, "agent", team=team),
        "lead": make_user(session, "lead", team=team),
        "manager": make_user(session, "manager"),
        "stranger": make_user(session, "lead", team=other),
        "colleague": make_user(session, "agent", team=team),
    }
    return made | {"actors": {name: actor_of(user) for name, user in made.items()}}


def test_submitting_keeps_score_audit_row_and_event_together(session: Session) -> None:
    who = people(session)
    done = make_submitted(session, who["evaluator"], who["agent"], hello="n")
    assert (done.score, done.score_micro, done.outcome, done.state) == (
        "100/3",
        33_333_333,
        "fail",
        "released",
    )
    assert [one.name for one in session.scalars(select(OutboxEvent).order_by(OutboxEvent.id))] == [
        "EvaluationSubmitted",
        "EvaluationReleased",
    ]
    acts = list(session.scalars(select(AuditEntry.action).where(AuditEntry.object_kind == "evaluation")))
    assert acts == ["evaluation:create", "evaluation:submit"]
    assert {row.question: row.state for row in done.answers} == {
        "hello": "value",
        "why": "value",
        "fee": "hidden",
        "bye": "value",
        "note": "na",
    }


def test_submitting_twice_is_a_conflict_and_leaves_one(session: Session) -> None:
    who = people(session)
    done = make_submitted(session, who["evaluator"], who["agent"])
    with pytest.raises(Conflict, match="submitted already"):
        draft_service.submit_evaluation(session, who["actors"]["evaluator"], done.id, now=NOW)


def test_an_unfinished_draft_names_each_thing_that_is_missing(session: Session) -> None:
    who = people(session)
    draft = make_draft(session, who["evaluator"], who["agent"])
    me = who["actors"]["evaluator"]
    draft_service.save_draft(session, me, draft.id, answers(hello="y", why="y", fee="n"), now=NOW)
    with pytest.raises(Invalid) as refused:
        draft_service.submit_evaluation(session, me, draft.id, now=NOW)
    assert refused.value.errors == {
        "fee": "Question 3 needs a comment. Question 3 needs a pinned moment.",
        "bye": "Question 4 is not answered.",
    }


@pytest.mark.parametrize(
    ("release", "state"),
    [
        ("{rule: at_once}", "released"),
        ("{rule: after_days, days: 2}", "submitted"),
        ("{rule: by_lead}", "submitted"),
    ],
)
def test_the_scorecard_decides_when_the_agent_reads_it(session: Session, release: str, state: str) -> None:
    who = people(session)
    done = make_submitted(session, who["evaluator"], who["agent"], release=release)
    assert done.state == state
    session.flush()
    if state == "submitted":
        with pytest.raises(NotFound):
            queries.get_for_reading(session, who["actors"]["agent"], done.id)
    life_service.release_due(session, SYSTEM, now=NOW + timedelta(days=2))
    assert done.state == ("released" if "lead" not in release else "submitted")


READERS = {
    "draft": {"evaluator"},
    "submitted": {"evaluator", "lead", "manager"},
    "released": {"evaluator", "lead", "manager", "agent"},
}


@pytest.mark.parametrize("state", list(READERS))
def test_who_sees_an_evaluation_depends_on_its_state(session: Session, state: str) -> None:
    who = people(session)
    if state == "draft":
        found = make_draft(session, who["evaluator"], who["agent"])
    else:
        rule = "{rule: by_lead}" if state == "submitted" else "{rule: at_once}"
        found = make_submitted(session, who["evaluator"], who["agent"], release=rule)
    session.flush()
    seen = {name for name, actor in who["actors"].items() if _sees(session, actor, found.id)}
    assert seen == READERS[state]


def _sees(session: Session, actor: Actor, evaluation_id: int) -> bool:
    try:
        queries.get_evaluation(session, actor, evaluation_id)
    except NotFound:
        return False
    return True


ACTS = {
    "acknowledge": {"agent"},
    "revise": {"lead", "manager"},
    "void": {"manager"},
}


@pytest.mark.parametrize("act", list(ACTS))
@pytest.mark.parametrize("name", ["evaluator", "agent", "lead", "manager", "stranger", "colleague"])
def test_who_may_act_on_a_released_evaluation(session: Session, act: str, name: str) -> None:
    who = people(session)
    done = make_submitted(session, who["evaluator"], who["agent"])
    calls = {
        "acknowledge": lambda actor: life_service.acknowledge(session, actor, done.id, comment="", now=NOW),
        "revise": lambda actor: revise(session, actor, done),
        "void": lambda actor: life_service.void(session, actor, done.id, reason="Wrong call", now=NOW),
    }
    if name in ACTS[act]:
        calls[act](who["actors"][name])
    else:
        with pytest.raises((Forbidden, NotFound)):
            calls[act](who["actors"][name])


def revise(session: Session, actor: Actor, done: Evaluation, **given: str) -> Evaluation:
    """Change answers with a reason."""
    changes = [Change(question, ANSWER, None, value) for question, value in (given or {"hello": "n"}).items()]
    return life_service.revise(
        session, actor, done.id, changes=changes, reason="Heard again.", seen_number=done.number, now=NOW
    )


def test_a_revision_keeps_the_former_version_and_asks_for_acknowledgement_again(session: Session) -> None:
    who = people(session)
    done = make_submitted(session, who["evaluator"], who["agent"])
    life_service.acknowledge(session, who["actors"]["agent"], done.id, comment="Read", now=NOW)
    revise(session, who["actors"]["lead"], done)
    assert (done.score, done.number, done.state, done.acknowledged_at) == ("100/3", 2, "released", None)
    session.flush()
    again = queries.get_for_reading(session, who["actors"]["agent"], done.id)
    session.refresh(again, ["revisions"])
    kept = again.revisions[0].snapshot
    assert (kept["score"], kept["answers"]["hello"], kept["acknowledgement"]) == ("100", "y", "Read")


@pytest.mark.parametrize(
    ("reason", "seen", "error"),
    [("", 1, Invalid), ("   ", 1, Invalid), ("x" * 1001, 1, Invalid), ("Good", 7, Conflict)],
)
def test_a_revision_needs_a_reason_and_the_version_that_was_read(
    session: Session, reason: str, seen: int, error: type[DomainError]
) -> None:
    who = people(session)
    done = make_submitted(session, who["evaluator"], who["agent"])
    changes = [Change("hello", ANSWER, "y", "n")]
    with pytest.raises(error):
        life_service.revise(
            session, who["actors"]["lead"], done.id, changes=changes, reason=reason, seen_number=seen, now=NOW
        )


def test_nobody_evaluates_a_conversation_in_which_they_were_the_agent(session: Session) -> None:
    both = make_user(session, "agent", "evaluator", team=make_team(session))
    with pytest.raises(Invalid, match="they were the agent"):
        make_assignment(session, both, make_interaction(session, both), make_scorecard(session))


def test_an_assignment_is_one_persons_and_skipping_it_is_counted(session: Session) -> None:
    who = people(session)
    interaction = make_interaction(session, who["agent"])
    assignment = make_assignment(session, who["evaluator"], interaction, make_scorecard(session))
    assert (assignment.selection_method, assignment.inclusion_probability) == ("manual", None)
    with pytest.raises(NotFound):
        draft_service.start_evaluation(
            session, actor_of(make_user(session, "evaluator")), assignment.id, now=NOW
        )
    me = who["actors"]["evaluator"]
    draft = draft_service.start_evaluation(session, me, assignment.id, now=NOW)
    session.flush()
    session.refresh(assignment, ["evaluation"])
    assert draft_service.start_evaluation(session, me, assignment.id, now=NOW).id == draft.id
    with pytest.raises(Invalid, match="few words"):
        skip_service.skip(session, me, assignment.id, reason="other", note="", now=NOW)
    skip_service.skip(session, me, assignment.id, reason="no_sound", note="", now=NOW)
    session.flush()
    counts = queries.count_queue(session, me, week=NOW, month=NOW)
    assert (counts.open, counts.skipped) == (0, [("no_sound", 1)])
    assert session.scalar(select(func.count()).select_from(Evaluation)) == 0


def test_saving_different_questions_merges_and_the_same_one_asks(session: Session) -> None:
    who = people(session)
    draft = make_draft(session, who["evaluator"], who["agent"])
    me = who["actors"]["evaluator"]

    def save(question: str, was: Any, value: Any, field: str = ANSWER) -> draft_service.Saved:
        changes = draft_service.Changes(answers=[Change(question, field, was, value)])
        return draft_service.save_draft(session, me, draft.id, changes, now=NOW)

    assert not save("hello", None, "y").conflicts
    assert not save("bye", None, "n").conflicts  # another tab that has not seen "hello"
    (clash,) = save("hello", None, "n").conflicts
    assert (clash.theirs, clash.yours) == ("y", "n")
    assert not save("hello", None, "y").conflicts  # the same again is no conflict
    assert not save("hello", "y", "n").conflicts
    (clash,) = save("hello", "y", "n", COMMENT).conflicts or (None,)
    assert clash is None or clash.field == COMMENT


TEXTS = ["a\x00b", "\ud800", "bell\x07"]


@pytest.mark.parametrize("bad", TEXTS)
def test_text_that_no_person_types_is_refused_with_its_question(session: Session, bad: str) -> None:
    who = people(session)
    draft = make_draft(session, who["evaluator"], who["agent"])
    changes = draft_service.Changes(answers=[Change("hello", COMMENT, None, bad)])
    with pytest.raises(Invalid) as refused:
        draft_service.save_draft(session, who["actors"]["evaluator"], draft.id, changes, now=NOW)
    assert "hello" in refused.value.errors


@pytest.mark.parametrize(
    "kept", ["\u202eright to left", "ü" * 4000, "👩‍👩‍👧‍👦 x\u0301" * 50, "İ ß K", "line\nline\ttab"]
)
def test_unusual_text_is_kept_exactly(database: Database, kept: str) -> None:
    with database.transaction() as session:
        who = people(session)
        draft = make_draft(session, who["evaluator"], who["agent"])
        changes = draft_service.Changes(answers=[Change("hello", COMMENT, None, kept)])
        draft_service.save_draft(session, who["actors"]["evaluator"], draft.id, changes, now=NOW)
    with database.reading() as session:
        assert session.scalar(select(Answer.comment).where(Answer.question == "hello")) == kept


def test_verify_names_a_stored_score_that_was_tampered_with(database: Database) -> None:
    with database.transaction() as session:
        who = people(session)
        good = make_submitted(session, who["evaluator"], who["agent"]).id
        bad = make_submitted(session, who["evaluator"], who["agent"]).id
        session.execute(text("UPDATE evaluation SET score = '99' WHERE id = :id"), {"id": bad})
    problems = {one.id: problem_of(one) for one in submitted(database)}
    assert problems[good] is None
    assert problems[bad] == "score is 99, recomputed 100"


def test_the_database_refuses_to_change_or_delete_audit_rows(database: Database) -> None:
    with database.transaction() as session:
        who = people(session)
        make_submitted(session, who["evaluator"], who["agent"])
    for statement in ("DELETE FROM audit_entry", "UPDATE audit_entry SET action = 'x'"):
        with pytest.raises(DBAPIError, match="audit rows"), database.transaction() as session:
            session.execute(text(statement))


def test_of_two_submits_at_once_one_wins(database: Database) -> None:
    with database.transaction() as session:
        who = people(session)
        draft = make_draft(session, who["evaluator"], who["agent"])
        me = who["actors"]["evaluator"]
        draft_service.save_draft(session, me, draft.id, answers(hello="y", why="n", bye="y"), now=NOW)
        draft_id = draft.id

    def submit(_: int) -> str:
        try:
            with database.transaction() as session:
                draft_service.submit_evaluation(session, me, draft_id, now=NOW)
        except Conflict:
            return "conflict"
        return "won"

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(submit, range(4))) == ["conflict", "conflict", "conflict", "won"]


def test_saves_of_many_tabs_at_once_lose_nothing(database: Database) -> None:
    with database.transaction() as session:
        who = people(session)
        draft = make_draft(session, who["evaluator"], who["agent"])
        me, draft_id = who["actors"]["evaluator"], draft.id

    def save(number: int) -> tuple[str, bool]:
        value = "y" if number % 2 else "n"
        change = (
            Change("hello", COMMENT, None, f"tab {number}")
            if number % 3
            else Change("bye", ANSWER, None, value)
        )
        with database.transaction() as session:
            changes = draft_service.Changes(answers=[change])
            saved = draft_service.save_draft(session, me, draft_id, changes, now=NOW)
            return str(change.value), not saved.conflicts

    with ThreadPoolExecutor(6) as pool:
        results = list(pool.map(save, range(18)))
    with database.reading() as session:
        comment = session.scalar(select(Answer.comment).where(Answer.question == "hello"))
    winners = [value for value, won in results if won and value.startswith("tab")]
    assert winners == [comment]
