"""How values read on pages."""

from __future__ import annotations

import pytest

from qa.web.display import lower_first


@pytest.mark.parametrize(
    ("alone", "inside"),
    [
        ("Too short to judge.", "too short to judge"),
        ("A language I do not score", "a language I do not score"),
        ("I know the agent too well", "I know the agent too well"),
        ("SLA missed", "SLA missed"),
        ("", ""),
    ],
)
def test_a_sentence_inside_another_begins_small_but_for_names(alone: str, inside: str) -> None:
    assert lower_first(alone) == inside
