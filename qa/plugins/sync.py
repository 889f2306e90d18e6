"""The sync loop: takes the pages of a connector into a store, one transaction a page.

It knows no database, no web and no vendor; ``qa.plugins.store`` says what it asks of the place where
records are kept. The one rule: **a cursor is kept only together with everything up to it.** So a
crash at any moment is answered by running again from the kept cursor, and the store's content
hashes make that harmless.
"""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol

from qa.plugins.api import Page, StuckCursor, Window
from qa.plugins.masking import Mask
from qa.plugins.page_rules import (
    PAGE_BYTES,
    PAGE_RECORDS,
    ContractBroken,
    Drifted,
    Sorted,
    checked_cursor,
    checked_page,
    ids_of,
    place_of,
    sorted_out,
)
from qa.plugins.store import (
    LEASE_TTL,
    RENEW_AFTER,
    Counts,
    Cursor,
    Lane,
    Lease,
    LeaseLost,
    Outcome,
    PageWrite,
    Progress,
    State,
    Stop,
    Store,
    Waiting,
)
from qa.plugins.verdicts import Verdict, judge

log = logging.getLogger(__name__)

HELD_PAUSE = timedelta(minutes=1)
RECENT_RECORDS = 50
SAME_PAGE_TIMES = 3
SAME_IDS_TIMES = 10


class Clock(Protocol):
    """The time a run goes by: the product's clock, or the kit's virtual one."""

    def now(self) -> datetime:
        """Return the present moment, aware, in UTC."""

    def monotonic(self) -> float:
        """Return seconds that never go backwards."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one page and one run may be; a run that used its share goes on in the next one."""

    page_records: int = PAGE_RECORDS
    page_bytes: int = PAGE_BYTES
    run_pages: int = 2_000
    run_time: timedelta = timedelta(minutes=15)
    bad_share: float = 0.2
    bad_least: int = 3
    waiting_records: int = 5_000
    waiting_bytes: int = 10 * 1024**3


@dataclass(frozen=True, slots=True)
class Plan:
    """Which span of time each lane covers.

    ``live_from`` divides the two: the live lane takes what changed since, the backfill lane goes from
    there back to ``backfill_from``, newest window first. Without ``live_from`` the live lane takes all.
    """

    live_from: datetime | None = None
    backfill_from: datetime | None = None
    span: timedelta = timedelta(days=7)

    def older(self, end: datetime | None) -> Window | None:
        """Return the backfill window that ends at ``end``, None when there is nothing older to take."""
        if end is None or self.backfill_from is None or end <= self.backfill_from:
            return None
        return Window(start=max(end - self.span, self.backfill_from), end=end)


Pages = Callable[[Cursor | None, Window | None], Iterator[Page | None]]
"""Starts the connector's ``pull``. A None among the pages means "still at work": the loop then renews
the lease and looks whether the run is still wanted. A host that waits for a child yields one each second."""


@dataclass(frozen=True, slots=True)
class Pull:
    """One lane to run and how."""

    source: str
    stream: str
    lane: Lane
    pages: Pages
    plan: Plan = field(default_factory=Plan)
    every: timedelta = timedelta(minutes=5)
    cursor_version: int = 1
    migrate: Callable[[Cursor, int], Cursor] | None = None
    secrets: Sequence[str] = ()


def run(
    store: Store,
    pull: Pull,
    *,
    clock: Clock,
    waiting: Waiting | None = None,
    limits: Limits | None = None,
) -> Outcome | None:
    """Run one lane until it is done, stopped or has used its share; return how it ended.

    None means that another run holds the lane. Only a fault of the store itself (a database that
    does not answer) is raised; the lane then stands at its last kept page.
    """
    lease = store.acquire(pull.source, pull.stream, pull.lane, ttl=LEASE_TTL)
    if lease is None:
        return None
    outcome = _Run(store, pull, lease, clock, waiting, limits or Limits()).go()
    if store.finish(lease, outcome) and outcome.state is not None:
        _tell(pull, outcome)
    return outcome


def _tell(pull: Pull, outcome: Outcome) -> None:
    """Log a change of state: once when a source goes down, once when it is back."""
    facts = {"source": pull.source, "stream": pull.stream, "state": str(outcome.state)}
    if outcome.state is State.OK:
        log.info("source is back", extra=facts)
    else:
        log.warning("source is down", extra=facts | {"error": outcome.error})


@dataclass(slots=True)
class _Place:
    """Where the lane stands now."""

    cursor: Cursor | None
    version: int
    window: Window | None
    is_finished: bool


class _Run:
    """One run of one lane."""

    def __init__(
        self,
        store: Store,
        pull: Pull,
        lease: Lease,
        clock: Clock,
        waiting: Waiting | None,
        limits: Limits,
    ) -> None:
        self.store, self.pull, self.lease, self.clock = store, pull, lease, clock
        self.waiting, self.limits = waiting, limits
        self.mask = Mask(pull.secrets)
        self.progress = Progress()
        self.counts, self.page_count = Counts(), 0
        self.started = self.renewed = clock.monotonic()
        self.seen: Counter[str] = Counter()
        self.last_ids, self.same_ids = "", 0
        self.recent: deque[bool] = deque(maxlen=RECENT_RECORDS)

    def go(self) -> Outcome:
        """Run to an end of whatever kind."""
        self.progress = self.store.read_progress(self.lease)
        try:
            stop = self._lane()
        except LeaseLost:
            return Outcome(Stop.LOST, None, None, pages=self.page_count, counts=self.counts)
        except _Raised as raised:
            return self._ended(self._judged(raised.error))
        except (ContractBroken, StuckCursor) as error:
            return self._ended(self._judged(error))
        return self._ended(self._verdict_of(stop))

    def _judged(self, error: Exception) -> Verdict:
        return judge(error, self.progress.failures, self.clock.now(), self.pull.every)

    def _ended(self, verdict: Verdict) -> Outcome:
        return Outcome(
            verdict.stop,
            verdict.state,
            verdict.again_at,
            reason=self.mask.text(verdict.reason),
            cure=verdict.cure,
            error=self.mask.text(verdict.error),
            failures=verdict.failures,
            pages=self.page_count,
            counts=self.counts,
        )

    def _verdict_of(self, stop: Stop) -> Verdict:
        now, kept = self.clock.now(), self.progress.failures
        if stop is Stop.HELD:
            reason = "Pulling waits until less is waiting to be worked on here."
            return Verdict(stop, None, now + HELD_PAUSE, reason=reason, failures=kept)
        if stop is Stop.CANCELLED:
            return Verdict(stop, None, None, failures=kept)
        if stop is Stop.MORE:
            return Verdict(stop, State.OK, now)
        is_over = self.pull.lane is Lane.BACKFILL
        return Verdict(stop, State.OK, None if is_over else now + self.pull.every)

    def _lane(self) -> Stop:
        """Take window after window; the live lane has one, without an end."""
        place = self._first_place()
        while not place.is_finished:
            stop = self._window(place)
            if stop is not None:
                return stop
            if self.pull.lane is Lane.LIVE:
                break
        return Stop.DONE

    def _first_place(self) -> _Place:
        kept = self.progress
        cursor, version = kept.cursor, self.pull.cursor_version
        if cursor is not None and kept.cursor_version != version:
            if self.pull.migrate is None:
                raise ContractBroken(2, f"No migrate_cursor() from {kept.cursor_version} to {version}.")
            with _connector():
                cursor = self.pull.migrate(cursor, kept.cursor_version)
        if self.pull.lane is Lane.LIVE:
            return _Place(cursor, version, None, False)
        window = kept.window or self.pull.plan.older(self.pull.plan.live_from)
        return _Place(cursor, version, window, kept.is_finished or window is None)

    def _window_for(self, place: _Place) -> Window | None:
        """Return the window to ask for: the live lane has one only when it starts, up to now."""
        start = self.pull.plan.live_from
        if self.pull.lane is Lane.LIVE and place.cursor is None and start is not None:
            return Window(start=start, end=max(self.clock.now(), start))
        return place.window

    def _window(self, place: _Place) -> Stop | None:
        """Take the pages of one window; None when it is done."""
        if (stop := self._reason_to_stop()) is not None:
            return stop
        with _connector():
            pages = iter(self.pull.pages(place.cursor, self._window_for(place)))
        try:
            while (page := self._next(pages)) is not END:
                if isinstance(page, Page) and self._take(place, page):
                    return None
                if (stop := self._reason_to_stop()) is not None:
                    return stop
        finally:
            # the outcome is known by now: a connector that fails while it is put away changes nothing
            with suppress(Exception):
                getattr(pages, "close", int)()
        raise ContractBroken(2, "pull() ended without a last page that says done=True.")

    def _next(self, pages: Iterator[Page | None]) -> object:
        """Return the connector's next page, None while it is at work, ``END`` after the last."""
        with _connector():
            page: object = next(pages, END)
        if page is None or page is END or isinstance(page, Page):
            return page
        raise ContractBroken(2, f"pull() yielded a {type(page).__name__}, not a Page.")

    def _reason_to_stop(self) -> Stop | None:
        if self.clock.monotonic() - self.renewed >= RENEW_AFTER.total_seconds():
            self.store.renew(self.lease, ttl=LEASE_TTL)
            self.renewed = self.clock.monotonic()
        if self.store.is_cancelled(self.lease):
            return Stop.CANCELLED
        if self._is_full():
            return Stop.HELD
        spent = self.clock.monotonic() - self.started
        if self.page_count >= self.limits.run_pages or spent >= self.limits.run_time.total_seconds():
            return Stop.MORE
        return None

    def _is_full(self) -> bool:
        """Tell whether too much waits; a lane that was held goes on at half of the mark."""
        if self.waiting is None:
            return False
        share = 0.5 if self.progress.is_held else 1.0
        records, size = self.waiting()
        full = records > self.limits.waiting_records * share or size > self.limits.waiting_bytes * share
        if not full:
            self.progress = replace(self.progress, is_held=False)
        return full

    def _take(self, place: _Place, page: Page) -> bool:
        """Keep one page; return whether its window is done."""
        checked_page(page, self.limits.page_records)
        cursor = checked_cursor(page.cursor, self.mask)
        self._guard_against_loops(cursor, page)
        found = sorted_out(page, self.mask, self.limits.page_bytes)
        self._guard_against_drift(found)
        moved = self._moved(place, cursor, page.done)
        write = PageWrite(
            records=list(found.good.values()),
            rejected=found.bad,
            agents=found.agents,
            cursor=moved.cursor,
            cursor_version=moved.version,
            window=moved.window,
            is_finished=moved.is_finished,
            moves=moved != place or self.progress.cursor_version != moved.version,
        )
        self._keep(write)
        place.cursor, place.window, place.is_finished = moved.cursor, moved.window, moved.is_finished
        self.progress = replace(self.progress, cursor_version=moved.version)
        return page.done

    def _keep(self, write: PageWrite) -> None:
        counts = self.store.write_page(self.lease, write, ttl=LEASE_TTL)
        self.renewed = self.clock.monotonic()
        self.counts.add(counts)
        self.page_count += 1

    def _moved(self, place: _Place, cursor: Cursor, is_done: bool) -> _Place:
        if not is_done or self.pull.lane is Lane.LIVE:
            return replace(place, cursor=cursor)
        older = None if place.window is None else self.pull.plan.older(place.window.start)
        if older is None:
            return replace(place, cursor=cursor, is_finished=True)
        return replace(place, cursor=None, window=older)

    def _guard_against_loops(self, cursor: Cursor, page: Page) -> None:
        ids = ids_of(page)
        mark = place_of(cursor, ids)
        self.seen[mark] += 1
        self.same_ids = self.same_ids + 1 if ids and ids == self.last_ids else 1
        self.last_ids = ids
        if page.done:
            return
        if self.seen[mark] >= SAME_PAGE_TIMES:
            raise StuckCursor("The same cursor with the same records came three times.")
        if self.same_ids >= SAME_IDS_TIMES:
            raise StuckCursor(f"The same records came {SAME_IDS_TIMES} times in a row.")

    def _guard_against_drift(self, found: Sorted) -> None:
        """Raise ``Drifted`` when too many of a page, or of the last few small pages, are bad.

        One or two bad records are never too many: they go to quarantine.
        """
        self.recent.extend(found.verdicts)
        for verdicts in (found.verdicts, list(self.recent)):
            bad = sum(verdicts)
            if found.bad and bad >= self.limits.bad_least and bad > len(verdicts) * self.limits.bad_share:
                raise Drifted(bad, len(verdicts), found.bad[0].error)


END = object()


class _Raised(Exception):
    """Wraps what a connector raised, so that a fault of the store is never taken for one of its."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


@contextmanager
def _connector() -> Iterator[None]:
    """Mark what the connector raises inside the block."""
    try:
        yield
    except Exception as error:  # a border: whatever a connector raises is its source's state
        raise _Raised(error) from error
