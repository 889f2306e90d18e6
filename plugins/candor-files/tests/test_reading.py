"""Files become records: each row once, whole, with the place behind it; what is broken says why."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from candor_files.mapping import Rules, record_of
from candor_files.reading import csv_rows, json_rows
from hypothesis import given
from hypothesis import strategies as st

from qa.plugins.api import BadRecord, ConfigError, Record

CSV = (
    b"external_id,started_at,agent_email,subject\r\n"
    b'A1,2026-03-14T09:30:00Z,dana@example.org,"two\nlines"\r\nA2,2026-03-14T09:31:00Z,,x\r\n'
)


def cut(content: bytes, size: int, start: int = 0) -> Iterator[bytes]:
    for place in range(start, len(content), size):
        yield content[place : place + size]


@pytest.mark.parametrize("size", [1, 2, 7, 1_000])
def test_reading_may_begin_behind_any_row(size: int) -> None:
    whole = list(csv_rows(cut(CSV, size), 0, "utf-8", CSV))
    assert [values and values["external_id"] for _, values, _, _ in whole] == ["A1", "A2"]
    assert (whole[0][1] or {})["subject"] == "two\nlines"
    for place, (offset, *_) in enumerate(whole):
        rest = list(csv_rows(cut(CSV, size, offset), offset, "utf-8", CSV))
        assert rest == whole[place + 1 :]
    assert whole[-1][0] == len(CSV)


@given(st.lists(st.text(alphabet='ab,;"\n é', max_size=6), min_size=1, max_size=6), st.integers(1, 9))
def test_any_row_is_read_whole_wherever_the_pieces_are_cut(cells: list[str], size: int) -> None:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    names = [f"c{number}" for number in range(len(cells))]
    writer.writerow(["id", *names])
    writer.writerow(["1", *cells])
    writer.writerow(["2", *cells])
    content = out.getvalue().encode()
    rows = list(csv_rows(cut(content, size), 0, "utf-8", content))
    assert [row[1] for row in rows] == [
        {"id": str(n), **dict(zip(names, cells, strict=True))} for n in (1, 2)
    ]
    assert list(csv_rows(cut(content, size, rows[0][0]), rows[0][0], "utf-8", content)) == rows[1:]


@pytest.mark.parametrize("head", [b"external_id;started_at\n1;2\n", b"external_id\tstarted_at\n1\t2\n"])
def test_the_delimiter_is_seen_in_the_header(head: bytes) -> None:
    assert [row[1] for row in csv_rows([head], 0, "utf-8", head)] == [{"external_id": "1", "started_at": "2"}]


def test_a_mark_at_the_beginning_and_old_encodings_are_read() -> None:
    marked = b"\xef\xbb\xbfexternal_id,subject\n1,caf\xc3\xa9\n"
    assert next(csv_rows([marked], 0, "utf-8", marked))[1] == {"external_id": "1", "subject": "café"}
    old = b"external_id,subject\n1,caf\xe9\n"
    assert next(csv_rows([old], 0, "cp1252", old))[1] == {"external_id": "1", "subject": "café"}


def test_a_row_of_another_length_is_set_aside_alone() -> None:
    content = b"a,b\n1,2\n1,2,3\n4,5\n"
    rows = list(csv_rows([content], 0, "utf-8", content))
    assert [row[1] for row in rows] == [{"a": "1", "b": "2"}, None, {"a": "4", "b": "5"}]
    assert rows[1][3] == "3 cells where the header has 2."


@pytest.mark.parametrize("head", [b"a,a\n1,2\n", b"\n"])
def test_a_header_that_names_nothing_is_refused(head: bytes) -> None:
    with pytest.raises(ConfigError):
        list(csv_rows([head], 0, "utf-8", head))


def test_broken_json_lines_are_set_aside_alone() -> None:
    content = b'{"a": 1}\n\n{oops\n[1]\n{"a": 2}'
    rows = list(json_rows([content], 0, "utf-8"))
    assert [row[1] for row in rows] == [{"a": 1}, None, None, {"a": 2}]
    assert "Not valid JSON" in rows[1][3]
    assert rows[-1][0] == len(content)


def test_a_line_without_an_end_is_refused_before_it_fills_the_memory() -> None:
    endless = (b"x" * 1_000_000 for _ in range(100))
    with pytest.raises(ConfigError, match="longer"):
        list(json_rows(endless, 0, "utf-8"))


RULES = Rules(zone=ZoneInfo("Europe/Berlin"))


def made(values: dict[str, Any], rules: Rules = RULES) -> Record:
    record = record_of(values, rules, "in")
    assert isinstance(record, Record), record
    return record


def test_a_spreadsheets_row_is_a_record() -> None:
    record = made(
        {
            "external_id": "A1",
            "channel": "Call",
            "started_at": "2026-10-25T02:30:00",
            "agent_email": "dana@example.org",
            "talk_seconds": "41.6",
            "csat": "4",
            "csat_max": "5",
            "tags": "refund; late",
            "sla_met": "ja",
            "recording": "a1.wav",
            "speakers": "agent+customer",
            "plan": "large",
            "empty": "",
        }
    )
    assert (record.channel, record.kpi.talk_s, record.kpi.sla_met) == ("voice", 42, True)
    assert record.started_at == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert record.kpi.csat_scale == (Decimal(0), Decimal(5))
    assert record.tags == ("refund", "late")
    assert (record.media[0].ref, record.media[0].speakers) == ("in/a1.wav", ("agent", "customer"))
    assert record.custom == {"plan": "large"}


def test_an_object_of_the_import_format_is_a_record() -> None:
    record = made(
        {
            "external_id": "A1",
            "channel": "chat",
            "started_at": "2026-03-14T09:30:00+01:00",
            "agents": [{"email": "dana@example.org"}, {"extension": "4502"}],
            "customer": {"reference": "C-1"},
            "turns": [{"speaker": "agent", "start": 2.5, "text": "Hello"}],
            "recordings": [{"file": "a.wav", "speakers": ["agent"]}],
            "kpis": {"wait_seconds": 4, "csat": {"score": 2, "max": 5}},
            "fields": {"plan": "large"},
            "tags": ["x"],
        }
    )
    assert [ref.email or ref.extension for ref in record.agent_refs] == ["dana@example.org", "4502"]
    assert record.messages[0].sent_at == datetime(2026, 3, 14, 8, 30, 2, 500_000, tzinfo=UTC)
    assert (record.kpi.queue_s, record.customer_ref) == (4, "C-1")


def test_other_names_of_columns_are_told_by_the_settings() -> None:
    rules = Rules(columns={"external_id": "Call ID", "started_at": "Begin"})
    assert made({"Call ID": "7", "Begin": "2026-03-14T09:30:00Z"}, rules).external_id == "7"


AT = {"external_id": "1", "started_at": "2026-03-14T09:30:00Z"}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"started_at": "2026-03-14T09:30:00Z"}, "external_id"),
        ({"external_id": "1"}, "started_at"),
        ({"external_id": "1", "started_at": "14.3.2026"}, "write it like"),
        (AT | {"talk_seconds": "soon"}, "no number"),
        (AT | {"sla_met": "maybe"}, "neither"),
        (AT | {"turns": [{"speaker": "agent"}]}, "text"),
        (AT | {"agents": ["dana"]}, "agents"),
        (AT | {"kpis": [], "turns": {"a": 1}}, "turns"),
    ],
)
def test_what_cannot_be_read_comes_back_with_the_reason(values: dict[str, Any], words: str) -> None:
    broken = record_of(values, RULES, "")
    assert isinstance(broken, BadRecord)
    assert words in broken.error


def test_a_tombstone_needs_no_more_than_its_id() -> None:
    assert made({"external_id": "1", "deleted": "yes"}).deleted
    assert made({"external_id": "1", "deleted": True, "turns": []}).deleted
