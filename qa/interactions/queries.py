"""What can be read about conversations, each only by those who may."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Select, bindparam, case, or_, select, tuple_
from sqlalchemy.orm import Session, contains_eager, defer, joinedload, selectinload, undefer

from qa.accounts.permissions import Permission as P
from qa.accounts.permissions import Role
from qa.accounts.policy import visible
from qa.core.actor import Actor
from qa.core.errors import NotFound
from qa.core.keyset import key_of, read_key
from qa.interactions.models import Interaction, Participant, Recording, Turn

PAGE = 50
GONE = "There is no such conversation, or you may not see it."


@dataclass(frozen=True, slots=True)
class InteractionFilter:
    """What a list of conversations is narrowed by; empty means all."""

    channel: str = ""
    team_id: int | None = None
    agent_id: int | None = None
    evaluated: str = ""
    since: datetime | None = None
    until: datetime | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class InteractionPage:
    """One page of conversations, newest first, and the key of the next one."""

    interactions: list[Interaction]
    next_key: str | None


def list_interactions(
    session: Session, actor: Actor, wanted: InteractionFilter, *, after: str | None = None
) -> InteractionPage:
    """Return conversations, newest first, fifty a page."""
    rows = (
        select(Interaction)
        .where(
            Interaction.deleted_at.is_(None), visible(actor, P.INTERACTION_LIST, Interaction.scope_columns())
        )
        .options(joinedload(Interaction.agent), joinedload(Interaction.team))
        .order_by(Interaction.started_at.desc(), Interaction.id.desc())
        .limit(PAGE + 1)
    )
    rows = _narrowed(rows, wanted)
    if after:
        rows = rows.where(tuple_(Interaction.started_at, Interaction.id) < read_key(after))
    found = list(session.scalars(rows))
    more = len(found) > PAGE
    found = found[:PAGE]
    key = key_of(found[-1].started_at, found[-1].id) if more else None
    return InteractionPage(found, key)


def _narrowed(rows: Select[Interaction], wanted: InteractionFilter) -> Select[Interaction]:
    if wanted.channel:
        rows = rows.where(Interaction.channel == wanted.channel)
    if wanted.team_id is not None:
        rows = rows.where(Interaction.team_id == wanted.team_id)
    if wanted.agent_id is not None:
        rows = rows.where(Interaction.agent_id == wanted.agent_id)
    if wanted.evaluated:
        done = Interaction.evaluated_at.is_not(None)
        rows = rows.where(done if wanted.evaluated == "yes" else ~done)
    if wanted.since is not None:
        rows = rows.where(Interaction.started_at >= wanted.since)
    if wanted.until is not None:
        rows = rows.where(Interaction.started_at < wanted.until)
    if wanted.text:
        start = wanted.text.strip().replace("%", "").replace("_", "") + "%"
        rows = rows.where(
            or_(
                Interaction.external_id.like(start),
                Interaction.customer_reference.like(start),
                Interaction.subject.like("%" + start),
            )
        )
    return rows


def get_interaction(session: Session, actor: Actor, interaction_id: int) -> Interaction:
    """Return one conversation with all its scope needs, or raise ``NotFound``."""
    found = session.scalar(
        _one(actor, interaction_id).options(
            joinedload(Interaction.agent),
            selectinload(Interaction.participants).joinedload(Participant.user),
            selectinload(Interaction.viewers),
        )
    )
    if found is None:
        raise NotFound(GONE)
    return found


class Said(NamedTuple):
    """One turn as it is shown: a plain row, for there are thousands of them."""

    id: int
    position: int
    speaker: str
    kind: str
    start_ms: int | None
    end_ms: int | None
    sent_at: datetime | None
    text: str


class Recorded(NamedTuple):
    """What the player needs of a recording."""

    id: int
    state: str
    problem: str | None
    duration_ms: int | None
    speakers: list[str]


class Heard(NamedTuple):
    """What was said in a conversation, in order, and its recordings."""

    turns: list[Said]
    recordings: list[Recorded]


def heard_in(session: Session, interaction_id: int) -> Heard:
    """Return the turns and recordings of a conversation that its reader may see: two statements."""
    asked = {"interaction_id": interaction_id}
    return Heard(
        [Said._make(row) for row in session.execute(_SAID, asked)],
        [Recorded._make(row) for row in session.execute(_RECORDED, asked)],
    )


def _plain(table: Any, kind: type[Any], order: str, **shown: Any) -> Select[Any]:
    """Return the statement that reads the fields of ``kind`` of one conversation, some as ``shown``."""
    here = table.c.interaction_id == bindparam("interaction_id")
    return (
        select(*(shown.get(name, table.c[name]) for name in kind._fields))
        .where(here)
        .order_by(table.c[order])
    )


_SAID = _plain(Turn.__table__, Said, "position", text=case((Turn.is_redacted, Turn.stored), else_=""))
_RECORDED = _plain(Recording.__table__, Recorded, "id")


def get_conversation(session: Session, actor: Actor, interaction_id: int) -> Interaction:
    """Return one conversation with agent and team, or raise ``NotFound``."""
    found = session.scalar(_one(actor, interaction_id).options(*_WHERE))
    if found is None:
        raise NotFound(GONE)
    return found


_WHERE = (joinedload(Interaction.agent), joinedload(Interaction.team))


def get_whole_conversation(session: Session, actor: Actor, interaction_id: int) -> Interaction:
    """Return one conversation as its own page shows it, with all people and tags: three statements."""
    everybody = selectinload(Interaction.participants).joinedload(Participant.user)
    found = session.scalar(
        _one(actor, interaction_id).options(*_WHERE, everybody, selectinload(Interaction.tags))
    )
    if found is None:
        raise NotFound(GONE)
    return found


def _one(actor: Actor, interaction_id: int) -> Select[Interaction]:
    return select(Interaction).where(
        Interaction.id == interaction_id,
        Interaction.deleted_at.is_(None),
        visible(actor, P.INTERACTION_READ, Interaction.scope_columns()),
    )


def get_recording(
    session: Session, actor: Actor, recording_id: int, *, with_peaks: bool = False
) -> Recording:
    """Return a recording that this actor may listen to, or raise ``NotFound``; with peaks to draw them."""
    found = session.scalar(
        select(Recording)
        .join(Recording.interaction)
        .where(
            Recording.id == recording_id,
            Interaction.deleted_at.is_(None),
            visible(actor, P.RECORDING_LISTEN, Interaction.scope_columns()),
        )
        .options(
            _PEAKS if with_peaks else _NO_PEAKS,
            contains_eager(Recording.interaction).load_only(Interaction.redaction),
        )
    )
    if found is None:
        raise NotFound("There is no such recording, or you may not listen to it.")
    return found


_PEAKS, _NO_PEAKS = undefer(Recording.peaks), defer(Recording.peaks, raiseload=True)


def may_read_words(session: Session, actor: Actor, interaction_id: int) -> bool:
    """Tell whether this actor, who sees the conversation, may read what was said in it.

    Only the privacy role sees conversations without their words; nobody else costs a question.
    """
    if Role.PRIVACY not in actor.roles:
        return True
    seen = visible(actor, P.TRANSCRIPT_READ, Interaction.scope_columns())
    return session.scalar(select(Interaction.id).where(Interaction.id == interaction_id, seen)) is not None
