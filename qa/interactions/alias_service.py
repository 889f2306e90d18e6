"""Accounts of other systems: found or noted as conversations come in, matched to people by rule or by hand.

A rule matches only when exactly one person fits; names alone never decide. What is matched later
moves the history: every conversation the account took part in gets its person.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Table, delete, insert, select, update
from sqlalchemy.orm import Session

from qa.accounts.models import User
from qa.accounts.permissions import Permission as P
from qa.accounts.policy import require
from qa.core import audit, jobs, outbox
from qa.core.actor import Actor, by
from qa.core.db import insert_unless_there
from qa.core.errors import Conflict, Invalid, NotFound
from qa.core.text import folded
from qa.interactions.alias_models import MATCHED, STATES, WAITING, Alias, AliasPart
from qa.interactions.events import AccountMatched
from qa.interactions.lines import AgentPart
from qa.interactions.models import Interaction, Participant

REATTRIBUTE_JOB = "interactions.reattribute"
SAME_EMAIL = "email"
SAME_NUMBER = "number"
BATCH = 500


@dataclass(frozen=True, slots=True)
class Account:
    """An account as conversations need it: the person behind it, if known, and whether one is missing."""

    alias_id: int
    user_id: int | None
    is_person: bool


def account_of(part: AgentPart) -> str:
    """Return the name under which the other system knows somebody: its id, else e-mail, else extension."""
    return (part.external_id or (folded(part.email) if part.email else part.extension) or "")[:254]


def resolve_accounts(
    session: Session, actor: Actor, *, source: str, parts: Iterable[AgentPart], now: datetime
) -> dict[str, Account]:
    """Return the accounts of these agents by ``account_of``; unknown ones are noted and wait.

    An account that waits is tried again by rule: the person may have been added meanwhile.
    """
    require(actor, P.INTERACTION_CREATE, by(actor.id))
    wanted = {account_of(part): part for part in parts}
    found = _known(session, source, wanted)
    missing = [part for account, part in wanted.items() if account not in found]
    if missing:
        _note(session, source, missing, now=now)
        found = _known(session, source, wanted)
    fresh = {account_of(part) for part in missing}
    waiting = [row for row in found.values() if row.state == WAITING and row.account not in fresh]
    for row, user_id, rule in _by_rule(session, waiting):
        _match(session, row, user_id=user_id, state="auto", rule=rule, now=now)
    return {account: _account(row) for account, row in found.items()}


def _account(row: Alias) -> Account:
    known = row.user_id if row.state in MATCHED else None
    return Account(row.id, known, row.state not in {"nobody", "ignored"})


def _known(session: Session, source: str, wanted: Mapping[str, AgentPart]) -> dict[str, Alias]:
    rows = select(Alias).where(Alias.source == source, Alias.account.in_(list(wanted)))
    return {row.account: row for row in session.scalars(rows)}


def _note(session: Session, source: str, parts: Sequence[AgentPart], *, now: datetime) -> None:
    """Write down accounts never seen before, matched where a rule finds exactly one person."""
    fresh = [
        Alias(
            source=source,
            account=account_of(part),
            email=(part.email or "")[:254],
            name=part.name or "",
            extension=part.extension or "",
            state=WAITING,
        )
        for part in sorted(parts, key=account_of)
    ]
    matched = {id(row): (user_id, rule) for row, user_id, rule in _by_rule(session, fresh)}
    values = []
    for row in fresh:
        user_id, rule = matched.get(id(row), (None, ""))
        values.append(
            {
                "source": source,
                "account": row.account,
                "email": row.email,
                "name": row.name,
                "extension": row.extension,
                "state": WAITING if user_id is None else "auto",
                "user_id": user_id,
                "rule": rule,
                "decided_at": None if user_id is None else now,
                "first_seen_at": now,
            }
        )
    session.execute(insert_unless_there(session, Alias, on=("source", "account")), values)


def _by_rule(session: Session, rows: Sequence[Alias]) -> list[tuple[Alias, int, str]]:
    """Return those for which exactly one person fits: same e-mail, or same employee number."""
    if not rows:
        return []
    emails = {folded(row.email) for row in rows if row.email}
    numbers = {row.account for row in rows if not row.email or row.account != folded(row.email)}
    by_email = _users(session, User.email_folded, emails)
    by_number = _users(session, User.external_id, numbers)
    matched = []
    for row in rows:
        mailed = by_email.get(folded(row.email)) if row.email else None
        numbered = by_number.get(row.account)
        fits = {user for user in (mailed, numbered) if user is not None}
        if len(fits) == 1:
            matched.append((row, fits.pop(), SAME_EMAIL if mailed is not None else SAME_NUMBER))
    return matched


def _users(session: Session, column: Any, values: Iterable[str]) -> dict[str, int]:
    wanted = list(values)
    if not wanted:
        return {}
    return {key: user for key, user in session.execute(select(column, User.id).where(column.in_(wanted)))}


def _match(
    session: Session,
    row: Alias,
    *,
    user_id: int | None,
    state: str,
    rule: str,
    now: datetime,
    actor_id: int | None = None,
) -> None:
    former = row.user_id if row.state in MATCHED else None
    row.user_id, row.state, row.rule = user_id, state, rule
    row.decided_at, row.decided_by_id = now, actor_id
    session.flush()
    jobs.enqueue(session, REATTRIBUTE_JOB, {"alias_id": row.id}, now=now, alone_key=REATTRIBUTE_JOB)
    told = AccountMatched(alias_id=row.id, user_id=user_id, former_user_id=former)
    outbox.emit(session, told, now=now)


def decide_account(
    session: Session, actor: Actor, alias_id: int, *, state: str, user_id: int | None = None, now: datetime
) -> Alias:
    """Say who an account is: ``confirmed`` with a person, ``nobody``, ``ignored``, or ``suggested`` again.

    Its conversations follow by a job. Raises ``Invalid`` when a person is missing or one too many.
    """
    require(actor, P.ALIAS_CONFIRM)
    if state not in STATES or state == "auto":
        raise Invalid("Choose a person, nobody, or leave it open.", field="state")
    if (user_id is not None) != (state == "confirmed"):
        raise Invalid("Choose the person this account belongs to.", field="user_id")
    row = session.get(Alias, alias_id, with_for_update=True)
    if row is None:
        raise NotFound("There is no such account.")
    if user_id is not None and session.get(User, user_id) is None:
        raise Invalid("There is no such person any more. Choose another.", field="user_id")
    if (row.state, row.user_id) == (state, user_id):
        raise Conflict("That is decided already, perhaps in another tab.")
    before = {"state": row.state, "user_id": row.user_id}
    _match(session, row, user_id=user_id, state=state, rule="", now=now, actor_id=actor.id)
    after = {"state": state, "user_id": user_id}
    audit.record(session, actor, "alias:confirm", "alias", alias_id, now=now, before=before, after=after)
    return row


def match_certain(session: Session, actor: Actor, *, now: datetime, limit: int = BATCH) -> int:
    """Match every waiting account for which a rule finds exactly one person; return how many."""
    require(actor, P.ALIAS_CONFIRM)
    waiting = select(Alias).where(Alias.state == WAITING).order_by(Alias.id)
    count = 0
    for batch in session.scalars(waiting).partitions(limit):
        for row, user_id, rule in _by_rule(session, batch):
            _match(session, row, user_id=user_id, state="auto", rule=rule, now=now)
            count += 1
    return count


def count_certain(session: Session, actor: Actor) -> int:
    """Return how many ``match_certain`` would match."""
    require(actor, P.ALIAS_CONFIRM)
    waiting = session.scalars(select(Alias).where(Alias.state == WAITING).order_by(Alias.id))
    return sum(len(_by_rule(session, batch)) for batch in waiting.partitions(BATCH))


def reattribute(session: Session, actor: Actor, *, alias_id: int, after_id: int) -> int | None:
    """Put the right people into the next batch of an account's conversations.

    Returns the last conversation done, to go on after, or None when there are no more.
    """
    require(actor, P.INTERACTION_EDIT_METADATA)
    next_ids = (
        select(AliasPart.interaction_id)
        .where(AliasPart.alias_id == alias_id, AliasPart.interaction_id > after_id)
        .order_by(AliasPart.interaction_id)
        .limit(BATCH)
    )
    ids = list(session.scalars(next_ids))
    if not ids:
        return None
    _put_people_in(session, ids)
    return ids[-1]


def _put_people_in(session: Session, ids: Sequence[int]) -> None:
    parts = (
        select(AliasPart.interaction_id, AliasPart.part, Alias)
        .join(Alias, Alias.id == AliasPart.alias_id)
        .where(AliasPart.interaction_id.in_(ids))
        .order_by(AliasPart.interaction_id, AliasPart.position)
    )
    taking_part: dict[int, list[tuple[Account, str]]] = {interaction_id: [] for interaction_id in ids}
    for interaction_id, part, row in session.execute(parts):
        taking_part[interaction_id].append((_account(row), part))
    teams = teams_of(session, (account.user_id for several in taking_part.values() for account, _ in several))
    session.execute(delete(Participant).where(Participant.interaction_id.in_(ids)))
    people = [row for key, several in taking_part.items() for row in participants(key, several)]
    if people:
        session.execute(insert(_table(Participant)), people)
    changes = []
    for key, several in taking_part.items():
        agent_id = main_agent(account for account, _ in several)
        team_id = None if agent_id is None else teams[agent_id]
        changes.append({"id": key, "agent_id": agent_id, "team_id": team_id})
    session.execute(update(Interaction), changes)


def participants(interaction_id: int, parts: Sequence[tuple[Account, str]]) -> list[dict[str, Any]]:
    """Return the rows of the people who took part, each once, in order."""
    people: dict[int, str] = {}
    for account, part in parts:
        if account.user_id is not None:
            people.setdefault(account.user_id, part)
    return [
        {"interaction_id": interaction_id, "user_id": user_id, "part": part, "position": place}
        for place, (user_id, part) in enumerate(people.items(), start=1)
    ]


def main_agent(accounts: Iterable[Account]) -> int | None:
    """Return whom the conversation counts for: the first agent, None while that one is unknown."""
    first = next((account for account in accounts if account.is_person), None)
    return None if first is None else first.user_id


def teams_of(session: Session, user_ids: Iterable[int | None]) -> dict[int, int | None]:
    """Return the team each of these people works in today."""
    wanted = {user_id for user_id in user_ids if user_id is not None}
    if not wanted:
        return {}
    rows = session.execute(select(User.id, User.team_id).where(User.id.in_(wanted)))
    return {user_id: team_id for user_id, team_id in rows}


def _table(model: Any) -> Table:
    table: Table = model.__table__
    return table
