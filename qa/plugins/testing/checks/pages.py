"""Checks of paging: everything arrives, once, in a stream, with a cursor that is small and true."""

from __future__ import annotations

import json
import resource
import sys
from datetime import timedelta
from typing import Any

from qa.plugins.api import Capability, Page, Window
from qa.plugins.page_rules import CURSOR_BYTES
from qa.plugins.store import Lane, Progress, State, Stop
from qa.plugins.sync import Plan
from qa.plugins.testing.bench import SOURCE, Bench, told
from qa.plugins.testing.laws import Broken, Check
from qa.plugins.testing.wire import from_, frozen

MANY = 23
SHOWN_AFTER = 600  # seconds until a vendor shows a change at the latest
LOOP_REQUESTS = 60
FLAT_RECORDS = 10_000
FLAT_PAGE = 250
FLAT_GROWTH_BYTES = 5 * 1024**2


def _all_pages(bench: Bench) -> None:
    bench.twin.seed(MANY)
    bench.run()
    bench.expect_all("After a whole run")


c01 = Check(
    "c01_all_pages",
    2,
    "Every page arrives",
    "Twenty-three conversations, five to a page, are all kept after one run.",
    "The loop over pages ends after the first, or looks at the wrong field for “there is more”.",
    "Go on until the vendor says that nothing follows; only that page has done=True.",
    "yield Page(records, cursor, done=True)",
    'yield Page(records, cursor, done=not body["has_more"])',
    _all_pages,
)


def _second_run(bench: Bench) -> None:
    bench.twin.seed(MANY)
    bench.run()
    first = bench.wire.count()
    bench.clock.sleep(3600)
    changed = bench.twin.touch(bench.twin.things[7], "A new subject")
    bench.clock.sleep(SHOWN_AFTER)
    outcomes = bench.run()
    asked = bench.wire.count(first)
    record = bench.stored.get(bench.twin.external_id(changed))
    seen = f"{record}" if record is not None else ""
    if "A new subject" not in seen and sum(one.counts.changed for one in outcomes) == 0:
        raise Broken("A conversation changed after the first run, and the second did not bring it.")
    if asked > max(2 * len(bench.kind.streams), 2 * first / 3):
        raise Broken(
            f"One conversation changed, and the second run asked {asked} times (the first: {first}): "
            "it starts from the beginning."
        )


c02 = Check(
    "c02_second_run",
    2,
    "The second run brings what changed, and little else",
    "After a whole run one conversation changes; the next run brings it with few requests.",
    "The cursor is not used, or stands still.",
    "Start from the cursor you are given, and put the newest change you have seen into it.",
    'self.list_tickets(since="2020-01-01")',
    'self.list_tickets(since=(cursor or {}).get("since", start))',
    _second_run,
)


def _replay(bench: Bench) -> None:
    bench.twin.seed(MANY)
    bench.run()
    kept = len(bench.stored)
    _forget_cursors(bench)
    outcomes = bench.run()
    new = sum(one.counts.new for one in outcomes)
    if new or len(bench.stored) != kept:
        raise Broken(
            f"The same {kept} conversations came again, and {new} of them counted as new: their external_id "
            "is not the same each time."
        )


c03 = Check(
    "c03_replay",
    3,
    "The same conversations again make no doubles",
    "The cursor is lost, everything is pulled a second time, and nothing is new.",
    "The external_id holds something that changes: a position, a time of change, a hash of the text.",
    "Take the vendor's own id of the conversation as external_id, as text, and nothing else.",
    "Record(f\"{position}-{ticket['id']}\", …)",
    'Record(str(ticket["id"]), …)',
    _replay,
)


def _streaming(bench: Bench) -> None:
    bench.twin.seed(60)
    bench.run()
    whole = bench.wire.count()
    fresh = Bench(bench.kind, bench.twin_kind, bench.watch)
    fresh.twin.seed(60)
    pages = fresh.pages(fresh.kind.streams[0], Lane.LIVE)(None, None)
    first = next(pages)
    asked = fresh.wire.count()
    if hasattr(pages, "close"):
        pages.close()
    if whole >= 6 and asked > whole / 2:
        raise Broken(f"The first page came after {asked} of {whole} requests.")
    if first is not None and len(first.records) > fresh.kind.page_limit:
        raise Broken(
            f"The first page holds {len(first.records)} records; page_limit is {fresh.kind.page_limit}."
        )


c15 = Check(
    "c15_streaming",
    5,
    "The first page comes before the last request",
    "The first of many pages is yielded after a few requests, not after all of them.",
    "All records are collected in a list before the first page is yielded.",
    "yield inside the loop over the vendor's pages.",
    "records += page …  # and after the loop: yield Page(records, …)",
    "for page in …: yield Page(map(self.record, page), …)",
    _streaming,
)


def _loop(bench: Bench) -> None:
    bench.twin.seed(MANY)
    bench.wire.rule = from_(2, frozen())
    outcome = bench.run_once()
    for _ in range(3):
        if outcome.stop not in (Stop.MORE, Stop.DONE):
            break
        outcome = bench.run_once()
    if bench.wire.count() > LOOP_REQUESTS:
        raise Broken(f"The vendor repeated one page for ever, and was asked {bench.wire.count()} times.")


c16 = Check(
    "c16_vendor_loop",
    5,
    "A vendor that goes round in circles is noticed",
    "From the second request on the vendor gives the same answer for ever; the run comes to an end.",
    "An inner loop asks for the next page without yielding, so the host cannot see that it is the same.",
    "yield every page the vendor gives, with its cursor; the host stops at the third repetition.",
    "while True: everything += self.page(mark)",
    "yield Page(records, {'mark': mark})",
    _loop,
)


def _hole(bench: Bench) -> None:
    things = bench.twin.seed(MANY)
    size = bench.twin.page_size
    for thing in things[size : 2 * size]:
        thing.hidden = True
    bench.run()
    shown_anyway = [
        thing.id for thing in things if thing.hidden and bench.twin.external_id(thing) in bench.stored
    ]
    if shown_anyway:
        raise Broken(
            "The twin shows hidden conversations: build its pages with after(), numbered() or shown().",
            where=f"{bench.twin_kind.__name__}.handle",
        )
    bench.expect_all("With an empty page in the middle")


c17 = Check(
    "c17_empty_page",
    2,
    "An empty page is not the end",
    "The second page comes out empty, and the vendor says that more follows; all others arrive.",
    "The loop ends when a page has no records.",
    "Look at what the vendor says about more, never at how many records came.",
    "if not records: return",
    'if not body["has_more"]: return',
    _hole,
)


def _moves(bench: Bench) -> None:
    things = bench.twin.seed(MANY)
    given: list[int] = []

    def touch_another() -> None:
        given.append(1)
        if len(given) in (1, 2):
            bench.clock.sleep(60)
            bench.twin.touch(things[len(given) - 1])

    bench.after_page = touch_another
    outcome = bench.run_once()
    bench.after_page = lambda: None
    bench.clock.sleep(600)
    if outcome.stop is Stop.FAILED:
        raise Broken(
            f"A conversation changed during the run, which failed: {told(outcome)}", where=bench.blame()
        )
    bench.run()
    bench.expect_all("After conversations changed while the pages were read")


c20 = Check(
    "c20_moving_records",
    4,
    "A conversation that changes while you page does not push another one out",
    "Conversations of the first pages change between two pages; none of the others is skipped.",
    "Pages are counted (page=2, offset=50) over a list sorted by the time of change: what moves to the end "
    "pulls everything behind it forward by one.",
    "Page by “changed since” plus id, or by the vendor's own cursor. Where the vendor only counts pages, "
    "sort "
    "by a field that never changes, or start again from the newest time you have seen.",
    "page += 1",
    'since = records[-1]["updated_at"]  # inclusive; the host drops what it knows',
    _moves,
)


def _small_cursor(bench: Bench) -> None:
    sizes = []
    for count in (MANY, 4 * MANY):
        bench.clock.sleep(86_400)
        bench.twin.seed(count)
        bench.run()
        for progress in bench.store.progress.values():
            sizes.append(len(json.dumps(dict(progress.cursor or {}))))
    if max(sizes) > CURSOR_BYTES or max(sizes) > 1.5 * min(sizes) + 100:
        raise Broken(f"The cursor grows with the records: {sizes} bytes.")
    version = bench.kind.cursor_version
    for old in range(1, version):
        _migrated(bench, old)


def _migrated(bench: Bench, old: int) -> None:
    cursor = bench.twin_kind.old_cursors.get(old)
    if cursor is None:
        raise Broken(
            f"cursor_version is {bench.kind.cursor_version}, and the twin shows no cursor of version {old}.",
            where=bench.twin_kind.__name__,
            cure=f"Give the twin old_cursors = {{{old}: …}} with one as it was kept then.",
        )
    fresh = Bench(bench.kind, bench.twin_kind, bench.watch)
    fresh.twin.seed(MANY)
    key = (SOURCE, fresh.kind.streams[0], Lane.LIVE)
    fresh.store.progress[key] = Progress(cursor=dict(cursor), cursor_version=old)
    outcome = fresh.run_once()
    if outcome.stop is Stop.FAILED:
        raise Broken(f"A cursor of version {old} is not carried over: {told(outcome)}", where=fresh.blame())


c24 = Check(
    "c24_cursor",
    2,
    "The cursor stays small, and an older one is understood",
    "The cursor has the same size after four times the records; cursors of older versions are carried over.",
    "Ids already seen are remembered in the cursor; or its shape changed without migrate_cursor().",
    "Keep one time and one id. When the shape changes, raise cursor_version and write migrate_cursor().",
    'cursor = {"seen": [… all ids …]}',
    'cursor = {"since": "2026-03-02T09:00:00Z"}',
    _small_cursor,
)


def _flat(bench: Bench) -> None:
    bench.twin.seed(FLAT_RECORDS, step=timedelta(seconds=1))
    bench.twin.page_size = FLAT_PAGE  # type: ignore[misc]
    pages = bench.pages(bench.kind.streams[0], Lane.LIVE)(None, None)
    seen, start = 0, 0
    for page in pages:
        seen += len(page.records) if page is not None else 0
        bench.wire.asked.clear()
        if not start and seen >= FLAT_RECORDS / 10:
            start = _most_memory()
    grown = _most_memory() - start
    if start and grown > FLAT_GROWTH_BYTES:
        raise Broken(f"Over {seen:,} records the connector's memory grew by {grown / 1024**2:.0f} MB.")


def _most_memory() -> int:
    """Return the most memory this process ever held, in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


c32 = Check(
    "c32_flat_memory",
    5,
    "Memory stays flat over ten thousand records",
    "While ten thousand conversations are pulled, what the connector holds does not grow.",
    "Pages, records or ids are kept in a list while paging goes on.",
    "Let go of a page once it is yielded.",
    "self.all.extend(records)",
    "yield Page(records, cursor)",
    _flat,
)


def _writes_nothing(bench: Bench) -> None:
    bench.twin.seed(MANY)
    bench.run()
    bench.clock.sleep(3600)
    before = dict(bench.stored)
    _forget_cursors(bench)
    outcomes = bench.run()
    changed = sum(one.counts.changed for one in outcomes)
    if changed:
        example = next(key for key, record in bench.stored.items() if record != before.get(key))
        raise Broken(
            f"Nothing changed at the vendor, and {changed} conversations counted as changed. Record "
            f"{example}: "
            f"{_difference(before.get(example), bench.stored[example])}"
        )
    if bench.store.state not in (None, State.OK):
        raise Broken(f"The second run left the source {bench.store.state}.")


def _difference(one: Any, other: Any) -> str:
    fields = getattr(other, "__dataclass_fields__", {})
    names = [name for name in fields if getattr(one, name, None) != getattr(other, name)]
    if not names:
        return "no field differs"
    name = names[0]
    return f"{name} was {getattr(one, name, None)!r:.60}, is {getattr(other, name)!r:.60}"


c33 = Check(
    "c33_unchanged",
    3,
    "What did not change is not a change",
    "Everything is pulled again an hour later; no conversation counts as changed.",
    "A record holds something of the moment: the time of the run, a link that expires, a random name.",
    "Put only the vendor's facts into a record. What expires belongs into a MediaRef, fetched anew when "
    "needed.",
    'custom={"pulled_at": str(ctx.clock.now())}',
    "custom={}",
    _writes_nothing,
)


def _forget_cursors(bench: Bench) -> None:
    bench.store.progress.clear()


def _windows(bench: Bench) -> None:
    bench.need(Capability.BACKFILL)
    things = bench.twin.seed(MANY, step=timedelta(hours=12))
    middle, first = things[15].updated_at, things[0].updated_at - timedelta(minutes=1)
    bench.plan = Plan(live_from=middle, backfill_from=first, span=timedelta(days=3))
    bench.on_page = lambda lane, window, page: _inside(bench, lane, window, page)
    bench.run(Lane.LIVE)
    bench.run(Lane.BACKFILL)
    bench.expect_all("With the live lane and the backfill lane")


def _inside(bench: Bench, lane: Lane, window: Window | None, page: Page) -> None:
    if window is None:
        return
    for record in page.records:
        moment = getattr(record, "updated_at", None) or getattr(record, "started_at", None)
        if moment is not None and not window.start - timedelta(days=1) <= moment <= window.end:
            raise Broken(
                f"The {lane} lane asked for {window.start:%d %b %H:%M} to {window.end:%d %b %H:%M}, and a "
                f"conversation of {moment:%d %b %H:%M} came.",
                where=bench.where,
            )


c38 = Check(
    "c38_window",
    2,
    "A window is kept: history comes piece by piece, beside today",
    "The live lane starts in the middle of eleven days, the backfill lane takes the days before in windows; "
    "everything arrives, and no window brings what is outside it.",
    "The window is ignored, so that every piece of history pulls everything anew.",
    "Ask from window.start, and end at window.end.",
    'params={"since": start}',
    'params={"since": window.start.isoformat(), "until": window.end.isoformat()}',
    _windows,
)
