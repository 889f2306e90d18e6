"""The scored conversations behind a goal: random ones only, by the month in which they were held."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from qa.coaching.models import CoachingGoal, CoachingPlan
from qa.coaching.times import add_months, month_of, start_of
from qa.evaluations.models import Evaluation
from qa.interactions.models import Interaction

FULL = 100.0


@dataclass(frozen=True, slots=True)
class Window:
    """A half-open stretch of time, whole months."""

    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Windows:
    """Before and after, of the same length, with the month that set the plan off in neither."""

    before: Window
    after: Window
    trigger: date


def windows_of(trigger_at: datetime, months: int, zone: ZoneInfo) -> Windows:
    """Return the mirrored windows of a plan."""
    first = month_of(trigger_at, zone)

    def moment(count: int) -> datetime:
        return start_of(add_months(first, count), zone)

    return Windows(Window(moment(-months), moment(0)), Window(moment(1), moment(1 + months)), first)


@dataclass(slots=True)
class Found:
    """Points of 100 by agent, with the evaluations they come from and how many had no such question."""

    values: dict[int, list[float]] = field(default_factory=dict)
    ids: dict[int, list[int]] = field(default_factory=dict)
    without: dict[int, int] = field(default_factory=dict)


def values_in(
    session: Session, goal: CoachingGoal, window: Window, *, as_of: datetime, agent_id: int | None = None
) -> Found:
    """Return what was scored of a window's conversations by ``as_of``, of one agent or of all."""
    if goal.kind == "kpi":
        return _numbers(session, goal.ref, window, agent_id)
    rows: Any = select(Evaluation.id, Evaluation.agent_id, Evaluation.breakdown).join(
        Interaction, Interaction.id == Evaluation.interaction_id
    )
    rows = rows.where(
        Evaluation.type == "standard",
        Evaluation.selection_method == "random",
        Evaluation.submitted_at <= as_of,
        Evaluation.voided_at.is_(None),
        Evaluation.scorecard_id == goal.scorecard_id,
        Interaction.started_at >= window.since,
        Interaction.started_at < window.until,
    )
    if agent_id is not None:
        rows = rows.where(Evaluation.agent_id == agent_id)
    found = Found()
    part = "questions" if goal.kind == "question" else "sections"
    for evaluation_id, agent, breakdown in session.execute(rows.order_by(Evaluation.id)):
        ratio = _ratio((breakdown or {}).get(part, []), goal.ref)
        if ratio is None:
            found.without[agent] = found.without.get(agent, 0) + 1
            continue
        points = (FULL if ratio >= 1 else 0.0) if goal.kind == "question" else float(FULL * ratio)
        found.values.setdefault(agent, []).append(points)
        found.ids.setdefault(agent, []).append(evaluation_id)
    return found


def _ratio(parts: Iterable[dict[str, Any]], ref: str) -> Fraction | None:
    ratio = next((part["ratio"] for part in parts if part["ref"] == ref), None)
    return None if ratio is None else Fraction(ratio)


def _numbers(session: Session, ref: str, window: Window, agent_id: int | None) -> Found:
    rows: Any = select(
        Interaction.id,
        Interaction.agent_id,
        Interaction.csat,
        Interaction.csat_max,
        Interaction.resolved_first_contact,
        Interaction.sla_met,
    ).where(
        Interaction.agent_id.is_not(None),
        Interaction.deleted_at.is_(None),
        Interaction.started_at >= window.since,
        Interaction.started_at < window.until,
    )
    if agent_id is not None:
        rows = rows.where(Interaction.agent_id == agent_id)
    found = Found()
    for row in session.execute(rows.order_by(Interaction.id)):
        points = _points(ref, row)
        if points is not None:
            found.values.setdefault(row.agent_id, []).append(points)
    return found


def _points(ref: str, row: Any) -> float | None:
    if ref == "csat":
        return None if row.csat is None or not row.csat_max else float(FULL * float(row.csat / row.csat_max))
    met = row.resolved_first_contact if ref == "fcr" else row.sla_met
    return None if met is None else FULL * met


def coached_on(
    session: Session, goal: CoachingGoal, windows: Windows, months: int, zone: ZoneInfo
) -> tuple[set[int], set[int]]:
    """Return who is coached on this goal in the same months, and who at any time within these windows.

    The first are held against those who are in neither.
    """
    rows = session.execute(
        select(CoachingPlan.agent_id, CoachingPlan.trigger_at, CoachingPlan.months)
        .join(CoachingGoal, CoachingGoal.plan_id == CoachingPlan.id)
        .where(
            CoachingPlan.started_at.is_not(None),
            CoachingGoal.kind == goal.kind,
            CoachingGoal.ref == goal.ref,
            CoachingGoal.scorecard_id.is_(None)
            if goal.scorecard_id is None
            else CoachingGoal.scorecard_id == goal.scorecard_id,
            CoachingPlan.trigger_at >= windows.before.since,
            CoachingPlan.trigger_at < windows.after.until,
        )
    )
    together: set[int] = set()
    anybody: set[int] = set()
    for agent_id, trigger_at, length in rows:
        anybody.add(agent_id)
        if month_of(trigger_at, zone) == windows.trigger and length == months:
            together.add(agent_id)
    return together, anybody
