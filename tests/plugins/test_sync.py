"""The sync loop: what is kept when, what stops a run, what an error means for the source."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from qa.plugins import sync
from qa.plugins.api import (
    AgentRef,
    AuthExpired,
    BadRecord,
    Cancelled,
    ConfigError,
    Message,
    NotReady,
    Page,
    PermissionMissing,
    RateLimited,
    Record,
    StuckCursor,
    Transient,
    VendorBug,
    Window,
)
from qa.plugins.masking import MASKED
from qa.plugins.page_rules import ContractBroken, content_hash
from qa.plugins.store import LEASE_TTL, Lane, LeaseLost, Outcome, Progress, State, Stop
from qa.plugins.testing.clock import START, VirtualClock
from qa.plugins.testing.memory import Crash, MemoryStore
from qa.plugins.verdicts import judge, pause_after

Made = Callable[[Any, Window | None], Iterator[Page | None]]


def record(number: int, **over: Any) -> Record:
    values: dict[str, Any] = {"external_id": str(number), "channel": "ticket", "started_at": START}
    return Record(**(values | over))


def upstream(records: Sequence[Record | BadRecord], size: int = 2) -> Made:
    """A connector whose cursor is a position in a list."""

    def pages(cursor: Any, window: Window | None) -> Iterator[Page]:
        at = 0 if cursor is None else cursor["at"]
        while True:
            some = records[at : at + size]
            at += len(some)
            yield Page(some, {"at": at}, done=at >= len(records))
            if at >= len(records):
                return

    return pages


class Site:
    """A store, a clock and one source."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.store = MemoryStore(self.clock)

    def run(self, pages: Made, **over: Any) -> Outcome:
        waiting, limits = over.pop("waiting", None), over.pop("limits", None)
        values: dict[str, Any] = {"source": "desk", "stream": "main", "lane": Lane.LIVE}
        pull = sync.Pull(**(values | over), pages=pages)
        outcome = sync.run(self.store, pull, clock=self.clock, waiting=waiting, limits=limits)
        assert outcome is not None
        return outcome

    def progress(self, lane: Lane = Lane.LIVE) -> Progress:
        return self.store.progress["desk", "main", lane]

    @property
    def ids(self) -> list[str]:
        return sorted((key[1] for key in self.store.records), key=int)


@pytest.fixture
def site() -> Site:
    return Site()


def raising(error: BaseException) -> Made:
    def pages(cursor: Any, window: Window | None) -> Iterator[Page]:
        yield Page([record(1)], {"at": 1})
        raise error

    return pages


def test_every_page_is_kept_and_the_run_is_done(site: Site) -> None:
    outcome = site.run(upstream([record(n) for n in range(1, 6)]))
    assert (outcome.stop, outcome.state, outcome.pages, outcome.counts.new) == (Stop.DONE, State.OK, 3, 5)
    assert outcome.again_at == START + timedelta(minutes=5)
    assert site.ids == ["1", "2", "3", "4", "5"]
    assert site.progress().cursor == {"at": 5}


@pytest.mark.parametrize("moment", ["before", "inside", "after"])
@pytest.mark.parametrize("at_page", [1, 2, 3])
def test_a_crash_at_any_moment_loses_nothing_and_doubles_nothing(
    site: Site, moment: str, at_page: int
) -> None:
    records = [record(n) for n in range(1, 6)]

    def crash(now: str, page: int) -> None:
        if (now, page) == (moment, at_page):
            raise Crash

    site.store.crash_at = crash
    with pytest.raises(Crash):
        site.run(upstream(records))
    site.store.crash_at = lambda _moment, _page: None
    site.store.release_all()
    site.run(upstream(records))
    assert site.ids == ["1", "2", "3", "4", "5"]
    assert [one.external_id for one in site.store.events] == ["1", "2", "3", "4", "5"]


def test_an_unchanged_page_writes_nothing(site: Site) -> None:
    def pages(cursor: Any, window: Window | None) -> Iterator[Page]:
        yield Page([record(1), record(2)], {"since": 7}, done=True)

    site.run(pages)
    before = site.store.written
    outcome = site.run(pages)
    assert (outcome.counts.unchanged, site.store.written) == (2, before)


def test_a_new_time_of_change_alone_is_no_change(site: Site) -> None:
    site.run(upstream([record(1, updated_at=START)]))
    later = record(1, updated_at=START + timedelta(hours=1), raw_ref="blob")
    assert site.run(upstream([record(0), later])).counts.unchanged == 1
    assert content_hash(record(1)) != content_hash(record(1, subject="new"))


def test_the_last_of_doubled_records_in_a_page_counts(site: Site) -> None:
    site.run(upstream([record(1, subject="old"), record(1, subject="new")]))
    assert [one.subject for one in site.store.records.values()] == ["new"]


def test_a_bad_record_goes_to_quarantine_and_heals_when_it_is_good(site: Site) -> None:
    bad = BadRecord({"id": 3, "created": "soon"}, "created is not a time", external_id="3")
    outcome = site.run(upstream([record(1), record(2), bad], size=5))
    assert (outcome.stop, outcome.counts.rejected) == (Stop.DONE, 1)
    (kept,) = site.store.rejected.values()
    assert (kept.raw, kept.error) == ('{"created":"soon","id":3}', "created is not a time")
    site.run(lambda cursor, window: iter([Page([record(3)], {"at": 9}, done=True)]))
    assert (site.store.rejected, site.ids) == ({}, ["1", "2", "3"])


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"external_id": ""}, "external_id"),
        ({"external_id": "x" * 201}, "external_id"),
        ({"channel": "fax"}, "channel"),
        ({"ended_at": START - timedelta(seconds=1)}, "ended_at lies before"),
        ({"subject": "a\x00b"}, "NUL"),
        ({"subject": "\ud800"}, "lone surrogate"),
        ({"custom": {"x": ["\ud800"]}}, "record.custom.x.1"),
        ({"messages": [Message("1", START, "\udfff")]}, "record.messages.1.text"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_record_that_cannot_be_kept_is_set_aside_with_its_place(
    site: Site, wrong: dict[str, Any], words: str
) -> None:
    site.run(upstream([record(1), record(7, **wrong)]))
    assert words in next(iter(site.store.rejected.values())).error
    assert site.ids == ["1"]


def test_drift_pauses_the_source_before_anything_of_the_page_is_kept(site: Site) -> None:
    page = [record(n) for n in range(1, 8)] + [BadRecord({"n": n}, "no id") for n in range(3)]
    outcome = site.run(upstream(page, size=10))
    assert (outcome.stop, outcome.state, outcome.again_at) == (Stop.FAILED, State.PAUSED, None)
    assert "3 of 10" in outcome.reason
    assert site.ids == []
    assert site.store.rejected == {}


def test_a_fifth_of_bad_records_is_not_yet_drift(site: Site) -> None:
    page = [record(n) for n in range(1, 13)] + [BadRecord({"n": n}, "no id") for n in range(3)]
    assert site.run(upstream(page, size=15)).stop is Stop.DONE


def test_drift_over_many_small_pages_is_seen_too(site: Site) -> None:
    outcome = site.run(upstream([BadRecord({"n": n}, "no id") for n in range(20)], size=1))
    assert (outcome.state, outcome.counts.rejected) == (State.PAUSED, 2)


def test_a_round_of_the_same_pages_ends_the_run(site: Site) -> None:
    def pages(cursor: Any, window: Window | None) -> Iterator[Page]:
        while True:
            yield Page([record(1)], {"at": 1})
            yield Page([record(2)], {"at": 2})

    outcome = site.run(pages)
    assert (outcome.stop, outcome.state, outcome.pages) == (Stop.FAILED, State.DEGRADED, 4)
    assert outcome.error.startswith("StuckCursor")


def test_the_same_records_behind_ever_new_cursors_end_the_run(site: Site) -> None:
    def pages(cursor: Any, window: Window | None) -> Iterator[Page]:
        for n in range(1_000):
            yield Page([record(1), record(2)], {"page": n})

    outcome = site.run(pages)
    assert (outcome.state, outcome.pages) == (State.DEGRADED, 9)


def test_an_empty_page_that_is_not_the_last_goes_on(site: Site) -> None:
    pages = [Page([record(1)], {"at": 1}), Page([], {"at": 2}), Page([record(3)], {"at": 3}, done=True)]
    assert site.run(lambda cursor, window: iter(pages)).stop is Stop.DONE
    assert site.ids == ["1", "3"]


def test_pages_without_a_last_one_are_a_broken_rule(site: Site) -> None:
    outcome = site.run(lambda cursor, window: iter([Page([record(1)], {"at": 1})]))
    assert (outcome.state, site.ids) == (State.DEGRADED, ["1"])
    assert "done=True" in outcome.reason


@pytest.mark.parametrize(
    ("page", "words"),
    [
        (Page([record(n) for n in range(501)], {}, done=True), "501 records"),
        (Page([record(1, subject="x" * 100) for _ in range(3)], {"a": "x" * 9_000}, done=True), "cursor"),
        (Page([], {"key": "s3cr3t-token"}, done=True), "secret"),
        ("page", "not a Page"),
    ],
)
def test_a_page_that_breaks_a_law_is_refused_in_words(site: Site, page: Any, words: str) -> None:
    outcome = site.run(lambda cursor, window: iter([page]), secrets=["s3cr3t-token"])
    assert outcome.state is State.DEGRADED
    assert words in outcome.reason
    assert site.ids == []


def test_a_page_above_eight_megabytes_is_refused(site: Site) -> None:
    heavy = [BadRecord("x" * 2_000_000, "too much", str(n)) for n in range(5)]
    assert "bytes" in site.run(upstream(heavy, size=5)).reason


def test_a_run_that_used_its_share_goes_on_at_once_where_it_stopped(site: Site) -> None:
    records = [record(n) for n in range(1, 8)]
    outcome = site.run(upstream(records), limits=sync.Limits(run_pages=2))
    assert (outcome.stop, outcome.again_at, site.ids) == (Stop.MORE, START, ["1", "2", "3", "4"])
    assert site.run(upstream(records)).counts.new == 3


def test_a_slow_run_ends_by_the_clock(site: Site) -> None:
    def slow(cursor: Any, window: Window | None) -> Iterator[Page | None]:
        for n in range(100):
            site.clock.sleep(30)
            yield None
            yield Page([record(n)], {"at": n})

    outcome = site.run(slow, limits=sync.Limits(run_time=timedelta(minutes=5)))
    assert (outcome.stop, outcome.pages) == (Stop.MORE, 9)


def test_a_lane_is_run_once_at_a_time_and_taken_over_when_its_lease_ends(site: Site) -> None:
    site.store.acquire("desk", "main", Lane.LIVE, ttl=LEASE_TTL)
    pull = sync.Pull("desk", "main", Lane.LIVE, upstream([record(1)]))
    assert sync.run(site.store, pull, clock=site.clock) is None
    site.clock.sleep(61)
    assert sync.run(site.store, pull, clock=site.clock) is not None


def test_whoever_lost_the_lease_keeps_nothing_more(site: Site) -> None:
    def stolen(cursor: Any, window: Window | None) -> Iterator[Page]:
        yield Page([record(1)], {"at": 1})
        site.store.release_all()
        site.store.acquire("desk", "main", Lane.LIVE, ttl=LEASE_TTL)
        yield Page([record(2)], {"at": 2}, done=True)

    assert site.run(stolen).stop is Stop.LOST
    assert site.ids == ["1"]


def test_waiting_for_a_slow_page_keeps_the_lease(site: Site) -> None:
    def slow(cursor: Any, window: Window | None) -> Iterator[Page | None]:
        for _ in range(10):
            site.clock.sleep(15)
            yield None
        yield Page([record(1)], {"at": 1}, done=True)

    assert site.run(slow).stop is Stop.DONE


def test_a_cancelled_run_stops_between_pages(site: Site) -> None:
    site.store.cancelled = lambda: site.store.pages >= 1
    outcome = site.run(upstream([record(n) for n in range(1, 6)]))
    assert (outcome.stop, outcome.state, outcome.again_at) == (Stop.CANCELLED, None, None)
    assert site.ids == ["1", "2"]


def test_too_much_waiting_holds_the_lane_until_half_is_done(site: Site) -> None:
    waiting = [5_001]
    held = {"waiting": lambda: (waiting[0], 0)}
    records = [record(n) for n in range(1, 6)]
    assert site.run(upstream(records), **held).stop is Stop.HELD
    assert site.progress().is_held
    waiting[0] = 2_501
    assert site.run(upstream(records), **held).stop is Stop.HELD
    waiting[0] = 2_500
    assert site.run(upstream(records), **held).stop is Stop.DONE
    assert not site.progress().is_held


def test_the_live_lane_starts_at_its_day_and_then_follows_its_cursor(site: Site) -> None:
    asked: list[tuple[Any, Window | None]] = []

    def pages(cursor: Any, window: Window | None) -> Iterator[Page]:
        asked.append((cursor, window))
        yield Page([], {"since": len(asked)}, done=True)

    plan = sync.Plan(live_from=START - timedelta(days=1))
    site.run(pages, plan=plan)
    site.run(pages, plan=plan)
    assert asked == [(None, Window(START - timedelta(days=1), START)), ({"since": 1}, None)]


def test_a_backfill_goes_back_window_by_window_and_ends(site: Site) -> None:
    asked: list[tuple[Any, datetime, datetime]] = []

    def pages(cursor: Any, window: Window | None) -> Iterator[Page]:
        assert window is not None
        asked.append((cursor, window.start, window.end))
        yield Page([], {"half": 1})
        yield Page([], {"half": 2}, done=True)

    def day(number: int) -> datetime:
        return datetime(2026, 2, number, tzinfo=UTC)

    plan = sync.Plan(live_from=day(20), backfill_from=day(3), span=timedelta(days=7))
    limits = sync.Limits(run_pages=3)
    first = site.run(pages, lane=Lane.BACKFILL, plan=plan, limits=limits)
    assert (first.stop, site.progress(Lane.BACKFILL).window) == (Stop.MORE, Window(day(6), day(13)))
    second = site.run(pages, lane=Lane.BACKFILL, plan=plan)
    assert asked == [
        (None, day(13), day(20)),
        (None, day(6), day(13)),
        ({"half": 1}, day(6), day(13)),
        (None, day(3), day(6)),
    ]
    assert (second.stop, second.again_at) == (Stop.DONE, None)
    assert site.progress(Lane.BACKFILL).is_finished
    assert site.run(pages, lane=Lane.BACKFILL, plan=plan).pages == 0


def test_an_older_cursor_is_carried_over_by_the_connector(site: Site) -> None:
    site.run(upstream([record(1)]))
    seen: list[Any] = []

    def pages(cursor: Any, window: Window | None) -> Iterator[Page]:
        seen.append(cursor)
        yield Page([], dict(cursor), done=True)

    site.run(pages, cursor_version=2, migrate=lambda cursor, version: {"at": cursor["at"], "from": version})
    assert seen == [{"at": 1, "from": 1}]
    assert site.progress().cursor_version == 2
    outcome = site.run(pages, cursor_version=3)
    assert "migrate_cursor" in outcome.reason


def test_people_come_by_the_same_loop(site: Site) -> None:
    people = [AgentRef("a1", "dana@example.com", "Dana"), AgentRef("a2")]
    site.run(lambda cursor, window: iter([Page(people, {"at": 2}, done=True)]), stream="agents")
    assert list(site.store.agents.values()) == people


@pytest.mark.parametrize(
    ("error", "stop", "state", "minutes"),
    [
        (AuthExpired("401"), Stop.FAILED, State.NEEDS_REAUTH, None),
        (PermissionMissing("read"), Stop.FAILED, State.NEEDS_REAUTH, None),
        (ConfigError("no such host", "url"), Stop.FAILED, State.PAUSED, None),
        (RateLimited(START + timedelta(minutes=7)), Stop.LIMITED, State.LIMITED, 7),
        (RateLimited(START - timedelta(minutes=7)), Stop.LIMITED, State.LIMITED, 0),
        (RateLimited(), Stop.LIMITED, State.LIMITED, 1),
        (Transient("cut"), Stop.FAILED, None, 1),
        (NotReady(timedelta(minutes=3)), Stop.FAILED, None, 3),
        (VendorBug("HTML"), Stop.FAILED, State.DEGRADED, 5),
        (StuckCursor("round"), Stop.FAILED, State.DEGRADED, 5),
        (ContractBroken(2, "no end"), Stop.FAILED, State.DEGRADED, 1),
        (KeyError("id"), Stop.FAILED, State.DEGRADED, 1),
        (Cancelled(), Stop.CANCELLED, None, None),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_an_error_decides_the_state_and_the_next_run(
    site: Site, error: Exception, stop: Stop, state: State | None, minutes: int | None
) -> None:
    outcome = site.run(raising(error))
    again_at = None if minutes is None else START + timedelta(minutes=minutes)
    assert (outcome.stop, outcome.state, outcome.again_at) == (stop, state, again_at)
    assert site.ids == ["1"], "what came before the error is kept"


def test_what_may_pass_says_nothing_before_the_third_time(site: Site) -> None:
    states = [site.run(raising(Transient("cut"))).state for _ in range(3)]
    assert states == [None, None, State.DEGRADED]
    assert site.run(upstream([record(1)])).failures == 0


def test_pauses_double_up_to_an_hour() -> None:
    assert [pause_after(n).total_seconds() / 60 for n in (1, 2, 3, 7, 50)] == [1, 2, 4, 60, 60]


def test_a_state_is_logged_once_when_it_comes_and_once_when_it_goes(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "qa.plugins.sync")
    for _ in range(3):
        site.run(raising(AuthExpired("401")))
    site.run(upstream([record(1)]))
    site.run(upstream([record(1)]))
    assert [one.message for one in caplog.records] == ["source is down", "source is back"]


def test_a_secret_in_an_error_or_a_rejected_record_is_masked(site: Site) -> None:
    bad = BadRecord({"auth": "tok-12345", "n": [{"tok-12345": 1}]}, "seen tok-12345")

    def pages(cursor: Any, window: Window | None) -> Iterator[Page]:
        yield Page([bad], {"at": 1})
        raise VendorBug("GET /x?key=tok-12345")

    outcome = site.run(pages, secrets=["tok-12345"])
    (kept,) = site.store.rejected.values()
    assert "tok-12345" not in f"{outcome} {kept}"
    assert MASKED in outcome.reason
    assert MASKED in kept.error


def test_a_fault_of_the_store_is_not_blamed_on_the_connector(site: Site) -> None:
    def broken(moment: str, page: int) -> None:
        raise OSError("the database does not answer")

    site.store.crash_at = broken
    with pytest.raises(OSError, match="database"):
        site.run(upstream([record(1)]))


def test_an_error_that_only_looks_like_a_lost_lease_is_the_connectors(site: Site) -> None:
    assert site.run(raising(LeaseLost())).stop is Stop.FAILED


def test_judging_needs_no_run() -> None:
    verdict = judge(AuthExpired("401 from the vendor"), 4, START, timedelta(minutes=5))
    assert verdict.reason == "The vendor no longer accepts the credentials. 401 from the vendor"
    assert (verdict.cure, verdict.failures) == ("Enter new credentials on the source's page.", 5)
