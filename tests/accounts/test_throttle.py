"""How tries to sign in are slowed: per account, per address, and never by strangers in a known browser."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from qa.accounts import throttle
from qa.accounts.known_browsers import ACCOUNTS_MAX, DAYS, KnownBrowsers
from qa.accounts.models import SignInAttempt
from qa.core.db import Database
from qa.core.errors import TooMany
from tests.accounts.conftest import NOW

SECOND = timedelta(seconds=1)
MARA = throttle.door_of("mara@halden.example", "192.0.2.7")


def tried(database: Database, door: throttle.Door, now: object = NOW) -> int:
    """Return how many seconds a try has to wait, 0 when it was let through."""
    try:
        with database.transaction() as session:
            throttle.begin(session, door, now=now)  # type: ignore[arg-type]
    except TooMany as pause:
        return pause.retry_after
    return 0


def test_five_failures_are_free_and_the_sixth_waits(database: Database) -> None:
    assert [tried(database, MARA) for _ in range(6)] == [0, 0, 0, 0, 0, 5]


def test_many_tries_at_once_count_as_many(database: Database) -> None:
    together = Barrier(8)

    def one(_: int) -> int:
        together.wait()
        return tried(database, MARA)

    with ThreadPoolExecutor(8) as threads:
        waits = list(threads.map(one, range(8)))
    assert sorted(waits) == [0] * 5 + [5] * 3


def test_a_refused_try_is_not_counted(database: Database) -> None:
    for _ in range(20):
        tried(database, MARA)
    with database.reading() as session:
        assert session.scalar(select(func.count(SignInAttempt.id))) == 5


def test_each_further_failure_waits_twice_as_long_but_never_more_than_a_quarter_of_an_hour(
    database: Database,
) -> None:
    now, waits = NOW, []
    for _ in range(5):
        tried(database, MARA)
    for _ in range(10):
        waits.append(tried(database, MARA, now))
        now += waits[-1] * SECOND
        assert tried(database, MARA, now) == 0
    assert waits == [5, 10, 20, 40, 80, 160, 320, 640, 900, 900]


def test_an_account_is_slowed_from_everywhere_and_an_address_for_everybody(database: Database) -> None:
    for number in range(5):
        assert tried(database, throttle.door_of("mara@halden.example", f"192.0.2.{number}")) == 0
    assert tried(database, throttle.door_of("MARA@halden.example ", "198.51.100.1")) == 5
    for number in range(5):
        assert tried(database, throttle.door_of(f"p{number}@halden.example", "203.0.113.9")) == 0
    assert tried(database, throttle.door_of("somebody@halden.example", "203.0.113.9")) == 5
    assert tried(database, throttle.door_of("somebody@halden.example", "203.0.113.10")) == 0


def test_a_known_browser_goes_in_while_strangers_wait_and_is_slowed_by_itself(database: Database) -> None:
    for _ in range(5):
        tried(database, MARA)
    known = throttle.door_of("mara@halden.example", "192.0.2.7", "her own browser")
    assert tried(database, MARA) == 5
    assert [tried(database, known) for _ in range(6)] == [0, 0, 0, 0, 0, 5]


def test_tries_in_a_known_browser_slow_nobody_else(database: Database) -> None:
    known = throttle.door_of("mara@halden.example", "192.0.2.7", "her own browser")
    for _ in range(5):
        tried(database, known)
    assert tried(database, throttle.door_of("owen@halden.example", "192.0.2.7")) == 0


def test_signing_in_strikes_the_accounts_failures_out(database: Database) -> None:
    for _ in range(5):
        tried(database, MARA)
    with database.transaction() as session:
        throttle.forgive(session, MARA)
    assert tried(database, MARA) == 0


def test_failures_are_forgotten_after_two_hours_and_their_rows_removed(database: Database) -> None:
    for _ in range(5):
        tried(database, MARA)
    later = NOW + throttle.WINDOW + SECOND
    assert tried(database, MARA, later) == 0
    with database.reading() as session:
        assert session.scalar(select(func.count(SignInAttempt.id))) == 1
        assert throttle.failures_of(session, throttle.account_key("mara@halden.example"), now=later) == 1


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(1, "a second"), (5, "5 seconds"), (89, "89 seconds"), (90, "2 minutes"), (900, "15 minutes")],
)
def test_a_pause_is_told_as_people_say_it(seconds: int, words: str) -> None:
    assert throttle.in_words(seconds) == words


@given(st.text(max_size=50), st.text(max_size=50))
def test_any_text_makes_a_door_without_keeping_the_text(email: str, address: str) -> None:
    door = throttle.door_of(email, address)
    assert {len(door.account), len(door.address)} == {64}


KNOWN = KnownBrowsers(b"a secret of this site")


def test_a_browser_is_known_only_to_accounts_that_signed_in_there() -> None:
    cookie = KNOWN.remember(None, "mara")
    assert KNOWN.browser_of(cookie, "mara")
    assert KNOWN.browser_of(cookie, "owen") is None
    both = KNOWN.remember(cookie, "owen")
    assert (
        KNOWN.browser_of(both, "mara") == KNOWN.browser_of(both, "owen") == KNOWN.browser_of(cookie, "mara")
    )


@pytest.mark.parametrize("cookie", [None, "", "x", "a.b.c", "W10.W10.W10"])
def test_a_made_up_cookie_is_an_unknown_browser(cookie: str | None) -> None:
    assert KNOWN.browser_of(cookie, "mara") is None


def test_a_cookie_of_another_site_is_an_unknown_browser() -> None:
    assert KnownBrowsers(b"another secret").browser_of(KNOWN.remember(None, "mara"), "mara") is None


def test_a_shared_desk_forgets_who_signed_in_longest_ago() -> None:
    cookie = None
    for number in range(ACCOUNTS_MAX + 1):
        cookie = KNOWN.remember(cookie, f"person {number}")
    assert KNOWN.browser_of(cookie, "person 0") is None
    assert KNOWN.browser_of(cookie, "person 1")
    assert len(cookie or "") < 1000
    assert DAYS == 90
