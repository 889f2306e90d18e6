"""What goes out: put down in the transaction of its cause, delivered at least once, in order per target.

A target that fails holds up only itself. Each row is tried eight times over about a day, then it is on the
dead list with its reason until somebody sends it again or discards it. The key of a row stays the same over
all tries, so that a far side that knows keys sees one effect.
"""

from __future__ import annotations

import hashlib
import json
import logging
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from qa.accounts.permissions import Permission
from qa.accounts.policy import require
from qa.core import audit, clock, jobs
from qa.core.actor import Actor, by
from qa.core.children import Unwanted
from qa.core.crypto import Keys
from qa.core.db import Database
from qa.core.errors import Conflict, NotFound
from qa.extensions.models import REASON_MAX, Outgoing
from qa.extensions.runtime import NotRunning, PluginRests, Runtime
from qa.plugins.api import Gone, PluginError, RateLimited
from qa.plugins.calling import PluginFailed

log = logging.getLogger(__name__)

DELIVER_JOB = "plugins.deliver"
PURPOSE = "extensions:outgoing"
PAUSES = tuple(
    timedelta(seconds=seconds) for seconds in (60, 300, 900, 3_600, 10_800, 21_600, 43_200)
)  # eight tries over 22 hours
OFF_PAUSE = timedelta(minutes=10)
DIED = "The worker died during each attempt."
BATCH = 500


@dataclass(frozen=True, slots=True)
class Parcel:
    """One thing to deliver, opened."""

    plugin: str
    target: str
    key: str
    contents: dict[str, Any]


Carrier = Callable[[Database, Runtime, Parcel], None]
"""Delivers a parcel; raises what the plugin raises."""


def put(
    session: Session,
    keys: Keys,
    *,
    work: str,
    plugin: str,
    target: str,
    key: str,
    contents: Mapping[str, Any],
    now: datetime,
) -> bool:
    """Put something down to be delivered; False when this key was put down for the target before."""
    there = select(Outgoing.id).where(Outgoing.target == target, Outgoing.key == key)
    if session.scalar(there) is not None:
        return False
    sealed = keys.seal(json.dumps(dict(contents)).encode(), purpose=PURPOSE)
    session.add(
        Outgoing(work=work, plugin=plugin, target=target, key=key, sealed=sealed, due_at=now, put_at=now)
    )
    session.flush()
    _ask_to_deliver(session, target, now=now)
    return True


def _ask_to_deliver(
    session: Session, target: str, *, now: datetime, run_after: datetime | None = None
) -> None:
    name = f"deliver:{hashlib.sha256(target.encode()).hexdigest()[:40]}"
    jobs.enqueue(
        session,
        DELIVER_JOB,
        {"target": target},
        now=now,
        queue="import",
        run_after=run_after,
        dedupe_key=name if run_after is None else f"{name}:later",
        alone_key=name,
    )


def deliver(
    database: Database, runtime: Runtime, keys: Keys, carriers: Mapping[str, Carrier], target: str
) -> None:
    """Deliver what waits for a target, one after the other, until one must wait."""
    while (again_at := _deliver_next(database, runtime, keys, carriers, target)) is None:
        continue
    if again_at is NOTHING:
        return
    with database.transaction() as session:
        now = clock.now()
        _ask_to_deliver(session, target, now=now, run_after=max(again_at, now + timedelta(seconds=1)))


NOTHING = datetime.max
"""Nothing waits any more."""


def _deliver_next(
    database: Database, runtime: Runtime, keys: Keys, carriers: Mapping[str, Carrier], target: str
) -> datetime | None:
    """Deliver the first in line; None when it is settled, else when to go on."""
    first = (
        select(Outgoing)
        .where(Outgoing.state == "pending", Outgoing.target == target)
        .order_by(Outgoing.id)
        .limit(1)
    )
    now = clock.now()
    with database.transaction() as session:
        row = session.scalar(first.with_for_update())
        if row is None:
            return NOTHING
        if row.due_at > now:
            return row.due_at
        if row.attempt > len(PAUSES):
            _end(row, "dead", row.error or DIED, now)
            return None
        # counted before the work: what kills the worker must not do so for ever
        row.attempt += 1
        row.due_at = now + _pause(row.attempt)
        row_id, attempt, work = row.id, row.attempt, row.work
        parcel = Parcel(row.plugin, row.target, row.key, json.loads(keys.open(row.sealed, purpose=PURPOSE)))
    settled = _carried(database, runtime, carriers.get(work), parcel)
    with database.transaction() as session:
        row = session.get(Outgoing, row_id, with_for_update=True)
        if row is None or row.state != "pending" or row.attempt != attempt:
            return None
        return _settle(row, settled, clock.now())


@dataclass(frozen=True, slots=True)
class _Settled:
    """How an attempt ended; without ``error`` it went well. ``wait_until`` says that it was no attempt."""

    error: str = ""
    is_final: bool = False
    wait_until: datetime | None = None


def _carried(database: Database, runtime: Runtime, carrier: Carrier | None, parcel: Parcel) -> _Settled:
    if carrier is None:
        return _Settled("This program does not know how to deliver it.", is_final=True)
    try:
        carrier(database, runtime, parcel)
    except Exception as error:  # a border: one parcel's fault is its own
        return _told(error, parcel)
    return _Settled()


def _told(error: Exception, parcel: Parcel) -> _Settled:
    match error:
        case PluginRests():
            return _Settled(error.reason, wait_until=error.until)
        case NotRunning():
            return _Settled(error.reason, wait_until=clock.now() + OFF_PAUSE)
        case RateLimited():
            return _Settled(error.message, wait_until=error.at or clock.now() + PAUSES[0])
        case Gone():
            return _Settled(error.message, is_final=True)
        case Unwanted():
            return _Settled("The worker stopped.", wait_until=clock.now())
        case PluginError() | PluginFailed():
            return _Settled(str(error) or type(error).__name__)
    log.warning("delivery failed", extra={"plugin": parcel.plugin, "error": type(error).__name__})
    return _Settled(f"{type(error).__name__}: {error}")


def _settle(row: Outgoing, settled: _Settled, now: datetime) -> datetime | None:
    if not settled.error:
        _end(row, "sent", "", now)
        return None
    row.error = settled.error[:REASON_MAX]
    if settled.wait_until is not None:
        row.attempt -= 1
        row.due_at = settled.wait_until
        return row.due_at
    if settled.is_final or row.attempt > len(PAUSES):
        _end(row, "dead", settled.error, now)
        return None
    return row.due_at


def _end(row: Outgoing, state: str, error: str, now: datetime) -> None:
    row.state, row.error, row.settled_at = state, error[:REASON_MAX], now


def _pause(attempt: int) -> timedelta:
    return PAUSES[min(attempt, len(PAUSES)) - 1] * (1 + secrets.randbelow(200) / 1_000)


def ask_for_waiting(database: Database, *, now: datetime) -> None:
    """Have delivered what is due and whose job was lost."""
    due = select(Outgoing.target).where(Outgoing.state == "pending", Outgoing.due_at <= now).distinct()
    with database.reading() as session:
        targets = list(session.scalars(due.limit(BATCH)))
    if targets:
        with database.transaction() as session:
            for target in targets:
                _ask_to_deliver(session, target, now=now)


def send_again(session: Session, actor: Actor, outgoing_id: int, *, now: datetime) -> None:
    """Deliver what was given up on, with its old key."""
    require(actor, Permission.JOB_RETRY, by(actor.id))
    row = _dead(session, outgoing_id)
    row.state, row.attempt, row.due_at, row.settled_at = "pending", 0, now, None
    audit.record(session, actor, "outgoing:send_again", "outgoing", outgoing_id, now=now)
    _ask_to_deliver(session, row.target, now=now)


def discard(session: Session, actor: Actor, outgoing_id: int, *, now: datetime) -> None:
    """Give up for good on what was given up on; its contents go."""
    require(actor, Permission.JOB_RETRY, by(actor.id))
    row = _dead(session, outgoing_id)
    row.state, row.settled_at, row.sealed = "discarded", now, b""
    audit.record(session, actor, "outgoing:discard", "outgoing", outgoing_id, now=now)


def _dead(session: Session, outgoing_id: int) -> Outgoing:
    row = session.get(Outgoing, outgoing_id, with_for_update=True)
    if row is None:
        raise NotFound("There is no such delivery.")
    if row.state != "dead":
        raise Conflict("This delivery is not on the dead list.")
    return row


def forget_settled(database: Database, *, before: datetime) -> None:
    """Remove what was delivered or discarded before, a batch a transaction."""
    old = select(Outgoing.id).where(Outgoing.state.in_(("sent", "discarded")), Outgoing.settled_at < before)
    while True:
        with database.transaction() as session:
            ids = list(session.scalars(old.limit(BATCH)))
            session.execute(delete(Outgoing).where(Outgoing.id.in_(ids)))
        if len(ids) < BATCH:
            return
