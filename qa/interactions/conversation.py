"""A conversation as a page shows it: turns in order, with the silences between them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from qa.interactions import written
from qa.interactions.models import Interaction, Recording, Turn
from qa.stats import intervals

SPEAKER_WORDS = {
    "agent": "Agent",
    "customer": "Customer",
    "bot": "Bot",
    "system": "System",
    "unknown": "Unknown",
}
SHOWN_SILENCE_MS = 5_000


@dataclass(frozen=True, slots=True)
class Row:
    """A turn, or a stretch of silence when ``turn`` is None."""

    turn: Turn | None
    speaker: str = ""
    both_talk: bool = False
    silence: tuple[int, int] | None = None
    waited: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Conversation:
    """What the conversation column needs. Bands are empty unless ``timed``: then the sound's are drawn."""

    interaction: Interaction
    kind: str
    rows: tuple[Row, ...]
    recording: Recording | None
    timed: bool
    silences: tuple[intervals.Span, ...]
    overlaps: tuple[intervals.Span, ...]
    agent_share: int | None
    customer_share: int | None
    lane: tuple[written.Block, ...] = ()

    def lanes(self) -> dict[str, Any]:
        """Return silence and overlap bands for the player."""
        return {"silences": list(self.silences), "overlaps": list(self.overlaps)}


def conversation_of(interaction: Interaction) -> Conversation:
    """Return the view of an interaction whose turns and recordings are loaded."""
    turns = interaction.turns
    spans = {who: _spans(turns, who) for who in ("agent", "customer")}
    spoken = [span for turn in turns for span in _span(turn)]
    recording = interaction.recordings[0] if interaction.recordings else None
    duration = (recording.duration_ms if recording else None) or interaction.duration_ms or 0
    timed = interaction.channel == "voice" and bool(spoken)
    quiet = intervals.silences(spoken, duration) if timed else []
    both = intervals.overlaps(spans["agent"], spans["customer"]) if timed else []
    kind = {"voice": "voice", "chat": "chat"}.get(interaction.channel, "mail")
    messages = [] if kind == "voice" else [_message(turn) for turn in turns]
    return Conversation(
        interaction=interaction,
        kind=kind,
        rows=tuple(_rows(turns, quiet, both) if kind == "voice" else _letters(interaction, messages)),
        recording=recording,
        timed=timed,
        silences=tuple(quiet),
        overlaps=tuple(both),
        agent_share=_share(spans["agent"], duration) if timed else None,
        customer_share=_share(spans["customer"], duration) if timed else None,
        lane=written.lane(messages, interaction.channel),
    )


def _message(turn: Turn) -> written.Message:
    return written.Message(turn.speaker, turn.sent_at, len(turn.text), turn.kind)


def _letters(interaction: Interaction, messages: list[written.Message]) -> list[Row]:
    """Return the messages with their writers' names and the long waits before them."""
    names = {
        "agent": interaction.agent.name if interaction.agent else "",
        "customer": interaction.customer_name,
    }
    found = written.waits(messages, interaction.channel)
    return [
        Row(turn, names.get(turn.speaker) or SPEAKER_WORDS[turn.speaker], waited=waited)
        for turn, waited in zip(interaction.turns, found, strict=True)
    ]


def _rows(turns: list[Turn], quiet: list[intervals.Span], both: list[intervals.Span]) -> list[Row]:
    rows: list[Row] = []
    waiting = [span for span in quiet if span[1] - span[0] >= SHOWN_SILENCE_MS]
    for turn in turns:
        while waiting and turn.start_ms is not None and waiting[0][1] <= turn.start_ms:
            rows.append(Row(None, silence=waiting.pop(0)))
        crossed = any(a < (turn.end_ms or 0) and b > (turn.start_ms or 0) for a, b in both)
        rows.append(Row(turn, SPEAKER_WORDS[turn.speaker], both_talk=crossed and turn.start_ms is not None))
    return rows


def _spans(turns: list[Turn], who: str) -> list[intervals.Span]:
    return [span for turn in turns if turn.speaker == who for span in _span(turn)]


def _span(turn: Turn) -> list[intervals.Span]:
    if turn.start_ms is None or turn.end_ms is None:
        return []
    return [(turn.start_ms, turn.end_ms)]


def _share(spans: list[intervals.Span], duration: int) -> int | None:
    return round(100 * intervals.total_ms(spans) / duration) if duration else None
