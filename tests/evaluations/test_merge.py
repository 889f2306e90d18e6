"""Merging: nothing is overwritten that its author had not seen; changes to different questions never meet."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from qa.evaluations.merge import ANSWER, COMMENT, Change, merge, same_form

VALUES = st.sampled_from([None, "", "y", "n", "na"])
CHANGES = st.builds(Change, st.sampled_from("abc"), st.sampled_from([ANSWER, COMMENT]), VALUES, VALUES)
STORED = st.dictionaries(st.tuples(st.sampled_from("abc"), st.sampled_from([ANSWER, COMMENT])), VALUES)


@given(STORED, st.lists(CHANGES, max_size=6))
def test_what_is_written_was_seen_or_is_the_same(
    stored: dict[tuple[str, str], str | None], changes: list[Change]
) -> None:
    merged = merge(stored, changes)
    assert not (merged.applied and merged.conflicts)
    for key in merged.applied:
        first = next(
            c
            for c in changes
            if (c.question, c.field) == key and same_form(c.value) != same_form(stored.get(key))
        )
        assert same_form(stored.get(key)) == same_form(first.was)


@given(
    STORED,
    st.lists(CHANGES, max_size=6, unique_by=lambda c: (c.question, c.field)),
    st.randoms(use_true_random=False),
)
def test_the_order_of_changes_to_different_fields_does_not_matter(
    stored: dict[tuple[str, str], str | None], changes: list[Change], random: object
) -> None:
    mixed = list(changes)
    random.shuffle(mixed)  # type: ignore[attr-defined]
    first, second = merge(stored, changes), merge(stored, mixed)
    assert first.applied == second.applied
    assert set(first.conflicts) == set(second.conflicts)


def test_sending_the_same_save_twice_is_harmless() -> None:
    change = Change("a", ANSWER, None, "y")
    applied = merge({}, [change]).applied
    assert merge(applied, [change]).conflicts == ()
