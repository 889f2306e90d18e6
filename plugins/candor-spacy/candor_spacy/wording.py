"""How positive or negative customers' words are: a lexicon, and nothing about a voice.

VADER's rules (Hutto and Gilbert 2014) after a lexicon of how customers of contact centres speak: business
words that a general lexicon takes for feelings count nothing, and phrases are matched first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from candor_spacy.heard import Heard, ms
from qa.plugins.api import ConfigError, Transcript

LANGUAGES = ("en",)
POSITIVE, NEGATIVE = 0.05, -0.05
JOIN_MS = 300
LEAST_WORDS_OF_UTTERANCE = 2
LEAST_WORDS_OF_QUARTER = 5
LEAST_WORDS_OF_CALL = 10
UNKNOWN_SHARE = 0.2
QUOTES = 3
REFUSAL = "Emotion of employees is not computed."


@dataclass(frozen=True, slots=True)
class Utterance:
    """What a customer said without a pause: the segments it consists of, and how it is worded."""

    places: tuple[int, ...]
    start_ms: int
    end_ms: int
    words: int
    score: float | None


@dataclass(frozen=True, slots=True)
class Sentiment:
    """A call's wording from -1 to 1. ``reason`` says why there is none."""

    score: float | None
    quarters: tuple[float | None, ...]
    trend: float | None
    utterances: tuple[Utterance, ...]
    strongest: tuple[Utterance, ...]
    reason: str | None


NOTHING = (None, None, None, None)


def sentiment_of(transcript: Transcript, who: str = "customer") -> Sentiment:
    """Return how a customer worded a call. Asked for anybody else it raises ``ConfigError``, always."""
    if who != "customer":
        raise ConfigError(REFUSAL)
    language = transcript.language.casefold().replace("_", "-").split("-")[0]
    if language not in LANGUAGES:
        return Sentiment(None, NOTHING, None, (), (), "language")
    heard = Heard(transcript)
    if heard.unknown_share > UNKNOWN_SHARE:
        return Sentiment(None, NOTHING, None, (), (), "speakers_unknown")
    said = tuple(_utterances(heard, language))
    if sum(one.words for one in said) < LEAST_WORDS_OF_CALL:
        return Sentiment(None, NOTHING, None, said, (), "few_words")
    quarters = _quarters(said, heard.duration_ms)
    told = [quarter for quarter in quarters if quarter is not None]
    strongest = sorted(
        (one for one in said if one.score), key=lambda one: (-abs(one.score or 0), one.start_ms)
    )
    return Sentiment(
        score=_mean(said),
        quarters=quarters,
        trend=told[-1] - told[0] if len(told) > 1 else None,
        utterances=said,
        strongest=tuple(strongest[:QUOTES]),
        reason=None,
    )


def label_of(score: float) -> str:
    """Return positive, negative or neutral."""
    return "positive" if score >= POSITIVE else "negative" if score <= NEGATIVE else "neutral"


def _mean(said: tuple[Utterance, ...]) -> float | None:
    scored = [(one.words, one.score) for one in said if one.score is not None]
    words = sum(weight for weight, _ in scored)
    return sum(weight * score for weight, score in scored) / words if words else None


def _quarters(said: tuple[Utterance, ...], duration_ms: int) -> tuple[float | None, ...]:
    parts: list[list[Utterance]] = [[], [], [], []]
    for one in said:
        quarter = 2 * (one.start_ms + one.end_ms) // duration_ms if duration_ms else 0
        parts[min(quarter, 3)].append(one)
    return tuple(
        _mean(tuple(part)) if sum(one.words for one in part) >= LEAST_WORDS_OF_QUARTER else None
        for part in parts
    )


def _utterances(heard: Heard, language: str) -> Iterator[Utterance]:
    held: list[int] = []
    reached = 0
    spoken = [
        place for place, one in enumerate(heard.segments) if one.speaker == "customer" and heard.tokens[place]
    ]
    for place in sorted(spoken, key=lambda place: heard.segments[place].start):
        segment = heard.segments[place]
        if held and ms(segment.start) - reached > JOIN_MS:
            yield _utterance(heard, held, reached, language)
            held = []
        reached = max(reached, ms(segment.end)) if held else ms(segment.end)
        held.append(place)
    if held:
        yield _utterance(heard, held, reached, language)


def _utterance(heard: Heard, places: list[int], end_ms: int, language: str) -> Utterance:
    words = sum(len(heard.tokens[place]) for place in places)
    score = None
    if words >= LEAST_WORDS_OF_UTTERANCE:
        score = score_of(" ".join(heard.segments[place].text for place in places), language)
    return Utterance(tuple(places), ms(heard.segments[places[0]].start), end_ms, words, score)


def score_of(text: str, language: str = "en") -> float:
    """Return how a text is worded, from -1 to 1."""
    from candor_spacy.pipeline import pipeline  # spaCy takes seconds to load; rules do without it

    return float(pipeline(language)(text)._.wording)
