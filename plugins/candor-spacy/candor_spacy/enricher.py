"""Adds the topics of a conversation and how its customer worded it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from candor_spacy import topics
from candor_spacy.heard import Heard
from candor_spacy.rules import Rule, RuleError
from candor_spacy.verdicts import quotes_of
from candor_spacy.wording import QUOTES, REFUSAL, Sentiment, Utterance, sentiment_of
from qa.plugins.api import ConfigError, Context, Enricher, Signal, Span, Transcript

VERSION = "1"


class Words(Enricher):
    """Topics, and the customer's sentiment in words: per utterance, quarter and call. Never an agent's."""

    key = "words"
    title = "Topics and customer sentiment"
    version = VERSION
    provides = (
        "topic",
        "sentiment",
        "sentiment_trend",
        *(f"sentiment_quarter_{number}" for number in range(1, 5)),
        "sentiment_reason",
        "sentiment_utterance",
        "sentiment_quote",
    )

    def enrich(
        self, ctx: Context, transcript: Transcript, needs: Mapping[str, Sequence[Signal]]
    ) -> list[Signal]:
        """Return signals about the conversation and its customer."""
        if ctx.config.get("sentiment_of", "customer") != "customer":
            raise ConfigError(REFUSAL, field="sentiment_of")
        heard = Heard(transcript)
        sentiment = sentiment_of(transcript)
        return [*_topics(_configured(ctx.config, transcript.language), heard), *_sentiment(sentiment, heard)]


def _configured(config: Mapping[str, Any], language: str) -> tuple[Rule, ...]:
    """Return the site's topics, or those that come with the plugin where it wrote none."""
    text = str(config.get("topics") or "")
    try:
        return topics.read(text) if text.strip() else topics.ready(language.split("-")[0].lower())
    except RuleError as error:
        raise ConfigError(str(error), field="topics") from None


def _topics(rules: tuple[Rule, ...], heard: Heard) -> Iterator[Signal]:
    for topic in topics.topics_of(rules, heard):
        for hit in topic.hits:
            for one in quotes_of(hit, heard):
                span = Span(
                    one.segment, one.start, one.end, one.quote, hit.start_ms / 1000, hit.end_ms / 1000
                )
                yield _signal("topic", topic.name, "interaction", scope="segment", span=span, conf=hit.conf)


def _sentiment(sentiment: Sentiment, heard: Heard) -> Iterator[Signal]:
    yield _signal("sentiment", _rounded(sentiment.score), "customer")
    yield _signal("sentiment_trend", _rounded(sentiment.trend), "customer")
    for number, quarter in enumerate(sentiment.quarters, start=1):
        yield _signal(f"sentiment_quarter_{number}", _rounded(quarter), "customer")
    if sentiment.reason is not None:
        yield _signal("sentiment_reason", sentiment.reason, "customer")
    yield from _utterances("sentiment_utterance", sentiment.utterances, heard)
    yield from _utterances("sentiment_quote", sentiment.strongest[:QUOTES], heard)


def _utterances(name: str, said: Iterable[Utterance], heard: Heard) -> Iterator[Signal]:
    for one in said:
        if one.score is None:
            continue
        for place in one.places:
            segment = heard.segments[place]
            span = Span(place, 0, len(segment.text), segment.text, segment.start, segment.end)
            yield _signal(name, _rounded(one.score), "customer", scope="segment", span=span)


def _rounded(score: float | None) -> float | None:
    return None if score is None else round(score, 4)


def _signal(name: str, value: str | float | None, subject: Any, **more: Any) -> Signal:
    return Signal(name, value, subject=subject, basis="text", engine="candor-spacy", version=VERSION, **more)
