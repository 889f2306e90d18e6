"""Tables of training: modules with versions, who has which, and every try at a quiz.

A published version never changes and nothing that somebody has is deleted: a retired module leaves the
library and stays readable for those who have it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from qa.accounts.models import Team, User, coached_by, works_in
from qa.core.actor import Scope, ScopeColumns, by
from qa.core.db import Base, UtcDateTime
from qa.scorecards.models import Scorecard

TITLE_MAX, SUMMARY_MAX, TEXT_MAX, URL_MAX = 200, 500, 40_000, 1_000
FILE_MAX = 700_000
ANSWER_MAX = 4_000
OPEN, DONE, FAILED, WITHDRAWN = "open", "done", "failed", "withdrawn"
AUTO_FAIL, JOINED = "auto_fail", "joined"


class TrainingModule(Base):
    """Something to learn; its newest version is what people get from now on."""

    __tablename__ = "training_module"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(TITLE_MAX))
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    newest: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    retired_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    is_demo: Mapped[bool] = mapped_column(Boolean, default=False)

    owner: Mapped[User | None] = relationship(lazy="raise")
    versions: Mapped[list[TrainingVersion]] = relationship(
        lazy="raise", order_by="TrainingVersion.number", cascade="all, delete-orphan"
    )
    tags: Mapped[list[TrainingTag]] = relationship(lazy="raise", cascade="all, delete-orphan")
    needs: Mapped[list[TrainingNeed]] = relationship(
        lazy="raise", cascade="all, delete-orphan", foreign_keys="TrainingNeed.module_id"
    )

    @property
    def scope(self) -> Scope:
        """By whoever made it."""
        return by(self.owner_id)


class TrainingVersion(Base):
    """What a module holds: words, a file, a link to a video, a quiz as text (``qa.coaching.quiz``)."""

    __tablename__ = "training_version"

    id: Mapped[int] = mapped_column(primary_key=True)
    module_id: Mapped[int] = mapped_column(ForeignKey("training_module.id", ondelete="CASCADE"))
    number: Mapped[int]
    summary: Mapped[str] = mapped_column(String(SUMMARY_MAX), default="")
    minutes: Mapped[int | None]
    text: Mapped[str] = mapped_column(Text, default="")
    video_url: Mapped[str] = mapped_column(String(URL_MAX), default="")
    file_name: Mapped[str] = mapped_column(String(TITLE_MAX), default="")
    quiz: Mapped[str] = mapped_column(Text, default="")
    pass_percent: Mapped[int] = mapped_column(default=80)
    tries: Mapped[int] = mapped_column(default=3)
    certificate_months: Mapped[int | None]
    made_by_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)

    module: Mapped[TrainingModule] = relationship(lazy="raise", back_populates="versions")
    file: Mapped[TrainingFile | None] = relationship(lazy="raise", cascade="all, delete-orphan")

    __table_args__ = (UniqueConstraint("module_id", "number"),)


class TrainingFile(Base):
    """The file of a version, kept apart so that no list carries it."""

    __tablename__ = "training_file"

    version_id: Mapped[int] = mapped_column(
        ForeignKey("training_version.id", ondelete="CASCADE"), primary_key=True
    )
    content: Mapped[bytes] = mapped_column(LargeBinary)


class TrainingTag(Base):
    """A question of a scorecard that a module helps with."""

    __tablename__ = "training_tag"

    module_id: Mapped[int] = mapped_column(
        ForeignKey("training_module.id", ondelete="CASCADE"), primary_key=True
    )
    scorecard_id: Mapped[int] = mapped_column(
        ForeignKey("scorecard.id", ondelete="CASCADE"), primary_key=True
    )
    question: Mapped[str] = mapped_column(String(120), primary_key=True)

    scorecard: Mapped[Scorecard] = relationship(lazy="raise")


class TrainingNeed(Base):
    """A module that has to be done before another one."""

    __tablename__ = "training_need"

    module_id: Mapped[int] = mapped_column(
        ForeignKey("training_module.id", ondelete="CASCADE"), primary_key=True
    )
    needs_id: Mapped[int] = mapped_column(
        ForeignKey("training_module.id", ondelete="CASCADE"), primary_key=True
    )

    needed: Mapped[TrainingModule] = relationship(lazy="raise", foreign_keys=[needs_id])


class TrainingRule(Base):
    """Who gets a module by themselves: after so many auto-fails in so many days, or on joining a team."""

    __tablename__ = "training_rule"

    id: Mapped[int] = mapped_column(primary_key=True)
    module_id: Mapped[int] = mapped_column(ForeignKey("training_module.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(12))
    team_id: Mapped[int | None] = mapped_column(ForeignKey("team.id"))
    times: Mapped[int] = mapped_column(default=2)
    days: Mapped[int] = mapped_column(default=30)
    due_days: Mapped[int] = mapped_column(default=14)
    made_by_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    module: Mapped[TrainingModule] = relationship(lazy="raise")
    team: Mapped[Team | None] = relationship(lazy="raise")

    __table_args__ = (CheckConstraint("kind IN ('auto_fail', 'joined')", name="known_kind"),)


class TrainingTask(Base):
    """A module that somebody has: in which version, why, until when, and how it ended."""

    __tablename__ = "training_task"

    id: Mapped[int] = mapped_column(primary_key=True)
    module_id: Mapped[int] = mapped_column(ForeignKey("training_module.id"))
    version_id: Mapped[int] = mapped_column(ForeignKey("training_version.id"))
    person_id: Mapped[int] = mapped_column(ForeignKey("user.id"))
    assigned_by_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    rule_id: Mapped[int | None] = mapped_column(ForeignKey("training_rule.id", ondelete="SET NULL"))
    state: Mapped[str] = mapped_column(String(10), default=OPEN)
    assigned_at: Mapped[datetime] = mapped_column(UtcDateTime)
    due_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    certified_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    is_demo: Mapped[bool] = mapped_column(Boolean, default=False)

    module: Mapped[TrainingModule] = relationship(lazy="raise")
    version: Mapped[TrainingVersion] = relationship(lazy="raise")
    person: Mapped[User] = relationship(lazy="raise", foreign_keys=[person_id])
    assigned_by: Mapped[User | None] = relationship(lazy="raise", foreign_keys=[assigned_by_id])
    attempts: Mapped[list[TrainingAttempt]] = relationship(
        lazy="raise", order_by="TrainingAttempt.number", cascade="all, delete-orphan"
    )

    __table_args__ = (
        CheckConstraint("state IN ('open', 'done', 'failed', 'withdrawn')", name="known_state"),
        Index("ix_training_task_person", "person_id", "state", "id"),
        Index("ix_training_task_module", "module_id", "state", "id"),
        Index(
            "uq_training_task_open",
            "module_id",
            "person_id",
            unique=True,
            sqlite_where=state == OPEN,
            postgresql_where=state == OPEN,
        ),
    )

    @property
    def scope(self) -> Scope:
        """About the person who has it, in their team, for their coach; needs person loaded."""
        person = self.person.scope
        return Scope(
            agent_ids=person.agent_ids,
            author_ids=frozenset() if self.assigned_by_id is None else frozenset({self.assigned_by_id}),
            assigned_ids=person.assigned_ids,
            team_ids=person.team_ids,
        )

    @classmethod
    def scope_columns(cls) -> ScopeColumns:
        """The same as SQL."""
        return ScopeColumns(
            about=lambda user_id: cls.person_id == user_id,
            by=lambda user_id: cls.assigned_by_id == user_id,
            assigned=lambda user_id: coached_by(cls.person_id, user_id),
            in_teams=lambda ids: works_in(cls.person_id, ids),
        )


class TrainingAttempt(Base):
    """One try at a quiz: the answers as given, marks of a person for free text, and the result."""

    __tablename__ = "training_attempt"

    id: Mapped[int] = mapped_column(primary_key=True)
    task_id: Mapped[int] = mapped_column(ForeignKey("training_task.id", ondelete="CASCADE"))
    number: Mapped[int]
    answers: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    marks: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    points: Mapped[int | None]
    passed: Mapped[bool | None] = mapped_column(Boolean)
    saved_at: Mapped[datetime] = mapped_column(UtcDateTime)
    handed_in_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    marked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    marked_by_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))

    task: Mapped[TrainingTask] = relationship(lazy="raise", back_populates="attempts")

    __table_args__ = (UniqueConstraint("task_id", "number"),)

    @property
    def waits(self) -> bool:
        """Return whether somebody has to mark it."""
        return self.handed_in_at is not None and self.passed is None
