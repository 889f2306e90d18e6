"""Keeping delivered conversations, many at once: what an import, a sync and a repair all call.

There is one meaning of "changed": another content hash, and not older than what is kept. What is
unchanged writes nothing. What the source deleted or merged stays as a tombstone, so that the same
delivery does not bring it back.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Table, delete, exists, insert, select, update
from sqlalchemy.orm import Session

from qa.accounts.permissions import Permission as P
from qa.accounts.policy import require
from qa.core import audit, jobs, outbox
from qa.core.actor import SYSTEM, Actor, by
from qa.core.db import insert_unless_there
from qa.interactions.alias_models import AliasPart
from qa.interactions.alias_service import (
    Account,
    account_of,
    main_agent,
    participants,
    resolve_accounts,
    teams_of,
)
from qa.interactions.events import InteractionsChanged
from qa.interactions.lines import Line, Parsed, TurnPart
from qa.interactions.models import (
    Interaction,
    InteractionTag,
    Participant,
    SealedOriginal,
    Turn,
    Viewer,
)
from qa.interactions.redacting import DONE, WAITING, Safe, SafeLine

REDACT_JOB = "interactions.redact"


@dataclass(slots=True)
class Counts:
    """What came of a delivery."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    deleted: int = 0


@dataclass(frozen=True, slots=True)
class Known:
    """What is kept of a conversation already, as far as a delivery must know."""

    id: int
    content_hash: str
    source_updated_at: datetime | None
    is_gone: bool

    def is_changed_by(self, parsed: Parsed | SafeLine) -> bool:
        """Tell whether this delivery says something newer."""
        if self.is_gone or self.content_hash == parsed.content_hash:
            return False
        told = parsed.line.updated_at
        return told is None or self.source_updated_at is None or told >= self.source_updated_at


@dataclass(slots=True)
class _Batch:
    """The lines of one round, each conversation once, sorted by what is to be done."""

    new: list[SafeLine] = field(default_factory=list)
    changed: list[tuple[Known, SafeLine]] = field(default_factory=list)
    gone: list[tuple[Known | None, SafeLine]] = field(default_factory=list)
    unchanged: int = 0


def store_lines(
    session: Session, actor: Actor, *, source: str, lines: Sequence[SafeLine], counts: Counts, now: datetime
) -> dict[str, int]:
    """Keep a batch of delivered conversations; return the ids of the new and changed ones by external id.

    One event tells what happened. At most some hundred lines a call: all of them are one transaction.
    """
    require(actor, P.INTERACTION_CREATE, by(actor.id))
    kept: dict[str, int] = {}
    told = InteractionsChanged(source=source, created=[], updated=[], deleted=[], merged=[])
    for batch in _rounds(lines):
        rest: Sequence[SafeLine] = batch
        while rest:  # on PostgreSQL another writer may bring the same ones in at this very moment
            rest = _store_round(session, actor, source, rest, counts, kept, told, now=now)
    if told.created or told.updated or told.deleted or told.merged:
        outbox.emit(session, told, now=now)
    return kept


def _rounds(lines: Sequence[SafeLine]) -> Iterator[list[SafeLine]]:
    """Cut a batch so that no conversation stands twice in one round, their order kept."""
    batch: dict[str, SafeLine] = {}
    for parsed in lines:
        if parsed.line.external_id in batch:
            yield list(batch.values())
            batch = {}
        batch[parsed.line.external_id] = parsed
    yield list(batch.values())


def _store_round(
    session: Session,
    actor: Actor,
    source: str,
    lines: Sequence[SafeLine],
    counts: Counts,
    kept: dict[str, int],
    told: InteractionsChanged,
    *,
    now: datetime,
) -> list[SafeLine]:
    batch = _sorted(session, source, lines)
    counts.unchanged += batch.unchanged
    present = [*batch.new, *(parsed for _, parsed in batch.changed)]
    accounts = _accounts(session, actor, source, present, now=now)
    teams = teams_of(session, (account.user_id for account in accounts.values()))
    created = _create(session, source, batch.new, accounts, teams, now=now)
    _change(session, batch.changed, accounts, teams)
    updated = {parsed.line.external_id: known.id for known, parsed in batch.changed}
    _replace_parts(session, present, created | updated, set(updated.values()), accounts, now=now)
    _bury(session, actor, source, batch.gone, counts, told, now=now)
    counts.new += len(created)
    counts.changed += len(updated)
    kept |= created | updated
    told.created.extend(created.values())
    told.updated.extend(updated.values())
    return [parsed for parsed in batch.new if parsed.line.external_id not in created]


def _sorted(session: Session, source: str, lines: Sequence[SafeLine]) -> _Batch:
    batch = _Batch()
    known = known_lines(session, source, [parsed.line.external_id for parsed in lines])
    for parsed in lines:
        earlier = known.get(parsed.line.external_id)
        if parsed.line.is_gone:
            if earlier is not None and earlier.is_gone:
                batch.unchanged += 1
            else:
                batch.gone.append((earlier, parsed))
        elif earlier is None:
            batch.new.append(parsed)
        elif earlier.is_changed_by(parsed):
            batch.changed.append((earlier, parsed))
        else:
            batch.unchanged += 1
    return _still_to_change(session, source, batch)


def _still_to_change(session: Session, source: str, batch: _Batch) -> _Batch:
    """Lock what is to be changed and look again: another lane may have been faster."""
    wanted = [parsed.line.external_id for _, parsed in batch.changed]
    if not wanted or session.get_bind().dialect.name == "sqlite":  # there the whole file is ours already
        return batch
    locked = known_lines(session, source, wanted, lock=True)
    still = [(locked[parsed.line.external_id], parsed) for _, parsed in batch.changed]
    kept = [(known, parsed) for known, parsed in still if known.is_changed_by(parsed)]
    batch.unchanged += len(still) - len(kept)
    batch.changed = kept
    return batch


_KNOWN = select(
    Interaction.external_id,
    Interaction.id,
    Interaction.content_hash,
    Interaction.source_updated_at,
    Interaction.deleted_at,
)


def known_lines(
    session: Session, source: str, external_ids: Sequence[str], *, lock: bool = False
) -> dict[str, Known]:
    """Return what is kept of these conversations, by external id."""
    wanted = _KNOWN.where(Interaction.source == source, Interaction.external_id.in_(external_ids))
    if lock:
        wanted = wanted.order_by(Interaction.id).with_for_update()
    return {row[0]: Known(row[1], row[2], row[3], row[4] is not None) for row in session.execute(wanted)}


def _accounts(
    session: Session, actor: Actor, source: str, lines: Sequence[SafeLine], *, now: datetime
) -> dict[str, Account]:
    parts = [part for parsed in lines for part in parsed.line.agents]
    return resolve_accounts(session, actor, source=source, parts=parts, now=now) if parts else {}


def _create(
    session: Session,
    source: str,
    lines: Sequence[SafeLine],
    accounts: dict[str, Account],
    teams: dict[int, int | None],
    *,
    now: datetime,
) -> dict[str, int]:
    if not lines:
        return {}
    fixed = {"source": source, "imported_at": now}
    lines = sorted(lines, key=lambda one: one.line.external_id)  # two writers in one order never deadlock
    values = [
        {**fixed, "external_id": parsed.line.external_id, **_columns(parsed, accounts, teams)}
        for parsed in lines
    ]
    made = insert_unless_there(session, _table(Interaction), on=("source", "external_id")).returning(
        Interaction.external_id, Interaction.id
    )
    return {external_id: row_id for external_id, row_id in session.execute(made, values)}


def _change(
    session: Session,
    lines: Sequence[tuple[Known, SafeLine]],
    accounts: dict[str, Account],
    teams: dict[int, int | None],
) -> None:
    if lines:
        values = [{"id": known.id, **_columns(parsed, accounts, teams)} for known, parsed in lines]
        session.execute(update(Interaction), values)


def _columns(parsed: SafeLine, accounts: dict[str, Account], teams: dict[int, int | None]) -> dict[str, Any]:
    line = parsed.line
    agent_id = main_agent(accounts[account_of(part)] for part in line.agents)
    csat = line.kpis.csat
    return {
        "channel": line.channel,
        "queue": line.queue,
        "direction": line.direction,
        "language": line.language,
        "subject": line.subject,
        "customer_reference": line.customer.reference,
        "customer_name": line.customer.name,
        "agent_id": agent_id,
        "team_id": None if agent_id is None else teams[agent_id],
        "started_at": line.started_at,
        "ended_at": line.ended_at,
        "duration_ms": _duration_ms(line),
        "turn_count": len(line.turns),
        "fields": dict(line.fields),
        "content_hash": parsed.content_hash,
        "source_updated_at": line.updated_at,
        **line.kpis.model_dump(exclude={"csat"}),
        "csat": None if csat is None else Decimal(str(csat.score)),
        "csat_max": None if csat is None else Decimal(str(csat.max)),
    }


def _duration_ms(line: Line) -> int | None:
    if line.ended_at is not None and line.started_at is not None:
        return round((line.ended_at - line.started_at).total_seconds() * 1000)
    last = max((turn.end or turn.start or 0.0 for turn in line.turns), default=None)
    return None if last is None else round(last * 1000)


def _replace_parts(
    session: Session,
    lines: Sequence[SafeLine],
    ids: dict[str, int],
    changed: set[int],
    accounts: dict[str, Account],
    *,
    now: datetime,
) -> None:
    """Write agents, tags and turns; those of changed conversations are replaced."""
    judged = _judged(session, changed)
    for replaced in (Participant, AliasPart, InteractionTag):
        _delete(session, replaced, changed)
    _delete(session, Turn, changed - judged)
    _delete(session, SealedOriginal, changed - judged)
    people, parts, tags, turns = [], [], [], []
    for parsed in lines:
        line, row_id = parsed.line, ids.get(parsed.line.external_id)
        if row_id is None:
            continue
        who = {account_of(part): part.part for part in reversed(line.agents)}
        who = dict(reversed(who.items()))
        people += participants(row_id, [(accounts[account], part) for account, part in who.items()])
        parts += _alias_parts(row_id, who, accounts)
        tags += [{"interaction_id": row_id, "tag": tag} for tag in dict.fromkeys(line.tags)]
        if row_id not in judged:
            turns += [
                _turn(row_id, place, turn, line.channel, parsed.safe)
                for place, turn in enumerate(line.turns, start=1)
            ]
    _insert(session, Participant, people)
    _insert(session, AliasPart, parts)
    _insert(session, InteractionTag, tags)
    _insert(session, Turn, turns)
    _keep_originals(
        session,
        [(ids[one.line.external_id], one.safe) for one in lines if one.line.external_id in ids],
        judged,
        now=now,
    )


def _keep_originals(
    session: Session, safes: Sequence[tuple[int, Safe]], judged: set[int], *, now: datetime
) -> None:
    """Say how far redaction is and keep what it took out, sealed."""
    fresh = [(row_id, safe) for row_id, safe in safes if row_id not in judged]
    states = [
        {"id": row_id, "redaction": safe.state, "withheld_reason": safe.reason} for row_id, safe in fresh
    ]
    if states:
        session.execute(update(Interaction), states)
    _insert(
        session,
        SealedOriginal,
        [
            {
                "interaction_id": row_id,
                "sealed": safe.sealed,
                "hidden": safe.hidden,
                "tones": safe.tones,
                "sealed_at": now,
            }
            for row_id, safe in fresh
            if safe.sealed is not None
        ],
    )
    if any(safe.state == WAITING for _, safe in fresh):
        enqueue_redaction(session, now=now)


def enqueue_redaction(session: Session, *, now: datetime) -> None:
    """Have the worker redact what waits; one such job waits at a time."""
    require(SYSTEM, P.INTERACTION_CREATE)
    jobs.enqueue(session, REDACT_JOB, {}, now=now, queue="import", dedupe_key=REDACT_JOB)


def _alias_parts(row_id: int, who: dict[str, str], accounts: dict[str, Account]) -> list[dict[str, Any]]:
    return [
        {
            "interaction_id": row_id,
            "alias_id": accounts[account].alias_id,
            "part": part,
            "position": place,
        }
        for place, (account, part) in enumerate(who.items(), start=1)
    ]


def _judged(session: Session, ids: set[int]) -> set[int]:
    """Return those whose turns stay as they are because somebody was given to judge them."""
    if not ids:
        return set()
    given = exists().where(Viewer.interaction_id == Interaction.id)
    judged = select(Interaction.id).where(
        Interaction.id.in_(ids), Interaction.evaluated_at.is_not(None) | given
    )
    return set(session.scalars(judged))


def _delete(session: Session, table: type[Any], ids: set[int]) -> None:
    if ids:
        session.execute(delete(_table(table)).where(_table(table).c.interaction_id.in_(ids)))


def _insert(session: Session, table: Any, rows: list[dict[str, Any]]) -> None:
    if rows:
        session.execute(insert(_table(table)), rows)


def _turn(interaction_id: int, position: int, turn: TurnPart, channel: str, safe: Safe) -> dict[str, Any]:
    return {
        "interaction_id": interaction_id,
        "position": position,
        "speaker": turn.speaker,
        "kind": turn.kind or ("speech" if channel == "voice" else "message"),
        "start_ms": None if turn.start is None else round(turn.start * 1000),
        "end_ms": None if turn.end is None else round(turn.end * 1000),
        "sent_at": turn.sent_at,
        "text": safe.texts[position],
        "is_redacted": safe.state == DONE,
    }


def _bury(
    session: Session,
    actor: Actor,
    source: str,
    lines: Sequence[tuple[Known | None, SafeLine]],
    counts: Counts,
    told: InteractionsChanged,
    *,
    now: datetime,
) -> None:
    for known, parsed in lines:
        line = parsed.line
        row = None if known is None else session.get(Interaction, known.id)
        if row is None:
            row = Interaction(
                source=source,
                external_id=line.external_id,
                channel=line.channel,
                started_at=line.started_at or now,
                imported_at=now,
            )
            session.add(row)
        row.deleted_at, row.merged_into = now, line.merged_into
        session.flush()
        counts.deleted += 1
        (told.merged if line.merged_into else told.deleted).append(row.id)
        audit.record(session, actor, "interaction:delete", "interaction", row.id, now=now)


def _table(model: Any) -> Table:
    table: Table = model.__table__
    return table
