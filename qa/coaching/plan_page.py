"""What the pages of a plan and a session show beyond their rows: goals in numbers, clips with their words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from markupsafe import Markup
from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from qa.accounts.permissions import Permission as P
from qa.accounts.policy import visible
from qa.coaching import queries
from qa.coaching.effect_queries import Windows, windows_of
from qa.coaching.effect_service import COUNTED
from qa.coaching.models import CoachingGoal, CoachingPlan, CoachingSession, SessionClip
from qa.core.actor import Actor
from qa.core.errors import NotFound
from qa.evaluations.models import Evaluation, Pin
from qa.interactions.models import Interaction, Turn
from qa.interactions.redacting import DONE
from qa.web.charts.small import band

FULL = 100.0
MOST_TURNS = 8
AROUND_MS = 8_000


@dataclass(frozen=True, slots=True)
class GoalView:
    """One goal: the window before, the one after, one's own change, that of all, a band for each."""

    goal: CoachingGoal
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    own: dict[str, Any] | None
    all: dict[str, Any] | None
    before_band: Markup | None
    after_band: Markup | None

    @property
    def without(self) -> int:
        """Return how many scored conversations had no such question: the scorecard was another one."""
        return sum(int(one["without"]) for one in (self.before, self.after) if one)


@dataclass(frozen=True, slots=True)
class PlanPage:
    """The numbers of a plan's page."""

    goals: list[GoalView]
    windows: Windows
    has_review_come: bool


def plan_page(plan: CoachingPlan, *, now: datetime, zone: ZoneInfo) -> PlanPage:
    """Return what a plan's page says in numbers; needs goals loaded."""
    windows = windows_of(plan.trigger_at, plan.months, zone)
    views = [_goal_view(goal) for goal in plan.goals]
    return PlanPage(views, windows, plan.review_on <= now.astimezone(zone).date())


def _goal_view(goal: CoachingGoal) -> GoalView:
    if goal.kind not in COUNTED:
        return GoalView(goal, None, None, None, None, None, None)
    measured = goal.measured or {}
    after = measured.get("after")
    return GoalView(
        goal=goal,
        before=goal.baseline,
        after=after,
        own=measured.get("own"),
        all=measured.get("all"),
        before_band=_band(goal, goal.baseline, "before"),
        after_band=_band(goal, after, "since"),
    )


def _band(goal: CoachingGoal, window: dict[str, Any] | None, when: str) -> Markup | None:
    if not window or not window["n"]:
        return None
    scale = FULL if window["kind"] == "share" else 1.0
    value, lo, hi = (window["p" if window["kind"] == "share" else "mean"], window["lo"], window["hi"])
    value, lo, hi = (None if one is None else one * scale for one in (value, lo, hi))
    sentence = f"{goal.label}, {when}: {window['n']} conversations"
    if lo is not None and hi is not None:
        sentence += f", {round(lo)} to {round(hi)} of 100"
    return band(value, lo, hi, ends=(0, FULL), sentence=sentence, target=goal.target, accent=True)


# --- clips --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ClipView:
    """One clip: what is said in it, and where it is heard, if one may."""

    clip: SessionClip
    turns: list[Turn]
    recording_id: int | None

    @property
    def sound(self) -> str:
        """Return the part of the recording as a media fragment, in seconds."""
        if self.clip.start_ms is None:
            return ""
        end = self.clip.end_ms or self.clip.start_ms + AROUND_MS
        return f"#t={self.clip.start_ms / 1000:g},{end / 1000:g}"


def clip_views(session: Session, actor: Actor, found: CoachingSession) -> list[ClipView]:
    """Return a session's clips with their words, for conversations this actor may read."""
    ids = {clip.interaction_id for clip in found.clips}
    rows = session.scalars(
        select(Interaction)
        .where(
            Interaction.id.in_(ids),
            Interaction.deleted_at.is_(None),
            visible(actor, P.INTERACTION_READ, Interaction.scope_columns()),
        )
        .options(selectinload(Interaction.turns), selectinload(Interaction.recordings))
    )
    known = {row.id: row for row in rows}
    return [_clip_view(clip, known.get(clip.interaction_id)) for clip in found.clips]


def _clip_view(clip: SessionClip, heard: Interaction | None) -> ClipView:
    if heard is None:
        return ClipView(clip, [], None)
    safe = heard.redaction == DONE
    ready = next((one.id for one in heard.recordings if one.state == "ready" and safe), None)
    return ClipView(clip, _turns(clip, heard.turns), ready)


def _turns(clip: SessionClip, turns: list[Turn]) -> list[Turn]:
    if clip.turn_id is not None:
        return [one for one in turns if one.id == clip.turn_id]
    if clip.start_ms is None:
        return []
    start, end = clip.start_ms, clip.end_ms or clip.start_ms + AROUND_MS
    inside = [
        one
        for one in turns
        if one.start_ms is not None and one.start_ms < end and (one.end_ms or one.start_ms) > start
    ]
    return inside[:MOST_TURNS]


@dataclass(frozen=True, slots=True)
class PinChoice:
    """A moment of an evaluation that can be pulled into a session."""

    id: int
    words: str
    place: tuple[int | None, int | None, int | None]


def pins_of(session: Session, actor: Actor, evaluation_id: int) -> tuple[Evaluation, list[PinChoice]]:
    """Return an evaluation one may read and its pinned moments, or raise ``NotFound``."""
    found = queries.find_evaluation_for_clip(session, actor, evaluation_id)
    if found is None:
        raise NotFound("There is no such evaluation, or you may not see it.")
    turns = {
        one.id: one.text
        for one in session.scalars(select(Turn).where(Turn.interaction_id == found.interaction_id))
    }
    return found, [_choice(pin, turns) for pin in found.pins]


def _choice(pin: Pin, turns: dict[int, str]) -> PinChoice:
    quote = turns.get(pin.turn_id or 0, pin.note)[:300]
    return PinChoice(pin.id, quote, (pin.start_ms, pin.end_ms, pin.turn_id))
