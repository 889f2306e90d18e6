"""Evaluations of the demo centre: an agent's quality and an evaluator's severity, really scored."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from random import Random
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session, selectinload

from qa.core.db import Database
from qa.evaluations.assign_service import BECAUSE
from qa.evaluations.draft_service import settle
from qa.evaluations.draw_service import Frame, frame_ids, frame_of
from qa.evaluations.life_service import snapshot
from qa.evaluations.models import Answer, Assignment, Evaluation, Pin, Revision
from qa.evaluations.result import answers_of, fields_of
from qa.evaluations.selection import draw, frame_hash
from qa.interactions.models import Interaction, Turn, Viewer
from qa.scorecards.answers import read_answers
from qa.scorecards.compiled import CompiledChoice, CompiledQuestion
from qa.scorecards.models import ScorecardVersion
from qa.scorecards.queries import ReadyForm, form_of

CHUNK = 50
COMMENTS_LOST = (
    "The customer had to ask twice for this.",
    "It is said, but late and only half.",
    "The step is left out; the customer finds out later.",
    "No word about it in the whole conversation.",
)
COMMENTS_WON = ("Clear and complete.", "Well solved, the customer knows where they stand.")
WORTH_A_TALK = (
    "Knows the answer, but says it before the customer has finished. Listen to the middle together.",
    "The way the next step is named is worth showing to the whole team.",
    "Third time that the date is missing. A sentence to keep at hand would help.",
    "Stays calm under pressure; ask how.",
)
ACKNOWLEDGED = (
    "Thank you, I will name a date next time.",
    "Understood.",
    "",
    "",
    "I had the old process in mind.",
)
STATES = ("acknowledged",) * 9 + ("released",) * 5 + ("submitted",) * 2 + ("revised", "voided", "draft")


SKIPS = 4
LONG_CALL_MS = 1_200_000
DRAWN = (
    "selection_method",
    "inclusion_probability",
    "frame_size",
    "seed",
    "frame_hash",
    "frame",
    "drawn_at",
)


@dataclass(frozen=True, slots=True)
class Facts:
    """What judging needs to know of the centre; ``shown`` is the agent whose calls are all judged."""

    now: datetime
    shown: int
    evaluators: dict[int, float]
    quality: dict[int, float]
    leads: tuple[int, ...]
    versions: dict[str, ScorecardVersion]
    form_of: dict[str, str]


def evaluate(
    database: Database, facts: Facts, *, count: int, seed: int, progress: Callable[[int], None]
) -> None:
    """Judge ``count`` conversations: all calls of one agent, so that one page is full, others by hash."""
    with database.reading() as session:
        frame = session.execute(
            select(Interaction.id, Interaction.agent_id, Interaction.channel).where(
                Interaction.turn_count > 0, Interaction.is_demo
            )
        ).all()
    shown = [row.id for row in frame if row.agent_id == facts.shown and row.channel == "voice"]
    others = draw([row.id for row in frame if row.id not in set(shown)], count, seed=f"demo-{seed}")
    chosen = [*draw(shown, count, seed=f"demo-{seed}"), *others][:count]
    for start in range(0, len(chosen), CHUNK):
        with database.transaction() as session:
            rows = session.scalars(
                select(Interaction)
                .where(Interaction.id.in_(chosen[start : start + CHUNK]))
                .options(selectinload(Interaction.turns))
            )
            found = {row.id: row for row in rows}
            for place, interaction_id in enumerate(chosen[start : start + CHUNK], start=start):
                _one(session, facts, found[interaction_id], Random(f"{seed}:evaluation:{place}"), place)
        progress(min(CHUNK, len(chosen) - start))


def _one(session: Session, facts: Facts, interaction: Interaction, random: Random, place: int) -> None:
    state = STATES[place % len(STATES)]
    evaluator = random.choice([one for one in facts.evaluators if one != interaction.agent_id])
    name = facts.form_of[interaction.channel]
    if interaction.channel == "voice" and interaction.queue == "Sales":
        name = "sales-compliance"
    version = facts.versions[name]
    ready = form_of(version)
    at = min(
        (interaction.ended_at or interaction.started_at)
        + timedelta(days=random.randint(1, 5), hours=random.randint(0, 6)),
        facts.now,
    )
    unhappy = interaction.csat is not None and interaction.csat <= 2
    is_random = not (unhappy and random.random() < 0.6)
    chosen, frame = _selection(session, version, interaction, at, random_draw=is_random)
    evaluation = Evaluation(
        interaction_id=interaction.id,
        agent_id=interaction.agent_id,
        team_id=interaction.team_id,
        scorecard_id=version.scorecard_id,
        version_id=version.id,
        evaluator_id=evaluator,
        started_at=at - timedelta(minutes=9),
        saved_at=at,
        worked_seconds=random.randint(180, 620),
        is_demo=True,
        answers=[],
        pins=[],
        interaction=interaction,
        revision=1,
        number=0,
        private_note="",
        **chosen,
    )
    session.add(evaluation)
    session.flush()
    skill = facts.quality.get(interaction.agent_id or 0, 0.75) + facts.evaluators[evaluator]
    _answer(ready, evaluation, interaction, random, skill, whole=state != "draft")
    let_see(session, interaction.id, evaluator)
    _assignment(session, evaluation, version, at, frame, done=state != "draft")
    if state == "draft":
        return
    settle(ready, evaluation)
    if any(row.coaching for row in evaluation.answers) and random.random() < 0.5:
        evaluation.coaching_note = random.choice(WORTH_A_TALK)
    evaluation.number, evaluation.submitted_at, evaluation.state = 1, at, "submitted"
    interaction.evaluated_at = at
    _live_on(session, facts, ready, evaluation, random, state)


def _selection(
    session: Session, version: ScorecardVersion, interaction: Interaction, at: datetime, *, random_draw: bool
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return how it was chosen as an evaluation keeps it, and what only its assignment keeps."""
    if not random_draw:
        return {"selection_method": "targeted"}, {"selection_note": "low CSAT"}
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
    first = interaction.started_at.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    frame = Frame(first, midnight, tuple(form_of(version).form.channels))
    drawn_at = midnight + timedelta(hours=5)
    ids = frame_ids(session, interaction.agent_id or 0, frame, as_of=drawn_at)
    count = min(3, len(ids))
    facts = {
        "selection_method": "random",
        "inclusion_probability": str(Fraction(count, len(ids))),
        "frame_size": len(ids),
        "seed": _seed(ids, count, interaction),
        "frame_hash": frame_hash(ids),
        "drawn_at": drawn_at,
    }
    return facts, {"frame": frame.stored()}


def _seed(ids: list[int], count: int, interaction: Interaction) -> str:
    """Return the first of a row of seeds that draws this conversation: anybody can draw it again."""
    seeds = (
        f"{interaction.started_at:%Y-%m-%d}:{interaction.agent_id}:{number}" for number in itertools.count()
    )
    return next(seed for seed in seeds if interaction.id in draw(ids, count, seed=seed))


def drawn(
    session: Session, version: ScorecardVersion, interaction: Interaction, at: datetime, *, random_draw: bool
) -> dict[str, Any]:
    """Return how an assignment was chosen, with its frame when it was drawn."""
    facts, more = _selection(session, version, interaction, at, random_draw=random_draw)
    return facts | more


def _answer(
    ready: ReadyForm,
    evaluation: Evaluation,
    interaction: Interaction,
    random: Random,
    skill: float,
    *,
    whole: bool,
) -> None:
    """Answer question by question, so that conditions open and close as they would for a person."""
    for number, question in enumerate(ready.compiled.questions):
        if not whole and number >= 5:
            return
        _, shown = read_answers(ready.compiled, answers_of(evaluation.answers), fields_of(interaction))
        if shown[question.index] is not True:
            continue
        row = Answer(question=question.ref, comment="", root_cause="", revision=1, state="value")
        chosen = _choose(question, random, skill)
        row.value = (
            chosen.ref
            if chosen is not None and question.type == "single"
            else _other(question, random, skill)
        )
        if row.value is None:
            row.state = "na" if question.na_allowed else "unanswered"
        lost = chosen is not None and question.base and chosen.points < question.base
        if chosen is not None and (chosen.needs_comment or (lost and random.random() < 0.6)):
            row.comment = random.choice(COMMENTS_LOST if lost else COMMENTS_WON)
            causes = [cause.ref for cause in ready.form.root_causes]
            row.root_cause = random.choice(causes) if lost and causes and random.random() < 0.5 else ""
            row.coaching = random.random() < (0.12 if lost else 0.3)
        if chosen is not None and (chosen.needs_evidence or (lost and random.random() < 0.5)):
            evaluation.pins.append(_pin(question, interaction.turns, random, evaluation.saved_at))
        evaluation.answers.append(row)


def _choose(question: CompiledQuestion, random: Random, skill: float) -> CompiledChoice | None:
    if question.type != "single":
        return None
    if not question.counts and not question.is_bonus:
        return random.choice(question.choices)
    if question.is_bonus:
        return question.choices[0 if random.random() < 0.1 else -1]
    best = sorted(question.choices, key=lambda choice: -choice.points)
    if best[-1].fail and random.random() < skill + 0.18:
        return best[0]
    place = 0
    while place < len(best) - 1 and random.random() > skill:
        place += 1
    return best[place]


def _other(question: CompiledQuestion, random: Random, skill: float) -> Any:
    if question.type == "multi":
        return sorted(
            choice.ref
            for choice in question.choices
            if random.random() < (skill if question.counts else 0.06)
        )
    if question.type == "number":
        ranges = [choice for choice in question.choices if choice.low is not None]
        one = ranges[0] if random.random() < skill else ranges[min(1, len(ranges) - 1)]
        return str(math.ceil(one.low or 0))
    return None


def _pin(question: CompiledQuestion, turns: list[Turn], random: Random, at: datetime) -> Pin:
    turn = random.choice([turn for turn in turns if turn.speaker == "agent"] or turns)
    spoken = turn.start_ms is not None
    return Pin(
        client_id=f"demo-{question.ref}"[:40],
        question=question.ref,
        kind="text" if spoken else "message",
        turn_id=turn.id,
        start_ms=turn.start_ms,
        end_ms=turn.end_ms,
        char_start=0 if spoken else None,
        char_end=len(turn.text) if spoken else None,
        note="",
        pinned_at=at,
    )


def _assignment(
    session: Session,
    evaluation: Evaluation,
    version: ScorecardVersion,
    at: datetime,
    frame: dict[str, Any],
    *,
    done: bool,
) -> None:
    row = Assignment(
        interaction_id=evaluation.interaction_id,
        agent_id=evaluation.agent_id,
        scorecard_id=version.scorecard_id,
        evaluator_id=evaluation.evaluator_id,
        state="done" if done else "started",
        due_at=at + timedelta(days=2),
        assigned_at=at - timedelta(days=1),
        ended_at=at if done else None,
        selection_method=evaluation.selection_method,
        inclusion_probability=evaluation.inclusion_probability,
        frame_size=evaluation.frame_size,
        seed=evaluation.seed,
        frame_hash=evaluation.frame_hash,
        drawn_at=evaluation.drawn_at,
        is_demo=True,
        **frame,
    )
    session.add(row)
    session.flush()
    evaluation.assignment_id = row.id


def _live_on(
    session: Session, facts: Facts, ready: ReadyForm, evaluation: Evaluation, random: Random, state: str
) -> None:
    assert evaluation.submitted_at is not None
    at = evaluation.submitted_at
    if state == "submitted":
        by_lead = ready.form.release.rule == "by_lead"
        evaluation.release_at = None if by_lead else facts.now + timedelta(days=2)
        return
    evaluation.release_at = evaluation.released_at = min(at + timedelta(hours=3), facts.now)
    evaluation.state = "released"
    if state in {"acknowledged", "revised"}:
        evaluation.acknowledged_at = min(at + timedelta(days=1), facts.now)
        evaluation.acknowledgement = random.choice(ACKNOWLEDGED) or None
        evaluation.state = "acknowledged"
    if state == "revised":
        _revise(session, facts, ready, evaluation, random)
    if state == "voided":
        evaluation.voided_at, evaluation.state = min(at + timedelta(days=2), facts.now), "voided"
        evaluation.void_reason = "The recording belongs to another customer."


def _revise(session: Session, facts: Facts, ready: ReadyForm, evaluation: Evaluation, random: Random) -> None:
    """Change the first answer that lost points to the best one, as a lead would after a second listen."""
    for row in evaluation.answers:
        question = ready.compiled.by_ref[row.question]
        if row.state == "value" and question.type == "single" and question.counts:
            best = max(question.choices, key=lambda choice: choice.points)
            if row.value == best.ref:
                continue
            before = snapshot(evaluation)
            row.value = best.ref
            settle(ready, evaluation)
            evaluation.number, evaluation.revised_at = (
                2,
                min(facts.now, evaluation.saved_at + timedelta(days=2)),
            )
            evaluation.acknowledged_at = evaluation.acknowledgement = None
            evaluation.state = "released"
            session.add(
                Revision(
                    evaluation_id=evaluation.id,
                    number=1,
                    cause="revise",
                    reason="Heard again together: it is said, a little later in the conversation.",
                    author_id=random.choice(facts.leads),
                    made_at=evaluation.revised_at,
                    snapshot=before,
                )
            )
            return


def unjudged(session: Session, *, wanted: dict[str, int], but: list[int]) -> list[int]:
    """Return recent conversations with words that nobody was given yet, so many of each channel."""
    taken = select(Assignment.interaction_id)
    rows = (
        select(Interaction.id, Interaction.channel, Interaction.started_at)
        .where(Interaction.is_demo, Interaction.turn_count > 0, Interaction.id.not_in(taken))
        .where(Interaction.id.not_in(but))
        .where(or_(Interaction.channel != "voice", Interaction.duration_ms < LONG_CALL_MS))
        .order_by(Interaction.started_at.desc(), Interaction.id.desc())
    )
    found: list[Any] = []
    for channel, count in wanted.items():
        found += session.execute(rows.where(Interaction.channel == channel).limit(count)).all()
    return [row.id for row in sorted(found, key=lambda row: (row.started_at, row.id), reverse=True)]


def let_see(session: Session, interaction_id: int, evaluator_id: int) -> None:
    """Let an evaluator see a conversation."""
    if session.get(Viewer, (interaction_id, evaluator_id, BECAUSE)) is None:
        session.add(Viewer(interaction_id=interaction_id, user_id=evaluator_id, because=BECAUSE))


def set_aside(session: Session, facts: Facts, random: Random) -> None:
    """Let each evaluator have skipped a few drawn ones this month, as in any centre."""
    session.flush()
    done = session.scalars(
        select(Assignment)
        .where(Assignment.is_demo, Assignment.state == "done", Assignment.selection_method == "random")
        .order_by(Assignment.ended_at.desc(), Assignment.id)
        .limit(SKIPS * len(facts.evaluators))
    ).all()
    for former in done[::2]:
        frame = frame_ids(
            session, former.agent_id, frame_of(former.frame or {}), as_of=former.drawn_at or facts.now
        )
        taken = select(Assignment.interaction_id).where(Assignment.interaction_id.in_(frame))
        free = sorted(set(frame) - set(session.scalars(taken)))
        if not free:
            continue
        session.add(
            Assignment(
                interaction_id=free[0],
                agent_id=former.agent_id,
                scorecard_id=former.scorecard_id,
                evaluator_id=former.evaluator_id,
                state="skipped",
                due_at=former.due_at,
                assigned_at=former.assigned_at,
                ended_at=former.ended_at,
                skip_reason=random.choice(("no_sound", "no_sound", "too_short", "language", "duplicate")),
                is_demo=True,
                **{name: getattr(former, name) for name in DRAWN},
            )
        )
        session.flush()


def leave_to_read(session: Session, agent_id: int, *, count: int) -> None:
    """Leave the newest evaluations of a person unread: the first page of an agent has something to show."""
    newest = session.scalars(
        select(Evaluation)
        .where(Evaluation.agent_id == agent_id, Evaluation.state.in_(("released", "acknowledged")))
        .order_by(Evaluation.submitted_at.desc(), Evaluation.id.desc())
        .limit(count)
    )
    for evaluation in newest:
        evaluation.state = "released"
        evaluation.acknowledged_at = evaluation.acknowledgement = None
