"""What must not stay in a transcript: card and account numbers, security codes, addresses of mail and bank.

Runs before anything else reads a text, and fails closed: whatever cannot be trusted raises ``Withheld``,
and then neither text nor sound is shown. Other people's names and street addresses are not found.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from qa.interactions.addresses import email_spans, iban_spans
from qa.interactions.digits import Run, digit_runs
from qa.interactions.transcript import Segment, Transcript, Word, words_in
from qa.stats.intervals import Span

Finder = tuple[str, Callable[[str], Sequence[Span]]]
"""A label, and what finds the places in a text that get it."""
WITHHELD = "Withheld: redaction has not finished"
LANGUAGES = frozenset({"en"})
"""Languages whose spoken numbers are known; a text in another one is withheld."""

CHAIN_GAP_MS = 10_000
PAD_MS = 100
JOIN_MS = 250
LEAST_NUMBER = 7
CARD_DIGITS = range(13, 20)
CODE_DIGITS = range(3, 5)
CODE_WITHIN_WORDS = 10
_VISIBLE = re.compile(r"\S+")
_CODE_WORDS = tuple(
    tuple(phrase.split())
    for phrase in (
        "security code",
        "cvv",
        "cvc",
        "cvv2",
        "three digits on the back",
        "3 digits on the back",
        "verification code",
        "pin",
    )
)
_WORDS_BEFORE = CODE_WITHIN_WORDS + max(map(len, _CODE_WORDS)) - 1
CHARACTERS_BEFORE = 400
_LISTENING = "mhm mm mmm hmm hm uh huh yes yeah yep yup ok okay right sure aha ah i see got it"
_LISTENING_WORDS = frozenset(_LISTENING.split())


class Withheld(Exception):
    """The text cannot be shown: a part of redaction failed or does not know the language."""


@dataclass(frozen=True, slots=True)
class Hidden:
    """Characters of one segment that are replaced by ``[label]``."""

    segment: int
    start: int
    end: int
    label: str


@dataclass(frozen=True, slots=True)
class Tone:
    """A stretch of sound to be covered: on one channel, or on all where the voices are not kept apart."""

    channel: int
    start_ms: int
    end_ms: int
    everywhere: bool


@dataclass(frozen=True, slots=True)
class Redaction:
    """Texts to show instead of the original ones, and what was covered; offsets are the original's.

    ``untimed`` are segments in which something was hidden and of which nobody knows when they were spoken.
    """

    texts: tuple[str, ...]
    hidden: tuple[Hidden, ...]
    tones: tuple[Tone, ...]
    untimed: tuple[int, ...]


def redact(
    transcript: Transcript, more: Sequence[Finder] = (), found_already: Iterable[Hidden] = ()
) -> Redaction:
    """Return the transcript's texts with everything hidden that must not stay. Raises ``Withheld``.

    ``more`` are finders of names and of a site's own patterns; ``found_already`` is what others found.
    """
    if not speaks(transcript.language):
        raise Withheld(f'{WITHHELD}: spoken numbers in "{transcript.language}" are not known.')
    conversation = _Conversation(transcript.segments)
    hidden: list[Hidden] = []
    for chain in chains(transcript.segments):
        for label, tokens in _findings(chain, conversation, more):
            hidden.extend(chain.hidden(label, tokens))
    others = list(found_already)
    _check_places(others, transcript.segments)
    if others:
        hidden = merged([*hidden, *others])
    hidden.sort(key=lambda one: (one.segment, one.start))
    check(hidden, transcript.segments)
    timed, untimed = tones_over(hidden, transcript.segments)
    return Redaction(covered(transcript.segments, hidden), tuple(hidden), tuple(timed), tuple(untimed))


def speaks(language: str) -> bool:
    """Tell whether redaction knows this language; one that nobody named is taken for English."""
    return not language or language.lower().replace("_", "-").split("-")[0] in LANGUAGES


def merged(hidden: Iterable[Hidden]) -> list[Hidden]:
    """Return the places with those made one that overlap; the first one's label stands."""
    found: list[Hidden] = []
    for one in sorted(hidden, key=lambda one: (one.segment, one.start)):
        last = found[-1] if found else None
        if last is not None and last.segment == one.segment and one.start < last.end:
            found[-1] = Hidden(last.segment, last.start, max(last.end, one.end), last.label)
        else:
            found.append(one)
    return found


def check(hidden: Sequence[Hidden], segments: Sequence[Segment]) -> None:
    """Raise ``Withheld`` unless every place lies inside its segment and none overlaps the next."""
    _check_places(hidden, segments)
    for one, two in pairwise(hidden):
        if one.segment == two.segment and two.start < one.end:
            raise Withheld(f"{WITHHELD}: redactors disagree about segment {one.segment + 1}.")


def _check_places(hidden: Sequence[Hidden], segments: Sequence[Segment]) -> None:
    for one in hidden:
        inside = 0 <= one.segment < len(segments) and 0 <= one.start < one.end <= len(
            segments[one.segment].text
        )
        if not inside or not one.label.isupper():
            raise Withheld(f"{WITHHELD}: a redactor named a place that does not exist.")


def covered(segments: Sequence[Segment], hidden: Iterable[Hidden]) -> tuple[str, ...]:
    """Return the texts with ``[LABEL]`` in each place; places are in order and apart."""
    texts = [segment.text for segment in segments]
    for one in reversed(list(hidden)):
        text = texts[one.segment]
        texts[one.segment] = f"{text[: one.start]}[{one.label}]{text[one.end :]}"
    return tuple(texts)


@dataclass(frozen=True, slots=True)
class Chain:
    """Segments of one speaker read as one text, and where each of them starts in it."""

    text: str
    places: tuple[int, ...]
    starts: tuple[int, ...]

    def where(self, offset: int) -> tuple[int, int]:
        """Return the segment and the offset in it of a character of the chain's text."""
        piece = bisect_right(self.starts, offset) - 1
        return self.places[piece], offset - self.starts[piece]

    def hidden(self, label: str, tokens: Iterable[Span]) -> Iterator[Hidden]:
        """Yield one place for each segment that the tokens touch, from its first token to its last."""
        reach: dict[int, Span] = {}
        for start, end in tokens:
            segment, offset = self.where(start)
            known = reach.get(segment, (offset, offset))
            reach[segment] = (known[0], offset + end - start)
        for segment, (start, end) in reach.items():
            yield Hidden(segment, start, end, label)


def chains(segments: Sequence[Segment]) -> Iterator[Chain]:
    """Yield each speaker's segments joined over gaps of at most ten seconds.

    Where speakers are not known, somebody's "mhm" between two groups of digits must not part them:
    segments that hold nothing but such words are left out.
    """
    for speaker in ("agent", "customer", "unknown"):
        held: list[int] = []
        reached = 0
        for place in sorted(
            (place for place, segment in enumerate(segments) if segment.speaker == speaker),
            key=lambda place: segments[place].start_ms,
        ):
            segment = segments[place]
            if speaker == "unknown" and _only_listens(segment.text):
                continue
            if held and segment.start_ms - reached > CHAIN_GAP_MS:
                yield _chain(segments, held)
                held = []
            reached = max(reached, segment.end_ms) if held else segment.end_ms
            held.append(place)
        if held:
            yield _chain(segments, held)


def _chain(segments: Sequence[Segment], places: Sequence[int]) -> Chain:
    starts, reached = [], 0
    for place in places:
        starts.append(reached)
        reached += len(segments[place].text) + 1
    return Chain(" ".join(segments[place].text for place in places), tuple(places), tuple(starts))


def _only_listens(text: str) -> bool:
    return all(text[start:end].lower() in _LISTENING_WORDS for start, end in words_in(text))


def _findings(
    chain: Chain, conversation: _Conversation, more: Sequence[Finder]
) -> Iterator[tuple[str, list[Span]]]:
    text = chain.text
    for label, find in (("EMAIL", email_spans), ("IBAN", iban_spans), *more):
        places = find(text)
        for start, end in places:
            yield label, [match.span() for match in _VISIBLE.finditer(text, start, end)]
        text = _masked(text, places)
    for run in digit_runs(text):
        label = label_of(run.digits) or ("CODE" if conversation.asks_for(run, chain) else "")
        if label:
            yield label, list(run.tokens)


def _masked(text: str, places: Iterable[Span]) -> str:
    """Return the text with one long word in each place, so that later readers find nothing there."""
    pieces, reached = [], 0
    for start, end in places:
        pieces += [text[reached:start], "x" * (end - start)]
        reached = end
    return "".join([*pieces, text[reached:]])


def label_of(digits: str) -> str | None:
    """Return CARD where some 13 to 19 digits in a row pass Luhn's check, else NUMBER from seven on."""
    if has_card(digits):
        return "CARD"
    return "NUMBER" if len(digits) >= LEAST_NUMBER else None


def has_card(digits: str) -> bool:
    """Tell whether a stretch of 13 to 19 digits, not all zeros, passes Luhn's check."""
    numbers = [int(digit) for digit in digits]
    doubled = [number * 2 - 9 * (number > 4) for number in numbers]
    for last in range(CARD_DIGITS.start - 1, len(numbers)):
        total, anything = 0, False
        for back in range(min(CARD_DIGITS.stop - 1, last + 1)):
            number = numbers[last - back]
            total += doubled[last - back] if back % 2 else number
            anything = anything or number > 0
            if back + 1 in CARD_DIGITS and anything and total % 10 == 0:
                return True
    return False


class _Conversation:
    """All words in the order in which they were said, to know what somebody was asked for."""

    def __init__(self, segments: Sequence[Segment]) -> None:
        self._segments = segments
        self._words: list[str] = []
        self._base: dict[int, int] = {}
        self._starts: dict[int, list[int]] = {}

    def _read(self) -> None:
        """Read the words, once there is something that somebody may have been asked for."""
        segments = self._segments
        for place in sorted(range(len(segments)), key=lambda place: (segments[place].start_ms, place)):
            spans = words_in(segments[place].text)
            self._base[place] = len(self._words)
            self._starts[place] = [start for start, _ in spans]
            self._words.extend(segments[place].text[start:end].lower() for start, end in spans)

    def asks_for(self, run: Run, chain: Chain) -> bool:
        """Tell whether three or four digits follow words for a security code, whoever said those."""
        if len(run.digits) not in CODE_DIGITS:
            return False
        if not self._base:
            self._read()
        segment, offset = chain.where(run.start)
        place = self._base[segment] + bisect_right(self._starts[segment], offset) - 1
        said_by_anybody = self._words[max(place - _WORDS_BEFORE, 0) : place]
        own = chain.text[max(run.start - CHARACTERS_BEFORE, 0) : run.start]
        return _asked(said_by_anybody) or _asked([own[start:end].lower() for start, end in words_in(own)])


def _asked(words: Sequence[str]) -> bool:
    """Tell whether the words end in a phrase for a code and at most nine more."""
    near = words[-_WORDS_BEFORE:]
    return any(
        tuple(near[end - len(phrase) : end]) == phrase
        for end in range(max(len(near) - CODE_WITHIN_WORDS + 1, 1), len(near) + 1)
        for phrase in _CODE_WORDS
        if end >= len(phrase)
    )


def tones_over(hidden: Iterable[Hidden], segments: Sequence[Segment]) -> tuple[list[Tone], list[int]]:
    """Return the stretches of sound that say what was hidden, and the segments whose time nobody knows."""
    timed: list[Tone] = []
    untimed: list[int] = []
    for one in hidden:
        segment = segments[one.segment]
        start, end = _spoken_at(one, segment)
        if end > start:
            timed.append(Tone(segment.channel, start, end, segment.speaker == "unknown"))
        elif one.segment not in untimed:
            untimed.append(one.segment)
    return joined_tones(timed), untimed


def _spoken_at(one: Hidden, segment: Segment) -> Span:
    """Return when the hidden characters are said: by the words' own times, or else the whole segment."""
    words = [
        word
        for word, (start, end) in zip(segment.words, words_in(segment.text), strict=False)
        if start < one.end and end > one.start
    ]
    if not words or not all(map(_is_plausible, words)):
        return max(min(segment.start_ms, segment.end_ms), 0), max(segment.start_ms, segment.end_ms)
    return max(words[0].start_ms - PAD_MS, 0), words[-1].end_ms + PAD_MS


def _is_plausible(word: Word) -> bool:
    return 0 <= word.start_ms <= word.end_ms


def joined_tones(tones: Iterable[Tone]) -> list[Tone]:
    """Return the tones by channel and time, those at most a quarter of a second apart made one."""
    found: list[Tone] = []
    for tone in sorted(tones, key=lambda tone: (tone.channel, tone.start_ms, tone.end_ms)):
        last = found[-1] if found else None
        if last is not None and last.channel == tone.channel and tone.start_ms - last.end_ms <= JOIN_MS:
            found[-1] = Tone(
                last.channel,
                last.start_ms,
                max(last.end_ms, tone.end_ms),
                last.everywhere or tone.everywhere,
            )
        else:
            found.append(tone)
    return found
