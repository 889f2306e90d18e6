"""What an engine makes up is dropped or marked, and what is dropped is kept beside with its reason."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from candor_whisper.engines import RawSegment, RawWord
from candor_whisper.voices import Region, speech_share

WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
SPLIT_S = 1.0
LEAST_SPEECH = 0.1
NO_SPEECH, UNLIKELY = 0.6, -1.0
LONGEST_GRAM, LOOPS = 6, 4
COMPRESSED = 2.4
FASTEST = 8.0
STOCK_CONF = 0.5

_STOCK = """
    thanks for watching|thank you for watching|thank you so much for watching|please subscribe
    subscribe to my channel|like and subscribe|see you in the next video|see you next time
    subtitles by the amara org community|subtitles by|captions by|transcription by|music|applause
    untertitel der amara org community|untertitel von|vielen dank fürs zuschauen|danke fürs zuschauen
    subtítulos por la comunidad de amara org|gracias por ver el video|gracias por ver
"""
STOCK = frozenset(phrase.strip() for phrase in re.split(r"[|\n]", _STOCK) if phrase.strip())
_DIGITS = """
    zero one two three four five six seven eight nine oh o double triple
    null eins zwei drei vier fünf sechs sieben acht neun
    cero uno dos tres cuatro cinco seis siete ocho nueve
"""
_DIGIT_WORDS = frozenset(_DIGITS.split())


@dataclass(frozen=True, slots=True)
class Piece:
    """A segment on its way into a transcript; seconds from the recording's start, one entry for each word."""

    start: float
    end: float
    text: str
    conf: float
    words: tuple[RawWord, ...] = ()
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Dropped:
    """What was left out, and why."""

    start: float
    end: float
    text: str
    reason: str


@dataclass
class Kept:
    """The outcome for one chunk."""

    pieces: list[Piece] = field(default_factory=list)
    dropped: list[Dropped] = field(default_factory=list)


def shifted(segment: RawSegment, seconds: float) -> RawSegment:
    """Return a segment with its times from the recording's start."""
    words = tuple(replace(word, start=word.start + seconds, end=word.end + seconds) for word in segment.words)
    return replace(segment, start=segment.start + seconds, end=segment.end + seconds, words=words)


def split(segment: RawSegment) -> Iterator[RawSegment]:
    """Yield the parts of a segment between pauses of more than a second: no silence hides inside one."""
    held: list[RawWord] = []
    for word in segment.words:
        if held and word.start - held[-1].end > SPLIT_S:
            yield _part(segment, held)
            held = []
        held.append(word)
    if len(held) == len(segment.words):
        yield segment
    else:
        yield _part(segment, held)


def _part(segment: RawSegment, words: Sequence[RawWord]) -> RawSegment:
    text = "".join(word.text for word in words).strip()
    return replace(segment, start=words[0].start, end=words[-1].end, text=text, words=tuple(words))


def loops(segments: Sequence[RawSegment]) -> bool:
    """Tell whether an engine went round in circles; runs of digits are none."""
    for one in segments:
        words = plain_words(one.text)
        if looping(words) is not None:
            return True
        if one.compression_ratio > COMPRESSED and not all(map(is_digit, words)):
            return True
    return False


def looping(words: Sequence[str]) -> tuple[int, int, int] | None:
    """Return (start, length, times) of the first n-gram that stands four times in a row, or None."""
    for start in range(len(words)):
        for length in range(1, LONGEST_GRAM + 1):
            gram = words[start : start + length]
            times = 1
            while (
                words[start + times * length : start + (times + 1) * length] == gram and len(gram) == length
            ):
                times += 1
            if times >= LOOPS and not all(map(is_digit, gram)):
                return start, length, times
    return None


def is_digit(word: str) -> bool:
    """Tell whether a word says a digit."""
    return word.isdecimal() or word in _DIGIT_WORDS


def plain_words(text: str) -> list[str]:
    """Return the words of a text without case."""
    return [word.lower() for word in WORD.findall(text)]


def guarded(
    segments: Sequence[RawSegment], regions: Sequence[Region], span: Region, *, reached: float, looped: bool
) -> Kept:
    """Return what of a chunk's segments is kept. ``reached`` is where what was kept before it ends."""
    kept = Kept()
    for whole in segments:
        for one in split(whole):
            reason = _made_up(one, regions)
            piece = _piece(one)
            if looped:
                piece = _once(piece)
            if reason is None:
                piece = _paced(piece)
                reason = "stock" if _is_stock(piece) else None
            if reason is None:
                clipped = _in_order(piece, span, reached)
                reason = None if clipped else "order"
                piece = clipped or piece
            if reason is not None:
                kept.dropped.append(Dropped(piece.start, piece.end, piece.text, reason))
            elif piece.text:
                kept.pieces.append(piece)
                reached = piece.end
    return kept


def _made_up(one: RawSegment, regions: Sequence[Region]) -> str | None:
    if speech_share(regions, one.start, one.end) < LEAST_SPEECH:
        return "silence"
    if one.no_speech_prob > NO_SPEECH and one.avg_logprob < UNLIKELY:
        return "no_speech"
    return None


def _piece(one: RawSegment) -> Piece:
    words = tuple(settled_words(one))
    heard = words or one.words
    conf = sum(word.conf for word in heard) / len(heard) if heard else math.exp(min(one.avg_logprob, 0.0))
    return Piece(one.start, one.end, one.text, conf, words)


def settled_words(segment: RawSegment) -> Iterator[RawWord]:
    """Yield one entry for each word of the text: engines keep "one-eight" together and commas apart."""
    places = [match.span() for match in WORD.finditer(segment.text)]
    reached, found = 0, []
    for raw in segment.words:
        bare = raw.text.strip()
        start = segment.text.find(bare, reached)
        if start < 0:
            return
        reached = start + len(bare)
        found.append((start, reached, raw))
    for first, last in places:
        touched = [(start, end, raw) for start, end, raw in found if start < last and end > first]
        if not touched:
            return
        yield _share_of(segment.text, first, last, touched)


def _share_of(text: str, first: int, last: int, touched: Sequence[tuple[int, int, RawWord]]) -> RawWord:
    """Return a word's part of the engine's words it touches, by characters."""

    def at(place: int, start: int, end: int, raw: RawWord) -> float:
        share = (min(max(place, start), end) - start) / max(end - start, 1)
        return raw.start + share * (raw.end - raw.start)

    alone = [len(WORD.findall(text[start:end])) <= 1 for start, end, _ in touched]
    begin = touched[0][2].start if alone[0] else at(first, *touched[0])
    finish = touched[-1][2].end if alone[-1] else at(last, *touched[-1])
    conf = sum(raw.conf for _, _, raw in touched) / len(touched)
    return RawWord(text[first:last], begin, max(finish, begin), conf)


def _once(piece: Piece) -> Piece:
    """Return a piece in which what stands four times in a row stands once."""
    found = looping(plain_words(piece.text))
    while found is not None:
        start, length, times = found
        places = [match.span() for match in WORD.finditer(piece.text)]
        first, last = places[start + length - 1][1], places[start + times * length - 1][1]
        words = piece.words[: start + length] + piece.words[start + times * length :]
        text = piece.text[:first] + piece.text[last:]
        piece = replace(piece, text=text, words=words, flags=(*{*piece.flags, "loop"},))
        found = looping(plain_words(piece.text))
    return piece


def _paced(piece: Piece) -> Piece:
    count = len(WORD.findall(piece.text))
    if count <= FASTEST * (piece.end - piece.start):
        return piece
    return replace(piece, conf=piece.conf * 0.5, flags=(*piece.flags, "pace"))


def _is_stock(piece: Piece) -> bool:
    words = " ".join(plain_words(piece.text))
    return piece.conf < STOCK_CONF and (not words or words in STOCK)


def _in_order(piece: Piece, span: Region, reached: float) -> Piece | None:
    """Return a piece inside its chunk and behind its predecessor; None when nothing is left."""
    start, end = max(piece.start, span[0], reached), min(piece.end, span[1])
    if end <= start:
        return None
    words = tuple(
        replace(word, start=min(max(word.start, start), end), end=min(max(word.end, start), end))
        for word in piece.words
    )
    return replace(piece, start=start, end=end, words=words)
