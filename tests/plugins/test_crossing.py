"""A page crosses to the host whole; a record that cannot is set aside alone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from qa.plugins.api import BadRecord, Page, Record
from qa.plugins.crossing import encode_page
from qa.plugins.wire import NotOfThisShape, decode

NOW = datetime(2026, 3, 2, tzinfo=UTC)


def record(name: str, **over: Any) -> Record:
    return Record(name, over.pop("channel", "ticket"), NOW, **over)


def test_a_sound_page_crosses_unchanged() -> None:
    page = Page(
        [record("1", subject="👩‍👩‍👧 \u202e x"), BadRecord({"id": 2}, "no time", "2")], {"at": 2}, done=True
    )
    assert decode(encode_page(page), Page) == page


@pytest.mark.parametrize(
    "wrong",
    [{"subject": "half \ud83d"}, {"channel": "fax"}, {"external_id": "\udc00"}],
    ids=lambda one: str(list(one)),
)
def test_a_record_that_no_json_holds_is_set_aside_alone(wrong: dict[str, Any]) -> None:
    name = wrong.pop("external_id", "2")
    crossed = decode(encode_page(Page([record("1"), record(name, **wrong), record("3")], {"at": 3})), Page)
    kinds = [type(one).__name__ for one in crossed.records]
    assert kinds == ["Record", "BadRecord", "Record"]
    assert crossed.records[1].error
    assert crossed.records[1].external_id in ("2", "\\udc00")


def test_a_cursor_that_is_no_json_stops_the_page() -> None:
    with pytest.raises(NotOfThisShape):
        encode_page(Page([record("1")], {"at": "\ud800"}))
