"""Redaction: what must not stay is hidden, what may stay stays, and doubt withholds everything."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa.interactions.digits import UNITS, digit_runs
from qa.interactions.redaction import Hidden, Tone, Withheld, check, redact
from qa.interactions.transcript import Segment, Transcript, from_json
from tests.interactions.calls import say, talk_of_one

UNIT = list(UNITS)


def texts(*said: dict[str, Any], **more: Any) -> list[str]:
    """What is shown of these segments."""
    return list(redact(from_json({"segments": list(said)} | more)).texts)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Card 5500 0000 0000 0004 ok", "Card [CARD] ok"),
        ("five five zero " + "zero " * 12 + "four", "[CARD]"),
        ("account one two three four five six seven", "account [NUMBER]"),
        ("the CVV is one two three", "the CVV is [CODE]"),
        ("dana dot b at example dot com", "[EMAIL]"),
    ],
)
def test_the_published_vectors_hold(text: str, expected: str) -> None:
    assert texts(say("customer", 0, 9, text)) == [expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("four five three two, one four eight eight. zero three four three, six four six seven.", "[CARD]."),
        ("It is 4532-1488-0343-6467!", "It is [CARD]!"),
        ("12 4532148803436467 9", "[CARD]"),
        ("4532148803436468", "[NUMBER]"),
        ("0000 0000 0000 0000", "[NUMBER]"),
        ("My last four digits are 6 4 6 7, thanks", "My last four digits are 6 4 6 7, thanks"),
        ("order 123456", "order 123456"),
        ("I owe $1,234,567 since 1999", "I owe $1,234,567 since 1999"),
        ("security code: 987", "security code: [CODE]"),
        ("my PIN number is 4 4 oh 1", "my PIN number is [CODE]"),
        ("pin a b c d e f g h i 1234", "pin a b c d e f g h i [CODE]"),
        ("pin a b c d e f g h i j 1234", "pin a b c d e f g h i j 1234"),
        ("1234 is the pin", "1234 is the pin"),
        ("the three digits on the back are one two three", "the three digits on the back are [CODE]"),
        ("pin 12 or 12345", "pin 12 or 12345"),
        ("spinning 1234", "spinning 1234"),
        ("Write to Dana.B+x@example.co.uk, please", "Write to [EMAIL], please"),
        ("d a n a nine at g mail", "d a n a nine at g mail"),
        ("it is d a n a dash nine at gmail dot com", "it is [EMAIL]"),
        ("dana underscore b at mail dot example dot co dot uk or", "[EMAIL] or"),
        ("dana.b at example.com", "[EMAIL]"),
        ("look at the dot on the screen", "look at the dot on the screen"),
        ("we met at ten dot five", "we met at ten dot five"),
        ("IBAN DE89 3704 0044 0532 0130 00 is it", "IBAN [IBAN] is it"),
        ("gb82west12345698765432", "[IBAN]"),
        ("D E 89 3704 0044 0532 0130 00", "[IBAN]"),
        ("no 12 3456 7890 123", "no [NUMBER]"),
        ("XX89 3704 0044 0532 0130 00", "XX89 [NUMBER]"),
        ("DE88 3704 0044 0532 0130 00", "DE88 [NUMBER]"),
        ("", ""),
    ],
)
def test_labels_follow_what_was_said(text: str, expected: str) -> None:
    assert texts(say("customer", 0, 9, text)) == [expected]


def test_the_others_mhm_between_groups_changes_nothing() -> None:
    said = [
        say("customer", 0, 3, "Sure, it is four five three two,"),
        say("agent", 3, 3.5, "mhm"),
        say("customer", 4, 7, "one four eight eight"),
        say("agent", 7, 8, "okay"),
        say("customer", 16.9, 20, "zero three four three six four six seven. Got it?"),
    ]
    assert texts(*said) == ["Sure, it is [CARD],", "mhm", "[CARD]", "okay", "[CARD]. Got it?"]


def test_a_pause_of_more_than_ten_seconds_ends_a_run() -> None:
    said = [say("agent", 0, 1, "one two three four"), say("agent", 11.001, 12, "five six seven")]
    assert texts(*said) == ["one two three four", "five six seven"]
    said[1]["start"] = 11
    assert texts(*said) == ["[NUMBER]", "[NUMBER]"]


def test_where_speakers_are_not_known_a_listener_does_not_part_a_number() -> None:
    said = [
        say("unknown", 0, 3, "four five three two"),
        say("unknown", 3, 4, "Mhm, yes."),
        say("unknown", 4, 7, "one four eight eight"),
    ]
    assert texts(*said) == ["[NUMBER]", "Mhm, yes.", "[NUMBER]"]


def test_a_code_is_hidden_whoever_asked_for_it() -> None:
    said = [say("agent", 0, 3, "And the security code?"), say("customer", 4, 5, "Sure: one two three.")]
    assert texts(*said) == ["And the security code?", "Sure: [CODE]."]


def test_a_filler_alone_in_a_segment_stays() -> None:
    said = [say("agent", 0, 1, "1234"), say("agent", 2, 3, "uh,"), say("agent", 4, 5, "567")]
    assert texts(*said) == ["[NUMBER]", "uh,", "[NUMBER]"]


def test_places_count_characters_of_the_original() -> None:
    found = redact(talk_of_one("agent", "No 1234567 or 7654321", "mail a@b.de"))
    assert found.hidden == (
        Hidden(0, 3, 10, "NUMBER"),
        Hidden(0, 14, 21, "NUMBER"),
        Hidden(1, 5, 11, "EMAIL"),
    )
    assert found.texts == ("No [NUMBER] or [NUMBER]", "mail [EMAIL]")


def words(text: str, start: float, step: float = 0.5) -> list[dict[str, Any]]:
    """Times of words, one after the other."""
    return [
        {"word": word, "start": start + n * step, "end": start + n * step + step - 0.1}
        for n, word in enumerate(text.split())
    ]


def tones(*said: dict[str, Any]) -> list[tuple[int, int, int]]:
    """Channel, start and end of what is covered."""
    found = redact(from_json({"segments": list(said)})).tones
    return [(tone.channel, tone.start_ms, tone.end_ms) for tone in found]


def test_sound_is_covered_from_the_first_word_to_the_last() -> None:
    text = "it is one two three four five six seven thanks"
    assert tones(say("customer", 10, 15, text, channel=1, words=words(text, 10))) == [(1, 10_900, 14_500)]
    assert tones(say("customer", 10, 15, "1234567", words=words("1234567", 0))) == [(0, 0, 500)]


def test_a_whole_segment_is_covered_where_words_have_no_times() -> None:
    text = "it is 1234567 thanks"
    assert tones(say("customer", 10, 15, text)) == [(0, 10_000, 15_000)]
    assert tones(say("customer", 10, 15, text, words=words("too few", 10))) == [(0, 10_000, 15_000)]
    backwards = [{"word": word, "start": 9, "end": 8} for word in text.split()]
    assert tones(say("customer", 10, 15, text, words=backwards)) == [(0, 10_000, 15_000)]


def test_tones_a_quarter_of_a_second_apart_are_one() -> None:
    one, two = say("agent", 0, 1, "12345678"), say("agent", 1.25, 2, "x 12345678")
    assert tones(one, two) == [(0, 0, 2_000)]
    assert tones(one, two | {"start": 1.251}) == [(0, 0, 1_000), (0, 1_251, 2_000)]
    assert tones(one, two | {"channel": 1, "speaker": "customer"}) == [(0, 0, 1_000), (1, 1_250, 2_000)]


def test_an_unknown_speaker_is_covered_on_every_channel() -> None:
    assert redact(from_json({"segments": [say("unknown", 1, 2, "1234567")]})).tones == (
        Tone(0, 1_000, 2_000, everywhere=True),
    )


def test_a_segment_without_time_is_named() -> None:
    assert redact(from_json({"segments": [say("agent", 2, 2, "1234567")]})).untimed == (0,)


@pytest.mark.parametrize("language", ["de", "de-AT", "xx", "unsure"])
def test_an_unknown_language_withholds_everything(language: str) -> None:
    with pytest.raises(Withheld, match=r"^Withheld: redaction has not finished"):
        texts(say("agent", 0, 1, "Hallo"), language=language)


@pytest.mark.parametrize("language", ["", "en", "EN", "en-GB", "en_US"])
def test_english_and_what_nobody_named_are_read(language: str) -> None:
    assert texts(say("agent", 0, 1, "1234567"), language=language) == ["[NUMBER]"]


@pytest.mark.parametrize(
    "bad",
    [
        [Hidden(0, 0, 6, "CARD")],
        [Hidden(0, -1, 2, "CARD")],
        [Hidden(0, 2, 2, "CARD")],
        [Hidden(1, 0, 1, "CARD")],
        [Hidden(-1, 0, 1, "CARD")],
        [Hidden(0, 0, 1, "card")],
        [Hidden(0, 0, 3, "CARD"), Hidden(0, 2, 4, "CARD")],
    ],
)
def test_places_that_do_not_exist_withhold_everything(bad: list[Hidden]) -> None:
    check([Hidden(0, 0, 5, "CARD")], [Segment(0, 1, "agent", "hello")])
    with pytest.raises(Withheld):
        check(bad, [Segment(0, 1, "agent", "hello")])


def card(numbers: random.Random) -> str:
    """A number of 13 to 19 digits that passes Luhn's check."""
    body = "4" + "".join(numbers.choices("0123456789", k=numbers.randrange(11, 18)))
    for last in "0123456789":
        digits = [int(digit) for digit in body + last][::-1]
        if sum(sum(divmod(2 * d, 10)) if n % 2 else d for n, d in enumerate(digits)) % 10 == 0:
            return body + last
    raise AssertionError


@given(st.randoms(use_true_random=False))
def test_no_planted_card_survives(numbers: random.Random) -> None:
    number = card(numbers)
    said: list[Segment] = []
    start, place = 0, 0
    while place < len(number):
        size = numbers.randrange(1, 6)
        group = number[place : place + size]
        words = group if numbers.random() < 0.4 else " ".join(UNIT[int(digit)] for digit in group)
        said.append(Segment(start, start + 900, "customer", numbers.choice(["", "um ", "and "]) + words))
        said.append(Segment(start + 900, start + 950, "agent", "mhm"))
        start, place = start + numbers.randrange(1_000, 9_000), place + size
    shown = redact(Transcript(start + 1_000, tuple(said)))
    assert {one.label for one in shown.hidden} == {"CARD"}
    assert digit_runs(" ".join(shown.texts)) == []


@given(st.lists(st.text(alphabet="one 2 at dot com@. pin DE89370400440532013000,", max_size=40), max_size=4))
def test_whatever_was_said_the_places_fit_and_a_second_time_finds_nothing(said: list[str]) -> None:
    transcript = talk_of_one("customer", *said)
    found = redact(transcript)
    assert len(found.texts) == len(said)
    for one in found.hidden:
        assert said[one.segment][one.start : one.end].strip() == said[one.segment][one.start : one.end] != ""
    again = redact(talk_of_one("customer", *found.texts))
    assert not [one for one in again.hidden if one.label in {"CARD", "NUMBER", "IBAN"}]
