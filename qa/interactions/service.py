"""What can be done with conversations: bring in, change, take out, give to somebody to look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from qa.accounts.models import User
from qa.accounts.permissions import Permission as P
from qa.accounts.policy import require
from qa.core import audit, jobs
from qa.core.actor import SYSTEM, Actor, by
from qa.core.errors import Invalid, NotFound
from qa.core.storage import Stored
from qa.core.text import folded
from qa.interactions.lines import AgentPart, BrokenLine, Line, Parsed, TurnPart
from qa.interactions.models import Interaction, InteractionTag, Participant, Recording, Turn, Viewer

MEDIA_JOB = "media.describe"
LISTEN_PAUSE = timedelta(minutes=10)


@dataclass(slots=True)
class Counts:
    """What an import did."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    deleted: int = 0


def store_line(
    session: Session, actor: Actor, *, source: str, parsed: Parsed, counts: Counts, now: datetime
) -> Interaction | None:
    """Keep one delivered conversation; the same again changes nothing, a deleted one stays deleted.

    Returns the row when it is new or changed. Raises ``BrokenLine`` when an agent is not known.
    """
    require(actor, P.INTERACTION_CREATE, by(actor.id))
    line = parsed.line
    known = session.scalar(
        select(Interaction).where(Interaction.source == source, Interaction.external_id == line.external_id)
    )
    if line.deleted:
        _tombstone(session, actor, known, source, line, counts, now=now)
        return None
    if known is not None and (known.content_hash == parsed.content_hash or known.deleted_at is not None):
        counts.unchanged += 1
        return None
    agents = [_agent(session, part, number) for number, part in enumerate(line.agents, start=1)]
    row = known or Interaction(source=source, external_id=line.external_id, imported_at=now)
    _fill(row, line, agents, parsed.content_hash)
    if known is None:
        session.add(row)
    session.flush()
    _replace_parts(session, row, line, agents)
    counts.new += known is None
    counts.changed += known is not None
    return row


def _tombstone(
    session: Session,
    actor: Actor,
    known: Interaction | None,
    source: str,
    line: Line,
    counts: Counts,
    *,
    now: datetime,
) -> None:
    if known is not None and known.deleted_at is not None:
        counts.unchanged += 1
        return
    if known is None:
        known = Interaction(
            source=source, external_id=line.external_id, channel=line.channel, started_at=now, imported_at=now
        )
        session.add(known)
    known.deleted_at = now
    session.flush()
    counts.deleted += 1
    audit.record(session, actor, "interaction:delete", "interaction", known.id, now=now)


def _agent(session: Session, part: AgentPart, number: int) -> User:
    by_mail = User.email_folded == folded(part.email) if part.email else None
    by_id = User.external_id == part.external_id if part.external_id else None
    wanted = by_mail if by_mail is not None else by_id
    found = None if wanted is None else session.scalar(select(User).where(wanted))
    if found is None:
        raise BrokenLine(
            f"“agents.{number}” {part.email or part.external_id} is nobody known here. "
            "Add the person first, or import with --create-agents."
        )
    return found


def _fill(row: Interaction, line: Line, agents: Sequence[User], content_hash: str) -> None:
    assert line.started_at is not None
    main = agents[0] if agents else None
    last = max((turn.end or turn.start or 0.0 for turn in line.turns), default=None)
    row.channel, row.queue, row.direction = line.channel, line.queue, line.direction
    row.language, row.subject = line.language, line.subject
    row.customer_reference, row.customer_name = line.customer.reference, line.customer.name
    row.agent_id, row.team_id = (main.id, main.team_id) if main else (None, None)
    row.started_at, row.ended_at = line.started_at, line.ended_at
    if line.ended_at is not None:
        row.duration_ms = round((line.ended_at - line.started_at).total_seconds() * 1000)
    else:
        row.duration_ms = None if last is None else round(last * 1000)
    row.turn_count, row.fields, row.content_hash = len(line.turns), dict(line.fields), content_hash
    facts = line.kpis.model_dump(exclude={"csat"})
    for name, value in facts.items():
        setattr(row, name, value)
    csat = line.kpis.csat
    row.csat = None if csat is None else Decimal(str(csat.score))
    row.csat_max = None if csat is None else Decimal(str(csat.max))


def _replace_parts(session: Session, row: Interaction, line: Line, agents: Sequence[User]) -> None:
    for table in (Participant, InteractionTag, Turn):
        if table is not Turn or _turns_may_change(session, row):
            session.execute(delete(table).where(table.interaction_id == row.id))
    seen = dict.fromkeys(user.id for user in agents)
    parts = {user.id: part.part for user, part in zip(agents, line.agents, strict=True)}
    people = [
        {"interaction_id": row.id, "user_id": user_id, "part": parts[user_id], "position": place}
        for place, user_id in enumerate(seen, start=1)
    ]
    _insert(session, Participant, people)
    _insert(
        session, InteractionTag, [{"interaction_id": row.id, "tag": tag} for tag in dict.fromkeys(line.tags)]
    )
    if _turns_may_change(session, row):
        turns = [_turn(row.id, place, turn, line.channel) for place, turn in enumerate(line.turns, start=1)]
        _insert(session, Turn, turns)


def _turns_may_change(session: Session, row: Interaction) -> bool:
    """Turns that somebody was given to judge stay as they are: evidence points at them."""
    given = select(Viewer.user_id).where(Viewer.interaction_id == row.id).limit(1)
    return row.evaluated_at is None and session.scalar(given) is None


def _insert(session: Session, table: type[Any], rows: list[dict[str, Any]]) -> None:
    if rows:
        session.execute(insert(table), rows)


def _turn(interaction_id: int, position: int, turn: TurnPart, channel: str) -> dict[str, Any]:
    return {
        "interaction_id": interaction_id,
        "position": position,
        "speaker": turn.speaker,
        "kind": turn.kind or ("speech" if channel == "voice" else "message"),
        "start_ms": None if turn.start is None else round(turn.start * 1000),
        "end_ms": None if turn.end is None else round(turn.end * 1000),
        "sent_at": turn.sent_at,
        "text": turn.text,
    }


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
) -> None:
    """Keep what the worker found out about a recording: facts and peaks, or why it cannot be heard."""
    require(actor, P.RECORDING_UPLOAD, by(actor.id))
    row = session.get(Recording, recording_id)
    if row is None:
        return
    if described is None:
        row.state, row.problem = "broken", broken or "The recording cannot be heard."
        return
    row.state, row.problem = "ready", None
    for name, value in described.items():
        setattr(row, name, value)
    session.execute(
        update(Interaction)
        .where(Interaction.id == row.interaction_id, Interaction.duration_ms.is_(None))
        .values(duration_ms=row.duration_ms)
    )


def give_viewer(session: Session, interaction_id: int, user_id: int, because: str) -> None:
    """Let a person look at a conversation, for a reason; called by the service that asked already."""
    require(SYSTEM, P.INTERACTION_READ)
    if session.get(Viewer, (interaction_id, user_id, because)) is None:
        session.add(Viewer(interaction_id=interaction_id, user_id=user_id, because=because))


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


def note_listen(session: Session, actor: Actor, recording: Recording, *, now: datetime) -> None:
    """Write that somebody listens, once in ten minutes for each person and recording."""
    require(SYSTEM, P.RECORDING_LISTEN)
    recent = select(audit.AuditEntry.seq).where(
        audit.AuditEntry.actor_id == actor.id,
        audit.AuditEntry.action == "recording:listen",
        audit.AuditEntry.object_id == str(recording.id),
        audit.AuditEntry.at > now - LISTEN_PAUSE,
    )
    if session.scalar(recent.limit(1)) is None:
        audit.record(session, actor, "recording:listen", "recording", recording.id, now=now)


def delete_interaction(session: Session, actor: Actor, interaction_id: int, *, now: datetime) -> None:
    """Take a conversation out; a tombstone stays, so that a delivery does not bring it back."""
    require(actor, P.INTERACTION_DELETE)
    row = session.get(Interaction, interaction_id)
    if row is None or row.deleted_at is not None:
        raise NotFound("There is no such conversation.")
    row.deleted_at = now
    audit.record(session, actor, "interaction:delete", "interaction", interaction_id, now=now)
