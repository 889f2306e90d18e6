"""Tables of plugins: what is installed and allowed, sealed secrets, and what waits to be sent out.

Plugins have names, not numbers: a row stays when the plugin is removed and fits again when it is back.
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
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from qa.accounts.models import User
from qa.core.db import Base, UtcDateTime

NAME_MAX = 60
NOTE_MAX = 300
REASON_MAX = 1_000
DETAIL_MAX = 6_000
TARGET_MAX = 200
KEY_MAX = 200
OUTGOING_STATES = ("pending", "sent", "dead", "discarded")

_PENDING = text("state = 'pending'")


class Plugin(Base):
    """One installed plugin.

    It runs when it is enabled and its version and fingerprint are the allowed ones. ``report`` is what
    loading it in a child process told, for ``report_of``; ``settings`` what a person typed, without
    secrets. ``seconds`` holds the durations of its last calls by what was called.
    """

    __tablename__ = "plugin"

    name: Mapped[str] = mapped_column(String(NAME_MAX), primary_key=True)
    distribution: Mapped[str] = mapped_column(String(200))
    version: Mapped[str] = mapped_column(String(60), default="")
    origin: Mapped[str] = mapped_column(String(500), default="")
    fingerprint: Mapped[str] = mapped_column(String(64), default="")
    is_there: Mapped[bool] = mapped_column(Boolean, default=True)
    is_enabled: Mapped[bool] = mapped_column(Boolean, default=False)
    allowed_version: Mapped[str] = mapped_column(String(60), default="")
    allowed_fingerprint: Mapped[str] = mapped_column(String(64), default="")
    position: Mapped[int | None]
    settings: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    report: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    report_of: Mapped[str] = mapped_column(String(64), default="")
    reported_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    strikes: Mapped[list[float]] = mapped_column(JSON, default=list)
    rests_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    error: Mapped[str] = mapped_column(String(REASON_MAX), default="")
    error_detail: Mapped[str] = mapped_column(Text, default="")
    error_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    call_count: Mapped[int] = mapped_column(default=0)
    failure_count: Mapped[int] = mapped_column(default=0)
    seconds: Mapped[dict[str, list[float]]] = mapped_column(JSON, default=dict)
    called_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    note: Mapped[str] = mapped_column(String(NOTE_MAX), default="")
    changed_by_id: Mapped[int | None] = mapped_column(ForeignKey(User.id))
    changed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    found_at: Mapped[datetime] = mapped_column(UtcDateTime)


class SealedSecret(Base):
    """One secret of one owner (``plugin:chat``, ``source:zendesk``): written, used, never shown."""

    __tablename__ = "sealed_secret"

    owner: Mapped[str] = mapped_column(String(120), primary_key=True)
    name: Mapped[str] = mapped_column(String(60), primary_key=True)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    changed_by_id: Mapped[int | None] = mapped_column(ForeignKey(User.id))
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)


class MailSettings(Base):
    """How mail goes out; one row, none until somebody set it up. The password is a sealed secret."""

    __tablename__ = "mail_settings"

    id: Mapped[int] = mapped_column(primary_key=True)
    host: Mapped[str] = mapped_column(String(253))
    port: Mapped[int]
    security: Mapped[str] = mapped_column(String(10))
    username: Mapped[str] = mapped_column(String(254), default="")
    sender: Mapped[str] = mapped_column(String(254))
    is_on: Mapped[bool] = mapped_column(Boolean, default=True)
    changed_by_id: Mapped[int | None] = mapped_column(ForeignKey(User.id))
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Outgoing(Base):
    """Something to be delivered outside, at least once and in order for each target.

    ``work`` names who carries it out (``event``, ``notice`` …), ``sealed`` holds what they need. The same
    ``key`` is never put in twice for a target and goes along, so that the far side can know it again.
    """

    __tablename__ = "outgoing"

    id: Mapped[int] = mapped_column(primary_key=True)
    work: Mapped[str] = mapped_column(String(20))
    plugin: Mapped[str] = mapped_column(String(NAME_MAX))
    target: Mapped[str] = mapped_column(String(TARGET_MAX))
    key: Mapped[str] = mapped_column(String(KEY_MAX))
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    state: Mapped[str] = mapped_column(String(10), default="pending")
    attempt: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    error: Mapped[str] = mapped_column(String(REASON_MAX), default="")
    put_at: Mapped[datetime] = mapped_column(UtcDateTime)
    settled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    __table_args__ = (
        UniqueConstraint("target", "key"),
        CheckConstraint(f"state IN {OUTGOING_STATES!r}", name="known_state"),
        Index("ix_outgoing_pending", "target", "id", sqlite_where=_PENDING, postgresql_where=_PENDING),
        Index("ix_outgoing_state", "state", "id"),
    )
