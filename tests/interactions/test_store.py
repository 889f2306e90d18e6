"""The database behind the sync loop: a page is one transaction, and only the lease's holder writes."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, func, select, update

from qa.core import clock
from qa.core.db import Database
from qa.interactions.alias_models import Alias
from qa.interactions.models import Interaction
from qa.interactions.sources import store as store_module
from qa.interactions.sources.models import MediaReference, Quarantined, Source, SyncLane, SyncRun
from qa.interactions.sources.store import DatabaseStore
from qa.plugins.api import (
    AgentRef,
    AuthExpired,
    BadRecord,
    MediaRef,
    Page,
    RateLimited,
    Transient,
    Window,
)
from qa.plugins.store import AGENTS, LEASE_TTL, Counts, Lane, LeaseLost, PageWrite, Prepared, Progress, Stop
from qa.plugins.sync import Plan
from tests.factories import NOW
from tests.interactions.sources_site import KEYS, make_source, record, run, upstream


@pytest.fixture
def site(database: Database) -> Database:
    """A database with one source."""
    with database.transaction() as session:
        make_source(session)
    return database


def kept(site: Database) -> list[str]:
    with site.reading() as session:
        return sorted(session.scalars(select(Interaction.external_id)))


def source(site: Database) -> Source:
    with site.reading() as session:
        return session.scalars(select(Source)).one()


def lane(site: Database) -> SyncLane:
    with site.reading() as session:
        return session.scalars(select(SyncLane)).one()


def runs(site: Database) -> list[SyncRun]:
    with site.reading() as session:
        return list(session.scalars(select(SyncRun).order_by(SyncRun.id)))


def page(*numbers: int, cursor: dict[str, Any] | None = None) -> PageWrite:
    prepared = [Prepared(record(number), f"hash {number}") for number in numbers]
    return PageWrite(prepared, [], [], cursor or {"at": max(numbers)}, 1, None, False, moves=True)


def test_a_run_keeps_its_pages_its_place_and_its_history(site: Database) -> None:
    outcome = run(site, upstream([record(n) for n in range(1, 6)]))
    assert (outcome.stop, outcome.counts.new) == (Stop.DONE, 5)
    assert kept(site) == ["1", "2", "3", "4", "5"]
    place, told = lane(site), runs(site)
    assert (place.cursor, place.record_count, place.token) == ({"at": 5}, 5, None)
    assert [(one.ended, one.page_count, one.new_count) for one in told] == [("done", 3, 5)]
    row = source(site)
    assert (row.state, row.next_at) == ("ok", place.next_at)
    assert row.good_at is not None


class Killed(BaseException):
    """The power went."""


@pytest.mark.parametrize("statement", ["INSERT INTO outbox_event", "UPDATE sync_lane SET cursor", "COMMIT"])
def test_killed_inside_a_page_nothing_of_it_is_there(
    site: Database, monkeypatch: pytest.MonkeyPatch, statement: str
) -> None:
    store = DatabaseStore(site, KEYS)
    lease = store.acquire("desk", "main", Lane.LIVE, ttl=LEASE_TTL)
    assert lease is not None
    store.write_page(lease, page(1), ttl=LEASE_TTL)

    def cut(_c: Any, _cur: Any, words: str, *_rest: Any) -> None:
        if words.startswith(statement):
            raise Killed

    if statement == "COMMIT":
        event.listen(site.engine, "commit", lambda _connection: (_ for _ in ()).throw(Killed))
    else:
        event.listen(site.engine, "before_cursor_execute", cut)
    with pytest.raises(Killed):
        store.write_page(lease, page(2, 3), ttl=LEASE_TTL)
    fresh = Database(site.url)
    assert kept(fresh) == ["1"]
    assert lane(fresh).cursor == {"at": 1}
    fresh.dispose()


def test_a_page_in_which_nothing_changed_writes_only_the_leases_time(site: Database) -> None:
    store = DatabaseStore(site, KEYS)
    lease = store.acquire("desk", "main", Lane.LIVE, ttl=LEASE_TTL)
    assert lease is not None
    store.write_page(lease, page(1, 2), ttl=LEASE_TTL)
    writes: list[str] = []
    seen = lambda _c, _cur, words, *_rest: writes.append(words)  # noqa: E731
    event.listen(site.engine, "before_cursor_execute", seen)
    same = PageWrite(page(1, 2).records, [], [], {"at": 2}, 1, None, False, moves=False)
    assert store.write_page(lease, same, ttl=LEASE_TTL) == Counts(unchanged=2)
    event.remove(site.engine, "before_cursor_execute", seen)
    changing = [words.split(" WHERE")[0] for words in writes if not words.startswith(("SELECT", "BEGIN"))]
    assert len(changing) == 1
    assert changing[0].startswith("UPDATE sync_lane SET lease_until")


def test_a_lane_has_one_holder_and_an_expired_lease_is_taken_over(site: Database) -> None:
    store = DatabaseStore(site, KEYS)
    first = store.acquire("desk", "main", Lane.LIVE, ttl=LEASE_TTL)
    assert first is not None
    assert store.acquire("desk", "main", Lane.LIVE, ttl=LEASE_TTL) is None
    assert store.acquire("desk", "main", Lane.BACKFILL, ttl=LEASE_TTL) is not None
    expire(site)
    second = store.acquire("desk", "main", Lane.LIVE, ttl=LEASE_TTL)
    assert second is not None
    for write in (
        lambda: store.write_page(first, page(1), ttl=LEASE_TTL),
        lambda: store.renew(first, ttl=LEASE_TTL),
    ):
        with pytest.raises(LeaseLost):
            write()
    assert kept(site) == []
    store.write_page(second, page(2), ttl=LEASE_TTL)
    assert kept(site) == ["2"]
    assert [one.ended for one in runs(site) if one.lane == "live"] == ["interrupted", ""]


def expire(site: Database) -> None:
    with site.transaction() as session:
        session.execute(update(SyncLane).values(lease_until=clock.now() - timedelta(seconds=1)))


def test_a_renewed_lease_is_not_taken_over(site: Database) -> None:
    store = DatabaseStore(site, KEYS)
    first = store.acquire("desk", "main", Lane.LIVE, ttl=timedelta())
    assert first is not None
    store.renew(first, ttl=LEASE_TTL)
    assert store.acquire("desk", "main", Lane.LIVE, ttl=LEASE_TTL) is None


def test_rejected_records_are_sealed_counted_and_released_when_they_come_in_well(site: Database) -> None:
    bad = BadRecord({"id": 9, "who": "Marker Person"}, "“assignee” is null.", "9")
    run(site, upstream([record(1), bad], size=9))
    run(site, upstream([bad], size=9), stream="other")
    with site.reading() as session:
        row = session.scalars(select(Quarantined)).one()
    assert (row.tries, row.external_id, row.plugin_version, row.stream) == (2, "9", "1.0", "main")
    assert b"Marker" not in row.sealed
    assert b"Marker Person" in zlib.decompress(KEYS.open(row.sealed, purpose=store_module.QUARANTINE))
    run(site, upstream([record(9)]), stream="third")
    with site.reading() as session:
        assert session.scalars(select(Quarantined)).all() == []
    assert kept(site) == ["1", "9"]


def test_a_record_that_only_the_database_would_refuse_is_rejected_too(site: Database) -> None:
    outcome = run(site, upstream([record(1), record(2, subject="bell\x07"), record(3)], size=9))
    assert (outcome.counts.new, outcome.counts.rejected) == (2, 1)
    with site.reading() as session:
        assert "control character" in session.scalars(select(Quarantined.error)).one()


def test_recordings_are_noted_once_and_stay_with_the_vendor(site: Database) -> None:
    call = record(1, channel="voice", media=[MediaRef("rec-1", "a.wav", speakers=("agent", "customer"))])
    run(site, upstream([call]))
    run(site, upstream([record(1, channel="voice", media=[*call.media, MediaRef("r" * 300)])]), stream="two")
    with site.reading() as session:
        rows = session.scalars(select(MediaReference).order_by(MediaReference.id)).all()
    assert [(row.state, row.reference["ref"][:5]) for row in rows] == [
        ("waiting", "rec-1"),
        ("waiting", "rrrrr"),
    ]


def test_people_of_the_vendor_are_noted_as_accounts(site: Database) -> None:
    def pages(_cursor: Any, _window: Window | None) -> Iterator[Page]:
        yield Page([AgentRef("4", "dana@example.org", "Dana"), AgentRef("")], {}, done=True)

    run(site, pages, stream=AGENTS)
    with site.reading() as session:
        assert session.scalars(select(Alias.account)).all() == ["4"]


def failing(error: Exception) -> Any:
    def pages(_cursor: Any, _window: Window | None) -> Iterator[Page]:
        raise error
        yield

    return pages


def test_the_sources_state_is_what_the_last_run_found(site: Database) -> None:
    run(site, upstream([record(1)]))
    until = clock.now() + timedelta(minutes=9)
    run(site, failing(RateLimited(until)))
    assert (source(site).state, source(site).until) == ("limited", until)
    run(site, failing(AuthExpired("The token ended.")))
    row = source(site)
    assert (row.state, row.next_at, row.until) == ("needs_reauth", None, None)
    assert "The token ended." in row.reason
    assert row.cure
    run(site, upstream([record(2)]))
    assert (source(site).state, source(site).reason) == ("ok", "")


def test_one_good_lane_does_not_hide_another_that_fails(site: Database) -> None:
    for _ in range(3):
        run(site, failing(Transient("no answer")))
    run(site, upstream([record(1)]), stream="other")
    assert source(site).state == "degraded"
    run(site, upstream([record(1)]))
    assert source(site).state == "ok"


def test_a_paused_source_stops_after_the_page_in_hand_and_resumes(site: Database) -> None:
    records = [record(n) for n in range(1, 6)]

    def pausing(cursor: Any, window: Window | None) -> Iterator[Page]:
        for number, one in enumerate(upstream(records)(cursor, window)):
            if number == 0:
                with site.transaction() as session:
                    session.execute(update(Source).values(is_paused=True))
            yield one

    assert run(site, pausing).stop is Stop.CANCELLED
    assert kept(site) == ["1", "2"]
    with site.transaction() as session:
        session.execute(update(Source).values(is_paused=False))
    run(site, upstream(records))
    assert kept(site) == ["1", "2", "3", "4", "5"]


def test_a_backfill_keeps_its_window_and_its_end(site: Database) -> None:
    asked: list[Window | None] = []

    def pages(_cursor: Any, window: Window | None) -> Iterator[Page]:
        asked.append(window)
        yield Page([record(len(asked))], {"n": len(asked)}, done=True)

    plan = Plan(live_from=NOW, backfill_from=NOW - timedelta(days=10), span=timedelta(days=7))
    assert run(site, pages, lane=Lane.BACKFILL, plan=plan).stop is Stop.DONE
    assert [one.start for one in asked if one] == [NOW - timedelta(days=7), NOW - timedelta(days=10)]
    assert lane(site).is_finished
    store = DatabaseStore(site, KEYS)
    lease = store.acquire("desk", "main", Lane.BACKFILL, ttl=LEASE_TTL)
    assert lease is not None
    assert store.read_progress(lease) == Progress(
        cursor={"n": 2},
        window=Window(NOW - timedelta(days=10), NOW - timedelta(days=7)),
        is_finished=True,
    )


def test_statements_for_a_page_do_not_grow_with_its_records(site: Database) -> None:
    store = DatabaseStore(site, KEYS)
    lease = store.acquire("desk", "main", Lane.LIVE, ttl=LEASE_TTL)
    assert lease is not None
    counts = []
    for numbers in (range(1, 11), range(100, 300)):
        seen: list[str] = []
        note = lambda _c, _cur, words, *_rest, seen=seen: seen.append(words)  # noqa: E731
        event.listen(site.engine, "before_cursor_execute", note)
        store.write_page(lease, page(*numbers), ttl=LEASE_TTL)
        event.remove(site.engine, "before_cursor_execute", note)
        counts.append(len(seen))
    with site.reading() as session:
        assert session.scalar(select(func.count()).select_from(Interaction)) == 210
    assert counts[1] <= counts[0] + 2
