"""Tables of scorecards. An activated version never changes: what judged people stays readable.

The YAML text is the truth of a version; ``qa.scorecards.document`` reads it.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Boolean, CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from qa.accounts.models import User
from qa.core.actor import Scope
from qa.core.db import Base, UtcDateTime

TITLE_MAX = 350
DRAFT, ACTIVE, RETIRED = "draft", "active", "retired"


class Scorecard(Base):
    """A form with a stable ``ref``; its versions hold the questions."""

    __tablename__ = "scorecard"

    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(String(120), unique=True)
    title: Mapped[str] = mapped_column(String(TITLE_MAX))
    is_demo: Mapped[bool] = mapped_column(Boolean, default=False)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)

    versions: Mapped[list[ScorecardVersion]] = relationship(
        lazy="raise", back_populates="scorecard", order_by="ScorecardVersion.number"
    )

    @property
    def scope(self) -> Scope:
        """Scorecards belong to the site: everybody reads the form that judges them."""
        return Scope()


class ScorecardVersion(Base):
    """One version: draft, active or retired; exactly one is active per scorecard."""

    __tablename__ = "scorecard_version"

    id: Mapped[int] = mapped_column(primary_key=True)
    scorecard_id: Mapped[int] = mapped_column(ForeignKey("scorecard.id"))
    number: Mapped[int]
    state: Mapped[str] = mapped_column(String(10), default=DRAFT)
    title: Mapped[str] = mapped_column(String(TITLE_MAX))
    yaml: Mapped[str] = mapped_column(Text)
    made_by_id: Mapped[int | None] = mapped_column(ForeignKey(User.id))
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    activated_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    activated_by_id: Mapped[int | None] = mapped_column(ForeignKey(User.id))
    retired_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    scorecard: Mapped[Scorecard] = relationship(lazy="raise", back_populates="versions")

    __table_args__ = (
        UniqueConstraint("scorecard_id", "number"),
        CheckConstraint("state IN ('draft', 'active', 'retired')", name="known_state"),
        Index(
            "uq_scorecard_version_active",
            "scorecard_id",
            unique=True,
            sqlite_where=(state == ACTIVE),
            postgresql_where=(state == ACTIVE),
        ),
    )
