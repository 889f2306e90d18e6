"""The audit log: who did what to which record, written in the transaction of the act.

Rows are only ever added; the database itself refuses to change or delete them. They name
fields, never the text of a conversation.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, String, Text
from sqlalchemy.orm import Mapped, Session, mapped_column

from qa.core.actor import Actor
from qa.core.db import Base, UtcDateTime


class AuditEntry(Base):
    """One act. ``prev`` and ``hash`` stay empty until the chain is sealed."""

    __tablename__ = "audit_entry"

    seq: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    actor_id: Mapped[int | None]
    on_behalf_of_id: Mapped[int | None]
    role: Mapped[str] = mapped_column(String(200))
    action: Mapped[str] = mapped_column(String(80))
    object_kind: Mapped[str] = mapped_column(String(40))
    object_id: Mapped[str] = mapped_column(String(80))
    before: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    after: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    reason: Mapped[str | None] = mapped_column(Text)
    request_id: Mapped[str | None] = mapped_column(String(40))
    source_address: Mapped[str | None] = mapped_column(String(64))
    prev: Mapped[str | None] = mapped_column(String(64))
    hash: Mapped[str | None] = mapped_column(String(64))


def record(
    session: Session,
    actor: Actor,
    action: str,
    kind: str,
    object_id: object,
    *,
    now: datetime,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    reason: str | None = None,
) -> None:
    """Add the row of one act to the caller's transaction. ``action`` is ``area:verb``."""
    session.add(
        AuditEntry(
            at=now,
            actor_id=actor.id,
            role="+".join(sorted(actor.roles)),
            action=action,
            object_kind=kind,
            object_id=str(object_id),
            before=dict(before) if before is not None else None,
            after=dict(after) if after is not None else None,
            reason=reason,
            request_id=actor.request_id,
            source_address=shortened(actor.address),
        )
    )


def shortened(address: str | None) -> str | None:
    """Return the network part of an address: enough to see a pattern, not a person."""
    if address is None:
        return None
    if ":" in address:
        return ":".join(address.split(":")[:3]) + "::"
    return ".".join([*address.split(".")[:3], "0"])
