"""Events: told with the act, delivered at least once to each reaction, none held up by another's failure."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from qa.core import clock, jobs, outbox
from qa.core.db import Database
from qa.core.jobs import Job
from qa.core.outbox import Event, OutboxDelivery, OutboxEvent, Reaction, Reactions


@dataclass(frozen=True, slots=True)
class Submitted(Event):
    """Something was handed in."""

    number: int


@dataclass(frozen=True, slots=True)
class Voided(Event):
    """Something was taken back."""

    number: int


class Ears:
    """A reaction that remembers what it heard, and fails for the numbers it is told to."""

    def __init__(self, *fails_on: int) -> None:
        self.heard: list[int] = []
        self.calls = 0
        self.fails_on = set(fails_on)

    def __call__(self, _database: Database, event: dict[str, Any], _now: datetime) -> None:
        self.calls += 1
        if event["number"] in self.fails_on:
            raise ConnectionError("the far end is away")
        self.heard.append(event["number"])


def tell(database: Database, *numbers: int, kind: type[Any] = Submitted) -> None:
    for number in numbers:
        with database.transaction() as session:
            outbox.emit(session, kind(number), now=clock.now())


def both(one: Reaction, two: Reaction) -> Reactions:
    return {"Submitted": (("one", one), ("two", two)), "Voided": (("one", one),)}


def later(database: Database) -> None:
    """Let every pause be over."""
    with database.transaction() as session:
        session.execute(update(OutboxDelivery).values(retry_at=clock.now() - timedelta(seconds=1)))


@pytest.fixture
def patient(database: Database) -> Iterator[Database]:
    """A database with three events told."""
    tell(database, 1, 2, 3)
    return database


def test_an_event_is_there_exactly_when_its_act_is(database: Database) -> None:
    def act() -> None:
        with database.transaction() as session:
            outbox.emit(session, Submitted(1), now=clock.now())
            raise RuntimeError

    with pytest.raises(RuntimeError):
        act()
    ears = Ears()
    assert outbox.deliver(database, both(ears, ears)) is None
    assert ears.heard == []


def test_each_event_reaches_each_reaction_in_order_once(patient: Database) -> None:
    one, two = Ears(), Ears()
    assert outbox.deliver(patient, both(one, two)) is None
    assert one.heard == two.heard == [1, 2, 3]
    outbox.deliver(patient, both(one, two))
    assert one.heard == [1, 2, 3]
    with patient.reading() as session:
        assert not outbox.has_waiting(session)


def test_an_event_nobody_reacts_to_is_settled(database: Database) -> None:
    tell(database, 1)
    assert outbox.deliver(database, {}) is None
    with database.reading() as session:
        assert not outbox.has_waiting(session)


def test_one_run_does_the_work_of_all_that_wait(patient: Database) -> None:
    with patient.reading() as session:
        assert jobs.counts(session) == {"queued": 3}
    outbox.deliver(patient, {})
    with patient.reading() as session:
        assert jobs.counts(session) == {}


def test_an_event_told_while_a_run_is_under_way_has_a_run_of_its_own(database: Database) -> None:
    tell(database, 1)

    def tell_another(_database: Database, event: dict[str, Any], _now: datetime) -> None:
        if event["number"] == 1:
            tell(database, 2, kind=Voided)

    outbox.deliver(database, {"Submitted": (("one", tell_another),)})
    with database.reading() as session:
        assert jobs.is_live(session, outbox.JOB_KIND) or not outbox.has_waiting(session)


def test_a_failing_reaction_holds_up_its_own_order_and_nobody_else(patient: Database) -> None:
    stuck, well = Ears(2), Ears()
    again_at = outbox.deliver(patient, both(stuck, well))
    assert again_at is not None
    assert again_at > clock.now()
    assert (stuck.heard, well.heard) == ([1], [1, 2, 3])
    assert stuck.calls == 2
    tell(patient, 4)
    outbox.deliver(patient, both(stuck, well))
    assert (stuck.heard, well.heard, stuck.calls) == ([1], [1, 2, 3, 4], 2)
    stuck.fails_on.clear()
    later(patient)
    assert outbox.deliver(patient, both(stuck, well)) is None
    assert (stuck.heard, well.heard) == ([1, 2, 3, 4], [1, 2, 3, 4])


def test_order_holds_across_kinds_of_events_of_one_reaction(database: Database) -> None:
    stuck = Ears(1)
    tell(database, 1)
    tell(database, 2, kind=Voided)
    outbox.deliver(database, both(stuck, Ears()))
    assert stuck.heard == []


def test_one_stuck_reaction_with_more_events_than_a_page_starves_nobody(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "BATCH", 3)
    stuck, well = Ears(1), Ears()
    tell(database, *range(1, 12))
    outbox.deliver(database, both(stuck, well))
    assert well.heard == list(range(1, 12))


def test_after_eight_attempts_a_delivery_is_dead_with_its_reason_and_the_order_goes_on(
    patient: Database,
) -> None:
    stuck = Ears(1)
    for _ in range(outbox.MAX_ATTEMPTS):
        assert stuck.heard == []
        outbox.deliver(patient, both(stuck, Ears()))
        later(patient)
    assert (stuck.calls, stuck.heard) == (outbox.MAX_ATTEMPTS + 2, [2, 3])
    with patient.reading() as session:
        [(dead, name)] = outbox.list_dead(session)
        assert (dead.target, dead.attempt, name) == ("one", 8, "Submitted")
        assert dead.error == "ConnectionError: the far end is away"
        assert not outbox.has_waiting(session)


def test_a_dead_delivery_can_be_tried_again_without_repeating_the_others(patient: Database) -> None:
    stuck, well = Ears(1), Ears()
    for _ in range(outbox.MAX_ATTEMPTS):
        outbox.deliver(patient, both(stuck, well))
        later(patient)
    stuck.fails_on.clear()
    with patient.transaction() as session:
        assert outbox.retry_dead(session, now=clock.now(), event_id=99) == 0
        assert outbox.retry_dead(session, now=clock.now()) == 1
    with patient.reading() as session:
        assert jobs.is_live(session, outbox.JOB_KIND)
    outbox.deliver(patient, both(stuck, well))
    assert (stuck.heard, well.heard) == ([2, 3, 1], [1, 2, 3])
    with patient.reading() as session:
        assert outbox.list_dead(session) == []


def test_a_worker_killed_in_a_reaction_repeats_only_what_was_not_settled(
    database_url: str, database: Database
) -> None:
    tell(database, 1, 2, 3)

    def deadly(_database: Database, event: dict[str, Any], _now: datetime) -> None:
        if event["number"] == 2:
            os._exit(9)

    database.dispose()
    child = os.fork()
    if child == 0:
        outbox.deliver(Database(database_url), both(deadly, Ears()))
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    one = Ears()
    outbox.deliver(database, both(one, Ears()))
    assert one.heard == [2, 3]


def test_a_reaction_that_kills_every_worker_ends_dead_and_lets_the_next_event_through(
    database: Database,
) -> None:
    tell(database, 1, 2)
    with database.transaction() as session:
        first = session.scalars(select(OutboxEvent.id).order_by(OutboxEvent.id)).first()
        assert first is not None
        session.add(OutboxDelivery(event_id=first, target="one", attempt=outbox.MAX_ATTEMPTS))
    one = Ears()
    outbox.deliver(database, both(one, Ears()))
    assert one.heard == [2]
    with database.reading() as session:
        [(dead, _)] = outbox.list_dead(session)
        assert dead.error == outbox.DIED


def test_delivered_events_are_forgotten_after_a_while_dead_ones_stay(patient: Database) -> None:
    stuck = Ears(1)
    for _ in range(outbox.MAX_ATTEMPTS):
        outbox.deliver(patient, both(stuck, Ears()))
        later(patient)
    tell(patient, 4)
    outbox.forget_delivered(patient, before=clock.now() + timedelta(days=1))
    with patient.reading() as session:
        assert [row.payload for row in session.scalars(select(OutboxEvent).order_by(OutboxEvent.id))] == [
            {"number": 1},
            {"number": 4},
        ]
        assert {row.payload["number"] for row in session.scalars(select(OutboxEvent))} == {1, 4}


def test_telling_an_event_takes_two_statements(database: Database, statements: Any) -> None:
    with statements(database) as seen, database.transaction() as session:
        outbox.emit(session, Submitted(1), now=clock.now())
    assert len(seen) <= 2
    with database.reading() as session:
        [job] = session.scalars(select(Job))
        assert (job.kind, job.alone_key, job.payload) == ("outbox", "outbox", {})
