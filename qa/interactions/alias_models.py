"""Tables of accounts in other systems: which one is which person here, and where each took part.

An account that is nobody's yet never holds a conversation back: the conversation comes in and waits
for a person, who is put in when the account is matched.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from qa.accounts.models import User
from qa.core.db import Base, UtcDateTime

WAITING = "suggested"
MATCHED = ("auto", "confirmed")
STATES = ("auto", WAITING, "confirmed", "ignored", "nobody")


class Alias(Base):
    """An account of another system.

    *auto*: a rule found exactly one person · *suggested*: waits for a person to say who it is ·
    *confirmed*: somebody said · *nobody*: a shared mailbox or a bot · *ignored*: not asked again.
    """

    __tablename__ = "alias"

    id: Mapped[int] = mapped_column(primary_key=True)
    source: Mapped[str] = mapped_column(String(80))
    account: Mapped[str] = mapped_column(String(254))
    email: Mapped[str] = mapped_column(String(254), default="")
    name: Mapped[str] = mapped_column(String(200), default="")
    extension: Mapped[str] = mapped_column(String(80), default="")
    state: Mapped[str] = mapped_column(String(10), default=WAITING)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user.id", ondelete="SET NULL"), index=True)
    rule: Mapped[str] = mapped_column(String(20), default="")
    decided_by_id: Mapped[int | None] = mapped_column(ForeignKey("user.id", ondelete="SET NULL"))
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    first_seen_at: Mapped[datetime] = mapped_column(UtcDateTime)

    user: Mapped[User | None] = relationship(lazy="raise", foreign_keys=user_id)
    decided_by: Mapped[User | None] = relationship(lazy="raise", foreign_keys=decided_by_id)

    __table_args__ = (
        UniqueConstraint("source", "account"),
        CheckConstraint(f"state IN {STATES!r}", name="known_state"),
        Index("ix_alias_state", "state", "id"),
    )


class AliasPart(Base):
    """An account's part in a conversation, whoever the person behind it is."""

    __tablename__ = "alias_part"

    interaction_id: Mapped[int] = mapped_column(
        ForeignKey("interaction.id", ondelete="CASCADE"), primary_key=True
    )
    alias_id: Mapped[int] = mapped_column(
        ForeignKey("alias.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    part: Mapped[str] = mapped_column(String(20), default="main")
    position: Mapped[int] = mapped_column(default=1)
