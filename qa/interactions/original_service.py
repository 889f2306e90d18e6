"""Originals: redaction of what is stored already, and a look at what it took out.

What lies sealed is opened for two reasons only: to redact again, and for a person of the privacy role who
says why; each such look is in the audit log.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session, joinedload, selectinload, undefer

from qa.accounts.permissions import Permission as P
from qa.accounts.policy import require, visible
from qa.core import audit, jobs
from qa.core.actor import SYSTEM, Actor
from qa.core.crypto import Keys
from qa.core.errors import Invalid, NotFound
from qa.interactions.models import Interaction, InteractionTag, Recording, SealedOriginal, Turn
from qa.interactions.redacting import DONE, HELD_BACK, WAITING, Raw, Safe, Said, seal, unseal
from qa.interactions.service import MEDIA_JOB
from qa.interactions.storing_service import enqueue_redaction
from qa.interactions.transcript import Word, words_in

REASON_MAX = 500
BATCH = 50


@dataclass(frozen=True, slots=True)
class Original:
    """A conversation's texts as they came."""

    interaction: Interaction
    subject: str
    turns: Sequence[tuple[Turn, str]]
    fields: dict[str, Any]
    sealed_at: datetime | None


def find_sealed(session: Session, actor: Actor, interaction_id: int) -> SealedOriginal | None:
    """Return what lies sealed of a conversation, still sealed; None when nothing was taken out."""
    require(SYSTEM, P.RECORDING_UNREDACTED)
    return session.scalar(select(SealedOriginal).where(SealedOriginal.interaction_id == interaction_id))


def look_at_original(
    session: Session, actor: Actor, interaction_id: int, *, keys: Keys, reason: str, now: datetime
) -> Original:
    """Open the original texts for somebody who may and says why; the look is logged with the reason."""
    row = session.scalar(
        _whole().where(
            Interaction.id == interaction_id,
            Interaction.deleted_at.is_(None),
            visible(actor, P.RECORDING_UNREDACTED, Interaction.scope_columns()),
        )
    )
    if row is None:
        raise NotFound("There is no such conversation, or you may not see its original.")
    if len(reason.strip()) < 10:
        raise Invalid("Say why you need the original, in at least ten characters.", field="reason")
    audit.record(
        session,
        actor,
        "recording:unredacted",
        "interaction",
        interaction_id,
        now=now,
        after={"what": "texts"},
        reason=reason.strip()[:REASON_MAX],
    )
    sealed = find_sealed(session, actor, interaction_id)
    kept = {} if sealed is None else unseal(keys, sealed.sealed)
    texts = kept.get("turns", {})
    return Original(
        row,
        kept.get("subject", row.subject),
        [(turn, texts.get(str(turn.position), turn.stored)) for turn in row.turns],
        {**row.fields, **kept.get("fields", {})},
        None if sealed is None else sealed.sealed_at,
    )


def _whole() -> Any:
    return select(Interaction).options(
        joinedload(Interaction.agent),
        selectinload(Interaction.turns).options(undefer(Turn.words)),
        selectinload(Interaction.recordings),
        selectinload(Interaction.tags),
    )


def raw_of(session: Session, actor: Actor, interaction_id: int, *, keys: Keys) -> Raw | None:
    """Return the original texts of a conversation for redaction, None when it is gone."""
    require(actor, P.RECORDING_UNREDACTED)
    row = session.scalar(_whole().where(Interaction.id == interaction_id, Interaction.deleted_at.is_(None)))
    if row is None:
        return None
    sealed = find_sealed(session, actor, interaction_id)
    kept = {} if sealed is None else unseal(keys, sealed.sealed)
    return Raw(
        turns=[_said(row, turn, kept) for turn in row.turns],
        subject=kept.get("subject", row.subject),
        fields={**row.fields, **kept.get("fields", {})},
        tags=kept.get("tags", [tag.tag for tag in row.tags]),
        language=row.language,
        names=[row.customer_name] if row.customer_name else [],
        content_hash=row.content_hash,
    )


def _said(row: Interaction, turn: Turn, kept: dict[str, Any]) -> Said:
    speakers = next((one.speakers for one in row.recordings if one.speakers), [])
    text = kept.get("turns", {}).get(str(turn.position), turn.stored)
    times = kept.get("words", {}).get(str(turn.position), turn.words or [])
    spans = words_in(text)
    known = turn.channel if turn.channel is not None else None
    channel = speakers.index(turn.speaker) if known is None and turn.speaker in speakers else known or 0
    words = (
        tuple(
            Word(text[a:b], start, end, conf) for (a, b), (start, end, conf) in zip(spans, times, strict=True)
        )
        if len(times) == len(spans)
        else ()
    )
    return Said(turn.position, turn.speaker, text, turn.start_ms, turn.end_ms, channel, words)


def keep_redaction(
    session: Session, actor: Actor, interaction_id: int, safe: Safe, *, of: str, now: datetime
) -> None:
    """Put the redacted texts in the place of the stored ones, seal the originals, have the sound covered.

    ``of`` is the content hash of what was redacted: nothing is kept when another text came meanwhile.
    """
    require(actor, P.RECORDING_UNREDACTED)
    row = session.scalar(_whole().where(Interaction.id == interaction_id).with_for_update(of=Interaction))
    if row is None or row.content_hash != of:
        return
    row.redaction, row.withheld_reason = safe.state, safe.reason
    row.subject, row.fields = safe.subject, dict(safe.fields)
    if list(safe.tags) != [tag.tag for tag in row.tags]:
        row.tags = [InteractionTag(tag=tag) for tag in dict.fromkeys(safe.tags)]
    for turn in row.turns:
        turn.stored, turn.is_redacted = safe.texts.get(turn.position, ""), safe.state == DONE
        if turn.words is not None:
            turn.words = safe.words.get(turn.position, [])
    keep_sealed(session, actor, interaction_id, safe, now=now)
    for recording in row.recordings:
        have_covered(session, actor, recording, safe.tones, now=now)


def keep_sealed(session: Session, actor: Actor, interaction_id: int, safe: Safe, *, now: datetime) -> None:
    """Seal what differs from what is shown, in the place of what was sealed before."""
    require(actor, P.RECORDING_UNREDACTED)
    known = find_sealed(session, actor, interaction_id)
    if safe.sealed is None:
        if known is not None:
            session.delete(known)
        return
    row = known or SealedOriginal(interaction_id=interaction_id)
    row.sealed, row.hidden, row.tones, row.sealed_at = safe.sealed, safe.hidden, safe.tones, now
    session.add(row)


def keep_sealed_words(
    session: Session, actor: Actor, interaction_id: int, safe: Safe, *, keys: Keys, now: datetime
) -> None:
    """Seal the words of a transcript beside what was sealed of the conversation's facts when it came in."""
    require(actor, P.RECORDING_UNREDACTED)
    known = find_sealed(session, actor, interaction_id)
    if known is None or safe.sealed is None:
        if safe.sealed is not None:
            keep_sealed(session, actor, interaction_id, safe, now=now)
        return
    both = {**unseal(keys, safe.sealed), **unseal(keys, known.sealed)}
    known.sealed, known.hidden, known.tones, known.sealed_at = seal(keys, both), safe.hidden, safe.tones, now


def have_covered(
    session: Session, actor: Actor, recording: Recording, tones: list[list[Any]], *, now: datetime
) -> None:
    """Take a recording off until its sound is covered in these places, when it is not yet."""
    require(actor, P.RECORDING_UPLOAD)
    if recording.state == "broken" or (recording.covered or []) == tones:
        return
    recording.state = "waiting"
    jobs.enqueue(session, MEDIA_JOB, {"recording_id": recording.id}, now=now, queue="media")


def list_waiting(session: Session, actor: Actor, *, limit: int = BATCH) -> list[int]:
    """Return conversations that redaction has not passed over yet, the newest first."""
    require(actor, P.RECORDING_UNREDACTED)
    waiting = select(Interaction.id).where(
        Interaction.redaction != DONE, Interaction.redaction == WAITING, Interaction.deleted_at.is_(None)
    )
    return list(session.scalars(waiting.order_by(Interaction.id.desc()).limit(limit)))


def try_again(session: Session, actor: Actor, *, interaction_id: int | None = None, now: datetime) -> int:
    """Have redaction try again what it withheld, one conversation or all; return how many."""
    require(actor, P.RECORDING_UNREDACTED)
    held = update(Interaction).where(Interaction.redaction != DONE, Interaction.redaction == HELD_BACK)
    if interaction_id is not None:
        held = held.where(Interaction.id == interaction_id)
    changed: Any = session.execute(held.values(redaction=WAITING, withheld_reason=""))
    if changed.rowcount:
        enqueue_redaction(session, now=now)
    return int(changed.rowcount)
