"""A stored conversation as a transcript: as our own measures read it, and as plugins take it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, undefer

from qa.interactions import transcript as transcripts
from qa.interactions.models import Interaction, Turn
from qa.interactions.redacting import DONE
from qa.interactions.speech_models import Transcription
from qa.interactions.transcript import words_in
from qa.plugins.api import Segment, Transcript, Word


def as_value(transcript: transcripts.Transcript) -> Transcript:
    """Return a transcript as plugins take it: seconds, and only words that fit their text."""
    return Transcript(
        segments=[
            Segment(
                _seconds(one.start_ms),
                _seconds(one.end_ms),
                one.text,
                channel=one.channel,
                speaker=one.speaker,  # type: ignore[arg-type]
                conf=one.conf,
                words=[Word(w.text, _seconds(w.start_ms), _seconds(w.end_ms), w.conf) for w in one.words],
            )
            for one in transcript.segments
        ],
        duration=_seconds(transcript.duration_ms),
        language=transcript.language,
        holds=None
        if transcript.holds is None
        else [(_seconds(start), _seconds(end)) for start, end in transcript.holds],
        truncated=transcript.truncated,
    )


def _seconds(ms: int) -> float:
    return transcripts.seconds(ms)


def read_transcript(session: Session, interaction_id: int) -> tuple[transcripts.Transcript, bool] | None:
    """Return the redacted text of a conversation and whether it was spoken; None where it is withheld."""
    row = session.get(Interaction, interaction_id)
    if row is None or row.redaction != DONE or row.deleted_at is not None:
        return None
    turns = session.scalars(
        select(Turn)
        .where(Turn.interaction_id == interaction_id, Turn.kind.in_(("speech", "message")))
        .options(undefer(Turn.words))
        .order_by(Turn.position)
    ).all()
    asked = select(Transcription).where(Transcription.interaction_id == interaction_id)
    made = session.scalar(asked.limit(1))
    segments = tuple(segment_of(turn) for turn in turns)
    holds = None if made is None or made.holds is None else tuple(_ms_pair(one) for one in made.holds)
    length = row.duration_ms or max((one.end_ms for one in segments), default=0)
    is_truncated = made is not None and made.truncated
    return transcripts.Transcript(length, segments, holds, row.language, is_truncated), row.channel == "voice"


def segment_of(turn: Turn) -> transcripts.Segment:
    """Return a stored turn as a segment; a written one has its place in the order for its time."""
    text, start = turn.text, turn.start_ms if turn.start_ms is not None else turn.position * 1000
    end = turn.end_ms if turn.end_ms is not None and turn.end_ms >= start else start
    spans, times = words_in(text), turn.words or []
    words = (
        tuple(
            transcripts.Word(text[a:b], at, to, conf)
            for (a, b), (at, to, conf) in zip(spans, times, strict=True)
        )
        if len(times) == len(spans)
        else ()
    )
    speaker = turn.speaker if turn.speaker in ("agent", "customer") else "unknown"
    return transcripts.Segment(start, end, speaker, text, turn.channel or 0, turn.conf, words)


def _ms_pair(hold: Any) -> tuple[int, int]:
    return round(hold[0] * 1000), round(hold[1] * 1000)
