"""What conversations tell the rest of the house."""

from __future__ import annotations

from dataclasses import dataclass

from qa.core.outbox import Event


@dataclass(frozen=True, slots=True)
class InteractionsChanged(Event):
    """Conversations of one source came in, changed, or went; ids only, at most one batch."""

    source: str
    created: list[int]
    updated: list[int]
    deleted: list[int]
    merged: list[int]


@dataclass(frozen=True, slots=True)
class AccountMatched(Event):
    """An account of another system became somebody's, somebody else's, or nobody's."""

    alias_id: int
    user_id: int | None
    former_user_id: int | None
