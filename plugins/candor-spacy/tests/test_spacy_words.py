"""Topics, wording and suggestions: verbatim, about customers only, blank where nothing is known."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from candor_spacy import topics
from candor_spacy.enricher import Words
from candor_spacy.heard import Heard
from candor_spacy.plugin import Settings, qa_autoscorers, qa_enrichers, qa_plugin_info
from candor_spacy.rules import RuleError
from candor_spacy.scorer import Phrases
from candor_spacy.wording import label_of, score_of, sentiment_of

from qa.plugins.api import (
    Abstain,
    ConfigError,
    QuestionView,
    Scale,
    ScoredInteraction,
    Searched,
    Segment,
    Signal,
    Span,
    Suggestion,
    Transcript,
)
from qa.plugins.testing import AutoScorerSuite, EnricherSuite

LINES = (Path(__file__).parent / "labelled.tsv").read_text(encoding="utf-8").splitlines()


class Ctx:
    """What the host hands over, as far as it is needed here."""

    def __init__(self, **config: Any) -> None:
        self.config: Mapping[str, Any] = config


def said(*texts: str, who: str = "customer", language: str = "en", **more: Any) -> Transcript:
    """One speaker's utterances, three seconds each, two seconds apart."""
    segments = [Segment(5.0 * n, 5.0 * n + 3, text, speaker=who) for n, text in enumerate(texts)]  # type: ignore[arg-type]
    return Transcript(segments, language=language, **more)


def test_three_of_four_labelled_lines_are_right_and_hardly_a_complaint_is_called_praise() -> None:
    told = [(label, label_of(score_of(text))) for label, text in (line.split("\t") for line in LINES)]
    assert len(told) >= 150
    assert sum(label == found for label, found in told) >= 0.75 * len(told)
    negative = [found for label, found in told if label == "negative"]
    assert negative.count("positive") <= 0.05 * len(negative)


@pytest.mark.parametrize(
    "text", ["yes", "sure", "okay", "please", "help me", "I would like", "problem", "charge", "cancel it"]
)
def test_business_words_say_nothing(text: str) -> None:
    assert score_of(text) == 0


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("no problem", "positive"),
        ("That was quick.", "positive"),
        ("the third time", "negative"),
        ("nobody called me", "negative"),
        ("I'm fed up", "negative"),
        ("speak to a manager", "negative"),
        ("waiting for two hours", "negative"),
        ("waiting for 45 minutes", "negative"),
        ("waiting for the bus", "neutral"),
        ("not very helpful", "negative"),
    ],
)
def test_phrases_come_before_words(text: str, label: str) -> None:
    assert label_of(score_of(text)) == label


BAD, PLAIN, GOOD = (
    "this is the third time I am calling and I am fed up",
    "my account number is four five six",
    "that was quick, you have been very helpful, thank you",
)


def test_quarters_go_by_the_middle_of_an_utterance_and_the_trend_is_last_less_first() -> None:
    found = sentiment_of(said(BAD, PLAIN, GOOD, duration=12))
    first, second, third, fourth = found.quarters
    assert first is not None
    assert fourth is not None
    assert (first < 0, second, third, fourth > 0) == (True, None, 0, True)
    assert found.trend == pytest.approx(fourth - first)
    assert found.score is not None
    assert first < found.score < fourth
    assert [one.places for one in found.strongest] == [(2,), (0,)]


def test_one_quarter_has_no_trend() -> None:
    assert sentiment_of(said(BAD, duration=3)).trend is None


def test_the_call_is_weighted_by_words() -> None:
    one, two = score_of(BAD), score_of(PLAIN)
    found = sentiment_of(said(BAD, PLAIN)).score
    assert found == pytest.approx((13 * one + 7 * two) / 20)


def test_utterances_join_over_short_gaps() -> None:
    segments = [
        Segment(start, end, text, speaker="customer")
        for start, end, text in [
            (0, 3, "this is the third"),
            (3.3, 5, "time I call"),
            (5.301, 9, "and now what then"),
        ]
    ]
    found = sentiment_of(Transcript(segments, language="en"))
    assert [one.places for one in found.utterances] == [(0, 1), (2,)]
    assert found.utterances[0].score == score_of("this is the third time I call")


@pytest.mark.parametrize(
    ("transcript", "reason"),
    [
        (said("fed up, really fed up with all this"), "few_words"),
        (said(BAD, language="de"), "language"),
        (said(BAD, language=""), "language"),
        (said(BAD, who="unknown"), "speakers_unknown"),
        (said(BAD, who="agent"), "few_words"),
    ],
)
def test_where_nothing_is_known_nothing_is_said(transcript: Transcript, reason: str) -> None:
    found = sentiment_of(transcript)
    assert (found.score, found.trend, found.quarters, found.reason) == (None, None, (None,) * 4, reason)


def enriched(transcript: Transcript, **config: Any) -> list[Signal]:
    """The enricher's signals."""
    return Words().enrich(Ctx(**config), transcript, {})  # type: ignore[arg-type]


MIXED = Transcript(
    [
        Segment(0, 3, "I am terribly unhappy and fed up with my job", speaker="agent"),
        Segment(4, 8, "I want to cancel my contract, this is the third time I call", speaker="customer"),
    ],
    language="en",
)


def test_nothing_is_said_about_an_agent() -> None:
    feelings = [one for one in enriched(MIXED) if one.name.startswith("sentiment")]
    assert feelings
    assert {one.subject for one in feelings} == {"customer"}
    assert {one.span.segment for one in feelings if one.span is not None} == {1}
    changed = Transcript([Segment(0, 3, "wonderful", speaker="agent"), MIXED.segments[1]], language="en")
    assert [one.value for one in enriched(changed)] == [one.value for one in enriched(MIXED)]


@pytest.mark.parametrize("who", ["agent", "any", "unknown", ""])
def test_asked_for_anybody_else_it_refuses(who: str) -> None:
    with pytest.raises(ConfigError, match="Emotion of employees is not computed"):
        sentiment_of(MIXED, who)
    with pytest.raises(ConfigError, match="Emotion of employees is not computed"):
        enriched(MIXED, sentiment_of=who)


def test_each_signal_rests_on_text_and_quotes_it_verbatim() -> None:
    for one in enriched(MIXED):
        assert one.basis == "text"
        if one.span is not None:
            text = MIXED.segments[one.span.segment].text
            assert text[one.span.start : one.span.end] == one.span.quote


def test_topics_link_to_what_was_said() -> None:
    found = [(one.value, one.span.quote) for one in enriched(MIXED) if one.name == "topic" and one.span]
    assert found == [("cancellation", "cancel my"), ("complaint", "third time")]


def test_a_site_writes_its_own_topics() -> None:
    own = "topics:\n  jobs: {who: agent, say: [my job], unless: [with my job]}\n  calls: [I call]"
    assert [one.value for one in enriched(MIXED, topics=own) if one.name == "topic"] == ["calls"]
    with pytest.raises(ConfigError, match="Topic"):
        enriched(MIXED, topics="topics: {a: {whom: x}}")


def test_a_topic_needs_a_sure_hit() -> None:
    unsure = Transcript([Segment(0, 3, "cancel my plan", speaker="customer", conf=0.69)], language="en")
    assert topics.topics_of(topics.ready("en"), Heard(unsure)) == []
    assert topics.ready("xx") == ()


@pytest.mark.parametrize(
    "text", ["topics: 5", "other: {}", "topics: {5: [a]}", "topics: {a: ['(']}", "topics: {a: 5}"]
)
def test_topics_that_cannot_be_read_are_one_sentence(text: str) -> None:
    with pytest.raises(RuleError):
        topics.read(text)
    form = Settings(data={"topics": text})
    assert not form.validate()
    assert len(form.topics.errors) == 1


def asked(rule: dict[str, Any], **more: Any) -> Suggestion | Abstain:
    """What is suggested for a question with this rule."""
    question = QuestionView("greeting", "Did the agent greet?", "choice", rule=rule, **more)
    interaction = ScoredInteraction("voice", "en", MIXED)
    return Phrases().score(Ctx(), question, Scale(options=["y", "n"]), interaction)  # type: ignore[arg-type]


ANSWER = {"met": "y", "not_met": "n"}


def test_a_suggestion_quotes_what_was_said() -> None:
    found = asked({"say": "cancel my contrakt", "answer": ANSWER})
    assert isinstance(found, Suggestion)
    assert (found.answer, found.confidence, found.reason) == ("y", 0.85, "Said at 0:04.")
    assert found.evidence == (Span(1, 10, 28, "cancel my contract", *_seconds(found.evidence)),)


def _seconds(evidence: Any) -> tuple[float | None, float | None]:
    return evidence[0].t0, evidence[0].t1


def test_absence_says_what_was_searched() -> None:
    found = asked(
        {"say": ["good morning", "welcome"], "who": "agent", "within": {"first": 30}, "answer": ANSWER}
    )
    assert isinstance(found, Suggestion)
    assert found.answer == "n"
    assert found.evidence == Searched([0], ["good morning", "welcome"], (0, 8))
    assert found.reason == "10 words of the agent, 0:00–0:08; not said."


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ({}, "no_rule"),
        ({"say": "hallo", "languages": ["de"], "answer": ANSWER}, "language"),
        ({"say": "fed up", "answer": {"not_met": "n"}}, "no_answer"),
        ({"say": "danke", "after": {"say": "bitte"}, "answer": ANSWER}, "depends"),
        ({"say": "cancel my kontrakt plan", "answer": ANSWER}, "near_miss"),
    ],
)
def test_without_ground_there_is_no_answer(rule: dict[str, Any], why: str) -> None:
    rule = rule if why != "near_miss" else {"say": "kancel my kontrakt", "answer": ANSWER}
    assert asked(rule) == Abstain(why)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"say": "a", "answer": {"met": "maybe"}}, 'no option "maybe"'),
        ({"say": "fed up"}, '"answer" must be'),
        ({"say": "(", "answer": ANSWER}, "pattern"),
    ],
)
def test_a_wrong_rule_is_told_with_its_question(rule: dict[str, Any], words: str) -> None:
    rule = rule if rule["say"] != "a" else rule | {"say": "fed up"}
    with pytest.raises(ConfigError, match=words) as caught:
        asked(rule)
    assert caught.value.field == "greeting"


def test_a_question_says_in_which_languages_it_is_asked() -> None:
    assert asked({"say": "fed up", "answer": ANSWER}, languages=["de"]) == Abstain("language")


def test_the_plugin_registers_one_of_each() -> None:
    assert (qa_plugin_info().name, qa_enrichers(), qa_autoscorers()) == ("spacy", [Words], [Phrases])


class TestWords(EnricherSuite, extension=Words):
    """The kit's own checks."""


class TestPhrases(AutoScorerSuite, extension=Phrases):
    """The kit's own checks, on a question with a rule."""

    question = QuestionView(
        "greeting",
        "Did the agent greet the customer?",
        "yes_no",
        rule={
            "say": "good morning",
            "who": "agent",
            "within": {"first": 10},
            "answer": {"met": "yes", "not_met": "no"},
        },
    )
