"""Tables of coaching: plans with goals, sessions with clips and notes, to-dos, templates, days off.

A private note stands in a row of its own, so that no query for a session can bring it along by accident.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Date,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
    exists,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from qa.accounts.models import User, coach_ids, coached_by, works_in
from qa.core.actor import Scope, ScopeColumns
from qa.core.db import Base, Clause, UtcDateTime
from qa.evaluations.models import Evaluation
from qa.interactions.models import Interaction
from qa.scorecards.models import Scorecard

TITLE_MAX = 200
WORDS_MAX = 500
NOTE_MAX = 10_000
PLAN_STATES = {
    "draft": "Draft",
    "active": "Running",
    "completed": "Completed",
    "cancelled": "Cancelled",
}
ORIGINS = ("agent", "evaluation", "rule", "template")
GOAL_KINDS = {
    "question": "A question of a scorecard",
    "section": "A section of a scorecard",
    "kpi": "A number of the centre",
    "behaviour": "Something one can see and hear",
}
KPIS = {
    "csat": "Customers’ answers, as a share of the best one",
    "fcr": "Solved at the first contact",
    "sla": "Answered in time",
}
SESSION_STATES = {"planned": "Planned", "held": "Held", "no_show": "Nobody came", "cancelled": "Cancelled"}
SESSION_KINDS = {
    "coach": "With the coach",
    "group": "In a group",
    "peer": "With a colleague",
    "self": "By oneself",
}
CLIP_KINDS = {"strength": "Well done", "opportunity": "To work on", "": "To listen to"}

_OPEN_TODO = text("done_at IS NULL")
_PLANNED = text("state = 'planned'")


class CoachingPlan(Base):
    """What an agent works on with a coach, until a review.

    ``trigger_at`` is when it was set off; the month around it is in no comparison. ``months`` is how many
    whole months before and after that month are held against each other.
    """

    __tablename__ = "coaching_plan"

    id: Mapped[int] = mapped_column(primary_key=True)
    agent_id: Mapped[int] = mapped_column(ForeignKey("user.id"))
    coach_id: Mapped[int] = mapped_column(ForeignKey("user.id"))
    title: Mapped[str] = mapped_column(String(TITLE_MAX))
    why: Mapped[str] = mapped_column(String(WORDS_MAX), default="")
    state: Mapped[str] = mapped_column(String(10), default="draft")
    origin: Mapped[str] = mapped_column(String(12), default="agent")
    rule: Mapped[str] = mapped_column(String(120), default="")
    evaluation_id: Mapped[int | None] = mapped_column(ForeignKey("evaluation.id", ondelete="SET NULL"))
    trigger_at: Mapped[datetime] = mapped_column(UtcDateTime)
    months: Mapped[int] = mapped_column(Integer)
    review_on: Mapped[date] = mapped_column(Date)
    made_by_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    end_words: Mapped[str] = mapped_column(String(WORDS_MAX), default="")
    is_demo: Mapped[bool] = mapped_column(Boolean, default=False)

    agent: Mapped[User] = relationship(lazy="raise", foreign_keys=[agent_id])
    coach: Mapped[User] = relationship(lazy="raise", foreign_keys=[coach_id])
    evaluation: Mapped[Evaluation | None] = relationship(lazy="raise")
    goals: Mapped[list[CoachingGoal]] = relationship(
        lazy="raise", order_by="CoachingGoal.position", cascade="all, delete-orphan"
    )
    sessions: Mapped[list[CoachingSession]] = relationship(
        lazy="raise", order_by="CoachingSession.starts_at", back_populates="plan"
    )
    todos: Mapped[list[CoachingTodo]] = relationship(
        lazy="raise", order_by="CoachingTodo.id", back_populates="plan"
    )
    events: Mapped[list[PlanEvent]] = relationship(
        lazy="raise", order_by="PlanEvent.id", cascade="all, delete-orphan"
    )

    __table_args__ = (
        CheckConstraint(f"state IN {tuple(PLAN_STATES)!r}", name="known_state"),
        CheckConstraint(f"origin IN {ORIGINS!r}", name="known_origin"),
        CheckConstraint("months BETWEEN 1 AND 3", name="some_months"),
        Index("ix_coaching_plan_agent", "agent_id", "id"),
        Index("ix_coaching_plan_coach", "coach_id", "state", "id"),
        Index("ix_coaching_plan_review", "state", "review_on", "id"),
    )

    @property
    def scope(self) -> Scope:
        """About its agent, by its coach; needs agent loaded."""
        return coachee_scope(self.agent, self.coach_id)

    @classmethod
    def scope_columns(cls) -> ScopeColumns:
        """The same as SQL."""
        return ScopeColumns(
            about=lambda user_id: cls.agent_id == user_id,
            by=lambda user_id: cls.coach_id == user_id,
            assigned=lambda user_id: coached_by(cls.agent_id, user_id),
            in_teams=lambda ids: works_in(cls.agent_id, ids),
        )


def coachee_scope(agent: User, coach_id: int | None = None) -> Scope:
    """Return the scope of something about an agent, perhaps led by a coach."""
    return Scope(
        agent_ids=frozenset({agent.id}),
        author_ids=frozenset() if coach_id is None else frozenset({coach_id}),
        assigned_ids=coach_ids(agent),
        team_ids=frozenset() if agent.team_id is None else frozenset({agent.team_id}),
    )


class CoachingGoal(Base):
    """One thing to become better at, with the numbers from before, frozen when the plan began.

    ``measured`` is what the worker last found since then.
    """

    __tablename__ = "coaching_goal"

    id: Mapped[int] = mapped_column(primary_key=True)
    plan_id: Mapped[int] = mapped_column(ForeignKey("coaching_plan.id", ondelete="CASCADE"), index=True)
    position: Mapped[int] = mapped_column(Integer)
    kind: Mapped[str] = mapped_column(String(10))
    scorecard_id: Mapped[int | None] = mapped_column(ForeignKey("scorecard.id"))
    ref: Mapped[str] = mapped_column(String(120), default="")
    label: Mapped[str] = mapped_column(String(TITLE_MAX))
    target: Mapped[int | None]
    baseline: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    frozen_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    measured: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    measured_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    scorecard: Mapped[Scorecard | None] = relationship(lazy="raise")

    __table_args__ = (
        CheckConstraint(f"kind IN {tuple(GOAL_KINDS)!r}", name="known_kind"),
        CheckConstraint("target IS NULL OR target BETWEEN 1 AND 100", name="target_is_a_share"),
        Index("ix_coaching_goal_ref", "scorecard_id", "ref"),
    )


class CoachingSession(Base):
    """A meeting: planned in a zone of its own, held or not, confirmed by both.

    ``sequence`` counts changes of the appointment, as calendars want it; ``timed_at`` is the last of them.
    """

    __tablename__ = "coaching_session"

    id: Mapped[int] = mapped_column(primary_key=True)
    plan_id: Mapped[int | None] = mapped_column(ForeignKey("coaching_plan.id", ondelete="CASCADE"))
    coach_id: Mapped[int] = mapped_column(ForeignKey("user.id"))
    kind: Mapped[str] = mapped_column(String(10), default="coach")
    title: Mapped[str] = mapped_column(String(TITLE_MAX))
    agenda: Mapped[str] = mapped_column(Text, default="")
    starts_at: Mapped[datetime] = mapped_column(UtcDateTime)
    minutes: Mapped[int] = mapped_column(Integer, default=30)
    zone: Mapped[str] = mapped_column(String(60))
    place: Mapped[str] = mapped_column(String(TITLE_MAX), default="")
    state: Mapped[str] = mapped_column(String(10), default="planned")
    sequence: Mapped[int] = mapped_column(Integer, default=0)
    revision: Mapped[int] = mapped_column(Integer, default=0)
    shared_note: Mapped[str] = mapped_column(Text, default="")
    strengths: Mapped[str] = mapped_column(Text, default="")
    opportunities: Mapped[str] = mapped_column(Text, default="")
    follows_id: Mapped[int | None] = mapped_column(ForeignKey("coaching_session.id", ondelete="SET NULL"))
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    timed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    is_demo: Mapped[bool] = mapped_column(Boolean, default=False)

    plan: Mapped[CoachingPlan | None] = relationship(lazy="raise", back_populates="sessions")
    coach: Mapped[User] = relationship(lazy="raise")
    members: Mapped[list[SessionMember]] = relationship(
        lazy="raise", order_by="SessionMember.person_id", cascade="all, delete-orphan"
    )
    clips: Mapped[list[SessionClip]] = relationship(
        lazy="raise", order_by="SessionClip.id", cascade="all, delete-orphan"
    )
    todos: Mapped[list[CoachingTodo]] = relationship(
        lazy="raise", order_by="CoachingTodo.id", back_populates="session"
    )

    __table_args__ = (
        CheckConstraint(f"state IN {tuple(SESSION_STATES)!r}", name="known_state"),
        CheckConstraint(f"kind IN {tuple(SESSION_KINDS)!r}", name="known_kind"),
        CheckConstraint("minutes BETWEEN 5 AND 480", name="some_minutes"),
        Index("ix_coaching_session_plan", "plan_id", "starts_at"),
        Index("ix_coaching_session_coach", "coach_id", "starts_at", "id"),
        Index(
            "ix_coaching_session_planned",
            "starts_at",
            "id",
            sqlite_where=_PLANNED,
            postgresql_where=_PLANNED,
        ),
    )

    @property
    def scope(self) -> Scope:
        """About those who are coached, by its coach; needs members with their people loaded."""
        people = [member.person for member in self.members if member.part == "agent"]
        return Scope(
            agent_ids=frozenset(one.person_id for one in self.members if one.part != "coach"),
            author_ids=frozenset({self.coach_id}),
            assigned_ids=frozenset({self.coach_id}),
            team_ids=frozenset(one.team_id for one in people if one.team_id is not None),
        )

    @classmethod
    def scope_columns(cls) -> ScopeColumns:
        """The same as SQL."""
        return ScopeColumns(
            about=lambda user_id: exists().where(
                SessionMember.session_id == cls.id,
                SessionMember.person_id == user_id,
                SessionMember.part != "coach",
            ),
            by=lambda user_id: cls.coach_id == user_id,
            assigned=lambda user_id: cls.coach_id == user_id,
            in_teams=cls._in_teams,
        )

    @classmethod
    def _in_teams(cls, team_ids: frozenset[int]) -> Clause:
        return exists().where(
            SessionMember.session_id == cls.id,
            SessionMember.part == "agent",
            works_in(SessionMember.person_id, team_ids),
        )


class SessionMember(Base):
    """Somebody in a session: coached (``agent``), the ``coach``, or a ``peer`` who helps."""

    __tablename__ = "coaching_session_member"

    session_id: Mapped[int] = mapped_column(
        ForeignKey("coaching_session.id", ondelete="CASCADE"), primary_key=True
    )
    person_id: Mapped[int] = mapped_column(ForeignKey("user.id"), primary_key=True, index=True)
    part: Mapped[str] = mapped_column(String(10), default="agent")
    confirmed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    words: Mapped[str] = mapped_column(String(WORDS_MAX), default="")

    person: Mapped[User] = relationship(lazy="raise")


class SessionClip(Base):
    """A moment of a conversation to listen to together, with the evaluation it was pulled from."""

    __tablename__ = "coaching_session_clip"

    id: Mapped[int] = mapped_column(primary_key=True)
    session_id: Mapped[int] = mapped_column(ForeignKey("coaching_session.id", ondelete="CASCADE"), index=True)
    interaction_id: Mapped[int] = mapped_column(ForeignKey("interaction.id", ondelete="CASCADE"), index=True)
    evaluation_id: Mapped[int | None] = mapped_column(
        ForeignKey("evaluation.id", ondelete="SET NULL"), index=True
    )
    start_ms: Mapped[int | None]
    end_ms: Mapped[int | None]
    turn_id: Mapped[int | None] = mapped_column(ForeignKey("turn.id", ondelete="SET NULL"))
    kind: Mapped[str] = mapped_column(String(12), default="")
    words: Mapped[str] = mapped_column(String(WORDS_MAX), default="")
    added_at: Mapped[datetime] = mapped_column(UtcDateTime)

    interaction: Mapped[Interaction] = relationship(lazy="raise")
    evaluation: Mapped[Evaluation | None] = relationship(lazy="raise")


class PrivateNote(Base):
    """What one person keeps for themselves about a session; nobody else reads it, whatever their role."""

    __tablename__ = "coaching_private_note"

    session_id: Mapped[int] = mapped_column(
        ForeignKey("coaching_session.id", ondelete="CASCADE"), primary_key=True
    )
    author_id: Mapped[int] = mapped_column(ForeignKey("user.id"), primary_key=True, index=True)
    text: Mapped[str] = mapped_column(Text)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)

    @property
    def scope(self) -> Scope:
        """By its author, and about nobody."""
        return Scope(author_ids=frozenset({self.author_id}))

    @classmethod
    def scope_columns(cls) -> ScopeColumns:
        """The same as SQL."""
        return ScopeColumns(by=lambda user_id: cls.author_id == user_id)


class CoachingTodo(Base):
    """Something one person does by a day."""

    __tablename__ = "coaching_todo"

    id: Mapped[int] = mapped_column(primary_key=True)
    plan_id: Mapped[int | None] = mapped_column(
        ForeignKey("coaching_plan.id", ondelete="CASCADE"), index=True
    )
    session_id: Mapped[int | None] = mapped_column(
        ForeignKey("coaching_session.id", ondelete="CASCADE"), index=True
    )
    person_id: Mapped[int] = mapped_column(ForeignKey("user.id"))
    words: Mapped[str] = mapped_column(String(WORDS_MAX))
    due_on: Mapped[date | None] = mapped_column(Date)
    made_by_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    done_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    dropped_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    person: Mapped[User] = relationship(lazy="raise", foreign_keys=[person_id])
    plan: Mapped[CoachingPlan | None] = relationship(lazy="raise", back_populates="todos")
    session: Mapped[CoachingSession | None] = relationship(lazy="raise", back_populates="todos")

    __table_args__ = (
        Index(
            "ix_coaching_todo_open",
            "person_id",
            "due_on",
            "id",
            sqlite_where=_OPEN_TODO,
            postgresql_where=_OPEN_TODO,
        ),
    )


class PlanTemplate(Base):
    """A plan to begin from: goals, an agenda and to-dos, so that a new one takes a minute.

    ``goals`` are ``{kind, scorecard, ref, label, target}`` with the scorecard's own ref, ``todos``
    ``{words, days}`` with the days after the start.
    """

    __tablename__ = "coaching_template"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(TITLE_MAX))
    goals: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    agenda: Mapped[str] = mapped_column(Text, default="")
    todos: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    months: Mapped[int] = mapped_column(Integer, default=2)
    made_by_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    is_demo: Mapped[bool] = mapped_column(Boolean, default=False)


class PlanEvent(Base):
    """One line of a plan's history."""

    __tablename__ = "coaching_plan_event"

    id: Mapped[int] = mapped_column(primary_key=True)
    plan_id: Mapped[int] = mapped_column(ForeignKey("coaching_plan.id", ondelete="CASCADE"), index=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    words: Mapped[str] = mapped_column(String(WORDS_MAX))

    actor: Mapped[User | None] = relationship(lazy="raise")


class FollowUpDraw(Base):
    """A month of conversations that was drawn from, for one plan: once, whoever looks how often."""

    __tablename__ = "coaching_follow_up"

    plan_id: Mapped[int] = mapped_column(ForeignKey("coaching_plan.id", ondelete="CASCADE"), primary_key=True)
    month: Mapped[date] = mapped_column(Date, primary_key=True)
    drawn_at: Mapped[datetime] = mapped_column(UtcDateTime)
    count: Mapped[int] = mapped_column(Integer, default=0)
    problem: Mapped[str] = mapped_column(String(WORDS_MAX), default="")


class DayOff(Base):
    """A day on which the centre, or one team, does not work."""

    __tablename__ = "coaching_day_off"

    id: Mapped[int] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(Date)
    name: Mapped[str] = mapped_column(String(TITLE_MAX))

    __table_args__ = (UniqueConstraint("day"),)
