"""From a recording to a redacted text and what is measured in it: what the jobs write, what people ask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, exists, insert, select, update
from sqlalchemy.orm import Session

from qa.accounts.permissions import Permission as P
from qa.accounts.policy import require
from qa.core import audit, jobs, outbox
from qa.core.actor import SYSTEM, Actor
from qa.core.crypto import Keys
from qa.core.errors import Conflict, NotFound
from qa.interactions import original_service as originals
from qa.interactions.events import ConversationEnriched, TranscriptReady
from qa.interactions.models import Interaction, Recording, Turn
from qa.interactions.queries import get_interaction
from qa.interactions.redacting import DONE as REDACTED
from qa.interactions.redacting import Safe, Said
from qa.interactions.speech_models import (
    DONE,
    EMPTY,
    FAILED,
    STOPPED,
    WAITING,
    Enrichment,
    SignalRow,
    Transcription,
)

TRANSCRIBE_JOB = "speech.transcribe"
ENRICH_JOB = "speech.enrich"


@dataclass(frozen=True, slots=True)
class Made:
    """A transcript as it is kept: who said what when, before and after redaction, and by what it was made."""

    said: Sequence[Said]
    confs: Sequence[float | None]
    safe: Safe
    language: str
    facts: dict[str, Any]


def ask_transcription(
    session: Session, actor: Actor, *, recording_id: int, now: datetime, problem: str = ""
) -> bool:
    """Ask for the text of a recording, unless it was asked for or there is one already; tell which.

    With a ``problem`` no job begins: the page says it, and somebody asks again when it is solved.
    """
    require(actor, P.RECORDING_UPLOAD)
    row = session.get(Recording, recording_id)
    if row is None or row.state != "ready" or session.get(Transcription, recording_id) is not None:
        return False
    known = session.get(Interaction, row.interaction_id)
    has_words = session.scalar(select(exists().where(Turn.interaction_id == row.interaction_id)))
    if known is None or known.channel != "voice" or known.deleted_at is not None or has_words:
        return False
    made = Transcription(
        recording_id=recording_id, interaction_id=row.interaction_id, state=WAITING, asked_at=now
    )
    if problem:
        made.state, made.reason, made.made_at = FAILED, problem, now
    else:
        made.job_id = _enqueue(session, recording_id, now)
    session.add(made)
    session.flush()
    return True


def _enqueue(session: Session, recording_id: int, now: datetime) -> int | None:
    payload = {"recording_id": recording_id}
    return jobs.enqueue(session, TRANSCRIBE_JOB, payload, now=now, queue="model")


def keep_transcript(
    session: Session, actor: Actor, *, recording_id: int, made: Made, keys: Keys, now: datetime
) -> None:
    """Store a redacted transcript, in the transaction that ends its job: so it is there exactly once."""
    require(actor, P.RECORDING_UPLOAD)
    row = session.get(Transcription, recording_id)
    recording = session.get(Recording, recording_id)
    if row is None or recording is None or row.state == DONE:
        return
    if session.scalar(select(exists().where(Turn.interaction_id == row.interaction_id))):
        row.state, row.reason = STOPPED, "The words came from elsewhere meanwhile."
        return
    for name, value in made.facts.items():
        setattr(row, name, value)
    row.state, row.reason, row.made_at = DONE if made.said else EMPTY, "", now
    if made.said:
        turns = [_turn(row.interaction_id, made, place) for place in range(len(made.said))]
        session.execute(insert(Turn), turns)
    values = {
        "turn_count": len(made.said),
        "redaction": made.safe.state,
        "withheld_reason": made.safe.reason,
    }
    session.execute(update(Interaction).where(Interaction.id == row.interaction_id).values(values))
    session.execute(
        update(Interaction)
        .where(Interaction.id == row.interaction_id, Interaction.language == "")
        .values(language=made.language[:20])
    )
    originals.keep_sealed_words(session, actor, row.interaction_id, made.safe, keys=keys, now=now)
    originals.have_covered(session, actor, recording, made.safe.tones, now=now)
    if made.said and made.safe.state == REDACTED:
        outbox.emit(session, TranscriptReady(row.interaction_id), now=now)


def _turn(interaction_id: int, made: Made, place: int) -> dict[str, Any]:
    said = made.said[place]
    return {
        "interaction_id": interaction_id,
        "position": said.position,
        "speaker": said.speaker,
        "kind": "speech",
        "start_ms": said.start_ms,
        "end_ms": said.end_ms,
        "stored": made.safe.texts[said.position],
        "is_redacted": made.safe.state == REDACTED,
        "channel": said.channel,
        "conf": made.confs[place],
        "words": made.safe.words.get(said.position),
    }


def fail_transcription(
    session: Session, actor: Actor, *, recording_id: int, reason: str, now: datetime
) -> None:
    """Say why a recording has no text."""
    require(actor, P.RECORDING_UPLOAD)
    row = session.get(Transcription, recording_id)
    if row is not None and row.state == WAITING:
        row.state, row.reason, row.made_at = FAILED, reason[:500], now


def stop_transcription(session: Session, actor: Actor, interaction_id: int, *, now: datetime) -> None:
    """Stop making the text of a conversation; what is done so far is kept for another try."""
    require(actor, P.TRANSCRIPT_CORRECT, get_interaction(session, actor, interaction_id).scope)
    row = _asked(session, actor, interaction_id)
    if row.state != WAITING:
        raise Conflict("It is not being transcribed any more.")
    if row.job_id is not None:
        jobs.ask_cancel(session, row.job_id, now=now)
    row.state, row.reason = STOPPED, f"{actor.name} stopped it."
    audit.record(
        session, actor, "transcript:correct", "interaction", interaction_id, now=now, after={"stopped": True}
    )


def transcribe_again(session: Session, actor: Actor, interaction_id: int, *, now: datetime) -> None:
    """Ask again for a text that failed or was stopped, before all others."""
    require(actor, P.TRANSCRIPT_CORRECT, get_interaction(session, actor, interaction_id).scope)
    row = _asked(session, actor, interaction_id)
    if row.state == WAITING:
        if row.job_id is not None:
            jobs.hurry(session, row.job_id)
        return
    if row.state not in {FAILED, STOPPED}:
        raise Conflict("This recording has its text already.")
    row.state, row.reason, row.asked_at = WAITING, "", now
    row.job_id = _enqueue(session, row.recording_id, now)
    if row.job_id is not None:
        jobs.hurry(session, row.job_id)
    audit.record(
        session, actor, "transcript:correct", "interaction", interaction_id, now=now, after={"asked": True}
    )


def _asked(session: Session, actor: Actor, interaction_id: int) -> Transcription:
    row = find_transcription(session, actor, interaction_id)
    if row is None:
        raise NotFound("Nobody asked for a transcript of this conversation.")
    return row


def find_transcription(session: Session, actor: Actor, interaction_id: int) -> Transcription | None:
    """Return how far the text of a conversation is that the caller may see, None when nobody asked."""
    require(SYSTEM, P.TRANSCRIPT_READ)
    wanted = select(Transcription).where(Transcription.interaction_id == interaction_id)
    return session.scalar(wanted.order_by(Transcription.recording_id).limit(1))


def ask_enrichment(session: Session, actor: Actor, ids: Sequence[int], *, now: datetime) -> None:
    """Have conversations measured, and looked at by plugins."""
    require(actor, P.RECORDING_UPLOAD)
    if ids:
        jobs.enqueue(session, ENRICH_JOB, {"interaction_ids": list(ids)}, now=now, queue="import")


def keep_enrichment(
    session: Session,
    actor: Actor,
    enrichment: Enrichment,
    signals: Sequence[dict[str, Any]],
    *,
    now: datetime,
) -> None:
    """Store measures and signals of one conversation in the place of those from before."""
    require(actor, P.RECORDING_UPLOAD)
    interaction_id = enrichment.interaction_id
    if session.get(Interaction, interaction_id) is None:
        return
    session.merge(enrichment)
    session.execute(delete(SignalRow).where(SignalRow.interaction_id == interaction_id))
    if signals:
        session.execute(insert(SignalRow), [{**one, "interaction_id": interaction_id} for one in signals])
    outbox.emit(session, ConversationEnriched(interaction_id), now=now)
