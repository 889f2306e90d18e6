"""Tables of what machines made of recordings and texts: transcriptions, measures, signals."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Boolean, CheckConstraint, ForeignKey, Index, String, false
from sqlalchemy.orm import Mapped, mapped_column

from qa.core.db import Base, UtcDateTime

WAITING, DONE, EMPTY, FAILED, STOPPED = "waiting", "done", "empty", "failed", "stopped"
STATES = (WAITING, DONE, EMPTY, FAILED, STOPPED)


class Transcription(Base):
    """One recording's way to text, made once: waiting, done, empty, failed for ``reason``, or stopped."""

    __tablename__ = "transcription"

    recording_id: Mapped[int] = mapped_column(
        ForeignKey("recording.id", ondelete="CASCADE"), primary_key=True
    )
    interaction_id: Mapped[int] = mapped_column(ForeignKey("interaction.id", ondelete="CASCADE"), index=True)
    state: Mapped[str] = mapped_column(String(10), default=WAITING, index=True)
    reason: Mapped[str] = mapped_column(String(500), default="")
    job_id: Mapped[int | None]
    engine: Mapped[str] = mapped_column(String(80), default="")
    model: Mapped[str] = mapped_column(String(120), default="")
    params_hash: Mapped[str] = mapped_column(String(80), default="")
    truncated: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    holds: Mapped[list[list[float]] | None] = mapped_column(JSON)
    notes: Mapped[list[str]] = mapped_column(JSON, default=list)
    asked_at: Mapped[datetime] = mapped_column(UtcDateTime)
    made_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    __table_args__ = (CheckConstraint(f"state IN {STATES!r}", name="known_state"),)


class Enrichment(Base):
    """What is measured in a conversation: talk metrics, and which plugins in which version looked at it.

    ``dropped`` says what the host refused of a plugin's signals, and why.
    """

    __tablename__ = "enrichment"

    interaction_id: Mapped[int] = mapped_column(
        ForeignKey("interaction.id", ondelete="CASCADE"), primary_key=True
    )
    talk: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    engines: Mapped[list[str]] = mapped_column(JSON, default=list)
    dropped: Mapped[list[str]] = mapped_column(JSON, default=list)
    failed: Mapped[list[str]] = mapped_column(JSON, default=list)
    enriched_at: Mapped[datetime] = mapped_column(UtcDateTime)


class SignalRow(Base):
    """A fact that a plugin found about the customer or the conversation, never about an agent's feelings."""

    __tablename__ = "signal"

    id: Mapped[int] = mapped_column(primary_key=True)
    interaction_id: Mapped[int] = mapped_column(ForeignKey("interaction.id", ondelete="CASCADE"))
    engine: Mapped[str] = mapped_column(String(120))
    version: Mapped[str] = mapped_column(String(40))
    name: Mapped[str] = mapped_column(String(80))
    value: Mapped[Any | None] = mapped_column(JSON)
    subject: Mapped[str] = mapped_column(String(12))
    basis: Mapped[str] = mapped_column(String(14))
    position: Mapped[int | None]
    char_start: Mapped[int | None]
    char_end: Mapped[int | None]
    start_ms: Mapped[int | None]
    end_ms: Mapped[int | None]
    conf: Mapped[float | None]

    __table_args__ = (Index("ix_signal_interaction_name", "interaction_id", "name", "id"),)
