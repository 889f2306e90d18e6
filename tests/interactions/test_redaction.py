"""What a person sees of a vendor's record while setting up a source: its shape, nobody's data."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa.interactions.sources.redaction import COVERED, redacted, shown, shown_text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("id", 48107),
        ("external_id", "A-99122"),
        ("status", "open"),
        ("via", "email"),
        ("created_at", "2026-11-10T08:51:00Z"),
        ("satisfaction", None),
        ("is_public", True),
        ("talk_seconds", 41),
        ("empty", ""),
    ],
)
def test_shape_and_codes_stay(name: str, value: Any) -> None:
    assert redacted({name: value}) == {name: value}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("subject", "Charged twice"),
        ("subject", "Karim"),
        ("requester", "kim@example.org"),
        ("name", "Kim"),
        ("phone", 4915112345678),
        ("anything", 4915112345678),
        ("anything", "+49 151 12345678"),
        ("anything", "Kim"),
        ("status", "Kim said hello"),
        ("user", 7),
        ("card_number", "4111111111111111"),
        ("api_token", "abc"),
        ("id", "kim@example.org"),
    ],
)
def test_what_may_be_somebodys_is_covered(name: str, value: Any) -> None:
    assert redacted({name: value}) == {name: COVERED}


def test_lists_are_counted_and_depth_ends() -> None:
    assert redacted({"comments": [1, 2, 3, 4]}) == {"comments": "[ 4 ]"}
    deep: Any = "x"
    for _ in range(50):
        deep = {"a": deep}
    assert "…" in shown(deep)
    assert shown_text("no json") == COVERED
    assert json.loads(shown_text('{"id": 4}')) == {"id": 4}


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=20,
)


@given(PLAIN)
def test_a_marker_is_never_shown_whatever_surrounds_it(value: Any) -> None:
    marker = "Quorra Flynn"
    for carrier in (
        {"note": marker, "rest": value},
        [marker, value],
        {"status": [{"id": marker}], "v": value},
    ):
        assert marker not in shown(carrier)
