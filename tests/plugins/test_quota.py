"""Quotas: kept to exactly, and understood however a vendor says that they are used up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from qa.plugins.api import Quota, ResetHeader
from qa.plugins.quota import Budget, Rate, free_at, rate_of, says_too_much

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "rate"),
    [("10/min", (10, 60)), ("100/10s", (100, 10)), ("5/day", (5, 86_400)), (" 3 / 2 hour ", (3, 7_200))],
)
def test_a_rate_is_read(text: str, rate: tuple[int, float]) -> None:
    assert rate_of(text) == Rate(*rate)


@pytest.mark.parametrize("text", ["", "10", "ten/min", "10/fortnight", "0/min", "10/min/s"])
def test_a_rate_that_is_none_is_refused_in_words(text: str) -> None:
    with pytest.raises(ValueError, match="rate"):
        rate_of(text)


def test_a_budget_lets_the_whole_quota_through_and_never_more() -> None:
    now = [0.0]
    budget = Budget(Rate(10, 60), lambda: now[0])
    sent = []
    for _ in range(95):
        now[0] += budget.take()
        sent.append(now[0])
    for first in sent:
        assert sum(first <= one < first + 60 for one in sent) <= 10
    assert sent[-1] == 540, "ten a minute: the ninety-fifth in the tenth minute, not later"


def test_waiting_requests_are_booked_one_behind_the_other() -> None:
    budget = Budget(Rate(2, 10), lambda: 0.0)
    assert [budget.take() for _ in range(5)] == [0, 0, 10, 10, 20]


@pytest.mark.parametrize(
    ("headers", "declared", "seconds"),
    [
        ({"Retry-After": "30"}, (), 30),
        ({"retry-after": "0.7"}, (), 1),
        ({"Retry-After": "Mon, 02 Mar 2026 09:02:00 GMT"}, (), 120),
        ({"Retry-After": "soon"}, (), 60),
        ({"Retry-After": "-5"}, (), 60),
        ({"Retry-After": "9" * 30}, (), 60),
        ({}, (), 60),
        ({"X-Reset": "45"}, (ResetHeader("x-reset"),), 45),
        ({"X-Reset": str(int(NOW.timestamp()) + 45)}, (ResetHeader("x-reset", "epoch_s"),), 45),
        ({"X-Reset": str(int(NOW.timestamp() + 45) * 1000)}, (ResetHeader("x-reset", "epoch_ms"),), 45),
        ({"X-Reset": "2026-03-02T09:00:45Z"}, (ResetHeader("X-Reset", "iso"),), 45),
        ({"X-Reset": "Mon, 02 Mar 2026 09:00:45 GMT"}, (ResetHeader("X-Reset", "http_date"),), 45),
        ({"X-Reset": "99999999999999999999"}, (ResetHeader("X-Reset", "epoch_s"),), 60),
        ({"X-Reset": str(int(NOW.timestamp()))}, (ResetHeader("X-Reset", "delta_s"),), 60),
        ({"X-Reset": "2020-01-01T00:00:00Z"}, (ResetHeader("X-Reset", "iso"),), 60),
        ({"Retry-After": "5", "X-Reset": "45"}, (ResetHeader("X-Reset"),), 45),
    ],
)
def test_the_moment_of_freedom_is_read_from_whatever_the_vendor_says(
    headers: dict[str, str], declared: tuple[ResetHeader, ...], seconds: int
) -> None:
    assert free_at(headers, Quota(headers=declared), NOW) == NOW + timedelta(seconds=seconds)


def test_too_much_is_a_status_or_a_declared_word_in_a_refusal() -> None:
    quota = Quota(codes=(429,), body_codes=("REQUEST_LIMIT_EXCEEDED",))
    assert says_too_much(quota, 429, "")
    assert says_too_much(quota, 403, '[{"errorCode":"REQUEST_LIMIT_EXCEEDED"}]')
    assert not says_too_much(quota, 403, '[{"errorCode":"INSUFFICIENT_ACCESS"}]')
    assert not says_too_much(quota, 200, "REQUEST_LIMIT_EXCEEDED in a ticket's text")


def test_a_wait_that_is_too_long_books_nothing() -> None:
    budget = Budget(Rate(1, 600), lambda: 0.0)
    assert [budget.take(60), budget.take(60), budget.take(60), budget.take()] == [0, 600, 600, 600]
