"""A connector's record becomes a line: nothing is lost in silence, what cannot be kept says why."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from qa.interactions.lines import BrokenLine, Line
from qa.interactions.sources.mapping import media_of, parsed_record, text_of
from qa.plugins.api import AgentRef, Kpi, MediaRef, Message, Record
from tests.factories import NOW


def mapped(**over: Any) -> Line:
    values: dict[str, Any] = {"external_id": "7", "channel": "ticket", "started_at": NOW}
    return parsed_record(Record(**(values | over)), "hash").line


def test_what_there_is_a_column_for_gets_there() -> None:
    line = mapped(
        subject="Charged  twice\n",
        agent_refs=[AgentRef("4", "dana@example.org", "Dana"), AgentRef("5", extension="4502")],
        customer_ref="C-1",
        tags=["a", "a", "b"],
        kpi=Kpi(talk_s=4, queue_s=9, reopens=1, csat=Decimal(4), csat_scale=(Decimal(1), Decimal(5))),
        updated_at=NOW,
    )
    assert line.subject == "Charged twice"
    assert [(part.external_id, part.part) for part in line.agents] == [("4", "main"), ("5", "other")]
    assert (line.kpis.talk_seconds, line.kpis.wait_seconds, line.kpis.reopen_count) == (4, 9, 1)
    assert line.kpis.csat is not None
    assert (line.kpis.csat.score, line.kpis.csat.max) == (4, 5)
    assert (line.tags, line.updated_at, line.customer.reference) == (["a", "b"], NOW, "C-1")


def test_what_there_is_no_column_for_goes_to_the_fields() -> None:
    line = mapped(
        url="https://x.example/7",
        kpi=Kpi(handle_s=60, nps=-3, csat=Decimal("4.5")),
        custom={"plan": "large", "nested": {"a": [1]}, "": "nameless"},
    )
    assert line.fields == {
        "url": "https://x.example/7",
        "handle_seconds": 60,
        "nps": -3,
        "csat": "4.5",
        "plan": "large",
        "nested": '{"a": [1]}',
    }


def test_long_labels_are_cut_visibly() -> None:
    line = mapped(subject="x" * 900, tags=["t" * 99], queue="q" * 200)
    assert (len(line.subject), line.subject[-1]) == (500, "…")
    assert (len(line.tags[0]), len(line.queue)) == (80, 120)


def test_an_agent_without_any_name_is_no_agent() -> None:
    assert mapped(agent_refs=[AgentRef(""), AgentRef("", "a@example.org")]).agents[0].email == "a@example.org"


@pytest.mark.parametrize(
    ("over", "words"),
    [
        ({"subject": "a\x00b"}, "NUL"),
        ({"kpi": Kpi(talk_s=-1)}, "talk_seconds"),
        ({"external_id": "x" * 201}, "external_id"),
        ({"messages": [Message("1", NOW, "x" * 50_001)]}, "turns.1.text"),
    ],
)
def test_what_cannot_be_kept_says_which_place(over: dict[str, Any], words: str) -> None:
    with pytest.raises(BrokenLine, match=words):
        mapped(**over)


def test_a_tombstone_needs_nothing_else_to_be_right() -> None:
    line = mapped(deleted=True, subject="\x00", kpi=Kpi(talk_s=-1))
    assert (line.deleted, line.is_gone) == (True, True)


@pytest.mark.parametrize(
    ("markup", "words"),
    [
        ("<p>Hello</p><p>you &amp; me</p>", "Hello\nyou & me"),
        ("a<br>b<script>alert(1)</script>", "a\nb"),
        ("<style>p{}</style><div><b>x</b></div>", "x"),
        ("1 &lt; 2 &lt;script&gt;", "1 < 2 <script>"),
        ('<img src=x onerror="alert(1)">y', "y"),
    ],
)
def test_html_becomes_its_words(markup: str, words: str) -> None:
    assert text_of(markup) == words


def test_media_of_record_and_messages_count_once() -> None:
    ref = MediaRef("r1", "a.wav")
    record = Record(
        "7", "voice", NOW, media=[ref], messages=[Message("1", NOW, "x", media=[ref, MediaRef("r2")])]
    )
    assert [one.ref for one in media_of(record)] == ["r1", "r2"]
