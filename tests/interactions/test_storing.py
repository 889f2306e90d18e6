"""Keeping delivered conversations: changed means newer content, unchanged writes nothing, gone stays gone."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, func, select
from sqlalchemy.orm import Session

from qa.accounts.models import User
from qa.core.actor import SYSTEM
from qa.core.audit import AuditEntry
from qa.core.db import Database
from qa.core.errors import Conflict, Forbidden, Invalid, NotFound
from qa.core.outbox import OutboxEvent
from qa.interactions import alias_service, jobs
from qa.interactions.alias_models import Alias, AliasPart
from qa.interactions.lines import Parsed, parse
from qa.interactions.models import Interaction, InteractionTag, Participant, Turn
from qa.interactions.redacting import safe_line
from qa.interactions.service import give_viewer
from qa.interactions.storing_service import Counts, store_lines
from tests.factories import NOW, actor_of, make_team, make_user
from tests.interactions.sources_site import KEYS

LINE: dict[str, Any] = {
    "external_id": "A-1",
    "channel": "ticket",
    "started_at": "2026-03-14T09:30:00+01:00",
    "agents": [{"external_id": "77", "email": "dana@example.org", "name": "Dana Ortiz"}],
    "turns": [{"speaker": "agent", "text": "Hello"}, {"speaker": "customer", "text": "Twice!"}],
    "tags": ["refund", "refund"],
}


def line(**over: Any) -> Parsed:
    return parse(json.dumps(LINE | over).encode())


def store(session: Session, *lines: Parsed, source: str = "desk") -> Counts:
    counts = Counts()
    safe = [safe_line(one, KEYS) for one in lines]
    store_lines(session, SYSTEM, source=source, lines=safe, counts=counts, now=NOW)
    return counts


def told(session: Session) -> list[dict[str, Any]]:
    return list(
        session.scalars(
            select(OutboxEvent.payload)
            .where(OutboxEvent.name == "InteractionsChanged")
            .order_by(OutboxEvent.id)
        )
    )


def test_the_same_again_writes_nothing_and_tells_nothing(session: Session) -> None:
    assert store(session, line(), line(external_id="A-2")) == Counts(new=2)
    session.flush()
    writes: list[str] = []
    connection = session.connection()

    def seen(_c: Any, _cur: Any, statement: str, *_rest: Any) -> None:
        writes.extend([statement] if not statement.startswith("SELECT") else [])

    event.listen(connection, "before_cursor_execute", seen)
    assert store(session, line(), line(external_id="A-2")) == Counts(unchanged=2)
    event.remove(connection, "before_cursor_execute", seen)
    assert writes == []
    assert len(told(session)) == 1


def test_a_changed_conversation_is_replaced_whole(session: Session) -> None:
    store(session, line())
    changed = line(subject="Now", tags=["late"], agents=[], turns=[{"speaker": "bot", "text": "Hi"}])
    assert store(session, changed) == Counts(changed=1)
    row = session.scalars(select(Interaction).execution_options(populate_existing=True)).one()
    assert (row.subject, row.turn_count, row.agent_id) == ("Now", 1, None)
    assert session.scalars(select(InteractionTag.tag)).all() == ["late"]
    assert session.scalars(select(Turn.stored)).all() == ["Hi"]
    assert session.scalar(select(func.count()).select_from(AliasPart)) == 0
    assert told(session)[-1]["updated"] == [row.id]


def test_an_older_delivery_never_replaces_a_newer_one(session: Session) -> None:
    store(session, line(subject="new", updated_at="2026-03-15T10:00:00Z"))
    assert store(session, line(subject="old", updated_at="2026-03-15T09:00:00Z")) == Counts(unchanged=1)
    assert session.scalars(select(Interaction.subject)).one() == "new"
    assert store(session, line(subject="newest", updated_at="2026-03-15T10:00:01Z")) == Counts(changed=1)


def test_twice_in_one_batch_the_later_one_stays(session: Session) -> None:
    counts = store(session, line(subject="first"), line(external_id="A-2"), line(subject="second"))
    assert counts == Counts(new=2, changed=1)
    subjects = dict(session.execute(select(Interaction.external_id, Interaction.subject)).all())
    assert subjects == {"A-1": "second", "A-2": ""}


def test_one_id_of_two_sources_is_two_conversations(session: Session) -> None:
    store(session, line())
    assert store(session, line(), source="phone") == Counts(new=1)


@pytest.mark.parametrize("gone", [{"deleted": True}, {"merged_into": "A-9"}])
def test_what_the_source_lost_stays_a_tombstone(session: Session, gone: dict[str, Any]) -> None:
    store(session, line())
    assert store(session, line(**gone)) == Counts(deleted=1)
    assert store(session, line(**gone), line(subject="back?")) == Counts(unchanged=2)
    row = session.scalars(select(Interaction).execution_options(populate_existing=True)).one()
    assert row.deleted_at == NOW
    assert row.merged_into == gone.get("merged_into", "")
    assert told(session)[-1]["merged" if "merged_into" in gone else "deleted"] == [row.id]
    assert session.scalars(select(AuditEntry.action)).all() == ["interaction:delete"]


def test_a_tombstone_of_what_never_came_keeps_it_from_coming(session: Session) -> None:
    assert store(session, line(deleted=True)) == Counts(deleted=1)
    assert store(session, line()) == Counts(unchanged=1)


def test_turns_that_somebody_was_given_to_judge_stay(session: Session) -> None:
    store(session, line())
    row = session.scalars(select(Interaction)).one()
    give_viewer(session, row.id, make_user(session, "evaluator").id, "assignment")
    session.flush()
    store(session, line(subject="Changed", turns=[]))
    assert session.scalar(select(func.count()).select_from(Turn)) == 2


def test_the_number_of_statements_does_not_grow_with_the_batch(session: Session) -> None:
    def statements(count: int, mark: str) -> int:
        seen: list[str] = []
        connection = session.connection()

        def note(_c: Any, _cur: Any, statement: str, *_rest: Any) -> None:
            seen.append(statement)

        event.listen(connection, "before_cursor_execute", note)
        store(session, *(line(external_id=f"{mark}{number}") for number in range(count)))
        event.remove(connection, "before_cursor_execute", note)
        return len(seen)

    few = statements(10, "few")
    assert statements(150, "many") <= few + 2


def test_two_writers_at_once_keep_each_conversation_once(database: Database) -> None:
    barrier, counts = threading.Barrier(2), [Counts(), Counts()]

    def write(which: int) -> None:
        lines = [safe_line(line(external_id=f"A-{number}"), KEYS) for number in range(40)]
        barrier.wait()
        with database.transaction() as session:
            store_lines(session, SYSTEM, source="desk", lines=lines, counts=counts[which], now=NOW)

    threads = [threading.Thread(target=write, args=(which,)) for which in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Interaction)) == 40
        assert session.scalar(select(func.count()).select_from(Turn)) == 80
        assert session.scalar(select(func.count()).select_from(Alias)) == 1
    assert sorted((one.new, one.unchanged) for one in counts) == [(0, 40), (40, 0)]


# --- who the agents are ----------------------------------------------------------


def agent_of(session: Session) -> int | None:
    return session.scalars(select(Interaction.agent_id).where(Interaction.external_id == "A-1")).one()


def alias(session: Session) -> Alias:
    return session.scalars(select(Alias).execution_options(populate_existing=True)).one()


def known_as(session: Session, email: str = "", number: str | None = None) -> User:
    user = make_user(session, "agent", team=make_team(session))
    if email:
        user.email, user.email_folded = email, email
    user.external_id = number
    session.flush()
    return user


def test_an_unknown_agent_never_holds_a_conversation_back(session: Session) -> None:
    assert store(session, line()) == Counts(new=1)
    assert agent_of(session) is None
    waiting = alias(session)
    assert (waiting.state, waiting.account, waiting.name) == ("suggested", "77", "Dana Ortiz")


@pytest.mark.parametrize(
    ("email", "number", "rule"), [("dana@example.org", None, "email"), ("", "77", "number")]
)
def test_one_person_with_that_address_or_number_is_matched(
    session: Session, email: str, number: str | None, rule: str
) -> None:
    user = known_as(session, email, number)
    store(session, line())
    assert agent_of(session) == user.id
    assert session.scalars(select(Interaction.team_id)).one() == user.team_id
    assert (alias(session).state, alias(session).rule) == ("auto", rule)


def test_two_people_who_fit_match_nobody(session: Session) -> None:
    known_as(session, "dana@example.org")
    known_as(session, number="77")
    store(session, line())
    assert (agent_of(session), alias(session).state) == (None, "suggested")


def test_a_name_alone_decides_nothing(session: Session) -> None:
    make_user(session, "agent", name="Dana Ortiz")
    store(session, line(agents=[{"external_id": "x1", "name": "Dana Ortiz"}]))
    assert agent_of(session) is None


def settle(database: Database, alias_id: int) -> None:
    jobs.move_history(database, {"alias_id": alias_id})


def test_a_person_added_later_is_matched_when_the_account_is_seen_again(database: Database) -> None:
    with database.transaction() as session:
        store(session, line())
        user = known_as(session, "dana@example.org")
        store(session, line(external_id="A-2"))
        assert alias(session).user_id == user.id
        alias_id = alias(session).id
    settle(database, alias_id)
    with database.reading() as session:
        assert set(session.scalars(select(Interaction.agent_id))) == {user.id}


def test_matching_an_account_moves_its_history_and_undoing_moves_it_back(database: Database) -> None:
    with database.transaction() as session:
        store(session, *(line(external_id=f"A-{number}") for number in range(1, 4)))
        user, manager = known_as(session), make_user(session, "manager")
        alias_service.decide_account(
            session, actor_of(manager), alias(session).id, state="confirmed", user_id=user.id, now=NOW
        )
        alias_id, manager_actor = alias(session).id, actor_of(manager)
    settle(database, alias_id)
    with database.reading() as session:
        agents = session.execute(select(Interaction.agent_id, Interaction.team_id)).all()
        assert set(agents) == {(user.id, user.team_id)}
        assert session.scalar(select(func.count()).select_from(Participant)) == 3
        assert alias(session).decided_by_id == manager.id
    with database.transaction() as session:
        alias_service.decide_account(session, manager_actor, alias_id, state="suggested", now=NOW)
    settle(database, alias_id)
    with database.reading() as session:
        assert set(session.scalars(select(Interaction.agent_id))) == {None}
        assert session.scalar(select(func.count()).select_from(Participant)) == 0


def test_a_second_agent_takes_part_but_the_first_counts(database: Database) -> None:
    two = [{"external_id": "77"}, {"external_id": "88", "part": "transfer"}]
    with database.transaction() as session:
        second = known_as(session, number="88")
        store(session, line(agents=two))
        assert agent_of(session) is None
        assert session.scalars(select(Participant.user_id)).all() == [second.id]
        bot = session.scalars(select(Alias).where(Alias.account == "77")).one()
        alias_service.decide_account(session, SYSTEM, bot.id, state="nobody", now=NOW)
    settle(database, bot.id)
    with database.reading() as session:
        assert agent_of(session) == second.id


def test_deciding_asks_for_the_permission_and_a_person(session: Session) -> None:
    store(session, line())
    agent, waiting = make_user(session, "agent"), alias(session)
    with pytest.raises(Forbidden):
        alias_service.decide_account(session, actor_of(agent), waiting.id, state="nobody", now=NOW)
    for state, user_id in (
        ("confirmed", None),
        ("nobody", agent.id),
        ("auto", agent.id),
        ("confirmed", 999_999),
    ):
        with pytest.raises(Invalid):
            alias_service.decide_account(session, SYSTEM, waiting.id, state=state, user_id=user_id, now=NOW)
    with pytest.raises(NotFound):
        alias_service.decide_account(session, SYSTEM, 999_999, state="nobody", now=NOW)
    alias_service.decide_account(session, SYSTEM, waiting.id, state="nobody", now=NOW)
    with pytest.raises(Conflict):
        alias_service.decide_account(
            session, SYSTEM, waiting.id, state="nobody", now=NOW + timedelta(minutes=1)
        )


def test_all_that_is_certain_is_matched_at_once(session: Session) -> None:
    store(session, line(), line(external_id="A-2", agents=[{"external_id": "99"}]))
    known_as(session, "dana@example.org")
    assert alias_service.count_certain(session, SYSTEM) == 1
    assert alias_service.match_certain(session, SYSTEM, now=NOW) == 1
    assert alias_service.count_certain(session, SYSTEM) == 0
