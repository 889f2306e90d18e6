"""Machine answers: kept beside people's, shown after the own answer, promoted by figures, stopped at once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session, joinedload

from qa.accounts.permissions import Permission as P
from qa.accounts.policy import require
from qa.core import audit
from qa.core.actor import SYSTEM, Actor, by
from qa.core.errors import Conflict, Invalid, NotFound
from qa.evaluations import draft_service, queries
from qa.evaluations.autoscorer_models import SUGGESTED, Decision, MachineAnswer, Scorer
from qa.evaluations.autoscoring import (
    AUTO,
    AUTO_REFUSED,
    LATEST,
    MODES,
    OFF,
    SHADOW,
    SUGGEST,
    Check,
    Standing,
    has_drifted,
    standing_of,
)
from qa.evaluations.merge import ANSWER, Change
from qa.evaluations.models import Answer, Evaluation
from qa.evaluations.result import answers_of
from qa.scorecards.form import Question
from qa.scorecards.models import ACTIVE, Scorecard, ScorecardVersion
from qa.scorecards.queries import ReadyForm, form_of

REASON_MAX = 500


@dataclass(frozen=True, slots=True)
class ScorerLine:
    """One question with a machine, as its page shows it."""

    scorecard: Scorecard
    number: int
    question: Question
    mode: str
    is_stopped: bool
    reason: str
    standing: Standing


def machine_questions(ready: ReadyForm) -> list[Question]:
    """Return the questions that name a rule for a machine; one about manner never does."""
    listed = [question for section in ready.form.sections for question in section.all_questions()]
    return [
        one for one in listed if isinstance(one.auto, Mapping) and one.type == "single" and one.about is None
    ]


def fingerprint(question: Question, scorer: str, version: str) -> str:
    """Return what another rule, answer set or scorer version changes: the checks begin anew then."""
    options = [option.ref for option in question.choices]
    told = json.dumps([plain(question.auto), options, scorer, version], sort_keys=True, default=str)
    return hashlib.sha256(told.encode()).hexdigest()


def plain(value: Any) -> Any:
    """Return a rule as plain JSON values."""
    if isinstance(value, Mapping):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return value if isinstance(value, str | int | bool | None) else float(value)


def list_scorers(session: Session, actor: Actor) -> list[ScorerLine]:
    """Return every question of the active scorecards that a machine may answer, and how it did."""
    require(actor, P.AUTOSCORER_READ_LOG, by(actor.id))
    versions = session.scalars(
        select(ScorecardVersion)
        .where(ScorecardVersion.state == ACTIVE)
        .options(joinedload(ScorecardVersion.scorecard))
        .order_by(ScorecardVersion.title, ScorecardVersion.id)
    )
    lines = []
    for version in versions:
        for question in machine_questions(form_of(version)):
            row = find_scorer(session, actor, version.scorecard_id, question.ref)
            checks = list_checks(session, actor, version.scorecard_id, question.ref)
            lines.append(
                ScorerLine(
                    version.scorecard,
                    form_of(version).compiled.by_ref[question.ref].number,
                    question,
                    row.mode if row else OFF,
                    bool(row and row.is_stopped),
                    row.reason if row else "",
                    standing_of(checks),
                )
            )
    return lines


def find_scorer(session: Session, actor: Actor, scorecard_id: int, question: str) -> Scorer | None:
    """Return the machine of a question, None while nobody switched it on."""
    require(SYSTEM, P.AUTOSCORER_READ_LOG)
    return session.scalar(
        select(Scorer).where(Scorer.scorecard_id == scorecard_id, Scorer.question == question)
    )


def list_checks(session: Session, actor: Actor, scorecard_id: int, question: str) -> list[Check]:
    """Return what both a machine and a person judged, the oldest first.

    Only conversations drawn at random count, only the rule and scorer of now, and no answer that a person
    took over from the machine.
    """
    require(SYSTEM, P.AUTOSCORER_READ_LOG)
    row = find_scorer(session, actor, scorecard_id, question)
    if row is None:
        return []
    accepted = select(Decision.evaluation_id).where(
        Decision.machine_answer_id == MachineAnswer.id, Decision.is_accepted
    )
    found = session.execute(
        select(MachineAnswer.answer, Answer.value, ScorecardVersion)
        .join(
            Evaluation,
            (Evaluation.interaction_id == MachineAnswer.interaction_id)
            & (Evaluation.version_id == MachineAnswer.version_id),
        )
        .join(
            Answer,
            (Answer.evaluation_id == Evaluation.id) & (Answer.question == MachineAnswer.question),
        )
        .join(ScorecardVersion, ScorecardVersion.id == Evaluation.version_id)
        .where(
            MachineAnswer.scorecard_id == scorecard_id,
            MachineAnswer.question == question,
            MachineAnswer.state == SUGGESTED,
            MachineAnswer.of == row.of,
            Evaluation.type == "standard",
            Evaluation.selection_method == "random",
            Evaluation.submitted_at.is_not(None),
            Evaluation.voided_at.is_(None),
            Answer.state == "value",
            Evaluation.id.not_in(accepted.correlate(MachineAnswer)),
        )
        .order_by(Evaluation.submitted_at, Evaluation.id)
    )
    return [
        Check(_fails(version, question, machine), _fails(version, question, person))
        for machine, person, version in found
    ]


def _fails(version: ScorecardVersion, question: str, answer: Any) -> bool:
    """Tell whether an answer loses points."""
    compiled = form_of(version).compiled.by_ref[question]
    best = max((choice.points for choice in compiled.choices), default=0)
    return any(choice.ref == answer and choice.points < best for choice in compiled.choices)


def set_mode(
    session: Session,
    actor: Actor,
    *,
    scorecard_id: int,
    question: str,
    mode: str,
    reason: str = "",
    now: datetime,
) -> None:
    """Put a question's machine off, into shadow, or let it suggest: that only past the gate."""
    require(actor, P.AUTOSCORER_PROMOTE, by(actor.id))
    if mode == AUTO:
        raise Conflict(AUTO_REFUSED)
    if mode not in MODES:
        raise Invalid("Choose off, shadow or suggest.", field="mode")
    row = find_scorer(session, actor, scorecard_id, question)
    if mode == SUGGEST:
        standing = standing_of(list_checks(session, actor, scorecard_id, question))
        if row is None or row.mode == OFF or not standing.may_suggest:
            raise Conflict("It may not suggest yet. " + " ".join(standing.missing or ("Begin in shadow.",)))
    if row is None:
        row = Scorer(scorecard_id=scorecard_id, question=question, changed_at=now)
        session.add(row)
    _change(session, actor, row, mode=mode, reason=reason, now=now)


def _change(
    session: Session,
    actor: Actor,
    row: Scorer,
    *,
    mode: str,
    reason: str,
    now: datetime,
    is_stopped: bool = False,
) -> None:
    before = {"mode": row.mode or OFF, "stopped": bool(row.is_stopped)}
    row.mode, row.is_stopped, row.reason = mode, is_stopped, reason[:300]
    row.changed_by_id, row.changed_at = actor.id, now
    session.flush()
    audit.record(
        session,
        actor,
        "autoscorer:promote",
        "scorer",
        row.id,
        now=now,
        before=before,
        after={"mode": mode, "stopped": is_stopped},
        reason=reason or None,
    )


def stop(
    session: Session,
    actor: Actor,
    *,
    scorecard_id: int | None,
    question: str,
    is_stopped: bool,
    now: datetime,
) -> int:
    """Stop one machine, or without a scorecard all of them, or let it go on; stopped ones show nothing."""
    require(actor, P.AUTOSCORER_PROMOTE, by(actor.id))
    wanted = select(Scorer).where(Scorer.is_stopped.is_(not is_stopped))
    if scorecard_id is not None:
        wanted = wanted.where(Scorer.scorecard_id == scorecard_id, Scorer.question == question)
    rows = list(session.scalars(wanted))
    for row in rows:
        _change(session, actor, row, mode=row.mode, reason=row.reason, now=now, is_stopped=is_stopped)
    return len(rows)


def demote_drifting(session: Session, actor: Actor, *, scorecard_id: int, now: datetime) -> list[str]:
    """Put machines back into shadow whose latest checks speak against them; return their questions."""
    require(actor, P.AUTOSCORER_PROMOTE)
    suggesting = select(Scorer).where(Scorer.scorecard_id == scorecard_id, Scorer.mode == SUGGEST)
    demoted = []
    for row in session.scalars(suggesting):
        latest = list_checks(session, actor, scorecard_id, row.question)[-LATEST:]
        if has_drifted(latest):
            agreed = sum(one.machine_fails == one.person_fails for one in latest)
            reason = f"Demoted by itself: people agreed with {agreed} of its latest {len(latest)} answers."
            _change(session, actor, row, mode=SHADOW, reason=reason, now=now)
            demoted.append(row.question)
    return demoted


def keep_answers(
    session: Session, actor: Actor, *, interaction_id: int, version_id: int, answers: Sequence[MachineAnswer]
) -> None:
    """Store what machines said about a conversation in the place of what they said before.

    What a person has decided about already stays.
    """
    require(actor, P.AUTOSCORER_PROMOTE)
    decided = select(Decision.machine_answer_id)
    here = (MachineAnswer.interaction_id == interaction_id, MachineAnswer.version_id == version_id)
    session.execute(delete(MachineAnswer).where(*here, MachineAnswer.id.not_in(decided)))
    kept = set(session.scalars(select(MachineAnswer.question).where(*here)))
    for one in answers:
        row = find_scorer(session, actor, one.scorecard_id, one.question)
        if row is None or row.mode == OFF or one.question in kept:
            continue
        if row.of != one.of:
            _begin_anew(session, actor, row, one)
        session.add(one)


def _begin_anew(session: Session, actor: Actor, row: Scorer, one: MachineAnswer) -> None:
    """Another rule or version: what was checked before says nothing about it."""
    was_known = row.of != ""
    row.of = one.of
    if was_known and row.mode == SUGGEST:
        reason = "The rule or the scorer changed: people check it anew."
        _change(session, actor, row, mode=SHADOW, reason=reason, now=one.made_at)


@dataclass(frozen=True, slots=True)
class Shown:
    """A machine's answer as an evaluator sees it, after the own one."""

    row: MachineAnswer
    own: Any
    decision: Decision | None


def list_suggestions(session: Session, actor: Actor, evaluation_id: int) -> list[Shown]:
    """Return what machines say about the questions that the evaluator of a draft has answered already."""
    evaluation = queries.get_own_draft(session, actor, evaluation_id)
    require(actor, P.SUGGESTION_READ, evaluation.scope)
    own = answers_of(evaluation.answers)
    rows = session.execute(
        select(MachineAnswer, Decision)
        .join(
            Scorer,
            (Scorer.scorecard_id == MachineAnswer.scorecard_id) & (Scorer.question == MachineAnswer.question),
        )
        .outerjoin(
            Decision,
            (Decision.machine_answer_id == MachineAnswer.id) & (Decision.evaluation_id == evaluation_id),
        )
        .where(
            MachineAnswer.interaction_id == evaluation.interaction_id,
            MachineAnswer.version_id == evaluation.version_id,
            Scorer.mode == SUGGEST,
            Scorer.is_stopped.is_(False),
        )
        .order_by(MachineAnswer.id)
    )
    return [Shown(row, own[row.question], decision) for row, decision in rows if row.question in own]


def decide(
    session: Session,
    actor: Actor,
    evaluation_id: int,
    machine_answer_id: int,
    *,
    accepts: bool,
    reason: str,
    now: datetime,
) -> None:
    """Keep what the evaluator makes of a machine's answer; what is accepted is the own answer then."""
    evaluation = queries.get_own_draft(session, actor, evaluation_id)
    require(actor, P.EVALUATION_EDIT, evaluation.scope)
    shown = {one.row.id: one for one in list_suggestions(session, actor, evaluation_id)}
    one = shown.get(machine_answer_id)
    if one is None:
        raise NotFound("There is no such suggestion.")
    if one.row.state != SUGGESTED:
        raise Conflict("There is no answer in it to accept or reject.")
    if not accepts and not reason.strip():
        raise Invalid("Say why it is wrong.", field="reason")
    if accepts and one.own != one.row.answer:
        change = Change(one.row.question, ANSWER, one.own, one.row.answer)
        draft_service.save_draft(
            session, actor, evaluation_id, draft_service.Changes(answers=[change]), now=now
        )
    session.merge(
        Decision(
            evaluation_id=evaluation_id,
            machine_answer_id=machine_answer_id,
            is_accepted=accepts,
            reason=reason.strip()[:REASON_MAX],
            decided_by_id=actor.id,
            decided_at=now,
        )
    )
