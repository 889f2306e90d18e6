"""Tables of judgement: who was asked, what was answered, what came of it.

An evaluation is its answers; score, outcome and breakdown are computed from them on submit
and can be computed again at any time. What an agent has read is never overwritten: a
revision keeps the former state whole.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
    and_,
    false,
    or_,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from qa.accounts.models import User, coach_ids, coached_by, works_in
from qa.core.actor import Scope, ScopeColumns
from qa.core.db import Base, Clause, UtcDateTime
from qa.interactions.models import Interaction
from qa.scorecards.models import Scorecard, ScorecardVersion

COMMENT_MAX = 4000
REASON_MAX = 1000
EVALUATION_TYPES = ("standard", "calibration", "self", "peer", "coaching_only", "gold", "auto", "auto_shadow")
SELECTION_METHODS = ("random", "targeted", "requested", "calibration", "dispute", "manual")
SKIP_REASONS = {
    "no_sound": "The recording cannot be heard",
    "too_short": "Too short to judge",
    "language": "A language I do not score",
    "know_the_person": "I know the agent or the customer too well",
    "wrong_form": "Another scorecard fits this conversation",
    "duplicate": "It was evaluated already",
    "other": "Another reason",
}


_OPEN = text("state IN ('open', 'started')")
_UNREAD = text("state = 'released'")
_HELD = text("state = 'submitted'")


class Assignment(Base):
    """A conversation in somebody's queue, and how it was chosen: that cannot be added later.

    ``frame`` says what a draw was made from: ``since``, ``until`` (ISO moments, half-open) and
    ``channels`` (empty for all). ``replaces_id`` names the skipped one whose place this one took.
    """

    __tablename__ = "assignment"

    id: Mapped[int] = mapped_column(primary_key=True)
    interaction_id: Mapped[int] = mapped_column(ForeignKey("interaction.id"), index=True)
    agent_id: Mapped[int] = mapped_column(ForeignKey("user.id"), index=True)
    scorecard_id: Mapped[int] = mapped_column(ForeignKey("scorecard.id"))
    evaluator_id: Mapped[int] = mapped_column(ForeignKey("user.id"))
    type: Mapped[str] = mapped_column(String(20), default="standard")
    state: Mapped[str] = mapped_column(String(10), default="open")
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    assigned_at: Mapped[datetime] = mapped_column(UtcDateTime)
    assigned_by_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    selection_method: Mapped[str] = mapped_column(String(12))
    selection_note: Mapped[str] = mapped_column(String(200), default="")
    inclusion_probability: Mapped[str | None] = mapped_column(String(40))
    frame_size: Mapped[int | None]
    seed: Mapped[str | None] = mapped_column(String(120))
    frame_hash: Mapped[str | None] = mapped_column(String(64))
    frame: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    drawn_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    skip_reason: Mapped[str | None] = mapped_column(String(20))
    skip_note: Mapped[str | None] = mapped_column(String(REASON_MAX))
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    replaces_id: Mapped[int | None] = mapped_column(ForeignKey("assignment.id"))
    is_demo: Mapped[bool] = mapped_column(Boolean, default=False)

    interaction: Mapped[Interaction] = relationship(lazy="raise")
    agent: Mapped[User] = relationship(lazy="raise", foreign_keys=[agent_id])
    evaluator: Mapped[User] = relationship(lazy="raise", foreign_keys=[evaluator_id])
    scorecard: Mapped[Scorecard] = relationship(lazy="raise")
    evaluation: Mapped[Evaluation | None] = relationship(lazy="raise", back_populates="assignment")

    __table_args__ = (
        CheckConstraint("state IN ('open', 'started', 'done', 'skipped', 'withdrawn')", name="known_state"),
        CheckConstraint(f"selection_method IN {SELECTION_METHODS!r}", name="known_method"),
        Index("ix_assignment_queue", "evaluator_id", "state", "due_at", "id"),
        Index(
            "ix_assignment_open", "evaluator_id", "due_at", "id", sqlite_where=_OPEN, postgresql_where=_OPEN
        ),
        Index("ix_assignment_assigned", "assigned_at", "id"),
        Index("ix_assignment_evaluator_assigned", "evaluator_id", "assigned_at", "id"),
        Index("ix_assignment_ended", "ended_at", "id"),
        Index(
            "uq_assignment_live",
            "interaction_id",
            "agent_id",
            "scorecard_id",
            "evaluator_id",
            "type",
            unique=True,
            sqlite_where=state.in_(("open", "started")),
            postgresql_where=state.in_(("open", "started")),
        ),
    )

    @property
    def scope(self) -> Scope:
        """By its evaluator, about its agent; needs agent loaded."""
        mine = frozenset({self.evaluator_id})
        team = self.agent.team_id
        return Scope(
            author_ids=mine,
            assigned_ids=mine,
            agent_ids=frozenset({self.agent_id}),
            team_ids=frozenset() if team is None else frozenset({team}),
        )

    @classmethod
    def scope_columns(cls) -> ScopeColumns:
        """The same as SQL."""
        return ScopeColumns(
            about=lambda user_id: cls.agent_id == user_id,
            by=lambda user_id: cls.evaluator_id == user_id,
            assigned=lambda user_id: cls.evaluator_id == user_id,
            in_teams=lambda ids: works_in(cls.agent_id, ids),
        )


class Evaluation(Base):
    """One judgement of one agent's part in one conversation, by one evaluator.

    ``revision`` counts saved changes of the draft; ``number`` counts what was submitted.
    Scores are exact: ``score`` is "75" or "200/3", ``score_micro`` the same in millionths of a
    point for sums.
    """

    __tablename__ = "evaluation"

    id: Mapped[int] = mapped_column(primary_key=True)
    interaction_id: Mapped[int] = mapped_column(ForeignKey("interaction.id"), index=True)
    agent_id: Mapped[int] = mapped_column(ForeignKey("user.id"))
    team_id: Mapped[int | None] = mapped_column(ForeignKey("team.id"))
    scorecard_id: Mapped[int] = mapped_column(ForeignKey("scorecard.id"))
    version_id: Mapped[int] = mapped_column(ForeignKey("scorecard_version.id"))
    evaluator_id: Mapped[int] = mapped_column(ForeignKey("user.id"))
    assignment_id: Mapped[int | None] = mapped_column(ForeignKey("assignment.id"), unique=True)
    type: Mapped[str] = mapped_column(String(20), default="standard")
    state: Mapped[str] = mapped_column(String(14), default="draft")
    revision: Mapped[int] = mapped_column(Integer, default=0)
    number: Mapped[int] = mapped_column(Integer, default=0)
    worked_seconds: Mapped[int] = mapped_column(Integer, default=0)

    selection_method: Mapped[str] = mapped_column(String(12))
    inclusion_probability: Mapped[str | None] = mapped_column(String(40))
    frame_size: Mapped[int | None]
    seed: Mapped[str | None] = mapped_column(String(120))
    frame_hash: Mapped[str | None] = mapped_column(String(64))
    drawn_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    private_note: Mapped[str] = mapped_column(Text, default="")
    private_note_revision: Mapped[int] = mapped_column(Integer, default=0)
    root_cause: Mapped[str] = mapped_column(String(120), default="", server_default="")
    coaching_note: Mapped[str] = mapped_column(Text, default="", server_default="")

    score: Mapped[str | None] = mapped_column(String(200))
    score_micro: Mapped[int | None] = mapped_column(BigInteger)
    raw: Mapped[str | None] = mapped_column(String(200))
    raw_micro: Mapped[int | None] = mapped_column(BigInteger)
    outcome: Mapped[str | None] = mapped_column(String(12))
    band: Mapped[str | None] = mapped_column(String(120))
    fail_causes: Mapped[list[dict[str, str]] | None] = mapped_column(JSON)
    breakdown: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    engine_version: Mapped[str | None] = mapped_column(String(20))

    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    saved_at: Mapped[datetime] = mapped_column(UtcDateTime)
    submitted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revised_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    release_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    released_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    acknowledged_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    acknowledgement: Mapped[str | None] = mapped_column(Text)
    voided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    void_reason: Mapped[str | None] = mapped_column(String(REASON_MAX))
    is_demo: Mapped[bool] = mapped_column(Boolean, default=False)

    interaction: Mapped[Interaction] = relationship(lazy="raise")
    agent: Mapped[User] = relationship(lazy="raise", foreign_keys=[agent_id])
    evaluator: Mapped[User] = relationship(lazy="raise", foreign_keys=[evaluator_id])
    scorecard: Mapped[Scorecard] = relationship(lazy="raise")
    version: Mapped[ScorecardVersion] = relationship(lazy="raise")
    assignment: Mapped[Assignment | None] = relationship(lazy="raise", back_populates="evaluation")
    answers: Mapped[list[Answer]] = relationship(lazy="raise", cascade="all, delete-orphan")
    pins: Mapped[list[Pin]] = relationship(
        lazy="raise", cascade="all, delete-orphan", order_by="Pin.start_ms, Pin.id"
    )
    revisions: Mapped[list[Revision]] = relationship(lazy="raise", order_by="Revision.number")

    __table_args__ = (
        CheckConstraint(f"type IN {EVALUATION_TYPES!r}", name="known_type"),
        CheckConstraint(
            "state IN ('draft', 'submitted', 'released', 'acknowledged', 'voided')", name="known_state"
        ),
        Index("ix_evaluation_agent_submitted", "agent_id", "submitted_at", "id"),
        Index("ix_evaluation_evaluator_state", "evaluator_id", "state", "id"),
        Index("ix_evaluation_evaluator_submitted", "evaluator_id", "submitted_at", "id"),
        Index(
            "ix_evaluation_unread",
            "agent_id",
            "released_at",
            "id",
            sqlite_where=_UNREAD,
            postgresql_where=_UNREAD,
        ),
        Index("ix_evaluation_unreleased", "release_at", "id", sqlite_where=_HELD, postgresql_where=_HELD),
        Index("ix_evaluation_submitted", "submitted_at", "id"),
        Index("ix_evaluation_team_submitted", "team_id", "submitted_at", "id"),
        Index(
            "uq_evaluation_live",
            "interaction_id",
            "agent_id",
            "scorecard_id",
            "evaluator_id",
            "type",
            unique=True,
            sqlite_where=voided_at.is_(None),
            postgresql_where=voided_at.is_(None),
        ),
    )

    @property
    def access_state(self) -> str:
        """Draft, submitted or released: all that a permission distinguishes."""
        if self.submitted_at is None:
            return "draft"
        return "submitted" if self.released_at is None else "released"

    @property
    def scope(self) -> Scope:
        """By its evaluator, about its agent, for the agent's coach; needs agent loaded."""
        team = self.agent.team_id
        return Scope(
            author_ids=frozenset({self.evaluator_id}),
            assigned_ids=coach_ids(self.agent),
            agent_ids=frozenset({self.agent_id}),
            team_ids=frozenset() if team is None else frozenset({team}),
            state=self.access_state,
        )

    @classmethod
    def scope_columns(cls) -> ScopeColumns:
        """The same as SQL."""
        return ScopeColumns(
            about=lambda user_id: cls.agent_id == user_id,
            by=lambda user_id: cls.evaluator_id == user_id,
            assigned=lambda user_id: coached_by(cls.agent_id, user_id),
            in_teams=lambda ids: works_in(cls.agent_id, ids),
            in_states=cls._in_states,
        )

    @classmethod
    def _in_states(cls, states: frozenset[str]) -> Clause:
        meaning = {
            "draft": cls.submitted_at.is_(None),
            "submitted": and_(cls.submitted_at.is_not(None), cls.released_at.is_(None)),
            "released": cls.released_at.is_not(None),
        }
        return or_(*(meaning[state] for state in sorted(states)))


class Answer(Base):
    """What was said about one question. ``revision`` is the draft revision that last changed it.

    ``coaching`` marks it as worth a talk between coach and agent.

    ``state`` is value, na (by the evaluator), hidden (by a condition) or unanswered; ``value``
    is an option's ref, a list of refs, or the number, text or date as text.
    """

    __tablename__ = "answer"

    evaluation_id: Mapped[int] = mapped_column(
        ForeignKey("evaluation.id", ondelete="CASCADE"), primary_key=True
    )
    question: Mapped[str] = mapped_column(String(120), primary_key=True)
    state: Mapped[str] = mapped_column(String(12), default="unanswered")
    value: Mapped[Any | None] = mapped_column(JSON)
    comment: Mapped[str] = mapped_column(Text, default="")
    root_cause: Mapped[str] = mapped_column(String(120), default="")
    coaching: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    revision: Mapped[int] = mapped_column(Integer, default=0)


class Pin(Base):
    """A moment or a passage that shows why an answer was given.

    Audio: ``start_ms`` and ``end_ms`` of the recording. Text: ``turn_id`` and the characters
    ``char_start`` up to ``char_end`` of it; both empty means the whole message.
    """

    __tablename__ = "pin"

    id: Mapped[int] = mapped_column(primary_key=True)
    evaluation_id: Mapped[int] = mapped_column(ForeignKey("evaluation.id", ondelete="CASCADE"))
    client_id: Mapped[str] = mapped_column(String(40))
    question: Mapped[str] = mapped_column(String(120))
    kind: Mapped[str] = mapped_column(String(10))
    start_ms: Mapped[int | None]
    end_ms: Mapped[int | None]
    turn_id: Mapped[int | None] = mapped_column(ForeignKey("turn.id"))
    char_start: Mapped[int | None]
    char_end: Mapped[int | None]
    note: Mapped[str] = mapped_column(String(500), default="")
    pinned_at: Mapped[datetime] = mapped_column(UtcDateTime)

    __table_args__ = (
        UniqueConstraint("evaluation_id", "client_id"),
        CheckConstraint("kind IN ('audio', 'text', 'message')", name="known_kind"),
    )


class Revision(Base):
    """What an evaluation said before it was changed, whole, and why it was changed."""

    __tablename__ = "revision"

    id: Mapped[int] = mapped_column(primary_key=True)
    evaluation_id: Mapped[int] = mapped_column(ForeignKey("evaluation.id", ondelete="CASCADE"))
    number: Mapped[int]
    cause: Mapped[str] = mapped_column(String(12))
    reason: Mapped[str] = mapped_column(String(REASON_MAX))
    author_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    snapshot: Mapped[dict[str, Any]] = mapped_column(JSON)

    author: Mapped[User | None] = relationship(lazy="raise")

    __table_args__ = (UniqueConstraint("evaluation_id", "number"),)


class CommentTemplate(Base):
    """A sentence worth reusing; without an owner it is shared with everybody."""

    __tablename__ = "comment_template"

    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"), index=True)
    title: Mapped[str] = mapped_column(String(120))
    text: Mapped[str] = mapped_column(String(COMMENT_MAX))
    is_demo: Mapped[bool] = mapped_column(Boolean, default=False)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)

    @property
    def scope(self) -> Scope:
        """By its owner."""
        return Scope(author_ids=frozenset() if self.owner_id is None else frozenset({self.owner_id}))
