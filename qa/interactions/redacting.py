"""A conversation on its way in: what may be stored to be read, and what is sealed away.

Every text that enters passes here before it reaches a table. When redaction fails in whatever way, the
texts are withheld: what is stored to be read is empty, and the original lies sealed until somebody tries
again. Security codes are not kept at all, sealed or not.
"""

from __future__ import annotations

import json
import logging
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from qa.core.crypto import Keys
from qa.interactions.lines import Line, Parsed
from qa.interactions.own_patterns import finders_of, name_finders
from qa.interactions.redaction import WITHHELD, Hidden, Redaction, Tone, Withheld, covered, redact, tones_over
from qa.interactions.transcript import Segment, Transcript, Word, words_in

log = logging.getLogger(__name__)

ORIGINAL = "original"
DONE, WAITING, HELD_BACK = "done", "waiting", "withheld"
FAILED = f"{WITHHELD}: it failed on this conversation."
NEVER_KEPT = "CODE"
WHOLE_FILE: list[list[Any]] = [[0, 0, 7 * 24 * 3_600_000, True]]
"""The tones where nobody knows when the hidden words were said: the sound is covered from end to end."""
HIDDEN_IN_FIELDS = frozenset({"CARD", "IBAN"})
"""A field or tag is a fact that the site chose to keep, often a number: only these are taken out of it."""


@dataclass(frozen=True, slots=True)
class Said:
    """One turn as redaction reads it."""

    position: int
    speaker: str
    text: str
    start_ms: int | None = None
    end_ms: int | None = None
    channel: int = 0
    words: tuple[Word, ...] = ()


@dataclass(frozen=True, slots=True)
class Raw:
    """All texts of one conversation before redaction."""

    turns: Sequence[Said]
    subject: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    tags: Sequence[str] = ()
    language: str = ""
    names: Sequence[str] = ()
    content_hash: str = ""


@dataclass(frozen=True, slots=True)
class Safe:
    """The same texts as they may be read. ``sealed`` holds those that differ, None when none does.

    ``words`` are the times of a turn's words after redaction, by position.
    """

    state: str
    reason: str
    texts: Mapping[int, str]
    words: Mapping[int, list[list[Any]]]
    subject: str
    fields: Mapping[str, Any]
    tags: Sequence[str]
    sealed: bytes | None
    hidden: list[list[Any]]
    tones: list[list[Any]]


@dataclass(frozen=True, slots=True)
class SafeLine:
    """A delivered conversation that passed redaction: the only thing that is stored."""

    line: Line
    content_hash: str
    safe: Safe


def safe_line(parsed: Parsed, keys: Keys, *, patterns: tuple[str, ...] = (), waits: bool = False) -> SafeLine:
    """Return a delivered conversation as it may be stored; ``waits`` when plugins must look at it first."""
    line = parsed.line
    speakers = next((list(part.speakers) for part in line.recordings if part.speakers), [])
    is_spoken = line.channel == "voice"
    raw = Raw(
        turns=[
            Said(
                place,
                turn.speaker,
                turn.text,
                _ms(turn.start) if is_spoken else None,
                _ms(turn.end if turn.end is not None else turn.start) if is_spoken else None,
                speakers.index(turn.speaker) if turn.speaker in speakers else 0,
            )
            for place, turn in enumerate(line.turns, start=1)
        ],
        subject=line.subject,
        fields=line.fields,
        tags=line.tags,
        language=line.language,
        names=[line.customer.name] if line.customer.name else [],
    )
    safe = withheld(raw, keys, WAITING, "") if waits else make_safe(raw, keys, patterns=patterns)
    turns = [
        turn.model_copy(update={"text": safe.texts[place]}) for place, turn in enumerate(line.turns, start=1)
    ]
    shown = {"subject": safe.subject, "fields": dict(safe.fields), "tags": list(safe.tags), "turns": turns}
    return SafeLine(line.model_copy(update=shown), parsed.content_hash, safe)


def _ms(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)


def make_safe(
    raw: Raw, keys: Keys, *, patterns: tuple[str, ...] = (), found_already: Sequence[Hidden] = ()
) -> Safe:
    """Return the texts as they may be read; withheld when anything goes wrong."""
    try:
        return _redacted(raw, keys, patterns, found_already)
    except Withheld as held:
        return withheld(raw, keys, HELD_BACK, str(held))
    except Exception as fault:  # a border: whatever a redactor dies of, its text is not shown
        log.error("redaction failed", extra={"error": type(fault).__name__})
        return withheld(raw, keys, HELD_BACK, FAILED)


def withheld(raw: Raw, keys: Keys, state: str, reason: str) -> Safe:
    """Return a conversation of which nothing can be read, its whole text sealed."""
    kept = _kept(
        turns={turn.position: turn.text for turn in raw.turns if turn.text},
        words={turn.position: _times(turn.words) for turn in raw.turns if turn.words},
        subject=raw.subject,
        fields={name: value for name, value in raw.fields.items() if isinstance(value, str)},
        tags=raw.tags,
    )
    nothing = {turn.position: "" for turn in raw.turns}
    fields = {name: "" if isinstance(value, str) else value for name, value in raw.fields.items()}
    return Safe(state, reason[:300], nothing, {}, "", fields, [], seal(keys, kept), [], [])


def transcript_of(raw: Raw) -> Transcript:
    """Return the turns as one transcript; where times are not known, each speaker's turns are one chain."""
    segments = tuple(
        Segment(
            turn.start_ms or 0,
            turn.end_ms or turn.start_ms or 0,
            turn.speaker if turn.speaker in ("agent", "customer") else "unknown",
            turn.text,
            turn.channel,
            None,
            turn.words,
        )
        for turn in raw.turns
    )
    return Transcript(max((one.end_ms for one in segments), default=0), segments, language=raw.language)


def _redacted(raw: Raw, keys: Keys, patterns: tuple[str, ...], found_already: Sequence[Hidden]) -> Safe:
    finders = (*finders_of(patterns), *name_finders(raw.names))
    transcript = transcript_of(raw)
    found = redact(transcript, finders, found_already)
    places = [turn.position for turn in raw.turns]
    texts = dict(zip(places, found.texts, strict=True))
    kept = _kept_texts(transcript, found)
    changed = {places[place]: kept[place] for place in sorted({one.segment for one in found.hidden})}
    subject = redact(_single(raw.subject), finders).texts[0]
    fields = {
        name: _without_cards(value) if isinstance(value, str) else value for name, value in raw.fields.items()
    }
    tags = [_without_cards(tag) for tag in raw.tags]
    differs = _kept(
        turns=changed,
        words={turn.position: _times(turn.words) for turn in raw.turns if turn.position in changed},
        subject=raw.subject if subject != raw.subject else "",
        fields={name: value for name, value in raw.fields.items() if fields[name] != value},
        tags=raw.tags if tags != list(raw.tags) else (),
    )
    return Safe(
        DONE,
        "",
        texts,
        _word_times(raw, found),
        subject,
        fields,
        tags,
        seal(keys, differs) if differs else None,
        [[places[one.segment], one.start, one.end, one.label] for one in found.hidden],
        _tones(transcript, found),
    )


def _tones(transcript: Transcript, found: Redaction) -> list[list[Any]]:
    """Return where the sound is covered. A name silences only itself, so only where its time is known."""
    heard = [one for one in found.hidden if one.label != "NAME" or transcript.segments[one.segment].words]
    tones, untimed = tones_over(heard, transcript.segments)
    return WHOLE_FILE if untimed else tones_as_json(tones)


def _kept_texts(transcript: Transcript, found: Redaction) -> tuple[str, ...]:
    """Return the originals as they are sealed: without what may not be kept even there."""
    return covered(transcript.segments, [one for one in found.hidden if one.label == NEVER_KEPT])


def _single(text: str) -> Transcript:
    return Transcript(0, (Segment(0, 0, "unknown", text),))


def _without_cards(text: str) -> str:
    alone = _single(text)
    found = [one for one in redact(alone).hidden if one.label in HIDDEN_IN_FIELDS]
    return covered(alone.segments, found)[0]


def _word_times(raw: Raw, found: Redaction) -> dict[int, list[list[Any]]]:
    """Return the times of each turn's words; what was hidden counts as one word, from first to last."""
    by_segment: dict[int, list[Hidden]] = {}
    for one in found.hidden:
        by_segment.setdefault(one.segment, []).append(one)
    return {
        turn.position: _without_hidden(turn, by_segment.get(place, []))
        for place, turn in enumerate(raw.turns)
        if turn.words
    }


def _without_hidden(turn: Said, hidden: Sequence[Hidden]) -> list[list[Any]]:
    times: list[list[Any]] = []
    open_one: Hidden | None = None
    for word, (start, end) in zip(turn.words, words_in(turn.text), strict=False):
        inside = next((one for one in hidden if start < one.end and end > one.start), None)
        if inside is not None and inside is open_one:
            times[-1][1] = word.end_ms
            continue
        open_one = inside
        times.append([word.start_ms, word.end_ms, None if inside else word.conf])
    return times


def _times(words: Sequence[Word]) -> list[list[Any]]:
    return [[word.start_ms, word.end_ms, word.conf] for word in words]


def _kept(
    *,
    turns: Mapping[int, str],
    words: Mapping[int, list[list[Any]]],
    subject: str,
    fields: Mapping[str, Any],
    tags: Sequence[str],
) -> dict[str, Any]:
    kept = {
        "turns": {str(place): text for place, text in turns.items()},
        "words": {str(place): times for place, times in words.items() if times},
        "subject": subject,
        "fields": dict(fields),
        "tags": list(tags),
    }
    return {name: value for name, value in kept.items() if value}


def seal(keys: Keys, kept: Mapping[str, Any]) -> bytes:
    """Return original texts sealed."""
    return keys.seal(zlib.compress(json.dumps(kept).encode()), purpose=ORIGINAL)


def unseal(keys: Keys, sealed: bytes) -> dict[str, Any]:
    """Return what was sealed. Raises ``Tampered``."""
    opened: dict[str, Any] = json.loads(zlib.decompress(keys.open(sealed, purpose=ORIGINAL)))
    return opened


def tones_as_json(tones: Sequence[Tone]) -> list[list[Any]]:
    """Return tones as plain values."""
    return [[one.channel, one.start_ms, one.end_ms, one.everywhere] for one in tones]


def tones_of(values: Sequence[Sequence[Any]]) -> list[Tone]:
    """Return the tones that plain values mean."""
    return [Tone(int(channel), int(start), int(end), bool(all_)) for channel, start, end, all_ in values]
