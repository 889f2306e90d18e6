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
class RecordingReady(Event):
    """The worker has looked at a recording: it can be heard."""

    recording_id: int
    interaction_id: int


@dataclass(frozen=True, slots=True)
class TranscriptReady(Event):
    """A conversation has a redacted text made from its recording."""

    interaction_id: int


@dataclass(frozen=True, slots=True)
class ConversationEnriched(Event):
    """What plugins and the core measure in a conversation is known."""

    interaction_id: int


@dataclass(frozen=True, slots=True)
class AccountMatched(Event):
    """An account of another system became somebody's, somebody else's, or nobody's."""

    alias_id: int
    user_id: int | None
    former_user_id: int | None
