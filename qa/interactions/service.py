"""What can be done with conversations: add sound, change, take out, give to somebody to look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from qa.accounts.permissions import Permission as P
from qa.accounts.policy import require
from qa.core import audit, jobs, outbox
from qa.core.actor import SYSTEM, Actor, by
from qa.core.errors import Invalid, NotFound
from qa.core.storage import Stored
from qa.interactions.events import RecordingReady
from qa.interactions.models import Interaction, Recording, SealedOriginal, Viewer
from qa.interactions.speech_models import Transcription

MEDIA_JOB = "media.describe"
LISTEN_PAUSE = timedelta(minutes=10)


def attach_recording(
    session: Session,
    actor: Actor,
    *,
    interaction_id: int,
    stored: Stored,
    sealed_key: bytes,
    name: str,
    speakers: Sequence[str],
    now: datetime,
) -> Recording | None:
    """Name a stored file as a recording and ask the worker to look at it; the same file twice is one.

    The file is on the disk already: a row never precedes it.
    """
    require(actor, P.RECORDING_UPLOAD, by(actor.id))
    twin = select(Recording.id).where(
        Recording.interaction_id == interaction_id, Recording.sha256 == stored.sha256
    )
    if session.scalar(twin) is not None:
        return None
    row = Recording(
        interaction_id=interaction_id,
        storage_key=stored.key,
        sealed_key=sealed_key,
        original_name=name[:300],
        size_bytes=stored.size_bytes,
        sha256=stored.sha256,
        speakers=list(speakers),
        stored_at=now,
    )
    session.add(row)
    session.flush()
    jobs.enqueue(session, MEDIA_JOB, {"recording_id": row.id}, now=now, queue="media")
    return row


def store_media_result(
    session: Session,
    actor: Actor,
    *,
    recording_id: int,
    described: Mapping[str, Any] | None,
    broken: str | None,
    now: datetime,
) -> None:
    """Keep what the worker found out about a recording: facts and peaks, or why it cannot be heard."""
    require(actor, P.RECORDING_UPLOAD, by(actor.id))
    row = session.get(Recording, recording_id)
    if row is None:
        return
    if described is None:
        row.state, row.problem = "broken", broken or "The recording cannot be heard."
        return
    wanted = select(SealedOriginal.tones).where(SealedOriginal.interaction_id == row.interaction_id)
    if (described.get("covered") or []) != (session.scalar(wanted) or []):
        return  # more was hidden meanwhile: another job covers that too, until then nothing is heard
    is_new = row.format == ""
    row.state, row.problem = "ready", None
    for name, value in described.items():
        setattr(row, name, value)
    session.execute(
        update(Interaction)
        .where(Interaction.id == row.interaction_id, Interaction.duration_ms.is_(None))
        .values(duration_ms=row.duration_ms)
    )
    if is_new:
        outbox.emit(session, RecordingReady(row.id, row.interaction_id), now=now)


def give_viewer(session: Session, interaction_id: int, user_id: int, because: str) -> None:
    """Let a person look at a conversation, for a reason; called by the service that asked already."""
    require(SYSTEM, P.INTERACTION_READ)
    if session.get(Viewer, (interaction_id, user_id, because)) is None:
        session.add(Viewer(interaction_id=interaction_id, user_id=user_id, because=because))
        _hurry(session, interaction_id)


def _hurry(session: Session, interaction_id: int) -> None:
    """Put the conversation's transcription before others: somebody will read it."""
    waiting = select(Transcription.job_id).where(
        Transcription.interaction_id == interaction_id, Transcription.state == "waiting"
    )
    for job_id in session.scalars(waiting):
        if job_id is not None:
            jobs.hurry(session, job_id)


def take_viewer(session: Session, interaction_id: int, user_id: int, because: str) -> None:
    """Take that reason away again."""
    require(SYSTEM, P.INTERACTION_READ)
    row = session.get(Viewer, (interaction_id, user_id, because))
    if row is not None:
        session.delete(row)


def mark_evaluated(session: Session, actor: Actor, interaction_id: int, *, at: datetime) -> None:
    """Note that a conversation was evaluated."""
    require(actor, P.INTERACTION_EDIT_METADATA)
    session.execute(update(Interaction).where(Interaction.id == interaction_id).values(evaluated_at=at))


def checked_source(source: str) -> str:
    """Return the name of a source, or raise ``Invalid``."""
    if not 1 <= len(source) <= 80:
        raise Invalid("A source's name has 1 to 80 characters.", field="source")
    return source


def is_listen_noted(session: Session, actor: Actor, recording: Recording, *, now: datetime) -> bool:
    """Tell whether the log says already that this person listens to this recording just now."""
    require(SYSTEM, P.RECORDING_LISTEN)
    recent = select(audit.AuditEntry.seq).where(
        audit.AuditEntry.actor_id == actor.id,
        audit.AuditEntry.action == "recording:listen",
        audit.AuditEntry.object_id == str(recording.id),
        audit.AuditEntry.at > now - LISTEN_PAUSE,
    )
    return session.scalar(recent.limit(1)) is not None


def note_listen(session: Session, actor: Actor, recording: Recording, *, now: datetime) -> None:
    """Write that somebody listens, once in ten minutes for each person and recording."""
    require(SYSTEM, P.RECORDING_LISTEN)
    if not is_listen_noted(session, actor, recording, now=now):
        audit.record(session, actor, "recording:listen", "recording", recording.id, now=now)


def delete_interaction(session: Session, actor: Actor, interaction_id: int, *, now: datetime) -> None:
    """Take a conversation out; a tombstone stays, so that a delivery does not bring it back."""
    require(actor, P.INTERACTION_DELETE)
    row = session.get(Interaction, interaction_id)
    if row is None or row.deleted_at is not None:
        raise NotFound("There is no such conversation.")
    row.deleted_at = now
    audit.record(session, actor, "interaction:delete", "interaction", interaction_id, now=now)
