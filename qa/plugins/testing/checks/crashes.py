"""Checks of sudden ends: between pages, inside a commit, by a person who cancels."""

from __future__ import annotations

from qa.plugins.store import Stop
from qa.plugins.testing.bench import Bench, told
from qa.plugins.testing.laws import Broken, Check, line_of
from qa.plugins.testing.memory import Crash
from qa.plugins.testing.wire import at, from_, says

MANY = 23


def _crash(bench: Bench, moment: str, page: int) -> None:
    """Let the process die at a moment of a page's commit."""

    def crash(now: str, number: int) -> None:
        if (now, number) == (moment, page):
            bench.store.crash_at = lambda _moment, _page: None
            raise Crash

    bench.store.crash_at = crash
    try:
        bench.run_once()
    except Crash:
        bench.store.release_all()


def _between_pages(bench: Bench) -> None:
    for page in (1, 2, 3):
        fresh = Bench(bench.kind, bench.twin_kind, bench.watch)
        fresh.twin.seed(MANY)
        _crash(fresh, "after", page)
        fresh.run()
        fresh.expect_all(f"After a crash behind page {page}")


c04 = Check(
    "c04_crash_between_pages",
    2,
    "A crash between two pages loses nothing",
    "The process dies after a page is kept; the next run starts at its cursor, and everything arrives.",
    "A page carries the cursor of the page after it: “yours” is said of what was not yet given.",
    "Give each page the cursor of its own end.",
    'yield Page(records, {"page": page + 2})',
    'yield Page(records, {"page": page + 1})  # the next one to ask for',
    _between_pages,
)


def _inside_commit(bench: Bench) -> None:
    for page in (1, 2):
        fresh = Bench(bench.kind, bench.twin_kind, bench.watch)
        fresh.twin.seed(MANY)
        class_before = _state_of(fresh.kind)
        fresh.reuse = fresh.kind()
        before = dict(vars(fresh.reuse))
        _crash(fresh, "inside", page)
        fresh.run()
        fresh.expect_all(f"After a crash while page {page} was being kept")
        kept = {name for name, value in vars(fresh.reuse).items() if before.get(name, before) != value}
        kept |= {name for name, value in _state_of(fresh.kind).items() if class_before.get(name) != value}
        if kept:
            raise Broken(
                f"The connector keeps {', '.join(sorted(kept))} between calls.", where=line_of(fresh.kind)
            )


def _state_of(kind: type) -> dict[str, str]:
    """Return what the author's classes hold, so that a change shows."""
    return {
        name: repr(value)
        for one in kind.__mro__
        if not one.__module__.startswith("qa.plugins")
        for name, value in vars(one).items()
        if not callable(value) and not name.startswith("__")
    }


c05 = Check(
    "c05_crash_inside_commit",
    1,
    "A crash inside a commit loses nothing, and nothing is remembered outside the cursor",
    "A page is taken back whole; the next run brings it again. Nothing stays on the object or its class.",
    "Seen ids, positions or tokens are kept on self, on the class or in the module.",
    "Put what must be known next time into the cursor, and fetch tokens in sign_in().",
    "self.seen.add(ticket['id'])",
    'yield Page(records, {"since": newest})',
    _inside_commit,
)


def _cancelled(bench: Bench) -> None:
    bench.twin.seed(MANY)
    bench.run()
    whole = bench.wire.count()
    waiting = Bench(bench.kind, bench.twin_kind, bench.watch)
    waiting.twin.seed(MANY)
    waiting.wire.rule = at(2, says(429, Retry_After="50"))
    waiting.clock.cancel_at = 10.0
    _expect_cancelled(waiting, whole)
    retrying = Bench(bench.kind, bench.twin_kind, bench.watch)
    retrying.twin.seed(MANY)
    retrying.wire.rule = from_(2, says(503))
    retrying.clock.cancel_at = 0.2
    _expect_cancelled(retrying, whole)


def _expect_cancelled(bench: Bench, whole: int) -> None:
    assert bench.clock.cancel_at is not None
    outcome = bench.run_once()
    late = bench.clock.passed - bench.clock.cancel_at
    asked = sum(1 for one in bench.wire.asked if one.at > bench.clock.cancel_at)
    if whole < 2:
        return
    if outcome.stop is not Stop.CANCELLED:
        raise Broken(f"The run was cancelled and ended otherwise: {told(outcome)}", where=bench.blame())
    if late > 5 or asked:
        raise Broken(f"The run ended {late:.0f} s after it was cancelled, with {asked} more requests.")


c34 = Check(
    "c34_cancel",
    8,
    "A cancelled run stops within five seconds",
    "Somebody cancels while the connector waits for the vendor; the run ends at once and says so.",
    "A broad except catches Cancelled and goes on, or waiting is done without ctx.clock.",
    "Let Cancelled pass; catch only the errors you can do something about.",
    "except Exception: continue",
    "except Gone: continue",
    _cancelled,
)
