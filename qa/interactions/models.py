"""Tables of conversations: one model for calls, chats, e-mails and tickets.

Times inside a conversation are whole milliseconds from its start. A deleted conversation
stays as a tombstone, so that the same delivery does not bring it back.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Numeric,
    String,
    Text,
    UniqueConstraint,
    false,
    select,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from qa.accounts.models import Team, User, works_in
from qa.core.actor import Scope, ScopeColumns
from qa.core.db import Base, UtcDateTime

CHANNELS = ("voice", "chat", "email", "ticket")
SPEAKERS = ("agent", "customer", "bot", "system", "unknown")
PLAYABLE = "playable"
RECORDING_KEY = "recording"
"""What the key of a recording is sealed for."""

TURN_KINDS = ("speech", "message", "note", "event")


_UNREDACTED = text("redaction != 'done'")


class Interaction(Base):
    """One conversation with one customer, whoever took part.

    ``redaction`` is done, waiting, or withheld for ``withheld_reason``; only when done its words are shown.
    """

    __tablename__ = "interaction"

    id: Mapped[int] = mapped_column(primary_key=True)
    source: Mapped[str] = mapped_column(String(80))
    external_id: Mapped[str] = mapped_column(String(200))
    channel: Mapped[str] = mapped_column(String(10))
    queue: Mapped[str] = mapped_column(String(120), default="")
    direction: Mapped[str] = mapped_column(String(10), default="inbound")
    language: Mapped[str] = mapped_column(String(20), default="")
    subject: Mapped[str] = mapped_column(String(500), default="")
    customer_reference: Mapped[str] = mapped_column(String(200), default="")
    customer_name: Mapped[str] = mapped_column(String(200), default="")
    agent_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    team_id: Mapped[int | None] = mapped_column(ForeignKey("team.id"))
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    duration_ms: Mapped[int | None]
    turn_count: Mapped[int] = mapped_column(Integer, default=0)

    talk_seconds: Mapped[int | None]
    hold_seconds: Mapped[int | None]
    wrap_seconds: Mapped[int | None]
    wait_seconds: Mapped[int | None]
    first_reply_seconds: Mapped[int | None]
    resolution_seconds: Mapped[int | None]
    reopen_count: Mapped[int | None]
    transfer_count: Mapped[int | None]
    csat: Mapped[Decimal | None] = mapped_column(Numeric(8, 2))
    csat_max: Mapped[Decimal | None] = mapped_column(Numeric(8, 2))
    sla_met: Mapped[bool | None] = mapped_column(Boolean)
    resolved_first_contact: Mapped[bool | None] = mapped_column(Boolean)

    fields: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    content_hash: Mapped[str] = mapped_column(String(64), default="")
    source_updated_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    merged_into: Mapped[str] = mapped_column(String(200), default="", server_default="")
    evaluated_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    is_demo: Mapped[bool] = mapped_column(Boolean, default=False)
    redaction: Mapped[str] = mapped_column(String(10), default="waiting", server_default="waiting")
    withheld_reason: Mapped[str] = mapped_column(String(300), default="", server_default="")
    imported_at: Mapped[datetime] = mapped_column(UtcDateTime)
    deleted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    agent: Mapped[User | None] = relationship(lazy="raise")
    team: Mapped[Team | None] = relationship(lazy="raise")
    participants: Mapped[list[Participant]] = relationship(
        lazy="raise", order_by="Participant.position", cascade="all, delete-orphan"
    )
    viewers: Mapped[list[Viewer]] = relationship(lazy="raise", cascade="all, delete-orphan")
    turns: Mapped[list[Turn]] = relationship(
        lazy="raise", order_by="Turn.position", cascade="all, delete-orphan"
    )
    recordings: Mapped[list[Recording]] = relationship(
        lazy="raise", order_by="Recording.id", back_populates="interaction"
    )
    tags: Mapped[list[InteractionTag]] = relationship(lazy="raise", cascade="all, delete-orphan")

    __table_args__ = (
        UniqueConstraint("source", "external_id"),
        CheckConstraint(f"channel IN {CHANNELS!r}", name="known_channel"),
        Index("ix_interaction_unredacted", "id", sqlite_where=_UNREDACTED, postgresql_where=_UNREDACTED),
        Index("ix_interaction_started", "started_at", "id"),
        Index("ix_interaction_team_started", "team_id", "started_at", "id"),
        Index("ix_interaction_agent_started", "agent_id", "started_at", "id"),
        Index("ix_interaction_channel_started", "channel", "started_at", "id"),
    )

    @property
    def scope(self) -> Scope:
        """About everyone who took part as an agent; needs agent, participants and viewers loaded."""
        team = self.agent.team_id if self.agent else None
        return Scope(
            agent_ids=frozenset(p.user_id for p in self.participants),
            assigned_ids=frozenset(v.user_id for v in self.viewers),
            team_ids=frozenset() if team is None else frozenset({team}),
        )

    @classmethod
    def scope_columns(cls) -> ScopeColumns:
        """The same as SQL."""
        return ScopeColumns(
            about=lambda user_id: cls.id.in_(interactions_of(user_id)),
            assigned=lambda user_id: cls.id.in_(
                select(Viewer.interaction_id).where(Viewer.user_id == user_id)
            ),
            in_teams=lambda ids: works_in(cls.agent_id, ids),
        )


class Participant(Base):
    """An agent's part in a conversation."""

    __tablename__ = "participant"

    interaction_id: Mapped[int] = mapped_column(
        ForeignKey("interaction.id", ondelete="CASCADE"), primary_key=True
    )
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"), primary_key=True, index=True)
    part: Mapped[str] = mapped_column(String(20), default="main")
    position: Mapped[int] = mapped_column(default=1)

    user: Mapped[User] = relationship(lazy="raise")


class Viewer(Base):
    """A person to whom this conversation was given to look at, and why: an assignment, a session."""

    __tablename__ = "viewer"

    interaction_id: Mapped[int] = mapped_column(
        ForeignKey("interaction.id", ondelete="CASCADE"), primary_key=True
    )
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"), primary_key=True, index=True)
    because: Mapped[str] = mapped_column(String(40), primary_key=True)


class Turn(Base):
    """One utterance, message, internal note or event, in order.

    ``text`` is empty until redaction has passed over it, whatever is stored. ``words`` are the times of
    its words, ``[start_ms, end_ms, confidence]`` each, where an engine told them.
    """

    __tablename__ = "turn"

    id: Mapped[int] = mapped_column(primary_key=True)
    interaction_id: Mapped[int] = mapped_column(ForeignKey("interaction.id", ondelete="CASCADE"))
    position: Mapped[int]
    speaker: Mapped[str] = mapped_column(String(10))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    kind: Mapped[str] = mapped_column(String(10), default="speech")
    start_ms: Mapped[int | None]
    end_ms: Mapped[int | None]
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    stored: Mapped[str] = mapped_column("text", Text, default="")
    is_redacted: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    channel: Mapped[int | None]
    conf: Mapped[float | None]
    words: Mapped[list[list[Any]] | None] = mapped_column(JSON, deferred=True)

    __table_args__ = (UniqueConstraint("interaction_id", "position"),)

    @property
    def text(self) -> str:
        """Return what may be read; empty until redaction has passed over it."""
        return self.stored if self.is_redacted else ""


class SealedOriginal(Base):
    """What redaction took out of one conversation: its texts as they came, sealed with the data key.

    ``hidden`` says what was hidden where, ``[position, start, end, label]`` in the original's characters;
    ``tones`` which stretches of sound are covered, ``[channel, start_ms, end_ms, on every channel]``.
    """

    __tablename__ = "sealed_original"

    id: Mapped[int] = mapped_column(primary_key=True)
    interaction_id: Mapped[int] = mapped_column(ForeignKey("interaction.id", ondelete="CASCADE"), unique=True)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    hidden: Mapped[list[list[Any]]] = mapped_column(JSON, default=list)
    tones: Mapped[list[list[Any]]] = mapped_column(JSON, default=list)
    sealed_at: Mapped[datetime] = mapped_column(UtcDateTime)


class InteractionTag(Base):
    """A word somebody put on a conversation."""

    __tablename__ = "interaction_tag"

    interaction_id: Mapped[int] = mapped_column(
        ForeignKey("interaction.id", ondelete="CASCADE"), primary_key=True
    )
    tag: Mapped[str] = mapped_column(String(80), primary_key=True, index=True)


class Recording(Base):
    """A sound file, sealed in chunks in the storage; this row follows the file, never precedes it.

    ``state`` is waiting, ready or broken; ``problem`` is the sentence people read when broken.
    ``speakers`` says who is on which channel, for instance ``["agent", "customer"]``; ``covered`` are the
    tones (see ``SealedOriginal``) that are in the playable file.
    """

    __tablename__ = "recording"

    id: Mapped[int] = mapped_column(primary_key=True)
    interaction_id: Mapped[int] = mapped_column(ForeignKey("interaction.id"), index=True)
    storage_key: Mapped[str] = mapped_column(String(80), unique=True)
    sealed_key: Mapped[bytes] = mapped_column(LargeBinary)
    original_name: Mapped[str] = mapped_column(String(300))
    media_type: Mapped[str] = mapped_column(String(80), default="application/octet-stream")
    size_bytes: Mapped[int]
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    state: Mapped[str] = mapped_column(String(10), default="waiting")
    problem: Mapped[str | None] = mapped_column(String(500))
    format: Mapped[str] = mapped_column(String(40), default="")
    channel_count: Mapped[int | None]
    duration_ms: Mapped[int | None]
    speakers: Mapped[list[str]] = mapped_column(JSON, default=list)
    peaks: Mapped[dict[str, Any] | None] = mapped_column(JSON, deferred=True)
    playable_key: Mapped[str | None] = mapped_column(String(80))
    playable_type: Mapped[str | None] = mapped_column(String(80))
    playable_bytes: Mapped[int | None]
    covered: Mapped[list[list[Any]] | None] = mapped_column(JSON)
    is_demo: Mapped[bool] = mapped_column(Boolean, default=False)
    stored_at: Mapped[datetime] = mapped_column(UtcDateTime)

    interaction: Mapped[Interaction] = relationship(lazy="raise", back_populates="recordings")


def interactions_of(user_id: int) -> Any:
    """Return the ids of conversations a person took part in, as a sub-query."""
    return select(Participant.interaction_id).where(Participant.user_id == user_id)
