"""Checks of the wire: a vendor that is slow, down, unfriendly or asks to wait."""

from __future__ import annotations

from datetime import timedelta

from qa.plugins.api import AuthExpired, PermissionMissing, PluginError, Transient
from qa.plugins.api import Check as Checked
from qa.plugins.quota import rate_of
from qa.plugins.store import State, Stop
from qa.plugins.testing import wire
from qa.plugins.testing.bench import Bench, told
from qa.plugins.testing.laws import Broken, Check, NotNeeded, line_of
from qa.plugins.testing.wire import Fault, always, at, from_, says

MANY = 23
ASKED_SECONDS = 30


def _fresh(bench: Bench) -> Bench:
    made = Bench(bench.kind, bench.twin_kind, bench.watch)
    made.twin.seed(MANY)
    return made


def _requests(bench: Bench) -> int:
    """Return how many requests a whole run needs."""
    calm = _fresh(bench)
    calm.run()
    return calm.wire.count()


def _retry_after(bench: Bench) -> None:
    place = min(2, _requests(bench))
    fresh = _fresh(bench)
    fresh.wire.rule = at(place, says(429, Retry_After=str(ASKED_SECONDS)))
    fresh.run()
    fresh.expect_all("After the vendor asked to wait")
    waited = fresh.wire.asked[place].at - fresh.wire.asked[place - 1].at
    if not ASKED_SECONDS <= waited <= ASKED_SECONDS + 5:
        raise Broken(
            f"The vendor asked to wait {ASKED_SECONDS} s; the next request came after {waited:.1f} s."
        )


c07 = Check(
    "c07_retry_after",
    8,
    "A vendor that asks to wait is given the time",
    "The second request is answered with 429 and Retry-After: 30; the next one comes 30 seconds later, the "
    "waiting costs no real time, and everything arrives.",
    "The connector sleeps by itself, or catches the refusal and tries again at once.",
    "Leave waiting and retries to ctx.http; where you must wait, use ctx.clock.sleep().",
    "time.sleep(5)",
    'ctx.http.get("/tickets")  # waits as told, or ends the run until then',
    _retry_after,
)

FAULTS: tuple[tuple[str, Fault], ...] = (
    ("answers 503", says(503)),
    ("does not answer in time", wire.times_out),
    ("cuts its answer in half", wire.cut),
    ("answers with a web page", wire.html),
    ("answers twice in one", wire.doubled),
)


def _hiccups(bench: Bench) -> None:
    total = _requests(bench)
    for words, fault in FAULTS:
        for number in sorted({1, min(2, total), total}):
            fresh = _fresh(bench)
            fresh.wire.rule = at(number, fault)
            fresh.run()
            fresh.expect_all(f"When request {number} {words}")
        fresh = _fresh(bench)
        fresh.wire.rule = from_(min(2, total), fault)
        outcome = fresh.run_once()
        if outcome.stop is Stop.DONE and fresh.missing():
            raise Broken(f"The vendor {words} again and again, and the run says it is done.")
        fresh.wire.rule = lambda _number, _ask: None
        fresh.run()
        fresh.expect_all(f"After a vendor that {words} is well again")


c08 = Check(
    "c08_hiccups",
    2,
    "A vendor that is unwell is not at its end",
    "Single requests fail with 503, time-outs, half answers, web pages and doubled answers; then all of "
    "them fail "
    "for a while. Everything arrives in the end, and no run says that it is done before.",
    "An error is caught and taken for the last page.",
    "Let the errors of ctx.http pass: the host runs again from the last cursor.",
    "except Transient: return",
    'body = ctx.http.get("/tickets", params=…).json()  # no except',
    _hiccups,
)


def _unauthorised(bench: Bench) -> None:
    _honest_check(bench)
    total = _requests(bench)
    for number in sorted({1, min(2, total)}):
        fresh = _fresh(bench)
        fresh.wire.rule = from_(number, says(401))
        outcome = fresh.run_once()
        if outcome.state is not State.NEEDS_REAUTH:
            raise Broken(
                f"From request {number} on the vendor refuses the credentials (401), and the run ended "
                f"{told(outcome)}.",
                where=fresh.blame(),
            )


def _honest_check(bench: Bench) -> None:
    where = line_of(bench.kind.check)
    good = _fresh(bench)
    answer = _checked(good)
    if not isinstance(answer, Checked) or not answer.ok:
        raise Broken(f"With good credentials check() says {answer!r:.120}.", where=where)
    if not good.wire.count():
        raise Broken("check() asks the vendor nothing.", where=where, cure=REAL_CALL)
    for status in (401, 403):
        bad = _fresh(bench)
        bad.wire.rule = always(says(status))
        answer = _checked(bad)
        if isinstance(answer, Checked) and answer.ok:
            raise Broken(
                f"The vendor refuses everything ({status}), and check() says ok.", where=where, cure=REAL_CALL
            )
        if status == 403 and isinstance(answer, Checked) and not answer.missing:
            raise Broken(
                "The vendor refuses everything (403), and check() names no missing permission.",
                where=where,
                cure="Name each in Check.missing, or let PermissionMissing pass.",
            )


REAL_CALL = "Make a real call with the credentials, one for each permission, and tell what came of it."


def _checked(bench: Bench) -> Checked | PluginError:
    with bench.context() as (connector, ctx):
        try:
            return connector.check(ctx)
        except (AuthExpired, PermissionMissing, Transient) as error:
            return error


c14 = Check(
    "c14_credentials",
    8,
    "Expired credentials are loud, and check() is honest",
    "With credentials that are refused, at once or in mid-run, the source needs new ones; check() says so "
    "too, "
    "and with good ones it says ok after a real call.",
    "A refusal is caught and taken for an empty page; check() returns ok without asking.",
    "Let AuthExpired pass; in check() make one real call for each permission.",
    "def check(self, ctx): return Check(True)",
    'def check(self, ctx): return Check(True, account=ctx.http.get("/me").json()["email"])',
    _unauthorised,
)


def _within_quota(bench: Bench) -> None:
    if not bench.twin_kind.limit:
        raise NotNeeded("The twin names no limit.")
    rate = rate_of(bench.twin_kind.limit)
    bench.twin.seed(max(MANY, min(rate.count, 40) * bench.twin.page_size + 1))
    bench.run()
    times = [one.at for one in bench.wire.asked]
    for first in times:
        asked = sum(first <= one < first + rate.seconds for one in times)
        if asked > rate.count:
            raise Broken(
                f"The vendor allows {bench.twin_kind.limit}, and was asked {asked} times in "
                f"{rate.seconds:.0f} s.",
                where=line_of(bench.kind),
            )


c23 = Check(
    "c23_quota",
    8,
    "The vendor's quota is kept",
    "Over a long run the requests of no span are more than the vendor allows.",
    "quota is not declared, or is higher than the vendor's.",
    'Declare it: quota = Quota("10/min"). The host keeps to it, for all runs of a source together.',
    "quota = Quota()",
    'quota = Quota("10/min")',
    _within_quota,
)


def _too_many_is_no_refusal(bench: Bench) -> None:
    place = min(2, _requests(bench))
    fresh = _fresh(bench)

    def rule(number: int, _ask: object) -> Fault | None:
        if number != place:
            return None
        until = fresh.clock.true_now() + timedelta(seconds=40)
        return lambda _ask, _go: fresh.twin.too_many(until)

    fresh.wire.rule = rule
    outcome = fresh.run_once()
    if outcome.state in (State.NEEDS_REAUTH, State.DEGRADED, State.PAUSED) or outcome.stop is Stop.FAILED:
        raise Broken(
            f"The vendor said in its own way that the quota is used up, and the run ended {told(outcome)}.",
            where=line_of(bench.kind),
        )
    fresh.run()
    fresh.expect_all("After the vendor's “too many”")


c27 = Check(
    "c27_too_many",
    8,
    "The vendor's own “too many” is understood",
    "The vendor says that the quota is used up in the way the twin's too_many() shows, such as 403 with a "
    "word in "
    "the body. The source waits; it neither fails nor asks for new credentials.",
    "The status or the word is not declared in quota.",
    "Declare codes and body_codes of Quota.",
    'Quota("100/min")',
    'Quota("100/min", codes=(429,), body_codes=("REQUEST_LIMIT_EXCEEDED",))',
    _too_many_is_no_refusal,
)


def _reset_is_read(bench: Bench) -> None:
    place = min(2, _requests(bench))
    for seconds in (45, 1_500):
        fresh = _fresh(bench)
        early = _Closed(fresh, place, seconds)
        fresh.wire.rule = early
        fresh.run()
        after = [one.at for one in fresh.wire.asked if one.at >= seconds]
        if early.refused > 1:
            raise Broken(
                f"The quota is free again in {seconds} s, and the vendor was asked {early.refused} times "
                f"before.",
                where=line_of(bench.kind),
            )
        if after and after[0] > seconds + 90:
            raise Broken(
                f"The quota was free after {seconds} s; the next request came after {after[0]:.0f} s.",
                where=line_of(bench.kind),
            )


class _Closed:
    """A rule: from one request on, the quota is used up until some seconds have passed."""

    def __init__(self, bench: Bench, place: int, seconds: int) -> None:
        self.bench, self.place = bench, place
        self.until = bench.clock.true_now() + timedelta(seconds=seconds)
        self.refused = 0

    def __call__(self, number: int, _ask: object) -> Fault | None:
        if number < self.place or self.bench.clock.true_now() >= self.until:
            return None
        self.refused += 1
        return lambda _ask, _go: self.bench.twin.too_many(self.until)


c28 = Check(
    "c28_reset",
    8,
    "The time of the reset is read as the vendor means it",
    "The vendor says when the quota is free again, as too_many() shows it; nothing is asked before, and not "
    "much "
    "later.",
    "An epoch is read as a delay, a delay as an epoch, milliseconds as seconds; or the header is not "
    "declared.",
    "Declare the header and how it counts.",
    'ResetHeader("X-RateLimit-Reset", "delta_s")',
    'ResetHeader("X-RateLimit-Reset", "epoch_s")',
    _reset_is_read,
)
