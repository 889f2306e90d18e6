"""Who wrote when, and how long the customer waited."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from qa.interactions.written import WIDTH, Message, lane, waits

START = datetime(2026, 3, 16, 9, 0, tzinfo=UTC)


def said(*lines: tuple[str, int | None], kind: str = "message") -> list[Message]:
    """Messages as (who, minutes after the start)."""
    return [
        Message(who, None if at is None else START + timedelta(minutes=at), 40, kind) for who, at in lines
    ]


@pytest.mark.parametrize(
    ("channel", "lines", "expected"),
    [
        ("chat", (("customer", 0), ("agent", 2)), [None, None]),
        ("chat", (("customer", 0), ("agent", 3)), [None, 3]),
        ("chat", (("customer", 0), ("customer", 2), ("agent", 5)), [None, None, 5]),
        ("chat", (("customer", 0), ("agent", 1), ("agent", 9)), [None, None, None]),
        ("chat", (("agent", 0), ("customer", 9), ("agent", 10)), [None, None, None]),
        ("chat", (("customer", None), ("agent", 30)), [None, None]),
        ("email", (("customer", 0), ("agent", 600)), [None, None]),
        ("email", (("customer", 0), ("agent", 1_440)), [None, 1_440]),
    ],
)
def test_a_wait_runs_from_the_first_unanswered_message_and_shows_when_it_is_long(
    channel: str, lines: tuple[tuple[str, int | None], ...], expected: list[int | None]
) -> None:
    found = waits(said(*lines), channel)
    assert [None if one is None else one.total_seconds() / 60 for one in found] == expected


def test_notes_and_changes_neither_end_a_wait_nor_begin_one() -> None:
    messages = [*said(("customer", 0)), *said(("agent", 2), kind="note"), *said(("agent", 8))]
    assert waits(messages, "chat") == [None, None, timedelta(minutes=8)]


def test_the_lane_holds_every_message_inside_its_width_and_the_waits_behind() -> None:
    messages = said(("customer", 0), ("agent", 6), ("customer", 7), ("agent", 60))
    blocks = lane(messages, "chat")
    assert [one.kind for one in blocks] == ["wait", "wait", "customer", "agent", "customer", "agent"]
    assert all(one.x >= 0 and one.x + one.width <= WIDTH for one in blocks)
    assert blocks[0].x == blocks[2].x
    assert blocks[0].x + blocks[0].width == pytest.approx(blocks[3].x)


def test_without_times_or_with_one_message_there_is_no_lane() -> None:
    assert lane(said(("customer", None), ("agent", None)), "chat") == ()
    assert lane(said(("customer", 0)), "chat") == ()
    together = lane(said(("customer", 0), ("agent", 0)), "chat")
    assert [one.x for one in together] == [0.0, 0.0]
