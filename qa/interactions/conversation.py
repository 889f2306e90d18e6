"""A conversation as a page shows it: turns in order, with the silences between them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from qa.interactions import written
from qa.interactions.models import Interaction
from qa.interactions.queries import Heard, Recorded, Said
from qa.interactions.redacting import DONE
from qa.interactions.redaction import WITHHELD
from qa.stats import intervals

SPEAKER_WORDS = {
    "agent": "Agent",
    "customer": "Customer",
    "bot": "Bot",
    "system": "System",
    "unknown": "Unknown",
}
SHOWN_SILENCE_MS = 5_000


class Line(NamedTuple):
    """A turn as it is shown, or a stretch of silence when ``turn_id`` is None.

    Flat, so that a page of thousands takes one apart by name in its loop instead of looking up each part.
    """

    turn_id: int | None
    position: int | None = None
    who: str = ""
    speaker: str = ""
    kind: str = ""
    start_ms: int | None = None
    end_ms: int | None = None
    sent_at: datetime | None = None
    text: str = ""
    both_talk: bool = False
    silence: intervals.Span | None = None
    waited: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Conversation:
    """What the conversation column needs. Bands are empty unless ``timed``: then the sound's are drawn."""

    interaction: Interaction
    kind: str
    lines: tuple[Line, ...]
    recording: Recorded | None
    timed: bool
    silences: tuple[intervals.Span, ...]
    overlaps: tuple[intervals.Span, ...]
    agent_share: int | None
    customer_share: int | None
    lane: tuple[written.Block, ...] = ()
    withheld: str = ""

    def lanes(self) -> dict[str, Any]:
        """Return silence and overlap bands for the player."""
        return {"silences": list(self.silences), "overlaps": list(self.overlaps)}


UNTIL_THEN = "Neither its words nor its sound are shown until then."
NOT_YOURS = "Your role sees the facts of a conversation, not what was said."


def conversation_of(interaction: Interaction, heard: Heard, *, is_readable: bool = True) -> Conversation:
    """Return the view of an interaction with agent and team, and what was said in it."""
    if not is_readable:
        return _withheld(interaction, NOT_YOURS)
    if interaction.redaction != DONE:
        reason = (interaction.withheld_reason or WITHHELD).rstrip(".")
        return _withheld(interaction, f"{reason}. {UNTIL_THEN}")
    turns, recordings = heard.turns, heard.recordings
    spans = _spans(turns)
    agent, customer = spans["agent"], spans["customer"]
    spoken = [span for some in spans.values() for span in some]
    recording = recordings[0] if recordings else None
    duration = (recording.duration_ms if recording else None) or interaction.duration_ms or 0
    timed = interaction.channel == "voice" and bool(spoken)
    quiet = intervals.silences(spoken, duration) if timed else []
    both = intervals.overlaps(agent, customer) if timed else []
    kind = {"voice": "voice", "chat": "chat"}.get(interaction.channel, "mail")
    messages = [] if kind == "voice" else [_message(turn) for turn in turns]
    return Conversation(
        interaction=interaction,
        kind=kind,
        lines=tuple(
            _spoken(turns, quiet, both) if kind == "voice" else _written(interaction, turns, messages)
        ),
        recording=recording,
        timed=timed,
        silences=tuple(quiet),
        overlaps=tuple(both),
        agent_share=_share(agent, duration) if timed else None,
        customer_share=_share(customer, duration) if timed else None,
        lane=written.lane(messages, interaction.channel),
    )


def _withheld(interaction: Interaction, reason: str) -> Conversation:
    """Return the view of a conversation that may not be read or heard: nothing but the reason."""
    kind = {"voice": "voice", "chat": "chat"}.get(interaction.channel, "mail")
    return Conversation(interaction, kind, (), None, False, (), (), None, None, withheld=reason)


def _message(turn: Said) -> written.Message:
    return written.Message(turn.speaker, turn.sent_at, len(turn.text), turn.kind)


def _written(interaction: Interaction, turns: Sequence[Said], messages: list[written.Message]) -> list[Line]:
    """Return the messages with their writers' names and the long waits before them."""
    names = {
        "agent": interaction.agent.name if interaction.agent else "",
        "customer": interaction.customer_name,
    }
    found = written.waits(messages, interaction.channel)
    return [
        _line(turn, names.get(turn.speaker) or SPEAKER_WORDS[turn.speaker], waited=waited)
        for turn, waited in zip(turns, found, strict=True)
    ]


def _spoken(
    turns: Sequence[Said], quiet: Sequence[intervals.Span], both: Sequence[intervals.Span]
) -> list[Line]:
    """Return the utterances, each after the long silences before it."""
    lines: list[Line] = []
    waiting = [span for span in reversed(quiet) if span[1] - span[0] >= SHOWN_SILENCE_MS]
    for turn in turns:
        start, end = turn.start_ms, turn.end_ms or 0
        crossed = False
        if start is not None:
            while waiting and waiting[-1][1] <= start:
                lines.append(Line(None, silence=waiting.pop()))
            crossed = any(a < end and b > start for a, b in both)
        lines.append(_line(turn, SPEAKER_WORDS[turn.speaker], both_talk=crossed))
    return lines


def _line(turn: Said, speaker: str, *, both_talk: bool = False, waited: timedelta | None = None) -> Line:
    turn_id, position, who, kind, start, end, sent_at, text = turn
    return Line(turn_id, position, who, speaker, kind, start, end, sent_at, text, both_talk, waited=waited)


def _spans(turns: Iterable[Said]) -> dict[str, list[intervals.Span]]:
    """Return when each speaker speaks, as far as it is known."""
    found: dict[str, list[intervals.Span]] = defaultdict(list)
    for _, _, who, _, start, end, _, _ in turns:
        if start is not None and end is not None:
            found[who].append((start, end))
    return found


def _share(spans: list[intervals.Span], duration: int) -> int | None:
    return round(100 * intervals.total_ms(spans) / duration) if duration else None
