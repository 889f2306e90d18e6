"""Phrase rules: the published vectors, every verdict in its order, and hits as the definition says."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from candor_spacy.door import match
from candor_spacy.heard import Heard
from candor_spacy.matching import Matcher, edits_allowed
from candor_spacy.patterns import Choice, Gap, Number, PatternError, Said, Sequence, parse
from candor_spacy.rules import RuleError, read
from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz.distance import OSA

from qa.plugins.api import ConfigError, Segment, Transcript, Word

CALL = [
    (0, 4, "agent", "Thank you for calling Harbor Mobile, my name is Dana."),
    (5, 8, "customer", "This is the third time I am calling."),
    (9, 12, "agent", "I'm sorry about the delay."),
    (13, 16, "agent", "You will not lose the discount."),
    (20, 22, "customer", "Cancel my contract."),
    (23, 24, "agent", "Thank you"),
    (25, 27, "agent", "for your patience."),
]


def heard(*said: tuple[float, float, str, str], **more: Any) -> Transcript:
    """A transcript of (start, end, speaker, text)."""
    segments = [Segment(start, end, text, speaker=who) for start, end, who, text in said]  # type: ignore[arg-type]
    return Transcript(segments, **more)


def judged(
    rule: dict[str, Any], transcript: Transcript | None = None, *before: dict[str, Any]
) -> dict[str, Any]:
    """What comes of the last rule."""
    rules = json.dumps({"rules": [*before, {"ref": "it", **rule}]})
    told = match(rules, heard(*CALL) if transcript is None else transcript)
    result: dict[str, Any] = told["rules"][-1]
    return result


def quotes(told: dict[str, Any]) -> list[str]:
    """The quotes of all matches."""
    return [span["quote"] for one in told["matches"] for span in one["spans"]]


COMPLAINT = {"ref": "complaint", "say": "third time", "who": "customer"}


@pytest.mark.parametrize(
    ("rule", "verdict", "reason", "expected"),
    [
        (
            {"say": "thank you for calling", "who": "agent", "within": {"first": 10}},
            "met",
            None,
            ["Thank you for calling"],
        ),
        (
            {"say": "(calling|ringing) * my name", "who": "agent"},
            "met",
            None,
            ["calling Harbor Mobile, my name"],
        ),
        ({"say": "sorry about [all] the delay", "who": "agent", "within": {"first": 8}}, "not_met", None, []),
        ({"say": "third time", "who": "agent"}, "not_met", None, []),
        ({"say": "cancel my contrakt", "who": "customer"}, "met", None, ["Cancel my contract"]),
        (
            {"say": "lose the discount", "who": "agent", "expect": "absent"},
            "not_met",
            None,
            ["lose the discount"],
        ),
        (
            {"say": "lose the discount", "who": "agent", "expect": "absent", "unless": ["not lose"]},
            "met",
            None,
            [],
        ),
        (
            {"say": "thank you for your patience", "who": "agent"},
            "met",
            None,
            ["Thank you", "for your patience"],
        ),
        ({"say": "contract thank you", "who": "any"}, "not_met", None, []),
        ({"say": "sorry", "who": "agent", "after": "complaint"}, "met", None, ["sorry"]),
        ({"say": "calling harper mobyle", "who": "agent"}, "abstain", "near_miss", []),
        ({"say": "danke", "who": "agent", "languages": ["de"]}, "abstain", "language", []),
    ],
)
def test_the_published_vectors_hold(
    rule: dict[str, Any], verdict: str, reason: str | None, expected: list[str]
) -> None:
    told = judged(rule, None, COMPLAINT)
    assert (told["verdict"], told["reason"], quotes(told)) == (verdict, reason, expected)


def test_slack_lowers_confidence_and_every_quote_is_verbatim() -> None:
    told = judged({"say": ["cancel my contrakt", "patience", "my name"]})
    assert [one["conf"] for one in told["matches"]] == [1, 0.85, 1]
    for span in (span for one in told["matches"] for span in one["spans"]):
        assert CALL[span["segment"]][3][span["start"] : span["end"]] == span["quote"]


def test_times_are_the_words_own_or_go_by_the_place_in_the_text() -> None:
    (one,) = judged({"say": "sorry"})["matches"]
    assert (one["t0"], one["t1"]) == (9 + 4 * 3000 // 26 / 1000, 9 + 9 * 3000 // 26 / 1000)
    words = [Word(w, n + 0.5, n + 0.9, 0.8) for n, w in enumerate(["I'm", "sorry", "about"])]
    timed = Transcript([Segment(0, 9, "I'm sorry about", speaker="agent", words=words)])
    (one,) = judged({"say": "sorry about"}, timed)["matches"]
    assert (one["t0"], one["t1"], one["conf"]) == (1.5, 2.9, 0.8)


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("call [may be] recorded", "this call may be recorded", ["call may be recorded"]),
        ("call [may be] recorded", "this call, recorded", ["call, recorded"]),
        ("recorded (line|phone call)", "a Recorded – phone call", ["Recorded – phone call"]),
        ("a * b", "a x y z b", ["a x y z b"]),
        ("a * b", "a w x y z b", []),
        (
            "waiting # hours",
            "waiting two hours, waiting 2 hours, waiting some hours",
            ["waiting two hours", "waiting 2 hours"],
        ),
        ("=record", "records record", ["record"]),
        ("recorded", "recordet recorted", []),
        ("was recorded here", "was recordet here, was rekortet here", ["was recordet here"]),
        ("hold", "held hole", []),
        ("please recieve it", "please receive it", ["please receive it"]),
        ("confirmation number please", "konfirmashun number please", []),
        ("confirmation number please", "konfirmatian number please", ["konfirmatian number please"]),
        (
            "you [you] you",
            "you you you you",
            [
                "you you you",
            ],
        ),
        ("ab ab", "ab ab ab ab ab", ["ab ab", "ab ab"]),
        ("thank you [so much]", "thank you so much", ["thank you so much"]),
        ("don't worry", "don’t worry", ["don’t worry"]),
        ("STRASSE", "Straße", ["Straße"]),
        ("[a] b", "a b b", ["a b", "b"]),
    ],
)
def test_patterns_mean_what_the_page_says(pattern: str, text: str, expected: list[str]) -> None:
    assert quotes(judged({"say": pattern}, heard((0, 9, "agent", text)))) == expected


@pytest.mark.parametrize(("letters", "edits"), [(1, 0), (4, 0), (5, 1), (8, 1), (9, 2), (30, 2)])
def test_long_words_may_differ_more(letters: int, edits: int) -> None:
    assert edits_allowed(letters) == edits


def test_of_two_patterns_the_one_with_fewer_slack_words_counts_then_the_longer() -> None:
    told = judged({"say": ["cancel my contrakt", "cancel", "cancel my"]})
    assert (quotes(told), told["matches"][0]["conf"]) == (["Cancel my"], 1)


def test_a_chain_ends_after_two_seconds_and_at_another_speaker() -> None:
    rule = {"say": "one two"}
    assert judged(rule, heard((0, 1, "agent", "one"), (3, 4, "agent", "two")))["verdict"] == "met"
    assert judged(rule, heard((0, 1, "agent", "one"), (3.001, 4, "agent", "two")))["verdict"] == "not_met"
    said = [(0, 1, "agent", "one"), (1, 2, "customer", "mhm"), (2, 3, "agent", "two")]
    assert judged(rule, heard(*said))["verdict"] == "met"
    said[2] = (2, 3, "customer", "two")
    assert judged(rule, heard(*said))["verdict"] == "not_met"


@pytest.mark.parametrize(
    ("within", "expected"),
    [
        ({"first": 4}, True),
        ({"first": 3.999}, False),
        ({"first": 14, "from": "call"}, True),
        ({"first": 13.999, "from": "call"}, False),
        ({"last": 6}, True),
        ({"last": 5.999}, False),
        ({"last": 46, "from": "call"}, True),
        ({"last": 45.999, "from": "call"}, False),
    ],
)
def test_a_window_counts_from_speech_or_from_the_call(within: dict[str, Any], expected: bool) -> None:
    said = [(10, 11, "customer", "hello"), (14, 15, "agent", "welcome"), (18, 20, "customer", "bye")]
    told = judged({"say": "welcome", "within": within}, heard(*said, duration=60))
    assert told["verdict"] == ("met" if expected else "not_met")


def test_from_may_stand_beside_within() -> None:
    said = [(10, 11, "agent", "welcome")]
    assert (
        judged({"say": "welcome", "within": {"first": 5}, "from": "call"}, heard(*said))["verdict"]
        == "not_met"
    )


@pytest.mark.parametrize(
    ("times", "expect", "verdict"),
    [
        ({"min": 2}, "present", "met"),
        ({"min": 3}, "present", "not_met"),
        ({"max": 1}, "present", "not_met"),
        ({"min": 1, "max": 2}, "present", "met"),
        ({"max": 1}, "absent", "met"),
        ({"max": 0}, "present", "not_met"),
        ({"min": 0, "max": 2}, "present", "met"),
    ],
)
def test_how_often_counts(times: dict[str, int], expect: str, verdict: str) -> None:
    told = judged({"say": "thank you", "who": "agent", "times": times, "expect": expect})
    assert (told["verdict"], len(told["matches"])) == (verdict, 2)


def test_a_rule_after_another_looks_behind_its_first_hit_only() -> None:
    greeting = {"ref": "greeting", "say": "thank you"}
    told = judged({"say": "thank you", "after": "greeting"}, None, greeting)
    assert [one["t0"] for one in told["matches"]] == [23]
    never = {"ref": "greeting", "say": "good morning"}
    assert judged({"say": "thank you", "after": "greeting"}, None, never)["reason"] == "depends"


SURE, UNSURE = 0.9, 0.5


def one_segment(text: str, conf: float | None, **more: Any) -> Transcript:
    """The agent's only words."""
    return Transcript([Segment(0, 9, text, speaker="agent", conf=conf)], **more)


@pytest.mark.parametrize(
    ("transcript", "rule", "verdict", "reason"),
    [
        (one_segment("", SURE, language="fr"), {"languages": ["en"], "who": "agent"}, "abstain", "language"),
        (one_segment("hello", SURE, language=""), {"languages": ["en"]}, "abstain", "language"),
        (one_segment("hello", SURE, language="en-GB"), {"languages": ["en"]}, "met", None),
        (one_segment("… – !", SURE), {}, "abstain", "no_speech"),
        (Transcript([]), {"who": "agent"}, "abstain", "no_speech"),
        (
            heard((0, 7.9, "agent", "hello"), (8, 10, "unknown", "x")),
            {"who": "agent"},
            "abstain",
            "speakers_unknown",
        ),
        (heard((0, 8, "agent", "hello"), (8, 10, "unknown", "x")), {"who": "agent"}, "met", None),
        (heard((0, 9, "unknown", "hello")), {"who": "any"}, "met", None),
        (one_segment("hello", 0.69), {}, "abstain", "low_confidence"),
        (one_segment("hello", 0.7), {}, "met", None),
        (one_segment("hallu", SURE, truncated=True), {}, "abstain", "near_miss"),
        (one_segment("bye", SURE, truncated=True), {}, "abstain", "incomplete"),
        (one_segment("hello", SURE, truncated=True), {}, "met", None),
        (one_segment("bye", 0.59), {}, "abstain", "low_confidence"),
        (one_segment("bye", 0.6), {}, "not_met", None),
        (one_segment("bye", None), {}, "not_met", None),
        (one_segment("bye", 0.6), {"expect": "absent"}, "met", None),
        (one_segment("hello", SURE), {"expect": "absent"}, "not_met", None),
        (one_segment("hallu", SURE), {"expect": "absent"}, "abstain", "near_miss"),
    ],
)
def test_abstentions_come_in_their_order(
    transcript: Transcript, rule: dict[str, Any], verdict: str, reason: str | None
) -> None:
    told = judged({"say": "hello", **rule}, transcript)
    assert (told["verdict"], told["reason"]) == (verdict, reason)


def test_absence_tells_what_was_searched() -> None:
    told = judged({"say": "danke", "who": "agent", "within": {"first": 10}})
    assert told["searched"] == {"segments": 2, "words": 12, "window": [0, 10]}


BROKEN: list[tuple[str, str]] = [
    ("", '"rules"'),
    ("rules: 5", '"rules"'),
    ("rules: [", "Line 1"),
    ("rules:\n  - {say: a, say: b}", "Line 2"),
    ("rules:\n  - &x {say: a}\n  - *x", "anchors"),
    ("rules: !!python/object:os.system []", "tags"),
    ("rules: [5]", "Rule 1 must be a mapping"),
    ("rules: [{ref: a}]", 'Rule "a" needs "say"'),
    ("rules: [{ref: a, say: []}]", "names no phrase"),
    ("rules: [{ref: 5, say: a}]", '"ref" must be text'),
    ("rules: [{ref: a, say: b}, {ref: a, say: c}]", "taken"),
    ("rules: [{say: a, whom: agent}]", 'unknown key "whom"'),
    ("rules: [{say: a, who: boss}]", '"who" must be agent or customer or any'),
    ("rules: [{say: 5}]", '"say" must be text'),
    ("rules: [{say: a, expect: maybe}]", '"expect" must be present or absent'),
    ("rules: [{say: a, within: 5}]", '"within"'),
    ("rules: [{say: a, within: {first: 5, last: 5}}]", "first or last"),
    ("rules: [{say: a, within: {first: -1}}]", '"first"'),
    ("rules: [{say: a, within: {first: yes}}]", '"first"'),
    ("rules: [{say: a, within: {first: 5, from: never}}]", '"from"'),
    ("rules: [{say: a, times: 5}]", '"times"'),
    ("rules: [{say: a, times: {min: 3, max: 1}}]", "min not above max"),
    ("rules: [{say: a, times: {min: -1}}]", "whole numbers"),
    ("rules: [{say: a, after: b}, {ref: b, say: c}]", "no earlier rule"),
    ("rules: [{say: '(a'}]", 'no ")" closes'),
    ("rules: [{say: 'a]'}]", "nothing opened"),
    ("rules: [{say: '(a|)'}]", "nothing in it"),
    ("rules: [{say: '[a]'}]", "at least one word"),
    ("rules: [{say: '*'}]", "at least one word"),
    ("rules: [{say: 'a = b'}]", '"="'),
    ("rules: [{say: '((((((((a))))))))'}]", "deep"),
    (f"rules: [{{say: '{'a ' * 300}'}}]", "longer than 500"),
    ("#" * 256_001, "larger than 256 kB"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "words"), BROKEN)
def test_a_rule_that_cannot_be_read_is_one_sentence(text: str, words: str) -> None:
    with pytest.raises(RuleError) as caught:
        read(text)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(ConfigError):
        match(text, heard())


def test_a_rule_without_a_ref_gets_its_number() -> None:
    assert [rule.ref for rule in read("rules: [{say: a}, {ref: x, say: b}, {say: c}]")] == [
        "rule 1",
        "x",
        "rule 3",
    ]


ALPHABET = ["call", "recorded", "recordet", "rekortet", "lines", "lins", "two", "7"]
TEXTS = st.lists(st.sampled_from(ALPHABET), max_size=9)
PATTERNS = st.recursive(
    st.sampled_from(["call", "recorded", "=recorded", "lines", "*", "#"]),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(" ".join),
        inner.map(lambda one: f"[{one}]"),
        st.tuples(inner, inner).map(lambda two: f"({two[0]}|{two[1]})"),
    ),
    max_leaves=5,
)


def ways(nodes: Sequence) -> list[list[Said | Number | None]]:
    """Every flat way to say a pattern; None is any word."""
    found: list[list[Said | Number | None]] = [[]]
    for node in nodes:
        if isinstance(node, Gap):
            more: list[list[Said | Number | None]] = [[None] * n for n in range(4)]
        elif isinstance(node, Choice):
            more = [way for one in node.ways for way in ways(one)]
        else:
            more = [[node]]
        found = [one + two for one, two in itertools.product(found, more)]
    return found


def cost(way: list[Said | Number | None], words: list[str], near: bool) -> int | None:
    """How many words are slack when these words say it; None when they do not."""
    slack = counted = 0
    for node, word in zip(way, words, strict=True):
        if isinstance(node, Said):
            counted += 1
            letters = len(node.word)
            allowed = 0 if letters < 5 or node.exact else (1 if letters <= 8 else 2) + near
            distance = OSA.distance(node.word, word)
            if distance > allowed:
                return None
            slack += distance > 0
        elif isinstance(node, Number) and not (word.isdecimal() or word == "two"):
            return None
    return slack if slack <= counted // 3 + near else None


@given(PATTERNS, TEXTS, st.booleans())
def test_hits_are_those_of_the_definition(pattern: str, words: list[str], near: bool) -> None:
    try:
        nodes = parse(pattern)
    except PatternError:
        return
    expected: list[tuple[int, int, int]] = []
    start = 0
    while start < len(words):
        fits = [
            (slack, -(start + len(way)))
            for way in ways(nodes)
            if len(way) > 0
            and start + len(way) <= len(words)
            and (slack := cost(way, words[start : start + len(way)], near)) is not None
        ]
        if fits:
            slack, end = min(fits)
            expected.append((start, -end, slack))
            start = -end
        else:
            start += 1
    found = Matcher(Heard(heard((0, 9, "agent", " ".join(words))))).hits([nodes], "any", near=near)
    assert [(hit.first, hit.end, hit.slack) for hit in found] == expected
