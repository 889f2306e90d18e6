"""Rejected records: repaired by a person, retried after an upgrade, or left out for good.

A record is either one of ours that could not be kept (its raw text is then a record as connectors make
them) or the vendor's own, which only the connector can read.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from qa.accounts.permissions import Permission as P
from qa.accounts.policy import require
from qa.core import audit, jobs
from qa.core.actor import SYSTEM, Actor, by
from qa.core.crypto import Keys
from qa.core.db import insert_unless_there
from qa.core.errors import Invalid, NotFound
from qa.extensions.queries import has_redactors
from qa.interactions.lines import BrokenLine
from qa.interactions.models import CHANNELS
from qa.interactions.redacting import safe_line
from qa.interactions.sources import inbox_service
from qa.interactions.sources.mapping import parsed_record
from qa.interactions.sources.models import Quarantined, Repull, Source
from qa.interactions.sources.queries import raw_of
from qa.interactions.storing_service import Counts, store_lines
from qa.plugins import wire
from qa.plugins.api import Record
from qa.plugins.page_rules import as_json, content_hash, fault_of, plain

RETRY_JOB = "sources.retry"
BATCH = 100
_UNKEEPABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
REPLACEMENT = "\ufffd"


@dataclass(frozen=True, slots=True)
class Repair:
    """What a person says about a rejected record; empty means as it came."""

    external_id: str = ""
    channel: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    agent_email: str = ""
    cleans: bool = False


def ours(raw: str) -> dict[str, Any] | None:
    """Return the record that a rejected text is, None when it is the vendor's own."""
    try:
        values = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    is_ours = isinstance(values, dict) and {"external_id", "channel", "agent_refs", "kpi"} <= set(values)
    return values if is_ours else None


def repair_record(
    session: Session,
    actor: Actor,
    quarantined_id: int,
    repair: Repair,
    *,
    keys: Keys,
    patterns: tuple[str, ...] = (),
    now: datetime,
) -> str:
    """Keep a rejected record as a person repaired it; return its external id.

    Raises ``Invalid`` with the field when it still cannot be kept; then nothing is changed.
    """
    require(actor, P.CONNECTOR_RUN, by(actor.id))
    row, source = _row(session, quarantined_id)
    values = ours(raw_of(row, keys)) or {}
    record = _record(values, row, repair)
    _store(session, source, record, keys, patterns, now=now)
    session.delete(row)
    audit.record(
        session, actor, "connector:run", "quarantined", quarantined_id, now=now, after={"repaired": True}
    )
    return record.external_id


def _row(session: Session, quarantined_id: int) -> tuple[Quarantined, Source]:
    row = session.get(Quarantined, quarantined_id, with_for_update=True)
    if row is None or row.state != "waiting":
        raise NotFound("That record does not wait any more.")
    return row, session.get_one(Source, row.source_id)


def _record(values: dict[str, Any], row: Quarantined, repair: Repair) -> Record:
    if repair.cleans:
        values = _cleaned(values)
    values["external_id"] = repair.external_id or values.get("external_id") or row.external_id or ""
    values["channel"] = repair.channel or values.get("channel") or ""
    for name, moment in (("started_at", repair.started_at), ("ended_at", repair.ended_at)):
        if moment is not None:
            values[name] = moment.isoformat()
    if repair.agent_email:
        values["agent_refs"] = [{"external_id": repair.agent_email, "email": repair.agent_email}]
    _refuse_gaps(values)
    try:
        record: Record = wire.decode(as_json(values).encode(), Record)
    except wire.NotOfThisShape as error:
        raise Invalid(f"It still cannot be read: {error}") from error
    return record


def _refuse_gaps(values: dict[str, Any]) -> None:
    if not values["external_id"]:
        raise Invalid("Give the record an id.", field="external_id")
    if values["channel"] not in CHANNELS:
        raise Invalid("Choose a channel.", field="channel")
    if not values.get("started_at"):
        raise Invalid("Say when it began.", field="started_at")


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return _UNKEEPABLE.sub(REPLACEMENT, value)
    if isinstance(value, dict):
        return {key: _cleaned(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_cleaned(item) for item in value]
    return value


def _store(
    session: Session, source: Source, record: Record, keys: Keys, patterns: tuple[str, ...], *, now: datetime
) -> None:
    fault = fault_of(record, plain(record))
    if fault is not None:
        raise Invalid(_at(fault), field=_field_of(fault))
    try:
        parsed = parsed_record(record, content_hash(record))
    except BrokenLine as error:
        raise Invalid(_at(str(error)), field=_field_of(str(error))) from error
    line = safe_line(parsed, keys, patterns=patterns, waits=has_redactors(session, SYSTEM))
    store_lines(session, SYSTEM, source=source.key, lines=[line], counts=Counts(), now=now)


def _at(fault: str) -> str:
    return f"It still cannot be kept: {fault}"


def _field_of(fault: str) -> str | None:
    return next(
        (name for name in ("external_id", "channel", "started_at", "ended_at") if name in fault), None
    )


def leave_out(session: Session, actor: Actor, quarantined_id: int, *, now: datetime) -> None:
    """Set a rejected record aside for good; it is not asked about again."""
    require(actor, P.CONNECTOR_RUN, by(actor.id))
    row, _ = _row(session, quarantined_id)
    row.state = "left_out"
    audit.record(
        session, actor, "connector:run", "quarantined", quarantined_id, now=now, after={"left_out": True}
    )


def ask_retry(session: Session, actor: Actor, *, source_id: int, now: datetime) -> None:
    """Ask the worker to try all rejected records of a source again."""
    require(actor, P.CONNECTOR_RUN, by(actor.id))
    key = f"retry:{source_id}"
    payload = {"source_id": source_id}
    jobs.enqueue(session, RETRY_JOB, payload, now=now, queue="import", dedupe_key=key, alone_key=key)
    audit.record(session, actor, "connector:run", "source", source_id, now=now, after={"retried": True})


def retry_batch(
    session: Session,
    actor: Actor,
    *,
    source_id: int,
    after_id: int,
    keys: Keys,
    patterns: tuple[str, ...] = (),
    can_pull: bool,
    now: datetime,
) -> int | None:
    """Try the next rejected records of a source again; return the last one tried, None after the last.

    One of ours is kept when it can be by now; the vendor's own is pulled again where the connector can.
    """
    require(actor, P.CONNECTOR_RUN)
    source = session.get(Source, source_id)
    waiting = (
        select(Quarantined)
        .where(Quarantined.source_id == source_id, Quarantined.state == "waiting", Quarantined.id > after_id)
        .order_by(Quarantined.id)
        .limit(BATCH)
    )
    rows = list(session.scalars(waiting))
    if not rows or source is None:
        return None
    for row in rows:
        values = ours(raw_of(row, keys))
        row.tries, row.last_at = row.tries + 1, now
        if values is not None:
            _try_again(session, source, row, values, keys, patterns, now=now)
        elif can_pull and row.external_id:
            due = insert_unless_there(session, Repull, on=("source_id", "stream", "external_id"))
            key = {"source_id": source_id, "stream": row.stream, "external_id": row.external_id}
            session.execute(due.values(**key, due_at=now))
    inbox_service.ask_to_repull(session, actor, source_id=source_id, now=now)
    return rows[-1].id


def _try_again(
    session: Session,
    source: Source,
    row: Quarantined,
    values: dict[str, Any],
    keys: Keys,
    patterns: tuple[str, ...],
    *,
    now: datetime,
) -> None:
    try:
        _store(session, source, _record(values, row, Repair()), keys, patterns, now=now)
    except Invalid as error:
        row.error = error.message.removeprefix("It still cannot be kept: ")[:500]
    else:
        session.delete(row)
