"""Tables of sources: settings and state, lanes with cursor and lease, runs, quarantine, webhook inbox.

What came from outside and is kept for repair or for a worker (rejected records, webhook bodies) is
sealed; nothing secret lies here, secrets have a table of their own.
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
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from qa.core.db import Base, UtcDateTime

KEY_MAX = 80
NAME_MAX = 120
REASON_MAX = 500
STATES = ("new", "ok", "limited", "degraded", "needs_reauth", "paused")
LANES = ("live", "backfill")
QUARANTINE_STATES = ("waiting", "left_out")
INBOX_STATES = ("waiting", "done", "failed")
MEDIA_STATES = ("waiting", "kept", "gone", "failed")

_WAITING = text("state = 'waiting'")


class Source(Base):
    """One configured connector. ``key`` is what its conversations carry as their ``source``.

    ``state`` is the engine's finding; ``is_paused`` a person's wish, which no run changes.
    ``next_at`` is when the live lane is due; None when a person must act first.
    """

    __tablename__ = "source"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(KEY_MAX), unique=True)
    name: Mapped[str] = mapped_column(String(NAME_MAX))
    plugin: Mapped[str] = mapped_column(String(120))
    connector: Mapped[str] = mapped_column(String(60))
    config: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    every_seconds: Mapped[int] = mapped_column(default=300)
    fetches_media: Mapped[bool] = mapped_column(Boolean, default=True)
    writes_back: Mapped[bool] = mapped_column(Boolean, default=False)
    state: Mapped[str] = mapped_column(String(20), default="new")
    reason: Mapped[str] = mapped_column(String(REASON_MAX), default="")
    cure: Mapped[str] = mapped_column(String(REASON_MAX), default="")
    until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    state_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    is_paused: Mapped[bool] = mapped_column(Boolean, default=False)
    next_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    good_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    checked: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    hook_token: Mapped[str | None] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)

    progress: Mapped[list[SyncLane]] = relationship(
        lazy="raise", order_by="SyncLane.stream", cascade="all, delete-orphan"
    )

    __table_args__ = (
        CheckConstraint(f"state IN {STATES!r}", name="known_state"),
        Index("ix_source_next", "next_at"),
    )


class SyncLane(Base):
    """How far one lane of one stream is, and who holds it just now."""

    __tablename__ = "sync_lane"

    source_id: Mapped[int] = mapped_column(ForeignKey("source.id", ondelete="CASCADE"), primary_key=True)
    stream: Mapped[str] = mapped_column(String(80), primary_key=True)
    lane: Mapped[str] = mapped_column(String(10), primary_key=True)
    cursor: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    cursor_version: Mapped[int] = mapped_column(default=1)
    window_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    window_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    is_finished: Mapped[bool] = mapped_column(Boolean, default=False)
    is_paused: Mapped[bool] = mapped_column(Boolean, default=False)
    is_held: Mapped[bool] = mapped_column(Boolean, default=False)
    failures: Mapped[int] = mapped_column(default=0)
    next_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    token: Mapped[str | None] = mapped_column(String(32))
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    run_id: Mapped[int | None]
    record_count: Mapped[int] = mapped_column(default=0)
    since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    until: Mapped[datetime | None] = mapped_column(UtcDateTime)

    __table_args__ = (CheckConstraint(f"lane IN {LANES!r}", name="known_lane"),)


class SyncRun(Base):
    """One run of a lane: when, how it ended, what came in."""

    __tablename__ = "sync_run"

    id: Mapped[int] = mapped_column(primary_key=True)
    source_id: Mapped[int] = mapped_column(ForeignKey("source.id", ondelete="CASCADE"))
    stream: Mapped[str] = mapped_column(String(80))
    lane: Mapped[str] = mapped_column(String(10))
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended: Mapped[str] = mapped_column(String(20), default="")
    words: Mapped[str] = mapped_column(String(REASON_MAX), default="")
    error: Mapped[str] = mapped_column(String(REASON_MAX), default="")
    page_count: Mapped[int] = mapped_column(default=0)
    new_count: Mapped[int] = mapped_column(default=0)
    changed_count: Mapped[int] = mapped_column(default=0)
    same_count: Mapped[int] = mapped_column(default=0)
    deleted_count: Mapped[int] = mapped_column(default=0)
    refused_count: Mapped[int] = mapped_column(default=0)

    __table_args__ = (Index("ix_sync_run_source", "source_id", "id"),)


class Quarantined(Base):
    """A record that could not be kept: sealed as it came, with the reason, until repaired or left out."""

    __tablename__ = "quarantined"

    id: Mapped[int] = mapped_column(primary_key=True)
    source_id: Mapped[int] = mapped_column(ForeignKey("source.id", ondelete="CASCADE"))
    key: Mapped[str] = mapped_column(String(64))
    stream: Mapped[str] = mapped_column(String(80), default="")
    external_id: Mapped[str | None] = mapped_column(String(200))
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    error: Mapped[str] = mapped_column(String(REASON_MAX))
    tries: Mapped[int] = mapped_column(default=1)
    plugin_version: Mapped[str] = mapped_column(String(60), default="")
    state: Mapped[str] = mapped_column(String(10), default="waiting")
    first_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_at: Mapped[datetime] = mapped_column(UtcDateTime)

    source: Mapped[Source] = relationship(lazy="raise")

    __table_args__ = (
        UniqueConstraint("source_id", "key"),
        CheckConstraint(f"state IN {QUARANTINE_STATES!r}", name="known_state"),
        Index("ix_quarantined_external", "source_id", "external_id"),
    )


class Delivery(Base):
    """A webhook that was verified and taken: raw and sealed, worked on once."""

    __tablename__ = "delivery"

    id: Mapped[int] = mapped_column(primary_key=True)
    source_id: Mapped[int] = mapped_column(ForeignKey("source.id", ondelete="CASCADE"))
    delivery_id: Mapped[str] = mapped_column(String(200))
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    size_bytes: Mapped[int]
    state: Mapped[str] = mapped_column(String(10), default="waiting")
    tries: Mapped[int] = mapped_column(default=0)
    error: Mapped[str] = mapped_column(String(REASON_MAX), default="")
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)
    done_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    __table_args__ = (
        UniqueConstraint("source_id", "delivery_id"),
        CheckConstraint(f"state IN {INBOX_STATES!r}", name="known_state"),
        Index("ix_delivery_waiting", "source_id", "id", sqlite_where=_WAITING, postgresql_where=_WAITING),
    )


class Repull(Base):
    """An object that webhooks spoke of; however often, it is pulled again once when due.

    ``due_at`` is empty while nothing new was told since ``pulled_at``.
    """

    __tablename__ = "repull"

    source_id: Mapped[int] = mapped_column(ForeignKey("source.id", ondelete="CASCADE"), primary_key=True)
    stream: Mapped[str] = mapped_column(String(80), primary_key=True)
    external_id: Mapped[str] = mapped_column(String(200), primary_key=True)
    due_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    pulled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    tries: Mapped[int] = mapped_column(default=0)

    __table_args__ = (Index("ix_repull_due", "source_id", "due_at"),)


class MediaReference(Base):
    """A recording or attachment that stays with the vendor until it is fetched."""

    __tablename__ = "media_reference"

    id: Mapped[int] = mapped_column(primary_key=True)
    source_id: Mapped[int] = mapped_column(ForeignKey("source.id", ondelete="CASCADE"))
    interaction_id: Mapped[int] = mapped_column(ForeignKey("interaction.id", ondelete="CASCADE"))
    key: Mapped[str] = mapped_column(String(200))
    reference: Mapped[dict[str, Any]] = mapped_column(JSON)
    state: Mapped[str] = mapped_column(String(10), default="waiting")
    tries: Mapped[int] = mapped_column(default=0)
    next_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    error: Mapped[str] = mapped_column(String(REASON_MAX), default="")
    recording_id: Mapped[int | None] = mapped_column(ForeignKey("recording.id", ondelete="SET NULL"))
    noted_at: Mapped[datetime] = mapped_column(UtcDateTime)

    __table_args__ = (
        UniqueConstraint("interaction_id", "key"),
        CheckConstraint(f"state IN {MEDIA_STATES!r}", name="known_state"),
        Index(
            "ix_media_reference_waiting",
            "source_id",
            "next_at",
            sqlite_where=_WAITING,
            postgresql_where=_WAITING,
        ),
    )
