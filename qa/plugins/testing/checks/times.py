"""Checks of time: the same second, zones and their nights, a host whose clock is wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from qa.plugins.testing.bench import Bench
from qa.plugins.testing.laws import Broken, Check

NIGHTS = (
    datetime(2026, 1, 15, 11, 30, tzinfo=UTC),
    datetime(2025, 7, 15, 11, 30, tzinfo=UTC),
    datetime(2025, 3, 30, 0, 59, 50, tzinfo=UTC),
    datetime(2025, 3, 30, 1, 0, 10, tzinfo=UTC),
    datetime(2025, 10, 26, 3, 30, tzinfo=UTC),
    datetime(2025, 12, 31, 23, 59, 59, tzinfo=UTC),
    datetime(2024, 2, 29, 23, 30, tzinfo=UTC),
)
"""Winter, summer, the night clocks go forward in Europe, the night they go back, a year's end, a leap day."""


def _same_second(bench: Bench) -> None:
    first, second = bench.twin.seed(8)[5:7]
    bench.run()
    bench.clock.sleep(3600)
    bench.twin.touch(first, "The first of a second")
    bench.run()
    bench.twin.touch(second, "The second of the same second")
    bench.clock.sleep(3600)
    bench.run()
    record = bench.stored.get(bench.twin.external_id(second))
    if record is None or "The second of the same second" not in repr(record):
        raise Broken(
            "Two conversations changed in one second, one before the run and one after: the second is lost."
        )
    _crowded_second(bench)


def _crowded_second(bench: Bench) -> None:
    fresh = Bench(bench.kind, bench.twin_kind, bench.watch)
    things = fresh.twin.seed(2 * fresh.twin.page_size + 1, step=timedelta())
    fresh.run()
    if missing := fresh.missing():
        raise Broken(
            f"{len(things)} conversations changed in one second, more than a page: {len(missing)} are lost."
        )


c06 = Check(
    "c06_same_second",
    3,
    "A change in the second of the cursor is not lost",
    "One conversation changes just before a run and another just after, in the same second; both arrive. So "
    "do "
    "more conversations of one second than fit on a page.",
    "The next run asks for changes after the cursor's time instead of at or after it.",
    "Ask inclusively. What comes again is dropped by the host. Within a run page by the vendor's cursor or "
    "by "
    "time and id.",
    '{"updated_after": newest}',
    '{"updated_since": newest}',
    _same_second,
)


def _zones(bench: Bench) -> None:
    things = [bench.twin.add(moment) for moment in NIGHTS]
    bench.run()
    for thing in things:
        record = bench.stored.get(bench.twin.external_id(thing))
        if record is None:
            raise Broken(f"The conversation of {thing.created_at:%d %B %Y, %H:%M} UTC is missing.")
        off = record.started_at - thing.created_at
        if abs(off) >= timedelta(seconds=1):
            raise Broken(
                f"A conversation began at {thing.created_at:%Y-%m-%d %H:%M:%S} UTC; the record says "
                f"{record.started_at:%Y-%m-%d %H:%M:%S} UTC, {off.total_seconds() / 3600:+.2f} h."
            )


c10 = Check(
    "c10_time_zones",
    7,
    "Times are right, in summer, in winter and in the nights between",
    "Conversations of a winter and a summer day, of both nights in which clocks change, of a year's end and "
    "of a "
    "leap day start when they started.",
    "The vendor's time has no zone and is taken for UTC, or its zone is cut off.",
    "Read the offset the vendor sends. Where it sends none, let Config ask for the zone and use zoneinfo.",
    'datetime.fromisoformat(text.removesuffix("Z")).replace(tzinfo=UTC)',
    'datetime.fromisoformat(text).astimezone(UTC)  # or .replace(tzinfo=ZoneInfo(ctx.config["zone"]))',
    _zones,
)


def _skewed(bench: Bench) -> None:
    for days in (-1, 1):
        fresh = Bench(bench.kind, bench.twin_kind, bench.watch)
        fresh.clock.skew = timedelta(days=days)
        fresh.twin.seed(8)
        fresh.run()
        fresh.clock.sleep(3600)
        fresh.twin.touch(fresh.twin.things[3], "Changed while the clock is wrong")
        fresh.clock.sleep(3600)
        fresh.run()
        record = fresh.stored.get(fresh.twin.external_id(fresh.twin.things[3]))
        if record is None or "Changed while the clock is wrong" not in repr(record):
            side = "ahead" if days > 0 else "behind"
            raise Broken(f"With this machine's clock a day {side}, a change is lost.")
        fresh.expect_all("With a wrong clock")


c26 = Check(
    "c26_wrong_clock",
    9,
    "This machine's clock does not matter",
    "The host's clock is a day ahead, then a day behind; every change still arrives.",
    "The cursor is made of ctx.clock.now() or of datetime.now().",
    "Take the newest time of change that the vendor sent.",
    '{"since": ctx.clock.now().isoformat()}',
    '{"since": max(record["updated_at"] for record in page)}',
    _skewed,
)
