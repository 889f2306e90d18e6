"""The worker's part in machine answers: rules asked of plugins, each answer's evidence checked."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from qa.core import clock, jobs
from qa.core.actor import SYSTEM
from qa.core.db import Database
from qa.core.working import Payload
from qa.evaluations import autoscorer_service as service
from qa.evaluations.autoscorer_models import ABSTAINED, REFUSED, SUGGESTED, MachineAnswer, Scorer
from qa.evaluations.autoscoring import OFF, evidence_as_json, evidence_fault
from qa.evaluations.models import Assignment, Evaluation
from qa.extensions.runtime import Runtime
from qa.interactions.models import Interaction
from qa.interactions.transcript import Transcript
from qa.interactions.transcript_values import as_value, read_transcript
from qa.plugins.api import (
    Abstain,
    OptionView,
    PluginError,
    QuestionView,
    Scale,
    ScoredInteraction,
    Suggestion,
)
from qa.plugins.calling import PluginFailed, Work
from qa.scorecards.form import Question
from qa.scorecards.models import ACTIVE, ScorecardVersion
from qa.scorecards.queries import form_of

SUGGEST_JOB = "evaluations.suggest"
SCORE_SECONDS = 30.0


def ask(session: Session, interaction_id: int, version_id: int, *, now: datetime) -> None:
    """Have machines answer the questions of a scorecard version about a conversation."""
    payload = {"interaction_id": interaction_id, "version_id": version_id}
    key = f"suggest:{interaction_id}:{version_id}"
    jobs.enqueue(session, SUGGEST_JOB, payload, now=now, queue="import", dedupe_key=key)


def ask_for_enriched(database: Database, event: Mapping[str, Any], now: datetime) -> None:
    """React to a conversation that has its words: it may wait in a queue with a scorecard already."""
    wanted = (
        select(ScorecardVersion.id)
        .join(Assignment, Assignment.scorecard_id == ScorecardVersion.scorecard_id)
        .where(
            Assignment.interaction_id == event["interaction_id"],
            Assignment.state.in_(("open", "started")),
            ScorecardVersion.state == ACTIVE,
        )
        .distinct()
    )
    with database.transaction() as session:
        for version_id in session.scalars(wanted).all():
            ask(session, event["interaction_id"], version_id, now=now)


def ask_for_started(database: Database, event: Mapping[str, Any], now: datetime) -> None:
    """React to a draft that somebody opened."""
    with database.transaction() as session:
        evaluation = session.get(Evaluation, event["evaluation_id"])
        if evaluation is not None:
            ask(session, evaluation.interaction_id, evaluation.version_id, now=now)


def look_for_drift(database: Database, event: Mapping[str, Any], now: datetime) -> None:
    """React to a submitted evaluation: one check more may speak against a machine."""
    with database.transaction() as session:
        evaluation = session.get(Evaluation, event["evaluation_id"])
        if evaluation is not None and evaluation.selection_method == "random":
            service.demote_drifting(session, SYSTEM, scorecard_id=evaluation.scorecard_id, now=now)


@dataclass(frozen=True, slots=True)
class Autoscoring:
    """What the job needs: the plugins."""

    plugins: Runtime

    def run(self, database: Database, payload: Payload) -> None:
        """Ask the machine of each question that is not off, and keep what it says."""
        with database.reading() as session:
            version = session.get(ScorecardVersion, payload["version_id"])
            about = session.get(Interaction, payload["interaction_id"])
            found = read_transcript(session, payload["interaction_id"])
            offers = self.plugins.offers(session, "autoscorer")
            modes = {} if version is None else modes_of(session, version.scorecard_id)
        if version is None or about is None or found is None or not offers:
            return
        asked = [one for one in service.machine_questions(form_of(version)) if modes.get(one.ref, OFF) != OFF]
        plugin, offer = offers[0]
        scorer, scorer_version = f"{plugin}.{offer.key}", str(offer.facts.get("version", ""))
        answers = []
        for question in asked:
            answer = self._asked(database, plugin, offer.key, question, about, found[0])
            answer.interaction_id, answer.version_id = about.id, version.id
            answer.scorecard_id, answer.scorer = version.scorecard_id, scorer
            answer.scorer_version, answer.question = scorer_version, question.ref
            answer.of = service.fingerprint(question, scorer, scorer_version)
            answer.input_hash, answer.made_at = _hash(found[0]), clock.now()
            answers.append(answer)
        with database.transaction() as session:
            service.keep_answers(
                session, SYSTEM, interaction_id=about.id, version_id=version.id, answers=answers
            )

    def _asked(
        self,
        database: Database,
        plugin: str,
        key: str,
        question: Question,
        about: Interaction,
        transcript: Transcript,
    ) -> MachineAnswer:
        given = {
            "question": _view(question),
            "scale": Scale(options=[option.ref for option in question.choices]),
            "interaction": ScoredInteraction(
                about.channel,
                about.language,
                as_value(transcript),
                direction=about.direction,
                queue=about.queue,
            ),
        }
        work = Work("autoscorer", key, "score", given, deadline_seconds=SCORE_SECONDS)
        try:
            told = self.plugins.call(database, plugin, work).value
        except (PluginFailed, PluginError) as error:
            return MachineAnswer(state=ABSTAINED, reason=f"The scorer failed: {error}"[:500])
        return judged(told, question, transcript)


def modes_of(session: Session, scorecard_id: int) -> dict[str, str]:
    """Return the mode of each machine of a scorecard that is not stopped."""
    rows = session.scalars(select(Scorer).where(Scorer.scorecard_id == scorecard_id))
    return {row.question: OFF if row.is_stopped else row.mode for row in rows}


def judged(told: Suggestion | Abstain, question: Question, transcript: Transcript) -> MachineAnswer:
    """Return what a scorer said as it is stored: refused where its evidence does not stand in the text."""
    if isinstance(told, Abstain):
        return MachineAnswer(state=ABSTAINED, reason=told.why[:500])
    answer = str(told.answer)
    fault = evidence_fault(told, transcript)
    if not fault and answer not in {option.ref for option in question.choices}:
        fault = "Its answer is no option of the question."
    if not fault and not 0 <= told.confidence <= 1:
        fault = "Its confidence is no share."
    if fault:
        return MachineAnswer(state=REFUSED, answer=answer[:120], reason=fault)
    return MachineAnswer(
        state=SUGGESTED,
        answer=answer,
        confidence=told.confidence,
        evidence=evidence_as_json(told),
        reason=told.reason[:500],
    )


def _view(question: Question) -> QuestionView:
    return QuestionView(
        question.ref,
        question.text,
        question.type,
        guidance=question.help,
        options=[OptionView(option.ref, option.label, option.points) for option in question.choices],
        rule=service.plain(question.auto),
    )


def _hash(transcript: Transcript) -> str:
    return hashlib.sha256("\n".join(one.text for one in transcript.segments).encode()).hexdigest()
