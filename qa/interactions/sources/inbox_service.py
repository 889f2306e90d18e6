"""The webhook inbox: what was verified is kept once, then read; what it speaks of is pulled again.

A delivery is never data. It says which objects to look at, and however many speak of one object, that
object is pulled at most once in thirty seconds.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from qa.accounts.permissions import Permission as P
from qa.accounts.policy import require
from qa.core import jobs
from qa.core.actor import SYSTEM, Actor, by
from qa.core.crypto import Keys
from qa.core.db import insert_unless_there
from qa.interactions.sources.models import REASON_MAX, Delivery, Repull
from qa.plugins.api import ExternalRef, RawRequest
from qa.plugins.signatures import Received

INBOX = "webhook"
READ_JOB = "sources.read_inbox"
REPULL_JOB = "sources.repull"
REPULL_PAUSE = timedelta(seconds=30)
MOST_TRIES = 3
BATCH = 100
KEPT_HEADERS = 60
HIDDEN_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization"})


def service_actor(source_id: int, name: str) -> Actor:
    """Return the actor that a source's own deliveries act as."""
    return Actor(id=source_id, name=name, roles=frozenset({"service"}))


def take_delivery(
    session: Session,
    actor: Actor,
    *,
    source_id: int,
    delivery_id: str,
    received: Received,
    keys: Keys,
    now: datetime,
) -> bool:
    """Keep a verified delivery, sealed, and ask the worker to read it; False when it is here already."""
    require(actor, P.WEBHOOK_DELIVER, by(source_id))
    kept = insert_unless_there(session, Delivery, on=("source_id", "delivery_id")).values(
        source_id=source_id,
        delivery_id=delivery_id,
        sealed=keys.seal(_packed(received), purpose=INBOX),
        size_bytes=len(received.body),
        received_at=now,
    )
    if session.scalar(kept.returning(Delivery.id)) is None:
        return False
    ask_to_read(session, actor, source_id=source_id, now=now)
    return True


def ask_to_read(session: Session, actor: Actor, *, source_id: int, now: datetime) -> None:
    """Ask the worker to read a source's waiting deliveries; asked often, it is done once."""
    require(actor, P.WEBHOOK_DELIVER, by(source_id))
    key = f"{READ_JOB}:{source_id}"
    payload = {"source_id": source_id}
    jobs.enqueue(
        session, READ_JOB, payload, now=now, queue="import", dedupe_key=key, alone_key=key, max_attempts=8
    )


def _packed(received: Received) -> bytes:
    headers = [(name, value) for name, value in received.headers.items() if name not in HIDDEN_HEADERS]
    facts = {
        "method": received.method,
        "url": received.url,
        "query": dict(received.query),
        "headers": dict(headers[:KEPT_HEADERS]),
        "body": base64.b64encode(received.body).decode("ascii"),
    }
    return zlib.compress(json.dumps(facts).encode())


def request_of(delivery: Delivery, keys: Keys) -> RawRequest:
    """Return a kept delivery as the connector reads it."""
    facts: dict[str, Any] = json.loads(zlib.decompress(keys.open(delivery.sealed, purpose=INBOX)))
    path = facts["url"].split("://", 1)[-1].partition("/")[2]
    return RawRequest(
        facts["method"],
        "/" + path.partition("?")[0],
        facts["headers"],
        base64.b64decode(facts["body"]),
        delivery.received_at,
        query=facts["query"],
        delivery_id=delivery.delivery_id,
    )


def waiting_deliveries(session: Session, actor: Actor, *, source_id: int) -> list[Delivery]:
    """Return the oldest deliveries of a source that nobody has read."""
    require(actor, P.WEBHOOK_DELIVER, by(source_id))
    waiting = (
        select(Delivery)
        .where(Delivery.source_id == source_id, Delivery.state == "waiting")
        .order_by(Delivery.id)
        .limit(BATCH)
    )
    return list(session.scalars(waiting))


def note_refs(
    session: Session,
    actor: Actor,
    *,
    source_id: int,
    delivery_ids: Sequence[int],
    refs: Iterable[ExternalRef],
    now: datetime,
) -> None:
    """Mark deliveries as read and note what they speak of; pulled lately, it waits for its pause to end."""
    require(actor, P.WEBHOOK_DELIVER, by(source_id))
    session.execute(
        update(Delivery).where(Delivery.id.in_(delivery_ids)).values(state="done", done_at=now, error="")
    )
    told = {(ref.stream, ref.external_id) for ref in refs if ref.external_id}
    if told:
        _note_due(session, source_id, sorted(told), now)
        ask_to_repull(session, SYSTEM, source_id=source_id, now=now)


def _note_due(session: Session, source_id: int, told: Sequence[tuple[str, str]], now: datetime) -> None:
    for stream, external_id in told:
        row = session.get(Repull, (source_id, stream, external_id), with_for_update=True)
        if row is None:
            made = insert_unless_there(session, Repull, on=("source_id", "stream", "external_id"))
            session.execute(
                made.values(source_id=source_id, stream=stream, external_id=external_id, due_at=now)
            )
        elif row.due_at is None:
            row.due_at = now if row.pulled_at is None else max(now, row.pulled_at + REPULL_PAUSE)
            row.tries = 0
    session.flush()


def ask_to_repull(session: Session, actor: Actor, *, source_id: int, now: datetime) -> None:
    """Ask the worker to pull again what is due next, if anything is."""
    require(actor, P.CONNECTOR_RUN)
    due_at = session.scalar(select(func.min(Repull.due_at)).where(Repull.source_id == source_id))
    if due_at is None:
        return
    key = f"{REPULL_JOB}:{source_id}"
    jobs.enqueue(
        session,
        REPULL_JOB,
        {"source_id": source_id},
        now=now,
        queue="import",
        run_after=max(now, due_at),
        dedupe_key=f"{key}:{int(due_at.timestamp()) // 5}",
        alone_key=key,
        max_attempts=8,
    )


def due_refs(session: Session, actor: Actor, *, source_id: int, now: datetime) -> list[Repull]:
    """Return what is to be pulled again now, longest due first."""
    require(actor, P.CONNECTOR_RUN)
    due = (
        select(Repull)
        .where(Repull.source_id == source_id, Repull.due_at <= now)
        .order_by(Repull.due_at)
        .limit(BATCH)
    )
    return list(session.scalars(due))


def mark_pulled(
    session: Session, actor: Actor, ref: Repull, *, due_at: datetime | None, now: datetime
) -> None:
    """Note that an object was pulled; told of meanwhile, it stays due. ``due_at`` is what it was before."""
    require(actor, P.CONNECTOR_RUN)
    session.execute(
        update(Repull)
        .where(
            Repull.source_id == ref.source_id,
            Repull.stream == ref.stream,
            Repull.external_id == ref.external_id,
            Repull.due_at == due_at,
        )
        .values(due_at=None, pulled_at=now, tries=0)
    )


def put_off(session: Session, actor: Actor, ref: Repull, *, until: datetime, now: datetime) -> None:
    """Pull an object later, or give it up after some tries: the live lane finds it anyway."""
    require(actor, P.CONNECTOR_RUN)
    given_up = ref.tries + 1 >= MOST_TRIES
    session.execute(
        update(Repull)
        .where(
            Repull.source_id == ref.source_id,
            Repull.stream == ref.stream,
            Repull.external_id == ref.external_id,
        )
        .values(due_at=None if given_up else until, pulled_at=now, tries=ref.tries + 1)
    )


def note_unread(session: Session, actor: Actor, delivery: Delivery, *, error: str, now: datetime) -> None:
    """Note that the connector could not read a delivery; after some tries it is set aside."""
    require(actor, P.CONNECTOR_RUN)
    row = session.get(Delivery, delivery.id)
    if row is not None:
        row.tries, row.error = row.tries + 1, error[:REASON_MAX]
        if row.tries >= MOST_TRIES:
            row.state, row.done_at = "failed", now


def forget_old(session: Session, *, before: datetime) -> None:
    """Remove what was read before, and the marks of what was pulled before."""
    session.execute(delete(Delivery).where(Delivery.state != "waiting", Delivery.received_at < before))
    session.execute(delete(Repull).where(Repull.due_at.is_(None), Repull.pulled_at < before))
