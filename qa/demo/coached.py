"""Coaching in the demo centre: who coaches whom, plans at every stage, sessions held and to come.

It is done through the doors of the product, at the times at which people would have done it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from qa.accounts.models import User
from qa.coaching import plan_service, session_service
from qa.coaching.effect_queries import windows_of
from qa.coaching.effect_service import measure_plan
from qa.coaching.goals import GoalChoice, goal_labels, lost_goals
from qa.coaching.models import CoachingPlan, CoachingSession, PlanTemplate, PrivateNote, SessionMember
from qa.coaching.plan_service import Cause, PlanChoice, default_review
from qa.coaching.queries import find_evaluation_for_clip
from qa.coaching.session_service import Appointment, Moment, Said, SessionChoice
from qa.coaching.times import is_day_off
from qa.core.actor import SYSTEM
from qa.core.db import Database
from qa.demo.centre import Centre
from qa.evaluations.models import Evaluation, Pin
from qa.interactions.models import Interaction
from qa.scorecards.queries import form_of

ZONE = ZoneInfo("UTC")
AGENDA = "How did it go since last time?\nListen to the clips\nTry it once\nAgree on the next step"
SCORECARD = "voice-support"
SCORED = 3
TEMPLATES = (
    ("The date before they ask", "Write the sentence on the desk card"),
    ("Words before a hold", "Count the holds of one morning"),
    ("A calm ending", "Listen to two endings of a colleague"),
)


def add_coaching(database: Database, centre: Centre) -> None:
    """Add coaches, templates, and plans that run, wait and have ended."""
    with database.transaction() as session:
        coaches = _coaches(session, centre)
        _templates(session, centre)
    agents = [i for i, person in centre.by_id.items() if "agent" in person.roles]
    shown = centre.people["Dana Ortiz"]
    _of_shown(database, centre, shown, coaches[0])
    others = [one for one in agents if one != shown]
    for number, agent_id in enumerate(others[:4]):
        _of_another(database, centre, agent_id, coaches[0 if number < 3 else -1], number)


def _coaches(session: Session, centre: Centre) -> list[int]:
    """Give each agent a coach: a few of the first one's own, the rest in turn."""
    coaches = [i for i, person in centre.by_id.items() if "coach" in person.roles]
    agents = [i for i, person in centre.by_id.items() if "agent" in person.roles]
    for number, agent_id in enumerate(agents):
        session.get_one(User, agent_id).coach_id = coaches[0 if number < 5 else number % len(coaches)]
    return coaches


def _templates(session: Session, centre: Centre) -> None:
    labels = goal_labels(form_of(centre.versions[SCORECARD]))
    questions = [(ref, label) for (kind, ref), label in labels.items() if kind == "question"]
    for place, (title, todo) in enumerate(TEMPLATES):
        ref, label = questions[-1 - place]
        counted = {"kind": "question", "scorecard": SCORECARD, "ref": ref, "label": label, "target": 80}
        heard = {"kind": "behaviour", "scorecard": "", "ref": "", "label": title, "target": None}
        session.add(
            PlanTemplate(
                title=title,
                goals=[counted] if place < len(TEMPLATES) - 1 else [heard],
                agenda=AGENDA,
                todos=[{"words": todo, "days": 7}],
                months=2,
                made_at=centre.now,
                is_demo=True,
            )
        )


def _of_shown(database: Database, centre: Centre, agent_id: int, coach_id: int) -> None:
    """Add the plan whose page is shown: begun last month, so that there are numbers on both sides of it."""
    begun = centre.now.replace(day=1) - timedelta(days=18)
    with database.transaction() as session:
        goals = _goals(session, agent_id)
        plan = _plan(
            session, centre, agent_id, coach_id, "Telling customers when it is done", goals, begun, 1
        )
        clips = _moments(session, agent_id)
        held = _session(session, centre, plan, "Hear three calls", begun + timedelta(days=7))
        _pull(session, held, clips[:2], begun + timedelta(days=6))
        said = Said(
            "Dana heard it herself: the customer asks twice. She wants to say the date in the same breath.",
            "Calm from the first word on.",
            "The date comes late, or not at all.",
            AGENDA,
            0,
        )
        session_service.save_shared(session, SYSTEM, held.id, said, now=begun + timedelta(days=7))
        session.add(
            PrivateNote(
                session_id=held.id,
                author_id=coach_id,
                text="Confidence is better than last time. Do not add another goal yet.",
                changed_at=begun + timedelta(days=7),
            )
        )
        _todos(session, centre, plan, held)
        session_service.end_session(session, SYSTEM, held.id, now=begun + timedelta(days=7, hours=1))
        _confirm(session, held.id, [coach_id], begun + timedelta(days=8))
        coming = _session(
            session, centre, plan, "Order under pressure", _working(centre.now + timedelta(days=2))
        )
        _pull(session, coming, clips[2:4], centre.now)
        measure_plan(session, plan.id, zone=ZONE, now=centre.now)


def _of_another(database: Database, centre: Centre, agent_id: int, coach_id: int, number: int) -> None:
    """Add plans of colleagues: two that run, one that is suggested, one that was completed."""
    with database.transaction() as session:
        goals = _goals(session, agent_id) or [GoalChoice("behaviour", label="Says what happens next")]
        begun = centre.now - timedelta(days=(20, 35, 1, 90)[number])
        title = ("The date before they ask", "Words before a hold", goals[0].label, "A calm ending")[number]
        if number == 2:
            cause = Cause("rule", None, "2 conversations failed as a whole in 30 days.")
            _plan(session, centre, agent_id, coach_id, title, goals[:1], begun, 2, begin=False, cause=cause)
            return
        plan = _plan(session, centre, agent_id, coach_id, title, goals[:1], begun, 2)
        if number == 3:
            plan_service.complete_plan(
                session, SYSTEM, plan.id, words="It comes by itself now.", now=centre.now
            )
            return
        coming = _session(session, centre, plan, title, _working(centre.now + timedelta(days=3 + number)))
        _pull(session, coming, _moments(session, agent_id)[: 1 + number], centre.now)
        plan_service.add_todo(
            session,
            SYSTEM,
            plan.id,
            person_id=agent_id,
            words="Sit beside a colleague for an hour",
            due_on=centre.until - timedelta(days=3 - 4 * number),
            now=begun,
        )
        measure_plan(session, plan.id, zone=ZONE, now=centre.now)


def _goals(session: Session, agent_id: int) -> list[GoalChoice]:
    """Return what an agent lost points for most lately, as goals."""
    rows = session.scalars(
        select(Evaluation.id)
        .where(Evaluation.agent_id == agent_id, Evaluation.released_at.is_not(None))
        .order_by(Evaluation.submitted_at.desc(), Evaluation.id.desc())
        .limit(10)
    )
    for evaluation_id in rows:
        evaluation = find_evaluation_for_clip(session, SYSTEM, evaluation_id)
        if evaluation is not None and (found := lost_goals(evaluation)):
            return found[:2]
    return []


def _weakest(session: Session, agent_id: int, begun: datetime) -> list[GoalChoice]:
    """Return the question met least in the month before a plan, of those scored three times, as a goal."""
    window = windows_of(begun, 1, ZONE).before
    rows = session.scalars(
        select(Evaluation)
        .join(Interaction, Interaction.id == Evaluation.interaction_id)
        .where(
            Evaluation.agent_id == agent_id,
            Evaluation.selection_method == "random",
            Evaluation.submitted_at <= begun,
            Evaluation.voided_at.is_(None),
            Interaction.started_at >= window.since,
            Interaction.started_at < window.until,
        )
        .options(joinedload(Evaluation.version))
        .order_by(Evaluation.id)
    )
    met: dict[tuple[int, str], list[bool]] = {}
    labels: dict[tuple[int, str], str] = {}
    for row in rows:
        named = goal_labels(form_of(row.version))
        for part in (row.breakdown or {}).get("questions", []):
            if part["ratio"] is not None and ("question", part["ref"]) in named:
                key = (row.scorecard_id, part["ref"])
                met.setdefault(key, []).append(part["ratio"] == "1")
                labels[key] = named["question", part["ref"]]
    often = {key: sum(all_) / len(all_) for key, all_ in met.items() if len(all_) >= SCORED}
    if not often:
        return []
    scorecard_id, ref = min(often, key=lambda key: (often[key], key))
    return [GoalChoice("question", labels[scorecard_id, ref], scorecard_id, ref, 80)]


def _plan(
    session: Session,
    centre: Centre,
    agent_id: int,
    coach_id: int,
    title: str,
    goals: Sequence[GoalChoice],
    begun: datetime,
    months: int,
    *,
    begin: bool = True,
    cause: Cause = Cause("agent"),  # noqa: B008 - a frozen value
) -> CoachingPlan:
    review = default_review(begun, ZONE, months)
    choice = PlanChoice(title[:200], goals or [GoalChoice("behaviour", label=title)], review)
    plan = plan_service.create_plan(
        session,
        SYSTEM,
        agent_id=agent_id,
        coach_id=coach_id,
        choice=choice,
        zone=ZONE,
        now=begun,
        cause=cause,
    )
    plan.is_demo = True
    if begin:
        plan_service.start_plan(session, SYSTEM, plan.id, now=begun)
    return plan


def _session(
    session: Session, centre: Centre, plan: CoachingPlan, title: str, day: datetime
) -> CoachingSession:
    made = session_service.plan_session(
        session,
        SYSTEM,
        plan_id=plan.id,
        coach_id=plan.coach_id,
        choice=SessionChoice(title[:200], AGENDA),
        appointment=Appointment(day.date(), time(14), "UTC", anyway=True),
        url="",
        now=min(day - timedelta(days=3), centre.now),
    )
    made.is_demo = True
    return made


def _working(day: datetime) -> datetime:
    while is_day_off(day.date(), ()):
        day += timedelta(days=1)
    return day


def _moments(session: Session, agent_id: int) -> list[tuple[int, Moment]]:
    """Return pinned moments of an agent's released evaluations, the newest first, one for each."""
    rows = session.execute(
        select(Evaluation.id, Pin.start_ms, Pin.end_ms, Pin.turn_id)
        .join(Pin, Pin.evaluation_id == Evaluation.id)
        .where(
            Evaluation.agent_id == agent_id,
            Evaluation.released_at.is_not(None),
            Evaluation.voided_at.is_(None),
        )
        .order_by(Evaluation.submitted_at.desc(), Evaluation.id.desc(), Pin.id)
        .limit(40)
    )
    found: dict[int, Moment] = {}
    for evaluation_id, start, end, turn in rows:
        kind = "strength" if len(found) % 3 == 1 else "opportunity"
        found.setdefault(evaluation_id, Moment(start, end, turn, kind))
    return list(found.items())


def _pull(
    session: Session, into: CoachingSession, clips: Sequence[tuple[int, Moment]], now: datetime
) -> None:
    for evaluation_id, moment in clips:
        session_service.add_clip(
            session, SYSTEM, into.id, evaluation_id=evaluation_id, moment=moment, now=now
        )


def _todos(session: Session, centre: Centre, plan: CoachingPlan, held: CoachingSession) -> None:
    agreed = (
        (plan.agent_id, "Write the sentence on the desk card", 6, True),
        (plan.agent_id, "Use it in the next five calls", 3, True),
        (plan.agent_id, "Score one own call, this question only", -4, False),
        (plan.coach_id, "Ask Payments why bounced refunds are silent", -2, False),
    )
    for person_id, words, days_ago, is_done in agreed:
        todo = session_service.add_session_todo(
            session,
            SYSTEM,
            held.id,
            person_id=person_id,
            words=words,
            due_on=centre.until - timedelta(days=days_ago),
            now=held.made_at,
        )
        if is_done:
            todo.done_at = centre.now - timedelta(days=days_ago)


def _confirm(session: Session, session_id: int, person_ids: Sequence[int], now: datetime) -> None:
    for person_id in person_ids:
        session.get_one(SessionMember, (session_id, person_id)).confirmed_at = now
