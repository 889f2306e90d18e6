"""The reader of digits: spoken and written, over fillers and punctuation, and nothing that is no number."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa.interactions.digits import FILLERS, NUMBER_WORDS, UNITS, digit_runs, every_run


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("seven two nine one", ["7291"]),
        ("double four oh one", ["4401"]),
        ("oh I see one moment", []),
        ("555-0199", ["5550199"]),
        ("seven two um nine", ["729"]),
        ("I owe $1,234,567", []),
        ("five five five oh one nine nine. Forty", ["5550199", "40"]),
    ],
)
def test_the_published_vectors_hold(text: str, expected: list[str]) -> None:
    assert [run.digits for run in digit_runs(text)] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("one", []),
        ("Zero NINE", ["09"]),
        ("nought nil seven", ["007"]),
        ("oh seven", ["07"]),
        ("o 7 7", ["077"]),
        ("oh double seven", ["77"]),
        ("double oh seven", ["007"]),
        ("triple nine", ["999"]),
        ("double 4 triple O", ["44000"]),
        ("double trouble one two", ["12"]),
        ("double", []),
        ("ten nineteen", ["1019"]),
        ("twenty-one forty five", ["2145"]),
        ("twenty zero one", ["2001"]),
        ("twenty. one", ["201"]),
        ("one uh um two", ["12"]),
        ("one uh um er two three", ["23"]),
        ("one and then two", ["12"]),
        ("one dash two hyphen three space four sorry five", ["12345"]),
        ("one or two", []),
        ("4532 - 1488 / 0343, 6467!", ["4532148803436467"]),
        ("5500,0000,0000,0004", ["5500000000000004"]),
        ("one two. Three four", ["1234"]),
        ("one two? oh I see", ["12"]),
        ("one two. 34", ["1234"]),
        ("one two. um three four", ["12", "34"]),
        ("one two um. three", ["123"]),
        ("one two, oh I see", ["120"]),
        ("10:30", ["1030"]),
        ("2024-01-02", ["20240102"]),
        ("€ 1234 and £12.50 or 1,234.50", []),
        ("1234 € and 99", ["99"]),
        ("card 5500 0000 0000 0004 €", ["5500000000000004"]),
        ("123,45", ["12345"]),
        ("on the 21st, a 4x4 with mp3", []),
        ("account AB12345678x and 9", ["12345678"]),
        ("٤٥٣٢ ４５", ["453245"]),
        ("one's two's", []),
        ("one\ntwo\tthree", ["123"]),
    ],
)
def test_runs_end_where_people_end_them(text: str, expected: list[str]) -> None:
    assert [run.digits for run in digit_runs(text)] == expected


def test_a_run_starts_at_its_first_digit_and_ends_at_its_last() -> None:
    text = "So, oh five – uh – five5x9, um."
    assert [(run.digits, text[run.start : run.end]) for run in digit_runs(text)] == [("05", "oh five")]
    (run,) = digit_runs("um double four, uh one um")
    assert (run.start, run.end) == (3, 22)
    assert run.tokens == ((3, 14), (19, 22))


WAYS = st.sampled_from("0123456789").flatmap(
    lambda digit: st.sampled_from([digit, list(UNITS)[int(digit)], list(UNITS)[int(digit)].upper()])
)
GAPS = st.sampled_from([" ", ", ", " - ", *(f" {filler} " for filler in sorted(FILLERS))])


@given(st.lists(st.tuples(WAYS, GAPS), min_size=2, max_size=20), st.sampled_from(["", "hello ", "Number: "]))
def test_digits_said_in_any_way_come_back(said: list[tuple[str, str]], before: str) -> None:
    expected = "".join(way if way.isdecimal() else UNITS[way.lower()] for way, _ in said)
    text = before + "".join(way + gap for way, gap in said[:-1]) + said[-1][0]
    (run,) = digit_runs(text)
    assert (run.digits, run.start, run.end) == (expected, len(before), len(text))


@given(st.text(alphabet="one two 019 oh.,!$double umx'-", max_size=60))
def test_places_are_in_order_apart_and_hold_the_words(text: str) -> None:
    reached = 0
    for run in digit_runs(text):
        assert len(run.digits) >= 2
        for start, end in run.tokens:
            assert reached <= start < end <= len(text)
            assert text[start:end].strip() == text[start:end]
            reached = end


WORDS = sorted(
    {*NUMBER_WORDS, *FILLERS, "at", "o'clock", "1", "42", "4421a", "x7", "_ten_", "Moment", "İ", "ſix"}
)


@given(st.lists(st.tuples(st.sampled_from(WORDS), st.sampled_from([" ", ", ", "-", ". ", "_", "’", "\n"]))))
def test_a_text_that_is_not_read_word_by_word_holds_no_run(pieces: list[tuple[str, str]]) -> None:
    text = "".join(word + gap for word, gap in pieces)
    for one in (text, text.upper()):
        assert digit_runs(one) == every_run(one)
