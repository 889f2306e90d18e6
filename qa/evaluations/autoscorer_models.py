"""Tables of machine answers: beside the answers of people, never over them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Boolean, CheckConstraint, ForeignKey, String, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column, relationship

from qa.core.db import Base, UtcDateTime
from qa.scorecards.models import Scorecard

SUGGESTED, ABSTAINED, REFUSED = "suggested", "abstained", "refused"


class Scorer(Base):
    """The machine of one question of one scorecard: its mode, and since when its answers are counted.

    ``of`` is the fingerprint of rule and scorer version; another one begins the checks anew.
    """

    __tablename__ = "scorer"

    id: Mapped[int] = mapped_column(primary_key=True)
    scorecard_id: Mapped[int] = mapped_column(ForeignKey("scorecard.id"))
    question: Mapped[str] = mapped_column(String(120))
    mode: Mapped[str] = mapped_column(String(10), default="off")
    is_stopped: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    of: Mapped[str] = mapped_column(String(64), default="")
    reason: Mapped[str] = mapped_column(String(300), default="")
    changed_by_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)

    scorecard: Mapped[Scorecard] = relationship(lazy="raise")

    __table_args__ = (
        UniqueConstraint("scorecard_id", "question"),
        CheckConstraint("mode IN ('off', 'shadow', 'suggest')", name="known_mode"),
    )


class MachineAnswer(Base):
    """What a machine said about one question of one conversation: an answer with evidence, an abstention,
    or an answer that the host refused for ``reason``."""

    __tablename__ = "machine_answer"

    id: Mapped[int] = mapped_column(primary_key=True)
    interaction_id: Mapped[int] = mapped_column(ForeignKey("interaction.id", ondelete="CASCADE"))
    scorecard_id: Mapped[int] = mapped_column(ForeignKey("scorecard.id"), index=True)
    version_id: Mapped[int] = mapped_column(ForeignKey("scorecard_version.id"))
    question: Mapped[str] = mapped_column(String(120))
    scorer: Mapped[str] = mapped_column(String(120))
    scorer_version: Mapped[str] = mapped_column(String(40))
    of: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(10))
    answer: Mapped[str | None] = mapped_column(String(120))
    confidence: Mapped[float | None]
    evidence: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    reason: Mapped[str] = mapped_column(String(500), default="")
    input_hash: Mapped[str] = mapped_column(String(64))
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)

    __table_args__ = (
        UniqueConstraint("interaction_id", "version_id", "question"),
        CheckConstraint("state IN ('suggested', 'abstained', 'refused')", name="known_state"),
    )


class Decision(Base):
    """What a person made of a machine's answer."""

    __tablename__ = "machine_answer_decision"

    evaluation_id: Mapped[int] = mapped_column(
        ForeignKey("evaluation.id", ondelete="CASCADE"), primary_key=True
    )
    machine_answer_id: Mapped[int] = mapped_column(
        ForeignKey("machine_answer.id", ondelete="CASCADE"), primary_key=True
    )
    is_accepted: Mapped[bool] = mapped_column(Boolean)
    reason: Mapped[str] = mapped_column(String(500), default="")
    decided_by_id: Mapped[int] = mapped_column(ForeignKey("user.id"))
    decided_at: Mapped[datetime] = mapped_column(UtcDateTime)
