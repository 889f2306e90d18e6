"""What can be read about accounts of other systems: who waits, who fits, what was matched lately."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, Subquery, func, or_, select, tuple_
from sqlalchemy.orm import Session, joinedload

from qa.accounts.models import User
from qa.accounts.permissions import Permission as P
from qa.accounts.policy import require, visible
from qa.core.actor import Actor
from qa.core.errors import NotFound
from qa.core.keyset import id_in
from qa.core.text import folded, sort_key
from qa.interactions.alias_models import WAITING, Alias, AliasPart
from qa.interactions.models import Interaction
from qa.interactions.sources.models import Source

PAGE = 20
MOST_PROPOSALS = 3
RECENT = 8


@dataclass(frozen=True, slots=True)
class Proposal:
    """A person an account may belong to, and why."""

    user: User
    reason: str


@dataclass(frozen=True, slots=True)
class WaitingAccount:
    """An account that is nobody's yet: its conversations, since when, how many are scored, who fits."""

    alias: Alias
    source_name: str
    count: int
    evaluated: int
    since: datetime | None
    proposals: tuple[Proposal, ...]


@dataclass(frozen=True, slots=True)
class WaitingPage:
    """One page of waiting accounts, those with most conversations first, and the key of the next."""

    rows: list[WaitingAccount]
    next_key: str | None
    total: int
    conversations: int


def list_waiting(session: Session, actor: Actor, *, after: str | None = None) -> WaitingPage:
    """Return waiting accounts, most conversations first: a fixed number of statements a page."""
    require(actor, P.ALIAS_CONFIRM)
    counted = _counted()
    rows = (
        select(Alias, counted.c.count, counted.c.evaluated, counted.c.since)
        .join(counted, counted.c.alias_id == Alias.id, isouter=True)
        .where(Alias.state == WAITING)
    )
    page = list(session.execute(_page(rows, counted, after)))
    more, page = len(page) > PAGE, page[:PAGE]
    names = source_names(session, [row[0].source for row in page])
    proposed = _proposals(session, actor, [row[0] for row in page])
    total, conversations = session.execute(_totals()).one()
    waiting = [
        WaitingAccount(
            alias,
            names.get(alias.source, alias.source),
            count or 0,
            evaluated or 0,
            since,
            proposed[alias.id],
        )
        for alias, count, evaluated, since in page
    ]
    key = f"{waiting[-1].count}~{waiting[-1].alias.id}" if more else None
    return WaitingPage(waiting, key, total, conversations)


def _counted() -> Subquery:
    waiting = select(Alias.id).where(Alias.state == WAITING)
    return (
        select(
            AliasPart.alias_id,
            func.count().label("count"),
            func.count(Interaction.evaluated_at).label("evaluated"),
            func.min(Interaction.started_at).label("since"),
        )
        .join(Interaction, Interaction.id == AliasPart.interaction_id)
        .where(Interaction.deleted_at.is_(None), AliasPart.alias_id.in_(waiting))
        .group_by(AliasPart.alias_id)
        .subquery()
    )


def _page(
    rows: Select[Alias, int, int, datetime], counted: Subquery, after: str | None
) -> Select[Alias, int, int, datetime]:
    count = func.coalesce(counted.c.count, 0)
    if after:
        conversations, _, last = after.partition("~")
        key = (id_in(conversations), id_in(last))
        if None in key:
            raise NotFound("There is no such page. Start at the first one.")
        rows = rows.where(tuple_(count, Alias.id) < key)
    return rows.order_by(count.desc(), Alias.id.desc()).limit(PAGE + 1)


def _totals() -> Select[int, int]:
    waiting = Alias.state == WAITING
    accounts = select(func.count()).select_from(Alias).where(waiting).scalar_subquery()
    conversations = (
        select(func.count(func.distinct(AliasPart.interaction_id)))
        .join(Alias, Alias.id == AliasPart.alias_id)
        .join(Interaction, Interaction.id == AliasPart.interaction_id)
        .where(waiting, Interaction.deleted_at.is_(None))
        .scalar_subquery()
    )
    return select(accounts, conversations)


def source_names(session: Session, keys: Sequence[str]) -> dict[str, str]:
    """Return what people call these sources; an import's own name is missing, it has no other."""
    rows = session.execute(select(Source.key, Source.name).where(Source.key.in_(set(keys))))
    return {key: name for key, name in rows}


def _proposals(session: Session, actor: Actor, aliases: Sequence[Alias]) -> dict[int, tuple[Proposal, ...]]:
    """Return who may be meant: people of the same name, or whose address begins the same way."""
    names = {sort_key(alias.name) for alias in aliases if alias.name}
    boxes = {_mailbox(alias) for alias in aliases} - {""}
    seen = visible(actor, P.USER_READ_PROFILE, User.scope_columns())
    named = session.scalars(select(User).where(User.name_key.in_(names), seen)).all() if names else []
    starts = [User.email_folded.startswith(f"{box}@", autoescape=True) for box in sorted(boxes)]
    mailed = session.scalars(select(User).where(or_(*starts), seen)).all() if starts else []
    return {alias.id: _for_one(alias, named, mailed) for alias in aliases}


def _mailbox(alias: Alias) -> str:
    mail = alias.email or (alias.account if "@" in alias.account else "")
    return folded(mail).rpartition("@")[0]


def _for_one(alias: Alias, named: Sequence[User], mailed: Sequence[User]) -> tuple[Proposal, ...]:
    found: dict[int, Proposal] = {}
    for user in named:
        if alias.name and user.name_key == sort_key(alias.name):
            found[user.id] = Proposal(user, f"same name, {_place(user)}")
    for user in mailed:
        if user.id not in found and user.email_folded.rpartition("@")[0] == _mailbox(alias):
            found[user.id] = Proposal(user, f"the same before the @, {_place(user)}")
    return tuple(found.values())[:MOST_PROPOSALS]


def _place(user: User) -> str:
    return "has left" if user.deactivated_at is not None else user.email


@dataclass(frozen=True, slots=True)
class Match:
    """A decision made lately, and how many conversations it is about."""

    alias: Alias
    source_name: str
    count: int


def list_matches(session: Session, actor: Actor) -> list[Match]:
    """Return the newest decisions, made by people or by rules."""
    require(actor, P.ALIAS_CONFIRM)
    decided = (
        select(Alias)
        .where(Alias.state != WAITING)
        .options(joinedload(Alias.user), joinedload(Alias.decided_by))
        .order_by(Alias.decided_at.desc(), Alias.id.desc())
        .limit(RECENT)
    )
    aliases = list(session.scalars(decided))
    parts = (
        select(AliasPart.alias_id, func.count())
        .where(AliasPart.alias_id.in_([alias.id for alias in aliases]))
        .group_by(AliasPart.alias_id)
    )
    counts = {alias_id: count for alias_id, count in session.execute(parts)}
    names = source_names(session, [alias.source for alias in aliases])
    return [Match(one, names.get(one.source, one.source), counts.get(one.id, 0)) for one in aliases]


def count_by_rule(session: Session, actor: Actor) -> dict[str, int]:
    """Return how many accounts each rule matched."""
    require(actor, P.ALIAS_CONFIRM)
    rows = select(Alias.rule, func.count()).where(Alias.state == "auto").group_by(Alias.rule)
    return {rule: count for rule, count in session.execute(rows)}
