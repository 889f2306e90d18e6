"""A transcript as the rules read it: words in order, in chains of one speaker, with their times."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from qa.plugins.api import Segment, Transcript

WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
CHAIN_GAP_MS = 2_000
SPEAKERS = ("agent", "customer", "unknown")


def plain(word: str) -> str:
    """Return a word as it is compared: one form of each letter, without case, one kind of apostrophe."""
    return unicodedata.normalize("NFC", word).casefold().replace("’", "'")


def ms(seconds: float) -> int:
    """Return seconds as whole milliseconds."""
    return round(seconds * 1000)


@dataclass(frozen=True, slots=True)
class Token:
    """One word: where it stands in which segment, and when it was said."""

    word: str
    segment: int
    start: int
    end: int
    start_ms: int
    end_ms: int
    conf: float


@dataclass(frozen=True, slots=True, eq=False)
class Chain:
    """What one speaker said without a pause of more than two seconds."""

    speaker: str
    tokens: tuple[Token, ...]


class Heard:
    """The words of a transcript, read once for all rules."""

    def __init__(self, transcript: Transcript) -> None:
        self.transcript = transcript
        self.segments = transcript.segments
        self.tokens = [tuple(_tokens(segment, place)) for place, segment in enumerate(self.segments)]
        self.chains = tuple(self._chains())
        spoken = [segment for segment, tokens in zip(self.segments, self.tokens, strict=True) if tokens]
        self.first_ms = min((ms(segment.start) for segment in spoken), default=0)
        self.last_ms = max((ms(segment.end) for segment in spoken), default=0)
        self.is_silent = not spoken
        self.lengths = [max(ms(one.end) - ms(one.start), 0) for one in self.segments]
        self.confidences = [_confidence(segment) for segment in self.segments]
        length = transcript.duration
        self.duration_ms = self.last_ms if length is None else ms(length)

    def chains_of(self, who: str) -> Iterable[Chain]:
        """Return the chains of a speaker, or of everybody for "any"."""
        return [chain for chain in self.chains if who in ("any", chain.speaker)]

    @property
    def unknown_share(self) -> float:
        """The share of the segments' time that has no known speaker."""
        unknown = sum(
            length
            for segment, length in zip(self.segments, self.lengths, strict=True)
            if segment.speaker == "unknown"
        )
        return unknown / sum(self.lengths) if unknown else 0.0

    def _chains(self) -> Iterator[Chain]:
        for speaker in SPEAKERS:
            places = [place for place, one in enumerate(self.segments) if one.speaker == speaker]
            held: list[Token] = []
            reached: int | None = None
            for place in sorted(places, key=lambda place: self.segments[place].start):
                segment = self.segments[place]
                if reached is not None and ms(segment.start) - reached > CHAIN_GAP_MS:
                    yield Chain(speaker, tuple(held))
                    held, reached = [], None
                reached = max(reached or 0, ms(segment.end))
                held.extend(self.tokens[place])
            yield Chain(speaker, tuple(held))


def _confidence(segment: Segment) -> float:
    """Return a segment's confidence: its own, else the mean of its words', else 1."""
    if segment.conf is not None:
        return segment.conf
    known = [word.conf for word in segment.words if word.conf is not None]
    return sum(known) / len(known) if known else 1.0


def _tokens(segment: Segment, place: int) -> Iterator[Token]:
    text = segment.text
    matches = list(WORD.finditer(text))
    timed = segment.words if len(segment.words) == len(matches) else ()
    start_ms, length = ms(segment.start), ms(segment.end) - ms(segment.start)
    for number, match in enumerate(matches):
        own = timed[number] if timed else None
        conf = own.conf if own is not None and own.conf is not None else segment.conf
        yield Token(
            word=plain(match.group()),
            segment=place,
            start=match.start(),
            end=match.end(),
            start_ms=ms(own.start) if own else start_ms + length * match.start() // len(text),
            end_ms=ms(own.end) if own else start_ms + length * match.end() // len(text),
            conf=1.0 if conf is None else conf,
        )
