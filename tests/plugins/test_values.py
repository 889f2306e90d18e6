"""Values are checked where they are made, and cross the pipe unchanged or not at all."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa.plugins import wire
from qa.plugins.api import (
    Abstain,
    AgentRef,
    AuthExpired,
    BadRecord,
    ConfigError,
    Kpi,
    MediaRef,
    Message,
    NotReady,
    Page,
    PermissionMissing,
    PluginError,
    RateLimited,
    RawRequest,
    Record,
    Searched,
    Segment,
    Span,
    StuckCursor,
    Suggestion,
    Transcript,
)

NOON = datetime(2026, 3, 29, 12, 0, tzinfo=UTC)


def a_page() -> Page:
    """A page with everything that can be in one."""
    record = Record(
        "7",
        "voice",
        NOON,
        agent_refs=[AgentRef("3", "ann@example.org", "Ann")],
        kpi=Kpi(csat=Decimal("4.50"), csat_scale=(Decimal(1), Decimal(5)), handle_s=61),
        messages=[Message("m", NOON, "Grüße 👋", media=[MediaRef("a", kind="attachment")])],
        custom={"deep": [1, 2.5, None, {"ok": True}]},
    )
    return Page([record, BadRecord({"id": 8}, "no start"), AgentRef("4")], {"since": "x"}, done=True)


def test_a_page_crosses_the_pipe_unchanged() -> None:
    page = a_page()
    assert wire.decode(wire.encode(page, Page), Page) == page


def test_a_choice_of_shapes_is_told_apart() -> None:
    answers = [
        Suggestion("yes", 0.9, [Span(0, 0, 5, "Hello")]),
        Suggestion("no", 0.4, Searched([0, 1], ["hello"])),
        Abstain("truncated"),
    ]
    for answer in answers:
        back = wire.decode(wire.encode(answer, Suggestion | Abstain), Suggestion | Abstain)
        assert back == answer


def test_lists_become_tuples_and_times_become_utc() -> None:
    berlin = timezone(timedelta(hours=2))
    page = Page([Record("1", "chat", datetime(2026, 7, 1, 12, 0, tzinfo=berlin))], {})
    record = page.records[0]
    assert isinstance(page.records, tuple)
    assert isinstance(record, Record)
    assert record.started_at == datetime(2026, 7, 1, 10, 0, tzinfo=UTC)
    assert record.started_at.tzinfo is UTC


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Record("1", "chat", datetime(2026, 7, 1)), "Record.started_at has no time zone"),
        (lambda: Record(1, "chat", NOON), r"Record.external_id must be str, not int \(1\)"),  # type: ignore[arg-type]
        (lambda: Kpi(handle_s=1.5), "Kpi.handle_s must be int or None, not float"),  # type: ignore[arg-type]
        (lambda: Kpi(handle_s=True), "Kpi.handle_s must be int or None, not bool"),
        (lambda: Kpi(csat=Decimal("NaN")), "Kpi.csat is NaN"),
        (lambda: Record("1", "chat", NOON, custom={"at": NOON}), r"Record.custom\['at'\] is datetime"),
        (lambda: Record("1", "chat", NOON, custom={"x": float("inf")}), r"Record.custom\['x'\] is inf"),
        (lambda: Page([], {1: 2}), "Page.cursor has the key 1; keys must be str"),  # type: ignore[dict-item]
    ],
)
def test_nonsense_is_refused_in_the_authors_own_line(make: Any, words: str) -> None:
    with pytest.raises((TypeError, ValueError), match=words):
        make()


def test_a_broken_record_is_kept_whatever_it_holds() -> None:
    bad = BadRecord({"nan": float("nan"), "half": "\ud800", "bytes": b"\xff", 3: object}, "broken")
    back = wire.decode(wire.encode(bad, BadRecord), BadRecord)
    assert back.raw["half"] == "\\ud800"
    assert back.raw["bytes"] == "\\xff"
    assert back.raw["nan"] == "nan"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b'{"raw": 1, "error": 2}', "error"),
        (b'{"raw": 1, "error": "x", "more": 1}', "more"),
        (b'{"raw": "\\ud800", "error": "x"}', "JSON"),
        (b'{"raw": 1', "JSON"),
        (b'{"raw": ' + b"[" * 300 + b"]" * 300 + b', "error": "x"}', "JSON"),
        (b"[]", "answer"),
    ],
)
def test_what_is_not_of_the_shape_does_not_come_in(line: bytes, words: str) -> None:
    with pytest.raises(wire.NotOfThisShape, match=words):
        wire.decode(line, BadRecord)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ({"a": float("nan")}, dict[str, Any]),
        ({"a": "\ud800"}, dict[str, Any]),
        ([{"a": 1}], list[AgentRef]),
        ("x" * wire.MAX_BYTES, str),
        (3, str),
        (object(), object),
    ],
)
def test_what_is_not_of_the_shape_does_not_go_out(value: Any, kind: Any) -> None:
    with pytest.raises(wire.NotOfThisShape):
        wire.encode(value, kind)


def test_numbers_that_are_none_do_not_come_in() -> None:
    with pytest.raises(wire.NotOfThisShape, match="not a number"):
        wire.decode(b'{"a": NaN}', dict[str, Any])
    with pytest.raises(wire.NotOfThisShape):
        wire.decode(b'{"start": NaN, "end": 1.0, "text": ""}', Segment)


def test_bytes_cross_as_they_came() -> None:
    request = RawRequest("POST", "/in", {"x-id": "1"}, bytes(range(256)), NOON)
    assert wire.decode(wire.encode(request, RawRequest), RawRequest) == request


@given(st.text())
def test_any_text_crosses_unchanged_or_not_at_all(text: str) -> None:
    transcript = Transcript([Segment(0.0, 1.0, text)])
    try:
        line = wire.encode(transcript, Transcript)
    except wire.NotOfThisShape:
        assert any("\ud800" <= letter <= "\udfff" for letter in text)
    else:
        assert b"\n" not in line
        assert wire.decode(line, Transcript) == transcript


@pytest.mark.parametrize(
    "error",
    [
        AuthExpired("expired"),
        PermissionMissing("tickets:read"),
        RateLimited(NOON),
        RateLimited(),
        ConfigError("no such host", "url"),
        NotReady(timedelta(seconds=30)),
        StuckCursor("same page"),
    ],
)
def test_an_error_with_a_meaning_keeps_it(error: PluginError) -> None:
    back = wire.decode_error(wire.encode_error(error))
    assert type(back) is type(error)
    assert str(back) == str(error)
    assert vars(back) == vars(error)


def test_an_error_of_another_name_is_a_plain_one() -> None:
    assert type(wire.decode_error({"error": "Record", "message": "x"})) is PluginError
