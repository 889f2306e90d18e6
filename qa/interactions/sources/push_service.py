"""Notes that go back to where a conversation came from: put down for its source, pushed by the worker.

Each conversation is a target of its own: its notes arrive in order, and a refused one holds up no other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from qa.accounts.permissions import Permission as P
from qa.accounts.policy import require
from qa.core.actor import Actor, by
from qa.core.crypto import Keys
from qa.core.db import Database
from qa.core.errors import NotFound
from qa.extensions import outgoing_service as outgoing
from qa.extensions.models import Outgoing
from qa.extensions.outgoing_service import Parcel
from qa.extensions.runtime import NotRunning, Runtime
from qa.interactions.models import Interaction
from qa.interactions.sources.connectors import Connectors, find_facts
from qa.interactions.sources.models import Source
from qa.plugins.api import ExternalRef, Gone, PushItem

WORK = "push"
SHOWN = 20


def put_note(
    session: Session,
    actor: Actor,
    keys: Keys,
    interaction: Interaction,
    *,
    key: str,
    contents: Mapping[str, Any],
    now: datetime,
) -> bool:
    """Put a note down for a conversation's source; False where none is wanted or it was put before."""
    require(actor, P.CONNECTOR_RUN, by(actor.id))
    source = session.scalar(select(Source).where(Source.key == interaction.source, Source.writes_back))
    if source is None or interaction.deleted_at is not None:
        return False
    whole = {
        **contents,
        "source": source.id,
        "external_id": interaction.external_id,
    }
    target = f"{_prefix(source.id)}{interaction.id}"
    return outgoing.put(
        session, keys, work=WORK, plugin=source.plugin, target=target, key=key, contents=whole, now=now
    )


def has_note(session: Session, actor: Actor, interaction: Interaction) -> bool:
    """Tell whether a note was put down for a conversation before."""
    require(actor, P.CONNECTOR_RUN, by(actor.id))
    source_id = session.scalar(select(Source.id).where(Source.key == interaction.source))
    there = select(Outgoing.id).where(Outgoing.target == f"{_prefix(source_id or 0)}{interaction.id}")
    return session.scalar(there.limit(1)) is not None


def push(
    database: Database, runtime: Runtime, keys: Keys, site_zone: str, parcel: Parcel, item: PushItem
) -> None:
    """Push a note through its source's connector; raises what the connector raises."""
    with database.reading() as session:
        source = session.get(Source, int(parcel.contents["source"]))
        if source is None:
            raise Gone("The source was removed.")
        facts = find_facts(session, source.plugin, source.connector)
    if not source.writes_back:
        raise Gone("Write-back was turned off for this source.")
    if source.is_paused or facts is None:
        reason = "The source is paused." if source.is_paused else "Its plugin does not run."
        raise NotRunning(source.plugin, "waits", reason)
    if not facts.can("push_note"):
        raise Gone("This version of the connector cannot leave notes.")
    target = ExternalRef(str(parcel.contents["external_id"]), facts.streams[0])
    Connectors(runtime, database, keys, site_zone=site_zone).push(source, target, item, parcel.key)


def _prefix(source_id: int) -> str:
    return f"{WORK}:{source_id}:"


@dataclass(frozen=True, slots=True)
class Pushed:
    """How the notes of a source stand; ``rows`` are those with an error, given up ones first."""

    sent: int
    waiting: int
    dead: int
    sent_at: datetime | None
    rows: list[Outgoing]


def look_pushed(session: Session, actor: Actor, source_id: int) -> Pushed:
    """Return what became of the notes of a source in the last week."""
    require(actor, P.CONNECTOR_LIST, by(actor.id))
    mine = Outgoing.target.startswith(_prefix(source_id), autoescape=True)
    numbers = select(
        func.count().filter(Outgoing.state == "sent"),
        func.count().filter(Outgoing.state == "pending"),
        func.count().filter(Outgoing.state == "dead"),
        func.max(Outgoing.settled_at).filter(Outgoing.state == "sent"),
    ).where(mine)
    in_trouble = (
        select(Outgoing)
        .where(mine, Outgoing.state.in_(("dead", "pending")), Outgoing.error != "")
        .order_by(Outgoing.state, Outgoing.id)
        .limit(SHOWN)
    )
    return Pushed(*session.execute(numbers).one(), list(session.scalars(in_trouble)))


def send_again(session: Session, actor: Actor, source_id: int, outgoing_id: int, *, now: datetime) -> None:
    """Send a note of this source that was given up on again, with its old key."""
    require(actor, P.JOB_RETRY, by(actor.id))
    _check_mine(session, source_id, outgoing_id)
    outgoing.send_again(session, actor, outgoing_id, now=now)


def discard(session: Session, actor: Actor, source_id: int, outgoing_id: int, *, now: datetime) -> None:
    """Give a note of this source up for good."""
    require(actor, P.JOB_RETRY, by(actor.id))
    _check_mine(session, source_id, outgoing_id)
    outgoing.discard(session, actor, outgoing_id, now=now)


def _check_mine(session: Session, source_id: int, outgoing_id: int) -> None:
    row = session.get(Outgoing, outgoing_id)
    if row is None or not row.target.startswith(_prefix(source_id)):
        raise NotFound("There is no such note.")
